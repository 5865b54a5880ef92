package orders

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// watchOnce claims the orders whose poll is due, as many as there are free
// slots, and asks for each beside the others: one order's failure, or one key's
// slowness, holds up no other.
func (s *Service) watchOnce(ctx context.Context) (time.Duration, error) {
	free := cap(s.pollSlots) - len(s.pollSlots)
	if free == 0 {
		return idlePause, nil // a poll that ends wakes the loop
	}
	now := time.Now()
	due, failure := s.db.ClaimDueOrders(ctx, s.owner, now, now.Add(pollLease), free, pollsOfOneKey)
	for _, order := range due {
		s.pollSlots <- struct{}{}
		s.polls.Go(func() {
			defer s.watch.wake()
			defer func() { <-s.pollSlots }()
			s.poll(ctx, order)
		})
	}
	next, err := s.db.NextPoll(ctx)
	return until(next, time.Now()), errors.Join(failure, err)
}

// poll asks for one order and stores what it hears.
func (s *Service) poll(ctx context.Context, order storage.DueOrder) {
	asking, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	err := s.limits.of(order.KeyID).Wait(asking)
	if err == nil {
		err = s.safely("poll an order", func() error {
			_, err := s.ask(asking, order)
			return err
		})
	}
	if err == nil {
		return
	}
	if ctx.Err() != nil { // stopping, which is no failure of the order's
		if err := s.db.PostponeOrder(context.WithoutCancel(ctx), order.ID, order.Failures, order.NextPollAt); err != nil {
			s.log.Error("giving an order back failed", "order", order.Number, "error", err)
		}
		return
	}
	// The order stays; only when it is asked for again depends on the failure.
	// "Order not found" is no end either: another key's answer says nothing, and
	// its own key's may be a slip of the marketplace.
	s.log.Warn("order not polled", "order", order.Number, "failures", order.Failures+1, "error", err)
	if time.Since(order.CreatedAt) >= staleAfter {
		s.giveUp(context.WithoutCancel(ctx), order.Order)
		return
	}
	failures := order.Failures + 1
	next := time.Now().Add(max(backoff(failureFirst, failureLongest, failures), nextPoll(order.Order, time.Since(order.CreatedAt))))
	if err := s.db.PostponeOrder(context.WithoutCancel(ctx), order.ID, failures, next); err != nil {
		s.log.Error("postponing an order failed", "order", order.Number, "error", err)
	}
}

// giveUp stops watching an order that is too old and answers nothing, and says so.
func (s *Service) giveUp(ctx context.Context, order storage.Order) {
	now := time.Now()
	stale := order
	stale.Polls++
	stale.State, stale.UpdatedAt, stale.ClosedAt = storage.OrderStale, now, now
	_, _, err := s.db.ReportOrder(ctx, stale, nil, func(o storage.Order, fresh []redact.Secret) ([]storage.Message, error) {
		return compose(order, o, fresh, now)
	})
	if err != nil {
		s.log.Error("giving up an order failed", "order", order.Number, "error", err)
	}
	s.outbox.wake()
}

// Refresh asks for one order at a person's request and returns it as it then
// is; within a few seconds of the last answer it does not ask again.
func (s *Service) Refresh(ctx context.Context, userID, orderID int64) (storage.Order, error) {
	order, err := s.db.Order(ctx, userID, orderID)
	if err != nil {
		return storage.Order{}, err
	}
	if order.Polls > 0 && time.Since(order.UpdatedAt) < refreshEvery {
		return order, nil
	}
	key, err := s.keyFor(ctx, order)
	if err != nil {
		return order, err
	}
	return s.ask(ctx, storage.DueOrder{Order: order, Key: key.Secret, OwnKey: key.ID == order.KeyID})
}

// Accounts asks the marketplace for everything an order has delivered: it is
// not kept here after it was sent.
func (s *Service) Accounts(ctx context.Context, userID, orderID int64) (storage.Order, []redact.Secret, error) {
	order, err := s.db.Order(ctx, userID, orderID)
	if err != nil {
		return storage.Order{}, nil, err
	}
	key, err := s.keyFor(ctx, order)
	if err != nil {
		return order, nil, err
	}
	status, err := s.market.Status(ctx, key.Secret, order.Number)
	if err != nil {
		return order, nil, err
	}
	return order, status.Accounts, nil
}

// keyFor returns the key that bought an order, or its owner's present one
// where that can't be used any more.
func (s *Service) keyFor(ctx context.Context, order storage.Order) (storage.Key, error) {
	key, err := s.db.Key(ctx, order.KeyID)
	if err == nil && key.State != storage.KeyRemoved && !key.Invalid && key.Secret != "" {
		return key, nil
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return storage.Key{}, err
	}
	key, err = s.db.ActiveKey(ctx, order.UserID)
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Key{}, ErrNoKey
	}
	return key, err
}

