package orders

import (
	"context"
	"errors"
	"slices"
	"sync"
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
	Err     error // of CancelAll: why the request did nothing at all
}

// Cancel cancels an order, by one request that is never repeated while it may
// have been done. The order is asked for right after, for what was paid back.
func (s *Service) Cancel(ctx context.Context, userID, orderID int64) (CancelOutcome, error) {
	order, key, err := s.cancellable(ctx, userID, orderID)
	if err != nil {
		return CancelOutcome{Order: order}, err
	}
	outcomes, err := s.cancelTogether(ctx, userID, key, []storage.Order{order})
	if len(outcomes) == 0 {
		return CancelOutcome{Order: order}, err
	}
	return outcomes[0], err
}

// cancelTogether cancels up to hstock.MaxBatch orders of one key by one request,
// which is never repeated for an order while it may have been done. An error
// beside no outcomes means that nothing was done; ErrCancelSent, that a cancel of
// each of them has left already.
func (s *Service) cancelTogether(ctx context.Context, userID int64, key redact.Secret, orders []storage.Order) ([]CancelOutcome, error) {
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
			numbers = append(numbers, order.Number)
		}
	}
	s.checkpoint("cancelling")
	answers, err := s.market.Cancel(ctx, key, numbers)
	s.checkpoint("cancelled")
	ctx = context.WithoutCancel(ctx)
	if err != nil && nothingDone(err) {
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
		if k := slices.IndexFunc(answers, func(a hstock.Cancellation) bool { return a.Order == order.Number }); k >= 0 && slices.Contains(begun, order.ID) {
			outcomes[i].Unsure, outcomes[i].Done, outcomes[i].Refusal = false, answers[k].Done, answers[k].Error
		}
		if !outcomes[i].Done && !outcomes[i].Unsure {
			outcomes[i].Order.CancelSentAt = time.Time{}
			refused = append(refused, order.ID)
		}
	}
	return outcomes, errors.Join(s.db.EndCancels(ctx, refused), s.afterCancels(ctx, outcomes))
}

// afterCancels reads how those orders stand now that are cancelled, or may be.
func (s *Service) afterCancels(ctx context.Context, outcomes []CancelOutcome) error {
	ctx, cancel := context.WithTimeout(ctx, termsTimeout)
	defer cancel()
	var (
		group    sync.WaitGroup
		slots    = make(chan struct{}, statesAtOnce)
		failures = make([]error, len(outcomes))
	)
	for i, outcome := range outcomes {
		if !outcome.Done && !outcome.Unsure {
			continue
		}
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			failures[i] = s.safely("read a cancelled order", func() (err error) {
				outcomes[i], err = s.afterCancel(ctx, outcome.Order, outcome.Done)
				return err
			})
		})
	}
	group.Wait()
	return errors.Join(failures...)
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
	outcome := CancelOutcome{Order: order, Done: done, Unsure: !done}
	key, err := s.keyFor(ctx, order)
	due := storage.DueOrder{Order: order, Key: key.Secret, KeyRef: key.ID}
	var h heard
	if err == nil {
		h, err = s.hear(ctx, due, true)
	}
	if err != nil && !done {
		return outcome, nil // the watcher goes on asking
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
		for i := range messages { // behind the card that was tapped
			messages[i].CreatedAt = messages[i].CreatedAt.Add(cardFirst)
		}
		return messages, nil
	}
	outcome.Order, err = s.report(ctx, due, h)
	if outcome.Order.State != storage.OrderOpen && outcome.Order.State != storage.OrderPartial {
		outcome.Done, outcome.Unsure = true, false
	}
	return outcome, err
}
