package orders

import (
	"context"
	"errors"
	"maps"
	"time"

	"hstockbot/storage"
)

// unrecorded holds the orders of a purchase that are not stored yet.
type unrecorded struct {
	purchase   storage.Purchase
	placements []storage.Placement
}

// keepUnrecorded makes the record loop store orders, also in a process that does no
// background work.
func (s *Service) keepUnrecorded(p storage.Purchase, placements []storage.Placement) {
	s.mu.Lock()
	s.unrecorded[p.ID] = unrecorded{purchase: p, placements: placements}
	s.mu.Unlock()
	s.recordLoop.Start()
	s.recordLoop.Wake()
}

// recordOnce tries to store the unrecorded orders.
func (s *Service) recordOnce(ctx context.Context) (time.Duration, error) {
	return sweepInterval, s.recordUnrecorded(ctx)
}

// recordUnrecorded tries to store the unrecorded orders, and notifies their people.
func (s *Service) recordUnrecorded(ctx context.Context) error {
	s.mu.Lock()
	pending := maps.Clone(s.unrecorded)
	s.mu.Unlock()
	var failures []error
	for id, u := range pending {
		now := time.Now()
		message := aboutPurchase(u.purchase.UserID, id, MessageOutcome, now)
		_, placed, err := s.db.PlacePurchase(ctx, u.purchase, u.placements, now, now, announceRental, message)
		if err == nil && !placed {
			err = s.importLate(ctx, u.purchase, u.placements)
		}
		if err != nil {
			failures = append(failures, err)
			continue
		}
		s.mu.Lock()
		delete(s.unrecorded, id)
		s.mu.Unlock()
		if placed {
			s.count(placedOutcome, "")
			s.wakeOutbox()
			s.wakePolls()
		}
	}
	return errors.Join(failures...)
}
