package orders

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hstockbot/internal/loop"
	"hstockbot/storage"
)

// waits reports whether a draft waits for its turn.
func (s *Service) waits(ctx context.Context, p storage.Purchase) (bool, error) {
	if !p.House {
		return false, nil
	}
	_, err := s.db.Turn(ctx, p.UserID, p.ID)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// outcomeOr is outcomeOf, unless there is an error.
func (s *Service) outcomeOr(ctx context.Context, p storage.Purchase, err error) (Outcome, error) {
	if err != nil {
		return Outcome{}, err
	}
	return s.outcomeOf(ctx, p)
}

// queueForTurn makes a confirmed purchase wait for its turn.
func (s *Service) queueForTurn(ctx context.Context, p storage.Purchase) (Outcome, error) {
	queued, err := s.db.QueuePurchase(ctx, p.UserID, p.ID, time.Now())
	if err != nil {
		return Outcome{}, err
	}
	if queued {
		s.checkpoint("queued")
		s.wakeTurns()
	}
	return s.Outcome(ctx, p.UserID, p.ID) // another tap may have been quicker
}

// SetTurnCard stores which message is the card of a purchase that is Waiting: it is redrawn
// when the purchase is settled, also if its turn has come meanwhile. Without a card the person
// is notified.
func (s *Service) SetTurnCard(ctx context.Context, userID, purchaseID int64, messageID int) error {
	waits, err := s.db.SetTurnMessage(ctx, userID, purchaseID, int64(messageID))
	if err != nil || waits {
		return err
	}
	return s.RedrawCard(ctx, userID, purchaseID, messageID)
}

// freeSlot tells those who wait for the slot of a key that a purchase has left it.
func (s *Service) freeSlot(p storage.Purchase) {
	s.slotFreed.notify()
	if p.House {
		s.wakeTurns()
	}
}

// aboutTurn is the message that redraws the card of a purchase, or tells its outcome.
func aboutTurn(t storage.Turn) storage.Message {
	at := time.Now().Add(cardDelay)
	if t.MessageID == 0 {
		return aboutPurchase(t.UserID, t.PurchaseID, MessageOutcome, at)
	}
	return aboutCard(t.UserID, t.PurchaseID, t.MessageID, at)
}

// turnOnce begins the next purchase that waits for its turn. What it does follows from the
// rows only: the slot of the key, which the database keeps, says whether another one may
// begin.
func (s *Service) turnOnce(ctx context.Context) (time.Duration, error) {
	turns, err := s.db.Turns(ctx, turnsAtOnce)
	if err != nil || len(turns) == 0 {
		return idlePause, err
	}
	if yields, err := s.yieldToSwap(ctx); err != nil || yields {
		return turnRetry, err
	}
	var failures []error
	for _, turn := range turns {
		claim, key, err := s.takeTurn(ctx, turn)
		if errors.Is(err, errTurnWaits) {
			break
		}
		if err != nil { // a row that can't be read holds up nobody
			failures = append(failures, fmt.Errorf("purchase %d: %w", turn.PurchaseID, err))
		}
		if claim == nil {
			continue
		}
		s.polls.Go(func() {
			err := loop.Recover(s.log, "buy in turn", func() error {
				_, err := claim.run(ctx, key, "en")
				return err
			})
			if err != nil {
				s.log.Error("purchase in turn not settled yet", "purchase", claim.p.ID, "error", err)
			}
			s.wakeOutbox()
		})
		break // until this one has left the slot
	}
	return turnRetry, errors.Join(failures...)
}

// yieldToSwap reports whether a swap needs the slot of the operator's key: its number is given
// back already, and it would stop if the queue did not let it pass. It makes the swap due.
func (s *Service) yieldToSwap(ctx context.Context) (bool, error) {
	swaps, err := s.db.EndingHouseSwaps(ctx, swapsAtOnce)
	for _, swap := range swaps {
		order, err := s.db.Order(ctx, swap.UserID, swap.OrderID)
		if err != nil || !endConfirmed(order) { // it can't rent yet, and holds up nobody
			continue
		}
		swap.DueAt = time.Now()
		err = s.db.MoveSwap(ctx, swap)
		s.wakeSwaps()
		return true, err
	}
	return false, err
}

// errTurnWaits says that nothing can be begun now.
var errTurnWaits = errors.New("the operator's key is taken, or nothing may be bought")

// takeTurn claims a purchase whose turn it is, or ends its waiting and returns nil.
func (s *Service) takeTurn(ctx context.Context, t storage.Turn) (*purchaseClaim, storage.Key, error) {
	if time.Since(t.QueuedAt) > turnPatience {
		return nil, storage.Key{}, s.rejectTurn(ctx, t, ReasonTurn)
	}
	p, err := s.db.Purchase(ctx, t.UserID, t.PurchaseID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && p.State != storage.PurchaseDraft {
		return nil, storage.Key{}, s.db.EndTurn(ctx, t)
	}
	if err != nil {
		return nil, storage.Key{}, err
	}
	restored, err := s.db.DrawnBeforeRestoration(ctx, p.ID)
	if err != nil {
		return nil, storage.Key{}, err
	}
	if restored { // it may have been bought: the person is asked again
		defer s.wakeOutbox()
		return nil, storage.Key{}, s.db.EndTurn(ctx, t, aboutTurn(t))
	}
	key, _, err := s.payer(ctx, p.UserID)
	switch {
	case errors.Is(err, ErrOperator), err == nil && key.House && key.Invalid:
		return nil, key, s.rejectTurn(ctx, t, ReasonOperator)
	case errors.Is(err, ErrNoKey), err == nil && key.ID != p.KeyID:
		return nil, key, s.rejectTurn(ctx, t, ReasonAllowance)
	case err != nil:
		return nil, key, err
	}
	if err := s.CanBuy(ctx); err != nil {
		return nil, key, errTurnWaits
	}
	claim := &purchaseClaim{s: s, p: p, owner: s.leaseOwner(p.ID), agreed: true}
	now := time.Now()
	claimed, err := s.db.ClaimTurn(ctx, t, claim.owner, now, now.Add(purchaseLease), aboutTurn(t))
	if reason := allowanceReason(err); reason != "" {
		return nil, key, s.rejectTurn(ctx, t, reason)
	}
	if errors.Is(err, storage.ErrKeyBusy) || err == nil && !claimed {
		err = errTurnWaits
	}
	if err != nil {
		return nil, key, err
	}
	return claim, key, nil
}

// rejectTurn ends the waiting of a purchase that is not bought. It ignores the cancelling of
// ctx.
func (s *Service) rejectTurn(ctx context.Context, t storage.Turn, reason string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	rejected, err := s.db.RejectTurn(ctx, t, reason, time.Now(), aboutTurn(t))
	if rejected {
		s.count(rejectedOutcome, reason)
		s.checkpoint("turn rejected")
		s.wakeOutbox()
	}
	return err
}
