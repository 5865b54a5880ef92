package orders_test

import (
	"errors"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

func TestEligibleAfter(t *testing.T) {
	now := time.Date(2026, 6, 23, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"2026-06-23T12:30:00.000Z":      "2026-06-23T12:30:00Z",
		"2026-06-23T14:30:00+02:00":     "2026-06-23T12:30:00Z",
		"2026-06-23T12:00:00.000Z":      "", // now
		"2026-06-23T11:59:59.999Z":      "",
		"2026-06-23 12:30":              "",
		"1782217800":                    "",
		"":                              "",
		"tomorrow":                      "",
		"2026-13-45T99:99:99.000Z":      "",
		"2026-06-23T12:30:00.000Z; sic": "",
	} {
		got := ""
		if at, ok := orders.EligibleAfter(hstock.CancelAllowance{EligibleAfter: text}, now); ok {
			got = at.UTC().Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestReminder: it is sent once, although two processes run.
func TestReminder(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		w.Market.SetCancelAfter(time.Hour)
		order := w.buy(market.GmailUSA, 1)
		testworld.Pass(5 * time.Second)
		r, err := w.service.Remind(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if r.At.IsZero() || r.Allowance.Allowed {
			t.Fatalf("got %+v", r)
		}
		other := w.newService(w.client) // another replica
		other.Start()
		testworld.Pass(59 * time.Minute)
		if n := w.count(orders.MessageReminder); n != 0 {
			t.Fatalf("%d reminders before the time", n)
		}
		testworld.Pass(time.Hour)
		if n := w.count(orders.MessageReminder); n != 1 {
			t.Errorf("%d reminders, want 1", n)
		}
		testworld.Must(t, other.Stop(t.Context()))
		if r, err := w.service.Remind(t.Context(), anna, order.ID); err != nil || !r.At.IsZero() || !r.Allowance.Allowed {
			t.Errorf("when it can be cancelled: %+v, %v", r, err)
		}
		if _, err := w.service.Remind(t.Context(), boris, order.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("another person's: %v", err)
		}
	})
}

// TestNoReminderAfterTheCode: the phone is still polled, but can no longer be cancelled.
func TestNoReminderAfterTheCode(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.Market.SetCancelAfter(5 * time.Minute)
		order := w.rent(1)[0]
		testworld.Pass(5 * time.Second)
		r, err := w.service.Remind(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if r.At.IsZero() {
			t.Fatalf("got %+v", r)
		}
		testworld.Must(t, w.Market.SendSMS(order.ExternalID, "3", "code 3"))
		testworld.Pass(6 * time.Minute)
		if got := w.order(order.ID); !got.Open() || got.State != storage.OrderDelivered {
			t.Fatalf("the phone is %s", got.State)
		}
		if n := w.count(orders.MessageReminder); n != 0 {
			t.Errorf("%d reminders", n)
		}
	})
}
