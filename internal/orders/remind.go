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
// time is malformed or not in the future.
func EligibleAfter(allowance hstock.CancelAllowance, now time.Time) (at time.Time, ok bool) {
	at, err := time.Parse(time.RFC3339, allowance.EligibleAfter)
	return at, err == nil && at.After(now)
}

// ReminderOffer is the result of Remind. At is when the reminder will be sent, zero if
// none was set: the order can be cancelled now, or it is not known when.
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
	at, ok := EligibleAfter(allowance, time.Now())
	if !ok {
		return r, nil
	}
	set, err := s.db.SetReminder(ctx, storage.Reminder{OrderID: orderID, UserID: userID, At: at})
	if err != nil {
		return r, err
	}
	if !set {
		return r, ErrOrderClosed
	}
	r.At = at
	s.remindLoop.Wake()
	return r, nil
}

// remindOnce replaces each due reminder by its message.
func (s *Service) remindOnce(ctx context.Context) (time.Duration, error) {
	now := time.Now()
	due, err := s.db.DueReminders(ctx, now, remindersAtOnce)
	failures := []error{err}
	for _, reminder := range due {
		failures = append(failures, loop.Recover(s.log, "remind", func() error {
			message := storage.Message{UserID: reminder.UserID, OrderID: reminder.OrderID, Kind: MessageReminder, Priority: outbox.PriorityStatus, CreatedAt: now}
			notified, err := s.db.EndReminder(ctx, reminder, message)
			if notified {
				s.checkpoint("reminded")
				s.wakeOutbox()
			}
			return err
		}))
	}
	next, err := s.db.NextReminder(ctx)
	return pauseUntil(next, time.Now()), errors.Join(append(failures, err)...)
}
