package orders

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// watchOnce takes the polls that are due, as the queue allows, and asks for each
// beside the others: one order's failure, or one key's slowness, holds up no
// other.
func (s *Service) watchOnce(ctx context.Context) (time.Duration, error) {
	now := time.Now()
	if rest := s.queue.cooldown(now); rest > 0 {
		return rest, nil
	}
	since := s.queue.since(now)
	due, err := s.db.DuePolls(ctx, s.owner, since, now, maxDuePolls)
	if err != nil {
		return 0, err
	}
	s.queue.add(due, since, now)
	picked, next := s.queue.take(now)
	taken, failure := s.leasePolls(ctx, picked, now)
	if failure != nil && taken != nil { // damaged rows are nobody else's matter
		s.log.Error("orders can't be read", "error", failure)
		failure = nil
	}
	for _, order := range taken {
		s.polls.Go(func() {
			defer s.watchLoop.Wake()
			tooMany := s.poll(ctx, order)
			s.queue.done(order.PollKeyID, time.Now(), tooMany)
		})
	}
	upcoming, err := s.db.NextPoll(ctx, now)
	pause := idlePause
	if event := earliest(next, upcoming); !event.IsZero() {
		pause = min(max(time.Until(event), minTakeInterval), idlePause)
	}
	return pause, errors.Join(failure, err)
}

// leasePolls leases the picked orders, and writes down what the polls before have
// come to in the same commit.
func (s *Service) leasePolls(ctx context.Context, picked []storage.DuePoll, now time.Time) ([]storage.DueOrder, error) {
	s.mu.Lock()
	notes := s.pollResults
	s.pollResults = nil
	s.mu.Unlock()
	if len(notes) == 0 && len(picked) == 0 {
		return nil, nil
	}
	taken, err := s.db.TakePolls(ctx, notes, picked, s.owner, now, now.Add(pollLease))
	if taken == nil && err != nil {
		s.addPollResults(notes...)
	}
	had := make(map[int64]bool, len(taken))
	for _, order := range taken {
		had[order.ID] = true
	}
	for _, due := range picked {
		if !had[due.OrderID] { // another process was quicker, or a person asked
			s.queue.done(due.KeyID, now, false)
		}
	}
	return taken, err
}

// addPollResults has polls without news written down with the next turn. One that is lost
// by a crash is asked for again, when its lease is over.
func (s *Service) addPollResults(notes ...storage.PollResult) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pollResults = append(s.pollResults, notes...)
}

// savePollResults writes down what is noted; the loop does it with every turn.
func (s *Service) savePollResults(ctx context.Context) error {
	_, err := s.leasePolls(ctx, nil, time.Now())
	return err
}

// poll asks for one order and keeps what it hears. It reports whether the
// marketplace asked for fewer requests.
func (s *Service) poll(ctx context.Context, order storage.DueOrder) (tooMany bool) {
	asking, cancel := context.WithTimeout(hstock.SingleAttempt(ctx), pollTimeout)
	defer cancel()
	err := loop.Recover(s.log, "poll an order", func() error {
		heard, err := s.fetch(asking, order, false)
		if err != nil {
			return err
		}
		s.checkpoint("polled")
		news, err := s.changed(asking, order.Order, heard)
		if err != nil {
			return err
		}
		if !news {
			s.addPollResults(storage.PollResult{OrderID: order.ID, Polls: order.Polls, At: heard.next.UpdatedAt, Succeeded: true, NextAt: heard.next.NextPollAt})
			return nil
		}
		_, err = s.apply(asking, order, heard)
		return err
	})
	if err == nil {
		return false
	}
	now := time.Now()
	note := storage.PollResult{OrderID: order.ID, Polls: order.Polls, At: now, Failures: order.Failures, NextAt: order.NextPollAt}
	if ctx.Err() != nil { // stopping, which is no failure of the order's
		s.addPollResults(note)
		return false
	}
	// The order stays; only when it is asked for again depends on the failure.
	// "Order not found" is no end either: another key's answer says nothing, and
	// its own key's may be a slip of the marketplace.
	s.log.Warn("order not polled", "order", order.ExternalID, "failures", order.Failures+1, "error", err)
	forgotten := refused(err) && order.OwnKey() && rentalOver(order.Order, now)
	if forgotten || !now.Before(staleAt(order.Order)) {
		s.stopWatching(context.WithoutCancel(ctx), order.Order)
		return false
	}
	note.Failures++
	note.NextAt = nextAfterFailure(order.Order, note.Failures, now)
	s.addPollResults(note)
	var failure *hstock.Error
	return errors.As(err, &failure) && failure.Status == http.StatusTooManyRequests
}

