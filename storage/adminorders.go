package storage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Everyone's orders, as admins see them: who ordered what, and how it stands.
// What people typed and what they were sent is in columns that this file does
// not name, and its types have no room for it.

// AdminOrder is somebody's order as admins see it. Of a person who was forgotten
// UserID and Number are 0.
type AdminOrder struct {
	ID          int64
	UserID      int64
	Person      string // the first name that is kept, "" where none is
	Kind        Kind
	ExternalID  int64
	Adopted     bool
	External    bool
	Name        string
	Category    string // in English
	Quantity    int64
	Country     string // of a number
	CountryName string
	State       OrderState
	RawStatus   string
	Charge      decimal.NullDecimal
	Currency    string
	Delivered   int64
	ConfirmedAt time.Time // when the purchase was sent; zero where that was elsewhere
	CreatedAt   time.Time
	UpdatedAt   time.Time
	LastPollAt  time.Time // the last poll, answered or not; zero: none yet
	DeliveredAt time.Time
	NotifiedAt  time.Time
	ClosedAt    time.Time
	Polls       int64
	Failures    int64 // polls in a row that failed
}

// AdminOrderFilter selects among everyone's orders. Its parts hold together; the zero
// value selects all.
type AdminOrderFilter struct {
	State    OrderFilter
	Person   int64
	Category string    // in English
	Day      time.Time // in UTC, by when an order was placed
}

// where returns the condition on rows of orders, beginning with "WHERE", and its
// arguments.
func (f AdminOrderFilter) where() (string, []any) {
	condition, args := `WHERE 1 = 1`+f.State.where(), []any{}
	if f.Person != 0 {
		condition, args = condition+` AND user_id = ?`, append(args, f.Person)
	}
	if f.Category != "" {
		condition, args = condition+` AND category = ?`, append(args, f.Category)
	}
	if !f.Day.IsZero() {
		condition, args = condition+` AND orders.created_at >= ? AND orders.created_at < ?`, append(args, toMillis(f.Day), toMillis(f.Day.Add(day)))
	}
	return condition, args
}

const day = 24 * time.Hour

const (
	shopOrderColumns = `orders.id, user_id, COALESCE(users.name, '') AS person, kind, external_id, adopted, external, orders.name, category, quantity,
	country, country_name, state, raw_status, charge, currency, delivered, orders.created_at, updated_at, last_poll_at, delivered_at, notified_at, closed_at, polls, failures`
	shopOrdersOfPeople = ` FROM orders LEFT JOIN users ON users.id = orders.user_id `
)

type adminOrderRow struct {
	ID          int64               `db:"id"`
	UserID      int64               `db:"user_id"`
	Person      string              `db:"person"`
	Kind        Kind                `db:"kind"`
	ExternalID  int64               `db:"external_id"`
	Adopted     int64               `db:"adopted"`
	Elsewhere   int64               `db:"external"`
	Name        string              `db:"name"`
	Category    string              `db:"category"`
	Quantity    int64               `db:"quantity"`
	Country     string              `db:"country"`
	CountryName string              `db:"country_name"`
	State       OrderState          `db:"state"`
	RawStatus   string              `db:"raw_status"`
	Charge      decimal.NullDecimal `db:"charge"`
	Currency    string              `db:"currency"`
	Delivered   int64               `db:"delivered"`
	CreatedAt   int64               `db:"created_at"`
	UpdatedAt   int64               `db:"updated_at"`
	AskedAt     int64               `db:"last_poll_at"`
	DeliveredAt int64               `db:"delivered_at"`
	ToldAt      int64               `db:"notified_at"`
	ClosedAt    int64               `db:"closed_at"`
	Polls       int64               `db:"polls"`
	Failures    int64               `db:"failures"`
}

