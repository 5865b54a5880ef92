package orders_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

const annaOtherKey = redact.Secret("canary-key-anna-other-0123456789")

// threeOpen buys three orders that stay open, one of them with another key.
func (w *world) threeOpen() (ids []int64) {
	w.t.Helper()
	testworld.Must(w.t, w.Market.Hold(market.GmailUSA, true))
	w.Market.AddKey(annaOtherKey.Reveal(), "50.00", "EUR")
	for _, n := range []int64{2, 1} {
		ids = append(ids, w.buy(market.GmailUSA, n).ID)
		testworld.Pass(time.Second)
	}
	_, err := w.db.SaveKey(w.t.Context(), anna, annaOtherKey)
	testworld.Must(w.t, err)
	ids = append(ids, w.buy(market.GmailUSA, 1).ID)
	testworld.Pass(5 * time.Second)
	return ids
}

// TestCancelAll: one request for each key. The newest order is the first one in what is shown,
// whichever key has bought it.
func TestCancelAll(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ids := w.threeOpen()
		_, err := w.db.SaveKey(t.Context(), anna, testworld.AnnaKey)
		testworld.Must(t, err)
		ids = append(ids, w.buy(market.GmailUSA, 1).ID) // the newest and the oldest are of one key
		testworld.Pass(5 * time.Second)
		newest := slices.Clone(ids)
		slices.Reverse(newest)
		checks, err := w.service.CancelAllowances(t.Context(), anna, false)
		testworld.Must(t, err)
		var asked []int64
		for _, check := range checks {
			asked = append(asked, check.Order.ID)
		}
		if !slices.Equal(asked, newest) {
			t.Fatalf("asked about %d, want %d", asked, newest)
		}
		for _, check := range checks {
			if !check.Allowance.Allowed || check.Err != nil {
				t.Errorf("order %s: %+v", check.Order.ExternalID, check)
			}
		}
		outcomes, err := w.service.CancelAll(t.Context(), anna, ids)
		testworld.Must(t, err)
		var cancelled []int64
		for _, o := range outcomes {
			cancelled = append(cancelled, o.Order.ID)
			if !o.Done || o.Order.State != storage.OrderCancelled || !o.Order.Charge.Decimal.IsZero() {
				t.Errorf("order %s: got %+v", o.Order.ExternalID, o)
			}
		}
		if !slices.Equal(cancelled, newest) {
			t.Errorf("outcomes of %d, want %d", cancelled, newest)
		}
		testworld.Pass(time.Hour)
		w.wantCalls("cancel", 2)
		if n := w.count(orders.MessageEnded); n != 0 {
			t.Errorf("%d messages about the end in addition to the list", n)
		}
		if checks, err := w.service.CancelAllowances(t.Context(), anna, false); err != nil || len(checks) != 0 {
			t.Errorf("afterwards: %d orders, %v", len(checks), err)
		}
	})
}

// TestCancelAllPartly: each order has its own outcome, and a refused one can be cancelled later.
func TestCancelAllPartly(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ids := w.threeOpen()
		w.Market.Fault(market.Fault{Action: "cancel", Key: annaOtherKey.Reveal(), Kind: market.CutBefore})
		testworld.Must(t, w.Market.Finish(market.FirstOrder))
		outcomes, err := w.service.CancelAll(t.Context(), anna, ids)
		testworld.Must(t, err)
		for _, o := range outcomes {
			switch {
			case o.Order.ID == ids[0] && !o.Done && !o.Uncertain && o.Refusal != "": // it is delivered
			case o.Order.ID == ids[1] && o.Done:
			case o.Order.ID == ids[2] && !o.Done && o.Uncertain: // sent and not answered
			default:
				t.Errorf("order %s: got %+v", o.Order.ExternalID, o)
			}
		}
		if first := w.order(ids[0]); !first.CancelSentAt.IsZero() {
			t.Error("the refused one can no longer be cancelled")
		}
		if unanswered := w.order(ids[2]); unanswered.CancelSentAt.IsZero() {
			t.Error("the unanswered one could be sent again")
		}
		again, err := w.service.CancelAll(t.Context(), anna, ids)
		testworld.Must(t, err)
		for _, o := range again {
			if o.Order.ID == ids[2] {
				t.Error("the unanswered one was sent again")
			}
		}
	})
}

