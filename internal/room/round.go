package room

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/outbox"
	"hstockbot/storage"
)

const (
	every = 5 * time.Second  // between two rounds
	idle  = 15 * time.Second // likewise, without a room
	// linesAtOnce is how many lines are posted before the next look at what is more urgent,
	// and at their newest states.
	linesAtOnce = 5
	reports     = 20 // read at once
	// maxUncertain is how often a message is posted whose answers are lost.
	maxUncertain = 2
	// keepWatching is how long after it was sent a purchase's line may change although its
	// orders are closed, and keepDismissed the same for one that may still be adopted.
	keepWatching  = 24 * time.Hour
	keepDismissed = 7 * 24 * time.Hour
)

// errChanged ends a round because the room has changed: the next one reads it again.
var errChanged = errors.New("the room has changed")

// round posts what is due.
func (s *Service) round(ctx context.Context) (time.Duration, error) {
	if err := s.recordPending(ctx); err != nil { // else it would be posted again
		return 0, err
	}
	r, err := s.DB.Room(ctx, storage.RoomStaff)
	if errors.Is(err, storage.ErrNotFound) || err == nil && r.Fault != "" {
		returned, err := s.DB.ReturnRoomMessages(ctx, s.AdminIDs)
		if returned {
			s.Wake()
		}
		return idle, err
	}
	if err != nil {
		return 0, err
	}
	now := time.Now()
	err = s.postReports(ctx, r)
	if err == nil {
		err = s.postDaily(ctx, r, now)
	}
	more := false
	if err == nil {
		more, err = s.postLines(ctx, r, now)
	}
	var retry *outbox.RetryAfterError
	switch {
	case errors.Is(err, errChanged), err == nil && more:
		return 0, nil
	case errors.As(err, &retry):
		return retry.After, nil
	}
	return every, err
}

// record records what was posted or made, also while the service stops. If it fails, the
// next round begins with it.
func (s *Service) record(ctx context.Context, do func(context.Context) error) error {
	err := do(context.WithoutCancel(ctx))
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.unrecorded = append(s.unrecorded, do)
	}
	return err
}

// recordPending records what record could not.
func (s *Service) recordPending(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.unrecorded) > 0 {
		if err := s.unrecorded[0](context.WithoutCancel(ctx)); err != nil {
			return err
		}
		s.unrecorded = s.unrecorded[1:]
	}
	return nil
}

// handle records what an error of a post says about the room. After that the error is
// errChanged; other errors are returned as they are.
func (s *Service) handle(ctx context.Context, r storage.Room, topic storage.RoomTopic, err error) error {
	moved, hasMoved := errors.AsType[*outbox.MovedError](err)
	var handled error
	switch {
	case err == nil:
		return nil
	case hasMoved:
		handled = s.Moved(ctx, r.ChatID, moved.To)
	case errors.Is(err, outbox.ErrNoTopic) && r.Topic(topic) != 0:
		handled = s.replaceTopic(ctx, r, topic)
	case errors.Is(err, outbox.ErrUnreachable):
		handled = s.Break(ctx, r, FaultGone)
	case errors.Is(err, outbox.ErrNoRights), errors.Is(err, outbox.ErrNoTopic):
		handled = s.Break(ctx, r, FaultRights)
	default:
		return err
	}
	if handled != nil {
		return handled
	}
	return errChanged
}

// replaceTopic makes a topic again that was deleted. Without the right to, or where the
// answer is lost, the chat is used as it is: further attempts could make any number of
// topics. The admins are told, once: the topic is replaced by one call only.
func (s *Service) replaceTopic(ctx context.Context, r storage.Room, topic storage.RoomTopic) error {
	thread, err := s.Poster.MakeTopic(ctx, r.ChatID, topic)
	fault := ""
	switch {
	case err == nil:
		fault = TopicRemade
	case errors.Is(err, outbox.ErrUncertain):
		thread, fault = 0, TopicUnsure
	case errors.Is(err, outbox.ErrNoRights), errors.Is(err, outbox.ErrRejected):
		thread = 0
	default:
		return s.handle(ctx, r, "", err)
	}
	notice, err := s.notice(MessageTopicLost, Notice{Room: r.Kind, Topic: topic, Fault: fault})
	if err != nil {
		return err
	}
	return s.record(ctx, func(ctx context.Context) error {
		replaced, err := s.DB.SetRoomTopic(ctx, r, topic, thread, notice)
		if replaced {
			s.Log.Warn("topic of the room lost", "topic", topic, "fault", fault)
			s.Wake()
		}
		return err
	})
}

// postReports posts what admins are told, the oldest first.
func (s *Service) postReports(ctx context.Context, r storage.Room) error {
	var last storage.RoomMessage
	for {
		waiting, err := s.DB.RoomMessages(ctx, last, reports)
		if err != nil || len(waiting) == 0 {
			return err
		}
		for _, last = range waiting {
			if last.Damaged != nil {
				s.Log.Error("message of the room not readable", "message", last.ID, "error", last.Damaged)
				continue
			}
			if err := s.postReport(ctx, r, last); err != nil {
				return err
			}
		}
	}
}

