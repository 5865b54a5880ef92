package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Turn is a confirmed purchase that waits until it may use the operator's key. Until then it
// is a draft, however old. Turns go in the order of TurnAt: that of arrival, but who has had
// a turn is behind everybody who waits by then.
type Turn struct {
	PurchaseID int64     `db:"purchase_id"`
	UserID     int64     `db:"user_id"`
	MessageID  int64     `db:"message_id"` // Telegram's id of the card, 0: not known
	QueuedAt   time.Time `db:"queued_at"`
	TurnAt     time.Time `db:"turn_at"`
}

// QueuePurchase makes a draft that the operator's key pays wait for its turn. It reports
// whether it waits; however often it is called, it waits once.
func (db *DB) QueuePurchase(ctx context.Context, userID, id int64, now time.Time) (bool, error) {
	if _, err := db.transition(ctx, "queue purchase", `INSERT INTO turns (purchase_id, user_id, message_id, queued_at, turn_at)
		SELECT id, user_id, 0, ?, ? FROM purchases WHERE id = ? AND user_id = ? AND house = 1 AND state = ? AND expires_at > ? AND `+inEpoch+`
		ON CONFLICT (purchase_id) DO NOTHING`, toMillis(now), toMillis(now), id, userID, PurchaseDraft, toMillis(now)); err != nil {
		return false, err
	}
	_, err := db.Turn(ctx, userID, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Turn returns the turn that a purchase of this person waits for, or ErrNotFound.
func (db *DB) Turn(ctx context.Context, userID, id int64) (Turn, error) {
	turns, err := db.turns(ctx, `WHERE purchase_id = ? AND user_id = ?`, id, userID)
	if err == nil && len(turns) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Turn{}, err
	}
	return turns[0], nil
}

// Turns returns the next turns, at most limit.
func (db *DB) Turns(ctx context.Context, limit int) ([]Turn, error) {
	return db.turns(ctx, `ORDER BY turn_at, queued_at, purchase_id LIMIT ?`, limit)
}

func (db *DB) turns(ctx context.Context, rest string, args ...any) ([]Turn, error) {
	turns, err := selectRows[Turn](ctx, db, db.reader, `SELECT `+columnsOf[Turn]()+` FROM turns `+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("read turns: %w", err)
	}
	return turns, nil
}

// deleteTurn ends a turn whose card is still the one that the messages about it name.
const deleteTurn = `DELETE FROM turns WHERE purchase_id = ? AND message_id = ?`

// SetTurnMessage stores which message is the card of a waiting purchase. It reports false
// where that does not wait any longer.
func (db *DB) SetTurnMessage(ctx context.Context, userID, id, messageID int64) (bool, error) {
	return db.transition(ctx, "set the card of a turn", `UPDATE turns SET message_id = ? WHERE purchase_id = ? AND user_id = ?`, messageID, id, userID)
}

// ClaimTurn ends the waiting of a purchase and claims it, as ClaimPurchase does, in one
// transaction with the messages about the outcome. Its errors are those of ClaimPurchase.
// False: it does not wait any longer, its card is another one by now, or nothing may be bought
// now.
func (db *DB) ClaimTurn(ctx context.Context, t Turn, owner string, now, until time.Time, messages ...Message) (bool, error) {
	claimed := false
	messages = withIDs(messages...)
	made := finds(ctx, `SELECT 1 FROM purchases WHERE id = ? AND state = ? AND lease_owner = ? AND lease_until = ?`, t.PurchaseID, PurchaseClaimed, owner, toMillis(until))
	err := db.writeOnce(ctx, made, func(tx *sqlx.Tx) error {
		if err := db.holdMaintenance(ctx, tx); err != nil {
			return err
		}
		waits, err := db.transitionTx(ctx, tx, deleteTurn, t.PurchaseID, t.MessageID)
		if err != nil || !waits {
			return err
		}
		found, err := db.transitionTx(ctx, tx,
			`UPDATE purchases SET state = ?, lease_owner = ?, lease_until = ?, expires_at = ?
			  WHERE id = ? AND user_id = ? AND state = ? AND `+inEpoch+`
			    AND EXISTS (SELECT 1 FROM api_keys WHERE api_keys.id = key_id AND pays = 1 AND invalid = 0)
			    AND NOT EXISTS (SELECT 1 FROM settings WHERE `+db.closesBuying()+`)`,
			PurchaseClaimed, owner, toMillis(until), toMillis(now), t.PurchaseID, t.UserID, PurchaseDraft)
		if err == nil && !found {
			err = errOutdated // it waits on
		}
		if err == nil {
			err = db.takeHold(ctx, tx, t.PurchaseID, now)
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE turns SET turn_at = ? WHERE user_id = ? AND turn_at < ?`, toMillis(now), t.UserID, toMillis(now))
		}
		if err == nil {
			err = db.insertMessages(ctx, tx, messages)
		}
		if err == nil {
			claimed = true
		}
		return err
	})
	return claimResult("claim turn", claimed, err)
}

// claimResult returns the result of a claim whose transaction has ended with err. what begins
// an error. A claim that was outdated is none.
func claimResult(what string, claimed bool, err error) (bool, error) {
	switch {
	case errors.Is(err, errOutdated):
		return false, nil
	case isUnique(err):
		return false, ErrKeyBusy
	case err != nil:
		return false, fmt.Errorf("%s: %w", what, err)
	}
	return claimed, nil
}

// RejectTurn ends the waiting of a purchase, which buys nothing, with the messages to the
// person. It reports false where it does not wait any longer, or its card is another one by now.
// A draft of an earlier epoch stays one: whether it was bought is not known.
func (db *DB) RejectTurn(ctx context.Context, t Turn, reason string, now time.Time, messages ...Message) (bool, error) {
	messages = withIDs(messages...)
	made := finds(ctx, `SELECT 1 FROM purchases WHERE id = ? AND state = ? AND reason = ? AND settled_at = ?`, t.PurchaseID, PurchaseRejected, reason, toMillis(now))
	return db.transitionOnce(ctx, "reject turn", made, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE purchases SET state = ?, reason = ?, settled_at = ? WHERE id = ? AND state = ? AND `+inEpoch,
			PurchaseRejected, reason, toMillis(now), t.PurchaseID, PurchaseDraft); err != nil {
			return err
		}
		return db.insertMessages(ctx, tx, messages)
	}, deleteTurn, t.PurchaseID, t.MessageID)
}

// EndTurn ends the waiting of a purchase, which stays as it is, with the messages to the
// person. It does nothing if the card is another one by now.
func (db *DB) EndTurn(ctx context.Context, t Turn, messages ...Message) error {
	messages = withIDs(messages...)
	_, err := db.transitionOnce(ctx, "end turn", messagesExist(ctx, messages), func(tx *sqlx.Tx) error { return db.insertMessages(ctx, tx, messages) },
		deleteTurn, t.PurchaseID, t.MessageID)
	return err
}
