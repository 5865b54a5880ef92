package orders

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// pollOnce starts the due polls that the queue allows, all in parallel: a failing
// order or a slow key delays no other.
func (s *Service) pollOnce(ctx context.Context) (time.Duration, error) {
	err := s.pollClock.AfterStep(func(again bool) error {
		s.queue.readAllNext()
		return errors.Join(s.savePollResults(ctx), s.db.PullPolls(ctx, time.Now(), maxPollPause, pollLease, again))
	})
	if err != nil {
		return 0, err
	}
	now := time.Now()
	if pause := s.queue.cooldown(now); pause > 0 {
		return pause, nil
	}
	since := s.queue.since(now)
	due, err := s.db.DuePolls(ctx, s.owner, since, now, maxDuePolls)
	if err != nil {
		s.queue.readAllNext()
		return 0, err
	}
	s.queue.add(due, since, now)
	picked, next := s.queue.take(now)
	leased, leaseErr := s.leasePolls(ctx, picked, now)
	if leaseErr != nil && leased != nil { // some rows are damaged; the others are polled
		s.log.Error("damaged orders skipped", "error", leaseErr)
		leaseErr = nil
	}
	for _, order := range leased {
		s.polls.Go(func() {
			defer s.pollLoop.Wake()
			tooMany := s.poll(ctx, order)
			s.queue.done(order.Account, time.Now(), tooMany)
		})
	}
	upcoming, err := s.db.NextPoll(ctx, now)
	pause := idlePause
	if event := earliest(next, upcoming); !event.IsZero() {
		pause = min(max(time.Until(event), minTakeInterval), idlePause)
	}
	return pause, errors.Join(leaseErr, err)
}

// leasePolls leases the picked orders, and stores the results of earlier polls in the
// same commit.
func (s *Service) leasePolls(ctx context.Context, picked []storage.DuePoll, now time.Time) ([]storage.DueOrder, error) {
	s.mu.Lock()
	results := s.pollResults
	s.pollResults = nil
	s.mu.Unlock()
	if len(results) == 0 && len(picked) == 0 {
		return nil, nil
	}
	leased, err := s.db.TakePolls(ctx, results, picked, s.owner, now, now.Add(pollLease))
	if leased == nil && err != nil {
		s.addPollResults(results...)
	} else if slices.ContainsFunc(results, func(r storage.PollResult) bool { return !r.NextAt.After(now) }) {
		s.queue.readAllNext() // such an order is due, and what is due until now was read before
		s.pollLoop.Wake()
	}
	ids := make(map[int64]bool, len(leased))
	for _, order := range leased {
		ids[order.ID] = true
	}
	for _, due := range picked {
		if !ids[due.OrderID] { // another process or a Refresh was quicker
			s.queue.done(due.Account, now, false)
		}
	}
	return leased, err
}

// addPollResults keeps the results of polls that changed nothing, which the next round
// stores. After a crash these orders are polled again when their leases are over.
func (s *Service) addPollResults(results ...storage.PollResult) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pollResults = append(s.pollResults, results...)
}

// savePollResults stores the kept results.
func (s *Service) savePollResults(ctx context.Context) error {
	_, err := s.leasePolls(ctx, nil, time.Now())
	return err
}

