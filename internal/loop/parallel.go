package loop

import (
	"log/slog"
	"sync"
)

// Parallel calls do for 0 to n-1, at most atOnce at the same time, and returns the error
// of each call. A panic is the error of its call; task names it in the log.
func Parallel(log *slog.Logger, n, atOnce int, task string, do func(i int) error) []error {
	var (
		group    sync.WaitGroup
		slots    = make(chan struct{}, atOnce)
		failures = make([]error, n)
	)
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			failures[i] = Recover(log, task, func() error { return do(i) })
		})
	}
	group.Wait()
	return failures
}
