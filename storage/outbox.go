package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
)

// Priority is the urgency of a message; the lowest is sent first. The values are
// those of the outbox package.
type Priority int

// Message is a message to a person, stored in the transaction that gives rise to it. It
// holds a kind and its arguments, not a text: it is rendered when it is sent, in the
// language that the person has then.
type Message struct {
	ID         int64     `db:"id"`
	UserID     int64     `db:"user_id"`
	PurchaseID int64     `db:"purchase_id"`
	OrderID    int64     `db:"order_id"`
	Kind       string    `db:"kind"` // defined by the package that stores it
	Priority   Priority  `db:"priority"`
	Body       []byte    `db:"body_sealed" seal:"outbox.body"` // deleted once sent
	CreatedAt  time.Time `db:"created_at"`
	Tries      int       `db:"tries"`
	Damaged    error     // why Body can't be read, nil where it can
}

// ClaimMessages leases messages that are due to owner until the given time and returns
// them, the most urgent first. A person who has a leased message is left out: each
// person's messages arrive in order. Damaged messages are leased, too, but left out;
// the error beside the others names them.
func (db *DB) ClaimMessages(ctx context.Context, owner string, now, until time.Time, limit int) ([]Message, error) {
	var messages []Message
	var damaged []error
	err := db.writeOnce(ctx, finds(ctx, `SELECT 1 FROM outbox WHERE lease_owner = ? AND lease_until = ?`, owner, toMillis(until)), func(tx *sqlx.Tx) error {
		var fresh []Message
		var failures []error
		due, err := selectRows[Message](ctx, db, tx, `
			SELECT `+columnsOf[Message]()+` FROM outbox
			 WHERE state = 'pending' AND next_try_at <= ? AND lease_until <= ?
			   AND NOT EXISTS (SELECT 1 FROM outbox busy WHERE busy.user_id = outbox.user_id AND busy.state = 'pending' AND busy.lease_until > ?)
			 ORDER BY priority, created_at, id LIMIT ?`,
			toMillis(now), toMillis(now), toMillis(now), limit)
		if err != nil {
			return err
		}
		for _, message := range due {
			claimed, err := db.transitionTx(ctx, tx,
				`UPDATE outbox SET lease_owner = ?, lease_until = ?, tries = tries + 1 WHERE id = ? AND state = 'pending' AND lease_until <= ?`,
				owner, toMillis(until), message.ID, toMillis(now))
			if err != nil {
				return err
			}
			message.Tries++
			switch {
			case message.Damaged != nil:
				failures = append(failures, message.Damaged)
			case claimed:
				fresh = append(fresh, message)
			}
		}
		messages, damaged = fresh, failures
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim messages: %w", err)
	}
	return messages, errors.Join(damaged...)
}

// RenewMessageLease extends the lease on a message that is about to be sent. False: it
// is no longer owner's.
func (db *DB) RenewMessageLease(ctx context.Context, id int64, owner string, until time.Time) (bool, error) {
	return db.transition(ctx, "renew the lease on a message",
		`UPDATE outbox SET lease_until = ? WHERE id = ? AND state = 'pending' AND lease_owner = ?`, toMillis(until), id, owner)
}

// ReleaseMessages ends the leases of an owner.
func (db *DB) ReleaseMessages(ctx context.Context, owner string) error {
	_, err := db.transition(ctx, "release messages", `UPDATE outbox SET lease_until = ? WHERE state = 'pending' AND lease_owner = ?`, leaseOver, owner)
	return err
}

// AddMessage stores a message without any other change.
func (db *DB) AddMessage(ctx context.Context, message Message) error {
	messages := withIDs(message)
	err := db.writeOnce(ctx, messagesExist(ctx, messages), func(tx *sqlx.Tx) error { return db.insertMessages(ctx, tx, messages) })
	if err != nil {
		return fmt.Errorf("add message: %w", err)
	}
	return nil
}

// MarkSent records that a message has arrived, deletes its body, and records when the
// person was notified of its order. Where shows is not 0, it is the id of the chat's
// message that shows the order from now on.
func (db *DB) MarkSent(ctx context.Context, message Message, shows int64, now time.Time) error {
	defer db.checkpoints.request()
	return db.submitOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE outbox SET state = 'sent', sent_at = ?, body_sealed = '', lease_until = 0 WHERE id = ?`,
			toMillis(now), message.ID)
		if err == nil && message.OrderID != 0 {
			_, err = tx.ExecContext(ctx, `UPDATE orders SET notified_at = ?, message_id = CASE WHEN CAST(? AS BIGINT) <> 0 THEN CAST(? AS BIGINT) ELSE message_id END WHERE id = ? AND user_id = ?`,
				toMillis(now), shows, shows, message.OrderID, message.UserID)
		}
		if err != nil {
			return fmt.Errorf("mark message sent: %w", err)
		}
		return nil
	})
}

// HasMoreUrgent reports whether a due message to this person has a lower priority
// value.
func (db *DB) HasMoreUrgent(ctx context.Context, userID int64, priority Priority, now time.Time) (bool, error) {
	n, err := db.countRows(ctx, "look for urgent messages",
		`SELECT COUNT(*) FROM outbox WHERE user_id = ? AND state = 'pending' AND priority < ? AND next_try_at <= ? AND lease_until <= ?`,
		userID, priority, toMillis(now), toMillis(now))
	return n > 0, err
}

// MarkRejected records that a message can never be sent. Its body is kept, sealed, for
// as long as a held one's (sweepRules).
func (db *DB) MarkRejected(ctx context.Context, id int64) error {
	return db.submitOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE outbox SET state = 'rejected', lease_until = 0 WHERE id = ?`, id)
		if err != nil {
			return fmt.Errorf("mark message rejected: %w", err)
		}
		return nil
	})
}

