package handlers_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/news"
	"hstockbot/internal/route"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
)

// perRoute is how many different buttons of one route the walk taps: enough to show
// every variant of a screen, but not hundreds of products. In other languages the walk
// checks the words only, which takes fewer; so it does on PostgreSQL, where the screens are
// the same.
func perRoute(lang string) int {
	if lang == "en" && !raceDetector && !pgtest.Wanted() {
		return 25
	}
	return 8
}

// TestWalk taps every button that can be reached from the menu, breadth first, in every
// language. It finds screens without a way on, outdated buttons, message keys that are
// shown instead of their text, and calls that Telegram refuses.
func TestWalk(t *testing.T) {
	for _, lang := range languages(t) {
		t.Run(lang, func(t *testing.T) {
			inWorld(t, lang, func(w *world) {
				w.makeNews()
				w.withKey(annaKey)
				must(w.T, w.Market.Hold(market.InstagramFollowers, true))
				w.smmCard("1", w.l.Number(1000), annaLink)
				w.confirms()
				w.channel("2")         // have a second factor
				pass(46 * time.Minute) // the bot has asked whether it works
				w.populate()
				w.smmCard("1", w.l.Number(1000), annaLink) // warns of the order
				w.types(threeLines)
				w.tap("basket_button_save")
				w.types("Boost")
				w.types(annaLink)
				w.types("/menu")
				tapped := w.walk(func(name string) bool { return !skipped[name] })
				for _, name := range []string{
					"m", "c", "cc", "s", "ss", "p", "pr", "pa", "q", "qs", "ql", "no", "ag", "oa", "op", "l", "o", "or", "cr", "oc", "of", "og", "ow", "vw", "vo", "vb", "vp", "vr", "ub", "un", "b", "k", "kr", "kx", "g", "h",
					"se", "sr",
					"sa", "sb", "sd", "so", "st", "sv", "su",
					"sc", "sf", "sp", "sg", "sq", "sn", "ns", "nr", "na", "nm", "nc", "nw", "ox",
					"re", "sh", "sw", "wl", "wn",
					"va", "vg", "vq", "vk", "ve", "vn", "vx", "vm", "vu", "vd", "bs", "bw", "lk", "lp", "la", "lq",
					"xa", "xe", "yd", "yf", "ya",
				} {
					if tapped[name] == 0 {
						w.T.Errorf("the walk did not reach route %q", name)
					}
				}
				w.checkLanguage()
			})
		})
	}
}

// walk taps the buttons of the chat and of the screens behind them, breadth first, if
// enter returns true for the route. It returns how often it found each route.
func (w *world) walk(enter func(name string) bool) (tapped map[string]int) {
	w.T.Helper()
	tapped = map[string]int{}
	seen := map[string]bool{}
	queue := newButtons(w.chat.Messages(), seen)
	for len(queue) > 0 {
		b := queue[0]
		queue = queue[1:]
		name, _ := route.Split(b.data)
		if tapped[name]++; tapped[name] > perRoute(w.l.Lang()) || !enter(name) {
			continue
		}
		w.chat.TapData(b.message, b.data)
		pass(2 * time.Second)
		w.checkScreen(b)
		queue = append(queue, newButtons(w.chat.Messages(), seen)...)
	}
	return tapped
}

// adminRoutes are the routes of admins' buttons, and adminSkipped are those that the
// walk does not tap: they would change the data, write to the person, block them, or
// answer with a keyboard below the text field.
var (
	adminRoutes = []string{
		"A", "Al", "Ar", "Am", "Ams", "Amt", "Amo", "Apf", "Ap", "Apb", "Apw", "Aps",
		"Aol", "Aop", "Aoc", "Aod", "Aot", "Aog", "Aox", "Aoo", "Aou", "Aow",
		"Awb", "Awo",
		"Ac", "Ace", "Acr", "Acd", "Acp", "Acn", "Acc", "Aca", "Acu",
		"Ab", "Abw", "Abt", "Abp", "Abo",
		"Aa", "Aag", "Aam", "Aat", "Aay", "Aax", "Aac", "Aal", "Aav",
		"Ae", "Aed", "Aep", "Aex", "Aoh", "Aoq",
		"Ag", "Agl", "Agt", "Agk", "Agp", "Av", "Avc", "Avt", "Avh", "Avs", "Avu",
	}
	adminSkipped = map[string]bool{"Aay": true, "Aaz": true, "Aac": true, "Aav": true, "Aoy": true, "Aoz": true, "Ace": true, "Acx": true, "Avc": true, "Avx": true, "Aps": true, "Apy": true, "Apu": true, "Abr": true, "Abx": true, "Abs": true, "Abk": true, "Agx": true, "Agy": true}
)

