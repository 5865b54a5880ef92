package storage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/shopspring/decimal"
)

// All people's orders, as admins see them. This file names no column that holds what
// people typed or were sent, and its types have no field for it.

// AdminOrder is a person's order as admins see it. UserID is 0 and ExternalID "" where
// the person was forgotten.
type AdminOrder struct {
	ID          int64               `db:"id"`
	UserID      int64               `db:"user_id"`
	Person      string              `db:"person" from:"COALESCE((SELECT users.name FROM users WHERE users.id = orders.user_id), '')"` // the stored name, or ""
	Kind        Kind                `db:"kind"`
	ExternalID  string              `db:"external_id"`
	Adopted     bool                `db:"adopted"`
	External    bool                `db:"external"`
	Name        string              `db:"name"`
	Category    string              `db:"category"` // in English
	Quantity    int64               `db:"quantity"`
	Country     string              `db:"country"` // of a number
	CountryName string              `db:"country_name"`
	State       OrderState          `db:"state"`
	RawStatus   string              `db:"raw_status"`
	Charge      decimal.NullDecimal `db:"charge"`
	Currency    string              `db:"currency"`
	Delivered   int64               `db:"delivered"`
	Present     int64               `db:"present"`
	ConfirmedAt time.Time           // when the purchase was sent; zero where External, and in lists
	CreatedAt   time.Time           `db:"created_at"`
	UpdatedAt   time.Time           `db:"updated_at"`
	LastPollAt  time.Time           `db:"last_poll_at"` // answered or not; zero: none yet
	DeliveredAt time.Time           `db:"delivered_at"`
	NotifiedAt  time.Time           `db:"notified_at"`
	ClosedAt    time.Time           `db:"closed_at"`
	Polls       int64               `db:"polls"`
	Failures    int64               `db:"failures"` // polls in a row that failed
	orderMarkup
}

var adminOrderColumns = columnsOf[AdminOrder]()

// AdminOrderFilter selects among all people's orders, by all of its fields; the zero
// value selects all.
type AdminOrderFilter struct {
	State    OrderFilter
	Person   int64
	Category string    // in English
	Day      time.Time // on which the order was placed; zero for all
}

// where returns the condition on rows of orders, beginning with "WHERE", and its
// arguments.
func (db *DB) ordersOf(f AdminOrderFilter) (string, []any) {
	condition, args := `WHERE 1 = 1`+f.State.where(), []any{}
	if f.Person != 0 {
		condition, args = condition+` AND user_id = ?`, append(args, f.Person)
	}
	if f.Category != "" {
		condition, args = condition+` AND category = ?`, append(args, f.Category)
	}
	if !f.Day.IsZero() {
		condition, args = condition+` AND orders.created_at >= ? AND orders.created_at < ?`, append(args, toMillis(db.DayBegins(f.Day)), toMillis(db.DayBegins(f.Day.Add(day))))
	}
	return condition, args
}

// AdminOrders returns a page of all people's orders, the newest first.
func (db *DB) AdminOrders(ctx context.Context, filter AdminOrderFilter, limit, offset int) ([]AdminOrder, error) {
	condition, args := db.ordersOf(filter)
	// The inner query reads only an index: the rows that a far page skips are not read.
	return db.adminOrders(ctx, `JOIN (SELECT orders.id AS chosen FROM orders `+condition+` ORDER BY orders.created_at DESC, orders.id DESC LIMIT ? OFFSET ?) AS page
		ON page.chosen = orders.id ORDER BY orders.created_at DESC, orders.id DESC`, append(args, limit, offset)...)
}

// CountAdminOrders returns how many orders a filter selects.
func (db *DB) CountAdminOrders(ctx context.Context, filter AdminOrderFilter) (int, error) {
	condition, args := db.ordersOf(filter)
	return db.countRows(ctx, "count all orders", `SELECT COUNT(*) FROM orders `+condition, args...)
}

// AdminOrdersByExternalID returns the orders with an id of the marketplace, the newest
// first, at most limit: several people may have imported one, and the marketplace may
// count numbers for codes apart.
func (db *DB) AdminOrdersByExternalID(ctx context.Context, externalID string, limit int) ([]AdminOrder, error) {
	return db.adminOrders(ctx, `WHERE external_id = ? ORDER BY orders.created_at DESC, orders.id DESC LIMIT ?`, externalID, limit)
}

// AdminOrder returns an order of any person, or ErrNotFound.
func (db *DB) AdminOrder(ctx context.Context, id int64) (AdminOrder, error) {
	orders, err := db.adminOrders(ctx, `WHERE orders.id = ?`, id)
	if err != nil {
		return AdminOrder{}, err
	}
	if len(orders) == 0 {
		return AdminOrder{}, ErrNotFound
	}
	order := orders[0]
	order.ConfirmedAt, err = db.readTime(ctx, "read when an order was confirmed",
		`SELECT purchases.sent_at FROM purchases JOIN orders ON orders.purchase_id = purchases.id WHERE orders.id = ?`, id)
	return order, err
}

