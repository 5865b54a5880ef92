package storage

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// AdminUnresolved is a person's purchase of unknown outcome as admins see it.
type AdminUnresolved struct {
	ID          int64               `db:"id"`
	UserID      int64               `db:"user_id"`
	Person      string              `db:"person" from:"COALESCE((SELECT users.name FROM users WHERE users.id = purchases.user_id), '')"` // the stored name, or ""
	Kind        Kind                `db:"kind"`
	Name        string              `db:"name"`
	Quantity    int64               `db:"quantity"`
	Country     string              `db:"country"` // of numbers
	CountryName string              `db:"country_name"`
	Total       decimal.Decimal     // at the rate that was read before sending
	Shown       decimal.Decimal     // Total with the markup, which is what an allowance holds
	Currency    string              `db:"currency"`
	House       bool                `db:"house"` // the operator's key has paid: admins settle it
	SentAt      time.Time           `db:"sent_at"`
	Fall        decimal.NullDecimal // of the balance until the newest reading; invalid before the first
	Verdict     Verdict             `db:"verdict"`
	Checks      int                 `db:"checks"`
	NextAt      time.Time           `db:"next_check_at"` // of the next reading; zero: none is to come
	// Dismissed: an admin said that it was not placed, or the phones that were not adopted.
	Dismissed bool  `db:"dismissed" from:"CASE WHEN state = 'dismissed' OR reason = 'rest_dismissed' THEN 1 ELSE 0 END"`
	Adopted   int64 `db:"adopted" from:"(SELECT COUNT(*) FROM orders WHERE orders.purchase_id = purchases.id)"` // phones that were adopted
}

// keepDismissed is for how long after it was sent a dismissed purchase is listed.
const keepDismissed = 30 * day

// isUnresolved is the condition of a purchase that may still be adopted, where the operator's
// key has paid also after an admin has dismissed it.
const isUnresolved = `(state = 'outcome_unknown' OR house = 1 AND (state = 'dismissed' OR ` + isIncomplete + `))`

// AdminUnresolvedPurchases returns a page of all people's purchases of unknown outcome,
// the newest first, and the number of all that the filter selects. Those that the operator's
// key has paid are listed until all their phones are adopted; dismissed ones for a while, last.
func (db *DB) AdminUnresolvedPurchases(ctx context.Context, filter AdminOrderFilter, limit, offset int) ([]AdminUnresolved, int, error) {
	condition, args := db.unresolvedOf(filter)
	total, err := db.countRows(ctx, "count all unresolved purchases", `SELECT COUNT(*) FROM purchases `+condition, args...)
	if err != nil {
		return nil, 0, err
	}
	unresolved, err := db.adminUnresolved(ctx, condition+` ORDER BY dismissed, purchases.sent_at DESC, purchases.id DESC LIMIT ? OFFSET ?`, append(args, limit, offset)...)
	return unresolved, total, err
}

// AdminUnresolvedPurchase returns one that AdminUnresolvedPurchases may list, however old;
// ErrNotFound also where its outcome is known by now.
func (db *DB) AdminUnresolvedPurchase(ctx context.Context, id int64) (AdminUnresolved, error) {
	unresolved, err := db.adminUnresolved(ctx, `WHERE purchases.id = ? AND `+isUnresolved, id)
	if err != nil {
		return AdminUnresolved{}, err
	}
	if len(unresolved) == 0 {
		return AdminUnresolved{}, ErrNotFound
	}
	return unresolved[0], nil
}

// unresolvedOf is ordersOf for purchases: they have no order state, and their day is
// when they were sent.
func (db *DB) unresolvedOf(f AdminOrderFilter) (string, []any) {
	since := toMillis(time.Now().Add(-keepDismissed))
	conditions, args := []string{`WHERE (state = 'outcome_unknown' OR house = 1 AND (state = 'dismissed' AND sent_at > 0 AND sent_at > ? OR ` + isIncomplete + ` AND (reason = '' OR sent_at > ?)))`}, []any{since, since}
	switch f.State {
	case FilterSMS:
		conditions = append(conditions, `kind = 'sms'`)
	case FilterDelivered:
		conditions = append(conditions, `1 = 0`)
	case FilterAll, FilterOpen, FilterProblems:
	}
	if f.Person != 0 {
		conditions, args = append(conditions, `user_id = ?`), append(args, f.Person)
	}
	if f.Category != "" {
		conditions, args = append(conditions, `category = ?`), append(args, f.Category)
	}
	if !f.Day.IsZero() {
		conditions, args = append(conditions, `sent_at >= ? AND sent_at < ?`), append(args, toMillis(db.DayBegins(f.Day)), toMillis(db.DayBegins(f.Day.Add(day))))
	}
	return strings.Join(conditions, ` AND `), args
}

func (db *DB) adminUnresolved(ctx context.Context, rest string, args ...any) ([]AdminUnresolved, error) {
	type row struct {
		AdminUnresolved
		Rate        decimal.Decimal     `db:"rate"`
		RatePer     int64               `db:"rate_per"`
		Markup      decimal.Decimal     `db:"markup"`
		Balance     decimal.Decimal     `db:"balance"`
		BalanceSeen decimal.NullDecimal `db:"balance_seen"`
	}
	rows, err := selectRows[row](ctx, db, db.reader, `SELECT `+columnsOf[row]()+` FROM purchases `+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("read all unresolved purchases: %w", err)
	}
	unresolved := make([]AdminUnresolved, 0, len(rows))
	for _, row := range rows {
		p := Purchase{Rate: row.Rate, Quantity: row.Quantity, RatePer: row.RatePer, Markup: row.Markup}
		row.Total, row.Shown = p.Total(), p.Shown()
		if row.BalanceSeen.Valid { // admins see the difference, not the balance
			row.Fall = decimal.NewNullDecimal(row.Balance.Sub(row.BalanceSeen.Decimal))
		}
		unresolved = append(unresolved, row.AdminUnresolved)
	}
	return unresolved, nil
}
