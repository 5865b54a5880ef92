package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Priority is the urgency of a message; the lowest is sent first. The values are
// those of the outbox package.
type Priority int

// Message is something a person is to be told, stored in the transaction that
// made it true. It holds a kind and its arguments, not a text: it is rendered
// when it is sent, in the language of that moment.
type Message struct {
	ID         int64
	UserID     int64
	PurchaseID int64
	OrderID    int64
	Kind       string // a word of the orders package
	Priority   Priority
	Body       []byte // sealed at rest, blanked once sent
	CreatedAt  time.Time
	Tries      int
}

// messageLife is how long a message waits for a person who can't be reached.
const messageLife = 30 * 24 * time.Hour

// ClaimMessages leases messages that are due to owner until the given time and
// returns them, the most urgent first. Somebody who is being served is left
// out, so that each person's messages arrive in their order; damaged ones are
// told of in the error beside the others.
func (db *DB) ClaimMessages(ctx context.Context, owner string, now, until time.Time, limit int) ([]Message, error) {
	var rows []messageRow
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		rows = rows[:0]
		var due []messageRow
		err := tx.SelectContext(ctx, &due, db.bind(`
			SELECT id, user_id, purchase_id, order_id, kind, priority, body_sealed, created_at, tries FROM outbox
			 WHERE state = 'pending' AND next_try_at <= ? AND lease_until <= ?
			   AND NOT EXISTS (SELECT 1 FROM outbox busy WHERE busy.user_id = outbox.user_id AND busy.state = 'pending' AND busy.lease_until > ?)
			 ORDER BY priority, created_at, id LIMIT ?`),
			toMillis(now), toMillis(now), toMillis(now), limit)
		if err != nil {
			return err
		}
		for _, row := range due {
			moved, err := db.moveTx(ctx, tx,
				`UPDATE outbox SET lease_owner = ?, lease_until = ?, tries = tries + 1 WHERE id = ? AND state = 'pending' AND lease_until <= ?`,
				owner, toMillis(until), row.ID, toMillis(now))
			if err != nil {
				return err
			}
			if moved {
				row.Tries++
				rows = append(rows, row)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim messages: %w", err)
	}
	messages := make([]Message, 0, len(rows))
	var damaged []error
	for _, row := range rows {
		body, err := db.unsealText("outbox", "body", row.ID, row.BodySealed)
		if err != nil {
			damaged = append(damaged, fmt.Errorf("message %d: %w", row.ID, err))
			continue
		}
		messages = append(messages, Message{
			ID: row.ID, UserID: row.UserID, PurchaseID: row.PurchaseID, OrderID: row.OrderID, Kind: row.Kind, Priority: row.Priority,
			Body: []byte(body), CreatedAt: fromMillis(row.CreatedAt), Tries: row.Tries,
		})
	}
	return messages, errors.Join(damaged...)
}

// RenewMessageLease makes the lease on a message that is about to be sent last until
// the given time. False: it is no longer owner's to send.
func (db *DB) RenewMessageLease(ctx context.Context, id int64, owner string, until time.Time) (bool, error) {
	return db.move(ctx, "hold the lease on a message",
		`UPDATE outbox SET lease_until = ? WHERE id = ? AND state = 'pending' AND lease_owner = ?`, toMillis(until), id, owner)
}

// AddMessage stores a message that no other change goes with.
func (db *DB) AddMessage(ctx context.Context, message Message) error {
	err := db.write(ctx, func(tx *sqlx.Tx) error { return db.insertMessage(ctx, tx, message) })
	if err != nil {
		return fmt.Errorf("add message: %w", err)
	}
	return nil
}

// MarkSent records that a message has arrived and forgets what it said, and that
// the person was told of the order that it is about. Where shows is not 0, that
// order is shown by the chat's message of that number from now on.
func (db *DB) MarkSent(ctx context.Context, message Message, shows int64, now time.Time) error {
	return db.submit(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, db.bind(`UPDATE outbox SET state = 'sent', sent_at = ?, body_sealed = '', lease_until = 0 WHERE id = ?`),
			toMillis(now), message.ID)
		if err == nil && message.OrderID != 0 {
			_, err = tx.ExecContext(ctx, db.bind(`UPDATE orders SET notified_at = ?, message_id = CASE WHEN ? <> 0 THEN ? ELSE message_id END WHERE id = ? AND user_id = ?`),
				toMillis(now), shows, shows, message.OrderID, message.UserID)
		}
		if err != nil {
			return fmt.Errorf("mark message sent: %w", err)
		}
		return nil
	})
}

// HasMoreUrgent reports whether a message of a more urgent priority waits for this
// person.
func (db *DB) HasMoreUrgent(ctx context.Context, userID int64, priority Priority, now time.Time) (bool, error) {
	var n int
	err := db.reader.GetContext(ctx, &n, db.bind(
		`SELECT COUNT(*) FROM outbox WHERE user_id = ? AND state = 'pending' AND priority < ? AND next_try_at <= ? AND lease_until <= ?`),
		userID, priority, toMillis(now), toMillis(now))
	if err != nil {
		return false, fmt.Errorf("look for urgent messages: %w", err)
	}
	return n > 0, nil
}

