package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"
)

// LedgerState is the state of a LedgerEntry.
type LedgerState string

const (
	// LedgerHeld is a purchase in flight, of unknown outcome, with an open order, or with
	// phones that may yet be adopted.
	LedgerHeld LedgerState = "held"
	// LedgerSettled is a purchase whose orders are closed.
	LedgerSettled LedgerState = "settled"
	// LedgerReleased is a purchase that took nothing.
	LedgerReleased LedgerState = "released"
)

// LedgerEntry is what one purchase takes from an allowance: Held + Charged - Refunded. It is
// a function of the purchase and its orders (settle), computed again in each transaction that
// changes either.
type LedgerEntry struct {
	PurchaseID int64           `db:"purchase_id"`
	UserID     int64           `db:"user_id"`  // 0: the person was forgotten, and the entry is final
	GrantID    int64           `db:"grant_id"` // of the allowance at the claim; 0: there was none (after a restoration)
	Period     string          `db:"period"`   // the month of the claim in Options.Zone, "2026-11"
	Day        time.Time       `db:"day"`      // of the claim (DB.Day)
	Currency   string          `db:"currency"`
	Markup     decimal.Decimal `db:"markup"`   // in percent
	Hold       decimal.Decimal `db:"hold"`     // what the card showed, with the markup
	Held       decimal.Decimal `db:"held"`     // what is not settled, with the markup
	Cost       decimal.Decimal `db:"cost"`     // the marketplace's, less refunds
	Charged    decimal.Decimal `db:"charged"`  // with the markup
	Refunded   decimal.Decimal `db:"refunded"` // with the markup
	State      LedgerState     `db:"state"`
	Reported   bool            `db:"reported"` // it was told that it has cost more than its hold
	At         time.Time       `db:"at"`       // of the claim
}

// Taken is what the purchase takes from its allowance.
func (e LedgerEntry) Taken() decimal.Decimal { return e.Held.Add(e.Charged).Sub(e.Refunded) }

// MessageOverHold is the kind of the message that tells an admin or the buyer about a purchase
// that has cost more than its hold; it refers to the purchase (DB.LedgerEntry).
const MessageOverHold = "over_hold"

// leastPlaces is how many decimals a price with a markup has at least.
const leastPlaces = 2

// Shown is the price of the whole purchase as its card shows it: Total with the markup,
// rounded up to the last digit of the marketplace's price. That has the decimals of Rate, at
// least two, without zeros at its end, and those that a division by RatePer adds. Without a
// markup it is Total.
func (p Purchase) Shown() decimal.Decimal { return withMarkup(p.Total(), p.Markup, p.places()) }

// ShownOf is Shown for another cost of this purchase.
func (p Purchase) ShownOf(cost decimal.Decimal) decimal.Decimal {
	return withMarkup(cost, p.Markup, p.places())
}

func (p Purchase) places() int32 {
	places := decimals(p.Rate)
	for per := max(p.RatePer, 1); per > 1; per /= 10 {
		places++
	}
	return places
}

// decimals is how many decimals a rate has, at least leastPlaces. Zeros at its end do not
// count: the marketplace writes 1.25 in a list and 1.2500 in a stock.
func decimals(rate decimal.Decimal) int32 {
	places := max(leastPlaces, -rate.Exponent())
	for places > leastPlaces && rate.Equal(rate.Truncate(places-1)) {
		places--
	}
	return places
}

// ShownRate is a rate of the marketplace with a markup in percent, rounded as Shown does.
func ShownRate(rate, markup decimal.Decimal) decimal.Decimal {
	return withMarkup(rate, markup, decimals(rate))
}

// ShownRate is the rate with the markup.
func (p Purchase) ShownRate() decimal.Decimal { return ShownRate(p.Rate, p.Markup) }

// withMarkup never falls when the price rises, so what costs no more than its price takes no
// more than its hold.
func withMarkup(price, markup decimal.Decimal, places int32) decimal.Decimal {
	if markup.IsZero() {
		return price
	}
	return price.Mul(decimal.NewFromInt(100).Add(markup)).Shift(-2).RoundUp(places)
}

// ledgerPurchase is what settle reads of a purchase.
type ledgerPurchase struct {
	ID        int64           `db:"id"`
	UserID    int64           `db:"user_id"`
	Kind      Kind            `db:"kind"`
	Quantity  int64           `db:"quantity"`
	Rate      decimal.Decimal `db:"rate"`
	RatePer   int64           `db:"rate_per"`
	Currency  string          `db:"currency"`
	Markup    decimal.Decimal `db:"markup"`
	State     PurchaseState   `db:"state"`
	Reason    string          `db:"reason"`
	CreatedAt time.Time       `db:"created_at"`
	SentAt    time.Time       `db:"sent_at"`
	// PerPiece: no real charge has confirmed RatePer yet, so Rate may be for one piece. Until
	// an order says what it is charged, the larger price is held.
	PerPiece bool
}

