package callrate

import (
	"math"
	"time"
)

const (
	firstRate = 20.0 // calls per second
	minRate   = 1.0
	MaxRate   = 300.0 // where no maximum is set

	// While calls wait, a rate doubles in this time until it is near the limit that it
	// met. There it grows by slowGrowth of that limit a second. The limit is forgotten
	// when it was exceeded by a twentieth without a refusal.
	doublingTime = 5 * time.Second
	nearLimit    = 0.97
	slowGrowth   = 0.002
	forgetAbove  = 1.05
	// The longest time without a waiting call that still counts as growth.
	maxGrowthStep = 250 * time.Millisecond

	// A rate is halved at most once in this time: what was refused meanwhile was sent at
	// the old rate.
	minCutInterval = 2 * time.Second
	// A limit that was just met lies between this share of the rate and the rate.
	minLimitShare = 0.7
	// Calls are counted for at least this long before their rate says what the limit is.
	minCountTime = 3 * time.Second

	// A stored time may be ahead of this process's clock by so much.
	maxSkew = 10 * time.Second

	firstBan = time.Minute
	maxBan   = time.Hour
)

// State is what is known about the marketplace's limit.
type State struct {
	Rate  float64   `json:"rate"`            // calls per second
	Limit float64   `json:"limit,omitempty"` // near which calls were refused, in calls per second; 0: none were
	CutAt time.Time `json:"cut_at,omitzero"` // when Rate was last reduced
	// A firewall answered: background calls pause until BannedUntil. The pause is BanPause,
	// which is 0 again after the first answer of the marketplace that follows.
	BannedUntil time.Time     `json:"banned_until,omitzero"`
	BanPause    time.Duration `json:"ban_pause,omitempty"`
}

// Banned reports whether background calls pause at now.
func (s State) Banned(now time.Time) bool { return now.Before(s.BannedUntil) }

// merge returns what two processes know together: the later reduction counts, and of the
// same reduction the faster growth; each pause counts.
func merge(a, b State) State {
	if b.CutAt.After(a.CutAt) || b.CutAt.Equal(a.CutAt) && b.Rate > a.Rate {
		a.Rate, a.Limit, a.CutAt = b.Rate, b.Limit, b.CutAt
	}
	switch b.BannedUntil.Compare(a.BannedUntil) {
	case 1:
		a.BannedUntil, a.BanPause = b.BannedUntil, b.BanPause
	case 0: // one of them may have got an answer since
		a.BanPause = min(a.BanPause, b.BanPause)
	}
	return a
}

// sane returns the state without what a wrong clock or a damaged row would make of it.
func (s State) sane(now time.Time, most float64) State {
	if !(s.Rate > 0) { // also NaN
		s.Rate = firstRate
	}
	if !(s.Limit >= 0) || math.IsInf(s.Limit, 0) {
		s.Limit = 0
	}
	s.Rate = min(s.Rate, most)
	if s.CutAt.After(now.Add(maxSkew)) {
		s.CutAt = time.Time{}
	}
	if latest := now.Add(maxBan); s.BannedUntil.After(latest) {
		s.BannedUntil = latest
	}
	s.BanPause = min(max(s.BanPause, 0), maxBan)
	return s
}

// rate finds out one limit: of all calls, or of those of one account.
type rate struct {
	State
	least, most float64 // calls per second

	grownAt   time.Time
	accepted  int // calls since countedAt
	countedAt time.Time
}

func newRate(now time.Time, first, least, most float64) rate {
	return rate{State: State{Rate: first}, least: least, most: most, countedAt: now, grownAt: now}
}

// grow raises the rate for the time since the last call of grow. Call it for each call
// that had to wait.
func (r *rate) grow(now time.Time) {
	step := min(max(now.Sub(r.grownAt), 0), maxGrowthStep).Seconds()
	r.grownAt = now
	near := r.Limit * nearLimit
	fast := r.Rate * math.Exp2(step/doublingTime.Seconds())
	switch {
	case r.Limit == 0:
		r.Rate = fast
	case r.Rate < near:
		r.Rate = min(fast, near)
	default:
		r.Rate += r.Limit * slowGrowth * step
	}
	if r.Rate > r.Limit*forgetAbove {
		r.Limit = 0
	}
	r.Rate = min(r.Rate, r.most)
}

// accept counts a call that the marketplace has carried out or refused for other reasons.
func (r *rate) accept() { r.accepted++ }

// cut halves the rate, because the marketplace asks for fewer calls. It reports false if
// it was halved a moment ago.
func (r *rate) cut(now time.Time) bool {
	if since := now.Sub(r.CutAt); since >= 0 && since < minCutInterval {
		return false
	}
	// A token bucket is empty at each cut. So as many calls were accepted in between as
	// the limit allows.
	met := r.Rate
	if counted := now.Sub(r.countedAt); counted >= minCountTime {
		met = min(met, max(float64(r.accepted)/counted.Seconds(), minLimitShare*met))
	}
	r.Limit, r.Rate, r.CutAt = met, min(r.Rate, max(r.least, r.Rate/2)), now
	r.accepted, r.countedAt, r.grownAt = 0, now, now
	return true
}

// ban begins a pause of background calls, twice as long as the one before it.
func (r *rate) ban(now time.Time) {
	if r.Banned(now) {
		return
	}
	r.BanPause = min(max(2*r.BanPause, firstBan), maxBan)
	r.BannedUntil = now.Add(r.BanPause)
}
