package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"
)

// Kind says what a purchase or an order is of; each kind is bought, priced and
// delivered in its own way.
type Kind string

const (
	// KindProduct is a marketplace product: pieces, delivered as accounts.
	KindProduct Kind = "product"
	// KindSMM is a service on a link: priced per thousand, delivers nothing to send.
	KindSMM Kind = "smm"
	// KindSMS is rented phone numbers, each an order, delivered as codes.
	KindSMS Kind = "sms"
)

// Rental is what phone numbers are rented by. Country and CountryName are the
// marketplace's code and name for it. Phone is an order's number; in a purchase,
// the one that is to be rented again, "" for any.
type Rental struct {
	Project     string // the marketplace's id
	Country     string
	CountryName string
	Phone       string
}

// PurchaseState is where a purchase stands. ARCHITECTURE.md draws the moves
// between the states; each is one compare-and-set in this file.
type PurchaseState string

const (
	// PurchaseDraft is drawn on a confirm card and not yet confirmed.
	PurchaseDraft PurchaseState = "draft"
	// PurchaseSuperseded is a draft that was cancelled or redrawn as another one.
	PurchaseSuperseded PurchaseState = "superseded"
	// PurchaseClaimed is confirmed; nothing has been sent.
	PurchaseClaimed PurchaseState = "claimed"
	// PurchaseSending may have reached the marketplace from now on.
	PurchaseSending PurchaseState = "sending"
	// PurchasePlaced has its order numbers.
	PurchasePlaced PurchaseState = "placed"
	// PurchaseRejected surely bought nothing.
	PurchaseRejected PurchaseState = "rejected"
	// PurchaseOutcomeUnknown was sent, and nobody knows what became of it.
	PurchaseOutcomeUnknown PurchaseState = "outcome_unknown"
	// PurchaseDismissed was unknown until a person said that nothing was bought.
	PurchaseDismissed PurchaseState = "dismissed"
)

// Verdict is what the balance suggests about an unknown purchase.
type Verdict string

const (
	// VerdictNone is given before the readings are in.
	VerdictNone Verdict = ""
	// VerdictBought means the balance fell by about the price.
	VerdictBought Verdict = "bought"
	// VerdictNotBought means no reading showed a fall.
	VerdictNotBought Verdict = "not_bought"
	// VerdictUnclear means that something else may have moved the balance.
	VerdictUnclear Verdict = "unclear"
)

// Purchase is what a person asked for and confirmed. Rate is the
// marketplace's price in Currency for RatePer pieces; Balance is that of the
// key when the rate was read (the last reading before sending, once sent).
type Purchase struct {
	ID             int64
	UserID         int64
	KeyID          int64
	KeyFingerprint string
	Kind           Kind
	Service        int64
	Name           string
	Category       string // in English; "" where it is not known, and of numbers
	Quantity       int64
	Link           string // of the content (SMM), or the e-mail for delivery; "" for none
	Rental         Rental // of numbers
	Rate           decimal.Decimal
	RatePer        int64
	Currency       string
	Stock          int64
	Variants       bool // the marketplace may fill it from another variant, at its own price
	Balance        decimal.Decimal
	Origin         string // callback data of the screen that it was started from

	State   PurchaseState
	Reason  string // why it is rejected, a word of the orders package
	Refusal string // the marketplace's own sentence, where it gave one

	LeaseUntil  time.Time
	Checks      int
	NextCheckAt time.Time
	BalanceSeen decimal.NullDecimal // the newest reading while unknown
	Verdict     Verdict

	CreatedAt time.Time
	ExpiresAt time.Time
	SentAt    time.Time
	SettledAt time.Time
}

// Total is the price of the whole purchase at its rate, exactly.
func (p Purchase) Total() decimal.Decimal {
	return PriceOf(p.Rate, p.Quantity, p.RatePer)
}

