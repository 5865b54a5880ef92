package callrate

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Each thing that asks for fewer calls halves the rate, once within two seconds.
func TestHalvesTheRate(t *testing.T) {
	fast := func(l *Limiter) {
		for n := range 100 {
			l.Report(account(n%5), "balance", Accepted, 100*time.Millisecond)
			l.Report(account(n%5), "products", Accepted, time.Second)
		}
	}
	for name, test := range map[string]struct {
		report func(l *Limiter)
		want   float64
	}{
		"429 of two accounts": {func(l *Limiter) {
			fast(l)
			l.Report(account(1), "balance", TooMany, time.Millisecond)
			time.Sleep(2 * time.Second)
			l.Report(account(2), "balance", TooMany, time.Millisecond)
			l.Report(account(3), "balance", TooMany, time.Millisecond)
		}, 10},
		"429 of two accounts, a minute apart": {func(l *Limiter) {
			fast(l)
			l.Report(account(1), "balance", TooMany, time.Millisecond)
			time.Sleep(time.Minute)
			fast(l)
			l.Report(account(2), "balance", TooMany, time.Millisecond)
		}, 20},
		"429 of the only account": {func(l *Limiter) { l.Report(account(1), "balance", TooMany, time.Millisecond) }, 10},
		"503":                     {func(l *Limiter) { l.Report(account(1), "balance", Overloaded, time.Millisecond) }, 10},
		"503 for long": {func(l *Limiter) {
			for range 50 {
				l.Report(account(1), "balance", Overloaded, time.Millisecond)
				time.Sleep(100 * time.Millisecond)
			}
		}, 2.5},
		"answers take three times as long": {func(l *Limiter) {
			fast(l)
			for range 30 {
				time.Sleep(100 * time.Millisecond)
				l.Report(account(1), "balance", Accepted, 300*time.Millisecond)
			}
		}, 10},
		"answers of an action that takes long": {func(l *Limiter) {
			fast(l)
			for range 30 {
				time.Sleep(100 * time.Millisecond)
				l.Report(account(1), "products", Accepted, time.Second)
			}
		}, 20},
		"one long answer": {func(l *Limiter) {
			fast(l)
			l.Report(account(1), "balance", Accepted, 9*time.Second)
			fast(l)
		}, 20},
		"no answer": {func(l *Limiter) { l.Report(account(1), "balance", Unanswered, 10*time.Second) }, 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := New(Options{Most: MaxRate})
				test.report(l)
				if got := l.State().Rate; got != test.want {
					t.Errorf("%v calls a second, want %v", got, test.want)
				}
			})
		})
	}
}

// Without work the rate does not grow: nothing shows that the marketplace allows more.
func TestGrowsOnlyWithWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{Most: MaxRate})
		for range 1000 {
			if err := l.Wait(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second / 10)
		}
		if got := l.State().Rate; got != firstRate {
			t.Errorf("%v calls a second after calls that did not wait", got)
		}
	})
}

// Background calls wait until nobody else does.
func TestBackgroundCallsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{Most: 10})
		var mu sync.Mutex
		var order []string
		var calls sync.WaitGroup
		call := func(name string, background bool) {
			calls.Go(func() {
				if err := l.Wait(t.Context(), background); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, name)
			})
		}
		for range 20 {
			call("poll", true)
		}
		synctest.Wait()
		for range 10 {
			call("tap", false)
		}
		calls.Wait()
		last := slices.Index(order, "tap")
		for n := last; n < len(order) && order[n] == "tap"; n++ {
			last = n
		}
		taps := slices.DeleteFunc(slices.Clone(order[:last+1]), func(name string) bool { return name == "poll" })
		if len(taps) != 10 {
			t.Errorf("calls were made in the order %v", order)
		}
	})
}

// A call that gives up leaves the slots to the others.
func TestGivenUpCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{Most: 1})
		var calls sync.WaitGroup
		for range 50 {
			calls.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
				defer cancel()
				_ = l.Wait(ctx, false)
			})
		}
		calls.Wait()
		began := time.Now()
		if err := l.Wait(t.Context(), true); err != nil || time.Since(began) > 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if room, again := l.Room(); room < 0 || room == 0 && again <= 0 {
			t.Errorf("room for %d calls, again in %v", room, again)
		}
	})
}

// A firewall's page stops background calls for a minute, twice as long each further time,
// and for an hour at most. Others may still call. An answer after the pause ends that.
func TestFirewall(t *testing.T) {
	for _, most := range []float64{0, 20} {
		synctest.Test(t, func(t *testing.T) {
			l := New(Options{Most: most})
			for _, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
				for range 5 { // one page of those that were on their way
					l.Report(account(1), "status", Blocked, time.Millisecond)
				}
				if err := l.Wait(t.Context(), true); !errors.Is(err, ErrBanned) {
					t.Fatalf("a background call: %v", err)
				}
				if err := l.Wait(t.Context(), false); err != nil {
					t.Fatalf("another call: %v", err)
				}
				room, again := l.Room()
				if room != 0 || again != pause*time.Minute {
					t.Fatalf("room for %d calls, again in %v; want %v minutes", room, again, int(pause))
				}
				time.Sleep(again)
				if room, _ := l.Room(); room == 0 {
					t.Fatal("no room after the pause")
				}
			}
			l.Report(account(1), "status", Accepted, time.Millisecond)
			l.Report(account(1), "status", Blocked, time.Millisecond)
			if _, again := l.Room(); again != firstBan {
				t.Errorf("a pause of %v, want a minute again", again)
			}
		})
	}
}

// Without a limit nothing is delayed.
func TestUnlimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{})
		l.Report(account(1), "status", Overloaded, time.Millisecond)
		began := time.Now()
		for n := range 10_000 {
			if err := l.Wait(t.Context(), n%2 == 0); err != nil {
				t.Fatal(err)
			}
		}
		if room, _ := l.Room(); room != math.MaxInt || time.Since(began) > 0 || l.Most() != 0 {
			t.Errorf("room for %d calls after %v", room, time.Since(began))
		}
	})
}
