package market

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// What a command of the back room may be refused for.
var (
	ErrUnknown = errors.New("no such key, service, order or number")
	ErrClosed  = errors.New("the order is closed, or has nothing left to deliver")
	ErrAmount  = errors.New("not an amount")
)

// EntityType is what a row sells.
type EntityType string

// The two kinds of rows.
const (
	Product EntityType = "product"
	SMM     EntityType = "smm"
)

// Row is one line of services as it stands.
type Row struct {
	ID                    string
	Service               int64
	Name                  string // English
	Category, Subcategory string // English, as the filters take them
	EntityType            EntityType
	Rate                  decimal.Decimal // of the main variant
	Min, Max              int64
	Stock                 int64 // of all variants
	AutoDelivery, Held    bool
	Recommended           bool
	Refill, Cancel        bool
	Shop                  string
	Variants              []Variant // products: at least one
}

// Shop is a seller as shops gives it.
type Shop struct {
	ID, Name string // the name masked
	Rating   string // "4.8"; "": none yet
	Goods    int    // its products
}

// Variant is a subproduct; the first one is the main one.
type Variant struct {
	ID, Name string
	Rate     decimal.Decimal
	Stock    int64
}

// Order is what add has made.
type Order struct {
	Number       int64
	Key          string
	KeyTail      string // "…" and the last four characters of Key
	Service      int64
	Name         string // English
	Variant      string // English; "" for SMM
	EntityType   EntityType
	Quantity     int64
	Link         string
	Accounts     []string        // delivered so far
	Delivered    int64           // pieces delivered so far
	Charge       decimal.Decimal // what was paid
	Refunded     decimal.Decimal // what of it was given back
	Currency     string
	Status       string // the word that status answers
	Open         bool
	AutoDelivery bool
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Number is one rented number of add_sms.
type Number struct {
	Number            int64 // of the order
	Key, KeyTail      string
	ProjectID         string
	Project           string // English
	Country           string
	Phone             string // "+12025550123"
	Status            string // the word that sms_status answers
	Open              bool
	SMS                     // the last one
	Received          []SMS // all of them, oldest first
	Charge, Refunded  decimal.Decimal
	Currency          string
	CreatedAt         time.Time
	ExpiresAt, CodeAt time.Time // CodeAt: when the last code came
	ComesAt           time.Time // when a code comes by itself; zero: none does
	Follows           bool      // another SMS comes soon after sms_code was asked
}

// SMS is what a number receives. Code is "" where there is none in Content.
type SMS struct {
	Code    string `json:"code"`
	Content string `json:"content"`
}

// Account is an API key with its money.
type Account struct {
	Key, KeyTail string
	Balance      decimal.Decimal
	Currency     string
}

// AddKey makes key a valid one with this balance ("100.00") and currency
// ("USD"), or sets both where it is known already. It panics where balance is
// no amount.
func (s *Server) AddKey(key, balance, currency string) {
	amount := decimal.RequireFromString(balance)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[key]
	if a == nil {
		a = &account{key: key}
		s.accounts[key] = a
	}
	a.balance, a.currency, a.removed = amount, currency, false
	s.changed()
}

// RemoveKey makes key an invalid one; its orders stay, and AddKey makes it valid again.
func (s *Server) RemoveKey(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[key]; a != nil {
		a.removed = true
	}
	s.changed()
}

// Accounts returns the valid keys in alphabetical order.
func (s *Server) Accounts() []Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Account, 0, len(s.accounts))
	for key, a := range s.accounts {
		if a.removed {
			continue
		}
		s.expire(a, time.Now())
		all = append(all, Account{Key: key, KeyTail: tail(key), Balance: a.balance, Currency: a.currency})
	}
	slices.SortFunc(all, func(a, b Account) int { return strings.Compare(a.Key, b.Key) })
	return all
}

// Balance returns what key has; zero for an unknown key.
func (s *Server) Balance(key string) decimal.Decimal {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[key]
	if a == nil {
		return decimal.Zero
	}
	s.expire(a, time.Now())
	return a.balance
}

// SetBalance gives key another balance.
func (s *Server) SetBalance(key, balance string) error {
	amount, err := decimal.NewFromString(balance)
	if err != nil {
		return fmt.Errorf("balance %q: %w", balance, ErrAmount)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[key]
	if a == nil {
		return ErrUnknown
	}
	s.expire(a, time.Now())
	a.balance = amount
	s.changed()
	return nil
}

// Rows returns all rows in the order of services.
func (s *Server) Rows() []Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := make([]Row, len(s.rows))
	for i, r := range s.rows {
		rows[i] = s.snapshot(r)
	}
	return rows
}

