package orders_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/storage"
)

func TestDelivery(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.buy(market.AwkwardGoods, 3)
		pass(10 * time.Second)
		w.wantTold(orders.MessageGoods)
		if got, want := w.accounts(), w.market.Orders()[0].Accounts; !slices.Equal(got, want) {
			t.Errorf("arrived %q, delivered %q", got, want)
		}
		got := w.order(order.ID)
		if got.State != storage.OrderDelivered || got.Delivered != 3 || got.Charge.Decimal.String() != "1.8" || got.RawStatus != "Completed" {
			t.Errorf("the order is %+v", got)
		}
		calls := w.market.Count("status")
		pass(24 * time.Hour)
		if w.market.Count("status") != calls {
			t.Error("a delivered order is still asked for")
		}
	})
}

// TestPartsArriveOnce: each account is sent when it appears, and only then.
func TestPartsArriveOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, w.market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 5)
		pass(time.Minute)
		w.wantTold()
		must(t, w.market.Deliver(order.ExternalID, 3))
		pass(2 * time.Minute)
		if got := w.order(order.ID); got.State != storage.OrderPartial || got.Delivered != 3 {
			t.Errorf("after three: %s, %d delivered", got.State, got.Delivered)
		}
		must(t, w.market.Deliver(order.ExternalID, 2))
		pass(2 * time.Minute)
		w.wantTold(orders.MessageGoods, orders.MessageGoods)
		if got, want := w.accounts(), w.market.Orders()[0].Accounts; !slices.Equal(got, want) {
			t.Errorf("arrived %q, delivered %q", got, want)
		}
	})
}

// TestCompletedWithFewerKeepsAsking: the word alone ends nothing.
func TestCompletedWithFewerKeepsAsking(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, w.market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 2)
		must(t, w.market.SetStatus(order.ExternalID, "Completed"))
		pass(time.Minute)
		if got := w.order(order.ID); !got.Open() {
			t.Fatalf("closed as %s with nothing delivered", got.State)
		}
		must(t, w.market.SetStatus(order.ExternalID, "In progress"))
		must(t, w.market.Finish(order.ExternalID))
		pass(2 * time.Minute)
		if got := w.order(order.ID); got.State != storage.OrderDelivered {
			t.Errorf("after all came: %s", got.State)
		}
	})
}

// TestTwinsAreTwo: two accounts of the same text are two accounts.
func TestTwinsAreTwo(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.buy(market.GmailUSA, 3)
		pass(10 * time.Second)
		order = w.order(order.ID)
		report := func(accounts ...redact.Secret) int {
			t.Helper()
			order.Polls++
			fresh := 0
			var err error
			var reported bool
			order, reported, err = w.db.UpdateOrder(t.Context(), order, accounts, func(_ storage.Order, unsent []redact.Secret) ([]storage.Message, error) {
				fresh = len(unsent)
				return nil, nil
			})
			must(t, err)
			if !reported {
				t.Fatal("not reported")
			}
			return fresh
		}
		for i, step := range []struct {
			accounts []redact.Secret
			fresh    int
		}{
			{[]redact.Secret{"a:1", "a:1"}, 2},
			{[]redact.Secret{"a:1", "a:1"}, 0},
			{[]redact.Secret{"b:2", "a:1", "a:1", "a:1"}, 2},
			{[]redact.Secret{"a:1"}, 0},
			{[]redact.Secret{"a:1", "b:2", "a:1", "a:1"}, 0},
		} {
			if got := report(step.accounts...); got != step.fresh {
				t.Errorf("step %d: %d new, want %d", i, got, step.fresh)
			}
		}
	})
}

