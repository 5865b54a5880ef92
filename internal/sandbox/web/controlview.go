package web

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/sandbox/market"
)

// botView is the state of the bot's process.
type botView struct {
	State   string `json:"state"`   // botRunning or botDown
	Since   int64  `json:"since"`   // start of the state, unix ms; 0: not started yet
	Starts  int    `json:"starts"`  // number of starts
	Kills   int    `json:"kills"`   // number of kills from the page
	Pending int    `json:"waiting"` // updates queued at Telegram while the bot is down
}

func (p *page) viewBot() botView {
	status := p.bot.status()
	view := botView{State: status.State, Since: unixMilli(status.Since), Starts: status.Starts, Kills: status.Kills}
	if status.State == botDown {
		view.Pending = p.telegram.Pending()
	}
	return view
}

type keyView struct {
	Key     string `json:"key"`
	Balance string `json:"balance"` // with the currency
	Amount  string `json:"amount"`  // without the currency
	About   string `json:"about"`
}

func (p *page) viewKeys() []keyView {
	views := []keyView{}
	accounts := p.market.Accounts()
	for _, k := range demoKeys() {
		i := slices.IndexFunc(accounts, func(a market.Account) bool { return a.Key == k.key })
		if i < 0 {
			continue
		}
		a := accounts[i]
		views = append(views, keyView{Key: a.Key, Balance: money(a.Balance, a.Currency), Amount: amount(a.Balance), About: k.about})
	}
	return views
}

type orderView struct {
	ID          int64  `json:"number"`
	Name        string `json:"name"`
	KeyTail     string `json:"whose"` // end of the key that paid
	Quantity    int64  `json:"quantity"`
	Delivered   int64  `json:"delivered"`
	Charge      string `json:"charge"`
	Status      string `json:"status"`
	Link        string `json:"link,omitempty"`
	Deliverable bool   `json:"left"`     // more can be delivered
	Refunded    bool   `json:"refunded"` // in full
}

func viewOrder(o market.Order) orderView {
	return orderView{
		ID: o.Number, Name: o.Name, KeyTail: o.KeyTail, Quantity: o.Quantity, Delivered: o.Delivered,
		Charge: money(o.Charge, o.Currency), Status: o.Status, Link: o.Link,
		Deliverable: o.Delivered < o.Quantity && !o.Refunded.IsPositive(),
		Refunded:    o.Refunded.Equal(o.Charge),
	}
}

type numberView struct {
	OrderID int64  `json:"number"`
	Project string `json:"project"`
	Country string `json:"country"`
	Phone   string `json:"phone"`
	Status  string `json:"status"`
	Code    string `json:"code"` // "": none yet
	Charge  string `json:"charge"`
	Expires int64  `json:"expires"` // unix ms; 0: never
	Open    bool   `json:"open"`    // waits for its code
	CodeAt  int64  `json:"comes"`   // when a code arrives automatically, unix ms; 0: none will
	MoreSMS bool   `json:"follows"` // another SMS arrives soon after the bot has asked
}

func viewNumber(n market.Number) numberView {
	return numberView{
		OrderID: n.Number, Project: n.Project, Country: n.Country, Phone: n.Phone, Status: n.Status,
		Code: n.Code, Charge: money(n.Charge, n.Currency), Expires: unixMilli(n.ExpiresAt),
		Open: n.Open, CodeAt: unixMilli(n.ComesAt), MoreSMS: n.Follows,
	}
}

// faultView is a fault that is on.
type faultView struct {
	Name        string `json:"fault"`            // of a fault, or blocked
	Person      int64  `json:"person,omitempty"` // who blocks the bot
	Description string `json:"says"`
	Once        bool   `json:"once"` // ends after the next call
}

func (p *page) viewFaults() []faultView {
	views := []faultView{}
	all := faults()
	for _, active := range p.market.Faults() {
		if i := slices.IndexFunc(all, func(f fault) bool { return f.matchesMarket(active) }); i >= 0 {
			views = append(views, faultView{Name: all[i].name, Description: describe(all[i], active), Once: active.Times > 0})
		}
	}
	for _, active := range p.telegram.Faults() {
		if i := slices.IndexFunc(all, func(f fault) bool { return f.matchesTelegram(active) }); i >= 0 {
			views = append(views, faultView{Name: all[i].name, Description: all[i].description, Once: active.Times > 0})
		}
	}
	for _, person := range demoPeople() {
		if p.people[person.ID].Blocked() {
			views = append(views, faultView{Name: blocked, Person: person.ID, Description: person.FirstName + " has blocked the bot"})
		}
	}
	return views
}

func describe(f fault, active market.Fault) string {
	text := f.description
	if active.Message != "" {
		text += ": “" + active.Message + "”"
	}
	if active.Action == market.Buying && f.market.Action == "" {
		text += " (only requests that buy)"
	}
	return text
}

// money formats an amount with its currency.
func money(sum decimal.Decimal, currency string) string { return amount(sum) + " " + currency }

// amount formats with at least two decimal places, and never rounds.
func amount(sum decimal.Decimal) string { return sum.StringFixed(max(2, -sum.Exponent())) }

// unixMilli returns 0 for the zero time.
func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
