package storage

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// placed stores orders of these numbers that a person bought together.
func placed(tb testing.TB, db *DB, user int64, numbers ...int64) []Order {
	tb.Helper()
	ctx := tb.Context()
	if _, _, err := db.TouchUser(ctx, user, "Somebody", "en", true); err != nil {
		tb.Fatal(err)
	}
	key, err := db.SaveKey(ctx, user, redact.Secret(fmt.Sprint("key-of-", user)))
	if err != nil {
		tb.Fatal(err)
	}
	now := time.Now()
	p, err := db.InsertDraft(ctx, Purchase{
		UserID: user, KeyID: key.ID, KeyFingerprint: key.Fingerprint, Kind: KindProduct, Service: 2, Name: "Goods", Quantity: 1, Link: "anna@example.com",
		Rate: decimal.New(125, -2), RatePer: 1, Currency: "USD", Balance: decimal.New(99, 0), CreatedAt: now, ExpiresAt: now.Add(time.Minute),
	}, 0)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := db.ClaimPurchase(ctx, user, p.ID, "test", now, now.Add(time.Minute)); err != nil {
		tb.Fatal(err)
	}
	if _, err := db.StartSending(ctx, p.ID, "test", Terms{Rate: p.Rate, Balance: p.Balance, Currency: "USD"}, now, now.Add(time.Minute)); err != nil {
		tb.Fatal(err)
	}
	given := make([]Placement, 0, len(numbers))
	for _, number := range numbers {
		given = append(given, Placement{ExternalID: number})
	}
	orders, _, err := db.PlacePurchase(ctx, p, given, now, now, func(o Order) []Message {
		return []Message{{UserID: user, PurchaseID: p.ID, OrderID: o.ID, Kind: "x", Body: []byte("goods"), CreatedAt: now}}
	})
	if err != nil {
		tb.Fatal(err)
	}
	return orders
}

func (db *DB) count(tb testing.TB, query string, args ...any) int {
	tb.Helper()
	var n int
	if err := db.reader.GetContext(tb.Context(), &n, query, args...); err != nil {
		tb.Fatal(err)
	}
	return n
}

