// Package bot is the Telegram runtime: it receives updates and stores them
// before it acknowledges them, keeps the order of each chat while chats run in
// parallel, routes what people type and tap to handlers, draws the views that
// those return, answers every tap in time, and paces what it sends.
//
// It owns everything that Telegram asks of a bot and knows no word of the shop:
// what is said comes in views and through Hooks.
package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	telegram "github.com/go-telegram/bot"

	"hstockbot/internal/loop"
	"hstockbot/internal/redact"
	"hstockbot/locales"
)

// Inbox keeps received updates until they are handled. All of it is durable
// when it returns.
type Inbox interface {
	// StoreUpdates stores received updates, as attempted once; known ids are left as they
	// are. fresh says by position which were not known.
	StoreUpdates(ctx context.Context, ids, chats []int64, payloads [][]byte) (fresh []bool, err error)
	// Unfinished returns what is neither finished nor parked, oldest first.
	Unfinished(ctx context.Context) (ids, chats []int64, err error)
	// StartAttempt counts one more attempt at an update that was found after a restart.
	// attempts counts also where the payload can't be read.
	StartAttempt(ctx context.Context, id int64) (payload []byte, attempts int, err error)
	// Finish marks an update as done.
	Finish(ctx context.Context, id int64) error
	// FinishWithDialog is Finish, and in the same transaction makes step, with its
	// data, what the person's next text means until then; step "" clears it.
	FinishWithDialog(ctx context.Context, id, user int64, step, data string, until time.Time) error
	// DeadLetter gives an update up.
	DeadLetter(ctx context.Context, id int64) error
	// Dialog returns what the person's next text means, "" for nothing.
	Dialog(ctx context.Context, user int64) (step, data string, err error)
}

// Webhook has Telegram send updates by itself instead of being asked for them.
type Webhook struct {
	URL    string        // where Telegram reaches Addr
	Addr   string        // host:port to listen on, plain HTTP: TLS ends before it
	Secret redact.Secret // what Telegram must say with every request (Bot API: setWebhook, "1-256 characters A-Z a-z 0-9 _ -")
}

// Config configures a Bot. Token and Inbox are required.
type Config struct {
	Token   redact.Secret
	APIURL  string   // "" for https://api.telegram.org
	Rate    float64  // messages a second in all; 0 = no pacing, per chat neither
	Webhook *Webhook // nil = long polling
	Inbox   Inbox
	Dial    func(ctx context.Context, network, addr string) (net.Conn, error) // nil for TCP
	Log     *slog.Logger                                                      // nil for none
	// ObserveUpdate is called for each handled update with its kind ("tap", "text",
	// "command", "step", "group", "member", "inline") and the time from its receipt.
	ObserveUpdate func(kind string, took time.Duration)
	// CountEvent is called for "panic", "dead_lettered", "poll_failed" and "flood".
	CountEvent func(event string)
	// ObserveCall is called for each call to the Bot API with its method, an
	// Outcome and the time that it took.
	ObserveCall func(method, outcome string, took time.Duration)
}

// Hooks is what the shop says and decides where the runtime itself must ask.
// All but Greet may be nil.
type Hooks struct {
	// Identify is called for every update of a person, before anything else: it
	// records them and returns their language. private says that the update is of
	// their private chat, so that messages can reach them there. An error is
	// ErrIgnored for somebody who gets no answer, else the update is kept for later.
	Identify func(ctx context.Context, u User, private bool) (*locales.Localizer, error)
	// Allowed says who is served; nil = everybody. Others are ignored.
	Allowed func(User) bool
	// Error turns a handler's error into what is shown.
	Error func(context.Context, *Request, error) View
	// Panicked is what is shown after a panic; the reference stands in the log too.
	Panicked func(req *Request, reference string) View
	// Outdated is what is shown for a button that leads nowhere any more.
	Outdated func(context.Context, *Request) View
	// Group is what is said to a command in a group; false = nothing.
	Group func(context.Context, *Request) (View, bool)
	// Inline finds what a person types behind the bot's name in any chat; nil:
	// such queries get no answer. An error is an empty answer.
	Inline func(context.Context, *InlineRequest) (InlineAnswer, error)
	// DeadLettered is told of an update that was given up.
	DeadLettered func(ctx context.Context, updateID int64)
	// Unreachable is told of a person who has blocked the bot or is gone.
	Unreachable func(ctx context.Context, userID int64)
}

// User is a person as Telegram tells of them.
type User struct {
	ID           int64
	FirstName    string
	Username     string // without @; may be empty
	LanguageCode string // IETF tag of their Telegram; may be empty
}

// Bot is the runtime. Routes, commands, steps and Text are registered before
// Start; everything else may be called at any time, from any goroutine.
type Bot struct {
	cfg        Config
	hooks      Hooks
	log        *slog.Logger
	library    *telegram.Bot
	client     *client
	pacer      *pacer
	dispatcher *dispatcher
	receiver   *receiver
	router     router
	profile    profile

	work          context.Context // of handlers; ends when Stop runs out of time
	cancelWork    context.CancelFunc
	receive       context.Context // of receiving; ends when Stop begins
	stopReceiving context.CancelFunc
	ready         atomic.Bool
	conflict      pollConflict

	mu       sync.Mutex
	started  bool
	stopped  bool
	received sync.WaitGroup // the goroutines that receive
}

