package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"
)

// Kind is what a purchase or an order is of; each kind is bought, priced and delivered
// in its own way.
type Kind string

const (
	// KindProduct is a marketplace product: pieces, delivered as accounts.
	KindProduct Kind = "product"
	// KindSMM is a service on a link: priced per thousand, without goods.
	KindSMM Kind = "smm"
	// KindSMS is rented phone numbers, each an order, delivered as codes.
	KindSMS Kind = "sms"
)

// Rental says what a phone number is rented for. Phone is an order's number; in a
// purchase, the one that is to be rented again, "" for any.
type Rental struct {
	Project     string `db:"project"`      // the marketplace's id
	Country     string `db:"country"`      // the marketplace's code
	CountryName string `db:"country_name"` // the marketplace's name
	Phone       string `db:"phone_sealed" seal:"phone"`
}

// PurchaseState is the state of a purchase. ARCHITECTURE.md draws the transitions
// between the states.
type PurchaseState string

const (
	// PurchaseDraft is shown for confirmation.
	PurchaseDraft PurchaseState = "draft"
	// PurchaseSuperseded is a draft that was discarded or replaced by another.
	PurchaseSuperseded PurchaseState = "superseded"
	// PurchaseClaimed is confirmed; nothing has been sent.
	PurchaseClaimed PurchaseState = "claimed"
	// PurchaseSending may have reached the marketplace from now on.
	PurchaseSending PurchaseState = "sending"
	// PurchasePlaced has its order ids.
	PurchasePlaced PurchaseState = "placed"
	// PurchaseRejected certainly bought nothing.
	PurchaseRejected PurchaseState = "rejected"
	// PurchaseOutcomeUnknown was sent without a conclusive answer.
	PurchaseOutcomeUnknown PurchaseState = "outcome_unknown"
	// PurchaseDismissed had an unknown outcome until the person said that nothing was bought.
	PurchaseDismissed PurchaseState = "dismissed"
)

// Verdict is what the balance suggests about a purchase of unknown outcome.
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

// Purchase is what a person asked for and confirmed. Rate is the marketplace's price in
// Currency for RatePer pieces; Balance is that of the key when the rate was read (the
// last reading before sending, once sent).
type Purchase struct {
	ID             int64           `db:"id"`
	UserID         int64           `db:"user_id"`
	KeyID          int64           `db:"key_id"`
	KeyFingerprint string          `db:"key_fingerprint"`
	Kind           Kind            `db:"kind"`
	Service        int64           `db:"service"`
	Name           string          `db:"name"`
	Category       string          `db:"category"` // in English; "" where it is not known, and of numbers
	Quantity       int64           `db:"quantity"`
	Link           string          `db:"link_sealed" seal:"purchases.link"` // of the content (SMM), or the e-mail for delivery; "" for none
	LinkDigest     string          `db:"link_digest"`                       // keyed, of the link's one spelling; "" for none, and of older purchases
	LinkMisfit     string          `db:"link_misfit"`                       // what the link is that the service does not want, "" for none
	Rental         Rental          `seal:"purchases"`                       // of numbers
	Rate           decimal.Decimal `db:"rate"`
	RatePer        int64           `db:"rate_per"`
	Currency       string          `db:"currency"`
	Stock          int64           `db:"stock"`
	Variants       bool            `db:"variants"` // the marketplace may deliver another variant, at its own price
	Refill         bool            `db:"refill"`   // an SMM service that had it
	Balance        decimal.Decimal `db:"balance"`
	House          bool            `db:"house"`     // the operator's key pays, for an allowance
	Markup         decimal.Decimal `db:"markup"`    // in percent, where House; stays as the card showed it
	Origin         string          `db:"origin"`    // callback data of the screen that it was started from
	Thread         int64           `db:"thread_id"` // Telegram's id of the topic in which the card is; 0 = none

	State   PurchaseState `db:"state"`
	Reason  string        `db:"reason"`                                  // of a rejection, defined by the orders package
	Refusal string        `db:"refusal_sealed" seal:"purchases.refusal"` // the marketplace's sentence, "" for none

	LeaseUntil  time.Time           `db:"lease_until"`
	Checks      int                 `db:"checks"` // balance readings while the outcome is unknown
	NextCheckAt time.Time           `db:"next_check_at"`
	BalanceSeen decimal.NullDecimal `db:"balance_seen"` // the newest of these readings
	Verdict     Verdict             `db:"verdict"`

	CreatedAt time.Time `db:"created_at"`
	ExpiresAt time.Time `db:"expires_at"`
	SentAt    time.Time `db:"sent_at"`
	SettledAt time.Time `db:"settled_at"`
	Damaged   error     // why sealed fields can't be read and are empty; nil where they can
}

var purchaseColumns = columnsOf[Purchase]()

