package handlers_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/route"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/watches"
	"hstockbot/keyboards"
	"hstockbot/storage"
)

const marketHeading = `
## The marketplace

The call fails each time until the fault is over, after a minute or as soon as the person has seen something. Calls that
buy or cancel are sent once, so the fault strikes once. Reads are repeated twice within two seconds: a fault that is over by
then is not seen.

- **cut**: in the middle of the answer; **cut before**: before the action; **answer lost**: after the action, without an
  answer. **done, but …**: the action was carried out and charged, and the answer is the one of that fault.
- **documented error**: an {"error": …} of the marketplace’s document; **another error**: one that it does not have.
- ✖, 🔢 and 🔁 are the buttons that the person taps: “It was not placed”, “I have the order number”, “Try again”. “asked
  again” is the same tap or message once more. Times are from when the fault is over.
- **done, but documented error** contradicts the document, which says that an error means that nothing was done. The order’s
  number, typed into the chat, takes it in.

What is not here: an action that is called in several places shows all faults in one of them, and seven of different sorts in
the others. A rental that is **done, but …** is shown with late answers and with errors: all else is as for ` + "`add`" + `.

| Action | Fault | The person sees | Stored | Afterwards |
|---|---|---|---|---|
`

// marketScene is where the program calls an action of the marketplace.
type marketScene struct {
	action, when string
	prepare      func(w *world)
	act          func(w *world) // calls the action
	key          string         // only calls with this one break
	refusal      string         // a documented one; "": "Invalid action"
	usual        string         // is on the screen where nothing is broken
	// mend lets the person have what they wanted once the fault is over, and says how; nil:
	// "Try again", or the same once more.
	mend  func(w *world) string
	once  bool // the fault strikes once, because the action is not repeated
	brief bool // another scene of the action shows what the other faults do
	quiet bool // nobody waits for it: the person need not see anything
}

func (s *marketScene) name() string { return fmt.Sprintf("`%s`: %s", s.action, s.when) }

// marketFault is a way in which the marketplace fails.
type marketFault struct {
	name string
	market.Fault
}

// marketFaults are all kinds of faults. Those that carry the action out all the same
// differ only where it changes something.
func marketFaults(s *marketScene) []marketFault {
	const minute = time.Minute
	faults := []marketFault{
		{"3 s late", market.Fault{Kind: market.Slow, Delay: 3 * time.Second}},
		{"compressed unasked", market.Fault{Kind: market.Slow, Gzip: true}},
		{"a minute late", market.Fault{Kind: market.Slow, Delay: minute}},
		{"cut", market.Fault{Kind: market.Cut}},
		{"cut before", market.Fault{Kind: market.CutBefore}},
		{"answer lost", market.Fault{Kind: market.CommitThenLose}},
		{"502 page", market.Fault{Kind: market.HTML502}},
		{"429", market.Fault{Kind: market.TooMany}},
		{"429 for 30 s", market.Fault{Kind: market.TooMany, Delay: 30 * time.Second}},
		{"empty", market.Fault{Kind: market.Empty}},
		{"a page for people", market.Fault{Kind: market.Garbage}},
		{"16 MiB", market.Fault{Kind: market.Huge}},
		{"other JSON", market.Fault{Kind: market.Answer, Body: `{"unexpected":true}`}},
		{"documented error", market.Fault{Kind: market.Refuse, Message: cmp.Or(s.refusal, "Invalid action")}},
		{"another error", market.Fault{Kind: market.Refuse, Message: "Something went wrong"}},
		{"error with status 500", market.Fault{Kind: market.Refuse, Message: cmp.Or(s.refusal, "Invalid action"), Status: 500}},
		{"Invalid API key", market.Fault{Kind: market.Refuse, Message: "Invalid API key"}},
	}
	if s.brief {
		return slices.DeleteFunc(faults, func(f marketFault) bool {
			return !slices.Contains([]string{"a minute late", "answer lost", "429 for 30 s", "a page for people", "documented error", "another error", "Invalid API key"}, f.name)
		})
	}
	if !s.once {
		return faults
	}
	for _, fault := range faults {
		switch fault.Kind {
		case market.Slow:
			fault.name = strings.Replace(fault.name, "a minute late", "done, a minute late", 1)
			if fault.Delay < minute {
				continue
			}
		case market.Cut, market.CommitThenLose, market.CutBefore:
			continue
		default:
			fault.name = "done, but " + fault.name
		}
		if s.action == "add_sms" && fault.Kind != market.Slow && fault.Kind != market.Refuse {
			continue // add shows it
		}
		fault.Commit = true
		faults = append(faults, fault)
	}
	return faults
}

