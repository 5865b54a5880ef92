package handlers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/keyboards"
	"hstockbot/storage"
)

// textID is the id of the marketplace's first order, and of the others with the last
// digits of their numbers.
const textID = "5b0c1f0e-77aa-4c1b-9d2e-1f0a2b3c4d5e"

func textIDOf(number int64) string {
	if number == market.FirstOrder {
		return textID
	}
	return fmt.Sprintf("%s-%d", textID[:len(textID)-6], number)
}

// TestOrderIDsOfText: an order whose id is no number is delivered, found, cancelled,
// adopted, imported and exported.
func TestOrderIDsOfText(t *testing.T) {
	inEnglish(t, "text_ids", func(w *world) {
		w.Market.SetOrderIDs(textIDOf)
		w.withKey(annaKey)
		w.buyGmail("1")
		w.types(textID)
		w.types("/orders " + textID)
		w.types("/start o_" + textID)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buyGmail("2")
		w.types("#" + textIDOf(market.FirstOrder+1))
		w.tap("cancel_button_refund")
		w.tap("cancel_button_sure")
		must(w.T, w.Market.Hold(market.GmailUSA, false))
		pass(10 * time.Second)
		w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
		w.buy("2", "1")
		pass(6 * time.Minute)
		w.tap("unresolved_button_id")
		w.types("no id")
		w.types(textIDOf(market.FirstOrder + 2))
		w.tap("unresolved_button_yes")
		pass(10 * time.Second)
		_, err := w.Client().Add(w.T.Context(), testworld.AnnaKey, hstock.AddRequest{Service: market.GmailUSA, Quantity: 1})
		must(w.T, err)
		w.types("#" + textIDOf(market.FirstOrder+3))
		w.tap("external_button_yes")
		pass(10 * time.Second)
		w.types("/orders")
		w.tap("orders_button_export")
		w.types("/help")
		w.tap("mydata_button")
		w.wantAdds(4)
		for _, call := range w.Market.Calls() {
			if order := call.Fields.Get("order"); order != "" && !strings.HasPrefix(order, textID[:len(textID)-6]) {
				w.T.Errorf("%s was sent the order %q", call.Action, order)
			}
		}
	})
}

// TestKeyIsNotSentAsOrderID: a text that may be an API key is looked up here, and never
// sent to the marketplace as an order id.
func TestKeyIsNotSentAsOrderID(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.types("5b0c1f0e77aa4c1b9d2e1f0a2b3c4d5e")
		w.types("12345678901234567890123456")
		w.types("office365")
		if n := w.Market.Count("status"); n != 0 {
			w.T.Errorf("%d calls of status", n)
		}
	})
}

// TestButtonsWithNumbers: a button from before ids were texts, which carries a number,
// still imports and adopts. One whose search is deleted does nothing.
func TestButtonsWithNumbers(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
		w.tap("confirm_button_confirm")
		pass(6 * time.Minute)
		_, err := w.Client().Add(w.T.Context(), testworld.AnnaKey, hstock.AddRequest{Service: market.GmailUSA, Quantity: 1})
		must(w.T, err)
		unresolved, err := w.app.DB.UnresolvedPurchases(w.T.Context(), anna.ID, true)
		must(w.T, err)
		for _, typed := range []keyboards.TypedID{-4711, keyboards.TypedID(market.FirstOrder)} {
			w.forge(w.chat, 1, keyboards.UnresolvedAdoptSure.Data(keyboards.AdoptArgs{Purchase: unresolved[0].ID, ExternalID: typed}))
		}
		for _, typed := range []keyboards.TypedID{-4711, keyboards.TypedID(market.FirstOrder + 1)} {
			w.forge(w.chat, 1, keyboards.ExternalImport.Data(keyboards.ExternalArgs{ExternalID: typed}))
		}
		found, err := w.app.DB.Orders(w.T.Context(), anna.ID, storage.FilterAll, 9, 0)
		must(w.T, err)
		if len(found) != 2 {
			w.T.Errorf("%d orders: %+v\n%s", len(found), found, w.chat.Transcript())
		}
	})
}
