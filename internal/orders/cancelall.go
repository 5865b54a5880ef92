package orders

import (
	"context"
	"errors"
	"slices"

	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// errUnanswered is the error of an order that is missing in an answer.
var errUnanswered = errors.New("the answer does not contain this order")

// CancelCheck says whether one open order can be cancelled. Err is why that is not
// known; with ErrExternalIDShared the order must not be cancelled, with ErrNoKey or
// ErrOperator it has no key.
type CancelCheck struct {
	Order     storage.Order
	Allowance hstock.CancelAllowance
	Err       error
}

// batch holds the open orders of one request: of one key, at most hstock.MaxBatch.
type batch struct {
	key    redact.Secret
	orders []storage.Order
}

// CancelAllowances asks the marketplace which of a person's open orders can be cancelled
// now and what would be refunded, newest first. Orders whose cancel was sent are skipped.
// again: the person asks, and only then, those whose last cancel was lost can be
// cancelled again after that (CancelAllowance). An error means that no request was answered.
func (s *Service) CancelAllowances(ctx context.Context, userID int64, again bool) ([]CancelCheck, error) {
	batches, left, err := s.cancelBatches(ctx, userID, func(o storage.Order) bool { return cancelUnsent(o) || again && MayAskCancel(o) })
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, allowTimeout)
	defer cancel()
	checks := make([][]CancelCheck, len(batches))
	failures := loop.Parallel(s.log, len(batches), len(batches), "ask which orders can be cancelled", func(i int) error {
		var ids []string
		for _, order := range batches[i].orders {
			checks[i] = append(checks[i], CancelCheck{Order: order, Err: errUnanswered})
			ids = append(ids, order.ExternalID)
		}
		allowances, err := s.market.AllowCancel(ctx, batches[i].key, ids)
		for j := range checks[i] {
			check := &checks[i][j]
			if err != nil {
				check.Err = err
			}
			if k := slices.IndexFunc(allowances, func(a hstock.CancelAllowance) bool { return a.Order == check.Order.ExternalID }); k >= 0 {
				check.Allowance, check.Err = allowances[k], nil
			}
		}
		return err
	})
	if len(batches) > 0 && !slices.Contains(failures, nil) {
		return nil, errors.Join(failures...)
	}
	var all []CancelCheck
	for _, check := range slices.Concat(checks...) {
		if !cancelUnsent(check.Order) {
			_, err := s.endLostCancel(ctx, check.Order, check.Allowance)
			if errors.Is(err, ErrCancelSent) {
				continue
			}
			if err != nil {
				check = CancelCheck{Order: check.Order, Err: err}
			}
		}
		all = append(all, check)
	}
	all = append(all, left...)
	slices.SortStableFunc(all, func(a, b CancelCheck) int { return b.Order.CreatedAt.Compare(a.Order.CreatedAt) })
	return all, nil
}

// CancelAll cancels those of the given orders of a person that are still open, by one
// request for each batch, and returns the outcome of each order, newest first.
func (s *Service) CancelAll(ctx context.Context, userID int64, orderIDs []int64) ([]CancelOutcome, error) {
	batches, _, err := s.cancelBatches(ctx, userID, func(o storage.Order) bool { return cancelUnsent(o) && slices.Contains(orderIDs, o.ID) })
	if err != nil {
		return nil, err
	}
	outcomes := make([][]CancelOutcome, len(batches))
	failures := loop.Parallel(s.log, len(batches), len(batches), "cancel orders", func(i int) error {
		done, err := s.cancelBatch(ctx, userID, batches[i].key, batches[i].orders)
		if len(done) > 0 && err != nil {
			s.log.Error("outcomes of cancels not stored", "error", err)
		}
		for k, order := range batches[i].orders {
			if len(done) > 0 {
				outcomes[i] = append(outcomes[i], done[k])
			} else {
				outcomes[i] = append(outcomes[i], CancelOutcome{Order: order, Uncertain: errors.Is(err, ErrCancelSent), Err: err})
			}
		}
		return nil
	})
	for i, b := range batches {
		if failures[i] == nil {
			continue
		}
		for _, order := range b.orders { // a panic; the request may have been sent
			outcomes[i] = append(outcomes[i], CancelOutcome{Order: order, Uncertain: true})
		}
	}
	all := slices.Concat(outcomes...)
	slices.SortStableFunc(all, func(a, b CancelOutcome) int { return b.Order.CreatedAt.Compare(a.Order.CreatedAt) })
	return all, nil
}

// cancelBatches groups a person's open orders by the key to cancel them with. left are those
// whose id another order shares, and those without a key. The error says why where no order has
// a key. may selects the orders. At most the newest maxCancellable orders are considered.
func (s *Service) cancelBatches(ctx context.Context, userID int64, may func(storage.Order) bool) (batches []batch, left []CancelCheck, err error) {
	open, err := s.db.Orders(ctx, userID, storage.FilterOpen, maxCancellable, 0)
	if err != nil {
		return nil, nil, err
	}
	var keyless error
	last := map[redact.Secret]int{} // index of the batch of a key that is not full
	for _, order := range open {
		if !may(order) {
			continue
		}
		isShared, err := s.db.ExternalIDShared(ctx, order)
		if err != nil {
			return nil, nil, err
		}
		if isShared {
			left = append(left, CancelCheck{Order: order, Err: ErrExternalIDShared})
			continue
		}
		key, err := s.keyFor(ctx, order.UserID, order.KeyID)
		if errors.Is(err, ErrNoKey) || errors.Is(err, ErrOperator) { // others may have one
			keyless = err
			left = append(left, CancelCheck{Order: order, Err: err})
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		i, exists := last[key.Secret]
		if !exists || len(batches[i].orders) == hstock.MaxBatch {
			i = len(batches)
			last[key.Secret] = i
			batches = append(batches, batch{key: key.Secret})
		}
		batches[i].orders = append(batches[i].orders, order)
	}
	if len(batches) == 0 {
		return nil, left, keyless
	}
	return batches, left, nil
}
