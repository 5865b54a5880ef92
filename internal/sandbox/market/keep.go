package market

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// What follows is how a marketplace is kept between two runs: keys with their
// money, orders, rented numbers, and prices and stock. Goods themselves come
// from the seed. Calls, violations, faults, pictures, recommendations, and rows,
// projects and shops that were removed are not kept.

type keptServer struct {
	Seed     uint64              `json:"seed"`
	Next     int64               `json:"next_order"`
	Made     uint64              `json:"goods_made"`
	Held     []int64             `json:"held"`
	Accounts []keptAccount       `json:"accounts"`
	Orders   []keptOrder         `json:"orders"`
	Numbers  []keptNumber        `json:"numbers"`
	Rows     map[int64][]Variant `json:"rows"`
	Offers   []keptOffer         `json:"offers"`
}

type keptAccount struct {
	Key      string          `json:"key"`
	Balance  decimal.Decimal `json:"balance"`
	Currency string          `json:"currency"`
	Removed  bool            `json:"removed"`
}

type keptOrder struct {
	Number     int64           `json:"number"`
	Key        string          `json:"key"`
	Service    int64           `json:"service"`
	Variant    int             `json:"variant"`
	Quantity   int64           `json:"quantity"`
	Link       string          `json:"link"`
	Done       int64           `json:"done"`
	Accounts   []string        `json:"accounts"`
	Charge     decimal.Decimal `json:"charge"`
	Refunded   decimal.Decimal `json:"refunded"`
	StartCount int64           `json:"start_count"`
	Word       string          `json:"word"`
	Open       bool            `json:"open"`
	ByHand     bool            `json:"by_hand"`
	Created    time.Time       `json:"created"`
	Updated    time.Time       `json:"updated"`
	DeliverAt  time.Time       `json:"deliver_at"`
}

type keptNumber struct {
	Order    int64           `json:"order"`
	Key      string          `json:"key"`
	Project  string          `json:"project"`
	Country  string          `json:"country"`
	Phone    string          `json:"phone"`
	Word     string          `json:"word"`
	Forced   string          `json:"forced"`
	Open     bool            `json:"open"`
	SMS      []SMS           `json:"sms"`
	Charge   decimal.Decimal `json:"charge"`
	Refunded decimal.Decimal `json:"refunded"`
	Created  time.Time       `json:"created"`
	Expires  time.Time       `json:"expires"`
	CodeAt   time.Time       `json:"code_at"`
	Received time.Time       `json:"received"`
	Next     *SMS            `json:"next"`
	NextAt   time.Time       `json:"next_at"`
}

type keptOffer struct {
	Project string          `json:"project"`
	Country string          `json:"country"`
	Price   decimal.Decimal `json:"price"`
	Left    int             `json:"left"`
}

// Keep returns the marketplace as JSON for Restore.
func (s *Server) Keep() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := keptServer{Seed: s.opt.Seed, Next: s.nextOrder, Made: s.goodsMade, Rows: map[int64][]Variant{}}
	for service, held := range s.held {
		if held {
			kept.Held = append(kept.Held, service)
		}
	}
	slices.Sort(kept.Held)
	for _, key := range slices.Sorted(maps.Keys(s.accounts)) {
		a := s.accounts[key]
		kept.Accounts = append(kept.Accounts, keptAccount{key, a.balance, a.currency, a.removed})
	}
	for _, o := range s.orderList {
		kept.Orders = append(kept.Orders, keptOrder{
			Number: o.number, Key: o.account.key, Service: o.row.service, Variant: o.variant, Quantity: o.quantity,
			Link: o.link, Done: o.done, Accounts: o.accounts, Charge: o.charge, Refunded: o.refunded,
			StartCount: o.startCount, Word: o.word, Open: o.open, ByHand: o.byHand,
			Created: o.created, Updated: o.updated, DeliverAt: o.deliverAt,
		})
	}
	for _, n := range s.numberList {
		kept.Numbers = append(kept.Numbers, keptNumber{
			Order: n.order, Key: n.account.key, Project: n.offer.project.id, Country: n.offer.country.Code,
			Phone: n.phone, Word: n.word, Forced: n.forced, Open: n.open, SMS: n.sms,
			Charge: n.charge, Refunded: n.refunded, Created: n.created, Expires: n.expires, CodeAt: n.codeAt, Received: n.received,
			Next: n.next, NextAt: n.nextAt,
		})
	}
	for _, r := range s.rows {
		kept.Rows[r.service] = r.variants
	}
	for _, c := range s.countries {
		for _, o := range c.offers { // those that nobody has asked for are as the seed made them
			kept.Offers = append(kept.Offers, keptOffer{o.project.id, c.Code, o.price, o.left})
		}
	}
	data, err := json.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("keep the pretend marketplace: %w", err)
	}
	return data, nil
}

