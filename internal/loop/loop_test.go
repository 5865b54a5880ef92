package loop_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/loop"
)

func TestStartWakeStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		var calls []time.Duration
		l := loop.New("count", slog.New(slog.DiscardHandler), func(context.Context) (time.Duration, error) {
			calls = append(calls, time.Since(started))
			return time.Minute, nil
		})
		if err := l.Stop(t.Context()); err != nil {
			t.Errorf("Stop before Start: %v", err)
		}
		l.Start()
		l.Start()
		time.Sleep(90 * time.Second)
		l.Wake()
		synctest.Wait()
		time.Sleep(time.Minute + time.Second)
		for range 2 {
			if err := l.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
		l.Wake()
		time.Sleep(time.Hour)
		want := []time.Duration{0, time.Minute, 90 * time.Second, 150 * time.Second}
		if len(calls) != len(want) {
			t.Fatalf("called at %v, want %v", calls, want)
		}
		for i := range want {
			if calls[i] != want[i] {
				t.Errorf("call %d at %v, want %v", i, calls[i], want[i])
			}
		}
	})
}

// TestDueCallAnswersWake: what a loop was woken for before a call begins, the call does.
func TestDueCallAnswersWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		var l *loop.Loop
		l = loop.New("count", slog.New(slog.DiscardHandler), func(context.Context) (time.Duration, error) {
			if calls++; calls == 1 {
				l.Wake()
				return 0, nil
			}
			return time.Minute, nil
		})
		l.Wake()
		l.Start()
		time.Sleep(time.Second)
		if err := l.Stop(t.Context()); err != nil || calls != 2 {
			t.Errorf("%d calls, want 2: %v", calls, err)
		}
	})
}

func TestRetriesAfterErrorAndPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		calls := 0
		l := loop.New("fail", slog.New(slog.NewTextHandler(&log, nil)), func(context.Context) (time.Duration, error) {
			if calls++; calls%2 == 0 {
				panic("canary")
			}
			return time.Hour, errors.New("disk full")
		})
		l.Start()
		time.Sleep(5 * time.Minute)
		if err := l.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		// Calls at 0, 2, 6, 14, 30 and 62 s, and then every minute, ±10 %.
		if calls < 9 || calls > 11 {
			t.Errorf("called %d times in 5 minutes", calls)
		}
		for _, text := range []string{"disk full", "panic: canary", "loop=fail"} {
			if !strings.Contains(log.String(), text) {
				t.Errorf("the log lacks %q:\n%s", text, &log)
			}
		}
	})
}

func TestStopCancelsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := startSlow(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := l.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop with 1 ms: %v", err)
		}
		if err := l.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestConcurrentStopsObeyTheirOwnContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := startSlow(time.Minute)
		first := make(chan error)
		go func() { first <- l.Stop(t.Context()) }()
		synctest.Wait()
		stopped := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(stopped) != time.Second {
			t.Errorf("the second Stop returned %v after %v, want its deadline after 1 s", err, time.Since(stopped))
		}
		if err := <-first; err != nil || time.Since(stopped) != time.Minute {
			t.Errorf("the first Stop returned %v after %v, want nil after 1 min", err, time.Since(stopped))
		}
	})
}

// startSlow returns a started loop whose call takes that long to end after its
// context is cancelled.
func startSlow(ending time.Duration) *loop.Loop {
	l := loop.New("slow", slog.New(slog.DiscardHandler), func(ctx context.Context) (time.Duration, error) {
		<-ctx.Done()
		time.Sleep(ending)
		return 0, ctx.Err()
	})
	l.Start()
	synctest.Wait()
	return l
}
