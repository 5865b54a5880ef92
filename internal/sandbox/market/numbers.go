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
	code     string
	content  string
	charge   decimal.Decimal
	refunded decimal.Decimal
	created  time.Time
	expires  time.Time // zero: never
	codeAt   time.Time // zero: no code comes by itself
	received time.Time
}

// settleNumber lets time pass for a number: its own code, or its end. The
// caller holds mu.
func (s *Server) settleNumber(n *number, now time.Time) {
	if !n.open {
		return
	}
	codeDue := !n.codeAt.IsZero() && !now.Before(n.codeAt)
	expired := !n.expires.IsZero() && !now.Before(n.expires)
	switch {
	case codeDue && (!expired || n.codeAt.Before(n.expires)):
		code, content := n.madeUp()
		n.receive(code, content, n.codeAt)
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
func (n *number) receive(code, content string, at time.Time) {
	n.code, n.content, n.received, n.word = code, content, at, wordReceived
	n.close()
}

// end closes a number without a (further) code and gives its price back.
func (n *number) end(word string) {
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

// madeUp is the SMS that comes by itself.
func (n *number) madeUp() (code, content string) {
	code = fmt.Sprintf("%06d", scatter(n.order)%1_000_000)
	return code, "Your " + n.offer.project.Name + " verification code is " + code
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
	return Number{
		Number: n.order, Key: n.account.key, KeyTail: tail(n.account.key),
		ProjectID: n.offer.project.id, Project: n.offer.project.Name, Country: n.offer.country.Code, Phone: n.phone,
		Status: n.said(n.word), Open: n.open, Code: n.code, Content: n.content,
		Charge: n.charge, Refunded: n.refunded, Currency: n.account.currency,
		CreatedAt: n.created, ExpiresAt: n.expires, CodeAt: n.received,
	}
}

// said is the word that goes out.
func (n *number) said(word string) string {
	if n.forced != "" {
		return n.forced
	}
	return word
}
