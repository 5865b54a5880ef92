package market

import "slices"

// ClearFault takes back those of Faults that fit, and leaves the others.
func (s *Server) ClearFault(fits func(Fault) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return fits(*f) })
	s.changed()
}
