package orders

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"hstockbot/internal/callrate"
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
	Add(ctx context.Context, key redact.Secret, request hstock.AddRequest) (string, error)
	Status(ctx context.Context, key redact.Secret, order string) (hstock.Status, error)
	AllowCancel(ctx context.Context, key redact.Secret, orders []string) ([]hstock.CancelAllowance, error)
	Cancel(ctx context.Context, key redact.Secret, orders []string, sendBefore time.Time) ([]hstock.Cancellation, error)
	SMSProjects(ctx context.Context, key redact.Secret, country, lang string) ([]hstock.SMSProject, error)
	AddSMS(ctx context.Context, key redact.Secret, request hstock.AddSMSRequest) ([]hstock.SMSNumber, error)
	SMSCode(ctx context.Context, key redact.Secret, order string) (hstock.SMSCode, error)
	SMSStatus(ctx context.Context, key redact.Secret, order string) (hstock.SMSStatus, error)
}

// Options configures a Service. Limiter, Checkpoint, Share and CountPurchase are optional.
type Options struct {
	DB     *storage.DB
	Market Market
	// Wake makes the outbox send stored messages now.
	Wake func()
	Log  *slog.Logger
	// Owner names this process in the database; "" for a random name.
	Owner string
	// SMMRatePer is how many pieces the rate of an SMM service is for.
	SMMRatePer int64
	// TopUpURL is the page where people top up, "" for none.
	TopUpURL string
	// Limiter decides how many polls are made; nil: as many as are due.
	Limiter *callrate.Limiter
	// Checkpoint is called between the steps of a purchase with the name of the step
	// that was just made durable. Tests end the process there.
	Checkpoint func(step string)
	// Share makes what wakes the background work concern all processes on the database.
	Share loop.Share
	// CountPurchase is called for each purchase that became "placed", "rejected" (with
	// its Reason) or "outcome_unknown"; nil for none. One of unknown outcome may be placed
	// later, and then counts again.
	CountPurchase func(outcome, reason string)
	// Wall returns the wall time that steps of the clock are noticed by; nil: the
	// system's. Tests replace it.
	Wall func() time.Time
}

// Service buys, polls and cancels orders. Several processes may share a database.
type Service struct {
	db         *storage.DB
	market     Market
	wakeOutbox func()
	log        *slog.Logger
	ratePer    int64
	topUpURL   string
	checkpoint func(step string)
	count      func(outcome, reason string)
	owner      string // of leases; unique to this process

	queue      *queue     // of due polls
	forecasts  *forecasts // of deliveries
	figures    *figures   // of rentals
	slotFreed  *signal    // a purchase of this process has left its key's slot
	pollLoop   *loop.Loop // polls orders
	settleLoop *loop.Loop // settles overdue purchases and reads balances
	recordLoop *loop.Loop // stores unrecorded orders; is started when there are some
	remindLoop *loop.Loop // sends reminders of orders that can be cancelled
	swapLoop   *loop.Loop // swaps numbers
	basketLoop *loop.Loop // buys the lines of baskets
	turnLoop   *loop.Loop // buys what waits for its turn to use the operator's key
	keyLoop    *loop.Loop // tries refused keys again
	sweepLoop  *loop.Loop // removes old rows

	// They wake the loops of all processes after something was stored for them.
	wakePolls, wakeAllPolls, wakeReminders, wakeSwaps, wakeBaskets, wakeTurns func()

	pollClock        loop.Clock     // of the poll loop
	settleClock      loop.Clock     // of the settle loop
	remindClock      loop.Clock     // of the remind loop
	swapClock        loop.Clock     // of the swap loop
	basketClock      loop.Clock     // of the basket loop
	allKeysRetriedAt time.Time      // of the key loop
	ledgerChecked    bool           // by the sweep loop, once
	polls            sync.WaitGroup // in flight, also steps of swaps and baskets
	swapping         sync.Map       // by purchase: swaps whose step is being made
	buying           sync.Map       // by basket: those of which a line is being bought

	mu          sync.Mutex
	unrecorded  map[int64]unrecorded     // by purchase: orders that the database did not accept yet
	draftAges   map[int64]loop.Stopwatch // by purchase, of this process
	pollResults []storage.PollResult     // polls that changed nothing, not stored yet
}

