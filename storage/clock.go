package storage

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
)

// Times in the database are wall times. After the clock was set back, what was stored
// before lies too far ahead. Each function below pulls the times of one loop to where
// a clock that was never set could have put them.
//
// Right after a step leases begin anew: the clock may have been set forward, beyond the end
// of those of work in flight. Those of a process that has ended are marked as over
// (leaseOver) and stay so. Later, when a loop pulls again (loop.Clock), leases only end
// within their length.

// anew returns after which stored time one is replaced by at.
func anew(at time.Time, again bool) int64 {
	if again {
		return toMillis(at)
	}
	return leaseOver
}

// PullPolls makes each open order due within the interval that its last poll has set,
// and within longest, counted from now.
func (db *DB) PullPolls(ctx context.Context, now time.Time, longest, lease time.Duration, again bool) error {
	const last = `CASE WHEN last_poll_at > 0 THEN last_poll_at ELSE created_at END`
	at := toMillis(now)
	return db.pull(ctx, "pull polls",
		change{
			`UPDATE orders SET next_poll_at = ? + CASE WHEN next_poll_at > ` + last + ` THEN next_poll_at - (` + last + `) ELSE 0 END, last_poll_at = ?,
		        updated_at = CASE WHEN updated_at > ? THEN ? ELSE updated_at END
		  WHERE closed_at = 0 AND ` + last + ` > ?`,
			[]any{at, at, at, at, at},
		},
		change{
			`UPDATE orders SET next_poll_at = ? WHERE closed_at = 0 AND next_poll_at > ?`,
			[]any{at, toMillis(now.Add(longest))},
		},
		change{
			`UPDATE orders SET lease_until = ? WHERE closed_at = 0 AND lease_until > ?`,
			[]any{toMillis(now.Add(lease)), anew(now.Add(lease), again)},
		})
}

// PullMessages makes pending messages due within longest, also those that wait after a
// failure: a retry that is too early does no harm.
func (db *DB) PullMessages(ctx context.Context, now time.Time, longest, lease time.Duration, again bool) error {
	return db.pull(ctx, "pull messages",
		change{`UPDATE outbox SET next_try_at = ? WHERE state = 'pending' AND next_try_at > ?`, []any{toMillis(now), toMillis(now.Add(longest))}},
		change{`UPDATE outbox SET lease_until = ? WHERE state = 'pending' AND lease_until > ?`, []any{toMillis(now.Add(lease)), anew(now.Add(lease), again)}})
}

// PullPurchases pulls what follows for purchases. Where the outcome of a purchase is unknown, the next
// balance reading is made when the whole interval before it has passed again: checks
// holds these intervals. A purchase that was sent after now gets no verdict, because what
// moved the balance since then can't be told from what moved it before. A draft that
// expires later than draft from now has expired: how old it is, is not known.
func (db *DB) PullPurchases(ctx context.Context, now time.Time, draft, lease time.Duration, checks []time.Duration, again bool) error {
	changes := []change{
		{
			`UPDATE purchases SET lease_until = ? WHERE state IN ('claimed', 'sending') AND lease_until > ?`,
			[]any{toMillis(now.Add(lease)), anew(now.Add(lease), again)},
		},
		{
			`UPDATE purchases SET expires_at = ? WHERE state = 'draft' AND expires_at > ?`,
			[]any{toMillis(now), toMillis(now.Add(draft))},
		},
		{
			`UPDATE purchases SET verdict = ? WHERE state = ? AND verdict = '' AND sent_at > ?`,
			[]any{VerdictUnclear, PurchaseOutcomeUnknown, toMillis(now)},
		},
	}
	for made, interval := range checks {
		changes = append(changes, change{
			`UPDATE purchases SET next_check_at = ? WHERE state = ? AND next_check_at > ? AND checks = ?`,
			[]any{toMillis(now.Add(interval)), PurchaseOutcomeUnknown, anew(now.Add(interval), again), made},
		})
	}
	return db.pull(ctx, "pull purchases", changes...)
}

// MoveDrafts makes drafts expire at the given times, by id.
func (db *DB) MoveDrafts(ctx context.Context, expiries map[int64]time.Time) error {
	var changes []change
	for id, at := range expiries {
		changes = append(changes, change{`UPDATE purchases SET expires_at = ? WHERE id = ? AND state = 'draft'`, []any{toMillis(at), id}})
	}
	return db.pull(ctx, "move drafts", changes...)
}

