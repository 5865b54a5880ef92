package orders_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// People who buy with the operator's key, and an admin.
const (
	clara = int64(2001)
	dora  = int64(2002)
	emil  = int64(2003)
	olga  = int64(9)
)

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func byOlga() storage.AuditEntry {
	return storage.AuditEntry{AdminID: olga, Action: "x", At: time.Now()}
}

// addHouse gives people an allowance of 20 dollars with a markup of 10 %.
func (w *world) addHouse(ids ...int64) {
	w.t.Helper()
	testworld.Must(w.t, w.db.SetOperatorKey(w.t.Context(), testworld.OperatorKey, []int64{olga}))
	for _, id := range ids {
		_, _, err := w.db.TouchUser(w.t.Context(), id, "Somebody", "en", true)
		testworld.Must(w.t, err)
		w.give(id, "20")
	}
}

func (w *world) give(id int64, amount string) {
	w.t.Helper()
	terms := storage.AllowanceTerms{Amount: dec(amount), Currency: "USD", Markup: dec("10")}
	_, err := w.db.GiveAllowance(w.t.Context(), id, terms, byOlga())
	testworld.Must(w.t, err)
}

func (w *world) wantAvailable(what string, id int64, want string) {
	w.t.Helper()
	a, err := w.db.Allowance(w.t.Context(), id, time.Now())
	testworld.Must(w.t, err)
	if !a.Available().Equal(dec(want)) {
		w.t.Errorf("%s: %s are available, want %s", what, a.Available(), want)
	}
}

// wantOutcome checks the present outcome of a purchase.
func (w *world) wantOutcome(what string, p storage.Purchase, want orders.Result, reason string) {
	w.t.Helper()
	outcome, err := w.service.Outcome(w.t.Context(), p.UserID, p.ID)
	testworld.Must(w.t, err)
	if outcome.Result != want || outcome.Purchase.Reason != reason {
		w.t.Errorf("%s: %v %q (%q), want %v %q", what, outcome.Result, outcome.Purchase.Reason, outcome.Purchase.Refusal, want, reason)
	}
	if !outcome.Purchase.Balance.IsZero() || strings.Contains(outcome.Purchase.Refusal, "balance") {
		w.t.Errorf("%s: it tells of the operator's account: %+v", what, outcome.Purchase)
	}
}

func TestOperatorsKeyBuysForAnAllowance(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara)
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		quote, err := w.service.Draft(t.Context(), orders.Intent{UserID: clara, Item: w.item(market.GmailUSA), Quantity: 2})
		testworld.Must(t, err)
		p := quote.Purchase // 2 for 1.25 each
		if !p.House || !p.Shown().Equal(dec("2.75")) || !quote.Allowance.Available().Equal(dec("20")) || !quote.After().Equal(dec("17.25")) || quote.Blocked() || !p.Balance.Equal(dec("20")) {
			t.Errorf("the quote: %+v, shown %s, after %s", quote, p.Shown(), quote.After())
		}
		outcome := w.confirm(p)
		if outcome.Result != orders.Placed || outcome.Purchase.Balance.IsPositive() {
			t.Fatalf("%+v", outcome)
		}
		w.wantAvailable("placed", clara, "17.25")
		if got := w.Market.Balance(testworld.OperatorKey.Reveal()); !got.Equal(dec("97.5")) {
			t.Errorf("the operator has %s", got)
		}
		// The order is Clara's, and cancelled with the operator's key.
		w.Market.SetCancelAfter(0)
		testworld.Pass(time.Minute)
		cancelled, err := w.service.Cancel(t.Context(), clara, outcome.Orders[0].ID)
		testworld.Must(t, err)
		if !cancelled.Done {
			t.Errorf("%+v", cancelled)
		}
		w.wantAvailable("cancelled", clara, "20")
		if _, err := w.service.Cancel(t.Context(), anna, outcome.Orders[0].ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("another person cancels: %v", err)
		}
		// Too dear.
		w.give(clara, "2.74")
		blocked := w.draftFor(clara, market.GmailUSA, 2)
		if quote, err := w.service.QuoteOf(t.Context(), clara, blocked.ID); err != nil || !quote.Blocked() || !quote.Short.Equal(dec("0.01")) {
			t.Errorf("%+v, %v", quote, err)
		}
		redrawn := w.confirm(blocked)
		if redrawn.Result != orders.Redrawn || !slices.Equal(redrawn.Changes, []orders.Change{orders.ChangeAllowance}) {
			t.Errorf("confirmed: %v %v", redrawn.Result, redrawn.Changes)
		}
		// An own key is another one.
		w.addUser(clara, testworld.AnnaKey)
		if changed := w.confirm(redrawn.Quote.Purchase); changed.Result != orders.Redrawn || changed.Quote.Purchase.House || !slices.Equal(changed.Changes, []orders.Change{orders.ChangeKey}) {
			t.Errorf("%+v", changed)
		}
	})
}

