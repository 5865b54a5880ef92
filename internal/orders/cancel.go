package orders

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// ErrCancelSent is returned when a cancel of this order was sent and may have had an
// effect. It is not sent again, unless the person asks again (MayAskCancel); the order's
// state will show the outcome.
var ErrCancelSent = errors.New("a cancel of this order was already sent")

// ErrOrderClosed is returned for an order that can no longer be cancelled.
var ErrOrderClosed = errors.New("the order is closed")

// ErrExternalIDShared is returned when a rented phone and another order of the same key
// have the same id: the marketplace could cancel either.
var ErrExternalIDShared = errors.New("two orders have this id")

// ErrHouseIDShared is ErrExternalIDShared for an order that the operator's key has paid. The
// other one may be another person's, and only the operator can cancel either elsewhere.
var ErrHouseIDShared = errors.New("two orders of the operator's key have this id")

// MayAskCancel reports whether a person may ask to cancel an order: no cancel of it was
// sent, or one whose outcome was lost has ended since.
func MayAskCancel(o storage.Order) bool {
	return time.Since(o.CancelSentAt) > cancelLife // the zero time is long ago
}

func cancelUnsent(o storage.Order) bool { return o.CancelSentAt.IsZero() }

// CancelAllowance asks the marketplace whether an order can be cancelled now and what
// would be refunded. Only call it when the person asks: an order whose last cancel was
// lost can be cancelled again after that. Where the marketplace does not allow it, the error is
// ErrCancelSent beside the answer: the lost one may have had an effect.
func (s *Service) CancelAllowance(ctx context.Context, userID, orderID int64) (storage.Order, hstock.CancelAllowance, error) {
	order, allowance, err := s.cancelAllowance(ctx, userID, orderID, MayAskCancel)
	if err == nil && !cancelUnsent(order) {
		order, err = s.endLostCancel(ctx, order, allowance)
	}
	return order, allowance, err
}

// endLostCancel ends a cancel that is over: it had no effect if the order can still be
// cancelled. Otherwise the error is ErrCancelSent.
func (s *Service) endLostCancel(ctx context.Context, order storage.Order, allowance hstock.CancelAllowance) (storage.Order, error) {
	if !allowance.Allowed {
		return order, ErrCancelSent
	}
	err := s.db.EndCancels(ctx, []int64{order.ID}, order.CancelSentAt)
	order.CancelSentAt = time.Time{}
	return order, err
}

// cancelAllowance is CancelAllowance for an order that may says yes to. It changes nothing.
func (s *Service) cancelAllowance(ctx context.Context, userID, orderID int64, may func(storage.Order) bool) (storage.Order, hstock.CancelAllowance, error) {
	order, key, err := s.cancellable(ctx, userID, orderID, may)
	if err != nil {
		return order, hstock.CancelAllowance{}, err
	}
	allowances, err := s.market.AllowCancel(ctx, key, []string{order.ExternalID})
	if err != nil {
		return order, hstock.CancelAllowance{}, err
	}
	return order, allowances[0], nil
}

func (s *Service) cancellable(ctx context.Context, userID, orderID int64, may func(storage.Order) bool) (storage.Order, redact.Secret, error) {
	order, err := s.db.Order(ctx, userID, orderID)
	switch {
	case err != nil:
		return order, "", err
	case !order.Open():
		return order, "", ErrOrderClosed
	case !may(order):
		return order, "", ErrCancelSent
	}
	shared, err := s.db.ExternalIDShared(ctx, order)
	if err != nil {
		return order, "", err
	}
	switch {
	case shared && order.House():
		return order, "", ErrHouseIDShared
	case shared:
		return order, "", ErrExternalIDShared
	}
	key, err := s.keyFor(ctx, order.UserID, order.KeyID)
	return order, key.Secret, err
}

// CancelOutcome is the outcome of a cancel. Done: the order is cancelled. Refused: the
// marketplace did nothing; Refusal is its sentence, "" if it gave none. Uncertain: the
// answer was lost, and only the order's state will show the outcome. If it is none of
// the three, the order has ended in another way.
type CancelOutcome struct {
	Order     storage.Order
	Done      bool
	Refused   bool
	Refusal   string
	Uncertain bool
	Lost      bool  // the answer was lost, whatever the order's state has shown since
	Err       error // of CancelAll: why the request had no effect
}

