package storage

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
)

// Maintenance says whether people may buy. ClaimPurchase obeys it, so that no
// purchase begins once SetMaintenance has returned.
type Maintenance struct {
	Since time.Time // zero: everybody may buy
	Text  string    // what people are told, plain text; "" for the bot's own words
}

// On reports whether buying is closed.
func (m Maintenance) On() bool { return !m.Since.IsZero() }

// Maintenance returns what is set.
func (db *DB) Maintenance(ctx context.Context) (Maintenance, error) {
	since, err := db.Setting(ctx, maintenanceSetting)
	if err != nil {
		return Maintenance{}, err
	}
	text, err := db.Setting(ctx, maintenanceText)
	if err != nil || since == "" {
		return Maintenance{Text: text}, err
	}
	ms, err := strconv.ParseInt(since, 10, 64)
	if err != nil {
		return Maintenance{}, fmt.Errorf("setting %s: %w", maintenanceSetting, err)
	}
	return Maintenance{Since: fromMillis(ms), Text: text}, nil
}

// SetMaintenance closes buying, or opens it again with the zero time, together
// with the deed that does so. Where that is so already, nothing is changed or
// written down.
func (db *DB) SetMaintenance(ctx context.Context, since time.Time, deed AuditEntry) error {
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		before, err := setting(ctx, tx, db.bind(selectSetting), maintenanceSetting)
		if err != nil || (before == "") == since.IsZero() {
			return err
		}
		value := ""
		if !since.IsZero() {
			value = strconv.FormatInt(toMillis(since), 10)
		}
		if err := setSetting(ctx, tx, db.bind(upsertSetting), maintenanceSetting, value); err != nil {
			return err
		}
		return db.insertDeed(ctx, tx, deed)
	})
	if err != nil {
		return fmt.Errorf("set maintenance: %w", err)
	}
	return nil
}

// SetMaintenanceText keeps the sentence that people are told, "" for the bot's
// own, together with the deed that does so.
func (db *DB) SetMaintenanceText(ctx context.Context, text string, deed AuditEntry) error {
	return db.SetSettingAudited(ctx, maintenanceText, text, deed)
}