func TestNobodyImportsFromTheOperatorsAccount(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara, dora)
		order := w.confirm(w.draftFor(clara, market.GmailUSA, 1)).Orders[0]
		w.addBoris() // an admin whose own key is the operator's
		for _, user := range []int64{dora, boris} {
			calls := len(w.Market.Calls())
			for _, id := range []string{order.ExternalID, "424242"} {
				if _, err := w.service.FindExternal(t.Context(), user, id); !errors.Is(err, hstock.ErrOrderNotFound) {
					t.Errorf("%d finds %s: %v", user, id, err)
				}
				if _, err := w.service.Import(t.Context(), user, id); !errors.Is(err, hstock.ErrOrderNotFound) {
					t.Errorf("%d imports %s: %v", user, id, err)
				}
			}
			if made := len(w.Market.Calls()) - calls; made != 0 {
				t.Errorf("%d calls were made, which take time", made)
			}
		}
		_, err := w.service.Import(t.Context(), anna, order.ExternalID)
		if !errors.Is(err, hstock.ErrOrderNotFound) {
			t.Errorf("Anna imports: %v", err)
		}
	})
}

func TestOperatorsAccountIsHidden(t *testing.T) {
	for name, spoil := range map[string]func(w *world){
		"too little money": func(w *world) {
			testworld.Must(w.t, w.Market.SetBalance(testworld.OperatorKey.Reveal(), "0.50"))
		},
		"refused for the money": func(w *world) {
			w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Insufficient balance"})
		},
		"refused in other words": func(w *world) {
			w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Not enough money: 3.20 USD left"})
		},
		"no price, in other words": func(w *world) {
			w.Market.Fault(market.Fault{Action: "inventory", Kind: market.Refuse, Message: "Top up first, you owe 3.20 USD"})
		},
		"no balance": func(w *world) {
			w.Market.Fault(market.Fault{Action: "balance", Kind: market.Refuse, Message: "Account suspended, 3.20 USD left"})
		},
		"no balance, as documented": func(w *world) {
			w.Market.Fault(market.Fault{Action: "balance", Kind: market.Refuse, Message: "Invalid action"})
		},
		"refused for the key": func(w *world) {
			w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Invalid API key"})
		},
		"refused before": func(w *world) { w.Market.RemoveKey(testworld.OperatorKey.Reveal()) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.addHouse(clara)
				p := w.draftFor(clara, market.GmailUSA, 1)
				spoil(w)
				if outcome := w.confirm(p); outcome.Result != orders.Rejected || outcome.Purchase.Reason != orders.ReasonOperator || outcome.Purchase.Refusal != "" {
					t.Errorf("%v %q %q", outcome.Result, outcome.Purchase.Reason, outcome.Purchase.Refusal)
				}
				w.wantOutcome("read again", p, orders.Rejected, orders.ReasonOperator)
				w.wantAvailable("rejected", clara, "20")
				if name == "refused before" {
					_, err := w.service.Draft(t.Context(), orders.Intent{UserID: clara, Item: w.item(market.GmailUSA), Quantity: 1})
					if !errors.Is(err, orders.ErrOperator) {
						t.Errorf("the next card: %v", err)
					}
				}
				testworld.Pass(time.Minute)
				if n := w.count(orders.MessageInvalidKey); n != 0 {
					t.Error("the person is told about the operator's key")
				}
			})
		})
	}
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara)
		p := w.draftFor(clara, market.GmailUSA, 1)
		testworld.Must(t, w.db.SetOperatorKey(t.Context(), "", nil))
		if _, err := w.service.Draft(t.Context(), orders.Intent{UserID: clara, Item: w.item(market.GmailUSA), Quantity: 1}); !errors.Is(err, orders.ErrOperator) {
			t.Errorf("a card without a key: %v", err)
		}
		if _, err := w.service.Confirm(t.Context(), clara, p.ID, "en"); !errors.Is(err, orders.ErrOperator) {
			t.Errorf("without a key: %v", err)
		}
	})
}

