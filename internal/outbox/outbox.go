// Package outbox sends the stored messages to people: the goods and codes they
// bought, the outcome of a purchase, and other notifications.
//
// Messages are rows that other packages add in the transaction that made them
// true. The outbox owns the loop that sends them, their priorities, the errors
// that classify a failed delivery, and the Sender that turns a row into a chat
// message. It contains neither Telegram nor languages: a row holds a kind and
// its arguments, and is rendered in the language of the moment it is sent.
//
// Up to 64 people are served at once. One person's messages go one after the
// other, the most urgent first, each under a lease of 2 minutes that is renewed
// before the message is sent. Before each further message the outbox checks
// whether a more urgent one has been stored, which then goes first.
//
// Delivery is at least once: a crash between sending a message and marking it
// sends it again after the next start, because a repeat is better than a loss.
// A failure is retried after 2 s, doubling up to 10 min, or after the time that
// Telegram asked for; the messages of the same claim wait with it. After a start
// and after a step of the clock all pending messages are due. Messages to a person
// who can't be reached are held for 30 days; an update from them releases the
// messages.
package outbox

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"hstockbot/internal/loop"
	"hstockbot/storage"
)

// Priority is the urgency of a message; the lowest goes first.
type Priority = storage.Priority

// From the most urgent on.
const (
	PriorityCode   Priority = iota // a code that somebody waits for with a form open
	PriorityGoods                  // delivered accounts
	PriorityReply                  // the answer to what a person did
	PriorityStatus                 // the changed state of an order
	PriorityNews                   // broadcasts
)

// How a delivery failed, for errors.Is. An error that is none of these is
// transient: nothing was sent, and the message may be tried again.
var (
	// ErrUnreachable: the person has blocked the bot, is gone, or never wrote.
	ErrUnreachable = errors.New("the person can't be reached")
	// ErrRejected: this message will never be accepted.
	ErrRejected = errors.New("the message is rejected")
	// ErrUnknownKind: a newer program that uses the same database has stored the
	// message. It waits until such a program sends it; the messages behind it don't.
	ErrUnknownKind = errors.New("the kind of the message is not known")
	// ErrUncertain: the request left and no answer came back, so the message may
	// have been sent.
	ErrUncertain = errors.New("it is not known whether the message was sent")
)

// How a message in a group or a channel failed, for errors.Is, beside those above.
// ErrUnreachable is then that the bot is not there.
var (
	// ErrNoRights: the bot is there, but may not do this.
	ErrNoRights = errors.New("the bot has no right to do this in the chat")
	// ErrNoTopic: the topic no longer exists, or is closed.
	ErrNoTopic = errors.New("the topic of the chat no longer exists")
	// ErrGone: the message to edit no longer exists, or can't be edited.
	ErrGone = errors.New("the message can't be edited")
)

// MovedError says that a group has become a supergroup, which has another id. Nothing was
// sent.
type MovedError struct {
	To  int64
	Err error
}

func (e *MovedError) Error() string { return e.Err.Error() }

// RetryAfterError is a transient error that says how long to wait.
type RetryAfterError struct {
	After time.Duration
	Err   error
}

func (e *RetryAfterError) Error() string { return e.Err.Error() }

// Sender sends one stored message to its person.
type Sender interface {
	// Send returns the id of the chat message that shows a rented phone, by which
	// it is redrawn later; 0 for every other kind. The error wraps ErrUnreachable
	// or ErrRejected, is a *RetryAfterError, or is transient. An uncertain delivery
	// that must not be repeated is no error.
	Send(ctx context.Context, message storage.Message) (messageID int64, err error)
}

const (
	peopleAtOnce = 64
	lease        = 2 * time.Minute
	sendTimeout  = 60 * time.Second
	markTimeout  = 50 * time.Second // to record the outcome, also while stopping; the lease is longer than sendTimeout and this
	firstRetry   = 2 * time.Second
	maxRetry     = 10 * time.Minute
	unknownRetry = 30 * time.Second       // of ErrUnknownKind
	firstMark    = 100 * time.Millisecond // after a failure to mark a sent message
	maxMark      = 2 * time.Second
	firstPause   = 2 * time.Second        // the longest delay of a new message
	idlePause    = 15 * time.Second       // between looks at what other processes may have stored
	minPause     = 250 * time.Millisecond // due work that can't be claimed yet must not spin
)

// priorityName returns the name of a priority for Options.ObserveSent.
func priorityName(p Priority) string {
	names := [...]string{PriorityCode: "code", PriorityGoods: "goods", PriorityReply: "reply", PriorityStatus: "status", PriorityNews: "news"}
	if p < 0 || int(p) >= len(names) {
		return "other"
	}
	return names[p]
}

