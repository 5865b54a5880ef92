package orders_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// TestStepsOfAPurchase: of any number of taps one reads the terms, sends the request and
// settles the purchase, and settles it once.
func TestStepsOfAPurchase(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		var mu sync.Mutex
		var steps []string
		note := func(step string) {
			mu.Lock()
			defer mu.Unlock()
			steps = append(steps, step)
		}
		w.onStep.Store(&note)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if outcome := w.confirm(p); outcome.Result == orders.Placed && outcome.Purchase.State != storage.PurchasePlaced {
					t.Errorf("the purchase is %q", outcome.Purchase.State)
				}
			})
		}
		wg.Wait()
		w.wantCounted(map[string]int64{"placed": 1})
		if want := []string{"claimed", "sending", "answered", "placed"}; !slices.Equal(steps, want) {
			t.Errorf("the steps are %q, want %q", steps, want)
		}
		if strings.Contains(w.Log.String(), "level=ERROR") {
			t.Errorf("logged: %s", w.Log.String())
		}
	})
}

// TestPanicDuringAPurchase: it is settled at once, not when its lease is over, even if the
// tap was given up.
func TestPanicDuringAPurchase(t *testing.T) {
	for step, want := range map[string]struct {
		result orders.Result
		reason string
	}{
		"claimed":  {orders.Rejected, orders.ReasonInterrupted},
		"sending":  {orders.OutcomeUnknown, ""},
		"answered": {orders.OutcomeUnknown, ""},
	} {
		t.Run(step, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				p := w.draft(market.GmailUSA, 1)
				ctx, cancel := context.WithCancel(t.Context())
				w.at(step, func() {
					cancel()
					panic("a fault of the program")
				})
				func() {
					defer func() {
						if recover() == nil {
							t.Error("the panic is lost")
						}
					}()
					_, _ = w.service.Confirm(ctx, anna, p.ID, "en")
				}()
				if outcome := w.confirm(p); outcome.Result != want.result || outcome.Purchase.Reason != want.reason {
					t.Errorf("got %v, reason %q; want %v, %q", outcome.Result, outcome.Purchase.Reason, want.result, want.reason)
				}
				if strings.Contains(w.Log.String(), "not settled") {
					t.Errorf("logged: %s", w.Log.String())
				}
				w.buy(market.GmailUSA, 1) // the slot of the key is free
			})
		})
	}
}

// TestMaintenanceBeginsDuringTheWait for the slot of the key: the tap is told.
func TestMaintenanceBeginsDuringTheWait(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		first, second := w.draft(market.GmailUSA, 1), w.draft(market.GmailUSA, 2)
		w.slowly(1)
		var wg sync.WaitGroup
		wg.Go(func() { w.confirm(first) })
		testworld.Pass(time.Second)
		time.AfterFunc(time.Second, func() {
			testworld.Must(t, w.db.SetMaintenance(t.Context(), time.Now(), storage.AuditEntry{AdminID: olga}))
			w.at("claimed", func() { t.Error("it goes on without a claim") })
		})
		if outcome, err := w.service.Confirm(t.Context(), anna, second.ID, "en"); !errors.Is(err, orders.ErrMaintenance) {
			t.Errorf("got %v, %v; want ErrMaintenance", outcome.Result, err)
		}
		wg.Wait()
		w.wantCalls("add", 1)
	})
}

// TestClaimThatFails: an error is not taken for a key that is busy.
func TestClaimThatFails(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		accept := w.Refuse(`UPDATE ON purchases FOR EACH ROW WHEN (NEW.state = 'claimed')`)
		if outcome, err := w.service.Confirm(t.Context(), anna, p.ID, "en"); err == nil {
			t.Errorf("got %v, want an error", outcome.Result)
		}
		accept()
		heed := w.Ignore(`UPDATE ON purchases FOR EACH ROW WHEN (NEW.state = 'claimed')`)
		if outcome := w.confirm(p); outcome.Result != orders.Busy || outcome.Quote.Purchase.ID != p.ID { // the card stays
			t.Errorf("while it can't be claimed: got %v, want Busy", outcome.Result)
		}
		heed()
		if outcome := w.confirm(p); outcome.Result != orders.Placed {
			t.Errorf("then got %v, want Placed", outcome.Result)
		}
	})
}