// Forgetting one person leaves no row of theirs and every row of the others'; the
// sums of the shop stay.
func TestForget(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	for user := int64(1); user <= 2; user++ {
		orders := placed(t, db, user, 100*user+1, 100*user+2)
		if _, err := db.AddSearch(ctx, user, "words"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.SetReminder(ctx, Reminder{OrderID: orders[0].ID, UserID: user, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if err := db.AddFavourite(ctx, user, Favourite{Service: 2, Name: "Goods"}, 10); err != nil {
			t.Fatal(err)
		}
		if err := db.SetWatch(ctx, Watch{UserID: user, Service: 2, Name: "Goods", Kind: WatchRestock}, 10); err != nil {
			t.Fatal(err)
		}
		closed := orders[1]
		closed.Polls++
		closed.State, closed.ClosedAt, closed.Charge = OrderDelivered, time.Now(), decimal.NewNullDecimal(decimal.New(125, -2))
		if _, _, err := db.UpdateOrder(ctx, closed, []redact.Secret{"a:b"}, func(Order, []redact.Secret) ([]Message, error) { return nil, nil }); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ImportOrder(ctx, elsewhereOrder(user, 900), nil, nothingToTell); err != nil {
			t.Fatal(err)
		}
		if _, err := db.StoreUpdates(ctx, []int64{user}, []int64{user}, [][]byte{[]byte("typed")}); err != nil {
			t.Fatal(err)
		}
		if err := db.FinishWithDialog(ctx, user, user, "step", "data", farFuture); err != nil {
			t.Fatal(err)
		}
	}
	open, err := db.OrderByExternalID(ctx, 1, 101)
	if err != nil {
		t.Fatal(err)
	}
	const tap = 4711 // by which they are forgotten
	if _, err := db.StoreUpdates(ctx, []int64{tap}, []int64{1}, [][]byte{[]byte("{}")}); err != nil {
		t.Fatal(err)
	}
	if err := db.Forget(ctx, 1, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := db.FinishWithDialog(ctx, tap, 1, "", "", time.Time{}); err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]int{"users": 1, "api_keys": 1, "dialogs": 1, "searches": 1, "reminders": 1, "favourites": 1, "watches": 1, "outbox": 2, "deliveries": 1, "orders": 5, "purchases": 3} {
		if got := db.count(t, `SELECT COUNT(*) FROM `+table); got != want {
			t.Errorf("%s has %d rows, want %d", table, got, want)
		}
	}
	if n := db.count(t, `SELECT COUNT(*) FROM orders WHERE user_id = 0 AND external_id = 0 AND closed_at > 0 AND name = 'Goods' AND currency = 'USD' AND link_sealed = '' AND key_fingerprint = ''`); n != 2 {
		t.Errorf("%d orders stay as figures, want 2", n)
	}
	if n := db.count(t, `SELECT COUNT(*) FROM orders WHERE charge = '1.25'`); n != 2 {
		t.Errorf("%d charges stay, want 2", n)
	}
	if n := db.count(t, `SELECT COUNT(*) FROM inbox WHERE chat_id = 1`); n != 0 {
		t.Error("the inbox still knows them")
	}
	// An answer that was on its way finds nothing to report to.
	open.Polls++
	_, reported, err := db.UpdateOrder(ctx, open, []redact.Secret{"late"}, func(Order, []redact.Secret) ([]Message, error) {
		return []Message{{UserID: 1, Kind: "x"}}, nil
	})
	if err != nil || reported || db.count(t, `SELECT COUNT(*) FROM outbox WHERE user_id = 1`) != 0 {
		t.Errorf("a late answer: reported %v, %v", reported, err)
	}
	if err := db.Forget(ctx, 1, time.Now()); err != nil {
		t.Errorf("forgetting twice: %v", err)
	}
	if kept, err := db.DataSummary(ctx, 2); err != nil || kept != (DataSummary{Keys: 1, Orders: 3, Open: 2, Purchases: 2, Searches: 1, Saved: 1, Watches: 1, Reminders: 1, Waiting: 2}) {
		t.Errorf("of the other one is kept %+v, %v", kept, err)
	}
	placed(t, db, 1, 101) // they come back, also with the same order
}

func TestForgetWaits(t *testing.T) {
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

// Every table that tells of a person is known to Forget.
func TestForgetKnowsAllTables(t *testing.T) {
	db := openTest(t)
	known := map[string]bool{"orders": true, "purchases": true} // made anonymous
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
			t.Errorf("%s tells of people, and Forget does not know it", table)
		}
	}
	if len(tables) < len(known) {
		t.Errorf("only %q have a user_id", tables)
	}
}

func elsewhereOrder(user, number int64) Order {
	now := time.Now()
	return Order{UserID: user, Kind: KindProduct, ExternalID: number, State: OrderOpen, Currency: "USD", CreatedAt: now, UpdatedAt: now, NextPollAt: now}
}

func nothingToTell(Order, []redact.Secret) ([]Message, error) { return nil, nil }

// An order is taken in once by each person, also beside others who share the key,
// and keeps nobody from adopting it.
func TestTakeIn(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	for user := int64(1); user <= 2; user++ {
		if _, _, err := db.TouchUser(ctx, user, "Somebody", "en", true); err != nil {
			t.Fatal(err)
		}
		o, err := db.ImportOrder(ctx, elsewhereOrder(user, 77), []redact.Secret{"a", "a", "b"}, func(o Order, fresh []redact.Secret) ([]Message, error) {
			return []Message{{UserID: user, OrderID: o.ID, Kind: "goods", Body: fmt.Append(nil, len(fresh)), CreatedAt: time.Now()}}, nil
		})
		if err != nil || o.Delivered != 3 || !o.External {
			t.Fatalf("taken in as %+v, %v", o, err)
		}
		if _, err := db.ImportOrder(ctx, elsewhereOrder(user, 77), nil, nothingToTell); !errors.Is(err, ErrExternalIDTaken) {
			t.Errorf("twice: %v", err)
		}
		number := elsewhereOrder(user, 77)
		number.Kind = KindSMS // counted apart
		if _, err := db.ImportOrder(ctx, number, nil, nothingToTell); err != nil {
			t.Errorf("a rented number of that number: %v", err)
		}
	}
	for user, want := range map[int64]bool{1: true, 2: true, 3: false} {
		if taken, err := db.ExternalIDTaken(ctx, user, KindProduct, 77); err != nil || taken != want {
			t.Errorf("taken for %d: %v, %v", user, taken, err)
		}
	}
	if n := db.count(t, `SELECT COUNT(*) FROM outbox`); n != 2 {
		t.Errorf("%d messages", n)
	}
	// It is no purchase that could have moved a balance.
	disturbed, err := db.KeyDisturbed(ctx, Purchase{KeyFingerprint: ""}, time.Now().Add(-time.Hour))
	if err != nil || disturbed {
		t.Errorf("the key is disturbed: %v, %v", disturbed, err)
	}
}

// A mark of a cancel is given once, all in one go, and only for one's own open
// orders.
func TestStartCancels(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	orders := placed(t, db, 1, 101, 102, 103)
	ids := []int64{orders[0].ID, orders[1].ID, orders[2].ID}
	if begun, err := db.StartCancels(ctx, 2, ids, time.Now()); err != nil || len(begun) != 0 {
		t.Errorf("somebody else's: %v, %v", begun, err)
	}
	if begun, err := db.StartCancels(ctx, 1, ids[:2], time.Now()); err != nil || len(begun) != 2 {
		t.Errorf("at first: %v, %v", begun, err)
	}
	if begun, err := db.StartCancels(ctx, 1, ids, time.Now()); err != nil || len(begun) != 1 || begun[0] != ids[2] {
		t.Errorf("then: %v, %v", begun, err)
	}
	if err := db.EndCancels(ctx, ids[:1]); err != nil {
		t.Fatal(err)
	}
	if begun, err := db.StartCancels(ctx, 1, ids, time.Now()); err != nil || len(begun) != 1 || begun[0] != ids[0] {
		t.Errorf("after one did nothing: %v, %v", begun, err)
	}
	if err := db.EndCancels(ctx, nil); err != nil {
		t.Error(err)
	}
}

// EachOrder calls for every order once, whatever its page, and stops when told.
func TestEachOrder(t *testing.T) {
	db := openTest(t)
	numbers := make([]int64, 2*exportPage+1)
	for i := range numbers {
		numbers[i] = int64(i + 1)
	}
	placed(t, db, 1, numbers...)
	placed(t, db, 2, 5000)
	// Half of them in one millisecond: pages are told apart by the id, too.
	if _, err := db.writer.ExecContext(t.Context(), `UPDATE orders SET created_at = 1000 WHERE external_id % 2 = 0`); err != nil {
		t.Fatal(err)
	}
	seen := map[int64]int{}
	err := db.EachOrder(t.Context(), 1, func(o Order) error {
		seen[o.ExternalID]++
		if o.Link != "" || o.Rental.Phone != "" {
			t.Errorf("order %d tells %q", o.ExternalID, o.Link)
		}
		return nil
	})
	if err != nil || len(seen) != len(numbers) {
		t.Errorf("%d orders of %d, %v", len(seen), len(numbers), err)
	}
	for number, n := range seen {
		if n != 1 {
			t.Errorf("order %d came %d times", number, n)
		}
	}
	calls := 0
	err = db.EachOrder(t.Context(), 1, func(Order) error {
		calls++
		return ErrStop
	})
	if err != nil || calls != 1 {
		t.Errorf("%d calls after enough, %v", calls, err)
	}
	trouble := errors.New("trouble")
	if err := db.EachOrder(t.Context(), 1, func(Order) error { return trouble }); !errors.Is(err, trouble) {
		t.Errorf("got %v", err)
	}
}

// A reminder belongs to an open order of one's own, and is taken away together
// with what it tells.
func TestReminders(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	orders := placed(t, db, 1, 101, 102)
	at := time.Now().Truncate(time.Millisecond).UTC()
	if set, err := db.SetReminder(ctx, Reminder{OrderID: orders[0].ID, UserID: 2, At: at}); err != nil || set {
		t.Errorf("somebody else's: %v, %v", set, err)
	}
	for _, moved := range []time.Time{at.Add(time.Hour), at} { // the second one moves it
		if set, err := db.SetReminder(ctx, Reminder{OrderID: orders[0].ID, UserID: 1, At: moved}); err != nil || !set {
			t.Errorf("set: %v, %v", set, err)
		}
	}
	if got, err := db.ReminderOf(ctx, 1, orders[0].ID); err != nil || !got.Equal(at) {
		t.Errorf("it is at %v, %v", got, err)
	}
	due, err := db.DueReminders(ctx, at, 10)
	if err != nil || len(due) != 1 || !due[0].At.Equal(at) {
		t.Fatalf("due are %+v, %v", due, err)
	}
	before := db.count(t, `SELECT COUNT(*) FROM outbox`)
	message := Message{UserID: 1, OrderID: orders[0].ID, Kind: "reminder", CreatedAt: at}
	for i, want := range []bool{true, false} {
		if told, err := db.EndReminder(ctx, due[0], message); err != nil || told != want {
			t.Errorf("ended %d times: told %v, %v", i+1, told, err)
		}
	}
	if n := db.count(t, `SELECT COUNT(*) FROM outbox`); n != before+1 {
		t.Errorf("%d messages more", n-before)
	}
	if next, err := db.NextReminder(ctx); err != nil || !next.IsZero() {
		t.Errorf("the next one is at %v, %v", next, err)
	}
	second := Reminder{OrderID: orders[1].ID, UserID: 1, At: at}
	if _, err := db.SetReminder(ctx, second); err != nil {
		t.Fatal(err)
	}
	if _, err := db.StartCancels(ctx, 1, []int64{orders[1].ID}, at); err != nil {
		t.Fatal(err)
	}
	if told, err := db.EndReminder(ctx, second, message); err != nil || told {
		t.Errorf("of an order that is being cancelled: told %v, %v", told, err)
	}
}
