package orders

import (
	"maps"
	"time"

	"hstockbot/internal/loop"
	"hstockbot/storage"
)

// The expiry of a draft in the database is a wall time. The process that made the draft
// knows its age without the wall clock, and moves the expiry after a step.

// keepDraftAge remembers the age of a draft of this process.
func (s *Service) keepDraftAge(purchaseID int64, age loop.Stopwatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draftAges[purchaseID] = age
	// A process without background work calls dropDraftAges never.
	maps.DeleteFunc(s.draftAges, func(_ int64, age loop.Stopwatch) bool { return age.Elapsed() >= 2*draftLifetime })
}

// draftLeft returns for how long a draft can still be confirmed. One that expires too far
// ahead was stored by a clock that was set back since, and how old it is, is not known.
func (s *Service) draftLeft(p storage.Purchase) time.Duration {
	s.mu.Lock()
	age, known := s.draftAges[p.ID]
	s.mu.Unlock()
	left := time.Until(p.ExpiresAt)
	switch {
	case known:
		return draftLifetime - age.Elapsed()
	case left > draftLifetime:
		return 0
	default:
		return left
	}
}

// draftExpiries returns when the drafts of this process expire, by the clock of now.
func (s *Service) draftExpiries(now time.Time) map[int64]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	expiries := make(map[int64]time.Time, len(s.draftAges))
	for id, age := range s.draftAges {
		expiries[id] = now.Add(draftLifetime - age.Elapsed())
	}
	return expiries
}

// dropDraftAges forgets expired drafts. Call it after draftExpiries were stored if the clock
// was set: from then on the expiry in the database counts.
func (s *Service) dropDraftAges() {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.draftAges, func(_ int64, age loop.Stopwatch) bool { return age.Elapsed() >= draftLifetime })
}