// poll polls one order. It reports whether the answer was "too many requests".
func (s *Service) poll(ctx context.Context, order storage.DueOrder) (throttled bool) {
	pollCtx, cancel := context.WithTimeout(hstock.Background(hstock.SingleAttempt(ctx)), pollTimeout)
	defer cancel()
	err := loop.Recover(s.log, "poll an order", func() error {
		u, err := s.fetch(pollCtx, order, false)
		if err != nil {
			return err
		}
		s.checkpoint("polled")
		changed, err := s.changed(pollCtx, order.Order, u)
		if err != nil {
			return err
		}
		if !changed {
			s.addPollResults(storage.PollResult{OrderID: order.ID, Polls: order.Polls, At: u.next.UpdatedAt, Succeeded: true, NextAt: u.next.NextPollAt})
			return nil
		}
		_, err = s.apply(pollCtx, order, u)
		return err
	})
	if err == nil {
		return false
	}
	now := time.Now()
	result := storage.PollResult{OrderID: order.ID, Polls: order.Polls, At: now, Failures: order.Failures, NextAt: order.NextPollAt}
	if ctx.Err() != nil { // the Service stops; the order has not failed
		s.addPollResults(result)
		return false
	}
	// A failure only delays the next poll. "Order not found" does not end the order
	// either: another key's answer proves nothing, and its own key's may be wrong.
	s.log.Warn("order not polled", "order", order.ExternalID, "failures", order.Failures+1, "error", err)
	forgotten := refused(err) && order.OwnKey() && rentalOver(order.Order, now)
	if forgotten || stale(order.Order, now) {
		s.stopPolling(context.WithoutCancel(ctx), order.Order)
		return false
	}
	result.Failures++
	result.NextAt = nextAfterFailure(order.Order, result.Failures, now)
	s.addPollResults(result)
	return tooMany(err)
}

// tooMany reports whether an error is the answer "too many requests".
func tooMany(err error) bool {
	failure, ok := errors.AsType[*hstock.Error](err)
	return ok && failure.Status == http.StatusTooManyRequests
}

// stopPolling closes an order that is too old, or a phone that the marketplace no
// longer knows after its time, and stores the message about it.
func (s *Service) stopPolling(ctx context.Context, order storage.Order) {
	now := time.Now()
	last := order
	last.Polls++
	last.UpdatedAt, last.ClosedAt = now, now
	switch {
	case order.Kind != storage.KindSMS:
		last.State = storage.OrderStale
	case order.State != storage.OrderOpen: // its code or its end was sent
	case rentalOver(order, now):
		last.State = storage.OrderExpired
	default:
		last.State = storage.OrderStale
	}
	last.Charge = chargeAfter(order, last, decimal.NullDecimal{})
	_, _, err := s.db.UpdateOrder(ctx, last, deliveryTime(order, last, false), nil, func(o storage.Order, fresh []redact.Secret) ([]storage.Message, error) {
		if o.Kind == storage.KindSMS {
			return rentalMessages(order, o, nil, now, swapAfter)
		}
		return orderMessages(order, o, fresh, nil, now)
	})
	if err != nil {
		s.log.Error("stale order not closed", "order", order.ExternalID, "error", err)
	}
	s.wakeOutbox()
}

// rentalOver reports whether a phone will receive nothing more that is waited for.
func rentalOver(o storage.Order, now time.Time) bool {
	return o.Kind == storage.KindSMS && (reached(graceEnd(o), now) || o.State == storage.OrderDelivered)
}

// Refresh fetches one order for a person and returns it. Within 3 seconds of the last
// answer it returns the stored order.
func (s *Service) Refresh(ctx context.Context, userID, orderID int64) (storage.Order, error) {
	order, err := s.db.Order(ctx, userID, orderID)
	if err != nil {
		return storage.Order{}, err
	}
	// An answer from the future is one of before the clock was set back.
	if age := time.Since(order.UpdatedAt); order.Polls > 0 && age >= 0 && age < refreshInterval {
		return order, nil
	}
	return s.fetchNow(ctx, order)
}

// fetchNow is Refresh at any time.
func (s *Service) fetchNow(ctx context.Context, order storage.Order) (storage.Order, error) {
	key, err := s.keyFor(ctx, order.UserID, order.KeyID)
	if err != nil {
		return order, err
	}
	due := storage.DueOrder{Order: order, Key: key.Secret, PollKeyID: key.ID}
	u, err := s.fetch(ctx, due, true)
	if err != nil {
		return order, err
	}
	if key.Invalid { // it was refused before, and is accepted now
		if err := s.acceptKey(ctx, key); err != nil {
			return order, err
		}
	}
	return s.apply(ctx, due, u)
}