// price returns the most that so many pieces may cost.
func (p ledgerPurchase) price(quantity int64) decimal.Decimal {
	if p.PerPiece {
		return PriceOf(p.Rate, quantity, 1)
	}
	return PriceOf(p.Rate, quantity, max(p.RatePer, 1))
}

func (p ledgerPurchase) purchase() Purchase {
	return Purchase{Quantity: p.Quantity, Rate: p.Rate, RatePer: p.RatePer, Markup: p.Markup}
}

// ledgerOrder is what settle reads of an order.
type ledgerOrder struct {
	Kind      Kind                `db:"kind"`
	State     OrderState          `db:"state"`
	Quantity  int64               `db:"quantity"`
	Charge    decimal.NullDecimal `db:"charge"`
	Currency  string              `db:"currency"`
	Remains   *int64              `db:"remains"`
	Delivered int64               `db:"delivered"`
	Adopted   bool                `db:"adopted"`
	ClosedAt  time.Time           `db:"closed_at"`
}

// reported returns the charge that the marketplace says, in the currency of the purchase:
// what refunds have left of it (DB.Spending).
func (o ledgerOrder) reported(currency string) (decimal.Decimal, bool) {
	if o.State == OrderRefunded {
		return decimal.Zero, true
	}
	if !o.Charge.Valid || o.Currency != "" && o.Currency != currency {
		return decimal.Zero, false
	}
	return decimal.Max(o.Charge.Decimal, decimal.Zero), true
}

// beforeRefund returns what a closed order was charged before a refund that has left cost: its
// price, where the marketplace does not say.
func (o ledgerOrder) beforeRefund(cost, price decimal.Decimal) decimal.Decimal {
	switch {
	case o.State == OrderRefunded && o.Charge.Valid && o.Charge.Decimal.IsPositive():
		return o.Charge.Decimal
	case o.State.GivesBack():
		return decimal.Max(cost, price)
	default:
		return cost
	}
}

// withoutCharge returns what a closed order has cost whose charge the marketplace does not
// say: its price, less that of the pieces that were certainly not delivered.
func (o ledgerOrder) withoutCharge(price decimal.Decimal) decimal.Decimal {
	if !o.State.GivesBack() || o.Quantity <= 0 {
		return price
	}
	delivered := o.Delivered // of a phone, of which there is one, codes
	switch {
	case o.Kind == KindSMM && o.Remains == nil:
		return price
	case o.Kind == KindSMM:
		delivered = o.Quantity - *o.Remains
	}
	delivered = min(max(delivered, 0), o.Quantity)
	return price.Mul(decimal.NewFromInt(delivered)).DivRound(decimal.NewFromInt(o.Quantity), 12)
}

// missing returns how many phones of a placed purchase admins have still to decide about; see
// isIncomplete.
func (p ledgerPurchase) missing(orders []ledgerOrder) int64 {
	if p.Kind != KindSMS || p.Reason == restDismissed || len(orders) == 0 || slices.ContainsFunc(orders, func(o ledgerOrder) bool { return !o.Adopted }) {
		return 0
	}
	return max(p.Quantity-int64(len(orders)), 0)
}

