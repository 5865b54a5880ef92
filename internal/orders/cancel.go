package orders

import (
	"context"
	"errors"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// ErrCancelSent is returned where a cancel of this order has left already and it
// is not known that it did nothing: it is not sent again. The order's state tells.
var ErrCancelSent = errors.New("a cancel of this order is on its way")

// ErrOrderClosed is returned where there is nothing left to cancel.
var ErrOrderClosed = errors.New("the order is closed")

// Allowance asks whether an order could be cancelled now, and what would be paid
// back. It changes nothing.
func (s *Service) Allowance(ctx context.Context, userID, orderID int64) (storage.Order, hstock.Allowance, error) {
	order, key, err := s.cancellable(ctx, userID, orderID)
	if err != nil {
		return order, hstock.Allowance{}, err
	}
	allowances, err := s.market.AllowCancel(ctx, key, []int64{order.Number})
	if err != nil {
		return order, hstock.Allowance{}, err
	}
	return order, allowances[0], nil
}

func (s *Service) cancellable(ctx context.Context, userID, orderID int64) (storage.Order, redact.Secret, error) {
	order, err := s.db.Order(ctx, userID, orderID)
	switch {
	case err != nil:
		return order, "", err
	case !order.CancelSentAt.IsZero():
		return order, "", ErrCancelSent
	case !order.Open():
		return order, "", ErrOrderClosed
	}
	key, err := s.keyFor(ctx, order)
	return order, key.Secret, err
}

// CancelOutcome is what came of a cancel. Refusal is the marketplace's sentence
// where it did nothing; Unsure says that its answer was lost, so that only the
// order's state can tell.
type CancelOutcome struct {
	Order   storage.Order
	Done    bool
	Refusal string
	Unsure  bool
}

// Cancel cancels an order, by one request that is never repeated while it may
// have been done. The order is asked for right after, for what was paid back.
func (s *Service) Cancel(ctx context.Context, userID, orderID int64) (CancelOutcome, error) {
	order, key, err := s.cancellable(ctx, userID, orderID)
	if err != nil {
		return CancelOutcome{Order: order}, err
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < hstock.PurchaseTimeout {
		return CancelOutcome{Order: order}, context.DeadlineExceeded // too late to wait for an answer
	}
	now := time.Now()
	began, err := s.db.StartCancel(ctx, userID, orderID, now)
	if err != nil {
		return CancelOutcome{Order: order}, err
	}
	if !began {
		return CancelOutcome{Order: order}, ErrCancelSent
	}
	s.checkpoint("cancelling")
	done, refusal, err := s.cancelOnce(ctx, key, order.Number)
	s.checkpoint("cancelled")
	ctx = context.WithoutCancel(ctx)
	switch {
	case done:
	case err == nil:
		return CancelOutcome{Order: order, Refusal: refusal}, s.db.EndCancel(ctx, order.ID)
	case nothingDone(err):
		return CancelOutcome{Order: order}, errors.Join(err, s.db.EndCancel(ctx, order.ID))
	default:
		s.log.Warn("outcome of a cancel is unknown", "order", order.Number, "error", err)
	}
	order.CancelSentAt = now
	return s.afterCancel(ctx, order, done)
}

// cancelOnce makes the one request. Without an error it was answered.
func (s *Service) cancelOnce(ctx context.Context, key redact.Secret, number int64) (done bool, refusal string, err error) {
	cancellations, err := s.market.Cancel(ctx, key, []int64{number})
	if err != nil {
		return false, "", err
	}
	return cancellations[0].Done, cancellations[0].Error, nil
}

// nothingDone reports whether a cancel surely did nothing.
func nothingDone(err error) bool {
	switch kind, _ := hstock.KindOf(err); kind {
	case hstock.NotSent, hstock.Refused, hstock.RefusedOther, hstock.InvalidKey:
		return true
	default:
		return false
	}
}

// afterCancel reads the order as it is now. Where the marketplace said that it
// is cancelled, it is, whatever else can be heard of it.
func (s *Service) afterCancel(ctx context.Context, order storage.Order, done bool) (CancelOutcome, error) {
	asking, cancel := context.WithTimeout(ctx, termsTimeout)
	defer cancel()
	outcome := CancelOutcome{Order: order, Done: done, Unsure: !done}
	key, err := s.keyFor(asking, order)
	due := storage.DueOrder{Order: order, Key: key.Secret, KeyRef: key.ID}
	var h heard
	if err == nil {
		h, err = s.hear(asking, due, true)
	}
	if err != nil && !done {
		return outcome, nil
	}
	now := time.Now()
	if err != nil {
		h = heard{next: order}
		h.next.Polls++
		h.next.UpdatedAt = now
	}
	if done && (h.next.State == storage.OrderOpen || h.next.State == storage.OrderPartial) {
		h.next.State, h.next.ClosedAt = storage.OrderCancelled, now
	}
	// The card that was tapped says it; a number's own message is drawn again.
	tell := h.tell
	h.tell = func(o storage.Order, fresh []redact.Secret) ([]storage.Message, error) {
		var messages []storage.Message
		if tell != nil && len(fresh) > 0 {
			var err error
			if messages, err = tell(o, fresh); err != nil {
				return nil, err
			}
			messages = messages[:1] // what was delivered
		}
		if o.Kind == storage.KindSMS {
			messages = append(messages, about(o, MessageRedraw, classStatus, now))
		}
		return messages, nil
	}
	outcome.Order, err = s.report(ctx, due, h)
	if outcome.Order.State != storage.OrderOpen && outcome.Order.State != storage.OrderPartial {
		outcome.Done, outcome.Unsure = true, false
	}
	return outcome, err
}
