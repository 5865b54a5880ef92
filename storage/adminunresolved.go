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
	Currency    string              `db:"currency"`
	SentAt      time.Time           `db:"sent_at"`
	Fall        decimal.NullDecimal // of the balance until the newest reading; invalid before the first
	Verdict     Verdict             `db:"verdict"`
	Checks      int                 `db:"checks"`
	NextAt      time.Time           `db:"next_check_at"` // of the next reading; zero: none is to come
}

// AdminUnresolvedPurchases returns a page of all people's purchases of unknown outcome,
// the newest first, and the number of all that the filter selects.
func (db *DB) AdminUnresolvedPurchases(ctx context.Context, filter AdminOrderFilter, limit, offset int) ([]AdminUnresolved, int, error) {
	condition, args := filter.whereUnresolved()
	total, err := db.countRows(ctx, "count all unresolved purchases", `SELECT COUNT(*) FROM purchases `+condition, args...)
	if err != nil {
		return nil, 0, err
	}
	unresolved, err := db.adminUnresolved(ctx, condition+` ORDER BY purchases.sent_at DESC, purchases.id DESC LIMIT ? OFFSET ?`, append(args, limit, offset)...)
	return unresolved, total, err
}

// AdminUnresolvedPurchase returns a purchase of unknown outcome of any person;
// ErrNotFound also where its outcome is known by now.
func (db *DB) AdminUnresolvedPurchase(ctx context.Context, id int64) (AdminUnresolved, error) {
	unresolved, err := db.adminUnresolved(ctx, `WHERE purchases.id = ? AND state = 'outcome_unknown'`, id)
	if err != nil {
		return AdminUnresolved{}, err
	}
	if len(unresolved) == 0 {
		return AdminUnresolved{}, ErrNotFound
	}
	return unresolved[0], nil
}

// whereUnresolved is where for purchases: they have no order state, and their day is
// when they were sent.
func (f AdminOrderFilter) whereUnresolved() (string, []any) {
	conditions, args := []string{`WHERE state = 'outcome_unknown'`}, []any{}
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
		conditions, args = append(conditions, `sent_at >= ? AND sent_at < ?`), append(args, toMillis(f.Day), toMillis(f.Day.Add(day)))
	}
	return strings.Join(conditions, ` AND `), args
}

func (db *DB) adminUnresolved(ctx context.Context, rest string, args ...any) ([]AdminUnresolved, error) {
	type row struct {
		AdminUnresolved
		Rate        decimal.Decimal     `db:"rate"`
		RatePer     int64               `db:"rate_per"`
		Balance     decimal.Decimal     `db:"balance"`
		BalanceSeen decimal.NullDecimal `db:"balance_seen"`
	}
	rows, err := selectRows[row](ctx, db, db.reader, `SELECT `+columnsOf[row]()+` FROM purchases `+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("read all unresolved purchases: %w", err)
	}
	unresolved := make([]AdminUnresolved, 0, len(rows))
	for _, row := range rows {
		row.Total = PriceOf(row.Rate, row.Quantity, row.RatePer)
		if row.BalanceSeen.Valid { // admins see the difference, not the balance
			row.Fall = decimal.NewNullDecimal(row.Balance.Sub(row.BalanceSeen.Decimal))
		}
		unresolved = append(unresolved, row.AdminUnresolved)
	}
	return unresolved, nil
}