// KeptSeed returns the seed of a marketplace that Keep wrote down: only one of
// the same seed can be restored from it.
func KeptSeed(data []byte) (uint64, error) {
	var kept struct {
		Seed uint64 `json:"seed"`
	}
	if err := json.Unmarshal(data, &kept); err != nil {
		return 0, fmt.Errorf("restore the pretend marketplace: %w", err)
	}
	return kept.Seed, nil
}

// Restore makes a marketplace of the same seed that nobody has used yet what
// Keep wrote down. After an error it is good for nothing.
func (s *Server) Restore(data []byte) error {
	var kept keptServer
	if err := json.Unmarshal(data, &kept); err != nil {
		return fmt.Errorf("restore the pretend marketplace: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if kept.Seed != s.opt.Seed {
		return fmt.Errorf("restore the pretend marketplace: it has seed %d, not %d", kept.Seed, s.opt.Seed)
	}
	s.nextOrder, s.goodsMade = max(kept.Next, FirstOrder), kept.Made
	for _, service := range kept.Held {
		s.held[service] = true
	}
	for _, a := range kept.Accounts {
		s.accounts[a.Key] = &account{key: a.Key, balance: a.Balance, currency: a.Currency, removed: a.Removed}
	}
	for service, variants := range kept.Rows {
		if r := s.byService[service]; r != nil && len(variants) == len(r.variants) {
			r.variants = variants
		}
	}
	for _, k := range kept.Offers {
		if o := s.offerOf(k.Project, k.Country); o != nil {
			o.price, o.left = k.Price, k.Left
		}
	}
	for _, k := range kept.Orders {
		if err := s.restoreOrder(k); err != nil {
			return err
		}
	}
	for _, k := range kept.Numbers {
		if err := s.restoreNumber(k); err != nil {
			return err
		}
	}
	return nil
}

// restoreOrder puts one order back. The caller holds mu.
func (s *Server) restoreOrder(k keptOrder) error {
	a, r := s.accounts[k.Key], s.byService[k.Service]
	if a == nil || r == nil || k.Variant < 0 || k.Variant >= len(r.variants) {
		return fmt.Errorf("restore order %d: %w", k.Number, ErrUnknown)
	}
	o := &order{
		number: k.Number, account: a, row: r, variant: k.Variant, quantity: k.Quantity, link: k.Link,
		done: k.Done, accounts: k.Accounts, charge: k.Charge, refunded: k.Refunded, startCount: k.StartCount,
		word: k.Word, open: k.Open, byHand: k.ByHand, created: k.Created, updated: k.Updated, deliverAt: k.DeliverAt,
	}
	s.orders[o.number] = o
	s.orderList = append(s.orderList, o)
	return nil
}

// restoreNumber puts one rented number back. The caller holds mu.
func (s *Server) restoreNumber(k keptNumber) error {
	a, o := s.accounts[k.Key], s.offerOf(k.Project, k.Country)
	if a == nil || o == nil {
		return fmt.Errorf("restore number %d: %w", k.Order, ErrUnknown)
	}
	n := &number{
		order: k.Order, account: a, offer: o, phone: k.Phone, word: k.Word, forced: k.Forced, open: k.Open,
		sms: k.SMS, charge: k.Charge, refunded: k.Refunded,
		created: k.Created, expires: k.Expires, codeAt: k.CodeAt, received: k.Received, next: k.Next, nextAt: k.NextAt,
	}
	s.numbers[n.order] = n
	s.numberList = append(s.numberList, n)
	if n.open {
		a.waiting = append(a.waiting, n)
	}
	return nil
}
