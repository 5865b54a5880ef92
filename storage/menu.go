package storage

import (
	"context"
	"fmt"
	"time"
)

// MenuContents says what of the menu leads to something.
type MenuContents struct {
	Basket    bool // the person has one that is open or running
	News      bool // there are some that still hold
	Allowance bool // it pays
}

// MenuContents reads everything that the menu depends on at once.
func (db *DB) MenuContents(ctx context.Context, userID int64, now time.Time) (c MenuContents, err error) {
	err = db.reader.QueryRowxContext(ctx, `SELECT
		(SELECT COUNT(*) FROM baskets WHERE user_id = ? AND state IN ('open', 'running')),
		(SELECT COUNT(*) FROM (SELECT 1 FROM news WHERE kind IN ('restock', 'drop', 'new') AND at >= ? AND `+newsHolds+` LIMIT 1) AS found),
		(SELECT COUNT(*) FROM api_keys WHERE user_id = ? AND pays = 1)`,
		userID, toMillis(now.Add(-newsAge)), userID).Scan((*bit)(&c.Basket), (*bit)(&c.News), (*bit)(&c.Allowance))
	if err != nil {
		return MenuContents{}, fmt.Errorf("read what the menu depends on: %w", err)
	}
	return c, nil
}
