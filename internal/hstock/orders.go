package hstock

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// errBatchSize means that a list is empty or longer than the document allows.
var errBatchSize = errors.New("batch size is not 1 to " + strconv.Itoa(MaxBatch))

// Add places an order and returns its id. It is sent once: NotSent and refusals
// mean that nothing was bought, OutcomeUnknown that the order may exist (HStockPlus:
// add).
func (c *Client) Add(ctx context.Context, key redact.Secret, r AddRequest) (string, error) {
	q := newCall("add", key, "service", formatInt(r.Service), "quantity", formatInt(r.Quantity), "link", r.Link)
	q.sendBefore = r.SendBefore
	return purchase(ctx, c, q, decodeOrder)
}

// Status returns the status of an order and the goods delivered so far (HStockPlus:
// status).
func (c *Client) Status(ctx context.Context, key redact.Secret, order string) (Status, error) {
	return read(ctx, c, newCall("status", key, "order", order), decodeStatus)
}

// Cancel cancels 1 to MaxBatch orders, each of which may be refused separately. It
// is sent once and before the given time, like Add. Each order is at most once in the
// result; those that the answer omits are missing (HStockPlus: cancel).
func (c *Client) Cancel(ctx context.Context, key redact.Secret, orders []string, sendBefore time.Time) ([]Cancellation, error) {
	q := newCall("cancel", key, "orders", strings.Join(orders, ","))
	q.sendBefore = sendBefore
	if len(orders) == 0 || len(orders) > MaxBatch {
		return nil, q.failure(NotSent, 0, errBatchSize)
	}
	return purchase(ctx, c, q, func(body []byte) ([]Cancellation, bool) { return decodeCancellations(body, orders) })
}

// AllowCancel returns which of 1 to MaxBatch orders can be cancelled now. It changes
// nothing. Each order is at most once in the result; those that the answer omits are
// missing (HStockPlus: allowcancel).
func (c *Client) AllowCancel(ctx context.Context, key redact.Secret, orders []string) ([]CancelAllowance, error) {
	q := newCall("allowcancel", key, "orders", strings.Join(orders, ","))
	if len(orders) == 0 || len(orders) > MaxBatch {
		return nil, q.failure(NotSent, 0, errBatchSize)
	}
	var date time.Time
	q.date = &date
	allowances, err := read(ctx, c, q, func(body []byte) ([]CancelAllowance, bool) { return decodeAllowances(body, orders) })
	for i := range allowances {
		allowances[i].AnsweredAt = date
	}
	return allowances, err
}

// Probe calls balance once, for a diagnosis. date is the Date of the answer, also of a
// refusal; it is zero without one.
func (c *Client) Probe(ctx context.Context, key redact.Secret) (balance Balance, date time.Time, err error) {
	q := newCall("balance", key)
	q.date = &date
	balance, err = read(SingleAttempt(ctx), c, q, decodeBalance)
	return balance, date, err
}

// Balance returns the balance of the key's account (HStockPlus: balance).
func (c *Client) Balance(ctx context.Context, key redact.Secret) (Balance, error) {
	balance, err := read(ctx, c, newCall("balance", key), decodeBalance)
	if err == nil {
		c.currencies.Store(digest(key), balance.Currency)
	}
	return balance, err
}

// Currency returns the currency of the key's account, in which all its prices are: as
// the last Balance with the key said, or else it calls Balance. It may be "".
func (c *Client) Currency(ctx context.Context, key redact.Secret) (string, error) {
	if currency, known := c.knownCurrency(key); known {
		return currency, nil
	}
	balance, err := c.Balance(ctx, key)
	return balance.Currency, err
}

func (c *Client) knownCurrency(key redact.Secret) (currency string, known bool) {
	value, known := c.currencies.Load(digest(key))
	currency, _ = value.(string)
	return currency, known
}

// orderJSON has the id of an order.
type orderJSON struct {
	Order     orderID
	OrderID   orderID `json:"order_id"`
	OrderIDJS orderID `json:"orderId"`
}

func (o orderJSON) id() string { return string(cmp.Or(o.Order, o.OrderID, o.OrderIDJS)) }

// decodeOrder returns the id of the new order, also if the answer contains an error: an
// order with an id was bought. It may be the only one of a list.
func decodeOrder(body []byte) (string, bool) {
	var answer orderJSON
	if body[0] == '{' && unmarshal(body, &answer) && answer.id() != "" {
		return answer.id(), true
	}
	orders, _ := decodeList[orderJSON](body, "orders", "data")
	if len(orders.elements) != 1 {
		return "", false
	}
	id := orders.elements[0].id()
	return id, id != ""
}

func decodeStatus(body []byte) (Status, bool) {
	var answer struct {
		Status       word
		Charge       money
		StartCount   integer `json:"start_count"`
		Remains      integer
		Currency     currency
		EntityType   entityType
		AutoDelivery flag
		Accounts     accounts
	}
	if !unmarshal(body, &answer) {
		return Status{}, false
	}
	return Status{
		State:        ParseOrderState(string(answer.Status)),
		RawStatus:    string(answer.Status),
		Charge:       answer.Charge.figure(),
		StartCount:   answer.StartCount.figure(),
		Remains:      answer.Remains.figure(),
		Currency:     cmp.Or(string(answer.Currency), answer.Charge.currency),
		EntityType:   EntityType(answer.EntityType),
		AutoDelivery: answer.AutoDelivery.pointer(),
		Accounts:     answer.Accounts,
	}, answer.Status != ""
}