// Options configures an Outbox. Checkpoint, Share and ObserveSent may be nil.
type Options struct {
	DB  *storage.DB
	Log *slog.Logger
	// Checkpoint is called with "sent" after a message was sent and before it is
	// marked. Tests end the process there.
	Checkpoint func(step string)
	// Share makes Wake concern all processes on the database.
	Share loop.Share
	// ObserveSent is called for each message that was sent with the name of its priority
	// ("code", "goods", "reply", "status", "news") and the time since it was stored.
	ObserveSent func(priority string, delay time.Duration)
	// Wall returns the wall time that steps of the clock are noticed by; nil: the
	// system's. Tests replace it.
	Wall func() time.Time
}

// Outbox sends the stored messages of one process. Several processes may share a
// database.
type Outbox struct {
	Options
	loop  *loop.Loop
	wake  func() // wakes the loops of all processes
	clock loop.Clock
	slots chan struct{}
	sends sync.WaitGroup // in flight

	mu     sync.Mutex
	sender Sender // nil before Start

	lostClaim string // the owner of a claim that is perhaps in the database; of sendDue

	draining chan struct{} // holds a token while a Stop sends
	drained  bool          // a Stop has sent what was due
}

// New returns an Outbox that is not started. Messages may be stored before Start.
func New(o Options) *Outbox {
	if o.Checkpoint == nil {
		o.Checkpoint = func(string) {}
	}
	if o.ObserveSent == nil {
		o.ObserveSent = func(string, time.Duration) {}
	}
	b := &Outbox{Options: o, clock: loop.Clock{Wall: o.Wall}, slots: make(chan struct{}, peopleAtOnce), draining: make(chan struct{}, 1)}
	b.loop = loop.New("outbox", o.Log, b.sendDue)
	b.wake = o.Share.Of("outbox", b.loop.Wake)
	return b
}

// Start begins sending. Calling it again does nothing.
func (b *Outbox) Start(sender Sender) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sender == nil {
		b.sender = sender
		b.loop.Start()
	}
}

// Stop sends what is due, then waits for the messages in flight until ctx is
// done. A second Stop only waits, as long as its own context allows, unless the
// first one's context was over before it could send.
func (b *Outbox) Stop(ctx context.Context) error {
	if err := errors.Join(b.loop.Stop(ctx), ctx.Err()); err != nil {
		return err
	}
	select {
	case b.draining <- struct{}{}: // one at a time: while a Stop waits for the sends there must be no new ones
	case <-ctx.Done():
		return ctx.Err()
	}
	var err error
	if b.started() && !b.drained {
		b.drained = true
		_, err = b.sendDue(ctx)
	}
	<-b.draining
	return errors.Join(err, loop.Wait(ctx, &b.sends))
}

func (b *Outbox) started() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sender != nil
}

// Wake sends due messages now, in whatever process sends them. Call it after messages
// were stored, or when a person became reachable.
func (b *Outbox) Wake() { b.wake() }

// sendDue sends what is due, as far as there are free slots: people in parallel,
// each person's messages in order. Cancelling ctx does not cut off a send in
// flight, which would only repeat it.
func (b *Outbox) sendDue(ctx context.Context) (time.Duration, error) {
	free := cap(b.slots) - len(b.slots)
	if free == 0 {
		return idlePause, nil // the next person who is done wakes the loop
	}
	err := b.clock.AfterStep(func(again bool) error { return b.DB.PullMessages(ctx, time.Now(), firstPause, lease, again) })
	if err != nil {
		return 0, err
	}
	if b.lostClaim != "" {
		if err := b.DB.ReleaseMessages(ctx, b.lostClaim); err != nil {
			return 0, err
		}
		b.lostClaim = ""
	}
	now := time.Now()
	// Each claim has an owner of its own: when a goroutine has lost its lease,
	// another goroutine of this process may hold the message.
	owner := rand.Text()
	messages, claimErr := b.DB.ClaimMessages(ctx, owner, now, now.Add(lease), free)
	if errors.Is(claimErr, storage.ErrAmbiguous) {
		b.lostClaim = owner
	}
	for _, ofPerson := range byPerson(messages) {
		b.slots <- struct{}{}
		b.sends.Go(func() {
			defer b.loop.Wake()
			defer func() { <-b.slots }()
			b.serve(context.WithoutCancel(ctx), owner, ofPerson)
		})
	}
	next, err := b.DB.NextMessage(ctx, time.Now())
	pause := idlePause
	if !next.IsZero() {
		pause = min(max(time.Until(next), minPause), idlePause)
	}
	return pause, errors.Join(claimErr, err)
}

