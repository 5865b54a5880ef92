package orders_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
)

// TestStopObeysItsContext: each Stop waits for the polls in flight as long as its own
// context allows.
func TestStopObeysItsContext(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		w.buy(market.GmailUSA, 1)
		release := make(chan struct{})
		var polling atomic.Bool
		w.restart(&stub{Client: w.client, status: func() (hstock.Status, error) {
			polling.Store(true)
			<-release // an answer that ignores its context
			return hstock.Status{}, errors.New("cut off")
		}}, 0)
		testworld.Pass(time.Minute)
		if !polling.Load() {
			t.Fatal("no poll is in flight")
		}
		for _, timeout := range []time.Duration{5 * time.Second, time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			began := time.Now()
			if err := w.service.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Stop returned %v, want DeadlineExceeded", err)
			}
			if took := time.Since(began); took != timeout {
				t.Errorf("Stop took %s, want %s", took, timeout)
			}
			cancel()
		}
		close(release)
		synctest.Wait()
		testworld.Must(t, w.service.Stop(t.Context()))
	})
}

// TestStopCancelsPolls: a poll in flight is cancelled, which is no failure of the order.
func TestStopCancelsPolls(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 1)
		w.Market.Fault(market.Fault{Action: "status", Kind: market.Slow, Delay: 10 * time.Second})
		testworld.Pass(2 * time.Second)
		began := time.Now()
		testworld.Must(t, w.service.Stop(t.Context()))
		if took := time.Since(began); took > time.Second {
			t.Errorf("Stop took %s", took)
		}
		if got := w.order(order.ID); got.Failures != 0 {
			t.Errorf("the order has %d failures", got.Failures)
		}
	})
}

// TestTapThatIsCutOff: who stops the program has waited for the taps before, so none outlasts it.
func TestTapThatIsCutOff(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		w.slowly(1)
		ctx, cancel := context.WithTimeout(t.Context(), hstock.PurchaseTimeout+time.Second)
		defer cancel()
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		outcome, err := w.service.Confirm(ctx, anna, p.ID, "en")
		if took := time.Since(began); err != nil || outcome.Result != orders.OutcomeUnknown || took != time.Second {
			t.Errorf("got %v, %v after %s", outcome.Result, err, took)
		}
	})
}
