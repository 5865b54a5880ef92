package storage

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/jmoiron/sqlx"
)

const (
	// digestSetting holds the key of Digest, sealed.
	digestSetting = "digest_key"
	// maintenanceSetting holds since when buying is closed, as unix milliseconds; ""
	// while it is open.
	maintenanceSetting = "maintenance"
	// maintenanceText holds the admins' sentence about it.
	maintenanceText = "maintenance_text"
)

// SMMRateMismatchSetting is the setting that holds when a charge showed that the rate of
// SMM services is not for per pieces, as unix milliseconds.
func SMMRateMismatchSetting(per int64) string {
	return "smm_rate_per_" + strconv.FormatInt(per, 10) + "_refuted"
}

// Setting returns the value stored under name, or "".
func (db *DB) Setting(ctx context.Context, name string) (string, error) {
	return setting(ctx, db.reader, db.bind(selectSetting), name)
}

// SetSetting stores value under name.
func (db *DB) SetSetting(ctx context.Context, name, value string) error {
	return db.submit(ctx, func(tx *sqlx.Tx) error {
		return setSetting(ctx, tx, db.bind(upsertSetting), name, value)
	})
}

const (
	selectSetting = `SELECT value FROM settings WHERE name = ?`
	upsertSetting = `INSERT INTO settings (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`
)

func setting(ctx context.Context, q sqlx.QueryerContext, query, name string) (string, error) {
	var value string
	err := sqlx.GetContext(ctx, q, &value, query, name)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("storage: reading setting %s: %w", name, err)
	}
	return value, nil
}

func setSetting(ctx context.Context, tx *sqlx.Tx, query, name, value string) error {
	if _, err := tx.ExecContext(ctx, query, name, value); err != nil {
		return fmt.Errorf("storage: storing setting %s: %w", name, err)
	}
	return nil
}

// digestKey returns the key of Digest and creates it the first time. Settings have no
// ids: it is sealed for the column of its name and row 0.
func (db *DB) digestKey(ctx context.Context) (key []byte, err error) {
	err = db.write(ctx, func(tx *sqlx.Tx) error {
		sealed, err := setting(ctx, tx, db.bind(selectSetting), digestSetting)
		if err != nil {
			return err
		}
		if sealed != "" {
			key, err = db.unseal("settings", digestSetting, 0, sealed)
			return err
		}
		key = make([]byte, keySize)
		_, _ = rand.Read(key) // never fails (crypto/rand)
		sealed = db.seal("settings", digestSetting, 0, key)
		return setSetting(ctx, tx, db.bind(upsertSetting), digestSetting, sealed)
	})
	return key, err
}
