// Package orders owns the life of a purchase: from the draft on a confirm card
// to the one request that buys, through what is known of its outcome, to the
// orders it became, their watching and the messages that deliver them.
//
// Its promise is that nothing is bought twice and nothing is lost: a purchase is
// a row before it is a request, every move is a compare-and-set, and what a
// person must be told is stored in the transaction that made it true. It knows
// neither Telegram nor languages; screens ask it and render what it stores.
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
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// Market is what a purchase needs of the marketplace. *hstock.Client has it.
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

// Options configures a Service. All fields but the last two are required.
type Options struct {
	DB     *storage.DB
	Market Market
	// Wake has stored messages sent now.
	Wake func()
	Log  *slog.Logger
	// SMMRatePer is how many pieces the rate of an SMM service is for.
	SMMRatePer int64
	// Rate is how many calls a second the marketplace is asked for in all, 0 = no
	// limit, and none per key either (load tests). The watcher keeps to its share.
	Rate float64
	// Checkpoint is called between the steps of a purchase and of a delivery
	// with the name of the step just made durable. Tests end the process there.
	Checkpoint func(step string)
}

// Service is the trade of one process. Several may share a database.
type Service struct {
	db         *storage.DB
	market     Market
	wakeOutbox func()
	log        *slog.Logger
	ratePer    int64
	checkpoint func(step string)
	owner      string // of leases; unique to this process

	queue  *queue     // of polls that are due
	settle *signal    // a purchase of this process left its key's turn
	watch  *loop.Loop // polls of orders
	decide *loop.Loop // leases and balance readings of purchases
	remind *loop.Loop // reminders of orders that can be cancelled later
	keys   *loop.Loop // refused keys
	sweep  *loop.Loop // what is old

	allKeysAt time.Time      // when all refused keys were tried; the keys loop's own
	polls     sync.WaitGroup // in hand

	mu         sync.Mutex
	unrecorded map[int64]unrecorded // by purchase: answers that the database did not take yet
	notes      []storage.PollResult // polls without news, to be written down
}

// New returns a Service that is not started: it confirms purchases, but
// watches and delivers nothing yet.
func New(o Options) *Service {
	s := &Service{
		db: o.DB, market: o.Market, wakeOutbox: o.Wake, log: o.Log, ratePer: o.SMMRatePer,
		checkpoint: o.Checkpoint, owner: rand.Text(), queue: newQueue(o.Rate), settle: newSignal(),
		unrecorded: map[int64]unrecorded{},
	}
	if s.checkpoint == nil {
		s.checkpoint = func(string) {}
	}
	s.watch = loop.New("watch orders", o.Log, s.watchOnce)
	s.decide = loop.New("settle purchases", o.Log, s.decideOnce)
	s.remind = loop.New("remind", o.Log, s.remindOnce)
	s.keys = loop.New("try refused keys", o.Log, s.tryKeysOnce)
	s.sweep = loop.New("sweep", o.Log, s.sweepOnce)
	return s
}

// Start begins watching and delivering. Calling it twice is once.
func (s *Service) Start() {
	for _, l := range []*loop.Loop{s.decide, s.remind, s.watch, s.keys, s.sweep} {
		l.Start()
	}
}

// Stop ends the loops in the order in which they feed each other, and waits
// for work in hand until ctx is done. Messages that are due are given a last
// turn first. Calling it twice is once.
func (s *Service) Stop(ctx context.Context) error {
	var problems []error
	for _, l := range []*loop.Loop{s.sweep, s.keys, s.watch, s.remind, s.decide} {
		problems = append(problems, l.Stop(ctx))
	}
	// Polls were cancelled with their loop; what they have heard is stored.
	problems = append(problems, loop.Wait(ctx, &s.polls), s.writeNotes(ctx), s.recordLate(ctx))
	return errors.Join(problems...)
}

// WakeWatcher looks for due orders now; call it when a paused key's orders may go on.
func (s *Service) WakeWatcher() {
	s.queue.forget()
	s.watch.Wake()
}

// NotifyOutcome stores a message that says what has become of a purchase, for a person
// whose card could not say it.
func (s *Service) NotifyOutcome(ctx context.Context, userID, purchaseID int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	err := s.db.AddMessage(ctx, storage.Message{
		UserID: userID, PurchaseID: purchaseID, Kind: MessageOutcome, Priority: outbox.PriorityReply, CreatedAt: time.Now(),
	})
	s.wakeOutbox()
	return err
}

// sweepOnce removes what is old.
func (s *Service) sweepOnce(ctx context.Context) (time.Duration, error) {
	return sweepEvery, s.db.Sweep(ctx, time.Now())
}

// tryKeysOnce tries refused keys again: the marketplace may have refused them by
// mistake.
func (s *Service) tryKeysOnce(ctx context.Context) (time.Duration, error) {
	all := time.Since(s.allKeysAt) >= tryKeysEvery
	if all {
		s.allKeysAt = time.Now()
	}
	keys, err := s.db.RefusedKeys(ctx, !all, refusedKeysAtOnce)
	for _, key := range keys {
		if _, read := s.readBalance(ctx, key.Secret); read {
			err = errors.Join(err, s.db.AcceptKey(ctx, key.ID, time.Now()))
			s.WakeWatcher()
		}
	}
	return tryNumberKeys, err
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
