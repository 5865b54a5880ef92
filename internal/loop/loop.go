// Package loop calls a function in the background: when the pause that it asked
// for is over, or when the loop is woken.
//
// It owns starting, stopping and waking, and the rules that other background
// work shares: how long to wait after failures (Backoff, Jitter), what becomes of
// a panic (Recover), and how a step of the wall clock is noticed (Clock) or left
// out (Stopwatch). It contains nothing of the work itself.
package loop

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// The pauses after failed calls, see Backoff.
const (
	firstRetry   = 2 * time.Second
	longestRetry = time.Minute
)

// Loop calls one function. The function does all work that is due and returns
// the pause until the next call; Stop cancels its context. An error or a panic
// is logged, and the next call follows after a back-off.
type Loop struct {
	name string
	log  *slog.Logger
	call func(ctx context.Context) (pause time.Duration, err error)

	mu     sync.Mutex
	cancel context.CancelFunc
	done   chan struct{} // closed when run has ended; nil before Start
	woken  chan struct{}
}

// New returns a Loop that is not started. The name appears in the log.
func New(name string, log *slog.Logger, call func(context.Context) (time.Duration, error)) *Loop {
	return &Loop{name: name, log: log, call: call, woken: make(chan struct{}, 1)}
}

// Start makes the first call at once. Later Starts do nothing, also after Stop.
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

// Stop cancels the current call and waits until it has returned or ctx is done;
// then the error is that of ctx. It may be called several times, also at once,
// and before Start.
func (l *Loop) Stop(ctx context.Context) error {
	l.mu.Lock()
	cancel, done := l.cancel, l.done
	l.mu.Unlock() // each Stop waits with its own context
	if done == nil {
		return nil
	}
	cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop %s: %w", l.name, ctx.Err())
	}
}

// Wake makes the next call now, or right after the current one.
func (l *Loop) Wake() {
	select {
	case l.woken <- struct{}{}:
	default: // a wake-up is pending already
	}
}

func (l *Loop) run(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	failures := 0
	for pause := time.Duration(0); l.wait(ctx, pause); {
		err := Recover(l.log, l.name, func() (err error) {
			pause, err = l.call(ctx)
			return err
		})
		switch {
		case err == nil:
			failures = 0
		case ctx.Err() == nil:
			failures++
			pause = Jitter(Backoff(firstRetry, longestRetry, failures))
			l.log.Error("background work failed", "loop", l.name, "failures", failures, "retry_in", pause, "error", err)
		}
	}
}

// wait returns when the next call is due, and whether there is to be one. It makes no timer
// that is over at once: in the bubbles of tests, two goroutines that look at such timers at
// the same moment may crash the race detector (golang/go#78156).
func (l *Loop) wait(ctx context.Context, pause time.Duration) bool {
	if pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-l.woken:
		case <-timer.C:
		}
	} else {
		select {
		case <-l.woken: // the call that is due answers it
		default:
		}
	}
	return ctx.Err() == nil // it may be over although the loop was woken or due
}
