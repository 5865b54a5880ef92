package orders

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// Market is the part of the marketplace's API that this package calls.
// *hstock.Client implements it.
type Market interface {
	Inventory(ctx context.Context, key redact.Secret, service int64, lang string) (hstock.Inventory, error)
	Balance(ctx context.Context, key redact.Secret) (hstock.Balance, error)
	Add(ctx context.Context, key redact.Secret, request hstock.AddRequest) (int64, error)
	Status(ctx context.Context, key redact.Secret, order int64) (hstock.Status, error)
	AllowCancel(ctx context.Context, key redact.Secret, orders []int64) ([]hstock.CancelAllowance, error)
	Cancel(ctx context.Context, key redact.Secret, orders []int64) ([]hstock.Cancellation, error)
	SMSProjects(ctx context.Context, key redact.Secret, country, lang string) ([]hstock.SMSProject, error)
	AddSMS(ctx context.Context, key redact.Secret, request hstock.AddSMSRequest) ([]hstock.SMSNumber, error)
	SMSCode(ctx context.Context, key redact.Secret, order int64) (hstock.SMSCode, error)
	SMSStatus(ctx context.Context, key redact.Secret, order int64) (hstock.SMSStatus, error)
}

// Options configures a Service. Rate and Checkpoint are optional.
type Options struct {
	DB     *storage.DB
	Market Market
	// Wake makes the outbox send stored messages now.
	Wake func()
	Log  *slog.Logger
	// SMMRatePer is how many pieces the rate of an SMM service is for.
	SMMRatePer int64
	// Rate is the limit of all calls to the marketplace, in calls per second; polls
	// use a share of it. 0 means no limit, and none for each key (load tests).
	Rate float64
	// Checkpoint is called between the steps of a purchase with the name of the step
	// that was just made durable. Tests end the process there.
	Checkpoint func(step string)
}

// Service buys, polls and cancels orders. Several processes may share a database.
type Service struct {
	db         *storage.DB
	market     Market
	wakeOutbox func()
	log        *slog.Logger
	ratePer    int64
	checkpoint func(step string)
	owner      string // of leases; unique to this process

	queue      *queue     // of due polls
	slotFreed  *signal    // a purchase of this process has left its key's slot
	pollLoop   *loop.Loop // polls orders
	settleLoop *loop.Loop // settles overdue purchases and reads balances
	remindLoop *loop.Loop // sends reminders of orders that can be cancelled
	keyLoop    *loop.Loop // tries refused keys again
	sweepLoop  *loop.Loop // removes old rows

	allKeysRetriedAt time.Time      // of the key loop
	polls            sync.WaitGroup // in flight

	mu          sync.Mutex
	unrecorded  map[int64]unrecorded // by purchase: orders that the database did not accept yet
	pollResults []storage.PollResult // polls that changed nothing, not stored yet
}

// New returns a Service that is not started: it confirms purchases, but polls no
// orders yet.
func New(o Options) *Service {
	s := &Service{
		db: o.DB, market: o.Market, wakeOutbox: o.Wake, log: o.Log, ratePer: o.SMMRatePer,
		checkpoint: o.Checkpoint, owner: rand.Text(), queue: newQueue(o.Rate), slotFreed: newSignal(),
		unrecorded: map[int64]unrecorded{},
	}
	if s.checkpoint == nil {
		s.checkpoint = func(string) {}
	}
	s.pollLoop = loop.New("watch orders", o.Log, s.pollOnce)
	s.settleLoop = loop.New("settle purchases", o.Log, s.settleOnce)
	s.remindLoop = loop.New("remind", o.Log, s.remindOnce)
	s.keyLoop = loop.New("retry refused keys", o.Log, s.retryKeysOnce)
	s.sweepLoop = loop.New("sweep", o.Log, s.sweepOnce)
	return s
}

// Start starts the background work. Calling it again does nothing.
func (s *Service) Start() {
	for _, l := range []*loop.Loop{s.settleLoop, s.remindLoop, s.pollLoop, s.keyLoop, s.sweepLoop} {
		l.Start()
	}
}

// Stop ends the background work, waits for the polls in flight until ctx is done,
// and stores their results. It may be called several times; each call obeys its own
// ctx.
func (s *Service) Stop(ctx context.Context) error {
	var failures []error
	for _, l := range []*loop.Loop{s.sweepLoop, s.keyLoop, s.pollLoop, s.remindLoop, s.settleLoop} {
		failures = append(failures, l.Stop(ctx))
	}
	// Stopping the watch loop has cancelled the polls.
	failures = append(failures, loop.Wait(ctx, &s.polls), s.savePollResults(ctx), s.recordUnrecorded(ctx))
	return errors.Join(failures...)
}

// WakePoller polls due orders now. Call it when the orders of a paused key may be
// polled again.
func (s *Service) WakePoller() {
	s.queue.readAllNext()
	s.pollLoop.Wake()
}

// NotifyOutcome stores a message about the outcome of a purchase, for a person whose
// card could not show it.
func (s *Service) NotifyOutcome(ctx context.Context, userID, purchaseID int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	err := s.db.AddMessage(ctx, aboutPurchase(userID, purchaseID, MessageOutcome, time.Now()))
	s.wakeOutbox()
	return err
}

// sweepOnce removes old rows.
func (s *Service) sweepOnce(ctx context.Context) (time.Duration, error) {
	return sweepInterval, s.db.Sweep(ctx, time.Now())
}

// retryKeysOnce tries refused keys again, because the marketplace may have refused
// them by mistake: every time those that have rented phones, and all once an hour.
func (s *Service) retryKeysOnce(ctx context.Context) (time.Duration, error) {
	all := time.Since(s.allKeysRetriedAt) >= keyRetryInterval
	if all {
		s.allKeysRetriedAt = time.Now()
	}
	keys, err := s.db.RefusedKeys(ctx, !all, keysAtOnce)
	for _, key := range keys {
		if _, read := s.readBalance(ctx, key.Secret); read {
			err = errors.Join(err, s.acceptKey(ctx, key))
		}
	}
	return rentalKeyRetryInterval, err
}

// acceptKey resumes the orders of a key that was refused and is accepted again.
func (s *Service) acceptKey(ctx context.Context, key storage.Key) error {
	err := s.db.AcceptKey(ctx, key.ID, time.Now())
	s.WakePoller()
	return err
}

// parallel calls do for 0 to n-1, at most atOnce at the same time, and returns the
// error of each call. A panic is the error of its call.
func (s *Service) parallel(n, atOnce int, task string, do func(i int) error) []error {
	var (
		group    sync.WaitGroup
		slots    = make(chan struct{}, atOnce)
		failures = make([]error, n)
	)
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			failures[i] = loop.Recover(s.log, task, func() error { return do(i) })
		})
	}
	group.Wait()
	return failures
}

// signal tells any number of waiters that something has changed.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

func newSignal() *signal { return &signal{ch: make(chan struct{})} }

// wait returns a channel that the next notify closes.
func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ch
}

func (s *signal) notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.ch)
	s.ch = make(chan struct{})
}
