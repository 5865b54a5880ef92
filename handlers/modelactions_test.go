package handlers_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/storage"
)

// action does something in a story and tells it, or returns "" if there is nothing to do.
type action = func(m *model, p *shopper, n int) (said string)

// actions are what may happen. Those that come first in actionNames are what a shrunk story
// prefers.
var actions = map[string]action{
	"draws a card":          (*model).drawsCard,
	"rents":                 (*model).rents,
	"buys":                  andConfirms((*model).drawsCard),
	"buys a phone":          andConfirms((*model).rents),
	"swaps":                 andConfirms(tapsRoute("nw", "asks to swap a phone")),
	"buys two":              (*model).buysTwo,
	"buys the basket":       andConfirms((*model).opensBasket),
	"pastes a line":         (*model).pastesLine,
	"confirms":              (*model).confirms,
	"confirms twice":        (*model).confirmsTwice,
	"taps an old button":    (*model).tapsOldButton,
	"forges a tap":          (*model).forgesTap,
	"changes the key":       (*model).changesKey,
	"forgets":               (*model).forgets,
	"opens the basket":      (*model).opensBasket,
	"adopts":                (*model).adopts,
	"gets an allowance":     (*model).getsAllowance,
	"cancels a card":        tapsRoute("no", "cancels a card"),
	"fills the basket":      tapsRoute("va", "puts a card into the basket"),
	"stops the basket":      tapsRoute("vs", "stops the basket"),
	"tries again":           tapsRoute("ag", "asks for a new card"),
	"orders again":          tapsRoute("oa", "orders the same again"),
	"asks to swap":          tapsRoute("nw", "asks to swap a phone"),
	"asks to cancel":        tapsRoute("ox", "asks to cancel an order"),
	"cancels":               tapsRoute("oy", "cancels the order"),
	"cancels an order":      (*model).cancelsOrder,
	"dismisses":             tapsRoute("ud", "says that it was not placed"),
	"time passes":           (*model).timePasses,
	"goods are delivered":   (*model).delivers,
	"an order is refunded":  (*model).refunds,
	"a code is sent":        (*model).sendsCode,
	"the price changes":     (*model).changesPrice,
	"the stock changes":     (*model).changesStock,
	"the balance changes":   (*model).changesBalance,
	"a purchase goes wrong": (*model).failsPurchase,
	"calls go wrong":        (*model).failsCalls,
	"a message goes wrong":  (*model).failsMessage,
	"Telegram is down":      (*model).downsTelegram,
	"a restart":             (*model).restarts,
	"a crash":               (*model).crashes,
	"a crash at a step":     (*model).crashesLater,
}

// actionNames has an action as often as it shall be drawn.
var actionNames = append([]string{
	"draws a card", "rents", "buys", "buys", "buys", "buys a phone", "buys a phone", "confirms", "confirms", "time passes", "pastes a line", "pastes a line",
	"buys the basket", "buys the basket", "a purchase goes wrong", "a purchase goes wrong", "swaps", "asks to cancel", "cancels", "adopts", "a code is sent",
	"goods are delivered", "a crash at a step", "cancels an order", "forges a tap", "the price changes", "buys two", "buys two",
}, slices.Sorted(maps.Keys(actions))...)

var wares = []struct {
	service int64
	name    string
}{{market.GmailUSA, "Gmail"}, {market.OutlookByHand, "Outlook"}, {market.AwkwardGoods, "awkward goods"}}

// link is one that no other purchase has, so that the marketplace's orders tell whose they are.
func (m *model) link(p *shopper, format string) string {
	m.wished++
	return fmt.Sprintf(format, m.wished, strings.ToLower(p.name))
}

// drawn says what came of drawing a card.
func (m *model) drawn(p *shopper, before int, asked string) string {
	m.observe()
	if len(p.cards) == before {
		return fmt.Sprintf("%s asks for %s and gets no card.", p.name, asked)
	}
	return fmt.Sprintf("%s draws a card for %s.", p.name, p.cards[len(p.cards)-1])
}

