package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
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

// Inbox stores received updates until they are handled. Several processes may share it:
// each chat that has unfinished updates is owned by one. Everything is durable when a
// method returns.
type Inbox interface {
	// StoreUpdates stores received updates; known ids are not changed. The owner gets the
	// chats that have none. fresh says by index which ids were not known, and unfinished
	// how many unfinished updates the chat of each has now (beyond 64 perhaps fewer); 0 if
	// another process owns the chat. After an error the updates may be stored.
	StoreUpdates(ctx context.Context, owner string, ids, chats []int64, payloads [][]byte) (fresh []bool, unfinished []int, err error)
	// ChatBacklog calls each with the first unfinished updates of an owner's chat, at most
	// limit, in order of their ids. payload is nil if it can't be read.
	ChatBacklog(ctx context.Context, owner string, chat int64, limit int, each func(id int64, received time.Time, payload []byte)) error
	// OrphanedChats returns the chats whose owner has ended, and the last unfinished update
	// of each: those with the fewest attempts at one update first, of them the longest
	// waiting.
	OrphanedChats(ctx context.Context) (chats, last []int64, err error)
	// AdoptChats gives an owner those of the chats that are orphaned.
	AdoptChats(ctx context.Context, owner string, chats []int64) error
	// OwnedChats returns the chats of an owner.
	OwnedChats(ctx context.Context, owner string) ([]int64, error)
	// RestoreChats makes chats that have unfinished updates and no owner orphans, and
	// returns how many. There should be none.
	RestoreChats(ctx context.Context) (int, error)
	// StartAttempt counts an attempt at an update that may end the process.
	StartAttempt(ctx context.Context, id int64) (attempts int, err error)
	// BeginRecovery records that a process begins to handle what earlier ones have left.
	// again reports whether an earlier one recorded that, and did not end it.
	BeginRecovery(ctx context.Context) (again bool, err error)
	// EndRecovery undoes BeginRecovery; without one it writes nothing.
	EndRecovery(ctx context.Context) error
	// Finish marks updates of an owner's chat as done, all or none of them. more reports
	// that the chat may have further unfinished updates. Nothing changes if the chat is not
	// the owner's.
	Finish(ctx context.Context, owner string, chat int64, ids ...int64) (more bool, err error)
	// FinishWithDialog is Finish for one update, and in the same transaction replaces the person's
	// dialog; step "" ends it.
	FinishWithDialog(ctx context.Context, owner string, chat, id, user int64, step, data string, until time.Time) (more bool, err error)
	// DeadLetter is Finish for an update that is not attempted again.
	DeadLetter(ctx context.Context, owner string, chat, id int64) (more bool, err error)
	// Dialog returns the person's dialog; step "" means none.
	Dialog(ctx context.Context, user int64) (step, data string, err error)
	// Setting returns what SetSetting has stored under a name, or "".
	Setting(ctx context.Context, name string) (string, error)
	SetSetting(ctx context.Context, name, value string) error
	// Digest returns a keyed digest, from which nobody learns the data.
	Digest(domain string, data []byte) string
}

// Webhook configures that Telegram sends updates, in place of long polling.
type Webhook struct {
	URL  string // where Telegram reaches Addr
	Addr string // host:port to listen on; plain HTTP, TLS ends before it
	// Secrets are accepted with a request (Bot API: setWebhook, each 1-256 characters
	// A-Z a-z 0-9 _ -). Telegram is told the first one.
	Secrets []redact.Secret
}

