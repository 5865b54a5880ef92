package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// Rented numbers: how they are asked for, what an answer makes of them, and what
// a person is told.

// SMS is what a number has received. Code is empty where the marketplace found
// none in the text, Text where it gives only the code.
type SMS struct {
	Code redact.Secret
	Text redact.Secret
}

type smsBody struct {
	Code []byte `json:"code"` // bytes: JSON text would mend invalid UTF-8
	Text []byte `json:"text"`
}

// record is an SMS as storage compares it with those sent before.
func (m SMS) record() redact.Secret { return m.Code + "\x00" + m.Text }

func (m SMS) empty() bool { return m.Code == "" && m.Text == "" }

// DecodeSMS decodes the body of a MessageCode.
func DecodeSMS(message storage.Message) (SMS, error) {
	var body smsBody
	if err := json.Unmarshal(message.Body, &body); err != nil {
		// The decoder's error may quote what it read, which is secret.
		return SMS{}, errors.New("decode SMS: malformed body")
	}
	return SMS{Code: redact.Secret(body.Code), Text: redact.Secret(body.Text)}, nil
}

// announce makes the message that shows a number that was just rented. It waits
// for the card, and for the first poll: then it says until when.
func announce(o storage.Order) []storage.Message {
	if o.Kind != storage.KindSMS {
		return nil
	}
	at := o.CreatedAt
	if now := time.Now(); at.Before(now.Add(-cardFirst)) { // adopted: it was rented a while ago
		at = now
	}
	return []storage.Message{about(o, MessageNumber, outbox.PriorityGoods, at.Add(cardFirst))}
}

func about(o storage.Order, kind string, priority outbox.Priority, at time.Time) storage.Message {
	return storage.Message{UserID: o.UserID, PurchaseID: o.PurchaseID, OrderID: o.ID, Kind: kind, Priority: priority, CreatedAt: at}
}

// Code asks the marketplace for what a number has received: it is not kept here
// after it was sent.
func (s *Service) Code(ctx context.Context, userID, orderID int64) (storage.Order, SMS, error) {
	order, err := s.db.Order(ctx, userID, orderID)
	if err != nil {
		return storage.Order{}, SMS{}, err
	}
	key, err := s.keyFor(ctx, order)
	if err != nil {
		return order, SMS{}, err
	}
	code, err := s.market.SMSCode(ctx, key.Secret, order.ExternalID)
	return order, SMS{Code: code.Code, Text: code.Content}, err
}

// numberAnswer is what sms_code and sms_status say together.
type numberAnswer struct {
	state     hstock.SMSState
	word      string
	sms       SMS
	phone     string
	charge    decimal.NullDecimal
	currency  string
	expiresAt time.Time
}

func (a *numberAnswer) addStatus(status hstock.SMSStatus) {
	a.phone, a.charge, a.currency, a.expiresAt = status.Phone, status.Charge, status.Currency, status.ExpiresAt
	if ended(status.State) || !ended(a.state) {
		a.state, a.word = status.State, status.RawStatus
	}
	if a.sms.empty() {
		a.sms.Code = status.Code
	}
}

// addCode adds what sms_code says. How a number ended sms_status knows better.
func (a *numberAnswer) addCode(code hstock.SMSCode) {
	if !ended(a.state) {
		a.state, a.word = code.State, code.RawStatus
	}
	if sms := (SMS{Code: code.Code, Text: code.Content}); !sms.empty() {
		a.sms = sms
	}
}

func ended(state hstock.SMSState) bool {
	return state == hstock.SMSExpired || state == hstock.SMSCanceled || state == hstock.SMSRefunded || state == hstock.SMSEnded
}

// askNumber asks for the code, and with full for charge and expiry; those also
// where the number has ended otherwise than was known. Neither action stands in
// the other's way: a code counts whichever tells it, and an error means that
// nothing was heard, or not how the number ended.
func (s *Service) askNumber(ctx context.Context, key redact.Secret, number int64, full bool, known hstock.SMSState) (numberAnswer, error) {
	var a numberAnswer
	heard := false
	addStatus := func() error {
		status, err := s.market.SMSStatus(ctx, key, number)
		if err == nil {
			heard = true
			a.addStatus(status)
		}
		return err
	}
	if full {
		_ = addStatus() // the code counts whatever became of it
	}
	code, err := s.market.SMSCode(ctx, key, number)
	switch {
	case err == nil:
		a.addCode(code)
	case !heard:
		return a, err
	}
	if a.sms.empty() && ended(a.state) && a.state != known && !heard {
		if err := addStatus(); err != nil && !refused(err) {
			return a, err // told with its charge, a little later
		}
	}
	return a, nil
}

// refused reports whether the marketplace said no to this very question.
func refused(err error) bool {
	kind, _ := hstock.KindOf(err)
	return kind == hstock.Refused || kind == hstock.RefusedOther
}

