package orders_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// TestCancel: the money is refunded, and only the card shows the end.
func TestCancel(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		for _, order := range []storage.Order{w.rent(1)[0], w.buy(market.GmailUSA, 2)} {
			testworld.Pass(5 * time.Second)
			_, allowance, err := w.service.CancelAllowance(t.Context(), anna, order.ID)
			testworld.Must(t, err)
			if !allowance.Allowed || !allowance.Refund.Decimal.IsPositive() {
				t.Errorf("allowance: %+v", allowance)
			}
			outcome, err := w.service.Cancel(t.Context(), anna, order.ID)
			testworld.Must(t, err)
			if !outcome.Done || outcome.Order.State != storage.OrderCancelled || !outcome.Order.Charge.Valid || !outcome.Order.Charge.Decimal.IsZero() {
				t.Errorf("got %+v", outcome)
			}
			testworld.Pass(time.Minute)
			if got := w.order(order.ID); got.Open() || got.State != storage.OrderCancelled {
				t.Errorf("the order is %s", got.State)
			}
			if _, err := w.service.Cancel(t.Context(), anna, order.ID); !errors.Is(err, orders.ErrOrderClosed) {
				t.Errorf("a second call: %v", err)
			}
		}
		w.wantCalls("cancel", 2)
		w.wantNotified(orders.MessageRedraw, orders.MessageRental, orders.MessageRedraw) // the cards show the end, and the phone's message
		if got := w.Market.Balance(testworld.AnnaKey.Reveal()).String(); got != "100" {
			t.Errorf("the balance is %s", got)
		}
	})
}

func TestRefusedCancelCanBeSentAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.Market.SetCancelAfter(5 * time.Minute)
		order := w.rent(1)[0]
		_, allowance, err := w.service.CancelAllowance(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if allowance.Allowed || allowance.Reason != "BEFORE_MIN_WAIT" || allowance.EligibleAfter == "" {
			t.Errorf("allowance: %+v", allowance)
		}
		outcome, err := w.service.Cancel(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if outcome.Done || outcome.Uncertain || !outcome.Order.CancelSentAt.IsZero() || outcome.Refusal != "Early auto refund is not available for this order" {
			t.Errorf("too early: %+v", outcome)
		}
		testworld.Pass(6 * time.Minute)
		outcome, err = w.service.Cancel(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if !outcome.Done {
			t.Errorf("later: %+v", outcome)
		}
		w.wantCalls("cancel", 2)
	})
}

// TestUnansweredCancelIsNotRepeated, whether it had an effect or not. The order's
// state shows the outcome.
func TestUnansweredCancelIsNotRepeated(t *testing.T) {
	for _, test := range []struct {
		fault market.FaultKind
		done  bool
	}{{market.CommitThenLose, true}, {market.Cut, true}, {market.CutBefore, false}, {market.HTML502, false}, {market.Garbage, false}} {
		t.Run(string(test.fault), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order := w.rent(1)[0]
				testworld.Pass(5 * time.Second)
				w.Market.Fault(market.Fault{Action: "cancel", Kind: test.fault})
				outcome, err := w.service.Cancel(t.Context(), anna, order.ID)
				testworld.Must(t, err)
				if outcome.Done != test.done || outcome.Uncertain == test.done || !outcome.Lost || outcome.Order.CancelSentAt.IsZero() {
					t.Errorf("got %+v", outcome)
				}
				if !strings.Contains(w.Log.String(), "cancel outcome unknown") {
					t.Error("it is not logged")
				}
				want := orders.ErrCancelSent
				if test.done {
					want = orders.ErrOrderClosed
				}
				if _, err := w.service.Cancel(t.Context(), anna, order.ID); !errors.Is(err, want) {
					t.Errorf("a second call: %v, want %v", err, want)
				}
				testworld.Pass(time.Hour)
				w.wantCalls("cancel", 1)
			})
		})
	}
}

func TestCancelThatWasNotSentCanBeSentAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(5 * time.Second)
		w.CutMarket() // connections are refused
		if _, err := w.service.Cancel(t.Context(), anna, order.ID); err == nil || errors.Is(err, orders.ErrCancelSent) {
			t.Errorf("got %v", err)
		}
		if got := w.order(order.ID); !got.CancelSentAt.IsZero() {
			t.Error("it is marked as sent")
		}
		_, stop := w.Net.Serve("market", w.Market)
		defer stop()
		testworld.Pass(time.Minute)
		outcome, err := w.service.Cancel(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if !outcome.Done {
			t.Errorf("sent again: %+v", outcome)
		}
		w.wantCalls("cancel", 1)
	})
}

// TestLostCancelCanBeAskedAgain: a cancel whose answer was lost is not sent again by a tap
// that is handled again. When it has ended and the order can still be cancelled, the person
// may ask again, and then cancel.
func TestLostCancelCanBeAskedAgain(t *testing.T) {
	for fault, done := range map[market.FaultKind]bool{market.CutBefore: false, market.CommitThenLose: true} {
		t.Run(string(fault), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order := w.rent(1)[0]
				testworld.Pass(5 * time.Second)
				for _, action := range []string{"sms_status", "sms_code"} { // the order's state does not show it
					w.Market.Fault(market.Fault{Action: action, Kind: market.HTML502, Times: market.Always})
				}
				w.Market.Fault(market.Fault{Action: "cancel", Kind: fault})
				_, err := w.service.Cancel(t.Context(), anna, order.ID)
				testworld.Must(t, err)
				testworld.Pass(time.Minute)
				if _, _, err := w.service.CancelAllowance(t.Context(), anna, order.ID); !errors.Is(err, orders.ErrCancelSent) || orders.MayAskCancel(w.order(order.ID)) {
					t.Errorf("asked after a minute: %v", err)
				}
				testworld.Pass(10 * time.Second)
				if !orders.MayAskCancel(w.order(order.ID)) {
					t.Error("after more than a minute the person may not ask")
				}
				if _, err := w.service.Cancel(t.Context(), anna, order.ID); !errors.Is(err, orders.ErrCancelSent) {
					t.Errorf("a tap that is handled again: %v", err)
				}
				accept := w.Refuse(`UPDATE ON orders FOR EACH ROW WHEN (NEW.cancel_sent_at = 0)`)
				if _, _, err := w.service.CancelAllowance(t.Context(), anna, order.ID); err == nil {
					t.Error("asked while the database refuses to end the lost one: no error")
				}
				accept()
				w.Market.Fault(market.Fault{Action: "allowcancel", Kind: market.Refuse, Message: "Internal error"})
				if _, _, err := w.service.CancelAllowance(t.Context(), anna, order.ID); err == nil || errors.Is(err, orders.ErrCancelSent) {
					t.Errorf("asked while the marketplace does not answer: %v", err)
				}
				asked, _, err := w.service.CancelAllowance(t.Context(), anna, order.ID)
				if done != (err != nil) || done == asked.CancelSentAt.IsZero() {
					t.Errorf("asked, done %v: sent at %s, %v", done, asked.CancelSentAt, err)
				}
				w.wantCalls("cancel", 1)
				outcome, err := w.service.Cancel(t.Context(), anna, order.ID)
				if done && !errors.Is(err, orders.ErrCancelSent) || !done && (err != nil || !outcome.Done) {
					t.Errorf("confirmed, done %v: %+v, %v", done, outcome, err)
				}
			})
		})
	}
}

// TestCancelIsNotSentLate: a process that sleeps between the mark on the order and the
// request does not send the request.
func TestCancelIsNotSentLate(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		sleep := func(step string) {
			if step == "cancelling" {
				testworld.Pass(31 * time.Second)
			}
		}
		w.onStep.Store(&sleep)
		if outcome, err := w.service.Cancel(t.Context(), anna, order.ID); err == nil {
			t.Errorf("got %+v", outcome)
		}
		w.wantCalls("cancel", 0)
		if got := w.order(order.ID); !got.CancelSentAt.IsZero() {
			t.Error("it is marked as sent")
		}
	})
}

