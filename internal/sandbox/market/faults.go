package market

import "time"

// FaultKind says how an answer goes wrong.
type FaultKind string

// What can go wrong. Kinds marked "done" carry the action out before; the
// others only with Fault.Commit.
const (
	Slow           FaultKind = "slow"             // answered rightly, after Delay
	Refuse         FaultKind = "refuse"           // {"error": Message} with Status
	Cut            FaultKind = "cut"              // done; the connection breaks in the middle of the answer
	CutBefore      FaultKind = "cut_before"       // the connection breaks before anything is done; Commit is ignored
	CommitThenLose FaultKind = "commit_then_lose" // done; the connection breaks without an answer
	HTML502        FaultKind = "html_502"         // a gateway's HTML page
	TooMany        FaultKind = "too_many"         // 429, Retry-After in seconds from Delay, which is not waited
	Empty          FaultKind = "empty"            // 200 and no body
	Garbage        FaultKind = "garbage"          // 200, "application/json", and HTML
	Huge           FaultKind = "huge"             // 200 and 16 MiB of JSON
)

// FaultKinds returns all kinds in the order of their declaration.
func FaultKinds() []FaultKind {
	return []FaultKind{Slow, Refuse, Cut, CutBefore, CommitThenLose, HTML502, TooMany, Empty, Garbage, Huge}
}

// Always as Fault.Times keeps a fault until ClearFaults.
const Always = -1

// Buying as Fault.Action is add and add_sms.
const Buying = "buying"

// Fault is an order to misbehave. A call takes the first one that fits it.
type Fault struct {
	Action  string // "add"; Buying; "": any
	Key     string // only calls with this key; "": any
	Kind    FaultKind
	Delay   time.Duration // waited before the action, or after it where it is done all the same
	Message string        // of Refuse; "": "Something went wrong"
	Status  int           // of Refuse; 0: Options.ErrorStatus
	Commit  bool          // the action is carried out (and paid) although the answer goes wrong
	Times   int           // how many calls; 0: one; Always
}

// Fault adds f behind the faults ordered before.
func (s *Server) Fault(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
	s.changed()
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

// ClearFaults makes the marketplace well again. Answers that wait go on waiting.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	s.changed()
}

// takeFault returns the fault of this call, counted down. The caller holds mu.
func (s *Server) takeFault(action, key string) Fault {
	for i, f := range s.faults {
		if !f.fits(action, key) {
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

// fits says whether the fault is for such a call.
func (f Fault) fits(action, key string) bool {
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

// commits says whether the action is carried out.
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

// waitsBefore says whether Delay comes before the action rather than after it.
func (f Fault) waitsBefore() bool {
	return !f.Commit && f.Kind != Cut && f.Kind != CommitThenLose
}
