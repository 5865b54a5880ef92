package telegram

import (
	"fmt"
	"time"
)

// maxCalls is how many calls are kept; benchmarks make more than anyone reads.
const maxCalls = 10_000

// Call is one call of the bot and how it was answered. While it is being
// answered, a poll for long, OK is false and Code and Took are 0.
type Call struct {
	Number      int64 // 1 is the first
	Method      string
	At          time.Time
	Took        time.Duration
	Fields      map[string]string // as sent, nested ones as JSON, a file as "name (n bytes)"; the token is no field
	OK          bool              // what was done, even if the answer was lost
	Code        int               // error_code; 0 where OK, and where a fault left no answer
	Description string            // why not
	Fault       string            // kinds of the ordered fault, "" where none

	finished bool
}

// callLog is a ring of the last maxCalls calls, and counts of all.
type callLog struct {
	ring   []*Call
	total  int64
	counts map[string]int
}

// begin writes a call down and takes the fault that is ordered for it. The Call
// is nil with Options.NoLog.
func (s *Server) begin(method string, a args) (*Call, Fault) {
	var c *Call
	if !s.opts.NoLog {
		c = &Call{Method: method, At: time.Now(), Fields: make(map[string]string, len(a))}
		for name, v := range a {
			c.Fields[name] = v.text
			if v.file != nil {
				c.Fields[name] = fmt.Sprintf("%s (%d bytes)", v.file.Name, len(v.file.Data))
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fault := s.takeFault(method, a.number("chat_id"))
	l := &s.calls
	l.total++
	l.counts[method]++
	if c == nil {
		return nil, fault
	}
	c.Number, c.Fault = l.total, fault.name()
	if len(l.ring) < maxCalls {
		l.ring = append(l.ring, c)
	} else {
		l.ring[(l.total-1)%maxCalls] = c
	}
	s.changed(nil)
	return c, fault
}

// finish writes down how the call ended; only the first time counts. The caller
// holds mu.
func (s *Server) finish(c *Call, done bool, err *apiError) {
	if c == nil || c.finished {
		return
	}
	c.finished = true
	c.Took, c.OK = time.Since(c.At), done
	if err != nil {
		c.Code, c.Description = err.Code, err.Description
	}
	s.changed(nil)
}

// Calls returns the last 10,000 calls, oldest first; none with Options.NoLog.
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

// Count returns how many calls of a method have come, "" for all, the
// refused, lost and open ones included. It counts with Options.NoLog too.
func (s *Server) Count(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if method == "" {
		return int(s.calls.total)
	}
	return s.calls.counts[method]
}