// PriceOf is what quantity pieces cost at rate for every per pieces, exactly
// (per is 1 or a power of ten, so the division ends).
func PriceOf(rate decimal.Decimal, quantity, per int64) decimal.Decimal {
	return rate.Mul(decimal.NewFromInt(quantity)).DivRound(decimal.NewFromInt(per), 12)
}

// ErrKeyBusy is returned by ClaimPurchase while another purchase of the same
// API key is claimed or sending.
var ErrKeyBusy = errors.New("another purchase of this key is on its way")

// InsertDraft stores p as a draft that lives until p.ExpiresAt, and retires the
// draft it replaces (0 for none; only the same person's, and only while it is
// still a draft). It returns p with its id.
func (db *DB) InsertDraft(ctx context.Context, p Purchase, replaces int64) (Purchase, error) {
	p.ID = newID()
	p.State = PurchaseDraft
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		if replaces != 0 {
			if _, err := tx.ExecContext(ctx, db.bind(`UPDATE purchases SET state = ? WHERE id = ? AND user_id = ? AND state = ?`),
				PurchaseSuperseded, replaces, p.UserID, PurchaseDraft); err != nil {
				return err
			}
		}
		return db.insertPurchase(ctx, tx, p)
	})
	if err != nil {
		return Purchase{}, fmt.Errorf("insert draft: %w", err)
	}
	return p, nil
}

// DiscardBroadcastDraft ends a draft without buying. It reports whether there was one.
func (db *DB) DiscardDraft(ctx context.Context, userID, id int64) (bool, error) {
	return db.move(ctx, "retire draft",
		`UPDATE purchases SET state = ? WHERE id = ? AND user_id = ? AND state = ?`,
		PurchaseSuperseded, id, userID, PurchaseDraft)
}

// Purchase returns one purchase of this person, or ErrNotFound.
func (db *DB) Purchase(ctx context.Context, userID, id int64) (Purchase, error) {
	var row purchaseRow
	err := db.reader.GetContext(ctx, &row, db.bind(`SELECT `+purchaseColumns+` FROM purchases WHERE id = ? AND user_id = ?`), id, userID)
	if errors.Is(err, sql.ErrNoRows) {
		return Purchase{}, ErrNotFound
	}
	if err != nil {
		return Purchase{}, fmt.Errorf("read purchase: %w", err)
	}
	return db.purchase(row)
}

// ClaimPurchase moves a live draft to claimed, leased to owner until the given
// time. It reports whether this call moved it: of any number of taps, updates
// and replicas exactly one does. ErrKeyBusy says that the key's turn has not come.
// Nobody claims anything during maintenance.
func (db *DB) ClaimPurchase(ctx context.Context, userID, id int64, owner string, now, until time.Time) (bool, error) {
	claimed, err := db.move(ctx, "claim purchase",
		`UPDATE purchases SET state = ?, lease_owner = ?, lease_until = ?
		  WHERE id = ? AND user_id = ? AND state = ? AND expires_at > ?
		    AND NOT EXISTS (SELECT 1 FROM settings WHERE name = '`+maintenanceSetting+`' AND value <> '')`,
		PurchaseClaimed, owner, toMillis(until), id, userID, PurchaseDraft, toMillis(now))
	if isUnique(err) {
		return false, ErrKeyBusy
	}
	return claimed, err
}

// ReplaceClaimed retires a claimed purchase whose terms have changed and stores
// its successor as a draft, in one transaction. It reports false when the claim
// was no longer owner's.
func (db *DB) ReplaceClaimed(ctx context.Context, id int64, owner string, next Purchase) (Purchase, bool, error) {
	next.ID = newID()
	next.State = PurchaseDraft
	moved := false
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		var err error
		moved, err = db.moveTx(ctx, tx, `UPDATE purchases SET state = ? WHERE id = ? AND state = ? AND lease_owner = ?`,
			PurchaseSuperseded, id, PurchaseClaimed, owner)
		if err != nil || !moved {
			return err
		}
		return db.insertPurchase(ctx, tx, next)
	})
	if err != nil {
		return Purchase{}, false, fmt.Errorf("redraw claimed purchase: %w", err)
	}
	return next, moved, nil
}

