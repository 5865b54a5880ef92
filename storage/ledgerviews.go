package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// LedgerFilter selects entries of the ledger, by all of its fields; the zero value selects
// all. Released entries are left out.
type LedgerFilter struct {
	Person int64     // 0: all, also forgotten ones
	Grant  int64     // 0: all
	Period string    // "2026-11", "" for all
	Day    time.Time // of the claim; zero for all
}

func (f LedgerFilter) where() (string, []any) {
	conditions, args := []string{`WHERE state <> 'released'`}, []any{}
	add := func(condition string, value any) {
		conditions, args = append(conditions, condition), append(args, value)
	}
	if f.Person != 0 {
		add(`user_id = ?`, f.Person)
	}
	if f.Grant != 0 {
		add(`grant_id = ?`, f.Grant)
	}
	if f.Period != "" {
		add(`period = ?`, f.Period)
	}
	if !f.Day.IsZero() {
		add(`day = ?`, toMillis(f.Day))
	}
	return strings.Join(conditions, ` AND `), args
}

// LedgerLine is an entry with what it is about. Name and Quantity are "" and 0 once the
// purchase is gone, Person and ExternalID "" once the person is.
type LedgerLine struct {
	LedgerEntry
	Person     string `db:"person" from:"COALESCE((SELECT users.name FROM users WHERE users.id = ledger.user_id), '')"`
	Name       string `db:"name" from:"COALESCE((SELECT purchases.name FROM purchases WHERE purchases.id = ledger.purchase_id), '')"`
	Quantity   int64  `db:"quantity" from:"COALESCE((SELECT purchases.quantity FROM purchases WHERE purchases.id = ledger.purchase_id), 0)"`
	ExternalID string `db:"external_id" from:"COALESCE((SELECT MIN(orders.external_id) FROM orders WHERE orders.purchase_id = ledger.purchase_id), '')"`
}

// Ledger returns a page of the entries that a filter selects, the latest first, and how many
// there are.
func (db *DB) Ledger(ctx context.Context, filter LedgerFilter, limit, offset int) ([]LedgerLine, int, error) {
	where, args := filter.where()
	total, err := db.countRows(ctx, "count the ledger", `SELECT COUNT(*) FROM ledger `+where, args...)
	if err != nil {
		return nil, 0, err
	}
	lines, err := selectRows[LedgerLine](ctx, db, db.reader, `SELECT `+columnsOf[LedgerLine]()+` FROM ledger `+where+` ORDER BY at DESC, purchase_id DESC LIMIT ? OFFSET ?`, append(args, limit, offset)...)
	if err != nil {
		return nil, 0, fmt.Errorf("read the ledger: %w", err)
	}
	return lines, total, nil
}

// EachLedgerLine calls do with each entry that a filter selects, the latest first, reading a
// page at a time. It returns do's error, or nil for ErrStop.
func (db *DB) EachLedgerLine(ctx context.Context, filter LedgerFilter, do func(LedgerLine) error) error {
	where, args := filter.where()
	return eachOrder(func(before, id int64) ([]LedgerLine, error) {
		page, err := selectRows[LedgerLine](ctx, db, db.reader, `SELECT `+columnsOf[LedgerLine]()+` FROM ledger `+where+`
			AND (at < ? OR at = ? AND purchase_id < ?) ORDER BY at DESC, purchase_id DESC LIMIT ?`, append(args[:len(args):len(args)], before, before, id, exportPage)...)
		if err != nil {
			return nil, fmt.Errorf("read the ledger: %w", err)
		}
		return page, nil
	}, func(l LedgerLine) (time.Time, int64) { return l.At, l.PurchaseID }, do)
}

