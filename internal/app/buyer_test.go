package app_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// buyer is a person who buys accounts and rents numbers, one after another.
type buyer struct {
	*telegram.Client
	number    int
	key       string
	otherKey  string // which is used in turn with key by people who do more than buy
	usesOther bool
	turns     int // of doMore
	purchases int // that were begun
	confirms  int // with each line of a basket
	cancels   int // of numbers
	questions int // that were asked
	givenUp   int
	mayFail   bool // while the database is away, or the process is stopped
	lives     []life

	mu    sync.Mutex
	since time.Time // of what is not answered yet; zero: nothing
	waits []time.Duration
}

// life is what one process did in the chat of a person.
type life struct {
	last   int  // the newest message at its end
	killed bool // it could not end in order
	frozen bool // it was only stopped, and went on
}

// owns reports whether a key of the marketplace is the person's.
func (b *buyer) owns(key string) bool { return key == b.key || key == b.otherKey && key != "" }

// await waits until the chat's messages after a message fulfil a condition.
func (b *buyer) await(ctx context.Context, after int, done func(m telegram.Message) bool) (found telegram.Message, err error) {
	b.mu.Lock()
	b.since = time.Now()
	b.mu.Unlock()
	err = b.Await(ctx, func(messages []telegram.Message) bool {
		for _, m := range slices.Backward(messages) {
			if m.ID > after && m.FromBot && done(m) {
				found = m
				return true
			}
		}
		return false
	})
	b.mu.Lock()
	b.waits = append(b.waits, time.Since(b.since))
	if err == nil {
		b.since = time.Time{}
	}
	b.mu.Unlock()
	return found, err
}

// pending reports whether something that was sent before a time is not answered.
func (b *buyer) pending(before time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.since.IsZero() && b.since.Before(before)
}

// button returns the label of the message's button that begins with a text, or is it if
// that is one character; "" if there is none.
func button(m telegram.Message, text string) string {
	for _, b := range slices.Concat(m.Keyboard...) {
		if b.Text == text || len(text) > 1 && strings.HasPrefix(b.Text, text) {
			return b.Text
		}
	}
	return ""
}

// isGivenUp reports whether a message says that an update failed.
func (b *buyer) isGivenUp(m telegram.Message) bool {
	return strings.Contains(m.Text, "couldn’t carry out") ||
		b.mayFail && (strings.Contains(m.Text, "Something went wrong on my side") || strings.Contains(m.Text, "HStockPlus didn’t answer") || strings.Contains(m.Text, "Another order is being placed") ||
			// Telegram repeated the command so late that it took the question about the address away, or
			// the question what a number is for is still open and takes the lines of a basket.
			strings.Contains(m.Text, "No results"))
}

// address returns the delivery address of the person's next purchase, by which the
// marketplace's order shows to which Confirm it belongs.
func (b *buyer) address() string {
	return fmt.Sprintf("purchase%d@person%d.example.com", b.purchases, b.number)
}

// ask types something and awaits the answer that is meant, or that it was given up.
func (b *buyer) ask(ctx context.Context, text string, meant func(m telegram.Message) bool) (answer telegram.Message, err error) {
	answer, err = b.await(ctx, b.Type(text), func(m telegram.Message) bool { return meant(m) || b.isGivenUp(m) })
	if err == nil && b.isGivenUp(answer) {
		b.givenUp++
	}
	return answer, err
}

// tap taps a button of a message and awaits the screen that is meant, or that the tap was
// given up.
func (b *buyer) tap(ctx context.Context, on telegram.Message, label string, meant func(m telegram.Message) bool) (screen telegram.Message, err error) {
	last := b.Last().ID
	if b.TapOn(on.ID, label) != nil { // it has just been redrawn without the button, which the person still sees
		if err := b.TapButton(on.ID, dataOf(on, label)); err != nil {
			return screen, err
		}
	}
	screen, err = b.await(ctx, on.ID-1, func(m telegram.Message) bool { return m.ID == on.ID && meant(m) || m.ID > last && b.isGivenUp(m) })
	if err != nil {
		return screen, fmt.Errorf("no answer to %q: %w", label, err)
	}
	if b.isGivenUp(screen) {
		b.givenUp++
	}
	return screen, nil
}