// Terms is what was read from the marketplace just before sending.
type Terms struct {
	Rate     decimal.Decimal
	Balance  decimal.Decimal
	Currency string
	Stock    int64
	Variants bool
}

// StartSending moves a claimed purchase to sending, durably, with the terms
// just read. False means that the claim was no longer owner's: the one request
// must not be made.
func (db *DB) StartSending(ctx context.Context, id int64, owner string, terms Terms, now, until time.Time) (bool, error) {
	return db.move(ctx, "start sending",
		`UPDATE purchases SET state = ?, rate = ?, balance = ?, currency = ?, stock = ?, variants = ?, sent_at = ?, lease_until = ?
		  WHERE id = ? AND state = ? AND lease_owner = ? AND lease_until > ?`,
		PurchaseSending, moneyText(terms.Rate), moneyText(terms.Balance), terms.Currency, terms.Stock, toBit(terms.Variants),
		toMillis(now), toMillis(until),
		id, PurchaseClaimed, owner, toMillis(now))
}

// Placement is one order number that the marketplace gave for a purchase. The
// other fields are of rented numbers.
type Placement struct {
	ExternalID int64
	Phone      string
	Country    string // "" where it is the one that was asked for
	RawStatus  string // the marketplace's own state
}

// PlacePurchase records the orders that a purchase became, all of them or none,
// with the messages that tell makes of each. Numbers that the marketplace gave
// always win: over sending, over an unknown outcome and over a person's word
// that nothing was bought. It reports false when the purchase has been placed
// before.
func (db *DB) PlacePurchase(ctx context.Context, p Purchase, given []Placement, now, firstPoll time.Time, tell func(Order) []Message) ([]Order, bool, error) {
	var orders []Order
	placed := false
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		var err error
		placed, err = db.settleTx(ctx, tx, p.ID, now, PurchaseSending, PurchaseOutcomeUnknown, PurchaseDismissed)
		if err != nil || !placed {
			return err
		}
		orders, err = db.placeTx(ctx, tx, p, given, false, now, firstPoll, tell)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("place purchase: %w", err)
	}
	return orders, placed, nil
}

// ErrExternalIDTaken is returned by AdoptOrder for a number that already is an order here.
var ErrExternalIDTaken = errors.New("this order number is already known")

// AdoptOrder records that an unknown purchase is the order of this number,
// because a person has said so, with the messages that tell makes of it. One of
// several rented numbers adopts until it has them all. ErrExternalIDTaken: the
// number is an order already.
func (db *DB) AdoptOrder(ctx context.Context, p Purchase, given Placement, now, firstPoll time.Time, tell func(Order) []Message) (Order, bool, error) {
	var order Order
	adopted := false
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		taken, err := db.numberTaken(ctx, tx, p.UserID, p.Kind, given.ExternalID)
		if err != nil {
			return err
		}
		if taken {
			return ErrExternalIDTaken
		}
		adopted, err = db.settleTx(ctx, tx, p.ID, now, PurchaseOutcomeUnknown, PurchaseDismissed)
		if err != nil {
			return err
		}
		if !adopted {
			var lacks int
			err := tx.GetContext(ctx, &lacks, db.bind(`SELECT COUNT(*) FROM purchases WHERE id = ? AND state = ? AND kind = ?
				AND quantity > (SELECT COUNT(*) FROM orders WHERE purchase_id = purchases.id)
				AND NOT EXISTS (SELECT 1 FROM orders WHERE purchase_id = purchases.id AND adopted = 0)`), p.ID, PurchasePlaced, KindSMS)
			if adopted = lacks > 0; err != nil || !adopted {
				return err
			}
		}
		orders, err := db.placeTx(ctx, tx, p, []Placement{given}, true, now, firstPoll, tell)
		if err == nil {
			order = orders[0]
		}
		return err
	})
	if isUnique(err) {
		return Order{}, false, ErrExternalIDTaken
	}
	if err != nil {
		return Order{}, false, fmt.Errorf("adopt order: %w", err)
	}
	return order, adopted, nil
}

