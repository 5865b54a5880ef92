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

// fillBasket adds lines to Anna's basket and draws its card.
func (w *world) fillBasket(intents ...orders.Intent) orders.BasketQuote {
	w.t.Helper()
	testworld.Must(w.t, w.service.AddToBasket(w.t.Context(), anna, w.nextUpdate(), intents))
	return w.priceBasket()
}

func (w *world) priceBasket() orders.BasketQuote {
	w.t.Helper()
	b, err := w.db.Basket(w.t.Context(), anna, 0)
	testworld.Must(w.t, err)
	quote, err := w.service.PriceBasket(w.t.Context(), b, w.items(), "en")
	testworld.Must(w.t, err)
	return quote
}

func (w *world) startBasket(quote orders.BasketQuote) {
	w.t.Helper()
	started, err := w.service.StartBasket(w.t.Context(), anna, quote.ID, quote.Revision, 0, 0)
	testworld.Must(w.t, err)
	if !started {
		w.t.Fatal("the basket was not started")
	}
}

// wantBasket checks why a basket has ended, and how many lines are bought and offered again.
func (w *world) wantBasket(id int64, reason string, bought, rest int) (ended, again storage.Basket) {
	w.t.Helper()
	ended, err := w.db.Basket(w.t.Context(), anna, id)
	testworld.Must(w.t, err)
	again, err = w.db.Basket(w.t.Context(), anna, 0)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		w.t.Fatal(err)
	}
	if ended.State != storage.BasketEnded || ended.Reason != reason {
		w.t.Errorf("the basket is %s %q, want %q", ended.State, ended.Reason, reason)
	}
	if n := len(w.Market.Orders()); n != bought || len(again.Lines) != rest {
		w.t.Errorf("%d lines were bought, want %d, and %d are offered again, want %d", n, bought, len(again.Lines), rest)
	}
	if n := w.count(orders.MessageBasketEnded); n != 1 {
		w.t.Errorf("%d messages say that it has ended", n)
	}
	return ended, again
}

func goods(n int64) orders.Intent {
	return orders.Intent{Item: hstock.Item{Service: market.GmailUSA, Name: "Gmail", EntityType: hstock.EntityProduct}, Quantity: n}
}

func threeLikes() []orders.Intent {
	return []orders.Intent{likes(basketLinks[0]), likes(basketLinks[1]), likes(basketLinks[2])}
}

// atLine calls do once, right after the nth line of a basket was settled.
func (w *world) atLine(nth int, do func()) {
	w.atStep("basket line", nth, do)
}

func (w *world) atStep(step string, nth int, do func()) {
	f := func(at string) {
		if at != step {
			return
		}
		if nth--; nth == 0 {
			do()
		}
	}
	w.onStep.Store(&f)
}

func TestBuysBasket(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		quote := w.fillBasket(append(threeLikes(), goods(2))...)
		if !quote.Estimate || quote.Blocked || len(quote.Lines) != 4 || !quote.Total.Equal(quote.Lines[0].Total().Mul(decimal.New(3, 0)).Add(quote.Lines[3].Total())) {
			t.Errorf("the card says %+v", quote)
		}
		starts := 0
		count := func(step string) {
			if step == "basket started" {
				starts++
			}
		}
		w.onStep.Store(&count)
		w.startBasket(quote)
		if started, err := w.service.StartBasket(t.Context(), anna, quote.ID, quote.Revision, 0, 0); started || err != nil {
			t.Errorf("a double tap: %v, %v", started, err)
		}
		testworld.Pass(10 * time.Second) // the tap wakes the loop, which may sleep for 15 s
		w.wantCalls("add", 4)
		testworld.Pass(time.Minute)
		if starts != 1 {
			t.Errorf("started %d times", starts)
		}
		if strings.Contains(w.Log.String(), "delayed") {
			t.Errorf("it was delayed:\n%s", w.Log.String())
		}
		ended, _ := w.wantBasket(quote.ID, "", 4, 0)
		for _, line := range ended.Lines {
			if line.State != storage.PurchasePlaced || line.ExternalID == "" {
				t.Errorf("a line is %+v", line)
			}
		}
		w.wantCalls("add", 4)
	})
}

