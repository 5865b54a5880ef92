package handlers_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/route"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// perRoute is how many different buttons of one route the walk taps: enough to
// see every screen in every shape, too few to open hundreds of products. Beyond
// English and Chinese it is about the words, and a few of each will do.
func perRoute(lang string) int {
	if (lang == "en" || lang == "zh") && !raceDetector {
		return 25
	}
	return 8
}

// TestWalk taps every button that can be reached from the menu, breadth first,
// in every language, and meets no dead end, no button that leads nowhere, no
// name of a message instead of its text, and no refusal of Telegram.
func TestWalk(t *testing.T) {
	for _, lang := range languages(t) {
		t.Run(lang, func(t *testing.T) {
			inWorld(t, lang, func(w *world) {
				w.setTheScene()
				w.types("/menu")
				tapped := w.walk(func(name string) bool { return !buys[name] })
				for _, name := range []string{
					"m", "c", "cc", "s", "p", "pr", "pa", "q", "qs", "no", "ag", "oa", "l", "o", "or", "cr", "oc", "ow", "ub", "un", "b", "k", "kr", "kx", "g", "h",
					"se", "sr",
					"sc", "sf", "sp", "sg", "sq", "sn", "ns", "nr", "na", "nm", "nc", "ox",
					"re", "sh", "sw",
					"bs", "lk", "lp", "la", "lq",
					"xa", "xe", "yd", "yf", "ya",
				} {
					if tapped[name] == 0 {
						w.T.Errorf("the walk never came to route %q", name)
					}
				}
				w.checkLanguage()
			})
		})
	}
}

// walk taps the buttons of the chat and those that come with them, breadth first,
// where their route is to be entered, and returns how often it came to each route.
func (w *world) walk(enter func(name string) bool) (tapped map[string]int) {
	w.T.Helper()
	tapped = map[string]int{}
	seen := map[string]bool{}
	queue := newButtons(w.anna.Messages(), seen)
	for len(queue) > 0 {
		b := queue[0]
		queue = queue[1:]
		name, _ := route.Split(b.data)
		if tapped[name]++; tapped[name] > perRoute(w.l.Lang()) || !enter(name) {
			continue
		}
		w.anna.TapData(b.message, b.data)
		pass(4 * time.Second)
		w.checkScreen(b)
		queue = append(queue, newButtons(w.anna.Messages(), seen)...)
	}
	return tapped
}

// adminRoutes are those that only admins' buttons lead to, and adminDeeds those
// that the walk leaves to others.
var (
	adminRoutes = []string{
		"A", "Al", "Am", "Ams", "Amt", "Amo", "Apf", "Ap", "Apb",
		"Aol", "Aop", "Aoc", "Aod", "Aot", "Aog", "Aox", "Aoo", "Aou", "Aow",
		"Awb", "Awo",
		"Ab", "Abw", "Abt", "Abp", "Abo",
	}
	// They would unmake the scene, or block its person.
	adminDeeds = map[string]bool{"Apy": true, "Apu": true, "Abr": true, "Abx": true, "Abs": true, "Abk": true}
)

// TestWalkAdmin is TestWalk for what exists for admins only, from their home,
// everyone's orders and the balance.
func TestWalkAdmin(t *testing.T) {
	for _, lang := range languages(t) {
		t.Run(lang, func(t *testing.T) {
			inWorld(t, lang, func(w *world) {
				w.setTheScene()
				w.beAdmin()
				w.types("/balance")
				w.tap("balance_button_warn")
				w.types("20") // so that there is something to turn off
				w.types("/admin")
				w.tap("admin_button_maintenance")
				w.tap("maintenance_button_text")
				w.types("Back soon") // likewise
				w.types("/admin")
				w.tap("admin_button_person")
				w.types("1001")
				w.broadcast("Hello")
				pass(time.Minute)
				w.types("/admin")
				w.tap("broadcast_button")
				w.tap("broadcast_button_write")
				w.tap("broadcast_button_all")
				w.types("And again") // a draft, to be looked at
				for _, command := range []string{"/admin", "/orders", "/balance"} {
					w.types(command)
				}
				tapped := w.walk(func(name string) bool { return strings.HasPrefix(name, "A") && !adminDeeds[name] })
				for _, name := range adminRoutes {
					if tapped[name] == 0 {
						w.T.Errorf("the walk never came to route %q", name)
					}
				}
			})
		})
	}
}

// waysOn are buttons by which a person goes on from a screen: Back and Menu, and
// those of cards and of messages worth keeping, which have neither.
var waysOn = []string{
	"nav_button_back", "nav_button_menu",
	"confirm_button_cancel", "cancel_button_keep", "cancel_all_button_keep", "person_button_keep", "unknown_button_no", // the other answer to a question
	"menu_button_orders", "unknown_button_balance", "cancel_button", "number_button_another",
}

