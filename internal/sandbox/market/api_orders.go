package market

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

const (
	chargePlaces = 4                          // decimals of a computed amount
	ratePer      = 1000                       // pieces that the rate of an SMM service is for
	timeFormat   = "2006-01-02T15:04:05.000Z" // of eligibleAfter and expires_at
)

type addAnswer struct {
	Order any `json:"order"`
}

// answeredID returns the id of an order as answers contain it.
func (s *Server) answeredID(number int64) any {
	if s.orderID == nil {
		return number
	}
	return s.orderID(number)
}

// requestedID returns the order that a request names.
func (s *Server) requestedID(text string) (number int64, ok bool) {
	if s.orderID == nil {
		number, err := strconv.ParseInt(text, 10, 64)
		return number, err == nil
	}
	for number := FirstOrder; number < s.nextOrder; number++ {
		if s.orderID(number) == text {
			return number, true
		}
	}
	return 0, false
}

func (s *Server) add(q *request) (any, error) {
	r, err := s.requestedRow(q)
	if err != nil {
		return nil, err
	}
	quantity, err := strconv.ParseInt(q.get("quantity"), 10, 64)
	if err != nil || quantity <= 0 {
		q.violation("quantity is not a positive number")
		return nil, refusal("Quantity is required")
	}
	if quantity < r.min || quantity > r.max {
		return nil, refusal(fmt.Sprintf("Quantity must be between %d and %d", r.min, r.max))
	}
	link := q.get("link")
	if r.entity == SMM && link == "" {
		q.violation("link is missing for an SMM service")
		return nil, refusal("Link is required")
	}
	variant, ok := r.fill(quantity)
	if !ok {
		return nil, refusal("Not enough stock")
	}
	charge := q.account.priced(r.charge(variant, quantity))
	if q.account.Balance.LessThan(charge) {
		return nil, insufficientBalance
	}
	now := q.now.Truncate(time.Millisecond)
	o := &order{account: q.account, row: r, orderState: orderState{
		ID: s.nextOrder, Key: q.account.Key, Service: r.service, Variant: variant, Quantity: quantity, Link: link,
		Charge: charge, StartCount: startCount(r, s.nextOrder), Status: statusPending, Open: true,
		Created: now, DeliverAt: now.Add(s.opt.DeliverAfter),
	}}
	if r.auto {
		o.Status = statusInProgress
	}
	q.account.Balance = q.account.Balance.Sub(charge)
	if r.entity == Product {
		r.variants[variant].Stock -= quantity
	}
	s.nextOrder++
	s.orders[o.ID] = o
	return addAnswer{Order: s.answeredID(o.ID)}, nil
}

// fill chooses the first variant that has enough stock (HStockPlus: inventory).
// An SMM service needs only some.
func (r *row) fill(quantity int64) (variant int, ok bool) {
	for i, v := range r.variants {
		if v.Stock >= quantity {
			return i, true
		}
	}
	return 0, r.entity == SMM && r.main().Stock > 0
}

func (r *row) charge(variant int, quantity int64) decimal.Decimal {
	charge := r.variants[variant].Rate.Mul(decimal.NewFromInt(quantity))
	if r.entity == SMM {
		return charge.DivRound(decimal.NewFromInt(ratePer), chargePlaces)
	}
	return charge
}

// startCount is the count of an SMM target before the order. For products,
// which have a start_count in the document's example too, it is the stock.
func startCount(r *row, order int64) int64 {
	if r.entity == Product {
		return r.stock()
	}
	return int64(newRandom(0, hash(order)).below(9000)) + 100
}

type statusAnswer struct {
	Status       string     `json:"status"`
	Charge       string     `json:"charge"`
	StartCount   int64      `json:"start_count"`
	Remains      int64      `json:"remains"`
	Currency     string     `json:"currency"`
	EntityType   EntityType `json:"entityType,omitempty"`
	AutoDelivery bool       `json:"autoDelivery"`
	Accounts     []string   `json:"accounts,omitempty"`
}