// ask polls an order and stores the answer with the messages it makes.
func (s *Service) ask(ctx context.Context, order storage.DueOrder) (storage.Order, error) {
	status, err := s.market.Status(ctx, order.Key, order.Number)
	if err != nil {
		if kind, _ := hstock.KindOf(err); kind == hstock.InvalidKey && order.OwnKey {
			s.noteKey(ctx, order.KeyID, order.UserID, err)
		}
		return order.Order, err
	}
	s.checkpoint("polled")
	now := time.Now()
	s.learnRate(ctx, order.Order, status)
	next := applied(order.Order, status, now)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordPatience)
	defer cancel()
	next, reported, err := s.db.ReportOrder(ctx, next, status.Accounts, func(o storage.Order, fresh []redact.Secret) ([]storage.Message, error) {
		return compose(order.Order, o, fresh, now)
	})
	if err != nil {
		return order.Order, err
	}
	s.checkpoint("reported")
	s.outbox.wake()
	if !reported { // a poll beside this one was quicker: its answer counts
		return s.db.Order(ctx, order.UserID, order.ID)
	}
	return next, nil
}

// applied is the order as an answer makes it. Delivered is counted by storage,
// which knows what was sent before.
func applied(o storage.Order, status hstock.Status, now time.Time) storage.Order {
	o.Polls++
	o.Failures = 0
	o.UpdatedAt = now
	o.Word = status.Word
	if status.Charge.Valid {
		o.Charge = status.Charge
	}
	if status.Currency != "" {
		o.Currency = status.Currency
	}
	if status.Remains != nil {
		o.Remains = status.Remains
	}
	if status.StartCount != nil {
		o.StartCount = status.StartCount
	}
	if status.AutoDelivery != nil {
		o.AutoDelivery = *status.AutoDelivery
	}
	wasOpen := o.Open()
	o.State = stateOf(o, status)
	age := now.Sub(o.CreatedAt)
	switch o.State {
	case storage.OrderOpen:
		o.ClosedAt = time.Time{}
	case storage.OrderPartial:
		if o.Kind == storage.KindProduct {
			o.ClosedAt = time.Time{} // the rest may still come
		} else if wasOpen {
			o.ClosedAt = now
		}
	default:
		if wasOpen {
			o.ClosedAt = now
		}
	}
	if o.Open() && age >= staleAfter {
		o.State, o.ClosedAt = storage.OrderStale, now
	}
	o.NextPollAt = now.Add(nextPoll(o, age))
	return o
}

// stateOf reads the marketplace's state. A product is delivered when all that
// was bought is there, whatever the word says: "Completed" with fewer keeps asking.
func stateOf(o storage.Order, status hstock.Status) storage.OrderState {
	have := int64(len(status.Accounts))
	switch status.State {
	case hstock.StateCanceled:
		return storage.OrderCancelled
	case hstock.StateRefunded:
		return storage.OrderRefunded
	case hstock.StateFailed:
		return storage.OrderFailed
	case hstock.StateCompleted:
		if o.Kind != storage.KindProduct || have >= o.Quantity {
			return storage.OrderDelivered
		}
	case hstock.StatePartial:
		return storage.OrderPartial
	}
	switch {
	case o.Kind != storage.KindProduct || have == 0:
		return storage.OrderOpen
	case have >= o.Quantity:
		return storage.OrderDelivered
	default:
		return storage.OrderPartial
	}
}

// compose makes the messages of one answer: what is newly delivered, then how
// the order ended, when it ended by this answer and the goods don't say it.
func compose(before, after storage.Order, fresh []redact.Secret, now time.Time) ([]storage.Message, error) {
	var messages []storage.Message
	if len(fresh) > 0 {
		message, err := goodsMessage(after, fresh, now)
		if err != nil {
			return nil, err
		}
		messages = append(messages, message)
	}
	ended := before.Open() && !after.Open()
	if ended && (after.Kind != storage.KindProduct || after.State != storage.OrderDelivered) {
		messages = append(messages, storage.Message{
			UserID: after.UserID, PurchaseID: after.PurchaseID, OrderID: after.ID, Kind: MessageEnded, Class: classStatus,
			CreatedAt: now.Add(time.Millisecond), // behind the goods of the same answer
		})
	}
	return messages, nil
}

// rateConfirmed names the setting that records that a real charge has shown
// the SMM rate to be for so many pieces.
func rateConfirmed(per int64) string {
	return "smm_rate_per_" + strconv.FormatInt(per, 10) + "_confirmed"
}

// learnRate compares the first real charge of an SMM order with both readings
// of its rate.
func (s *Service) learnRate(ctx context.Context, o storage.Order, status hstock.Status) {
	if o.Kind != storage.KindSMM || !status.Charge.Valid || o.Charge.Valid || s.ratePer == 1 {
		return
	}
	p, err := s.db.Purchase(ctx, o.UserID, o.PurchaseID)
	if err != nil {
		s.log.Warn("SMM rate not compared", "order", o.Number, "error", err)
		return
	}
	charge := status.Charge.Decimal
	switch {
	case nearly(charge, storage.PriceOf(p.Rate, p.Quantity, s.ratePer)):
		err = s.db.SetSetting(ctx, rateConfirmed(s.ratePer), "1")
	case nearly(charge, storage.PriceOf(p.Rate, p.Quantity, 1)):
		s.log.Error("SMM_RATE_PER does not fit the charges: rates are per piece", "order", o.Number)
	}
	if err != nil {
		s.log.Error("confirming SMM_RATE_PER failed", "error", err)
	}
}

// nearly reports whether two sums differ by no more than a cent or 2 %.
func nearly(a, b decimal.Decimal) bool {
	return a.Sub(b).Abs().LessThanOrEqual(decimal.Max(decimal.New(1, -2), b.Mul(aboutThePrice)))
}
