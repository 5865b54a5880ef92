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
	// botSetting holds Telegram's id of the bot whose database it is.
	botSetting = "bot_id"
	// pingSetting holds when Ping last wrote, as unix milliseconds.
	pingSetting = "ping_at"
)

// SMMRateConfirmedSetting is the setting that says that a real charge has confirmed the rate
// of SMM services to be for so many pieces.
func SMMRateConfirmedSetting(per int64) string {
	return "smm_rate_per_" + strconv.FormatInt(per, 10) + "_confirmed"
}

// SMMRateMismatchSetting is the setting that holds when a charge showed that the rate of
// SMM services is not for per pieces, as unix milliseconds.
func SMMRateMismatchSetting(per int64) string {
	return "smm_rate_per_" + strconv.FormatInt(per, 10) + "_refuted"
}

// Setting returns the value stored under name, or "".
func (db *DB) Setting(ctx context.Context, name string) (string, error) {
	return setting(ctx, db.reader, selectSetting, name)
}

// Settings returns the values stored under names, in their order, each "" for none.
func (db *DB) Settings(ctx context.Context, names ...string) ([]string, error) {
	query, args, err := sqlx.In(`SELECT name, value FROM settings WHERE name IN (?)`, names)
	var rows []struct {
		Name  string `db:"name"`
		Value string `db:"value"`
	}
	if err == nil {
		err = db.reader.SelectContext(ctx, &rows, query, args...)
	}
	if err != nil {
		return nil, fmt.Errorf("storage: reading settings: %w", err)
	}
	values := make([]string, len(names))
	for _, row := range rows {
		for i, name := range names {
			if name == row.Name {
				values[i] = row.Value
			}
		}
	}
	return values, nil
}

// SetSetting stores value under name.
func (db *DB) SetSetting(ctx context.Context, name, value string) error {
	return db.submitOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		return setSetting(ctx, tx, upsertSetting, name, value)
	})
}

// SwapSetting stores value under name if the present one is old ("" for none), and reports
// whether it is stored now.
func (db *DB) SwapSetting(ctx context.Context, name, old, value string) (swapped bool, err error) {
	err = db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		present, err := setting(ctx, tx, selectSetting, name)
		if swapped = present == old || present == value; err != nil || !swapped {
			return err
		}
		return setSetting(ctx, tx, upsertSetting, name, value)
	})
	return swapped && err == nil, err
}

// belongTo makes the database that of a bot, or returns ErrOtherBot.
func (db *DB) belongTo(ctx context.Context, botID string) error {
	var owner string
	err := db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) (err error) {
		if owner, err = setting(ctx, tx, selectSetting, botSetting); err != nil || owner != "" {
			return err
		}
		owner = botID
		return setSetting(ctx, tx, upsertSetting, botSetting, botID)
	})
	if err != nil {
		return err
	}
	return checkBot(owner, botID)
}

func checkBot(owner, botID string) error {
	if owner != botID {
		return fmt.Errorf("%w: it is that of bot %s, and TELEGRAM_TOKEN is of bot %s", ErrOtherBot, owner, botID)
	}
	return nil
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
	err = db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		sealed, err := setting(ctx, tx, selectSetting, digestSetting)
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
		return setSetting(ctx, tx, upsertSetting, digestSetting, sealed)
	})
	return key, err
}

// checkDigestKey reports as an error that the key of Digest can't be opened.
func (db *DB) checkDigestKey(ctx context.Context) error {
	sealed, err := db.Setting(ctx, digestSetting)
	if err == nil {
		_, err = db.unseal("settings", digestSetting, 0, sealed)
	}
	return err
}
