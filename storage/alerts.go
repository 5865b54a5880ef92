package storage

import (
	"context"
	"errors"
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

	// Report is posted in the room in place of being sent to its Admins while the room
	// works. Its zero value is none.
	Report   RoomNotice
	Messages []Message // other notifications
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

// errNotifiedBefore rolls back changes that another process has notified.
var errNotifiedBefore = errors.New("notified by another process")

// errNobodyTold rolls back changes that nobody would be notified of any more.
var errNobodyTold = errors.New("nobody is notified")

// ApplyAlertChanges stores changes of alerts, with the messages about them. It stores
// nothing, which is no error, where another process has notified the start or the end
// of one of them since it was read, or where nobody would get the Report.
func (db *DB) ApplyAlertChanges(ctx context.Context, c AlertChanges) error {
	messages := withIDs(c.Messages...)
	notifies := len(c.Messages) > 0 || c.Report.Message.Kind != ""
	err := db.writeOnce(ctx, messagesExist(ctx, messages), func(tx *sqlx.Tx) (err error) {
		notify := func(query string, args ...any) {
			if err != nil {
				return
			}
			found := false
			if found, err = db.transitionTx(ctx, tx, query, args...); err == nil && !found && notifies {
				err = errNotifiedBefore
			}
		}
		run := func(query string, args ...any) {
			if err == nil {
				_, err = tx.ExecContext(ctx, query, args...)
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
			notify(`UPDATE monitor_alerts SET notified = 1 WHERE name = ? AND subject = ? AND notified = 0`, a.Name, a.Subject)
		}
		for _, a := range c.Deleted {
			notify(`DELETE FROM monitor_alerts WHERE name = ? AND subject = ? AND notified = ? AND ended_at = ?`, a.Name, a.Subject, bit(a.Notified), toMillis(a.EndedAt))
		}
		if err == nil {
			err = db.insertMessages(ctx, tx, messages)
		}
		if err == nil && c.Report.Message.Kind != "" {
			var told bool
			if told, err = db.insertReport(ctx, tx, c.Report); err == nil && !told {
				err = errNobodyTold
			}
		}
		if c.Setting != "" && err == nil {
			err = setSetting(ctx, tx, upsertSetting, c.Setting, strconv.FormatInt(toMillis(c.At), 10))
		}
		return err
	})
	if err != nil && !errors.Is(err, errNotifiedBefore) && !errors.Is(err, errNobodyTold) {
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
	return reachable(ctx, db.reader, ids)
}

func reachable(ctx context.Context, q sqlx.QueryerContext, ids []int64) (found []int64, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	query, args, err := sqlx.In(`SELECT id FROM users WHERE id IN (?) AND private_chat = 1 AND unreachable = 0 ORDER BY id`, ids)
	if err == nil {
		err = sqlx.SelectContext(ctx, q, &found, query, args...)
	}
	if err != nil {
		return nil, fmt.Errorf("read reachable people: %w", err)
	}
	return found, nil
}
