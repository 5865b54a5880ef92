package orders

import (
	"context"
	"errors"
	"slices"
	"sync"

	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// errUnanswered is of an order that an answer passes over.
var errUnanswered = errors.New("the marketplace said nothing of this order")

// CancelCheck is what the marketplace says of cancelling one open order. With Err it
// could not be asked, or said nothing; ErrExternalIDShared says that it must not be.
type CancelCheck struct {
	Order     storage.Order
	Allowance hstock.CancelAllowance
	Err       error
}

// batch is open orders that one request names: of one key, at most hstock.MaxBatch.
type batch struct {
	key    redact.Secret
	orders []storage.Order
}

// CancelAllowances asks which of a person's open orders could be cancelled now, newest
// first, and what would be paid back. It changes nothing. Orders that a cancel
// has left for already are passed over; an error means that none could be asked for.
func (s *Service) CancelAllowances(ctx context.Context, userID int64) ([]CancelCheck, error) {
	batches, shared, err := s.cancelBatches(ctx, userID, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, allowTimeout)
	defer cancel()
	asked := make([][]CancelCheck, len(batches))
	failures := s.parallel(batches, func(i int, b batch) error {
		for _, order := range b.orders {
			asked[i] = append(asked[i], CancelCheck{Order: order, Err: errUnanswered})
		}
		answers, err := s.market.AllowCancel(ctx, b.key, externalIDs(b.orders))
		for j := range asked[i] {
			a := &asked[i][j]
			if err != nil {
				a.Err = err
			}
			if k := slices.IndexFunc(answers, func(said hstock.CancelAllowance) bool { return said.Order == a.Order.ExternalID }); k >= 0 {
				a.Allowance, a.Err = answers[k], nil
			}
		}
		return err
	})
	if len(batches) > 0 && !slices.Contains(failures, nil) {
		return nil, errors.Join(failures...)
	}
	all := slices.Concat(asked...)
	for _, order := range shared {
		all = append(all, CancelCheck{Order: order, Err: ErrExternalIDShared})
	}
	slices.SortStableFunc(all, func(a, b CancelCheck) int { return b.Order.CreatedAt.Compare(a.Order.CreatedAt) })
	return all, nil
}

// CancelAll cancels these orders of a person, as far as they are still open: one
// request for each batch, never repeated for an order while it may have been
// done. Every order gets its outcome, newest first.
func (s *Service) CancelAll(ctx context.Context, userID int64, orderIDs []int64) ([]CancelOutcome, error) {
	batches, _, err := s.cancelBatches(ctx, userID, orderIDs)
	if err != nil {
		return nil, err
	}
	outcomes := make([][]CancelOutcome, len(batches))
	failures := s.parallel(batches, func(i int, b batch) error {
		done, err := s.cancelBatch(ctx, userID, b.key, b.orders)
		if len(done) > 0 && err != nil { // each has its outcome, which could not all be written down
			s.log.Error("recording a cancel failed", "error", err)
		}
		for k, order := range b.orders {
			if len(done) > 0 {
				outcomes[i] = append(outcomes[i], done[k])
			} else {
				outcomes[i] = append(outcomes[i], CancelOutcome{Order: order, Unsure: errors.Is(err, ErrCancelSent), Err: err})
			}
		}
		return nil
	})
	for i, b := range batches {
		if failures[i] == nil {
			continue
		}
		outcomes[i] = nil
		for _, order := range b.orders { // nobody knows how far it came
			outcomes[i] = append(outcomes[i], CancelOutcome{Order: order, Unsure: true})
		}
	}
	all := slices.Concat(outcomes...)
	slices.SortStableFunc(all, func(a, b CancelOutcome) int { return b.Order.CreatedAt.Compare(a.Order.CreatedAt) })
	return all, nil
}

// cancelBatches arranges a person's open orders by the key to ask with, but for
// those whose number another order shares. only narrows them down; nil takes the
// newest maxCancellable.
func (s *Service) cancelBatches(ctx context.Context, userID int64, only []int64) (batches []batch, shared []storage.Order, err error) {
	open, err := s.db.Orders(ctx, userID, storage.FilterOpen, maxCancellable, 0)
	if err != nil {
		return nil, nil, err
	}
	var keyless error
	last := map[redact.Secret]int{} // the batch of a key that is being filled
	for _, order := range open {
		if !order.CancelSentAt.IsZero() || only != nil && !slices.Contains(only, order.ID) {
			continue
		}
		two, err := s.db.ExternalIDShared(ctx, order)
		if err != nil {
			return nil, nil, err
		}
		if two {
			shared = append(shared, order)
			continue
		}
		key, err := s.keyFor(ctx, order)
		if errors.Is(err, ErrNoKey) {
			keyless = err
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		i, known := last[key.Secret]
		if !known || len(batches[i].orders) == hstock.MaxBatch {
			i = len(batches)
			last[key.Secret] = i
			batches = append(batches, batch{key: key.Secret})
		}
		batches[i].orders = append(batches[i].orders, order)
	}
	if len(batches) == 0 {
		return nil, shared, keyless
	}
	return batches, shared, nil
}

// parallel works on all batches at once: a slow answer must not take another
// one's time. A panic is the failure of its batch.
func (s *Service) parallel(batches []batch, do func(i int, b batch) error) []error {
	failures := make([]error, len(batches))
	var group sync.WaitGroup
	for i, b := range batches {
		group.Go(func() {
			failures[i] = loop.Recover(s.log, "cancel side by side", func() error { return do(i, b) })
		})
	}
	group.Wait()
	return failures
}

func externalIDs(orders []storage.Order) []int64 {
	numbers := make([]int64, 0, len(orders))
	for _, order := range orders {
		numbers = append(numbers, order.ExternalID)
	}
	return numbers
}
