package storage

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"
)

// TestSpending: charges are summed exactly, per day and per currency;
// those of others, of refunded orders and of none do not count.
func TestSpending(t *testing.T) {
	db := openTest(t)
	day := time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC)
	for i, o := range []struct {
		user             int64
		at               time.Duration
		charge, currency string
		state            string
	}{
		{1, 24 * time.Hour, "5.00", "USD", "delivered"},
		{1, 0, "0.1", "USD", "delivered"},
		{1, 24*time.Hour - time.Millisecond, "0.2", "USD", "open"},
		{1, time.Hour, "12345678901234567.000000000000000001", "EUR", "partial"},
		{1, time.Hour, "7.00", "USD", "refunded"},
		{1, time.Hour, "", "USD", "open"},
		{2, time.Hour, "9.00", "USD", "delivered"},
	} {
		err := db.write(t.Context(), func(tx *sqlx.Tx) error {
			purchase := int64(100 + i)
			if _, err := tx.ExecContext(t.Context(), `INSERT INTO purchases (id, user_id, key_id, key_fingerprint, kind, service, name, quantity, link_sealed, rate, rate_per, currency, stock,
				variants, balance, origin, state, reason, refusal_sealed, lease_owner, lease_until, checks, next_check_at, verdict, created_at, expires_at, sent_at, settled_at)
				VALUES (?, ?, 1, '', 'product', 1, '', 1, '', '1', 1, '', 1, 0, '1', '', 'placed', '', '', '', 0, 0, 0, '', 0, 0, 0, 0)`, purchase, o.user); err != nil {
				return err
			}
			var charge any
			if o.charge != "" {
				charge = o.charge
			}
			_, err := tx.ExecContext(t.Context(), `INSERT INTO orders (id, user_id, purchase_id, key_id, key_fingerprint, kind, external_id, adopted, service, name, quantity, link_sealed, origin,
				state, raw_status, charge, currency, auto_delivery, delivered, created_at, updated_at, closed_at, next_poll_at, polls, failures, lease_owner, lease_until)
				VALUES (?, ?, ?, 1, '', 'product', ?, 0, 1, '', 1, '', '', ?, '', ?, ?, 0, 0, ?, 0, 0, 0, 0, 0, '', 0)`,
				i+1, o.user, purchase, strconv.Itoa(i+1), o.state, charge, o.currency, toMillis(day.Add(o.at)))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string][]string{
		"UTC":              {"2026-02-28 0.3 USD", "2026-02-28 12345678901234567.000000000000000001 EUR", "2026-03-01 5 USD"},
		"America/New_York": {"2026-02-27 0.1 USD", "2026-02-27 12345678901234567.000000000000000001 EUR", "2026-02-28 5.2 USD"},
	} {
		db.zone = zone(t, name)
		all, err := db.Spending(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, perDay(all)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		totals, err := db.AdminOrderTotals(t.Context(), AdminOrderFilter{Person: 1})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(want)
		if got := slices.Sorted(slices.Values(perDay(totals))); !slices.Equal(got, want) {
			t.Errorf("%s: totals %v, want %v", name, got, want)
		}
	}
	db.zone = zone(t, "America/New_York")
	ofAnna := AdminOrderFilter{Person: 1}
	days, err := db.AdminOrderDays(t.Context(), ofAnna, 8)
	if want := []time.Time{day, day.AddDate(0, 0, -1)}; err != nil || !slices.Equal(days, want) {
		t.Errorf("days %v, %v; want %v", days, err, want)
	}
	ofAnna.Day = day
	if n, err := db.CountAdminOrders(t.Context(), ofAnna); n != 2 || err != nil {
		t.Errorf("%d orders on the day, %v", n, err)
	}
	if none, err := db.Spending(t.Context(), 3); err != nil || len(none) != 0 {
		t.Errorf("a person without orders spent %v, %v", none, err)
	}
}

func perDay(charges []DailyCharges) (lines []string) {
	for _, c := range charges {
		lines = append(lines, c.Day.Format(time.DateOnly)+" "+c.Amount.String()+" "+c.Currency)
	}
	return lines
}
