package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// ErrPurchaseInFlight is returned by Forget while a purchase of the person is claimed or
// sending: what becomes of it must be written down somewhere.
var ErrPurchaseInFlight = errors.New("a purchase is on its way")

// forgotten are the tables whose rows about a person go without a trace, in
// an order that foreign keys allow. users, which the others may point to, goes
// last and is keyed by id.
var forgotten = []string{"reminders", "favourites", "watches", "outbox", "searches", "broadcast_recipients", "dialogs", "api_keys"}

// Forget deletes what is kept about a person. What they bought through the bot
// stays as figures of the shop that nobody can be found by: what, how many, for
// how much, in which country, and when.
//
// Open orders are closed, so that an answer to a poll that is in hand finds
// nothing to report to. The ids of handled updates stay for their 48 hours,
// without the person; those that still wait to be handled stay as they are.
func (db *DB) Forget(ctx context.Context, userID int64, now time.Time) error {
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		var onTheirWay int
		err := tx.GetContext(ctx, &onTheirWay, db.bind(`SELECT COUNT(*) FROM purchases WHERE user_id = ? AND state IN ('claimed', 'sending')`), userID)
		if err != nil {
			return err
		}
		if onTheirWay > 0 {
			return ErrPurchaseInFlight
		}
		run := func(query string, args ...any) {
			if err == nil {
				_, err = tx.ExecContext(ctx, db.bind(query), args...)
			}
		}
		run(`DELETE FROM deliveries WHERE order_id IN (SELECT id FROM orders WHERE user_id = ?)`, userID)
		for _, table := range forgotten {
			run(`DELETE FROM `+table+` WHERE user_id = ?`, userID) // the names stand above
		}
		// What was placed elsewhere is no figure of the shop.
		run(`DELETE FROM orders WHERE user_id = ? AND external = 1`, userID)
		run(`UPDATE orders SET user_id = 0, key_id = 0, key_fingerprint = '', external_id = 0, adopted = 0, link_sealed = '', phone_sealed = '', origin = '',
		            message_id = 0, notified_at = 0, next_poll_at = 0, lease_until = 0, polls = polls + 1,
		            state = CASE WHEN closed_at = 0 THEN 'stale' ELSE state END, closed_at = CASE WHEN closed_at = 0 THEN ? ELSE closed_at END
		      WHERE user_id = ?`, toMillis(now), userID)
		run(`DELETE FROM purchases WHERE user_id = ? AND NOT EXISTS (SELECT 1 FROM orders WHERE orders.purchase_id = purchases.id)`, userID)
		run(`UPDATE purchases SET user_id = 0, key_id = 0, key_fingerprint = '', link_sealed = '', phone_sealed = '', refusal_sealed = '', origin = '',
		            balance = '0', balance_seen = NULL, lease_owner = '' WHERE user_id = ?`, userID)
		// In a private chat the chat's id is the person's (Bot API: Chat).
		run(`UPDATE inbox SET chat_id = 0, payload_sealed = '' WHERE chat_id = ? AND finished_at IS NOT NULL`, userID)
		run(`UPDATE audit_log SET subject = 0 WHERE subject = ?`, userID)
		// What somebody has sent as an admin stays, as in the log.
		run(`DELETE FROM broadcasts WHERE author_id = ? AND state = 'draft'`, userID)
		run(`UPDATE broadcasts SET chat_id = 0, message_id = 0 WHERE chat_id = ?`, userID)
		run(`DELETE FROM users WHERE id = ?`, userID)
		return err
	})
	if err != nil {
		return fmt.Errorf("forget a person: %w", err)
	}
	return nil
}

// DataSummary counts what is kept about a person. Waiting are messages that they have
// not been sent yet.
type DataSummary struct {
	Keys           int `db:"api_keys"`
	Orders         int `db:"orders"`
	Open           int `db:"open_orders"`
	Purchases      int `db:"purchases"`
	OutcomeUnknown int `db:"unknown"`
	InFlight       int `db:"on_its_way"`
	Searches       int `db:"searches"`
	Saved          int `db:"saved"`
	Watches        int `db:"watches"`
	Reminders      int `db:"reminders"`
	Waiting        int `db:"waiting"`
}

// DataSummary counts what is kept about this person.
func (db *DB) DataSummary(ctx context.Context, userID int64) (DataSummary, error) {
	var kept DataSummary
	err := db.reader.GetContext(ctx, &kept, db.bind(`SELECT
		(SELECT COUNT(*) FROM api_keys WHERE user_id = ? AND secret_sealed <> '') AS api_keys,
		(SELECT COUNT(*) FROM orders WHERE user_id = ?) AS orders,
		(SELECT COUNT(*) FROM orders WHERE user_id = ? AND closed_at = 0 AND state IN ('open', 'partial')) AS open_orders,
		(SELECT COUNT(*) FROM purchases WHERE user_id = ?) AS purchases,
		(SELECT COUNT(*) FROM purchases WHERE user_id = ? AND state = 'outcome_unknown') AS unknown,
		(SELECT COUNT(*) FROM purchases WHERE user_id = ? AND state IN ('claimed', 'sending')) AS on_its_way,
		(SELECT COUNT(*) FROM searches WHERE user_id = ?) AS searches,
		(SELECT COUNT(*) FROM favourites WHERE user_id = ?) AS saved,
		(SELECT COUNT(*) FROM watches WHERE user_id = ?) AS watches,
		(SELECT COUNT(*) FROM reminders WHERE user_id = ?) AS reminders,
		(SELECT COUNT(*) FROM outbox WHERE user_id = ? AND state <> 'sent') AS waiting`),
		userID, userID, userID, userID, userID, userID, userID, userID, userID, userID, userID)
	if err != nil {
		return DataSummary{}, fmt.Errorf("count what is kept: %w", err)
	}
	return kept, nil
}
