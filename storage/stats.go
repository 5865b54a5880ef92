package storage

import (
	"context"
	"fmt"
	"time"
)

// Stats counts what there is, and tells how long the oldest of it waits. A zero time
// says that nothing waits.
type Stats struct {
	People      int64 `db:"people"`
	New         int64 `db:"new_people"`    // since the given moment
	Active      int64 `db:"active_people"` // since then; SeenAt is kept to the hour
	Unreachable int64 `db:"unreachable"`   // have blocked the bot, or the account is gone
	Blocked     int64 `db:"blocked"`       // by an admin

	OpenProducts   int64     `db:"open_products"`
	OpenSMM        int64     `db:"open_smm"`
	OpenSMS        int64     `db:"open_sms"`
	OutcomeUnknown int64     `db:"outcome_unknown"` // purchases
	OldestOpen     time.Time `db:"oldest_open"`

	Pending       int64     `db:"pending"` // messages that are due or will be
	Held          int64     `db:"held"`    // for unreachable people
	OldestPending time.Time `db:"oldest_pending"`

	Unfinished       int64     `db:"unfinished"` // updates
	DeadLettered     int64     `db:"dead_lettered"`
	OldestUnfinished time.Time `db:"oldest_unfinished"`
}

// Stats counts. since is the beginning of the day. The update with the id asking is
// not counted as unfinished.
func (db *DB) Stats(ctx context.Context, now, since time.Time, asking int64) (Stats, error) {
	stats, err := selectRow[Stats](ctx, db, db.reader, `SELECT
		(SELECT COUNT(*) FROM users) AS people,
		(SELECT COUNT(*) FROM users WHERE created_at >= ?) AS new_people,
		(SELECT COUNT(*) FROM users WHERE seen_at >= ?) AS active_people,
		(SELECT COUNT(*) FROM users WHERE unreachable = 1) AS unreachable,
		(SELECT COUNT(*) FROM users WHERE blocked = 1) AS blocked,
		(SELECT COUNT(*) FROM orders WHERE closed_at = 0 AND kind = 'product') AS open_products,
		(SELECT COUNT(*) FROM orders WHERE closed_at = 0 AND kind = 'smm') AS open_smm,
		(SELECT COUNT(*) FROM orders WHERE closed_at = 0 AND kind = 'sms' AND state IN ('open', 'partial')) AS open_sms,
		(SELECT COUNT(*) FROM purchases WHERE state = 'outcome_unknown') AS outcome_unknown,
		(SELECT COALESCE(MIN(created_at), 0) FROM orders WHERE closed_at = 0 AND state IN ('open', 'partial')) AS oldest_open,
		(SELECT COUNT(*) FROM outbox WHERE state = 'pending') AS pending,
		(SELECT COUNT(*) FROM outbox WHERE state = 'held') AS held,
		(SELECT COALESCE(MIN(created_at), 0) FROM outbox WHERE state = 'pending' AND created_at <= ?) AS oldest_pending,
		(SELECT COUNT(*) FROM inbox WHERE finished_at IS NULL AND update_id <> ?) AS unfinished,
		(SELECT COUNT(*) FROM inbox WHERE state = 'dead_lettered') AS dead_lettered,
		(SELECT COALESCE(MIN(received_at), 0) FROM inbox WHERE finished_at IS NULL AND update_id <> ?) AS oldest_unfinished`,
		toMillis(since), toMillis(since), toMillis(now), asking, asking)
	if err != nil {
		return Stats{}, fmt.Errorf("count everything: %w", err)
	}
	return stats, nil
}