func (r adminOrderRow) order() AdminOrder {
	return AdminOrder{
		ID: r.ID, UserID: r.UserID, Person: r.Person, Kind: r.Kind, ExternalID: r.ExternalID, Adopted: r.Adopted == 1, External: r.Elsewhere == 1,
		Name: r.Name, Category: r.Category, Quantity: r.Quantity, Country: r.Country, CountryName: r.CountryName,
		State: r.State, RawStatus: r.RawStatus, Charge: r.Charge, Currency: r.Currency, Delivered: r.Delivered,
		CreatedAt: fromMillis(r.CreatedAt), UpdatedAt: fromMillis(r.UpdatedAt), LastPollAt: fromMillis(r.AskedAt),
		DeliveredAt: fromMillis(r.DeliveredAt), NotifiedAt: fromMillis(r.ToldAt), ClosedAt: fromMillis(r.ClosedAt), Polls: r.Polls, Failures: r.Failures,
	}
}

// AdminOrders returns a page of everyone's orders, the newest first.
func (db *DB) AdminOrders(ctx context.Context, filter AdminOrderFilter, limit, offset int) ([]AdminOrder, error) {
	condition, args := filter.where()
	// Chosen in an index first: what a far page skips is not read.
	return db.shopOrders(ctx, `JOIN (SELECT orders.id AS chosen FROM orders `+condition+` ORDER BY orders.created_at DESC, orders.id DESC LIMIT ? OFFSET ?) AS page
		ON page.chosen = orders.id ORDER BY orders.created_at DESC, orders.id DESC`, append(args, limit, offset)...)
}

// CountAdminOrders returns how many of everyone's orders a filter selects.
func (db *DB) CountAdminOrders(ctx context.Context, filter AdminOrderFilter) (int, error) {
	condition, args := filter.where()
	var n int
	if err := db.reader.GetContext(ctx, &n, db.bind(`SELECT COUNT(*) FROM orders `+condition), args...); err != nil {
		return 0, fmt.Errorf("count everyone's orders: %w", err)
	}
	return n, nil
}

// AdminOrdersByExternalID returns the orders of a number, the newest first, at most
// limit: several people may have taken in one, and numbers for codes may be
// counted apart.
func (db *DB) AdminOrdersByExternalID(ctx context.Context, number int64, limit int) ([]AdminOrder, error) {
	return db.shopOrders(ctx, `WHERE external_id = ? ORDER BY orders.created_at DESC, orders.id DESC LIMIT ?`, number, limit)
}

// AdminOrder returns one order, whoever's, or ErrNotFound.
func (db *DB) AdminOrder(ctx context.Context, id int64) (AdminOrder, error) {
	orders, err := db.shopOrders(ctx, `WHERE orders.id = ?`, id)
	if err != nil {
		return AdminOrder{}, err
	}
	if len(orders) == 0 {
		return AdminOrder{}, ErrNotFound
	}
	order := orders[0]
	var sentAt int64
	err = db.reader.GetContext(ctx, &sentAt, db.bind(`SELECT purchases.sent_at FROM purchases JOIN orders ON orders.purchase_id = purchases.id WHERE orders.id = ?`), id)
	if err != nil {
		return AdminOrder{}, fmt.Errorf("read when an order was confirmed: %w", err)
	}
	order.ConfirmedAt = fromMillis(sentAt)
	return order, nil
}

func (db *DB) shopOrders(ctx context.Context, rest string, args ...any) ([]AdminOrder, error) {
	var rows []adminOrderRow
	if err := db.reader.SelectContext(ctx, &rows, db.bind(`SELECT `+shopOrderColumns+shopOrdersOfPeople+rest), args...); err != nil {
		return nil, fmt.Errorf("read everyone's orders: %w", err)
	}
	orders := make([]AdminOrder, 0, len(rows))
	for _, row := range rows {
		orders = append(orders, row.order())
	}
	return orders, nil
}

