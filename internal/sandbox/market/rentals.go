package market

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Statuses of rentals. HStockPlus documents active, waiting, completed and
// code_received; the others are usual on panels of its kind.
const (
	smsActive    = "active"        // add_sms, and sms_status before the code
	smsWaiting   = "waiting"       // sms_code before the code
	smsCompleted = "completed"     // sms_code with the code
	smsReceived  = "code_received" // sms_status with the code
	smsExpired   = "expired"
	smsCanceled  = "canceled"
	smsRefunded  = "refunded"
)

const (
	usualRentalTime = 20 * time.Minute
	// followUpAfter is the time from an answer of sms_code to the follow-up SMS.
	// It leaves a caller who lost the answer time to ask for the same SMS again.
	followUpAfter = 5 * time.Second
)

// Number is a rented phone number of the action add_sms.
type Number struct {
	Number           int64 // of the order
	Key              string
	Project          string // English
	Country          string
	Phone            string // "+12025550123"
	Status           string // as sms_status answers it
	Open             bool
	SMS                    // the last one
	Received         []SMS // all of them, oldest first
	Charge, Refunded decimal.Decimal
	Currency         string
	CreatedAt        time.Time
	ExpiresAt        time.Time
	ComesAt          time.Time // when an automatic code arrives; zero: never
	Follows          bool      // another SMS arrives soon after the next sms_code
}

// SMS is a message to a rented number. Code is "" if Content contains none.
type SMS struct {
	Code    string `json:"code"`
	Content string `json:"content"`
}

// rental is one rented phone number.
type rental struct {
	rentalState
	account *account
	offer   *offer
}

// rentalState is what Keep stores of a rental.
type rentalState struct {
	ID       int64           `json:"order"`
	Key      string          `json:"key"`
	Project  string          `json:"project"`
	Country  string          `json:"country"`
	Phone    string          `json:"phone"`
	Status   string          `json:"word"`   // of sms_status
	Override string          `json:"forced"` // answered instead of every status; "": none
	Open     bool            `json:"open"`   // waits for its first code
	SMS      []SMS           `json:"sms"`    // oldest first; the last one is answered
	Charge   decimal.Decimal `json:"charge"`
	Refunded decimal.Decimal `json:"refunded"`
	Created  time.Time       `json:"created"`
	Expires  time.Time       `json:"expires"` // zero: never
	CodeAt   time.Time       `json:"code_at"` // of the automatic code; zero: none
	Next     *SMS            `json:"next"`    // the follow-up
	NextAt   time.Time       `json:"next_at"` // zero: sms_code was not called yet
	// Refund is what a cancel pays back although allowcancel promises the charge; invalid: the charge.
	Refund decimal.NullDecimal `json:"refund"`
}

// settle receives what is due and expires the rental.
func (n *rental) settle(s *Server, now time.Time) {
	if !n.NextAt.IsZero() && !now.Before(n.NextAt) {
		n.receive(*n.Next)
		n.Next, n.NextAt = nil, time.Time{}
		s.changed()
	}
	if !n.Open {
		return
	}
	codeDue := !n.CodeAt.IsZero() && !now.Before(n.CodeAt)
	expired := !n.Expires.IsZero() && !now.Before(n.Expires)
	switch {
	case codeDue && (!expired || n.CodeAt.Before(n.Expires)):
		n.receive(n.generate())
		s.changed()
	case expired:
		n.end(smsExpired)
		s.changed()
	}
}

// settleRentals settles the open rentals of an account, because an expiry
// changes its balance.
func (s *Server) settleRentals(a *account, now time.Time) {
	for _, n := range slices.Clone(a.open) {
		n.settle(s, now)
	}
}

func (n *rental) receive(sms SMS) {
	n.SMS = append(n.SMS, sms)
	n.Status = smsReceived
	n.close()
}

// last is the SMS that sms_code and sms_status answer.
func (n *rental) last() SMS {
	if len(n.SMS) == 0 {
		return SMS{}
	}
	return n.SMS[len(n.SMS)-1]
}

// end closes a rental and refunds it.
func (n *rental) end(status string) { n.endWith(status, n.Charge) }

// endWith closes a rental and refunds it up to a sum.
func (n *rental) endWith(status string, refund decimal.Decimal) {
	n.Next, n.NextAt = nil, time.Time{}
	n.account.Balance = n.account.Balance.Add(refund.Sub(n.Refunded))
	n.Refunded = refund
	n.Status = status
	n.close()
}

// cancel ends a rental as the action cancel does.
func (n *rental) cancel() {
	if n.Refund.Valid {
		n.endWith(smsCanceled, n.Refund.Decimal)
		return
	}
	n.end(smsCanceled)
}

func (n *rental) close() {
	n.Open = false
	n.account.open = slices.DeleteFunc(n.account.open, func(other *rental) bool { return other == n })
}

