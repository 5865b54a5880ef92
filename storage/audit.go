package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// AuditEntry is something that an admin has done. Action is defined by the caller;
// Detail is plain text and never a secret.
type AuditEntry struct {
	ID      int64     `db:"id"`
	AdminID int64     `db:"admin_id"` // Telegram's id
	Action  string    `db:"action"`
	Subject int64     `db:"subject"` // the person or thing that the action is about, 0 for none
	Detail  string    `db:"detail"`
	At      time.Time `db:"at"`
}

// RecordAudit stores an audit entry without any other change.
func (db *DB) RecordAudit(ctx context.Context, entry AuditEntry) error {
	entry.ID = newID()
	err := db.submitOnce(ctx, auditExists(ctx, entry), func(tx *sqlx.Tx) error { return db.insertAudit(ctx, tx, entry) })
	if err != nil {
		return fmt.Errorf("record audit entry: %w", err)
	}
	return nil
}

// SetSettingAudited stores value under name, with the audit entry.
func (db *DB) SetSettingAudited(ctx context.Context, name, value string, entry AuditEntry) error {
	entry.ID = newID()
	return db.writeOnce(ctx, auditExists(ctx, entry), func(tx *sqlx.Tx) error {
		if err := setSetting(ctx, tx, upsertSetting, name, value); err != nil {
			return err
		}
		return db.insertAudit(ctx, tx, entry)
	})
}

// ChangeSettingAudited stores what change returns for the value under name, with the audit
// entry. change may be called again.
func (db *DB) ChangeSettingAudited(ctx context.Context, name string, change func(value string) (string, error), entry AuditEntry) error {
	entry.ID = newID()
	return db.writeOnce(ctx, auditExists(ctx, entry), func(tx *sqlx.Tx) error {
		value, err := setting(ctx, tx, selectSetting, name)
		if err == nil {
			value, err = change(value)
		}
		if err == nil {
			err = setSetting(ctx, tx, upsertSetting, name, value)
		}
		if err != nil {
			return err
		}
		return db.insertAudit(ctx, tx, entry)
	})
}

// AuditLog returns a page of the audit log, newest first, and the number of all
// entries.
func (db *DB) AuditLog(ctx context.Context, limit, offset int) (entries []AuditEntry, total int, err error) {
	entries, err = selectRows[AuditEntry](ctx, db, db.reader,
		`SELECT `+columnsOf[AuditEntry]()+` FROM audit_log ORDER BY at DESC, id DESC LIMIT ? OFFSET ?`, limit, offset)
	if err == nil {
		err = db.reader.GetContext(ctx, &total, `SELECT COUNT(*) FROM audit_log`)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read the audit log: %w", err)
	}
	return entries, total, nil
}

// auditExists recognizes a transaction by the entry that it has stored.
func auditExists(ctx context.Context, entry AuditEntry) committed {
	return finds(ctx, `SELECT 1 FROM audit_log WHERE id = ?`, entry.ID)
}

func (db *DB) insertAudit(ctx context.Context, tx *sqlx.Tx, entry AuditEntry) error {
	return db.insert(ctx, tx, "audit_log", &entry)
}
