package market

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// chargePlaces is how many decimals a computed amount has.
const chargePlaces = 4

// timeFormat is that of eligibleAfter and expires_at.
const timeFormat = "2006-01-02T15:04:05.000Z"

type addAnswer struct {
	Order int64 `json:"order"`
}

func (s *Server) add(q *request) (any, error) {
	r, err := s.wantedRow(q)
	if err != nil {
		return nil, err
	}
	quantity, err := strconv.ParseInt(q.get("quantity"), 10, 64)
	if err != nil || quantity <= 0 {
		q.violation("quantity is no number over 0")
		return nil, refusal("Quantity is required")
	}
	if quantity < r.min || quantity > r.max {
		return nil, refusal("Quantity must be between " + strconv.FormatInt(r.min, 10) + " and " + strconv.FormatInt(r.max, 10))
	}
	link := q.get("link")
	if r.entity == SMM && link == "" {
		q.violation("no link for an SMM service")
		return nil, refusal("Link is required")
	}
	variant, ok := r.fill(quantity)
	if !ok {
		return nil, refusal("Not enough stock")
	}
	charge := r.charge(variant, quantity, s.opt.RatePer)
	if q.account.balance.LessThan(charge) {
		return nil, insufficientBalance
	}
	before := startCount(r, s.nextOrder)
	q.account.balance = q.account.balance.Sub(charge)
	if r.entity == Product {
		r.variants[variant].Stock -= quantity
	}
	now := q.now.Truncate(time.Millisecond)
	o := &order{
		number: s.nextOrder, account: q.account, row: r, variant: variant, quantity: quantity, link: link,
		charge: charge, startCount: before, word: wordPending, open: true,
		created: now, updated: now, deliverAt: now.Add(s.opt.DeliverAfter),
	}
	if r.auto {
		o.word = wordInProgress
	}
	s.nextOrder++
	s.orders[o.number] = o
	s.orderList = append(s.orderList, o)
	s.changed()
	return addAnswer{Order: o.number}, nil
}

// fill chooses the variant for an order: the main one, else the first other
// that has enough (HStockPlus: inventory).
func (r *row) fill(quantity int64) (int, bool) {
	for i, v := range r.variants {
		if v.Stock >= quantity {
			return i, true
		}
	}
	return 0, r.entity == SMM && r.variants[0].Stock > 0
}

// charge is the price of an order. Amounts of SMM are rounded to four decimals.
func (r *row) charge(variant int, quantity, ratePer int64) decimal.Decimal {
	charge := r.variants[variant].Rate.Mul(decimal.NewFromInt(quantity))
	if r.entity == SMM {
		return charge.DivRound(decimal.NewFromInt(ratePer), chargePlaces)
	}
	return charge
}

// startCount is what an SMM target had before; for products, whose document
// example has a number too, the stock there was.
func startCount(r *row, order int64) int64 {
	if r.entity == Product {
		return r.stock()
	}
	return int64(newDice(0, scatter(order)).below(9000)) + 100
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
	number, err := strconv.ParseInt(q.get("order"), 10, 64)
	o := s.orders[number]
	if err != nil || o == nil || o.account.key != q.account.key {
		return nil, orderNotFound
	}
	s.settle(o, q.now)
	answer := statusAnswer{
		Status: o.word, Charge: money(o.charge.Sub(o.refunded), 2), StartCount: o.startCount, Remains: o.quantity - o.done,
		Currency: o.account.currency, AutoDelivery: o.row.auto, Accounts: o.accounts,
	}
	if o.row.entity == Product {
		answer.EntityType = Product
	}
	return answer, nil
}

// eligibility says whether an order can be cancelled. The document leaves its
// conditions out: these are the pretend marketplace's.
type eligibility struct {
	refund decimal.Decimal
	err    refusal // "" where it can
	reason string
	after  time.Time
	cancel func()
}

