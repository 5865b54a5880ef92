package bot

import (
	"sync"
	"time"
)

// conflict observes whether another program uses this bot's token.
type conflict struct {
	after time.Duration // how long observations must go on to count: a new version may be replacing the old one
	quiet time.Duration // the time without observations after which the other program has ended

	mu          sync.Mutex
	started     time.Time // observing
	first, last time.Time // of observations less than quiet apart
}

// newPollConflict: two programs that poll with one token interrupt each other in turn,
// so polls succeed between two conflicts.
func newPollConflict() *conflict { return &conflict{after: 30 * time.Second, quiet: time.Minute} }

// newWebhookConflict: the webhook is checked once a minute. A program that changes it
// does so when it starts.
func newWebhookConflict() *conflict { return &conflict{quiet: 10 * time.Minute} }

func (c *conflict) start(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started = now
}

// observe records a trace of the other program.
func (c *conflict) observe(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.last) > c.quiet {
		c.first = now
	}
	c.last = now
}

func (c *conflict) state(now time.Time) (since time.Time, sure bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case now.Sub(c.last) > c.quiet:
		return time.Time{}, now.Sub(c.started) > c.quiet
	case c.last.Sub(c.first) < c.after:
		return time.Time{}, false
	default:
		return c.first, true
	}
}
