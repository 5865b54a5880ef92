package market

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// Errors of the control methods.
var (
	ErrUnknown = errors.New("no such key, service, order or number")
	ErrClosed  = errors.New("the order is closed, or has nothing left to deliver")
	ErrAmount  = errors.New("not an amount")
)

// EntityType is what a row sells.
type EntityType string

// The two entity types.
const (
	Product EntityType = "product"
	SMM     EntityType = "smm"
)

// Row is one line of the action services.
type Row struct {
	Service               int64
	Name                  string // English
	Category, Subcategory string // English, as the filters take them
	EntityType            EntityType
	Rate                  decimal.Decimal // of the main variant
	Min, Max              int64
	Stock                 int64 // of all variants
	AutoDelivery, Held    bool
	Recommended           bool
	Shop                  string
	Variants              []Variant // products: at least one
}

// Shop is one line of the action shops.
type Shop struct {
	ID, Name string // the name is masked
	Rating   string // "4.8"; "": none yet
	Goods    int    // number of its products
}

// Variant is a subproduct; the first one of a row is the main one.
type Variant struct {
	ID, Name string
	Rate     decimal.Decimal
	Stock    int64
}

// Account is an API key with its money.
type Account struct {
	Key      string
	Balance  decimal.Decimal
	Currency string
}

// AddKey makes key valid with this balance ("100.00") and currency ("USD"), or
// sets both if it exists. It panics if balance is not an amount.
func (s *Server) AddKey(key, balance, currency string) {
	amount := decimal.RequireFromString(balance)
	s.change(func() {
		a := s.accounts[key]
		if a == nil {
			a = &account{}
			s.accounts[key] = a
		}
		a.accountState = accountState{Key: key, Balance: amount, Currency: currency}
	})
}

// SetPriceFactor multiplies all prices of key, as for an account in another currency
// ("26000").
func (s *Server) SetPriceFactor(key, factor string) error {
	amount, err := parsePrice(factor)
	if err != nil {
		return err
	}
	return changeFound(s, func() *account { return s.accounts[key] }, func(a *account) {
		a.PriceFactor = decimal.NewNullDecimal(amount)
	})
}

// RemoveKey makes key invalid. Its orders stay, and AddKey makes it valid again.
func (s *Server) RemoveKey(key string) {
	s.change(func() {
		if a := s.accounts[key]; a != nil {
			a.Removed = true
		}
	})
}

// Accounts returns the valid keys in alphabetical order.
func (s *Server) Accounts() []Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Account, 0, len(s.accounts))
	for _, a := range sortedValues(s.accounts) {
		if !a.Removed {
			s.settleRentals(a, time.Now())
			all = append(all, Account{Key: a.Key, Balance: a.Balance, Currency: a.Currency})
		}
	}
	return all
}

// Balance returns the balance of key; zero for an unknown key.
func (s *Server) Balance(key string) decimal.Decimal {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[key]
	if a == nil {
		return decimal.Zero
	}
	s.settleRentals(a, time.Now())
	return a.Balance
}

// SetBalance changes the balance of key.
func (s *Server) SetBalance(key, balance string) error {
	amount, err := decimal.NewFromString(balance)
	if err != nil {
		return fmt.Errorf("balance %q: %w", balance, ErrAmount)
	}
	return changeFound(s, func() *account { return s.accounts[key] }, func(a *account) {
		s.settleRentals(a, time.Now())
		a.Balance = amount
	})
}

// Rows returns all rows in the order of services.
func (s *Server) Rows() []Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := make([]Row, len(s.rows))
	for i, r := range s.rows {
		rows[i] = r.snapshot()
	}
	return rows
}

// Row returns one row; false if there is none.
func (s *Server) Row(service int64) (Row, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.byService[service]; r != nil {
		return r.snapshot(), true
	}
	return Row{}, false
}

func (r *row) snapshot() Row {
	snapshot := Row{
		Service: r.service, Name: r.name, Category: r.sub.category.Name, Subcategory: r.sub.Name,
		EntityType: r.entity, Rate: r.main().Rate, Min: r.min, Max: r.max, Stock: r.stock(),
		AutoDelivery: r.auto, Held: r.held, Recommended: r.recommended,
		Shop: r.shop.Name,
	}
	if r.entity == Product {
		snapshot.Variants = slices.Clone(r.variants)
	}
	return snapshot
}