// ExternalIDTaken reports whether an order number is already an order here, whoever's;
// one that somebody else has taken in from elsewhere does not count, since they
// may well share the key.
func (db *DB) ExternalIDTaken(ctx context.Context, userID int64, kind Kind, number int64) (bool, error) {
	return db.numberTaken(ctx, db.reader, userID, kind, number)
}

// numberTaken counts rented numbers apart: the document shows no common count.
func (db *DB) numberTaken(ctx context.Context, q sqlx.QueryerContext, userID int64, kind Kind, number int64) (bool, error) {
	var n int
	err := sqlx.GetContext(ctx, q, &n, db.bind(`SELECT COUNT(*) FROM orders
		WHERE external_id = ? AND (kind = 'sms') = (? = 'sms') AND (external = 0 OR user_id = ?)`), number, kind, userID)
	if err != nil {
		return false, fmt.Errorf("look for order number: %w", err)
	}
	return n > 0, nil
}

// settleTx moves a purchase from one of the states to placed.
func (db *DB) settleTx(ctx context.Context, tx *sqlx.Tx, id int64, now time.Time, from ...PurchaseState) (bool, error) {
	query, args, err := sqlx.In(`UPDATE purchases SET state = ?, settled_at = ?, next_check_at = 0 WHERE id = ? AND state IN (?)`,
		PurchasePlaced, toMillis(now), id, from)
	if err != nil {
		return false, err
	}
	return db.moveTx(ctx, tx, query, args...)
}

// placeTx stores the orders of a purchase and what is told of each.
func (db *DB) placeTx(ctx context.Context, tx *sqlx.Tx, p Purchase, given []Placement, adopted bool, now, firstPoll time.Time, tell func(Order) []Message) ([]Order, error) {
	orders := make([]Order, 0, len(given))
	for i, g := range given {
		at := now
		if adopted && !p.SentAt.IsZero() {
			at = p.SentAt
		}
		at = at.Add(time.Duration(i) * time.Millisecond) // in the marketplace's order from now on
		order := Order{
			ID: newID(), UserID: p.UserID, PurchaseID: p.ID, KeyID: p.KeyID, KeyFingerprint: p.KeyFingerprint, Kind: p.Kind,
			ExternalID: g.ExternalID, Adopted: adopted, Service: p.Service, Name: p.Name, Category: p.Category, Quantity: p.Quantity, Link: p.Link, Rental: p.Rental,
			Origin: p.Origin, State: OrderOpen, RawStatus: g.RawStatus, Currency: p.Currency, AutoDelivery: true,
			CreatedAt: at, UpdatedAt: at, NextPollAt: firstPoll,
		}
		if p.Kind == KindSMS {
			order.Quantity, order.Rental.Phone = 1, g.Phone
			if p.Rental.Country == "" { // else what was asked for: answers may spell it otherwise
				order.Rental.Country = g.Country
			}
		}
		if err := db.insertOrder(ctx, tx, order); err != nil {
			return nil, err
		}
		for _, message := range tell(order) {
			if err := db.insertMessage(ctx, tx, message); err != nil {
				return nil, err
			}
		}
		orders = append(orders, order)
	}
	return orders, nil
}

// RejectPurchase moves a claimed or sending purchase of owner's to rejected.
func (db *DB) RejectPurchase(ctx context.Context, id int64, owner, reason, refusal string, now time.Time) (bool, error) {
	return db.move(ctx, "reject purchase",
		`UPDATE purchases SET state = ?, reason = ?, refusal_sealed = ?, settled_at = ?
		  WHERE id = ? AND state IN ('claimed', 'sending') AND lease_owner = ?`,
		PurchaseRejected, reason, db.sealText("purchases", "refusal", id, refusal), toMillis(now), id, owner)
}

