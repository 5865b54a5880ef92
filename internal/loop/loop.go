// Package loop calls a function again and again in the background: when the
// pause that it asked for is over, or when it is woken.
//
// It owns starting, stopping, failing and panicking. It knows nothing of the
// work.
package loop

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// After a failure the next turn is retryFirst later, then twice as long each
// time, up to retryMost; ±10 %, so that loops don't fall in step.
const (
	retryFirst = 2 * time.Second
	retryMost  = time.Minute
)

// Loop calls one function. The function does all work that is due and says when
// there will be more; its context ends with Stop. An error is logged, and
// decides the pause; so does a panic, which is a failure of that turn only.
type Loop struct {
	name string
	log  *slog.Logger
	once func(ctx context.Context) (pause time.Duration, err error)

	mu     sync.Mutex
	cancel context.CancelFunc
	done   chan struct{}
	woken  chan struct{}
}

// New returns a Loop that is not started. The name stands in the log.
func New(name string, log *slog.Logger, once func(context.Context) (time.Duration, error)) *Loop {
	return &Loop{name: name, log: log, once: once, woken: make(chan struct{}, 1)}
}

// Start makes the first call at once. Starting twice is starting once.
func (l *Loop) Start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel, l.done = cancel, make(chan struct{})
	go l.run(ctx, l.done)
}

// Stop cancels the work in hand and waits for it to end, until ctx is done.
// Stopping twice is stopping once, and so is stopping what was never started.
func (l *Loop) Stop(ctx context.Context) error {
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

// Wake makes the next call now, or right after the one under way.
func (l *Loop) Wake() {
	select {
	case l.woken <- struct{}{}:
	default: // it is awake already
	}
}

func (l *Loop) run(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	retry := retryFirst
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.woken:
		case <-timer.C:
		}
		pause, err := l.recoverTo(ctx)
		switch {
		case err == nil:
			retry = retryFirst
		case ctx.Err() == nil:
			l.log.Error("background work failed", "loop", l.name, "error", err)
			pause = retry*9/10 + rand.N(retry/5) //nolint:gosec // jitter is no secret
			retry = min(2*retry, retryMost)
		}
		timer.Reset(pause)
	}
}

// recoverTo makes one call.
func (l *Loop) recoverTo(ctx context.Context) (pause time.Duration, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return l.once(ctx)
}
