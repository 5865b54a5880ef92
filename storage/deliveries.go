package storage

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jmoiron/sqlx"

	"hstockbot/internal/redact"
)

// Of goods only keyed digests are kept, with the number of copies that were sent to
// the person or wait in the outbox: the difference to the next answer is what is new.

// newDelivery is an account that is not recorded, the copies-th of its kind. Only a
// fresh one is to be sent.
type newDelivery struct {
	account redact.Secret
	digest  string
	copies  int
	fresh   bool
}

// Delivered reports whether all of these accounts were sent or wait in the outbox.
func (db *DB) Delivered(ctx context.Context, orderID int64, accounts []redact.Secret) (bool, error) {
	found, err := db.newDeliveries(ctx, db.reader, orderID, accounts)
	if err != nil {
		return false, fmt.Errorf("read deliveries: %w", err)
	}
	for _, delivery := range found {
		if delivery.fresh {
			return false, nil
		}
	}
	return true, nil
}

// newDeliveries returns the accounts of an answer that are not recorded. It is a
// difference of multisets: an account delivered twice is two.
//
// The digests of orders that were closed long ago are swept. The number of accounts
// sent remains: that many of the unrecorded accounts are not new.
func (db *DB) newDeliveries(ctx context.Context, q sqlx.QueryerContext, orderID int64, accounts []redact.Secret) ([]newDelivery, error) {
	recorded, err := selectRows[struct {
		Digest string `db:"digest"`
		Copies int    `db:"copies"`
	}](ctx, db, q, `SELECT digest, copies FROM deliveries WHERE order_id = ?`, orderID)
	if err != nil {
		return nil, err
	}
	var swept int // sent, without a digest
	if err := sqlx.GetContext(ctx, q, &swept, `SELECT COALESCE((SELECT delivered FROM orders WHERE id = ?), 0)`, orderID); err != nil {
		return nil, err
	}
	sent := make(map[string]int, len(recorded))
	for _, row := range recorded {
		sent[row.Digest] = row.Copies
		swept -= row.Copies
	}
	var found []newDelivery
	seen := make(map[string]int, len(accounts))
	for _, account := range accounts {
		digest := db.Digest("account:"+strconv.FormatInt(orderID, 10), []byte(account.Reveal()))
		seen[digest]++
		if seen[digest] > sent[digest] {
			found = append(found, newDelivery{account, digest, seen[digest], swept <= 0})
			swept--
		}
	}
	return found, nil
}

// recordDeliveries records the accounts of an answer and returns the fresh ones.
func (db *DB) recordDeliveries(ctx context.Context, tx *sqlx.Tx, orderID int64, accounts []redact.Secret) ([]redact.Secret, error) {
	if len(accounts) == 0 {
		return nil, nil
	}
	found, err := db.newDeliveries(ctx, tx, orderID, accounts)
	if err != nil {
		return nil, err
	}
	fresh := make([]redact.Secret, 0, len(found))
	for _, delivery := range found {
		_, err := tx.ExecContext(ctx, `INSERT INTO deliveries (order_id, digest, copies) VALUES (?, ?, ?)
			ON CONFLICT (order_id, digest) DO UPDATE SET copies = excluded.copies`, orderID, delivery.digest, delivery.copies)
		if err != nil {
			return nil, err
		}
		if delivery.fresh {
			fresh = append(fresh, delivery.account)
		}
	}
	return fresh, nil
}

// DeliveredBefore reports whether other orders of an order's person have delivered
// goods or codes.
func (db *DB) DeliveredBefore(ctx context.Context, o Order) (bool, error) {
	n, err := db.countRows(ctx, "look for earlier deliveries",
		`SELECT COUNT(*) FROM (SELECT 1 FROM orders WHERE user_id = ? AND delivered > 0 AND id <> ? LIMIT 1) AS other`, o.UserID, o.ID)
	return n > 0, err
}

// ShowOrders records that a message of the person's chat shows the orders of a purchase.
// Those of numbers have messages of their own.
func (db *DB) ShowOrders(ctx context.Context, userID, purchaseID, messageID int64) error {
	return db.submitOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE orders SET message_id = ? WHERE purchase_id = ? AND user_id = ? AND kind <> ?`, messageID, purchaseID, userID, KindSMS)
		if err != nil {
			return fmt.Errorf("record which message shows an order: %w", err)
		}
		return nil
	})
}