// TestSecondTapShowsTheBasket: also where nothing may be bought by now. What the first one has
// begun goes on, or ends, and an error would say that nothing was bought.
func TestSecondTapShowsTheBasket(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		quote := w.fillBasket(threeLikes()...)
		w.startBasket(quote)
		w.atLine(1, func() {
			testworld.Must(w.t, w.db.SetMaintenance(t.Context(), time.Now(), storage.AuditEntry{AdminID: 1}))
		})
		for range 2 { // while it runs, and when it has ended
			if started, err := w.service.StartBasket(t.Context(), anna, quote.ID, quote.Revision, 0, 0); started || err != nil {
				t.Errorf("another tap: %v, %v", started, err)
			}
			testworld.Pass(time.Minute)
		}
		w.wantBasket(quote.ID, orders.BasketPaused, 1, 2)
	})
}

// TestBasketStops: what was not begun was not bought, and is offered again.
func TestBasketStops(t *testing.T) {
	for name, test := range map[string]struct {
		before       func(w *world)
		atLine1      func(w *world, id int64)
		reason       string
		bought, rest int
	}{
		"unknown outcome": {reason: orders.BasketUnknown, bought: 2, rest: 1, atLine1: func(w *world, _ int64) {
			w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
		}},
		"too little money": {reason: orders.BasketMoney, bought: 1, rest: 2, atLine1: func(w *world, _ int64) {
			w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Insufficient balance"})
		}},
		"a refusal that is about one line": {bought: 2, rest: 1, atLine1: func(w *world, _ int64) {
			w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Service not found"})
		}},
		"removed key": {reason: orders.BasketKey, bought: 1, rest: 2, atLine1: func(w *world, _ int64) {
			testworld.Must(w.t, w.db.RemoveKey(w.t.Context(), anna))
		}},
		"restored database that no admin has looked at": {reason: orders.BasketPaused, bought: 1, rest: 2, atLine1: func(w *world, _ int64) {
			testworld.Must(w.t, w.db.SetSetting(w.t.Context(), "restored", "1 1 backup"))
		}},
		"refused key": {reason: orders.BasketKey, bought: 1, rest: 2, atLine1: func(w *world, _ int64) {
			w.Market.RemoveKey(testworld.AnnaKey.Reveal())
		}},
		"other key": {reason: orders.BasketKey, bought: 1, rest: 2, atLine1: func(w *world, _ int64) {
			_, err := w.db.SaveKey(w.t.Context(), anna, testworld.OperatorKey)
			testworld.Must(w.t, err)
		}},
		"maintenance": {reason: orders.BasketPaused, bought: 1, rest: 2, atLine1: func(w *world, _ int64) {
			testworld.Must(w.t, w.db.SetMaintenance(w.t.Context(), time.Now(), storage.AuditEntry{AdminID: 1}))
		}},
		"stop": {reason: orders.BasketStopped, bought: 1, rest: 2, atLine1: func(w *world, id int64) {
			testworld.Must(w.t, w.service.StopBasket(w.t.Context(), anna, id))
		}},
		"marketplace down": {reason: orders.BasketUnreachable, bought: 1, rest: 2, atLine1: func(w *world, _ int64) {
			w.Market.Fault(market.Fault{Action: "inventory", Kind: market.HTML502, Times: market.Always})
		}},
		"restored database": {reason: orders.BasketRestored, bought: 1, rest: 2, atLine1: func(w *world, _ int64) {
			w.Exec(`INSERT INTO settings (name, value) VALUES ('epoch', '7') ON CONFLICT (name) DO UPDATE SET value = '7'`)
		}},
		"last line is stopped": {bought: 3, atLine1: func(w *world, id int64) {
			w.atLine(2, func() { testworld.Must(w.t, w.service.StopBasket(w.t.Context(), anna, id)) })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(_ *testing.T, w *world) {
				quote := w.fillBasket(threeLikes()...)
				w.atLine(1, func() { test.atLine1(w, quote.ID) })
				w.startBasket(quote)
				testworld.Pass(2 * time.Minute)
				w.wantBasket(quote.ID, test.reason, test.bought, test.rest)
			})
		})
	}
}

