package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
)

// TestDamagedOrderHidesNoOthers: an order whose link can't be opened is still listed,
// exported, part of My data and cancelled, and so are the orders beside it.
func TestDamagedOrderHidesNoOthers(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buyWithEmail("anna@example.com")
		w.buyWithEmail("anna@example.org")
		w.Exec(`UPDATE orders SET link_sealed = ? WHERE external_id = ?`, "damaged", idOf(market.FirstOrder))
		order, err := w.app.DB.OrderByExternalID(w.T.Context(), anna.ID, idOf(market.FirstOrder))
		if err != nil || order.Damaged == nil {
			w.T.Fatalf("the order is not damaged: %+v, %v", order, err)
		}

		w.list("orders_button_open")
		for _, id := range []string{"#23501", "#23502"} {
			if !strings.Contains(w.chat.Transcript(), id) {
				w.T.Errorf("the list does not contain %s:\n%s", id, w.chat.Transcript())
			}
		}
		w.tapLike("#23501")
		w.says("*Order #23501*")

		w.list("orders_button_export")
		if rows := w.exportedTable(); len(rows) != 3 || rows[1][0] != "23502" || rows[2][0] != "23501" {
			w.T.Errorf("the table is %q", rows)
		}

		w.types("/help")
		w.tap("mydata_button")
		if file := w.file(); !strings.Contains(file, "23501") || !strings.Contains(file, "23502") || !strings.Contains(file, "anna@example.org") {
			w.T.Errorf("the file is %s", file)
		}

		w.list("orders_button_open")
		w.tap("orders_button_cancel_all")
		w.says("Cancel 2 open orders?")
		w.tap("cancel_all_button_sure")
		pass(time.Minute)
		w.says("Cancelled 2 of 2")
		w.wantCancels(1)
	})
}
