package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"hstockbot/internal/redact"
)

// KeyState is the state of a person's API key.
type KeyState string

const (
	// KeyActive is the key that browses and buys. A person has at most one.
	KeyActive KeyState = "active"
	// KeyReplaced was replaced by another; it is kept for the orders it bought.
	KeyReplaced KeyState = "replaced"
	// KeyRemoved was removed by the person; its orders wait for another key.
	KeyRemoved KeyState = "removed"
)

// Key is a marketplace API key that a person has given, or, where House, the operator's,
// with which a person who has an allowance buys. In the table the state of a key of the house
// is always "replaced", so that programs from before allowances never buy with it.
type Key struct {
	ID          int64         `db:"id"`
	UserID      int64         `db:"user_id"`
	Secret      redact.Secret `db:"secret_sealed" seal:"api_keys.secret" owner:"user_id"` // "" once dropped, and where Damaged
	Fingerprint string        `db:"fingerprint"`                                          // digest of the secret: equal keys of different people have the same
	State       KeyState      `db:"state"`
	Invalid     bool          `db:"invalid"` // the marketplace refused it
	House       bool          `db:"house"`   // the operator's: the person must not see its secret, fingerprint or balance
	Pays        bool          `db:"pays"`    // of the house: it pays, instead of the person's active key
	CreatedAt   time.Time     `db:"created_at"`
	Damaged     error         // why Secret can't be read, nil where it can
}

const keyDomain = "key" // of the digests of keys

var keyColumns = columnsOf[Key]()

// SaveKey makes secret the person's active key. The one before becomes replaced and
// is kept, sealed, as long as its orders need it. A secret that the person gave
// before keeps its row (so its orders) and is no longer invalid. The key pays from now on,
// also where the person has an allowance. ErrHouseKey: it is the operator's, and the person
// has or had an allowance.
func (db *DB) SaveKey(ctx context.Context, userID int64, secret redact.Secret) (Key, error) {
	key := Key{UserID: userID, Secret: secret, Fingerprint: db.Digest(keyDomain, []byte(secret.Reveal())), State: KeyActive, CreatedAt: time.Now()}
	var saved Key
	err := db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		if err := db.lockUser(ctx, tx, userID); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE api_keys SET state = ? WHERE user_id = ? AND state = ? AND fingerprint <> ?`,
			KeyReplaced, userID, KeyActive, key.Fingerprint); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE api_keys SET pays = 0 WHERE user_id = ?`, userID); err != nil {
			return err
		}
		if err := db.dropUnusedKeys(ctx, tx, userID); err != nil {
			return err
		}
		key := key
		key.ID = newID()
		var house bool
		err := tx.QueryRowxContext(ctx, `SELECT id, house FROM api_keys WHERE user_id = ? AND fingerprint = ?`, userID, key.Fingerprint).Scan(&key.ID, (*bit)(&house))
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if house {
			return ErrHouseKey
		}
		query, args := db.insertion("api_keys", &key)
		saved, err = selectRow[Key](ctx, db, tx, query+`
			ON CONFLICT (id) DO UPDATE SET secret_sealed = excluded.secret_sealed, state = excluded.state, invalid = 0
			RETURNING `+keyColumns, args...)
		return err
	})
	if err != nil {
		return Key{}, fmt.Errorf("save key: %w", err)
	}
	return saved, nil
}

// unboundKeysSetting is set by migration 18 until sealKeysForOwners has run.
const unboundKeysSetting = "keys_without_owner"