// What is said about the goods is told to everybody.
func TestRefusalThatIsNotAboutTheAccount(t *testing.T) {
	inWorld(t, func(_ *testing.T, w *world) {
		w.addHouse(clara)
		p := w.draftFor(clara, market.GmailUSA, 1)
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Service not found"})
		w.confirm(p)
		w.wantOutcome("refused", p, orders.Rejected, orders.ReasonRefused)
		if outcome, err := w.service.Outcome(w.t.Context(), clara, p.ID); err != nil || outcome.Purchase.Refusal != "Service not found" {
			w.t.Errorf("told %q, %v", outcome.Purchase.Refusal, err)
		}
	})
}

// The operator's account is hidden where the outcome is not known, too. To others the marketplace's sentence is told.
func TestOperatorsAccountIsHiddenFromUnknownOutcomes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara)
		const sentence = "Pending, 3.20 USD left"
		for user, refusal := range map[int64]string{clara: "", anna: sentence} {
			p := w.draftFor(user, market.GmailUSA, 1)
			w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: sentence, Commit: true})
			if outcome := w.confirm(p); outcome.Result != orders.OutcomeUnknown || outcome.Purchase.Refusal != refusal {
				t.Errorf("person %d: %v %q, want %q", user, outcome.Result, outcome.Purchase.Refusal, refusal)
			}
		}
	})
}

// What is said about the operator's account while a card is drawn is not shown either. Goods
// that are gone are.
func TestOperatorsAccountIsHiddenFromCards(t *testing.T) {
	for _, test := range []struct {
		action, words string
		want          error
	}{
		{"balance", "Account suspended, 3.20 USD left", orders.ErrOperator},
		{"balance", "Insufficient balance", orders.ErrOperator},
		{"inventory", "Top up first, you owe 3.20 USD", orders.ErrOperator},
		{"inventory", "Service not found", hstock.ErrServiceNotFound},
		{"sms_projects", "Top up first, you owe 3.20 USD", orders.ErrOperator},
	} {
		t.Run(test.action+" "+test.words, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.addHouse(clara)
				hidden := errors.Is(test.want, orders.ErrOperator)
				w.Market.Fault(market.Fault{Action: test.action, Kind: market.Refuse, Message: test.words, Times: market.Always})
				intent := orders.Intent{UserID: clara, Item: w.item(market.GmailUSA), Quantity: 1, Lang: "en"}
				if test.action == "sms_projects" {
					intent = orders.Intent{UserID: clara, Rental: storage.Rental{Project: market.ProjectTelegram, Country: market.CountryUS}, Quantity: 1, Lang: "en"}
				}
				if _, err := w.service.Draft(t.Context(), intent); !errors.Is(err, test.want) || errors.Is(err, orders.ErrOperator) != hidden {
					t.Errorf("a card: %v", err)
				}
				if !hidden || intent.Item.Service == 0 {
					return
				}
				testworld.Must(t, w.service.AddToBasket(t.Context(), clara, w.nextUpdate(), []orders.Intent{intent}))
				basket, err := w.db.Basket(t.Context(), clara, 0)
				testworld.Must(t, err)
				if _, err := w.service.PriceBasket(t.Context(), basket, map[int64]hstock.Item{intent.Item.Service: intent.Item}, "en"); !errors.Is(err, orders.ErrOperator) {
					t.Errorf("a basket: %v", err)
				}
			})
		})
	}
}

