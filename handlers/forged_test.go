package handlers_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/route"
	"hstockbot/internal/sandbox/market"
	"hstockbot/keyboards"
)

// forger makes callback data of one route with the ids of another person.
type forger struct {
	name  string
	plain string // the data without any id
	forge func(ids []int64) []string
	// extremes makes callback data with this id and impossible values beside it.
	extremes func(id int64) []string
}

// forging fills every 64-bit field of a route's arguments with each of the ids, and
// the other 64-bit fields with values that are likely to exist.
func forging[A any](r route.Route[A]) forger {
	return forger{r.Name(), r.Data(*new(A)), func(ids []int64) []string {
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
	}, func(id int64) []string {
		var lowest, highest A
		fillFields(reflect.ValueOf(&lowest).Elem(), id, false)
		fillFields(reflect.ValueOf(&highest).Elem(), id, true)
		return slices.Compact([]string{r.Data(lowest), r.Data(highest)})
	}}
}

// fillFields sets 64-bit fields to id, or all fields to their lowest or highest values if id
// is 0.
func fillFields(args reflect.Value, id int64, highest bool) {
	for i := range args.NumField() {
		field := args.Field(i)
		switch {
		case field.Kind() == reflect.Struct:
			fillFields(field, id, highest)
		case field.Kind() == reflect.String:
			field.SetString(string(keyboards.CategoryPathHash("Email Accounts", "Gmail")))
		case field.Kind() == reflect.Bool:
			field.SetBool(highest)
		case field.Kind() == reflect.Int64 && id != 0:
			field.SetInt(id)
		case field.CanInt() && highest:
			field.SetInt(1<<(field.Type().Bits()-1) - 1)
		case field.CanInt():
			field.SetInt(-1 << (field.Type().Bits() - 1))
		case highest:
			field.SetUint(1<<field.Type().Bits() - 1)
		}
	}
}