// marketTrials are the trials of all actions and faults.
func marketTrials() (trials []trial) {
	for _, scene := range marketScenes {
		for _, fault := range marketFaults(&scene) {
			trials = append(trials, trial{scene: scene.name(), fault: fault.name, run: func(t *testing.T) cell { return scene.run(t, fault.Fault) }})
		}
	}
	return trials
}

// run breaks the action and finds out what becomes of it.
func (s *marketScene) run(t *testing.T, fault market.Fault) (found cell) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		if s.prepare != nil {
			s.prepare(w)
		}
		before, calls := w.screen(), w.Market.Count(s.action)
		fault.Action, fault.Key, fault.Times = s.action, s.key, market.Always
		if s.once {
			fault.Times = 1
		}
		w.Market.Fault(fault)
		s.act(w)
		found.saw = w.wait(before, s.usual)
		if w.Market.Count(s.action) == calls {
			w.T.Fatalf("%s was not called:\n%s", s.action, w.chat.History())
		}
		if found.saw == nothing && !s.quiet {
			w.T.Errorf("the person saw nothing:\n%s", w.chat.History())
		}
		found.stored = w.stored()
		contradicts := fault.Commit && fault.Status == 0 && hstock.DocumentedRefusal(fault.Message) != nil
		if strings.Contains(found.stored, "rejected") && w.bought() > 0 && !contradicts {
			w.T.Errorf("charged without a word:\n%s", w.chat.History())
		}
		w.Market.ClearFaults()
		if fault.Kind == market.TooMany {
			pass(time.Minute) // its key is held
		}
		found.then = s.goesOn(w, found.saw)
		w.checkMoney()
	})
	return found
}

// goesOn lets the person have what they wanted, and says how.
func (s *marketScene) goesOn(w *world, saw string) string {
	if s.mend != nil {
		return s.mend(w)
	}
	if saw == asUsual || strings.HasPrefix(saw, asUsual+" (") {
		return "–"
	}
	pass(20 * time.Second) // what is cached during a fault
	before, how := w.screen(), "asked again"
	if data := buttonData(w.chat.Last(), w.l.Label("nav_button_retry")); data != "" {
		how = "🔄 Try again"
		w.tapTo(data)
	} else {
		s.act(w)
	}
	if saw := w.wait(before, s.usual); saw != asUsual {
		w.T.Errorf("%s: the person saw %s:\n%s", how, saw, w.chat.History())
	}
	return how
}

// bought is how many orders the marketplace has.
func (w *world) bought() int { return len(w.Market.Orders()) + len(w.Market.Numbers()) }

// checkMoney fails where one Confirm has bought twice, or charged for nothing.
func (w *world) checkMoney() {
	w.T.Helper()
	if w.bought() > 1 {
		w.T.Errorf("%d orders for one Confirm:\n%s", w.bought(), w.chat.History())
	}
	if balance := w.Market.Balance(annaKey); w.bought() == 0 && !balance.Equal(decimal.New(100, 0)) {
		w.T.Errorf("charged for nothing: %s are left", balance)
	}
}

