package loop_test

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/loop"
)

func TestBackoffDoublesUpToTheLongest(t *testing.T) {
	const second = time.Second
	for _, test := range []struct {
		failures int
		want     time.Duration
	}{
		{0, 2 * second},
		{1, 2 * second},
		{2, 4 * second},
		{5, 32 * second},
		{6, 50 * second},
		{math.MaxInt, 50 * second},
	} {
		if got := loop.Backoff(2*second, 50*second, test.failures); got != test.want {
			t.Errorf("after %d failures %v, want %v", test.failures, got, test.want)
		}
	}
}

func TestJitterStaysWithinTenPercent(t *testing.T) {
	seen := make(map[time.Duration]bool)
	for range 1000 {
		pause := loop.Jitter(time.Minute)
		if pause < 54*time.Second || pause > 66*time.Second {
			t.Fatalf("a minute became %v", pause)
		}
		seen[pause] = true
	}
	if len(seen) < 2 {
		t.Error("the pause does not vary")
	}
}

func TestRecover(t *testing.T) {
	failed := errors.New("disk full")
	for _, test := range []struct {
		name      string
		do        func() error
		err, logs string
	}{
		{name: "success", do: func() error { return nil }},
		{name: "error", do: func() error { return failed }, err: "disk full"},
		{name: "panic", do: func() error { panic(failed) }, err: "poll order: panic: disk full", logs: "failure_test.go"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			err := loop.Recover(slog.New(slog.NewTextHandler(&log, nil)), "poll order", test.do)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != test.err {
				t.Errorf("got error %q, want %q", got, test.err)
			}
			if test.logs == "" && log.Len() > 0 || !strings.Contains(log.String(), test.logs) {
				t.Errorf("logged %q, want %q in it", &log, test.logs)
			}
		})
	}
}