// EachAdminOrder calls do with every order that a filter selects, the newest
// first, a page of them in memory at a time. It ends with do's error, or
// ErrStop, which is none.
func (db *DB) EachAdminOrder(ctx context.Context, filter AdminOrderFilter, do func(AdminOrder) error) error {
	condition, args := filter.where()
	// Where the next page begins: orders have come and gone since the last one.
	before, id := int64(math.MaxInt64), int64(math.MaxInt64)
	for {
		page, err := db.shopOrders(ctx, condition+` AND orders.created_at <= ? AND (orders.created_at < ? OR orders.id < ?)
			ORDER BY orders.created_at DESC, orders.id DESC LIMIT ?`, append(args[:len(args):len(args)], before, before, id, exportPage)...)
		if err != nil {
			return err
		}
		for _, order := range page {
			if err := do(order); errors.Is(err, ErrStop) {
				return nil
			} else if err != nil {
				return err
			}
			before, id = toMillis(order.CreatedAt), order.ID
		}
		if len(page) < exportPage {
			return nil
		}
	}
}

// AdminOrderTotals sums what the orders of a filter were charged, per day (UTC, by when
// they were placed) and currency, the oldest day first. Refunded ones do not
// count, nor what was placed elsewhere.
func (db *DB) AdminOrderTotals(ctx context.Context, filter AdminOrderFilter) (totals []DailyCharges, err error) {
	condition, args := filter.where()
	// Charges are decimal text, which no database sums exactly: it counts the equal
	// ones, and they are multiplied here, row by row.
	rows, err := db.reader.QueryxContext(ctx, db.bind(`SELECT orders.created_at / 86400000 AS day, currency, charge, COUNT(*) AS times FROM orders `+condition+`
		AND charge IS NOT NULL AND state <> 'refunded' AND external = 0
		GROUP BY orders.created_at / 86400000, currency, charge ORDER BY orders.created_at / 86400000, currency`), args...)
	if err != nil {
		return nil, fmt.Errorf("sum everyone's charges: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			number, times int64
			currency      string
			charge        decimal.Decimal
		)
		if err := rows.Scan(&number, &currency, &charge, &times); err != nil {
			return nil, fmt.Errorf("read everyone's charges: %w", err)
		}
		of := time.UnixMilli(number * day.Milliseconds()).UTC()
		if last := len(totals) - 1; last < 0 || !totals[last].Day.Equal(of) || totals[last].Currency != currency {
			totals = append(totals, DailyCharges{Day: of, Currency: currency})
		}
		sum := &totals[len(totals)-1]
		sum.Amount = sum.Amount.Add(charge.Mul(decimal.NewFromInt(times)))
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("sum everyone's charges: %w", err)
	}
	return totals, nil
}

