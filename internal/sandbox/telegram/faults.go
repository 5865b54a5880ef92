package telegram

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Always as Fault.Times keeps a fault until it is removed.
const Always = -1

// Fault makes calls go wrong. A call takes the first fault that matches it. A fault
// with none of Code, LoseAnswer, Cut and HTML only waits Delay.
type Fault struct {
	Method      string // "sendMessage"; "": all but getUpdates
	Chat        int64  // matches only this chat_id; 0: all
	Text        string // matches only a text that contains this
	Times       int    // number of calls; 0: one; Always
	Delay       time.Duration
	Code        int    // error_code of the refusal; nothing is done
	Description string // of the refusal; "": the usual one of Code
	RetryAfter  int    // seconds; makes Code 429 if it is 0
	LoseAnswer  bool   // the call is done, then the connection is closed without an answer
	Cut         bool   // the connection is closed before anything is done
	HTML        bool   // the answer is a gateway's 502 page; nothing is done
}

// Fault adds a fault after those that are ordered already.
func (s *Server) Fault(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	if f.RetryAfter > 0 && f.Code == 0 {
		f.Code = http.StatusTooManyRequests
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
	s.changed(nil)
}

// Faults returns the ordered faults; Times is the number of calls left.
func (s *Server) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := make([]Fault, len(s.faults))
	for i, f := range s.faults {
		left[i] = *f
	}
	return left
}

// ClearFaults removes all faults.
func (s *Server) ClearFaults() {
	s.ClearFault(func(Fault) bool { return true })
}

// ClearFault removes the faults that match.
func (s *Server) ClearFault(match func(Fault) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return match(*f) })
	s.changed(nil)
}

// takeFault returns the fault for this call, and uses up one of its Times. The
// caller holds mu.
func (s *Server) takeFault(method string, chat int64, text string) Fault {
	for i, f := range s.faults {
		matches := f.Method == method || (f.Method == "" && method != "getUpdates")
		if !matches || (f.Chat != 0 && f.Chat != chat) || !strings.Contains(text, f.Text) {
			continue
		}
		taken := *f
		if f.Times != Always {
			f.Times--
		}
		if f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return taken
	}
	return Fault{}
}

// refusal returns the error response for Code.
func (f Fault) refusal() *apiError {
	err := &apiError{Code: f.Code, Description: f.Description, RetryAfter: f.RetryAfter}
	if err.Description != "" {
		return err
	}
	switch f.Code {
	case http.StatusTooManyRequests:
		return tooManyRequests(max(f.RetryAfter, 1))
	case http.StatusForbidden:
		err.Description = "Forbidden: bot was blocked by the user"
	case http.StatusConflict:
		err.Description = conflictPoll
	default:
		err.Description = http.StatusText(f.Code)
	}
	return err
}

// kinds names what the fault does, for the call log.
func (f Fault) kinds() string {
	var names []string
	for _, kind := range []struct {
		on   bool
		name string
	}{
		{f.Delay > 0, "delay"},
		{f.Code != 0, "refuse"},
		{f.LoseAnswer, "lose_answer"},
		{f.Cut, "cut"},
		{f.HTML, "html"},
	} {
		if kind.on {
			names = append(names, kind.name)
		}
	}
	return strings.Join(names, ",")
}