// decodeBalance rejects a balance whose two currencies differ.
func decodeBalance(body []byte) (Balance, bool) {
	var answer struct {
		Balance  money
		Currency currency
	}
	if !unmarshal(body, &answer) {
		return Balance{}, false
	}
	stated, beside := string(answer.Currency), answer.Balance.currency
	return Balance{Amount: answer.Balance.Decimal, Currency: cmp.Or(stated, beside)},
		answer.Balance.Valid && (stated == "" || beside == "" || stated == beside)
}

// cancelField is a flag, an error message, or an object with an error.
type cancelField struct {
	flag
	message string
}

func (v *cancelField) UnmarshalJSON(data []byte) error {
	*v = cancelField{}
	if err := v.flag.UnmarshalJSON(data); err != nil {
		return err
	}
	if !v.ok {
		v.message = sanitize(wordsOf("cancel", data, 0))
	}
	return nil
}

// cancelJSON is an element of the answers to cancel and allowcancel.
type cancelJSON struct {
	orderJSON
	Cancel        cancelField
	AllowCancel   cancelField
	RefundAmount  money
	Error         errorWords
	Reason        word
	EligibleAfter eligible
	requested     string // the order that the element is about
}

// eligible is a time as RFC 3339, or else the words in which the marketplace says it.
// A number that is no time is left out, unless it is the text of a year.
type eligible string

func (e *eligible) UnmarshalJSON(data []byte) error {
	var at moment
	_ = at.UnmarshalJSON(data)
	s := sanitize(scalar(data))
	if _, err := time.Parse(time.RFC3339, s); err != nil && !at.IsZero() {
		s = at.Format(time.RFC3339)
	} else if d, _, isNumber := parseNumber(s); isNumber && (data[0] != '"' || d.GreaterThan(decimal.New(9999, 0))) {
		s = ""
	}
	*e = eligible(s)
	return nil
}

// decodeCancelElements returns the elements about the requested orders. Elements may
// be named after their order; they may omit its id if there is one for each
// order; a single element may come without a list. Of several about one order the first
// counts.
func decodeCancelElements(body []byte, orders []string) []cancelJSON {
	answer, listed := decodeList[cancelJSON](body, "orders", "data")
	elements := answer.elements
	if named := namedElements(body, orders); named != nil {
		elements = named
	} else if !listed {
		elements = make([]cancelJSON, 1)
		unmarshal(body, &elements[0])
	}
	for i := range elements {
		v := &elements[i]
		switch id := v.id(); {
		case id != "":
			v.requested = id
		case v.requested != "":
		case listed && len(elements) == len(orders):
			v.requested = orders[i]
		}
	}
	seen := make(map[string]bool, len(orders))
	return slices.DeleteFunc(elements, func(v cancelJSON) bool {
		empty := !v.Cancel.ok && !v.AllowCancel.ok && v.Cancel.message == "" && v.AllowCancel.message == "" && !v.Error.ok
		if empty || seen[v.requested] || !slices.Contains(orders, v.requested) {
			return true
		}
		seen[v.requested] = true
		return false
	})
}

// namedElements returns the members of an object, or of one under orders or data, that
// are named after requested orders.
func namedElements(body []byte, orders []string) (elements []cancelJSON) {
	var members map[string]json.RawMessage
	if body[0] != '{' || !unmarshal(body, &members) {
		return nil
	}
	for _, order := range orders {
		if member, ok := members[order]; ok {
			element := cancelJSON{}
			unmarshal(member, &element)
			element.requested = order
			elements = append(elements, element)
		}
	}
	for _, name := range []string{"orders", "data"} {
		if member, ok := members[name]; ok && elements == nil {
			elements = namedElements(member, orders)
		}
	}
	return elements
}

func decodeCancellations(body []byte, orders []string) ([]Cancellation, bool) {
	elements := decodeCancelElements(body, orders)
	cancellations := make([]Cancellation, 0, len(elements))
	for _, v := range elements {
		cancellations = append(cancellations, Cancellation{
			Order: v.requested, Done: v.Cancel.value, Error: cmp.Or(v.Cancel.message, v.Error.message),
		})
	}
	return cancellations, len(cancellations) > 0
}

func decodeAllowances(body []byte, orders []string) ([]CancelAllowance, bool) {
	elements := decodeCancelElements(body, orders)
	allowances := make([]CancelAllowance, 0, len(elements))
	for _, v := range elements {
		allowances = append(allowances, CancelAllowance{
			Order:         v.requested,
			Allowed:       v.AllowCancel.value,
			Refund:        v.RefundAmount.figure(),
			Error:         cmp.Or(v.Error.message, v.AllowCancel.message),
			Reason:        string(v.Reason),
			EligibleAfter: string(v.EligibleAfter),
		})
	}
	return allowances, len(allowances) > 0
}