// settle computes what a purchase takes from its allowance.
//
// In flight and while the outcome is unknown that is the hold. Once there are orders it is
// what they have cost, with the markup: as the marketplace reports it, else withoutCharge. An
// open order takes its price at least until it is closed, because its charge may grow with
// what it delivers. A phone that may yet be adopted takes its price. The markup is rounded once, for the purchase.
func (e LedgerEntry) settle(p ledgerPurchase, orders []ledgerOrder) LedgerEntry {
	e.Held, e.Cost, e.Charged, e.Refunded = decimal.Zero, decimal.Zero, decimal.Zero, decimal.Zero
	switch p.State {
	case PurchaseClaimed, PurchaseSending, PurchaseOutcomeUnknown:
		e.State, e.Held = LedgerHeld, e.Hold
		return e
	case PurchasePlaced:
	default:
		e.State = LedgerReleased
		return e
	}
	e.State = LedgerSettled
	cost, gross, reserved := decimal.Zero, decimal.Zero, decimal.Zero
	for _, o := range orders {
		price := p.price(o.Quantity)
		charge, known := o.reported(e.Currency)
		if known { // at which reading it was bought
			price = PriceOf(p.Rate, o.Quantity, max(p.RatePer, 1))
		}
		switch {
		case o.ClosedAt.IsZero():
			e.State = LedgerHeld
			cost, gross, reserved = cost.Add(charge), gross.Add(charge), reserved.Add(decimal.Max(charge, price))
			continue
		case !known:
			charge = o.withoutCharge(price)
		}
		cost, reserved = cost.Add(charge), reserved.Add(charge)
		gross = gross.Add(o.beforeRefund(charge, price))
	}
	if missing := p.missing(orders); missing > 0 {
		e.State, reserved = LedgerHeld, reserved.Add(p.price(missing))
	}
	marked := func(price decimal.Decimal) decimal.Decimal { return withMarkup(price, e.Markup, -e.Hold.Exponent()) }
	spent := marked(cost)
	e.Cost, e.Charged = cost, marked(gross)
	e.Refunded, e.Held = e.Charged.Sub(spent), marked(reserved).Sub(spent)
	return e
}

// newEntry returns the entry of a purchase that is claimed at a time.
func (db *DB) newEntry(p ledgerPurchase, grant int64, at time.Time) LedgerEntry {
	of := p.purchase()
	e := LedgerEntry{
		PurchaseID: p.ID, UserID: p.UserID, GrantID: grant, Period: db.period(at), Day: db.Day(at), Currency: p.Currency, Markup: p.Markup,
		Hold: of.ShownOf(p.price(p.Quantity)).Round(of.places()), At: at, // its decimals are those of all sums of the entry
	}
	return e.settle(p, nil)
}

// period is the month in which an allowance is used at a time.
func (db *DB) period(at time.Time) string { return at.In(db.zone).Format("2006-01") }

var ledgerPurchaseColumns = columnsOf[ledgerPurchase]()

// housePurchase returns a purchase that a key of the house pays, of a person who is not
// forgotten.
func (db *DB) housePurchase(ctx context.Context, tx *sqlx.Tx, id int64) (ledgerPurchase, error) {
	p, err := selectRow[ledgerPurchase](ctx, db, tx, `SELECT `+ledgerPurchaseColumns+` FROM purchases WHERE id = ? AND house = 1 AND user_id <> 0`, id)
	if err == nil && p.Kind == KindSMM && p.RatePer > 1 {
		var confirmed string
		confirmed, err = setting(ctx, tx, selectSetting, SMMRateConfirmedSetting(p.RatePer))
		p.PerPiece = confirmed == ""
	}
	return p, err
}

