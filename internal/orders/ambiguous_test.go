package orders_test

import (
	"testing"
	"time"

	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// TestNothingIsSentWithoutACertainCommit: while the database does not say whether a
// purchase is being sent, it is not sent, and rejected when the database is back.
func TestNothingIsSentWithoutACertainCommit(t *testing.T) {
	for name, when := range map[string]pgtest.Cut{"not committed": pgtest.CutBeforeCommit, "committed": pgtest.CutAfterCommit} {
		t.Run(name, func(t *testing.T) {
			proxy := testworld.PostgresProxy(t)
			inWorld(t, func(t *testing.T, w *world) {
				keys, err := storage.ParseKeys(testworld.SecretKey)
				testworld.Must(t, err)
				db, err := storage.Open(t.Context(), storage.Options{URL: proxy.URL(), Keys: keys})
				testworld.Must(t, err)
				before := w.db
				defer func() {
					testworld.Must(t, db.Close(t.Context()))
					w.db = before
				}()
				w.db = db
				w.addUser(anna, testworld.AnnaKey)
				service := orders.New(orders.Options{
					DB: db, Market: w.client, SMMRatePer: 1000, Wake: func() {}, Log: w.logger(),
					Checkpoint: func(step string) {
						if step == "claimed" {
							proxy.CutForLong(when)
						}
					},
				})
				quote, err := service.Draft(t.Context(), orders.Intent{UserID: anna, Item: w.item(market.GmailUSA), Quantity: 1})
				testworld.Must(t, err)
				time.AfterFunc(13*time.Second, proxy.Up)
				outcome, err := service.Confirm(t.Context(), anna, quote.Purchase.ID, "en")
				if err != nil || outcome.Result != orders.Rejected || outcome.Purchase.Reason != orders.ReasonNotSent {
					t.Errorf("the outcome is %v, %q: %v", outcome.Result, outcome.Purchase.Reason, err)
				}
				p, err := db.Purchase(t.Context(), anna, quote.Purchase.ID)
				if err != nil || p.State != storage.PurchaseRejected {
					t.Errorf("stored as %s: %v", p.State, err)
				}
				if n := len(w.Market.Orders()); n != 0 {
					t.Errorf("the marketplace has %d orders", n)
				}
			})
		})
	}
}
