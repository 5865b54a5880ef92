package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"
)

// BalanceWatchKind is why a person's balance is read.
type BalanceWatchKind string

// The kinds of balance watches. A person has at most one of each.
const (
	BalanceTopUp BalanceWatchKind = "topup" // until it suffices for a purchase
	BalanceLow   BalanceWatchKind = "low"   // to be told when it falls below an amount
)

// BalanceWatch is a person's wish to be told about the balance of their key.
type BalanceWatch struct {
	UserID     int64            `db:"user_id"`
	Kind       BalanceWatchKind `db:"kind"`
	KeyID      int64            `db:"key_id"`      // of a BalanceTopUp; 0: the person's present key
	PurchaseID int64            `db:"purchase_id"` // the draft that a BalanceTopUp is for; else 0
	Amount     decimal.Decimal  `db:"amount"`      // what suffices, or the least amount
	Currency   string           `db:"currency"`
	Seen       decimal.Decimal  `db:"seen"`  // the balance when a BalanceTopUp began
	Fired      bool             `db:"fired"` // a BalanceLow has told, and the balance was not higher since
	StartedAt  time.Time        `db:"started_at"`
	NextAt     time.Time        `db:"next_at"` // when the balance is read next
}

// SetBalanceWatch sets a watch in place of the person's one of that kind.
func (db *DB) SetBalanceWatch(ctx context.Context, w BalanceWatch) error {
	err := db.submitOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		query, args := db.insertion("balance_watches", &w)
		_, err := tx.ExecContext(ctx, query+`
			ON CONFLICT (user_id, kind) DO UPDATE SET key_id = excluded.key_id, purchase_id = excluded.purchase_id, amount = excluded.amount,
			currency = excluded.currency, seen = excluded.seen, fired = excluded.fired, started_at = excluded.started_at, next_at = excluded.next_at`, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("set balance watch: %w", err)
	}
	return nil
}

// RemoveBalanceWatch removes a person's watch of a kind, if there is one.
func (db *DB) RemoveBalanceWatch(ctx context.Context, userID int64, kind BalanceWatchKind) error {
	_, err := db.transition(ctx, "remove balance watch", `DELETE FROM balance_watches WHERE user_id = ? AND kind = ?`, userID, kind)
	return err
}

// BalanceWatches returns the watches of a person.
func (db *DB) BalanceWatches(ctx context.Context, userID int64) ([]BalanceWatch, error) {
	return db.balanceWatches(ctx, `WHERE user_id = ? ORDER BY kind`, userID)
}

// DueBalanceWatches returns watches whose balance is to be read, at most limit.
func (db *DB) DueBalanceWatches(ctx context.Context, now time.Time, limit int) ([]BalanceWatch, error) {
	return db.balanceWatches(ctx, `WHERE next_at <= ? ORDER BY next_at LIMIT ?`, toMillis(now), limit)
}

func (db *DB) balanceWatches(ctx context.Context, where string, args ...any) ([]BalanceWatch, error) {
	watches, err := selectRows[BalanceWatch](ctx, db, db.reader, `SELECT `+columnsOf[BalanceWatch]()+` FROM balance_watches `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read balance watches: %w", err)
	}
	return watches, nil
}

// NextBalanceWatch returns when the next balance is to be read, zero where none is.
func (db *DB) NextBalanceWatch(ctx context.Context) (time.Time, error) {
	return db.readTime(ctx, "read next balance watch", `SELECT MIN(next_at) FROM balance_watches`)
}

// TopUpAwaitedSince returns when the person of a draft began to wait for a top-up for it,
// zero where they do not.
func (db *DB) TopUpAwaitedSince(ctx context.Context, purchaseID int64) (time.Time, error) {
	return db.readTime(ctx, "read the wait for a top-up", `SELECT started_at FROM balance_watches WHERE purchase_id = ? AND kind = ?`, purchaseID, BalanceTopUp)
}

// UpdateBalanceWatch stores the purchase, the amount, Fired and NextAt of a watch with
// messages, unless it was changed since it was read as before.
func (db *DB) UpdateBalanceWatch(ctx context.Context, before, w BalanceWatch, messages ...Message) (bool, error) {
	messages = withIDs(messages...)
	return db.transitionOnce(ctx, "update balance watch", messagesExist(ctx, messages), func(tx *sqlx.Tx) error { return db.insertMessages(ctx, tx, messages) },
		`UPDATE balance_watches SET purchase_id = ?, amount = ?, fired = ?, next_at = ? WHERE user_id = ? AND kind = ? AND started_at = ? AND next_at = ?`,
		w.PurchaseID, w.Amount.String(), bit(w.Fired), toMillis(w.NextAt), w.UserID, w.Kind, toMillis(before.StartedAt), toMillis(before.NextAt))
}

// EndBalanceWatch removes a watch with messages, unless it was changed since it was read.
func (db *DB) EndBalanceWatch(ctx context.Context, w BalanceWatch, messages ...Message) (bool, error) {
	messages = withIDs(messages...)
	return db.transitionOnce(ctx, "end balance watch", messagesExist(ctx, messages), func(tx *sqlx.Tx) error { return db.insertMessages(ctx, tx, messages) },
		`DELETE FROM balance_watches WHERE user_id = ? AND kind = ? AND started_at = ? AND next_at = ?`,
		w.UserID, w.Kind, toMillis(w.StartedAt), toMillis(w.NextAt))
}

// BoughtSince reports whether a person has confirmed a purchase of what another one is
// of, later than the given time.
func (db *DB) BoughtSince(ctx context.Context, p Purchase, since time.Time) (bool, error) {
	n, err := db.countRows(ctx, "look for a later purchase", `SELECT COUNT(*) FROM purchases
		WHERE user_id = ? AND kind = ? AND service = ? AND project = ? AND country = ? AND sent_at > ?`,
		p.UserID, p.Kind, p.Service, p.Rental.Project, p.Rental.Country, toMillis(since))
	return n > 0, err
}
