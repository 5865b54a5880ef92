package orders

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// ErrCancelSent is returned where a cancel of this order has left already and it
// is not known that it did nothing: it is not sent again. The order's state tells.
var ErrCancelSent = errors.New("a cancel of this order is on its way")

// ErrOrderClosed is returned where there is nothing left to cancel.
var ErrOrderClosed = errors.New("the order is closed")

// ErrExternalIDShared is returned where two orders of one key have the same number, a
// rented number and another one: the marketplace could cancel either.
var ErrExternalIDShared = errors.New("two orders have this number")

// CancelAllowance asks whether an order could be cancelled now, and what would be paid
// back. It changes nothing.
func (s *Service) CancelAllowance(ctx context.Context, userID, orderID int64) (storage.Order, hstock.CancelAllowance, error) {
	order, key, err := s.cancellable(ctx, userID, orderID)
	if err != nil {
		return order, hstock.CancelAllowance{}, err
	}
	allowances, err := s.market.AllowCancel(ctx, key, []int64{order.ExternalID})
	if err != nil {
		return order, hstock.CancelAllowance{}, err
	}
	return order, allowances[0], nil
}

func (s *Service) cancellable(ctx context.Context, userID, orderID int64) (storage.Order, redact.Secret, error) {
	order, err := s.db.Order(ctx, userID, orderID)
	switch {
	case err != nil:
		return order, "", err
	case !order.Open():
		return order, "", ErrOrderClosed
	case !order.CancelSentAt.IsZero():
		return order, "", ErrCancelSent
	}
	shared, err := s.db.ExternalIDShared(ctx, order)
	if err != nil {
		return order, "", err
	}
	if shared {
		return order, "", ErrExternalIDShared
	}
	key, err := s.keyFor(ctx, order)
	return order, key.Secret, err
}

// CancelOutcome is what came of a cancel. Where it is not Done, Refused says that
// the marketplace did nothing, with its sentence if it gave one, and Unsure that
// its answer was lost, so that only the order's state can tell. Where it is none
// of the three, the order has ended otherwise.
type CancelOutcome struct {
	Order   storage.Order
	Done    bool
	Refused bool
	Refusal string
	Unsure  bool
	Err     error // of CancelAll: why the request did nothing at all
}

// Cancel cancels an order, by one request that is never repeated while it may
// have been done. The order is asked for right after, for what was paid back.
func (s *Service) Cancel(ctx context.Context, userID, orderID int64) (CancelOutcome, error) {
	order, key, err := s.cancellable(ctx, userID, orderID)
	if err != nil {
		return CancelOutcome{Order: order}, err
	}
	outcomes, err := s.cancelBatch(ctx, userID, key, []storage.Order{order})
	if len(outcomes) == 0 {
		return CancelOutcome{Order: order}, err
	}
	return outcomes[0], err
}

// cancelBatch cancels up to hstock.MaxBatch orders of one key by one request,
// which is never repeated for an order while it may have been done. An error
// beside no outcomes means that nothing was done; ErrCancelSent, that a cancel of
// each of them has left already.
func (s *Service) cancelBatch(ctx context.Context, userID int64, key redact.Secret, orders []storage.Order) ([]CancelOutcome, error) {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < hstock.PurchaseTimeout {
		return nil, context.DeadlineExceeded // too late to wait for an answer
	}
	ids := make([]int64, 0, len(orders))
	for _, order := range orders {
		ids = append(ids, order.ID)
	}
	now := time.Now()
	begun, err := s.db.StartCancels(ctx, userID, ids, now)
	if err != nil {
		return nil, err
	}
	if len(begun) == 0 {
		return nil, ErrCancelSent
	}
	var numbers []int64
	for _, order := range orders {
		if slices.Contains(begun, order.ID) {
			numbers = append(numbers, order.ExternalID)
		}
	}
	s.checkpoint("cancelling")
	answers, err := s.market.Cancel(ctx, key, numbers)
	s.checkpoint("cancelled")
	ctx = context.WithoutCancel(ctx)
	if err != nil && s.hadNoEffect(ctx, key, numbers, err) {
		return nil, errors.Join(err, s.db.EndCancels(ctx, begun))
	}
	if err != nil {
		s.log.Warn("outcome of a cancel is unknown", "orders", numbers, "error", err)
	}
	outcomes := make([]CancelOutcome, len(orders))
	var refused []int64
	for i, order := range orders {
		order.CancelSentAt = now
		outcomes[i] = CancelOutcome{Order: order, Unsure: true} // also where another cancel of it has left
		if k := slices.IndexFunc(answers, func(a hstock.Cancellation) bool { return a.Order == order.ExternalID }); k >= 0 && slices.Contains(begun, order.ID) {
			outcomes[i].Unsure, outcomes[i].Done, outcomes[i].Refused, outcomes[i].Refusal = false, answers[k].Done, !answers[k].Done, answers[k].Error
		}
		if outcomes[i].Refused {
			outcomes[i].Order.CancelSentAt = time.Time{}
			refused = append(refused, order.ID)
		}
	}
	return outcomes, errors.Join(s.db.EndCancels(ctx, refused), s.fetchCancelledOrders(ctx, outcomes))
}

