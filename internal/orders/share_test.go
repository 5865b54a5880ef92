package orders_test

import (
	"testing"
	"time"

	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
)

// TestBackgroundWorkOfAnotherProcess: one process handles the taps and another one does
// the background work, which acts at once on what the first one has stored.
func TestBackgroundWorkOfAnotherProcess(t *testing.T) {
	for name, test := range map[string]func(t *testing.T, w *world, pause func()){
		"a purchase is polled": func(t *testing.T, w *world, pause func()) {
			pause()
			w.buy(market.GmailUSA, 1)
			testworld.Pass(3 * time.Second)
			if n := w.count(orders.MessageGoods); n != 1 {
				t.Errorf("%d deliveries", n)
			}
		},
		"an imported order is polled": func(t *testing.T, w *world, pause func()) {
			testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
			id := w.addExternal(market.GmailUSA, 1, "anna@example.com")
			pause()
			_, err := w.service.Import(t.Context(), anna, id)
			testworld.Must(t, err)
			testworld.Must(t, w.Market.Hold(market.GmailUSA, false))
			testworld.Pass(3 * time.Second)
			if n := w.count(orders.MessageGoods); n != 1 {
				t.Errorf("%d deliveries", n)
			}
		},
		"an order whose clock is behind is polled": func(t *testing.T, w *world, pause func()) {
			testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
			w.buy(market.GmailUSA, 1)
			testworld.Pass(20 * time.Minute) // the next poll is minutes away
			pause()
			w.service.WakePoller() // all due orders were read just now
			testworld.Pass(100 * time.Millisecond)
			before := w.Market.Count("status")
			w.Exec(`UPDATE orders SET next_poll_at = ?`, time.Now().Add(-4*time.Second).UnixMilli())
			w.buy(market.GmailUSA, 1)
			testworld.Pass(900 * time.Millisecond)
			if n := w.Market.Count("status") - before; n != 1 {
				t.Errorf("%d polls", n)
			}
		},
		"a key is accepted again": func(t *testing.T, w *world, pause func()) {
			testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
			w.buy(market.GmailUSA, 1)
			testworld.Pass(20 * time.Minute)
			w.Exec(`UPDATE api_keys SET invalid = 1`)
			w.Exec(`UPDATE orders SET next_poll_at = ?`, time.Now().UnixMilli())
			testworld.Pass(20 * time.Second)
			pause()
			before := w.Market.Count("status")
			w.Exec(`UPDATE api_keys SET invalid = 0`)
			w.service.WakePoller()
			testworld.Pass(time.Second)
			if n := w.Market.Count("status") - before; n != 1 {
				t.Errorf("%d polls", n)
			}
		},
		"a reminder is sent": func(t *testing.T, w *world, pause func()) {
			testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
			w.Market.SetCancelAfter(58 * time.Second)
			order := w.buy(market.GmailUSA, 1)
			testworld.Pass(38 * time.Second)
			pause()
			if r, err := w.service.Remind(t.Context(), anna, order.ID); err != nil || r.At.IsZero() {
				t.Errorf("the reminder is for %v: %v", r.At, err)
			}
			testworld.Pass(5 * time.Second)
			if n := w.count(orders.MessageReminder); n != 1 {
				t.Errorf("%d reminders", n)
			}
		},
		"a swap is begun": func(_ *testing.T, w *world, pause func()) {
			order, offer := w.offerSwap()
			pause()
			w.startSwap(offer)
			testworld.Pass(8 * time.Second)
			w.wantSwapped(order)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				testworld.Must(t, w.service.Stop(t.Context())) // it handles taps only
				connected := testworld.Wakes{}
				options := orders.Options{
					DB: w.db, Market: w.client, SMMRatePer: 1000, Wake: w.outbox.Wake, Log: w.logger(), Wall: w.wall, Share: connected.Share,
				}
				w.service = orders.New(options)
				active := orders.New(options)
				active.Start()
				test(t, w, func() { testworld.Pass(16 * time.Second) })
				testworld.Must(t, active.Stop(t.Context()))
			})
		})
	}
}