func (s *Server) status(q *request) (any, error) {
	id, ok := s.requestedID(q.get("order"))
	o := s.orders[id]
	if !ok || o == nil || o.account != q.account {
		return nil, orderNotFound
	}
	o.settle(s, q.now)
	answer := statusAnswer{
		Status: o.Status, Charge: money(o.Charge.Sub(o.Refunded), 2), StartCount: o.StartCount, Remains: o.Quantity - o.Delivered,
		Currency: o.account.Currency, AutoDelivery: o.row.auto, Accounts: o.Accounts,
	}
	if o.row.entity == Product {
		answer.EntityType = Product
	}
	return answer, nil
}

// eligibility is whether an order can be cancelled now. The conditions are this
// package's own, since the document has none.
type eligibility struct {
	id     any     // as in an answer, or the text in the request that is none
	err    refusal // "": it can be cancelled
	reason string
	after  time.Time
	refund decimal.Decimal
	cancel func()
}

// eligibilities checks every order that the parameter orders names.
func (s *Server) eligibilities(q *request, answer func(eligibility)) error {
	text := q.get("orders")
	if text == "" {
		return refusal("Order IDs are required")
	}
	ids := strings.Split(text, ",")
	if len(ids) > 100 {
		q.violation("more than 100 orders")
		return refusal("Too many order IDs, the most is 100")
	}
	for _, id := range ids {
		answer(s.eligibility(q, strings.TrimSpace(id)))
	}
	return nil
}

func (s *Server) eligibility(q *request, text string) eligibility {
	id, ok := s.requestedID(text)
	if !ok {
		if s.orderID == nil {
			q.violation("orders contains something that is not a number")
		}
		return eligibility{id: text, err: incorrectOrder}
	}
	e := eligibility{id: s.answeredID(id)}
	var open, cancellable bool
	var created time.Time
	if o, n := s.orders[id], s.rentals[id]; o != nil && o.account == q.account {
		o.settle(s, q.now)
		open, cancellable, created = o.Open, o.row.entity == Product || o.row.cancel, o.Created
		e.refund, e.cancel = o.refundable(), o.cancel
	} else if n != nil && n.account == q.account {
		n.settle(s, q.now)
		open, cancellable, created = n.Open, true, n.Created
		e.refund, e.cancel = n.Charge, n.cancel
	} else {
		e.err = incorrectOrder
		return e
	}
	after := created.Add(s.opt.CancelAfter)
	switch {
	case !open:
		e.reason = "ORDER_CLOSED"
	case !cancellable:
		e.reason = "NOT_CANCELABLE"
	case q.now.Before(after):
		e.reason, e.after = "BEFORE_MIN_WAIT", after
	default:
		return e
	}
	e.err = noEarlyRefund
	return e
}

type cancelAnswer struct {
	Order  any `json:"order"`
	Cancel any `json:"cancel"` // 1, or an error
}

func (s *Server) cancel(q *request) (any, error) {
	var answers []cancelAnswer
	err := s.eligibilities(q, func(e eligibility) {
		answer := cancelAnswer{e.id, 1}
		if e.err == "" {
			e.cancel()
		} else {
			answer.Cancel = errorAnswer{string(e.err)}
		}
		answers = append(answers, answer)
	})
	return answers, err
}

type allowCancelAnswer struct {
	Order         any         `json:"order"`
	AllowCancel   int         `json:"allowcancel"`
	RefundAmount  json.Number `json:"refundAmount,omitempty"`
	Error         string      `json:"error,omitempty"`
	Reason        string      `json:"reason,omitempty"`
	EligibleAfter string      `json:"eligibleAfter,omitempty"`
}

func (s *Server) allowCancel(q *request) (any, error) {
	var answers []allowCancelAnswer
	err := s.eligibilities(q, func(e eligibility) {
		answer := allowCancelAnswer{Order: e.id, Error: string(e.err), Reason: e.reason}
		if e.err == "" {
			answer.AllowCancel, answer.RefundAmount = 1, json.Number(money(e.refund, 2))
		}
		if !e.after.IsZero() {
			answer.EligibleAfter = cmp.Or(s.eligibleAfter, e.after.Add(s.clockOffset).UTC().Format(timeFormat))
		}
		answers = append(answers, answer)
	})
	return answers, err
}

type balanceAnswer struct {
	Balance  string `json:"balance"`
	Currency string `json:"currency"`
}

func (s *Server) balance(q *request) (any, error) {
	return balanceAnswer{Balance: money(q.account.Balance, 2), Currency: q.account.Currency}, nil
}
