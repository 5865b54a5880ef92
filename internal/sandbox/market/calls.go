package market

import (
	"net/url"
	"slices"
	"time"
)

// How much of the past is kept.
const (
	maxCalls      = 10_000
	maxAnswer     = 2 << 10 // bytes of an answer
	maxViolations = 1_000
)

// Call is one request and its answer.
type Call struct {
	Number int64 // 1 is the first
	Action string
	At     time.Time
	Took   time.Duration // 0 while there is no answer
	Fields url.Values    // as sent, key and action included
	Lang   string
	Status int       // HTTP status; 0 while there is no answer, and where none was given
	Answer []byte    // what was answered, or would have been; its first 2 KiB
	Size   int       // bytes of the whole answer
	Fault  FaultKind // "" where all went well
}

// callLog is a ring of the last maxCalls calls, and counts of all.
type callLog struct {
	ring   []*Call
	total  int64
	counts map[string]int
}

func newCallLog() callLog { return callLog{counts: make(map[string]int)} }

func (l *callLog) add(c *Call) {
	l.total++
	c.Number = l.total
	l.counts[c.Action]++
	if len(l.ring) < maxCalls {
		l.ring = append(l.ring, c)
		return
	}
	l.ring[(l.total-1)%maxCalls] = c
}

// Calls returns the last 10,000 requests, oldest first, those being answered
// included.
func (s *Server) Calls() []Call { return s.CallsAfter(0) }

// CallsAfter returns those calls of Calls whose Number is over n.
func (s *Server) CallsAfter(n int64) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.calls
	first := max(n, l.total-int64(len(l.ring)))
	calls := make([]Call, 0, max(l.total-first, 0))
	for i := first; i < l.total; i++ {
		calls = append(calls, *l.ring[i%maxCalls])
	}
	return calls
}

// Count returns how many requests have come for an action, "" for all: those
// that were refused, lost or are being answered included.
func (s *Server) Count(action string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if action == "" {
		return int(s.calls.total)
	}
	return s.calls.counts[action]
}

// Violations returns what in the requests so far the document does not allow,
// with the action in front ("add: unknown parameter variant"). Keys and other
// values of people are left out. The first 1,000 are kept.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

// violation notes what a request should not have done. The caller holds mu.
func (s *Server) violation(action, what string) {
	if len(s.violations) < maxViolations {
		s.violations = append(s.violations, action+": "+what)
	}
}
