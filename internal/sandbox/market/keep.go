package market

import (
	"encoding/json"
	"fmt"

	"github.com/shopspring/decimal"
)

// keptServer is the JSON of Keep. The goods themselves come from the seed.
type keptServer struct {
	Seed     uint64              `json:"seed"`
	Next     int64               `json:"next_order"`
	Made     uint64              `json:"goods_made"`
	Held     []int64             `json:"held"`
	Accounts []accountState      `json:"accounts"`
	Orders   []orderState        `json:"orders"`
	Numbers  []rentalState       `json:"numbers"`
	Rows     map[int64][]Variant `json:"rows"`
	Offers   []keptOffer         `json:"offers"`
}

type keptOffer struct {
	Project string          `json:"project"`
	Country string          `json:"country"`
	Price   decimal.Decimal `json:"price"`
	Left    int             `json:"left"`
}

// Keep returns the state of the marketplace as JSON for Restore: accounts,
// orders, rentals, prices and stock. Calls, violations, faults, changed images
// and recommendations, and removals of rows, projects and shops are not kept.
func (s *Server) Keep() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := keptServer{Seed: s.opt.Seed, Next: s.nextOrder, Made: s.goodsMade, Rows: map[int64][]Variant{}}
	for _, a := range sortedValues(s.accounts) {
		kept.Accounts = append(kept.Accounts, a.accountState)
	}
	for _, o := range sortedValues(s.orders) {
		kept.Orders = append(kept.Orders, o.orderState)
	}
	for _, n := range sortedValues(s.rentals) {
		kept.Numbers = append(kept.Numbers, n.rentalState)
	}
	for _, r := range s.rows {
		kept.Rows[r.service] = r.variants
		if r.held {
			kept.Held = append(kept.Held, r.service)
		}
	}
	for _, c := range s.countries {
		for _, o := range c.offers { // offers not made yet come from the seed
			kept.Offers = append(kept.Offers, keptOffer{o.project.id, c.Code, o.price, o.left})
		}
	}
	data, err := json.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("keep the pretend marketplace: %w", err)
	}
	return data, nil
}

// KeptSeed returns the seed in the JSON of Keep. Only a marketplace with the same
// seed can be restored from it.
func KeptSeed(data []byte) (uint64, error) {
	kept, err := readKept(data)
	return kept.Seed, err
}

func readKept(data []byte) (kept keptServer, err error) {
	if err := json.Unmarshal(data, &kept); err != nil {
		return kept, fmt.Errorf("restore the pretend marketplace: %w", err)
	}
	return kept, nil
}

// Restore loads the JSON of Keep into a new marketplace with the same seed.
// After an error the marketplace is unusable.
func (s *Server) Restore(data []byte) error {
	kept, err := readKept(data)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if kept.Seed != s.opt.Seed {
		return fmt.Errorf("restore the pretend marketplace: its seed is %d, not %d", kept.Seed, s.opt.Seed)
	}
	s.nextOrder, s.goodsMade = max(kept.Next, FirstOrder), kept.Made
	for _, state := range kept.Accounts {
		s.accounts[state.Key] = &account{accountState: state}
	}
	for service, variants := range kept.Rows {
		if r := s.byService[service]; r != nil && len(variants) == len(r.variants) {
			r.variants = variants
		}
	}
	for _, service := range kept.Held {
		if r := s.byService[service]; r != nil {
			r.held = true
		}
	}
	for _, k := range kept.Offers {
		if o := s.offerOf(k.Project, k.Country); o != nil {
			o.price, o.left = k.Price, k.Left
		}
	}
	for _, state := range kept.Orders {
		a, r := s.accounts[state.Key], s.byService[state.Service]
		if a == nil || r == nil || state.Variant < 0 || state.Variant >= len(r.variants) {
			return fmt.Errorf("restore order %d: %w", state.ID, ErrUnknown)
		}
		s.orders[state.ID] = &order{orderState: state, account: a, row: r}
	}
	for _, state := range kept.Numbers {
		a, o := s.accounts[state.Key], s.offerOf(state.Project, state.Country)
		if a == nil || o == nil {
			return fmt.Errorf("restore number %d: %w", state.ID, ErrUnknown)
		}
		n := &rental{rentalState: state, account: a, offer: o}
		s.rentals[n.ID] = n
		if n.Open {
			a.open = append(a.open, n)
		}
	}
	return nil
}
