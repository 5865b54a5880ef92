package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"
)

// SwapState is the state of a Swap.
type SwapState string

const (
	// SwapOffered is a question that the person has not answered.
	SwapOffered SwapState = "offered"
	// SwapArmed is confirmed; nothing has been sent.
	SwapArmed SwapState = "armed"
	// SwapCancelling may have sent the cancel.
	SwapCancelling SwapState = "cancelling"
	// SwapEnding has cancelled the number, and waits until the refund is confirmed.
	SwapEnding SwapState = "ending"
	// SwapRenting has claimed the purchase of the new number, whose state shows the rest.
	SwapRenting SwapState = "renting"
	// SwapStopped rents nothing; Reason says why.
	SwapStopped SwapState = "stopped"
)

// SwapCancelled is the Reason of a swap that the person has ended, or whose number they
// have cancelled.
const SwapCancelled = "cancelled"

// Swap gives a rented number back for a new one. The purchase of the new number is a draft
// until it is claimed, and holds the price at which the person has agreed.
type Swap struct {
	PurchaseID int64           `db:"purchase_id"` // of the new number
	OrderID    int64           `db:"order_id"`    // the number that is given back
	UserID     int64           `db:"user_id"`
	Place      int64           `db:"place"`  // in a row of swaps, from 1
	Charge     decimal.Decimal `db:"charge"` // of the number, before it is given back
	Refund     decimal.Decimal `db:"refund"` // what has to come back at least
	State      SwapState       `db:"state"`
	Reason     string          `db:"reason"`     // why it has stopped, defined by the orders package
	At         time.Time       `db:"at"`         // from when the marketplace takes the number back; zero: at once
	DueAt      time.Time       `db:"due_at"`     // when the next step is due
	GiveUpAt   time.Time       `db:"give_up_at"` // when it stops waiting
	CreatedAt  time.Time       `db:"created_at"`
}

// Active reports whether the swap goes on, or has claimed its purchase.
func (s Swap) Active() bool { return s.Waiting() || s.State == SwapRenting }

// Waiting reports whether the swap is confirmed and has not claimed its purchase.
func (s Swap) Waiting() bool {
	return s.State == SwapArmed || s.State == SwapCancelling || s.State == SwapEnding
}

const waitingSwap = `state IN ('armed', 'cancelling', 'ending')`

// InsertSwap stores a swap.
func (db *DB) InsertSwap(ctx context.Context, s Swap) error {
	err := db.writeOnce(ctx, finds(ctx, `SELECT 1 FROM swaps WHERE purchase_id = ?`, s.PurchaseID), func(tx *sqlx.Tx) error { return db.insert(ctx, tx, "swaps", &s) })
	if err != nil {
		return fmt.Errorf("insert swap: %w", err)
	}
	return nil
}

// Swap returns this person's swap with that purchase, or ErrNotFound.
func (db *DB) Swap(ctx context.Context, userID, purchaseID int64) (Swap, error) {
	return firstSwap(db.swaps(ctx, `WHERE purchase_id = ? AND user_id = ?`, purchaseID, userID))
}

// SwapOf returns the last swap of a number that was confirmed, or ErrNotFound.
func (db *DB) SwapOf(ctx context.Context, orderID int64) (Swap, error) {
	return firstSwap(db.swaps(ctx, `WHERE order_id = ? AND state <> 'offered' ORDER BY created_at DESC LIMIT 1`, orderID))
}

// SwapPlace returns the place of the swap that has rented the numbers of a purchase, 0
// where none has.
func (db *DB) SwapPlace(ctx context.Context, purchaseID int64) (int64, error) {
	var place int64
	err := db.reader.GetContext(ctx, &place, `SELECT COALESCE(MAX(place), 0) FROM swaps WHERE purchase_id = ? AND state = 'renting'`, purchaseID)
	if err != nil {
		return 0, fmt.Errorf("read the place of a swap: %w", err)
	}
	return place, nil
}

// DueSwaps returns swaps whose next step is due, at most limit.
func (db *DB) DueSwaps(ctx context.Context, now time.Time, limit int) ([]Swap, error) {
	return db.swaps(ctx, `WHERE `+waitingSwap+` AND due_at <= ? ORDER BY due_at LIMIT ?`, toMillis(now), limit)
}

// NextSwap returns when the next step of a swap is due, zero where none is.
func (db *DB) NextSwap(ctx context.Context) (time.Time, error) {
	return db.readTime(ctx, "read next swap", `SELECT MIN(due_at) FROM swaps WHERE `+waitingSwap)
}

// EndingHouseSwaps returns swaps that have cancelled their number, and whose new one the
// operator's key pays, at most limit.
func (db *DB) EndingHouseSwaps(ctx context.Context, limit int) ([]Swap, error) {
	return db.swaps(ctx, `WHERE state = 'ending' AND EXISTS (SELECT 1 FROM purchases WHERE purchases.id = swaps.purchase_id AND house = 1) ORDER BY due_at LIMIT ?`, limit)
}

func (db *DB) swaps(ctx context.Context, where string, args ...any) ([]Swap, error) {
	swaps, err := selectRows[Swap](ctx, db, db.reader, `SELECT `+columnsOf[Swap]()+` FROM swaps `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read swaps: %w", err)
	}
	return swaps, nil
}

func firstSwap(swaps []Swap, err error) (Swap, error) {
	if err == nil && len(swaps) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Swap{}, err
	}
	return swaps[0], nil
}

