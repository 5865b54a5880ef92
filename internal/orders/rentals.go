package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// SMS is a message that a phone has received. Code is empty if the marketplace found
// none in the text, Text if the marketplace gave only the code.
type SMS struct {
	Code redact.Secret
	Text redact.Secret
}

type smsBody struct {
	Code []byte `json:"code"` // bytes, because a JSON string would change invalid UTF-8
	Text []byte `json:"text"`
}

// record is the form in which storage compares an SMS with those delivered before.
func (m SMS) record() redact.Secret { return m.Code + "\x00" + m.Text }

func (m SMS) empty() bool { return m.Code == "" && m.Text == "" }

// DecodeSMS decodes the body of a MessageCode.
func DecodeSMS(message storage.Message) (SMS, error) {
	var body smsBody
	if err := json.Unmarshal(message.Body, &body); err != nil {
		// The decoder's error may quote the body, which is secret.
		return SMS{}, errors.New("decode SMS: malformed body")
	}
	return SMS{Code: redact.Secret(body.Code), Text: redact.Secret(body.Text)}, nil
}

// announceRental returns the message that shows a phone that was just rented. It is
// delayed until after the card and the first poll, so that it can show the expiry.
func announceRental(o storage.Order) []storage.Message {
	if o.Kind != storage.KindSMS {
		return nil
	}
	at := o.CreatedAt
	if now := time.Now(); at.Before(now.Add(-cardDelay)) { // an adopted phone was rented earlier
		at = now
	}
	return []storage.Message{aboutOrder(o, MessageRental, outbox.PriorityGoods, at.Add(cardDelay))}
}

// Codes fetches every SMS that a phone has received, in the marketplace's order. An SMS
// is not stored here after it was sent.
func (s *Service) Codes(ctx context.Context, userID, orderID int64) (storage.Order, []SMS, error) {
	order, err := s.db.Order(ctx, userID, orderID)
	if err != nil {
		return storage.Order{}, nil, err
	}
	key, err := s.keyFor(ctx, order.UserID, order.KeyID)
	if err != nil {
		return order, nil, err
	}
	code, err := s.market.SMSCode(ctx, key.Secret, order.ExternalID)
	return order, receivedSMS(code), err
}

// receivedSMS returns each SMS of an answer once.
func receivedSMS(code hstock.SMSCode) []SMS {
	var received []SMS
	for _, message := range append(slices.Clip(code.Earlier), hstock.SMS{Code: code.Code, Content: code.Content}) {
		if sms := (SMS{Code: message.Code, Text: message.Content}); !sms.empty() && !slices.Contains(received, sms) {
			received = append(received, sms)
		}
	}
	return received
}

// rentalAnswer combines the answers of sms_code and sms_status.
type rentalAnswer struct {
	state     hstock.SMSState
	rawStatus string
	received  []SMS // each once, in the marketplace's order
	phone     string
	charge    decimal.NullDecimal
	currency  string
	expiresAt time.Time
}

func (a *rentalAnswer) addStatus(status hstock.SMSStatus) {
	a.phone, a.charge, a.currency, a.expiresAt = status.Phone, status.Charge, status.Currency, status.ExpiresAt
	if ended(status.State) || !ended(a.state) {
		a.state, a.rawStatus = status.State, status.RawStatus
	}
	if len(a.received) == 0 && status.Code != "" {
		a.received = []SMS{{Code: status.Code}}
	}
}

// addCode adds the answer of sms_code. sms_status is more precise about the end.
func (a *rentalAnswer) addCode(code hstock.SMSCode) {
	if !ended(a.state) {
		a.state, a.rawStatus = code.State, code.RawStatus
	}
	if received := receivedSMS(code); len(received) > 0 {
		a.received = received
	}
}

func ended(state hstock.SMSState) bool {
	return expired(state) || state == hstock.SMSCanceled || state == hstock.SMSRefunded
}

func expired(state hstock.SMSState) bool {
	return state == hstock.SMSExpired || state == hstock.SMSEnded
}

