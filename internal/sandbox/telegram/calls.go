package telegram

import (
	"fmt"
	"time"
)

// maxCalls is how many calls are kept; benchmarks make more than anyone reads.
const maxCalls = 10_000

// Call is one call of the bot and how it was answered. A poll is recorded when
// it ends.
type Call struct {
	Number      int64 // 1 is the first
	Method      string
	At          time.Time
	Took        time.Duration
	Fields      map[string]string // as sent, nested ones as JSON, a file as "name (n bytes)"; the token is no field
	OK          bool
	Code        int    // error_code; 0 where OK
	Description string // why not
	Fault       string // kinds of the ordered fault, "" where none
}

// callLog is a ring of the last maxCalls calls, and counts of all.
type callLog struct {
	ring   []Call
	total  int64
	counts map[string]int
}

// record writes the finished call down.
func (s *Server) record(c Call, a args, err *apiError) {
	if !s.opts.NoLog {
		c.Took = time.Since(c.At)
		c.OK = err == nil
		if err != nil {
			c.Code, c.Description = err.Code, err.Description
		}
		c.Fields = make(map[string]string, len(a))
		for name, v := range a {
			c.Fields[name] = v.text
			if v.file != nil {
				c.Fields[name] = fmt.Sprintf("%s (%d bytes)", v.file.Name, len(v.file.Data))
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.calls
	l.total++
	l.counts[c.Method]++
	if s.opts.NoLog {
		return
	}
	c.Number = l.total
	if len(l.ring) < maxCalls {
		l.ring = append(l.ring, c)
	} else {
		l.ring[(l.total-1)%maxCalls] = c
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
		calls = append(calls, l.ring[i%maxCalls])
	}
	return calls
}

// Count returns how many calls of a method have been made, "" for all, the
// refused and lost ones included. It counts with Options.NoLog too.
func (s *Server) Count(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if method == "" {
		return int(s.calls.total)
	}
	return s.calls.counts[method]
}