var marketScenes = []marketScene{
	{action: "categories", when: "/catalog", usual: "Choose a category:", act: types("/catalog")},
	{action: "services", when: "a shelf", usual: "Gmail Account - USA", prepare: (*world).openEmails, act: (*world).tapShelf},
	{action: "shops", when: "🏬 Shops", usual: "[ 1/", act: taps("menu_button_sellers")},
	{action: "products", when: "⭐ Recommended", usual: "Gmail Account - USA", act: taps("menu_button_recommended")},
	{action: "inventory", when: "a product", usual: "In stock: 50", act: types("/start p_2")},
	{action: "balance", when: "/balance", usual: "$100.00", act: types("/balance")},
	{action: "balance", brief: true, when: "the card before ✅ Confirm", usual: "Please confirm", prepare: func(w *world) {
		w.open("2")
		w.tapLabel("1")
	}, act: taps("order_button_skip")},
	{action: "sms_projects", when: "/sms", usual: "What for?", act: types("/sms")},
	{action: "sms_countries", when: "/sms", usual: "What for?", act: types("/sms")},
	{action: "status", refusal: "Order not found", brief: true, when: "📄 Accounts of an order", usual: "@gmail.com", prepare: func(w *world) {
		w.buyGmail("1")
		w.types("/orders")
		w.tapLike("#23501")
	}, act: taps("order_button_accounts")},
	{action: "sms_code", refusal: "Order not found", brief: true, when: "🔐 Code of an order", usual: "424242", prepare: func(w *world) {
		w.rent("1")
		must(w.T, w.Market.SendCode(market.FirstOrder, "424242"))
		pass(5 * time.Second)
		w.list("orders_button_sms")
		w.tapLike("#23501")
	}, act: taps("phone_button_code")},
	{action: "allowcancel", refusal: "Order not found", when: "✖ Cancel & refund", usual: "Cancel order", prepare: (*world).openHeld, act: taps("cancel_button_refund")},
	{action: "categories", brief: true, when: "/catalog, known since ten minutes", usual: "Choose a category:", prepare: func(w *world) {
		w.types("/catalog")
		pass(10 * time.Minute)
	}, act: types("/catalog")},
	{action: "subcategory_info", when: "picture and description of a shelf", usual: "Gmail Account - USA", prepare: (*world).openEmails, act: (*world).tapShelf},
	{action: "balance", brief: true, when: "a new key", usual: "✅ Key ••••6789 saved", act: types("/key " + poorKey)},

	{action: "inventory", brief: true, when: "the price, at ✅ Confirm", usual: "Order #23501 placed", prepare: (*world).heldCard, act: taps("confirm_button_confirm"), mend: (*world).goodsInTheEnd},
	{action: "balance", brief: true, when: "the money, at ✅ Confirm", usual: "Order #23501 placed", prepare: (*world).heldCard, act: taps("confirm_button_confirm"), mend: (*world).goodsInTheEnd},
	{action: "add", when: "✅ Confirm", usual: "Order #23501 placed", once: true, prepare: (*world).heldCard, act: taps("confirm_button_confirm"), mend: (*world).goodsInTheEnd},
	{action: "balance", brief: true, when: "after an order without an answer", quiet: true, prepare: func(w *world) {
		w.heldCard()
		w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
		w.tap("confirm_button_confirm")
		pass(time.Second)
	}, act: func(*world) {}, mend: (*world).goodsInTheEnd},
	{action: "status", refusal: "Order not found", when: "an order is watched", usual: "delivered", quiet: true, prepare: func(w *world) {
		w.heldCard()
		w.tap("confirm_button_confirm")
	}, act: (*world).finish, mend: (*world).goodsInTheEnd},
	{action: "sms_projects", brief: true, when: "the price, at ✅ Confirm", usual: "waiting for the code", prepare: func(w *world) { w.phoneCard("1") }, act: taps("confirm_button_confirm"), mend: (*world).codeInTheEnd},
	{action: "add_sms", when: "✅ Confirm of a number", usual: "Order #23501 placed", once: true, prepare: func(w *world) { w.phoneCard("1") }, act: taps("confirm_button_confirm"), mend: (*world).codeInTheEnd},
	{action: "sms_status", refusal: "Order not found", when: "a number’s first poll", usual: "Order #23501 placed", prepare: func(w *world) { w.phoneCard("1") }, act: taps("confirm_button_confirm"), mend: (*world).codeInTheEnd},
	{action: "sms_code", refusal: "Order not found", when: "a number’s code is watched", usual: "424242", quiet: true, prepare: func(w *world) { w.rent("1") }, act: (*world).finish, mend: (*world).codeInTheEnd},
	{action: "cancel", refusal: "Order not found", when: "✅ Cancel it", usual: "Charged: $0.00", once: true, prepare: func(w *world) {
		w.openHeld()
		w.tap("cancel_button_refund")
		w.polled()
	}, act: taps("cancel_button_sure"), mend: (*world).cancelledInTheEnd},
	{action: "products", brief: true, when: "a product is watched", usual: "is back in stock", key: operatorKey, quiet: true, prepare: func(w *world) {
		w.open("5")
		w.tap("product_button_back")
	}, act: func(w *world) {
		must(w.T, w.Market.SetStock(market.SoldOut, 4))
		pass(watches.Every)
	}, mend: func(w *world) string {
		return w.until("the alert", func() bool { return count(w.chat, "is back in stock") > 0 })
	}},
}

// types returns what sends a text.
func types(text string) func(w *world) { return func(w *world) { w.chat.Type(text) } }

// taps returns what taps a button. No time passes.
func taps(key string) func(w *world) {
	return func(w *world) { must(w.T, w.chat.Tap(w.l.Label(key))) }
}

// heldCard opens the confirm card of goods that are delivered by hand.
func (w *world) heldCard() {
	w.T.Helper()
	must(w.T, w.Market.Hold(market.GmailUSA, true))
	w.card("2", "1")
}