func (s *Service) hearNumber(ctx context.Context, order storage.DueOrder, forPerson bool) (heard, error) {
	full, known := wantsStatus(order.Order, time.Now()), hstock.SMSUnknown
	if order.State == storage.OrderExpired {
		known = hstock.SMSExpired
	}
	if full && !forPerson {
		s.queue.spendMore() // two calls in one poll
	}
	answer, err := s.askNumber(ctx, order.Key, order.ExternalID, full || forPerson, known)
	if err != nil {
		return heard{}, err
	}
	now := time.Now()
	h := heard{next: appliedNumber(order.Order, answer, now)}
	toldBare := false // the code was sent when its text was not known yet
	if !answer.sms.empty() {
		h.delivered = []redact.Secret{answer.sms.record()}
		if answer.sms.Text != "" {
			if toldBare, err = s.db.Delivered(ctx, order.ID, []redact.Secret{SMS{Code: answer.sms.Code}.record()}); err != nil {
				return heard{}, err
			}
		}
	}
	h.tell = func(o storage.Order, fresh []redact.Secret) ([]storage.Message, error) {
		return composeNumber(order.Order, o, answer.sms, len(fresh) > 0 && !toldBare, now)
	}
	return h, nil
}

// statusTries is how often charge and expiry are asked for at first.
const statusTries = 5

// wantsStatus reports whether charge and expiry are to be asked for: at first,
// and when a moment has come at which they may have changed.
func wantsStatus(o storage.Order, now time.Time) bool {
	passed := func(moment time.Time) bool {
		return !moment.IsZero() && !now.Before(moment) && o.UpdatedAt.Before(moment)
	}
	unheard := o.Polls < statusTries && !o.Charge.Valid && o.ExpiresAt.IsZero()
	return o.Polls == 0 || unheard || passed(o.ExpiresAt) || passed(graceEnd(o))
}

// appliedNumber is a number as an answer makes it.
func appliedNumber(o storage.Order, a numberAnswer, now time.Time) storage.Order {
	o.Polls++
	o.Failures = 0
	o.UpdatedAt = now
	if a.word != "" {
		o.RawStatus = a.word
	}
	if a.charge.Valid {
		o.Charge = a.charge
	}
	if a.currency != "" {
		o.Currency = a.currency
	}
	if !a.expiresAt.IsZero() && o.State != storage.OrderExpired { // what has ended does not begin again
		o.ExpiresAt = a.expiresAt
	}
	if o.Rental.Phone == "" {
		o.Rental.Phone = a.phone
	}
	switch {
	case a.state == hstock.SMSRefunded:
		o.State = storage.OrderRefunded
	case a.state == hstock.SMSCanceled:
		o.State = storage.OrderCancelled
	case !a.sms.empty():
		o.State = storage.OrderDelivered
	case o.State == storage.OrderDelivered: // what came stays
	case a.state == hstock.SMSExpired, a.state == hstock.SMSEnded:
		o.State = storage.OrderExpired
		if o.ExpiresAt.IsZero() || o.ExpiresAt.After(now) {
			o.ExpiresAt = now
		}
	case o.State == storage.OrderOpen && over(graceEnd(o), now):
		o.State = storage.OrderExpired
	case o.State == storage.OrderOpen && !now.Before(staleAt(o)):
		o.State = storage.OrderStale
	}
	if closed := numberClosed(o, now); !closed {
		o.ClosedAt = time.Time{}
	} else if o.Open() {
		o.ClosedAt = now
	}
	o.NextPollAt = nextPoll(o, now)
	return o
}

// numberClosed reports whether a number is not asked for any more. A second code
// may come until its time is over, a late first one for a while after that.
func numberClosed(o storage.Order, now time.Time) bool {
	switch o.State {
	case storage.OrderOpen:
		return false
	case storage.OrderDelivered:
		return o.ExpiresAt.IsZero() || over(o.ExpiresAt, now) || over(o.CreatedAt.Add(numberStaleAfter), now)
	case storage.OrderExpired:
		return over(graceEnd(o), now)
	default:
		return true
	}
}

func over(moment, now time.Time) bool { return !moment.IsZero() && !now.Before(moment) }

// composeNumber makes the messages of one answer: the code when it is new, how
// the number ended, once, and the number's own message drawn again where it
// says something else now.
func composeNumber(before, after storage.Order, sms SMS, fresh bool, now time.Time) ([]storage.Message, error) {
	var messages []storage.Message
	if fresh {
		message := about(after, MessageCode, outbox.PriorityCode, now)
		body, err := json.Marshal(smsBody{Code: []byte(sms.Code.Reveal()), Text: []byte(sms.Text.Reveal())})
		if err != nil {
			return nil, fmt.Errorf("encode SMS: %w", err)
		}
		message.Body = body
		messages = append(messages, message)
	}
	changed := before.State != after.State
	if changed && after.State != storage.OrderDelivered {
		messages = append(messages, about(after, MessageEnded, outbox.PriorityStatus, now))
	}
	if changed || !before.ExpiresAt.Equal(after.ExpiresAt) || stage(after, before.UpdatedAt) != stage(after, now) {
		messages = append(messages, about(after, MessageRedraw, outbox.PriorityStatus, now.Add(time.Millisecond)))
	}
	return messages, nil
}

// stage counts the moments at which the message of a waiting number is drawn
// again, since what it says of the time has grown stale: half of it, two
// minutes left, over.
func stage(o storage.Order, at time.Time) int {
	if o.State != storage.OrderOpen || o.ExpiresAt.IsZero() {
		return 0
	}
	passed := 0
	for _, moment := range []time.Time{
		o.CreatedAt.Add(o.ExpiresAt.Sub(o.CreatedAt) / 2), o.ExpiresAt.Add(-numberWarning), o.ExpiresAt,
	} {
		if !at.Before(moment) {
			passed++
		}
	}
	return passed
}