// MarkOutcomeUnknown moves a sending purchase to unknown, schedules its first
// balance reading, and stores the message that tells the person.
func (db *DB) MarkOutcomeUnknown(ctx context.Context, p Purchase, refusal string, firstCheck time.Time, message Message) (bool, error) {
	return db.moveAndTell(ctx, "doubt purchase", message,
		`UPDATE purchases SET state = ?, refusal_sealed = ?, next_check_at = ? WHERE id = ? AND state = ?`,
		PurchaseOutcomeUnknown, db.sealText("purchases", "refusal", p.ID, refusal), toMillis(firstCheck), p.ID, PurchaseSending)
}

// DismissPurchase records a person's word that an unknown purchase was not placed.
func (db *DB) DismissPurchase(ctx context.Context, userID, id int64, now time.Time) (bool, error) {
	return db.move(ctx, "dismiss purchase",
		`UPDATE purchases SET state = ?, settled_at = ?, next_check_at = 0 WHERE id = ? AND user_id = ? AND state = ?`,
		PurchaseDismissed, toMillis(now), id, userID, PurchaseOutcomeUnknown)
}

// OverdueLeases returns claimed and sending purchases whose lease is over (the
// process that held them is gone), beside an error about damaged ones.
func (db *DB) OverdueLeases(ctx context.Context, now time.Time, limit int) ([]Purchase, error) {
	return db.purchases(ctx, "read overdue leases",
		`SELECT `+purchaseColumns+` FROM purchases WHERE state IN ('claimed', 'sending') AND lease_until <= ? ORDER BY lease_until LIMIT ?`,
		toMillis(now), limit)
}

// RejectOverdue moves a claimed purchase whose lease is over to rejected, with
// the message that says so: nothing had been sent.
func (db *DB) RejectOverdue(ctx context.Context, id int64, reason string, now time.Time, message Message) (bool, error) {
	return db.moveAndTell(ctx, "reject overdue purchase", message,
		`UPDATE purchases SET state = ?, reason = ?, settled_at = ? WHERE id = ? AND state = ? AND lease_until <= ?`,
		PurchaseRejected, reason, toMillis(now), id, PurchaseClaimed, toMillis(now))
}

// DueChecks returns unknown purchases whose next balance reading is due, beside
// an error about damaged ones.
func (db *DB) DueChecks(ctx context.Context, now time.Time, limit int) ([]Purchase, error) {
	return db.purchases(ctx, "read due checks",
		`SELECT `+purchaseColumns+` FROM purchases WHERE state = 'outcome_unknown' AND next_check_at > 0 AND next_check_at <= ? ORDER BY next_check_at LIMIT ?`,
		toMillis(now), limit)
}

// RecordCheck stores the outcome of a balance reading (p with its new Checks,
// NextCheckAt, BalanceSeen and Verdict) if the purchase is still unknown and
// nobody else recorded this reading, with a message where there is news.
func (db *DB) RecordCheck(ctx context.Context, p Purchase, previousChecks int, message *Message) (bool, error) {
	const query = `UPDATE purchases SET checks = ?, next_check_at = ?, balance_seen = ?, verdict = ? WHERE id = ? AND state = ? AND checks = ?`
	args := []any{p.Checks, toMillis(p.NextCheckAt), nullText(p.BalanceSeen), p.Verdict, p.ID, PurchaseOutcomeUnknown, previousChecks}
	if message == nil {
		return db.move(ctx, "record balance check", query, args...)
	}
	return db.moveAndTell(ctx, "record balance check", *message, query, args...)
}