// TestBasketLeavesOutLines: a line that got dearer, is sold out or has vanished is offered
// again, and the others are bought.
func TestBasketLeavesOutLines(t *testing.T) {
	for name, test := range map[string]struct {
		change func(w *world) error
		reason string
		fault  string // on the next card
	}{
		"dearer":   {func(w *world) error { return w.Market.SetRate(market.GmailUSA, "9.99") }, orders.ReasonPrice, ""},
		"sold out": {func(w *world) error { return w.Market.SetStock(market.GmailUSA, 0) }, orders.ReasonStock, orders.FaultSoldOut},
		"vanished": {func(w *world) error { return w.Market.Remove(market.GmailUSA) }, orders.ReasonGone, orders.FaultGone},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				quote := w.fillBasket(likes(basketLinks[0]), goods(1), likes(basketLinks[1]))
				w.atLine(1, func() { testworld.Must(w.t, test.change(w)) })
				w.startBasket(quote)
				testworld.Pass(time.Minute)
				ended, again := w.wantBasket(quote.ID, "", 2, 1)
				if ended.Lines[1].Reason != test.reason {
					t.Errorf("the line is %+v", ended.Lines[1])
				}
				next := w.priceBasket()
				if next.ID != again.ID || next.Lines[0].Fault != test.fault || test.fault == "" && next.Lines[0].Rate.String() != "9.99" {
					t.Errorf("the next card says %+v", next.Lines)
				}
			})
		})
	}
}

// TestCardOfBasket: lines that can't be bought are said and left out; warnings block
// nothing.
func TestCardOfBasket(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.SetType(market.InstagramFollowers, "Default"))
		unknown := goods(1)
		unknown.Item.Service = 987654
		tooMany := goods(1_000_000)
		w.buy(market.GmailUSA, 1)
		quote := w.fillBasket(likes(basketLinks[0]), likes(basketLinks[0]), unknown, tooMany, goods(1))
		for i, want := range []string{"", "", orders.FaultGone, orders.FaultLimits, ""} {
			if got := quote.Lines[i].Fault; got != want {
				t.Errorf("line %d has the fault %q, want %q", i+1, got, want)
			}
		}
		if w := quote.Warnings[quote.Lines[1].ID]; w.Twin != 1 || quote.Warnings[quote.Lines[0].ID].Any() {
			t.Errorf("the same line twice: %+v", quote.Warnings)
		}
		if quote.Warnings[quote.Lines[4].ID].Repeated.Purchase == 0 {
			t.Error("a repeated purchase is not said")
		}
		w.startBasket(quote)
		testworld.Pass(time.Minute)
		w.wantBasket(quote.ID, "", 4, 2) // with the one before
	})
}

func TestBasketIsBlockedWithoutMoney(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), "0.01"))
		if quote := w.fillBasket(goods(1)); !quote.Blocked || !quote.Short.IsPositive() {
			t.Errorf("the card says %+v", quote)
		}
	})
}

// TestOldCardOfBasket: nothing is bought on terms that the person does not see.
func TestOldCardOfBasket(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.at("basket started", func() { t.Error("it was started") })
		quote := w.fillBasket(likes(basketLinks[0]))
		newer := w.fillBasket(likes(basketLinks[1]))
		if started, err := w.service.StartBasket(t.Context(), anna, quote.ID, quote.Revision, 0, 0); started || err != nil {
			t.Errorf("an older card: %v, %v", started, err)
		}
		testworld.Pass(11 * time.Minute)
		if started, err := w.service.StartBasket(t.Context(), anna, newer.ID, newer.Revision, 0, 0); started || err != nil {
			t.Errorf("a card of before: %v, %v", started, err)
		}
		w.wantCalls("add", 0)
	})
}

// TestTwoProcessesBuyOneBasket: each line is bought once, by one of the processes.
func TestTwoProcessesBuyOneBasket(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		other := w.newService(w.client)
		other.Start()
		quote := w.fillBasket(threeLikes()...)
		w.startBasket(quote)
		testworld.Pass(2 * time.Minute)
		testworld.Must(t, other.Stop(t.Context()))
		w.wantBasket(quote.ID, "", 3, 0)
		w.wantCalls("add", 3)
	})
}

// TestBasketGoesOnBesideAnotherPurchase of the same key, which takes its turn.
func TestBasketGoesOnBesideAnotherPurchase(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		draft := w.draft(market.GmailUSA, 1)
		quote := w.fillBasket(threeLikes()...)
		w.slowly(1)
		var wg sync.WaitGroup
		wg.Go(func() { w.confirm(draft) })
		testworld.Pass(time.Second / 2)
		w.startBasket(quote)
		testworld.Pass(10 * time.Second)
		if n := w.count(orders.MessageBasket); n != 0 {
			t.Errorf("%d lines are said to be settled while the other purchase is sent", n)
		}
		wg.Wait()
		testworld.Pass(2 * time.Minute)
		w.wantBasket(quote.ID, "", 4, 0)
	})
}