func (s *Server) eligible(q *request, id string) eligibility {
	order, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		q.violation("orders holds what is no number")
		return eligibility{err: incorrectOrder}
	}
	var e eligibility
	var created time.Time
	o, n := s.orders[order], s.numbers[order]
	switch {
	case o != nil && o.account.key == q.account.key:
		s.settle(o, q.now)
		e, created = eligibility{refund: o.left(), cancel: func() { s.cancelled(o, q.now) }}, o.created
		if !o.open {
			return eligibility{err: noEarlyRefund, reason: "ORDER_CLOSED"}
		}
		if o.row.entity == SMM && !o.row.cancel {
			return eligibility{err: noEarlyRefund, reason: "NOT_CANCELABLE"}
		}
	case n != nil && n.account.key == q.account.key && !s.opt.CancelGoodsOnly:
		s.settleNumber(n, q.now)
		e, created = eligibility{refund: n.charge, cancel: func() { n.end(wordSMSCanceled); s.changed() }}, n.created
		if !n.open {
			return eligibility{err: noEarlyRefund, reason: "ORDER_CLOSED"}
		}
	default:
		return eligibility{err: incorrectOrder}
	}
	if after := created.Add(s.opt.CancelAfter); q.now.Before(after) {
		return eligibility{err: noEarlyRefund, reason: "BEFORE_MIN_WAIT", after: after}
	}
	return e
}

// ids reads the parameter orders.
func (q *request) ids() ([]string, error) {
	text := q.get("orders")
	if text == "" {
		return nil, refusal("Order IDs are required")
	}
	ids := strings.Split(text, ",")
	if len(ids) > 100 {
		q.violation("more than 100 orders")
		return nil, refusal("Too many order IDs, the most is 100")
	}
	return ids, nil
}

// orderID puts an id into an answer: as a number where it is one.
func orderID(id string) any {
	if n, err := strconv.ParseInt(id, 10, 64); err == nil {
		return n
	}
	return id
}

type cancelAnswer struct {
	Order  any `json:"order"`
	Cancel any `json:"cancel"` // 1, or an error
}

func (s *Server) cancel(q *request) (any, error) {
	ids, err := q.ids()
	if err != nil {
		return nil, err
	}
	answer := make([]cancelAnswer, len(ids))
	for i, id := range ids {
		id = strings.TrimSpace(id)
		e := s.eligible(q, id)
		if e.err != "" {
			answer[i] = cancelAnswer{orderID(id), errorAnswer{string(e.err)}}
			continue
		}
		e.cancel()
		answer[i] = cancelAnswer{orderID(id), 1}
	}
	return answer, nil
}

type allowAnswer struct {
	Order         any         `json:"order"`
	AllowCancel   int         `json:"allowcancel"`
	RefundAmount  json.Number `json:"refundAmount,omitempty"`
	Error         string      `json:"error,omitempty"`
	Reason        string      `json:"reason,omitempty"`
	EligibleAfter string      `json:"eligibleAfter,omitempty"`
}

func (s *Server) allowCancel(q *request) (any, error) {
	ids, err := q.ids()
	if err != nil {
		return nil, err
	}
	answer := make([]allowAnswer, len(ids))
	for i, id := range ids {
		id = strings.TrimSpace(id)
		e := s.eligible(q, id)
		answer[i] = allowAnswer{Order: orderID(id), Error: string(e.err), Reason: e.reason}
		if e.err == "" {
			answer[i].AllowCancel, answer[i].RefundAmount = 1, json.Number(money(e.refund, 2))
		}
		if !e.after.IsZero() {
			answer[i].EligibleAfter = cmp.Or(s.opt.EligibleWord, e.after.UTC().Format(timeFormat))
		}
	}
	return answer, nil
}

type balanceAnswer struct {
	Balance  string `json:"balance"`
	Currency string `json:"currency"`
}

func (s *Server) balance(q *request) (any, error) {
	return balanceAnswer{Balance: money(q.account.balance, 2), Currency: q.account.currency}, nil
}
