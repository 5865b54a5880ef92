package orders_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

func TestDelivery(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.buy(market.AwkwardGoods, 3)
		testworld.Pass(10 * time.Second)
		w.wantNotified(orders.MessageGoods)
		if got, want := w.accounts(), w.Market.Orders()[0].Accounts; !slices.Equal(got, want) {
			t.Errorf("arrived %q, delivered %q", got, want)
		}
		got := w.order(order.ID)
		if got.State != storage.OrderDelivered || got.Delivered != 3 || got.Charge.Decimal.String() != "1.8" || got.RawStatus != "Completed" {
			t.Errorf("the order is %+v", got)
		}
		calls := w.Market.Count("status")
		testworld.Pass(24 * time.Hour)
		if w.Market.Count("status") != calls {
			t.Error("a delivered order is still polled")
		}
		if log := w.Log.String(); strings.Contains(log, "damaged") || strings.Contains(log, "not polled") {
			t.Errorf("the log is %s", log)
		}
	})
}

// TestPartialDeliveries: each account is sent once, when it appears.
func TestPartialDeliveries(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 5)
		testworld.Pass(time.Minute)
		w.wantNotified()
		testworld.Must(t, w.Market.Deliver(number(order), 3))
		testworld.Pass(2 * time.Minute)
		if got := w.order(order.ID); got.State != storage.OrderPartial || got.Delivered != 3 {
			t.Errorf("after three: %s, %d delivered", got.State, got.Delivered)
		}
		testworld.Must(t, w.Market.Deliver(number(order), 2))
		testworld.Pass(2 * time.Minute)
		w.wantNotified(orders.MessageGoods, orders.MessageGoods)
		if got, want := w.accounts(), w.Market.Orders()[0].Accounts; !slices.Equal(got, want) {
			t.Errorf("arrived %q, delivered %q", got, want)
		}
	})
}

func TestCompletedWithMissingAccountsStaysOpen(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 2)
		testworld.Must(t, w.Market.SetStatus(number(order), "Completed"))
		testworld.Pass(time.Minute)
		if got := w.order(order.ID); !got.Open() {
			t.Fatalf("closed as %s with nothing delivered", got.State)
		}
		testworld.Must(t, w.Market.SetStatus(number(order), "In progress"))
		testworld.Must(t, w.Market.Finish(number(order)))
		testworld.Pass(2 * time.Minute)
		if got := w.order(order.ID); got.State != storage.OrderDelivered {
			t.Errorf("after all came: %s", got.State)
		}
	})
}

// TestEqualAccountsAreCounted: two accounts with the same text are two accounts.
func TestEqualAccountsAreCounted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.buy(market.GmailUSA, 3)
		testworld.Pass(10 * time.Second)
		order = w.order(order.ID)
		report := func(accounts ...redact.Secret) int {
			t.Helper()
			order.Polls++
			fresh := 0
			var err error
			var reported bool
			order, reported, err = w.db.UpdateOrder(t.Context(), order, nil, accounts, func(_ storage.Order, unsent []redact.Secret) ([]storage.Message, error) {
				fresh = len(unsent)
				return nil, nil
			})
			testworld.Must(t, err)
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

func TestEndsOfOrders(t *testing.T) {
	for name, test := range map[string]struct {
		service int64
		end     func(w *world, externalID int64) error
		want    storage.OrderState
		kinds   []string
	}{
		"refunded":         {market.GmailUSA, func(w *world, n int64) error { return w.Market.Refund(n) }, storage.OrderRefunded, []string{orders.MessageEnded}},
		"failed":           {market.GmailUSA, func(w *world, n int64) error { return w.Market.Fail(n) }, storage.OrderFailed, []string{orders.MessageEnded}},
		"cancelled":        {market.GmailUSA, func(w *world, n int64) error { return w.Market.SetStatus(n, "Cancelled") }, storage.OrderCancelled, []string{orders.MessageEnded}},
		"unknown status":   {market.GmailUSA, func(w *world, n int64) error { return w.Market.SetStatus(n, "Awaiting moon") }, storage.OrderOpen, nil},
		"SMM done":         {market.InstagramFollowers, func(w *world, n int64) error { return w.Market.Finish(n) }, storage.OrderDelivered, []string{orders.MessageEnded}},
		"SMM in part only": {market.InstagramFollowers, func(w *world, n int64) error { return w.Market.SetStatus(n, "Partial") }, storage.OrderPartial, []string{orders.MessageEnded}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				testworld.Must(t, w.Market.Hold(test.service, true))
				order := w.buy(test.service, max(w.item(test.service).Min, 2))
				testworld.Must(t, test.end(w, number(order)))
				testworld.Pass(5 * time.Minute)
				got := w.order(order.ID)
				if got.State != test.want || got.Open() != (test.want == storage.OrderOpen) {
					t.Errorf("the order is %s (open: %v), want %s", got.State, got.Open(), test.want)
				}
				w.wantNotified(test.kinds...)
			})
		})
	}
}

