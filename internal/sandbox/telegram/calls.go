package telegram

import (
	"fmt"
	"time"
)

// maxCalls is how many calls the log keeps; long runs make more.
const maxCalls = 10_000

// Call is a call of the bot, with its outcome. Until the call has finished, OK is
// false and Code and Took are 0; a long poll stays so for up to 50 seconds.
type Call struct {
	Number      int64 // the first call is 1
	Method      string
	At          time.Time
	Took        time.Duration
	Fields      map[string]string // as sent, nested values as JSON, a file as "name (n bytes)"; without the token
	OK          bool              // the method was carried out, even if the answer was lost
	Code        int               // error_code; 0 if OK, and if a fault left no answer
	Description string            // of the error
	Fault       string            // kinds of the ordered fault, "refuse,delay"; "": none

	finished bool
}

// callLog holds the last maxCalls calls in a ring, and the number of all calls.
type callLog struct {
	ring   []*Call
	total  int64
	counts map[string]int
}

// startCall logs a call and takes the fault that is ordered for it. The Call is
// nil with Options.NoLog.
func (s *Server) startCall(method string, a args) (*Call, Fault) {
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
	fault := s.takeFault(method, a.integer("chat_id"), a["text"].text)
	l := &s.calls
	l.total++
	l.counts[method]++
	if c == nil {
		return nil, fault
	}
	c.Number, c.Fault = l.total, fault.kinds()
	if len(l.ring) < maxCalls {
		l.ring = append(l.ring, c)
	} else {
		l.ring[(l.total-1)%maxCalls] = c
	}
	s.changed(nil)
	return c, fault
}

// finishCall logs the outcome of a call; a second outcome is ignored. The caller
// holds mu.
func (s *Server) finishCall(c *Call, done bool, err *apiError) {
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

// CallsAfter returns the Calls with a Number above n.
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

// Count returns the number of calls of a method, or of all methods for "". It
// includes refused, lost and open calls, and also works with Options.NoLog.
func (s *Server) Count(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if method == "" {
		return int(s.calls.total)
	}
	return s.calls.counts[method]
}