// TestChargeOfCancelledOrderIsUnknown, if the order can't be fetched after the cancel. The
// old charge would count as spent.
func TestChargeOfCancelledOrderIsUnknown(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 2)
		testworld.Pass(5 * time.Second)
		if before := w.order(order.ID); !before.Charge.Decimal.IsPositive() {
			t.Fatalf("charged %v", before.Charge)
		}
		w.Market.Fault(market.Fault{Action: "status", Kind: market.HTML502, Times: market.Always})
		outcome, err := w.service.Cancel(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if !outcome.Done || outcome.Order.Charge.Valid || !outcome.Order.UpdatedAt.Equal(time.Now()) {
			t.Errorf("done %v, charged %v, as of %s", outcome.Done, outcome.Order.Charge, outcome.Order.UpdatedAt)
		}
		if spent, err := w.db.Spending(t.Context(), anna); err != nil || len(spent) != 0 {
			t.Errorf("spent %+v, %v", spent, err)
		}
		w.Market.ClearFaults()
		testworld.Pass(time.Minute)
		after, err := w.service.Refresh(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if !after.Charge.Valid || !after.Charge.Decimal.IsZero() || after.State != storage.OrderCancelled {
			t.Errorf("refreshed, it is %s and charged %v", after.State, after.Charge)
		}
	})
}

func TestConcurrentCancelsSendOneRequest(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(5 * time.Second)
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.Slow, Delay: 3 * time.Second})
		var taps sync.WaitGroup
		var done atomic.Int64
		for range 12 {
			taps.Go(func() {
				outcome, err := w.service.Cancel(t.Context(), anna, order.ID)
				if err != nil && !errors.Is(err, orders.ErrCancelSent) && !errors.Is(err, orders.ErrOrderClosed) {
					t.Error(err)
				}
				if outcome.Done {
					done.Add(1)
				}
			})
		}
		taps.Wait()
		w.wantCalls("cancel", 1)
		if n := done.Load(); n != 1 {
			t.Errorf("%d taps got Done, want 1", n)
		}
	})
}

func TestCancelOfAnotherPersonsOrder(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		w.addBoris()
		for _, order := range []storage.Order{w.rent(1)[0], w.buy(market.GmailUSA, 1)} {
			if _, _, err := w.service.CancelAllowance(t.Context(), boris, order.ID); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("allowance of a %s: %v", order.Kind, err)
			}
			if _, err := w.service.Cancel(t.Context(), boris, order.ID); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("cancelling a %s: %v", order.Kind, err)
			}
		}
		w.wantCalls("cancel", 0)
	})
}

// TestCancelAfterTheCode: a cancel that is too late is refused, and the code arrives.
func TestCancelAfterTheCode(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(5 * time.Second)
		testworld.Must(t, w.Market.SendSMS(number(order), "3", "code 3"))
		outcome, err := w.service.Cancel(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if outcome.Done || outcome.Refusal == "" {
			t.Errorf("got %+v", outcome)
		}
		testworld.Pass(5 * time.Second)
		if len(w.codes()) != 1 {
			t.Errorf("codes %q", w.codes())
		}
	})
}

// TestSlowCancelDuringPolls: the outcome is stored although polls update the order
// meanwhile.
func TestSlowCancelDuringPolls(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(5 * time.Second)
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.Slow, Delay: 20 * time.Second})
		outcome, err := w.service.Cancel(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if got := w.order(order.ID); !outcome.Done || got.State != storage.OrderCancelled || got.Open() {
			t.Errorf("got %+v, and the order is %s", outcome, got.State)
		}
		testworld.Pass(time.Minute)
		if n := w.count(orders.MessageEnded); n != 0 {
			t.Errorf("%d messages about the end in addition to the card", n)
		}
	})
}

// TestUndocumentedRefusalOfCancel: the cancel had no effect only if the order can still be cancelled.
func TestUndocumentedRefusalOfCancel(t *testing.T) {
	for _, done := range []bool{false, true} {
		inWorld(t, func(t *testing.T, w *world) {
			order := w.rent(1)[0]
			testworld.Pass(5 * time.Second)
			w.Market.Fault(market.Fault{Action: "cancel", Kind: market.Refuse, Message: "Internal error", Commit: done})
			outcome, err := w.service.Cancel(t.Context(), anna, order.ID)
			if done != outcome.Done || done != (err == nil) {
				t.Errorf("done %v: got %+v, %v", done, outcome, err)
			}
			if got := w.order(order.ID); got.CancelSentAt.IsZero() == done {
				t.Errorf("done %v: the mark is %s", done, got.CancelSentAt)
			}
		})
	}
}