// TestDeliveryAfterAnOutage: polls fail, back off, and continue.
func TestDeliveryAfterAnOutage(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.buy(market.GmailUSA, 1)
		w.Market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		testworld.Pass(time.Hour)
		w.wantNotified()
		if calls := w.Market.Count("status"); calls > 60 {
			t.Errorf("%d calls in an hour of failure", calls)
		}
		w.Market.ClearFaults()
		testworld.Pass(15 * time.Minute)
		w.wantNotified(orders.MessageGoods)
		if got := w.order(order.ID); got.State != storage.OrderDelivered {
			t.Errorf("the order is %s", got.State)
		}
	})
}

// TestRefusedKeyPausesItsOrders: the owner is notified once, no calls are made, and a new
// key of the same account resumes them.
func TestRefusedKeyPausesItsOrders(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		w.buy(market.GmailUSA, 1)
		w.buy(market.GmailUSA, 1)
		w.Market.RemoveKey(testworld.AnnaKey.Reveal())
		testworld.Pass(2 * time.Minute)
		w.wantNotified(orders.MessageInvalidKey)
		calls := w.Market.Count("status")
		testworld.Pass(time.Hour)
		if w.Market.Count("status") != calls {
			t.Error("the refused key is still used")
		}

		w.Market.AddKey(testworld.AnnaKey.Reveal(), "50.00", "USD")
		for _, o := range w.Market.Orders() {
			testworld.Must(t, w.Market.Finish(o.Number))
		}
		_, err := w.db.SaveKey(t.Context(), anna, testworld.AnnaKey)
		testworld.Must(t, err)
		testworld.Must(t, w.db.ResumeOrders(t.Context(), anna, time.Now()))
		w.service.WakePoller()
		testworld.Pass(10 * time.Second)
		w.wantNotified(orders.MessageInvalidKey, orders.MessageGoods, orders.MessageGoods)
	})
}

func TestNotFoundWithAnotherKeyEndsNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 1)
		testworld.Must(t, w.db.RemoveKey(t.Context(), anna))
		w.Market.AddKey("another-key-0123456789", "5.00", "USD")
		_, err := w.db.SaveKey(t.Context(), anna, "another-key-0123456789")
		testworld.Must(t, err)
		w.Market.Fault(market.Fault{Action: "status", Kind: market.Refuse, Message: "Invalid API key"}) // nor does it refuse the other key
		testworld.Pass(time.Hour)
		if got := w.order(order.ID); !got.Open() {
			t.Fatalf("closed as %s by another account's answer", got.State)
		}
		_, err = w.db.SaveKey(t.Context(), anna, testworld.AnnaKey)
		testworld.Must(t, err)
		testworld.Must(t, w.Market.Finish(number(order)))
		testworld.Pass(15 * time.Minute)
		w.wantNotified(orders.MessageGoods)
	})
}