// greet awaits the greeting, which new people get instead of their first answer.
func (b *buyer) greet(ctx context.Context) error {
	_, err := b.ask(ctx, "/start", func(m telegram.Message) bool { return button(m, "🛍 Catalog") != "" })
	return err
}

// giveKey gives the bot a key of the person.
func (b *buyer) giveKey(ctx context.Context, key string) error {
	_, err := b.ask(ctx, "/key "+key, func(m telegram.Message) bool { return strings.Contains(m.Text, "Balance:") })
	return err
}

// doMore does in turn all that people do: they buy, look at their orders, buy a basket,
// change their key, and rent a number that they cancel.
func (b *buyer) doMore(ctx context.Context) error {
	b.turns++
	switch (b.turns + b.number) % 8 {
	case 0:
		_, err := b.ask(ctx, "/orders", func(m telegram.Message) bool { return button(m, "Delivered") != "" })
		return err
	case 2:
		return b.buyBasket(ctx)
	case 4:
		key := b.otherKey
		if b.usesOther {
			key = b.key
		}
		b.usesOther = !b.usesOther
		return b.giveKey(ctx, key)
	case 6:
		return b.cancelNumber(ctx)
	default:
		return b.buy(ctx)
	}
}

// question opens a product. Its answer begins with the title.
type question struct{ command, title string }

// isAnswer reports whether a message answers a question, or tells that it was given up.
func (q question) isAnswer(m telegram.Message) bool {
	first, rest, _ := strings.Cut(m.Text, "\n")
	return m.FromBot && (first == q.title || rest == q.command)
}

// askSeveral asks several questions at once, the next ones of all, and awaits the answers.
func (b *buyer) askSeveral(ctx context.Context, all []question) error {
	var now []question
	before := b.Last().ID
	for range questionsAtOnce {
		q := all[b.questions%len(all)]
		b.Type(q.command)
		now = append(now, q)
		b.questions++
	}
	return b.Await(ctx, func(messages []telegram.Message) bool {
		later := slices.DeleteFunc(messages, func(m telegram.Message) bool { return m.ID <= before })
		return !slices.ContainsFunc(now, func(q question) bool { return !slices.ContainsFunc(later, q.isAnswer) })
	})
}

var basketLines = regexp.MustCompile(`^🧺 Basket: (\d+) line`)

// buyBasket buys a basket of two lines, with what is in it still.
func (b *buyer) buyBasket(ctx context.Context) error {
	b.purchases++
	var text strings.Builder
	for line := range 2 {
		fmt.Fprintf(&text, "1 | https://instagram.com/%s.%d | 100\n", strings.ReplaceAll(b.address(), "@", "."), line)
	}
	card, err := b.ask(ctx, text.String(), func(m telegram.Message) bool {
		return basketLines.MatchString(m.Text) && button(m, "✅ Confirm") != "" || strings.Contains(m.Text, "being bought right now")
	})
	lines := basketLines.FindStringSubmatch(card.Text)
	if err != nil || lines == nil {
		return err
	}
	n, err := strconv.Atoi(lines[1])
	if err != nil {
		return err
	}
	b.confirms += n
	return b.tapConfirm(ctx, card, "Buying your basket")
}

// cancelNumber rents a number and cancels it, unless its code is faster.
func (b *buyer) cancelNumber(ctx context.Context) error {
	b.purchases++
	before := b.Last().ID
	card, err := b.drawCard(ctx, true)
	if err != nil || b.isGivenUp(card) {
		return err
	}
	if err := b.confirm(ctx, card); err != nil {
		return err
	}
	const cancel, sure = "✖ Cancel", "✅ Cancel it"
	for _, m := range slices.Backward(b.Messages()) {
		if m.ID <= before || !m.FromBot || button(m, cancel) == "" || phoneOf(m) == "" {
			continue
		}
		asked, err := b.tap(ctx, m, cancel, func(now telegram.Message) bool { return button(now, cancel) == "" })
		if err != nil || button(asked, sure) == "" {
			return err
		}
		b.cancels++
		_, err = b.tap(ctx, asked, sure, func(now telegram.Message) bool { return button(now, sure) == "" })
		return err
	}
	return nil
}

var phone = regexp.MustCompile(`\+\d{7,}`)

// phoneOf returns the number that a message is about; "" for another message.
func phoneOf(m telegram.Message) string { return phone.FindString(m.Text) }

