package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
)

// The epoch of a database is a number that grows when it was replaced by one that may
// lack its last commits: by a standby, or by a backup. A purchase keeps the epoch in which
// it was drawn. In another epoch its state is no proof that nothing was bought: the commit
// of a later one may be lost.
//
// PostgreSQL: the epoch is compared with the server's timeline when a connection is made
// (keepEpoch), so no statement runs on another timeline before the epoch has grown. A dump
// that pg_restore has put back has the same timeline, and its tables are others. The epoch
// of a file grows with Restore.

// Settings about the epoch.
const (
	// timelineSetting names the server and its timeline, as selectTimeline does.
	timelineSetting = "timeline"
	// tablesSetting identifies the tables of PostgreSQL, as selectTables does.
	tablesSetting = "tables"
	epochSetting  = "epoch"
	// restoredSetting holds a Restoration until an admin has looked at it, else "".
	restoredSetting = "restored"
)

// inEpoch and beforeEpoch are conditions of purchases: drawn in the present epoch, and not.
const (
	selectEpoch = `COALESCE((SELECT CAST(value AS BIGINT) FROM settings WHERE name = '` + epochSetting + `'), 0)`
	inEpoch     = `epoch = ` + selectEpoch
	beforeEpoch = `epoch <> ` + selectEpoch
)

// selectLastStored gives when the newest of what is stored was stored, 0 for nothing. It is
// never later, so that all that is missing was stored from then on: a message may be created
// for a later time, so when it was sent counts.
const selectLastStored = `SELECT COALESCE(MAX(at), 0) FROM (
	SELECT MAX(received_at) AS at FROM inbox UNION ALL SELECT MAX(sent_at) FROM outbox UNION ALL
	SELECT MAX(created_at) FROM purchases UNION ALL SELECT MAX(started_at) FROM replicas) AS stored`

// ErrRestored says that the database was restored, and that no admin has looked at it yet.
var ErrRestored = errors.New("storage: the database was restored, and no admin has looked yet")

// Restoration is about the last time that the epoch has grown.
type Restoration struct {
	From time.Time // what was stored from then on may be missing
	At   time.Time // when it was noticed; zero: there was none, or an admin has looked
	// Backup says that the database was restored from a backup: orders that were placed
	// since are not in it, and nothing is bought until an admin has looked.
	Backup bool
}

// with returns what is to be looked at after another restoration.
func (r Restoration) with(other Restoration) Restoration {
	if !r.At.IsZero() && r.From.Before(other.From) {
		other.From = r.From
	}
	other.Backup = other.Backup || !r.At.IsZero() && r.Backup
	return other
}

// fromBackup ends the setting of a Restoration from a backup.
const fromBackup = " backup"

func (r Restoration) setting() string {
	text := fmt.Sprint(toMillis(r.From), " ", toMillis(r.At))
	if r.Backup {
		text += fromBackup
	}
	return text
}

func parseRestoration(value string) (Restoration, error) {
	var from, at int64
	if value == "" {
		return Restoration{}, nil
	}
	if _, err := fmt.Sscan(value, &from, &at); err != nil {
		return Restoration{}, fmt.Errorf("setting %s: %w", restoredSetting, err)
	}
	return Restoration{From: fromMillis(from), At: fromMillis(at), Backup: strings.HasSuffix(value, fromBackup)}, nil
}

// nextRestoration returns what is to be looked at when the epoch grows: last is when the newest of
// what is stored was stored, and before the setting as it was.
func nextRestoration(last int64, before string, now time.Time, backup bool) (Restoration, error) {
	restoration, err := parseRestoration(before)
	if err != nil {
		return Restoration{}, err
	}
	from := fromMillis(min(last, toMillis(now)))
	if last == 0 {
		from = now
	}
	return restoration.with(Restoration{From: from, At: now, Backup: backup}), nil
}

// growEpoch is the statement that raises the epoch.
const growEpoch = `INSERT INTO settings (name, value) VALUES (?, '1')
	ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(settings.value AS BIGINT) + 1 AS TEXT)`

// raiseEpoch raises the epoch of a file that was restored from a backup.
func (db *DB) raiseEpoch(ctx context.Context, tx *sqlx.Tx, now time.Time) (Restoration, error) {
	var last int64
	if err := tx.GetContext(ctx, &last, selectLastStored); err != nil {
		return Restoration{}, err
	}
	before, err := setting(ctx, tx, selectSetting, restoredSetting)
	if err != nil {
		return Restoration{}, err
	}
	restoration, err := nextRestoration(last, before, now, true)
	if err != nil {
		return Restoration{}, err
	}
	if err := setSetting(ctx, tx, upsertSetting, restoredSetting, restoration.setting()); err != nil {
		return Restoration{}, err
	}
	_, err = tx.ExecContext(ctx, growEpoch, epochSetting)
	return restoration, err
}

// Restoration returns the last restoration unless an admin has looked at it.
func (db *DB) Restoration(ctx context.Context) (Restoration, error) {
	value, err := db.Setting(ctx, restoredSetting)
	if err != nil {
		return Restoration{}, err
	}
	return parseRestoration(value)
}

// EndRestoration records that an admin has looked at the restoration of that time, with
// the audit entry. It changes and records nothing where there is none, or a later one.
func (db *DB) EndRestoration(ctx context.Context, at time.Time, entry AuditEntry) error {
	entry.ID = newID()
	err := db.writeOnce(ctx, auditExists(ctx, entry), func(tx *sqlx.Tx) error {
		value, err := setting(ctx, tx, selectSetting, restoredSetting)
		if err != nil {
			return err
		}
		restoration, err := parseRestoration(value)
		if err != nil || value == "" || toMillis(restoration.At) != toMillis(at) {
			return err
		}
		if err := setSetting(ctx, tx, upsertSetting, restoredSetting, ""); err != nil {
			return err
		}
		return db.insertAudit(ctx, tx, entry)
	})
	if err != nil {
		return fmt.Errorf("end restoration: %w", err)
	}
	return nil
}

// DrawnBeforeRestoration reports whether a purchase that is a draft, or was superseded, was
// drawn before the database was restored: it may have been sent, and that may be lost.
func (db *DB) DrawnBeforeRestoration(ctx context.Context, purchaseID int64) (bool, error) {
	n, err := db.countRows(ctx, "compare the epoch of a purchase",
		`SELECT COUNT(*) FROM purchases WHERE id = ? AND state IN ('draft', 'superseded') AND `+beforeEpoch, purchaseID)
	return n > 0, err
}
