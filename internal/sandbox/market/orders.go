package market

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// The words that status answers by itself (HStockPlus: status names the first
// two; the others are those of panels of this family).
const (
	wordInProgress = "In progress"
	wordCompleted  = "Completed"
	wordPending    = "Pending"
	wordPartial    = "Partial"
	wordCanceled   = "Canceled"
	wordRefunded   = "Refunded"
	wordFailed     = "Fail"
)

// order is one line of the marketplace's books.
type order struct {
	number     int64
	account    *account
	row        *row
	variant    int
	quantity   int64
	link       string
	done       int64 // pieces delivered
	accounts   []string
	charge     decimal.Decimal
	refunded   decimal.Decimal
	startCount int64
	word       string
	open       bool // may still deliver by itself, and be cancelled
	byHand     bool // a command took it over: time alone changes nothing any more
	created    time.Time
	updated    time.Time
	deliverAt  time.Time
}

// settle lets time pass for an order. The caller holds mu.
func (s *Server) settle(o *order, now time.Time) {
	if !o.open || o.byHand || !o.row.auto || s.held[o.row.service] {
		return
	}
	wait := o.deliverAt.Sub(o.created)
	passed := now.Sub(o.created)
	switch {
	case passed >= wait:
		s.deliver(o, o.quantity-o.done, now)
	case o.row.entity == SMM:
		if grown := int64(float64(o.quantity) * (passed.Seconds() / wait.Seconds())); grown > o.done {
			s.deliver(o, grown-o.done, now)
		}
	}
}

// deliver hands out n more pieces. The caller holds mu and has checked n.
func (s *Server) deliver(o *order, n int64, now time.Time) {
	o.done += n
	if o.row.entity == Product {
		for range n {
			s.goodsMade++
			o.accounts = append(o.accounts, credential(s.opt.Seed, s.goodsMade, o.row.goods))
		}
	}
	switch {
	case o.done >= o.quantity:
		o.word, o.open = wordCompleted, false
	case !o.byHand || o.word == wordPending:
		o.word = wordInProgress
	}
	o.updated = now
	s.changed()
}

// left is what of an order's money is for pieces not delivered, rounded down.
func (o *order) left() decimal.Decimal {
	rest := decimal.NewFromInt(o.quantity - o.done)
	share := o.charge.Mul(rest).DivRound(decimal.NewFromInt(o.quantity), chargePlaces+4).Truncate(chargePlaces)
	if o.done == 0 {
		share = o.charge
	}
	return decimal.Max(decimal.Min(share, o.charge.Sub(o.refunded)), decimal.Zero)
}

// giveBack returns money to the account that paid.
func (o *order) giveBack(amount decimal.Decimal) {
	o.refunded = o.refunded.Add(amount)
	o.account.balance = o.account.balance.Add(amount)
}

// cancelled ends an open order: what was not delivered is refunded, and goes
// back on the shelf.
func (s *Server) cancelled(o *order, now time.Time) {
	o.giveBack(o.left())
	if o.row.entity == Product {
		o.row.variants[o.variant].Stock += o.quantity - o.done
	}
	o.word, o.open, o.updated = wordCanceled, false, now
	if o.row.entity == SMM && o.done > 0 {
		o.word = wordPartial
	}
	s.changed()
}

// Orders returns all orders of add as they stand, oldest first.
func (s *Server) Orders() []Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	orders, now := make([]Order, len(s.orderList)), time.Now()
	for i, o := range s.orderList {
		s.settle(o, now)
		orders[i] = o.snapshot()
	}
	return orders
}

// Order returns one order of add as it stands; false when there is none.
func (s *Server) Order(number int64) (Order, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[number]
	if o == nil {
		return Order{}, false
	}
	s.settle(o, time.Now())
	return o.snapshot(), true
}

func (o *order) snapshot() Order {
	snapshot := Order{
		Number: o.number, Key: o.account.key, KeyTail: tail(o.account.key),
		Service: o.row.service, Name: o.row.name, EntityType: o.row.entity,
		Quantity: o.quantity, Link: o.link, Accounts: slices.Clone(o.accounts), Delivered: o.done,
		Charge: o.charge, Refunded: o.refunded, Currency: o.account.currency,
		Status: o.word, Open: o.open, AutoDelivery: o.row.auto,
		CreatedAt: o.created, UpdatedAt: o.updated,
	}
	if o.row.entity == Product {
		snapshot.Variant = o.row.variants[o.variant].Name
	}
	return snapshot
}

// Deliver hands out n more pieces of an order, at most what is left of it; with
// the last one it is Completed. ErrClosed where nothing is left, or the money
// was given back.
func (s *Server) Deliver(number int64, n int) error {
	return s.command(number, func(o *order, now time.Time) error {
		left := min(int64(n), o.quantity-o.done)
		if left <= 0 || o.refunded.IsPositive() {
			return ErrClosed
		}
		o.byHand = true
		s.deliver(o, left, now)
		return nil
	})
}

// Finish delivers all that is left of an order.
func (s *Server) Finish(number int64) error {
	return s.command(number, func(o *order, now time.Time) error {
		if o.done == o.quantity || o.refunded.IsPositive() {
			return ErrClosed
		}
		o.byHand = true
		s.deliver(o, o.quantity-o.done, now)
		return nil
	})
}

// Fail ends an order with the word "Fail"; no money moves (Refund does that).
func (s *Server) Fail(number int64) error { return s.end(number, wordFailed) }

// SetStatus lets status answer any word at all from now on ("Processing", "On
// hold"). The order delivers by itself no more; Deliver and Finish go on.
func (s *Server) SetStatus(number int64, word string) error {
	return s.command(number, func(o *order, now time.Time) error {
		o.word, o.byHand, o.updated = word, true, now
		s.changed()
		return nil
	})
}

func (s *Server) end(number int64, word string) error {
	return s.command(number, func(o *order, now time.Time) error {
		o.word, o.byHand, o.open, o.updated = word, true, false, now
		s.changed()
		return nil
	})
}

// Refund ends an order with the word "Refunded" and gives back all that was
// paid for it, delivered goods included.
func (s *Server) Refund(number int64) error {
	return s.command(number, func(o *order, now time.Time) error {
		if o.refunded.Equal(o.charge) {
			return ErrClosed
		}
		o.giveBack(o.charge.Sub(o.refunded))
		o.word, o.byHand, o.open, o.updated = wordRefunded, true, false, now
		s.changed()
		return nil
	})
}

// Cancel ends an open order as the action cancel would, whatever its age:
// pro rata, delivered goods stay.
func (s *Server) Cancel(number int64) error {
	return s.command(number, func(o *order, now time.Time) error {
		if !o.open {
			return ErrClosed
		}
		s.cancelled(o, now)
		return nil
	})
}

func (s *Server) command(number int64, do func(*order, time.Time) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[number]
	if o == nil {
		return ErrUnknown
	}
	now := time.Now()
	s.settle(o, now)
	return do(o, now)
}