// MarkRejected records that a message can never be sent. Its body is kept,
// sealed, for as long as a waiting one's.
func (db *DB) MarkRejected(ctx context.Context, id int64) error {
	return db.submit(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, db.bind(`UPDATE outbox SET state = 'rejected', lease_until = 0 WHERE id = ?`), id)
		if err != nil {
			return fmt.Errorf("mark message unsendable: %w", err)
		}
		return nil
	})
}

// RetryMessage puts a message back to be sent at the given time.
func (db *DB) RetryMessage(ctx context.Context, id int64, at time.Time) error {
	return db.submit(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, db.bind(`UPDATE outbox SET next_try_at = ?, lease_until = 0 WHERE id = ? AND state = 'pending'`), toMillis(at), id)
		if err != nil {
			return fmt.Errorf("retry message: %w", err)
		}
		return nil
	})
}

// holdMessages keeps everything for a person who can't be reached.
func (db *DB) holdMessages(ctx context.Context, tx *sqlx.Tx, userID int64) error {
	_, err := tx.ExecContext(ctx, db.bind(`UPDATE outbox SET state = 'held', lease_until = 0 WHERE user_id = ? AND state = 'pending'`), userID)
	return err
}

// releaseMessages makes a person's held messages due now. It reports whether
// there were any.
func (db *DB) releaseMessages(ctx context.Context, tx *sqlx.Tx, userID int64, now time.Time) (bool, error) {
	return db.moveTx(ctx, tx, `UPDATE outbox SET state = 'pending', next_try_at = ? WHERE user_id = ? AND state = 'held'`, toMillis(now), userID)
}

// NextMessage returns when the next message is due, zero where none waits.
// What waits behind a message that is being sent does not count: its end is an
// event of its own.
func (db *DB) NextMessage(ctx context.Context, now time.Time) (time.Time, error) {
	var at sql.NullInt64
	err := db.reader.GetContext(ctx, &at, db.bind(`
		SELECT MIN(CASE WHEN lease_until > ? THEN lease_until ELSE next_try_at END) FROM outbox
		 WHERE state = 'pending' AND (lease_until > ? OR NOT EXISTS (
		     SELECT 1 FROM outbox busy WHERE busy.user_id = outbox.user_id AND busy.state = 'pending' AND busy.lease_until > ?))`),
		toMillis(now), toMillis(now), toMillis(now))
	if err != nil {
		return time.Time{}, fmt.Errorf("read next message: %w", err)
	}
	return fromMillis(at.Int64), nil
}

// CountPendingMessages counts messages that are due or will be; held ones are not.
func (db *DB) CountPendingMessages(ctx context.Context) (int, error) {
	var n int
	if err := db.reader.GetContext(ctx, &n, `SELECT COUNT(*) FROM outbox WHERE state = 'pending'`); err != nil {
		return 0, fmt.Errorf("count waiting messages: %w", err)
	}
	return n, nil
}

// StuckMessages counts the messages that have been due since before the given
// time and were not taken, or were tried five times and more, and says since when
// the first of them is stuck.
func (db *DB) StuckMessages(ctx context.Context, due time.Time) (n int64, since time.Time, err error) {
	var row struct {
		N     int64 `db:"n"`
		Since int64 `db:"since"`
	}
	err = db.reader.GetContext(ctx, &row, db.bind(`SELECT COUNT(*) AS n, COALESCE(MIN(CASE WHEN tries >= 5 THEN created_at ELSE next_try_at END), 0) AS since
		  FROM outbox WHERE state = 'pending' AND (tries >= 5 OR next_try_at <= ?)`), toMillis(due))
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("look for stuck messages: %w", err)
	}
	return row.N, fromMillis(row.Since), nil
}

// SweepMessages removes sent messages after two days, and held or unsendable
// ones, with what they hold, after thirty.
func (db *DB) SweepMessages(ctx context.Context, now time.Time) error {
	return db.submit(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, db.bind(`DELETE FROM outbox WHERE state <> 'pending' AND created_at < ? AND (state = 'sent' OR created_at < ?)`),
			toMillis(now.Add(-48*time.Hour)), toMillis(now.Add(-messageLife)))
		if err != nil {
			return fmt.Errorf("sweep messages: %w", err)
		}
		return nil
	})
}

func (db *DB) insertMessage(ctx context.Context, tx *sqlx.Tx, m Message) error {
	m.ID = newID()
	_, err := tx.ExecContext(ctx, db.bind(`INSERT INTO outbox
		(id, user_id, purchase_id, order_id, kind, priority, body_sealed, state, created_at, next_try_at, tries, lease_owner, lease_until, sent_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, 0, '', 0, 0)`),
		m.ID, m.UserID, m.PurchaseID, m.OrderID, m.Kind, m.Priority, db.sealText("outbox", "body", m.ID, string(m.Body)),
		toMillis(m.CreatedAt), toMillis(m.CreatedAt))
	return err
}

type messageRow struct {
	ID         int64    `db:"id"`
	UserID     int64    `db:"user_id"`
	PurchaseID int64    `db:"purchase_id"`
	OrderID    int64    `db:"order_id"`
	Kind       string   `db:"kind"`
	Priority   Priority `db:"priority"`
	BodySealed string   `db:"body_sealed"`
	CreatedAt  int64    `db:"created_at"`
	Tries      int      `db:"tries"`
}
