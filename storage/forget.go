package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// ErrPurchaseInFlight is returned by Forget while a purchase of the person is claimed
// or sending: its outcome must be recorded.
var ErrPurchaseInFlight = errors.New("a purchase is in flight")

// forgotten are the tables whose rows about a person are deleted, in an order that
// foreign keys allow. users, which others refer to, is deleted last, by id.
var forgotten = []string{"turns", "allowances", "allowance_links", "swaps", "basket_lines", "baskets", "basket_sets", "reminders", "saved_items", "saved_numbers", "watches", "balance_watches", "outbox", "searches", "broadcast_recipients", "dialogs", "api_keys"}

// Forget deletes what is kept about a person, also from the files (checkpoint.go). What
// they bought through the bot stays as anonymous figures: product, category, quantity,
// price, country and date; so does what it has taken from an allowance, where a hold is final
// at its amount. Person, key, order id, link and phone number are deleted.
//
// Whom a file forgets is noted beside it, for Restore (forgotten.go): before the commit,
// so that nobody is missing there.
//
// Open orders are closed, so that the answer to a poll in flight changes nothing. The
// ids of handled updates stay for their 48 hours, without the person; unhandled
// updates stay as they are.
func (db *DB) Forget(ctx context.Context, userID int64, now time.Time) error {
	err := db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		var inFlight int
		err := tx.GetContext(ctx, &inFlight, `SELECT COUNT(*) FROM purchases WHERE user_id = ? AND state IN ('claimed', 'sending')`, userID)
		if err != nil {
			return err
		}
		if inFlight > 0 {
			return ErrPurchaseInFlight
		}
		if err := db.forget(ctx, tx, userID, now); err != nil {
			return err
		}
		return db.noteForgotten(userID, now)
	})
	db.users.forget(userID)
	if err != nil {
		return fmt.Errorf("forget a person: %w", err)
	}
	db.eraseNow(ctx)
	return nil
}

// forget is the transaction of Forget.
func (db *DB) forget(ctx context.Context, tx *sqlx.Tx, userID int64, now time.Time) (err error) {
	run := func(query string, args ...any) {
		if err == nil {
			_, err = tx.ExecContext(ctx, query, args...)
		}
	}
	for _, table := range []string{"deliveries", "delivery_times"} {
		run(`DELETE FROM `+table+` WHERE order_id IN (SELECT id FROM orders WHERE user_id = ?)`, userID)
	}
	if err == nil {
		err = db.closeLedger(ctx, tx, userID)
	}
	for _, table := range forgotten {
		run(`DELETE FROM `+table+` WHERE user_id = ?`, userID) // constants
	}
	// An imported order is not a sale.
	run(`DELETE FROM orders WHERE user_id = ? AND external = 1`, userID)
	run(`UPDATE orders SET user_id = 0, key_id = 0, key_fingerprint = '', external_id = '', adopted = 0, link_sealed = '', phone_sealed = '', origin = '',
	            message_id = 0, notified_at = 0, feedback = '', feedback_of = 0, feedback_at = 0, feedback_due = 0, next_poll_at = 0, lease_until = 0, polls = polls + 1,
	            state = CASE WHEN closed_at = 0 THEN 'stale' ELSE state END, closed_at = CASE WHEN closed_at = 0 THEN ? ELSE closed_at END
	      WHERE user_id = ?`, toMillis(now), userID)
	run(`DELETE FROM purchases WHERE user_id = ? AND NOT EXISTS (SELECT 1 FROM orders WHERE orders.purchase_id = purchases.id)`, userID)
	run(`UPDATE purchases SET user_id = 0, key_id = 0, key_fingerprint = '', link_sealed = '', link_digest = '', link_misfit = '', phone_sealed = '', refusal_sealed = '', origin = '', thread_id = 0,
	            balance = '0', balance_seen = NULL, lease_owner = '' WHERE user_id = ?`, userID)
	// In a private chat the chat's id is the person's (Bot API: Chat).
	run(`UPDATE inbox SET chat_id = 0, payload_sealed = '' WHERE chat_id = ? AND finished_at IS NOT NULL`, userID)
	run(`UPDATE audit_log SET subject = 0 WHERE subject = ?`, userID)
	// Broadcasts that an admin has sent stay, as the audit log does.
	run(`DELETE FROM broadcasts WHERE author_id = ? AND state = 'draft'`, userID)
	run(`UPDATE broadcasts SET chat_id = 0, message_id = 0 WHERE chat_id = ?`, userID)
	run(`DELETE FROM users WHERE id = ?`, userID)
	if err != nil || db.checkpoints == nil {
		return err
	}
	return setSetting(ctx, tx, upsertSetting, vacuumSetting, "1")
}

// DataSummary counts what is kept about a person. Waiting are messages not yet sent.
type DataSummary struct {
	Keys           int `db:"api_keys"`
	Orders         int `db:"orders"`
	Open           int `db:"open_orders"`
	Purchases      int `db:"purchases"`
	OutcomeUnknown int `db:"outcome_unknown"`
	InFlight       int `db:"in_flight"`
	Searches       int `db:"searches"`
	Saved          int `db:"saved"`
	Watches        int `db:"watches"` // of goods and of balances
	Reminders      int `db:"reminders"`
	BasketLines    int `db:"basket_lines"`
	BasketSets     int `db:"basket_sets"`
	Waiting        int `db:"waiting"`
}

// DataSummary counts what is kept about this person.
func (db *DB) DataSummary(ctx context.Context, userID int64) (DataSummary, error) {
	summary, err := selectRow[DataSummary](ctx, db, db.reader, `SELECT
		(SELECT COUNT(*) FROM api_keys WHERE user_id = ? AND secret_sealed <> '' AND house = 0) AS api_keys,
		(SELECT COUNT(*) FROM orders WHERE user_id = ?) AS orders,
		(SELECT COUNT(*) FROM orders WHERE user_id = ? AND closed_at = 0 AND state IN ('open', 'partial')) AS open_orders,
		(SELECT COUNT(*) FROM purchases WHERE user_id = ?) AS purchases,
		(SELECT COUNT(*) FROM purchases WHERE user_id = ? AND state = 'outcome_unknown') AS outcome_unknown,
		(SELECT COUNT(*) FROM purchases WHERE user_id = ? AND state IN ('claimed', 'sending')) AS in_flight,
		(SELECT COUNT(*) FROM searches WHERE user_id = ?) AS searches,
		(SELECT COUNT(*) FROM saved_items WHERE user_id = ?) + (SELECT COUNT(*) FROM saved_numbers WHERE user_id = ?) AS saved,
		(SELECT COUNT(*) FROM watches WHERE user_id = ?) + (SELECT COUNT(*) FROM balance_watches WHERE user_id = ?) AS watches,
		(SELECT COUNT(*) FROM reminders WHERE user_id = ?) AS reminders,
		(SELECT COUNT(*) FROM basket_lines WHERE user_id = ?) AS basket_lines,
		(SELECT COUNT(*) FROM basket_sets WHERE user_id = ?) AS basket_sets,
		(SELECT COUNT(*) FROM outbox WHERE user_id = ? AND state NOT IN ('sent', 'draft')) AS waiting`,
		userID, userID, userID, userID, userID, userID, userID, userID, userID, userID, userID, userID, userID, userID, userID)
	if err != nil {
		return DataSummary{}, fmt.Errorf("count what is kept: %w", err)
	}
	return summary, nil
}
