package handlers_test

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// TestModel plays random stories of four people against the whole program, and compares what
// their chats say with a small model of what they may expect. A story that fails is shrunk and
// told. A few fixed stories are played, or as many random ones as -rapid.checks says:
//
//	go test ./handlers -run TestModel -rapid.checks=2000
func TestModel(t *testing.T) {
	pgtest.SQLiteOnly(t) // a crash copies its files
	fixFewStories(t)
	var failed *model // the shortest story that has failed
	defer func() {
		if failed != nil {
			t.Log(failed.story())
		}
	}()
	played, counts := 0, map[string]int{}
	rapid.Check(t, func(r *rapid.T) {
		var steps []step
		for range 4 { // rapid's slices are short
			steps = append(steps, rapid.SliceOfN(rapid.Custom(drawStep), 0, 12).Draw(r, "steps")...)
		}
		var m *model
		played++
		passed := t.Run("story", func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				m = newModel(w)
				m.play(steps)
			})
		})
		for name, times := range m.actions {
			counts[name] += times
		}
		if passed && len(m.wrong) == 0 {
			return
		}
		if failed == nil || len(m.lines) <= len(failed.lines) {
			failed = m
		}
		r.Fatal("the story is told below")
	})
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%5d × %s", counts[name], name)
	}
	t.Logf("%d stories", played)
}

// fixFewStories makes rapid check a few stories, always the same ones, unless it was told how
// many.
func fixFewStories(t *testing.T) {
	t.Helper()
	told := false // also of as many as rapid checks by default
	flag.Visit(func(f *flag.Flag) { told = told || f.Name == "rapid.checks" })
	if told {
		return
	}
	checks, seed := flag.Lookup("rapid.checks"), flag.Lookup("rapid.seed")
	must(t, checks.Value.Set("8"))
	must(t, seed.Value.Set("1"))
	t.Cleanup(func() {
		must(t, checks.Value.Set(checks.DefValue))
		must(t, seed.Value.Set(seed.DefValue))
	})
}

// A step is drawn before its story begins, so that rapid can leave it out of a shorter story.
// What it means depends on the chats when it is taken; a step that fits nothing says nothing.
type step struct {
	action string
	who    int // acts
	n      int // chooses among what there is
}

func drawStep(r *rapid.T) step {
	return step{actionNames[uniform(r, len(actionNames))], uniform(r, 4), uniform(r, 18)}
}

// uniform draws a number below n, of which each is about as likely: rapid's own prefer small ones.
func uniform(r *rapid.T, n int) (number int) {
	for range 10 {
		number *= 2
		if rapid.Bool().Draw(r, "bit") {
			number++
		}
	}
	return number % n
}

// shopper is a person of the model.
type shopper struct {
	*telegram.Client
	name  string
	keys  []string // their own; none: an allowance pays
	key   string   // that the bot has, "" for none
	app   string   // that only this person rents phones for
	cards []*card  // that could ever be confirmed, in the order in which they were drawn
	taps  []tapped // buttons of before that may be tapped again

	told       map[string]bool // numbers of orders and phones that the chat has named
	unresolved bool            // the chat has said that an outcome is unknown
	forgotten  time.Time       // when everything was deleted
	gone       map[string]bool // the goods that had arrived by then
	grants     []grant         // of allowances, since then
}

// grant is an allowance, until the next one.
type grant struct {
	at     time.Time
	amount decimal.Decimal
}

// tapped is a button as a chat has shown it.
type tapped struct {
	message int
	data    string
	label   string
}

// card is something that can be confirmed with one tap: a purchase, a basket or a swap.
type card struct {
	tapped

	text      string
	key       string
	lines     map[string]line // by what is bought
	confirmed time.Time       // zero: not yet
}

// line is what a card says about one purchase.
type line struct {
	total    decimal.Decimal
	quantity int64
}

// each is what one of the orders may cost: a phone is an order of its own.
func (l line) each(phone bool) decimal.Decimal {
	if phone {
		return l.total.Div(decimal.NewFromInt(l.quantity))
	}
	return l.total
}

