package bot

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-telegram/bot/models"
	"go.uber.org/goleak"

	"hstockbot/internal/outbox"
	"hstockbot/internal/route"
	"hstockbot/internal/sandbox/memnet"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/locales"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// canary is the bot's token. No log and no error may contain it.
const canary = "4200:canary-token-that-nobody-may-see-0123"

// world has a bot, the pretend Telegram and an in-memory inbox, in a synctest bubble.
// Configure it before start.
type world struct {
	t        *testing.T
	telegram *telegram.Server
	inbox    *memoryInbox
	cfg      Config
	hooks    Hooks
	bot      *Bot
	logs     *logBuffer
	network  *memnet.Network
	// proxy may respond to a call instead of the pretend Telegram, and reports whether
	// it did.
	proxy func(w http.ResponseWriter, r *http.Request) bool

	mu     sync.Mutex
	events map[string]int
}

func inWorld(t *testing.T, opts telegram.Options, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		opts.Token = canary
		w := &world{t: t, inbox: newInbox(), logs: &logBuffer{}, events: map[string]int{}}
		network := memnet.New()
		w.network = network
		opts.Dial = network.Dial
		w.telegram = telegram.New(opts)
		url, stop := network.Serve("telegram", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if w.proxy == nil || !w.proxy(rw, r) {
				w.telegram.ServeHTTP(rw, r)
			}
		}))
		w.cfg = Config{
			Token: canary, APIURL: url, Inbox: w.inbox, Dial: network.Dial,
			Log:        slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
			CountEvent: w.observe, ObserveUpdate: func(kind string, _ time.Duration) { w.observe(kind) },
		}
		w.hooks = Hooks{
			Identify: func(context.Context, User, bool) (*locales.Localizer, error) { return nil, nil },
			Error: func(_ context.Context, _ *Request, err error) View {
				w.refuseCanary("a handler's error", err.Error())
				return View{Text: "error: " + err.Error(), AsNewMessage: true}
			},
			Panicked: func(_ *Request, reference string) View { return View{Text: "panic " + reference, AsNewMessage: true} },
			Outdated: func(context.Context, *Request) View {
				return View{Text: "the menu", Toast: "out of date", AsNewMessage: true}
			},
		}
		w.build()
		test(t, w)
		w.stop()
		w.telegram.Close()
		stop()
		w.refuseCanary("the log", w.logs.String())
	})
}

// build creates the bot, or after a stop a new one with the same inbox.
func (w *world) build() {
	w.t.Helper()
	b, err := New(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	b.SetHooks(w.hooks)
	w.bot = b
}

func (w *world) start() {
	w.t.Helper()
	w.bot.SetHooks(w.hooks) // the test may have changed them since build
	if err := w.bot.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

func (w *world) stop() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.t.Context()), 8*time.Second)
	defer cancel()
	if err := w.bot.Stop(ctx); err != nil {
		w.t.Errorf("stop: %v", err)
	}
}

// idle waits until all updates are handled.
func (w *world) idle() {
	w.t.Helper()
	synctest.Wait()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Minute)
	defer cancel()
	if err := w.bot.Idle(ctx); err != nil {
		w.t.Fatal("never idle")
	}
	synctest.Wait()
}

func (w *world) join(id int64) *telegram.Client {
	return w.telegram.Join(telegram.Person{ID: id, FirstName: "Ann", LanguageCode: "en"})
}

func (w *world) observe(event string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events[event]++
}

func (w *world) observed(event string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[event]
}

func (w *world) refuseCanary(where, text string) {
	w.t.Helper()
	if strings.Contains(text, "canary") {
		w.t.Errorf("the token is in %s: %s", where, text)
	}
}

// calls returns the calls of a method, oldest first.
func (w *world) calls(method string) []telegram.Call {
	return slices.DeleteFunc(w.telegram.Calls(), func(c telegram.Call) bool { return c.Method != method })
}