// TestWalkAdmin is TestWalk for the screens of admins, from their home, everyone's
// orders and the balance.
func TestWalkAdmin(t *testing.T) {
	for _, lang := range languages(t) {
		t.Run(lang, func(t *testing.T) {
			inWorld(t, lang, func(w *world) {
				w.populate()
				w.populateAllowances()
				w.becomeAdmin()
				w.types("/balance")
				w.restored()
				w.tap("balance_button_warn")
				w.types("20") // so that the warning can be turned off
				channel := w.chat.CreateChannel(channelID, "Shop news")
				channel.Promote(w.chat, "can_post_messages")
				w.types("/admin")
				w.tap("channel_button")
				w.tap("channel_button_choose")
				must(w.T, w.chat.ShareChat(channelRequest, channelID))
				pass(news.FirstRound)
				w.types("/admin")
				w.tap("admin_button_maintenance")
				w.tap("maintenance_button_text")
				w.types("Back soon") // so that the text can be removed
				w.types("/admin")
				w.tap("admin_button_person")
				w.types("1001")
				w.tap("person_button_write")
				w.types("We have asked HStockPlus")
				w.broadcast("Hello")
				pass(time.Minute)
				w.writeBroadcast()
				w.types("And again") // a draft
				team := w.Telegram.Group(groupID, "Friends")
				team.Type(w.chat, "/here")
				pass(time.Minute)
				for _, command := range []string{"/admin", "/orders", "/balance"} {
					w.types(command)
				}
				tapped := w.walk(func(name string) bool { return strings.HasPrefix(name, "A") && !adminSkipped[name] })
				for _, name := range adminRoutes {
					if tapped[name] == 0 {
						w.T.Errorf("the walk did not reach route %q", name)
					}
				}
			})
		})
	}
}

// waysOn are the buttons that lead on from a screen: Back and Menu, and those of cards
// and of messages that stay in the chat, which have neither.
var waysOn = []string{
	"nav_button_back", "nav_button_menu",
	"confirm_button_cancel", "cancel_button_keep", "cancel_all_button_keep", "person_button_keep", "unresolved_button_no", "room_button_keep", // the other answer to a question
	"menu_button_orders", "unresolved_button_balance", "cancel_button", "phone_button_another",
}

// skipped are the routes that the walk does not tap: they spend money, close a purchase
// or an order, remove the key, or change the language or what is asked.
var skipped = map[string]bool{
	"ok": true, "ud": true, "uy": true, "ky": true, "gs": true, "oy": true, "nx": true,
	"xs": true, "ys": true, "ke": true, "vc": true,
}

// populate gives Anna a delivered order, an open order, a purchase of unknown outcome,
// two phones, one of which has received its code, and two searches.
func (w *world) populate() {
	w.T.Helper()
	w.withKey(annaKey)
	w.buyWithEmail("anna@example.com")
	w.open("2")
	w.tap("product_button_price")
	w.types("0.5")
	must(w.T, w.Market.Hold(market.OutlookByHand, true))
	w.buy("3", "1")
	pass(5 * time.Second)
	w.rent("2")
	must(w.T, w.Market.SendCode(w.firstPhone().Number, "313131"))
	pass(5 * time.Second)
	w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
	w.buy("2", "2")
	pass(5 * time.Second)
	w.types("/search gmail")
	w.types("https://instagram.com/anna")
}

// populateAllowances gives Bob an allowance, with which he has bought, once with an unknown
// outcome, and makes a link to another one.
func (w *world) populateAllowances() {
	w.T.Helper()
	buyer := bob
	buyer.LanguageCode = w.l.Lang()
	w.gives(buyer, "20")
	w.as(buyer, func() {
		w.buyGmail("1")
		w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
		w.buy("2", "2")
	})
	admin := boss
	admin.LanguageCode = w.l.Lang()
	w.as(admin, func() {
		w.types("/admin")
		w.tap("admin_button_person")
		w.tap("adminallowance_button_links")
		w.tap("adminallowance_button_link")
		w.types("20")
		w.tap("adminallowance_button_sure")
	})
}

