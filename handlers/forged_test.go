package handlers_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"hstockbot/internal/route"
	"hstockbot/internal/sandbox/market"
	"hstockbot/keyboards"
)

// forger makes callback data of one route with the ids of another person.
type forger struct {
	name  string
	forge func(ids []int64) []string
}

// forging fills every 64-bit field of a route's arguments with each of the ids, and
// the other 64-bit fields with values that are likely to exist.
func forging[A any](r route.Route[A]) forger {
	return forger{r.Name(), func(ids []int64) []string {
		var forged []string
		fields := reflect.TypeFor[A]()
		for i := range fields.NumField() {
			if fields.Field(i).Type.Kind() != reflect.Int64 {
				continue
			}
			for _, id := range ids {
				for _, other := range []int64{1, market.FirstOrder} {
					var args A
					value := reflect.ValueOf(&args).Elem()
					for j := range fields.NumField() {
						switch {
						case j == i:
							value.Field(j).SetInt(id)
						case fields.Field(j).Type.Kind() == reflect.Int64:
							value.Field(j).SetInt(other)
						}
					}
					forged = append(forged, r.Data(args))
				}
			}
		}
		slices.Sort(forged)
		return slices.Compact(forged)
	}}
}

// forgers cover all routes of the bot.
var forgers = []forger{
	forging(keyboards.NoOp), forging(keyboards.Menu), forging(keyboards.Key), forging(keyboards.KeyReplace),
	forging(keyboards.KeyRemove), forging(keyboards.KeyRemoveSure), forging(keyboards.Language), forging(keyboards.SetLanguage),
	forging(keyboards.Help), forging(keyboards.Balance), forging(keyboards.Catalog), forging(keyboards.Category),
	forging(keyboards.Shelf), forging(keyboards.Product), forging(keyboards.ProductRefresh), forging(keyboards.OtherAmount),
	forging(keyboards.Quantity), forging(keyboards.SkipEmail), forging(keyboards.Confirm), forging(keyboards.Discard),
	forging(keyboards.NewCard), forging(keyboards.OrderAgain), forging(keyboards.Orders), forging(keyboards.Order),
	forging(keyboards.OrderRefresh), forging(keyboards.CardRefresh), forging(keyboards.OrderAccounts), forging(keyboards.OrderProblem),
	forging(keyboards.OrderCancel), forging(keyboards.OrderCancelSure),
	forging(keyboards.Search), forging(keyboards.Found),
	forging(keyboards.Recommended), forging(keyboards.Sellers), forging(keyboards.SellerGoods), forging(keyboards.Saved), forging(keyboards.SavedRemove), forging(keyboards.Save), forging(keyboards.Unsave), forging(keyboards.WatchRestock), forging(keyboards.WatchRestockOff), forging(keyboards.WatchPrice), forging(keyboards.WatchPriceOff),
	forging(keyboards.Spending), forging(keyboards.Linked), forging(keyboards.LinkedService), forging(keyboards.LinkedAmount), forging(keyboards.LinkedQuantity),
	forging(keyboards.SMSCountries), forging(keyboards.SMSFindCountry), forging(keyboards.SMSProjects), forging(keyboards.SMSFindProject),
	forging(keyboards.SMSProject), forging(keyboards.SMSQuantity),
	forging(keyboards.PhoneShow), forging(keyboards.PhoneCheck), forging(keyboards.PhoneAgain), forging(keyboards.PhoneAnother),
	forging(keyboards.PhoneCode),
	forging(keyboards.UnresolvedBalance), forging(keyboards.UnresolvedAdopt), forging(keyboards.UnresolvedAdoptSure), forging(keyboards.UnresolvedDismiss),
	forging(keyboards.OrderRemind), forging(keyboards.CancelAll), forging(keyboards.CancelAllSure),
	forging(keyboards.ExternalFind), forging(keyboards.ExternalImport),
	forging(keyboards.Admin), forging(keyboards.AdminLog),
	forging(keyboards.Maintenance), forging(keyboards.MaintenanceSwitch), forging(keyboards.MaintenanceText), forging(keyboards.MaintenanceDefaultText),
	forging(keyboards.PersonFind), forging(keyboards.Person), forging(keyboards.PersonBlock), forging(keyboards.PersonBlockSure), forging(keyboards.PersonUnblock),
	forging(keyboards.AdminOrders), forging(keyboards.AdminOrdersPerson), forging(keyboards.AdminOrdersCategories), forging(keyboards.AdminOrdersDays),
	forging(keyboards.AdminOrdersTotals), forging(keyboards.AdminOrdersPicture), forging(keyboards.AdminOrdersExport),
	forging(keyboards.AdminOrder), forging(keyboards.AdminUnresolvedList), forging(keyboards.AdminUnresolved), forging(keyboards.BalanceThreshold), forging(keyboards.BalanceThresholdRemove),
	forging(keyboards.Broadcasts), forging(keyboards.BroadcastWrite), forging(keyboards.BroadcastText), forging(keyboards.BroadcastRemove),
	forging(keyboards.BroadcastPreview), forging(keyboards.BroadcastSend), forging(keyboards.BroadcastDiscard),
	forging(keyboards.BroadcastShow), forging(keyboards.BroadcastStop),
	forging(keyboards.OrdersExport), forging(keyboards.MyData), forging(keyboards.Forget), forging(keyboards.ForgetAsk), forging(keyboards.ForgetSure),
}

