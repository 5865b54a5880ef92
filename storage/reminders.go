package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Reminder says when a person wants to be told that an order can be cancelled.
type Reminder struct {
	OrderID int64     `db:"order_id"`
	UserID  int64     `db:"user_id"`
	At      time.Time `db:"-"`
}

// SetReminder keeps, or moves, the reminder of an open order of this person. It
// reports false where there is no such order.
func (db *DB) SetReminder(ctx context.Context, r Reminder) (bool, error) {
	return db.move(ctx, "set reminder", `INSERT INTO reminders (order_id, user_id, at)
		SELECT id, user_id, ? FROM orders WHERE id = ? AND user_id = ? AND closed_at = 0
		ON CONFLICT (order_id) DO UPDATE SET at = excluded.at`, toMillis(r.At), r.OrderID, r.UserID)
}

// ReminderOf returns when this person is reminded of an order, zero for never.
func (db *DB) ReminderOf(ctx context.Context, userID, orderID int64) (time.Time, error) {
	var at int64
	err := db.reader.GetContext(ctx, &at, db.bind(`SELECT at FROM reminders WHERE order_id = ? AND user_id = ?`), orderID, userID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, fmt.Errorf("read reminder: %w", err)
	}
	return fromMillis(at), nil
}

// DueReminders returns reminders whose time has come, at most limit.
func (db *DB) DueReminders(ctx context.Context, now time.Time, limit int) ([]Reminder, error) {
	return db.reminders(ctx, `SELECT order_id, user_id, at FROM reminders WHERE at <= ? ORDER BY at LIMIT ?`, toMillis(now), limit)
}

func (db *DB) reminders(ctx context.Context, query string, args ...any) ([]Reminder, error) {
	var rows []struct {
		Reminder
		At int64 `db:"at"`
	}
	if err := db.reader.SelectContext(ctx, &rows, db.bind(query), args...); err != nil {
		return nil, fmt.Errorf("read reminders: %w", err)
	}
	reminders := make([]Reminder, 0, len(rows))
	for _, row := range rows {
		row.Reminder.At = fromMillis(row.At)
		reminders = append(reminders, row.Reminder)
	}
	return reminders, nil
}

// EndReminder takes a reminder away and, in the same transaction, stores the
// message that it was for, unless the order has ended, is being cancelled, or is
// a number whose code has come: so it is told once, or not needed. It reports
// whether it was told.
func (db *DB) EndReminder(ctx context.Context, r Reminder, message Message) (bool, error) {
	told := false
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		told = false
		ended, err := db.moveTx(ctx, tx, `DELETE FROM reminders WHERE order_id = ? AND at = ?`, r.OrderID, toMillis(r.At))
		if err != nil || !ended {
			return err
		}
		var open int
		err = tx.GetContext(ctx, &open, db.bind(`SELECT COUNT(*) FROM orders WHERE id = ? AND cancel_sent_at = 0`+FilterOpen.where()), r.OrderID)
		if err != nil || open == 0 {
			return err
		}
		told = true
		return db.insertMessage(ctx, tx, message)
	})
	if err != nil {
		return false, fmt.Errorf("end reminder: %w", err)
	}
	return told, nil
}

// NextReminder returns when the next reminder is due, zero where none is.
func (db *DB) NextReminder(ctx context.Context) (time.Time, error) {
	var at sql.NullInt64
	if err := db.reader.GetContext(ctx, &at, `SELECT MIN(at) FROM reminders`); err != nil {
		return time.Time{}, fmt.Errorf("read next reminder: %w", err)
	}
	return fromMillis(at.Int64), nil
}