const (
	markup   = 10 // percent
	sparekey = "canary-key-spare-012345678"
	boKey    = "canary-key-bo-012345678901"
)

// apps are what each person rents phones for, by the marketplace's ids.
var apps = map[string]string{
	market.ProjectTelegram: "Telegram", market.ProjectOpenAI: "OpenAI / ChatGPT", market.ProjectTwoNumbers: "Signal", market.ProjectNoNumbers: "Bumble",
}

// model is a story and what it has led to.
type model struct {
	w       *world
	people  []*shopper
	lines   []string // of the story
	wrong   []string // what was found
	actions map[string]int

	wished  int // links that were given away
	calls   int64
	start   map[string]decimal.Decimal // balances, with what was paid in since
	codes   map[int64]bool             // phones that were sent a code
	ends    []time.Time                // of the program
	prices  []time.Time                // when they changed
	zombies [][2]int64                 // the calls between a crash and its burial
	down    int                        // for how many more actions Telegram is down

	mu     sync.Mutex // of what a crash at a step of a purchase needs
	dieAt  string
	corpse *corpse
}

func newModel(w *world) *model {
	m := &model{w: w, actions: map[string]int{}, start: map[string]decimal.Decimal{}, codes: map[int64]bool{}}
	w.stop()
	m.run()
	must(w.T, w.Market.SetNumbers(market.ProjectNoNumbers, market.CountryUS, 5))
	for key, balance := range map[string]string{annaKey: "30.00", sparekey: "20.00", boKey: "8.00", operatorKey: "60.00"} {
		w.Market.AddKey(key, balance, "USD")
		m.start[key] = decimal.RequireFromString(balance)
	}
	for i, p := range []*shopper{
		{name: "Anna", keys: []string{annaKey, sparekey}, app: apps[market.ProjectTelegram]},
		{name: "Bo", keys: []string{boKey, sparekey}, app: apps[market.ProjectOpenAI]},
		{name: "Cy", app: apps[market.ProjectTwoNumbers]},
		{name: "Di", app: apps[market.ProjectNoNumbers]},
	} {
		p.told = map[string]bool{}
		p.Client = w.Telegram.Join(telegram.Person{ID: int64(1001 + i), FirstName: p.name, LanguageCode: "en"})
		m.people = append(m.people, p)
		if len(p.keys) > 0 {
			m.types(p, "/key "+p.keys[0])
			continue
		}
		m.types(p, "/start")
		m.grant(p, "12")
	}
	m.observe()
	return m
}

// house says that an allowance pays.
func (p *shopper) house() bool { return len(p.keys) == 0 }

// granted reports whether an allowance was given by then.
func (p *shopper) granted(at time.Time) bool {
	return len(p.grants) > 0 && !at.Before(p.grants[0].at)
}

// allowed is the largest allowance that was valid between two times.
func (p *shopper) allowed(from, to time.Time) (most decimal.Decimal) {
	for _, g := range p.grants {
		switch {
		case !g.at.After(from):
			most = g.amount
		case !g.at.After(to):
			most = decimal.Max(most, g.amount)
		}
	}
	return most
}

// marked is what a price of the marketplace is for the person, before it is rounded.
func (p *shopper) marked(price decimal.Decimal) decimal.Decimal {
	if !p.house() {
		return price
	}
	return price.Mul(decimal.NewFromInt(100 + markup)).Div(decimal.NewFromInt(100))
}

// shown is marked as the person sees it.
func (p *shopper) shown(price decimal.Decimal) decimal.Decimal {
	if !p.house() {
		return price
	}
	return p.marked(price).RoundUp(2)
}

func (m *model) grant(p *shopper, amount string) {
	p.grants = append(p.grants, grant{time.Now(), decimal.RequireFromString(amount)})
	_, err := m.w.app.DB.GiveAllowance(m.w.T.Context(), p.ChatID(), storage.AllowanceTerms{
		Amount: p.grants[len(p.grants)-1].amount, Currency: "USD", Markup: decimal.NewFromInt(markup),
	}, storage.AuditEntry{AdminID: adminID, At: time.Now()})
	must(m.w.T, err)
	p.key = operatorKey
}

