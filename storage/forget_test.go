package storage

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/pgtest"
)

// fill stores orders of a person and a row of each other kind that is theirs.
func fill(t *testing.T, db *DB, user int64) {
	t.Helper()
	ctx := t.Context()
	orders := placed(t, db, user, 100*user+1, 100*user+2)
	if _, err := db.AddSearch(ctx, user, "words"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.SetReminder(ctx, Reminder{OrderID: orders[0].ID, UserID: user, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := db.InsertSwap(ctx, Swap{PurchaseID: orders[0].PurchaseID, OrderID: orders[0].ID, UserID: user, State: SwapRenting, CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := db.SaveItem(ctx, user, SavedItem{Service: 2, Name: "Goods"}, 10); err != nil {
		t.Fatal(err)
	}
	if err := db.SaveNumber(ctx, user, SavedNumber{Project: "tg", Country: "us", Name: "Telegram"}, 10); err != nil {
		t.Fatal(err)
	}
	if err := db.SetWatch(ctx, Watch{UserID: user, Service: 2, Name: "Goods", Kind: WatchRestock}, 10); err != nil {
		t.Fatal(err)
	}
	if err := db.SetBalanceWatch(ctx, BalanceWatch{UserID: user, Kind: BalanceLow, Amount: decimal.New(5, 0), Currency: "USD", StartedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := db.AddToBasket(ctx, user, 1, []BasketLine{{Kind: KindSMM, Service: 1, Quantity: 1000, Link: "https://t.me/anna"}}, 50, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := db.SaveBasketSet(ctx, 1, BasketSet{UserID: user, Name: "Boost", Lines: "1 1000"}, 10); err != nil {
		t.Fatal(err)
	}
	closed := orders[1]
	closed.Polls++
	closed.State, closed.ClosedAt, closed.Charge = OrderDelivered, time.Now(), decimal.NewNullDecimal(decimal.New(125, -2))
	if _, _, err := db.UpdateOrder(ctx, closed, nil, []redact.Secret{"a:b"}, func(Order, []redact.Secret) ([]Message, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ImportOrder(ctx, importedOrder(user, 900), nil, noMessages); err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.StoreUpdates(ctx, me, []int64{user}, []int64{user}, [][]byte{[]byte("typed")}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.FinishWithDialog(ctx, me, user, user, user, fmt.Sprint("step of ", user), "data", farFuture); err != nil {
		t.Fatal(err)
	}
}

// Forget deletes all rows of one person and none of others; the figures of
// the shop stay.
func TestForget(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	for user := int64(1); user <= 2; user++ {
		fill(t, db, user)
	}
	open, err := db.OrderByExternalID(ctx, 1, "101")
	if err != nil {
		t.Fatal(err)
	}
	const tap = 4711 // by which they are forgotten
	if _, _, err := db.StoreUpdates(ctx, me, []int64{tap}, []int64{1}, [][]byte{[]byte("{}")}); err != nil {
		t.Fatal(err)
	}
	if err := db.Forget(ctx, 1, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.FinishWithDialog(ctx, me, 1, tap, 1, "", "", time.Time{}); err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]int{"users": 1, "api_keys": 1, "dialogs": 1, "searches": 1, "reminders": 1, "swaps": 1, "saved_items": 1, "saved_numbers": 1, "watches": 1, "balance_watches": 1, "baskets": 1, "basket_lines": 1, "basket_sets": 1, "outbox": 2, "deliveries": 1, "orders": 5, "purchases": 3} {
		if got := db.count(t, `SELECT COUNT(*) FROM `+table); got != want {
			t.Errorf("%s has %d rows, want %d", table, got, want)
		}
	}
	if n := db.count(t, `SELECT COUNT(*) FROM orders WHERE user_id = 0 AND external_id = '' AND closed_at > 0 AND name = 'Goods' AND currency = 'USD' AND link_sealed = '' AND key_fingerprint = ''`); n != 2 {
		t.Errorf("%d orders stay as figures, want 2", n)
	}
	if n := db.count(t, `SELECT COUNT(*) FROM purchases WHERE user_id = 0 AND (link_digest <> '' OR link_misfit <> '')`); n != 0 {
		t.Errorf("%d purchases still know the link", n)
	}
	if n := db.count(t, `SELECT COUNT(*) FROM orders WHERE charge = '1.25'`); n != 2 {
		t.Errorf("%d charges stay, want 2", n)
	}
	if n := db.count(t, `SELECT COUNT(*) FROM inbox WHERE chat_id = 1`); n != 0 {
		t.Error("the inbox still knows them")
	}
	// An answer that was on its way finds nothing to report to.
	open.Polls++
	_, reported, err := db.UpdateOrder(ctx, open, nil, []redact.Secret{"late"}, func(Order, []redact.Secret) ([]Message, error) {
		return []Message{{UserID: 1, Kind: "x"}}, nil
	})
	if err != nil || reported || db.count(t, `SELECT COUNT(*) FROM outbox WHERE user_id = 1`) != 0 {
		t.Errorf("a late answer: reported %v, %v", reported, err)
	}
	if err := db.Forget(ctx, 1, time.Now()); err != nil {
		t.Errorf("forgetting twice: %v", err)
	}
	if kept, err := db.DataSummary(ctx, 2); err != nil || kept != (DataSummary{Keys: 1, Orders: 3, Open: 2, Purchases: 2, Searches: 1, Saved: 2, Watches: 2, Reminders: 1, BasketLines: 1, BasketSets: 1, Waiting: 2}) {
		t.Errorf("of the other one is kept %+v, %v", kept, err)
	}
	placed(t, db, 1, 101) // they come back, also with the same order
}

func TestForgetDuringPurchase(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	placed(t, db, 1, 101)
	p, err := db.InsertDraft(ctx, Purchase{UserID: 1, Kind: KindProduct, RatePer: 1, KeyFingerprint: "k", CreatedAt: time.Now(), ExpiresAt: farFuture}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ClaimPurchase(ctx, 1, p.ID, "test", time.Now(), farFuture); err != nil {
		t.Fatal(err)
	}
	if err := db.Forget(ctx, 1, time.Now()); !errors.Is(err, ErrPurchaseInFlight) {
		t.Errorf("while a purchase is claimed: %v", err)
	}
	if _, err := db.ActiveKey(ctx, 1); err != nil {
		t.Errorf("something was deleted: %v", err)
	}
}

// Forget covers each table that has a user_id.
func TestForgetCoversAllTables(t *testing.T) {
	pgtest.SQLiteOnly(t)
	db := openTest(t)
	known := map[string]bool{"orders": true, "purchases": true, "ledger": true} // made anonymous
	for _, table := range forgotten {
		known[table] = true
	}
	var tables []string
	err := db.reader.SelectContext(t.Context(), &tables, `SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'user_id'`)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if !known[table] {
			t.Errorf("Forget misses %s", table)
		}
	}
	if len(tables) < len(known) {
		t.Errorf("only %q have a user_id", tables)
	}
}
