package telegram

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// DefaultToken is the bot's token when Options has none.
const DefaultToken = "4200:pretend-token-of-the-sandbox"

// Options describes the bot and how strict the server is.
type Options struct {
	Token    string // "<bot id>:<secret>"; "": DefaultToken
	Username string // without @; "": "sandbox_bot"
	Name     string // the bot's first name; "": "Shop"

	// Flood enforces Telegram's message limits: 30 a second in all, 1 a second
	// in a chat and 20 a minute in a group, each with a burst. A message above a
	// limit is answered with a 429 and retry_after.
	Flood bool

	// NoCopyButtons makes it a server from before Bot API 7.11, without copy_text.
	NoCopyButtons bool

	// NoLocalTimes makes it a server from before Bot API 9.5, without <tg-time>.
	NoLocalTimes bool

	// NoEffects makes it a server that refuses all message effects.
	NoEffects bool

	// NoInline makes it a bot whose inline mode is off.
	NoInline bool

	// NoLog keeps neither calls nor history, for long runs and benchmarks.
	NoLog bool

	// Dial connects to the webhook; nil: the network. With Dial, or on loopback,
	// the webhook's URL may be plain http.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// Roots are the authorities that may certify the webhook; nil: the system's.
	Roots *x509.CertPool
}

// Server is the pretend Telegram. Its methods are safe for concurrent use.
type Server struct {
	opts      Options
	bot       Person
	closed    chan struct{}
	closeOnce sync.Once

	mu         sync.Mutex
	chats      map[int64]*chat
	watchers   watchers
	updates    updates
	webhook    *webhook
	callbacks  callbackQueries
	inline     inlineQueries
	files      files
	profile    profile
	flood      bucket
	faults     []*Fault
	unloadable map[string]bool // by URL
	calls      callLog
}

// New returns a server without people.
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
	prefix, _, _ := strings.Cut(opts.Token, ":")
	id, err := strconv.ParseInt(prefix, 10, 64)
	if err != nil {
		id = 4200 // the token does not begin with a bot id
	}
	return &Server{
		opts:       opts,
		bot:        Person{ID: id, FirstName: opts.Name, Username: opts.Username},
		closed:     make(chan struct{}),
		chats:      map[int64]*chat{},
		watchers:   watchers{},
		unloadable: map[string]bool{},
		updates:    updates{next: firstUpdateID},
		callbacks:  callbackQueries{open: map[string]*callbackQuery{}},
		inline:     inlineQueries{open: map[string]*inlineQuery{}, cached: map[cacheKey]cachedAnswer{}},
		files:      files{byID: map[string]*Document{}, byPath: map[string]*Document{}},
		profile:    newProfile(),
		calls:      callLog{counts: map[string]int{}},
	}
}

// Rename changes the bot's username.
func (s *Server) Rename(username string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.Username, s.bot.Username = username, username
}

// Close ends open polls and the webhook. It may be called more than once.
func (s *Server) Close() {
	s.closeOnce.Do(func() {
		close(s.closed)
		s.mu.Lock()
		hook := s.webhook
		s.mu.Unlock()
		if hook != nil {
			hook.stop()
		}
	})
}

// watchers are the channels that get a value after a change.
type watchers map[chan struct{}]struct{}

// Subscribe returns a channel that gets a value after every change of a chat, a
// call, a fault or the bot's profile. Changes that happen before the channel is
// read are reported once. cancel ends the subscription.
func (s *Server) Subscribe() (changes <-chan struct{}, cancel func()) {
	return s.subscribe(s.watchers)
}

func (s *Server) subscribe(to watchers) (changes <-chan struct{}, cancel func()) {
	ch := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	to[ch] = struct{}{}
	return ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(to, ch)
	}
}

// changed notifies the watchers of the server and, if c is not nil, of the chat.
// The caller holds mu.
func (s *Server) changed(c *chat) {
	s.watchers.notify()
	if c != nil {
		c.watchers.notify()
	}
}