func TestReplacedKeyIsRemovedAfterItsOrders(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 1)
		w.Market.AddKey("another-key-0123456789", "5.00", "USD")
		_, err := w.db.SaveKey(t.Context(), anna, "another-key-0123456789")
		testworld.Must(t, err)
		testworld.Must(t, w.Market.Finish(number(order)))
		testworld.Pass(10 * time.Minute)
		w.wantNotified(orders.MessageGoods)
		key, err := w.db.Key(t.Context(), order.KeyID)
		testworld.Must(t, err)
		if key.Secret != "" {
			t.Error("the replaced key is still kept")
		}
	})
}

// TestRefresh: several taps make one call.
func TestRefresh(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.ChatGPTPlus, true))
		order := w.buy(market.ChatGPTPlus, 1) // delivered manually: polled rarely
		testworld.Pass(time.Minute)
		before := w.Market.Count("status")
		for range 5 {
			_, err := w.service.Refresh(t.Context(), anna, order.ID)
			testworld.Must(t, err)
		}
		if got := w.Market.Count("status") - before; got > 1 {
			t.Errorf("five taps made %d calls", got)
		}
		testworld.Must(t, w.Market.Finish(number(order)))
		testworld.Pass(4 * time.Second)
		got, err := w.service.Refresh(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if got.State != storage.OrderDelivered {
			t.Errorf("refreshed: %s", got.State)
		}
		w.wantNotified(orders.MessageGoods)
		if _, err := w.service.Refresh(t.Context(), boris, order.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("another person's order: %v", err)
		}
	})
}

func TestOldOrderGoesStale(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.ChatGPTPlus, true))
		order := w.buy(market.ChatGPTPlus, 1)
		w.stop() // a month of idle loops would take a minute
		testworld.Pass(31 * 24 * time.Hour)
		w.start()
		testworld.Pass(12 * time.Hour) // 60 polls
		if got := w.order(order.ID); got.State != storage.OrderStale {
			t.Fatalf("the order is %s", got.State)
		}
		testworld.Must(t, w.Market.Finish(number(order)))
		got, err := w.service.Refresh(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if got.State != storage.OrderDelivered {
			t.Errorf("refreshed: %s", got.State)
		}
		w.wantNotified(orders.MessageEnded, orders.MessageGoods)
	})
}

// TestKeyRefusedByMistake: a key that was refused once is used again as soon as the
// marketplace accepts it.
func TestKeyRefusedByMistake(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 1)
		w.Market.Fault(market.Fault{Action: "status", Kind: market.Refuse, Message: "Invalid API key"})
		testworld.Pass(time.Minute)
		w.wantNotified(orders.MessageInvalidKey)
		testworld.Must(t, w.Market.Finish(number(order)))
		testworld.Pass(2 * time.Hour) // nobody does anything
		w.wantNotified(orders.MessageInvalidKey, orders.MessageGoods, orders.MessageFeedback)

		w.Market.Fault(market.Fault{Action: "balance", Kind: market.Refuse, Message: "Invalid API key"})
		if _, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Item: w.item(market.GmailUSA), Quantity: 1}); err == nil {
			t.Fatal("drafted with a refused key")
		}
		w.buy(market.GmailUSA, 1) // as a person tries again
		testworld.Must(t, w.Market.Finish(market.FirstOrder+1))
		testworld.Pass(10 * time.Minute)
		w.wantNotified(orders.MessageInvalidKey, orders.MessageGoods, orders.MessageFeedback, orders.MessageInvalidKey, orders.MessageGoods)
	})
}

// TestRefusedKeyIsTriedHourly: without rented phones nothing is urgent, and each try is a call
// that the marketplace refuses.
func TestRefusedKeyIsTriedHourly(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		w.buy(market.GmailUSA, 1)
		w.Market.RemoveKey(testworld.AnnaKey.Reveal())
		testworld.Pass(2 * time.Minute)
		w.wantNotified(orders.MessageInvalidKey)
		before := w.Market.Count("balance")
		testworld.Pass(5 * time.Minute)
		w.wantCalls("balance", before)
		testworld.Pass(time.Hour)
		w.wantCalls("balance", before+1)
	})
}
