package storage

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
)

// Alert is a problem that operators are alerted to. It is kept after its end until
// that is notified, too. Name, Subject and Detail are the monitor package's.
type Alert struct {
	Name     string    `db:"name"`
	Subject  int64     `db:"subject"`
	Detail   string    `db:"detail"`
	Since    time.Time `db:"since"`
	Notified bool      `db:"notified"` // of its start
	EndedAt  time.Time `db:"ended_at"` // zero while it lasts
}

// AlertChanges are made in one transaction. An alert is identified by its Name and
// Subject.
type AlertChanges struct {
	Started  []Alert // new; of a known one the Detail is replaced
	Resumed  []Alert // ended and started again before that was notified
	Ended    []Alert // at EndedAt
	Deleted  []Alert // the end was notified, or need not be
	Notified []Alert // the start was notified

	Messages []Message // the notifications
	Setting  string    // where At is kept as unix milliseconds, "" for nowhere
	At       time.Time
}

// Alerts returns all alerts, the oldest first.
func (db *DB) Alerts(ctx context.Context) ([]Alert, error) {
	alerts, err := selectRows[Alert](ctx, db, db.reader, `SELECT `+columnsOf[Alert]()+` FROM monitor_alerts ORDER BY since, name, subject`)
	if err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	return alerts, nil
}

// ApplyAlertChanges stores changes of alerts, with the messages about them.
func (db *DB) ApplyAlertChanges(ctx context.Context, c AlertChanges) error {
	err := db.write(ctx, func(tx *sqlx.Tx) (err error) {
		run := func(query string, args ...any) {
			if err == nil {
				_, err = tx.ExecContext(ctx, db.bind(query), args...)
			}
		}
		for _, a := range c.Started {
			query, args := db.insertion("monitor_alerts", &Alert{Name: a.Name, Subject: a.Subject, Detail: a.Detail, Since: a.Since})
			run(query+` ON CONFLICT (name, subject) DO UPDATE SET detail = excluded.detail`, args...)
		}
		for _, a := range c.Resumed {
			run(`UPDATE monitor_alerts SET ended_at = 0 WHERE name = ? AND subject = ?`, a.Name, a.Subject)
		}
		for _, a := range c.Ended {
			run(`UPDATE monitor_alerts SET ended_at = ? WHERE name = ? AND subject = ?`, toMillis(a.EndedAt), a.Name, a.Subject)
		}
		for _, a := range c.Notified {
			run(`UPDATE monitor_alerts SET notified = 1 WHERE name = ? AND subject = ?`, a.Name, a.Subject)
		}
		for _, a := range c.Deleted {
			run(`DELETE FROM monitor_alerts WHERE name = ? AND subject = ?`, a.Name, a.Subject)
		}
		if err == nil {
			err = db.insertMessages(ctx, tx, c.Messages)
		}
		if c.Setting != "" && err == nil {
			err = setSetting(ctx, tx, db.bind(upsertSetting), c.Setting, strconv.FormatInt(toMillis(c.At), 10))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("change alerts: %w", err)
	}
	return nil
}

// DeadLettersSince counts the updates dead-lettered since then, and returns when the
// first of them was.
func (db *DB) DeadLettersSince(ctx context.Context, since time.Time) (n int64, first time.Time, err error) {
	row, err := selectRow[struct {
		N     int64     `db:"n"`
		First time.Time `db:"first"`
	}](ctx, db, db.reader,
		`SELECT COUNT(*) AS n, COALESCE(MIN(finished_at), 0) AS first FROM inbox WHERE state = 'dead_lettered' AND finished_at >= ?`, toMillis(since))
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("count dead-lettered updates: %w", err)
	}
	return row.N, row.First, nil
}

// Reachable returns which of these people can be written to, as far as is known.
func (db *DB) Reachable(ctx context.Context, ids []int64) ([]int64, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	query, args, err := sqlx.In(`SELECT id FROM users WHERE id IN (?) AND private_chat = 1 AND unreachable = 0 ORDER BY id`, ids)
	if err != nil {
		return nil, fmt.Errorf("read reachable people: %w", err)
	}
	var reachable []int64
	if err := db.reader.SelectContext(ctx, &reachable, db.bind(query), args...); err != nil {
		return nil, fmt.Errorf("read reachable people: %w", err)
	}
	return reachable, nil
}