// ArmSwap records that the person has confirmed an offered swap, if its number still waits
// for a code and no other swap of it goes on. Of concurrent calls one is told true.
func (db *DB) ArmSwap(ctx context.Context, userID, purchaseID int64, due, giveUp time.Time) (bool, error) {
	made := finds(ctx, `SELECT 1 FROM swaps WHERE purchase_id = ? AND state = ? AND give_up_at = ?`, purchaseID, SwapArmed, toMillis(giveUp))
	armed, err := db.transitionOnce(ctx, "arm swap", made, nil, `UPDATE swaps SET state = ?, due_at = ?, give_up_at = ? WHERE purchase_id = ? AND user_id = ? AND state = ?
		AND EXISTS (SELECT 1 FROM orders WHERE orders.id = order_id AND orders.user_id = swaps.user_id AND closed_at = 0 AND orders.state = 'open' AND delivered = 0 AND cancel_sent_at = 0)`,
		SwapArmed, toMillis(due), toMillis(giveUp), purchaseID, userID, SwapOffered)
	if isUnique(err) {
		return false, nil
	}
	return armed, err
}

// MoveSwap makes the next step of a swap due at s.DueAt, and sets s.At, unless its state has
// changed.
func (db *DB) MoveSwap(ctx context.Context, s Swap) error {
	_, err := db.transition(ctx, "move swap", `UPDATE swaps SET due_at = ?, at = ? WHERE purchase_id = ? AND state = ?`, toMillis(s.DueAt), toMillis(s.At), s.PurchaseID, s.State)
	return err
}

// StartSwapCancel is StartCancels for the number of an armed swap, which is cancelling from
// then on. The next step is due at the given time: by then the process that sends the cancel
// has recorded the answer, or is gone.
func (db *DB) StartSwapCancel(ctx context.Context, s Swap, now, due, giveUp time.Time) (bool, error) {
	made := finds(ctx, `SELECT 1 FROM swaps WHERE purchase_id = ? AND state = ? AND due_at = ?`, s.PurchaseID, SwapCancelling, toMillis(due))
	started, err := db.transitionOnce(ctx, "start the cancel of a swap", made, func(tx *sqlx.Tx) error {
		found, err := db.startCancel(ctx, tx, s.UserID, s.OrderID, now)
		if err == nil && !found {
			return errOutdated
		}
		return err
	}, `UPDATE swaps SET state = ?, due_at = ?, give_up_at = ? WHERE purchase_id = ? AND state = ?`, SwapCancelling, toMillis(due), toMillis(giveUp), s.PurchaseID, SwapArmed)
	if errors.Is(err, errOutdated) {
		return false, nil
	}
	return started, err
}

// EndSwapCancel records that the marketplace has cancelled the number of a swap.
func (db *DB) EndSwapCancel(ctx context.Context, s Swap, due time.Time) (bool, error) {
	made := finds(ctx, `SELECT 1 FROM swaps WHERE purchase_id = ? AND state = ? AND due_at = ?`, s.PurchaseID, SwapEnding, toMillis(due))
	return db.transitionOnce(ctx, "end the cancel of a swap", made, nil,
		`UPDATE swaps SET state = ?, due_at = ? WHERE purchase_id = ? AND state = ?`, SwapEnding, toMillis(due), s.PurchaseID, SwapCancelling)
}

// StopSwap ends a swap that is still in the state of s, with the messages to the person.
func (db *DB) StopSwap(ctx context.Context, s Swap, reason string, messages ...Message) (bool, error) {
	messages = withIDs(messages...)
	made := messagesExist(ctx, messages)
	if len(messages) == 0 {
		made = finds(ctx, `SELECT 1 FROM swaps WHERE purchase_id = ? AND state = ? AND reason = ?`, s.PurchaseID, SwapStopped, reason)
	}
	return db.transitionOnce(ctx, "stop swap", made, func(tx *sqlx.Tx) error { return db.insertMessages(ctx, tx, messages) },
		`UPDATE swaps SET state = ?, reason = ? WHERE purchase_id = ? AND state = ?`, SwapStopped, reason, s.PurchaseID, s.State)
}

// ClaimSwap ends the waiting of a swap and claims its purchase, as ClaimPurchase does, in
// one transaction with the message about the outcome. However old the draft is, the person
// has confirmed it. The key of the purchase must be the person's active one.
func (db *DB) ClaimSwap(ctx context.Context, s Swap, owner string, now, until time.Time, message Message) (bool, error) {
	claimed, messages := false, withIDs(message)
	err := db.writeOnce(ctx, messagesExist(ctx, messages), func(tx *sqlx.Tx) error {
		if err := db.holdMaintenance(ctx, tx); err != nil {
			return err
		}
		ended, err := db.transitionTx(ctx, tx, `UPDATE swaps SET state = ? WHERE purchase_id = ? AND state = ?`, SwapRenting, s.PurchaseID, SwapEnding)
		if err != nil || !ended {
			return err
		}
		found, err := db.transitionTx(ctx, tx,
			`UPDATE purchases SET state = ?, lease_owner = ?, lease_until = ?, expires_at = ?
			  WHERE id = ? AND user_id = ? AND state = ? AND `+inEpoch+`
			    AND EXISTS (SELECT 1 FROM api_keys WHERE api_keys.id = key_id AND `+paysNow+` AND invalid = 0)
			    AND NOT EXISTS (SELECT 1 FROM settings WHERE `+db.closesBuying()+`)`,
			PurchaseClaimed, owner, toMillis(until), toMillis(now), s.PurchaseID, s.UserID, PurchaseDraft)
		if err == nil && !found {
			err = errOutdated
		}
		if err == nil {
			err = db.takeHold(ctx, tx, s.PurchaseID, now)
		}
		if err == nil {
			err = db.insertMessages(ctx, tx, messages)
		}
		if err == nil {
			claimed = true
		}
		return err
	})
	return claimResult("claim swap", claimed, err)
}