// TestBasketWaitsUntilItMayGoOn: nothing is sent, and nothing said, while the key can't be read,
// or while the database lets no line begin because it was restored a moment ago.
func TestBasketWaitsUntilItMayGoOn(t *testing.T) {
	for name, test := range map[string]struct {
		stop func(w *world) (goOn func())
		log  string // why it waits
	}{
		"key": {
			func(w *world) func() { return w.damageKey(anna) },
			"read key",
		},
		"claim": {
			func(w *world) func() {
				w.Exec(`UPDATE baskets SET priced_at = 0`) // so what was read does not say it yet
				testworld.Must(w.t, w.db.SetSetting(w.t.Context(), "epoch", "1"))
				return func() { testworld.Must(w.t, w.db.SetSetting(w.t.Context(), "epoch", "0")) }
			},
			"not settled",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				quote := w.fillBasket(threeLikes()...)
				calls, goOn := 0, func() {}
				w.atLine(1, func() {
					goOn = test.stop(w)
					calls = w.Market.Count("inventory")
				})
				w.startBasket(quote)
				testworld.Pass(20 * time.Second)
				w.wantCalls("inventory", calls)
				if b, err := w.db.Basket(t.Context(), anna, quote.ID); err != nil || b.State != storage.BasketRunning || w.count(orders.MessageBasket) != 1 {
					t.Errorf("the basket is %s %q, %v, and %d messages say how far it is", b.State, b.Reason, err, w.count(orders.MessageBasket))
				}
				if log := w.Log.String(); !strings.Contains(log, "basket delayed") || !strings.Contains(log, test.log) {
					t.Errorf("the log does not say %q:\n%s", test.log, log)
				}
				goOn()
				testworld.Pass(20 * time.Second)
				w.wantBasket(quote.ID, "", 3, 0)
			})
		})
	}
}

// TestBasketsThatDoNotStart: the person is asked again, or told why.
func TestBasketsThatDoNotStart(t *testing.T) {
	for name, test := range map[string]struct {
		change func(w *world)
		want   error
	}{
		"no key": {func(w *world) { testworld.Must(w.t, w.db.RemoveKey(w.t.Context(), anna)) }, orders.ErrNoKey},
		"maintenance": {func(w *world) {
			testworld.Must(w.t, w.db.SetMaintenance(w.t.Context(), time.Now(), storage.AuditEntry{AdminID: olga}))
		}, orders.ErrMaintenance},
		"another key":    {func(w *world) { w.addUser(anna, borisKey) }, nil},
		"nothing to buy": {func(w *world) { w.Exec(`UPDATE basket_lines SET fault = ?`, orders.FaultGone) }, nil},
		"emptied": {func(w *world) {
			b, err := w.db.Basket(w.t.Context(), anna, 0)
			testworld.Must(w.t, err)
			_, err = w.db.RemoveFromBasket(w.t.Context(), anna, b.ID, 0, time.Now())
			testworld.Must(w.t, err)
		}, storage.ErrNotFound},
		"another version": {func(w *world) { w.Exec(`UPDATE baskets SET revision = revision + 1`) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				quote := w.fillBasket(goods(1))
				test.change(w)
				if started, err := w.service.StartBasket(t.Context(), anna, quote.ID, quote.Revision, 0, 0); started || !errors.Is(err, test.want) {
					t.Errorf("started %v, %v, want %v", started, err, test.want)
				}
				testworld.Pass(time.Minute)
				w.wantCalls("add", 0)
			})
		})
	}
}

// TestSlowLineIsWaitedFor: the loop, which looks at the basket again meanwhile, begins nothing
// and delays nothing.
func TestSlowLineIsWaitedFor(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		quote := w.fillBasket(threeLikes()...)
		w.slowly(1)
		w.startBasket(quote)
		testworld.Pass(15 * time.Second)
		w.wantCalls("add", 1)
		testworld.Pass(time.Minute)
		w.wantBasket(quote.ID, "", 3, 0)
		if strings.Contains(w.Log.String(), "basket delayed") {
			t.Errorf("the log says:\n%s", w.Log.String())
		}
	})
}

