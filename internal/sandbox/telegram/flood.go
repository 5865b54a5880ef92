package telegram

import (
	"math"
	"time"
)

// Telegram's limits (Bots FAQ: "My bot is hitting limits"). The sizes of the bursts
// are assumptions: the FAQ says only that "short bursts" in a chat are tolerated.
var (
	floodAll   = limit{perSecond: 30, burst: 30}
	floodChat  = limit{perSecond: 1, burst: 5}
	floodGroup = limit{perSecond: 20.0 / 60, burst: 20}
)

type limit struct{ perSecond, burst float64 }

// bucket is a token bucket; the zero bucket is full.
type bucket struct {
	used float64
	at   time.Time
}

// wait returns the time until the bucket has a token.
func (b *bucket) wait(l limit, now time.Time) time.Duration {
	b.used = max(0, b.used-now.Sub(b.at).Seconds()*l.perSecond)
	b.at = now
	over := b.used + 1 - l.burst
	if over <= 1e-9 {
		return 0
	}
	return time.Duration(over / l.perSecond * float64(time.Second))
}

// checkFlood takes a token for a message, or refuses it with a 429.
func (s *Server) checkFlood(c *chat) *apiError {
	now := time.Now()
	l := floodChat
	if c.kind != "private" {
		l = floodGroup
	}
	if wait := max(c.flood.wait(l, now), s.flood.wait(floodAll, now)); wait > 0 {
		return tooManyRequests(int(math.Ceil(wait.Seconds())))
	}
	c.flood.used++
	s.flood.used++
	return nil
}
