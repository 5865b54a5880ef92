// Package broadcasts owns the sending of messages to everybody: whose turn it is,
// to whom it has come, and what became of each message.
//
// Its promise is that nobody gets two copies, however a process ends: who is about
// to be sent to is written down, durably, before it is done, and who may have got
// their copy is counted as unsure and left alone. That costs a crash the handful
// of people who were in hand. Nothing of an audience is held in memory but a page.
//
// It knows neither Telegram nor languages: it is given functions for both.
package broadcasts

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"math"
	"time"

	"hstockbot/internal/loop"
	"hstockbot/storage"
)

// What is written down of admins (storage.AuditEntry), with the id of the broadcast.
const (
	ActionSend    = "broadcast_send" // Detail: the number of people
	ActionStop    = "broadcast_stop"
	ActionRevoked = "broadcast_lost" // it was stopped, because its author is no admin any more
)

const (
	// DrawEvery is how often the message is drawn anew that shows how far a
	// broadcast is. Edits are not paced, but Telegram limits them, too.
	DrawEvery = 5 * time.Second
	// firstDraw is when it is drawn for the first time: many are done by then.
	firstDraw = time.Second

	pageSize  = 256 // people that are in memory at once
	mostTries = 20  // that fail for no reason of the person's, before they are left out

	leaseLife = 30 * time.Second // after a crash nobody sends for so long
	idlePause = 15 * time.Second // between looks at what other processes may have left
	writeTime = 5 * time.Second  // to write down what became of a message, also while stopping

	retryFirst = 2 * time.Second // doubling, while nothing gets through
	retryMost  = time.Minute
)

// Options configures a Service. All but the last three are required.
type Options struct {
	DB *storage.DB
	// Send sends the text to one person; its errors are those of the outbox package. The end of ctx ends the wait for its turn,
	// and should not cut off what has begun: then nobody knows whether it was sent.
	Send func(ctx context.Context, userID int64, text string) error
	// Progress draws how far a broadcast is, where its author can see it. An error
	// means that it makes sense to try again.
	Progress func(ctx context.Context, id int64) error
	// Language is the one that the person reads, as texts are named after it.
	Language func(storage.User) string
	// Admin says who may have something sent.
	Admin func(userID int64) bool
	Log   *slog.Logger
	// OnlyIDs are the ids of all who may be sent anything, none for everybody.
	OnlyIDs []int64
	// Rate is how many messages a second Send lets pass, 0 = no limit.
	Rate float64
	// Checkpoint is called between the steps of a message with the name of the one
	// just made. Tests end the process there.
	Checkpoint func(step string)
}

// Service sends for one process. Several may share a database: each broadcast is
// one process's at a time.
type Service struct {
	Options
	owner   string // of leases; unique to this process
	senders int
	rounds  *loop.Loop
	touched chan struct{} // has a token once Wake was called: for the broadcast under way
}

// New returns a Service that is not started.
func New(o Options) *Service {
	if o.Checkpoint == nil {
		o.Checkpoint = func(string) {}
	}
	s := &Service{Options: o, owner: rand.Text(), senders: sendersFor(o.Rate), touched: make(chan struct{}, 1)}
	s.rounds = loop.New("broadcasts", o.Log, s.round)
	return s
}

// sendersFor is how many messages are on their way at once. Enough of them keep
// the rate while each takes half a second; more would only wait in the pacer's
// queue, and a crash would leave out more people.
func sendersFor(rate float64) int {
	return int(min(max(math.Ceil(rate/2), 15), 128))
}

// Start begins sending, first what an earlier process has left. Calling it twice
// is once.
func (s *Service) Start() { s.rounds.Start() }

// Stop takes nobody any more. Who has had no turn yet gets theirs after the next
// start; messages that are being sent are waited for until ctx is done. Calling it
// twice is once.
func (s *Service) Stop(ctx context.Context) error { return s.rounds.Stop(ctx) }

// Wake looks at once what there is to do: call it when a broadcast was confirmed
// or stopped.
func (s *Service) Wake() {
	select {
	case s.touched <- struct{}{}:
	default: // it was touched already
	}
	s.rounds.Wake()
}

// round works on one broadcast, and says when to look for the next.
func (s *Service) round(ctx context.Context) (time.Duration, error) {
	worked, err := s.once(ctx)
	if worked {
		return 0, err
	}
	return idlePause, err
}

// once does the next thing there is to do, if it is not somebody else's.
func (s *Service) once(ctx context.Context) (worked bool, err error) {
	now := time.Now()
	b, err := s.DB.ClaimBroadcast(ctx, s.owner, now, now.Add(leaseLife))
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if b.State == storage.BroadcastSending {
		ended, err := s.newDelivery(b).run(ctx)
		if err != nil || !ended {
			return true, errors.Join(err, s.release(b.ID, time.Now()))
		}
	}
	return true, s.report(ctx, b.ID)
}

// report has the end of a broadcast shown. Where that can't be done now, it does
// not hold up the next broadcast.
func (s *Service) report(ctx context.Context, id int64) error {
	if err := s.DB.DropPendingRecipients(ctx, id); err != nil {
		return err
	}
	if err := s.Progress(ctx, id); err != nil {
		s.Log.Warn("the end of a broadcast is not shown yet", "broadcast", id, "error", err)
		return s.release(id, time.Now().Add(leaseLife))
	}
	return s.DB.MarkReported(ctx, id)
}

func (s *Service) release(id int64, at time.Time) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	return s.DB.ReleaseBroadcast(ctx, id, s.owner, at)
}

// backoff is the pause after so many failures in a row.
func backoff(failures int) time.Duration {
	return min(retryFirst<<min(failures-1, 10), retryMost)
}