func TestAdminsDecideAboutUnknownOutcome(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara)
		ctx := t.Context()
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		unknown := func() storage.Purchase {
			w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
			p := w.draftFor(clara, market.GmailUSA, 1)
			if outcome := w.confirm(p); outcome.Result != orders.OutcomeUnknown {
				t.Fatalf("%v", outcome.Result)
			}
			return p
		}
		p := unknown()
		w.wantAvailable("unknown", clara, "18.62") // 1.38
		_, evidence := w.service.Evidence(ctx, clara, p.ID)
		_, lookUp := w.service.LookUp(ctx, clara, p.ID, "1")
		_, adopt := w.service.Adopt(ctx, clara, p.ID, "1")
		for what, err := range map[string]error{"evidence": evidence, "look up": lookUp, "adopt": adopt, "dismiss": w.service.Dismiss(ctx, clara, p.ID)} {
			if !errors.Is(err, orders.ErrAdminsDecide) {
				t.Errorf("%s: %v", what, err)
			}
		}
		testworld.Pass(10 * time.Minute) // the verdict
		w.wantAvailable("after the verdict", clara, "18.62")
		if e, err := w.service.HouseEvidence(ctx, p.ID); err != nil || e.Verdict != storage.VerdictBought || !e.Balance.Decimal.Equal(dec("98.75")) {
			t.Errorf("%+v, %v", e, err)
		}
		made := w.Market.Orders()
		order, err := w.service.HouseAdopt(ctx, p.ID, idOf(made[0].Number), byOlga())
		testworld.Must(t, err)
		if order.UserID != clara || order.PurchaseID != p.ID {
			t.Errorf("%+v", order)
		}
		w.wantAvailable("adopted", clara, "18.62")
		if err := w.service.HouseDismiss(ctx, p.ID, byOlga()); !errors.Is(err, orders.ErrOutcomeKnown) {
			t.Errorf("dismissed after it was adopted: %v", err)
		}
		second := unknown()
		w.wantAvailable("a second one", clara, "17.24")
		testworld.Must(t, w.service.HouseDismiss(ctx, second.ID, byOlga()))
		w.wantAvailable("dismissed", clara, "18.62")
		// What a person has bought with their own key is not the admins' business.
		w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
		own := w.draft(market.GmailUSA, 1)
		w.confirm(own)
		if _, err := w.service.HouseEvidence(ctx, own.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Anna's own purchase: %v", err)
		}
		if err := w.service.HouseDismiss(ctx, own.ID, byOlga()); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Anna's own purchase is dismissed: %v", err)
		}
		if _, err := w.service.HouseLookUp(ctx, own.ID, "1"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("an order for Anna's own purchase: %v", err)
		}
		if _, err := w.service.HouseAdopt(ctx, own.ID, "1", byOlga()); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Anna's own purchase is adopted: %v", err)
		}
	})
}