// RetryMessage schedules the next attempt at a message.
func (db *DB) RetryMessage(ctx context.Context, id int64, at time.Time) error {
	return db.submitOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE outbox SET next_try_at = ?, lease_until = 0 WHERE id = ? AND state = 'pending'`, toMillis(at), id)
		if err != nil {
			return fmt.Errorf("retry message: %w", err)
		}
		return nil
	})
}

// holdMessages holds the pending messages to an unreachable person.
func (db *DB) holdMessages(ctx context.Context, tx *sqlx.Tx, userID int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE outbox SET state = 'held', lease_until = 0 WHERE user_id = ? AND state = 'pending'`, userID)
	return err
}

// releaseMessages makes a person's held messages due, and reports whether there were
// any.
func (db *DB) releaseMessages(ctx context.Context, tx *sqlx.Tx, userID int64, now time.Time) (bool, error) {
	return db.transitionTx(ctx, tx, `UPDATE outbox SET state = 'pending', next_try_at = ? WHERE user_id = ? AND state = 'held'`, toMillis(now), userID)
}

// NextMessage returns when the next message is due, zero where none is. Messages behind
// one that is being sent do not count: they become due when that one is sent.
func (db *DB) NextMessage(ctx context.Context, now time.Time) (time.Time, error) {
	return db.readTime(ctx, "read next message", `
		SELECT MIN(CASE WHEN lease_until > ? THEN lease_until ELSE next_try_at END) FROM outbox
		 WHERE state = 'pending' AND (lease_until > ? OR NOT EXISTS (
		     SELECT 1 FROM outbox busy WHERE busy.user_id = outbox.user_id AND busy.state = 'pending' AND busy.lease_until > ?))`,
		toMillis(now), toMillis(now), toMillis(now))
}

// CountPendingMessages counts messages that are due or will be; held ones are not.
func (db *DB) CountPendingMessages(ctx context.Context) (int, error) {
	return db.countRows(ctx, "count pending messages", `SELECT COUNT(*) FROM outbox WHERE state = 'pending'`)
}

// OldestPendingMessage returns when the oldest message was stored that is due or will be,
// zero where none is.
func (db *DB) OldestPendingMessage(ctx context.Context) (time.Time, error) {
	return db.readTime(ctx, "read oldest pending message", `SELECT MIN(created_at) FROM outbox WHERE state = 'pending'`)
}

// StuckMessages counts the messages that were due at the given time and are not sent,
// or were tried five times or more, and returns since when the first of them is stuck.
func (db *DB) StuckMessages(ctx context.Context, due time.Time) (n int64, since time.Time, err error) {
	row, err := selectRow[struct {
		N     int64     `db:"n"`
		Since time.Time `db:"since"`
	}](ctx, db, db.reader, `SELECT COUNT(*) AS n, COALESCE(MIN(CASE WHEN tries >= 5 THEN created_at ELSE next_try_at END), 0) AS since
		  FROM outbox WHERE state = 'pending' AND (tries >= 5 OR next_try_at <= ?)`, toMillis(due))
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("look for stuck messages: %w", err)
	}
	return row.N, row.Since, nil
}

// withIDs gives messages the ids under which insertMessages stores them. Those of one
// time and priority are sent in the order given here: where the times are equal, the ids
// decide.
func withIDs(messages ...Message) []Message {
	ids := make([]int64, len(messages))
	for i := range ids {
		ids[i] = newID()
	}
	slices.Sort(ids)
	numbered := slices.Clone(messages)
	for i := range numbered {
		numbered[i].ID = ids[i]
	}
	return numbered
}

// messagesExist recognizes a transaction by the messages that it has stored. One without
// messages is repeatable.
func messagesExist(ctx context.Context, messages []Message) committed {
	if len(messages) == 0 {
		return repeatable
	}
	return finds(ctx, `SELECT 1 FROM outbox WHERE id = ?`, messages[0].ID)
}

func (db *DB) insertMessages(ctx context.Context, tx *sqlx.Tx, messages []Message) error {
	for _, m := range messages {
		m.Tries = 0
		err := db.insert(ctx, tx, "outbox", &m, "state", "pending", "next_try_at", toMillis(m.CreatedAt), "lease_owner", "", "lease_until", 0, "sent_at", 0)
		if err != nil {
			return err
		}
	}
	return nil
}
