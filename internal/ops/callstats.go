package ops

import (
	"sync"
	"time"
)

const (
	pulseMinutes = 60
	// A service is down when nothing has come of it for so long, and of so many
	// calls: a single call that fails in a quiet hour says little.
	downAfter    = time.Minute
	downFailures = 3
)

// CallStats tells how the calls to one service went in the last hour, and whether
// it is down. The zero value is ready; its methods may be called from any
// goroutine.
type CallStats struct {
	mu        sync.Mutex
	answers   bool // the last call did
	minutes   [pulseMinutes]minute
	last      string
	lastAt    time.Time
	failures  int       // in a row
	failingAt time.Time // when the first of them was
}

// minute counts the calls of one minute.
type minute struct {
	at            int64 // minutes since 1970
	calls, errors int64
}

// Snapshot is what a Pulse has counted.
type Snapshot struct {
	Calls, Errors int64     // of the last hour
	LastError     string    // of this process, "" for none: the call and what became of it
	LastErrorAt   time.Time // when
	DownSince     time.Time // zero while it answers
	Answers       bool      // the last call was answered; false before the first
}

// Observe counts one call. failed says that no answer came of it; what is the
// call, and then what became of it, in the code's own words.
func (p *CallStats) Observe(what string, failed bool) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	at := now.Unix() / 60
	m := &p.minutes[at%pulseMinutes]
	if m.at != at {
		*m = minute{at: at}
	}
	m.calls++
	if p.answers = !failed; !failed {
		p.failures = 0
		return
	}
	m.errors++
	p.last, p.lastAt = what, now
	if p.failures == 0 {
		p.failingAt = now
	}
	p.failures++
}

// Snapshot returns what was counted.
func (p *CallStats) Snapshot() Snapshot {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	tally := Snapshot{LastError: p.last, LastErrorAt: p.lastAt, Answers: p.answers}
	for _, m := range p.minutes {
		if now.Unix()/60-m.at < pulseMinutes {
			tally.Calls += m.calls
			tally.Errors += m.errors
		}
	}
	if p.failures >= downFailures && now.Sub(p.failingAt) >= downAfter {
		tally.DownSince = p.failingAt
	}
	return tally
}
