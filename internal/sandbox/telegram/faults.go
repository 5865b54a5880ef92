package telegram

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Always as Fault.Times keeps a fault until ClearFaults.
const Always = -1

// Fault is an order to misbehave. A call takes the first one that fits it; the
// zero kind (no Code, LoseAnswer, Cut or HTML) only waits Delay.
type Fault struct {
	Method      string // "sendMessage"; "": any but getUpdates
	Chat        int64  // only calls with this chat_id; 0: any
	Times       int    // how many calls; 0: one; Always
	Delay       time.Duration
	Code        int    // refused with this error_code, nothing done
	Description string // of Code; "": a usual one
	RetryAfter  int    // seconds; sets Code 429 where it is 0
	LoseAnswer  bool   // done, then the connection is closed without an answer
	Cut         bool   // the connection is closed before anything is done
	HTML        bool   // a gateway's 502 page, nothing done
}

// Fault adds f behind the faults ordered before.
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

// Faults returns what is still ordered, Times being what is left.
func (s *Server) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := make([]Fault, len(s.faults))
	for i, f := range s.faults {
		left[i] = *f
	}
	return left
}

// ClearFaults makes Telegram well again.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	s.changed(nil)
}

// takeFault returns the fault of this call, counted down. The caller holds mu.
func (s *Server) takeFault(method string, chat int64) Fault {
	for i, f := range s.faults {
		fits := f.Method == method || (f.Method == "" && method != "getUpdates")
		if !fits || (f.Chat != 0 && f.Chat != chat) {
			continue
		}
		taken := *f
		if f.Times != Always {
			f.Times--
		}
		if f.Times == 0 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		}
		return taken
	}
	return Fault{}
}

// refusal is the answer that Code stands for.
func (f Fault) refusal() *apiError {
	err := &apiError{Code: f.Code, Description: f.Description, RetryAfter: f.RetryAfter}
	if err.Description != "" {
		return err
	}
	switch f.Code {
	case http.StatusTooManyRequests:
		err.RetryAfter = max(err.RetryAfter, 1)
		err.Description = "Too Many Requests: retry after " + strconv.Itoa(err.RetryAfter)
	case http.StatusForbidden:
		err.Description = "Forbidden: bot was blocked by the user"
	case http.StatusConflict:
		err.Description = conflictPoll
	default:
		err.Description = http.StatusText(f.Code)
	}
	return err
}

// name is what the call log says of the fault.
func (f Fault) name() string {
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
