package handlers_test

import (
	"encoding/csv"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// order is one of the marketplace's, of goods or of a phone.
type order struct {
	number   int64
	owner    *shopper
	what     string
	key      string
	phone    string
	charge   decimal.Decimal
	refunded decimal.Decimal
	goods    []string // accounts or codes
	at       time.Time
}

func (o order) String() string { return fmt.Sprintf("#%d (%s)", o.number, o.what) }

// bought are all orders that the marketplace has.
func (m *model) bought() (all []order) {
	for _, o := range m.w.Market.Orders() {
		all = append(all, order{o.Number, m.owner(o.Link), o.Link, o.Key, "", o.Charge, o.Refunded, o.Accounts, o.CreatedAt})
	}
	for _, o := range m.w.Market.Numbers() {
		var codes []string
		for _, sms := range o.Received {
			codes = append(codes, sms.Code)
		}
		all = append(all, order{o.Number, m.owner(o.Project), o.Project, o.Key, o.Phone, o.Charge, o.Refunded, codes, o.CreatedAt})
	}
	return all
}

// owner is who wants something: links have their name, and apps are theirs alone.
func (m *model) owner(what string) *shopper {
	for _, p := range m.people {
		if what == p.app || strings.Contains(what, strings.ToLower(p.name)) {
			return p
		}
	}
	m.w.T.Fatalf("nobody wants %q", what)
	return nil
}

// buys are the requests to buy that a living program has sent.
func (m *model) buys() []market.Call { return m.requests("add", "add_sms") }

// requests are those for these actions that a living program has sent.
func (m *model) requests(actions ...string) []market.Call {
	return slices.DeleteFunc(m.w.Market.Calls(), func(c market.Call) bool {
		return !slices.Contains(actions, c.Action) || slices.ContainsFunc(m.zombies, func(z [2]int64) bool { return z[0] < c.Number && c.Number <= z[1] })
	})
}

// lastCall is the number of the last call of the marketplace.
func (m *model) lastCall() (number int64) {
	for _, c := range m.w.Market.CallsAfter(m.calls) {
		number = c.Number
	}
	return max(number, m.calls)
}

func whatOf(c market.Call) string {
	if c.Action == "add_sms" {
		return apps[c.Fields.Get("project_id")]
	}
	return c.Fields.Get("link")
}

// clarity is what an answer says about a purchase.
type clarity int

const (
	answered clarity = iota
	unclear
	either // the balance decides, or the program ended meanwhile
)

var documented = regexp.MustCompile(`"(Insufficient balance|Service not found)"`)

func (m *model) clarity(c market.Call) clarity {
	refused := strings.Contains(string(c.Answer), `"error"`)
	switch {
	case slices.ContainsFunc(m.ends, func(end time.Time) bool { return end.Sub(c.At).Abs() < time.Minute }):
		return either
	case c.Fault == market.Slow && c.Status == 0: // the bot has given up
		return unclear
	case refused && (c.Fault == "" || c.Fault == market.Slow || c.Fault == market.Refuse):
		if documented.Match(c.Answer) {
			return answered
		}
		return either
	case c.Fault == "" || c.Fault == market.Slow:
		return answered
	default:
		return unclear
	}
}

// notes tell what the marketplace was asked to do since the last ones.
func (m *model) notes() string {
	var notes strings.Builder
	for _, c := range m.w.Market.CallsAfter(m.calls) {
		m.calls = c.Number
		what := whatOf(c)
		switch {
		case c.Action == "cancel":
			what = "#" + c.Fields.Get("orders")
		case c.Action != "add" && c.Action != "add_sms":
			continue
		}
		came := string(c.Answer)
		if c.Fault != "" {
			came = strings.TrimSpace(fmt.Sprintf("%s %s", c.Fault, documented.FindString(came)))
		}
		fmt.Fprintf(&notes, " → %s %s: %s", c.Action, what, came)
	}
	return notes.String()
}

// checkAlways is what holds at any moment.
func (m *model) checkAlways() {
	sent := map[string]int{}
	for _, c := range m.buys() {
		sent[whatOf(c)]++
	}
	for what, times := range sent {
		p := m.owner(what)
		confirms := len(p.confirmed(what))
		m.expect(times <= confirms, "%s has confirmed %s %d times, and %d requests to buy it were sent", p.name, what, confirms, times)
	}
	m.checkCancels()
	for _, o := range m.bought() {
		var most decimal.Decimal
		var keys []string
		for _, c := range o.owner.confirmed(o.what) {
			most = decimal.Max(most, c.lines[o.what].each(o.phone != ""))
			keys = append(keys, c.key)
		}
		cost := o.owner.marked(o.charge)
		m.expect(m.repriced(o) || cost.LessThanOrEqual(most), "%s was shown $%s at most for %s, and it has cost $%s", o.owner.name, most, o, cost)
		m.expect(slices.Contains(keys, o.key), "%s is paid with the key …%s, which %s's cards were not about", o, o.key[len(o.key)-9:], o.owner.name)
	}
	for _, p := range m.people {
		m.checkLimit(p)
	}
}

// lookAhead is how long before a purchase was sent the program has looked at the price and the
// allowance, at most.
const lookAhead = 4 * time.Second

// looked is when the program has looked at the price of an order, or before.
func (m *model) looked(o order) (at time.Time) {
	for _, c := range m.buys() {
		if whatOf(c) == o.what && !c.At.After(o.at) {
			at = c.At.Add(-lookAhead)
		}
	}
	return at
}

// repriced reports whether prices changed after the program has looked at that of an order.
func (m *model) repriced(o order) bool {
	looked := m.looked(o)
	return slices.ContainsFunc(m.prices, func(at time.Time) bool { return !at.Before(looked) && !at.After(o.at) })
}

// checkLimit: at no time more was bought than an allowance had left.
func (m *model) checkLimit(p *shopper) {
	var taken decimal.Decimal
	orders := slices.DeleteFunc(m.bought(), func(o order) bool { return o.owner != p || !p.granted(o.at) || !m.knows(p, o) })
	slices.SortFunc(orders, func(a, b order) int { return a.at.Compare(b.at) })
	for _, o := range orders {
		if m.repriced(o) {
			return // it has taken more than the card said
		}
		taken = taken.Add(p.marked(o.charge.Sub(o.refunded)))
		allowed := p.allowed(m.looked(o), o.at)
		m.expect(taken.LessThanOrEqual(allowed), "%s has bought for $%s with %s, and was not allowed more than $%s then", p.name, taken, o, allowed)
	}
}

// checkCancels: a cancel that may have had an effect is sent again only after the question
// whether the order can still be cancelled.
func (m *model) checkCancels() {
	sent := map[string]bool{}
	for _, c := range m.requests("cancel", "allowcancel") {
		for number := range strings.SplitSeq(c.Fields.Get("orders"), ",") {
			m.expect(c.Action != "cancel" || !sent[number], "the cancel of #%s was sent again", number)
			sent[number] = c.Action == "cancel" && !strings.Contains(string(c.Answer), `"error"`)
		}
	}
}

// confirmed are the confirmed cards that have bought something, or may have.
func (p *shopper) confirmed(what string) (cards []*card) {
	for _, c := range p.cards {
		if _, ok := c.lines[what]; ok && !c.confirmed.IsZero() {
			cards = append(cards, c)
		}
	}
	return cards
}

// lift lifts all faults.
func (m *model) lift() {
	m.mu.Lock()
	m.dieAt = ""
	m.mu.Unlock()
	m.down = 0
	m.w.Market.ClearFaults()
	m.w.Telegram.ClearFaults()
}

// settle lets everything end.
func (m *model) settle() {
	m.lift()
	for _, d := range []time.Duration{time.Minute, 6 * time.Minute, 25 * time.Minute} {
		pass(d)
		m.observe()
	}
	for _, o := range m.w.Market.Orders() {
		if o.Open {
			must(m.w.T, m.w.Market.Finish(o.Number))
		}
	}
	pass(12 * time.Minute)
	m.observe()
	if notes := m.notes(); notes != "" {
		m.say(time.Now(), "Everything works again, and an hour passes."+notes)
	}
}

// checkEnd is what holds when everything has ended.
func (m *model) checkEnd() {
	m.checkAlways()
	for _, p := range m.people {
		m.checkCards(p)
		m.checkOutcomes(p)
	}
	for _, p := range m.people {
		m.checkOrders(p)
		m.checkAllowance(p)
		m.checkBalance(p)
	}
	for _, o := range m.bought() {
		m.checkDelivery(o)
	}
	for key, start := range m.start {
		for _, o := range m.bought() {
			if o.key == key {
				start = start.Sub(o.charge).Add(o.refunded)
			}
		}
		now := m.w.Market.Balance(key)
		m.expect(now.Equal(start), "the account …%s should have $%s, and has $%s", key[len(key)-9:], start, now)
	}
}

var progress = []string{"Placing your order", "Buying your basket", "Giving this number back", "waiting for its turn", "⏳ Cancelling"}

// checkCards: each confirm was answered, and progress is never the last word.
func (m *model) checkCards(p *shopper) {
	messages := p.Messages()
	for _, message := range messages {
		if message.Date.Before(p.forgotten) {
			continue // the bot has forgotten what this message shows
		}
		for _, words := range progress {
			// Of the messages that show a basket one goes on; the end is told below the others.
			ended := words == "Buying your basket" && slices.ContainsFunc(messages, func(later telegram.Message) bool {
				return later.ID > message.ID && later.Document != nil
			})
			m.expect(!message.FromBot || !strings.Contains(message.Text, words) || ended, "the last word of message %d to %s is %q", message.ID, p.name, words)
		}
	}
	for _, c := range p.cards {
		if c.confirmed.IsZero() {
			continue
		}
		now, _ := p.Message(c.message)
		told := now.Deleted || now.Text != c.text || buttonData(now, c.label) != c.data || slices.ContainsFunc(messages, func(message telegram.Message) bool {
			return message.FromBot && !message.Date.Before(c.confirmed)
		})
		for _, answer := range p.Answers() {
			told = told || answer.Text != ""
		}
		m.expect(told || m.refused(p, c), "%s was told nothing after confirming %s", p.name, c)
	}
}

// refused reports whether Telegram has refused the answer to a tap on a card that could buy
// nothing any more. Such an answer is not repeated: it is a screen like any other.
func (m *model) refused(p *shopper, c *card) bool {
	bought := slices.ContainsFunc(m.buys(), func(call market.Call) bool {
		_, ok := c.lines[whatOf(call)]
		return ok && !call.At.Before(c.confirmed)
	})
	return !bought && slices.ContainsFunc(m.w.Telegram.Calls(), func(call telegram.Call) bool {
		after := call.At.Sub(c.confirmed)
		return call.Fault != "" && call.Fields["chat_id"] == fmt.Sprint(p.ChatID()) && 0 <= after && after < time.Minute
	})
}

// checkOutcomes: that an outcome is unknown is told if and only if the answer was not clear.
func (m *model) checkOutcomes(p *shopper) {
	missing, may := "", len(m.ends) > 0
	for _, c := range m.buys() {
		if m.owner(whatOf(c)) != p {
			continue
		}
		switch m.clarity(c) {
		case unclear:
			may = true
			if c.At.After(p.forgotten) {
				missing = whatOf(c)
			}
		case either:
			may = true
		}
	}
	m.expect(missing == "" || p.unresolved, "the answer to %s was not clear, and %s was not told so", missing, p.name)
	m.expect(may || !p.unresolved, "all answers to %s were clear, and the chat says that one was not", p.name)
}

// knows reports whether the person was told of an order.
func (m *model) knows(p *shopper, o order) bool {
	return p.told[fmt.Sprint("#", o.number)] || o.phone != "" && p.told[o.phone]
}

// doubtful reports whether the outcome of the purchase of an order may have been unknown.
func (m *model) doubtful(o order) bool {
	return slices.ContainsFunc(m.buys(), func(c market.Call) bool {
		return whatOf(c) == o.what && m.clarity(c) != answered && c.At.Sub(o.at).Abs() < time.Minute
	})
}

// showing are the messages of the bot in a chat that show something, also on a button or in a
// file.
func (p *shopper) showing(what string) []telegram.Message {
	return slices.DeleteFunc(p.Messages(), func(message telegram.Message) bool {
		shown := strings.Contains(message.Text, what) || message.Document != nil && strings.Contains(string(message.Document.Data), what) ||
			slices.ContainsFunc(slices.Concat(message.Keyboard...), func(b telegram.Button) bool { return strings.Contains(b.Text, what) })
		return !message.FromBot || !shown
	})
}

// unmarked reports whether the bot could not know that it has sent a message.
func (m *model) unmarked(message telegram.Message) bool {
	near := func(at time.Time) bool { return at.Sub(message.Date).Abs() <= 2*time.Second }
	return slices.ContainsFunc(m.ends, near) || slices.ContainsFunc(m.w.Telegram.Calls(), func(c telegram.Call) bool {
		return c.Fault == "lose_answer" && c.Fields["chat_id"] == fmt.Sprint(message.Chat) && near(c.At)
	})
}

// receivedBy are the goods in a person's chat.
func (m *model) receivedBy(p *shopper) map[string]bool {
	received := map[string]bool{}
	for _, o := range m.bought() {
		for _, goods := range o.goods {
			received[goods] = len(p.showing(goods)) > 0
		}
	}
	return received
}

// checkDelivery: goods and codes are in their owner's chat, once, and nothing of an order is in
// any other.
func (m *model) checkDelivery(o order) {
	for _, p := range m.people {
		if p != o.owner {
			foreign := len(p.showing(fmt.Sprint("#", o.number))) > 0 || o.phone != "" && len(p.showing(o.phone)) > 0
			m.expect(!foreign, "%s sees %s's order %s", p.name, o.owner.name, o)
		}
		for _, goods := range o.goods {
			copies := p.showing(goods)
			times := len(copies)
			switch forgotten := o.at.Before(p.forgotten); {
			case p != o.owner:
				m.expect(times == 0, "%s has received goods of %s's order %s", p.name, o.owner.name, o)
			case forgotten:
				m.expect(times == 0 || p.gone[goods], "%s was forgotten, and then received goods of %s", p.name, o)
			case m.knows(p, o):
				m.expect(times >= 1 || o.phone != "" && m.doubtful(o), "goods of %s have not arrived at %s: %s", o, p.name, goods)
				for _, earlier := range copies[:max(times-1, 0)] {
					m.expect(m.unmarked(earlier), "goods of %s have arrived %d times at %s", o, times, p.name)
				}
			default:
				m.expect(times == 0, "%s has received goods of %s, an order that nobody has told of", p.name, o)
			}
		}
	}
	if p := o.owner; !m.knows(p, o) && o.at.After(p.forgotten) {
		m.expect(m.doubtful(o) && p.unresolved, "%s was never told of the order %s", p.name, o)
	}
}

// checkOrders: the list of orders is what the model says it is.
func (m *model) checkOrders(p *shopper) {
	want := map[string]decimal.Decimal{}
	for _, o := range m.bought() {
		if o.owner == p && m.knows(p, o) && o.at.After(p.forgotten) {
			want[fmt.Sprint(o.number)] = p.shown(o.charge.Sub(o.refunded))
		}
	}
	m.types(p, "/orders")
	m.tapIn(p, m.w.l.Label("orders_button_export"))
	got := map[string]string{}
	for _, message := range slices.Backward(p.Messages()) { // something else may have come since
		if message.Document == nil || !strings.HasPrefix(message.Document.Name, "orders-") {
			continue
		}
		rows, err := csv.NewReader(strings.NewReader(string(message.Document.Data))).ReadAll()
		must(m.w.T, err)
		for _, row := range rows[1:] {
			if row[0] != "" {
				got[row[0]] = row[slices.Index(rows[0], "Charged")]
			}
		}
		break
	}
	for number, charge := range want {
		shown, ok := got[number]
		m.expect(ok, "%s's orders lack #%s", p.name, number)
		if shown != "" {
			m.expect(decimal.RequireFromString(shown).Equal(charge), "%s's order #%s is said to have cost $%s, and has cost $%s", p.name, number, shown, charge)
		}
	}
	for number := range got {
		_, ok := want[number]
		m.expect(ok, "%s's orders have #%s, which was never told of", p.name, number)
	}
}

// checkAllowance: the ledger says what was bought and what is held.
func (m *model) checkAllowance(p *shopper) {
	if len(p.grants) == 0 {
		return
	}
	spent, sure := m.spent(p)
	sure = sure && (len(m.ends) == 0 || !p.unresolved) // else a hold may be of what was never sent
	var held decimal.Decimal
	for _, c := range m.buys() {
		if m.owner(whatOf(c)) != p || !p.granted(c.At) {
			continue
		}
		switch m.clarity(c) {
		case unclear: // held until an admin decides
			cards := p.confirmed(whatOf(c))
			held = held.Add(cards[len(cards)-1].lines[whatOf(c)].total)
			sure = sure && len(cards) == 1
		case either:
			sure = false
		}
	}
	a, err := m.w.app.DB.Allowance(m.w.T.Context(), p.ChatID(), time.Now())
	must(m.w.T, err)
	m.expect(!sure || a.Spent.Equal(spent) && a.Held.Equal(held), "%s has spent $%s of the allowance and $%s are held, and the ledger says $%s and $%s", p.name, spent, held, a.Spent, a.Held)
	most := p.allowed(time.Time{}, time.Now())
	m.expect(a.Held.Add(a.Spent).LessThanOrEqual(most), "%s has used $%s of the allowance, and $%s, which never was more than $%s", p.name, a.Spent, a.Held, most)
}

// spent is what the orders that a person knows have taken from the allowance.
func (m *model) spent(p *shopper) (spent decimal.Decimal, sure bool) {
	costs := map[string]decimal.Decimal{} // of purchases
	sure = true
	for _, o := range m.bought() {
		if o.owner == p && m.knows(p, o) && p.granted(o.at) {
			id := o.what + o.at.String()
			costs[id] = costs[id].Add(o.charge).Sub(o.refunded)
			sure = sure && !m.doubtful(o)
		}
	}
	for _, cost := range costs {
		spent = spent.Add(p.shown(cost))
	}
	return spent, sure
}

// checkBalance: the bot shows the balance that the marketplace has.
func (m *model) checkBalance(p *shopper) {
	if p.house() || p.key == "" {
		return
	}
	m.types(p, "/balance")
	want := "$" + m.w.Market.Balance(p.key).StringFixed(2)
	said := "nothing"
	for _, message := range p.Messages() {
		if strings.HasPrefix(message.Text, "💰 Balance") {
			said = message.Text
		}
	}
	m.expect(strings.Contains(said, want), "%s's balance is %s, and the bot says %q", p.name, want, said)
}
