package storage

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/redact"
)

// TestAdoptSeveralOnlyOfNumbers: a purchase of goods adopts one order, numbers that the
// marketplace gave are complete, and the messages are stored with the order.
func TestAdoptSeveralOnlyOfNumbers(t *testing.T) {
	now := time.Now()
	notify := func(o Order) []Message {
		return []Message{{UserID: o.UserID, OrderID: o.ID, Kind: "number", CreatedAt: now}}
	}
	t.Run("with messages", func(t *testing.T) {
		db := openWithUsers(t, 7)
		p := markUnknown(t, db, sending(t, db, 7, saveKey(t, db, 7, "first-secret"), 2))
		for i, number := range []int64{501, 501, 502, 503} {
			_, _, err := db.AdoptOrder(t.Context(), p, Placement{ExternalID: idOf(number), Phone: "+12025550123"}, now, now, notify)
			if err != nil && !errors.Is(err, ErrExternalIDTaken) {
				t.Errorf("step %d: %v", i, err)
			}
		}
		orders, err := db.OrdersOfPurchase(t.Context(), 7, p.ID)
		if err != nil || len(orders) != 2 {
			t.Fatalf("%d orders: %v", len(orders), err)
		}
		for _, o := range orders {
			if !o.Adopted || o.Quantity != 1 || o.Rental.Phone != "+12025550123" || o.Rental.Project != "tg" {
				t.Errorf("adopted as %+v", o)
			}
		}
		if n, err := db.CountPendingMessages(t.Context()); err != nil || n != 3 { // and that of the doubt
			t.Errorf("%d messages wait, want 3: %v", n, err)
		}
	})
	t.Run("goods", func(t *testing.T) {
		db := openWithUsers(t, 7)
		p := sending(t, db, 7, saveKey(t, db, 7, "first-secret"), 2)
		p.Kind = KindProduct
		if _, err := db.transition(t.Context(), "make goods", `UPDATE purchases SET kind = 'product' WHERE id = ?`, p.ID); err != nil {
			t.Fatal(err)
		}
		p = markUnknown(t, db, p)
		for _, test := range []struct {
			number  int64
			adopted bool
		}{{501, true}, {502, false}} {
			_, adopted, err := db.AdoptOrder(t.Context(), p, Placement{ExternalID: idOf(test.number)}, now, now, notify)
			if adopted != test.adopted || err != nil {
				t.Errorf("order %d: adopted %v, %v", test.number, adopted, err)
			}
		}
	})
	t.Run("fewer were given", func(t *testing.T) {
		db := openWithUsers(t, 7)
		p := sending(t, db, 7, saveKey(t, db, 7, "first-secret"), 2)
		if _, placed, err := db.PlacePurchase(t.Context(), p, []Placement{{ExternalID: "501"}}, now, now, notify); !placed || err != nil {
			t.Fatalf("placed %v: %v", placed, err)
		}
		if _, adopted, err := db.AdoptOrder(t.Context(), p, Placement{ExternalID: "502"}, now, now, notify); adopted || err != nil {
			t.Errorf("adopted %v, %v: the marketplace has said how many there are", adopted, err)
		}
	})
	t.Run("the number of goods", func(t *testing.T) {
		db := openWithUsers(t, 7)
		key := saveKey(t, db, 7, "first-secret")
		order := rented(t, db, 7, key, 501)[0]
		if _, err := db.transition(t.Context(), "make goods", `UPDATE orders SET kind = 'product' WHERE id = ?`, order.ID); err != nil {
			t.Fatal(err)
		}
		p := markUnknown(t, db, sending(t, db, 7, key, 1))
		if _, adopted, err := db.AdoptOrder(t.Context(), p, Placement{ExternalID: "501"}, now, now, notify); !adopted || err != nil {
			t.Errorf("adopted %v, %v: they are counted apart", adopted, err)
		}
	})
}

