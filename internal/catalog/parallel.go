package catalog

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// parallel runs tasks in parallel, at most limit at once (-1: all), and returns
// the first error, which cancels the context of the others. A panic in a task is
// raised again in the caller's goroutine, where it is recovered, when all are done.
func parallel(ctx context.Context, limit int, tasks ...func(ctx context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(limit)
	panics := make([]any, len(tasks))
	for i, task := range tasks {
		group.Go(func() error {
			defer func() { panics[i] = recover() }()
			return task(ctx)
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