// readRental makes one call where that says enough: sms_status where needsStatus says so,
// because only it has charge and expiry, and otherwise sms_code, because only it has the
// texts. complete makes it call both, and so does the end of the phone or a code in
// sms_status. A code from either action counts. An error means that both failed, or that
// the charge of an ended phone is not known yet.
func (s *Service) readRental(ctx context.Context, order storage.DueOrder, complete bool) (rentalAnswer, error) {
	var a rentalAnswer
	hasStatus := false
	addStatus := func() error {
		status, err := s.market.SMSStatus(ctx, order.Key, order.ExternalID)
		if err == nil {
			hasStatus = true
			a.addStatus(status)
		}
		return err
	}
	if complete || needsStatus(order.Order, time.Now()) {
		err := addStatus()
		if !complete && (err == nil && a.state == hstock.SMSWaiting && len(a.received) == 0 || tooMany(err)) {
			return a, err
		} // another failure must not delay the code
	}
	code, err := s.market.SMSCode(ctx, order.Key, order.ExternalID)
	switch {
	case err == nil:
		a.addCode(code)
	case !hasStatus:
		return a, err
	}
	known := order.State == storage.OrderExpired && expired(a.state)
	if len(a.received) == 0 && ended(a.state) && !known && !hasStatus {
		if err := addStatus(); err != nil && !refused(err) {
			return a, err // the message about the end waits until the charge is known
		}
	}
	return a, nil
}

// refused reports whether the marketplace refused this request itself, not the key.
func refused(err error) bool {
	kind, _ := hstock.KindOf(err)
	return kind == hstock.Refused || kind == hstock.RefusedOther
}

func (s *Service) fetchRental(ctx context.Context, order storage.DueOrder, complete bool) (update, error) {
	asked := time.Now() // what ends while the answer is on its way ends after it
	answer, err := s.readRental(ctx, order, complete)
	if err != nil {
		return update{}, err
	}
	f := s.forecasts.of(ctx, order.Order)
	u := update{next: afterRental(order.Order, answer, asked)}
	u.next.NextPollAt = nextPoll(u.next, f, time.Now())
	var codesSent []redact.Secret // before their texts were known
	for _, sms := range answer.received {
		u.delivered = append(u.delivered, sms.record())
		if sms.Text == "" {
			continue
		}
		sent, err := s.db.Delivered(ctx, order.ID, []redact.Secret{SMS{Code: sms.Code}.record()})
		if err != nil {
			return update{}, err
		}
		if sent {
			codesSent = append(codesSent, sms.record())
		}
	}
	u.messages = func(o storage.Order, fresh []redact.Secret) ([]storage.Message, error) {
		isNew := func(sms SMS) bool {
			return slices.Contains(fresh, sms.record()) && !slices.Contains(codesSent, sms.record())
		}
		var received []SMS
		for _, sms := range answer.received {
			if isNew(sms) {
				received = append(received, sms)
			}
		}
		return rentalMessages(order.Order, o, received, asked, swapWait(f.usualTime()))
	}
	return u, nil
}

const (
	// In how many of the first polls sms_status is called until charge or expiry is known.
	firstStatusPolls = 5
	// How many of these look for a code instead where they are late.
	firstLatePolls = 2
)

// needsStatus reports whether to call sms_status: in the first polls, and when the phone's
// time or the grace has just ended. The first ones look for a code instead if they are late,
// because many wait: it may be there already, and after sms_status its text is a second call.
func needsStatus(o storage.Order, now time.Time) bool {
	passed := func(moment time.Time) bool { // no order is older than the zero time
		return !now.Before(moment) && o.UpdatedAt.Before(moment)
	}
	missing := o.Polls < firstStatusPolls && !o.Charge.Valid && o.ExpiresAt.IsZero()
	late := o.Polls < firstLatePolls && now.Sub(o.NextPollAt) >= lateAfter
	return (o.Polls == 0 || missing) && !late || passed(o.ExpiresAt) || passed(graceEnd(o))
}

