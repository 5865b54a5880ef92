package app

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// recorder keeps the events of services, in order.
type recorder struct {
	mu     sync.Mutex
	events []string
}

func (r *recorder) add(event string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event)
}

// service returns one whose stop takes so long, or until its context is done.
func (r *recorder) service(name string, takes, timeout time.Duration) service {
	return service{
		name:  name,
		start: func(context.Context) error { r.add("start " + name); return nil },
		stop: func(ctx context.Context) error {
			select {
			case <-time.After(takes):
				r.add("stop " + name)
				return nil
			case <-ctx.Done():
				r.add("cut off " + name)
				return ctx.Err()
			}
		},
		timeout: timeout,
	}
}

func TestStartsInOrderAndStopsInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		a := &App{stages: []stage{
			{r.service("database", 0, time.Second)},
			{r.service("orders", 0, time.Second)},
			{r.service("bot", 0, time.Second)},
		}}
		if err := errors.Join(a.Start(t.Context()), a.Stop(t.Context())); err != nil {
			t.Fatal(err)
		}
		want := []string{"start database", "start orders", "start bot", "stop bot", "stop orders", "stop database"}
		if !slices.Equal(r.events, want) {
			t.Errorf("got %q, want %q", r.events, want)
		}
	})
}

// Each service has its own deadline: one that hangs takes no time from the others,
// and those of a stage stop in parallel.
func TestEachServiceStopsWithinItsOwnDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		a := &App{stages: []stage{
			{r.service("database", 900*time.Millisecond, time.Second)},
			{r.service("quick", time.Second, 2*time.Second), r.service("hanging", time.Hour, 2*time.Second), r.service("slow", 1500*time.Millisecond, 2*time.Second)},
		}}
		began := time.Now()
		err := a.Stop(t.Context())
		if took := time.Since(began); took != 2900*time.Millisecond {
			t.Errorf("it took %s, want 2 s for the stage and 0.9 s for the database", took)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline of what was cut off", err)
		}
		want := []string{"stop quick", "stop slow", "cut off hanging", "stop database"}
		if !slices.Equal(r.events, want) {
			t.Errorf("got %q, want %q", r.events, want)
		}
	})
}

func TestSecondStopObeysItsOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		a := &App{stages: []stage{{r.service("bot", 5*time.Second, time.Hour)}}}
		first := make(chan error)
		go func() { first <- a.Stop(t.Context()) }()
		synctest.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := a.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("the second stop returned %v after %s", err, time.Since(began))
		}
		if err := <-first; err != nil {
			t.Errorf("the first stop: %v", err)
		}
	})
}

func TestStartStopsAtTheFirstError(t *testing.T) {
	var r recorder
	broken := r.service("orders", 0, time.Second)
	broken.start = func(context.Context) error { return errors.New("address in use") }
	a := &App{stages: []stage{{r.service("database", 0, time.Second)}, {broken}, {r.service("bot", 0, time.Second)}}}
	if err := a.Start(t.Context()); err == nil || err.Error() != "address in use" {
		t.Errorf("got %v", err)
	}
	if !slices.Equal(r.events, []string{"start database"}) {
		t.Errorf("got %q", r.events)
	}
}

// Whatever hangs, the database has some time left, and the stop ends in time.
func TestDatabaseHasTheRestOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		hangs := func(name string, timeout time.Duration) stage { return stage{r.service(name, time.Hour, timeout)} }
		a := &App{stages: []stage{
			hangs("database", stopTotal), hangs("catalog", stopRest), hangs("outbox", stopOutbox),
			hangs("orders", stopOrders), hangs("monitor", stopNews), hangs("bot", stopReceiving),
		}}
		began := time.Now()
		if err := a.Stop(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != stopTotal {
			t.Errorf("the stop took %s", took)
		}
		if before := stopReceiving + stopNews + stopOrders + stopOutbox + stopRest; before > stopTotal-stopRest {
			t.Errorf("the others may take %s of %s", before, stopTotal)
		}
	})
}
