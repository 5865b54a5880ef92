package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Alert is something that is wrong, or was until EndedAt and nobody was told of
// its end yet. Name, Subject and Detail are of the alarms package.
type Alert struct {
	Name     string
	Subject  int64
	Detail   string
	Since    time.Time
	Notified bool // that it has begun
	EndedAt  time.Time
}

// AlertChanges are made in one transaction. An alarm is found by its Name and
// Subject.
type AlertChanges struct {
	Started  []Alert // new ones; of those that are known the Detail is another
	Resumed  []Alert // were over, and are wrong again before anybody was told
	Ended    []Alert // ended at their EndedAt
	Deleted  []Alert // nothing more to tell of
	Notified []Alert // told that they have begun

	Messages []Message // that tell of them
	Setting  string    // where At is kept as unix milliseconds, "" for nowhere
	At       time.Time
}

// Alerts returns all alarms, the oldest first.
func (db *DB) Alerts(ctx context.Context) ([]Alert, error) {
	var rows []struct {
		Name    string `db:"name"`
		Subject int64  `db:"subject"`
		Detail  string `db:"detail"`
		Since   int64  `db:"since"`
		Told    int64  `db:"notified"`
		OverAt  int64  `db:"ended_at"`
	}
	err := db.reader.SelectContext(ctx, &rows, `SELECT name, subject, detail, since, notified, ended_at FROM monitor_alerts ORDER BY since, name, subject`)
	if err != nil {
		return nil, fmt.Errorf("read alarms: %w", err)
	}
	alarms := make([]Alert, len(rows))
	for i, row := range rows {
		alarms[i] = Alert{
			Name: row.Name, Subject: row.Subject, Detail: row.Detail, Since: fromMillis(row.Since), Notified: row.Told == 1, EndedAt: fromMillis(row.OverAt),
		}
	}
	return alarms, nil
}

// ApplyAlertChanges stores what has become of alarms, with the messages about it.
func (db *DB) ApplyAlertChanges(ctx context.Context, c AlertChanges) error {
	err := db.write(ctx, func(tx *sqlx.Tx) (err error) {
		run := func(query string, args ...any) {
			if err == nil {
				_, err = tx.ExecContext(ctx, db.bind(query), args...)
			}
		}
		for _, a := range c.Started {
			run(`INSERT INTO monitor_alerts (name, subject, detail, since, notified, ended_at) VALUES (?, ?, ?, ?, 0, 0) ON CONFLICT (name, subject) DO UPDATE SET detail = excluded.detail`,
				a.Name, a.Subject, a.Detail, toMillis(a.Since))
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
		for _, message := range c.Messages {
			if err == nil {
				err = db.insertMessage(ctx, tx, message)
			}
		}
		if c.Setting != "" && err == nil {
			err = setSetting(ctx, tx, db.bind(upsertSetting), c.Setting, fmt.Sprint(toMillis(c.At)))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("change alarms: %w", err)
	}
	return nil
}

// DeadLettersSince counts the updates that were given up since then, and says when
// the first of them was.
func (db *DB) DeadLettersSince(ctx context.Context, since time.Time) (n int64, first time.Time, err error) {
	var row struct {
		N     int64 `db:"n"`
		First int64 `db:"first"`
	}
	err = db.reader.GetContext(ctx, &row, db.bind(
		`SELECT COUNT(*) AS n, COALESCE(MIN(finished_at), 0) AS first FROM inbox WHERE state = 'dead_lettered' AND finished_at >= ?`), toMillis(since))
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("count parked updates: %w", err)
	}
	return row.N, fromMillis(row.First), nil
}

// Reachable returns which of these people can be written to, as far as is known.
func (db *DB) Reachable(ctx context.Context, ids []int64) ([]int64, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	query, args, err := sqlx.In(`SELECT id FROM users WHERE id IN (?) AND private_chat = 1 AND unreachable = 0 ORDER BY id`, ids)
	if err != nil {
		return nil, fmt.Errorf("read who can be reached: %w", err)
	}
	var reachable []int64
	if err := db.reader.SelectContext(ctx, &reachable, db.bind(query), args...); err != nil {
		return nil, fmt.Errorf("read who can be reached: %w", err)
	}
	return reachable, nil
}