// TestUnansweredCancelAll: all outcomes are unsure, the request is not repeated, and the orders'
// states show the outcome later.
func TestUnansweredCancelAll(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ids := w.threeOpen()[:2]
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.CommitThenLose})
		w.Market.Fault(market.Fault{Action: "status", Kind: market.HTML502, Times: market.Always})
		outcomes, err := w.service.CancelAll(t.Context(), anna, ids)
		testworld.Must(t, err)
		for _, o := range outcomes {
			if o.Done || !o.Uncertain || o.Order.UpdatedAt.Equal(time.Now()) { // it was not read
				t.Errorf("order %s: got %+v", o.Order.ExternalID, o)
			}
		}
		if again, err := w.service.CancelAll(t.Context(), anna, ids); err != nil || len(again) != 0 {
			t.Errorf("a second call: %+v, %v", again, err)
		}
		testworld.Pass(70 * time.Second)
		if checks, err := w.service.CancelAllowances(t.Context(), anna, true); err != nil || len(checks) != 1 || slices.Contains(ids, checks[0].Order.ID) {
			t.Errorf("asked again, what was cancelled is in the list: %+v, %v", checks, err)
		}
		w.Market.ClearFaults()
		testworld.Pass(time.Hour)
		w.wantCalls("cancel", 1)
		for _, id := range ids {
			if o := w.order(id); o.State != storage.OrderCancelled {
				t.Errorf("the order is %s", o.State)
			}
		}
		if n := w.count(orders.MessageEnded); n != 2 {
			t.Errorf("%d messages about the end", n)
		}
	})
}

// TestUndocumentedRefusalOfCancelAll: it had no effect only if each of the orders can still be
// cancelled, and the marketplace speaks of one.
func TestUndocumentedRefusalOfCancelAll(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ids := w.threeOpen()[:2]
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.Refuse, Message: "Internal error"})
		w.answers("allowcancel", `[{"order":`+w.order(ids[0]).ExternalID+`,"allowcancel":1,"refundAmount":2.50}]`)
		outcomes, err := w.service.CancelAll(t.Context(), anna, ids)
		testworld.Must(t, err)
		for _, o := range outcomes {
			if o.Err != nil || w.order(o.Order.ID).CancelSentAt.IsZero() {
				t.Errorf("order %s could be sent again: %+v", o.Order.ExternalID, o)
			}
		}
	})
}

// TestLostCancelAllCanBeAskedAgain, as a single one: only when the person asks.
func TestLostCancelAllCanBeAskedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ids := w.threeOpen() // of two keys
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.CutBefore, Times: 2})
		_, err := w.service.CancelAll(t.Context(), anna, ids)
		testworld.Must(t, err)
		check := func(when string, again bool, want int) {
			t.Helper()
			checks, err := w.service.CancelAllowances(t.Context(), anna, again)
			if err != nil || len(checks) != want {
				t.Errorf("%s: %d orders can be cancelled, %v; want %d", when, len(checks), err, want)
			}
			for _, c := range checks {
				if !c.Allowance.Allowed || c.Err != nil {
					t.Errorf("%s, order %s: got %+v", when, c.Order.ExternalID, c)
				}
			}
		}
		check("at once", true, 0)
		testworld.Pass(70 * time.Second)
		check("a tap that is handled again", false, 0)
		accept := w.Refuse(`UPDATE ON orders FOR EACH ROW WHEN (NEW.cancel_sent_at = 0 AND OLD.cancel_sent_at > 0)`)
		checks, err := w.service.CancelAllowances(t.Context(), anna, true)
		testworld.Must(t, err)
		for _, c := range checks {
			if c.Allowance.Allowed || c.Err == nil {
				t.Errorf("while the database refuses to end the lost one, order %s is offered: %+v", c.Order.ExternalID, c)
			}
		}
		accept()
		check("asked again", true, len(ids))
		check("confirmed", false, len(ids))
		outcomes, err := w.service.CancelAll(t.Context(), anna, ids)
		if err != nil || len(outcomes) != len(ids) || !outcomes[0].Done {
			t.Errorf("confirmed: %+v, %v", outcomes, err)
		}
		w.wantCalls("cancel", 4)
	})
}

// TestCancelAllLeavesOutWhatIsBeingCancelled: where another cancel of an order begins meanwhile,
// the request does not contain it, and its outcome is not that of the request.
func TestCancelAllLeavesOutWhatIsBeingCancelled(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ids := w.threeOpen()[:2]
		heed := w.Ignore(`UPDATE ON orders FOR EACH ROW WHEN (NEW.cancel_sent_at > 0 AND NEW.id = ` + strconv.FormatInt(ids[1], 10) + `)`)
		outcomes, err := w.service.CancelAll(t.Context(), anna, ids)
		heed()
		testworld.Must(t, err)
		for _, o := range outcomes {
			if other := o.Order.ID == ids[1]; o.Done == other || o.Uncertain != other || o.Lost != other {
				t.Errorf("order %s: got %+v", o.Order.ExternalID, o)
			}
		}
		if o := w.order(ids[1]); !o.Open() || !w.Market.Orders()[1].Open {
			t.Errorf("it was sent for the order that is %s, too", o.State)
		}
		w.wantCalls("cancel", 1)
	})
}

