package storage

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
)

// Maintenance says whether buying is closed. ClaimPurchase checks it: no purchase is
// claimed after SetMaintenance has returned.
type Maintenance struct {
	Since time.Time // zero: buying is open
	Text  string    // the admins' sentence to people, plain text; "" for the standard one
}

// On reports whether buying is closed.
func (m Maintenance) On() bool { return !m.Since.IsZero() }

// Maintenance returns the present state.
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

// SetMaintenance closes buying, or opens it with the zero time, with the audit entry. It
// changes and records nothing where that is so already.
func (db *DB) SetMaintenance(ctx context.Context, since time.Time, entry AuditEntry) error {
	entry.ID = newID()
	err := db.writeOnce(ctx, auditExists(ctx, entry), func(tx *sqlx.Tx) error {
		before, err := setting(ctx, tx, selectSetting, maintenanceSetting)
		if err != nil || (before == "") == since.IsZero() {
			return err
		}
		value := ""
		if !since.IsZero() {
			value = strconv.FormatInt(toMillis(since), 10)
		}
		if err := setSetting(ctx, tx, upsertSetting, maintenanceSetting, value); err != nil {
			return err
		}
		return db.insertAudit(ctx, tx, entry)
	})
	if err != nil {
		return fmt.Errorf("set maintenance: %w", err)
	}
	return nil
}

// SetMaintenanceText stores the sentence to people, "" for the standard one, with the
// audit entry.
func (db *DB) SetMaintenanceText(ctx context.Context, text string, entry AuditEntry) error {
	return db.SetSettingAudited(ctx, maintenanceText, text, entry)
}