// TestStopWhileBasketIsBought: a stop waits a second for the answer to the line that is being
// sent, and then cuts it off, so that its outcome is unknown at once. What the card has to say is
// stored all the same, and the next process goes on, or ends the basket.
func TestStopWhileBasketIsBought(t *testing.T) {
	for name, test := range map[string]struct {
		delay        time.Duration // of the answer; the stop comes half a second after the request
		reason       string
		bought, rest int
	}{
		"answer in time": {delay: 1400 * time.Millisecond, bought: 3},
		"cut off":        {delay: 20 * time.Second, reason: orders.BasketUnknown, rest: 2},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				quote := w.fillBasket(threeLikes()...)
				w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: test.delay})
				w.startBasket(quote)
				testworld.Pass(1500 * time.Millisecond)
				w.wantCalls("add", 1)
				began := time.Now()
				testworld.Must(t, w.service.Stop(t.Context()))
				if took := time.Since(began); took > time.Second {
					t.Errorf("Stop took %s", took)
				}
				w.wantCalls("add", 1)
				testworld.Pass(time.Minute)
				if unknown := w.count(orders.MessageOutcomeUnknown); w.count(orders.MessageBasket) != 1 || (unknown > 0) != (test.reason != "") {
					t.Errorf("messages %q", w.recorder.Kinds())
				}
				w.restart(w.client, 0)
				testworld.Pass(time.Minute)
				w.wantBasket(quote.ID, test.reason, test.bought, test.rest)
			})
		})
	}
}

// TestStopBeforeALineLeaves: it is not sent.
func TestStopBeforeALineLeaves(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		quote := w.fillBasket(threeLikes()...)
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 20 * time.Second})
		stopped := make(chan error, 1)
		w.at("sending", func() {
			go func() { stopped <- w.service.Stop(t.Context()) }()
			time.Sleep(100 * time.Millisecond) // it waits for this step
		})
		w.startBasket(quote)
		testworld.Pass(5 * time.Second)
		testworld.Must(t, <-stopped)
		w.wantCalls("add", 0)
		w.restart(w.client, 0)
		testworld.Pass(time.Minute)
		w.wantBasket(quote.ID, orders.BasketUnreachable, 0, 3)
	})
}

// TestFullBasket takes nothing more.
func TestFullBasket(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		add := func(n int) error {
			return w.service.AddToBasket(t.Context(), anna, w.nextUpdate(), slices.Repeat([]orders.Intent{goods(1)}, n))
		}
		testworld.Must(t, add(orders.MaxBasketLines-1))
		if err := add(2); !errors.Is(err, storage.ErrFull) {
			t.Errorf("two more: %v, want ErrFull", err)
		}
		testworld.Must(t, add(1))
		if b, err := w.db.Basket(t.Context(), anna, 0); err != nil || len(b.Lines) != orders.MaxBasketLines {
			t.Errorf("%d lines, %v", len(b.Lines), err)
		}
	})
}

func TestDecodeBasket(t *testing.T) {
	for body, want := range map[string]int64{"4711": 4711, "-1": -1, "": 0, "x": 0, "1 ": 0} {
		if id, err := orders.DecodeBasket(storage.Message{Body: []byte(body)}); id != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v", body, id, err)
		}
	}
}

// TestPhonesAreNotPutIntoABasket: their prices are read in another way, so their draft stays.
func TestPhonesAreNotPutIntoABasket(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draftRentals(telegramUS, 1)
		if err := w.service.MoveToBasket(t.Context(), anna, p.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		if outcome := w.confirm(p); outcome.Result != orders.Placed {
			t.Errorf("confirmed: %v", outcome.Result)
		}
	})
}

// TestDraftStaysUntilItIsInTheBasket: what a card shows is not lost on its way to the basket.
func TestDraftStaysUntilItIsInTheBasket(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		accept := w.Refuse(`INSERT ON basket_lines FOR EACH ROW`)
		if err := w.service.MoveToBasket(t.Context(), anna, p.ID); err == nil {
			t.Error("a line was stored")
		}
		accept()
		testworld.Must(t, w.service.MoveToBasket(t.Context(), anna, p.ID))
		if b, err := w.db.Basket(t.Context(), anna, 0); err != nil || len(b.Lines) != 1 || b.Lines[0].Service != market.GmailUSA {
			t.Errorf("the basket is %+v, %v", b, err)
		}
	})
}