// SetStock sets the stock of a row: its main variant gets n, the others 0. An
// SMM service with stock 0 is unavailable.
func (s *Server) SetStock(service, n int64) error {
	return s.changeRow(service, func(r *row) {
		for i := range r.variants {
			r.variants[i].Stock = 0
		}
		r.main().Stock = n
	})
}

// SetRate changes the price of the main variant of a row ("1.25").
func (s *Server) SetRate(service int64, rate string) error {
	amount, err := parsePrice(rate)
	if err != nil {
		return err
	}
	return s.changeRow(service, func(r *row) { r.main().Rate = amount })
}

// Remove removes a row from the catalogue. Its orders continue.
func (s *Server) Remove(service int64) error {
	return s.changeRow(service, func(removed *row) {
		s.removed[service] = removed
		delete(s.byService, service)
		s.rows = slices.DeleteFunc(s.rows, func(r *row) bool { return r == removed })
	})
}

// Return puts a removed row back into the catalogue, as it was.
func (s *Server) Return(service int64) error {
	return changeFound(s, func() *row { return s.removed[service] }, func(returned *row) {
		delete(s.removed, service)
		s.byService[service] = returned
		at, _ := slices.BinarySearchFunc(s.rows, service, func(r *row, service int64) int { return cmp.Compare(r.service, service) })
		s.rows = slices.Insert(s.rows, at, returned)
	})
}

// SetName changes the name of a row.
func (s *Server) SetName(service int64, name string) error {
	return s.changeRow(service, func(r *row) { r.name = name })
}

// Rename changes the names of all categories, subcategories, goods, variants, shops and
// projects.
func (s *Server) Rename(rename func(name string) string) {
	s.change(func() {
		for _, c := range s.categoryList {
			c.Name, c.Row = rename(c.Name), rename(c.Row)
			for _, sub := range c.Subcategories {
				sub.Name = rename(sub.Name)
			}
		}
		for _, r := range s.rows {
			r.name = rename(r.name)
			for i := range r.variants {
				r.variants[i].Name = rename(r.variants[i].Name)
			}
		}
		for _, sh := range s.shops {
			sh.Name = rename(sh.Name)
		}
		for _, p := range s.projects {
			p.Name = rename(p.Name)
		}
	})
}

// SetImage changes the imageUrl of a row.
func (s *Server) SetImage(service int64, address string) error {
	return s.changeRow(service, func(r *row) { r.image = address })
}

// SetDescription changes the description of a row of a product.
func (s *Server) SetDescription(service int64, text string) error {
	return s.changeRow(service, func(r *row) { r.text = text })
}

// SetType changes the type of a row ("Custom Comments").
func (s *Server) SetType(service int64, name string) error {
	return s.changeRow(service, func(r *row) { r.kind = name })
}

// SetRecommended changes isRecommended of a row.
func (s *Server) SetRecommended(service int64, yes bool) error {
	return s.changeRow(service, func(r *row) { r.recommended = yes })
}

// Hold stops or resumes automatic delivery for all orders of a row. Deliver and
// Finish still work.
func (s *Server) Hold(service int64, held bool) error {
	return s.changeRow(service, func(r *row) { r.held = held })
}

// Shops returns all shops in the order of shops.
func (s *Server) Shops() []Shop {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shopList()
}

// CloseShop removes a shop from the list. Its goods stay in the catalogue.
func (s *Server) CloseShop(id string) error {
	lookup := func() *Shop { return findFunc(s.shops, func(sh *Shop) bool { return sh.ID == id }) }
	return changeFound(s, lookup, func(closed *Shop) {
		s.shops = slices.DeleteFunc(s.shops, func(sh *Shop) bool { return sh == closed })
	})
}

// SetNumbers changes how many numbers of a project are left in a country.
func (s *Server) SetNumbers(project, country string, n int) error {
	return s.changeOffer(project, country, func(o *offer) { o.left = n })
}

// SetSMSPrice changes the price of a number of a project in a country ("0.5000").
func (s *Server) SetSMSPrice(project, country, price string) error {
	amount, err := parsePrice(price)
	if err != nil {
		return err
	}
	return s.changeOffer(project, country, func(o *offer) { o.price = amount })
}

// RemoveProject removes a project from every country. Its rentals continue.
func (s *Server) RemoveProject(id string) error {
	lookup := func() *project { return findFunc(s.projects, func(p *project) bool { return p.id == id }) }
	return changeFound(s, lookup, s.removeProject)
}

