package storage

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/redact"
)

// unreadable is sealed with a key that the database does not have.
const unreadable = "v1.00000000.AAAA"

// damage replaces a sealed value of one row.
func damage(t *testing.T, db *DB, table, column string, id int64) {
	t.Helper()
	changed, err := db.transition(t.Context(), "damage", `UPDATE `+table+` SET `+column+` = '`+unreadable+`' WHERE id = ?`, id)
	if err != nil || !changed {
		t.Fatalf("damaged %v, %v", changed, err)
	}
}

func isUnknownKey(err error) bool {
	var unknown *UnknownKeyError
	return errors.As(err, &unknown)
}

func TestDamagedOrderIsReturned(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	orders := placed(t, db, 1, 101, 102, 103)
	broken := orders[1].ID
	damage(t, db, "orders", "link_sealed", broken)
	check := func(what string, found []Order, err error) {
		t.Helper()
		if err != nil || len(found) != 3 {
			t.Fatalf("%s: %d orders, %v", what, len(found), err)
		}
		for _, o := range found {
			if damaged := o.ID == broken; damaged != isUnknownKey(o.Damaged) || damaged != (o.Link == "") || o.Name != "Goods" {
				t.Errorf("%s: got %+v", what, o)
			}
		}
	}
	list, err := db.Orders(ctx, 1, FilterOpen, 9, 0) // Cancel all reads it, too
	check("Orders", list, err)
	list, err = db.OrdersOfPurchase(ctx, 1, orders[0].PurchaseID)
	check("OrdersOfPurchase", list, err)
	data, err := db.PersonalData(ctx, 1)
	check("PersonalData", data.Orders, err)
	if o, err := db.Order(ctx, 1, broken); err != nil || o.Damaged == nil {
		t.Errorf("Order: %+v, %v", o, err)
	}
	n := 0
	err = db.EachOrder(ctx, 1, func(o Order) error {
		n++
		if o.Damaged != nil || o.Link != "" {
			t.Errorf("EachOrder: got %+v", o)
		}
		return nil
	})
	if err != nil || n != 3 {
		t.Errorf("EachOrder: %d orders, %v", n, err)
	}
	if started, err := db.StartCancels(ctx, 1, []int64{broken}, time.Now()); err != nil || len(started) != 1 {
		t.Errorf("StartCancels: %v, %v", started, err)
	}
}

