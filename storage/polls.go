package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"hstockbot/internal/redact"
)

// DuePoll is an order whose poll is due, with what decides its precedence. It may be
// leased until LeasedUntil.
type DuePoll struct {
	OrderID     int64     `db:"id"`
	KeyID       int64     `db:"key_id"`      // of the key to poll with
	Account     string    `db:"fingerprint"` // of that key: equal keys of different people have the same
	UserID      int64     `db:"user_id"`
	CreatedAt   time.Time `db:"created_at"`
	LastPollAt  time.Time `db:"last_poll_at"` // answered or not; CreatedAt before the first
	DueAt       time.Time `db:"next_poll_at"`
	LeasedUntil time.Time `db:"lease_until"`
	HasCode     bool      `db:"has_code"` // a phone whose first code was delivered
}

// DuePolls returns the open orders whose poll became due after since and until now, the
// longest due first, at most limit. Those leased to owner are left out.
//
// An order whose own key can't be used (refused by the marketplace, removed) is polled
// with its owner's active key; without one it waits, and is left out. One that the operator's
// key has bought waits for that key.
func (db *DB) DuePolls(ctx context.Context, owner string, since, now time.Time, limit int) ([]DuePoll, error) {
	due, err := selectRows[DuePoll](ctx, db, db.reader, `
		SELECT o.id, k.id AS key_id, k.fingerprint, o.user_id, o.created_at, CASE WHEN o.last_poll_at > o.created_at OR o.last_poll_at > 0 AND o.created_at > o.next_poll_at THEN o.last_poll_at ELSE o.created_at END AS last_poll_at,
		       o.next_poll_at, o.lease_until, CASE WHEN o.kind = 'sms' AND o.state = 'delivered' THEN 1 ELSE 0 END AS has_code
		  FROM orders o
		  JOIN api_keys own ON own.id = o.key_id
		  JOIN api_keys k ON k.id = CASE WHEN own.secret_sealed <> '' AND own.invalid = 0 THEN own.id
		       WHEN own.house = 0 THEN (SELECT a.id FROM api_keys a WHERE a.user_id = o.user_id AND a.state = 'active' AND a.invalid = 0) END
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
	PollKeyID int64  // the id of Key
	Account   string // its fingerprint
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
	made := func(tx *sqlx.Tx) (bool, error) {
		if len(orders) == 0 {
			return false, nil
		}
		return finds(ctx, `SELECT 1 FROM orders WHERE id = ? AND lease_owner = ? AND lease_until = ?`, orders[0].ID, owner, toMillis(until))(tx)
	}
	err := db.writeOnce(ctx, made, func(tx *sqlx.Tx) error {
		if err := storePollResults(ctx, tx, results); err != nil || len(picked) == 0 {
			return err
		}
		taken, failures := make([]DueOrder, 0, len(picked)), []error(nil)
		keys, err := db.pollKeys(ctx, tx, picked)
		if err != nil {
			return err
		}
		leased, err := db.leasePolls(ctx, tx, picked, keys, owner, now, until)
		if err != nil {
			return err
		}
		for _, due := range picked {
			order, found := leased[due.OrderID]
			if !found {
				continue
			}
			delete(leased, due.OrderID)
			key := keys[due.KeyID]
			if key.Damaged != nil {
				failures = append(failures, fmt.Errorf("order %d: %w", order.ID, key.Damaged))
				continue
			}
			failures = append(failures, order.Damaged)
			taken = append(taken, DueOrder{Order: order, Key: key.Secret, PollKeyID: key.ID, Account: key.Fingerprint})
		}
		orders, damaged = taken, failures
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("take polls: %w", err)
	}
	return orders, errors.Join(damaged...)
}

// pollKeys returns the keys to poll with by their ids, except those that were removed.
func (db *DB) pollKeys(ctx context.Context, tx *sqlx.Tx, picked []DuePoll) (map[int64]Key, error) {
	var ids [][]int64
	keys := map[int64]Key{}
	for _, due := range picked {
		if _, known := keys[due.KeyID]; !known {
			keys[due.KeyID] = Key{}
			ids = append(ids, []int64{due.KeyID})
		}
	}
	table, args := values(ids)
	found, err := selectRows[Key](ctx, db, tx, `SELECT `+keyColumns+` FROM api_keys WHERE id IN (SELECT column1 FROM `+table+`)`, args...)
	if err != nil {
		return nil, err
	}
	clear(keys)
	for _, key := range found {
		if key.Secret != "" || key.Damaged != nil {
			keys[key.ID] = key
		}
	}
	return keys, nil
}

// leasePolls leases the picked orders that are still due and have a key. It returns them
// by their ids.
func (db *DB) leasePolls(ctx context.Context, tx *sqlx.Tx, picked []DuePoll, keys map[int64]Key, owner string, now, until time.Time) (map[int64]Order, error) {
	var rows [][]int64
	for _, due := range picked {
		if _, usable := keys[due.KeyID]; usable {
			rows = append(rows, []int64{due.OrderID, toMillis(due.DueAt)})
		}
	}
	if len(rows) == 0 {
		return nil, nil
	}
	// Transactions that lock rows in one order rarely deadlock, and then run again.
	slices.SortFunc(rows, slices.Compare)
	table, args := values(rows)
	found, err := selectRows[Order](ctx, db, tx, `UPDATE orders SET lease_owner = ?, lease_until = ? FROM `+table+`
		WHERE id = v.column1 AND closed_at = 0 AND next_poll_at = v.column2 AND lease_until <= ? RETURNING `+orderColumns,
		slices.Concat([]any{owner, toMillis(until)}, args, []any{toMillis(now)})...)
	leased := make(map[int64]Order, len(found))
	for _, order := range found {
		leased[order.ID] = order
	}
	return leased, err
}

// storePollResults ends polls. A result is ignored where a later poll is stored.
func storePollResults(ctx context.Context, tx *sqlx.Tx, results []PollResult) error {
	if len(results) == 0 {
		return nil
	}
	byOrder := map[[2]int64]PollResult{} // an order whose lease has ended may have been polled twice
	for _, result := range results {
		poll := [2]int64{result.OrderID, result.Polls}
		if !byOrder[poll].Succeeded {
			byOrder[poll] = result
		}
	}
	rows := make([][]int64, 0, len(byOrder))
	for _, r := range byOrder {
		succeeded := int64(0)
		if r.Succeeded {
			succeeded = 1
		}
		rows = append(rows, []int64{r.OrderID, r.Polls, r.Failures, toMillis(r.NextAt), toMillis(r.At), succeeded})
	}
	slices.SortFunc(rows, slices.Compare)
	table, args := values(rows)
	_, err := tx.ExecContext(ctx, `UPDATE orders SET failures = v.column3, next_poll_at = v.column4, lease_until = 0, last_poll_at = v.column5,
		polls = polls + v.column6, updated_at = CASE WHEN v.column6 = 1 THEN v.column5 ELSE updated_at END
		FROM `+table+` WHERE id = v.column1 AND polls = v.column2`, args...)
	return err
}
