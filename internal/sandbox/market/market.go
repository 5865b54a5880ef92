// Package market is the sandbox's marketplace: a pretend HStockPlus that
// answers every action of API v2 over HTTP in the shapes of the document, and
// keeps balances, stock, orders and rented phone numbers.
//
// It owns its catalogue (data/*.toml: goods, projects, countries, and their
// names in 15 languages) and the control methods through which tests and the
// demo page deliver, refund, send codes and inject faults. The same seed gives
// the same goods. The package is stricter than the real marketplace may be:
// everything in a request that the document does not allow is recorded as a
// violation.
//
// It shares no code with the client that it tests and contains nothing about
// Telegram. It starts no goroutines, so it works in a testing/synctest bubble.
package market

import (
	"sync"
	"time"

	"github.com/shopspring/decimal"
)

// Options configure a marketplace. The zero value is the documented behaviour.
type Options struct {
	Seed         uint64        // chooses what the data leave open (prices, stock, shops), and all delivered goods
	DeliverAfter time.Duration // from add to automatic delivery; 0: complete at the first status
	CancelAfter  time.Duration // minimum age of an order that can be cancelled; 0: at once
	CodeAfter    time.Duration // from add_sms to an automatic code; 0: only control methods send codes
}

// Server is the pretend marketplace. It is safe for concurrent use.
type Server struct {
	opt    Options
	closed chan struct{}
	once   sync.Once

	mu sync.Mutex // guards everything below
	world
	accounts      map[string]*account
	orders        map[int64]*order
	rentals       map[int64]*rental
	faults        []*Fault
	calls         callLog
	violations    []string
	subscribers   map[chan struct{}]struct{}
	orderID       func(number int64) string // of an order in requests and answers; nil: its number
	eligibleAfter string                    // answered as eligibleAfter instead of the time; "": the time
	rentalTime    time.Duration             // how long a number waits for its code
	clockOffset   time.Duration             // of the times in answers
	clockHidden   bool                      // sms_status contains no times
	allProjects   AllProjects
	nextOrder     int64
	goodsMade     uint64
}

// FirstOrder is the first order id. Each order of add and each rental of
// add_sms takes the next one.
const FirstOrder int64 = 23501

// account is an API key with its money.
type account struct {
	accountState
	open []*rental // waiting for a code: they can still expire
}

// accountState is what Keep stores of an account.
type accountState struct {
	Key      string          `json:"key"`
	Balance  decimal.Decimal `json:"balance"`
	Currency string          `json:"currency"`
	Removed  bool            `json:"removed"`

	PriceFactor decimal.NullDecimal `json:"price_factor"`
}

// priced returns a price as this account sees it.
func (a *accountState) priced(price decimal.Decimal) decimal.Decimal {
	if a.PriceFactor.Valid {
		return price.Mul(a.PriceFactor.Decimal)
	}
	return price
}

// New returns a marketplace without keys.
func New(opt Options) *Server {
	return &Server{
		opt:         opt,
		closed:      make(chan struct{}),
		world:       newWorld(opt.Seed),
		accounts:    make(map[string]*account),
		orders:      make(map[int64]*order),
		rentals:     make(map[int64]*rental),
		calls:       newCallLog(),
		subscribers: make(map[chan struct{}]struct{}),
		rentalTime:  usualRentalTime,
		nextOrder:   FirstOrder,
	}
}

// Close cuts off the calls in flight and all later ones. A second call does nothing.
func (s *Server) Close() { s.once.Do(func() { close(s.closed) }) }

// Subscribe returns a channel that receives after every change of orders,
// rentals, balances, rows, faults and the call log. Changes that come faster
// than they are received are merged. A change that time alone causes (an
// automatic delivery, an expiry) is notified when the order or rental is read.
func (s *Server) Subscribe() (changes <-chan struct{}, cancel func()) {
	ch := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribers[ch] = struct{}{}
	return ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.subscribers, ch)
	}
}

// changed notifies the subscribers. The caller holds mu.
func (s *Server) changed() {
	for ch := range s.subscribers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