// postReport posts what admins are told. What Telegram refuses for an unknown reason makes
// the room a lost one, so that it reaches the admins. What may have been posted maxUncertain
// times goes to them without that.
func (s *Service) postReport(ctx context.Context, r storage.Room, m storage.RoomMessage) error {
	switch {
	case s.isOutdated(m):
		return s.DB.DeleteRoomMessage(ctx, m.ID)
	case s.uncertain[m.ID] >= maxUncertain:
		returned, err := s.DB.ReturnRoomMessage(ctx, m, s.AdminIDs)
		if returned {
			delete(s.uncertain, m.ID)
			s.Wake()
		}
		return err // with nobody to tell it waits on
	}
	err := s.Poster.PostReport(ctx, r.ChatID, r.AlertsTopic, m)
	switch {
	case errors.Is(err, outbox.ErrUncertain):
		s.uncertain[m.ID]++
		return err
	case errors.Is(err, outbox.ErrRejected):
		s.Log.Error("alert rejected in the room", "message", m.ID, "error", err)
		if err = s.Break(ctx, r, FaultRefused); err == nil {
			err = errChanged
		}
		return err
	}
	if err := s.handle(ctx, r, storage.TopicAlerts, err); err != nil {
		return err
	}
	delete(s.uncertain, m.ID)
	return s.record(ctx, func(ctx context.Context) error { return s.DB.DeleteRoomMessage(ctx, m.ID) })
}

// isOutdated reports whether a message says that the room is lost, which works.
func (s *Service) isOutdated(m storage.RoomMessage) bool {
	if m.Kind != MessageLost {
		return false
	}
	n, err := DecodeNotice(storage.Message{Body: m.Body})
	return err == nil && n.Room == storage.RoomStaff
}

// postLines posts lines that are new or show something else, the oldest purchase first.
// more reports that there are further ones.
func (s *Service) postLines(ctx context.Context, r storage.Room, now time.Time) (more bool, err error) {
	if more, err = s.DB.AddRoomLines(ctx, r, now); err != nil {
		return false, err
	}
	lines, err := s.DB.RoomPurchases(ctx, r)
	if err != nil {
		return false, err
	}
	posted := 0
	for _, p := range lines {
		shown, over := shownBy(p), isFinished(p, now)
		if p.State == "" { // deleted with its person's data: the message stays
			shown = p.Shown
		}
		if shown == p.Shown && !over {
			continue
		}
		if shown != p.Shown {
			if posted == linesAtOnce {
				return true, nil
			}
			posted++
			id, err := s.Poster.PostLine(ctx, r.ChatID, r.OrdersTopic, p)
			switch {
			case errors.Is(err, outbox.ErrGone): // somebody has deleted the message, or the topic with it
				if err := s.checkOrders(ctx, r); err != nil && !errors.Is(err, outbox.ErrRejected) {
					return false, err
				}
				over = true
			case errors.Is(err, outbox.ErrRejected):
				s.Log.Error("line rejected in the room", "purchase", p.PurchaseID, "error", err)
				over = true
			case errors.Is(err, outbox.ErrUncertain) && p.MessageID == 0:
				if s.uncertain[p.PurchaseID]++; s.uncertain[p.PurchaseID] < maxUncertain {
					return false, err
				}
				over, p.Shown = true, shown // it was probably posted, but its message is not known
			case err != nil:
				return false, s.handle(ctx, r, storage.TopicOrders, err)
			default:
				p.MessageID, p.Shown = id, shown
			}
		}
		if over {
			p.FinishedAt = now
		}
		delete(s.uncertain, p.PurchaseID)
		if err := s.record(ctx, func(ctx context.Context) error { return s.DB.SaveRoomLine(ctx, r, p.RoomLine) }); err != nil {
			return false, err
		}
	}
	return more, nil
}

// checkOrders reports as handle does whether the topic of orders was deleted.
func (s *Service) checkOrders(ctx context.Context, r storage.Room) error {
	if r.OrdersTopic == 0 {
		return nil
	}
	return s.handle(ctx, r, storage.TopicOrders, s.Poster.CheckTopic(ctx, r.ChatID, r.OrdersTopic))
}

// Amount returns what a purchase costs: what its orders were charged once all are known,
// else its price.
func Amount(p storage.RoomPurchase) (amount decimal.Decimal, currency string) {
	currency = p.Currency
	for _, o := range p.Orders {
		if !o.Charge.Valid {
			return storage.PriceOf(p.Rate, p.Quantity, p.RatePer), p.Currency
		}
		amount, currency = amount.Add(o.Charge.Decimal), o.Currency
	}
	if len(p.Orders) == 0 {
		amount = storage.PriceOf(p.Rate, p.Quantity, p.RatePer)
	}
	return amount, currency
}

// shownBy returns a digest of what a line shows.
func shownBy(p storage.RoomPurchase) string {
	amount, currency := Amount(p)
	parts := []string{string(p.State), amount.String(), currency}
	for _, o := range p.Orders {
		parts = append(parts, fmt.Sprint(o.State, o.Delivered))
	}
	return strings.Join(parts, " ")
}

// isFinished reports whether a line changes no more.
func isFinished(p storage.RoomPurchase, now time.Time) bool {
	switch p.State {
	case storage.PurchasePlaced:
		for _, o := range p.Orders {
			if o.ClosedAt.IsZero() {
				return false
			}
		}
		return len(p.Orders) > 0 && now.Sub(p.SentAt) > keepWatching
	case storage.PurchaseDismissed:
		return now.Sub(p.SentAt) > keepDismissed
	case storage.PurchaseSending, storage.PurchaseOutcomeUnknown:
		return false
	default:
		return true
	}
}
