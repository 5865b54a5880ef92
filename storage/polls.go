package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"hstockbot/internal/redact"
)

// DuePoll is an order whose poll is due, as much of it as is needed to choose
// who goes first. A row may be leased until LeasedUntil.
type DuePoll struct {
	OrderID     int64
	KeyID       int64 // the key to ask with
	CreatedAt   time.Time
	LastPollAt  time.Time // the last poll, answered or not; the order's making before the first
	DueAt       time.Time
	LeasedUntil time.Time
}

// DuePolls returns the open orders whose poll became due after since and until
// now, those due longest first, at most limit. Those that owner has leased are in
// hand and left out; others' leases are told of.
//
// An order whose own key can't be used (refused by the marketplace, removed) is
// asked for with its owner's present key; without one it waits, and is left out.
func (db *DB) DuePolls(ctx context.Context, owner string, since, now time.Time, limit int) ([]DuePoll, error) {
	var rows []struct {
		ID         int64 `db:"id"`
		KeyID      int64 `db:"key_id"`
		CreatedAt  int64 `db:"created_at"`
		AskedAt    int64 `db:"last_poll_at"`
		NextPollAt int64 `db:"next_poll_at"`
		LeaseUntil int64 `db:"lease_until"`
	}
	err := db.reader.SelectContext(ctx, &rows, db.bind(`
		SELECT o.id, k.id AS key_id, o.created_at, o.last_poll_at, o.next_poll_at, o.lease_until
		  FROM orders o
		  JOIN api_keys own ON own.id = o.key_id
		  JOIN api_keys k ON k.id = CASE WHEN own.secret_sealed <> '' AND own.invalid = 0 THEN own.id
		       ELSE (SELECT a.id FROM api_keys a WHERE a.user_id = o.user_id AND a.state = 'active' AND a.invalid = 0) END
		 WHERE o.closed_at = 0 AND o.next_poll_at > ? AND o.next_poll_at <= ? AND NOT (o.lease_owner = ? AND o.lease_until > ?)
		 ORDER BY o.next_poll_at LIMIT ?`),
		toMillis(since), toMillis(now), owner, toMillis(now), limit)
	if err != nil {
		return nil, fmt.Errorf("read due polls: %w", err)
	}
	due := make([]DuePoll, 0, len(rows))
	for _, row := range rows {
		due = append(due, DuePoll{
			OrderID: row.ID, KeyID: row.KeyID, CreatedAt: fromMillis(row.CreatedAt), LastPollAt: fromMillis(max(row.AskedAt, row.CreatedAt)),
			DueAt: fromMillis(row.NextPollAt), LeasedUntil: fromMillis(row.LeaseUntil),
		})
	}
	return due, nil
}

// NextPoll returns when the next order becomes due after now, zero where none does.
func (db *DB) NextPoll(ctx context.Context, now time.Time) (time.Time, error) {
	var at sql.NullInt64
	err := db.reader.GetContext(ctx, &at, db.bind(`SELECT MIN(next_poll_at) FROM orders WHERE closed_at = 0 AND next_poll_at > ?`), toMillis(now))
	if err != nil {
		return time.Time{}, fmt.Errorf("read next poll: %w", err)
	}
	return fromMillis(at.Int64), nil
}

// PollResult is a poll that brought no news, or failed: only when the order is
// asked for again changes.
type PollResult struct {
	OrderID   int64
	Polls     int64 // of the order that was polled
	At        time.Time
	Succeeded bool // else it failed
	Failures  int64
	NextAt    time.Time
}

// DueOrder is an order to be polled now, with the key to ask with.
type DueOrder struct {
	Order
	Key       redact.Secret
	PollKeyID int64 // its id
}

// OwnKey reports whether the key is the one that bought the order: what the
// marketplace says of that key then holds for the order.
func (o DueOrder) OwnKey() bool { return o.PollKeyID == o.KeyID }

// TakePolls writes notes down and leases the picked orders to owner until the
// given time, in one commit: polls without news are many. It returns the orders
// that are still due and free. Damaged rows are left out and told of in the
// error beside the others.
func (db *DB) TakePolls(ctx context.Context, notes []PollResult, picked []DuePoll, owner string, now, until time.Time) ([]DueOrder, error) {
	var rows []orderRow
	askWith := make([]int64, 0, len(picked))
	keys := map[int64]string{}
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		rows, askWith = rows[:0], askWith[:0]
		if err := db.notePolls(ctx, tx, notes); err != nil {
			return err
		}
		for _, due := range picked {
			if _, known := keys[due.KeyID]; !known {
				var sealed string
				if err := tx.GetContext(ctx, &sealed, db.bind(`SELECT secret_sealed FROM api_keys WHERE id = ?`), due.KeyID); err != nil {
					return err
				}
				keys[due.KeyID] = sealed
			}
			if keys[due.KeyID] == "" { // removed since
				continue
			}
			var row orderRow
			err := tx.GetContext(ctx, &row, db.bind(`UPDATE orders SET lease_owner = ?, lease_until = ?
				WHERE id = ? AND closed_at = 0 AND next_poll_at = ? AND lease_until <= ? RETURNING `+orderColumns),
				owner, toMillis(until), due.OrderID, toMillis(due.DueAt), toMillis(now))
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			rows, askWith = append(rows, row), append(askWith, due.KeyID)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("take polls: %w", err)
	}
	orders := make([]DueOrder, 0, len(rows))
	var damaged []error
	for i, row := range rows {
		order, err := db.order(row)
		secret, keyErr := db.unsealText(keysTable, secretColumn, askWith[i], keys[askWith[i]])
		if err = errors.Join(err, keyErr); err != nil {
			damaged = append(damaged, fmt.Errorf("order %d: %w", row.ID, err))
			continue
		}
		orders = append(orders, DueOrder{Order: order, Key: redact.Secret(secret), PollKeyID: askWith[i]})
	}
	return orders, errors.Join(damaged...)
}

// notePolls ends polls. Where another one has reported since, its word stands.
func (db *DB) notePolls(ctx context.Context, tx *sqlx.Tx, notes []PollResult) error {
	for _, note := range notes {
		query := `UPDATE orders SET failures = ?, next_poll_at = ?, lease_until = 0, last_poll_at = ? WHERE id = ? AND polls = ?`
		args := []any{note.Failures, toMillis(note.NextAt), toMillis(note.At), note.OrderID, note.Polls}
		if note.Succeeded {
			query = `UPDATE orders SET failures = ?, next_poll_at = ?, lease_until = 0, last_poll_at = ?, polls = polls + 1, updated_at = ? WHERE id = ? AND polls = ?`
			args = []any{note.Failures, toMillis(note.NextAt), toMillis(note.At), toMillis(note.At), note.OrderID, note.Polls}
		}
		if _, err := tx.ExecContext(ctx, db.bind(query), args...); err != nil {
			return err
		}
	}
	return nil
}
