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
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/keyboards"
)

// forger makes callback data of one route that names somebody else's things.
type forger struct {
	name  string
	forge func(ids []int64) []string
}

// forging fills every 64-bit field of a route's arguments with each of the ids,
// the others being what a button has most often.
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

// forgers are all routes of the bot.
var forgers = []forger{
	forging(keyboards.Nothing), forging(keyboards.Menu), forging(keyboards.Key), forging(keyboards.KeyReplace),
	forging(keyboards.KeyRemove), forging(keyboards.KeyRemoveSure), forging(keyboards.Language), forging(keyboards.SetLanguage),
	forging(keyboards.Help), forging(keyboards.Balance), forging(keyboards.Catalog), forging(keyboards.Category),
	forging(keyboards.Shelf), forging(keyboards.Product), forging(keyboards.ProductRefresh), forging(keyboards.OtherAmount),
	forging(keyboards.Quantity), forging(keyboards.SkipEmail), forging(keyboards.Confirm), forging(keyboards.Discard),
	forging(keyboards.Again), forging(keyboards.OrderIt), forging(keyboards.Orders), forging(keyboards.Order),
	forging(keyboards.OrderRefresh), forging(keyboards.CardRefresh), forging(keyboards.OrderAccounts), forging(keyboards.OrderWrong),
	forging(keyboards.OrderCancel), forging(keyboards.OrderCancelSure),
	forging(keyboards.Search), forging(keyboards.Found),
	forging(keyboards.Recommended), forging(keyboards.Sellers), forging(keyboards.SellerGoods), forging(keyboards.Saved), forging(keyboards.SavedRemove), forging(keyboards.Save), forging(keyboards.Unsave), forging(keyboards.WatchRestock), forging(keyboards.WatchRestockOff), forging(keyboards.WatchPrice), forging(keyboards.WatchPriceOff),
	forging(keyboards.Spending), forging(keyboards.Linked), forging(keyboards.LinkedService), forging(keyboards.LinkedAmount), forging(keyboards.LinkedOrder),
	forging(keyboards.SMSCountries), forging(keyboards.SMSFindCountry), forging(keyboards.SMSProjects), forging(keyboards.SMSFindProject),
	forging(keyboards.SMSProject), forging(keyboards.SMSQuantity),
	forging(keyboards.PhoneShow), forging(keyboards.PhoneCheck), forging(keyboards.PhoneAgain), forging(keyboards.PhoneAnother),
	forging(keyboards.PhoneCode),
	forging(keyboards.UnresolvedBalance), forging(keyboards.UnresolvedAdopt), forging(keyboards.UnresolvedAdoptSure), forging(keyboards.UnresolvedDismiss),
	forging(keyboards.OrderRemind), forging(keyboards.CancelAll), forging(keyboards.CancelAllSure),
	forging(keyboards.ExternalFind), forging(keyboards.ExternalImport),
	forging(keyboards.Admin), forging(keyboards.AdminLog),
	forging(keyboards.Maintenance), forging(keyboards.MaintenanceSwitch), forging(keyboards.MaintenanceText), forging(keyboards.MaintenanceOwn),
	forging(keyboards.PersonFind), forging(keyboards.Person), forging(keyboards.PersonBlock), forging(keyboards.PersonBlockSure), forging(keyboards.PersonUnblock),
	forging(keyboards.AdminOrders), forging(keyboards.AdminOrdersPerson), forging(keyboards.AdminOrdersCategories), forging(keyboards.AdminOrdersDays),
	forging(keyboards.AdminOrdersTotals), forging(keyboards.AdminOrdersPicture), forging(keyboards.AdminOrdersExport),
	forging(keyboards.AdminOrder), forging(keyboards.AdminUnresolvedList), forging(keyboards.AdminUnresolved), forging(keyboards.BalanceWarn), forging(keyboards.BalanceWarnOff),
	forging(keyboards.Broadcasts), forging(keyboards.BroadcastWrite), forging(keyboards.BroadcastText), forging(keyboards.BroadcastRemove),
	forging(keyboards.BroadcastPreview), forging(keyboards.BroadcastSend), forging(keyboards.BroadcastDiscard),
	forging(keyboards.BroadcastShow), forging(keyboards.BroadcastStop),
	forging(keyboards.OrdersExport), forging(keyboards.MyData), forging(keyboards.Forget), forging(keyboards.ForgetAsk), forging(keyboards.ForgetSure),
}

// TestAllRoutesAreForged keeps the list complete.
func TestAllRoutesAreForged(t *testing.T) {
	registered := 0
	for _, file := range []string{"handlers.go", "admin.go"} {
		source, err := os.ReadFile(file)
		must(t, err)
		registered += len(regexp.MustCompile(`(?m)^\t((bot|admin)(\.|)((Message)?Screen|Action)\((s, )?b), keyboards\.`).FindAll(source, -1))
	}
	if registered != len(forgers) {
		t.Errorf("%d routes are registered, %d are forged", registered, len(forgers))
	}
}