// forgers cover all routes of the bot.
var forgers = []forger{
	forging(keyboards.NoOp), forging(keyboards.Menu), forging(keyboards.Key), forging(keyboards.KeyReplace),
	forging(keyboards.KeyRemove), forging(keyboards.KeyRemoveSure), forging(keyboards.KeyEmail), forging(keyboards.Language), forging(keyboards.SetLanguage),
	forging(keyboards.Help), forging(keyboards.Balance), forging(keyboards.Catalog), forging(keyboards.Category),
	forging(keyboards.Shelf), forging(keyboards.SortedShelf), forging(keyboards.Product), forging(keyboards.ProductRefresh), forging(keyboards.OtherAmount),
	forging(keyboards.Quantity), forging(keyboards.SkipEmail), forging(keyboards.LastEmail), forging(keyboards.Confirm), forging(keyboards.Discard), forging(keyboards.TopUpWait), forging(keyboards.TopUpStop), forging(keyboards.BalanceWarn), forging(keyboards.BalanceWarnOff),
	forging(keyboards.NewCard), forging(keyboards.OrderAgain), forging(keyboards.OpenPurchase), forging(keyboards.Orders), forging(keyboards.Order),
	forging(keyboards.OrderRefresh), forging(keyboards.CardRefresh), forging(keyboards.OrderAccounts), forging(keyboards.AccountCode), forging(keyboards.AccountCodeRefresh), forging(keyboards.OrderProblem), forging(keyboards.FeedbackWorks), forging(keyboards.FeedbackOff), forging(keyboards.ClaimProblem), forging(keyboards.ClaimAccounts), forging(keyboards.Claim),
	forging(keyboards.OrderCancel), forging(keyboards.OrderCancelSure),
	forging(keyboards.Search), forging(keyboards.Found),
	forging(keyboards.Recommended), forging(keyboards.News), forging(keyboards.Sellers), forging(keyboards.SellerGoods), forging(keyboards.Saved), forging(keyboards.SavedRemove), forging(keyboards.Save), forging(keyboards.Unsave), forging(keyboards.WatchRestock), forging(keyboards.WatchRestockOff), forging(keyboards.WatchPrice), forging(keyboards.WatchPriceOff), forging(keyboards.Watches),
	forging(keyboards.Spending), forging(keyboards.Linked), forging(keyboards.LinkedService), forging(keyboards.LinkedAmount), forging(keyboards.LinkedQuantity),
	forging(keyboards.SMSApps), forging(keyboards.SMSFindApp), forging(keyboards.SMSApp), forging(keyboards.SMSOffer), forging(keyboards.SMSOfferQuantity), forging(keyboards.SMSSave), forging(keyboards.SMSUnsave),
	forging(keyboards.SMSCountries), forging(keyboards.SMSFindCountry), forging(keyboards.SMSProjects), forging(keyboards.SMSFindProject),
	forging(keyboards.SMSProject), forging(keyboards.SMSQuantity),
	forging(keyboards.PhoneShow), forging(keyboards.PhoneCheck), forging(keyboards.PhoneAgain), forging(keyboards.PhoneAnother),
	forging(keyboards.PhoneCode), forging(keyboards.PhoneSwap), forging(keyboards.SwapSure), forging(keyboards.SwapOff),
	forging(keyboards.Basket), forging(keyboards.BasketAdd), forging(keyboards.BasketProduct), forging(keyboards.BasketQuantity), forging(keyboards.BasketConfirm), forging(keyboards.BasketStop), forging(keyboards.BasketChange), forging(keyboards.BasketEmpty), forging(keyboards.BasketRemove), forging(keyboards.BasketSave), forging(keyboards.BasketSet), forging(keyboards.BasketSetRemove),
	forging(keyboards.UnresolvedBalance), forging(keyboards.UnresolvedAdopt), forging(keyboards.UnresolvedAdoptSure), forging(keyboards.UnresolvedDismiss),
	forging(keyboards.OrderRemind), forging(keyboards.CancelAll), forging(keyboards.CancelAllSure),
	forging(keyboards.ExternalFind), forging(keyboards.ExternalImport),
	forging(keyboards.Admin), forging(keyboards.AdminLog), forging(keyboards.KeyPays),
	forging(keyboards.Room), forging(keyboards.RoomChoose), forging(keyboards.RoomTest), forging(keyboards.RoomHour), forging(keyboards.RoomHourSet), forging(keyboards.RoomUnbind), forging(keyboards.RoomUnbindSure),
	forging(keyboards.Allowance), forging(keyboards.AllowanceAmount), forging(keyboards.AllowanceMarkup), forging(keyboards.AllowanceTerms), forging(keyboards.AllowanceGive),
	forging(keyboards.AllowanceRemove), forging(keyboards.AllowanceRemoveSure), forging(keyboards.AllowanceChoose), forging(keyboards.AllowanceLinks), forging(keyboards.AllowanceRevoke),
	forging(keyboards.Ledger), forging(keyboards.LedgerDays), forging(keyboards.LedgerPerson), forging(keyboards.LedgerExport),
	forging(keyboards.HouseAdopt), forging(keyboards.HouseAdoptSure), forging(keyboards.HouseDismiss), forging(keyboards.HouseDismissSure),
	forging(keyboards.Restored), forging(keyboards.Maintenance), forging(keyboards.MaintenanceSwitch), forging(keyboards.MaintenanceText), forging(keyboards.MaintenanceDefaultText),
	forging(keyboards.PersonFind), forging(keyboards.Person), forging(keyboards.PersonWrite), forging(keyboards.LetterSend), forging(keyboards.PersonBlock), forging(keyboards.PersonBlockSure), forging(keyboards.PersonUnblock),
	forging(keyboards.AdminOrders), forging(keyboards.AdminOrdersPerson), forging(keyboards.AdminOrdersCategories), forging(keyboards.AdminOrdersDays),
	forging(keyboards.AdminOrdersTotals), forging(keyboards.AdminOrdersPicture), forging(keyboards.AdminOrdersExport),
	forging(keyboards.AdminOrder), forging(keyboards.AdminUnresolvedList), forging(keyboards.AdminUnresolved), forging(keyboards.BalanceThreshold), forging(keyboards.BalanceThresholdRemove),
	forging(keyboards.Channel), forging(keyboards.ChannelChoose), forging(keyboards.ChannelUnbind), forging(keyboards.ChannelUnbindSure), forging(keyboards.ChannelRestocks), forging(keyboards.ChannelDrops), forging(keyboards.ChannelDrop), forging(keyboards.ChannelCategories), forging(keyboards.ChannelCategory), forging(keyboards.ChannelAllCategories),
	forging(keyboards.Broadcasts), forging(keyboards.BroadcastWrite), forging(keyboards.BroadcastText), forging(keyboards.BroadcastRemove),
	forging(keyboards.BroadcastPreview), forging(keyboards.BroadcastSend), forging(keyboards.BroadcastDiscard),
	forging(keyboards.BroadcastShow), forging(keyboards.BroadcastStop),
	forging(keyboards.Greetings), forging(keyboards.GreetingShow), forging(keyboards.GreetingText), forging(keyboards.GreetingLinks), forging(keyboards.GreetingPreview), forging(keyboards.GreetingTextRemove), forging(keyboards.GreetingLinksRemove),
	forging(keyboards.OrdersExport), forging(keyboards.MyData), forging(keyboards.Forget), forging(keyboards.ForgetAsk), forging(keyboards.ForgetSure),
}

// TestEveryRouteIsForged fails if forgers is incomplete.
func TestEveryRouteIsForged(t *testing.T) {
	registered := 0
	for _, file := range []string{"handlers.go", "admin.go"} {
		source, err := os.ReadFile(file)
		must(t, err)
		registered += len(regexp.MustCompile(`(?m)^\t((bot|admin|staff)(\.|)((Message)?Screen|Action)\((s, )?b), keyboards\.`).FindAll(source, -1))
	}
	if registered != len(forgers) {
		t.Errorf("%d routes are registered, %d are forged", registered, len(forgers))
	}
}