func (c *card) String() string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(c.lines)) {
		parts = append(parts, fmt.Sprintf("%d × %s at $%s", c.lines[what].quantity, what, c.lines[what].total))
	}
	text := strings.Join(parts, ", ")
	switch routeOf(c.data) {
	case "vc":
		text = "the basket (" + text + ")"
	case "nx":
		text = "a swap (" + text + ")"
	}
	return text
}

// tapIn taps a button of the last message, or of the one before: something else may have come
// since. If neither has it the chat shows another screen.
func (m *model) tapIn(p *shopper, label string) {
	messages := p.Messages()
	for _, message := range slices.Backward(messages[max(0, len(messages)-2):]) {
		if p.TapOn(message.ID, label) == nil {
			break
		}
	}
	pass(time.Second)
}

func (m *model) drawsCard(p *shopper, n int) string {
	ware, quantity, before := wares[n%3], 1+n/3%2, len(p.cards)
	m.types(p, fmt.Sprintf("/start p_%d", ware.service))
	m.tapIn(p, fmt.Sprint(quantity))
	if strings.Contains(p.Last().Text, "Delivery email?") {
		m.types(p, m.link(p, "c%d@%s.example.com"))
	}
	return m.drawn(p, before, fmt.Sprintf("%d × %s", quantity, ware.name))
}

func (m *model) rents(p *shopper, n int) string {
	quantity, before := 1+n/3%2, len(p.cards)
	for _, text := range []string{"/sms", p.app, "United States"} {
		m.types(p, text)
	}
	m.tapIn(p, fmt.Sprint(quantity))
	return m.drawn(p, before, fmt.Sprintf("%d phones", quantity))
}

func (m *model) pastesLine(p *shopper, n int) string {
	before := len(p.cards)
	m.types(p, fmt.Sprintf("1 | %s | %d", m.link(p, "https://instagram.com/c%d_%s"), 1000*(1+n%3)))
	return m.drawn(p, before, "a line")
}

func (m *model) opensBasket(p *shopper, _ int) string {
	before := len(p.cards)
	m.types(p, "/menu")
	if _, b, ok := newest(p, "vk", 0); ok {
		m.tapIn(p, b.Text)
		return m.drawn(p, before, "the basket")
	}
	return ""
}

// newest returns the nth newest button of a route that the chat shows.
func newest(p *shopper, route string, nth int) (message int, button telegram.Button, ok bool) {
	for _, message := range slices.Backward(p.Messages()) {
		for _, b := range slices.Concat(message.Keyboard...) {
			if routeOf(b.CallbackData) == route {
				if nth--; nth < 0 {
					return message.ID, b, true
				}
			}
		}
	}
	return 0, telegram.Button{}, false
}

// tapsRoute taps a button of a route.
func tapsRoute(route, what string) action {
	return func(m *model, p *shopper, n int) string {
		message, b, ok := newest(p, route, n/6)
		if !ok {
			return ""
		}
		m.send(p, tapped{message, b.CallbackData, b.Text})
		pass(time.Second)
		return fmt.Sprintf("%s %s (message %d).", p.name, what, message)
	}
}

// send taps a button. If it confirms something, that is noted before.
func (m *model) send(p *shopper, b tapped) {
	for _, c := range p.cards {
		if c.data == b.data && c.confirmed.IsZero() {
			c.confirmed = time.Now()
		}
	}
	must(m.w.T, p.TapButton(b.message, b.data))
}

// shownCard returns one of the newest cards that the chat still shows.
func (m *model) shownCard(p *shopper, n int) *card {
	var shown []*card
	for _, c := range slices.Backward(p.cards) {
		message, _ := p.Message(c.message)
		if !message.Deleted && buttonData(message, c.label) == c.data {
			shown = append(shown, c)
		}
	}
	if len(shown) == 0 {
		return nil
	}
	return shown[n/2%len(shown)]
}

