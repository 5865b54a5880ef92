package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// handleControl adds the endpoints of the back room:
//
//	GET  /rows?q=   items whose name or service number matches, at most maxItems
//	POST /row       {service, stock, rate, held}, the last three are optional
//	POST /balance   {key, balance}
//	POST /order     {order, do: "deliver" (with n), "finish", "fail", "refund" or "status" (with word)}
//	POST /number    {number, do: "code", "late", "twice" (each with text), "never" or "expire"}
//	POST /fault     {fault, on}, optionally {text, buying, once, person}
//	POST /clear     {}: switches all faults off
//	POST /kill      {}: kills the bot's process
func (p *page) handleControl(mux *http.ServeMux) {
	mux.HandleFunc("GET /rows", p.findItems)
	mux.Handle("POST /row", post(p.changeItem))
	mux.Handle("POST /balance", post(p.setBalance))
	mux.Handle("POST /order", post(p.changeOrder))
	mux.Handle("POST /number", post(p.changeNumber))
	mux.Handle("POST /fault", post(p.setFault))
	mux.Handle("POST /clear", post(p.clearFaults))
	mux.Handle("POST /kill", post(func(struct{}) error { return p.bot.kill() }))
}

const (
	maxItems = 20
	maxText  = 200 // runes of a text from the back room
	maxStock = 1_000_000
)

// amountPattern limits amounts of money to a size that decimals handle fast.
var amountPattern = regexp.MustCompile(`^\d{1,7}(\.\d{1,4})?$`)

var errTextTooLong = errors.New("this text is too long")

type itemView struct {
	Service      int64  `json:"service"`
	Name         string `json:"name"`
	Category     string `json:"shelf"`
	Stock        int64  `json:"stock"`
	Rate         string `json:"rate"`
	AutoDelivery bool   `json:"byItself"`
	Held         bool   `json:"held"` // automatic delivery is off
	SMM          bool   `json:"smm"`
}