// TestCodeAndUnansweredCancel: the outcome is the code, not a cancelled order.
func TestCodeAndUnansweredCancel(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(5 * time.Second)
		testworld.Must(t, w.Market.SendSMS(number(order), "3", "code 3"))
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.HTML502})
		outcome, err := w.service.Cancel(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if outcome.Done || outcome.Uncertain || outcome.Order.State != storage.OrderDelivered {
			t.Errorf("got %+v", outcome)
		}
		testworld.Pass(900 * time.Millisecond)
		if n := len(w.codes()); n != 0 {
			t.Errorf("%d codes come before the card", n)
		}
		testworld.Pass(2 * time.Second)
		w.wantNotified(orders.MessageRedraw, orders.MessageRental, orders.MessageCode, orders.MessageRedraw)
	})
}

// TestCancelWithoutTime: without time to wait for the answer nothing is sent.
func TestCancelWithoutTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(5 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), hstock.PurchaseTimeout-time.Second)
		defer cancel()
		if _, err := w.service.Cancel(ctx, anna, order.ID); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		w.wantCalls("cancel", 0)
		if got := w.order(order.ID); !got.CancelSentAt.IsZero() {
			t.Error("it is marked as sent")
		}
	})
}

// TestCancelThatIsGivenUp: the outcome is recorded, although the caller no longer waits for it.
func TestCancelThatIsGivenUp(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(5 * time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		w.at("cancelled", cancel)
		outcome, err := w.service.Cancel(ctx, anna, order.ID)
		if err != nil || !outcome.Done || w.order(order.ID).State != storage.OrderCancelled {
			t.Errorf("got %+v, %v", outcome, err)
		}
	})
}

// TestCancelRefusedAsAWhole: a documented refusal of the request had no effect.
func TestCancelRefusedAsAWhole(t *testing.T) {
	for _, refusal := range []string{"Invalid API key", "Invalid action"} {
		inWorld(t, func(t *testing.T, w *world) {
			order := w.rent(1)[0]
			testworld.Pass(5 * time.Second)
			w.Market.Fault(market.Fault{Action: "cancel", Kind: market.Refuse, Message: refusal})
			if outcome, err := w.service.Cancel(t.Context(), anna, order.ID); err == nil || outcome.Order.ID != order.ID { // its screen shows the order
				t.Errorf("%s: got %+v", refusal, outcome)
			}
			if got := w.order(order.ID); !got.CancelSentAt.IsZero() {
				t.Errorf("%s: it is marked as sent", refusal)
			}
		})
	}
}

// TestCancelThatIsNotStored: a failure of the database is an error beside the outcome, and a poll
// stores the end.
func TestCancelThatIsNotStored(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(5 * time.Second)
		accept := w.Refuse(`UPDATE ON orders FOR EACH ROW WHEN (NEW.state = 'cancelled')`)
		if outcome, err := w.service.Cancel(t.Context(), anna, order.ID); err == nil || !outcome.Done || outcome.Uncertain {
			t.Errorf("got %+v, %v", outcome, err)
		}
		accept()
		testworld.Pass(2 * time.Minute)
		if got := w.order(order.ID); got.State != storage.OrderCancelled {
			t.Errorf("the order is %s", got.State)
		}
	})
}

