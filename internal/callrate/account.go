package callrate

import "time"

const (
	// An account begins with this part of the rate of all calls, in calls per second, and
	// at least with minFirstAccountRate.
	firstAccountShare   = 0.25
	minFirstAccountRate = 2.0
	minAccountRate      = 0.1
	accountBurst        = 5
)

// Polls is the rate of the polls of one account. It is found out as the rate of all calls
// is: the marketplace may allow an account less than its share of all calls. It is not safe
// for concurrent use.
type Polls struct {
	rate   rate
	bucket *bucket
}

// NewPolls returns the rate of an account that nothing is known about.
func (l *Limiter) NewPolls(now time.Time) *Polls {
	first := max(minFirstAccountRate, firstAccountShare*l.State().Rate)
	return &Polls{rate: newRate(now, first, minAccountRate, MaxRate), bucket: newBucket(first, accountBurst)}
}

// Next returns when the next poll may be made, now at the earliest. A poll must be due:
// the rate grows while polls wait for it.
func (p *Polls) Next(now time.Time) time.Time {
	at := p.bucket.next(now, p.rate.Rate, false)
	if at.After(now) {
		p.rate.grow(now)
	}
	return at
}

// Take counts a poll that is made now.
func (p *Polls) Take(now time.Time) { p.bucket.tokens.ReserveN(now, 1) }

// Accepted counts a poll that was answered.
func (p *Polls) Accepted() { p.rate.accept() }

// Refused reduces the rate after a 429.
func (p *Polls) Refused(now time.Time) { p.rate.cut(now) }