// takeHold takes the hold of a purchase that was just claimed from the allowance, where the
// operator's key pays; see ClaimPurchase. Transactions are serializable, so of two that take
// the last of an allowance one fails.
func (db *DB) takeHold(ctx context.Context, tx *sqlx.Tx, purchaseID int64, now time.Time) error {
	p, err := db.housePurchase(ctx, tx, purchaseID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if db.operator().key == "" {
		return ErrNoOperatorKey
	}
	var blocked int
	if err := tx.GetContext(ctx, &blocked, `SELECT COUNT(*) FROM users WHERE id = ? AND blocked = 1`, p.UserID); err != nil {
		return err
	}
	if blocked > 0 { // their turns, baskets and swaps go on without them
		return ErrNoAllowance
	}
	a, err := db.allowance(ctx, tx, p.UserID, now)
	if errors.Is(err, ErrNotFound) || err == nil && a.Currency != p.Currency {
		return ErrNoAllowance
	}
	if err != nil {
		return err
	}
	e := db.newEntry(p, a.GrantID, now)
	if e.Hold.GreaterThan(a.Available()) {
		return ErrAllowanceLow
	}
	return db.storeEntry(ctx, tx, e)
}

// recordLedger computes the entry of a purchase again. It does nothing for a purchase that
// a person's own key pays, and for one that took no hold and may not be bought. One whose
// entry a failover has lost gets it again.
func (db *DB) recordLedger(ctx context.Context, tx *sqlx.Tx, purchaseID int64) error {
	p, err := db.housePurchase(ctx, tx, purchaseID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	known := true
	before, err := selectRow[LedgerEntry](ctx, db, tx, `SELECT `+ledgerColumns+` FROM ledger WHERE purchase_id = ?`, purchaseID)
	switch {
	case errors.Is(err, ErrNotFound):
		known = false
		at := p.SentAt
		if at.IsZero() {
			at = p.CreatedAt
		}
		var grant int64
		if err := tx.GetContext(ctx, &grant, `SELECT COALESCE(MAX(grant_id), 0) FROM allowances WHERE user_id = ? AND currency = ?`, p.UserID, p.Currency); err != nil {
			return err
		}
		if before = db.newEntry(p, grant, at); before.State == LedgerReleased {
			return nil
		}
	case err != nil:
		return err
	case before.UserID == 0:
		return nil
	}
	orders, err := selectRows[ledgerOrder](ctx, db, tx, `SELECT `+columnsOf[ledgerOrder]()+` FROM orders WHERE purchase_id = ?`, purchaseID)
	if err != nil {
		return err
	}
	e := before.settle(p, orders)
	if !e.Reported && e.Charged.Sub(e.Refunded).GreaterThan(e.Hold) {
		e.Reported = true
		told := db.operator().admins
		if !slices.Contains(told, p.UserID) {
			told = append(slices.Clip(told), p.UserID)
		}
		for _, user := range told {
			message := Message{UserID: user, PurchaseID: purchaseID, Kind: MessageOverHold, Priority: priorityStatus, CreatedAt: time.Now()}
			if err := db.insertMessages(ctx, tx, withIDs(message)); err != nil {
				return err
			}
		}
	}
	if known && e.sameAs(before) { // most polls change nothing here
		return nil
	}
	return db.storeEntry(ctx, tx, e)
}

func (e LedgerEntry) sameAs(other LedgerEntry) bool {
	return e.State == other.State && e.Reported == other.Reported && e.Held.Equal(other.Held) && e.Cost.Equal(other.Cost) &&
		e.Charged.Equal(other.Charged) && e.Refunded.Equal(other.Refunded)
}

// priorityStatus is outbox.PriorityStatus.
const priorityStatus Priority = 3

func (db *DB) storeEntry(ctx context.Context, tx *sqlx.Tx, e LedgerEntry) error {
	query, args := db.insertion("ledger", &e)
	_, err := tx.ExecContext(ctx, query+` ON CONFLICT (purchase_id) DO UPDATE SET held = excluded.held, cost = excluded.cost, charged = excluded.charged,
		refunded = excluded.refunded, state = excluded.state, reported = excluded.reported`, args...)
	return err
}

// closeLedger makes the entries of a person who is forgotten final, and removes the person.
func (db *DB) closeLedger(ctx context.Context, tx *sqlx.Tx, userID int64) error {
	held, err := selectRows[LedgerEntry](ctx, db, tx, `SELECT `+ledgerColumns+` FROM ledger WHERE user_id = ? AND state = 'held'`, userID)
	if err != nil {
		return err
	}
	for _, e := range held {
		e.Charged, e.Held, e.State = e.Charged.Add(e.Held), decimal.Zero, LedgerSettled
		if err := db.storeEntry(ctx, tx, e); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE ledger SET user_id = 0 WHERE user_id = ?`, userID)
	return err
}

// CheckLedger computes the entries since then again. It is for the start: a program from
// before allowances may have run beside this one, and have changed their orders.
func (db *DB) CheckLedger(ctx context.Context, since time.Time) error {
	var ids []int64
	if err := db.reader.SelectContext(ctx, &ids, `SELECT purchase_id FROM ledger WHERE user_id <> 0 AND at > ? ORDER BY at`, toMillis(since)); err != nil {
		return fmt.Errorf("check the ledger: %w", err)
	}
	for some := range slices.Chunk(ids, 50) {
		err := db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
			for _, id := range some {
				if err := db.recordLedger(ctx, tx, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("check the ledger: %w", err)
		}
	}
	return nil
}

var ledgerColumns = columnsOf[LedgerEntry]()

// usage sums what was taken from an allowance, in the month of a time if it is given each
// month. A refund belongs to the month of its purchase.
func (db *DB) usage(ctx context.Context, q sqlx.QueryerContext, a Allowance, now time.Time) (Usage, error) {
	where, args := `grant_id = ?`, []any{a.GrantID}
	if a.Monthly {
		where, args = where+` AND period = ?`, append(args, db.period(now))
	}
	entries, err := selectRows[LedgerEntry](ctx, db, q, `SELECT `+ledgerColumns+` FROM ledger WHERE `+where+` AND state <> 'released'`, args...)
	var u Usage
	for _, e := range entries {
		u.Held, u.Spent = u.Held.Add(e.Held), u.Spent.Add(e.Charged).Sub(e.Refunded)
	}
	return u, err
}