// Config configures a Bot. Token and Inbox are required.
type Config struct {
	Token   redact.Secret
	APIURL  string   // "" for https://api.telegram.org
	Rate    float64  // messages per second to all chats; 0 = no pacing at all
	Pace    Pace     // of all processes that send with this token; nil = there is no other
	Webhook *Webhook // nil = long polling
	Inbox   Inbox
	Owner   string                                                            // of this process's chats in the inbox
	Shared  bool                                                              // other processes use the inbox as well
	Dial    func(ctx context.Context, network, addr string) (net.Conn, error) // nil for TCP
	Log     *slog.Logger                                                      // nil for none
	// ObserveUpdate is called for each handled update with its kind ("tap", "text",
	// "command", "step", "group", "member", "inline"), the name of the route that a
	// tapped button leads to ("outdated" where there is none; "" for other kinds), and
	// the time since its receipt.
	ObserveUpdate func(kind, screen string, took time.Duration)
	// CountEvent is called for "panic", "dead_lettered", "poll_failed", "flood" and
	// "chat_rescued".
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
	// gets no answer; after another error the update is handled again in a while.
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
	// has sent more since. A caption or an edited message is handled like a text only if
	// Keep names it.
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
	// DeadLettered is called before an update is dead-lettered. After an error
	// it is called again in a while. A process that ends in between calls it again.
	DeadLettered func(context.Context, DeadLetter) error
	// ChatChanged is called when a group or a channel has changed for the bot; nil = such
	// changes are ignored. After an error it is called again in a while.
	ChatChanged func(context.Context, ChatChange) error
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

// DeadLetter is an update that is given up.
type DeadLetter struct {
	UpdateID int64
	// UserID is the person in whose private chat somebody may wait for an answer; 0 =
	// nobody does.
	UserID    int64
	User      User   // the zero User if the update can't be read
	Text      string // of the person's message
	Tapped    bool
	Label     string // of the tapped button; "" if it is not known
	Data      string // of the tapped button
	MessageID int    // the tapped message; 0 if it is not known
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
	router     router
	profile    profile

	work            context.Context // of handlers; ends when Stop runs out of time
	cancelWork      context.CancelFunc
	receiving       context.Context // ends when Stop begins
	stopReceiving   context.CancelFunc
	ready           atomic.Bool
	webhookLost     atomic.Bool // another program took it, and it is not seen again yet
	pollConflict    *conflict
	webhookConflict *conflict
	recovering      atomic.Bool // the inbox has the record of BeginRecovery
	leads           atomic.Bool // Lead was called
	recent          recentChats
	noCopyButtons   atomic.Bool // Telegram refuses them
	noLocalTimes    atomic.Bool // likewise
	noEffects       atomic.Bool // likewise

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
		cfg.ObserveUpdate = func(string, string, time.Duration) {}
	}
	if cfg.CountEvent == nil {
		cfg.CountEvent = func(string) {}
	}
	if cfg.ObserveCall == nil {
		cfg.ObserveCall = func(string, string, time.Duration) {}
	}
	if cfg.Webhook != nil && (len(cfg.Webhook.Secrets) == 0 || slices.Contains(cfg.Webhook.Secrets, "")) {
		return nil, errors.New("bot: a webhook needs a secret")
	}
	b := &Bot{
		cfg: cfg, log: cfg.Log, pacer: newPacer(cfg.Rate, cfg.Pace), router: newRouter(), profile: profile{lock: make(chan struct{}, 1)}, recent: newRecentChats(),
		pollConflict: newPollConflict(), webhookConflict: newWebhookConflict(),
	}
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
	b.work, b.cancelWork = context.WithCancel(context.Background())
	b.receiving, b.stopReceiving = context.WithCancel(b.work)
	return b, nil
}

// SetHooks sets the hooks. Call it before Start.
func (b *Bot) SetHooks(h Hooks) { b.hooks = h }

// Start begins to handle updates, which the webhook receives. Its errors are those of
// listening. A second Start does nothing; a Start after Stop is an error.
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
	if b.cfg.Webhook != nil {
		serve, err := b.listen(ctx)
		if err != nil {
			return fmt.Errorf("bot: start: %w", err)
		}
		b.receivers.Go(serve)
	}
	b.receivers.Go((&rescuer{bot: b}).run)
	b.receivers.Go(b.learnUsername)
	b.started = true
	return nil
}

// Lead begins what one process does for all: it handles what ended processes have left in
// the inbox, and asks Telegram for updates or keeps the webhook set. Its errors are those
// of the inbox; it does not wait for Telegram. Call it once, after Start.
func (b *Bot) Lead(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return errors.New("bot: lead after stop")
	}
	err := b.adopt(ctx)
	if err == nil && !b.recovering.Load() {
		err = b.cfg.Inbox.EndRecovery(ctx) // an earlier process may have left its record
	}
	if err != nil {
		return fmt.Errorf("bot: lead: %w", err)
	}
	b.leads.Store(true)
	b.receivers.Go(b.keepChats)
	if b.cfg.Webhook != nil {
		b.receivers.Go(b.keepWebhook)
	} else {
		b.receivers.Go(b.poll)
	}
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
	b.endRecovery() // nothing has ended the process
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
func (b *Bot) PollConflict() (since time.Time, sure bool) { return b.pollConflict.state(time.Now()) }

// WebhookConflict returns since when another program changes or deletes this bot's
// webhook, which is set again each time; zero means that none did for ten minutes. sure
// is false in the first ten minutes after the start if none did since then.
func (b *Bot) WebhookConflict() (since time.Time, sure bool) {
	return b.webhookConflict.state(time.Now())
}

// ID returns the bot's own id, with which every token begins; 0 if the token has
// another format.
func (b *Bot) ID() int64 {
	id, _, _ := strings.Cut(strings.TrimSpace(b.cfg.Token.Reveal()), ":")
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}
