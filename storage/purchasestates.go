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
// that it replaces (0 for none; the same person's, and still a draft). A wait for a top-up
// for that one goes on for p, a wait for its turn ends. It returns p with its id.
func (db *DB) InsertDraft(ctx context.Context, p Purchase, replaces int64) (Purchase, error) {
	p.ID = newID()
	p.State = PurchaseDraft
	err := db.writeOnce(ctx, purchaseExists(ctx, p), func(tx *sqlx.Tx) error {
		if replaces != 0 {
			if _, err := tx.ExecContext(ctx, `UPDATE purchases SET state = ? WHERE id = ? AND user_id = ? AND state = ?`,
				PurchaseSuperseded, replaces, p.UserID, PurchaseDraft); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `UPDATE balance_watches SET purchase_id = ? WHERE purchase_id = ? AND user_id = ?`, p.ID, replaces, p.UserID); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM turns WHERE purchase_id = ? AND user_id = ?`, replaces, p.UserID); err != nil {
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

// supersedeDraft ends a draft. Its waits end with it (endWaits).
const supersedeDraft = `UPDATE purchases SET state = 'superseded' WHERE id = ? AND user_id = ? AND state = 'draft'`

// DiscardDraft supersedes a draft, and ends the wait for a top-up or for its turn. It reports whether there was one.
func (db *DB) DiscardDraft(ctx context.Context, userID, id int64) (bool, error) {
	made := finds(ctx, `SELECT 1 FROM purchases WHERE id = ? AND state = ?`, id, PurchaseSuperseded)
	return db.transitionOnce(ctx, "discard draft", made, func(tx *sqlx.Tx) error { return db.endWaits(ctx, tx, userID, id) }, supersedeDraft, id, userID)
}

// endWaits ends the wait of a draft for a top-up or for its turn.
func (db *DB) endWaits(ctx context.Context, tx *sqlx.Tx, userID, id int64) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM balance_watches WHERE purchase_id = ? AND user_id = ?`, id, userID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM turns WHERE purchase_id = ? AND user_id = ?`, id, userID)
	return err
}

// ClaimPurchase claims a draft that has not expired, leased to owner until the given
// time. It reports whether this call did: of any number of taps and processes exactly
// one does. ErrKeyBusy: the key buys something else now. During maintenance nothing is
// claimed, nor a draft of an earlier epoch, nor, where lost commits are accepted or a backup
// was restored, anything until an admin has looked. Where the operator's key pays, the claim
// takes the hold of the purchase from the allowance; the error is ErrAllowanceLow,
// ErrNoAllowance or ErrNoOperatorKey where it can't, and then nothing is claimed.
func (db *DB) ClaimPurchase(ctx context.Context, userID, id int64, owner string, now, until time.Time) (bool, error) {
	claimed := false
	made := finds(ctx, `SELECT 1 FROM purchases WHERE id = ? AND state = ? AND lease_owner = ? AND lease_until = ?`, id, PurchaseClaimed, owner, toMillis(until))
	err := db.writeOnce(ctx, made, func(tx *sqlx.Tx) error {
		if err := db.holdMaintenance(ctx, tx); err != nil {
			return err
		}
		found, err := db.claimDraft(ctx, tx, userID, id, owner, now, until)
		if err == nil { // else it may be that the commit before is under way, which has claimed
			claimed = found
		}
		return err
	})
	if isUnique(err) {
		return false, ErrKeyBusy
	}
	if err != nil {
		return false, fmt.Errorf("claim purchase: %w", err)
	}
	return claimed, nil
}

// claimDraft is the claim of ClaimPurchase.
func (db *DB) claimDraft(ctx context.Context, tx *sqlx.Tx, userID, id int64, owner string, now, until time.Time) (bool, error) {
	claimed, err := db.transitionTx(ctx, tx,
		`UPDATE purchases SET state = ?, lease_owner = ?, lease_until = ?
		  WHERE id = ? AND user_id = ? AND state = ? AND expires_at > ? AND `+inEpoch+`
		    AND NOT EXISTS (SELECT 1 FROM settings WHERE `+db.closesBuying()+`)`,
		PurchaseClaimed, owner, toMillis(until), id, userID, PurchaseDraft, toMillis(now))
	if claimed {
		err = db.takeHold(ctx, tx, id, now)
	}
	return claimed, err
}

// closesBuying is the condition of a setting under which nothing is claimed.
func (db *DB) closesBuying() string {
	waits := `value LIKE '%` + fromBackup + `'`
	if db.failover == FailoverAcceptedLoss {
		waits = `value <> ''`
	}
	return `name = '` + maintenanceSetting + `' AND value <> '' OR name = '` + restoredSetting + `' AND ` + waits
}

// ReplaceClaimed supersedes a claimed purchase whose terms have changed and stores its
// successor as a draft, in one transaction. It reports false where the claim is no
// longer owner's.
func (db *DB) ReplaceClaimed(ctx context.Context, id int64, owner string, next Purchase) (Purchase, bool, error) {
	next.ID = newID()
	next.State = PurchaseDraft
	replaced, err := db.transitionOnce(ctx, "replace claimed purchase", purchaseExists(ctx, next), func(tx *sqlx.Tx) error {
		return errors.Join(db.insertPurchase(ctx, tx, next), db.recordLedger(ctx, tx, id))
	},
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
	made := finds(ctx, `SELECT 1 FROM purchases WHERE id = ? AND state = ? AND lease_owner = ? AND sent_at = ? AND lease_until = ?`,
		id, PurchaseSending, owner, toMillis(now), toMillis(until))
	return db.transitionOnce(ctx, "start sending", made, nil,
		`UPDATE purchases SET state = ?, rate = ?, balance = ?, currency = ?, stock = ?, variants = ?, sent_at = ?, lease_until = ?
		  WHERE id = ? AND state = ? AND lease_owner = ? AND lease_until > ?`,
		PurchaseSending, money(terms.Rate), money(terms.Balance), terms.Currency, terms.Stock, bit(terms.Variants),
		toMillis(now), toMillis(until),
		id, PurchaseClaimed, owner, toMillis(now))
}

// RejectPurchase moves a claimed or sending purchase of owner's to rejected.
func (db *DB) RejectPurchase(ctx context.Context, id int64, owner, reason, refusal string, now time.Time) (bool, error) {
	made := finds(ctx, `SELECT 1 FROM purchases WHERE id = ? AND state = ? AND lease_owner = ? AND reason = ?`, id, PurchaseRejected, owner, reason)
	return db.transitionOnce(ctx, "reject purchase", made, func(tx *sqlx.Tx) error { return db.recordLedger(ctx, tx, id) },
		`UPDATE purchases SET state = ?, reason = ?, refusal_sealed = ?, settled_at = ?
		  WHERE id = ? AND state IN ('claimed', 'sending') AND lease_owner = ?`,
		PurchaseRejected, reason, db.sealText("purchases", "refusal", id, refusal), toMillis(now), id, owner)
}

// MarkOutcomeUnknown moves a purchase that was sent at p.SentAt to outcome unknown, schedules its first
// balance reading, and stores the message to the person. Of an earlier epoch, any purchase
// that was not settled may have been sent, and it is stored where it is gone. p.SentAt is
// zero where it is not known: then the balance is compared with that of the draft.
func (db *DB) MarkOutcomeUnknown(ctx context.Context, p Purchase, refusal string, firstCheck time.Time, message Message) (bool, error) {
	sentAt := toMillis(p.SentAt)
	if p.SentAt.IsZero() {
		p.SentAt = p.CreatedAt
	}
	p.State, p.Refusal, p.NextCheckAt = PurchaseOutcomeUnknown, refusal, firstCheck
	messages, marked := withIDs(message), false
	err := db.writeOnce(ctx, messagesExist(ctx, messages), func(tx *sqlx.Tx) error {
		found, err := db.transitionTx(ctx, tx,
			`UPDATE purchases SET state = ?, refusal_sealed = ?, next_check_at = ?, sent_at = ?
			  WHERE id = ? AND (state = ? AND sent_at = ? OR state IN ('draft', 'superseded', 'claimed') AND `+beforeEpoch+`)`,
			p.State, db.sealText("purchases", "refusal", p.ID, refusal), toMillis(firstCheck), toMillis(p.SentAt), p.ID, PurchaseSending, sentAt)
		if err == nil && !found {
			found, err = db.insertIfGone(ctx, tx, p)
		}
		if err == nil && found {
			err = db.insertMessages(ctx, tx, messages)
		}
		if err == nil && found {
			err = db.recordLedger(ctx, tx, p.ID)
		}
		if err == nil {
			marked = found
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("mark outcome unknown: %w", err)
	}
	return marked, nil
}

// DismissPurchase records that, as the person says, a purchase of unknown outcome was
// not placed. Where the operator's key has paid, only admins decide (DismissHousePurchase).
func (db *DB) DismissPurchase(ctx context.Context, userID, id int64, now time.Time) (bool, error) {
	made := finds(ctx, `SELECT 1 FROM purchases WHERE id = ? AND state = ? AND settled_at = ?`, id, PurchaseDismissed, toMillis(now))
	return db.transitionOnce(ctx, "dismiss purchase", made, nil,
		`UPDATE purchases SET state = ?, settled_at = ?, next_check_at = 0 WHERE id = ? AND user_id = ? AND state = ? AND house = 0`,
		PurchaseDismissed, toMillis(now), id, userID, PurchaseOutcomeUnknown)
}

// DismissHousePurchase records that, as an admin says, a purchase of unknown outcome that
// the operator's key has paid was not placed, with the audit entry and the messages about it.
// Its hold is released. Of one of which some phones were adopted, that is said of the others,
// and the person, who has those, gets no message.
func (db *DB) DismissHousePurchase(ctx context.Context, id int64, now time.Time, entry AuditEntry, messages ...Message) (bool, error) {
	entry.ID, messages = newID(), withIDs(messages...)
	return db.transitionOnce(ctx, "dismiss purchase of the house", auditExists(ctx, entry), func(tx *sqlx.Tx) error {
		var state PurchaseState
		err := tx.GetContext(ctx, &state, `SELECT state FROM purchases WHERE id = ?`, id)
		if err == nil && state == PurchaseDismissed {
			err = db.insertMessages(ctx, tx, messages)
		}
		return errors.Join(err, db.insertAudit(ctx, tx, entry), db.recordLedger(ctx, tx, id))
	}, `UPDATE purchases SET state = CASE state WHEN 'placed' THEN 'placed' ELSE 'dismissed' END, reason = CASE state WHEN 'placed' THEN '`+restDismissed+`' ELSE reason END,
		settled_at = ?, next_check_at = 0 WHERE id = ? AND house = 1 AND (state = 'outcome_unknown' OR `+isIncomplete+` AND reason <> '`+restDismissed+`')`,
		toMillis(now), id)
}

// RejectOverdue moves a claimed purchase whose lease has expired to rejected, with the
// message to the person: nothing was sent to the marketplace. Of an earlier epoch that is
// not certain, and it reports false.
func (db *DB) RejectOverdue(ctx context.Context, id int64, reason string, now time.Time, message Message) (bool, error) {
	messages := withIDs(message)
	return db.transitionOnce(ctx, "reject overdue purchase", messagesExist(ctx, messages), func(tx *sqlx.Tx) error {
		return errors.Join(db.insertMessages(ctx, tx, messages), db.recordLedger(ctx, tx, id))
	},
		`UPDATE purchases SET state = ?, reason = ?, settled_at = ? WHERE id = ? AND state = ? AND lease_until <= ? AND `+inEpoch,
		PurchaseRejected, reason, toMillis(now), id, PurchaseClaimed, toMillis(now))
}

// RecordCheck stores a balance reading (p with its new Checks, NextCheckAt, BalanceSeen
// and Verdict), with a message unless it is nil. It reports false where the outcome is
// known by now, or another process has recorded this reading.
func (db *DB) RecordCheck(ctx context.Context, p Purchase, previousChecks int, message *Message) (bool, error) {
	set, args := db.assignments(&p, "checks", "next_check_at", "balance_seen", "verdict")
	query, args := `UPDATE purchases SET `+set+` WHERE id = ? AND state = ? AND checks = ?`, append(args, p.ID, PurchaseOutcomeUnknown, previousChecks)
	if message == nil {
		made := finds(ctx, `SELECT 1 FROM purchases WHERE id = ? AND checks = ? AND next_check_at = ?`, p.ID, p.Checks, toMillis(p.NextCheckAt))
		return db.transitionOnce(ctx, "record balance check", made, nil, query, args...)
	}
	return db.transitionWithMessage(ctx, "record balance check", *message, query, args...)
}