// TestAdoptNumbersOneByOne: a purchase adopts until it has all its numbers.
func TestAdoptNumbersOneByOne(t *testing.T) {
	db := openWithUsers(t, 7)
	p := sending(t, db, 7, saveKey(t, db, 7, "first-secret"), 2)
	none := func(Order) []Message { return nil }
	now := time.Now()
	if _, err := db.MarkOutcomeUnknown(t.Context(), p, "", now, Message{UserID: 7, Kind: "x", CreatedAt: now}); err != nil {
		t.Fatal(err)
	}
	for i, test := range []struct {
		number  int64
		adopted bool
		err     error
	}{{501, true, nil}, {501, false, ErrExternalIDTaken}, {502, true, nil}, {503, false, nil}} {
		_, adopted, err := db.AdoptOrder(t.Context(), p, Placement{ExternalID: idOf(test.number)}, now, now, none)
		if adopted != test.adopted || !errors.Is(err, test.err) {
			t.Errorf("step %d: adopted %v, %v", i, adopted, err)
		}
	}
}

// TestOrderIDWins: an order id that the marketplace gave is recorded whatever the
// database says about the purchase. A failover may have lost what was written before.
func TestOrderIDWins(t *testing.T) {
	set := func(state PurchaseState) func(*testing.T, *DB, Purchase) {
		return func(t *testing.T, db *DB, p Purchase) {
			t.Helper()
			_, err := db.transition(t.Context(), "test", `UPDATE purchases SET state = ?, rate = '0.1', balance = '0', sent_at = 0, reason = 'interrupted' WHERE id = ?`, state, p.ID)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(t *testing.T, db *DB, p Purchase) {
		t.Helper()
		if _, err := db.transition(t.Context(), "test", `DELETE FROM purchases WHERE id = ?`, p.ID); err != nil {
			t.Fatal(err)
		}
	}
	forget := func(t *testing.T, db *DB, p Purchase) {
		t.Helper()
		set(PurchaseDismissed)(t, db, p)
		if err := db.Forget(t.Context(), p.UserID, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name   string
		change func(*testing.T, *DB, Purchase)
		placed bool
	}{
		{"draft", set(PurchaseDraft), true},
		{"superseded", set(PurchaseSuperseded), true},
		{"claimed", set(PurchaseClaimed), true},
		{"sending", func(*testing.T, *DB, Purchase) {}, true},
		{"rejected", set(PurchaseRejected), true},
		{"outcome unknown", func(t *testing.T, db *DB, p Purchase) { t.Helper(); markUnknown(t, db, p) }, true},
		{"dismissed", set(PurchaseDismissed), true},
		{"gone", remove, true},
		{"placed", set(PurchasePlaced), false},
		{"forgotten", forget, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := openWithUsers(t, 7)
			p := sending(t, db, 7, saveKey(t, db, 7, "first-secret"), 2)
			p, err := db.Purchase(t.Context(), 7, p.ID)
			if err != nil {
				t.Fatal(err)
			}
			test.change(t, db, p)
			now := time.UnixMilli(time.Now().UnixMilli())
			notify := func(o Order) []Message { return []Message{{UserID: 7, OrderID: o.ID, Kind: "number", CreatedAt: now}} }
			orders, placed, err := db.PlacePurchase(t.Context(), p, []Placement{{ExternalID: "501"}, {ExternalID: "502"}}, now, now, notify)
			if err != nil || placed != test.placed || len(orders) != map[bool]int{true: 2}[test.placed] {
				t.Fatalf("placed %v, %d orders: %v", placed, len(orders), err)
			}
			got, err := db.Purchase(t.Context(), 7, p.ID)
			if !test.placed {
				if test.name == "forgotten" && !errors.Is(err, ErrNotFound) {
					t.Errorf("a forgotten person's purchase is there again: %v", err)
				}
				return
			}
			p.State, p.SettledAt = PurchasePlaced, now
			if diff := cmp.Diff(p, got); err != nil || diff != "" {
				t.Errorf("stored as %v%s", err, diff)
			}
			if _, placed, err := db.PlacePurchase(t.Context(), p, []Placement{{ExternalID: "501"}}, now, now, notify); err != nil || placed {
				t.Errorf("placed again: %v, %v", placed, err)
			}
		})
	}
}

// TestImportedOrderLacksGoods: an order that was imported when the marketplace called it
// completed is closed, because nobody knew how many accounts were bought. As that of a
// purchase it is polled again if some are missing.
func TestImportedOrderLacksGoods(t *testing.T) {
	for present, open := range map[int64]bool{1: true, 2: false} {
		db := openWithUsers(t, 7)
		ctx, now := t.Context(), time.Now()
		p := sending(t, db, 7, saveKey(t, db, 7, "first-secret"), 2)
		p.Kind = KindProduct
		o := importedOrder(7, 501)
		o.Kind, o.State, o.Quantity, o.Present, o.ClosedAt = KindProduct, OrderDelivered, present, present, now
		if _, err := db.ImportOrder(ctx, o, nil, noMessages); err != nil {
			t.Fatal(err)
		}
		orders, placed, err := db.PlacePurchase(ctx, p, []Placement{{ExternalID: "501"}}, now, now.Add(time.Hour), func(Order) []Message { return nil })
		if err != nil || !placed {
			t.Fatalf("placed %v: %v", placed, err)
		}
		if o := orders[0]; o.Open() != open || open != (o.State == OrderOpen) || open != o.NextPollAt.Equal(now.Add(time.Hour).Truncate(time.Millisecond)) || o.Quantity != 2 {
			t.Errorf("with %d of 2 accounts the order is %+v", present, o)
		}
	}
}

// TestImportedOrderIsPlaced: an order that the person has imported before its id came becomes
// that of the purchase. What it has delivered stays delivered, and it is announced once.
func TestImportedOrderIsPlaced(t *testing.T) {
	db := openWithUsers(t, 7, 8)
	ctx, now := t.Context(), time.Now()
	p := sending(t, db, 7, saveKey(t, db, 7, "first-secret"), 2)
	for _, user := range []int64{8, 7} { // of whom one shares the key
		o := importedOrder(user, 501)
		o.Kind, o.Rental.Phone, o.State = KindSMS, "+12025550123", OrderDelivered
		if _, err := db.ImportOrder(ctx, o, []redact.Secret{"code"}, noMessages); err != nil {
			t.Fatal(err)
		}
	}
	imported, err := db.OrderByExternalID(ctx, 7, "501")
	if err != nil {
		t.Fatal(err)
	}
	var announced []string
	notify := func(o Order) []Message { announced = append(announced, o.ExternalID); return nil }
	given := []Placement{{ExternalID: "501", Phone: "+1 202 555 0123"}, {ExternalID: "502"}}
	orders, placed, err := db.PlacePurchase(ctx, p, given, now, now, notify)
	if err != nil || !placed || len(orders) != 2 {
		t.Fatalf("placed %v, %d orders: %v", placed, len(orders), err)
	}
	stored, err := db.OrdersOfPurchase(ctx, 7, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "announced", []string{"502"}, announced)
	first := stored[0]
	if first.ID != imported.ID || first.ID != orders[0].ID || orders[0].Delivered != 1 || first.External || first.Adopted || first.Name != p.Name || first.Rental.Project != "tg" || first.KeyID != p.KeyID ||
		first.State != OrderDelivered || first.Delivered != 1 {
		t.Errorf("the imported order is %+v", first)
	}
	if n := db.count(t, `SELECT COUNT(*) FROM orders`); n != 3 {
		t.Errorf("%d orders", n)
	}
	if n := db.count(t, `SELECT COUNT(*) FROM purchases WHERE user_id = 7`); n != 1 {
		t.Errorf("%d purchases", n)
	}
	imported.Polls++ // a poll that was in flight read another order
	if _, stored, err := db.UpdateOrder(ctx, imported, nil, []redact.Secret{"another"}, noMessages); stored || err != nil {
		t.Errorf("stored %v, %v", stored, err)
	}
}