// TestBuyerIsToldWhatAdminsDecide: a decision is stored with its message, or not at all.
func TestBuyerIsToldWhatAdminsDecide(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara)
		for what, decide := range map[string]func(p storage.Purchase, entry storage.AuditEntry) error{
			"adopt": func(p storage.Purchase, entry storage.AuditEntry) error {
				made := w.Market.Orders()
				_, err := w.service.HouseAdopt(t.Context(), p.ID, idOf(made[len(made)-1].Number), entry)
				return err
			},
			"dismiss": func(p storage.Purchase, entry storage.AuditEntry) error {
				return w.service.HouseDismiss(t.Context(), p.ID, entry)
			},
		} {
			entry := byOlga()
			entry.Action = what
			w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
			p := w.draftFor(clara, market.GmailUSA, 1)
			w.confirm(p)
			accept := w.Refuse(`INSERT ON outbox FOR EACH ROW`)
			if err := decide(p, entry); err == nil || errors.Is(err, orders.ErrOutcomeKnown) {
				t.Errorf("%s: decided without a message: %v", what, err)
			}
			accept()
			if err := decide(p, entry); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			testworld.Pass(time.Second)
			told := slices.ContainsFunc(w.messages(orders.MessageOutcome), func(m storage.Message) bool { return m.UserID == clara && m.PurchaseID == p.ID })
			if !told {
				t.Errorf("%s: the buyer is not told", what)
			}
			audit, _, err := w.db.AuditLog(t.Context(), 10, 0)
			testworld.Must(t, err)
			if !slices.ContainsFunc(audit, func(e storage.AuditEntry) bool { return e.Action == what && e.Subject == clara }) {
				t.Errorf("%s: the audit log says %+v", what, audit)
			}
		}
	})
}

// slowly makes requests to buy take 20 seconds.
func (w *world) slowly(times int) {
	w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 20 * time.Second, Times: times})
}

func (w *world) wantTurns(what string, people ...int64) {
	w.t.Helper()
	turns, err := w.db.Turns(w.t.Context(), 100)
	testworld.Must(w.t, err)
	var got []int64
	for _, turn := range turns {
		got = append(got, turn.UserID)
	}
	if !slices.Equal(got, people) {
		w.t.Errorf("%s: %v wait, want %v", what, got, people)
	}
}

func TestBuyersTakeTurns(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara, dora, emil)
		first := w.draftFor(clara, market.GmailUSA, 1)
		var waiting []storage.Purchase
		for _, person := range []int64{dora, dora, dora, emil, clara} {
			waiting = append(waiting, w.draftFor(person, market.GmailUSA, 1))
		}
		w.slowly(3)
		var wg sync.WaitGroup
		wg.Go(func() { w.confirm(first) })
		testworld.Pass(time.Second)
		for i, p := range waiting {
			for range 2 { // Telegram repeats a tap, and people do
				if outcome := w.confirm(p); outcome.Result != orders.Waiting || outcome.Quote.Purchase.ID != p.ID {
					t.Fatalf("purchase %d: %v", i, outcome.Result)
				}
			}
			testworld.Pass(10 * time.Millisecond)
		}
		testworld.Must(t, w.service.SetTurnCard(t.Context(), dora, waiting[0].ID, 77))
		w.wantTurns("at first", dora, dora, dora, emil, clara)
		w.wantAvailable("while waiting", dora, "20")
		if discarded, err := w.service.Discard(t.Context(), dora, waiting[2].ID); err != nil || !discarded {
			t.Errorf("discarded %v, %v", discarded, err)
		}
		w.wantOutcome("discarded", waiting[2], orders.Gone, "")
		testworld.Pass(22 * time.Second)
		wg.Wait()
		w.wantOutcome("in the slot", waiting[0], orders.InProgress, "")
		w.wantTurns("after the first turn", emil, clara, dora) // Dora has had one
		w.wantAvailable("the hold", dora, "18.62")
		testworld.Pass(2 * time.Minute)
		w.wantTurns("in the end")
		for i, p := range waiting {
			if i != 2 {
				w.wantOutcome("in the end", p, orders.Placed, "")
			}
		}
		if n := len(w.Market.Orders()); n != 5 {
			t.Errorf("%d orders", n)
		}
		if cards := w.messages(orders.MessageCard); len(cards) != 1 || string(cards[0].Body) != "77" || cards[0].PurchaseID != waiting[0].ID {
			t.Errorf("cards: %+v", cards)
		}
		if n := w.count(orders.MessageOutcome); n != 3 {
			t.Errorf("%d people are notified who have no card", n)
		}
		// To wait is no failure, after which the next try would be late.
		if strings.Contains(w.Log.String(), "level=ERROR") {
			t.Errorf("logged: %s", w.Log.String())
		}
		// A card that is known too late is redrawn all the same, or the caller is told.
		accept := w.Refuse(`INSERT ON outbox FOR EACH ROW`)
		if err := w.service.SetTurnCard(t.Context(), emil, waiting[3].ID, 78); err == nil {
			t.Error("a card is not redrawn, and there is no error")
		}
		if err := w.service.NotifyOutcome(t.Context(), emil, waiting[3].ID); err == nil {
			t.Error("a person is not notified, and there is no error")
		}
		accept()
		testworld.Must(t, w.service.SetTurnCard(t.Context(), emil, waiting[3].ID, 78))
		testworld.Pass(5 * time.Second)
		if cards := w.messages(orders.MessageCard); len(cards) != 2 || string(cards[1].Body) != "78" {
			t.Errorf("cards: %+v", cards)
		}
	})
}

