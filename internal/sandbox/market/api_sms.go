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
	countries := s.countries
	if country == "" {
		switch s.allProjects {
		case OneCountry:
			countries = countries[:1]
		case NoProjects:
			countries = nil
		case CountryRequired:
			return nil, refusal("Country is required")
		}
	}
	answer := []projectAnswer{}
	for _, c := range countries {
		if country != "" && c.Code != country {
			continue
		}
		title := s.countryName(q.lang, c)
		for _, o := range s.offersOf(c) {
			answer = append(answer, projectAnswer{
				ProjectID: o.project.id, Name: s.translate(q.lang, o.project.Name), Price: money(q.account.priced(o.price), 4),
				CountryID: c.Code, CountryTitle: title,
			})
		}
	}
	if country == "" && s.allProjects == WithoutCountries {
		for i := range answer {
			answer[i].CountryID, answer[i].CountryTitle = "", ""
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

type addSMSAnswer struct {
	Orders []rentalAnswer `json:"orders"`
}

type rentalAnswer struct {
	Order   any    `json:"order"`
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
			q.violation("quantity is not a number from 1 to 10")
			return nil, refusal("Quantity must be between 1 and 10")
		}
		quantity = n
	}
	if phone != "" {
		// A phone can be rented again only for its former project and country.
		former := s.reusable(q.account, project, phone)
		if former == nil || quantity != 1 || (country != "" && country != former.Country) {
			return nil, refusal("This phone number can not be reused")
		}
		country = former.Country
	}
	o := s.offerOf(project, country)
	if o == nil {
		return nil, refusal("Project not found")
	}
	quantity = min(quantity, o.left)
	if quantity == 0 {
		return nil, refusal("No numbers available")
	}
	total := q.account.priced(o.price).Mul(decimal.NewFromInt(int64(quantity)))
	if q.account.Balance.LessThan(total) {
		return nil, insufficientBalance
	}
	q.account.Balance = q.account.Balance.Sub(total)
	o.left -= quantity
	answer := addSMSAnswer{}
	for range quantity {
		n := s.rent(q, o, phone)
		answer.Orders = append(answer.Orders, rentalAnswer{s.answeredID(n.ID), n.Phone, n.Country, n.answered(n.Status)})
	}
	return answer, nil
}

// rent adds a rental that is already paid.
func (s *Server) rent(q *request, o *offer, phone string) *rental {
	now := q.now.Truncate(time.Millisecond)
	if phone == "" {
		phone = newPhone(o.country, s.opt.Seed, s.nextOrder)
	}
	n := &rental{account: q.account, offer: o, rentalState: rentalState{
		ID: s.nextOrder, Key: q.account.Key, Project: o.project.id, Country: o.country.Code, Phone: phone,
		Status: smsActive, Open: true, Charge: q.account.priced(o.price), Created: now, Expires: now.Add(s.rentalTime),
	}}
	if s.opt.CodeAfter > 0 {
		n.CodeAt = now.Add(s.opt.CodeAfter)
	}
	s.nextOrder++
	s.rentals[n.ID] = n
	q.account.open = append(q.account.open, n)
	return n
}

// reusable returns the account's last rental of a phone for a project, or nil
// if there is none or it is still open.
func (s *Server) reusable(a *account, project, phone string) *rental {
	var last *rental
	for _, n := range s.rentals {
		if n.account == a && n.Project == project && n.Phone == phone && (last == nil || n.ID > last.ID) {
			last = n
		}
	}
	if last != nil && last.Open {
		return nil
	}
	return last
}

// newPhone makes a number that no other order has.
func newPhone(c *country, seed uint64, order int64) string {
	digits := max(11-len(c.Dial), 7)
	space := int64(1)
	for range digits - 1 {
		space *= 10
	}
	// 7919 is coprime to powers of ten: different orders get different numbers.
	rest := (order*7919 + int64(newRandom(seed, 0).below(1e6))) % space
	return fmt.Sprintf("+%s%d%0*d", c.Dial, 2+hash(order)%8, digits-1, rest)
}

type codeAnswer struct {
	Status     string `json:"status"`
	Code       string `json:"code,omitempty"`
	SMSContent string `json:"sms_content,omitempty"`
	Message    string `json:"message,omitempty"`
}

func (s *Server) smsCode(q *request) (any, error) {
	n, err := s.requestedRental(q)
	if err != nil {
		return nil, err
	}
	if n.Next != nil && n.NextAt.IsZero() {
		n.NextAt = q.now.Add(followUpAfter)
	}
	switch {
	case len(n.SMS) > 0:
		return codeAnswer{Status: n.answered(smsCompleted), Code: n.last().Code, SMSContent: n.last().Content}, nil
	case n.Open:
		return codeAnswer{Status: n.answered(smsWaiting), Message: "Waiting for code"}, nil
	default:
		return codeAnswer{Status: n.answered(n.Status), Message: "No code was received"}, nil
	}
}

type smsStatusAnswer struct {
	Status    string  `json:"status"`
	Phone     string  `json:"phone"`
	Code      *string `json:"code"`
	Charge    string  `json:"charge"`
	Currency  string  `json:"currency"`
	ExpiresAt *string `json:"expires_at"`
}

func (s *Server) smsStatus(q *request) (any, error) {
	n, err := s.requestedRental(q)
	if err != nil {
		return nil, err
	}
	answer := smsStatusAnswer{
		Status: n.answered(n.Status), Phone: n.Phone,
		Charge: money(n.Charge.Sub(n.Refunded), 4), Currency: n.account.Currency,
	}
	if code := n.last().Code; code != "" {
		answer.Code = &code
	}
	if !n.Expires.IsZero() && !s.clockHidden {
		expires := n.Expires.Add(s.clockOffset).UTC().Format(timeFormat)
		answer.ExpiresAt = &expires
	}
	return answer, nil
}

// requestedRental returns the rental that the parameter order names.
func (s *Server) requestedRental(q *request) (*rental, error) {
	id, ok := s.requestedID(q.get("order"))
	n := s.rentals[id]
	if !ok || n == nil || n.account != q.account {
		return nil, orderNotFound
	}
	n.settle(s, q.now)
	return n, nil
}
