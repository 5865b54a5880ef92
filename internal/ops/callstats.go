package ops

import (
	"sync"
	"time"
)

const (
	windowMinutes = 60
	// A service is down when its last downFailures calls or more got no answer
	// and the first of them was downAfter ago. A single failed call in a quiet
	// hour proves little.
	downAfter    = time.Minute
	downFailures = 3
)

// CallStats counts the calls to one service over the last hour and detects
// whether the service is down. The zero value is ready; its methods may be
// called from any goroutine.
type CallStats struct {
	mu             sync.Mutex
	minutes        [windowMinutes]minuteCount
	answers        bool // the last call was answered
	lastError      string
	lastErrorAt    time.Time
	failuresInARow int
	firstFailureAt time.Time // of that row
}

// minuteCount counts the calls of one minute.
type minuteCount struct {
	minute        int64 // since 1970
	calls, errors int64
}

// Snapshot is what CallStats has counted.
type Snapshot struct {
	Calls, Errors int64     // in the last hour
	LastError     string    // since the process started, "" for none: the call and its outcome, in the code's words
	LastErrorAt   time.Time // zero for none
	DownSince     time.Time // of the first unanswered call; zero while the service is not down
	Answers       bool      // the last call was answered; false before the first one
}

// Observe counts one call. failed means that the service did not answer;
// description is the call with its outcome, which LastError then repeats.
func (s *CallStats) Observe(description string, failed bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	minute := now.Unix() / 60
	count := &s.minutes[minute%windowMinutes]
	if count.minute != minute {
		*count = minuteCount{minute: minute}
	}
	count.calls++
	s.answers = !failed
	if !failed {
		s.failuresInARow = 0
		return
	}
	count.errors++
	s.lastError, s.lastErrorAt = description, now
	if s.failuresInARow == 0 {
		s.firstFailureAt = now
	}
	s.failuresInARow++
}

// Snapshot returns the counts of the last hour and the present state.
func (s *CallStats) Snapshot() Snapshot {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	snapshot := Snapshot{LastError: s.lastError, LastErrorAt: s.lastErrorAt, Answers: s.answers}
	for _, count := range s.minutes {
		if now.Unix()/60-count.minute < windowMinutes {
			snapshot.Calls += count.calls
			snapshot.Errors += count.errors
		}
	}
	if s.failuresInARow >= downFailures && now.Sub(s.firstFailureAt) >= downAfter {
		snapshot.DownSince = s.firstFailureAt
	}
	return snapshot
}
