// Package telegram is a pretend Bot API server with the people behind it, for
// tests and for the demo.
//
// It owns what Telegram would: it checks every call against the field tables of
// Bot API 10.1 (botapi.json), refuses what Telegram refuses in Telegram's words,
// keeps chats, delivers updates by long polling or webhook, and lets people type
// and tap. It must not know the bot: nothing here is imported from it, so that a
// mistake can't be made on both sides alike.
//
// It is stricter than Telegram where that finds mistakes: an unknown parameter
// or field, a value of the wrong JSON type, a button with two actions, and a
// call that the sandbox does not implement are errors 400.
//
// It works over loopback and, inside a testing/synctest bubble, over net.Pipe;
// it has no goroutine of its own except one while a webhook is set.
package telegram

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// DefaultToken is the bot's token where Options names none.
const DefaultToken = "4200:pretend-token-of-the-sandbox"

// Options says which bot the server knows and how strict it is.
type Options struct {
	Token    string // "<bot's id>:<secret>"; "": DefaultToken
	Username string // without @; "": "sandbox_bot"
	Name     string // the bot's first name; "": "Shop"

	// Flood makes messages count: over 30 a second in all, 1 a second in a chat
	// or 20 a minute in a group (each with a small burst) the answer is a 429
	// with retry_after.
	Flood bool

	// NoLog keeps neither calls nor history, for long runs and benchmarks.
	NoLog bool

	// Dial connects to the webhook; nil: the network. With it, or on loopback,
	// a webhook may be plain http.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Server is the pretend Telegram. Its methods may be used by several goroutines.
type Server struct {
	opts   Options
	bot    Person
	closed chan struct{}
	ending sync.Once

	mu         sync.Mutex
	chats      map[int64]*chat
	watchers   map[chan struct{}]struct{}
	updates    updates
	hook       *webhook
	queries    queries
	inlines    inlines
	files      files
	profile    profile
	flood      bucket
	faults     []*Fault
	unloadable map[string]bool // by address
	calls      callLog
}

// New returns a server without people. Close ends it.
func New(opts Options) *Server {
	if opts.Token == "" {
		opts.Token = DefaultToken
	}
	if opts.Username == "" {
		opts.Username = "sandbox_bot"
	}
	if opts.Name == "" {
		opts.Name = "Shop"
	}
	id, _, _ := strings.Cut(opts.Token, ":")
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		number = 4200 // a token without the bot's id in front is any bot's
	}
	return &Server{
		opts:       opts,
		bot:        Person{ID: number, FirstName: opts.Name, Username: opts.Username},
		closed:     make(chan struct{}),
		chats:      map[int64]*chat{},
		watchers:   map[chan struct{}]struct{}{},
		unloadable: map[string]bool{},
		updates:    updates{next: firstUpdate},
		queries:    queries{open: map[string]*query{}},
		inlines:    inlines{open: map[string]*inlineQuery{}, cached: map[cachedFor]cachedAnswer{}},
		files:      files{byID: map[string]*Document{}, byPath: map[string]*Document{}},
		profile:    newProfile(),
		calls:      callLog{counts: map[string]int{}},
	}
}

// Close ends open polls and the webhook. It may be called again.
func (s *Server) Close() {
	s.ending.Do(func() {
		close(s.closed)
		s.mu.Lock()
		hook := s.hook
		s.mu.Unlock()
		if hook != nil {
			hook.stop()
		}
	})
}

// Subscribe returns a channel that gets a value after every change of any chat,
// call or order; changes that come faster than they are read are one. cancel
// ends it.
func (s *Server) Subscribe() (changes <-chan struct{}, cancel func()) {
	ch := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers[ch] = struct{}{}
	return ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, ch)
	}
}

// changed tells the watchers of the server, and of one chat where c is not nil.
// The caller holds mu.
func (s *Server) changed(c *chat) {
	notify(s.watchers)
	if c != nil {
		notify(c.watchers)
	}
}

func notify(watchers map[chan struct{}]struct{}) {
	for ch := range watchers {
		select {
		case ch <- struct{}{}:
		default: // a signal is waiting already
		}
	}
}