// TestCancelAllWithoutEffect: where no request had one, each order says so, and can be cancelled
// later; where another cancel of all of them was quicker, the outcome is that one's.
func TestCancelAllWithoutEffect(t *testing.T) {
	for name, other := range map[string]bool{"refused as a whole": false, "another one was quicker": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				ids, heed := w.threeOpen()[:2], func() {}
				if other {
					heed = w.Ignore(`UPDATE ON orders FOR EACH ROW WHEN (NEW.cancel_sent_at > 0)`)
				} else {
					w.Market.Fault(market.Fault{Action: "cancel", Kind: market.Refuse, Message: "Invalid action"})
				}
				outcomes, err := w.service.CancelAll(t.Context(), anna, ids)
				heed()
				testworld.Must(t, err)
				for _, o := range outcomes {
					if o.Done || o.Err == nil || o.Uncertain != other || !w.order(o.Order.ID).CancelSentAt.IsZero() {
						t.Errorf("order %s: got %+v", o.Order.ExternalID, o)
					}
				}
				if len(outcomes) != len(ids) {
					t.Errorf("%d outcomes, want %d", len(outcomes), len(ids))
				}
			})
		})
	}
}

// TestMoreOrdersThanOneRequestHolds: the others are in another request.
func TestMoreOrdersThanOneRequestHolds(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p, now := w.draft(market.GmailUSA, 1), time.Now()
		_, err := w.db.ClaimPurchase(t.Context(), anna, p.ID, "dead", now, now.Add(time.Minute))
		testworld.Must(t, err)
		_, err = w.db.StartSending(t.Context(), p.ID, "dead", storage.Terms{Rate: p.Rate, Balance: p.Balance, Currency: "USD"}, now, now.Add(time.Minute))
		testworld.Must(t, err)
		given := make([]storage.Placement, 2*hstock.MaxBatch+1)
		for i := range given {
			given[i].ExternalID = idOf(market.FirstOrder + int64(i))
		}
		none := func(storage.Order) []storage.Message { return nil }
		_, _, err = w.db.PlacePurchase(t.Context(), p, given, now, now.Add(time.Hour), none)
		testworld.Must(t, err)
		checks, err := w.service.CancelAllowances(t.Context(), anna, false)
		testworld.Must(t, err)
		for _, check := range checks {
			if check.Allowance.Order != check.Order.ExternalID {
				t.Errorf("order %s: got %+v", check.Order.ExternalID, check)
			}
		}
		if len(checks) != len(given) {
			t.Errorf("asked about %d orders, want %d", len(checks), len(given))
		}
		w.wantCalls("allowcancel", 3)
	})
}

// TestCancelAllWithoutAnAnswer: where nothing can be asked, that is an error, and not a list in
// which nothing can be cancelled.
func TestCancelAllWithoutAnAnswer(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ids := w.threeOpen()
		w.Market.Fault(market.Fault{Action: "allowcancel", Key: annaOtherKey.Reveal(), Kind: market.Refuse, Message: "Supplier is asleep"})
		checks, err := w.service.CancelAllowances(t.Context(), anna, false)
		testworld.Must(t, err)
		for _, check := range checks { // its screen shows the marketplace's words
			var failure *hstock.Error
			if refused := check.Order.ID == ids[2]; errors.As(check.Err, &failure) != refused || check.Allowance.Allowed == refused || refused && failure.Refusal != "Supplier is asleep" {
				t.Errorf("one answer of two, order %s: got %+v", check.Order.ExternalID, check)
			}
		}
		w.Market.Fault(market.Fault{Action: "allowcancel", Key: testworld.AnnaKey.Reveal(), Kind: market.Answer, Body: `[{"order":` + w.order(ids[0]).ExternalID + `,"allowcancel":1}]`})
		checks, err = w.service.CancelAllowances(t.Context(), anna, false)
		testworld.Must(t, err)
		for _, check := range checks {
			if missing := check.Order.ID == ids[1]; check.Allowance.Allowed == missing || (check.Err != nil) != missing {
				t.Errorf("an answer about one of two, order %s: got %+v", check.Order.ExternalID, check)
			}
		}
		w.Market.Fault(market.Fault{Action: "allowcancel", Kind: market.HTML502, Times: market.Always})
		if checks, err := w.service.CancelAllowances(t.Context(), anna, false); err == nil {
			t.Errorf("no answer: got %+v", checks)
		}
	})
}

