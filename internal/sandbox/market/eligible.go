package market

// SetEligibleWord lets eligibleAfter say any word at all from now on, "" the time.
func (s *Server) SetEligibleWord(word string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opt.EligibleWord = word
}