// buy buys one account, or every third time rents one number. An answer to every tap is
// awaited: the next screen, or that the update was given up.
func (b *buyer) buy(ctx context.Context) error {
	card, err := b.draw(ctx)
	if err != nil || b.isGivenUp(card) {
		return err
	}
	return b.confirm(ctx, card)
}

const (
	byCountry = "🌍 By country"
	cancelled = "— cancelled"
)

// draw goes on until the card that asks for ✅ Confirm, or until an update is given up.
func (b *buyer) draw(ctx context.Context) (card telegram.Message, err error) {
	b.purchases++
	return b.drawCard(ctx, b.purchases%3 == b.number%3)
}

func (b *buyer) drawCard(ctx context.Context, number bool) (card telegram.Message, err error) {
	first, labels := "/start p_2", []string{"1", "Skip", "✅ Confirm"}
	if number {
		first, labels = "/sms", []string{byCountry, "🇺🇸", "Telegram", "1", "✅ Confirm"}
	}
	last := b.Type(first)
	screen := 0 // the message that the last tap draws in; a late answer to something else is not meant
	for _, text := range labels {
		card, err = b.await(ctx, last, func(m telegram.Message) bool {
			return (button(m, text) != "" || text == byCountry && button(m, "🇺🇸") != "") && (screen == 0 || m.ID == screen) || b.isGivenUp(m)
		})
		if err != nil {
			return card, fmt.Errorf("no %q: %w", text, err)
		}
		if b.isGivenUp(card) {
			b.givenUp++
			return card, nil
		}
		if button(card, text) == "" { // the release before begins with the countries
			continue
		}
		switch text {
		case "Skip":
			last, screen = b.Type(b.address()), 0
		case "✅ Confirm":
		default:
			screen = card.ID
			if err := b.TapOn(card.ID, button(card, text)); err != nil {
				return card, err
			}
		}
	}
	return card, nil
}

// confirm confirms a card and awaits the outcome.
func (b *buyer) confirm(ctx context.Context, card telegram.Message) error {
	b.confirms++
	return b.tapConfirm(ctx, card, placing)
}

// tapConfirm taps ✅ Confirm of a card, which says something meanwhile, and awaits what comes
// then. That may be the same card of something new: a list was read twice, or the database was
// restored between a draft and its card.
func (b *buyer) tapConfirm(ctx context.Context, card telegram.Message, meanwhile string) error {
	const confirm = "✅ Confirm"
	_, err := b.tap(ctx, card, confirm, func(now telegram.Message) bool {
		return (now.Text != card.Text || dataOf(now, confirm) != dataOf(card, confirm)) && !strings.Contains(now.Text, meanwhile)
	})
	return err
}

// missing returns the person's orders from before a time that were neither delivered nor
// told to be of unknown outcome: whose accounts, whose code, or whose end is not in the
// chat.
func (b *buyer) missing(made *market.Server, before time.Time) (missing []int64) {
	unknown := 0
	var texts strings.Builder
	ended := map[string]bool{} // numbers and links
	for _, m := range b.Messages() {
		if !m.FromBot {
			continue
		}
		texts.WriteString(m.Text)
		switch {
		case strings.Contains(m.Text, "may or may not have been placed. More"), // the card; a basket's has no progress of one purchase
			strings.Contains(m.Text, "so I stopped. My other message says") && m.Document == nil:
			unknown++
		case strings.Contains(m.Text, cancelled):
			ended[phoneOf(m)] = true
		case strings.Contains(m.Text, "Status: ✅ delivered"):
			for word := range strings.FieldsSeq(m.Text) {
				ended[word] = true
			}
		}
	}
	check := func(order int64, goods []string, end string) {
		delivered := len(goods) > 0
		for _, one := range goods {
			delivered = delivered && strings.Contains(texts.String(), one)
		}
		if !delivered && !ended[end] {
			missing = append(missing, order)
		}
	}
	for _, order := range made.Orders() {
		if b.owns(order.Key) && order.CreatedAt.Before(before) {
			check(order.Number, order.Accounts, order.Link)
		}
	}
	for _, number := range made.Numbers() {
		if !b.owns(number.Key) || !number.CreatedAt.Before(before) {
			continue
		}
		var codes []string
		for _, sms := range number.Received {
			codes = append(codes, sms.Code)
		}
		check(number.Number, codes, number.Phone)
	}
	return missing[min(unknown, len(missing)):]
}
