package loop

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// TestStopwatchCountsSuspends, which the monotonic clock leaves out.
func TestStopwatchCountsSuspends(t *testing.T) {
	system := uptime
	defer func() { uptime = system }()
	synctest.Test(t, func(t *testing.T) {
		booted, suspended, known := time.Now(), time.Hour, true
		uptime = func() time.Duration {
			if !known {
				return 0
			}
			return time.Since(booted) + suspended
		}
		watch := StartStopwatch()
		want := func(want time.Duration) {
			t.Helper()
			if got := watch.Elapsed(); got != want {
				t.Errorf("elapsed %v, want %v", got, want)
			}
		}
		time.Sleep(time.Minute)
		want(time.Minute)
		suspended += 8 * time.Minute
		want(9 * time.Minute)
		known = false
		want(time.Minute)
		watch = StartStopwatch()
		time.Sleep(time.Second)
		want(time.Second)
	})
	if up := system(); runtime.GOOS == "linux" && up <= 0 {
		t.Errorf("the machine has run for %v", up)
	}
}
