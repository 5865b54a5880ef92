package storage

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
)

// sweepRows is how many rows one DELETE of a sweep removes at most, so that other
// writes do not wait long.
const sweepRows = 500

// sweepRules says what is deleted, and how long after the moment in the condition.
// Telegram repeats an update for 24 hours, so its id is kept for longer than that.
//
// Digests prevent a second delivery. They are kept while anything may still be
// delivered, and for a year after; later the number of accounts sent prevents it
// (newDeliveries).
var sweepRules = []struct {
	table, key, condition string
	age                   time.Duration
}{
	{"inbox", "update_id", "state = 'done' AND finished_at < ?", 48 * time.Hour},
	{"inbox", "update_id", "state = 'dead_lettered' AND finished_at < ?", 30 * day},
	{"dialogs", "user_id", "expires_at <= ?", 0},
	{"searches", "id", "created_at < ?", 30 * day},
	{"purchases", "id", "state IN ('draft', 'superseded') AND expires_at < ?", day},
	{"baskets", "id", "state <> 'running' AND changed_at < ?", 30 * day}, // with their lines
	{"room_lines", "purchase_id", "finished_at > 0 AND finished_at < ?", 30 * day},
	{"room_messages", "id", "created_at < ?", 30 * day},
	{"outbox", "id", "state <> 'pending' AND state = 'sent' AND created_at < ?", 48 * time.Hour},
	{"outbox", "id", "state <> 'pending' AND state = 'draft' AND created_at < ?", day},
	{"outbox", "id", "state <> 'pending' AND created_at < ?", 30 * day}, // held and rejected ones, with their bodies
	{"deliveries", "order_id", `EXISTS (SELECT 1 FROM orders WHERE orders.id = order_id AND closed_at > 0 AND closed_at < ?
		AND state IN ('delivered', 'cancelled', 'refunded', 'expired', 'failed') AND delivered - replaced >= quantity)`, 365 * day},
	{"delivery_times", "order_id", "at < ?", deliveryTimesAge},
	{"delivery_times", "order_id", `at < ? AND order_id IN (SELECT order_id FROM (
		SELECT order_id, ROW_NUMBER() OVER (PARTITION BY subject ORDER BY at DESC, order_id) AS place FROM delivery_times) AS latest WHERE place > ` +
		strconv.Itoa(deliveryTimesPerSubject) + `)`, 0},
	{"broadcasts", "id", "state IN ('done', 'stopped') AND ended_at < ?", 90 * day}, // with their texts
	{"allowance_links", "id", "expires_at < ?", 30 * day},
	{"ledger", "purchase_id", "state = 'released' AND at < ?", 90 * day}, // what was charged stays
	{"audit_log", "id", "at < ?", 365 * day},
	{"news", "id", "at < ?", newsAge},
}

// Sweep deletes what is older than sweepRules says, in small transactions. A rule that
// fails does not stop the others.
func (db *DB) Sweep(ctx context.Context, now time.Time) error {
	var failures []error
	for _, rule := range sweepRules {
		query := `DELETE FROM ` + rule.table + ` WHERE ` + rule.key + ` IN (SELECT ` + rule.key + ` FROM ` + rule.table + ` WHERE ` + rule.condition + ` LIMIT ?)`
		for deleted := int64(sweepRows); deleted >= sweepRows; {
			err := db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) (err error) {
				deleted, err = affected(tx.ExecContext(ctx, query, toMillis(now.Add(-rule.age)), sweepRows))
				return err
			})
			if err != nil {
				failures = append(failures, fmt.Errorf("sweep %s: %w", rule.table, err))
				break
			}
		}
	}
	return errors.Join(append(failures, db.erase(ctx))...)
}