// stopWatching stops watching an order that answers nothing and is too old, or a number
// that the marketplace has forgotten after its time, and says so.
func (s *Service) stopWatching(ctx context.Context, order storage.Order) {
	now := time.Now()
	last := order
	last.Polls++
	last.UpdatedAt, last.ClosedAt = now, now
	switch {
	case order.Kind != storage.KindSMS:
		last.State = storage.OrderStale
	case order.State != storage.OrderOpen: // it has its code, or its end was told
	case rentalOver(order, now):
		last.State = storage.OrderExpired
	default:
		last.State = storage.OrderStale
	}
	_, _, err := s.db.UpdateOrder(ctx, last, nil, func(o storage.Order, fresh []redact.Secret) ([]storage.Message, error) {
		if o.Kind == storage.KindSMS {
			return rentalMessages(order, o, SMS{}, false, now)
		}
		return orderMessages(order, o, fresh, now)
	})
	if err != nil {
		s.log.Error("giving up an order failed", "order", order.ExternalID, "error", err)
	}
	s.wakeOutbox()
}

// rentalOver reports whether nothing more is to be expected of a number.
func rentalOver(o storage.Order, now time.Time) bool {
	return o.Kind == storage.KindSMS && (reached(graceEnd(o), now) || o.State == storage.OrderDelivered)
}

// Refresh asks for one order at a person's request and returns it as it then
// is; within a few seconds of the last answer it does not ask again.
func (s *Service) Refresh(ctx context.Context, userID, orderID int64) (storage.Order, error) {
	order, err := s.db.Order(ctx, userID, orderID)
	if err != nil {
		return storage.Order{}, err
	}
	if order.Polls > 0 && time.Since(order.UpdatedAt) < refreshInterval {
		return order, nil
	}
	key, err := s.keyFor(ctx, order)
	if err != nil {
		return order, err
	}
	due := storage.DueOrder{Order: order, Key: key.Secret, PollKeyID: key.ID}
	heard, err := s.fetch(ctx, due, true)
	if err != nil {
		return order, err
	}
	if key.Invalid { // it was refused once, and is not any more
		if err := s.db.AcceptKey(ctx, key.ID, time.Now()); err != nil {
			return order, err
		}
		s.WakeWatcher()
	}
	return s.apply(ctx, due, heard)
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
	status, err := s.market.Status(ctx, key.Secret, order.ExternalID)
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

// update is an answer about an order, not yet stored.
type update struct {
	next      storage.Order
	delivered []redact.Secret // all that the order holds, in the marketplace's order
	// messages makes the messages, given the order as it is stored and what of
	// delivered is new.
	messages func(o storage.Order, fresh []redact.Secret) ([]storage.Message, error)
}

// changed reports whether an answer has to be stored now. If not, only the time of
// it has changed.
func (s *Service) changed(ctx context.Context, before storage.Order, h update) (bool, error) {
	if !equalOrders(before, h.next) {
		return true, nil
	}
	if len(h.delivered) > 0 {
		if known, err := s.db.Delivered(ctx, before.ID, h.delivered); err != nil || !known {
			return true, err
		}
	}
	messages, err := h.messages(h.next, nil)
	return len(messages) > 0, err
}

func equalOrders(a, b storage.Order) bool {
	return a.State == b.State && a.RawStatus == b.RawStatus && a.Charge.Valid == b.Charge.Valid && a.Charge.Decimal.Equal(b.Charge.Decimal) &&
		a.Currency == b.Currency && equalCounts(a.Remains, b.Remains) && equalCounts(a.StartCount, b.StartCount) && a.AutoDelivery == b.AutoDelivery &&
		a.ExpiresAt.Equal(b.ExpiresAt) && a.ClosedAt.Equal(b.ClosedAt)
}

func equalCounts(a, b *int64) bool { return a == b || a != nil && b != nil && *a == *b }

// fetch asks the marketplace about an order. For a person everything is asked
// for that there is to know.
func (s *Service) fetch(ctx context.Context, order storage.DueOrder, forPerson bool) (update, error) {
	ask := s.fetchGoods
	if order.Kind == storage.KindSMS {
		ask = s.fetchRental
	}
	heard, err := ask(ctx, order, forPerson)
	if kind, _ := hstock.KindOf(err); kind == hstock.InvalidKey && order.OwnKey() {
		s.pauseRefusedKey(ctx, order.KeyID, order.UserID, err)
	}
	return heard, err
}

func (s *Service) fetchGoods(ctx context.Context, order storage.DueOrder, _ bool) (update, error) {
	status, err := s.market.Status(ctx, order.Key, order.ExternalID)
	if err != nil {
		return update{}, err
	}
	now := time.Now()
	s.checkSMMRate(ctx, order.Order, status)
	return update{
		next: afterStatus(order.Order, status, now), delivered: status.Accounts,
		messages: func(o storage.Order, fresh []redact.Secret) ([]storage.Message, error) {
			return orderMessages(order.Order, o, fresh, now)
		},
	}, nil
}

// apply stores an answer with the messages it makes, whatever becomes of ctx.
func (s *Service) apply(ctx context.Context, order storage.DueOrder, h update) (storage.Order, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	next, reported, err := s.db.UpdateOrder(ctx, h.next, h.delivered, h.messages)
	if err != nil {
		return order.Order, err
	}
	s.checkpoint("reported")
	s.wakeOutbox()
	if !reported { // a poll beside this one was quicker: its answer counts
		return s.db.Order(ctx, order.UserID, order.ID)
	}
	return next, nil
}

// afterStatus is the order as an answer makes it. Delivered is counted by storage,
// which knows what was sent before.
func afterStatus(o storage.Order, status hstock.Status, now time.Time) storage.Order {
	o.Polls++
	o.Failures = 0
	o.UpdatedAt = now
	o.RawStatus = status.RawStatus
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
	if o.Open() && !now.Before(staleAt(o)) {
		o.State, o.ClosedAt = storage.OrderStale, now
	}
	o.NextPollAt = nextPoll(o, now)
	return o
}

// stateOf reads the marketplace's state. A product is delivered when all that
// was bought is there, whatever the word says: "Completed" with fewer keeps
// asking. Where nobody knows how many were bought, the word counts.
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
		if o.Kind != storage.KindProduct || enough || o.Quantity == 0 {
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

// orderMessages makes the messages of one answer: what is newly delivered, then how
// the order ended, when it ended by this answer and the goods don't say it.
func orderMessages(before, after storage.Order, fresh []redact.Secret, now time.Time) ([]storage.Message, error) {
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
			UserID: after.UserID, PurchaseID: after.PurchaseID, OrderID: after.ID, Kind: MessageEnded, Priority: outbox.PriorityStatus,
			CreatedAt: now.Add(time.Millisecond), // behind the goods of the same answer
		})
	}
	return messages, nil
}

