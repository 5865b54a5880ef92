package market

import (
	"cmp"
	"slices"
	"time"
)

// FaultKind is how an answer goes wrong.
type FaultKind string

// The kinds of faults. Those marked "committed" carry the action out first, the
// others only with Fault.Commit.
const (
	Slow           FaultKind = "slow"             // committed; the right answer, after Delay
	Refuse         FaultKind = "refuse"           // {"error": Message} with Status
	Cut            FaultKind = "cut"              // committed; the connection breaks in the middle of the answer
	CutBefore      FaultKind = "cut_before"       // the connection breaks before the action; Commit is ignored
	CommitThenLose FaultKind = "commit_then_lose" // committed; the connection breaks before the answer
	HTML502        FaultKind = "html_502"         // a gateway's HTML page
	TooMany        FaultKind = "too_many"         // status 429, with Delay as its Retry-After and no wait
	Empty          FaultKind = "empty"            // status 200 and no body
	Garbage        FaultKind = "garbage"          // status 200, "application/json", and a body of HTML
	Huge           FaultKind = "huge"             // status 200 and 16 MiB of JSON
	Answer         FaultKind = "answer"           // Body with Status
)

// RightAnswer is replaced in the Body of an Answer.
const RightAnswer = "{answer}"

// Always is the Fault.Times of a fault that stays until it is cleared.
const Always = -1

// Buying is the Fault.Action for add and add_sms.
const Buying = "buying"

// Fault makes calls go wrong. A call takes the first fault that matches it.
type Fault struct {
	Action  string // "add"; Buying; "": any
	Key     string // only calls with this key; "": any
	Kind    FaultKind
	Delay   time.Duration // before the action, or after it if Commit, Cut or CommitThenLose carries it out
	Message string        // of Refuse; "": "Something went wrong"
	Status  int           // of Refuse and Answer; 0: 200
	Body    string        // of Answer, byte for byte; RightAnswer in it stands for the right answer, if Commit
	Gzip    bool          // the answer is compressed, whether or not that was accepted
	Commit  bool          // the action is carried out (and paid) even though the answer goes wrong
	Times   int           // number of calls; 0: one; Always
}

// Fault adds f after the earlier faults.
func (s *Server) Fault(f Fault) {
	f.Times = cmp.Or(f.Times, 1)
	s.change(func() { s.faults = append(s.faults, &f) })
}

// Faults returns the remaining faults. Their Times are those that are left.
func (s *Server) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	faults := make([]Fault, len(s.faults))
	for i, f := range s.faults {
		faults[i] = *f
	}
	return faults
}

// ClearFault removes the faults that match. Calls in flight keep theirs.
func (s *Server) ClearFault(matches func(Fault) bool) {
	s.change(func() { s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return matches(*f) }) })
}

// ClearFaults removes all faults. Calls in flight keep theirs.
func (s *Server) ClearFaults() { s.change(func() { s.faults = nil }) }

// takeFault returns the fault of a call and counts it down. The caller holds mu.
func (s *Server) takeFault(action, key string) Fault {
	i := slices.IndexFunc(s.faults, func(f *Fault) bool { return f.matches(action, key) })
	if i < 0 {
		return Fault{}
	}
	f := s.faults[i]
	taken := *f
	if f.Times != Always {
		f.Times--
	}
	if f.Times == 0 {
		s.faults = slices.Delete(s.faults, i, i+1)
	}
	return taken
}

func (f Fault) matches(action, key string) bool {
	if f.Key != "" && f.Key != key {
		return false
	}
	switch f.Action {
	case "", action:
		return true
	case Buying:
		return action == "add" || action == "add_sms"
	default:
		return false
	}
}

// commits reports whether the action is carried out.
func (f Fault) commits() bool {
	switch f.Kind {
	case "", Slow, Cut, CommitThenLose:
		return true
	case CutBefore:
		return false
	default:
		return f.Commit
	}
}

// losesAnswer reports whether the connection breaks before the answer.
func (f Fault) losesAnswer() bool { return f.Kind == CutBefore || f.Kind == CommitThenLose }

// waitsBefore reports whether Delay comes before the action.
func (f Fault) waitsBefore() bool {
	return !f.Commit && f.Kind != Cut && f.Kind != CommitThenLose
}