// buys are the routes that the walk leaves to others: they spend money, end a
// doubt or an order, take the key away or change the language.
var buys = map[string]bool{
	"ok": true, "ud": true, "uy": true, "ky": true, "gs": true, "oy": true,
	"xs": true, "ys": true,
}

// setTheScene gives Anna a delivered, an open and an unknown purchase, two
// numbers, one of which has received its code, and what a search has found.
func (w *world) setTheScene() {
	w.T.Helper()
	w.withKey(annaKey)
	buy := func(service, quantity string) {
		w.T.Helper()
		w.open(service)
		w.tapLabel(quantity)
		w.tap("order_button_skip")
		w.tap("confirm_button_confirm")
		pass(5 * time.Second)
	}
	buy("2", "1")
	w.open("2")
	w.tap("product_button_price")
	w.types("0.5")
	must(w.T, w.Market.Hold(market.OutlookByHand, true))
	buy("3", "1")
	w.rent("2")
	must(w.T, w.Market.SendCode(w.first().Number, "313131"))
	pass(5 * time.Second)
	w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
	buy("2", "2")
	w.types("/search gmail")
	w.types("https://instagram.com/anna")
}

// reading are the calls to the marketplace that take lang (HStockPlus: lang), and
// how it is said that their answer is in the person's language: of lists that are
// joined with the English one, and of what is asked for in English beside, one of
// the calls is.
var reading = []string{"categories", "subcategory_info", "products", "services", "inventory", "sms_projects", "sms_countries"}

// checkLanguage looks whether the marketplace was asked for everything in the
// person's language: as it spells it, English being left out.
func (w *world) checkLanguage() {
	w.T.Helper()
	want := w.l.Lang()
	if want == "en" {
		want = ""
	}
	asked := map[string]map[string]int{} // action, language, times
	for _, call := range w.Market.Calls() {
		if !slices.Contains(reading, call.Action) {
			if call.Fields.Has("lang") {
				w.T.Errorf("%s was asked with a language", call.Action)
			}
			continue
		}
		if asked[call.Action] == nil {
			asked[call.Action] = map[string]int{}
		}
		asked[call.Action][call.Fields.Get("lang")]++
		if call.Fields.Has("lang") && call.Fields.Get("lang") == "" {
			w.T.Errorf("%s was asked with an empty language", call.Action)
		}
	}
	for _, action := range reading {
		for lang := range asked[action] {
			if lang != want && lang != "" {
				w.T.Errorf("%s was asked in %q, want %q", action, lang, want)
			}
		}
		if asked[action][want] == 0 {
			w.T.Errorf("%s was never asked in %q: %v", action, want, asked[action])
		}
		if action == "inventory" && asked[action][""] > 0 && want != "" { // the one that is never joined
			w.T.Errorf("%s was asked %d times without a language", action, asked[action][""])
		}
	}
}

type button struct {
	message int
	label   string
	data    string
}

func newButtons(messages []telegram.Message, seen map[string]bool) []button {
	var found []button
	for _, m := range messages {
		for _, row := range m.Keyboard {
			for _, b := range row {
				if b.CallbackData != "" && !seen[b.CallbackData] {
					seen[b.CallbackData] = true
					found = append(found, button{m.ID, b.Text, b.CallbackData})
				}
			}
		}
	}
	return found
}

// checkScreen looks at what a tap has come to.
func (w *world) checkScreen(b button) {
	w.T.Helper()
	answers := w.anna.Answers()
	if len(answers) == 0 || answers[len(answers)-1].Data != b.data {
		w.T.Errorf("the tap on %q (%s) was not answered", b.label, b.data)
		return
	}
	if answers[len(answers)-1].Text == w.l.Label("error_outdated") {
		w.T.Errorf("the button %q (%s) leads nowhere", b.label, b.data)
	}
	last := w.anna.Last()
	for _, text := range []string{last.Text, answers[len(answers)-1].Text} {
		if strings.Contains(text, "{{") || strings.Contains(text, "_text") || strings.Contains(text, "_title") {
			w.T.Errorf("behind %q stands a message without its words: %q", b.label, text)
		}
	}
	tapped, ok := w.anna.Message(b.message)
	leads := slices.ContainsFunc(waysOn, func(id string) bool { return buttonData(tapped, w.l.Label(id)) != "" })
	if ok && !leads && tapped.Document == nil && !strings.HasPrefix(tapped.Text, "⏳") {
		w.T.Errorf("behind %q (%s) is no way on: %q", b.label, b.data, tapped.Text)
	}
	if len(last.Keyboard) == 0 && !strings.HasPrefix(last.Text, "⏳") {
		w.T.Errorf("behind %q is a dead end: %q", b.label, last.Text)
	}
}