// LedgerEntry returns the entry of a purchase with what it is about, or ErrNotFound.
func (db *DB) LedgerEntry(ctx context.Context, purchaseID int64) (LedgerLine, error) {
	line, err := selectRow[LedgerLine](ctx, db, db.reader, `SELECT `+columnsOf[LedgerLine]()+` FROM ledger WHERE purchase_id = ?`, purchaseID)
	if err != nil {
		return LedgerLine{}, fmt.Errorf("read the ledger: %w", err)
	}
	return line, nil
}

// RefundCounts reports whether a refund of a purchase would be available again of an allowance
// at a time. One of an earlier month, or of an allowance that was removed, is not.
func (db *DB) RefundCounts(ctx context.Context, a Allowance, purchaseID int64, now time.Time) (bool, error) {
	entry, err := db.LedgerEntry(ctx, purchaseID)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil && a.GrantID != 0 && entry.GrantID == a.GrantID && (!a.Monthly || entry.Period == db.period(now)), err
}

// LedgerSum is what the entries of a person, or of a day, add up to.
type LedgerSum struct {
	UserID    int64     // 0: of a day, or of forgotten people
	Person    string    // the stored name, or ""
	Day       time.Time // zero: of a person
	Currency  string
	Purchases int
	Held      decimal.Decimal // with the markup, as the others but Cost
	Charged   decimal.Decimal
	Refunded  decimal.Decimal
	Cost      decimal.Decimal // the marketplace's, less refunds
}

// Owed is what was charged, without refunds.
func (s LedgerSum) Owed() decimal.Decimal { return s.Charged.Sub(s.Refunded) }

// LedgerByPerson sums the entries that a filter selects per person and currency. Who owes
// the most is first.
func (db *DB) LedgerByPerson(ctx context.Context, filter LedgerFilter) ([]LedgerSum, error) {
	sums, err := db.sumLedger(ctx, filter, func(l LedgerLine) LedgerSum {
		return LedgerSum{UserID: l.UserID, Person: l.Person, Currency: l.Currency}
	})
	slices.SortStableFunc(sums, func(a, b LedgerSum) int {
		return cmp.Or(b.Owed().Cmp(a.Owed()), b.Held.Cmp(a.Held), cmp.Compare(a.UserID, b.UserID))
	})
	return sums, err
}

// LedgerByDay sums the entries that a filter selects per day and currency, the latest first.
func (db *DB) LedgerByDay(ctx context.Context, filter LedgerFilter) ([]LedgerSum, error) {
	return db.sumLedger(ctx, filter, func(l LedgerLine) LedgerSum { return LedgerSum{Day: l.Day, Currency: l.Currency} })
}

// sumLedger sums the entries of each group, in the order in which they come first. group
// returns the empty sum of an entry. Decimal text is summed here, as no database does exactly.
func (db *DB) sumLedger(ctx context.Context, filter LedgerFilter, group func(LedgerLine) LedgerSum) ([]LedgerSum, error) {
	type key struct {
		user     int64
		day      int64
		currency string
	}
	var sums []LedgerSum
	index := map[key]int{}
	err := db.EachLedgerLine(ctx, filter, func(l LedgerLine) error {
		empty := group(l)
		of := key{empty.UserID, toMillis(empty.Day), empty.Currency}
		i, known := index[of]
		if !known {
			i = len(sums)
			index[of] = i
			sums = append(sums, empty)
		}
		s := &sums[i]
		s.Purchases++
		s.Held, s.Charged, s.Refunded, s.Cost = s.Held.Add(l.Held), s.Charged.Add(l.Charged), s.Refunded.Add(l.Refunded), s.Cost.Add(l.Cost)
		return nil
	})
	return sums, err
}

// ledgerOf returns all entries of a person, as they may see them: without the cost.
func (db *DB) ledgerOf(ctx context.Context, userID int64) ([]LedgerLine, error) {
	lines, _, err := db.Ledger(ctx, LedgerFilter{Person: userID}, math.MaxInt32, 0)
	for i := range lines {
		lines[i].Cost, lines[i].Markup = decimal.Zero, decimal.Zero
	}
	return lines, err
}