// TestCancelAndTheStateOfTheOrder: what the order's state says after a cancel whose answer was
// lost, and after one that is done. The goods that came are delivered.
func TestCancelAndTheStateOfTheOrder(t *testing.T) {
	for name, test := range map[string]struct {
		fault           market.FaultKind
		status          string
		accounts        string
		done, uncertain bool
		state           storage.OrderState
	}{
		"lost, refunded":  {market.HTML502, "Refunded", "", true, false, storage.OrderRefunded},
		"lost, partial":   {market.HTML502, "Partial", "", false, true, storage.OrderPartial},
		"lost, completed": {market.HTML502, "Completed", "a:b", false, false, storage.OrderDelivered},
		"done, in work":   {"", "In progress", "", true, false, storage.OrderCancelled},
		"done, partial":   {"", "Partial", "", true, false, storage.OrderCancelled},
		"done, refunded":  {"", "Refunded", "a:b", true, false, storage.OrderRefunded},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
				order := w.buy(market.GmailUSA, 1)
				testworld.Pass(5 * time.Second)
				if test.fault != "" {
					w.Market.Fault(market.Fault{Action: "cancel", Kind: test.fault})
				}
				body := `{"status":"` + test.status + `","remains":0,"currency":"USD","accounts":["` + test.accounts + `"]}`
				w.Market.Fault(market.Fault{Action: "status", Kind: market.Answer, Body: strings.ReplaceAll(body, `[""]`, `[]`)})
				fetched := w.Market.Count("status")
				outcome, err := w.service.Cancel(t.Context(), anna, order.ID)
				testworld.Must(t, err)
				if outcome.Done != test.done || outcome.Uncertain != test.uncertain || outcome.Order.ID != order.ID || outcome.Order.State != test.state || w.order(order.ID).State != test.state {
					t.Errorf("got %+v, and the order is %s", outcome, w.order(order.ID).State)
				}
				w.wantCalls("status", fetched+1)
				testworld.Pass(2 * time.Second)
				if got := strings.Join(w.accounts(), ","); got != test.accounts || w.count(orders.MessageEnded) != 0 { // the card tells the end
					t.Errorf("delivered %q, want %q; got messages %q", got, test.accounts, w.recorder.Kinds())
				}
			})
		})
	}
}

// TestPanicAfterTheCancel: what became of the order is not known, and not that it has ended.
func TestPanicAfterTheCancel(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(5 * time.Second)
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.CutBefore})
		if outcome, err := w.newService(&panicking{Client: w.client}).Cancel(t.Context(), anna, order.ID); err == nil || !outcome.Uncertain {
			t.Errorf("got %+v, %v", outcome, err)
		}
	})
}

// sharedID rents a number and buys goods, whose orders have one id.
func (w *world) sharedID() storage.Order {
	w.t.Helper()
	testworld.Must(w.t, w.Market.Hold(market.GmailUSA, true))
	phone, goods := w.rent(1)[0], w.buy(market.GmailUSA, 1)
	testworld.Pass(5 * time.Second)
	w.Exec(`UPDATE orders SET external_id = ? WHERE id = ?`, phone.ExternalID, goods.ID)
	return phone
}

// TestTwoOrdersOfOneID: the marketplace could cancel either, so neither is cancelled.
func TestTwoOrdersOfOneID(t *testing.T) {
	for house, want := range map[bool]error{false: orders.ErrExternalIDShared, true: orders.ErrHouseIDShared} {
		t.Run(want.Error(), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				if house {
					w.annaPaysWithAllowance("20")
				}
				phone, other := w.sharedID(), w.rent(1)[0]
				if _, _, err := w.service.CancelAllowance(t.Context(), anna, phone.ID); !errors.Is(err, want) {
					t.Errorf("asked: %v", err)
				}
				if _, err := w.service.Cancel(t.Context(), anna, phone.ID); !errors.Is(err, want) {
					t.Errorf("cancelled: %v", err)
				}
				checks, err := w.service.CancelAllowances(t.Context(), anna, false)
				if err != nil || len(checks) != 3 || checks[0].Order.ID != other.ID || checks[0].Err != nil || !errors.Is(checks[1].Err, orders.ErrExternalIDShared) || !errors.Is(checks[2].Err, orders.ErrExternalIDShared) {
					t.Errorf("asked about all: %+v, %v", checks, err)
				}
				if outcomes, err := w.service.CancelAll(t.Context(), anna, []int64{phone.ID}); err != nil || len(outcomes) != 0 {
					t.Errorf("cancelled all: %+v, %v", outcomes, err)
				}
				w.wantCalls("cancel", 0)
				_, err = w.service.Cancel(t.Context(), anna, other.ID)
				testworld.Must(t, err)
				if checks, err := w.service.CancelAllowances(t.Context(), anna, false); err != nil || len(checks) != 2 {
					t.Errorf("asked when these two alone are open: %+v, %v", checks, err) // there is nothing to ask the marketplace
				}
			})
		})
	}
}
