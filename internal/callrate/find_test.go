package callrate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	xrate "golang.org/x/time/rate"
)

// hiddenLimit is a marketplace with a limit that it tells nobody: token buckets for all
// calls, and for those of each account. An answer takes 60 to 140 ms.
type hiddenLimit struct {
	all        *xrate.Limiter
	perAccount func() *xrate.Limiter // nil: none
	accounts   map[Account]*xrate.Limiter

	mu                sync.Mutex
	accepted, refused int
}

func newHiddenLimit(perSecond float64, burst int) *hiddenLimit {
	return &hiddenLimit{all: xrate.NewLimiter(xrate.Limit(perSecond), burst), accounts: map[Account]*xrate.Limiter{}}
}

func (h *hiddenLimit) allow(account Account) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	allowed := true
	if h.perAccount != nil {
		if h.accounts[account] == nil {
			h.accounts[account] = h.perAccount()
		}
		allowed = h.accounts[account].Allow()
	}
	if allowed = allowed && h.all.Allow(); allowed {
		h.accepted++
	} else {
		h.refused++
	}
	return allowed
}

// call makes a call as package hstock does.
func (h *hiddenLimit) call(ctx context.Context, l *Limiter, account Account, background bool) {
	if l.Wait(ctx, background) != nil {
		return
	}
	allowed := h.allow(account)
	took := 60*time.Millisecond + rand.N(80*time.Millisecond)
	time.Sleep(took)
	result := Accepted
	if !allowed {
		result = TooMany
	}
	l.Report(account, "sms_code", result, took)
}

// poll makes background calls for as many accounts until ctx is done, as many as there is
// room for.
func (h *hiddenLimit) poll(ctx context.Context, l *Limiter, accounts int) {
	var calls sync.WaitGroup
	for n := 0; ctx.Err() == nil; {
		room, again := l.Room()
		for range min(room, 1000) {
			n++
			of := account(n % accounts)
			calls.Go(func() { h.call(ctx, l, of, true) })
		}
		time.Sleep(max(again, roomAhead))
	}
	calls.Wait()
}

func (h *hiddenLimit) counts() (accepted, refused float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return float64(h.accepted), float64(h.refused)
}

func account(n int) (a Account) {
	a[0], a[1] = byte(n), byte(n>>8)
	return a
}

// After a minute of work at least nine tenths of the limit are used, up to the maximum, and
// at most one call in a hundred is refused (of small limits, two). Somebody who taps
// meanwhile never waits.
func TestFindsHiddenLimit(t *testing.T) {
	for _, run := range []struct {
		limit float64
		burst int
	}{{7, 2}, {20, 5}, {50, 12}, {50, 50}, {50, 200}, {200, 50}, {200, 200}, {200, 1000}, {1000, 50}, {1000, 1000}} {
		t.Run(fmt.Sprintf("%v a second, burst %d", run.limit, run.burst), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const warmUp, span = time.Minute, 5 * time.Minute
				h, l := newHiddenLimit(run.limit, run.burst), New(Options{Most: MaxRate})
				ctx, cancel := context.WithTimeout(t.Context(), warmUp+span)
				defer cancel()
				var jobs sync.WaitGroup
				jobs.Go(func() { h.poll(ctx, l, 500) })
				var waits []time.Duration
				jobs.Go(func() {
					for ctx.Err() == nil {
						time.Sleep(500*time.Millisecond + rand.N(time.Second))
						began := time.Now()
						h.call(ctx, l, account(1000), false)
						waits = append(waits, time.Since(began)-140*time.Millisecond)
					}
				})
				time.Sleep(warmUp)
				acceptedBefore, refusedBefore := h.counts()
				jobs.Wait()
				accepted, refused := h.counts()
				accepted, refused = accepted-acceptedBefore, refused-refusedBefore
				if share := accepted / span.Seconds() / min(run.limit, MaxRate); share < 0.9 || share > 1.01 {
					t.Errorf("%.3f of the limit are used", share)
				}
				most := 0.01
				if run.limit < 50 {
					most = 0.02 // one refusal is a larger share of few calls
				}
				if share := refused / (accepted + refused); share > most {
					t.Errorf("%.4f of the calls are refused", share)
				}
				if longest := slices.Max(waits); longest > 0 {
					t.Errorf("a tap waited %s", longest)
				}
			})
		})
	}
}

// Limits of single accounts do not reduce the rate of all, as long as one account at a time
// meets its own.
func TestLimitOfOneAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{Most: MaxRate})
		now := time.Now()
		for range 60 {
			for n := range 10 {
				l.Report(account(n), "status", Accepted, time.Millisecond)
			}
			l.Report(account(3), "status", TooMany, time.Millisecond)
			time.Sleep(time.Second)
		}
		if state := l.State(); state.Rate != firstRate || state.CutAt.After(now) {
			t.Errorf("after refusals of one account: %+v", state)
		}
	})
}

// The polls of an account find its limit, too.
func TestPollsOfOneAccount(t *testing.T) {
	const limit = 6.0
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := New(Options{Most: MaxRate}).NewPolls(now)
	hidden := xrate.NewLimiter(limit, 3)
	accepted, refused := 0, 0
	end := now.Add(10 * time.Minute)
	for now.Before(end) {
		if at := p.Next(now); at.After(now) {
			now = now.Add(min(at.Sub(now), 50*time.Millisecond))
			continue
		}
		p.Take(now)
		if hidden.AllowN(now, 1) {
			accepted++
			p.Accepted()
		} else {
			refused++
			p.Refused(now)
		}
	}
	if share := float64(accepted) / 600 / limit; share < 0.85 {
		t.Errorf("%.3f of the account's limit are used", share)
	}
	if share := float64(refused) / float64(accepted+refused); share > 0.02 {
		t.Errorf("%.4f of its polls are refused", share)
	}
}