// TestEveryRouteIsForged fails if forgers is incomplete.
func TestEveryRouteIsForged(t *testing.T) {
	registered := 0
	for _, file := range []string{"handlers.go", "admin.go"} {
		source, err := os.ReadFile(file)
		must(t, err)
		registered += len(regexp.MustCompile(`(?m)^\t((bot|admin)(\.|)(Screen|Action)\((s, )?b), keyboards\.`).FindAll(source, -1))
	}
	if registered != len(forgers) {
		t.Errorf("%d routes are registered, %d are forged", registered, len(forgers))
	}
}

// TestForgedCallbacks: on every route, a forged button with an id of Anna's neither
// shows nor changes anything of hers.
func TestForgedCallbacks(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.populate()
		w.card("2", "1") // an open draft
		w.types("/sms")
		w.types("an")         // a search
		pass(6 * time.Minute) // the unknown outcome has its verdict

		w.cfg.TelegramRate = 0 // Mallory gets a thousand answers
		w.restart()
		mallory := w.mallory("/key " + poorKey)
		before, calls := w.snapshot(), w.purchaseCalls()
		for _, f := range forgers {
			for _, data := range f.forge(w.annaIDs()) {
				mallory.TapData(1, data)
				pass(100 * time.Millisecond) // so that all are sent before the phones expire
			}
		}
		if after := w.snapshot(); after != before {
			w.T.Errorf("Anna's data has changed:\n%s\nwas\n%s", after, before)
		}
		if after := w.purchaseCalls(); after != calls {
			w.T.Errorf("forged buttons sent %d requests that buy or cancel", after-calls)
		}
		seen := mallory.History()
		secrets := []string{"Telegram ·", "#2350", "“an”"}
		for _, phone := range w.Market.Numbers() {
			secrets = append(secrets, phone.Phone, phone.Content)
		}
		for _, order := range w.Market.Orders() {
			secrets = append(secrets, order.Accounts...)
		}
		for _, secret := range secrets {
			if secret != "" && strings.Contains(seen, secret) {
				w.T.Errorf("Mallory sees %q:\n%s", secret, seen)
			}
		}
	})
}

// TestForgedButtons: data of another person's buttons, and invalid data, do nothing.
func TestForgedButtons(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		confirm := buttonData(w.chat.Last(), w.l.Label("confirm_button_confirm"))
		mallory := w.mallory("/key " + poorKey)
		for _, data := range []string{
			confirm, strings.Replace(confirm, "ok:", "no:", 1), strings.Replace(confirm, "ok:", "ag:", 1),
			strings.Replace(confirm, "ok:", "oa:", 1), strings.Replace(confirm, "ok:", "ub:", 1) + ".0", strings.Replace(confirm, "ok:", "ud:", 1),
			"ok", "ok:", "ok:zzzzzzzzzzzzzzzzzzz", "ok:1.2", "zz:1", "p:-1.x", "💥", "l:9.0.0", "s:AAAAAAAA.BBBBBBBB.0", "gs:AAAAAAAA",
			"cc:AAAAAAAA.zz", "p:7fffffff.0...0.0", strings.Repeat("x", 64),
		} {
			w.forge(mallory, 1, data)
		}
		w.wantAdds(0)
		if text := mallory.Transcript(); strings.Contains(text, "USA") {
			w.T.Errorf("Mallory sees Anna's purchase:\n%s", text)
		}
		w.tap("confirm_button_confirm") // Anna's card still works
		w.wantAdds(1)
		pass(10 * time.Second)

		order, err := w.app.DB.OrderByExternalID(w.T.Context(), anna.ID, market.FirstOrder)
		must(w.T, err)
		for _, data := range []string{
			keyboards.Order.Data(keyboards.OrderViewArgs{Order: order.ID}),
			keyboards.OrderRefresh.Data(keyboards.OrderViewArgs{Order: order.ID}),
			keyboards.CardRefresh.Data(keyboards.OrderRef{Order: order.ID}),
			keyboards.OrderAccounts.Data(keyboards.OrderRef{Order: order.ID}),
			keyboards.OrderProblem.Data(keyboards.OrderRef{Order: order.ID}),
			keyboards.OrderAgain.Data(keyboards.PurchaseArgs{Purchase: order.PurchaseID}),
			keyboards.UnresolvedAdoptSure.Data(keyboards.AdoptArgs{Purchase: order.PurchaseID, ExternalID: order.ExternalID}),
		} {
			w.forge(mallory, 1, data)
		}
		mallory.Type("23501")
		pass(time.Second)
		if text := mallory.Transcript(); strings.Contains(text, "23501 ") || strings.Contains(text, "Gmail") {
			w.T.Errorf("Mallory sees Anna's order:\n%s", text)
		}
	})
}

