package callrate

import (
	"math"
	"sync"
	"time"

	xrate "golang.org/x/time/rate"
)

const (
	// A bucket saves the slots of this time: as many as a second's would allow twice the
	// rate in the first second.
	saveFor = 250 * time.Millisecond
	// Urgent calls use the slots of this time in advance, and at least minAdvance.
	advanceFor = 125 * time.Millisecond
	minAdvance = 1

	// blocksPerSecond is how many reservations a second are enough for any rate.
	blocksPerSecond = 20
)

// bucket has the slots of a process that is alone.
type bucket struct {
	tokens    *xrate.Limiter
	leastSave int
}

// newBucket returns a full bucket that saves at least so many slots.
func newBucket(perSecond float64, leastSave int) *bucket {
	return &bucket{tokens: xrate.NewLimiter(xrate.Limit(perSecond), saving(perSecond, leastSave)), leastSave: leastSave}
}

func saving(perSecond float64, least int) int { return max(least, int(perSecond*saveFor.Seconds())) }

// take implements slots.
func (b *bucket) take(now time.Time, perSecond float64, urgent bool) (bool, time.Time) {
	if at := b.next(now, perSecond, urgent); at.After(now) {
		return false, at
	}
	b.tokens.ReserveN(now, 1)
	return true, time.Time{}
}

// next returns when there is a slot, now at the earliest.
func (b *bucket) next(now time.Time, perSecond float64, urgent bool) time.Time {
	if perSecond != float64(b.tokens.Limit()) {
		b.tokens.SetLimitAt(now, xrate.Limit(perSecond))
		b.tokens.SetBurstAt(now, saving(perSecond, b.leastSave))
	}
	missing := 1 - b.tokens.TokensAt(now)
	if urgent {
		missing -= max(minAdvance, perSecond*advanceFor.Seconds())
	}
	if missing <= 0 {
		return now
	}
	return now.Add(time.Duration(missing/perSecond*float64(time.Second)) + time.Microsecond)
}

// saved implements slots.
func (b *bucket) saved(now time.Time) int { return max(0, int(b.tokens.TokensAt(now))) }

// blocks has the slots of a process beside others. It reserves blocks of calls, one in
// each interval, and saves none: a slot that is not used in the time of its block is lost,
// because other processes use the time after it.
type blocks struct {
	pace  Pace
	mu    *sync.Mutex         // under which take is called
	serve func(now time.Time) // called under mu when a block was reserved

	// Of the block.
	left     int
	next     time.Time // the next slot
	end      time.Time
	interval time.Duration // between two slots

	asking bool
	askAt  time.Time // when the next block may be asked for
}

// take implements slots.
func (b *blocks) take(now time.Time, perSecond float64, _ bool) (bool, time.Time) {
	if b.left > 0 && now.Before(b.end) {
		if now.Before(b.next) {
			return false, b.next
		}
		b.left--
		b.next = b.next.Add(b.interval)
		return true, time.Time{}
	}
	switch {
	case b.asking:
		return false, time.Time{}
	case now.Before(b.askAt):
		return false, b.askAt
	}
	b.asking = true
	go b.reserve(max(1, int(perSecond/blocksPerSecond)), time.Duration(math.Ceil(float64(time.Second)/perSecond)))
	return false, time.Time{}
}

// reserve reserves the next block, without the lock: it may take a second.
func (b *blocks) reserve(calls int, interval time.Duration) {
	step := interval * time.Duration(calls)
	in, reserved := b.pace.ReserveCalls(step)
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.asking = false
	if reserved {
		b.left, b.interval = calls, interval
		b.next = now.Add(in)
		b.end = b.next.Add(step)
	} else {
		b.askAt = now.Add(in - step)
	}
	b.serve(now)
}

// saved implements slots.
func (*blocks) saved(time.Time) int { return 0 }
