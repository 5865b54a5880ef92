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

// Inbox stores received updates until they are handled. Everything is durable when
// a method returns.
type Inbox interface {
	// StoreUpdates stores received updates and counts their first attempt; known ids
	// are not changed. places says by index where each update stands among all, in the
	// order of storing; 0 if its id was known.
	StoreUpdates(ctx context.Context, ids, chats []int64, payloads [][]byte) (places []int64, err error)
	// UnfinishedChats returns the chats with updates that are neither finished nor
	// dead-lettered, the longest waiting first. last is a place at or after all these
	// updates, and before all that are stored later.
	UnfinishedChats(ctx context.Context) (chats []int64, last int64, err error)
	// ChatBacklog calls each with the first unfinished updates of a chat after a place,
	// at most limit, in order. payload is nil if it can't be read.
	ChatBacklog(ctx context.Context, chat, after int64, limit int, each func(id, place int64, received time.Time, payload []byte)) error
	// StartAttempt counts another attempt at an update that an earlier process received.
	// attempts is also set if the payload can't be read.
	StartAttempt(ctx context.Context, id int64) (payload []byte, attempts int, err error)
	// Finish marks updates as done, all or none of them.
	Finish(ctx context.Context, ids ...int64) error
	// FinishWithDialog is Finish for one update, and in the same transaction replaces the person's
	// dialog; step "" ends it.
	FinishWithDialog(ctx context.Context, id, user int64, step, data string, until time.Time) error
	// DeadLetter marks an update as one that is not attempted again.
	DeadLetter(ctx context.Context, id int64) error
	// Dialog returns the person's dialog; step "" means none.
	Dialog(ctx context.Context, user int64) (step, data string, err error)
}

// Webhook configures that Telegram sends updates, in place of long polling.
type Webhook struct {
	URL    string        // where Telegram reaches Addr
	Addr   string        // host:port to listen on; plain HTTP, TLS ends before it
	Secret redact.Secret // sent by Telegram with every request (Bot API: setWebhook, 1-256 characters A-Z a-z 0-9 _ -)
}

// Config configures a Bot. Token and Inbox are required.
type Config struct {
	Token   redact.Secret
	APIURL  string   // "" for https://api.telegram.org
	Rate    float64  // messages per second to all chats; 0 = no pacing at all
	Webhook *Webhook // nil = long polling
	Inbox   Inbox
	Dial    func(ctx context.Context, network, addr string) (net.Conn, error) // nil for TCP
	Log     *slog.Logger                                                      // nil for none
	// ObserveUpdate is called for each handled update with its kind ("tap", "text",
	// "command", "step", "group", "member", "inline") and the time since its receipt.
	ObserveUpdate func(kind string, took time.Duration)
	// CountEvent is called for "panic", "dead_lettered", "poll_failed" and "flood".
	CountEvent func(event string)
	// ObserveCall is called for each call to the Bot API with its method, an
	// Outcome and its duration.
	ObserveCall func(method, outcome string, took time.Duration)
}

// Hooks are the texts and decisions that the runtime needs besides the screens.
// All but Identify may be nil.
type Hooks struct {
	// Identify is called first for every update of a person: it records them and
	// returns their language. private means that the update is from their private
	// chat, so that messages can reach them there. ErrIgnored means that the person
	// gets no answer; after another error the update stays in the inbox.
	Identify func(ctx context.Context, u User, private bool) (*locales.Localizer, error)
	// Localize returns the language of a person who is not to be recorded: the author of
	// a command in a group that does not name the bot, or an anonymous admin of a group.
	// ErrIgnored is as in Identify; nil = such commands are not answered.
	Localize func(context.Context, User) (*locales.Localizer, error)
	// Allowed reports whether a person is served; nil = everyone is.
	Allowed func(User) bool
	// Urgent reports whether a person is served before all others.
	Urgent func(userID int64) bool
	// Keep reports whether a text outside dialogs is always handled, also if the person
	// has sent more since.
	Keep func(text string) bool
	// Error returns the view for an error of a screen.
	Error func(context.Context, *Request, error) View
	// Panicked returns the view after a panic; the log contains the same reference.
	Panicked func(req *Request, reference string) View
	// Outdated returns the view for a button that leads to no screen.
	Outdated func(context.Context, *Request) View
	// Group returns the reply to a command in a group; false = none.
	Group func(context.Context, *Request) (View, bool)
	// Inline returns the results for an inline query; nil = queries are not answered.
	// After an error the answer is empty.
	Inline func(context.Context, *InlineRequest) (InlineAnswer, error)
	// DeadLettered is called after an update was dead-lettered.
	DeadLettered func(ctx context.Context, updateID int64)
	// Unreachable is called when a person has blocked the bot or no longer exists.
	Unreachable func(ctx context.Context, userID int64)
}