func TestEndings(t *testing.T) {
	for name, test := range map[string]struct {
		service int64
		end     func(w *world, number int64) error
		want    storage.OrderState
		told    []string
	}{
		"refunded":         {market.GmailUSA, func(w *world, n int64) error { return w.market.Refund(n) }, storage.OrderRefunded, []string{orders.MessageEnded}},
		"failed":           {market.GmailUSA, func(w *world, n int64) error { return w.market.Fail(n) }, storage.OrderFailed, []string{orders.MessageEnded}},
		"cancelled":        {market.GmailUSA, func(w *world, n int64) error { return w.market.SetStatus(n, "Cancelled") }, storage.OrderCancelled, []string{orders.MessageEnded}},
		"a word unheard":   {market.GmailUSA, func(w *world, n int64) error { return w.market.SetStatus(n, "Awaiting moon") }, storage.OrderOpen, nil},
		"SMM done":         {market.InstagramFollowers, func(w *world, n int64) error { return w.market.Finish(n) }, storage.OrderDelivered, []string{orders.MessageEnded}},
		"SMM in part only": {market.InstagramFollowers, func(w *world, n int64) error { return w.market.SetStatus(n, "Partial") }, storage.OrderPartial, []string{orders.MessageEnded}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				must(t, w.market.Hold(test.service, true))
				order := w.buy(test.service, max(w.row(test.service).Min, 2))
				must(t, test.end(w, order.ExternalID))
				pass(5 * time.Minute)
				got := w.order(order.ID)
				if got.State != test.want || got.Open() != (test.want == storage.OrderOpen) {
					t.Errorf("the order is %s (open: %v), want %s", got.State, got.Open(), test.want)
				}
				w.wantTold(test.told...)
			})
		})
	}
}

// TestAStoppedMarketplaceLosesNothing: polls fail, back off, and catch up.
func TestAStoppedMarketplaceLosesNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.buy(market.GmailUSA, 1)
		w.market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		pass(time.Hour)
		w.wantTold()
		if calls := w.market.Count("status"); calls > 60 {
			t.Errorf("%d calls in an hour of failure", calls)
		}
		w.market.ClearFaults()
		pass(15 * time.Minute)
		w.wantTold(orders.MessageGoods)
		if got := w.order(order.ID); got.State != storage.OrderDelivered {
			t.Errorf("the order is %s", got.State)
		}
	})
}

// TestARefusedKeyPausesItsOrders: told once, no more calls, and a new key of
// the same account goes on with them.
func TestARefusedKeyPausesItsOrders(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, w.market.Hold(market.GmailUSA, true))
		w.buy(market.GmailUSA, 1)
		w.buy(market.GmailUSA, 1)
		w.market.RemoveKey(annaKey.Reveal())
		pass(2 * time.Minute)
		w.wantTold(orders.MessageInvalidKey)
		calls := w.market.Count("status")
		pass(time.Hour)
		if w.market.Count("status") != calls {
			t.Error("the refused key is still used")
		}

		w.market.AddKey(annaKey.Reveal(), "50.00", "USD")
		for _, o := range w.market.Orders() {
			must(t, w.market.Finish(o.Number))
		}
		_, err := w.db.SaveKey(t.Context(), anna, annaKey)
		must(t, err)
		must(t, w.db.ResumeOrders(t.Context(), anna, time.Now()))
		w.service.WakeWatcher()
		pass(10 * time.Second)
		w.wantTold(orders.MessageInvalidKey, orders.MessageGoods, orders.MessageGoods)
	})
}

// TestAnotherKeysNotFoundEndsNothing: orders of a key that was replaced go on
// under it, and are not lost when it is removed and another account's key comes.
func TestAnotherKeysNotFoundEndsNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, w.market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 1)
		must(t, w.db.RemoveKey(t.Context(), anna))
		w.market.AddKey("another-key-0123456789", "5.00", "USD")
		_, err := w.db.SaveKey(t.Context(), anna, "another-key-0123456789")
		must(t, err)
		pass(time.Hour)
		if got := w.order(order.ID); !got.Open() {
			t.Fatalf("closed as %s by another account's answer", got.State)
		}
		_, err = w.db.SaveKey(t.Context(), anna, annaKey)
		must(t, err)
		must(t, w.market.Finish(order.ExternalID))
		pass(15 * time.Minute)
		w.wantTold(orders.MessageGoods)
	})
}

