package market

import (
	"net/url"
	"slices"
	"time"
)

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
	Took   time.Duration // 0 until it is answered
	Fields url.Values    // as sent, key and action included
	Lang   string
	Status int       // HTTP status; 0 until it is answered, and if the answer was never sent
	Answer []byte    // the first 2 KiB of the answer, even if it was never sent
	Size   int       // bytes of the whole answer
	Fault  FaultKind // "": none
}

// callLog is a ring of the last maxCalls calls, and counters of all calls.
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

// Calls returns the last 10,000 requests, including those in flight, oldest first.
func (s *Server) Calls() []Call { return s.CallsAfter(0) }

// CallsAfter returns the calls of Calls whose Number is greater than n.
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

// Count returns the number of requests for an action, or of all requests for "".
// Refused, lost and unfinished ones count too.
func (s *Server) Count(action string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if action == "" {
		return int(s.calls.total)
	}
	return s.calls.counts[action]
}

// Violations returns what the requests contained against the document, as
// "add: unknown parameter variant". They contain no keys. Only the first 1,000
// are recorded.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

// violation records what a request should not contain. The caller holds mu.
func (s *Server) violation(action, what string) {
	if len(s.violations) < maxViolations {
		s.violations = append(s.violations, action+": "+what)
	}
}
