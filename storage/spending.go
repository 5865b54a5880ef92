package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/shopspring/decimal"
)

// DailyCharges is what the orders of one day (DB.Day) were charged in one currency.
type DailyCharges struct {
	Day      time.Time
	Currency string
	Amount   decimal.Decimal
}

// Spending sums what this person's orders were charged, per day on which they were
// placed and currency, the oldest first, with the markup. Refunded and imported orders do not
// count.
func (db *DB) Spending(ctx context.Context, userID int64) ([]DailyCharges, error) {
	rows, err := selectRows[struct {
		Charge    decimal.Decimal `db:"charge"`
		Currency  string          `db:"currency"`
		CreatedAt time.Time       `db:"created_at"`
		orderMarkup
	}](ctx, db, db.reader, `SELECT charge, currency, created_at, `+markupColumns+` FROM orders
		WHERE user_id = ? AND charge IS NOT NULL AND state <> 'refunded' AND external = 0 ORDER BY created_at, id`, userID)
	if err != nil {
		return nil, fmt.Errorf("sum charges: %w", err)
	}
	type key struct {
		day      time.Time
		currency string
	}
	var all []DailyCharges
	index := map[key]int{}
	for _, row := range rows {
		of := key{db.Day(row.CreatedAt), row.Currency}
		i, known := index[of]
		if !known {
			i = len(all)
			index[of] = i
			all = append(all, DailyCharges{Day: of.day, Currency: of.currency})
		}
		all[i].Amount = all[i].Amount.Add(row.Shown(row.Charge))
	}
	return all, nil
}
