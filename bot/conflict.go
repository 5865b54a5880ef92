package bot

import (
	"sync"
	"time"
)

const (
	// rivalAfter lets a new version take over from the old one in peace.
	rivalAfter = 30 * time.Second
	// rivalCalm is without any conflict when a rival has gone. Two programs on one
	// token take the updates in turns: between two conflicts polls succeed, as often
	// as people write.
	rivalCalm = time.Minute
)

// pollConflict is somebody else who receives this bot's updates. The zero value is
// ready once began is set.
type pollConflict struct {
	mu          sync.Mutex
	began       time.Time // when this program began to receive
	first, last time.Time // conflicts with hardly a pause between
}

func (r *pollConflict) start(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.began = now
}

// seen notes a conflict.
func (r *pollConflict) seen(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.last) > rivalCalm {
		r.first = now
	}
	r.last = now
}

func (r *pollConflict) state(now time.Time) (since time.Time, sure bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case now.Sub(r.last) > rivalCalm:
		return time.Time{}, now.Sub(r.began) > rivalCalm
	case r.last.Sub(r.first) < rivalAfter:
		return time.Time{}, false
	default:
		return r.first, true
	}
}
