package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Values of Order.Feedback. Any other text says which accounts have which problem, as the
// handlers package writes it.
const (
	FeedbackNone    = ""
	FeedbackWorks   = "works"   // all that had been delivered
	FeedbackDropped = "dropped" // an SMM order, whose count has dropped since
)

// SetFeedback stores what a person says about their order, and that they are not asked.
// of is as in Order.FeedbackOf. It reports false where there is no such order.
func (db *DB) SetFeedback(ctx context.Context, userID, orderID int64, feedback string, of int64, now time.Time) (bool, error) {
	return db.transition(ctx, "set feedback", `UPDATE orders SET feedback = ?, feedback_of = ?, feedback_at = ?, feedback_due = 0 WHERE id = ? AND user_id = ?`,
		feedback, of, toMillis(now), orderID, userID)
}

// SetSkipsFeedback stores whether a person is never asked about goods.
func (db *DB) SetSkipsFeedback(ctx context.Context, id int64, skips bool) error {
	defer db.users.forget(id)
	_, err := db.transition(ctx, "set whether feedback is asked for", `UPDATE users SET skips_feedback = ? WHERE id = ?`, bit(skips), id)
	return err
}

// FeedbackRequest says that a person is to be asked about an order.
type FeedbackRequest struct {
	OrderID    int64     `db:"id"`
	UserID     int64     `db:"user_id"`
	PurchaseID int64     `db:"purchase_id"`
	At         time.Time `db:"feedback_due"`
}

// DueFeedback returns requests whose time has come, at most limit.
func (db *DB) DueFeedback(ctx context.Context, now time.Time, limit int) ([]FeedbackRequest, error) {
	due, err := selectRows[FeedbackRequest](ctx, db, db.reader, `SELECT `+columnsOf[FeedbackRequest]()+` FROM orders
		WHERE feedback_due > 0 AND feedback_due <= ? ORDER BY feedback_due LIMIT ?`, toMillis(now), limit)
	if err != nil {
		return nil, fmt.Errorf("read due feedback: %w", err)
	}
	return due, nil
}

// NextFeedback returns when the next request is due, zero where none is.
func (db *DB) NextFeedback(ctx context.Context) (time.Time, error) {
	return db.readTime(ctx, "read next feedback", `SELECT MIN(feedback_due) FROM orders WHERE feedback_due > 0`)
}

// EndFeedback ends a request for good and, in the same transaction, stores its message,
// unless the goods have not arrived or were paid back, or the person can't or does not
// want to be asked. It reports whether the message was stored.
func (db *DB) EndFeedback(ctx context.Context, r FeedbackRequest, message Message) (bool, error) {
	asked := false
	messages := withIDs(message)
	_, err := db.transitionOnce(ctx, "end feedback", messagesExist(ctx, messages), func(tx *sqlx.Tx) error {
		asked = false
		var wanted int
		err := tx.GetContext(ctx, &wanted, `SELECT COUNT(*) FROM orders o JOIN users u ON u.id = o.user_id
			WHERE o.id = ? AND o.state <> ? AND o.notified_at >= o.delivered_at AND u.skips_feedback = 0 AND u.unreachable = 0 AND u.blocked = 0`, r.OrderID, OrderRefunded)
		if err != nil || wanted == 0 {
			return err
		}
		asked = true
		return db.insertMessages(ctx, tx, messages)
	}, `UPDATE orders SET feedback_due = 0 WHERE id = ? AND feedback_due = ?`, r.OrderID, toMillis(r.At))
	return asked && err == nil, err
}
