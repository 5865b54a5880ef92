package market

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// The words of rented numbers. "active", "waiting", "completed" and
// "code_received" are documented, the others are expected of this family.
const (
	wordActive      = "active"        // add_sms, and sms_status before the code
	wordWaiting     = "waiting"       // sms_code before the code
	wordSMSComplete = "completed"     // sms_code with the code
	wordReceived    = "code_received" // sms_status with the code
	wordExpired     = "expired"
	wordSMSCanceled = "canceled"
	wordSMSRefunded = "refunded"
)

// number is one rented number.
type number struct {
	order    int64
	account  *account
	offer    *offer
	phone    string
	word     string // of sms_status
	forced   string // said instead of any other word
	open     bool   // waits for its first code
	sms      []SMS  // received, the last one is what is told
	charge   decimal.Decimal
	refunded decimal.Decimal
	created  time.Time
	expires  time.Time // zero: never
	codeAt   time.Time // zero: no code comes by itself
	received time.Time
	next     *SMS      // follows by itself
	nextAt   time.Time // zero: not before sms_code was asked
}

// nextAfter is how long after an answer of sms_code the next SMS follows: who
// asks again where an answer was lost still finds what it said.
const nextAfter = 5 * time.Second

// settleNumber lets time pass for a number: its own code, or its end, and what
// follows. The caller holds mu.
func (s *Server) settleNumber(n *number, now time.Time) {
	if !n.nextAt.IsZero() && !now.Before(n.nextAt) {
		n.receive(*n.next, n.nextAt)
		n.next, n.nextAt = nil, time.Time{}
		s.changed()
	}
	if !n.open {
		return
	}
	codeDue := !n.codeAt.IsZero() && !now.Before(n.codeAt)
	expired := !n.expires.IsZero() && !now.Before(n.expires)
	switch {
	case codeDue && (!expired || n.codeAt.Before(n.expires)):
		n.receive(n.madeUp(), n.codeAt)
		s.changed()
	case expired:
		n.end(wordExpired)
		s.changed()
	}
}

// expire settles all numbers of an account, since an expiry gives money back.
func (s *Server) expire(a *account, now time.Time) {
	for _, n := range slices.Clone(a.waiting) {
		s.settleNumber(n, now)
	}
}

// receive takes an SMS in.
func (n *number) receive(sms SMS, at time.Time) {
	n.sms = append(n.sms, sms)
	n.received, n.word = at, wordReceived
	n.close()
}

// follow lets an SMS come after those that are there.
func (n *number) follow(sms SMS) { n.next, n.nextAt = &sms, time.Time{} }

// told is what sms_code and sms_status tell.
func (n *number) told() SMS {
	if len(n.sms) == 0 {
		return SMS{}
	}
	return n.sms[len(n.sms)-1]
}

// end closes a number without a (further) code and gives its price back.
func (n *number) end(word string) {
	n.next, n.nextAt = nil, time.Time{}
	rest := n.charge.Sub(n.refunded)
	n.refunded = n.charge
	n.account.balance = n.account.balance.Add(rest)
	n.word = word
	n.close()
}

func (n *number) close() {
	n.open = false
	n.account.waiting = slices.DeleteFunc(n.account.waiting, func(other *number) bool { return other == n })
}

// madeUp is an SMS as it comes by itself, with another code each time.
func (n *number) madeUp() SMS {
	code := fmt.Sprintf("%06d", scatter(n.order+int64(len(n.sms))<<32)%1_000_000)
	return SMS{Code: code, Content: "Your " + n.offer.project.Name + " verification code is " + code}
}

// read is the SMS of a text, see SendCode.
func (n *number) read(text string) SMS {
	if text == "" {
		return n.madeUp()
	}
	code, content := readSMS(text)
	return SMS{Code: code, Content: content}
}

var codePattern = regexp.MustCompile(`\d{4,8}`)

// readSMS finds the code in a text, and makes a text of a bare code.
func readSMS(text string) (code, content string) {
	code = codePattern.FindString(text)
	if code != "" && strings.TrimSpace(text) == code {
		return code, "Your verification code is " + code
	}
	return code, text
}

func (n *number) snapshot() Number {
	snapshot := Number{
		Number: n.order, Key: n.account.key, KeyTail: tail(n.account.key),
		ProjectID: n.offer.project.id, Project: n.offer.project.Name, Country: n.offer.country.Code, Phone: n.phone,
		Status: n.said(n.word), Open: n.open, SMS: n.told(), Received: slices.Clone(n.sms),
		Charge: n.charge, Refunded: n.refunded, Currency: n.account.currency,
		CreatedAt: n.created, ExpiresAt: n.expires, CodeAt: n.received, Follows: n.next != nil,
	}
	if n.open {
		snapshot.ComesAt = n.codeAt
	}
	return snapshot
}

// said is the word that goes out.
func (n *number) said(word string) string {
	if n.forced != "" {
		return n.forced
	}
	return word
}
