package telegram

import (
	"math"
	"time"
)

// What Telegram lets pass (Bots FAQ: "My bot is hitting limits"). The bursts are
// ours: Telegram tells none, "short bursts" of a chat are tolerated.
var (
	floodAll   = limit{perSecond: 30, burst: 30}
	floodChat  = limit{perSecond: 1, burst: 5}
	floodGroup = limit{perSecond: 20.0 / 60, burst: 20}
)

type limit struct{ perSecond, burst float64 }

// bucket holds what a limit still allows; the zero bucket is full.
type bucket struct {
	used float64
	at   time.Time
}

// wait is how long until one more message fits.
func (b *bucket) wait(l limit, now time.Time) time.Duration {
	b.used = max(0, b.used-now.Sub(b.at).Seconds()*l.perSecond)
	b.at = now
	over := b.used + 1 - l.burst
	if over <= 1e-9 {
		return 0
	}
	return time.Duration(over / l.perSecond * float64(time.Second))
}

// flooded counts one message for the chat and for all, or refuses it.
func (s *Server) flooded(c *chat) *apiError {
	now := time.Now()
	l := floodChat
	if c.kind != "private" {
		l = floodGroup
	}
	if wait := max(c.flood.wait(l, now), s.flood.wait(floodAll, now)); wait > 0 {
		return tooMany(int(math.Ceil(wait.Seconds())))
	}
	c.flood.used++
	s.flood.used++
	return nil
}