// AsNewMessage returns a Bot. It does not call Telegram.
func New(cfg Config) (*Bot, error) {
	if cfg.Inbox == nil {
		return nil, errors.New("bot: Inbox is required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.ObserveUpdate == nil {
		cfg.ObserveUpdate = func(string, time.Duration) {}
	}
	if cfg.CountEvent == nil {
		cfg.CountEvent = func(string) {}
	}
	if cfg.ObserveCall == nil {
		cfg.ObserveCall = func(string, string, time.Duration) {}
	}
	if cfg.Webhook != nil && cfg.Webhook.Secret == "" {
		return nil, errors.New("bot: a webhook needs a secret")
	}
	b := &Bot{cfg: cfg, log: cfg.Log, pacer: newPacer(cfg.Rate), router: newRouter(), profile: newProfile()}
	var err error
	if b.client, err = newClient(cfg); err != nil {
		return nil, err
	}
	token := strings.TrimSpace(cfg.Token.Reveal())
	b.library, err = telegram.New(token,
		telegram.WithSkipGetMe(),
		telegram.WithServerURL(strings.TrimSuffix(b.client.prefix, "/bot"+token+"/")),
		telegram.WithHTTPClient(pollTimeout, b.client),
		telegram.WithNotAsyncHandlers(),
		telegram.WithDefaultHandler(b.handle),
		telegram.WithErrorsHandler(func(err error) { b.log.Warn("the Telegram library complains", "error", b.client.sanitize(err.Error())) }),
	)
	if err != nil {
		return nil, fmt.Errorf("bot: %w", b.client.cause(err))
	}
	b.dispatcher = newDispatcher(b.run, maxWorkers, maxPending)
	b.receiver = &receiver{bot: b}
	b.work, b.cancelWork = context.WithCancel(context.Background())
	b.receive, b.stopReceiving = context.WithCancel(b.work)
	return b, nil
}

// SetHooks sets what the screens say and decide. Call it before Start.
func (b *Bot) SetHooks(h Hooks) { b.hooks = h }

// Start begins to receive: first what was left unfinished, then what is new.
// Its errors are those of the inbox and of listening for the webhook; Telegram
// need not be up. Starting twice is starting once, after Stop it is an error.
func (b *Bot) Start(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stopped:
		return errors.New("bot: start after stop")
	case b.started:
		return nil
	case b.hooks.Identify == nil:
		return errors.New("bot: start without Hooks.Identify")
	}
	ids, chats, err := b.cfg.Inbox.Unfinished(ctx)
	if err != nil {
		return fmt.Errorf("bot: start: %w", err)
	}
	receive := b.poll
	if b.cfg.Webhook != nil {
		if receive, err = b.listen(ctx); err != nil {
			return fmt.Errorf("bot: start: %w", err)
		}
	}
	b.started = true
	b.received.Go(func() {
		b.receiver.resume(ids, chats)
		receive()
	})
	return nil
}

// cutGrace is how long handlers have to record where they stopped after their
// contexts were cancelled.
const cutGrace = time.Second

// Stop ends receiving and waits until all received updates are handled. A second
// before ctx's deadline it cancels the contexts of the handlers; the updates that
// they do not finish are handled after the next start. The error is ctx's, if
// handlers are still running then.
//
// Stop may be called several times, also at once: each call obeys its own ctx, and
// the earliest deadline cancels the handlers. Send and Edit work after it.
func (b *Bot) Stop(ctx context.Context) error {
	b.mu.Lock()
	b.stopped = true
	b.mu.Unlock()
	b.stopReceiving()

	drain, cancel := beforeDeadline(ctx)
	defer cancel()
	err := b.drain(drain)
	if err != nil {
		if b.work.Err() == nil {
			b.log.Warn("handlers cut off by the stop")
		}
		b.cancelWork()
		err = b.drain(ctx)
	}
	b.cancelWork()
	b.client.transport.CloseIdleConnections()
	if err != nil {
		return fmt.Errorf("bot: stop: %w", err)
	}
	return nil
}

// beforeDeadline returns a context that ends cutGrace before ctx does.
func beforeDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(cutGrace, time.Until(deadline)/4)))
}

// drain waits until receiving has ended and all received updates are handled.
func (b *Bot) drain(ctx context.Context) error {
	if err := loop.Wait(ctx, &b.received); err != nil {
		return err
	}
	return b.dispatcher.wait(ctx)
}

// Idle returns when everything that was received is handled and answered.
func (b *Bot) Idle(ctx context.Context) error { return b.dispatcher.wait(ctx) }

// Ready reports whether updates are coming in, as far as it depends on us.
func (b *Bot) Ready() bool { return b.ready.Load() && b.receive.Err() == nil }

// PollConflict returns since when somebody else receives this bot's updates
// (Telegram answers 409 to getUpdates); zero: nobody does. sure is false where
// that can't be told: right after the start, and while one program may be taking
// over from another.
func (b *Bot) PollConflict() (since time.Time, sure bool) { return b.conflict.state(time.Now()) }

// ID returns the bot's own id, which every token begins with.
func (b *Bot) ID() int64 {
	id, _, _ := strings.Cut(strings.TrimSpace(b.cfg.Token.Reveal()), ":")
	n, _ := strconv.ParseInt(id, 10, 64) // 0 for a token of no known shape
	return n
}