func TestUpdateKeepsUnreadablePhone(t *testing.T) {
	db := openWithUsers(t, 7)
	ctx := t.Context()
	o := rented(t, db, 7, saveKey(t, db, 7, "secret"), 501)[0]
	damage(t, db, "orders", "phone_sealed", o.ID)
	sealed := func() string { return selectStrings(t, db, `SELECT phone_sealed FROM orders`)[0] }
	update := func(change func(*Order)) {
		t.Helper()
		o, err := db.Order(ctx, 7, o.ID)
		if err != nil {
			t.Fatal(err)
		}
		change(&o)
		o.Polls++
		if _, stored, err := db.UpdateOrder(ctx, o, nil, nil, noMessages); err != nil || !stored {
			t.Fatalf("stored %v, %v", stored, err)
		}
	}
	update(func(o *Order) { o.RawStatus = "waiting" })
	if sealed() != unreadable {
		t.Errorf("the phone number was overwritten with %q", sealed())
	}
	if err := db.MarkSent(ctx, Message{UserID: 7, OrderID: o.ID}, 9, time.Now()); err != nil {
		t.Fatal(err)
	}
	if sealed() != unreadable {
		t.Errorf("the phone number was overwritten with %q", sealed())
	}
	update(func(o *Order) { o.Rental.Phone = "+1555" }) // as the marketplace reports it
	if got, err := db.Order(ctx, 7, o.ID); err != nil || got.Damaged != nil || got.Rental.Phone != "+1555" || got.RawStatus != "waiting" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestUpdateKeepsUnreadableLink(t *testing.T) {
	db := openTest(t)
	o := placed(t, db, 1, 101)[0]
	damage(t, db, "orders", "link_sealed", o.ID)
	o, err := db.Order(t.Context(), 1, o.ID)
	if err != nil {
		t.Fatal(err)
	}
	o.Polls++
	_, stored, err := db.UpdateOrder(t.Context(), o, nil, []redact.Secret{"login:password"}, func(_ Order, fresh []redact.Secret) ([]Message, error) {
		if len(fresh) != 1 {
			t.Errorf("%d fresh accounts", len(fresh))
		}
		return nil, nil
	})
	if err != nil || !stored {
		t.Fatalf("stored %v, %v", stored, err)
	}
	if got := selectStrings(t, db, `SELECT link_sealed FROM orders`)[0]; got != unreadable {
		t.Errorf("the link was overwritten with %q", got)
	}
}

func TestDamagedPurchaseIsReturned(t *testing.T) {
	db := openWithUsers(t, 7)
	ctx := t.Context()
	p := markUnknown(t, db, sending(t, db, 7, saveKey(t, db, 7, "secret"), 1))
	for _, column := range []string{"link_sealed", "refusal_sealed", "phone_sealed"} {
		damage(t, db, "purchases", column, p.ID)
	}
	list, err := db.UnresolvedPurchases(ctx, 7, false)
	if err != nil || len(list) != 1 || !isUnknownKey(list[0].Damaged) || list[0].Name != p.Name {
		t.Errorf("UnresolvedPurchases: %+v, %v", list, err)
	}
	data, err := db.PersonalData(ctx, 7)
	if err != nil || len(data.Purchases) != 1 || data.Purchases[0].Damaged == nil {
		t.Errorf("PersonalData: %+v, %v", data.Purchases, err)
	}
	// Its balance is read all the same; the error names it for the log.
	due, err := db.DueChecks(ctx, farFuture, 9)
	if len(due) != 1 || !isUnknownKey(err) {
		t.Fatalf("DueChecks: %+v, %v", due, err)
	}
	due[0].Checks, due[0].Verdict = 1, VerdictBought
	if ok, err := db.RecordCheck(ctx, due[0], 0, nil); err != nil || !ok {
		t.Errorf("RecordCheck: %v, %v", ok, err)
	}
	if n := db.count(t, `SELECT COUNT(*) FROM purchases WHERE link_sealed = ? AND refusal_sealed = ? AND phone_sealed = ?`, unreadable, unreadable, unreadable); n != 1 {
		t.Error("a sealed value was overwritten")
	}
	if _, err := db.Purchase(ctx, 7, p.ID); !isUnknownKey(err) { // must not be bought
		t.Errorf("Purchase: %v", err)
	}
}

func TestDamagedKeysAndSearches(t *testing.T) {
	db := openWithUsers(t, 7, 8)
	ctx := t.Context()
	broken, whole := saveKey(t, db, 7, "broken"), saveKey(t, db, 8, "whole")
	for user, key := range map[int64]Key{7: broken, 8: whole} {
		if err := db.SetWatch(ctx, Watch{UserID: user, Service: 1, Kind: WatchRestock}, 9); err != nil {
			t.Fatal(err)
		}
		rented(t, db, user, key, 500+user)
		if ok, err := db.RefuseKey(ctx, key.ID, Message{UserID: user, CreatedAt: time.Now()}); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	id, err := db.AddSearch(ctx, 7, "broken search")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.AddSearch(ctx, 7, "whole search"); err != nil {
		t.Fatal(err)
	}
	damage(t, db, "api_keys", "secret_sealed", broken.ID)
	damage(t, db, "searches", "query_sealed", id)

	data, err := db.PersonalData(ctx, 7)
	if err != nil || len(data.Keys) != 1 || !isUnknownKey(data.Keys[0].Damaged) || len(data.Searches) != 2 {
		t.Fatalf("PersonalData: %+v, %v", data, err)
	}
	for _, search := range data.Searches {
		if damaged := search.ID == id; damaged != (search.Damaged != nil) || damaged != (search.Query == "") {
			t.Errorf("got %+v", search)
		}
	}
	if keys, err := db.RefusedKeys(ctx, false, 9); len(keys) != 1 || keys[0].ID != whole.ID || !isUnknownKey(err) {
		t.Errorf("RefusedKeys: %+v, %v", keys, err)
	}
	if err := db.AcceptKey(ctx, broken.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := db.AcceptKey(ctx, whole.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	if keys, err := db.WatcherKeys(ctx, false, 1, 1, "", 9); len(keys) != 1 || keys[0] != "whole" || !isUnknownKey(err) {
		t.Errorf("WatcherKeys: %d, %v", len(keys), err)
	}
	if _, err := db.ActiveKey(ctx, 7); !isUnknownKey(err) || !strings.Contains(err.Error(), "read key") {
		t.Errorf("ActiveKey: %v", err)
	}
}

func TestDamagedMessageIsLeasedAndLeftOut(t *testing.T) {
	db := openWithUsers(t, 7, 8)
	ctx := t.Context()
	now := time.Now()
	for _, user := range []int64{7, 8} {
		if err := db.AddMessage(ctx, Message{UserID: user, Kind: "x", Body: []byte("goods"), CreatedAt: now}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.transition(ctx, "damage", `UPDATE outbox SET body_sealed = ? WHERE user_id = 7`, unreadable); err != nil {
		t.Fatal(err)
	}
	if messages, err := db.ClaimMessages(ctx, "one", now, now.Add(time.Minute), 9); len(messages) != 1 || messages[0].UserID != 8 || !isUnknownKey(err) {
		t.Errorf("claimed %+v, %v", messages, err)
	}
	if messages, err := db.ClaimMessages(ctx, "two", now, now.Add(time.Minute), 9); len(messages) != 0 || err != nil {
		t.Errorf("claimed again %+v, %v", messages, err)
	}
	data, err := db.PersonalData(ctx, 7)
	if err != nil || len(data.Messages) != 1 {
		t.Errorf("PersonalData: %+v, %v", data.Messages, err)
	}
}

// TestTakePollsIncludesDamagedOrder: the goods of an order arrive even if its phone
// number can't be read.
func TestTakePollsIncludesDamagedOrder(t *testing.T) {
	db := openWithUsers(t, 7)
	orders := rented(t, db, 7, saveKey(t, db, 7, "first-secret"), 501, 502)
	if _, err := db.transition(t.Context(), "damage", `UPDATE orders SET phone_sealed = 'v1.00000000.AAAA' WHERE id = ?`, orders[0].ID); err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(time.Second)
	taken, err := db.TakePolls(t.Context(), nil, duePolls(t, db, "one", now), "one", now, now.Add(time.Minute))
	if err == nil || len(taken) != 2 {
		t.Errorf("taken %+v: %v", taken, err)
	}
	for _, order := range taken {
		if damaged := order.ID == orders[0].ID; damaged != (order.Damaged != nil) || damaged != (order.Rental.Phone == "") {
			t.Errorf("taken %+v", order)
		}
	}
}
