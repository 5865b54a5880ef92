package orders_test

import (
	"slices"
	"testing"
	"time"

	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// asked returns when people were asked about goods, since start.
func (w *world) asked(start time.Time) (at []time.Duration) {
	w.t.Helper()
	for _, message := range w.messages(orders.MessageFeedback) {
		at = append(at, message.CreatedAt.Sub(start).Round(time.Minute))
	}
	return at
}

// TestAsksFeedbackOnce: 45 minutes after the goods have come, also after a restart and
// with a second process, without a call to the marketplace.
func TestAsksFeedbackOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		start := time.Now()
		order := w.buy(market.GmailUSA, 1)
		testworld.Pass(30 * time.Minute)
		calls := len(w.Market.Calls())
		w.restart(w.client, time.Minute)
		other := w.newService(w.client)
		other.Start()
		testworld.Pass(5 * time.Hour)
		testworld.Must(t, other.Stop(t.Context()))
		if got := w.asked(start); !slices.Equal(got, []time.Duration{45 * time.Minute}) {
			t.Errorf("asked %v after the purchase", got)
		}
		if n := len(w.Market.Calls()) - calls; n != 0 {
			t.Errorf("%d calls to the marketplace", n)
		}
		if o := w.order(order.ID); !o.FeedbackDue.IsZero() {
			t.Errorf("it is due at %v", o.FeedbackDue)
		}
	})
}

// TestAsksFeedbackAfterTheLastPart: a later part of the goods delays the question, but it
// is not asked twice.
func TestAsksFeedbackAfterTheLastPart(t *testing.T) {
	for name, test := range map[string]struct{ second, want time.Duration }{
		"before the question": {30 * time.Minute, 75 * time.Minute},
		"after the question":  {2 * time.Hour, 45 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
				start := time.Now()
				order := w.buy(market.GmailUSA, 2)
				testworld.Must(t, w.Market.Deliver(numberOf(order.ExternalID), 1))
				testworld.Pass(test.second)
				testworld.Must(t, w.Market.Deliver(numberOf(order.ExternalID), 1))
				testworld.Pass(5 * time.Hour)
				if got := w.asked(start); len(got) != 1 || (got[0]-test.want).Abs() > 11*time.Minute { // until the poll
					t.Errorf("asked %v after the purchase, want about %v", got, test.want)
				}
				if n := len(w.accounts()); n != 2 {
					t.Errorf("%d accounts", n)
				}
			})
		})
	}
}

// TestFeedbackNotAsked: of imported orders and of those adopted long after the purchase,
// and of a person who has answered. But it is of goods that came long after it.
func TestFeedbackNotAsked(t *testing.T) {
	adopt := func(after time.Duration) func(t *testing.T, w *world) {
		return func(t *testing.T, w *world) {
			w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
			p := w.confirm(w.draft(market.GmailUSA, 1)).Purchase
			w.restart(w.client, after) // a day of its loops would take a while
			_, err := w.service.Adopt(t.Context(), anna, p.ID, idOf(market.FirstOrder))
			testworld.Must(t, err)
		}
	}
	for name, test := range map[string]struct {
		act  func(t *testing.T, w *world)
		want int
	}{
		"imported": {func(t *testing.T, w *world) {
			_, err := w.service.Import(t.Context(), anna, w.addExternal(market.GmailUSA, 1, ""))
			testworld.Must(t, err)
		}, 0},
		"delivered late": {func(t *testing.T, w *world) {
			testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
			order := w.buy(market.GmailUSA, 1)
			w.restart(w.client, 25*time.Hour) // a day of polls would take a while
			testworld.Must(t, w.Market.Finish(number(order)))
		}, 1},
		"adopted soon": {adopt(time.Hour), 1},
		"adopted late": {adopt(25 * time.Hour), 0},
		"answered": {func(t *testing.T, w *world) {
			order := w.buy(market.GmailUSA, 1)
			testworld.Pass(10 * time.Minute)
			_, err := w.db.SetFeedback(t.Context(), anna, order.ID, storage.FeedbackWorks, 1, time.Now())
			testworld.Must(t, err)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				test.act(t, w)
				testworld.Pass(5 * time.Hour)
				if n := w.count(orders.MessageFeedback); n != test.want || len(w.accounts()) != 1 {
					t.Errorf("asked %d times, want %d; %d accounts", n, test.want, len(w.accounts()))
				}
			})
		})
	}
}

// TestRefillIsKept from the purchase on, also when its draft is drawn again.
func TestRefillIsKept(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		item := w.item(market.InstagramFollowers)
		item.Refill = true
		quote, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Item: item, Quantity: 1000, Link: "https://instagram.com/anna"})
		testworld.Must(t, err)
		quote, err = w.service.DraftAgain(t.Context(), quote.Purchase, "en")
		testworld.Must(t, err)
		if o := w.confirm(quote.Purchase).Orders[0]; !o.Refill {
			t.Errorf("the order is %+v", o)
		}
	})
}