func (m *model) confirms(p *shopper, n int) string {
	c := m.shownCard(p, n)
	if c == nil {
		return ""
	}
	m.send(p, c.tapped)
	pass(time.Duration(n%2) * time.Second) // others may act meanwhile
	return fmt.Sprintf("%s confirms %s.", p.name, c)
}

// andConfirms draws a card, and confirms it at once.
func andConfirms(draws action) action {
	return func(m *model, p *shopper, n int) string {
		before := len(p.cards)
		said := draws(m, p, n)
		if m.observe(); len(p.cards) == before {
			return said
		}
		c := p.cards[len(p.cards)-1]
		m.send(p, c.tapped)
		pass(time.Duration(n%2) * time.Second) // others may act meanwhile
		return fmt.Sprintf("%s %s confirms %s.", said, p.name, c)
	}
}

// buysTwo confirms two cards at once. An allowance becomes enough for the first one, to the
// cent; or the second one waits for its turn, while the price changes.
func (m *model) buysTwo(p *shopper, n int) string {
	before := len(p.cards)
	said := m.drawsCard(p, n) + " " + m.pastesLine(p, n)
	if len(p.cards) < before+2 {
		return said
	}
	waits := n%2 > 0
	switch {
	case waits:
		m.w.Market.Fault(market.Fault{Action: market.Buying, Kind: market.Slow, Delay: 8 * time.Second})
		said += " The next purchase will take 8 seconds."
	case p.house():
		spent, _ := m.spent(p)
		m.grant(p, spent.Add(p.cards[before].total()).String())
		said += fmt.Sprintf(" %s's allowance becomes enough for the first one.", p.name)
		pass(2 * lookAhead) // what was allowed before is over
	}
	for _, c := range p.cards[before:] {
		m.send(p, c.tapped)
	}
	pass(time.Second)
	said += fmt.Sprintf(" %s confirms both.", p.name)
	if waits {
		said += " " + m.changesPrice(p, n/6)
	}
	return said
}

func (c *card) total() (total decimal.Decimal) {
	for _, l := range c.lines {
		total = total.Add(l.total)
	}
	return total
}

func (m *model) confirmsTwice(p *shopper, n int) string {
	c := m.shownCard(p, n)
	if c == nil {
		return ""
	}
	m.send(p, c.tapped)
	for range 1 + n%3 {
		must(m.w.T, p.RepeatTap())
	}
	pass(time.Second)
	return fmt.Sprintf("%s confirms %s with %d taps in a row.", p.name, c, 2+n%3)
}

func (m *model) tapsOldButton(p *shopper, n int) string {
	var old []tapped
	for _, b := range p.taps {
		if message, _ := p.Message(b.message); buttonData(message, b.label) != b.data {
			old = append(old, b)
		}
	}
	if len(old) == 0 {
		return ""
	}
	b := old[len(old)-1-n%len(old)]
	m.send(p, b)
	pass(time.Second)
	return fmt.Sprintf("%s taps the button %q that message %d had before.", p.name, b.label, b.message)
}

// forgesTap sends what a button of another person would send, as a modified app could.
func (m *model) forgesTap(p *shopper, n int) string {
	other := m.people[(slices.Index(m.people, p)+1+n%3)%len(m.people)]
	for i := range foreign {
		if _, b, ok := newest(other, foreign[(n+i)%len(foreign)], 0); ok {
			p.TapData(p.Last().ID, b.CallbackData)
			pass(time.Second)
			return fmt.Sprintf("%s sends what %s's button %q would.", p.name, other.name, b.Text)
		}
	}
	return ""
}

// foreign are the routes of buttons that another person's app may send.
var foreign = []string{"o", "oc", "ok", "ns", "cr", "oy", "or", "nc", "nx", "vc", "ox"}

