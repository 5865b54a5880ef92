// Package hints owns wake-ups across the processes that share a database. What one
// process stores, the background work of another may have to act on: a hint tells it to
// look at the database now.
//
// A hint is the name of a function that each process has, and says nothing else. Hints
// may get lost; background work looks at the database from time to time anyway. While a
// process receives none, it does everything that a hint can ask for each second, and once
// when it receives them again, so that what was stored meanwhile is found.
//
// It contains neither the work nor the way of a hint (storage.DB.Notify and Listen).
package hints

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hstockbot/internal/loop"
)

const (
	// sendPause is the time between two notifications; the hints of that time are in one.
	sendPause = 20 * time.Millisecond
	// retryPause is the least time between a failed notification and the next.
	retryPause = time.Second
	// lookInterval is the time between two looks while no hints are received.
	lookInterval = time.Second
	// The pauses before a lost connection is made again.
	firstRetry   = time.Second
	longestRetry = 30 * time.Second
	// sendTimeout limits the wait for a connection.
	sendTimeout = 5 * time.Second
	idlePause   = time.Hour // of a loop that is woken when there is something to do

	separator = "," // of the names in one notification
)

// DB is what Hints needs of *storage.DB.
type DB interface {
	// Notify gives a text to the other processes.
	Notify(ctx context.Context, hint string) error
	// Listen calls receive with each text of another process until the connection is
	// lost, and with "" as soon as it receives.
	Listen(ctx context.Context, receive func(hint string)) error
}

// Hints wakes the background work of this process and of the others.
type Hints struct {
	db  DB // nil where no other process uses the database
	log *slog.Logger

	sendLoop   *loop.Loop // notifies the other processes
	listenLoop *loop.Loop // receives their hints
	lookLoop   *loop.Loop // wakes everything while it can't
	receiving  atomic.Bool
	failures   int // of the listen loop, in a row

	mu      sync.Mutex
	wakes   map[string]func() // by name
	pending map[string]bool   // names that the other processes are not notified of yet
	stopped bool              // nothing is sent any longer
}

// New returns Hints that are not started. db is nil where no other process uses the
// database: then a wake-up concerns this process only.
func New(db DB, log *slog.Logger) *Hints {
	h := &Hints{db: db, log: log, wakes: map[string]func(){}, pending: map[string]bool{}}
	h.sendLoop = loop.New("notify other processes", log, h.send)
	h.listenLoop = loop.New("listen to other processes", log, h.listen)
	h.lookLoop = loop.New("look without hints", log, h.look)
	return h
}

// Share gives a wake-up a name, which is the same in all processes. The result calls wake
// in this process at once and in the others soon. It does not block, and neither may
// wake. It is a loop.Share.
func (h *Hints) Share(name string, wake func()) (wakeAll func()) {
	if h.db == nil {
		return wake
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wakes[name] = wake
	return func() {
		wake()
		h.mu.Lock()
		if !h.stopped {
			h.pending[name] = true
		}
		h.mu.Unlock()
		h.sendLoop.Wake()
	}
}

// Start begins to receive hints and to send those that are pending. Calling it again does
// nothing.
func (h *Hints) Start() {
	if h.db == nil {
		return
	}
	for _, l := range []*loop.Loop{h.sendLoop, h.listenLoop, h.lookLoop} {
		l.Start()
	}
}

// Stop receives no more hints, sends those that are pending, and waits until ctx is done.
// Wake-ups after that concern this process only. It may be called several times.
func (h *Hints) Stop(ctx context.Context) error {
	failures := []error{h.lookLoop.Stop(ctx), h.listenLoop.Stop(ctx), h.sendLoop.Stop(ctx)}
	err := errors.Join(append(failures, h.notify(ctx))...)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = err == nil
	return err
}

// send notifies the other processes of what is pending.
func (h *Hints) send(ctx context.Context) (time.Duration, error) {
	err := h.notify(ctx)
	pause := sendPause
	if err != nil {
		pause = retryPause // a wake-up does not wait for the loop's pause
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return idlePause, err
}

func (h *Hints) notify(ctx context.Context) error {
	h.mu.Lock()
	names := h.pending
	h.pending = map[string]bool{}
	h.mu.Unlock()
	if len(names) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	err := h.db.Notify(ctx, strings.Join(slices.Sorted(maps.Keys(names)), separator))
	if err != nil {
		h.mu.Lock()
		maps.Copy(h.pending, names)
		h.mu.Unlock()
	}
	return err
}

// listen receives hints until the connection is lost, and returns when to try again.
func (h *Hints) listen(ctx context.Context) (time.Duration, error) {
	err := h.db.Listen(ctx, h.receive)
	if ctx.Err() != nil {
		return 0, err
	}
	if h.receiving.Swap(false) {
		h.lookLoop.Wake()
	}
	if h.failures++; h.failures == 1 {
		h.log.Warn("hints of other processes not received, looking each second", "error", err)
	}
	return loop.Jitter(loop.Backoff(firstRetry, longestRetry, h.failures)), nil
}

// receive wakes what a text of another process names, "" everything. A newer program may
// send names that are not known here.
func (h *Hints) receive(hint string) {
	if hint != "" {
		h.wake(strings.Split(hint, separator))
		return
	}
	h.receiving.Store(true)
	if h.failures > 0 {
		h.log.Info("hints of other processes received again")
	}
	h.failures = 0
	h.wakeEverything()
}

// look wakes everything while no hints are received.
func (h *Hints) look(context.Context) (time.Duration, error) {
	if h.receiving.Load() {
		return idlePause, nil
	}
	h.wakeEverything()
	return lookInterval, nil
}

func (h *Hints) wakeEverything() {
	h.mu.Lock()
	names := slices.Collect(maps.Keys(h.wakes))
	h.mu.Unlock()
	h.wake(names)
}

func (h *Hints) wake(names []string) {
	for _, name := range names {
		h.mu.Lock()
		wake := h.wakes[name]
		h.mu.Unlock()
		if wake != nil {
			wake()
		}
	}
}