// Accounts fetches everything that an order has delivered. Accounts are not stored
// here after they were sent.
func (s *Service) Accounts(ctx context.Context, userID, orderID int64) (storage.Order, []redact.Secret, error) {
	order, err := s.db.Order(ctx, userID, orderID)
	if err != nil {
		return storage.Order{}, nil, err
	}
	key, err := s.keyFor(ctx, order.UserID, order.KeyID)
	if err != nil {
		return order, nil, err
	}
	status, err := s.market.Status(ctx, key.Secret, order.ExternalID)
	if err != nil {
		return order, nil, err
	}
	return order, status.Accounts, nil
}

// keyFor returns the key that has bought something for a person, or the person's present own
// key if that one can no longer be used. What the operator's key has bought is fetched with that
// one only.
func (s *Service) keyFor(ctx context.Context, userID, keyID int64) (storage.Key, error) {
	key, err := s.db.Key(ctx, keyID)
	key.Secret = s.db.UsableSecret(key)
	if err == nil && key.State != storage.KeyRemoved && !key.Invalid && key.Secret != "" {
		return key, nil
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return storage.Key{}, err
	}
	if key.House {
		if key.Secret == "" {
			err = ErrOperator
		}
		return key, err
	}
	key, err = s.db.OwnKey(ctx, userID)
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Key{}, ErrNoKey
	}
	return key, err
}

// update is a fetched state of an order that is not stored yet.
type update struct {
	next      storage.Order
	delivered []redact.Secret // everything delivered so far, in the marketplace's order
	// messages returns the messages about the update, given the stored order and the
	// part of delivered that is new.
	messages func(o storage.Order, fresh []redact.Secret) ([]storage.Message, error)
}

// changed reports whether an update changes more than the time of the last poll.
func (s *Service) changed(ctx context.Context, before storage.Order, u update) (bool, error) {
	if !equalOrders(before, u.next) {
		return true, nil
	}
	if len(u.delivered) > 0 {
		if known, err := s.db.Delivered(ctx, before.ID, u.delivered); err != nil || !known {
			return true, err
		}
	}
	messages, err := u.messages(u.next, nil)
	return len(messages) > 0, err
}

func equalOrders(a, b storage.Order) bool {
	return a.State == b.State && a.RawStatus == b.RawStatus && a.Charge.Valid == b.Charge.Valid && a.Charge.Decimal.Equal(b.Charge.Decimal) &&
		a.Currency == b.Currency && equalCounts(a.Remains, b.Remains) && equalCounts(a.StartCount, b.StartCount) && a.AutoDelivery == b.AutoDelivery &&
		a.ExpiresAt.Equal(b.ExpiresAt) && a.ClosedAt.Equal(b.ClosedAt) && a.Present == b.Present && a.IncompleteFor == b.IncompleteFor
}

func equalCounts(a, b *int64) bool { return a == b || a != nil && b != nil && *a == *b }

// fetch reads an order from the marketplace. complete makes it read all details, also
// those that rarely change.
func (s *Service) fetch(ctx context.Context, order storage.DueOrder, complete bool) (u update, err error) {
	if order.Kind == storage.KindSMS {
		u, err = s.fetchRental(ctx, order, complete)
	} else {
		u, err = s.fetchGoods(ctx, order)
	}
	if order.OwnKey() {
		s.pauseRefusedKey(ctx, order.KeyID, order.UserID, err)
	}
	return u, err
}

func (s *Service) fetchGoods(ctx context.Context, order storage.DueOrder) (update, error) {
	status, err := s.market.Status(ctx, order.Key, order.ExternalID)
	if err != nil {
		return update{}, err
	}
	now := time.Now()
	s.checkSMMRate(ctx, order.Order, status)
	return update{
		next: afterStatus(order.Order, status, s.forecasts.of(ctx, order.Order), now), delivered: status.Accounts,
		messages: func(o storage.Order, fresh []redact.Secret) ([]storage.Message, error) {
			return orderMessages(order.Order, o, fresh, status.Accounts, now)
		},
	}, nil
}