func (m *model) types(p *shopper, text string) {
	p.Type(text)
	pass(time.Second)
}

// play takes the steps, and compares the chats with the model.
func (m *model) play(steps []step) {
	for _, s := range steps {
		before, said := time.Now(), ""
		for i := range m.people { // the first one who can
			if said = actions[s.action](m, m.people[(s.who+i)%len(m.people)], s.n); said != "" {
				break
			}
		}
		m.bury()
		if m.down > 0 {
			if m.down--; m.down == 0 {
				m.w.Telegram.ClearFaults()
				said += " Telegram is back."
			}
		}
		m.observe()
		notes := m.notes()
		if said == "" && notes == "" {
			continue
		}
		m.actions[s.action]++
		m.say(before, cmp.Or(said, "Time passes.")+notes)
		if m.checkAlways(); len(m.wrong) > 0 {
			m.lift()
			pass(time.Minute) // else the program can't be stopped
			return
		}
	}
	m.settle()
	m.checkEnd()
}

func (m *model) say(at time.Time, text string) {
	m.lines = append(m.lines, fmt.Sprintf("%2d. %s  %s", len(m.lines)+1, at.Format("15:04:05"), text))
}

// expect records what is wrong unless it is fine.
func (m *model) expect(fine bool, format string, args ...any) {
	if !fine {
		m.wrong = append(m.wrong, fmt.Sprintf(format, args...))
	}
}

// story tells what happened, what was expected and found, and the chats of those involved.
func (m *model) story() string {
	var all strings.Builder
	fmt.Fprintf(&all, "the story:\n%s\n\nfound:\n", strings.Join(m.lines, "\n"))
	for _, wrong := range m.wrong {
		fmt.Fprintf(&all, "  %s\n", wrong)
	}
	for _, p := range m.people {
		if strings.Contains(strings.Join(append(m.lines, m.wrong...), "\n"), p.name) {
			fmt.Fprintf(&all, "\nthe chat of %s:\n%s", p.name, p.History())
		}
	}
	return all.String()
}

var (
	wish      = regexp.MustCompile(`c\d+@[a-z]+\.example\.com|https://instagram\.com/c\d+_[a-z]+`)
	cardTotal = regexp.MustCompile(`Total(?: \(estimate\))?: \$([\d.]+)`)
	cardCount = regexp.MustCompile(`(?m)^.+ × ([\d,]+)$`)
	lineTotal = regexp.MustCompile(`· \$([\d.]+)\n🔗 (\S+)`)
	named     = regexp.MustCompile(`#\d+|\+\d{8,}`)
	swapPrice = regexp.MustCompile(`\(−\$([\d.]+)\)|costs \$([\d.]+) at most`)
)

// routes are those of buttons that are tapped again later, when they are old.
var routes = []string{"ok", "no", "va", "vc", "nx", "ny", "oy", "ag", "vs", "ud"}

func routeOf(data string) string {
	route, _, _ := strings.Cut(data, ":")
	return route
}

// observe notes the cards that the chats show.
func (m *model) observe() {
	for _, p := range m.people {
		if !p.house() {
			key, err := m.w.app.DB.ActiveKey(m.w.T.Context(), p.ChatID())
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				m.w.T.Fatal(err)
			}
			p.key = key.Secret.Reveal()
		}
		for _, message := range p.Messages() {
			if !message.FromBot {
				continue
			}
			p.unresolved = p.unresolved || strings.Contains(message.Text, "may or may not have been placed") || strings.Contains(message.Text, "isn’t clear yet whether this was bought")
			if !strings.HasPrefix(message.Text, "🔎") && !strings.Contains(message.Text, "Is this your order") {
				for _, number := range named.FindAllString(message.Text, -1) {
					p.told[number] = true
				}
			}
			for _, b := range slices.Concat(message.Keyboard...) {
				m.observeButton(p, message, tapped{message.ID, b.CallbackData, b.Text})
			}
		}
	}
}