func (m *model) changesKey(p *shopper, n int) string {
	if p.house() || m.down > 0 {
		return ""
	}
	key := p.keys[n%len(p.keys)]
	m.types(p, "/key "+key)
	return fmt.Sprintf("%s sends the key …%s.", p.name, key[len(key)-9:])
}

func (m *model) forgets(p *shopper, n int) string {
	if m.down > 0 || n%4 > 0 || len(m.w.Telegram.Faults()) > 0 {
		return ""
	}
	m.types(p, "/forget")
	m.tapIn(p, m.w.l.Label("forget_button"))
	m.tapIn(p, m.w.l.Label("forget_button"))
	if _, err := m.w.app.DB.User(m.w.T.Context(), p.ChatID()); !errors.Is(err, storage.ErrNotFound) {
		return p.name + " wants to be forgotten, and is not."
	}
	p.forgotten, p.gone = time.Now(), m.receivedBy(p)
	p.grants = nil
	return p.name + " is forgotten."
}

// cancelsOrder finds an open order, asks to cancel it, and confirms that.
func (m *model) cancelsOrder(p *shopper, n int) string {
	if len(m.bought()) == 0 {
		return ""
	}
	m.types(p, "/orders")
	tapsRoute("o", "opens an order")(m, p, n)
	tapsRoute("ox", "asks to cancel it")(m, p, n)
	if _, _, ok := newest(p, "oy", 0); !ok {
		return ""
	}
	said := ""
	if n%3 > 0 {
		kind := []market.FaultKind{market.CommitThenLose, market.CutBefore}[n%3-1]
		m.w.Market.Fault(market.Fault{Action: "cancel", Kind: kind})
		said = fmt.Sprintf("The next cancel will go wrong (%s). ", kind)
	}
	said += tapsRoute("oy", "cancels an order")(m, p, 0)
	if n%2 == 0 {
		must(m.w.T, p.RepeatTap())
		pass(time.Second)
		said += " The tap is sent again."
	}
	return said
}

func (m *model) adopts(p *shopper, n int) string {
	message, ask, ok := newest(p, "un", n/6)
	if !ok {
		return ""
	}
	for _, o := range m.bought() {
		if o.owner == p && !m.knows(p, o) {
			m.send(p, tapped{message, ask.CallbackData, ask.Text})
			pass(time.Second)
			m.types(p, fmt.Sprint(o.number))
			if message, sure, ok := newest(p, "uy", 0); ok {
				m.send(p, tapped{message, sure.CallbackData, sure.Text})
				pass(time.Second)
			}
			return fmt.Sprintf("%s adopts order #%d.", p.name, o.number)
		}
	}
	return ""
}

func (m *model) getsAllowance(p *shopper, n int) string {
	if !p.house() || m.down > 0 {
		return ""
	}
	m.types(p, "/menu") // who was forgotten has to write first
	if _, err := m.w.app.DB.User(m.w.T.Context(), p.ChatID()); err != nil {
		return ""
	}
	amount := []string{"12", "3", "5"}[n%3]
	m.grant(p, amount)
	pass(time.Second)
	return fmt.Sprintf("An admin gives %s an allowance of $%s.", p.name, amount)
}

func (m *model) timePasses(_ *shopper, n int) string {
	d := []time.Duration{5 * time.Second, 40 * time.Second, 130 * time.Second, 11 * time.Minute, 3 * time.Second, time.Hour}[n%6]
	pass(d)
	return fmt.Sprintf("%s pass.", d)
}

// open returns an order of goods that is still open at the marketplace.
func (m *model) open(n int) (market.Order, bool) {
	open := slices.DeleteFunc(m.w.Market.Orders(), func(o market.Order) bool { return !o.Open || o.AutoDelivery })
	if len(open) == 0 {
		return market.Order{}, false
	}
	return open[n%len(open)], true
}

