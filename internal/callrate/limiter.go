package callrate

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"maps"
	"math"
	"sync"
	"time"

	"hstockbot/internal/loop"
)

// ErrBanned means that background calls pause, because a firewall answered one.
var ErrBanned = errors.New("background calls pause after a firewall's answer")

// Account tells the accounts of the marketplace apart. Keys of one account count as several.
type Account [sha256.Size]byte

// Result is what an answer says about the rate.
type Result int

// The results of calls.
const (
	Accepted   Result = iota // any answer of the marketplace to the request itself
	TooMany                  // 429
	Overloaded               // 503
	Blocked                  // 403 or 429 with a page instead of JSON: a firewall
	Unanswered               // no answer, or another status of a proxy: it says nothing
)

const (
	// Refusals of several accounts within this time are not about one of them.
	refusedTogether = 3 * time.Second
	severalAccounts = 2
	// An account that called within this time is in use.
	accountInUse = time.Minute
	maxAccounts  = 1000 // that are remembered

	// A call that waited for this part of the interval between two calls shows that there
	// is more work than the rate allows.
	minWait = 0.5

	// Background calls wait here for at most about this long, and the rest waits where
	// the best one can still be chosen.
	roomAhead = 50 * time.Millisecond
	minAhead  = 2 // so that one waits while there is work, and the rate grows
)

// Pace keeps all processes that call the marketplace to one rate together.
type Pace interface {
	// ReserveCalls reserves the next step in which the marketplace is called. in is the
	// time until it begins. If it is not reserved, it is further away than one step.
	ReserveCalls(step time.Duration) (in time.Duration, reserved bool)
}

// Options configures a Limiter.
type Options struct {
	// Most is the maximum rate, in calls per second; 0 means no limit. Such a Limiter
	// delays nothing, but still pauses background calls after a firewall's answer.
	Most  float64
	Pace  Pace         // of all processes that call the marketplace; nil: there is no other
	Store Store        // where the State is kept; nil: nowhere
	Log   *slog.Logger // nil: none
}

// Limiter delays calls. It is safe for concurrent use.
type Limiter struct {
	log       *slog.Logger
	unlimited bool
	store     Store
	shared    bool // with other processes
	loop      *loop.Loop

	mu       sync.Mutex
	rate     rate
	latency  latency
	slots    slots
	urgent   list.List // of *waiter, the first is next
	later    list.List // of background calls
	timer    *time.Timer
	refused  map[Account]time.Time // when an account got a 429
	lastCall map[Account]time.Time
	stored   storedState
}

// slots are the moments at which calls may be made.
type slots interface {
	// take uses the next slot at now, or returns when there is one; the zero time means
	// that serve is called then.
	take(now time.Time, perSecond float64, urgent bool) (ok bool, at time.Time)
	// saved returns how many calls may be made at once.
	saved(now time.Time) int
}

type waiter struct {
	ready chan struct{} // closed when the call may be made
	since time.Time
}

// New returns a Limiter. Start makes it store and share what it learns.
func New(o Options) *Limiter {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &Limiter{
		log: o.Log, unlimited: o.Most <= 0, store: o.Store, shared: o.Pace != nil,
		refused: map[Account]time.Time{}, lastCall: map[Account]time.Time{},
	}
	most := o.Most
	if l.unlimited {
		most = math.MaxInt32
	}
	l.rate = newRate(time.Now(), min(firstRate, most), minRate, most)
	if o.Pace == nil {
		l.slots = newBucket(l.rate.Rate, 1)
	} else {
		l.slots = &blocks{pace: o.Pace, mu: &l.mu, serve: l.serve}
	}
	l.loop = loop.New("share the rate of calls", o.Log, l.syncOnce)
	return l
}

// State returns what is known about the marketplace's limit.
func (l *Limiter) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rate.State
}

// Most returns the maximum rate, in calls per second; 0 means no limit.
func (l *Limiter) Most() float64 {
	if l.unlimited {
		return 0
	}
	return l.rate.most
}

// BannedSince returns since when a firewall has answered for the marketplace; zero: it does
// not. sure is always true.
func (l *Limiter) BannedSince() (since time.Time, sure bool) {
	state := l.State()
	if state.BanPause == 0 {
		return time.Time{}, true
	}
	return state.BannedUntil.Add(-state.BanPause), true
}