// findItems returns the items that match every word of the query.
func (p *page) findItems(w http.ResponseWriter, r *http.Request) {
	words := strings.Fields(strings.ToLower(r.URL.Query().Get("q")))
	found := []itemView{}
	for _, row := range p.market.Rows() {
		service := strconv.FormatInt(row.Service, 10)
		text := strings.ToLower(row.Name + " " + row.Subcategory)
		if len(found) == maxItems || slices.ContainsFunc(words, func(word string) bool { return word != service && !strings.Contains(text, word) }) {
			continue
		}
		found = append(found, itemView{
			Service: row.Service, Name: row.Name, Category: row.Category + " › " + row.Subcategory, Stock: row.Stock,
			Rate: row.Rate.String(), AutoDelivery: row.AutoDelivery, Held: row.Held, SMM: row.EntityType == market.SMM,
		})
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(found); err != nil {
		p.log.Debug("item list not sent", "error", err)
	}
}

func (p *page) changeItem(req struct {
	Service int64   `json:"service"`
	Stock   *int64  `json:"stock"`
	Rate    *string `json:"rate"`
	Held    *bool   `json:"held"`
},
) error {
	if req.Stock != nil {
		if *req.Stock < 0 || *req.Stock > maxStock {
			return errors.New("stock must be a number from 0 to a million")
		}
		if err := p.market.SetStock(req.Service, *req.Stock); err != nil {
			return err
		}
	}
	if req.Rate != nil {
		if !amountPattern.MatchString(*req.Rate) {
			return errors.New("a price must be an amount over 0, for example 1.25")
		}
		if err := p.market.SetRate(req.Service, *req.Rate); err != nil {
			return err
		}
	}
	if req.Held != nil {
		return p.market.Hold(req.Service, *req.Held)
	}
	return nil
}

func (p *page) setBalance(req struct {
	Key     string `json:"key"`
	Balance string `json:"balance"`
},
) error {
	amount := strings.TrimSpace(req.Balance)
	if !amountPattern.MatchString(amount) {
		return errors.New("a balance must be an amount, for example 12.50")
	}
	return p.market.SetBalance(req.Key, amount)
}

func (p *page) changeOrder(req struct {
	Order    int64  `json:"order"`
	Action   string `json:"do"`
	Quantity int    `json:"n"`
	Status   string `json:"word"`
},
) error {
	switch req.Action {
	case "deliver":
		if req.Quantity < 1 {
			return errors.New("deliver at least 1")
		}
		return p.market.Deliver(req.Order, req.Quantity)
	case "finish":
		return p.market.Finish(req.Order)
	case "fail":
		return p.market.Fail(req.Order)
	case "refund":
		return p.market.Refund(req.Order)
	case "status":
		status := strings.TrimSpace(req.Status)
		if status == "" || utf8.RuneCountInString(status) > maxText {
			return errors.New("a status must have 1 to 200 characters")
		}
		return p.market.SetStatus(req.Order, status)
	default:
		return errors.New("unknown action for an order")
	}
}

func (p *page) changeNumber(req struct {
	Order  int64  `json:"number"`
	Action string `json:"do"`
	Text   string `json:"text"`
},
) error {
	if utf8.RuneCountInString(req.Text) > maxText {
		return errTextTooLong
	}
	switch req.Action {
	case "code":
		return p.market.SendCode(req.Order, req.Text)
	case "twice":
		return p.market.SendTwice(req.Order, req.Text)
	case "late":
		return p.market.SendLate(req.Order, req.Text)
	case "never":
		return p.market.NeverCode(req.Order)
	case "expire":
		return p.market.ExpireSMS(req.Order)
	default:
		return errors.New("unknown action for a number")
	}
}

// fault is a fault that the page can switch on. One of market and telegram is set.
type fault struct {
	name        string // in the requests of the page
	market      market.Fault
	telegram    telegram.Fault
	description string
}

// blocked is the name that the page uses when a person blocks the bot.
const blocked = "blocked"

func faults() []fault {
	return []fault{
		{name: "slow", market: market.Fault{Kind: market.Slow, Delay: 5 * time.Second, Times: market.Always}, description: "the marketplace answers after 5 s"},
		{name: "refuse", market: market.Fault{Kind: market.Refuse, Times: market.Always}, description: "the marketplace refuses"},
		{name: "cut", market: market.Fault{Kind: market.Cut, Times: market.Always}, description: "the marketplace’s answers break off in the middle"},
		{name: "lose", market: market.Fault{Kind: market.CommitThenLose, Action: market.Buying}, description: "the marketplace sells and charges, and its answer is lost"},
		{name: "502", market: market.Fault{Kind: market.HTML502, Times: market.Always}, description: "a gateway’s error page instead of the marketplace’s answer"},
		{name: "429", market: market.Fault{Kind: market.TooMany, Delay: 3 * time.Second, Times: market.Always}, description: "the marketplace says “too many requests”"},
		{name: "tg429", telegram: telegram.Fault{RetryAfter: 3, Times: telegram.Always}, description: "Telegram says “too many requests, retry after 3”"},
		{name: "tglose", telegram: telegram.Fault{Method: "sendMessage", LoseAnswer: true}, description: "a message arrives, and Telegram’s answer is lost"},
	}
}

func (f fault) ofMarket() bool { return f.market.Kind != "" }

func (f fault) matchesMarket(active market.Fault) bool {
	return f.ofMarket() && active.Kind == f.market.Kind
}

func (f fault) matchesTelegram(active telegram.Fault) bool {
	return !f.ofMarket() && active.LoseAnswer == f.telegram.LoseAnswer && active.RetryAfter == f.telegram.RetryAfter
}

// setFault switches a fault on or off. If the fault is already on, the new settings
// replace the old ones.
func (p *page) setFault(req struct {
	Fault  string `json:"fault"`
	On     bool   `json:"on"`
	Text   string `json:"text"`   // of "refuse"; "": the marketplace's default
	Buying bool   `json:"buying"` // faults of the marketplace: only requests that buy
	Once   bool   `json:"once"`   // only the next call
	Person int64  `json:"person"` // who blocks the bot
},
) error {
	if req.Fault == blocked {
		person, err := p.person(req.Person)
		if err != nil {
			return err
		}
		if req.On {
			person.Block()
		} else {
			person.Unblock()
		}
		return nil
	}
	all := faults()
	i := slices.IndexFunc(all, func(f fault) bool { return f.name == req.Fault })
	if i < 0 {
		return errors.New("there is no such fault")
	}
	if utf8.RuneCountInString(req.Text) > maxText {
		return errTextTooLong
	}
	f := all[i]
	p.market.ClearFault(f.matchesMarket)
	p.telegram.ClearFault(f.matchesTelegram)
	if !req.On {
		return nil
	}
	if req.Once {
		f.market.Times, f.telegram.Times = 1, 1
	}
	if req.Buying {
		f.market.Action = market.Buying
	}
	f.market.Message = strings.TrimSpace(req.Text)
	if f.ofMarket() {
		p.market.Fault(f.market)
	} else {
		p.telegram.Fault(f.telegram)
	}
	return nil
}

func (p *page) clearFaults(struct{}) error {
	p.market.ClearFaults()
	p.telegram.ClearFaults()
	for _, person := range p.people {
		person.Unblock()
	}
	return nil
}
