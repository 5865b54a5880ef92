package orders

import (
	"context"
	"errors"
	"sync"
	"time"

	"hstockbot/storage"
)

// What Options.Send may say of a message, wrapped.
var (
	// ErrUnreachable: the person can't be reached; everything for them is held
	// until they are heard from (storage: SeeUser).
	ErrUnreachable = errors.New("the person can't be reached")
	// ErrUnsendable: this message will never be taken.
	ErrUnsendable = errors.New("the message can't be sent")
)

// retryAfter is implemented by errors that know when to try again.
type retryAfter interface{ RetryAfter() time.Duration }

// outboxOnce sends what is due: people side by side, each person's messages in
// their order.
func (s *Service) outboxOnce(ctx context.Context) (time.Duration, error) {
	now := time.Now()
	messages, err := s.db.ClaimMessages(ctx, s.owner, now, now.Add(messageLease), messagesAtOnce)
	if err != nil {
		return 0, err
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, peopleAtOnce)
	for _, ofOne := range byPerson(messages) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			for _, message := range ofOne {
				s.deliver(ctx, message)
			}
		})
	}
	wg.Wait()
	if len(messages) == messagesAtOnce {
		return 0, nil // there may be more
	}
	next, err := s.db.NextMessage(ctx)
	return until(next, time.Now()), err
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
// when its lease is over.
func (s *Service) deliver(ctx context.Context, message storage.Message) {
	sendCtx, cancel := context.WithTimeout(ctx, messageTimeout)
	defer cancel()
	err := s.send(sendCtx, message)
	s.checkpoint("sent")
	ctx, cancelMark := context.WithTimeout(context.WithoutCancel(ctx), recordPatience)
	defer cancelMark()

	var wait retryAfter
	switch {
	case err == nil:
		err = s.db.MarkSent(ctx, message.ID, time.Now())
	case errors.Is(err, ErrUnreachable):
		err = s.db.SetUnreachable(ctx, message.UserID)
	case errors.Is(err, ErrUnsendable):
		s.log.Error("message can't be sent", "message", message.ID, "kind", message.Kind, "error", err)
		err = s.db.MarkUnsendable(ctx, message.ID)
	default:
		pause := backoff(retryFirst, retryLongest, int64(message.Tries))
		if errors.As(err, &wait) && wait.RetryAfter() > 0 {
			pause = wait.RetryAfter()
		}
		s.log.Warn("message not sent yet", "message", message.ID, "kind", message.Kind, "tries", message.Tries, "error", err)
		err = s.db.RetryMessage(ctx, message.ID, time.Now().Add(pause))
	}
	if err != nil {
		s.log.Error("marking a message failed", "message", message.ID, "error", err)
	}
}