// Cancel cancels an order by one request, which is never repeated if it may have had an
// effect. Afterwards the order is fetched, for the refund.
func (s *Service) Cancel(ctx context.Context, userID, orderID int64) (CancelOutcome, error) {
	order, key, err := s.cancellable(ctx, userID, orderID, cancelUnsent)
	if err != nil {
		return CancelOutcome{Order: order}, err
	}
	outcomes, err := s.cancelBatch(ctx, userID, key, []storage.Order{order})
	if len(outcomes) == 0 {
		return CancelOutcome{Order: order}, err
	}
	return outcomes[0], err
}

// cancelBatch cancels up to hstock.MaxBatch orders of one key by one request. An error
// without outcomes means that the request had no effect; ErrCancelSent, that a cancel
// of each order was sent before.
func (s *Service) cancelBatch(ctx context.Context, userID int64, key redact.Secret, orders []storage.Order) ([]CancelOutcome, error) {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < hstock.PurchaseTimeout {
		return nil, context.DeadlineExceeded // no time left to wait for an answer
	}
	ids := make([]int64, 0, len(orders))
	for _, order := range orders {
		ids = append(ids, order.ID)
	}
	now := time.Now()
	started, err := s.db.StartCancels(ctx, userID, ids, now)
	if err != nil {
		return nil, err
	}
	if len(started) == 0 {
		return nil, ErrCancelSent
	}
	return s.sendCancels(ctx, key, orders, started, now)
}

// sendCancels sends the cancel of the orders that it was started for at the given time.
func (s *Service) sendCancels(ctx context.Context, key redact.Secret, orders []storage.Order, started []int64, now time.Time) ([]CancelOutcome, error) {
	var externalIDs []string
	for _, order := range orders {
		if slices.Contains(started, order.ID) {
			externalIDs = append(externalIDs, order.ExternalID)
		}
	}
	s.checkpoint("cancelling")
	answers, err := s.market.Cancel(ctx, key, externalIDs, latestSend(now))
	s.checkpoint("cancelled")
	ctx = context.WithoutCancel(ctx)
	if err != nil {
		if s.hadNoEffect(ctx, key, externalIDs, err) {
			return nil, errors.Join(err, s.db.EndCancels(ctx, started, now))
		}
		s.log.Warn("cancel outcome unknown", "orders", externalIDs, "error", err)
	}
	outcomes := make([]CancelOutcome, len(orders))
	var refused []int64
	for i, order := range orders {
		order.CancelSentAt = now
		outcomes[i] = CancelOutcome{Order: order, Uncertain: true, Lost: true} // also if another cancel of it was sent before
		if k := slices.IndexFunc(answers, func(a hstock.Cancellation) bool { return a.Order == order.ExternalID }); k >= 0 && slices.Contains(started, order.ID) {
			outcomes[i].Uncertain, outcomes[i].Lost, outcomes[i].Done, outcomes[i].Refused, outcomes[i].Refusal = false, false, answers[k].Done, !answers[k].Done, answers[k].Error
		}
		if outcomes[i].Refused {
			outcomes[i].Order.CancelSentAt = time.Time{}
			refused = append(refused, order.ID)
		}
	}
	return outcomes, errors.Join(s.db.EndCancels(ctx, refused, now), s.fetchCancelledOrders(ctx, outcomes))
}

// fetchCancelledOrders fetches the orders that are cancelled or may be, and completes
// their outcomes.
func (s *Service) fetchCancelledOrders(ctx context.Context, outcomes []CancelOutcome) error {
	fetchCtx, cancel := context.WithTimeout(ctx, termsTimeout)
	defer cancel()
	return errors.Join(loop.Parallel(s.log, len(outcomes), fetchesAtOnce, "fetch a cancelled order", func(i int) (err error) {
		if !outcomes[i].Refused {
			lost := outcomes[i].Lost
			outcomes[i], err = s.applyCancel(ctx, fetchCtx, outcomes[i].Order, outcomes[i].Done)
			outcomes[i].Lost = lost
		}
		return err
	})...)
}

