package hstock

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"hstockbot/internal/redact"
)

// errBatchSize means that a list is empty or longer than the document allows.
var errBatchSize = errors.New("batch size is not 1 to " + strconv.Itoa(MaxBatch))

// Add places an order and returns its number. It is sent once: NotSent and refusals
// mean that nothing was bought, OutcomeUnknown that the order may exist (HStockPlus:
// add).
func (c *Client) Add(ctx context.Context, key redact.Secret, r AddRequest) (int64, error) {
	q := newCall("add", key, "service", formatInt(r.Service), "quantity", formatInt(r.Quantity), "link", r.Link)
	return purchase(ctx, c, q, decodeOrder)
}

// Status returns the status of an order and the goods delivered so far (HStockPlus:
// status).
func (c *Client) Status(ctx context.Context, key redact.Secret, order int64) (Status, error) {
	return read(ctx, c, newCall("status", key, "order", formatInt(order)), decodeStatus)
}

// Cancel cancels 1 to MaxBatch orders, each of which may be refused separately. It
// is sent once, like Add. Orders that the answer omits are missing from the result
// (HStockPlus: cancel).
func (c *Client) Cancel(ctx context.Context, key redact.Secret, orders []int64) ([]Cancellation, error) {
	q := newCall("cancel", key, "orders", formatInts(orders))
	if len(orders) == 0 || len(orders) > MaxBatch {
		return nil, q.failure(NotSent, 0, errBatchSize)
	}
	return purchase(ctx, c, q, func(body []byte) ([]Cancellation, bool) { return decodeCancellations(body, orders) })
}

// AllowCancel returns which of 1 to MaxBatch orders can be cancelled now. It changes
// nothing. Orders that the answer omits are missing from the result (HStockPlus:
// allowcancel).
func (c *Client) AllowCancel(ctx context.Context, key redact.Secret, orders []int64) ([]CancelAllowance, error) {
	q := newCall("allowcancel", key, "orders", formatInts(orders))
	if len(orders) == 0 || len(orders) > MaxBatch {
		return nil, q.failure(NotSent, 0, errBatchSize)
	}
	return read(ctx, c, q, func(body []byte) ([]CancelAllowance, bool) { return decodeAllowances(body, orders) })
}

// Balance returns the balance of the key's account (HStockPlus: balance).
func (c *Client) Balance(ctx context.Context, key redact.Secret) (Balance, error) {
	return read(ctx, c, newCall("balance", key), decodeBalance)
}

func formatInts(orders []int64) string {
	var b strings.Builder
	for i, order := range orders {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(formatInt(order))
	}
	return b.String()
}

// decodeOrder returns the number of the new order, also if the answer contains an
// error: an order with a number was bought.
func decodeOrder(body []byte) (int64, bool) {
	var answer struct{ Order integer }
	if body[0] != '{' || !unmarshal(body, &answer) {
		return 0, false
	}
	return answer.Order.value, answer.Order.value > 0
}

func decodeStatus(body []byte) (Status, bool) {
	var answer struct {
		Status       text
		Charge       money
		StartCount   integer `json:"start_count"`
		Remains      integer
		Currency     text
		EntityType   text
		AutoDelivery flag
		Accounts     secrets
	}
	if !unmarshal(body, &answer) {
		return Status{}, false
	}
	return Status{
		State:        ParseOrderState(string(answer.Status)),
		RawStatus:    sanitize(string(answer.Status)),
		Charge:       answer.Charge.NullDecimal,
		StartCount:   answer.StartCount.pointer(),
		Remains:      answer.Remains.pointer(),
		Currency:     string(answer.Currency),
		EntityType:   EntityType(answer.EntityType),
		AutoDelivery: answer.AutoDelivery.pointer(),
		Accounts:     answer.Accounts,
	}, sanitize(string(answer.Status)) != ""
}

func decodeBalance(body []byte) (Balance, bool) {
	var answer struct {
		Balance  money
		Currency text
	}
	if !unmarshal(body, &answer) {
		return Balance{}, false
	}
	return Balance{Amount: answer.Balance.Decimal, Currency: string(answer.Currency)}, answer.Balance.Valid
}

// cancelField is a flag, an error message, or an object with an error.
type cancelField struct {
	flag
	message string
}

func (v *cancelField) UnmarshalJSON(data []byte) error {
	*v = cancelField{}
	if data[0] == '{' {
		var inner struct{ Error errorField }
		unmarshal(data, &inner)
		v.message = inner.Error.message
		return nil
	}
	if err := v.flag.UnmarshalJSON(data); err != nil {
		return err
	}
	if !v.ok {
		v.message = scalar(data)
	}
	return nil
}

// cancelJSON is an element of the answers to cancel and allowcancel.
type cancelJSON struct {
	Order         integer
	Cancel        cancelField
	AllowCancel   cancelField
	RefundAmount  money
	Error         errorField
	Reason        text
	EligibleAfter text
}

// decodeCancelElements returns the elements about the requested orders. Elements may
// omit the order's number if there is one for each order; a single element may come
// without an array.
func decodeCancelElements(body []byte, orders []int64) []cancelJSON {
	elements, listed := decodeList[cancelJSON](body, "orders", "data")
	if !listed {
		elements = make([]cancelJSON, 1)
		unmarshal(body, &elements[0])
	}
	for i := range elements {
		if listed && !elements[i].Order.ok && len(elements) == len(orders) {
			elements[i].Order.value = orders[i]
		}
	}
	return slices.DeleteFunc(elements, func(v cancelJSON) bool {
		empty := !v.Cancel.ok && !v.AllowCancel.ok && v.Cancel.message == "" && v.AllowCancel.message == "" && !v.Error.ok
		return empty || !slices.Contains(orders, v.Order.value)
	})
}

func decodeCancellations(body []byte, orders []int64) ([]Cancellation, bool) {
	elements := decodeCancelElements(body, orders)
	cancellations := make([]Cancellation, 0, len(elements))
	for _, v := range elements {
		message := cmp.Or(v.Cancel.message, v.Error.message)
		cancellations = append(cancellations, Cancellation{Order: v.Order.value, Done: v.Cancel.value, Error: sanitize(message)})
	}
	return cancellations, len(cancellations) > 0
}

func decodeAllowances(body []byte, orders []int64) ([]CancelAllowance, bool) {
	elements := decodeCancelElements(body, orders)
	allowances := make([]CancelAllowance, 0, len(elements))
	for _, v := range elements {
		allowances = append(allowances, CancelAllowance{
			Order:         v.Order.value,
			Allowed:       v.AllowCancel.value,
			Refund:        v.RefundAmount.NullDecimal,
			Error:         sanitize(cmp.Or(v.Error.message, v.AllowCancel.message)),
			Reason:        sanitize(string(v.Reason)),
			EligibleAfter: sanitize(string(v.EligibleAfter)),
		})
	}
	return allowances, len(allowances) > 0
}
