package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"hstockbot/internal/redact"
)

// DuePoll is an order whose poll is due, with what decides its precedence. It may be
// leased until LeasedUntil.
type DuePoll struct {
	OrderID     int64     `db:"id"`
	KeyID       int64     `db:"key_id"` // of the key to poll with
	CreatedAt   time.Time `db:"created_at"`
	LastPollAt  time.Time `db:"last_poll_at"` // answered or not; CreatedAt before the first
	DueAt       time.Time `db:"next_poll_at"`
	LeasedUntil time.Time `db:"lease_until"`
}

// DuePolls returns the open orders whose poll became due after since and until now, the
// longest due first, at most limit. Those leased to owner are left out.
//
// An order whose own key can't be used (refused by the marketplace, removed) is polled
// with its owner's active key; without one it waits, and is left out.
func (db *DB) DuePolls(ctx context.Context, owner string, since, now time.Time, limit int) ([]DuePoll, error) {
	due, err := selectRows[DuePoll](ctx, db, db.reader, `
		SELECT o.id, k.id AS key_id, o.created_at, CASE WHEN o.last_poll_at > o.created_at THEN o.last_poll_at ELSE o.created_at END AS last_poll_at,
		       o.next_poll_at, o.lease_until
		  FROM orders o
		  JOIN api_keys own ON own.id = o.key_id
		  JOIN api_keys k ON k.id = CASE WHEN own.secret_sealed <> '' AND own.invalid = 0 THEN own.id
		       ELSE (SELECT a.id FROM api_keys a WHERE a.user_id = o.user_id AND a.state = 'active' AND a.invalid = 0) END
		 WHERE o.closed_at = 0 AND o.next_poll_at > ? AND o.next_poll_at <= ? AND NOT (o.lease_owner = ? AND o.lease_until > ?)
		 ORDER BY o.next_poll_at LIMIT ?`,
		toMillis(since), toMillis(now), owner, toMillis(now), limit)
	if err != nil {
		return nil, fmt.Errorf("read due polls: %w", err)
	}
	return due, nil
}

// NextPoll returns when the next order becomes due after now, zero where none does.
func (db *DB) NextPoll(ctx context.Context, now time.Time) (time.Time, error) {
	return db.readTime(ctx, "read next poll", `SELECT MIN(next_poll_at) FROM orders WHERE closed_at = 0 AND next_poll_at > ?`, toMillis(now))
}

// PollResult is a poll that failed or changed nothing: only the next one is scheduled.
type PollResult struct {
	OrderID   int64
	Polls     int64 // of the order that was polled
	At        time.Time
	Succeeded bool
	Failures  int64 // in a row
	NextAt    time.Time
}

// DueOrder is an order to be polled now, with the key to poll with.
type DueOrder struct {
	Order
	Key       redact.Secret
	PollKeyID int64 // the id of Key
}

// OwnKey reports whether the key is the one that bought the order: only then an answer
// about the key applies to the order.
func (o DueOrder) OwnKey() bool { return o.PollKeyID == o.KeyID }

// TakePolls stores the results and leases the picked orders to owner until the given
// time, in one commit. It returns the orders that are still due and not leased. Those
// whose key is damaged are leased, too, but left out. The error beside them names
// these and the damaged orders.
func (db *DB) TakePolls(ctx context.Context, results []PollResult, picked []DuePoll, owner string, now, until time.Time) ([]DueOrder, error) {
	var orders []DueOrder
	var damaged []error
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		orders, damaged = make([]DueOrder, 0, len(picked)), nil
		keys := map[int64]Key{}
		if err := db.storePollResults(ctx, tx, results); err != nil {
			return err
		}
		for _, due := range picked {
			key, known := keys[due.KeyID]
			if !known {
				var err error
				if key, err = selectRow[Key](ctx, db, tx, `SELECT `+keyColumns+` FROM api_keys WHERE id = ?`, due.KeyID); err != nil {
					return err
				}
				keys[due.KeyID] = key
			}
			if key.Secret == "" && key.Damaged == nil { // removed since
				continue
			}
			order, err := selectRow[Order](ctx, db, tx, `UPDATE orders SET lease_owner = ?, lease_until = ?
				WHERE id = ? AND closed_at = 0 AND next_poll_at = ? AND lease_until <= ? RETURNING `+orderColumns,
				owner, toMillis(until), due.OrderID, toMillis(due.DueAt), toMillis(now))
			switch {
			case errors.Is(err, ErrNotFound):
			case err != nil:
				return err
			case key.Damaged != nil:
				damaged = append(damaged, fmt.Errorf("order %d: %w", order.ID, key.Damaged))
			default:
				damaged = append(damaged, order.Damaged)
				orders = append(orders, DueOrder{Order: order, Key: key.Secret, PollKeyID: key.ID})
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("take polls: %w", err)
	}
	return orders, errors.Join(damaged...)
}

// storePollResults ends polls. A result is ignored where a later poll is stored.
func (db *DB) storePollResults(ctx context.Context, tx *sqlx.Tx, results []PollResult) error {
	for _, result := range results {
		query := `UPDATE orders SET failures = ?, next_poll_at = ?, lease_until = 0, last_poll_at = ? WHERE id = ? AND polls = ?`
		args := []any{result.Failures, toMillis(result.NextAt), toMillis(result.At), result.OrderID, result.Polls}
		if result.Succeeded {
			query = `UPDATE orders SET failures = ?, next_poll_at = ?, lease_until = 0, last_poll_at = ?, polls = polls + 1, updated_at = ? WHERE id = ? AND polls = ?`
			args = []any{result.Failures, toMillis(result.NextAt), toMillis(result.At), toMillis(result.At), result.OrderID, result.Polls}
		}
		if _, err := tx.ExecContext(ctx, db.bind(query), args...); err != nil {
			return err
		}
	}
	return nil
}