// AdminOrderCategories returns the categories that orders are of, in English and in
// their order.
func (db *DB) AdminOrderCategories(ctx context.Context) ([]string, error) {
	// From one to the next by the index, however many orders each has.
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

// AdminOrderDays returns the latest days (UTC) on which orders of a filter were
// placed, whatever day that names, at most limit.
func (db *DB) AdminOrderDays(ctx context.Context, filter AdminOrderFilter, limit int) ([]time.Time, error) {
	filter.Day = time.Time{}
	condition, args := filter.where()
	var days []time.Time
	before := int64(math.MaxInt64)
	for len(days) < limit {
		var latest []int64
		err := db.reader.SelectContext(ctx, &latest, db.bind(`SELECT orders.created_at FROM orders `+condition+` AND orders.created_at < ?
			ORDER BY orders.created_at DESC LIMIT 1`), append(args[:len(args):len(args)], before)...)
		if err != nil {
			return nil, fmt.Errorf("read the days of orders: %w", err)
		}
		if len(latest) == 0 {
			break
		}
		of := fromMillis(latest[0]).Truncate(day)
		days, before = append(days, of), toMillis(of)
	}
	return days, nil
}

// AdminUnresolved is somebody's purchase of unknown outcome as admins see it.
type AdminUnresolved struct {
	ID          int64
	UserID      int64
	Person      string // the first name that is kept, "" where none is
	Kind        Kind
	Name        string
	Quantity    int64
	Country     string // of numbers
	CountryName string
	Total       decimal.Decimal // at the rate that was read before it was sent
	Currency    string
	SentAt      time.Time
	Fall        decimal.NullDecimal // of the balance, until the newest reading; invalid before the first
	Verdict     Verdict
	Readings    int
	NextAt      time.Time // of the next reading; zero: none is to come
}

// AdminUnresolvedPurchases returns a page of everyone's purchases of unknown outcome, the
// newest first, and how many there are in all.
func (db *DB) AdminUnresolvedPurchases(ctx context.Context, filter AdminOrderFilter, limit, offset int) ([]AdminUnresolved, int, error) {
	condition, args := filter.whereUnknown()
	var total int
	if err := db.reader.GetContext(ctx, &total, db.bind(`SELECT COUNT(*) FROM purchases `+condition), args...); err != nil {
		return nil, 0, fmt.Errorf("count everyone's unknown purchases: %w", err)
	}
	unknown, err := db.shopUnknowns(ctx, condition+` ORDER BY purchases.sent_at DESC, purchases.id DESC LIMIT ? OFFSET ?`, append(args, limit, offset)...)
	return unknown, total, err
}

// AdminUnresolved returns one of everyone's purchases of unknown outcome; ErrNotFound
// also where its outcome is known by now.
func (db *DB) AdminUnresolvedPurchase(ctx context.Context, id int64) (AdminUnresolved, error) {
	unknown, err := db.shopUnknowns(ctx, `WHERE purchases.id = ? AND state = 'outcome_unknown'`, id)
	if err != nil {
		return AdminUnresolved{}, err
	}
	if len(unknown) == 0 {
		return AdminUnresolved{}, ErrNotFound
	}
	return unknown[0], nil
}

// whereUnknown is where for purchases: they have no state of an order, and their
// day is that of their sending.
func (f AdminOrderFilter) whereUnknown() (string, []any) {
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

func (db *DB) shopUnknowns(ctx context.Context, rest string, args ...any) ([]AdminUnresolved, error) {
	var rows []struct {
		ID          int64               `db:"id"`
		UserID      int64               `db:"user_id"`
		Person      string              `db:"person"`
		Kind        Kind                `db:"kind"`
		Name        string              `db:"name"`
		Quantity    int64               `db:"quantity"`
		Country     string              `db:"country"`
		CountryName string              `db:"country_name"`
		Rate        decimal.Decimal     `db:"rate"`
		RatePer     int64               `db:"rate_per"`
		Currency    string              `db:"currency"`
		SentAt      int64               `db:"sent_at"`
		Balance     decimal.Decimal     `db:"balance"`
		BalanceSeen decimal.NullDecimal `db:"balance_seen"`
		Verdict     Verdict             `db:"verdict"`
		Checks      int                 `db:"checks"`
		NextCheckAt int64               `db:"next_check_at"`
	}
	err := db.reader.SelectContext(ctx, &rows, db.bind(`SELECT purchases.id, user_id, COALESCE(users.name, '') AS person, kind, purchases.name, quantity, country, country_name,
		rate, rate_per, currency, sent_at, balance, balance_seen, verdict, checks, next_check_at
		FROM purchases LEFT JOIN users ON users.id = purchases.user_id `+rest), args...)
	if err != nil {
		return nil, fmt.Errorf("read everyone's unknown purchases: %w", err)
	}
	unknown := make([]AdminUnresolved, 0, len(rows))
	for _, row := range rows {
		u := AdminUnresolved{
			ID: row.ID, UserID: row.UserID, Person: row.Person, Kind: row.Kind, Name: row.Name, Quantity: row.Quantity,
			Country: row.Country, CountryName: row.CountryName, Total: PriceOf(row.Rate, row.Quantity, row.RatePer), Currency: row.Currency,
			SentAt: fromMillis(row.SentAt), Verdict: row.Verdict, Readings: row.Checks, NextAt: fromMillis(row.NextCheckAt),
		}
		if row.BalanceSeen.Valid { // only the difference leaves this function
			u.Fall = decimal.NewNullDecimal(row.Balance.Sub(row.BalanceSeen.Decimal))
		}
		unknown = append(unknown, u)
	}
	return unknown, nil
}