// ThreadOf returns the topic of the chat to which messages about a person's purchase or
// order go: that of the purchase. 0 means none.
func (db *DB) ThreadOf(ctx context.Context, userID, purchaseID, orderID int64) (int64, error) {
	var thread int64
	err := db.reader.GetContext(ctx, &thread, `SELECT COALESCE(MAX(thread_id), 0) FROM purchases
		WHERE user_id = ? AND id IN (?, (SELECT purchase_id FROM orders WHERE id = ?))`, userID, purchaseID, orderID)
	if err != nil {
		return 0, fmt.Errorf("read the topic of a purchase: %w", err)
	}
	return thread, nil
}

// Total is the price of the whole purchase at its rate, exactly.
func (p Purchase) Total() decimal.Decimal {
	return PriceOf(p.Rate, p.Quantity, p.RatePer)
}

// PriceOf is the price of quantity pieces at rate for per pieces, exactly (per is 1 or
// a power of ten, so the division ends).
func PriceOf(rate decimal.Decimal, quantity, per int64) decimal.Decimal {
	return rate.Mul(decimal.NewFromInt(quantity)).DivRound(decimal.NewFromInt(per), 12)
}

// WithoutAccount returns the purchase as its person may see it: without the balance of the
// operator's account.
func (p Purchase) WithoutAccount() Purchase {
	if p.House {
		p.Balance, p.BalanceSeen = decimal.Zero, decimal.NullDecimal{}
	}
	return p
}

// HousePurchase returns a purchase of any person that the operator's key pays, or
// ErrNotFound. It is for admins.
func (db *DB) HousePurchase(ctx context.Context, id int64) (Purchase, error) {
	p, err := selectRow[Purchase](ctx, db, db.reader, `SELECT `+purchaseColumns+` FROM purchases WHERE id = ? AND house = 1`, id)
	if err == nil {
		err = p.Damaged
	}
	if err != nil {
		return Purchase{}, fmt.Errorf("read a purchase of the house: %w", err)
	}
	return p, nil
}

// Purchase returns one purchase of this person, or ErrNotFound. A damaged one is an
// error: without its link it must not be bought. The balance is left out where the operator's
// key pays.
func (db *DB) Purchase(ctx context.Context, userID, id int64) (Purchase, error) {
	p, err := selectRow[Purchase](ctx, db, db.reader, `SELECT `+purchaseColumns+` FROM purchases WHERE id = ? AND user_id = ?`, id, userID)
	if err == nil {
		err = p.Damaged
	}
	if err != nil {
		return Purchase{}, fmt.Errorf("read purchase: %w", err)
	}
	return p.WithoutAccount(), nil
}

// UnresolvedPurchases returns this person's purchases of unknown outcome, newest first,
// at most 20; with dismissed also the dismissed ones, whose order may still turn up. Balances
// are left out as Purchase does.
func (db *DB) UnresolvedPurchases(ctx context.Context, userID int64, dismissed bool) ([]Purchase, error) {
	states := `state = 'outcome_unknown'`
	if dismissed {
		states = `state IN ('outcome_unknown', 'dismissed')`
	}
	found, err := db.purchases(ctx, "read unresolved purchases", `WHERE user_id = ? AND `+states+` ORDER BY created_at DESC LIMIT 20`, userID)
	for i, p := range found {
		found[i] = p.WithoutAccount()
	}
	return found, err
}

// OverdueLeases returns claimed and sending purchases whose lease has expired: the
// process that held it is gone. The error beside them names the damaged ones among
// them.
func (db *DB) OverdueLeases(ctx context.Context, now time.Time, limit int) ([]Purchase, error) {
	return db.purchasesAndDamage(ctx, "read overdue leases",
		`WHERE state IN ('claimed', 'sending') AND lease_until <= ? ORDER BY lease_until LIMIT ?`, toMillis(now), limit)
}

// DueChecks returns purchases of unknown outcome whose next balance reading is due. The
// error beside them names the damaged ones among them.
func (db *DB) DueChecks(ctx context.Context, now time.Time, limit int) ([]Purchase, error) {
	return db.purchasesAndDamage(ctx, "read due checks",
		`WHERE state = 'outcome_unknown' AND next_check_at > 0 AND next_check_at <= ? ORDER BY next_check_at LIMIT ?`, toMillis(now), limit)
}

