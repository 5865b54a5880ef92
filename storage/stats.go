package storage

import (
	"context"
	"fmt"
	"time"
)

// Stats is how much of everything there is, and how long it waits. A zero time
// says that nothing waits.
type Stats struct {
	People      int64 `db:"people"`
	New         int64 `db:"new_people"`    // since the given moment
	Active      int64 `db:"active_people"` // since then; SeenAt is kept to the hour
	Unreachable int64 `db:"unreachable"`   // have blocked the bot, or are gone
	Blocked     int64 `db:"blocked"`       // by an admin

	OpenProducts   int64 `db:"open_products"`
	OpenSMM        int64 `db:"open_smm"`
	OpenSMS        int64 `db:"open_sms"`
	OutcomeUnknown int64 `db:"unknown"` // purchases
	OldestOpen     time.Time

	Pending       int64     `db:"waiting"` // messages that are due or will be
	Held          int64     `db:"held"`    // for people who can't be reached
	OldestPending time.Time // since when the oldest of them has

	Unfinished       int64 `db:"unfinished"` // updates
	DeadLettered     int64 `db:"parked"`
	OldestUnfinished time.Time
}

// Stats counts. since is the beginning of the day; the update that asks for it is
// not counted among those in hand.
func (db *DB) Stats(ctx context.Context, now, since time.Time, asking int64) (Stats, error) {
	var row struct {
		Stats
		OldestOpen       int64 `db:"oldest_open"`
		OldestWaiting    int64 `db:"oldest_waiting"`
		OldestUnfinished int64 `db:"oldest_unfinished"`
	}
	err := db.reader.GetContext(ctx, &row, db.bind(`SELECT
		(SELECT COUNT(*) FROM users) AS people,
		(SELECT COUNT(*) FROM users WHERE created_at >= ?) AS new_people,
		(SELECT COUNT(*) FROM users WHERE seen_at >= ?) AS active_people,
		(SELECT COUNT(*) FROM users WHERE unreachable = 1) AS unreachable,
		(SELECT COUNT(*) FROM users WHERE blocked = 1) AS blocked,
		(SELECT COUNT(*) FROM orders WHERE closed_at = 0 AND kind = 'product') AS open_products,
		(SELECT COUNT(*) FROM orders WHERE closed_at = 0 AND kind = 'smm') AS open_smm,
		(SELECT COUNT(*) FROM orders WHERE closed_at = 0 AND kind = 'sms' AND state IN ('open', 'partial')) AS open_sms,
		(SELECT COUNT(*) FROM purchases WHERE state = 'outcome_unknown') AS unknown,
		(SELECT COALESCE(MIN(created_at), 0) FROM orders WHERE closed_at = 0 AND state IN ('open', 'partial')) AS oldest_open,
		(SELECT COUNT(*) FROM outbox WHERE state = 'pending') AS waiting,
		(SELECT COUNT(*) FROM outbox WHERE state = 'held') AS held,
		(SELECT COALESCE(MIN(created_at), 0) FROM outbox WHERE state = 'pending' AND created_at <= ?) AS oldest_waiting,
		(SELECT COUNT(*) FROM inbox WHERE finished_at IS NULL AND update_id <> ?) AS unfinished,
		(SELECT COUNT(*) FROM inbox WHERE state = 'dead_lettered') AS parked,
		(SELECT COALESCE(MIN(received_at), 0) FROM inbox WHERE finished_at IS NULL AND update_id <> ?) AS oldest_unfinished`),
		toMillis(since), toMillis(since), toMillis(now), asking, asking)
	if err != nil {
		return Stats{}, fmt.Errorf("count everything: %w", err)
	}
	row.Stats.OldestOpen = fromMillis(row.OldestOpen)
	row.Stats.OldestPending = fromMillis(row.OldestWaiting)
	row.Stats.OldestUnfinished = fromMillis(row.OldestUnfinished)
	return row.Stats, nil
}
