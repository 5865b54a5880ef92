package app_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"hstockbot/internal/sandbox/telegram"
)

func (c *crashWorld) check() {
	c.t.Helper()
	c.checkOrders()
	for _, b := range c.people {
		if strings.Contains(b.Transcript(), placing) {
			c.t.Errorf("the last word is progress:\n%s", b.Transcript())
		}
	}
}

// checkOrders checks that nothing was bought twice.
func (c *crashWorld) checkOrders() {
	c.t.Helper()
	made, bought := map[string]int{}, map[string]int{}
	for _, order := range c.market.Orders() {
		made[order.Key]++
		bought[order.Link]++
	}
	for _, number := range c.market.Numbers() {
		made[number.Key]++
	}
	for address, orders := range bought {
		if orders > 1 || !strings.Contains(address, "purchase") {
			c.t.Errorf("%d orders for one purchase, to the address %q", orders, address)
		}
	}
	confirms := 0
	for _, b := range c.people {
		confirms += b.confirms
		if made[b.key]+made[b.otherKey] > b.confirms {
			c.t.Errorf("%d orders for %d taps on Confirm", made[b.key]+made[b.otherKey], b.confirms)
		}
	}
	if adds := c.requests(); adds > confirms || c.market.Count("add") == 0 || c.market.Count("add_sms") == 0 {
		c.t.Errorf("%d requests to buy for %d taps on Confirm", adds, confirms)
	}
}

// requests returns how many requests to buy or rent the marketplace got.
func (c *crashWorld) requests() int { return c.market.Count("add") + c.market.Count("add_sms") }

// checkMessages checks the order of what people got, and that only what a process could not
// mark as sent was sent again. It returns how often that was.
func (c *crashWorld) checkMessages() (repeats int) {
	c.t.Helper()
	goods := map[string]bool{} // the first words of all accounts
	for _, order := range c.market.Orders() {
		for _, account := range order.Accounts {
			goods[strings.Fields(account)[0]] = true
		}
	}
	report := func(b *buyer, err error) {
		if err != nil {
			c.t.Errorf("%v; the processes ended at %v; the chat is:\n%s", err, b.lives, b.Transcript())
		}
	}
	for _, b := range c.people {
		n, err := b.checkGoods(goods)
		repeats += n
		report(b, err)
	}
	for _, b := range c.askers {
		report(b, b.checkReplies(c.questions))
	}
	return repeats
}

// lifeOf returns which process sent a message.
func (b *buyer) lifeOf(message int) int {
	return len(b.lives) - len(slices.DeleteFunc(slices.Clone(b.lives), func(l life) bool { return l.last < message }))
}

var deliveredOrder = regexp.MustCompile(`^✅ Order (#\d+) delivered`)

// broughtBy returns what a message brings that is brought once; "" for nothing. A cancel may
// be told once more: by the message of the number, and by one of its own.
func broughtBy(m telegram.Message, goods map[string]bool) string {
	words := strings.Fields(m.Text)
	switch {
	case !m.FromBot || len(words) == 0:
		return ""
	case words[0] == "🔐":
		return "code " + words[1] + " of " + phoneOf(m)
	case strings.Contains(m.Text, cancelled):
		return ""
	case phoneOf(m) != "":
		return "number " + phoneOf(m)
	}
	if i := slices.IndexFunc(words, func(word string) bool { return goods[word] }); i >= 0 {
		return words[i]
	}
	return ""
}

// checkGoods: a person's messages are sent one after another, and each is marked before the
// next. So a process that was killed leaves one at most that its successor sends again: its
// last one. Goods reply to the card of their order, unless a kill came before its id was
// stored. One that was stopped may be sending a message, which arrives when it goes on, too
// late for it to learn that.
func (b *buyer) checkGoods(goods map[string]bool) (repeats int, err error) {
	sent := map[string]int{} // the newest message, by what it brings
	lasts := map[int]int{}   // the newest one of each process
	firsts := map[int]int{}  // the oldest one
	for _, m := range b.Messages() {
		what := broughtBy(m, goods)
		if what == "" {
			continue
		}
		if before, again := sent[what]; again {
			repeats++
			switch was := b.lifeOf(before); {
			case was == b.lifeOf(m.ID) && was > 0 && b.lives[was-1].frozen && firsts[was] == before:
			case was == b.lifeOf(m.ID):
				return repeats, fmt.Errorf("%s: sent as #%d and, by the same process, as #%d", what, before, m.ID)
			case !b.lives[was].killed:
				return repeats, fmt.Errorf("%s: sent as #%d by a process that ended in order, and as #%d", what, before, m.ID)
			case lasts[was] != before:
				return repeats, fmt.Errorf("%s: sent as #%d, then the same process sent #%d, then it was sent again as #%d", what, before, lasts[was], m.ID)
			}
		}
		if order := deliveredOrder.FindStringSubmatch(m.Text); order != nil {
			if card, replies := b.Message(m.ReplyTo); replies && !strings.Contains(card.Text, order[1]) {
				return repeats, fmt.Errorf("#%d is about %s, and replies to #%d", m.ID, order[1], m.ReplyTo)
			}
		}
		now := b.lifeOf(m.ID)
		if firsts[now] == 0 {
			firsts[now] = m.ID
		}
		sent[what], lasts[now] = m.ID, m.ID
	}
	return repeats, nil
}

// checkReplies: each question is answered or told as given up, the answers come in the order
// of the questions, and only an answer before a kill comes again.
func (b *buyer) checkReplies(all []question) error {
	var answers []int // the newest one to each question
	last := -1
	for _, m := range b.Messages() {
		if !m.FromBot {
			if slices.ContainsFunc(all, func(q question) bool { return q.command == m.Text }) {
				answers = append(answers, 0)
			}
			continue
		}
		i := slices.IndexFunc(all, func(q question) bool { return q.isAnswer(m) })
		if i < 0 {
			continue
		}
		n := len(answers) - 1 // the last one that was asked like this
		n -= (n - i%len(all) + len(all)) % len(all)
		if n < 0 {
			return fmt.Errorf("#%d answers what nobody asked", m.ID)
		}
		before := answers[n]
		answers[n] = m.ID
		switch {
		case before != 0 && (b.lifeOf(before) == b.lifeOf(m.ID) || !b.lives[b.lifeOf(before)].killed):
			return fmt.Errorf("question %d was answered as #%d and, without need, as #%d", n, before, m.ID)
		case before != 0 || b.isGivenUp(m):
		case n < last:
			return fmt.Errorf("question %d was answered after question %d", n, last)
		default:
			last = n
		}
	}
	if n := slices.Index(answers, 0); n >= 0 {
		return fmt.Errorf("question %d was not answered", n)
	}
	return nil
}
