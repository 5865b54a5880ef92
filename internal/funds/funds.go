package funds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/loop"
	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// Kinds of stored messages. All but MessagePaused have a Notice.
const (
	MessageArrived = "topup"        // the money has arrived; of the new draft
	MessageGone    = "topup_gone"   // it has arrived, but it can no longer be bought
	MessagePaused  = "topup_paused" // the wait ended because of maintenance
	MessageLow     = "balance_low"  // the balance is below the person's amount
)

const (
	topUpPause    = 15 * time.Second // at first
	topUpQuick    = 10 * time.Minute // that long
	topUpMaxPause = 5 * time.Minute
	// TopUpLimit is how long a person waits for a top-up at most.
	TopUpLimit = 6 * time.Hour
	lowPause   = 10 * time.Minute
	keyPause   = time.Hour // without a key that can be used

	readTimeout = 30 * time.Second
	dueAtOnce   = 200
	callsAtOnce = 8
	maxPause    = 15 * time.Second // between looks at what other processes may have stored
)

// Notice is the body of a message.
type Notice struct {
	Balance  decimal.Decimal `json:"balance"`
	Added    decimal.Decimal `json:"added"` // since the wait began
	Limit    decimal.Decimal `json:"limit"` // of MessageLow
	Currency string          `json:"currency"`
}

// DecodeNotice decodes the body of a message.
func DecodeNotice(message storage.Message) (Notice, error) {
	var notice Notice
	if err := json.Unmarshal(message.Body, &notice); err != nil {
		return Notice{}, errors.New("decode notice about a balance: malformed body")
	}
	return notice, nil
}

// Market is the part of *hstock.Client that this package calls.
type Market interface {
	Balance(ctx context.Context, key redact.Secret) (hstock.Balance, error)
}

// Options configures a Service. Share and Wall may be zero.
type Options struct {
	DB     *storage.DB
	Market Market
	Orders *orders.Service
	Log    *slog.Logger
	// Wake makes the outbox send stored messages now.
	Wake func()
	// Language returns the language of a person, in the marketplace's spelling.
	Language func(storage.User) string
	// Share makes what wakes the loop concern all processes on the database.
	Share loop.Share
	// Wall returns the wall time that steps of the clock are noticed by; nil: the
	// system's. Tests replace it.
	Wall func() time.Time
}

// ErrHouse is returned for a purchase that the operator's key pays: nobody waits for a top-up
// of the operator's account.
var ErrHouse = errors.New("the operator's key pays")

// Service watches balances. Of the processes that share a database one is started.
type Service struct {
	Options
	loop  *loop.Loop
	wake  func()
	clock loop.Clock
}

// New returns a Service that is not started: it stores watches and reads no balance.
func New(o Options) *Service {
	s := &Service{Options: o, clock: loop.Clock{Wall: o.Wall}}
	s.loop = loop.New("watch balances", o.Log, s.once)
	s.wake = o.Share.Of("balances", s.loop.Wake)
	return s
}

// Start starts the loop. Calling it again does nothing.
func (s *Service) Start() { s.loop.Start() }

// Stop ends the loop and waits for the calls in flight until ctx is done.
func (s *Service) Stop(ctx context.Context) error { return s.loop.Stop(ctx) }

// AwaitTopUp waits until the balance suffices for a draft, TopUpLimit at most, in place of
// the wait before. ErrHouse: the operator's key pays.
func (s *Service) AwaitTopUp(ctx context.Context, p storage.Purchase) error {
	if p.House {
		return ErrHouse
	}
	now := time.Now()
	err := s.DB.SetBalanceWatch(ctx, storage.BalanceWatch{
		UserID: p.UserID, Kind: storage.BalanceTopUp, KeyID: p.KeyID, PurchaseID: p.ID, Amount: p.Total(), Currency: p.Currency, Seen: p.Balance,
		StartedAt: now, NextAt: now.Add(topUpPause),
	})
	s.wake()
	return err
}

// WarnBelow warns a person when their balance is below an amount.
func (s *Service) WarnBelow(ctx context.Context, userID int64, amount decimal.Decimal, currency string) error {
	now := time.Now()
	err := s.DB.SetBalanceWatch(ctx, storage.BalanceWatch{
		UserID: userID, Kind: storage.BalanceLow, Amount: amount, Currency: currency, StartedAt: now, NextAt: now,
	})
	s.wake()
	return err
}

// once reads the balances that are due.
func (s *Service) once(ctx context.Context) (time.Duration, error) {
	if err := s.clock.AfterStep(func(bool) error { return s.DB.PullBalanceWatches(ctx, time.Now()) }); err != nil {
		return 0, err
	}
	due, err := s.DB.DueBalanceWatches(ctx, time.Now(), dueAtOnce)
	if err != nil {
		return 0, err
	}
	failures := loop.Parallel(s.Log, len(due), callsAtOnce, "watch a balance", func(i int) error {
		err := s.check(ctx, due[i])
		if err != nil { // a damaged row delays no other
			err = errors.Join(err, s.readAgain(ctx, due[i], topUpMaxPause))
		}
		return err
	})
	next, err := s.DB.NextBalanceWatch(ctx)
	pause := maxPause
	if !next.IsZero() {
		pause = min(max(time.Until(next), 0), maxPause)
	}
	return pause, errors.Join(append(failures, err)...)
}

// check reads the balance of one watch and stores what follows.
func (s *Service) check(ctx context.Context, w storage.BalanceWatch) error {
	key, err := s.DB.OwnKey(ctx, w.UserID) // never the operator's
	usable := err == nil && !key.Invalid
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	if w.Kind == storage.BalanceLow {
		if !usable {
			return s.readAgain(ctx, w, keyPause)
		}
		return s.checkLow(ctx, w, key)
	}
	if !usable || key.ID != w.KeyID || time.Since(w.StartedAt) >= TopUpLimit {
		return s.end(ctx, w)
	}
	return s.checkTopUp(ctx, w, key)
}

