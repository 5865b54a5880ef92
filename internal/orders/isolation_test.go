package orders_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// A failure of one person's rows must not hold up another person.

func TestDamagedPurchaseDoesNotDelayOthers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addBoris()
		w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose, Times: 2})
		w.confirm(w.draft(market.GmailUSA, 1))
		w.confirm(w.draftFor(boris, market.GmailUSA, 1))
		w.Exec(`UPDATE purchases SET link_sealed = ? WHERE user_id = ?`, unreadable, anna)
		testworld.Pass(20 * time.Minute)
		if !w.notified(boris, orders.MessageVerdict) {
			t.Error("Boris never gets a verdict")
		}
	})
}

func TestDamagedKeyDoesNotDelayOthers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addBoris()
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		w.confirm(w.draft(market.GmailUSA, 1))
		w.confirm(w.draftFor(boris, market.GmailUSA, 1))
		w.damageKey(anna)
		w.Exec(`UPDATE orders SET next_poll_at = (SELECT MIN(next_poll_at) FROM orders)`)
		testworld.Must(t, w.Market.Finish(market.FirstOrder+1))
		testworld.Pass(20 * time.Minute)
		if !w.notified(boris, orders.MessageGoods) {
			t.Error("Boris's goods never arrive")
		}
		if log := w.Log.String(); !strings.Contains(log, "damaged orders skipped") || strings.Contains(log, failed) {
			t.Error("polling pauses because of it, or nobody learns of it")
		}
	})
}

// TestOrderIsRecordedWhenTheDatabaseRecovers: an order id that could not be stored is kept,
// stored later, and the person is notified. So is the next one, as soon.
func TestOrderIsRecordedWhenTheDatabaseRecovers(t *testing.T) {
	for name, house := range map[string]bool{"own key": false, "operator's key": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				if house {
					w.annaPaysWithAllowance("20")
				}
				var accept func()
				w.restart(&stub{Client: w.client, add: func(ctx context.Context, key redact.Secret, request hstock.AddRequest) (string, error) {
					id, err := w.client.Add(ctx, key, request)
					accept = w.Refuse(`INSERT ON orders FOR EACH ROW`)
					return id, err
				}}, 0)
				for nth := 1; nth <= 2; nth++ {
					p := w.draft(market.GmailUSA, 1)
					if outcome := w.confirm(p); outcome.Result != orders.InProgress || outcome.Purchase.ID != p.ID {
						t.Errorf("got %v of purchase %d, want InProgress", outcome.Result, outcome.Purchase.ID)
					}
					if stored, err := w.db.Purchase(t.Context(), anna, p.ID); err != nil || stored.State != storage.PurchaseSending {
						t.Errorf("stored as %s, %v", stored.State, err)
					}
					if n := strings.Count(w.Log.String(), "order placed but not recorded yet"); n != nth {
						t.Errorf("the order ids are logged %d times, want %d", n, nth)
					}
					accept()
					accept = w.Refuse(`INSERT ON outbox FOR EACH ROW`)
					testworld.Pass(2 * time.Minute)
					accept()
					testworld.Pass(10 * time.Minute)
					if again := w.confirm(p); again.Result != orders.Placed {
						t.Errorf("later: %v, want Placed", again.Result)
					}
					if outcomes, goods := w.count(orders.MessageOutcome), w.count(orders.MessageGoods); outcomes != nth || goods != nth {
						t.Errorf("got messages %q", w.recorder.Kinds())
					}
					w.wantCalls("add", nth)
					if n := w.countedAs("placed"); n != int64(nth) { // the outcome may have been unknown before
						t.Errorf("%d purchases are counted as placed, want %d", n, nth)
					}
				}
			})
		})
	}
}
