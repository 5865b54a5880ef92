package callrate

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// memoryPace is the Pace of several limiters in one process. Each answer takes a
// millisecond.
type memoryPace struct {
	mu    sync.Mutex
	next  time.Time
	asked int
}

func (p *memoryPace) ReserveCalls(step time.Duration) (in time.Duration, reserved bool) {
	time.Sleep(time.Millisecond / 2)
	defer time.Sleep(time.Millisecond / 2)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	if in = p.next.Sub(now); in > step {
		return in, false
	}
	p.next = p.next.Add(step)
	return in, true
}

func (p *memoryPace) reservations() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// sharedLimiter returns a limiter that begins at its maximum.
func sharedLimiter(most float64, pace Pace) *Limiter {
	l := New(Options{Most: most, Pace: pace})
	l.rate.Rate = most
	return l
}

// Three processes together make as many calls as the rate allows, at any rate and not more.
func TestProcessesKeepOneRate(t *testing.T) {
	for _, rate := range []float64{2, 20, 70, 1000} {
		synctest.Test(t, func(t *testing.T) {
			pace := &memoryPace{}
			var (
				mu      sync.Mutex
				calls   []time.Time
				running sync.WaitGroup
			)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			for range 3 {
				l := sharedLimiter(rate, pace)
				for n := range max(1, int(rate/blocksPerSecond)) { // callers at once
					running.Go(func() {
						for l.Wait(ctx, n%2 == 0) == nil {
							mu.Lock()
							calls = append(calls, time.Now())
							mu.Unlock()
						}
					})
				}
			}
			running.Wait()
			time.Sleep(2 * time.Second) // reservations that are on their way
			if n := float64(len(calls)); n < 0.98*20*rate || n > 20*rate+1 {
				t.Errorf("%g a second: %g calls in 20 s", rate, n)
			}
			slices.SortFunc(calls, time.Time.Compare)
			for i := int(rate); i < len(calls); i++ { // an answer comes up to a millisecond late
				if gap := calls[i].Sub(calls[i-int(rate)]); gap < time.Second-time.Millisecond {
					t.Fatalf("%g a second: %g calls within %v", rate, rate+1, gap)
				}
			}
			if n := pace.reservations(); n > 20*4*blocksPerSecond {
				t.Errorf("%g a second: %d reservations", rate, n)
			}
		})
	}
}

// What is left of a block when its time is over is not used.
func TestBlocksExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pace := &memoryPace{}
		l := sharedLimiter(100, pace)
		for range 5 {
			if err := l.Wait(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			time.Sleep(49 * time.Millisecond)
		}
		if n := pace.reservations(); n < 3 {
			t.Errorf("5 calls in 250 ms took %d blocks of 50 ms", n)
		}
	})
}

// A slot that is far away is reserved as soon as it may be, so the answer does not delay
// the call.
func TestBlocksAreReservedEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l := sharedLimiter(2, &memoryPace{next: start.Add(5 * time.Second)})
		if err := l.Wait(t.Context(), false); err != nil || time.Since(start) >= 5*time.Second+time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// While one process polls as much as it may, a tap in another one waits for one call's time
// at most.
func TestTapBesidePollsOfAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pace := &memoryPace{}
		polling, tapping := sharedLimiter(50, pace), sharedLimiter(50, pace)
		h := newHiddenLimit(1000, 1000)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var jobs sync.WaitGroup
		jobs.Go(func() { h.poll(ctx, polling, 10) })
		var waits []time.Duration
		for ctx.Err() == nil {
			time.Sleep(777 * time.Millisecond)
			began := time.Now()
			if tapping.Wait(ctx, false) == nil {
				waits = append(waits, time.Since(began))
			}
		}
		jobs.Wait()
		time.Sleep(2 * time.Second)
		slices.Sort(waits)
		if len(waits) < 70 || waits[len(waits)*99/100] > 100*time.Millisecond {
			t.Errorf("%d taps waited %v at the median and %v at the 99th percentile", len(waits), waits[len(waits)/2], waits[len(waits)*99/100])
		}
	})
}