// TestNoTapWaitsForTheOperatorsKey: it becomes a turn at once, and its screen says so.
func TestNoTapWaitsForTheOperatorsKey(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara, dora)
		first, second := w.draftFor(clara, market.GmailUSA, 1), w.draftFor(dora, market.GmailUSA, 1)
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 4 * time.Second}) // for an own key a tap waits for five
		var wg sync.WaitGroup
		wg.Go(func() { w.confirm(first) })
		testworld.Pass(time.Second)
		if outcome := w.confirm(second); outcome.Result != orders.Waiting {
			t.Errorf("got %v, want Waiting", outcome.Result)
		}
		wg.Wait()
	})
}

// TestNobodyPassesTheQueue: while somebody waits for the operator's key, another one who pays
// with it waits behind, even if its slot is free. An own key has no queue.
func TestNobodyPassesTheQueue(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara, dora, emil)
		bought := w.waitingTurns(w.draftFor(dora, market.GmailUSA, 1))
		testworld.Must(t, w.service.Stop(t.Context())) // nobody's turn comes
		bought()
		later, own := w.draftFor(emil, market.GmailUSA, 1), w.draft(market.GmailUSA, 1)
		if outcome := w.confirm(later); outcome.Result != orders.Waiting {
			t.Errorf("the operator's key: got %v, want Waiting", outcome.Result)
		}
		w.wantTurns("at last", dora, emil)
		if outcome := w.confirm(own); outcome.Result != orders.Placed {
			t.Errorf("an own key: got %v, want Placed", outcome.Result)
		}
	})
}

// TestBuysWithTheLastMoney: a balance that just suffices does, and an estimate needs none.
func TestBuysWithTheLastMoney(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), "1.25"))
		w.buy(market.GmailUSA, 1)
		testworld.Must(t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), "0.10"))
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Insufficient balance"})
		if outcome := w.confirm(w.draft(market.InstagramFollowers, 1000)); outcome.Purchase.Reason != orders.ReasonRefused {
			t.Errorf("an estimate: got %v, reason %q; want the marketplace to decide", outcome.Result, outcome.Purchase.Reason)
		}
	})
}

// TestTapThatIsAlmostOver: without time to wait for the answer nothing is sent.
func TestTapThatIsAlmostOver(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for wait, want := range map[time.Duration]orders.Result{hstock.PurchaseTimeout - time.Second: orders.Rejected, hstock.PurchaseTimeout + time.Second: orders.Placed} {
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			outcome, err := w.service.Confirm(ctx, anna, w.draft(market.GmailUSA, 1).ID, "en")
			cancel()
			testworld.Must(t, err)
			if outcome.Result != want || want == orders.Rejected && outcome.Purchase.Reason != orders.ReasonUnreachable {
				t.Errorf("%s before the end: got %v, reason %q; want %v", wait, outcome.Result, outcome.Purchase.Reason, want)
			}
		}
		w.wantCalls("add", 1)
	})
}

// TestTermsOfTheRequestAreStored: not those of the card.
func TestTermsOfTheRequestAreStored(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 2)
		testworld.Must(t, w.Market.SetRate(market.GmailUSA, "1.10"))
		testworld.Must(t, w.Market.SetStock(market.GmailUSA, 40))
		testworld.Must(t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), "50"))
		w.at("sending", func() { // placing it stores them again
			var err error
			p, err = w.db.Purchase(t.Context(), anna, p.ID)
			testworld.Must(t, err)
		})
		w.confirm(p)
		if !p.Rate.Equal(dec("1.10")) || p.Stock != 40 || !p.Balance.Equal(dec("50")) || !p.SentAt.Equal(time.Now()) {
			t.Errorf("stored: rate %s, stock %d, balance %s, sent at %s", p.Rate, p.Stock, p.Balance, p.SentAt)
		}
	})
}

// TestTapIsGivenUpDuringTheRequest: what the answer says is recorded all the same.
func TestTapIsGivenUpDuringTheRequest(t *testing.T) {
	for kind, want := range map[market.FaultKind]orders.Result{"": orders.Placed, market.HTML502: orders.OutcomeUnknown} {
		t.Run(string(kind), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				p := w.draft(market.GmailUSA, 1)
				if kind != "" {
					w.Market.Fault(market.Fault{Action: "add", Kind: kind})
				}
				ctx, cancel := context.WithCancel(t.Context())
				w.at("answered", cancel)
				if outcome, err := w.service.Confirm(ctx, anna, p.ID, "en"); err != nil || outcome.Result != want {
					t.Errorf("got %v, %v; want %v", outcome.Result, err, want)
				}
			})
		})
	}
}