// New returns a Service that is not started: it confirms purchases, but polls no
// orders yet. Of the processes that share a database one is started.
func New(o Options) *Service {
	if o.Limiter == nil {
		o.Limiter = callrate.New(callrate.Options{})
	}
	s := &Service{
		db: o.DB, market: houseMarket{Market: o.Market, isOperator: o.DB.IsOperatorKey}, wakeOutbox: o.Wake, log: o.Log, ratePer: o.SMMRatePer, topUpURL: o.TopUpURL,
		checkpoint: o.Checkpoint, count: o.CountPurchase, owner: cmp.Or(o.Owner, rand.Text()), queue: newQueue(o.Limiter), forecasts: newForecasts(o.DB, o.Log), figures: &figures{log: o.Log, known: map[string]knownFigures{}}, slotFreed: newSignal(),
		unrecorded: map[int64]unrecorded{}, draftAges: map[int64]loop.Stopwatch{}, pollClock: loop.Clock{Wall: o.Wall}, settleClock: loop.Clock{Wall: o.Wall},
		remindClock: loop.Clock{Wall: o.Wall}, swapClock: loop.Clock{Wall: o.Wall}, basketClock: loop.Clock{Wall: o.Wall},
	}
	if s.checkpoint == nil {
		s.checkpoint = func(string) {}
	}
	if s.count == nil {
		s.count = func(string, string) {}
	}
	s.pollLoop = loop.New("watch orders", o.Log, s.pollOnce)
	s.settleLoop = loop.New("settle purchases", o.Log, s.settleOnce)
	s.recordLoop = loop.New("record orders", o.Log, s.recordOnce)
	s.remindLoop = loop.New("remind", o.Log, s.remindOnce)
	s.swapLoop = loop.New("swap numbers", o.Log, s.swapOnce)
	s.basketLoop = loop.New("buy baskets", o.Log, s.basketOnce)
	s.turnLoop = loop.New("take turns", o.Log, s.turnOnce)
	s.keyLoop = loop.New("retry refused keys", o.Log, s.retryKeysOnce)
	s.sweepLoop = loop.New("sweep", o.Log, s.sweepOnce)
	s.wakePolls = o.Share.Of("polls", s.pollLoop.Wake)
	s.wakeAllPolls = o.Share.Of("all-polls", func() {
		s.queue.readAllNext()
		s.pollLoop.Wake()
	})
	s.wakeReminders = o.Share.Of("reminders", s.remindLoop.Wake)
	s.wakeBaskets = o.Share.Of("baskets", s.basketLoop.Wake)
	s.wakeTurns = o.Share.Of("turns", s.turnLoop.Wake)
	s.wakeSwaps = o.Share.Of("swaps", s.swapLoop.Wake)
	return s
}

// Start starts the background work. Calling it again does nothing.
func (s *Service) Start() {
	for _, l := range []*loop.Loop{s.settleLoop, s.remindLoop, s.swapLoop, s.basketLoop, s.turnLoop, s.pollLoop, s.keyLoop, s.sweepLoop} {
		l.Start()
	}
}

// Stop ends the background work, waits for the polls in flight until ctx is done,
// and stores their results. It may be called several times; each call obeys its own
// ctx.
func (s *Service) Stop(ctx context.Context) error {
	var failures []error
	for _, l := range []*loop.Loop{s.sweepLoop, s.keyLoop, s.pollLoop, s.turnLoop, s.basketLoop, s.swapLoop, s.remindLoop, s.settleLoop, s.recordLoop} {
		failures = append(failures, l.Stop(ctx))
	}
	// Stopping the watch loop has cancelled the polls.
	failures = append(failures, loop.Wait(ctx, &s.polls), s.savePollResults(ctx), s.recordUnrecorded(ctx))
	return errors.Join(failures...)
}

// WakePoller polls due orders now. Call it when the orders of a paused key may be
// polled again.
func (s *Service) WakePoller() { s.wakeAllPolls() }

// WakeSettler settles overdue purchases now. Call it after leases have ended.
func (s *Service) WakeSettler() { s.settleLoop.Wake() }

// NotifyOutcome stores a message about the outcome of a purchase, for a person whose
// card could not show it.
func (s *Service) NotifyOutcome(ctx context.Context, userID, purchaseID int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	err := s.db.AddMessage(ctx, aboutPurchase(userID, purchaseID, MessageOutcome, time.Now()))
	s.wakeOutbox()
	return err
}

// RedrawCard stores that a message of the chat has to be redrawn as soon as the purchase
// that it shows is settled; purchaseID 0: one that shows the cancelling of several orders.
// It is for a message that was left without buttons.
func (s *Service) RedrawCard(ctx context.Context, userID, purchaseID int64, messageID int) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	err := s.db.AddMessage(ctx, aboutCard(userID, purchaseID, int64(messageID), time.Now()))
	s.wakeOutbox()
	return err
}

// sweepOnce removes old rows, and checks the ledger when it runs first.
func (s *Service) sweepOnce(ctx context.Context) (time.Duration, error) {
	var err error
	if !s.ledgerChecked {
		err = s.db.CheckLedger(ctx, time.Now().Add(-ledgerCheck))
		s.ledgerChecked = err == nil
	}
	return sweepInterval, errors.Join(err, s.db.Sweep(ctx, time.Now()))
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
		if _, refused := s.readBalance(ctx, key.Secret); refused == nil {
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

// sleep returns after d, or when ctx is done.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
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