// openHeld buys such goods and opens the order.
func (w *world) openHeld() {
	w.T.Helper()
	w.heldCard()
	w.tap("confirm_button_confirm")
	w.list("orders_button_open")
	w.tapLike("#23501")
}

// polled lets time pass until the order was just polled. A poll between a tap and the look at
// the chat would show the outcome first.
func (w *world) polled() {
	w.T.Helper()
	for calls, n := w.Market.Count("status"), 0; w.Market.Count("status") == calls; n++ {
		if n > 20_000 {
			w.T.Fatal("the order is not polled")
		}
		pass(50 * time.Millisecond)
	}
}

// finish makes the marketplace deliver all orders, and the code 424242 to all phones.
func (w *world) finish() {
	w.T.Helper()
	for _, order := range w.Market.Orders() {
		if len(order.Accounts) == 0 {
			must(w.T, w.Market.Finish(order.Number))
		}
	}
	for _, phone := range w.Market.Numbers() {
		if len(phone.Received) == 0 {
			must(w.T, w.Market.SendCode(phone.Number, "424242"))
		}
	}
}

// goodsInTheEnd lets the person have the goods that they have confirmed.
func (w *world) goodsInTheEnd() string {
	w.T.Helper()
	return w.arrivesInTheEnd("goods", func() bool {
		orders := w.Market.Orders()
		return len(orders) > 0 && len(orders[0].Accounts) > 0 && count(w.chat, orders[0].Accounts[0]) > 0
	})
}

// codeInTheEnd lets the person have a phone's code.
func (w *world) codeInTheEnd() string {
	w.T.Helper()
	return w.arrivesInTheEnd("code", func() bool { return count(w.chat, "424242") > 0 })
}

func (w *world) arrivesInTheEnd(what string, arrived func() bool) string {
	w.T.Helper()
	var steps []string
	var states []string
	w.Select(&states, `SELECT state FROM purchases ORDER BY created_at`)
	exists := w.bought() > 0
	switch state := storage.PurchaseState(states[len(states)-1]); {
	case state == storage.PurchaseOutcomeUnknown:
		pass(6 * time.Minute)
		var verdicts []string
		w.Select(&verdicts, `SELECT verdict FROM purchases WHERE state = 'outcome_unknown'`)
		steps = append(steps, map[storage.Verdict]string{
			storage.VerdictBought: "Told: probably placed", storage.VerdictNotBought: "Told: probably not placed", storage.VerdictUnclear: "Told: the balance says nothing",
		}[storage.Verdict(verdicts[0])])
		if exists {
			steps = append(steps, "🔢")
			w.tap("unresolved_button_id")
			w.types("23501")
			w.tap("unresolved_button_yes")
		} else {
			steps = append(steps, "✖", "🔁 Try again")
			w.tap("unresolved_button_dismiss")
			w.tap("rejected_button_again")
			w.tap("confirm_button_confirm")
		}
	case state == storage.PurchaseRejected && exists:
		steps = append(steps, "the order’s number, typed")
		w.types("23501")
		w.tapLike("✅")
	case state == storage.PurchaseRejected:
		steps = append(steps, "🔁 Try again")
		w.tap("rejected_button_again")
		w.tap("confirm_button_confirm")
	case state == storage.PurchaseDraft:
		steps = append(steps, "✅ Confirm again")
		w.tap("confirm_button_confirm")
	}
	pass(5 * time.Second)
	w.finish()
	return strings.Join(append(steps, what+" "+w.until(what, arrived)), ", ")
}

// cancelledInTheEnd lets the person have the order cancelled.
func (w *world) cancelledInTheEnd() string {
	w.T.Helper()
	var how []string
	pass(90 * time.Second)
	order := w.Market.Orders()[0]
	if order.Status != "Canceled" {
		how = append(how, "asked again")
		w.list("orders_button_open")
		w.tapLike("#23501")
		w.tap("cancel_button_refund")
		w.tap("cancel_button_sure")
	}
	took := w.until("the cancel", func() bool { return strings.Contains(w.stored(), "order closed") })
	return strings.Join(append(how, "cancelled "+took), ", ")
}

// openEmails opens the category of e-mail accounts.
func (w *world) openEmails() {
	w.T.Helper()
	w.types("/catalog")
	w.tapTo(keyboards.Category.Data(keyboards.CategoryArgs{Category: route.HashOf("Email Accounts")}))
}

// tapShelf taps a shelf of that category.
func (w *world) tapShelf() {
	w.T.Helper()
	w.chat.TapData(w.chat.Last().ID, keyboards.Shelf.Data(keyboards.ShelfArgs{Path: keyboards.CategoryPathHash("Email Accounts", "Gmail")}))
}
