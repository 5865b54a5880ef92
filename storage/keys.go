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

// Key is a marketplace API key that a person has given.
type Key struct {
	ID          int64         `db:"id"`
	UserID      int64         `db:"user_id"`
	Secret      redact.Secret `db:"secret_sealed" seal:"api_keys.secret"` // "" once dropped, and where Damaged
	Fingerprint string        `db:"fingerprint"`                          // digest of the secret: equal keys of different people have the same
	State       KeyState      `db:"state"`
	Invalid     bool          `db:"invalid"` // the marketplace refused it
	CreatedAt   time.Time     `db:"created_at"`
	Damaged     error         // why Secret can't be read, nil where it can
}

const keyDomain = "key" // of the digests of keys

var keyColumns = columnsOf[Key]()

// SaveKey makes secret the person's active key. The one before becomes replaced and
// is kept, sealed, as long as its orders need it. A secret that the person gave
// before keeps its row (so its orders) and is no longer invalid.
func (db *DB) SaveKey(ctx context.Context, userID int64, secret redact.Secret) (Key, error) {
	key := Key{UserID: userID, Secret: secret, Fingerprint: db.Digest(keyDomain, []byte(secret.Reveal())), State: KeyActive, CreatedAt: time.Now()}
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, db.bind(`UPDATE api_keys SET state = ? WHERE user_id = ? AND state = ? AND fingerprint <> ?`),
			KeyReplaced, userID, KeyActive, key.Fingerprint); err != nil {
			return err
		}
		if err := db.dropUnusedKeys(ctx, tx, userID); err != nil {
			return err
		}
		key.ID = newID()
		err := tx.GetContext(ctx, &key.ID, db.bind(`SELECT id FROM api_keys WHERE user_id = ? AND fingerprint = ?`), userID, key.Fingerprint)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		query, args := db.insertion("api_keys", &key)
		key, err = selectRow[Key](ctx, db, tx, query+`
			ON CONFLICT (id) DO UPDATE SET secret_sealed = excluded.secret_sealed, state = excluded.state, invalid = 0
			RETURNING `+keyColumns, args...)
		return err
	})
	if err != nil {
		return Key{}, fmt.Errorf("save key: %w", err)
	}
	return key, nil
}

// ActiveKey returns the person's active key, or ErrNotFound. A damaged one is an
// error.
func (db *DB) ActiveKey(ctx context.Context, userID int64) (Key, error) {
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

// RemoveKey removes the person's active key and deletes its secret; its orders wait
// for another key. The error is ErrNotFound where there is none.
func (db *DB) RemoveKey(ctx context.Context, userID int64) error {
	removed, err := db.transition(ctx, "remove key",
		`UPDATE api_keys SET state = ?, secret_sealed = '' WHERE user_id = ? AND state = ?`, KeyRemoved, userID, KeyActive)
	if err == nil && !removed {
		return fmt.Errorf("remove key: %w", ErrNotFound)
	}
	return err
}

// RefuseKey records that the marketplace does not accept a key, with the message to
// its owner. It reports false where that was recorded before.
func (db *DB) RefuseKey(ctx context.Context, keyID int64, message Message) (bool, error) {
	return db.transitionWithMessage(ctx, "refuse key", message, `UPDATE api_keys SET invalid = 1 WHERE id = ? AND invalid = 0`, keyID)
}

// resumedAge is how long ago orders that waited for a key count as polled: they are
// as urgent as young ones.
const resumedAge = time.Second

// AcceptKey records that the marketplace accepts a key again, and makes its open
// orders due.
func (db *DB) AcceptKey(ctx context.Context, keyID int64, now time.Time) error {
	_, err := db.transitionWith(ctx, "accept key", func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, db.bind(`UPDATE orders SET next_poll_at = ?, last_poll_at = ?, failures = 0 WHERE key_id = ? AND closed_at = 0 AND next_poll_at > ?`),
			toMillis(now), toMillis(now.Add(-resumedAge)), keyID, toMillis(now))
		return err
	}, `UPDATE api_keys SET invalid = 0 WHERE id = ? AND invalid = 1`, keyID)
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

// dropUnusedKeys deletes the secrets of a person's keys that are not active, once no
// open order and no purchase in flight or of unknown outcome needs them.
func (db *DB) dropUnusedKeys(ctx context.Context, tx *sqlx.Tx, userID int64) error {
	_, err := tx.ExecContext(ctx, db.bind(`
		UPDATE api_keys SET secret_sealed = '' WHERE user_id = ? AND state <> 'active' AND secret_sealed <> ''
		   AND NOT EXISTS (SELECT 1 FROM orders WHERE orders.key_id = api_keys.id AND orders.closed_at = 0)
		   AND NOT EXISTS (SELECT 1 FROM purchases WHERE purchases.key_id = api_keys.id
		                   AND purchases.state IN ('claimed', 'sending', 'outcome_unknown', 'dismissed'))`), userID)
	return err
}
