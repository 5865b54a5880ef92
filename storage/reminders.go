package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Reminder says that a person wants to be notified when an order can be cancelled. At is
// when the marketplace is asked next whether it can.
type Reminder struct {
	OrderID int64     `db:"order_id"`
	UserID  int64     `db:"user_id"`
	At      time.Time `db:"at"`
}

// SetReminder stores, or moves, the reminder of an open order of this person. It
// reports false where there is no such order.
func (db *DB) SetReminder(ctx context.Context, r Reminder) (bool, error) {
	return db.transition(ctx, "set reminder", `INSERT INTO reminders (order_id, user_id, at)
		SELECT id, user_id, ? FROM orders WHERE id = ? AND user_id = ? AND closed_at = 0
		ON CONFLICT (order_id) DO UPDATE SET at = excluded.at`, toMillis(r.At), r.OrderID, r.UserID)
}

// MoveReminder makes a reminder due at the given time, unless it was moved or ended
// meanwhile.
func (db *DB) MoveReminder(ctx context.Context, r Reminder, at time.Time) error {
	_, err := db.transition(ctx, "move reminder", `UPDATE reminders SET at = ? WHERE order_id = ? AND at = ?`, toMillis(at), r.OrderID, toMillis(r.At))
	return err
}

// ReminderOf returns when the reminder of this person for an order is due, zero for none.
func (db *DB) ReminderOf(ctx context.Context, userID, orderID int64) (time.Time, error) {
	return db.readTime(ctx, "read reminder", `SELECT at FROM reminders WHERE order_id = ? AND user_id = ?`, orderID, userID)
}

// DueReminders returns reminders whose time has come, at most limit.
func (db *DB) DueReminders(ctx context.Context, now time.Time, limit int) ([]Reminder, error) {
	return db.reminders(ctx, `WHERE at <= ? ORDER BY at LIMIT ?`, toMillis(now), limit)
}

func (db *DB) reminders(ctx context.Context, where string, args ...any) ([]Reminder, error) {
	reminders, err := selectRows[Reminder](ctx, db, db.reader, `SELECT `+columnsOf[Reminder]()+` FROM reminders `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read reminders: %w", err)
	}
	return reminders, nil
}

// EndReminder deletes a reminder and, in the same transaction, stores its message,
// unless the order has ended, is being cancelled, or is a number whose code has come.
// It reports whether the message was stored.
func (db *DB) EndReminder(ctx context.Context, r Reminder, message Message) (bool, error) {
	notified := false
	messages := withIDs(message)
	_, err := db.transitionOnce(ctx, "end reminder", messagesExist(ctx, messages), func(tx *sqlx.Tx) error {
		notified = false
		var open int
		err := tx.GetContext(ctx, &open, `SELECT COUNT(*) FROM orders WHERE id = ? AND cancel_sent_at = 0`+FilterOpen.where(), r.OrderID)
		if err != nil || open == 0 {
			return err
		}
		notified = true
		return db.insertMessages(ctx, tx, messages)
	}, `DELETE FROM reminders WHERE order_id = ? AND at = ?`, r.OrderID, toMillis(r.At))
	return notified && err == nil, err
}

// NextReminder returns when the next reminder is due, zero where none is.
func (db *DB) NextReminder(ctx context.Context) (time.Time, error) {
	return db.readTime(ctx, "read next reminder", `SELECT MIN(at) FROM reminders`)
}