// afterRental returns the order of a phone after an answer to what was asked at now. The time
// of its next poll is left to nextPoll.
func afterRental(o storage.Order, a rentalAnswer, now time.Time) storage.Order {
	before := o
	o.Polls++
	o.Failures = 0
	o.UpdatedAt = now
	if a.rawStatus != "" {
		o.RawStatus = a.rawStatus
	}
	if a.currency != "" {
		o.Currency = a.currency
	}
	if !a.expiresAt.IsZero() && o.State != storage.OrderExpired { // an expired phone stays expired
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
	case len(a.received) > 0:
		o.State = storage.OrderDelivered
	case o.State == storage.OrderDelivered: // a code remains delivered
	case expired(a.state):
		o.State = storage.OrderExpired
		if o.ExpiresAt.IsZero() || o.ExpiresAt.After(now) {
			o.ExpiresAt = now
		}
	// A phone that the marketplace still calls waiting is not over: the clock may have
	// been set forward.
	case o.State == storage.OrderOpen && a.state != hstock.SMSWaiting && reached(graceEnd(o), now):
		o.State = storage.OrderExpired
	case o.State == storage.OrderOpen && stale(o, now):
		o.State = storage.OrderStale
	}
	o.Charge = chargeAfter(before, o, a.charge)
	if closed := rentalClosed(o, now) || o.State == storage.OrderDelivered && ended(a.state); !closed {
		o.ClosedAt = time.Time{}
	} else if o.Open() {
		o.ClosedAt = now
	}
	return o
}

// rentalClosed reports whether a phone is no longer polled. A second code may arrive
// until the end of its time, a late first one during the grace.
func rentalClosed(o storage.Order, now time.Time) bool {
	switch o.State {
	case storage.OrderOpen:
		return false
	case storage.OrderDelivered:
		return reached(rentalEnd(o), now) || reached(o.CreatedAt.Add(rentalStaleAfter), now)
	case storage.OrderExpired:
		return reached(graceEnd(o), now)
	default:
		return true
	}
}

func reached(moment, now time.Time) bool { return !moment.IsZero() && !now.Before(moment) }

// rentalMessages returns the messages about one answer: each new SMS, the end
// of the phone once, and the redrawing of the message that shows the phone if its
// content has changed. A swap is offered after wait.
func rentalMessages(before, after storage.Order, received []SMS, now time.Time, wait time.Duration) ([]storage.Message, error) {
	var messages []storage.Message
	for _, sms := range received {
		message := aboutOrder(after, MessageCode, outbox.PriorityCode, now)
		body, err := json.Marshal(smsBody{Code: []byte(sms.Code.Reveal()), Text: []byte(sms.Text.Reveal())})
		if err != nil {
			return nil, fmt.Errorf("encode SMS: %w", err)
		}
		message.Body = body
		messages = append(messages, message)
	}
	changed := before.State != after.State
	if changed && after.State != storage.OrderDelivered {
		messages = append(messages, aboutOrder(after, MessageEnded, outbox.PriorityStatus, now))
	}
	if changed || !before.ExpiresAt.Equal(after.ExpiresAt) || redrawStage(after, before.UpdatedAt, wait) != redrawStage(after, now, wait) {
		messages = append(messages, aboutOrder(after, MessageRedraw, outbox.PriorityStatus, now.Add(time.Millisecond)))
	}
	return messages, nil
}

// redrawStage counts the passed moments at which the message of a waiting phone is
// redrawn because of the time: when a swap is offered after wait, half of its time, two
// minutes before the end, and the end.
func redrawStage(o storage.Order, at time.Time, wait time.Duration) int {
	if o.State != storage.OrderOpen {
		return 0
	}
	var moments []time.Time
	if !o.External && o.Rental.Project != "" {
		moments = append(moments, o.CreatedAt.Add(wait))
	}
	if !o.ExpiresAt.IsZero() {
		moments = append(moments, o.CreatedAt.Add(o.ExpiresAt.Sub(o.CreatedAt)/2), o.ExpiresAt.Add(-rentalWarning), o.ExpiresAt)
	}
	passed := 0
	for _, moment := range moments {
		if !at.Before(moment) {
			passed++
		}
	}
	return passed
}
