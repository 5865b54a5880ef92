package loop

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"
)

// Backoff returns the pause after a number of failures in a row: first after
// the first one, twice as long after each further one, at most longest.
func Backoff(first, longest time.Duration, failures int) time.Duration {
	pause := first
	for ; failures > 1 && pause < longest; failures-- {
		pause *= 2
	}
	return min(pause, longest)
}

// Jitter returns the pause changed by up to ±10 % at random, so that retries
// of several workers do not coincide.
func Jitter(pause time.Duration) time.Duration {
	return time.Duration(float64(pause) * (0.9 + 0.2*rand.Float64())) //nolint:gosec // jitter is no secret
}

// Recover calls do and returns its error. A panic is logged with its stack and
// returned as an error, so that one order, message or row that can't be worked
// on does not end the process at each start. task names the work in both.
func Recover(log *slog.Logger, task string, do func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			log.Error("panic recovered", "task", task, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
			err = fmt.Errorf("%s: panic: %v", task, value)
		}
	}()
	return do()
}