// showButtons sends a message with these buttons and returns its id.
func (w *world) showButtons(chat int64, buttons ...models.InlineKeyboardButton) int {
	w.t.Helper()
	id, err := w.bot.Send(w.t.Context(), chat, outbox.PriorityReply, View{Text: "choose", Keyboard: [][]models.InlineKeyboardButton{buttons}})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

type numberArgs struct{ N int64 }

var tapRoute = route.New[numberArgs]("t")

func tapButton(n int64) models.InlineKeyboardButton {
	return models.InlineKeyboardButton{Text: "tap", CallbackData: tapRoute.Data(numberArgs{N: n})}
}

func tapOn(t *testing.T, c *telegram.Client, message int, label string) {
	t.Helper()
	if err := c.TapOn(message, label); err != nil {
		t.Fatal(err)
	}
}

// logBuffer collects a log.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// memoryInbox is an Inbox in memory. It can be used by several bots in turn.
type memoryInbox struct {
	mu      sync.Mutex
	rows    map[int64]*row
	order   []int64
	dialogs map[int64]dialogRow
	// backlogs are the places of updates that were not finished when they were last read.
	backlogs map[int64][]int64

	failReads     int  // number of calls of ChatBacklog that fail
	failStores    int  // number of calls of StoreUpdates that fail
	storeThenFail bool // a failing StoreUpdates stores all the same
	failFinish    bool // Finish fails
}

type row struct {
	chat     int64
	payload  []byte
	attempts int
	state    string // "received", "done", "dead_lettered"
	received time.Time
}

type dialogRow struct {
	step, data string
	until      time.Time
}

var (
	errInbox    = errors.New("disk full")
	errNotFound = errors.New("not found")
)

func newInbox() *memoryInbox {
	return &memoryInbox{rows: map[int64]*row{}, backlogs: map[int64][]int64{}, dialogs: map[int64]dialogRow{}}
}

func (m *memoryInbox) StoreUpdates(_ context.Context, ids, chats []int64, payloads [][]byte) ([]int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	failed := m.failStores > 0
	if failed {
		m.failStores--
		if !m.storeThenFail {
			return nil, errInbox
		}
	}
	places := make([]int64, len(ids))
	for i, id := range ids {
		if m.rows[id] == nil {
			m.rows[id] = &row{chat: chats[i], payload: payloads[i], attempts: 1, state: "received", received: time.Now()}
			m.order = append(m.order, id)
			places[i] = int64(len(m.order))
			m.backlogs[chats[i]] = append(m.backlogs[chats[i]], places[i])
		}
	}
	if failed {
		return nil, errInbox
	}
	return places, nil
}

func (m *memoryInbox) UnfinishedChats(context.Context) (chats []int64, last int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := map[int64]bool{}
	for _, id := range m.order {
		if r := m.rows[id]; r.state == "received" && !seen[r.chat] {
			seen[r.chat] = true
			chats = append(chats, r.chat)
		}
	}
	return chats, int64(len(m.order)), nil
}

func (m *memoryInbox) ChatBacklog(_ context.Context, chat, after int64, limit int, each func(id, place int64, received time.Time, payload []byte)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failReads > 0 {
		m.failReads--
		return errInbox
	}
	places := m.backlogs[chat]
	for len(places) > 0 && m.rows[m.order[places[0]-1]].state != "received" {
		places = places[1:]
	}
	m.backlogs[chat] = places
	for _, place := range places {
		id := m.order[place-1]
		if r := m.rows[id]; place > after && r.state == "received" && limit > 0 {
			limit--
			each(id, place, r.received, r.payload)
		}
	}
	return nil
}

func (m *memoryInbox) StartAttempt(_ context.Context, id int64) ([]byte, int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[id]
	if r == nil || r.state != "received" {
		return nil, 0, errNotFound
	}
	r.attempts++
	return r.payload, r.attempts, nil
}

func (m *memoryInbox) Finish(_ context.Context, ids ...int64) error {
	for _, id := range ids {
		if err := m.end(id, "done"); err != nil {
			return err
		}
	}
	return nil
}

func (m *memoryInbox) FinishWithDialog(_ context.Context, id, user int64, step, data string, until time.Time) error {
	if err := m.end(id, "done"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dialogs[user] = dialogRow{step, data, until}
	return nil
}

func (m *memoryInbox) DeadLetter(_ context.Context, id int64) error {
	return m.end(id, "dead_lettered")
}

func (m *memoryInbox) end(id int64, state string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failFinish {
		return errInbox
	}
	r := m.rows[id]
	if r == nil || r.state != "received" {
		return errNotFound
	}
	r.state = state
	if state == "done" {
		r.payload = nil
	}
	return nil
}

func (m *memoryInbox) Dialog(_ context.Context, user int64) (step, data string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.dialogs[user]
	if d.step == "" || !time.Now().Before(d.until) {
		return "", "", nil
	}
	return d.step, d.data, nil
}

// states counts the rows by state.
func (m *memoryInbox) states() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := map[string]int{}
	for _, r := range m.rows {
		n[r.state]++
	}
	return n
}