func (s *Service) checkLow(ctx context.Context, w storage.BalanceWatch, key storage.Key) error {
	balance, err := s.read(ctx, key.Secret)
	if err != nil || balance.Currency != w.Currency {
		return s.readAgain(ctx, w, lowPause)
	}
	after := w
	after.NextAt, after.Fired = time.Now().Add(loop.Jitter(lowPause)), balance.Amount.LessThan(w.Amount)
	if w.Fired || !after.Fired {
		_, err = s.DB.UpdateBalanceWatch(ctx, w, after)
		return err
	}
	message, err := s.message(w, MessageLow, 0, balance)
	if err == nil {
		_, err = s.DB.UpdateBalanceWatch(ctx, w, after, message)
		s.Wake()
	}
	return err
}

func (s *Service) checkTopUp(ctx context.Context, w storage.BalanceWatch, key storage.Key) error {
	pause := topUpPause
	if age := time.Since(w.StartedAt); age >= topUpQuick {
		pause = min(age/20, topUpMaxPause)
	}
	p, err := s.DB.Purchase(ctx, w.UserID, w.PurchaseID)
	if errors.Is(err, storage.ErrNotFound) {
		return s.end(ctx, w)
	}
	if err != nil {
		return err
	}
	paying, err := s.DB.ActiveKey(ctx, w.UserID)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	if paying.ID != key.ID { // the operator's key pays
		return s.end(ctx, w)
	}
	bought, err := s.DB.BoughtSince(ctx, p, w.StartedAt)
	if err != nil {
		return err
	}
	if bought {
		return s.end(ctx, w)
	}
	if err := s.Orders.CanBuy(ctx); errors.Is(err, orders.ErrMaintenance) {
		return s.end(ctx, w, storage.Message{UserID: w.UserID, Kind: MessagePaused, Priority: outbox.PriorityStatus, CreatedAt: time.Now()})
	} else if err != nil { // until admins have looked at the database
		return s.readAgain(ctx, w, pause)
	}
	balance, err := s.read(ctx, key.Secret)
	switch kind, _ := hstock.KindOf(err); {
	case err != nil && kind == hstock.InvalidKey:
		return s.end(ctx, w)
	case err != nil || balance.Currency != w.Currency || balance.Amount.LessThan(w.Amount):
		return s.readAgain(ctx, w, pause)
	}
	return s.offer(ctx, w, p, balance, pause)
}

// offer draws a new confirm card for a purchase whose money has arrived.
func (s *Service) offer(ctx context.Context, w storage.BalanceWatch, p storage.Purchase, balance hstock.Balance, pause time.Duration) error {
	user, err := s.DB.User(ctx, w.UserID)
	if err != nil {
		return err
	}
	drawing, cancel := context.WithTimeout(hstock.Background(ctx), readTimeout)
	defer cancel()
	quote, err := s.Orders.DraftAgain(drawing, p, s.Language(user))
	kind, fromMarket := hstock.KindOf(err)
	switch {
	case err == nil && quote.Blocked(): // the price has risen
		after := w
		after.PurchaseID, after.Amount, after.NextAt = quote.Purchase.ID, quote.Purchase.Total(), time.Now().Add(pause)
		_, err = s.DB.UpdateBalanceWatch(ctx, w, after)
		return err
	case err == nil:
		return s.endWith(ctx, w, MessageArrived, quote.Purchase.ID, balance)
	case errors.Is(err, orders.ErrMaintenance), errors.Is(err, orders.ErrNoKey), fromMarket && kind != hstock.Refused, ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded):
		return s.readAgain(ctx, w, pause)
	default: // sold out, delisted, a quantity that is no longer possible
		return s.endWith(ctx, w, MessageGone, w.PurchaseID, balance)
	}
}

// read reads a balance behind all taps, once.
func (s *Service) read(ctx context.Context, key redact.Secret) (hstock.Balance, error) {
	ctx, cancel := context.WithTimeout(hstock.Background(hstock.SingleAttempt(ctx)), readTimeout)
	defer cancel()
	return s.Market.Balance(ctx, key)
}

func (s *Service) readAgain(ctx context.Context, w storage.BalanceWatch, pause time.Duration) error {
	after := w
	after.NextAt = time.Now().Add(loop.Jitter(pause))
	_, err := s.DB.UpdateBalanceWatch(ctx, w, after)
	return err
}

func (s *Service) end(ctx context.Context, w storage.BalanceWatch, messages ...storage.Message) error {
	_, err := s.DB.EndBalanceWatch(ctx, w, messages...)
	if len(messages) > 0 {
		s.Wake()
	}
	return err
}

func (s *Service) endWith(ctx context.Context, w storage.BalanceWatch, kind string, purchaseID int64, balance hstock.Balance) error {
	message, err := s.message(w, kind, purchaseID, balance)
	if err != nil {
		return err
	}
	return s.end(ctx, w, message)
}

func (s *Service) message(w storage.BalanceWatch, kind string, purchaseID int64, balance hstock.Balance) (storage.Message, error) {
	body, err := json.Marshal(Notice{Balance: balance.Amount, Added: balance.Amount.Sub(w.Seen), Limit: w.Amount, Currency: balance.Currency})
	if err != nil {
		return storage.Message{}, fmt.Errorf("encode notice about a balance: %w", err)
	}
	return storage.Message{UserID: w.UserID, PurchaseID: purchaseID, Kind: kind, Priority: outbox.PriorityReply, Body: body, CreatedAt: time.Now()}, nil
}