// TestForgedCallbacks: whatever of Anna's a forged button names, on any route,
// Mallory sees nothing of it, and nothing of Anna's changes.
func TestForgedCallbacks(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.setTheScene()
		w.open("2") // a draft that is still open
		w.tapLabel("1")
		w.tap("order_button_skip")
		w.types("/sms")
		w.types("an")         // and a search
		pass(6 * time.Minute) // the doubt is settled

		w.rate = 0 // a thousand answers to Mallory
		w.restart()
		mallory := w.telegram.Join(telegram.Person{ID: 6666, FirstName: "Mallory", LanguageCode: "en"})
		mallory.Type("/key " + poorKey)
		pass(time.Second)
		before, spending := w.kept(), w.spending()
		for _, f := range forgers {
			for _, data := range f.forge(w.idsOfAnna()) {
				mallory.TapData(1, data)
				pass(100 * time.Millisecond) // all of it before the numbers expire
			}
		}
		if after := w.kept(); after != before {
			t.Errorf("something of Anna's has changed:\n%s\nwas\n%s", after, before)
		}
		if after := w.spending(); after != spending {
			t.Errorf("forged buttons have sent %d requests that move money or orders", after-spending)
		}
		seen := mallory.History()
		secrets := []string{"Telegram ·", "#2350", "“an”"}
		for _, number := range w.market.Numbers() {
			secrets = append(secrets, number.Phone, number.Content)
		}
		for _, order := range w.market.Orders() {
			secrets = append(secrets, order.Accounts...)
		}
		for _, secret := range secrets {
			if secret != "" && strings.Contains(seen, secret) {
				t.Errorf("Mallory sees %q:\n%s", secret, seen)
			}
		}
	})
}

// ownTables are those whose rows people own by an id.
var ownTables = []string{"purchases", "orders", "searches", "watches"}

// idsOfAnna are the ids of all that is hers, read from the database itself.
func (w *world) idsOfAnna() []int64 {
	w.t.Helper()
	var ids []int64
	w.readDB(func(db *sqlx.DB) {
		for _, table := range ownTables {
			var found []int64
			must(w.t, db.Select(&found, `SELECT id FROM `+table+` WHERE user_id = ?`, anna.ID))
			ids = append(ids, found...)
		}
	})
	if len(ids) < 6 {
		w.t.Fatalf("only %d things are Anna's", len(ids))
	}
	return ids
}

// kept is the state of all that is Anna's.
func (w *world) kept() string {
	w.t.Helper()
	var lines []string
	w.readDB(func(db *sqlx.DB) {
		for _, query := range []string{
			`SELECT 'purchase ' || id || ' ' || state || ' ' || verdict FROM purchases WHERE user_id = ? ORDER BY id`,
			`SELECT 'order ' || id || ' ' || state || ' ' || cancel_sent_at || ' ' || delivered FROM orders WHERE user_id = ? ORDER BY id`,
			`SELECT 'key ' || id || ' ' || state || ' ' || invalid FROM api_keys WHERE user_id = ? ORDER BY id`,
			`SELECT 'search ' || id FROM searches WHERE user_id = ? ORDER BY id`,
			`SELECT 'saved ' || service FROM favourites WHERE user_id = ? ORDER BY service`,
			`SELECT 'watch ' || service || ' ' || kind || ' ' || armed FROM watches WHERE user_id = ? ORDER BY id`,
			`SELECT 'reminder ' || order_id || ' ' || at FROM reminders WHERE user_id = ? ORDER BY order_id`,
			`SELECT 'reminder ' || order_id || ' ' || at FROM reminders WHERE user_id = ? ORDER BY order_id`,
			`SELECT 'dialog ' || step FROM dialogs WHERE user_id = ?`,
			`SELECT 'language ' || lang FROM users WHERE id = ?`,
		} {
			var found []string
			must(w.t, db.Select(&found, query, anna.ID))
			lines = append(lines, found...)
		}
	})
	return strings.Join(lines, "\n")
}

// spending counts the requests that move money or end orders.
func (w *world) spending() int {
	return w.market.Count("add") + w.market.Count("add_sms") + w.market.Count("cancel")
}

// readDB opens the bot's database beside it.
func (w *world) readDB(read func(db *sqlx.DB)) {
	w.t.Helper()
	db, err := sqlx.Open("sqlite", "file:"+w.dir+"/bot.db?_pragma=query_only(1)")
	must(w.t, err)
	defer func() { must(w.t, db.Close()) }()
	read(db)
}
