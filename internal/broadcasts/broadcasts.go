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

// Actions in the audit log; the subject is the broadcast's id.
const (
	ActionSend    = "broadcast_send" // Detail: the number of recipients
	ActionStop    = "broadcast_stop"
	ActionRevoked = "broadcast_lost" // it was stopped because its author is no longer an admin
)

const (
	firstProgress = time.Second // a short broadcast is almost done by then
	progressEvery = 5 * time.Second

	pageSize    = 256
	maxAttempts = 20 // per recipient, that fail for a reason that is not the recipient's

	leaseDuration = 30 * time.Second
	idlePause     = 15 * time.Second // between looks at what other processes may have left
	recordTimeout = 5 * time.Second  // to store an outcome, also while stopping

	firstRetry = 2 * time.Second
	maxRetry   = time.Minute
)

// Options configures a Service. OnlyIDs, Rate, Checkpoint and Share may be empty.
type Options struct {
	DB *storage.DB
	// Send sends the text to one person. Its errors are those of the outbox package.
	// The end of ctx ends the wait for a slot, and must not cancel a request that
	// has started: its outcome would be uncertain.
	Send func(ctx context.Context, userID int64, text string) error
	// Progress shows the author how far a broadcast is. After an error it is called
	// again.
	Progress func(ctx context.Context, id int64) error
	// Language returns the language whose text the person gets.
	Language func(storage.User) string
	// Admin reports whether a person may send broadcasts.
	Admin func(userID int64) bool
	Log   *slog.Logger
	// OnlyIDs are the only people who get broadcasts; empty for all people.
	OnlyIDs []int64
	// Rate is how many messages a second Send allows; 0 = no limit.
	Rate float64
	// Checkpoint is called with the name of each step of a message after it was made:
	// "taken", "sent", "recorded". Tests end the process there.
	Checkpoint func(step string)
	// Share makes Wake concern all processes on the database.
	Share loop.Share
	// Wall returns the wall time that steps of the clock are noticed by; nil: the
	// system's. Tests replace it.
	Wall func() time.Time
}

// Service sends the broadcasts of one process. Several processes may share a
// database.
type Service struct {
	Options
	owner   string // of leases; unique to this process
	senders int
	loop    *loop.Loop
	clock   loop.Clock
	woken   chan struct{} // holds a token after Wake, for the delivery in progress
	wake    func()        // wakes the services of all processes
}

// New returns a Service that is not started.
func New(o Options) *Service {
	if o.Checkpoint == nil {
		o.Checkpoint = func(string) {}
	}
	s := &Service{Options: o, owner: rand.Text(), senders: sendersFor(o.Rate), clock: loop.Clock{Wall: o.Wall}, woken: make(chan struct{}, 1)}
	s.loop = loop.New("broadcasts", o.Log, s.round)
	s.wake = o.Share.Of("broadcasts", s.wakeLoop)
	return s
}

// sendersFor returns how many messages may be in flight at a rate: enough to keep
// it while a message takes half a second. More would only wait in the pacer, and
// a crash would leave out more people.
func sendersFor(rate float64) int {
	return int(min(max(math.Ceil(rate/2), 15), 128))
}

// Start begins to send, first what an earlier process has left. Calling it again
// does nothing.
func (s *Service) Start() { s.loop.Start() }

// Stop takes no more recipients. Those in flight without a slot become pending
// and are sent to after the next start; Stop waits for the others until ctx is
// done. It may be called several times.
func (s *Service) Stop(ctx context.Context) error { return s.loop.Stop(ctx) }

// Wake looks for work now, in whatever process sends broadcasts. Call it after a
// broadcast was confirmed or stopped.
func (s *Service) Wake() { s.wake() }

func (s *Service) wakeLoop() {
	select {
	case s.woken <- struct{}{}:
	default: // a token is there already
	}
	s.loop.Wake()
}

// round works on one broadcast and returns when to look for the next.
func (s *Service) round(ctx context.Context) (time.Duration, error) {
	now := time.Now()
	if err := s.clock.AfterStep(func(bool) error { return s.DB.PullBroadcasts(ctx, now, maxRetry, leaseDuration) }); err != nil {
		return 0, err
	}
	b, err := s.DB.ClaimBroadcast(ctx, s.owner, now, now.Add(leaseDuration))
	if errors.Is(err, storage.ErrNotFound) {
		return idlePause, nil
	}
	if err != nil {
		return 0, err
	}
	if b.State == storage.BroadcastSending {
		ended, err := newDelivery(s, b).run(ctx)
		if err != nil || !ended {
			return 0, errors.Join(err, s.release(b.ID, time.Now()))
		}
	}
	return 0, s.showEnd(ctx, b.ID)
}

// showEnd shows the end of a broadcast. If that fails it is tried again later, and
// the next broadcast may be sent before.
func (s *Service) showEnd(ctx context.Context, id int64) error {
	if err := s.DB.DropPendingRecipients(ctx, id); err != nil {
		return err
	}
	if err := s.Progress(ctx, id); err != nil {
		s.Log.Warn("end of broadcast not shown yet", "broadcast", id, "error", err)
		return s.release(id, time.Now().Add(leaseDuration))
	}
	return s.DB.MarkReported(ctx, id)
}

// release makes a broadcast claimable at the given time.
func (s *Service) release(id int64, at time.Time) error {
	ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
	defer cancel()
	return s.DB.ReleaseBroadcast(ctx, id, s.owner, at)
}
