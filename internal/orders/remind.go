package orders

import (
	"context"
	"errors"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/outbox"
	"hstockbot/storage"
)

// EligibleAfter returns when an order can be cancelled. ok is false if the marketplace's
// time is malformed or, by its own clock, not in the future.
func EligibleAfter(allowance hstock.CancelAllowance, now time.Time) (at time.Time, ok bool) {
	at, wait, ok := eligibility(allowance, now)
	return at, ok && wait > 0
}

// EndsBefore reports whether the rental of a phone is over at a time. An end that was over
// at the start says nothing.
func EndsBefore(o storage.Order, at time.Time) bool {
	return o.ExpiresAt.After(o.CreatedAt) && !at.Before(o.ExpiresAt)
}

// eligibility returns when an order can be cancelled, and how long that takes by the
// marketplace's clock. ok is false if the marketplace's time is malformed.
func eligibility(allowance hstock.CancelAllowance, now time.Time) (at time.Time, wait time.Duration, ok bool) {
	at, err := time.Parse(time.RFC3339, allowance.EligibleAfter)
	if err != nil {
		return time.Time{}, 0, false
	}
	if !allowance.AnsweredAt.IsZero() { // the clock of this machine may be wrong
		now = allowance.AnsweredAt
	}
	return at, at.Sub(now), true
}

// nextAsk returns when the marketplace is asked again whether an order can be cancelled
// that can't be cancelled yet. If the time that it names has passed, the pause grows with
// the time since then.
func nextAsk(allowance hstock.CancelAllowance, now time.Time) time.Time {
	_, wait, ok := eligibility(allowance, now)
	switch {
	case !ok:
		wait = reminderMaxPause
	case wait <= 0:
		wait = max(-wait, reminderMinPause)
	}
	return now.Add(min(wait, reminderMaxPause))
}

// ReminderOffer is the result of Remind. At is when the order can be cancelled, zero if
// no reminder was set: it can be cancelled now, or it is not known when.
type ReminderOffer struct {
	Order     storage.Order
	Allowance hstock.CancelAllowance
	At        time.Time
}

// Remind sets a reminder for the time from which an order can be cancelled, which it
// reads from the marketplace again.
func (s *Service) Remind(ctx context.Context, userID, orderID int64) (ReminderOffer, error) {
	order, allowance, err := s.CancelAllowance(ctx, userID, orderID)
	r := ReminderOffer{Order: order, Allowance: allowance}
	if err != nil || allowance.Allowed {
		return r, err
	}
	now := time.Now()
	at, ok := EligibleAfter(allowance, now)
	if !ok {
		return r, nil
	}
	set, err := s.db.SetReminder(ctx, storage.Reminder{OrderID: orderID, UserID: userID, At: nextAsk(allowance, now)})
	if err != nil {
		return r, err
	}
	if !set {
		return r, ErrOrderClosed
	}
	r.At = at
	s.wakeReminders()
	return r, nil
}

// remindOnce asks the marketplace about the order of each due reminder, and people about
// goods that were delivered a while ago.
func (s *Service) remindOnce(ctx context.Context) (time.Duration, error) {
	err := s.remindClock.AfterStep(func(bool) error {
		return errors.Join(s.db.PullReminders(ctx, time.Now()), s.db.PullFeedback(ctx, time.Now(), feedbackAfter))
	})
	if err != nil {
		return 0, err
	}
	due, err := s.db.DueReminders(ctx, time.Now(), remindersAtOnce)
	failures := loop.Parallel(s.log, len(due), asksAtOnce, "remind", func(i int) error { return s.remind(ctx, due[i]) })
	next, nextErr := s.db.NextReminder(ctx)
	question, questionErr := s.askFeedback(ctx)
	return pauseUntil(earliest(next, question), time.Now()), errors.Join(append(failures, err, nextErr, questionErr)...)
}

// askFeedback stores the questions that are due, and returns when the next one is.
func (s *Service) askFeedback(ctx context.Context) (next time.Time, err error) {
	now := time.Now()
	due, err := s.db.DueFeedback(ctx, now, remindersAtOnce)
	for _, r := range due {
		o := storage.Order{ID: r.OrderID, UserID: r.UserID, PurchaseID: r.PurchaseID}
		asked, endErr := s.db.EndFeedback(ctx, r, aboutOrder(o, MessageFeedback, outbox.PriorityStatus, now))
		if err = errors.Join(err, endErr); asked {
			s.wakeOutbox()
		}
	}
	next, nextErr := s.db.NextFeedback(ctx)
	return next, errors.Join(err, nextErr)
}

// feedbackDue returns when a person is asked about goods that were delivered now, zero for
// never: what was bought elsewhere, or adopted long ago, they may have used for long.
func feedbackDue(o storage.Order, now time.Time) time.Time {
	if o.External || o.Adopted && now.Sub(o.CreatedAt) > adoptedLately {
		return time.Time{}
	}
	return now.Add(feedbackAfter)
}

// remind replaces a reminder by its message if the marketplace says that the order can be
// cancelled. Otherwise it asks again later, until the order is closed.
func (s *Service) remind(ctx context.Context, r storage.Reminder) error {
	askCtx, cancel := context.WithTimeout(hstock.Background(hstock.SingleAttempt(ctx)), pollTimeout)
	defer cancel()
	order, allowance, err := s.cancelAllowance(askCtx, r.UserID, r.OrderID, cancelUnsent)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	now := time.Now()
	over := errors.Is(err, ErrOrderClosed) || errors.Is(err, ErrCancelSent) || order.State == storage.OrderDelivered
	switch {
	case err == nil && allowance.Allowed, over:
		message := storage.Message{UserID: r.UserID, OrderID: r.OrderID, Kind: MessageReminder, Priority: outbox.PriorityStatus, CreatedAt: now}
		notified, err := s.db.EndReminder(ctx, r, message)
		if notified {
			s.checkpoint("reminded")
			s.wakeOutbox()
		}
		return err
	case err != nil:
		s.log.Warn("reminder not sent yet", "order", order.ExternalID, "error", err)
		pause := reminderMaxPause
		if kind, _ := hstock.KindOf(err); kind == hstock.Unreachable || kind == hstock.Unreadable {
			pause = reminderMinPause
		}
		return s.db.MoveReminder(ctx, r, now.Add(loop.Jitter(pause)))
	default:
		return s.db.MoveReminder(ctx, r, nextAsk(allowance, now))
	}
}
