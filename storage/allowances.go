package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// Why nothing can be bought with the operator's key.
var (
	// ErrAllowanceLow says that less than the price with the markup is available.
	ErrAllowanceLow = errors.New("storage: the allowance is too low")
	// ErrNoAllowance says that the person has no allowance, or one in another currency than
	// the price, or is blocked.
	ErrNoAllowance = errors.New("storage: no allowance")
	// ErrNoOperatorKey says that the operator has no key (SetOperatorKey).
	ErrNoOperatorKey = errors.New("storage: the operator has no key")
)

// Errors of giving an allowance, and of keys.
var (
	// ErrHouseKey says that a person's own key is the operator's key.
	ErrHouseKey = errors.New("storage: it is the operator's key")
	// ErrBadTerms says that terms of an allowance are out of range.
	ErrBadTerms = errors.New("storage: the terms of the allowance are out of range")
	// ErrHasAllowance says that a person who opens a link has an allowance already.
	ErrHasAllowance = errors.New("storage: the person has an allowance")
)

// operator is what SetOperatorKey was told.
type operator struct {
	key    redact.Secret
	admins []int64
}

// AllowanceTerms are what an allowance gives.
type AllowanceTerms struct {
	Amount   decimal.Decimal `db:"amount"`   // with the markup, more than 0
	Currency string          `db:"currency"` // of the operator's account when it was given
	Monthly  bool            `db:"monthly"`  // each calendar month (Options.Zone); else once
	Markup   decimal.Decimal `db:"markup"`   // in percent, from 0 to 100, at most two decimals
}

// Valid reports whether the terms are in range.
func (t AllowanceTerms) Valid() bool {
	return t.Amount.IsPositive() && t.Currency != "" && !t.Markup.IsNegative() &&
		t.Markup.LessThanOrEqual(decimal.NewFromInt(100)) && t.Markup.Equal(t.Markup.Truncate(2))
}

// Allowance is what a person may buy with the operator's key.
type Allowance struct {
	UserID int64 `db:"user_id"`
	// GrantID is that of all purchases with this allowance. Another one begins after it was
	// removed, and with another currency.
	GrantID int64 `db:"grant_id"`
	AllowanceTerms
	GivenBy   int64     `db:"given_by"` // the admin
	CreatedAt time.Time `db:"created_at"`
	ChangedAt time.Time `db:"changed_at"`
	// Pays: the operator's key pays. Else the person's own one does, see PayWith.
	Pays  bool `db:"pays" from:"COALESCE((SELECT MAX(pays) FROM api_keys WHERE api_keys.user_id = allowances.user_id AND house = 1), 0)"`
	Usage      // in this month, or, of one that is given once, at all
}

// Usage is what purchases have taken from an allowance, with the markup.
type Usage struct {
	Held  decimal.Decimal // of purchases that are not settled
	Spent decimal.Decimal // charged, without refunds
}

// Available is what may still be bought. It is negative after an allowance was lowered, and
// where a purchase has cost more than its card showed.
func (a Allowance) Available() decimal.Decimal { return a.Amount.Sub(a.Held).Sub(a.Spent) }

// SetOperatorKey tells the database the operator's key, "" for none, and the admins who are
// told about purchases that have cost more than their hold. It is called once, before
// anything is bought or polled. Where the key is another one than before, all people's keys
// of the house become it, also for the orders that are open. Without a key nothing is bought
// with allowances, and open orders are polled with the key before. A person whose own key is
// the new one needs no allowance and loses it.
func (db *DB) SetOperatorKey(ctx context.Context, key redact.Secret, admins []int64) error {
	db.house.Store(&operator{key: key, admins: admins})
	if key != "" {
		if err := db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error { return db.refreshHouseKeys(ctx, tx) }); err != nil {
			return fmt.Errorf("set the operator's key: %w", err)
		}
	}
	return nil
}

