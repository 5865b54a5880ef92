package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Deed is something that an admin has done. What is a word of whoever records
// it; Detail is plain text and never a secret.
type Deed struct {
	ID      int64
	Admin   int64 // Telegram's id
	What    string
	Subject int64 // the person or thing that it was done to, 0 for none
	Detail  string
	At      time.Time
}

// RecordDeed writes down what an admin has done and no other change goes with.
func (db *DB) RecordDeed(ctx context.Context, deed Deed) error {
	err := db.submit(ctx, func(tx *sqlx.Tx) error { return db.insertDeed(ctx, tx, deed) })
	if err != nil {
		return fmt.Errorf("record what an admin did: %w", err)
	}
	return nil
}

// SetSettingAs keeps value under name, together with the deed that did so.
func (db *DB) SetSettingAs(ctx context.Context, name, value string, deed Deed) error {
	return db.write(ctx, func(tx *sqlx.Tx) error {
		if err := setSetting(ctx, tx, db.bind(upsertSetting), name, value); err != nil {
			return err
		}
		return db.insertDeed(ctx, tx, deed)
	})
}

// Deeds returns a page of what admins have done, the newest first, and how much
// there is in all.
func (db *DB) Deeds(ctx context.Context, limit, offset int) (deeds []Deed, total int, err error) {
	var rows []deedRow
	err = db.reader.SelectContext(ctx, &rows, db.bind(
		`SELECT id, admin_id, deed, subject, detail, at FROM admin_log ORDER BY at DESC, id DESC LIMIT ? OFFSET ?`), limit, offset)
	if err == nil {
		err = db.reader.GetContext(ctx, &total, `SELECT COUNT(*) FROM admin_log`)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read what admins did: %w", err)
	}
	for _, row := range rows {
		deeds = append(deeds, Deed{ID: row.ID, Admin: row.Admin, What: row.What, Subject: row.Subject, Detail: row.Detail, At: fromMillis(row.At)})
	}
	return deeds, total, nil
}

func (db *DB) insertDeed(ctx context.Context, tx *sqlx.Tx, deed Deed) error {
	_, err := tx.ExecContext(ctx, db.bind(`INSERT INTO admin_log (id, admin_id, deed, subject, detail, at) VALUES (?, ?, ?, ?, ?, ?)`),
		newID(), deed.Admin, deed.What, deed.Subject, deed.Detail, toMillis(deed.At))
	return err
}

type deedRow struct {
	ID      int64  `db:"id"`
	Admin   int64  `db:"admin_id"`
	What    string `db:"deed"`
	Subject int64  `db:"subject"`
	Detail  string `db:"detail"`
	At      int64  `db:"at"`
}
