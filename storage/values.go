package storage

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/shopspring/decimal"
)

// Column types: how values of Go stand in columns that every database has.

// millis is a time: unix milliseconds, 0 (or NULL) for the zero time.
type millis time.Time

// Scan implements sql.Scanner.
func (m *millis) Scan(value any) error {
	switch value := value.(type) {
	case nil:
		*m = millis{}
	case int64:
		*m = millis(fromMillis(value))
	default:
		return fmt.Errorf("a time is stored as %T", value)
	}
	return nil
}

// Value implements driver.Valuer.
func (m millis) Value() (driver.Value, error) { return toMillis(time.Time(m)), nil }

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

// bit is a bool: 0 or 1.
type bit bool

// Scan implements sql.Scanner.
func (b *bit) Scan(value any) error {
	n, ok := value.(int64)
	if !ok {
		return fmt.Errorf("a bool is stored as %T", value)
	}
	*b = n == 1
	return nil
}

// Value implements driver.Valuer.
func (b bit) Value() (driver.Value, error) {
	if b {
		return int64(1), nil
	}
	return int64(0), nil
}

// money is the decimal text that an amount came as, with its trailing zeros: they
// tell how small a movement the figure can show. No text is 0.
type money decimal.Decimal

// Scan implements sql.Scanner.
func (m *money) Scan(value any) error {
	if value == "" {
		*m = money{}
		return nil
	}
	return (*decimal.Decimal)(m).Scan(value)
}

// Value implements driver.Valuer.
func (m money) Value() (driver.Value, error) {
	d := decimal.Decimal(m)
	if places := -d.Exponent(); places > 0 {
		return d.StringFixed(places), nil
	}
	return d.String(), nil
}

// nullMoney is money that may be missing.
type nullMoney decimal.NullDecimal

// Scan implements sql.Scanner.
func (m *nullMoney) Scan(value any) error { return (*decimal.NullDecimal)(m).Scan(value) }

// Value implements driver.Valuer.
func (m nullMoney) Value() (driver.Value, error) {
	if !m.Valid {
		return nil, nil
	}
	return money(m.Decimal).Value()
}

// affected returns how many rows a write changed.
func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