// TestCancelAllWithoutAKey: an order whose key was removed, the person's or the operator's, does
// not prevent the others from being cancelled. It is listed with them, and alone it is an error.
func TestCancelAllWithoutAKey(t *testing.T) {
	for _, want := range []error{orders.ErrNoKey, orders.ErrOperator} {
		t.Run(want.Error(), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
				own := w.buy(market.GmailUSA, 1).ID
				w.annaPaysWithAllowance("20")
				paid := w.buy(market.GmailUSA, 1).ID
				testworld.Pass(5 * time.Second)
				keyless, other := own, paid
				if errors.Is(want, orders.ErrOperator) {
					keyless, other = paid, own
					testworld.Must(t, w.db.SetOperatorKey(t.Context(), "", nil))
					w.Exec(`UPDATE api_keys SET secret_sealed = '' WHERE house = 1`)
				} else {
					testworld.Must(t, w.db.RemoveKey(t.Context(), anna))
				}
				checks, err := w.service.CancelAllowances(t.Context(), anna, false)
				testworld.Must(t, err)
				for _, check := range checks {
					if check.Order.ID == keyless && (check.Allowance.Allowed || !errors.Is(check.Err, want)) || check.Order.ID == other && !check.Allowance.Allowed {
						t.Errorf("asked: got %+v", check)
					}
				}
				outcomes, err := w.service.CancelAll(t.Context(), anna, []int64{own, paid})
				if err != nil || len(checks) != 2 || len(outcomes) != 1 || outcomes[0].Order.ID != other || !outcomes[0].Done {
					t.Errorf("asked about %d orders, cancelled %+v, %v", len(checks), outcomes, err)
				}
				if checks, err := w.service.CancelAllowances(t.Context(), anna, false); !errors.Is(err, want) {
					t.Errorf("asked about it alone: got %+v, %v", checks, err)
				}
				if outcomes, err := w.service.CancelAll(t.Context(), anna, []int64{keyless}); !errors.Is(err, want) {
					t.Errorf("cancelled alone: got %+v, %v", outcomes, err)
				}
				w.wantCalls("cancel", 1)
			})
		})
	}
}

func TestConcurrentCancelAllsSendOneRequest(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ids := w.threeOpen()[:2]
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.Slow, Delay: 5 * time.Second})
		outcomes := make(chan []orders.CancelOutcome, 2)
		for range 2 {
			go func() {
				done, err := w.service.CancelAll(t.Context(), anna, ids)
				if err != nil {
					t.Error(err)
				}
				outcomes <- done
			}()
		}
		for range 2 {
			for _, o := range <-outcomes {
				if !o.Done && !o.Uncertain {
					t.Errorf("order %s: got %+v", o.Order.ExternalID, o)
				}
			}
		}
		w.wantCalls("cancel", 1)
	})
}

func TestCancelAllOfAnotherPersonsOrders(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ids := w.threeOpen()
		w.addBoris()
		if outcomes, err := w.service.CancelAll(t.Context(), boris, ids); err != nil || len(outcomes) != 0 {
			t.Errorf("got %+v, %v", outcomes, err)
		}
		w.wantCalls("cancel", 0)
	})
}

// panicking is a marketplace whose calls panic.
type panicking struct {
	*hstock.Client
	key redact.Secret // for the calls with this one
}

func (p *panicking) AllowCancel(ctx context.Context, key redact.Secret, orders []string) ([]hstock.CancelAllowance, error) {
	if key == p.key {
		panic("allowcancel")
	}
	return p.Client.AllowCancel(ctx, key, orders)
}

func (p *panicking) Cancel(ctx context.Context, key redact.Secret, orders []string, sendBefore time.Time) ([]hstock.Cancellation, error) {
	if key == p.key {
		panic("cancel")
	}
	return p.Client.Cancel(ctx, key, orders, sendBefore)
}

func (p *panicking) SMSStatus(context.Context, redact.Secret, string) (hstock.SMSStatus, error) {
	panic("sms_status")
}

// TestPanicInOneBatch: the other batches are completed.
func TestPanicInOneBatch(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ids := w.threeOpen()
		service := w.newService(&panicking{Client: w.client, key: annaOtherKey})
		checks, err := service.CancelAllowances(t.Context(), anna, false)
		testworld.Must(t, err)
		if len(checks) != 3 || checks[0].Err == nil || checks[0].Order.ID != ids[2] || !checks[1].Allowance.Allowed || !checks[2].Allowance.Allowed {
			t.Errorf("checks: %+v", checks)
		}
		outcomes, err := service.CancelAll(t.Context(), anna, ids)
		testworld.Must(t, err)
		for i, o := range outcomes {
			if other := i == 0; o.Uncertain != other || o.Done == other {
				t.Errorf("order %s: got %+v", o.Order.ExternalID, o)
			}
		}
		if len(outcomes) != 3 || w.order(ids[2]).CancelSentAt.IsZero() {
			t.Errorf("%d outcomes; the mark of the unsure one is %v", len(outcomes), w.order(ids[2]).CancelSentAt)
		}
		if _, err := service.FindExternal(t.Context(), anna, "99999"); err == nil || errors.Is(err, hstock.ErrOrderNotFound) {
			t.Errorf("FindExternal: %v", err)
		}
	})
}
