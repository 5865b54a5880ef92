package broadcasts_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hstockbot/internal/broadcasts"
	"hstockbot/internal/loop"
	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

const (
	author     = int64(4000)
	otherAdmin = int64(4001)
)

// world is a testworld in which messages are recorded instead of sent.
type world struct {
	*testworld.World
	db         *storage.DB
	wantErrors int          // lines in the log
	set        atomic.Int64 // how far the clock was set, as a time.Duration

	mu           sync.Mutex
	copies       map[int64][]string // the texts that each person got
	sendTime     time.Duration
	sendErr      func(id int64) error
	inFlight     int
	maxInFlight  int
	admins       []int64
	progress     map[int64][]storage.Broadcast // what was shown
	progressTime time.Duration                 // while a broadcast is being sent
	progressErr  error
}

func run(t *testing.T, test func(w *world)) {
	t.Helper()
	testworld.Run(t, func(base *testworld.World) {
		w := newWorld(base)
		test(w)
		w.close()
	})
}

func newWorld(base *testworld.World) *world {
	return &world{
		World: base, db: base.OpenDB(), copies: map[int64][]string{}, sendTime: 100 * time.Millisecond,
		admins: []int64{author, otherAdmin}, progress: map[int64][]storage.Broadcast{},
	}
}

func (w *world) close() {
	w.T.Helper()
	w.must(w.db.Close(w.T.Context()))
	if n := strings.Count(w.Log.String(), "level=ERROR"); n != w.wantErrors {
		w.T.Errorf("%d errors were logged, want %d:\n%s", n, w.wantErrors, w.Log)
	}
}

func (w *world) must(err error) {
	w.T.Helper()
	testworld.Must(w.T, err)
}

// change changes what the processes see while they run.
func (w *world) change(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

// join adds people with the ids from 1 to n; every third reads Chinese.
func join(t testing.TB, db *storage.DB, n int) {
	t.Helper()
	for id := int64(1); id <= int64(n); id++ {
		_, _, err := db.TouchUser(t.Context(), id, "Somebody", languageOf(id), true)
		testworld.Must(t, err)
	}
}

func (w *world) join(n int) {
	w.T.Helper()
	join(w.T, w.db, n)
}

func languageOf(id int64) string {
	if id%3 == 0 {
		return "zh"
	}
	return "en"
}

var textForAll = map[string]string{"": "Hello"}

// confirm confirms a broadcast of an admin with texts by language, and returns its
// id.
func confirm(t testing.TB, db *storage.DB, admin int64, total int, texts map[string]string) int64 {
	t.Helper()
	for lang, text := range texts {
		testworld.Must(t, db.SetBroadcastText(t.Context(), admin, lang, text))
	}
	draft, err := db.BroadcastDraft(t.Context(), admin)
	testworld.Must(t, err)
	entry := storage.AuditEntry{AdminID: admin, Action: broadcasts.ActionSend, Subject: draft.ID, At: time.Now()}
	confirmed, err := db.ConfirmBroadcast(t.Context(), admin, draft.ID, draft.Revision, int64(total), admin, 1, entry)
	testworld.Must(t, err)
	if !confirmed {
		t.Fatal("the draft was not confirmed")
	}
	return draft.ID
}

func (w *world) confirm(admin int64, total int, texts map[string]string) int64 {
	w.T.Helper()
	return confirm(w.T, w.db, admin, total, texts)
}

// startProcess starts one more process on the same database.
func (w *world) startProcess() *broadcasts.Service {
	s := w.newProcess(nil)
	s.Start()
	return s
}

func (w *world) newProcess(share loop.Share) *broadcasts.Service {
	return broadcasts.New(broadcasts.Options{
		DB: w.db, Send: w.send, Progress: w.showProgress, Rate: 30, Wall: w.wall, Share: share,
		Log:      slog.New(slog.NewTextHandler(w.Log, &slog.HandlerOptions{Level: slog.LevelError})),
		Language: func(u storage.User) string { return u.TelegramLang },
		Admin: func(id int64) bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return slices.Contains(w.admins, id)
		},
	})
}

// stop stops a process within a second.
func (w *world) stop(s *broadcasts.Service) {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), time.Second)
	defer cancel()
	w.must(s.Stop(ctx))
}

// stopBroadcast is an admin who stops a broadcast. It reports whether that was
// possible.
func (w *world) stopBroadcast(id int64) bool {
	w.T.Helper()
	stopped, err := w.db.StopBroadcast(w.T.Context(), id, otherAdmin, storage.AuditEntry{
		AdminID: otherAdmin, Action: broadcasts.ActionStop, Subject: id, At: time.Now(),
	})
	w.must(err)
	return stopped
}

// errUncertainUnsent is an uncertain error for a message that was not sent.
var errUncertainUnsent = fmt.Errorf("%w: connection closed", outbox.ErrUncertain)

// send takes sendTime and fails with sendErr. Until then a stop cancels it, as one
// that waits for its slot.
func (w *world) send(ctx context.Context, id int64, text string) error {
	w.mu.Lock()
	w.inFlight++
	w.maxInFlight = max(w.maxInFlight, w.inFlight)
	timer := time.NewTimer(w.sendTime)
	w.mu.Unlock()
	defer timer.Stop()
	var err error
	select {
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inFlight--
	if err == nil && w.sendErr != nil {
		err = w.sendErr(id)
	}
	if err == nil || errors.Is(err, outbox.ErrUncertain) && !errors.Is(err, errUncertainUnsent) {
		w.copies[id] = append(w.copies[id], text)
	}
	return err
}

func (w *world) showProgress(ctx context.Context, id int64) error {
	b, err := w.db.Broadcast(ctx, id)
	if b.State == storage.BroadcastSending {
		time.Sleep(w.progressTime)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.progress[id] = append(w.progress[id], b)
	return errors.Join(err, w.progressErr)
}

// lastShown returns what the progress message of a broadcast shows.
func (w *world) lastShown(id int64) storage.Broadcast {
	w.T.Helper()
	shown := w.progress[id]
	if len(shown) == 0 {
		w.T.Fatal("no progress was shown")
	}
	return shown[len(shown)-1]
}

func (w *world) broadcast(id int64) storage.Broadcast {
	w.T.Helper()
	b, err := w.db.Broadcast(w.T.Context(), id)
	w.must(err)
	return b
}

// countRecipients returns how many people have a copy, and fails if one has two.
func (w *world) countRecipients() int {
	w.T.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, copies := range w.copies {
		if len(copies) > 1 {
			w.T.Errorf("%d got %d copies", id, len(copies))
		}
	}
	return len(w.copies)
}