func (w watchers) notify() {
	for ch := range w {
		select {
		case ch <- struct{}{}:
		default: // the watcher has not read the last change yet
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
		writeResponse(w, nil, refuse(http.StatusNotFound, "Not Found"))
	case token != s.opts.Token:
		writeResponse(w, nil, refuse(http.StatusUnauthorized, "Unauthorized"))
	default:
		s.serveCall(w, r, name)
	}
}

// serveCall reads, checks, runs and answers one method call, with the fault that
// is ordered for it.
func (s *Server) serveCall(w http.ResponseWriter, r *http.Request, name string) {
	m := tables().method(name)
	if m == nil {
		m = &method{name: name, unknown: true}
	}
	a, err := readArgs(w, r)
	c, fault := s.startCall(m.name, a)
	if fault.Delay > 0 && !s.sleep(r.Context(), fault.Delay) {
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
			result, err = s.execute(r.Context(), m.name, a, c)
			done = err == nil
		}
	}
	s.mu.Lock()
	s.finishCall(c, done, err)
	s.mu.Unlock()
	switch {
	case fault.Cut, fault.LoseAnswer, err == errNoResponse:
		panic(http.ErrAbortHandler) // net/http closes the connection without an answer
	case fault.HTML:
		writeBadGateway(w)
	default:
		writeResponse(w, result, err)
	}
}

// sleep returns false if the caller leaves or the server closes before d ends.
func (s *Server) sleep(ctx context.Context, d time.Duration) bool {
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

// execute runs the method. It finishes c before it releases mu, so that a watcher
// that sees the change also sees how the call ended.
func (s *Server) execute(ctx context.Context, name string, a args, c *Call) (any, *apiError) {
	if field := a.unsupported(); field != "" {
		return nil, badRequest("parameter %q is not implemented in the sandbox", field)
	}
	switch name { // these wait, so they must not hold mu
	case "getUpdates":
		return s.getUpdates(ctx, a)
	case "setWebhook", "deleteWebhook":
		return s.setWebhook(a)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	run := methods[name]
	if run == nil {
		return nil, badRequest("method not implemented in the sandbox")
	}
	result, err := run(s, a)
	s.finishCall(c, err == nil, err)
	return result, err
}

// methods holds the methods that answer at once. The caller holds mu.
var methods = map[string]func(*Server, args) (any, *apiError){
	"answerCallbackQuery":    (*Server).answerCallbackQuery,
	"answerInlineQuery":      (*Server).answerInlineQuery,
	"createForumTopic":       (*Server).createForumTopic,
	"deleteMessage":          (*Server).deleteMessage,
	"deleteMessages":         (*Server).deleteMessages,
	"deleteMyCommands":       (*Server).deleteMyCommands,
	"editMessageCaption":     (*Server).editMessageCaption,
	"editMessageReplyMarkup": (*Server).editMessageReplyMarkup,
	"editMessageText":        (*Server).editMessageText,
	"getChat":                (*Server).getChat,
	"getChatMember":          (*Server).getChatMember,
	"getFile":                (*Server).getFile,
	"getMe":                  (*Server).getMe,
	"getMyCommands":          (*Server).getMyCommands,
	"getMyDescription":       func(s *Server, a args) (any, *apiError) { return s.getDescription(a, "description") },
	"getMyShortDescription":  func(s *Server, a args) (any, *apiError) { return s.getDescription(a, "short_description") },
	"getWebhookInfo":         (*Server).getWebhookInfo,
	"sendChatAction":         (*Server).sendChatAction,
	"sendDocument":           func(s *Server, a args) (any, *apiError) { return s.sendFile(a, "document") },
	"sendMessage":            (*Server).sendMessage,
	"sendPhoto":              func(s *Server, a args) (any, *apiError) { return s.sendFile(a, "photo") },
	"setMyCommands":          (*Server).setMyCommands,
	"setMyDescription":       func(s *Server, a args) (any, *apiError) { return s.setDescription(a, "description") },
	"setMyShortDescription":  func(s *Server, a args) (any, *apiError) { return s.setDescription(a, "short_description") },
}