// apply stores an update with its messages and returns the stored order. It ignores
// the cancelling of ctx.
func (s *Service) apply(ctx context.Context, order storage.DueOrder, u update) (storage.Order, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	next, applied, err := s.db.UpdateOrder(ctx, u.next, deliveryTime(order.Order, u.next, len(u.delivered) > 0), u.delivered, u.messages)
	if err != nil {
		return order.Order, err
	}
	s.checkpoint("applied")
	s.wakeOutbox()
	if next.Open() && !next.NextPollAt.After(time.Now()) { // due before the last read of due polls
		s.wakeAllPolls()
	}
	if !applied { // another poll of this order was quicker
		return s.db.Order(ctx, order.UserID, order.ID)
	}
	return next, nil
}

// afterStatus returns the order after an answer. f says when to poll it next. Its Delivered and Replaced are counted
// by storage, which knows what was delivered before.
func afterStatus(o storage.Order, status hstock.Status, f *forecast, now time.Time) storage.Order {
	before := o
	o.Polls++
	o.Failures = 0
	o.UpdatedAt = now
	o.RawStatus = status.RawStatus
	if status.Currency != "" {
		o.Currency = status.Currency
	}
	o.FeedbackDue = feedbackDue(o, now)
	if status.Remains != nil {
		o.Remains = status.Remains
	}
	if status.StartCount != nil {
		o.StartCount = status.StartCount
	}
	if status.AutoDelivery != nil {
		o.AutoDelivery = *status.AutoDelivery
	}
	o.State = stateOf(o, status)
	o.Charge = chargeAfter(before, o, status.Charge)
	if have := int64(len(status.Accounts)); o.Kind == storage.KindProduct && (have > 0 || o.State == storage.OrderOpen || o.State == storage.OrderPartial) {
		o.Present = have // an order that ended keeps what it delivered, also if the answer leaves that out
	}
	switch {
	case o.IncompleteFor >= incompleteAfter: // reported, once
	case completedWithFewer(o):
		o.IncompleteFor += min(max(now.Sub(before.UpdatedAt), 0), incompleteMaxInterval)
	default:
		o.IncompleteFor = 0
	}
	switch o.State {
	case storage.OrderOpen:
		o.ClosedAt = time.Time{}
	case storage.OrderPartial:
		if o.Kind == storage.KindProduct {
			o.ClosedAt = time.Time{} // the rest may still come
		} else if before.Open() {
			o.ClosedAt = now
		}
	default:
		if before.Open() {
			o.ClosedAt = now
		}
	}
	if o.Open() && stale(o, now) {
		o.State, o.ClosedAt = storage.OrderStale, now
	}
	o.NextPollAt = nextPoll(o, f, now)
	return o
}

// chargeAfter returns what an order has cost after an answer, whose charge may be missing. The
// known one stands until the order ends with a refund: then it is that of before the refund,
// and what is left of it is not known.
func chargeAfter(before, after storage.Order, answered decimal.NullDecimal) decimal.NullDecimal {
	restMayCome := after.Kind == storage.KindProduct && after.State == storage.OrderPartial
	switch {
	case answered.Valid:
		return answered
	case after.State != before.State && after.State.GivesBack() && !restMayCome && before.Charge.Decimal.IsPositive():
		return decimal.NullDecimal{}
	default:
		return before.Charge
	}
}

// stateOf returns the state of an order after an answer. A product is delivered when
// all accounts that were bought are there, whatever the marketplace's state is. If it
// is not known how many were bought, the marketplace's state decides.
func stateOf(o storage.Order, status hstock.Status) storage.OrderState {
	have := int64(len(status.Accounts))
	enough := o.Quantity > 0 && have >= o.Quantity
	switch status.State {
	case hstock.StateCanceled:
		return storage.OrderCancelled
	case hstock.StateRefunded:
		return storage.OrderRefunded
	case hstock.StateFailed:
		return storage.OrderFailed
	case hstock.StateCompleted:
		if o.Kind != storage.KindProduct || o.Quantity == 0 {
			return storage.OrderDelivered
		}
	case hstock.StatePartial:
		return storage.OrderPartial
	}
	switch {
	case o.Kind != storage.KindProduct || have == 0:
		return storage.OrderOpen
	case enough:
		return storage.OrderDelivered
	default:
		return storage.OrderPartial
	}
}