// What may happen while a purchase waits for its turn.
func TestTurnOnWorseTerms(t *testing.T) {
	for name, test := range map[string]struct {
		happens func(w *world, p storage.Purchase)
		reason  string
	}{
		"dearer": {func(w *world, _ storage.Purchase) { testworld.Must(w.t, w.Market.SetRate(market.GmailUSA, "1.26")) }, orders.ReasonPrice},
		"sold out": {func(w *world, _ storage.Purchase) {
			w.at("placed", func() { testworld.Must(w.t, w.Market.SetStock(market.GmailUSA, 0)) }) // by the first one
		}, orders.ReasonStock},
		"lowered": {func(w *world, _ storage.Purchase) { w.give(dora, "1.37") }, orders.ReasonAllowance},
		"refused": {func(w *world, p storage.Purchase) {
			_, err := w.db.RefuseKey(w.t.Context(), p.KeyID, storage.Message{})
			testworld.Must(w.t, err)
		}, orders.ReasonOperator},
		"own key": {func(w *world, _ storage.Purchase) { w.addUser(dora, testworld.AnnaKey) }, orders.ReasonAllowance},
		"own key, refused": {func(w *world, _ storage.Purchase) { // which says nothing about the operator's
			w.addUser(dora, testworld.AnnaKey)
			own, err := w.db.ActiveKey(w.t.Context(), dora)
			testworld.Must(w.t, err)
			_, err = w.db.RefuseKey(w.t.Context(), own.ID, storage.Message{})
			testworld.Must(w.t, err)
		}, orders.ReasonAllowance},
		"no key": {func(w *world, _ storage.Purchase) { testworld.Must(w.t, w.db.SetOperatorKey(w.t.Context(), "", nil)) }, orders.ReasonOperator},
		"removed": {func(w *world, _ storage.Purchase) {
			_, err := w.db.RemoveAllowance(w.t.Context(), dora, byOlga())
			testworld.Must(w.t, err)
		}, orders.ReasonAllowance},
		"too long": {func(w *world, _ storage.Purchase) {
			testworld.Must(w.t, w.db.SetMaintenance(w.t.Context(), time.Now(), byOlga()))
			testworld.Pass(31 * time.Minute)
		}, orders.ReasonTurn},
		"no longer a draft": {func(w *world, p storage.Purchase) {
			w.Exec(`UPDATE purchases SET state = 'superseded' WHERE id = ?`, p.ID)
		}, ""},
		"forgotten": {func(w *world, _ storage.Purchase) { testworld.Must(w.t, w.db.Forget(w.t.Context(), dora, time.Now())) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.addHouse(clara, dora)
				first, p := w.draftFor(clara, market.GmailUSA, 1), w.draftFor(dora, market.GmailUSA, 1)
				w.slowly(1)
				var wg sync.WaitGroup
				wg.Go(func() { w.confirm(first) })
				testworld.Pass(time.Second)
				if outcome := w.confirm(p); outcome.Result != orders.Waiting {
					t.Fatal(outcome.Result)
				}
				test.happens(w, p)
				testworld.Pass(time.Minute)
				wg.Wait()
				w.wantTurns("in the end")
				counted := map[string]int64{"placed": 1}
				if test.reason != "" {
					counted["rejected "+test.reason] = 1
					w.wantOutcome("in the end", p, orders.Rejected, test.reason)
					if w.count(orders.MessageOutcome) != 1 {
						t.Error("the person is not notified")
					}
				}
				w.wantCounted(counted)
				for _, order := range w.Market.Orders() {
					if stored, err := w.db.OrderByExternalID(t.Context(), clara, idOf(order.Number)); err != nil || stored.PurchaseID != first.ID {
						t.Errorf("%d was bought: %v", order.Number, err)
					}
				}
			})
		})
	}
}