// KeyDisturbed reports whether anything else of the same API key may have moved
// its balance since then: another purchase sent or of unknown outcome, an order
// that ended with money back or may be being cancelled, or a rented number whose
// time is over.
func (db *DB) KeyDisturbed(ctx context.Context, p Purchase, since time.Time) (bool, error) {
	var n int
	err := db.reader.GetContext(ctx, &n, db.bind(`
		SELECT (SELECT COUNT(*) FROM purchases WHERE key_fingerprint = ? AND id <> ? AND (sent_at >= ? OR state IN ('sending', 'outcome_unknown')))
		     + (SELECT COUNT(*) FROM orders WHERE key_fingerprint = ? AND closed_at >= ? AND state IN ('cancelled', 'refunded', 'failed', 'partial', 'expired'))
		     + (SELECT COUNT(*) FROM orders WHERE key_fingerprint = ? AND closed_at = 0 AND kind = 'sms'
		           AND (state = 'open' AND expires_at > 0 AND expires_at <= ? OR state = 'expired' AND expires_at >= ?))
		     + (SELECT COUNT(*) FROM orders WHERE key_fingerprint = ? AND cancel_sent_at > 0 AND (closed_at = 0 OR closed_at >= ?))`),
		p.KeyFingerprint, p.ID, toMillis(since), p.KeyFingerprint, toMillis(since),
		p.KeyFingerprint, toMillis(time.Now()), toMillis(since), p.KeyFingerprint, toMillis(since))
	if err != nil {
		return false, fmt.Errorf("look for other movements of the key: %w", err)
	}
	return n > 0, nil
}

// NextPurchaseEvent returns when the next lease or balance reading is due;
// zero where none is.
func (db *DB) NextPurchaseEvent(ctx context.Context) (time.Time, error) {
	var at sql.NullInt64
	err := db.reader.GetContext(ctx, &at, `
		SELECT MIN(at) FROM (
		    SELECT MIN(lease_until) AS at FROM purchases WHERE state IN ('claimed', 'sending')
		    UNION ALL
		    SELECT MIN(next_check_at) AS at FROM purchases WHERE state = 'outcome_unknown' AND next_check_at > 0
		) AS events`)
	if err != nil {
		return time.Time{}, fmt.Errorf("read next purchase event: %w", err)
	}
	return fromMillis(at.Int64), nil
}

// SweepPurchases removes drafts that came to nothing a day after they expired.
func (db *DB) SweepPurchases(ctx context.Context, now time.Time) error {
	return db.write(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, db.bind(`DELETE FROM purchases WHERE state IN ('draft', 'superseded') AND expires_at < ?`),
			toMillis(now.Add(-24*time.Hour)))
		if err != nil {
			return fmt.Errorf("sweep drafts: %w", err)
		}
		return nil
	})
}

const purchaseColumns = `id, user_id, key_id, key_fingerprint, kind, service, name, quantity, link_sealed, rate, rate_per,
	currency, stock, variants, balance, origin, state, reason, refusal_sealed, lease_until, checks, next_check_at,
	balance_seen, verdict, created_at, expires_at, sent_at, settled_at, project, country, country_name, phone_sealed, category`

type purchaseRow struct {
	ID             int64               `db:"id"`
	UserID         int64               `db:"user_id"`
	KeyID          int64               `db:"key_id"`
	KeyFingerprint string              `db:"key_fingerprint"`
	Kind           Kind                `db:"kind"`
	Service        int64               `db:"service"`
	Name           string              `db:"name"`
	Quantity       int64               `db:"quantity"`
	LinkSealed     string              `db:"link_sealed"`
	Rate           decimal.Decimal     `db:"rate"`
	RatePer        int64               `db:"rate_per"`
	Currency       string              `db:"currency"`
	Stock          int64               `db:"stock"`
	Variants       int64               `db:"variants"`
	Balance        decimal.Decimal     `db:"balance"`
	Origin         string              `db:"origin"`
	State          PurchaseState       `db:"state"`
	Reason         string              `db:"reason"`
	Refusal        string              `db:"refusal_sealed"` // sealed
	LeaseUntil     int64               `db:"lease_until"`
	Checks         int                 `db:"checks"`
	NextCheckAt    int64               `db:"next_check_at"`
	BalanceSeen    decimal.NullDecimal `db:"balance_seen"`
	Verdict        Verdict             `db:"verdict"`
	CreatedAt      int64               `db:"created_at"`
	ExpiresAt      int64               `db:"expires_at"`
	SentAt         int64               `db:"sent_at"`
	SettledAt      int64               `db:"settled_at"`
	Project        string              `db:"project"`
	Country        string              `db:"country"`
	CountryName    string              `db:"country_name"`
	PhoneSealed    string              `db:"phone_sealed"`
	Category       string              `db:"category"`
}

