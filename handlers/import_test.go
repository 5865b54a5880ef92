package handlers_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/keyboards"
	"hstockbot/storage"
)

// place stores orders of Anna's key as if she had bought them through the bot.
func (w *world) place(placements []storage.Placement) {
	w.T.Helper()
	ctx := w.T.Context()
	key, err := w.app.DB.ActiveKey(ctx, anna.ID)
	must(w.T, err)
	now := time.Now()
	p, err := w.app.DB.InsertDraft(ctx, storage.Purchase{
		UserID: anna.ID, KeyID: key.ID, KeyFingerprint: key.Fingerprint, Kind: storage.KindProduct, Service: market.GmailUSA, Name: "Gmail, \"USA\"", Quantity: 1,
		RatePer: 1, Currency: "USD", CreatedAt: now, ExpiresAt: now.Add(time.Minute),
	}, 0)
	must(w.T, err)
	claimed, err := w.app.DB.ClaimPurchase(ctx, anna.ID, p.ID, "test", now, now.Add(time.Minute))
	must(w.T, err)
	sending, err := w.app.DB.StartSending(ctx, p.ID, "test", storage.Terms{Currency: "USD"}, now, now.Add(time.Minute))
	must(w.T, err)
	_, placed, err := w.app.DB.PlacePurchase(ctx, p, placements, now, now.Add(time.Hour), func(storage.Order) []storage.Message { return nil })
	must(w.T, err)
	if !claimed || !sending || !placed {
		w.T.Fatal("the orders were not placed")
	}
}

// placements are n orders with the marketplace's ids from 700,000 on.
func placements(n int) []storage.Placement {
	made := make([]storage.Placement, n)
	for i := range made {
		made[i].ExternalID = idOf(int64(700_000 + i))
	}
	return made
}

// idOf is the external id of an order that the marketplace numbers.
func idOf(number int64) string { return strconv.FormatInt(number, 10) }

func TestImport(t *testing.T) {
	inEnglish(t, "import", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		client := w.Client()
		_, err := client.Add(w.T.Context(), testworld.AnnaKey, hstock.AddRequest{Service: market.GmailUSA, Quantity: 3})
		must(w.T, err)
		_, err = client.Add(w.T.Context(), testworld.AnnaKey, hstock.AddRequest{Service: 1, Quantity: 1000, Link: "https://instagram.com/anna"})
		must(w.T, err)
		_, err = client.AddSMS(w.T.Context(), testworld.AnnaKey, hstock.AddSMSRequest{ProjectID: market.ProjectTelegram, Country: market.CountryUS})
		must(w.T, err)
		must(w.T, w.Market.Deliver(market.FirstOrder, 1))
		w.types("/orders 999999")
		w.types("/orders 23501")
		w.tap("external_button_no")
		w.types("#23501")
		w.tap("external_button_yes")
		pass(5 * time.Second)
		must(w.T, w.Market.Finish(market.FirstOrder))
		pass(time.Minute)
		w.types("23502")
		w.tap("external_button_yes")
		w.types("23503")
		w.tap("external_button_yes")
		pass(5 * time.Second)
		must(w.T, w.Market.SendCode(market.FirstOrder+2, "424242"))
		pass(10 * time.Second)
		w.types("23503") // it is imported already
		w.types("/orders")
		w.types("/balance") // the imported orders do not count as spent through the bot
	})
}

// TestOrderOfAnotherPersonIsNotImported: the answer is the same as for an order that
// does not exist, and a forged button imports nothing.
func TestOrderOfAnotherPersonIsNotImported(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.buyGmail("1")
		for _, text := range []string{"/orders 23501", "/orders 99999"} {
			if answer := w.mallory(text).Last().Text; !strings.HasPrefix(answer, "🔑") {
				w.T.Errorf("%q without a key: %q", text, answer)
			}
		}
		mallory := w.mallory("/key " + poorKey)
		for _, text := range []string{"/orders 23501", "/orders 99999", "#23501", "#99999"} {
			if answer := w.mallory(text).Last().Text; answer != w.l.T("external_none") {
				w.T.Errorf("%q: %q", text, answer)
			}
		}
		for _, externalID := range []keyboards.TypedID{23501, 99999, -1, 0} {
			w.forge(mallory, 1, keyboards.ExternalImport.Data(keyboards.ExternalArgs{ExternalID: externalID}))
			if answer := mallory.Last().Text; answer != w.l.T("external_none") {
				w.T.Errorf("import of %d: %q", externalID, answer)
			}
		}
		if n, err := w.app.DB.CountOrders(w.T.Context(), malloryID, storage.FilterAll); err != nil || n != 0 {
			w.T.Errorf("Mallory has %d orders, %v", n, err)
		}
	})
}

// TestTwoTapsImportOnce: two taps import one order, which can't be ordered again: the
// bot does not have its link or e-mail.
func TestTwoTapsImportOnce(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		_, err := w.Client().Add(w.T.Context(), testworld.AnnaKey, hstock.AddRequest{Service: market.GmailUSA, Quantity: 2})
		must(w.T, err)
		w.types("23501")
		must(w.T, w.chat.TapOn(w.chat.Last().ID, w.l.Label("external_button_yes")))
		must(w.T, w.chat.RepeatTap())
		pass(10 * time.Second)
		order, err := w.app.DB.OrderByExternalID(w.T.Context(), anna.ID, idOf(market.FirstOrder))
		must(w.T, err)
		if n, err := w.app.DB.CountOrders(w.T.Context(), anna.ID, storage.FilterAll); err != nil || n != 1 {
			w.T.Errorf("%d orders, %v", n, err)
		}
		if n := count(w.chat, w.Market.Orders()[0].Accounts[0]); n != 1 {
			w.T.Errorf("the goods arrived %d times", n)
		}
		if strings.Contains(w.chat.Transcript(), w.l.Label("order_button_again")) {
			w.T.Errorf("Order again is offered:\n%s", w.chat.Transcript())
		}
		for _, data := range []string{
			keyboards.OrderAgain.Data(keyboards.PurchaseArgs{Purchase: order.PurchaseID}), keyboards.NewCard.Data(keyboards.PurchaseArgs{Purchase: order.PurchaseID}),
			keyboards.PhoneAgain.Data(keyboards.OrderRef{Order: order.ID}), keyboards.PhoneAnother.Data(keyboards.OrderRef{Order: order.ID}),
			keyboards.Confirm.Data(keyboards.PurchaseArgs{Purchase: order.PurchaseID}),
		} {
			w.chat.TapData(1, data)
			pass(5 * time.Second)
		}
		w.wantAdds(1) // the external one
	})
}