func (m *model) delivers(_ *shopper, n int) string {
	o, ok := m.open(n)
	if !ok {
		return ""
	}
	must(m.w.T, m.w.Market.Deliver(o.Number, 1))
	said := fmt.Sprintf("The marketplace delivers one piece of #%d", o.Number)
	p := m.owner(o.Link)
	switch n % 3 {
	case 0:
		return said + "."
	case 1:
		m.crashesAt("sent")
		said += ", the program will crash when it has sent something"
	}
	m.w.Telegram.Fault(telegram.Fault{Chat: p.ChatID(), HTML: true, Times: telegram.Always})
	pass(time.Minute)
	m.bury()
	m.w.Telegram.ClearFault(func(f telegram.Fault) bool { return f.Chat == p.ChatID() && f.Method == "" })
	return fmt.Sprintf("%s, and Telegram refuses for a minute what is sent to %s.", said, p.name)
}

func (m *model) refunds(_ *shopper, n int) string {
	o, ok := m.open(n)
	if !ok {
		return ""
	}
	must(m.w.T, m.w.Market.Refund(o.Number))
	return fmt.Sprintf("The marketplace refunds #%d.", o.Number)
}

func (m *model) sendsCode(_ *shopper, n int) string {
	waiting := slices.DeleteFunc(m.w.Market.Numbers(), func(o market.Number) bool {
		return !o.Open || m.codes[o.Number] || time.Until(o.ExpiresAt) < time.Minute
	})
	if len(waiting) == 0 {
		return ""
	}
	o := waiting[n%len(waiting)]
	m.codes[o.Number] = true
	must(m.w.T, m.w.Market.SendCode(o.Number, fmt.Sprintf("%06d", 271828+o.Number*7)))
	return fmt.Sprintf("A code comes for #%d.", o.Number)
}

func (m *model) changesPrice(_ *shopper, n int) string {
	rate := []string{"1.40", "1.10", "1.25"}[n%3]
	for _, ware := range wares {
		must(m.w.T, m.w.Market.SetRate(ware.service, rate))
	}
	followers := []string{"1.40", "1.10", "1.20"}[n%3] // whole cents, also with the markup
	must(m.w.T, m.w.Market.SetRate(market.InstagramFollowers, followers))
	for project := range apps {
		must(m.w.T, m.w.Market.SetSMSPrice(project, market.CountryUS, rate))
	}
	m.prices = append(m.prices, time.Now())
	return fmt.Sprintf("Goods and phones cost $%s from now on, followers $%s.", rate, followers)
}

func (m *model) changesStock(_ *shopper, n int) string {
	left := []int64{0, 1, 50}[n%3]
	must(m.w.T, m.w.Market.SetStock(market.GmailUSA, left))
	must(m.w.T, m.w.Market.SetNumbers(market.ProjectTelegram, market.CountryUS, int(left)))
	return fmt.Sprintf("The marketplace has %d Gmail accounts and phones for Telegram left.", left)
}

func (m *model) changesBalance(p *shopper, n int) string {
	key := p.key
	if key == "" {
		return ""
	}
	before, after := m.w.Market.Balance(key), decimal.NewFromInt(int64(n%3)*20)
	m.start[key] = m.start[key].Add(after).Sub(before)
	must(m.w.T, m.w.Market.SetBalance(key, after.StringFixed(2)))
	return fmt.Sprintf("The balance that %s pays from becomes $%s.", p.name, after)
}