func TestReplacedKeyIsForgottenWhenItsOrdersAreDone(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, w.market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 1)
		w.market.AddKey("another-key-0123456789", "5.00", "USD")
		_, err := w.db.SaveKey(t.Context(), anna, "another-key-0123456789")
		must(t, err)
		must(t, w.market.Finish(order.ExternalID))
		pass(10 * time.Minute)
		w.wantTold(orders.MessageGoods)
		key, err := w.db.Key(t.Context(), order.KeyID)
		must(t, err)
		if key.Secret != "" {
			t.Error("the replaced key is still kept")
		}
	})
}

// TestRefresh asks at a person's tap, but not at every one.
func TestRefresh(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, w.market.Hold(market.ChatGPTPlus, true))
		order := w.buy(market.ChatGPTPlus, 1) // by hand: polled rarely
		pass(time.Minute)
		before := w.market.Count("status")
		for range 5 {
			_, err := w.service.Refresh(t.Context(), anna, order.ID)
			must(t, err)
		}
		if got := w.market.Count("status") - before; got > 1 {
			t.Errorf("five taps made %d calls", got)
		}
		must(t, w.market.Finish(order.ExternalID))
		pass(4 * time.Second)
		got, err := w.service.Refresh(t.Context(), anna, order.ID)
		must(t, err)
		if got.State != storage.OrderDelivered {
			t.Errorf("refreshed: %s", got.State)
		}
		w.wantTold(orders.MessageGoods)
		if _, err := w.service.Refresh(t.Context(), boris, order.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("another person's order: %v", err)
		}
	})
}

func TestAMonthOldOrderIsNoLongerWatched(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, w.market.Hold(market.ChatGPTPlus, true))
		order := w.buy(market.ChatGPTPlus, 1)
		must(t, w.service.Stop(t.Context())) // a month of idle loops would take a minute
		pass(31 * 24 * time.Hour)
		w.service = w.newService()
		w.service.Start()
		pass(time.Minute)
		if got := w.order(order.ID); got.State != storage.OrderStale {
			t.Fatalf("the order is %s", got.State)
		}
		must(t, w.market.Finish(order.ExternalID))
		got, err := w.service.Refresh(t.Context(), anna, order.ID)
		must(t, err)
		if got.State != storage.OrderDelivered {
			t.Errorf("refreshed by hand: %s", got.State)
		}
		w.wantTold(orders.MessageEnded, orders.MessageGoods)
	})
}

// TestOutbox: later is repeated, blocked is held until the person is back, and
// never is given up; nobody's trouble is anybody else's.
func TestOutbox(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addUser(boris, "boris-key-0123456789abcdef")
		w.market.AddKey("boris-key-0123456789abcdef", "10.00", "USD")
		failures := 3
		w.sending = func(m storage.Message) error {
			if m.UserID == boris {
				return outbox.ErrUnreachable
			}
			if failures--; failures >= 0 {
				return context.DeadlineExceeded
			}
			return nil
		}
		quote, err := w.service.Draft(t.Context(), orders.Intent{UserID: boris, Row: w.row(market.GmailUSA), Quantity: 1})
		must(t, err)
		w.confirm(quote.Purchase)
		w.buy(market.GmailUSA, 2)
		pass(5 * time.Minute)
		w.wantTold(orders.MessageGoods)

		w.mu.Lock()
		w.sending = nil
		w.mu.Unlock()
		pass(24 * time.Hour)
		w.wantTold(orders.MessageGoods)
		_, released, err := w.db.TouchUser(t.Context(), boris, "Boris", "ru", true)
		must(t, err)
		if !released {
			t.Error("nothing was released")
		}
		w.service.Wake()
		w.wantTold(orders.MessageGoods, orders.MessageGoods)
		if got := len(w.accounts()); got != 3 {
			t.Errorf("%d accounts arrived, want 3", got)
		}
	})
}
