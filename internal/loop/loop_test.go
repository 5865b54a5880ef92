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

func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var calls []time.Duration
		l := loop.New("count", slog.New(slog.DiscardHandler), func(context.Context) (time.Duration, error) {
			calls = append(calls, time.Since(began))
			return time.Minute, nil
		})
		if err := l.Stop(t.Context()); err != nil {
			t.Errorf("stopping what was never started: %v", err)
		}
		l.Start()
		l.Start()
		time.Sleep(90 * time.Second)
		l.Wake()
		synctest.Wait()
		time.Sleep(time.Minute)
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

func TestFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		calls := 0
		l := loop.New("fail", slog.New(slog.NewTextHandler(&log, nil)), func(context.Context) (time.Duration, error) {
			if calls++; calls%2 == 0 {
				panic("canary")
			}
			return time.Hour, errors.New("no luck")
		})
		l.Start()
		time.Sleep(5 * time.Minute)
		if err := l.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		// 0, 2, 6, 14, 30, 62 s, and then every minute: give or take 10 %.
		if calls < 9 || calls > 11 {
			t.Errorf("called %d times in 5 minutes", calls)
		}
		for _, words := range []string{"no luck", "panic: canary", "loop=fail"} {
			if !strings.Contains(log.String(), words) {
				t.Errorf("the log lacks %q", words)
			}
		}
	})
}

func TestStopCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := loop.New("hang", slog.New(slog.DiscardHandler), func(ctx context.Context) (time.Duration, error) {
			<-ctx.Done()
			time.Sleep(time.Second) // takes its time to end
			return 0, ctx.Err()
		})
		l.Start()
		synctest.Wait()
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := l.Stop(impatient); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stop without patience: %v", err)
		}
		if err := l.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