// TestKeyRefusedAtTheRequest: the key pauses, and its person is told.
func TestKeyRefusedAtTheRequest(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		w.at("sending", func() { w.Market.RemoveKey(testworld.AnnaKey.Reveal()) })
		if outcome := w.confirm(p); outcome.Result != orders.Rejected || outcome.Purchase.Reason != orders.ReasonInvalidKey {
			t.Errorf("got %v, reason %q; want Rejected, invalid_key", outcome.Result, outcome.Purchase.Reason)
		}
		testworld.Pass(time.Second)
		w.wantNotified(orders.MessageInvalidKey)
	})
}

// TestSettlingATapIsRetried: while the database refuses it, the purchase is not settled; a failure
// that lasts is an error.
func TestSettlingATapIsRetried(t *testing.T) {
	for name, test := range map[string]struct {
		state storage.PurchaseState
		lasts time.Duration
		want  orders.Result
	}{
		"placed, soon":       {storage.PurchasePlaced, 3 * time.Second, orders.Placed},
		"rejected, soon":     {storage.PurchaseRejected, 3 * time.Second, orders.Rejected},
		"rejected, not soon": {storage.PurchaseRejected, 5 * time.Minute, orders.Rejected},
		"unknown, soon":      {storage.PurchaseOutcomeUnknown, 3 * time.Second, orders.OutcomeUnknown},
		"unknown, not soon":  {storage.PurchaseOutcomeUnknown, 5 * time.Minute, orders.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				p := w.draft(market.GmailUSA, 1)
				switch test.want {
				case orders.Rejected:
					testworld.Must(t, w.Market.SetStock(market.GmailUSA, 0))
				case orders.OutcomeUnknown:
					w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
				}
				time.AfterFunc(test.lasts, w.Refuse(`UPDATE ON purchases FOR EACH ROW WHEN (NEW.state = '`+string(test.state)+`')`))
				outcome, err := w.service.Confirm(t.Context(), anna, p.ID, "en")
				if (err == nil) != (test.lasts < time.Minute) || err == nil && outcome.Result != test.want {
					t.Errorf("got %v, %v", outcome.Result, err)
				}
				testworld.Pass(10 * time.Minute)
				if outcome := w.confirm(p); outcome.Result != test.want {
					t.Errorf("at last: got %v, want %v", outcome.Result, test.want)
				}
			})
		})
	}
}

// TestRedrawnDraftHasItsOwnTime: its ten minutes begin when it is drawn.
func TestRedrawnDraftHasItsOwnTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		testworld.Pass(9 * time.Minute)
		testworld.Must(t, w.Market.SetRate(market.GmailUSA, "1.30"))
		redrawn := w.confirm(p)
		if redrawn.Result != orders.Redrawn || redrawn.Purchase.ID != p.ID || !redrawn.Quote.Purchase.CreatedAt.Equal(time.Now()) {
			t.Fatalf("got %v of purchase %d, drawn at %s", redrawn.Result, redrawn.Purchase.ID, redrawn.Quote.Purchase.CreatedAt)
		}
		testworld.Pass(9 * time.Minute)
		if outcome := w.confirm(redrawn.Quote.Purchase); outcome.Result != orders.Placed {
			t.Errorf("got %v, want Placed", outcome.Result)
		}
	})
}

// TestBalanceThatCameBack: one reading that shows the charge is enough, whatever comes after it.
func TestBalanceThatCameBack(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Internal error", Commit: true})
		w.at("answered", func() {
			time.AfterFunc(5*time.Second, func() { testworld.Must(t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), "100")) })
		})
		if outcome := w.confirm(p); outcome.Result != orders.OutcomeUnknown {
			t.Errorf("got %v, want OutcomeUnknown", outcome.Result)
		}
	})
}

// TestRentsWhatWasConfirmed: in the country on the card, and the order begins with what the
// answer says. The message of the number comes at once.
func TestRentsWhatWasConfirmed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order, number := w.rent(1)[0], w.Market.Numbers()[0]
		if number.Country != market.CountryUS || order.Rental.Country != number.Country || order.RawStatus != number.Status {
			t.Errorf("rented %+v; the order says %q, %q", number, order.Rental.Country, order.RawStatus)
		}
		testworld.Pass(2 * time.Second)
		if !w.notified(anna, orders.MessageRental) {
			t.Errorf("got messages %q", w.recorder.Kinds())
		}
	})
}
