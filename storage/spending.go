package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/shopspring/decimal"
)

// DailyCharges is what a person's orders of one day (UTC) were charged in one currency.
type DailyCharges struct {
	Day      time.Time
	Currency string
	Amount   decimal.Decimal
}

// Spending sums what this person's orders were charged, per day and currency,
// by when they were placed, the oldest first; refunded ones do not count, nor what
// was placed elsewhere.
func (db *DB) Spending(ctx context.Context, userID int64) ([]DailyCharges, error) {
	var rows []struct {
		Charge    decimal.Decimal `db:"charge"`
		Currency  string          `db:"currency"`
		CreatedAt int64           `db:"created_at"`
	}
	err := db.reader.SelectContext(ctx, &rows, db.bind(`SELECT charge, currency, created_at FROM orders
		WHERE user_id = ? AND charge IS NOT NULL AND state <> 'refunded' AND external = 0 ORDER BY created_at, id`), userID)
	if err != nil {
		return nil, fmt.Errorf("sum charges: %w", err)
	}
	type sum struct {
		day      time.Time
		currency string
	}
	var all []DailyCharges
	place := map[sum]int{}
	for _, row := range rows {
		of := sum{fromMillis(row.CreatedAt).Truncate(24 * time.Hour), row.Currency}
		i, known := place[of]
		if !known {
			i = len(all)
			place[of] = i
			all = append(all, DailyCharges{Day: of.day, Currency: of.currency})
		}
		all[i].Amount = all[i].Amount.Add(row.Charge)
	}
	return all, nil
}
