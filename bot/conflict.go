package bot

import (
	"sync"
	"time"
)

const (
	// conflictAfter is how long conflicts must last to count: a new version may be
	// replacing the old one.
	conflictAfter = 30 * time.Second
	// conflictQuiet is the time without conflicts after which the other program has
	// ended. Two programs that poll with one token interrupt each other in turn, so
	// polls succeed between two conflicts.
	conflictQuiet = time.Minute
)

// pollConflict observes whether another program receives this bot's updates.
type pollConflict struct {
	mu          sync.Mutex
	started     time.Time // polling, by this program
	first, last time.Time // of conflicts less than conflictQuiet apart
}

func (c *pollConflict) start(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started = now
}

// observe records a conflict.
func (c *pollConflict) observe(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.last) > conflictQuiet {
		c.first = now
	}
	c.last = now
}

func (c *pollConflict) state(now time.Time) (since time.Time, sure bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case now.Sub(c.last) > conflictQuiet:
		return time.Time{}, now.Sub(c.started) > conflictQuiet
	case c.last.Sub(c.first) < conflictAfter:
		return time.Time{}, false
	default:
		return c.first, true
	}
}
