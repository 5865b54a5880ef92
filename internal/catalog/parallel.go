package catalog

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// parallel runs all of do beside each other, at most most at once (-1: all), and
// returns the first error, with which the context of the others ends. A panic of one
// of them goes on in the caller's goroutine, which is guarded, once all are done.
func parallel(ctx context.Context, most int, do ...func(ctx context.Context) error) error {
	group, shared := errgroup.WithContext(ctx)
	group.SetLimit(most)
	panics := make([]any, len(do))
	for i, f := range do {
		group.Go(func() error {
			defer func() { panics[i] = recover() }()
			return f(shared)
		})
	}
	err := group.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
	return err
}
