package storage

import (
	"strconv"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
)

// firstDay is when the first of manyOrders was placed.
var firstDay = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// busyKey has bought all of manyOrders.
const busyKey = "key"

// manyOrders stores n orders of a busy shop: 2,000 people, 12 categories, half a
// year, 1 in 8 a number, charges of 40 different sums.
func manyOrders(tb testing.TB, db *DB, n int) {
	tb.Helper()
	key := db.Digest(keyDomain, []byte(busyKey))
	err := db.write(tb.Context(), func(tx *sqlx.Tx) error {
		for i := range n {
			kind, state, charge, closed, category := KindProduct, OrderDelivered, any("1."+strconv.Itoa(10+i%40)), int64(1), "Category "+strconv.Itoa(i%12)
			if i%8 == 0 {
				kind, category = KindSMS, ""
			}
			switch i % 50 {
			case 0:
				state, closed, charge = OrderOpen, 0, nil
			case 1, 2:
				state = OrderCancelled
			case 3:
				state = OrderRefunded
			}
			at := firstDay.Add(time.Duration(i) * (180 * day / time.Duration(n)))
			if _, err := tx.ExecContext(tb.Context(), `INSERT INTO purchases (id, user_id, key_id, key_fingerprint, kind, service, name, quantity, link_sealed, rate, rate_per, currency, stock,
				variants, balance, origin, state, reason, refusal_sealed, lease_owner, lease_until, checks, next_check_at, verdict, created_at, expires_at, sent_at, settled_at, category)
				VALUES (?, ?, 1, ?, ?, 1, 'Goods', 1, 'sealed', '1', 1, 'USD', 1, 0, '1', '', 'placed', '', 'sealed', '', 0, 0, 0, '', ?, 0, ?, 0, ?)`,
				i+1, i%2000+1, key, kind, toMillis(at), toMillis(at), category); err != nil {
				return err
			}
			if _, err := tx.ExecContext(tb.Context(), `INSERT INTO orders (id, user_id, purchase_id, key_id, key_fingerprint, kind, external_id, adopted, service, name, quantity, link_sealed, origin,
				state, raw_status, charge, currency, auto_delivery, delivered, created_at, updated_at, closed_at, next_poll_at, polls, failures, lease_owner, lease_until, category)
				VALUES (?, ?, ?, 1, ?, ?, ?, 0, 1, 'Goods', 1, 'sealed', '', ?, 'Completed', ?, 'USD', 0, 1, ?, 0, ?, 0, 1, 0, '', 0, ?)`,
				i+1, i%2000+1, i+1, key, kind, strconv.Itoa(i+1), state, charge, toMillis(at), closed, category); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkAdminOrders measures admins' screens with 50,000 orders: a page
// with the count above it, by each filter, and the totals of all days.
func BenchmarkAdminOrders(b *testing.B) {
	db := openTest(b)
	manyOrders(b, db, 50_000)
	ctx := b.Context()
	for _, bench := range []struct {
		name   string
		filter AdminOrderFilter
		offset int
	}{
		{"all", AdminOrderFilter{}, 0},
		{"all, last page", AdminOrderFilter{}, 49_992},
		{"open", AdminOrderFilter{State: FilterOpen}, 0},
		{"delivered", AdminOrderFilter{State: FilterDelivered}, 0},
		{"problems", AdminOrderFilter{State: FilterProblems}, 0},
		{"SMS", AdminOrderFilter{State: FilterSMS}, 0},
		{"person", AdminOrderFilter{Person: 7}, 0},
		{"category", AdminOrderFilter{Category: "Category 5"}, 0},
		{"day", AdminOrderFilter{Day: firstDay.Add(100 * day)}, 0},
		{"delivered, category", AdminOrderFilter{State: FilterDelivered, Category: "Category 5"}, 0},
		{"problems, category, day", AdminOrderFilter{State: FilterProblems, Category: "Category 5", Day: firstDay.Add(100 * day)}, 0},
	} {
		b.Run("page of "+bench.name, func(b *testing.B) {
			for b.Loop() {
				n, err := db.CountAdminOrders(ctx, bench.filter)
				if err != nil {
					b.Fatal(err)
				}
				page, err := db.AdminOrders(ctx, bench.filter, 8, bench.offset)
				if err != nil || n == 0 || len(page) == 0 {
					b.Fatal(n, len(page), err)
				}
			}
		})
	}
	for name, filter := range map[string]AdminOrderFilter{"all": {}, "category": {Category: "Category 5"}, "person": {Person: 7}, "delivered": {State: FilterDelivered}} {
		b.Run("totals of "+name, func(b *testing.B) {
			for b.Loop() {
				if totals, err := db.AdminOrderTotals(ctx, filter); err != nil || len(totals) == 0 {
					b.Fatal(len(totals), err)
				}
			}
		})
	}
	b.Run("unknown outcomes of a person", func(b *testing.B) {
		for b.Loop() {
			if _, n, err := db.AdminUnresolvedPurchases(ctx, AdminOrderFilter{Person: 7}, 8, 0); err != nil || n != 0 {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("unknown outcomes", func(b *testing.B) {
		for b.Loop() {
			if _, n, err := db.AdminUnresolvedPurchases(ctx, AdminOrderFilter{}, 8, 0); err != nil || n != 0 {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("open with a key", func(b *testing.B) {
		for b.Loop() {
			if open, err := db.ExposureOf(ctx, busyKey); err != nil || len(open.MayCost) == 0 {
				b.Fatal(open, err)
			}
		}
	})
	b.Run("categories", func(b *testing.B) {
		for b.Loop() {
			if found, err := db.AdminOrderCategories(ctx); err != nil || len(found) != 12 {
				b.Fatal(found, err)
			}
		}
	})
	b.Run("days", func(b *testing.B) {
		for b.Loop() {
			if found, err := db.AdminOrderDays(ctx, AdminOrderFilter{Category: "Category 5"}, 8); err != nil || len(found) != 8 {
				b.Fatal(found, err)
			}
		}
	})
	b.Run("export", func(b *testing.B) {
		for b.Loop() {
			n := 0
			if err := db.EachAdminOrder(ctx, AdminOrderFilter{}, func(AdminOrder) error { n++; return nil }); err != nil || n != 50_000 {
				b.Fatal(n, err)
			}
		}
	})
}