func (m *model) observeButton(p *shopper, message telegram.Message, b tapped) {
	if !slices.Contains(routes, routeOf(b.data)) {
		return
	}
	if !slices.Contains(p.taps, b) {
		p.taps = append(p.taps, b)
	}
	i := slices.IndexFunc(p.cards, func(c *card) bool { return c.data == b.data })
	lines := p.linesOf(message.Text, routeOf(b.data))
	switch {
	case len(lines) == 0:
	case i < 0:
		p.cards = append(p.cards, &card{tapped: b, text: message.Text, key: p.key, lines: lines})
	default: // drawn again, for a basket with other prices
		for what, l := range lines {
			if l.total.GreaterThan(p.cards[i].lines[what].total) {
				p.cards[i].lines[what] = l
			}
		}
	}
}

// linesOf reads what a card with a button of this route would buy.
func (p *shopper) linesOf(text, route string) map[string]line {
	lines := map[string]line{}
	number := func(s string) decimal.Decimal {
		d, _ := decimal.NewFromString(strings.ReplaceAll(s, ",", ""))
		return d
	}
	switch route {
	case "ok":
		total, count := cardTotal.FindStringSubmatch(text), cardCount.FindStringSubmatch(text)
		if total != nil && count != nil {
			lines[cmp.Or(wish.FindString(text), p.app)] = line{number(total[1]), number(count[1]).IntPart()}
		}
	case "vc":
		for _, match := range lineTotal.FindAllStringSubmatch(text, -1) {
			lines[match[2]] = line{number(match[1]), 1}
		}
	case "nx":
		if match := swapPrice.FindStringSubmatch(text); match != nil {
			lines[p.app] = line{number(cmp.Or(match[1], match[2])), 1}
		}
	}
	return lines
}

// corpse is a program that has crashed but does not know it.
type corpse struct {
	files    map[string][]byte
	market   []market.Fault
	telegram []telegram.Fault
}

// run starts the program.
func (m *model) run() {
	m.w.app = m.w.Start(m.w.cfg, testworld.Options{Checkpoint: func(step string) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if step == m.dieAt {
			m.dieAt = ""
			m.die()
		}
	}})
	pass(0)
}

// die ends the program as SIGKILL does: what it does from now on reaches nobody, and bury
// takes it back. The caller holds mu.
func (m *model) die() {
	m.corpse = &corpse{m.w.databaseFiles(), m.w.Market.Faults(), m.w.Telegram.Faults()}
	m.w.Market.ClearFaults()
	m.w.Market.Fault(market.Fault{Kind: market.CutBefore, Times: market.Always})
	m.w.Telegram.ClearFaults()
	m.w.Telegram.Fault(telegram.Fault{Code: 500, Times: telegram.Always})
	m.w.Telegram.Fault(telegram.Fault{Method: "getUpdates", Code: 500, Times: telegram.Always})
	m.ends = append(m.ends, time.Now())
	m.zombies = append(m.zombies, [2]int64{m.lastCall(), 0})
}

// bury removes a program that has crashed, and starts another one on what it left.
func (m *model) bury() {
	m.mu.Lock()
	dead := m.corpse
	m.corpse = nil
	m.mu.Unlock()
	if dead == nil {
		return
	}
	_ = m.w.app.Stop(m.w.T.Context()) // perhaps cut off
	m.zombies[len(m.zombies)-1][1] = m.lastCall()
	for suffix, content := range dead.files {
		must(m.w.T, os.WriteFile(m.w.DatabasePath()+suffix, content, 0o600))
	}
	m.w.Market.ClearFaults()
	m.w.Telegram.ClearFaults()
	for _, fault := range dead.market {
		m.w.Market.Fault(fault)
	}
	for _, fault := range dead.telegram {
		m.w.Telegram.Fault(fault)
	}
	m.run()
	pass(time.Second)
}