// completedWithFewer reports whether the marketplace calls an order of goods completed
// although it holds fewer accounts than were bought.
func completedWithFewer(o storage.Order) bool {
	return o.Kind == storage.KindProduct && hstock.ParseOrderState(o.RawStatus) == hstock.StateCompleted && o.Present < o.Quantity
}

// Incomplete reports whether the marketplace has called an open order completed for
// minutes although it holds fewer accounts than were bought.
func Incomplete(o storage.Order) bool {
	return o.Open() && o.IncompleteFor >= incompleteAfter && completedWithFewer(o)
}

// orderMessages returns the messages about one answer: the new goods, then the end of
// the order if it has just ended and the goods don't imply it, or that it is incomplete.
// all is what the answer contains, fresh what of it was not sent before.
func orderMessages(before, after storage.Order, fresh, all []redact.Secret, now time.Time) ([]storage.Message, error) {
	var messages []storage.Message
	if len(fresh) > 0 {
		message, err := goodsMessage(after, fresh, all, after.Replaced-before.Replaced, now)
		if err != nil {
			return nil, err
		}
		messages = append(messages, message)
	}
	ended := before.Open() && !after.Open()
	if ended && (after.Kind != storage.KindProduct || after.State != storage.OrderDelivered) {
		// After the goods of the same answer.
		messages = append(messages, aboutOrder(after, MessageEnded, outbox.PriorityStatus, now.Add(time.Millisecond)))
	}
	if before.IncompleteFor < incompleteAfter && Incomplete(after) {
		messages = append(messages, aboutOrder(after, MessageIncomplete, outbox.PriorityStatus, now.Add(time.Millisecond)))
	}
	return messages, nil
}

// checkSMMRate compares the first charge of an SMM order with its price if the rate is
// for ratePer pieces, and if it is for one piece. What a refund has left is no price, and
// neither is nothing; and a charge that may be either price says nothing.
func (s *Service) checkSMMRate(ctx context.Context, o storage.Order, status hstock.Status) {
	if o.Kind != storage.KindSMM || o.External || !status.Charge.Decimal.IsPositive() || o.Charge.Decimal.IsPositive() || s.ratePer == 1 || stateOf(o, status).GivesBack() {
		return
	}
	p, err := s.db.Purchase(ctx, o.UserID, o.PurchaseID)
	if err != nil {
		s.log.Warn("SMM rate not checked", "order", o.ExternalID, "error", err)
		return
	}
	isPriceFor := func(per int64) bool {
		return approximately(status.Charge.Decimal, storage.PriceOf(p.Rate, p.Quantity, per))
	}
	switch expected, other := isPriceFor(s.ratePer), isPriceFor(1); {
	case expected && !other:
		err = errors.Join(s.db.SetSetting(ctx, storage.SMMRateConfirmedSetting(s.ratePer), "1"), s.db.SetSetting(ctx, storage.SMMRateMismatchSetting(s.ratePer), ""))
	case other && !expected:
		s.log.Error("SMM_RATE_PER does not match the charges", "order", o.ExternalID)
		err = s.db.SetSetting(ctx, storage.SMMRateMismatchSetting(s.ratePer), strconv.FormatInt(time.Now().UnixMilli(), 10)) // the monitor alerts the admins
	}
	if err != nil {
		s.log.Error("result of the SMM rate check not stored", "error", err)
	}
}

// approximately reports whether two sums differ by at most a cent or 2 %.
func approximately(a, b decimal.Decimal) bool {
	return a.Sub(b).Abs().LessThanOrEqual(decimal.Max(decimal.New(1, -2), b.Mul(priceTolerance)))
}