// fetchCancelledOrders reads how those orders stand now that are cancelled, or may be.
func (s *Service) fetchCancelledOrders(ctx context.Context, outcomes []CancelOutcome) error {
	asking, cancel := context.WithTimeout(ctx, termsTimeout)
	defer cancel()
	var (
		group    sync.WaitGroup
		slots    = make(chan struct{}, fetchesAtOnce)
		failures = make([]error, len(outcomes))
	)
	for i, outcome := range outcomes {
		if outcome.Refused {
			continue
		}
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			failures[i] = loop.Recover(s.log, "read a cancelled order", func() (err error) {
				outcomes[i], err = s.applyCancel(ctx, asking, outcome.Order, outcome.Done)
				return err
			})
		})
	}
	group.Wait()
	return errors.Join(failures...)
}

// hadNoEffect reports whether a cancel surely did nothing. A refusal in words
// that are not documented is one if all of its orders can still be cancelled.
func (s *Service) hadNoEffect(ctx context.Context, key redact.Secret, numbers []int64, err error) bool {
	switch kind, _ := hstock.KindOf(err); kind {
	case hstock.NotSent, hstock.Refused, hstock.InvalidKey:
		return true
	case hstock.RefusedOther:
		ctx, cancel := context.WithTimeout(ctx, termsTimeout)
		defer cancel()
		allowances, err := s.market.AllowCancel(ctx, key, numbers)
		return err == nil && len(allowances) == len(numbers) &&
			!slices.ContainsFunc(allowances, func(a hstock.CancelAllowance) bool { return !a.Allowed })
	default:
		return false
	}
}

// maxUpdateAttempts is how often the outcome of a cancel is reported, when polls
// keep coming in between.
const maxUpdateAttempts = 5

// applyCancel reads the order as it is now, as long as asking lasts, and stores
// that. Where the marketplace said that it is cancelled, it is, whatever else can
// be heard of it.
func (s *Service) applyCancel(ctx, asking context.Context, order storage.Order, done bool) (CancelOutcome, error) {
	ctx, cancel := context.WithTimeout(ctx, termsTimeout+recordTimeout)
	defer cancel()
	outcome := CancelOutcome{Order: order, Done: done, Unsure: !done}
	for range maxUpdateAttempts {
		h, err := s.fetchCancelled(asking, order, done)
		if err != nil {
			return outcome, nil // what became of it the watcher will hear
		}
		next, reported, err := s.db.UpdateOrder(ctx, h.next, h.delivered, h.messages)
		if err != nil {
			return outcome, err
		}
		if reported {
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
		outcome.Done, outcome.Unsure = true, false
	case storage.OrderOpen, storage.OrderPartial:
	default: // it has ended otherwise
		outcome.Unsure = false
	}
	return outcome, nil
}

// fetchCancelled asks for an order after a cancel; done says that it was one.
func (s *Service) fetchCancelled(ctx context.Context, order storage.Order, done bool) (update, error) {
	key, err := s.keyFor(ctx, order)
	h := update{next: order}
	if err == nil {
		var answer update
		answer, err = s.fetch(ctx, storage.DueOrder{Order: order, Key: key.Secret, PollKeyID: key.ID}, true)
		if err == nil {
			h = answer
		}
	}
	now := time.Now()
	switch {
	case err != nil && !done:
		return h, err
	case err != nil:
		h.next.Polls++
		h.next.UpdatedAt = now
	}
	if done && (h.next.State == storage.OrderOpen || h.next.State == storage.OrderPartial) {
		h.next.State, h.next.ClosedAt = storage.OrderCancelled, now
		h.next.Charge = decimal.NullDecimal{} // what was heard is from before: a part of it is paid back
	}
	// The card that was tapped says it; a number's own message is drawn again.
	tell := h.messages
	h.messages = func(o storage.Order, fresh []redact.Secret) ([]storage.Message, error) {
		var messages []storage.Message
		if tell != nil && len(fresh) > 0 {
			all, err := tell(o, fresh)
			if err != nil {
				return nil, err
			}
			messages = all[:1] // what was delivered
		}
		if o.Kind == storage.KindSMS {
			messages = append(messages, newMessage(o, MessageRedraw, outbox.PriorityStatus, now))
		}
		for i := range messages { // behind the card that was tapped
			messages[i].CreatedAt = messages[i].CreatedAt.Add(cardDelay)
		}
		return messages, nil
	}
	return h, nil
}
