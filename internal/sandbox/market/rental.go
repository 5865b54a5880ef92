package market

import (
	"fmt"
	"strconv"
	"time"

	"github.com/shopspring/decimal"
)

type projectAnswer struct {
	ProjectID    string `json:"project_id"`
	Name         string `json:"name"`
	Price        string `json:"price"`
	CountryID    string `json:"country_id"`
	CountryTitle string `json:"country_title"`
}

func (s *Server) smsProjects(q *request) (any, error) {
	country := q.get("country")
	answer := []projectAnswer{}
	for _, c := range s.countries {
		if country != "" && c.Code != country {
			continue
		}
		title := s.countryName(q.lang, c)
		for _, o := range s.offersOf(c) {
			answer = append(answer, projectAnswer{
				ProjectID: o.project.id, Name: s.tr(q.lang, o.project.Name), Price: money(o.price, 4),
				CountryID: o.country.Code, CountryTitle: title,
			})
		}
	}
	return answer, nil
}

type countryAnswer struct {
	CountryCode string `json:"country_code"`
	CountryName string `json:"country_name"`
}

func (s *Server) smsCountries(q *request) (any, error) {
	answer := make([]countryAnswer, len(s.countries))
	for i, c := range s.countries {
		answer[i] = countryAnswer{CountryCode: c.Code, CountryName: s.countryName(q.lang, c)}
	}
	return answer, nil
}

type numbersAnswer struct {
	Orders []numberAnswer `json:"orders"`
}

type numberAnswer struct {
	Order   int64  `json:"order"`
	Phone   string `json:"phone"`
	Country string `json:"country"`
	Status  string `json:"status"`
}

func (s *Server) addSMS(q *request) (any, error) {
	project, country, phone := q.get("project_id"), q.get("country"), q.get("phone")
	if project == "" {
		return nil, refusal("Project ID is required")
	}
	quantity := 1
	if text := q.get("quantity"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 10 {
			q.violation("quantity is not 1 to 10")
			return nil, refusal("Quantity must be between 1 and 10")
		}
		quantity = n
	}
	var o *offer
	if phone == "" {
		o = s.offerOf(project, country)
	} else {
		// A number goes with the country and project it was rented for.
		former := s.reusable(q.account, project, phone)
		if former == nil || quantity != 1 || (country != "" && country != former.offer.country.Code) {
			return nil, refusal("This phone number can not be reused")
		}
		o = s.offerOf(project, former.offer.country.Code)
	}
	if o == nil {
		return nil, refusal("Project not found")
	}
	given := min(quantity, o.left)
	if given == 0 {
		return nil, refusal("No numbers available")
	}
	total := o.price.Mul(decimal.NewFromInt(int64(given)))
	if q.account.balance.LessThan(total) {
		return nil, insufficientBalance
	}
	q.account.balance = q.account.balance.Sub(total)
	o.left -= given
	answer := numbersAnswer{}
	for range given {
		n := s.rent(q, o, phone)
		answer.Orders = append(answer.Orders, numberAnswer{n.order, n.phone, o.country.Code, n.said(n.word)})
	}
	s.changed()
	return answer, nil
}

// rent makes one number; the price is paid already.
func (s *Server) rent(q *request, o *offer, phone string) *number {
	now := q.now.Truncate(time.Millisecond)
	if phone == "" {
		phone = newPhone(o.country, s.opt.Seed, s.nextOrder)
	}
	n := &number{
		order: s.nextOrder, account: q.account, offer: o, phone: phone, word: wordActive, open: true,
		charge: o.price, created: now, expires: now.Add(s.opt.NumberLife),
	}
	if s.opt.CodeAfter > 0 {
		n.codeAt = now.Add(s.opt.CodeAfter)
	}
	s.nextOrder++
	s.numbers[n.order] = n
	s.numberList = append(s.numberList, n)
	q.account.waiting = append(q.account.waiting, n)
	return n
}

// reusable finds the account's former rent of a phone for a project. It must
// not be waiting any more.
func (s *Server) reusable(a *account, project, phone string) *number {
	var former *number
	for _, n := range s.numberList {
		if n.account.key == a.key && n.offer.project.id == project && n.phone == phone {
			former = n
		}
	}
	if former != nil && former.open {
		return nil
	}
	return former
}

// newPhone makes a number that no other order has.
func newPhone(c *country, seed uint64, order int64) string {
	digits := max(11-len(c.Dial), 7)
	space := int64(1)
	for range digits - 1 {
		space *= 10
	}
	// 7919 is coprime to powers of ten: different orders get different numbers.
	rest := (order*7919 + int64(newDice(seed, 0).below(1e6))) % space
	return fmt.Sprintf("+%s%d%0*d", c.Dial, 2+scatter(order)%8, digits-1, rest)
}

type codeAnswer struct {
	Status     string `json:"status"`
	Code       string `json:"code,omitempty"`
	SMSContent string `json:"sms_content,omitempty"`
	Message    string `json:"message,omitempty"`
}

func (s *Server) smsCode(q *request) (any, error) {
	n, err := s.wantedNumber(q)
	if err != nil {
		return nil, err
	}
	if n.next != nil && n.nextAt.IsZero() {
		n.nextAt = q.now.Add(nextAfter)
		s.changed()
	}
	switch {
	case len(n.sms) > 0:
		return codeAnswer{Status: n.said(wordSMSComplete), Code: n.told().Code, SMSContent: n.told().Content}, nil
	case n.open:
		return codeAnswer{Status: n.said(wordWaiting), Message: "Waiting for code"}, nil
	default:
		return codeAnswer{Status: n.said(n.word), Message: "No code was received"}, nil
	}
}

type numberStatusAnswer struct {
	Status    string  `json:"status"`
	Phone     string  `json:"phone"`
	Code      *string `json:"code"`
	Charge    string  `json:"charge"`
	Currency  string  `json:"currency"`
	ExpiresAt *string `json:"expires_at"`
}

func (s *Server) smsStatus(q *request) (any, error) {
	n, err := s.wantedNumber(q)
	if err != nil {
		return nil, err
	}
	answer := numberStatusAnswer{
		Status: n.said(n.word), Phone: n.phone,
		Charge: money(n.charge.Sub(n.refunded), 4), Currency: n.account.currency,
	}
	if code := n.told().Code; code != "" {
		answer.Code = &code
	}
	if !n.expires.IsZero() && !s.clockSilent {
		expires := n.expires.Add(s.clockOff).UTC().Format(timeFormat)
		answer.ExpiresAt = &expires
	}
	return answer, nil
}

func (s *Server) wantedNumber(q *request) (*number, error) {
	order, err := strconv.ParseInt(q.get("order"), 10, 64)
	n := s.numbers[order]
	if err != nil || n == nil || n.account.key != q.account.key {
		return nil, orderNotFound
	}
	s.settleNumber(n, q.now)
	return n, nil
}
