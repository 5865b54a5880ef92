package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// How long each part may take to stop, and all of them. The database, the last one, has
// all that is left: writes that were handed in are finished.
const (
	stopTotal     = 8 * time.Second         // container runtimes kill after 10 s
	stopReceiving = 4 * time.Second         // handlers in flight; a purchase cut off then has an unknown outcome at once
	stopNews      = 750 * time.Millisecond  // copies of a broadcast in flight, rounds of watches and the monitor
	stopOrders    = 1500 * time.Millisecond // polls in flight
	stopOutbox    = time.Second             // messages that are due
	stopRest      = 250 * time.Millisecond
)

// service is a part of the program that is started and stopped.
type service struct {
	name    string
	start   func(context.Context) error // nil where nothing is to be started
	stop    func(context.Context) error // nil where nothing is to be stopped
	timeout time.Duration               // of stop
}

// stage is services that don't depend on each other: they stop in parallel.
type stage []service

// Start starts all services in order. Where one fails, the error is returned and the caller
// stops the program.
func (a *App) Start(ctx context.Context) error {
	for _, stage := range a.stages {
		for _, s := range stage {
			if s.start == nil {
				continue
			}
			if err := s.start(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Stop stops all services in reverse, each with a deadline of its own that ctx may
// bring forward. What was cut off is in the database and goes on at the next start;
// it is in the error. Stopping a second time obeys its own ctx.
func (a *App) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTotal)
	defer cancel()
	var problems []error
	for _, stage := range slices.Backward(a.stages) {
		failures := make([]error, len(stage))
		var stopping sync.WaitGroup
		for i, s := range stage {
			stopping.Go(func() { failures[i] = s.stopWithin(ctx) })
		}
		stopping.Wait()
		problems = append(problems, failures...)
	}
	return errors.Join(problems...)
}

// stopWithin stops a service within its own timeout.
func (s service) stopWithin(ctx context.Context) error {
	if s.stop == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.stop(ctx); err != nil {
		return fmt.Errorf("stop %s: %w", s.name, err)
	}
	return nil
}

// closing is a stop of something that has no deadline of its own: it goes on
// beside the rest when ctx is over.
func closing(stop func()) func(context.Context) error {
	return func(ctx context.Context) error {
		done := make(chan struct{})
		go func() {
			defer close(done)
			stop()
		}()
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// background starts the background work when this process gets the lease for it.
type background struct {
	leads <-chan struct{}
	work  func(context.Context) error // starts it; after an error it is called again
	log   *slog.Logger

	cancel context.CancelFunc
	done   chan struct{}
}

const workRetry = time.Second

// Start starts the work if this process has the lease, else it waits for the lease in the
// background.
func (b *background) Start(ctx context.Context) error {
	select {
	case <-b.leads:
		return b.work(ctx)
	default:
	}
	ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	b.done = make(chan struct{})
	go b.run(ctx)
	return nil
}

func (b *background) run(ctx context.Context) {
	defer close(b.done)
	select {
	case <-ctx.Done():
		return
	case <-b.leads:
	}
	for {
		err := b.work(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		b.log.Error("background work not started, retrying", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(workRetry):
		}
	}
}

// Stop ends the waiting. Each service of the work has a stop of its own.
func (b *background) Stop(ctx context.Context) error {
	if b.cancel == nil {
		return nil
	}
	b.cancel()
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
