package orders

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// loop calls one function again and again: when the pause that it asked for is
// over, or when it is woken. The function does all work that is due and says
// when there will be more.
type loop struct {
	name string
	log  *slog.Logger
	once func(ctx context.Context) (pause time.Duration, err error)

	mu     sync.Mutex
	cancel context.CancelFunc
	done   chan struct{}
	woken  chan struct{}
}

func newLoop(name string, log *slog.Logger, once func(context.Context) (time.Duration, error)) *loop {
	return &loop{name: name, log: log, once: once, woken: make(chan struct{}, 1)}
}

func (l *loop) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel, l.done = cancel, make(chan struct{})
	go l.run(ctx, l.done)
}

// stop cancels the work in hand and waits for it to end, until ctx is done.
func (l *loop) stop(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		return nil
	}
	l.cancel()
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop %s: %w", l.name, ctx.Err())
	}
}

func (l *loop) wake() {
	select {
	case l.woken <- struct{}{}:
	default: // it is awake already
	}
}

func (l *loop) run(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	failures := int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.woken:
		case <-timer.C:
		}
		pause, err := l.safely(ctx)
		switch {
		case err == nil:
			failures = 0
		case ctx.Err() == nil:
			failures++
			l.log.Error("background work failed", "loop", l.name, "error", err)
			pause = backoff(retryLoopAfter, retryLoopMost, failures)
		}
		timer.Reset(pause)
	}
}

// safely calls once; a panic is a failure of this turn only.
func (l *loop) safely(ctx context.Context) (pause time.Duration, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return l.once(ctx)
}

// until returns the pause until an event, for loops whose work has a due time:
// at least a moment (an event that is due but can't be worked on yet must not
// spin), at most idlePause (another process may bring work forward).
func until(event, now time.Time) time.Duration {
	if event.IsZero() {
		return idlePause
	}
	return min(max(event.Sub(now), spinPause), idlePause)
}