// serve sends one person's messages. When one has to be retried, the messages
// behind it wait as well.
func (b *Outbox) serve(ctx context.Context, owner string, messages []storage.Message) {
	for i, message := range messages {
		if i > 0 { // the lease of the first is new
			overtaken, err := b.DB.HasMoreUrgent(ctx, message.UserID, message.Priority, time.Now())
			if err == nil && overtaken { // a code does not wait for ten phones
				b.release(ctx, messages[i:], time.Now())
				return
			}
			held, leaseErr := b.DB.RenewMessageLease(ctx, message.ID, owner, time.Now().Add(lease))
			if err = errors.Join(err, leaseErr); err != nil {
				b.Log.Error("lease of a message not renewed", "message", message.ID, "error", err)
			}
			if leaseErr != nil {
				b.release(ctx, messages[i:], time.Now()) // else they wait for the end of the lease
				return
			}
			if !held {
				return
			}
		}
		if retryAt, proceed := b.deliver(ctx, message); !proceed {
			b.release(ctx, messages[i+1:], retryAt)
			return
		}
	}
}

// release makes claimed messages due at the given time.
func (b *Outbox) release(ctx context.Context, messages []storage.Message, at time.Time) {
	for _, message := range messages {
		b.insist(ctx, message, func(ctx context.Context) error { return b.DB.RetryMessage(ctx, message.ID, at) })
	}
}

// insist records what became of a message. A failure is retried: a message that is not
// recorded waits for the end of its lease, or is sent again.
func (b *Outbox) insist(ctx context.Context, message storage.Message, record func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	for failures := 1; ; failures++ {
		err := record(ctx)
		if err == nil {
			return
		}
		b.Log.Error("message not marked", "message", message.ID, "error", err)
		retry := time.NewTimer(loop.Jitter(loop.Backoff(firstMark, maxMark, failures)))
		select {
		case <-retry.C:
		case <-ctx.Done():
		}
		retry.Stop()
		if ctx.Err() != nil || errors.Is(err, storage.ErrClosed) {
			return
		}
	}
}

func byPerson(messages []storage.Message) [][]storage.Message {
	var people [][]storage.Message
	index := map[int64]int{}
	for _, message := range messages {
		i, ok := index[message.UserID]
		if !ok {
			i = len(people)
			index[message.UserID] = i
			people = append(people, nil)
		}
		people[i] = append(people[i], message)
	}
	return people
}

// deliver sends one message and marks it. A message that can't be marked in time is
// sent again when its lease is over. proceed reports whether the person's next
// message may follow at once; otherwise it is due at retryAt, or held because the
// person can't be reached.
func (b *Outbox) deliver(ctx context.Context, message storage.Message) (retryAt time.Time, proceed bool) {
	sendCtx, cancel := context.WithTimeout(ctx, sendTimeout)
	var messageID int64
	err := loop.Recover(b.Log, "send a message", func() (err error) {
		messageID, err = b.sender.Send(sendCtx, message)
		return err
	})
	cancel()
	b.Checkpoint("sent")
	if err == nil {
		b.ObserveSent(priorityName(message.Priority), time.Since(message.CreatedAt))
		sentAt := time.Now()
		b.insist(ctx, message, func(ctx context.Context) error { return b.DB.MarkSent(ctx, message, messageID, sentAt) })
		return time.Time{}, true
	}

	var retryAfter *RetryAfterError
	record := func(ctx context.Context) error { return b.DB.RetryMessage(ctx, message.ID, retryAt) }
	switch {
	case errors.Is(err, ErrUnreachable):
		record = func(ctx context.Context) error { return b.DB.SetUnreachable(ctx, message.UserID) } // holds the messages behind it too
	case errors.Is(err, ErrRejected):
		b.Log.Error("message rejected", "message", message.ID, "kind", message.Kind, "error", err)
		proceed = true
		record = func(ctx context.Context) error { return b.DB.MarkRejected(ctx, message.ID) }
	case errors.Is(err, ErrUnknownKind):
		b.Log.Warn("message not sent yet", "message", message.ID, "kind", message.Kind, "attempts", message.Tries, "error", err)
		proceed = true
		later := time.Now().Add(unknownRetry)
		record = func(ctx context.Context) error { return b.DB.RetryMessage(ctx, message.ID, later) }
	default:
		pause := loop.Jitter(loop.Backoff(firstRetry, maxRetry, message.Tries))
		if errors.As(err, &retryAfter) {
			pause = retryAfter.After
		}
		b.Log.Warn("message not sent yet", "message", message.ID, "kind", message.Kind, "attempts", message.Tries, "error", err)
		retryAt = time.Now().Add(pause)
	}
	b.insist(ctx, message, record)
	return retryAt, proceed
}
