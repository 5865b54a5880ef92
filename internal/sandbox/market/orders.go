package market

import (
	"math"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// Statuses of orders. HStockPlus documents the first two; the others are usual
// on panels of its kind.
const (
	statusInProgress = "In progress"
	statusCompleted  = "Completed"
	statusPending    = "Pending"
	statusPartial    = "Partial"
	statusCanceled   = "Canceled"
	statusRefunded   = "Refunded"
	statusFailed     = "Fail"
)

// Order is an order of the action add.
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
	Charge       decimal.Decimal // the price paid
	Refunded     decimal.Decimal // the part of Charge that was refunded
	Currency     string
	Status       string // as the action status answers it
	Open         bool
	AutoDelivery bool
	CreatedAt    time.Time
}

type order struct {
	orderState
	account *account
	row     *row
}

// orderState is what Keep stores of an order.
type orderState struct {
	ID         int64           `json:"number"`
	Key        string          `json:"key"`
	Service    int64           `json:"service"`
	Variant    int             `json:"variant"` // index in row.variants
	Quantity   int64           `json:"quantity"`
	Link       string          `json:"link"`
	Delivered  int64           `json:"done"`
	Accounts   []string        `json:"accounts"`
	Charge     decimal.Decimal `json:"charge"`
	Refunded   decimal.Decimal `json:"refunded"`
	StartCount int64           `json:"start_count"`
	Status     string          `json:"word"`
	Open       bool            `json:"open"`    // can still be delivered automatically, and be cancelled
	Manual     bool            `json:"by_hand"` // a control method changed it: automatic delivery is off
	Created    time.Time       `json:"created"`
	DeliverAt  time.Time       `json:"deliver_at"`
}

// settle delivers what is due: products all at once, SMM services gradually.
func (o *order) settle(s *Server, now time.Time) {
	if !o.Open || o.Manual || !o.row.auto || o.row.held {
		return
	}
	due, wait, passed := o.Quantity, o.DeliverAt.Sub(o.Created), now.Sub(o.Created)
	if passed < wait {
		due = 0
		if o.row.entity == SMM {
			due = int64(float64(o.Quantity) * (passed.Seconds() / wait.Seconds()))
		}
	}
	if due > o.Delivered {
		s.deliver(o, due-o.Delivered)
		s.changed()
	}
}

// deliver adds n pieces. The caller holds mu and has checked n.
func (s *Server) deliver(o *order, n int64) {
	o.Delivered += n
	if o.row.entity == Product {
		for range n {
			s.goodsMade++
			o.Accounts = append(o.Accounts, credential(s.opt.Seed, s.goodsMade, o.row.goods))
		}
	}
	switch {
	case o.Delivered >= o.Quantity:
		o.Status, o.Open = statusCompleted, false
	case !o.Manual || o.Status == statusPending:
		o.Status = statusInProgress
	}
}

// refundable is the price of the pieces that were not delivered, rounded down.
func (o *order) refundable() decimal.Decimal {
	share := o.Charge
	if o.Delivered > 0 {
		rest := decimal.NewFromInt(o.Quantity - o.Delivered)
		share = o.Charge.Mul(rest).DivRound(decimal.NewFromInt(o.Quantity), chargePlaces+4).Truncate(chargePlaces)
	}
	return decimal.Max(decimal.Min(share, o.Charge.Sub(o.Refunded)), decimal.Zero)
}

func (o *order) refund(amount decimal.Decimal) {
	o.Refunded = o.Refunded.Add(amount)
	o.account.Balance = o.account.Balance.Add(amount)
}

// cancel refunds what was not delivered and returns it to stock.
func (o *order) cancel() {
	o.refund(o.refundable())
	if o.row.entity == Product {
		o.row.variants[o.Variant].Stock += o.Quantity - o.Delivered
	}
	o.Status, o.Open = statusCanceled, false
	if o.row.entity == SMM && o.Delivered > 0 {
		o.Status = statusPartial
	}
}

func (o *order) snapshot() Order {
	snapshot := Order{
		Number: o.ID, Key: o.Key, KeyTail: "…" + o.Key[max(0, len(o.Key)-4):], Service: o.Service, Name: o.row.name, EntityType: o.row.entity,
		Quantity: o.Quantity, Link: o.Link, Accounts: slices.Clone(o.Accounts), Delivered: o.Delivered,
		Charge: o.Charge, Refunded: o.Refunded, Currency: o.account.Currency,
		Status: o.Status, Open: o.Open, AutoDelivery: o.row.auto, CreatedAt: o.Created,
	}
	if o.row.entity == Product {
		snapshot.Variant = o.row.variants[o.Variant].Name
	}
	return snapshot
}

// Orders returns all orders of add as they are now, oldest first.
func (s *Server) Orders() []Order { return list(s, s.orders) }

// Order returns one order of add as it is now; false if there is none.
func (s *Server) Order(number int64) (Order, bool) { return find(s, s.orders, number) }

// Deliver delivers n more pieces of an order, or what is left of it if that is
// less. It returns ErrClosed if nothing is left or money was refunded.
func (s *Server) Deliver(number int64, n int) error {
	return control(s, s.orders, number, func(o *order) error {
		n := min(int64(n), o.Quantity-o.Delivered)
		if n <= 0 || o.Refunded.IsPositive() {
			return ErrClosed
		}
		o.Manual = true
		s.deliver(o, n)
		return nil
	})
}

// Finish delivers the rest of an order.
func (s *Server) Finish(number int64) error { return s.Deliver(number, math.MaxInt) }

// SetStatus makes the action status answer any status ("Processing", "On hold")
// and turns automatic delivery off. Deliver and Finish still work.
func (s *Server) SetStatus(number int64, status string) error {
	return control(s, s.orders, number, func(o *order) error {
		o.Status, o.Manual = status, true
		return nil
	})
}

// Fail ends an order with the status "Fail" and without a refund.
func (s *Server) Fail(number int64) error {
	return control(s, s.orders, number, func(o *order) error {
		o.Status, o.Manual, o.Open = statusFailed, true, false
		return nil
	})
}

// Refund ends an order with the status "Refunded" and refunds its whole price,
// even if goods were delivered.
func (s *Server) Refund(number int64) error {
	return control(s, s.orders, number, func(o *order) error {
		if o.Refunded.Equal(o.Charge) {
			return ErrClosed
		}
		o.refund(o.Charge.Sub(o.Refunded))
		o.Status, o.Manual, o.Open = statusRefunded, true, false
		return nil
	})
}
