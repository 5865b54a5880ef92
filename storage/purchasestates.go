package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"
)

// Each function below is one transition of a purchase.

// ErrKeyBusy is returned by ClaimPurchase while another purchase of the same API key is
// claimed or sending.
var ErrKeyBusy = errors.New("another purchase of this key is in flight")

// InsertDraft stores p as a draft that expires at p.ExpiresAt, and supersedes the draft
// that it replaces (0 for none; the same person's, and still a draft). It returns p
// with its id.
func (db *DB) InsertDraft(ctx context.Context, p Purchase, replaces int64) (Purchase, error) {
	p.ID = newID()
	p.State = PurchaseDraft
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		if replaces != 0 {
			if _, err := tx.ExecContext(ctx, db.bind(`UPDATE purchases SET state = ? WHERE id = ? AND user_id = ? AND state = ?`),
				PurchaseSuperseded, replaces, p.UserID, PurchaseDraft); err != nil {
				return err
			}
		}
		return db.insertPurchase(ctx, tx, p)
	})
	if err != nil {
		return Purchase{}, fmt.Errorf("insert draft: %w", err)
	}
	return p, nil
}

// DiscardDraft supersedes a draft. It reports whether there was one.
func (db *DB) DiscardDraft(ctx context.Context, userID, id int64) (bool, error) {
	return db.transition(ctx, "discard draft",
		`UPDATE purchases SET state = ? WHERE id = ? AND user_id = ? AND state = ?`,
		PurchaseSuperseded, id, userID, PurchaseDraft)
}

// ClaimPurchase claims a draft that has not expired, leased to owner until the given
// time. It reports whether this call did: of any number of taps and processes exactly
// one does. ErrKeyBusy: the key buys something else now. During maintenance nothing is
// claimed.
func (db *DB) ClaimPurchase(ctx context.Context, userID, id int64, owner string, now, until time.Time) (bool, error) {
	claimed, err := db.transition(ctx, "claim purchase",
		`UPDATE purchases SET state = ?, lease_owner = ?, lease_until = ?
		  WHERE id = ? AND user_id = ? AND state = ? AND expires_at > ?
		    AND NOT EXISTS (SELECT 1 FROM settings WHERE name = '`+maintenanceSetting+`' AND value <> '')`,
		PurchaseClaimed, owner, toMillis(until), id, userID, PurchaseDraft, toMillis(now))
	if isUnique(err) {
		return false, ErrKeyBusy
	}
	return claimed, err
}

// ReplaceClaimed supersedes a claimed purchase whose terms have changed and stores its
// successor as a draft, in one transaction. It reports false where the claim is no
// longer owner's.
func (db *DB) ReplaceClaimed(ctx context.Context, id int64, owner string, next Purchase) (Purchase, bool, error) {
	next.ID = newID()
	next.State = PurchaseDraft
	replaced, err := db.transitionWith(ctx, "replace claimed purchase", func(tx *sqlx.Tx) error { return db.insertPurchase(ctx, tx, next) },
		`UPDATE purchases SET state = ? WHERE id = ? AND state = ? AND lease_owner = ?`, PurchaseSuperseded, id, PurchaseClaimed, owner)
	return next, replaced, err
}

// Terms is what was read from the marketplace just before sending.
type Terms struct {
	Rate     decimal.Decimal
	Balance  decimal.Decimal
	Currency string
	Stock    int64
	Variants bool
}

// StartSending moves a claimed purchase to sending, durably, with the terms just read.
// False means that the claim is no longer owner's: the request must not be sent.
func (db *DB) StartSending(ctx context.Context, id int64, owner string, terms Terms, now, until time.Time) (bool, error) {
	return db.transition(ctx, "start sending",
		`UPDATE purchases SET state = ?, rate = ?, balance = ?, currency = ?, stock = ?, variants = ?, sent_at = ?, lease_until = ?
		  WHERE id = ? AND state = ? AND lease_owner = ? AND lease_until > ?`,
		PurchaseSending, money(terms.Rate), money(terms.Balance), terms.Currency, terms.Stock, bit(terms.Variants),
		toMillis(now), toMillis(until),
		id, PurchaseClaimed, owner, toMillis(now))
}

// RejectPurchase moves a claimed or sending purchase of owner's to rejected.
func (db *DB) RejectPurchase(ctx context.Context, id int64, owner, reason, refusal string, now time.Time) (bool, error) {
	return db.transition(ctx, "reject purchase",
		`UPDATE purchases SET state = ?, reason = ?, refusal_sealed = ?, settled_at = ?
		  WHERE id = ? AND state IN ('claimed', 'sending') AND lease_owner = ?`,
		PurchaseRejected, reason, db.sealText("purchases", "refusal", id, refusal), toMillis(now), id, owner)
}

// MarkOutcomeUnknown moves a sending purchase to outcome unknown, schedules its first
// balance reading, and stores the message to the person.
func (db *DB) MarkOutcomeUnknown(ctx context.Context, p Purchase, refusal string, firstCheck time.Time, message Message) (bool, error) {
	return db.transitionWithMessage(ctx, "mark outcome unknown", message,
		`UPDATE purchases SET state = ?, refusal_sealed = ?, next_check_at = ? WHERE id = ? AND state = ?`,
		PurchaseOutcomeUnknown, db.sealText("purchases", "refusal", p.ID, refusal), toMillis(firstCheck), p.ID, PurchaseSending)
}

// DismissPurchase records that, as the person says, a purchase of unknown outcome was
// not placed.
func (db *DB) DismissPurchase(ctx context.Context, userID, id int64, now time.Time) (bool, error) {
	return db.transition(ctx, "dismiss purchase",
		`UPDATE purchases SET state = ?, settled_at = ?, next_check_at = 0 WHERE id = ? AND user_id = ? AND state = ?`,
		PurchaseDismissed, toMillis(now), id, userID, PurchaseOutcomeUnknown)
}

// RejectOverdue moves a claimed purchase whose lease has expired to rejected, with the
// message to the person: nothing was sent to the marketplace.
func (db *DB) RejectOverdue(ctx context.Context, id int64, reason string, now time.Time, message Message) (bool, error) {
	return db.transitionWithMessage(ctx, "reject overdue purchase", message,
		`UPDATE purchases SET state = ?, reason = ?, settled_at = ? WHERE id = ? AND state = ? AND lease_until <= ?`,
		PurchaseRejected, reason, toMillis(now), id, PurchaseClaimed, toMillis(now))
}

// RecordCheck stores a balance reading (p with its new Checks, NextCheckAt, BalanceSeen
// and Verdict), with a message unless it is nil. It reports false where the outcome is
// known by now, or another process has recorded this reading.
func (db *DB) RecordCheck(ctx context.Context, p Purchase, previousChecks int, message *Message) (bool, error) {
	set, args := db.assignments(&p, "checks", "next_check_at", "balance_seen", "verdict")
	query, args := `UPDATE purchases SET `+set+` WHERE id = ? AND state = ? AND checks = ?`, append(args, p.ID, PurchaseOutcomeUnknown, previousChecks)
	if message == nil {
		return db.transition(ctx, "record balance check", query, args...)
	}
	return db.transitionWithMessage(ctx, "record balance check", *message, query, args...)
}