// TestWalkAllowance is TestWalk for somebody who buys with an allowance and has a key, too.
func TestWalkAllowance(t *testing.T) {
	for _, lang := range languages(t) {
		t.Run(lang, func(t *testing.T) {
			inWorld(t, lang, func(w *world) {
				w.populate()
				w.gives(anna, "20")
				w.types("/key")
				w.tap("allowance_button_pays")
				w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
				w.buy("2", "1")
				pass(5 * time.Second)
				w.types("/balance")
				w.types("/key")
				w.types("/orders")
				tapped := w.walk(func(name string) bool { return strings.Contains(" k kp kr kx b bs l o ub p q qs ", " "+name+" ") })
				for _, name := range []string{"kp", "ub"} {
					if tapped[name] == 0 {
						w.T.Errorf("the walk did not reach route %q", name)
					}
				}
			})
		})
	}
}

// localizedActions are the calls to the marketplace that take the parameter lang. Lists
// that are joined with the English one are requested in both languages.
var localizedActions = []string{"categories", "subcategory_info", "products", "services", "inventory", "sms_projects", "sms_countries"}

// checkLanguage fails unless everything was requested from the marketplace in the
// person's language. For English the parameter is left out.
func (w *world) checkLanguage() {
	w.T.Helper()
	want := w.l.Lang()
	if want == "en" {
		want = ""
	}
	calls := map[string]map[string]int{} // by action and language
	for _, call := range w.Market.Calls() {
		if !slices.Contains(localizedActions, call.Action) {
			if call.Fields.Has("lang") {
				w.T.Errorf("%s was called with a language", call.Action)
			}
			continue
		}
		if calls[call.Action] == nil {
			calls[call.Action] = map[string]int{}
		}
		calls[call.Action][call.Fields.Get("lang")]++
		if call.Fields.Has("lang") && call.Fields.Get("lang") == "" {
			w.T.Errorf("%s was called with an empty language", call.Action)
		}
	}
	for _, action := range localizedActions {
		for lang := range calls[action] {
			if lang != want && lang != "" {
				w.T.Errorf("%s was called in %q, want %q", action, lang, want)
			}
		}
		if calls[action][want] == 0 {
			w.T.Errorf("%s was never called in %q: %v", action, want, calls[action])
		}
		if action == "inventory" && calls[action][""] > 0 && want != "" { // it is never joined
			w.T.Errorf("%s was called %d times without a language", action, calls[action][""])
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
		for _, b := range slices.Concat(m.Keyboard...) {
			if b.CallbackData != "" && !seen[b.CallbackData] {
				seen[b.CallbackData] = true
				found = append(found, button{m.ID, b.Text, b.CallbackData})
			}
		}
	}
	return found
}

// checkScreen checks the answer to a tap and the screen behind it.
func (w *world) checkScreen(b button) {
	w.T.Helper()
	answers := w.chat.Answers()
	if len(answers) == 0 || answers[len(answers)-1].Data != b.data {
		w.T.Errorf("the tap on %q (%s) was not answered", b.label, b.data)
		return
	}
	if answers[len(answers)-1].Text == w.l.Label("error_outdated") {
		w.T.Errorf("the button %q (%s) is outdated", b.label, b.data)
	}
	last := w.chat.Last()
	for _, text := range []string{last.Text, answers[len(answers)-1].Text} {
		if strings.Contains(text, "{{") || strings.Contains(text, "_text") || strings.Contains(text, "_title") {
			w.T.Errorf("behind %q is a message without its text: %q", b.label, text)
		}
	}
	tapped, ok := w.chat.Message(b.message)
	w.checkWidths(tapped)
	w.checkWidths(last)
	leads := slices.ContainsFunc(waysOn, func(id string) bool { return buttonData(tapped, w.l.Label(id)) != "" })
	if ok && !leads && tapped.Document == nil && !strings.HasPrefix(tapped.Text, "⏳") {
		w.T.Errorf("behind %q (%s) is no way on: %q", b.label, b.data, tapped.Text)
	}
	if len(last.Keyboard) == 0 && !strings.HasPrefix(last.Text, "⏳") {
		w.T.Errorf("behind %q is a dead end: %q", b.label, last.Text)
	}
}