// generate makes an SMS whose code differs from the codes before.
func (n *rental) generate() SMS {
	code := fmt.Sprintf("%06d", hash(n.ID+int64(len(n.SMS))<<32)%1_000_000)
	return SMS{Code: code, Content: "Your " + n.offer.project.Name + " verification code is " + code}
}

var codePattern = regexp.MustCompile(`\d{4,8}`)

// parse makes an SMS of a text as SendCode documents it.
func (n *rental) parse(text string) SMS {
	if text == "" {
		return n.generate()
	}
	code := codePattern.FindString(text)
	if code != "" && strings.TrimSpace(text) == code {
		text = "Your verification code is " + code
	}
	return SMS{Code: code, Content: text}
}

func (n *rental) snapshot() Number {
	snapshot := Number{
		Number: n.ID, Key: n.Key, Project: n.offer.project.Name, Country: n.Country, Phone: n.Phone,
		Status: n.answered(n.Status), Open: n.Open, SMS: n.last(), Received: slices.Clone(n.SMS),
		Charge: n.Charge, Refunded: n.Refunded, Currency: n.account.Currency,
		CreatedAt: n.Created, ExpiresAt: n.Expires, Follows: n.Next != nil,
	}
	if n.Open {
		snapshot.ComesAt = n.CodeAt
	}
	return snapshot
}

// answered is the status as an answer contains it.
func (n *rental) answered(status string) string { return cmp.Or(n.Override, status) }

// Numbers returns all rented numbers as they are now, oldest first.
func (s *Server) Numbers() []Number { return list(s, s.rentals) }

// Number returns one rented number as it is now; false if there is none.
func (s *Server) Number(order int64) (Number, bool) { return find(s, s.rentals, order) }

// SendCode sends an SMS with this text to a number, even if it is closed. The
// code is the first run of four to eight digits. A text that is only a code
// gets a sentence around it, and for "" both are generated.
func (s *Server) SendCode(order int64, text string) error {
	return s.controlRental(order, func(n *rental) { n.receive(n.parse(text)) })
}

// SendSMS sends an SMS with exactly this code and content.
func (s *Server) SendSMS(order int64, code, content string) error {
	return s.controlRental(order, func(n *rental) { n.receive(SMS{Code: code, Content: content}) })
}

// SendTwice does what SendCode does, and a generated SMS follows soon after the
// next sms_code. Two at once would be one: only the last SMS is answered.
func (s *Server) SendTwice(order int64, text string) error {
	return s.controlRental(order, func(n *rental) {
		n.receive(n.parse(text))
		next := n.generate()
		n.Next, n.NextAt = &next, time.Time{}
	})
}

// SendLate expires an open number, and the SMS follows soon after the next
// sms_code. A closed number receives it at once.
func (s *Server) SendLate(order int64, text string) error {
	return s.controlRental(order, func(n *rental) {
		if !n.Open {
			n.receive(n.parse(text))
			return
		}
		n.end(smsExpired)
		next := n.parse(text)
		n.Next = &next
	})
}

// NeverCode cancels the automatic code of an open number.
func (s *Server) NeverCode(order int64) error {
	return s.controlOpenRental(order, func(n *rental) { n.CodeAt = time.Time{} })
}

// ExpireSMS expires and refunds an open number.
func (s *Server) ExpireSMS(order int64) error {
	return s.controlOpenRental(order, func(n *rental) { n.end(smsExpired) })
}

// CancelSMS cancels and refunds an open number of any age.
func (s *Server) CancelSMS(order int64) error {
	return s.controlOpenRental(order, func(n *rental) { n.end(smsCanceled) })
}

// RefundSMS refunds a number, even if its code has arrived.
func (s *Server) RefundSMS(order int64) error {
	return control(s, s.rentals, order, func(n *rental) error {
		if n.Refunded.Equal(n.Charge) {
			return ErrClosed
		}
		n.end(smsRefunded)
		return nil
	})
}

// SetSMSStatus makes sms_code and sms_status answer any status.
func (s *Server) SetSMSStatus(order int64, status string) error {
	return s.controlRental(order, func(n *rental) { n.Override = status })
}

// SetCancelRefund makes a cancel of a number pay back this sum, less than allowcancel
// promises.
func (s *Server) SetCancelRefund(order int64, refund string) error {
	amount, err := parsePrice(refund)
	if err != nil {
		return err
	}
	return s.controlOpenRental(order, func(n *rental) { n.Refund = decimal.NewNullDecimal(amount) })
}

// SetExpiry moves the expiry of an open number. With the zero time it never
// expires, and expires_at is null.
func (s *Server) SetExpiry(order int64, at time.Time) error {
	return s.controlRental(order, func(n *rental) { n.Expires = at })
}

func (s *Server) controlRental(order int64, do func(*rental)) error {
	return control(s, s.rentals, order, func(n *rental) error {
		do(n)
		return nil
	})
}

func (s *Server) controlOpenRental(order int64, do func(*rental)) error {
	return control(s, s.rentals, order, func(n *rental) error {
		if !n.Open {
			return ErrClosed
		}
		do(n)
		return nil
	})
}