// operator returns what SetOperatorKey was told last.
func (db *DB) operator() operator {
	if known := db.house.Load(); known != nil {
		return *known
	}
	return operator{}
}

// HasOperatorKey reports whether SetOperatorKey was told a key.
func (db *DB) HasOperatorKey() bool { return db.operator().key != "" }

// IsOperatorKey reports whether a secret is the operator's key.
func (db *DB) IsOperatorKey(secret redact.Secret) bool {
	return db.operator().key != "" && secret == db.operator().key
}

// UsableSecret returns the secret of a key. That of one of the house is dropped once its
// person has no allowance and nothing on its way; it is still the operator's key if that has
// not changed, and may read what it has bought.
func (db *DB) UsableSecret(key Key) redact.Secret {
	if key.House && key.Secret == "" && db.operator().key != "" && key.Fingerprint == db.houseFingerprint() {
		return db.operator().key
	}
	return key.Secret
}

func (db *DB) houseFingerprint() string {
	return db.Digest(keyDomain, []byte(db.operator().key.Reveal()))
}

// refreshHouseKeys is the transaction of SetOperatorKey.
func (db *DB) refreshHouseKeys(ctx context.Context, tx *sqlx.Tx) error {
	fingerprint := db.houseFingerprint()
	old, err := selectRows[Key](ctx, db, tx, `SELECT `+plainColumnsOf[Key]()+` FROM api_keys
		WHERE house = 1 AND (fingerprint <> ? AND secret_sealed <> '' OR secret_sealed = '' AND EXISTS (SELECT 1 FROM allowances WHERE allowances.user_id = api_keys.user_id))
		ORDER BY id`, fingerprint)
	if err != nil {
		return err
	}
	for _, key := range old {
		key.Secret, key.Fingerprint, key.Invalid = db.operator().key, fingerprint, false
		set, args := db.assignments(&key, "secret_sealed", "fingerprint", "invalid")
		renewed, err := db.transitionTx(ctx, tx, `UPDATE api_keys SET `+set+` WHERE id = ?
			AND NOT EXISTS (SELECT 1 FROM api_keys own WHERE own.user_id = api_keys.user_id AND own.fingerprint = ? AND own.id <> api_keys.id)`, append(args, key.ID, fingerprint)...)
		if err == nil && !renewed {
			err = db.endAllowance(ctx, tx, key.UserID)
		}
		if err == nil && renewed {
			err = renewFingerprints(ctx, tx, key.ID, fingerprint)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// renewFingerprints makes everything that goes on with a key that was replaced be of the new
// one, so that BalanceMayHaveChanged finds it. Of a new key whose slot is taken already,
// a purchase in flight keeps the slot that it has.
func renewFingerprints(ctx context.Context, tx *sqlx.Tx, keyID int64, fingerprint string) error {
	const inFlight = `state IN ('claimed', 'sending')`
	_, err := tx.ExecContext(ctx, `UPDATE purchases SET key_fingerprint = ? WHERE key_id = ? AND (state IN ('draft', 'outcome_unknown', 'dismissed')
		OR `+inFlight+` AND NOT EXISTS (SELECT 1 FROM purchases other WHERE other.key_fingerprint = ? AND other.`+inFlight+`))`, fingerprint, keyID, fingerprint)
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE orders SET key_fingerprint = ? WHERE key_id = ? AND closed_at = 0`, fingerprint, keyID)
	}
	return err
}

// GiveAllowance gives a person an allowance, or changes it, with the audit entry and the
// messages about it. What is on
// its way with the terms before stays as it is. The operator's key pays at once if the person
// has no own key. The error is ErrNotFound for an unknown person, ErrNoOperatorKey,
// ErrHouseKey or ErrBadTerms.
func (db *DB) GiveAllowance(ctx context.Context, userID int64, terms AllowanceTerms, entry AuditEntry, messages ...Message) (Allowance, error) {
	entry.ID, messages = newID(), withIDs(messages...)
	err := db.writeOnce(ctx, auditExists(ctx, entry), func(tx *sqlx.Tx) error {
		if err := db.giveAllowance(ctx, tx, userID, terms, entry.AdminID, entry.At); err != nil {
			return err
		}
		return errors.Join(db.insertAudit(ctx, tx, entry), db.insertMessages(ctx, tx, messages))
	})
	if err != nil {
		return Allowance{}, fmt.Errorf("give an allowance: %w", err)
	}
	return db.Allowance(ctx, userID, entry.At)
}

func (db *DB) giveAllowance(ctx context.Context, tx *sqlx.Tx, userID int64, terms AllowanceTerms, admin int64, now time.Time) error {
	if db.operator().key == "" {
		return ErrNoOperatorKey
	}
	if !terms.Valid() {
		return ErrBadTerms
	}
	if _, err := selectRow[User](ctx, db, tx, `SELECT `+userColumns+` FROM users WHERE id = ?`, userID); err != nil {
		return err
	}
	a := Allowance{UserID: userID, GrantID: newID(), AllowanceTerms: terms, GivenBy: admin, CreatedAt: now, ChangedAt: now}
	query, args := db.insertion("allowances", &a)
	if _, err := tx.ExecContext(ctx, query+` ON CONFLICT (user_id) DO UPDATE SET amount = excluded.amount, currency = excluded.currency, monthly = excluded.monthly,
		markup = excluded.markup, given_by = excluded.given_by, changed_at = excluded.changed_at,
		grant_id = CASE WHEN allowances.currency = excluded.currency THEN allowances.grant_id ELSE excluded.grant_id END`, args...); err != nil {
		return err
	}
	key, err := selectRow[Key](ctx, db, tx, `SELECT `+plainColumnsOf[Key]()+` FROM api_keys WHERE user_id = ? AND (house = 1 OR fingerprint = ?) ORDER BY house LIMIT 1`, userID, db.houseFingerprint())
	switch {
	case errors.Is(err, ErrNotFound):
		key = Key{ID: newID(), UserID: userID, Secret: db.operator().key, Fingerprint: db.houseFingerprint(), State: KeyReplaced, House: true, CreatedAt: now}
		err = db.insert(ctx, tx, "api_keys", &key)
	case err == nil && !key.House:
		err = ErrHouseKey
	case err == nil: // of an earlier allowance
		key.Secret, key.Fingerprint = db.operator().key, db.houseFingerprint()
		set, args := db.assignments(&key, "secret_sealed", "fingerprint")
		_, err = tx.ExecContext(ctx, `UPDATE api_keys SET `+set+` WHERE id = ?`, append(args, key.ID)...)
	}
	if err != nil {
		return err
	}
	return db.letHousePay(ctx, tx, userID)
}

// letHousePay makes the operator's key pay where a person has an allowance and no own key.
func (db *DB) letHousePay(ctx context.Context, tx *sqlx.Tx, userID int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE api_keys SET pays = 1 WHERE user_id = ? AND house = 1 AND EXISTS (SELECT 1 FROM allowances WHERE allowances.user_id = api_keys.user_id)
		AND NOT EXISTS (SELECT 1 FROM api_keys own WHERE own.user_id = api_keys.user_id AND own.state = 'active')`, userID)
	return err
}

// RemoveAllowance removes a person's allowance, with the audit entry and the messages. It reports false, and
// records nothing, where there is none. What is on its way goes on.
func (db *DB) RemoveAllowance(ctx context.Context, userID int64, entry AuditEntry, messages ...Message) (removed bool, err error) {
	entry.ID, messages = newID(), withIDs(messages...)
	return db.transitionOnce(ctx, "remove an allowance", auditExists(ctx, entry), func(tx *sqlx.Tx) error {
		return errors.Join(db.endAllowance(ctx, tx, userID), db.insertAudit(ctx, tx, entry), db.insertMessages(ctx, tx, messages))
	}, `DELETE FROM allowances WHERE user_id = ?`, userID)
}

// endAllowance makes the operator's key pay nothing more for a person.
func (db *DB) endAllowance(ctx context.Context, tx *sqlx.Tx, userID int64) error {
	for _, query := range []string{
		`DELETE FROM allowances WHERE user_id = ?`,
		`UPDATE api_keys SET pays = 0 WHERE user_id = ?`,
	} {
		if _, err := tx.ExecContext(ctx, query, userID); err != nil {
			return err
		}
	}
	return db.dropUnusedKeys(ctx, tx, userID)
}

// PayWith makes the operator's key pay for a person, or with house false their own key. It
// reports false where they have no such key, or no allowance.
func (db *DB) PayWith(ctx context.Context, userID int64, house bool) (bool, error) {
	if house {
		return db.transition(ctx, "pay with the operator's key", `UPDATE api_keys SET pays = 1 WHERE user_id = ? AND house = 1
			AND EXISTS (SELECT 1 FROM allowances WHERE allowances.user_id = api_keys.user_id)`, userID)
	}
	return db.transitionOnce(ctx, "pay with the own key", repeatable, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE api_keys SET pays = 0 WHERE user_id = ? AND house = 1`, userID)
		return err
	}, `UPDATE api_keys SET pays = 0 WHERE user_id = ? AND state = 'active'`, userID)
}

// Allowance returns a person's allowance with what it has been used for at a time, or
// ErrNotFound.
func (db *DB) Allowance(ctx context.Context, userID int64, now time.Time) (Allowance, error) {
	a, err := db.allowance(ctx, db.reader, userID, now)
	if err != nil {
		return Allowance{}, fmt.Errorf("read an allowance: %w", err)
	}
	return a, nil
}

func (db *DB) allowance(ctx context.Context, q sqlx.QueryerContext, userID int64, now time.Time) (Allowance, error) {
	a, err := selectRow[Allowance](ctx, db, q, `SELECT `+columnsOf[Allowance]()+` FROM allowances WHERE user_id = ?`, userID)
	if err == nil {
		a.Usage, err = db.usage(ctx, q, a, now)
	}
	return a, err
}

// Markup returns the markup of a person's allowance in percent, 0 where there is none.
func (db *DB) Markup(ctx context.Context, userID int64) (decimal.Decimal, error) {
	var markup money
	err := db.reader.GetContext(ctx, &markup, `SELECT COALESCE(MAX(markup), '0') FROM allowances WHERE user_id = ?`, userID)
	if err != nil {
		return decimal.Zero, fmt.Errorf("read a markup: %w", err)
	}
	return decimal.Decimal(markup), nil
}

// HasAllowance reports whether a person has an allowance, whatever pays.
func (db *DB) HasAllowance(ctx context.Context, userID int64) (bool, error) {
	n, err := db.countRows(ctx, "look for an allowance", `SELECT COUNT(*) FROM allowances WHERE user_id = ?`, userID)
	return n > 0, err
}

// Allowances returns a page of all allowances, the latest first, and how many there are.
func (db *DB) Allowances(ctx context.Context, now time.Time, limit, offset int) ([]Allowance, int, error) {
	total, err := db.countRows(ctx, "count allowances", `SELECT COUNT(*) FROM allowances`)
	if err != nil {
		return nil, 0, err
	}
	all, err := selectRows[Allowance](ctx, db, db.reader, `SELECT `+columnsOf[Allowance]()+` FROM allowances ORDER BY created_at DESC, user_id LIMIT ? OFFSET ?`, limit, offset)
	for i := range all {
		if err == nil {
			all[i].Usage, err = db.usage(ctx, db.reader, all[i], now)
		}
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read allowances: %w", err)
	}
	return all, total, nil
}
