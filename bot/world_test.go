package bot

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
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

	owners int // that were made

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
			CountEvent: w.observe, ObserveUpdate: func(kind, screen string, _ time.Duration) { w.observe(kind + strings.TrimSuffix(" "+screen, " ")) },
		}
		w.hooks = Hooks{
			Identify: func(context.Context, User, bool) (*locales.Localizer, error) { return nil, nil },
			Error: func(_ context.Context, _ *Request, err error) View {
				w.refuseCanary("a handler's error", err.Error())
				if errors.Is(err, ErrNotDrawn) {
					return View{Toast: "not drawn"}
				}
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
	w.owners++
	w.cfg.Owner = strconv.Itoa(w.owners)
	w.inbox.revive(w.cfg.Owner, !w.cfg.Shared)
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
	if err := errors.Join(w.bot.Start(w.t.Context()), w.bot.Lead(w.t.Context())); err != nil {
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
	chats   map[int64]*chatRow // with unfinished updates
	alive   map[string]bool    // owners
	dialogs map[int64]dialogRow

	settings map[string]string

	failReads     int  // number of calls of ChatBacklog that fail
	failStores    int  // number of calls of StoreUpdates that fail
	storeThenFail bool // a failing StoreUpdates stores all the same
	failFinish    bool // Finish fails

	recovery bool // the record of BeginRecovery
	records  int  // writes of that record
}

type chatRow struct {
	owner string
	ids   []int64 // of unfinished updates, ascending
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
	return &memoryInbox{rows: map[int64]*row{}, chats: map[int64]*chatRow{}, alive: map[string]bool{}, dialogs: map[int64]dialogRow{}, settings: map[string]string{}}
}

// revive makes an owner alive, and the only one if it is alone.
func (m *memoryInbox) revive(owner string, alone bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if alone {
		clear(m.alive)
	}
	m.alive[owner] = true
}

func (m *memoryInbox) StoreUpdates(_ context.Context, owner string, ids, chats []int64, payloads [][]byte) (fresh []bool, unfinished []int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	failed := m.failStores > 0
	if failed {
		m.failStores--
		if !m.storeThenFail {
			return nil, nil, errInbox
		}
	}
	fresh, unfinished = make([]bool, len(ids)), make([]int, len(ids))
	for i, id := range ids {
		if m.rows[id] != nil {
			continue
		}
		fresh[i] = true
		m.rows[id] = &row{chat: chats[i], payload: payloads[i], state: "received", received: time.Now()}
		c := m.chats[chats[i]]
		if c == nil {
			c = &chatRow{owner: owner}
			m.chats[chats[i]] = c
		}
		at, _ := slices.BinarySearch(c.ids, id)
		c.ids = slices.Insert(c.ids, at, id)
	}
	for i, chat := range chats {
		if c := m.chats[chat]; c != nil && c.owner == owner {
			unfinished[i] = min(len(c.ids), 64)
		}
	}
	if failed {
		return nil, nil, errInbox
	}
	return fresh, unfinished, nil
}

func (m *memoryInbox) OrphanedChats(context.Context) (chats, last []int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for chat, c := range m.chats {
		if !m.alive[c.owner] {
			chats = append(chats, chat)
		}
	}
	attempts := func(chat int64) (n int) {
		for _, id := range m.chats[chat].ids {
			n = max(n, m.rows[id].attempts)
		}
		return n
	}
	slices.SortFunc(chats, func(a, b int64) int {
		return cmp.Or(attempts(a)-attempts(b), int(m.chats[a].ids[0]-m.chats[b].ids[0]))
	})
	for _, chat := range chats {
		ids := m.chats[chat].ids
		last = append(last, ids[len(ids)-1])
	}
	return chats, last, nil
}

func (m *memoryInbox) AdoptChats(_ context.Context, owner string, chats []int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, chat := range chats {
		if c := m.chats[chat]; c != nil && !m.alive[c.owner] {
			c.owner = owner
		}
	}
	return nil
}

func (m *memoryInbox) OwnedChats(_ context.Context, owner string) (chats []int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for chat, c := range m.chats {
		if c.owner == owner {
			chats = append(chats, chat)
		}
	}
	return chats, nil
}

func (m *memoryInbox) RestoreChats(context.Context) (int, error) { return 0, nil }

func (m *memoryInbox) ChatBacklog(_ context.Context, owner string, chat int64, limit int, each func(id int64, received time.Time, payload []byte)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failReads > 0 {
		m.failReads--
		return errInbox
	}
	c := m.chats[chat]
	if c == nil || c.owner != owner {
		return nil
	}
	for _, id := range c.ids[:min(limit, len(c.ids))] {
		each(id, m.rows[id].received, m.rows[id].payload)
	}
	return nil
}

func (m *memoryInbox) StartAttempt(_ context.Context, id int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[id]
	if r == nil || r.state != "received" {
		return 0, errNotFound
	}
	r.attempts++
	return r.attempts, nil
}

func (m *memoryInbox) BeginRecovery(context.Context) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	again := m.recovery
	m.recovery = true
	m.records++
	return again, nil
}

func (m *memoryInbox) EndRecovery(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.recovery {
		m.recovery = false
		m.records++
	}
	return nil
}

func (m *memoryInbox) inRecovery() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.recovery
}

func (m *memoryInbox) Finish(_ context.Context, owner string, chat int64, ids ...int64) (bool, error) {
	return m.end(owner, chat, "done", func() {}, ids...)
}

func (m *memoryInbox) FinishWithDialog(_ context.Context, owner string, chat, id, user int64, step, data string, until time.Time) (bool, error) {
	return m.end(owner, chat, "done", func() { m.dialogs[user] = dialogRow{step, data, until} }, id)
}

func (m *memoryInbox) DeadLetter(_ context.Context, owner string, chat, id int64) (bool, error) {
	return m.end(owner, chat, "dead_lettered", func() {}, id)
}

func (m *memoryInbox) end(owner string, chat int64, state string, also func(), ids ...int64) (more bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failFinish {
		return false, errInbox
	}
	c := m.chats[chat]
	if c == nil || c.owner != owner {
		return true, nil
	}
	for _, id := range ids {
		at, found := slices.BinarySearch(c.ids, id)
		if !found {
			return false, errNotFound
		}
		c.ids = slices.Delete(c.ids, at, at+1)
		m.rows[id].state = state
		if state == "done" {
			m.rows[id].payload = nil
		}
	}
	also()
	if len(c.ids) == 0 {
		delete(m.chats, chat)
	}
	return len(c.ids) > 0, nil
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

func (m *memoryInbox) Setting(_ context.Context, name string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.settings[name], nil
}

func (m *memoryInbox) SetSetting(_ context.Context, name, value string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settings[name] = value
	return nil
}

func (m *memoryInbox) Digest(domain string, data []byte) string {
	return fmt.Sprintf("%x", sha256.Sum256(append([]byte(domain), data...)))
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