// purchaseFaults are what can go wrong with a purchase.
var purchaseFaults = []struct {
	fault market.Fault
	said  string
}{
	{market.Fault{Kind: market.CommitThenLose}, "The answer to the next purchase will be lost."},
	{market.Fault{Kind: market.CutBefore}, "The connection of the next purchase will break before anything is done."},
	{market.Fault{Kind: market.HTML502}, "The next purchase will be answered with a 502."},
	{market.Fault{Kind: market.TooMany, Delay: 3 * time.Second}, "The next purchase will be answered with a 429."},
	{market.Fault{Kind: market.Slow, Delay: 45 * time.Second}, "The next purchase will take longer than its lease."},
	{market.Fault{Kind: market.Slow, Delay: 8 * time.Second}, "The next purchase will take 8 seconds."},
	{market.Fault{Kind: market.Refuse, Message: "Insufficient balance"}, "The next purchase will be refused."},
	{market.Fault{Kind: market.Cut}, "The answer to the next purchase will be cut off."},
	{market.Fault{Kind: market.HTML502, Commit: true}, "The next purchase will be answered with a 502, although it is placed."},
	{market.Fault{Kind: market.Refuse, Message: "Something went wrong", Commit: true}, "The next purchase will be refused with an undocumented error, although it is placed."},
	{market.Fault{Kind: market.Refuse, Message: "Something went wrong"}, "The next purchase will be refused with an undocumented error."},
	{market.Fault{Kind: market.Garbage}, "The next purchase will be answered with a page."},
}

func (m *model) failsPurchase(_ *shopper, n int) string {
	chosen := purchaseFaults[n%len(purchaseFaults)]
	chosen.fault.Action = market.Buying
	m.w.Market.Fault(chosen.fault)
	return chosen.said
}

func (m *model) failsCalls(_ *shopper, n int) string {
	times := 1 + n%6
	kind := []market.FaultKind{market.HTML502, market.CutBefore, market.TooMany}[n%3]
	for _, action := range []string{"status", "sms_status", "sms_code", "balance", "cancel", "allowcancel"} {
		m.w.Market.Fault(market.Fault{Action: action, Kind: kind, Times: times})
	}
	return fmt.Sprintf("The next %d calls of each kind that do not buy fail (%s).", times, kind)
}

func (m *model) failsMessage(p *shopper, n int) string {
	method := []string{"sendMessage", "editMessageText"}[n%2]
	if n = n % 6; n < 3 {
		m.w.Telegram.Fault(telegram.Fault{Method: method, Chat: p.ChatID(), LoseAnswer: true})
		return fmt.Sprintf("Telegram will lose its answer to the next %s to %s.", method, p.name)
	}
	m.w.Telegram.Fault(telegram.Fault{Method: method, Chat: p.ChatID(), HTML: true, Times: n})
	return fmt.Sprintf("Telegram will refuse the next %d × %s to %s.", n, method, p.name)
}

func (m *model) downsTelegram(_ *shopper, n int) string {
	if m.down > 0 {
		return ""
	}
	m.down = 2 + n%3
	m.w.Telegram.Fault(telegram.Fault{HTML: true, Times: telegram.Always})
	m.w.Telegram.Fault(telegram.Fault{Method: "getUpdates", HTML: true, Times: telegram.Always})
	return "Telegram is down."
}

func (m *model) restarts(_ *shopper, n int) string {
	m.ends = append(m.ends, time.Now())
	_ = m.w.app.Stop(m.w.T.Context()) // perhaps cut off
	m.ends = append(m.ends, time.Now())
	pass(time.Duration(n%6) * 20 * time.Second)
	m.run()
	pass(time.Second)
	return fmt.Sprintf("The program is stopped for %d seconds.", n%6*20)
}

func (m *model) crashes(*shopper, int) string {
	m.mu.Lock()
	m.die()
	m.mu.Unlock()
	return "The program crashes."
}

func (m *model) crashesLater(_ *shopper, n int) string {
	steps := []string{
		"answered", "sending", "claimed", "placed", "sent", "applied", "polled", "rejected", "outcome unknown", "basket line", "basket started", "queued", "cancelled", "swap cancelled",
		"swap end confirmed", "swap armed", "cancelling", "adopted",
	}
	step := steps[n%len(steps)]
	m.crashesAt(step)
	return fmt.Sprintf("The program will crash at the next step %q.", step)
}

func (m *model) crashesAt(step string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dieAt = step
}