func (db *DB) insertPurchase(ctx context.Context, tx *sqlx.Tx, p Purchase) error {
	_, err := tx.ExecContext(ctx, db.bind(`INSERT INTO purchases (`+purchaseColumns+`, lease_owner)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '')`),
		p.ID, p.UserID, p.KeyID, p.KeyFingerprint, p.Kind, p.Service, p.Name, p.Quantity,
		db.sealText("purchases", "link", p.ID, p.Link), moneyText(p.Rate), p.RatePer,
		p.Currency, p.Stock, toBit(p.Variants), moneyText(p.Balance), p.Origin, p.State, p.Reason,
		db.sealText("purchases", "refusal", p.ID, p.Refusal),
		toMillis(p.LeaseUntil), p.Checks, toMillis(p.NextCheckAt), nullText(p.BalanceSeen), p.Verdict,
		toMillis(p.CreatedAt), toMillis(p.ExpiresAt), toMillis(p.SentAt), toMillis(p.SettledAt),
		p.Rental.Project, p.Rental.Country, p.Rental.CountryName, db.sealText("purchases", "phone", p.ID, p.Rental.Phone), p.Category)
	return err
}

// purchases returns the rows that can be read, beside the error about those
// that can't: one damaged row must not hold up the others.
func (db *DB) purchases(ctx context.Context, what, query string, args ...any) ([]Purchase, error) {
	var rows []purchaseRow
	if err := db.reader.SelectContext(ctx, &rows, db.bind(query), args...); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	purchases := make([]Purchase, 0, len(rows))
	var damaged []error
	for _, row := range rows {
		p, err := db.purchase(row)
		if err != nil {
			damaged = append(damaged, fmt.Errorf("purchase %d: %w", row.ID, err))
			continue
		}
		purchases = append(purchases, p)
	}
	return purchases, errors.Join(damaged...)
}

func (db *DB) purchase(row purchaseRow) (Purchase, error) {
	link, err := db.unsealText("purchases", "link", row.ID, row.LinkSealed)
	if err != nil {
		return Purchase{}, fmt.Errorf("read purchase: %w", err)
	}
	refusal, err := db.unsealText("purchases", "refusal", row.ID, row.Refusal)
	if err != nil {
		return Purchase{}, fmt.Errorf("read purchase: %w", err)
	}
	phone, err := db.unsealText("purchases", "phone", row.ID, row.PhoneSealed)
	if err != nil {
		return Purchase{}, fmt.Errorf("read purchase: %w", err)
	}
	return Purchase{
		ID: row.ID, UserID: row.UserID, KeyID: row.KeyID, KeyFingerprint: row.KeyFingerprint, Kind: row.Kind, Service: row.Service,
		Name: row.Name, Category: row.Category, Quantity: row.Quantity, Link: link, Rate: row.Rate, RatePer: row.RatePer, Currency: row.Currency,
		Rental: Rental{Project: row.Project, Country: row.Country, CountryName: row.CountryName, Phone: phone},
		Stock:  row.Stock, Variants: row.Variants == 1, Balance: row.Balance, Origin: row.Origin,
		State: row.State, Reason: row.Reason, Refusal: refusal,
		LeaseUntil: fromMillis(row.LeaseUntil), Checks: row.Checks, NextCheckAt: fromMillis(row.NextCheckAt),
		BalanceSeen: row.BalanceSeen, Verdict: row.Verdict,
		CreatedAt: fromMillis(row.CreatedAt), ExpiresAt: fromMillis(row.ExpiresAt),
		SentAt: fromMillis(row.SentAt), SettledAt: fromMillis(row.SettledAt),
	}, nil
}