// Wait waits until a call may be made. Background calls let all others pass. The error is
// that of ctx, or ErrBanned.
func (l *Limiter) Wait(ctx context.Context, background bool) error {
	l.mu.Lock()
	now := time.Now()
	if background && l.rate.Banned(now) {
		l.mu.Unlock()
		return ErrBanned
	}
	if l.unlimited {
		l.mu.Unlock()
		return ctx.Err()
	}
	line := &l.urgent
	if background {
		line = &l.later
	}
	w := &waiter{ready: make(chan struct{}), since: now}
	place := line.PushBack(w)
	l.serve(now)
	l.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	line.Remove(place) // does nothing if the slot was given a moment ago: it is lost
	return ctx.Err()
}

// serve gives slots to those that wait, as long as there are some, and comes back for the
// others. l.mu is held.
func (l *Limiter) serve(now time.Time) {
	for {
		line := &l.urgent
		if line.Len() == 0 {
			line = &l.later
		}
		first := line.Front()
		if first == nil {
			return
		}
		ok, at := l.slots.take(now, l.rate.Rate, line == &l.urgent)
		if !ok {
			l.serveAt(now, at)
			return
		}
		w := first.Value.(*waiter)
		line.Remove(first)
		close(w.ready)
		if now.Sub(w.since).Seconds()*l.rate.Rate >= minWait {
			l.rate.grow(now)
		}
	}
}

// serveAt calls serve at a time, or not if it is zero. l.mu is held.
func (l *Limiter) serveAt(now, at time.Time) {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if !at.IsZero() {
		l.timer = time.AfterFunc(max(at.Sub(now), time.Microsecond), l.retry)
	}
}

// retry gives slots to those that wait.
func (l *Limiter) retry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serve(time.Now())
}

// Room returns how many background calls may be begun now, so that they wait only a
// moment. If there are none, it returns when to ask again.
func (l *Limiter) Room() (calls int, again time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	switch {
	case l.rate.Banned(now):
		return 0, l.rate.BannedUntil.Sub(now)
	case l.unlimited:
		return math.MaxInt, 0
	}
	ahead := max(minAhead, int(l.rate.Rate*roomAhead.Seconds()))
	if calls = ahead + l.slots.saved(now) - l.later.Len() - l.urgent.Len(); calls > 0 {
		return calls, 0
	}
	return 0, roomAhead
}

// Report tells what came of a call: the action of the API, and how long the answer took.
func (l *Limiter) Report(account Account, action string, result Result, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	remember(l.lastCall, account, now, accountInUse)
	switch result {
	case Accepted:
		l.rate.accept()
		if !l.rate.Banned(now) {
			l.rate.BanPause = 0
		}
		if l.latency.isSlow(action, took, now) {
			l.cut(now, "answers take twice as long as usual")
			l.latency.reset()
		}
	case TooMany:
		remember(l.refused, account, now, refusedTogether)
		if within(l.refused, now, refusedTogether) >= severalAccounts || within(l.lastCall, now, accountInUse) < severalAccounts {
			l.cut(now, "status 429")
		}
	case Overloaded:
		l.cut(now, "status 503")
	case Blocked:
		if l.rate.Banned(now) {
			return
		}
		l.rate.ban(now)
		l.log.Warn("a firewall answered for the marketplace, background calls pause", "pause", l.rate.BanPause)
		l.loop.Wake()
	case Unanswered:
	}
}

// cut halves the rate. l.mu is held.
func (l *Limiter) cut(now time.Time, cause string) {
	if l.unlimited || !l.rate.cut(now) {
		return
	}
	l.log.Info("fewer calls to the marketplace", "cause", cause, "rate", int(l.rate.Rate), "limit", int(l.rate.Limit))
	l.loop.Wake()
}

// remember stores when an account did something, and forgets who did long ago.
func remember(at map[Account]time.Time, account Account, now time.Time, keep time.Duration) {
	if _, known := at[account]; !known && len(at) >= maxAccounts {
		maps.DeleteFunc(at, func(_ Account, t time.Time) bool { return now.Sub(t) >= keep })
		if len(at) >= maxAccounts {
			return // enough to know that there are several
		}
	}
	at[account] = now
}

// within returns how many accounts did something within a time.
func within(at map[Account]time.Time, now time.Time, d time.Duration) int {
	n := 0
	for _, t := range at {
		if now.Sub(t) < d {
			n++
		}
	}
	return n
}