func (db *DB) adminOrders(ctx context.Context, rest string, args ...any) ([]AdminOrder, error) {
	orders, err := selectRows[AdminOrder](ctx, db, db.reader, `SELECT `+adminOrderColumns+` FROM orders `+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("read all orders: %w", err)
	}
	return orders, nil
}

// EachAdminOrder calls do with each order that a filter selects, the newest first,
// reading a page at a time. It returns do's error, or nil for ErrStop.
func (db *DB) EachAdminOrder(ctx context.Context, filter AdminOrderFilter, do func(AdminOrder) error) error {
	condition, args := db.ordersOf(filter)
	return eachOrder(func(before, id int64) ([]AdminOrder, error) {
		return db.adminOrders(ctx, condition+` AND orders.created_at <= ? AND (orders.created_at < ? OR orders.id < ?)
			ORDER BY orders.created_at DESC, orders.id DESC LIMIT ?`, append(args[:len(args):len(args)], before, before, id, exportPage)...)
	}, func(o AdminOrder) (time.Time, int64) { return o.CreatedAt, o.ID }, do)
}

// AdminOrderTotals sums the charges of the orders of a filter, per day on which they
// were placed and currency, the oldest day first. Refunded and imported orders do not
// count.
func (db *DB) AdminOrderTotals(ctx context.Context, filter AdminOrderFilter) (totals []DailyCharges, err error) {
	condition, args := db.ordersOf(filter)
	of := db.dayNumber("orders.created_at")
	// Charges are decimal text, which no database sums exactly: the database counts
	// equal charges, and each is multiplied here.
	rows, err := db.reader.QueryxContext(ctx, `SELECT `+of+` AS day, currency, charge, COUNT(*) AS times FROM orders `+condition+`
		AND charge IS NOT NULL AND state <> 'refunded' AND external = 0
		GROUP BY `+of+`, currency, charge ORDER BY `+of+`, currency`, args...)
	if err != nil {
		return nil, fmt.Errorf("sum all charges: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			dayNumber, times int64
			currency         string
			charge           decimal.Decimal
		)
		if err := rows.Scan(&dayNumber, &currency, &charge, &times); err != nil {
			return nil, fmt.Errorf("read all charges: %w", err)
		}
		of := time.UnixMilli(dayNumber * day.Milliseconds()).UTC()
		if last := len(totals) - 1; last < 0 || !totals[last].Day.Equal(of) || totals[last].Currency != currency {
			totals = append(totals, DailyCharges{Day: of, Currency: currency})
		}
		sum := &totals[len(totals)-1]
		sum.Amount = sum.Amount.Add(charge.Mul(decimal.NewFromInt(times)))
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("sum all charges: %w", err)
	}
	return totals, nil
}

// AdminOrderCategories returns the categories of all orders, in English, sorted.
func (db *DB) AdminOrderCategories(ctx context.Context) ([]string, error) {
	// Steps through the index from one category to the next, without reading their orders.
	var categories []string
	err := db.reader.SelectContext(ctx, &categories, `WITH RECURSIVE found (category) AS (
		    SELECT MIN(category) FROM orders WHERE category > ''
		    UNION ALL
		    SELECT (SELECT MIN(orders.category) FROM orders WHERE orders.category > found.category) FROM found WHERE found.category IS NOT NULL
		) SELECT category FROM found WHERE category IS NOT NULL`)
	if err != nil {
		return nil, fmt.Errorf("read the categories of orders: %w", err)
	}
	return categories, nil
}

// AdminOrderDays returns the latest days on which orders of a filter were placed,
// at most limit; the day of the filter is ignored.
func (db *DB) AdminOrderDays(ctx context.Context, filter AdminOrderFilter, limit int) ([]time.Time, error) {
	filter.Day = time.Time{}
	condition, args := db.ordersOf(filter)
	var days []time.Time
	before := int64(math.MaxInt64)
	for len(days) < limit {
		var latest []int64
		err := db.reader.SelectContext(ctx, &latest, `SELECT orders.created_at FROM orders `+condition+` AND orders.created_at < ?
			ORDER BY orders.created_at DESC LIMIT 1`, append(args[:len(args):len(args)], before)...)
		if err != nil {
			return nil, fmt.Errorf("read the days of orders: %w", err)
		}
		if len(latest) == 0 {
			break
		}
		of := db.Day(fromMillis(latest[0]))
		days, before = append(days, of), toMillis(db.DayBegins(of))
	}
	return days, nil
}