// Row returns one row; false when there is none.
func (s *Server) Row(service int64) (Row, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.byService[service]
	if r == nil {
		return Row{}, false
	}
	return s.snapshot(r), true
}

func (s *Server) snapshot(r *row) Row {
	snapshot := Row{
		ID: r.id, Service: r.service, Name: r.name, Category: r.sub.category.Name, Subcategory: r.sub.Name,
		EntityType: r.entity, Rate: r.main().Rate, Min: r.min, Max: r.max, Stock: r.stock(),
		AutoDelivery: r.auto, Held: s.held[r.service], Recommended: r.recommended,
		Refill: r.refill, Cancel: r.cancel, Shop: r.shop.name,
	}
	if r.entity == Product {
		snapshot.Variants = slices.Clone(r.variants)
	}
	return snapshot
}

// SetStock gives the main variant of a row another stock, and its other
// variants none. For SMM it is what inventory says: 0 makes the row unavailable.
func (s *Server) SetStock(service, n int64) error {
	return s.change(service, func(r *row) {
		for i := range r.variants {
			r.variants[i].Stock = 0
		}
		r.variants[0].Stock = n
	})
}

// SetVariantStock gives one variant, counted from 0, another stock.
func (s *Server) SetVariantStock(service int64, variant int, n int64) error {
	if r, ok := s.Row(service); !ok || variant < 0 || variant >= len(r.Variants) {
		return ErrUnknown
	}
	return s.change(service, func(r *row) { r.variants[variant].Stock = n })
}

// SetRate gives the main variant of a row another price ("1.25").
func (s *Server) SetRate(service int64, rate string) error {
	amount, err := parsePrice(rate)
	if err != nil {
		return err
	}
	return s.change(service, func(r *row) { r.variants[0].Rate = amount })
}

// Remove takes a row from the shelves. Orders of it go on.
func (s *Server) Remove(service int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byService[service] == nil {
		return ErrUnknown
	}
	delete(s.byService, service)
	s.rows = slices.DeleteFunc(s.rows, func(r *row) bool { return r.service == service })
	s.changed()
	return nil
}

// Shops returns all shops in the order of shops.
func (s *Server) Shops() []Shop {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Shop, len(s.shops))
	for i, sh := range s.shops {
		all[i] = Shop{ID: sh.id, Name: sh.name, Rating: sh.rating}
		for _, r := range s.rows {
			if r.shop == sh && r.entity == Product {
				all[i].Goods++
			}
		}
	}
	return all
}

// CloseShop takes a shop from the list. Its goods stay on their shelves.
func (s *Server) CloseShop(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.shops, func(sh *shop) bool { return sh.id == id })
	if i < 0 {
		return ErrUnknown
	}
	s.shops = slices.Delete(s.shops, i, i+1)
	s.changed()
	return nil
}

// SetImage gives a row another picture, or what should be the address of one.
func (s *Server) SetImage(service int64, address string) error {
	return s.change(service, func(r *row) { r.image = address })
}

// SetRecommended says whether a row is recommended.
func (s *Server) SetRecommended(service int64, yes bool) error {
	return s.change(service, func(r *row) { r.recommended = yes })
}

// Hold says whether orders of a row, old and new, deliver only by Deliver and
// Finish, whatever its autoDelivery says.
func (s *Server) Hold(service int64, never bool) error {
	return s.change(service, func(*row) { s.held[service] = never })
}

func (s *Server) change(service int64, do func(*row)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.byService[service]
	if r == nil {
		return ErrUnknown
	}
	do(r)
	s.changed()
	return nil
}

// SetDeliverAfter changes Options.DeliverAfter for the orders to come.
func (s *Server) SetDeliverAfter(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opt.DeliverAfter = d
}

// SetCodeAfter changes Options.CodeAfter for the numbers to come.
func (s *Server) SetCodeAfter(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opt.CodeAfter = d
}

// SetClock lets sms_status tell times that are off by so much, as a marketplace
// does whose clock goes wrong, or with silent tell none at all.
func (s *Server) SetClock(off time.Duration, silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clockOff, s.clockSilent = off, silent
}

// SetCancelAfter changes Options.CancelAfter.
func (s *Server) SetCancelAfter(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opt.CancelAfter = d
}

// parsePrice reads an amount over 0.
func parsePrice(text string) (decimal.Decimal, error) {
	amount, err := decimal.NewFromString(text)
	if err != nil || !amount.IsPositive() {
		return decimal.Zero, fmt.Errorf("price %q: %w", text, ErrAmount)
	}
	return amount, nil
}

// tail is the end of a key, by which a person recognizes it.
func tail(key string) string { return "…" + key[max(0, len(key)-4):] }
