package orders_test

import (
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// TestStoredLateAfterAStepOfTheClock: work that was in flight when the clock was set back
// stores times of the clock of before, after the loop has noticed the step.
func TestStoredLateAfterAStepOfTheClock(t *testing.T) {
	const step = 24 * time.Hour
	t.Run("basket", func(t *testing.T) {
		inWorld(t, func(_ *testing.T, w *world) {
			quote := w.fillBasket(threeLikes()...)
			w.stepClock(-step)
			w.startBasket(quote) // which wakes the loop
			synctest.Wait()
			w.Exec(`UPDATE baskets SET due_at = due_at + ?`, step.Milliseconds())
			testworld.Pass(time.Minute)
			w.wantBasket(quote.ID, "", 3, 0)
		})
	})
	t.Run("poll", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
			order := w.buy(market.GmailUSA, 2)
			testworld.Pass(20 * time.Second)
			w.stepClock(-step)
			testworld.Pass(16 * time.Second) // the loop sleeps for 15 s at most
			w.Exec(`UPDATE orders SET next_poll_at = next_poll_at + ?, last_poll_at = last_poll_at + ?`, step.Milliseconds(), step.Milliseconds())
			testworld.Must(t, w.Market.Deliver(number(order), 2))
			testworld.Pass(90 * time.Second)
			if got := w.accounts(); len(got) != 2 {
				t.Errorf("accounts %q", got)
			}
		})
	})
}

// TestInFlightAfterAStepOfTheClock: the clock is set forward beyond the end of the leases
// of this process. Nothing is taken a second time, and no outcome seems to be unknown.
func TestInFlightAfterAStepOfTheClock(t *testing.T) {
	t.Run("purchase", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			p := w.draft(market.GmailUSA, 1)
			w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 20 * time.Second})
			done := make(chan orders.Outcome)
			go func() { done <- w.confirm(p) }()
			testworld.Pass(time.Second)
			w.stepClock(time.Hour)
			if outcome := <-done; outcome.Result != orders.Placed || w.count(orders.MessageOutcomeUnknown) != 0 {
				t.Errorf("got %v, messages %q", outcome.Result, w.recorder.Kinds())
			}
		})
	})
	t.Run("poll", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
			w.Market.Fault(market.Fault{Action: "status", Kind: market.Slow, Delay: 14 * time.Second})
			w.buy(market.GmailUSA, 1)
			w.awaitCall("status")
			w.stepClock(time.Hour)
			w.buy(market.GmailUSA, 1) // which wakes the loop
			testworld.Pass(time.Second)
			w.wantCalls("status", 2) // the second is about the other order
		})
	})
}

// TestKilledSwapAfterAStepOfTheClock: the process was killed while it sent the cancel, and
// the clock is set back before the next one starts.
func TestKilledSwapAfterAStepOfTheClock(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.Market.SetCancelAfter(5 * time.Minute)
		order, offer := w.offerSwap()
		w.startSwap(offer)
		testworld.Pass(10 * time.Second)
		testworld.Must(t, w.service.Stop(t.Context()))
		w.Exec(`UPDATE swaps SET state = ?, due_at = ?`, storage.SwapCancelling, time.Now().Add(90*time.Second).UnixMilli())
		w.stepClock(-24 * time.Hour)
		w.service = w.newService(w.client)
		w.service.Start()
		testworld.Pass(2 * time.Minute)
		if phone := w.phone(order); phone.Swap.State != storage.SwapStopped || phone.Swap.Reason != orders.SwapUncertain {
			t.Errorf("the swap is %s %q", phone.Swap.State, phone.Swap.Reason)
		}
	})
}

// TestPhoneAfterAStepForward: a phone whose end is not known does not seem too old to be
// polled, whether or not its polls succeed.
func TestPhoneAfterAStepForward(t *testing.T) {
	for name, faults := range map[string][]market.Fault{"answered": nil, "refused at first": {{Action: "sms_code", Kind: market.Refuse}}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order := w.rent(1)[0]
				testworld.Must(t, w.Market.SetExpiry(number(order), time.Time{}))
				testworld.Pass(5 * time.Second)
				w.stepClock(25 * time.Hour)
				for _, f := range faults {
					w.Market.Fault(f)
				}
				testworld.Pass(20 * time.Second)
				testworld.Must(t, w.Market.SendSMS(number(order), "1", "code 1"))
				testworld.Pass(20 * time.Second)
				if got := w.codes(); len(got) != 1 || w.count(orders.MessageEnded) != 0 {
					t.Errorf("codes %q, messages %q", got, w.recorder.Kinds())
				}
			})
		})
	}
}