func TestForgedSellers(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		mallory := w.mallory("/start")
		for data, want := range map[string]string{
			keyboards.SellerGoods.Data(keyboards.SellerArgs{Seller: "AAAAAAAA"}): w.l.T("seller_gone"),
			keyboards.SellerGoods.Data(keyboards.SellerArgs{}):                   w.l.T("menu_text"),
			keyboards.Recommended.Data(keyboards.PageArgs{Page: 65535}):          "Recommended",
			keyboards.Product.Data(keyboards.ProductArgs{Service: market.GmailUSA, ProductList: keyboards.ProductList{From: 99, Hash: "AAAAAAAA", Search: -5}}): "Gmail Account - USA",
			"q:2.1.3..-5.0": "Delivery", // an impossible seller; without a key, the bot asks for the key
		} {
			w.forge(mallory, mallory.Last().ID, data)
			if text := mallory.Last().Text; !strings.Contains(text, strings.Split(want, "\n")[0]) && !strings.Contains(text, w.l.T("key_needed")) {
				w.T.Errorf("%s shows %q", data, text)
			}
		}
	})
}

// TestOrderOfAnotherPersonIsNotFound: the answer is the same as for an order that
// does not exist.
func TestOrderOfAnotherPersonIsNotFound(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.buyGmail("1")
		for _, text := range []string{"/start o_23501", "/start o_99999"} {
			if answer := w.mallory(text).Last().Text; answer != w.l.T("error_not_found") {
				w.T.Errorf("%q: got %q", text, answer)
			}
		}
	})
}

// annaIDs are the ids of the rows that belong to Anna.
func (w *world) annaIDs() []int64 {
	w.T.Helper()
	var ids []int64
	w.readDB(func(db *sqlx.DB) {
		for _, table := range []string{"purchases", "orders", "searches", "watches"} {
			var found []int64
			must(w.T, db.Select(&found, `SELECT id FROM `+table+` WHERE user_id = ?`, anna.ID))
			ids = append(ids, found...)
		}
	})
	if len(ids) < 6 {
		w.T.Fatalf("only %d rows belong to Anna", len(ids))
	}
	return ids
}

// snapshot is the state of everything that belongs to Anna.
func (w *world) snapshot() string {
	w.T.Helper()
	var lines []string
	w.readDB(func(db *sqlx.DB) {
		for _, query := range []string{
			`SELECT 'purchase ' || id || ' ' || state || ' ' || verdict FROM purchases WHERE user_id = ? ORDER BY id`,
			`SELECT 'order ' || id || ' ' || state || ' ' || cancel_sent_at || ' ' || delivered FROM orders WHERE user_id = ? ORDER BY id`,
			`SELECT 'key ' || id || ' ' || state || ' ' || invalid FROM api_keys WHERE user_id = ? ORDER BY id`,
			`SELECT 'search ' || id FROM searches WHERE user_id = ? ORDER BY id`,
			`SELECT 'saved ' || service FROM saved_items WHERE user_id = ? ORDER BY service`,
			`SELECT 'watch ' || service || ' ' || kind || ' ' || armed FROM watches WHERE user_id = ? ORDER BY id`,
			`SELECT 'reminder ' || order_id || ' ' || at FROM reminders WHERE user_id = ? ORDER BY order_id`,
			`SELECT 'dialog ' || step FROM dialogs WHERE user_id = ?`,
			`SELECT 'language ' || lang FROM users WHERE id = ?`,
		} {
			var found []string
			must(w.T, db.Select(&found, query, anna.ID))
			lines = append(lines, found...)
		}
	})
	return strings.Join(lines, "\n")
}

// purchaseCalls counts the requests that buy or cancel.
func (w *world) purchaseCalls() int {
	return w.Market.Count("add") + w.Market.Count("add_sms") + w.Market.Count("cancel")
}