// TestForgedCallbacks: on every route, a forged button with an id of Anna's neither
// shows nor changes anything of hers. Impossible values are no fault of the program, also
// where she and an admin may do what the button is for.
func TestForgedCallbacks(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.populate()
		w.types(threeLines)
		w.tap("basket_button_save")
		w.types("Boost")
		w.card("2", "1") // an open draft
		w.types("/sms")
		w.types("an")         // a search
		pass(6 * time.Minute) // the unknown outcome has its verdict

		w.cfg.AdminIDs = append(w.cfg.AdminIDs, anna.ID)
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
		secrets := []string{"Telegram ·", " #2350", "“an”", "anna@example.com", "instagram.com/anna", "instagram.com/one", "Boost"}
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
		ids := w.annaIDs()
		for _, f := range forgers {
			for _, id := range []int64{0, ids[0], ids[len(ids)-1]} {
				for _, data := range f.extremes(id) {
					w.chat.TapData(1, data)
					pass(100 * time.Millisecond)
				}
			}
		}
		if strings.Contains(w.Log.String(), "handler panicked") {
			w.T.Error("a handler panicked")
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

		order, err := w.app.DB.OrderByExternalID(w.T.Context(), anna.ID, idOf(market.FirstOrder))
		must(w.T, err)
		for _, data := range []string{
			keyboards.Order.Data(keyboards.OrderViewArgs{Order: order.ID}),
			keyboards.OrderRefresh.Data(keyboards.OrderViewArgs{Order: order.ID}),
			keyboards.CardRefresh.Data(keyboards.OrderRef{Order: order.ID}),
			keyboards.OrderAccounts.Data(keyboards.OrderRef{Order: order.ID}),
			keyboards.OrderProblem.Data(keyboards.OrderRef{Order: order.ID}),
			keyboards.FeedbackWorks.Data(keyboards.FeedbackArgs{Order: order.ID}),
			keyboards.ClaimProblem.Data(keyboards.OrderRef{Order: order.ID}),
			keyboards.ClaimAccounts.Data(keyboards.ClaimArgs{Order: order.ID}),
			keyboards.Claim.Data(keyboards.ClaimArgs{Order: order.ID, Chosen: 1}),
			keyboards.Claim.Data(keyboards.ClaimArgs{Order: order.ID, Problem: 4}),
			keyboards.OrderAgain.Data(keyboards.PurchaseArgs{Purchase: order.PurchaseID}),
			keyboards.UnresolvedAdoptSure.Data(keyboards.AdoptArgs{Purchase: order.PurchaseID, ExternalID: keyboards.TypedID(market.FirstOrder)}),
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
	for _, table := range []string{"purchases", "orders", "searches", "watches", "baskets", "basket_lines", "basket_sets"} {
		var found []int64
		w.Select(&found, `SELECT id FROM `+table+` WHERE user_id = ?`, anna.ID)
		ids = append(ids, found...)
	}
	if len(ids) < 6 {
		w.T.Fatalf("only %d rows belong to Anna", len(ids))
	}
	return ids
}

// snapshot is the state of everything that belongs to Anna.
func (w *world) snapshot() string {
	w.T.Helper()
	var lines []string
	for _, query := range []string{
		`SELECT 'purchase ' || id || ' ' || state || ' ' || verdict FROM purchases WHERE user_id = ? ORDER BY id`,
		`SELECT 'order ' || id || ' ' || state || ' ' || cancel_sent_at || ' ' || delivered || ' ' || feedback || feedback_at FROM orders WHERE user_id = ? ORDER BY id`,
		`SELECT 'key ' || id || ' ' || state || ' ' || invalid FROM api_keys WHERE user_id = ? ORDER BY id`,
		`SELECT 'search ' || id FROM searches WHERE user_id = ? ORDER BY id`,
		`SELECT 'saved ' || service FROM saved_items WHERE user_id = ? ORDER BY service`,
		`SELECT 'saved ' || project || country FROM saved_numbers WHERE user_id = ? ORDER BY project, country`,
		`SELECT 'watch ' || service || ' ' || kind || ' ' || armed FROM watches WHERE user_id = ? ORDER BY id`,
		`SELECT 'reminder ' || order_id || ' ' || at FROM reminders WHERE user_id = ? ORDER BY order_id`,
		`SELECT 'swap ' || purchase_id || ' ' || state FROM swaps WHERE user_id = ? ORDER BY purchase_id`,
		`SELECT 'basket ' || id || ' ' || state || ' ' || revision FROM baskets WHERE user_id = ? ORDER BY id`,
		`SELECT 'line ' || id || ' ' || purchase_id FROM basket_lines WHERE user_id = ? ORDER BY id`,
		`SELECT 'set ' || id FROM basket_sets WHERE user_id = ? ORDER BY id`,
		`SELECT 'dialog ' || step FROM dialogs WHERE user_id = ?`,
		`SELECT 'language ' || lang || skips_feedback FROM users WHERE id = ?`,
	} {
		var found []string
		w.Select(&found, query, anna.ID)
		lines = append(lines, found...)
	}
	return strings.Join(lines, "\n")
}

// purchaseCalls counts the requests that buy or cancel.
func (w *world) purchaseCalls() int {
	return w.Market.Count("add") + w.Market.Count("add_sms") + w.Market.Count("cancel")
}