// sealKeysForOwners seals keys anew that an older program sealed without their owner,
// once after migration 18. A value that can't be opened stays as it is. Where the
// Keyring lacks its key, the next start tries again.
func (db *DB) sealKeysForOwners(ctx context.Context) error {
	err := db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		unbound, err := setting(ctx, tx, selectSetting, unboundKeysSetting)
		if err != nil || unbound == "" {
			return err
		}
		var rows []struct {
			ID     int64  `db:"id"`
			UserID int64  `db:"user_id"`
			Sealed string `db:"secret_sealed"`
		}
		if err := tx.SelectContext(ctx, &rows, `SELECT id, user_id, secret_sealed FROM api_keys WHERE secret_sealed <> ''`); err != nil {
			return err
		}
		complete := true
		for _, row := range rows {
			plain, err := db.unseal("api_keys", "secret", row.ID, row.Sealed)
			if err != nil {
				var unknown *UnknownKeyError
				complete = complete && !errors.As(err, &unknown)
				continue
			}
			sealed := db.seal("api_keys", "secret", row.ID, plain, row.UserID)
			if _, err := tx.ExecContext(ctx, `UPDATE api_keys SET secret_sealed = ? WHERE id = ?`, sealed, row.ID); err != nil {
				return err
			}
		}
		if !complete {
			return nil
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM settings WHERE name = ?`, unboundKeysSetting)
		return err
	})
	if err != nil {
		return fmt.Errorf("seal keys for their owners: %w", err)
	}
	return nil
}

// paysNow is the condition of the key that a person buys with.
const paysNow = `(pays = 1 OR api_keys.state = 'active' AND NOT EXISTS (SELECT 1 FROM api_keys paying WHERE paying.user_id = api_keys.user_id AND paying.pays = 1))`

// ActiveKey returns the key that the person browses and buys with, or ErrNotFound: the own
// one, or the operator's (Key.House). A damaged one is an error.
func (db *DB) ActiveKey(ctx context.Context, userID int64) (Key, error) {
	return db.key(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE user_id = ? AND `+paysNow, userID)
}

// OwnKey returns the active key that the person has given, also while the operator's pays,
// or ErrNotFound. A damaged one is an error.
func (db *DB) OwnKey(ctx context.Context, userID int64) (Key, error) {
	return db.key(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE user_id = ? AND state = 'active'`, userID)
}

// Key returns a key in any state, or ErrNotFound. A damaged one is an error.
func (db *DB) Key(ctx context.Context, id int64) (Key, error) {
	return db.key(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE id = ?`, id)
}

func (db *DB) key(ctx context.Context, query string, arg int64) (Key, error) {
	key, err := selectRow[Key](ctx, db, db.reader, query, arg)
	if err == nil {
		err = key.Damaged
	}
	if err != nil {
		return Key{}, fmt.Errorf("read key: %w", err)
	}
	return key, nil
}

// RemoveKey removes the person's own active key and deletes its secret; its orders wait
// for another key. The operator's pays from then on where the person has an allowance. The
// error is ErrNotFound where there is no own key.
func (db *DB) RemoveKey(ctx context.Context, userID int64) error {
	made := finds(ctx, `SELECT 1 FROM users WHERE id = ? AND NOT EXISTS (SELECT 1 FROM api_keys WHERE user_id = users.id AND state = 'active')`, userID)
	removed, err := db.transitionOnce(ctx, "remove key", made, func(tx *sqlx.Tx) error { return db.letHousePay(ctx, tx, userID) },
		`UPDATE api_keys SET state = ?, secret_sealed = '' WHERE user_id = ? AND state = ?`, KeyRemoved, userID, KeyActive)
	if err == nil && !removed {
		return fmt.Errorf("remove key: %w", ErrNotFound)
	}
	if err == nil {
		db.eraseNow(ctx)
	}
	return err
}

// RefuseKey records that the marketplace does not accept a key, with the message to
// its owner. It reports false where that was recorded before. Of the operator's key there is
// no message, because the monitor alerts admins, and it is refused for all people.
func (db *DB) RefuseKey(ctx context.Context, keyID int64, message Message) (bool, error) {
	refused, err := db.transitionWithMessage(ctx, "refuse key", message, `UPDATE api_keys SET invalid = 1 WHERE id = ? AND invalid = 0 AND house = 0`, keyID)
	if err == nil && !refused {
		_, err = db.transition(ctx, "refuse the operator's key", `UPDATE api_keys SET invalid = 1 WHERE invalid = 0 AND `+sameHouseKey, keyID)
	}
	return refused, err
}