// User is a person (Bot API: User).
type User struct {
	ID           int64
	FirstName    string
	Username     string // without @; may be empty
	LanguageCode string // IETF tag of their Telegram app; may be empty
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
	receiving     context.Context // ends when Stop begins
	stopReceiving context.CancelFunc
	ready         atomic.Bool
	webhookLost   atomic.Bool // another program took it, and it is not seen again yet
	conflict      pollConflict
	leftover      int64 // the place in the inbox up to which earlier processes received
	recent        recentChats
	noCopyButtons atomic.Bool // Telegram refuses them

	mu        sync.Mutex
	started   bool
	stopped   bool
	receivers sync.WaitGroup // goroutines
}

// New returns a Bot that is not started. It does not call Telegram.
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
	b := &Bot{cfg: cfg, log: cfg.Log, pacer: newPacer(cfg.Rate), router: newRouter(), profile: profile{lock: make(chan struct{}, 1)}, recent: newRecentChats()}
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
		telegram.WithErrorsHandler(func(err error) { b.log.Warn("telegram library failed", "error", b.client.sanitize(err.Error())) }),
	)
	if err != nil {
		return nil, fmt.Errorf("bot: %w", b.client.cause(err))
	}
	b.dispatcher = newDispatcher(b)
	b.receiver = &receiver{bot: b}
	b.work, b.cancelWork = context.WithCancel(context.Background())
	b.receiving, b.stopReceiving = context.WithCancel(b.work)
	return b, nil
}

// SetHooks sets the hooks. Call it before Start.
func (b *Bot) SetHooks(h Hooks) { b.hooks = h }

// Start begins to receive, and to handle the unfinished updates of the inbox. Its errors are those of the inbox and of listening for the webhook; it does not
// wait for Telegram. A second Start does nothing; a Start after Stop is an error.
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
	chats, last, err := b.cfg.Inbox.UnfinishedChats(ctx)
	if err != nil {
		return fmt.Errorf("bot: start: %w", err)
	}
	b.leftover = last
	receive := b.poll
	if b.cfg.Webhook != nil {
		if receive, err = b.listen(ctx); err != nil {
			return fmt.Errorf("bot: start: %w", err)
		}
	}
	b.started = true
	b.dispatcher.resume(chats)
	b.receivers.Go(receive)
	return nil
}

// cutGrace is how long handlers have to record where they stopped after their
// contexts were cancelled.
const cutGrace = time.Second

// Stop ends receiving and waits until all updates in memory are handled. A second
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
	b.dispatcher.stop()

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
	if err := loop.Wait(ctx, &b.receivers); err != nil {
		return err
	}
	return b.dispatcher.wait(ctx)
}

// Idle waits until all received updates are handled and answered.
func (b *Bot) Idle(ctx context.Context) error { return b.dispatcher.wait(ctx) }

// Ready returns why updates are not received; nil if the last request for updates (or
// for the webhook) succeeded or failed only once, and Stop has not begun.
func (b *Bot) Ready() error {
	switch {
	case b.receiving.Err() != nil:
		return errors.New("receiving has ended")
	case !b.ready.Load():
		return errors.New("updates are not being received")
	case b.webhookLost.Load():
		return errors.New("another program has changed or deleted the webhook")
	default:
		return nil
	}
}

// PollConflict returns since when another program receives this bot's updates (Bot
// API: getUpdates answers 409); zero means that there is none. sure is false in the
// first minute after the start, and during the first 30 seconds of a conflict,
// when one program may be replacing another.
func (b *Bot) PollConflict() (since time.Time, sure bool) { return b.conflict.state(time.Now()) }

// ID returns the bot's own id, with which every token begins; 0 if the token has
// another format.
func (b *Bot) ID() int64 {
	id, _, _ := strings.Cut(strings.TrimSpace(b.cfg.Token.Reveal()), ":")
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}