// PullBroadcasts ends the leases of broadcasts within lease, and makes recipients due
// that wait for longer than longest. People who seem to have joined later than now have
// joined now: else a broadcast would leave them out.
func (db *DB) PullBroadcasts(ctx context.Context, now time.Time, longest, lease time.Duration) error {
	defer db.users.forget()
	return db.pull(ctx, "pull broadcasts",
		change{`UPDATE broadcasts SET lease_until = ? WHERE reported = 0 AND lease_until > ?`, []any{toMillis(now.Add(lease)), toMillis(now.Add(lease))}},
		change{`UPDATE broadcast_recipients SET next_try_at = ? WHERE state = 'pending' AND next_try_at > ?`, []any{toMillis(now), toMillis(now.Add(longest))}},
		change{`UPDATE users SET created_at = ? WHERE created_at > ?`, []any{toMillis(now), toMillis(now)}})
}

// PullReminders makes all reminders due.
func (db *DB) PullReminders(ctx context.Context, now time.Time) error {
	return db.pull(ctx, "pull reminders", change{`UPDATE reminders SET at = ? WHERE at > ?`, []any{toMillis(now), toMillis(now)}})
}

// PullFeedback makes people be asked about goods within longest.
func (db *DB) PullFeedback(ctx context.Context, now time.Time, longest time.Duration) error {
	return db.pull(ctx, "pull feedback",
		change{`UPDATE orders SET feedback_due = ? WHERE feedback_due > ?`, []any{toMillis(now.Add(longest)), toMillis(now.Add(longest))}})
}

// PullBalanceWatches makes all balance watches due, and those that seem to have begun
// later than now begin now.
func (db *DB) PullBalanceWatches(ctx context.Context, now time.Time) error {
	return db.pull(ctx, "pull balance watches",
		change{`UPDATE balance_watches SET started_at = ? WHERE started_at > ?`, []any{toMillis(now), toMillis(now)}},
		change{`UPDATE balance_watches SET next_at = ? WHERE next_at > ?`, []any{toMillis(now), toMillis(now)}})
}

// PullSwaps makes the next step of all swaps due. Where a cancel is being sent, that ends
// within lease.
func (db *DB) PullSwaps(ctx context.Context, now time.Time, lease time.Duration) error {
	return db.pull(ctx, "pull swaps",
		change{`UPDATE swaps SET due_at = ? WHERE state IN ('armed', 'ending') AND due_at > ?`, []any{toMillis(now), toMillis(now)}},
		change{`UPDATE swaps SET due_at = ? WHERE state = 'cancelling' AND due_at > ?`, []any{toMillis(now.Add(lease)), toMillis(now.Add(lease))}})
}

// PullBaskets makes the next line of all running baskets due.
func (db *DB) PullBaskets(ctx context.Context, now time.Time) error {
	return db.pull(ctx, "pull baskets", change{`UPDATE baskets SET due_at = ? WHERE state = 'running' AND due_at > ?`, []any{toMillis(now), toMillis(now)}})
}

// PullWatchRound makes the next watch round due now if it is stored as due at the given
// time, zero for any.
func (db *DB) PullWatchRound(ctx context.Context, due, now time.Time) error {
	c := change{`UPDATE settings SET value = ? WHERE name = ?`, []any{strconv.FormatInt(toMillis(now), 10), watchRoundSetting}}
	if !due.IsZero() {
		c.query += ` AND value = ?`
		c.args = append(c.args, strconv.FormatInt(toMillis(due), 10))
	}
	return db.pull(ctx, "pull the watch round", c)
}

// PullNews makes news that seem to be from later than now be from now.
func (db *DB) PullNews(ctx context.Context, now time.Time) error {
	return db.pull(ctx, "pull news", change{`UPDATE news SET at = ? WHERE at > ?`, []any{toMillis(now), toMillis(now)}})
}

// PullDeadLetters makes updates that seem to have been dead-lettered later than now
// dead-lettered now.
func (db *DB) PullDeadLetters(ctx context.Context, now time.Time) error {
	return db.pull(ctx, "pull dead-lettered updates",
		change{`UPDATE inbox SET finished_at = ? WHERE state = 'dead_lettered' AND finished_at > ?`, []any{toMillis(now), toMillis(now)}})
}

// change is one UPDATE.
type change struct {
	query string
	args  []any
}

// pull makes the changes in one transaction.
func (db *DB) pull(ctx context.Context, what string, changes ...change) error {
	err := db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		for _, c := range changes {
			if _, err := tx.ExecContext(ctx, c.query, c.args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