// purchases returns purchases with the damaged ones among them.
func (db *DB) purchases(ctx context.Context, what, where string, args ...any) ([]Purchase, error) {
	purchases, err := selectRows[Purchase](ctx, db, db.reader, `SELECT `+purchaseColumns+` FROM purchases `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return purchases, nil
}

// purchasesAndDamage is purchases; the error beside them is the damage of all.
func (db *DB) purchasesAndDamage(ctx context.Context, what, where string, args ...any) ([]Purchase, error) {
	purchases, err := db.purchases(ctx, what, where, args...)
	for _, p := range purchases {
		err = errors.Join(err, p.Damaged)
	}
	return purchases, err
}

// purchaseExists recognizes a transaction by the purchase that it has stored.
func purchaseExists(ctx context.Context, p Purchase) committed {
	return finds(ctx, `SELECT 1 FROM purchases WHERE id = ?`, p.ID)
}

func (db *DB) insertPurchase(ctx context.Context, tx *sqlx.Tx, p Purchase) error {
	var epoch int64
	if err := tx.GetContext(ctx, &epoch, `SELECT `+selectEpoch); err != nil {
		return err
	}
	return db.insert(ctx, tx, "purchases", &p, "lease_owner", "", "epoch", epoch)
}

// sharedAccountPeriod is within which two keys that show one balance are taken for keys
// of one account.
const sharedAccountPeriod = 10 * time.Minute

// BalanceMayHaveChanged reports whether anything else may have changed the balance of a
// purchase since then: of the same API key or person another purchase that was sent or
// has an unknown outcome, an order that ended with a refund or may be being cancelled,
// or an expired number; of any other key a purchase that showed the same balance in the
// minutes around, so that it is probably of the same account, or a refund of this price.
func (db *DB) BalanceMayHaveChanged(ctx context.Context, p Purchase, since time.Time) (bool, error) {
	const (
		own      = `(key_fingerprint = ? OR user_id = ? AND key_fingerprint <> '')` // imported orders have none
		refunded = `state IN ('cancelled', 'refunded', 'failed', 'partial', 'expired')`
	)
	at, around := toMillis(since), toMillis(since.Add(-sharedAccountPeriod))
	seen := p.Balance
	if p.BalanceSeen.Valid {
		seen = p.BalanceSeen.Decimal
	}
	n, err := db.countRows(ctx, "look for other changes of the balance", `
		SELECT (SELECT COUNT(*) FROM purchases WHERE `+own+` AND id <> ? AND (sent_at >= ? OR state IN ('sending', 'outcome_unknown')))
		     + (SELECT COUNT(*) FROM orders WHERE `+own+` AND closed_at >= ? AND `+refunded+`)
		     + (SELECT COUNT(*) FROM orders WHERE `+own+` AND closed_at = 0 AND kind = 'sms'
		           AND (state = 'open' AND expires_at > 0 AND expires_at <= ? OR state = 'expired' AND expires_at >= ?))
		     + (SELECT COUNT(*) FROM orders WHERE `+own+` AND cancel_sent_at > 0 AND (closed_at = 0 OR closed_at >= ?))
		     + (SELECT COUNT(*) FROM purchases WHERE key_fingerprint NOT IN ('', ?) AND currency = ? AND CAST(NULLIF(balance, '') AS NUMERIC) IN (CAST(? AS NUMERIC), CAST(? AS NUMERIC))
		           AND (created_at >= ? OR sent_at >= ?))
		     + (SELECT COUNT(*) FROM orders WHERE key_fingerprint NOT IN ('', ?) AND currency = ? AND closed_at >= ? AND `+refunded+` AND CAST(NULLIF(charge, '') AS NUMERIC) = CAST(? AS NUMERIC))`,
		p.KeyFingerprint, p.UserID, p.ID, at,
		p.KeyFingerprint, p.UserID, at,
		p.KeyFingerprint, p.UserID, toMillis(time.Now()), at,
		p.KeyFingerprint, p.UserID, at,
		p.KeyFingerprint, p.Currency, money(p.Balance), money(seen), around, around,
		p.KeyFingerprint, p.Currency, at, money(p.Total()))
	return n > 0, err
}

// NextPurchaseEvent returns when the next lease expires or the next balance reading is
// due; zero where neither is.
func (db *DB) NextPurchaseEvent(ctx context.Context) (time.Time, error) {
	return db.readTime(ctx, "read next purchase event", `
		SELECT MIN(at) FROM (
		    SELECT MIN(lease_until) AS at FROM purchases WHERE state IN ('claimed', 'sending')
		    UNION ALL
		    SELECT MIN(next_check_at) AS at FROM purchases WHERE state = 'outcome_unknown' AND next_check_at > 0
		) AS events`)
}

// EmailAnswers is what a person has answered when asked for a delivery e-mail.
type EmailAnswers struct {
	Given   bool   // at least once
	Last    string // the last answer; "" for none
	Address string // the last address, also where later answers were none
}

// lastAnswers limits how many purchases EmailAnswers reads.
const lastAnswers = 20

// EmailAnswers reads the answers from the latest purchases of products, drafts included.
func (db *DB) EmailAnswers(ctx context.Context, userID int64) (answers EmailAnswers, err error) {
	purchases, err := selectRows[Purchase](ctx, db, db.reader, `SELECT `+purchaseColumns+` FROM purchases
		WHERE user_id = ? AND kind = ? ORDER BY created_at DESC, id DESC LIMIT ?`, userID, KindProduct, lastAnswers)
	if err != nil {
		return EmailAnswers{}, fmt.Errorf("read answers about an e-mail: %w", err)
	}
	for i, p := range purchases {
		if p.Damaged != nil {
			return answers, nil //nolint:nilerr // what can't be read is asked again
		}
		if i == 0 {
			answers = EmailAnswers{Given: true, Last: p.Link}
		}
		answers.Address = p.Link
		if p.Link != "" {
			break
		}
	}
	return answers, nil
}