// ServeHTTP answers /bot<token>/<method> and /file/bot<token>/<path>.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rest, ok := strings.CutPrefix(r.URL.Path, "/file/bot"); ok {
		token, path, _ := strings.Cut(rest, "/")
		s.serveFile(w, token, path)
		return
	}
	rest, ok := strings.CutPrefix(r.URL.Path, "/bot")
	token, name, slash := strings.Cut(rest, "/")
	switch {
	case !ok || !slash || name == "":
		reply(w, nil, refuse(http.StatusNotFound, "Not Found"))
	case token != s.opts.Token:
		reply(w, nil, refuse(http.StatusUnauthorized, "Unauthorized"))
	default:
		s.call(w, r, name)
	}
}

// call carries one method call from its parameters to its answer.
func (s *Server) call(w http.ResponseWriter, r *http.Request, name string) {
	m := tables().method(name)
	if m == nil {
		m = &method{name: name, unknown: true}
	}
	a, err := readArgs(w, r)
	c, fault := s.begin(m.name, a)
	if fault.Delay > 0 && !s.pause(r.Context(), fault.Delay) {
		panic(http.ErrAbortHandler)
	}
	var result any
	done := false
	switch {
	case fault.Cut:
	case fault.Code != 0:
		err = fault.refusal()
	case fault.HTML && !fault.LoseAnswer:
	case err == nil:
		if err = m.check(a); err == nil {
			result, err = s.do(r.Context(), m.name, a, c)
			done = err == nil
		}
	}
	s.mu.Lock()
	s.finish(c, done, err)
	s.mu.Unlock()
	switch {
	case fault.Cut, fault.LoseAnswer, err == errGone:
		panic(http.ErrAbortHandler) // net/http closes the connection without an answer
	case fault.HTML:
		badGateway(w)
	default:
		reply(w, result, err)
	}
}

// pause waits, and says whether the caller is still there afterwards.
func (s *Server) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	case <-s.closed:
		return false
	}
}

// do carries the method out, and writes into c how that went before anybody can
// see what has changed.
func (s *Server) do(ctx context.Context, name string, a args, c *Call) (any, *apiError) {
	if field := a.unsupported(); field != "" {
		return nil, badRequest("parameter %q is not implemented in the sandbox", field)
	}
	switch name { // those that wait, and so must not hold mu
	case "getUpdates":
		return s.getUpdates(ctx, a)
	case "setWebhook", "deleteWebhook":
		return s.changeWebhook(a)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	result, err := s.carryOut(name, a)
	s.finish(c, err == nil, err)
	return result, err
}

// carryOut does what a method does at once. One of the tables that is not here
// is refused. The caller holds mu.
func (s *Server) carryOut(name string, a args) (any, *apiError) {
	switch name {
	case "sendMessage":
		return s.sendMessage(a)
	case "editMessageText":
		return s.editMessageText(a)
	case "answerCallbackQuery":
		return s.answerCallbackQuery(a)
	case "answerInlineQuery":
		return s.answerInlineQuery(a)
	case "editMessageReplyMarkup":
		return s.editMessageReplyMarkup(a)
	case "editMessageCaption":
		return s.editMessageCaption(a)
	case "deleteMessage":
		return s.deleteMessage(a)
	case "deleteMessages":
		return s.deleteMessages(a)
	case "sendDocument":
		return s.sendFile(a, "document")
	case "sendPhoto":
		return s.sendFile(a, "photo")
	case "sendChatAction":
		return s.sendChatAction(a)
	case "getFile":
		return s.getFile(a)
	case "getChat":
		return s.getChat(a)
	case "getMe":
		return s.me(), nil
	case "getWebhookInfo":
		return s.webhookInfo(), nil
	case "setMyCommands":
		return s.setMyCommands(a)
	case "getMyCommands":
		return s.getMyCommands(a)
	case "deleteMyCommands":
		return s.deleteMyCommands(a)
	case "setMyDescription":
		return s.setText(a, "description", s.profile.descriptions, maxDescription)
	case "getMyDescription":
		return s.getText(a, "description", s.profile.descriptions)
	case "setMyShortDescription":
		return s.setText(a, "short_description", s.profile.shortDescriptions, maxShortDescription)
	case "getMyShortDescription":
		return s.getText(a, "short_description", s.profile.shortDescriptions)
	}
	return nil, badRequest("method not implemented in the sandbox")
}