// sameHouseKey is the condition of all people's keys of the house that are the same as one.
const sameHouseKey = `house = 1 AND fingerprint = (SELECT fingerprint FROM api_keys one WHERE one.id = ? AND one.house = 1)`

// resumedAge is how long ago orders that waited for a key count as polled: they are
// as urgent as young ones.
const resumedAge = time.Second

// AcceptKey records that the marketplace accepts a key again, and makes its open
// orders due. The operator's key is accepted for all people.
func (db *DB) AcceptKey(ctx context.Context, keyID int64, now time.Time) error {
	_, err := db.transitionOnce(ctx, "accept key", repeatable, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE orders SET next_poll_at = ?, last_poll_at = ?, failures = 0
			WHERE (key_id = ? OR key_id IN (SELECT id FROM api_keys WHERE `+sameHouseKey+`)) AND closed_at = 0 AND next_poll_at > ?`,
			toMillis(now), toMillis(now.Add(-resumedAge)), keyID, keyID, toMillis(now))
		return err
	}, `UPDATE api_keys SET invalid = 0 WHERE invalid = 1 AND (id = ? OR `+sameHouseKey+`)`, keyID, keyID)
	return err
}

// RefusedKeys returns keys that the marketplace refused and that open orders (with
// onlyPhones: rented phones) wait for, at most limit. Damaged keys are left out;
// the error beside the others names them.
func (db *DB) RefusedKeys(ctx context.Context, onlyPhones bool, limit int) ([]Key, error) {
	query := `SELECT ` + keyColumns + ` FROM api_keys WHERE invalid = 1 AND secret_sealed <> ''
		AND EXISTS (SELECT 1 FROM orders WHERE orders.key_id = api_keys.id AND orders.closed_at = 0`
	if onlyPhones {
		query += ` AND orders.kind = 'sms'`
	}
	return db.usableKeys(ctx, "read refused keys", query+`) LIMIT ?`, limit)
}

// usableKeys returns the keys of a query whose secrets can be read, beside an error
// about the others.
func (db *DB) usableKeys(ctx context.Context, what, query string, args ...any) ([]Key, error) {
	found, err := selectRows[Key](ctx, db, db.reader, query, args...)
	keys := make([]Key, 0, len(found))
	for _, key := range found {
		if key.Damaged != nil {
			err = errors.Join(err, key.Damaged)
			continue
		}
		keys = append(keys, key)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", what, err)
	}
	return keys, err
}

// dropUnused finds a person's purchases by the index of people: there is none of keys.
const dropUnused = `
	UPDATE api_keys SET secret_sealed = '' WHERE user_id = ? AND state <> 'active' AND secret_sealed <> ''
	   AND NOT (house = 1 AND EXISTS (SELECT 1 FROM allowances WHERE allowances.user_id = api_keys.user_id))
	   AND NOT EXISTS (SELECT 1 FROM orders WHERE orders.key_id = api_keys.id AND orders.closed_at = 0)
	   AND NOT EXISTS (SELECT 1 FROM purchases WHERE purchases.user_id = api_keys.user_id AND purchases.key_id = api_keys.id
	                   AND (purchases.state IN ('claimed', 'sending', 'outcome_unknown', 'dismissed') OR purchases.house = 1 AND ` + isIncomplete + `))`

// dropUnusedKeys deletes the secrets of a person's keys that are not active, once no
// open order, no purchase in flight or of unknown outcome, none of which an admin may adopt
// more phones, and no allowance needs them.
func (db *DB) dropUnusedKeys(ctx context.Context, tx *sqlx.Tx, userID int64) error {
	_, err := tx.ExecContext(ctx, dropUnused, userID)
	return err
}