// hadNoEffect reports whether a cancel surely had no effect. After an undocumented
// refusal it had none if all of its orders can still be cancelled.
func (s *Service) hadNoEffect(ctx context.Context, key redact.Secret, externalIDs []string, err error) bool {
	switch kind, _ := hstock.KindOf(err); kind {
	case hstock.NotSent, hstock.Refused, hstock.InvalidKey:
		return true
	case hstock.RefusedOther:
		ctx, cancel := context.WithTimeout(ctx, termsTimeout)
		defer cancel()
		allowances, err := s.market.AllowCancel(ctx, key, externalIDs)
		return err == nil && len(allowances) == len(externalIDs) &&
			!slices.ContainsFunc(allowances, func(a hstock.CancelAllowance) bool { return !a.Allowed })
	default:
		return false
	}
}

// maxUpdateAttempts is how often storing the outcome of a cancel is tried while polls
// store other updates of the order.
const maxUpdateAttempts = 5

// applyCancel fetches the order within fetchCtx and stores it. If the marketplace said
// that the cancel is done, the order is stored as cancelled even if it can't be fetched.
func (s *Service) applyCancel(ctx, fetchCtx context.Context, order storage.Order, done bool) (CancelOutcome, error) {
	ctx, cancel := context.WithTimeout(ctx, termsTimeout+recordTimeout)
	defer cancel()
	outcome := CancelOutcome{Order: order, Done: done, Uncertain: !done}
	for range maxUpdateAttempts {
		u, err := s.fetchCancelled(fetchCtx, order, done)
		if err != nil {
			return outcome, nil // a later poll will show the outcome
		}
		next, applied, err := s.db.UpdateOrder(ctx, u.next, deliveryTime(order, u.next, len(u.delivered) > 0), u.delivered, u.messages)
		if err != nil {
			return outcome, err
		}
		if applied {
			s.wakeOutbox()
			next.CancelSentAt = outcome.Order.CancelSentAt
			outcome.Order = next
			break
		}
		if order, err = s.db.Order(ctx, order.UserID, order.ID); err != nil {
			return outcome, err
		}
	}
	switch outcome.Order.State {
	case storage.OrderCancelled, storage.OrderRefunded:
		outcome.Done, outcome.Uncertain = true, false
	case storage.OrderOpen, storage.OrderPartial:
	default: // it has ended in another way
		outcome.Uncertain = false
	}
	return outcome, nil
}

// fetchCancelled fetches an order after a cancel. done: the marketplace said that the
// cancel is done.
func (s *Service) fetchCancelled(ctx context.Context, order storage.Order, done bool) (update, error) {
	key, err := s.keyFor(ctx, order.UserID, order.KeyID)
	var u update
	if err == nil {
		u, err = s.fetch(ctx, storage.DueOrder{Order: order, Key: key.Secret, PollKeyID: key.ID}, true)
	}
	now := time.Now()
	if err != nil {
		if !done {
			return u, err
		}
		u = update{next: order}
		u.next.Polls++
		u.next.UpdatedAt = now
	}
	if done && (u.next.State == storage.OrderOpen || u.next.State == storage.OrderPartial) {
		u.next.State, u.next.ClosedAt = storage.OrderCancelled, now
		u.next.Charge = decimal.NullDecimal{} // the known charge is that of before the refund
	}
	// The tapped card shows the end. The message of a phone is redrawn.
	fetched := u.messages
	u.messages = func(o storage.Order, fresh []redact.Secret) ([]storage.Message, error) {
		var messages []storage.Message
		if fetched != nil && len(fresh) > 0 {
			all, err := fetched(o, fresh)
			if err != nil {
				return nil, err
			}
			messages = slices.DeleteFunc(all, func(m storage.Message) bool { return m.Kind != MessageGoods && m.Kind != MessageCode })
		}
		if o.Kind == storage.KindSMS {
			messages = append(messages, aboutOrder(o, MessageRedraw, outbox.PriorityStatus, now))
		}
		for i := range messages { // after the tapped card
			messages[i].CreatedAt = messages[i].CreatedAt.Add(cardDelay)
		}
		return messages, nil
	}
	return u, nil
}
