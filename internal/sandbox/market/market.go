// Package market is the pretend HStockPlus: an http.Handler that answers every
// action of API v2 in the shapes of the document, keeps balances, stock, orders
// and rented numbers, and can be told to misbehave.
//
// It owns the pretend marketplace's data (data/*.toml: goods, projects,
// countries, and their names in 15 languages) and a back room through which
// tests and the demo's page deliver, refund, send codes and order faults. It
// is strict where the real one may be lenient: what the document does not
// allow in a request becomes a violation. It must not know the client that
// calls it, nor anything of Telegram; it starts no goroutines, so it works in
// a synctest bubble.
package market

import (
	"context"
	"sync"
	"time"

	"github.com/shopspring/decimal"
)

// Options are the marketplace's habits. The zero value is the documented
// behaviour, with automatic goods delivered at the first status.
type Options struct {
	Seed uint64 // prices, stock and shops of all rows but the fixed ones, and all credentials

	DeliverAfter time.Duration // of automatic goods and of SMM services after add; 0: complete at the first status
	CancelAfter  time.Duration // how old an order must be before cancel takes it; 0: at once
	EligibleWord string        // what eligibleAfter says instead of the time; "": the time
	NumberLife   time.Duration // of a rented number; 0: 20 minutes
	CodeAfter    time.Duration // until a rented number gets a code by itself; 0: only by SendCode

	RatePer          int64 // how many pieces an SMM rate is for; 0: 1000
	ErrorStatus      int   // HTTP status of {"error"}; 0: 200
	InvalidKeyStatus int   // HTTP status of "Invalid API key"; 0: ErrorStatus
	CancelGoodsOnly  bool  // cancel and allowcancel don't know the orders of add_sms

	ProductsField string // name of the rows in the answer of products; "": "products"; "-": a bare array
	ShopsField    string // name of the rows in the answer of shops; "": "shops"; "-": a bare array
}

// Server is the pretend marketplace. All its methods may be called at once
// from everywhere.
type Server struct {
	opt    Options
	closed chan struct{}
	once   sync.Once

	mu sync.Mutex // guards all below
	world
	accounts    map[string]*account
	orders      map[int64]*order
	orderList   []*order // by number, oldest first
	numbers     map[int64]*number
	numberList  []*number
	held        map[int64]bool
	faults      []*Fault
	calls       callLog
	violations  []string
	subscribers map[chan struct{}]struct{}
	clockOff    time.Duration // of the times that sms_status tells
	clockSilent bool          // it tells none
	nextOrder   int64
	goodsMade   uint64
}

// FirstOrder is the number of the first order; each order of add and each
// number of add_sms takes the next one.
const FirstOrder int64 = 23501

// account is what belongs to an API key.
type account struct {
	key      string
	balance  decimal.Decimal
	currency string
	removed  bool
	waiting  []*number // rented numbers that may still expire
}

// New returns a marketplace without keys.
func New(opt Options) *Server {
	if opt.NumberLife == 0 {
		opt.NumberLife = 20 * time.Minute
	}
	if opt.RatePer == 0 {
		opt.RatePer = 1000
	}
	return &Server{
		opt:         opt,
		closed:      make(chan struct{}),
		world:       newWorld(opt.Seed),
		accounts:    make(map[string]*account),
		orders:      make(map[int64]*order),
		numbers:     make(map[int64]*number),
		held:        make(map[int64]bool),
		calls:       newCallLog(),
		subscribers: make(map[chan struct{}]struct{}),
		nextOrder:   FirstOrder,
	}
}

// Close ends all waiting of slow answers; calls in the making and later ones
// are cut off. It may be called twice.
func (s *Server) Close() { s.once.Do(func() { close(s.closed) }) }

// Subscribe returns a channel that receives after every change: of orders,
// numbers, balances, rows, faults, and of the log of calls. Changes that come
// faster than they are received are one. What time alone brings about (an
// automatic delivery, an expiry) shows when it is next looked at.
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

// Await returns nil as soon as done says so, asking it once and after every
// change. It returns ctx's error when that comes first.
func (s *Server) Await(ctx context.Context, done func() bool) error {
	changes, cancel := s.Subscribe()
	defer cancel()
	for !done() {
		select {
		case <-changes:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// changed wakes the subscribers. The caller holds mu.
func (s *Server) changed() {
	for ch := range s.subscribers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