// AllProjects is the answer to sms_projects without a country. The document does not say
// which of them it is.
type AllProjects int

const (
	// EveryCountry lists the projects of all countries.
	EveryCountry AllProjects = iota
	// OneCountry lists those of the first country.
	OneCountry
	// NoProjects is an empty list.
	NoProjects
	// WithoutCountries lists all, and says of none where it is.
	WithoutCountries
	// CountryRequired is a refusal.
	CountryRequired
)

// SetAllProjects changes the answer to sms_projects without a country.
func (s *Server) SetAllProjects(answer AllProjects) { s.change(func() { s.allProjects = answer }) }

// SetCancelAfter changes Options.CancelAfter.
func (s *Server) SetCancelAfter(d time.Duration) { s.change(func() { s.opt.CancelAfter = d }) }

// SetCodeAfter changes Options.CodeAfter for later rentals.
func (s *Server) SetCodeAfter(d time.Duration) { s.change(func() { s.opt.CodeAfter = d }) }

// SetRentalTime changes how long later rentals last.
func (s *Server) SetRentalTime(d time.Duration) { s.change(func() { s.rentalTime = d }) }

// SetOrderIDs makes texts the ids of all orders in requests and answers, as id makes them
// of the numbers; nil restores the numbers.
func (s *Server) SetOrderIDs(id func(number int64) string) { s.change(func() { s.orderID = id }) }

// SetEligibleWord makes eligibleAfter answer this text; "" restores the time.
func (s *Server) SetEligibleWord(word string) { s.change(func() { s.eligibleAfter = word }) }

// SetClock shifts the times in answers and their Date by offset, as if the marketplace's
// clock were wrong, or hides those in sms_status.
func (s *Server) SetClock(offset time.Duration, hidden bool) {
	s.change(func() { s.clockOffset, s.clockHidden = offset, hidden })
}

func (s *Server) change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
	s.changed()
}

// changeFound runs do on what lookup returns, or returns ErrUnknown if that is nil.
func changeFound[T any](s *Server, lookup func() *T, do func(*T)) error {
	err := ErrUnknown
	s.change(func() {
		if found := lookup(); found != nil {
			do(found)
			err = nil
		}
	})
	return err
}

func (s *Server) changeRow(service int64, do func(*row)) error {
	return changeFound(s, func() *row { return s.byService[service] }, do)
}

func (s *Server) changeOffer(project, country string, do func(*offer)) error {
	return changeFound(s, func() *offer { return s.offerOf(project, country) }, do)
}

// findFunc returns the first element that fits, or nil.
func findFunc[T any](list []*T, fits func(*T) bool) *T {
	if i := slices.IndexFunc(list, fits); i >= 0 {
		return list[i]
	}
	return nil
}

// entry is an order or a rental.
type entry[S any] interface {
	settle(s *Server, now time.Time) // applies what time alone causes; the caller holds mu
	snapshot() S
}

// list returns all entries as they are now, oldest first.
func list[E entry[S], S any](s *Server, entries map[int64]E) []S {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, now := make([]S, 0, len(entries)), time.Now()
	for _, e := range sortedValues(entries) {
		e.settle(s, now)
		all = append(all, e.snapshot())
	}
	return all
}

// find returns one entry as it is now; false if there is none.
func find[E entry[S], S any](s *Server, entries map[int64]E, id int64) (snapshot S, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := entries[id]
	if ok {
		e.settle(s, time.Now())
		snapshot = e.snapshot()
	}
	return snapshot, ok
}

// control runs do on an entry as it is now, or returns ErrUnknown if there is none.
func control[E entry[S], S any](s *Server, entries map[int64]E, id int64, do func(E) error) error {
	err := ErrUnknown
	s.change(func() {
		if e, ok := entries[id]; ok {
			e.settle(s, time.Now())
			err = do(e)
		}
	})
	return err
}

// sortedValues returns the values in the order of their keys.
func sortedValues[K cmp.Ordered, V any](m map[K]V) []V {
	values := make([]V, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		values = append(values, m[key])
	}
	return values
}

// parsePrice reads an amount over 0.
func parsePrice(text string) (decimal.Decimal, error) {
	amount, err := decimal.NewFromString(text)
	if err != nil || !amount.IsPositive() {
		return decimal.Zero, fmt.Errorf("price %q: %w", text, ErrAmount)
	}
	return amount, nil
}