// smmRateConfirmedSetting names the setting that records that a real charge has shown
// the SMM rate to be for so many pieces.
func smmRateConfirmedSetting(per int64) string {
	return "smm_rate_per_" + strconv.FormatInt(per, 10) + "_confirmed"
}

// checkSMMRate compares the first real charge of an SMM order with both readings
// of its rate.
func (s *Service) checkSMMRate(ctx context.Context, o storage.Order, status hstock.Status) {
	if o.Kind != storage.KindSMM || o.External || !status.Charge.Valid || o.Charge.Valid || s.ratePer == 1 {
		return
	}
	p, err := s.db.Purchase(ctx, o.UserID, o.PurchaseID)
	if err != nil {
		s.log.Warn("SMM rate not compared", "order", o.ExternalID, "error", err)
		return
	}
	charge := status.Charge.Decimal
	switch {
	case approximately(charge, storage.PriceOf(p.Rate, p.Quantity, s.ratePer)):
		err = errors.Join(s.db.SetSetting(ctx, smmRateConfirmedSetting(s.ratePer), "1"), s.db.SetSetting(ctx, storage.SMMRateMismatchSetting(s.ratePer), ""))
	case approximately(charge, storage.PriceOf(p.Rate, p.Quantity, 1)):
		s.log.Error("SMM_RATE_PER does not fit the charges: rates are per piece", "order", o.ExternalID)
		err = s.db.SetSetting(ctx, storage.SMMRateMismatchSetting(s.ratePer), strconv.FormatInt(time.Now().UnixMilli(), 10)) // admins are told (alarms)
	}
	if err != nil {
		s.log.Error("noting what SMM_RATE_PER is failed", "error", err)
	}
}

// approximately reports whether two sums differ by no more than a cent or 2 %.
func approximately(a, b decimal.Decimal) bool {
	return a.Sub(b).Abs().LessThanOrEqual(decimal.Max(decimal.New(1, -2), b.Mul(priceTolerance)))
}
