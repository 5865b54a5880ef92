package orders

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"hstockbot/storage"
)

// What Options.Send may say of a message, wrapped.
var (
	// ErrUnreachable: the person can't be reached; everything for them is held
	// until they are heard from (storage: TouchUser).
	ErrUnreachable = errors.New("the person can't be reached")
	// ErrUnsendable: this message will never be taken.
	ErrUnsendable = errors.New("the message can't be sent")
)

// LaterError says when a message may be tried again.
type LaterError struct {
	After time.Duration
	Err   error
}

func (e *LaterError) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e *LaterError) Unwrap() error { return e.Err }

// outboxOnce sends what is due, as far as there are free slots: people side by
// side, so that nobody waits for another, and each person's messages in order.
// What is being sent is not cut off by a stop, which would only repeat it.
func (s *Service) outboxOnce(ctx context.Context) (time.Duration, error) {
	free := cap(s.sendSlots) - len(s.sendSlots)
	if free == 0 {
		return idlePause, nil // a person who is served wakes the loop
	}
	now := time.Now()
	// An owner for each claim: what one goroutine's lease has lost, another of
	// this very process may have claimed.
	owner := rand.Text()
	messages, failure := s.db.ClaimMessages(ctx, owner, now, now.Add(messageLease), free)
	for _, ofOne := range byPerson(messages) {
		s.sendSlots <- struct{}{}
		s.sends.Go(func() {
			defer s.outbox.Wake()
			defer func() { <-s.sendSlots }()
			s.serve(context.WithoutCancel(ctx), owner, ofOne)
		})
	}
	next, err := s.db.NextMessage(ctx, time.Now())
	return until(next, time.Now()), errors.Join(failure, err)
}

// serve sends one person's messages. Where one must wait, those behind it wait
// as well.
func (s *Service) serve(ctx context.Context, owner string, messages []storage.Message) {
	for i, message := range messages {
		if i > 0 { // the lease of the first is new
			overtaken, err := s.db.HasMoreUrgent(ctx, message.UserID, message.Priority, time.Now())
			if err == nil && overtaken { // a code does not wait for ten numbers
				s.giveBack(ctx, messages[i:], time.Now())
				return
			}
			held, holdErr := s.db.RenewMessageLease(ctx, message.ID, owner, time.Now().Add(messageLease))
			if err = errors.Join(err, holdErr); err != nil {
				s.log.Error("sending to a person stops", "error", err)
			}
			if !held {
				return
			}
		}
		if again, goOn := s.deliver(ctx, message); !goOn {
			s.giveBack(ctx, messages[i+1:], again)
			return
		}
	}
}

// giveBack makes messages that were claimed due at the given time.
func (s *Service) giveBack(ctx context.Context, messages []storage.Message, at time.Time) {
	for _, message := range messages {
		if err := s.db.RetryMessage(ctx, message.ID, at); err != nil {
			s.log.Error("giving a message back failed", "message", message.ID, "error", err)
		}
	}
}

func byPerson(messages []storage.Message) [][]storage.Message {
	var people [][]storage.Message
	place := map[int64]int{}
	for _, message := range messages {
		i, ok := place[message.UserID]
		if !ok {
			i = len(people)
			place[message.UserID] = i
			people = append(people, nil)
		}
		people[i] = append(people[i], message)
	}
	return people
}

// deliver sends one message and marks it. A crash in between sends it again: a
// repeat is better than a loss. One that can't be marked now is sent again too,
// when its lease is over. goOn says that the person's next message may follow at
// once; else it may at that time (unless it is held, because they can't be reached).
func (s *Service) deliver(ctx context.Context, message storage.Message) (again time.Time, goOn bool) {
	sending, cancel := context.WithTimeout(ctx, messageTimeout)
	var shows int64
	err := s.recoverTo("send a message", func() (err error) {
		shows, err = s.send(sending, message)
		return err
	})
	cancel()
	s.checkpoint("sent")
	ctx, cancel = context.WithTimeout(ctx, recordTimeout)
	defer cancel()

	var later *LaterError
	switch {
	case err == nil:
		goOn = true
		err = s.db.MarkSent(ctx, message, shows, time.Now())
	case errors.Is(err, ErrUnreachable):
		err = s.db.SetUnreachable(ctx, message.UserID) // holds those behind it too
	case errors.Is(err, ErrUnsendable):
		s.log.Error("message can't be sent", "message", message.ID, "kind", message.Kind, "error", err)
		goOn = true
		err = s.db.MarkRejected(ctx, message.ID)
	default:
		pause := backoff(retryFirst, retryLongest, int64(message.Tries))
		if errors.As(err, &later) {
			pause = later.After
		}
		s.log.Warn("message not sent yet", "message", message.ID, "kind", message.Kind, "tries", message.Tries, "error", err)
		again = time.Now().Add(pause)
		err = s.db.RetryMessage(ctx, message.ID, again)
	}
	if err != nil {
		s.log.Error("marking a message failed", "message", message.ID, "error", err)
	}
	return again, goOn
}
