package storage

import (
	"database/sql"
	"time"

	"github.com/shopspring/decimal"
)

// How Go's values stand in columns that every database has.

// toMillis stores a time: unix milliseconds, 0 for the zero time.
func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// fromMillis is the inverse of toMillis, in UTC.
func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// toBit stores a bool.
func toBit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// moneyText stores money as the decimal text it came as, trailing zeros too:
// they tell how small a movement the figure can show.
func moneyText(d decimal.Decimal) string {
	if places := -d.Exponent(); places > 0 {
		return d.StringFixed(places)
	}
	return d.String()
}

// nullText is moneyText for money that may be missing.
func nullText(d decimal.NullDecimal) sql.NullString {
	return sql.NullString{String: moneyText(d.Decimal), Valid: d.Valid}
}

// affected returns how many rows a write changed.
func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
