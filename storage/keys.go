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

// KeyState is where a person's API key stands.
type KeyState string

const (
	// KeyActive is the one that looks and buys. A person has at most one.
	KeyActive KeyState = "active"
	// KeyReplaced gave way to another; it is kept for the orders it bought.
	KeyReplaced KeyState = "replaced"
	// KeyRemoved was taken away by the person; its orders wait.
	KeyRemoved KeyState = "removed"
)

// Key is a marketplace API key that a person has given.
type Key struct {
	ID          int64
	UserID      int64
	Secret      redact.Secret // "" once dropped
	Fingerprint string        // Digest("key", the secret): the same for everybody who gives this key
	State       KeyState
	Invalid     bool // the marketplace refused it
	CreatedAt   time.Time
}

// SaveKey makes secret the person's active key; the one before becomes
// replaced and stays sealed as long as what it bought needs it. A secret that they gave before gets its row back
// (with its id, so with its orders) and is no longer invalid.
func (db *DB) SaveKey(ctx context.Context, userID int64, secret redact.Secret) (Key, error) {
	var row keyRow
	digest := db.Digest(keyDomain, []byte(secret.Reveal()))
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, db.bind(`UPDATE api_keys SET state = ? WHERE user_id = ? AND state = ? AND fingerprint <> ?`),
			KeyReplaced, userID, KeyActive, digest); err != nil {
			return err
		}
		if err := db.dropUnusedKeys(ctx, tx, userID); err != nil {
			return err
		}
		id := newID()
		err := tx.GetContext(ctx, &id, db.bind(`SELECT id FROM api_keys WHERE user_id = ? AND fingerprint = ?`), userID, digest)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		sealed := db.sealText(keysTable, secretColumn, id, secret.Reveal())
		return tx.GetContext(ctx, &row, db.bind(`INSERT INTO api_keys (`+keyColumns+`) VALUES (?, ?, ?, ?, ?, 0, ?)
			ON CONFLICT (id) DO UPDATE SET secret_sealed = excluded.secret_sealed, state = excluded.state, invalid = 0
			RETURNING `+keyColumns), id, userID, sealed, digest, KeyActive, toMillis(time.Now()))
	})
	if err != nil {
		return Key{}, fmt.Errorf("save key: %w", err)
	}
	return db.key(row)
}

// ActiveKey returns the person's active key, or ErrNotFound.
func (db *DB) ActiveKey(ctx context.Context, userID int64) (Key, error) {
	return db.oneKey(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE user_id = ? AND state = 'active'`, userID)
}

// Key returns a key in any state, or ErrNotFound.
func (db *DB) Key(ctx context.Context, id int64) (Key, error) {
	return db.oneKey(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE id = ?`, id)
}

// RemoveKey takes the person's active key away and forgets its secret; what it
// bought waits for another one. The error is ErrNotFound where there is none.
func (db *DB) RemoveKey(ctx context.Context, userID int64) error {
	removed, err := db.move(ctx, "remove key",
		`UPDATE api_keys SET state = ?, secret_sealed = '' WHERE user_id = ? AND state = ?`, KeyRemoved, userID, KeyActive)
	if err == nil && !removed {
		return fmt.Errorf("remove key: %w", ErrNotFound)
	}
	return err
}

func (db *DB) oneKey(ctx context.Context, query string, arg int64) (Key, error) {
	var row keyRow
	err := db.reader.GetContext(ctx, &row, db.bind(query), arg)
	if errors.Is(err, sql.ErrNoRows) {
		return Key{}, ErrNotFound
	}
	if err != nil {
		return Key{}, fmt.Errorf("read key: %w", err)
	}
	return db.key(row)
}

// The place that a secret is sealed for.
const (
	keyDomain    = "key" // of digests
	keysTable    = "api_keys"
	secretColumn = "secret"
)

const keyColumns = `id, user_id, secret_sealed, fingerprint, state, invalid, created_at`

type keyRow struct {
	ID           int64    `db:"id"`
	UserID       int64    `db:"user_id"`
	SecretSealed string   `db:"secret_sealed"`
	Fingerprint  string   `db:"fingerprint"`
	State        KeyState `db:"state"`
	Invalid      int64    `db:"invalid"`
	CreatedAt    int64    `db:"created_at"`
}

func (db *DB) key(row keyRow) (Key, error) {
	secret, err := db.unsealText(keysTable, secretColumn, row.ID, row.SecretSealed)
	if err != nil {
		return Key{}, fmt.Errorf("read key: %w", err)
	}
	return Key{
		ID: row.ID, UserID: row.UserID, Secret: redact.Secret(secret), Fingerprint: row.Fingerprint,
		State: row.State, Invalid: row.Invalid == 1, CreatedAt: fromMillis(row.CreatedAt),
	}, nil
}