func TestBasketOfAnAllowance(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara)
		w.give(clara, "3.00")
		ctx := t.Context()
		item := w.item(market.GmailUSA)
		intents := make([]orders.Intent, 3)
		for i := range intents {
			intents[i] = orders.Intent{UserID: clara, Item: item, Quantity: 1}
		}
		testworld.Must(t, w.service.AddToBasket(ctx, clara, w.nextUpdate(), intents))
		basket, err := w.db.Basket(ctx, clara, 0)
		testworld.Must(t, err)
		price := func() orders.BasketQuote {
			quote, err := w.service.PriceBasket(ctx, basket, map[int64]hstock.Item{item.Service: item}, "en")
			testworld.Must(t, err)
			return quote
		}
		quote := price()
		if !quote.Total.Equal(dec("4.14")) {
			t.Errorf("total %s", quote.Total)
		}
		if !quote.Blocked || !quote.Balance.Equal(dec("3")) || !quote.Short.Equal(quote.Total.Sub(dec("3"))) || !quote.Allowance.Amount.Equal(dec("3")) {
			t.Errorf("%+v", quote)
		}
		euro := storage.AllowanceTerms{Amount: dec("20"), Currency: "EUR", Markup: dec("10")} // the goods cost dollars
		_, err = w.db.GiveAllowance(ctx, clara, euro, byOlga())
		testworld.Must(t, err)
		basket = quote.Basket
		if quote = price(); !quote.Blocked || !quote.Balance.IsZero() || !quote.Short.Equal(quote.Total) || !quote.Allowance.Amount.IsZero() {
			t.Errorf("%+v", quote)
		}
		w.give(clara, "20")
		basket = quote.Basket
		quote = price()
		if quote.Blocked {
			t.Error("blocked")
		}
		started, err := w.service.StartBasket(ctx, clara, quote.ID, quote.Revision, 5, 0)
		if err != nil || !started {
			t.Fatal(started, err)
		}
		w.give(clara, "3.00") // lowered while it runs
		testworld.Pass(time.Minute)
		ended, err := w.db.Basket(ctx, clara, quote.ID)
		testworld.Must(t, err)
		rest, err := w.db.Basket(ctx, clara, 0)
		testworld.Must(t, err)
		if ended.State != storage.BasketEnded || ended.Reason != orders.BasketMoney || len(rest.Lines) != 1 || len(w.Market.Orders()) != 2 {
			t.Errorf("%s %q, %d lines are left, %d orders", ended.State, ended.Reason, len(rest.Lines), len(w.Market.Orders()))
		}
		w.wantAvailable("two of them", clara, "0.24")
	})
}
