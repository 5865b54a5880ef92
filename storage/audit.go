package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// AuditEntry is something that an admin has done. What is a word of whoever records
// it; Detail is plain text and never a secret.
type AuditEntry struct {
	ID      int64
	AdminID int64 // Telegram's id
	Action  string
	Subject int64 // the person or thing that it was done to, 0 for none
	Detail  string
	At      time.Time
}

// RecordAudit writes down what an admin has done and no other change goes with.
func (db *DB) RecordAudit(ctx context.Context, deed AuditEntry) error {
	err := db.submit(ctx, func(tx *sqlx.Tx) error { return db.insertDeed(ctx, tx, deed) })
	if err != nil {
		return fmt.Errorf("record what an admin did: %w", err)
	}
	return nil
}

// SetSettingAudited keeps value under name, together with the deed that did so.
func (db *DB) SetSettingAudited(ctx context.Context, name, value string, deed AuditEntry) error {
	return db.write(ctx, func(tx *sqlx.Tx) error {
		if err := setSetting(ctx, tx, db.bind(upsertSetting), name, value); err != nil {
			return err
		}
		return db.insertDeed(ctx, tx, deed)
	})
}

// AuditLog returns a page of what admins have done, the newest first, and how much
// there is in all.
func (db *DB) AuditLog(ctx context.Context, limit, offset int) (deeds []AuditEntry, total int, err error) {
	var rows []auditRow
	err = db.reader.SelectContext(ctx, &rows, db.bind(
		`SELECT id, admin_id, action, subject, detail, at FROM audit_log ORDER BY at DESC, id DESC LIMIT ? OFFSET ?`), limit, offset)
	if err == nil {
		err = db.reader.GetContext(ctx, &total, `SELECT COUNT(*) FROM audit_log`)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read what admins did: %w", err)
	}
	for _, row := range rows {
		deeds = append(deeds, AuditEntry{ID: row.ID, AdminID: row.Admin, Action: row.What, Subject: row.Subject, Detail: row.Detail, At: fromMillis(row.At)})
	}
	return deeds, total, nil
}

func (db *DB) insertDeed(ctx context.Context, tx *sqlx.Tx, deed AuditEntry) error {
	_, err := tx.ExecContext(ctx, db.bind(`INSERT INTO audit_log (id, admin_id, action, subject, detail, at) VALUES (?, ?, ?, ?, ?, ?)`),
		newID(), deed.AdminID, deed.Action, deed.Subject, deed.Detail, toMillis(deed.At))
	return err
}

type auditRow struct {
	ID      int64  `db:"id"`
	Admin   int64  `db:"admin_id"`
	What    string `db:"action"`
	Subject int64  `db:"subject"`
	Detail  string `db:"detail"`
	At      int64  `db:"at"`
}
