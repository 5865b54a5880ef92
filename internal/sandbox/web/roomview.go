package web

import (
	"slices"

	"github.com/shopspring/decimal"

	"hstockbot/internal/sandbox/market"
)

// botView is what became of the bot's process.
type botView struct {
	State   string `json:"state"`   // botRunning or botDown
	Since   int64  `json:"since"`   // of that, unix ms
	Starts  int    `json:"starts"`  // how often it was started
	Kills   int    `json:"kills"`   // those by hand
	Waiting int    `json:"waiting"` // updates that Telegram keeps for it; 0 while it runs
}

func (p *page) viewBot() botView {
	life := p.bot.life()
	view := botView{State: life.State, Starts: life.Starts, Kills: life.Kills}
	if !life.Since.IsZero() {
		view.Since = life.Since.UnixMilli()
	}
	if life.State == botDown {
		view.Waiting = p.chats.Pending()
	}
	return view
}

type keyView struct {
	Key     string `json:"key"`
	Balance string `json:"balance"` // with its currency
	Amount  string `json:"amount"`  // without it
	About   string `json:"about"`
}

func (p *page) viewKeys() []keyView {
	views := []keyView{}
	accounts := p.goods.Accounts()
	for _, purse := range purses() {
		i := slices.IndexFunc(accounts, func(a market.Account) bool { return a.Key == purse.key })
		if i < 0 {
			continue
		}
		a := accounts[i]
		views = append(views, keyView{Key: a.Key, Balance: money(a.Balance, a.Currency), Amount: amount(a.Balance), About: purse.about})
	}
	return views
}

type orderView struct {
	Number    int64  `json:"number"`
	Name      string `json:"name"`
	Whose     string `json:"whose"` // the end of the key that paid
	Quantity  int64  `json:"quantity"`
	Delivered int64  `json:"delivered"`
	Charge    string `json:"charge"`
	Status    string `json:"status"`
	Link      string `json:"link,omitempty"`
	Left      bool   `json:"left"`     // something can still be delivered
	Refunded  bool   `json:"refunded"` // all of it
}

func viewOrder(o market.Order) orderView {
	return orderView{
		Number: o.Number, Name: o.Name, Whose: o.KeyTail, Quantity: o.Quantity, Delivered: o.Delivered,
		Charge: money(o.Charge, o.Currency), Status: o.Status, Link: o.Link,
		Left:     o.Delivered < o.Quantity && !o.Refunded.IsPositive(),
		Refunded: o.Refunded.Equal(o.Charge),
	}
}

type numberView struct {
	Number  int64  `json:"number"`
	Project string `json:"project"`
	Country string `json:"country"`
	Phone   string `json:"phone"`
	Status  string `json:"status"`
	Code    string `json:"code"` // "": none yet
	Charge  string `json:"charge"`
	Expires int64  `json:"expires"` // unix ms; 0: never
	Open    bool   `json:"open"`    // waits for its code
	Comes   int64  `json:"comes"`   // when one comes by itself, unix ms; 0: none does
	Follows bool   `json:"follows"` // another SMS comes soon after the bot has asked
}

func viewNumber(n market.Number) numberView {
	view := numberView{
		Number: n.Number, Project: n.Project, Country: n.Country, Phone: n.Phone, Status: n.Status,
		Code: n.Code, Charge: money(n.Charge, n.Currency), Open: n.Open, Follows: n.Follows,
	}
	if !n.ExpiresAt.IsZero() {
		view.Expires = n.ExpiresAt.UnixMilli()
	}
	if !n.ComesAt.IsZero() {
		view.Comes = n.ComesAt.UnixMilli()
	}
	return view
}

// faultView is one fault that is on.
type faultView struct {
	Fault  string `json:"fault"`            // a trouble's name, or blocked
	Person int64  `json:"person,omitempty"` // who blocks the bot
	Says   string `json:"says"`
	Once   bool   `json:"once"` // over after the next call
}

func (p *page) viewFaults() []faultView {
	views := []faultView{}
	all := troubles()
	for _, f := range p.goods.Faults() {
		if i := slices.IndexFunc(all, func(t trouble) bool { return t.isGoods(f) }); i >= 0 {
			views = append(views, faultView{Fault: all[i].name, Says: faultSays(all[i], f), Once: f.Times > 0})
		}
	}
	for _, f := range p.chats.Faults() {
		if i := slices.IndexFunc(all, func(t trouble) bool { return t.isTelegram(f) }); i >= 0 {
			views = append(views, faultView{Fault: all[i].name, Says: all[i].says, Once: f.Times > 0})
		}
	}
	for _, who := range residents() {
		if p.people[who.ID].Blocked() {
			views = append(views, faultView{Fault: blocked, Person: who.ID, Says: who.FirstName + " has blocked the bot"})
		}
	}
	return views
}

func faultSays(t trouble, f market.Fault) string {
	says := t.says
	if f.Message != "" {
		says += ": “" + f.Message + "”"
	}
	if f.Action == market.Buying && t.goods.Action == "" {
		says += " (when something is bought)"
	}
	return says
}

// money shows at least two decimals and never rounds.
func money(sum decimal.Decimal, currency string) string { return amount(sum) + " " + currency }

func amount(sum decimal.Decimal) string { return sum.StringFixed(max(2, -sum.Exponent())) }
