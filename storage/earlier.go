package storage

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Earlier is a purchase that a later one of the same person may collide with.
type Earlier struct {
	Purchase   int64  `db:"purchase_id"` // 0 for none
	ExternalID string `db:"external_id"` // of its order, "" while the outcome is not known
	Quantity   int64  `db:"quantity"`
	Remains    *int64 `db:"remains"`
}

// RunningOnLink returns the newest purchase on the link of p whose order is not complete,
// or whose outcome is not known.
func (db *DB) RunningOnLink(ctx context.Context, p Purchase) (Earlier, error) {
	if p.LinkDigest == "" {
		return Earlier{}, nil
	}
	return db.earlier(ctx, p, `(p.state IN ('sending', 'outcome_unknown') OR o.state = 'open')`)
}

// RepeatedSince returns the newest purchase of the same item, quantity and link that was
// sent after a time, unless its order came to nothing.
func (db *DB) RepeatedSince(ctx context.Context, p Purchase, since time.Time) (Earlier, error) {
	if p.LinkDigest == "" && p.Link != "" { // an older one
		return Earlier{}, nil
	}
	return db.earlier(ctx, p, `p.service = ? AND p.quantity = ? AND p.sent_at > ? AND (p.link_digest <> '' OR p.link_sealed = '')
		AND p.state IN ('sending', 'placed', 'outcome_unknown') AND COALESCE(o.state, '') NOT IN ('cancelled', 'refunded', 'failed')`,
		p.Service, p.Quantity, toMillis(since))
}

// earlier returns the newest purchase with the person and the link of p that meets a
// condition.
func (db *DB) earlier(ctx context.Context, p Purchase, condition string, args ...any) (Earlier, error) {
	found, err := selectRow[Earlier](ctx, db, db.reader, `
		SELECT p.id AS purchase_id, COALESCE(o.external_id, '') AS external_id, p.quantity AS quantity, o.remains AS remains
		  FROM purchases p LEFT JOIN orders o ON o.purchase_id = p.id
		 WHERE p.user_id = ? AND p.link_digest = ? AND p.id <> ? AND `+condition+`
		 ORDER BY p.sent_at DESC, p.id DESC LIMIT 1`, append([]any{p.UserID, p.LinkDigest, p.ID}, args...)...)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Earlier{}, fmt.Errorf("look for an earlier purchase: %w", err)
	}
	return found, nil
}
