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

// backRoom adds what the back room asks for:
//
//	GET  /rows?q=   rows whose name or number fits, at most maxRows
//	POST /row       {service, stock, rate, held}, each of the last three may be missing
//	POST /balance   {key, balance}
//	POST /order     {order, do: "deliver" (with n), "finish", "fail", "refund" or "status" (with word)}
//	POST /number    {number, do: "code", "late", "twice" (each with text), "never" or "expire"}
//	POST /fault     {fault, on, and: text, buying, once, person}, as troubles and faultView say
//	POST /clear     {}: all faults are over
//	POST /kill      {}: the bot's process, the hard way
func (p *page) backRoom(mux *http.ServeMux) {
	mux.HandleFunc("GET /rows", p.rows)
	mux.Handle("POST /row", post(p.row))
	mux.Handle("POST /balance", post(p.balance))
	mux.Handle("POST /order", post(p.order))
	mux.Handle("POST /number", post(p.number))
	mux.Handle("POST /fault", post(p.fault))
	mux.Handle("POST /clear", post(p.clear))
	mux.Handle("POST /kill", post(p.kill))
}

const (
	maxRows     = 20
	maxSentence = 200 // runes of what may be typed into the back room
	mostStock   = 1_000_000
)

// amountPattern is what may be typed for money: nothing that takes long to add up.
var amountPattern = regexp.MustCompile(`^\d{1,7}(\.\d{1,4})?$`)

var errTooLong = errors.New("this is too long")

type rowView struct {
	Service  int64  `json:"service"`
	Name     string `json:"name"`
	Shelf    string `json:"shelf"`
	Stock    int64  `json:"stock"`
	Rate     string `json:"rate"`
	ByItself bool   `json:"byItself"` // delivered without a hand
	Held     bool   `json:"held"`     // by hand for now
	SMM      bool   `json:"smm"`
}

func (p *page) rows(w http.ResponseWriter, r *http.Request) {
	words := strings.Fields(strings.ToLower(r.URL.Query().Get("q")))
	found := []rowView{}
	for _, row := range p.goods.Rows() {
		number := strconv.FormatInt(row.Service, 10)
		text := strings.ToLower(row.Name + " " + row.Subcategory)
		if len(found) == maxRows || slices.ContainsFunc(words, func(word string) bool { return word != number && !strings.Contains(text, word) }) {
			continue
		}
		found = append(found, rowView{
			Service: row.Service, Name: row.Name, Shelf: row.Category + " › " + row.Subcategory, Stock: row.Stock,
			Rate: row.Rate.String(), ByItself: row.AutoDelivery, Held: row.Held, SMM: row.EntityType == market.SMM,
		})
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(found); err != nil {
		p.log.Debug("the rows were not heard", "error", err)
	}
}

func (p *page) row(asked struct {
	Service int64   `json:"service"`
	Stock   *int64  `json:"stock"`
	Rate    *string `json:"rate"`
	Held    *bool   `json:"held"`
},
) error {
	if asked.Stock != nil {
		if *asked.Stock < 0 || *asked.Stock > mostStock {
			return errors.New("stock is a number from 0 to a million")
		}
		if err := p.goods.SetStock(asked.Service, *asked.Stock); err != nil {
			return err
		}
	}
	if asked.Rate != nil {
		if !amountPattern.MatchString(*asked.Rate) {
			return errors.New("a price is an amount over 0, as 1.25")
		}
		if err := p.goods.SetRate(asked.Service, *asked.Rate); err != nil {
			return err
		}
	}
	if asked.Held != nil {
		return p.goods.Hold(asked.Service, *asked.Held)
	}
	return nil
}

func (p *page) balance(asked struct {
	Key     string `json:"key"`
	Balance string `json:"balance"`
},
) error {
	amount := strings.TrimSpace(asked.Balance)
	if !amountPattern.MatchString(amount) {
		return errors.New("a balance is an amount, as 12.50")
	}
	return p.goods.SetBalance(asked.Key, amount)
}

func (p *page) order(asked struct {
	Order int64  `json:"order"`
	Do    string `json:"do"`
	N     int    `json:"n"`
	Word  string `json:"word"`
},
) error {
	switch asked.Do {
	case "deliver":
		if asked.N < 1 {
			return errors.New("a part is at least 1")
		}
		return p.goods.Deliver(asked.Order, asked.N)
	case "finish":
		return p.goods.Finish(asked.Order)
	case "fail":
		return p.goods.Fail(asked.Order)
	case "refund":
		return p.goods.Refund(asked.Order)
	case "status":
		word := strings.TrimSpace(asked.Word)
		if word == "" || utf8.RuneCountInString(word) > maxSentence {
			return errors.New("a status is a word or two")
		}
		return p.goods.SetStatus(asked.Order, word)
	default:
		return errors.New("an order can't do that")
	}
}

func (p *page) number(asked struct {
	Number int64  `json:"number"`
	Do     string `json:"do"`
	Text   string `json:"text"`
},
) error {
	if utf8.RuneCountInString(asked.Text) > maxSentence {
		return errTooLong
	}
	switch asked.Do {
	case "code":
		return p.goods.SendCode(asked.Number, asked.Text)
	case "twice":
		return p.goods.SendTwice(asked.Number, asked.Text)
	case "late":
		return p.goods.SendLate(asked.Number, asked.Text)
	case "never":
		return p.goods.NeverCode(asked.Number)
	case "expire":
		return p.goods.ExpireSMS(asked.Number)
	default:
		return errors.New("a number can't do that")
	}
}

// trouble is a fault that the page can switch on: of the marketplace, or of
// Telegram.
type trouble struct {
	name     string // as the page calls it
	goods    market.Fault
	telegram telegram.Fault
	says     string // what happens
}

const blocked = "blocked" // is a person's doing and no trouble

func troubles() []trouble {
	return []trouble{
		{name: "slow", goods: market.Fault{Kind: market.Slow, Delay: 5 * time.Second, Times: market.Always}, says: "the marketplace answers after 5 s"},
		{name: "refuse", goods: market.Fault{Kind: market.Refuse, Times: market.Always}, says: "the marketplace refuses"},
		{name: "cut", goods: market.Fault{Kind: market.Cut, Times: market.Always}, says: "its answers break off in the middle"},
		{name: "lose", goods: market.Fault{Kind: market.CommitThenLose, Action: market.Buying}, says: "it sells and charges, and the answer is lost"},
		{name: "502", goods: market.Fault{Kind: market.HTML502, Times: market.Always}, says: "a gateway’s page instead of the marketplace"},
		{name: "429", goods: market.Fault{Kind: market.TooMany, Delay: 3 * time.Second, Times: market.Always}, says: "the marketplace says “too many requests”"},
		{name: "tg429", telegram: telegram.Fault{RetryAfter: 3, Times: telegram.Always}, says: "Telegram says “too many requests, retry after 3”"},
		{name: "tglose", telegram: telegram.Fault{Method: "sendMessage", LoseAnswer: true}, says: "a message arrives, and the bot is not told so"},
	}
}

// ofMarket says whether it is the marketplace that goes wrong.
func (t trouble) ofMarket() bool { return t.goods.Kind != "" }

func (t trouble) isGoods(f market.Fault) bool { return t.ofMarket() && f.Kind == t.goods.Kind }

func (t trouble) isTelegram(f telegram.Fault) bool {
	return !t.ofMarket() && f.LoseAnswer == t.telegram.LoseAnswer && f.RetryAfter == t.telegram.RetryAfter
}

// fault switches one on or off. On again is on as asked the second time.
func (p *page) fault(asked struct {
	Fault  string `json:"fault"`
	On     bool   `json:"on"`
	Text   string `json:"text"`   // of refuse; "": a usual one
	Buying bool   `json:"buying"` // of the marketplace's: only the requests that buy
	Once   bool   `json:"once"`   // only the next one
	Person int64  `json:"person"` // who blocks the bot
},
) error {
	if asked.Fault == blocked {
		person := p.people[asked.Person]
		if person == nil {
			return errNobody
		}
		if asked.On {
			person.Block()
		} else {
			person.Unblock()
		}
		return nil
	}
	all := troubles()
	i := slices.IndexFunc(all, func(t trouble) bool { return t.name == asked.Fault })
	if i < 0 {
		return errors.New("there is no such fault")
	}
	if utf8.RuneCountInString(asked.Text) > maxSentence {
		return errTooLong
	}
	t := all[i]
	if asked.Once {
		t.goods.Times, t.telegram.Times = 1, 1
	}
	if !t.ofMarket() {
		p.chats.ClearFault(t.isTelegram)
		if asked.On {
			p.chats.Fault(t.telegram)
		}
		return nil
	}
	p.goods.ClearFault(t.isGoods)
	if !asked.On {
		return nil
	}
	t.goods.Message = strings.TrimSpace(asked.Text)
	if asked.Buying {
		t.goods.Action = market.Buying
	}
	p.goods.Fault(t.goods)
	return nil
}

func (p *page) clear(nothing) error {
	p.goods.ClearFaults()
	p.chats.ClearFaults()
	for _, person := range p.people {
		person.Unblock()
	}
	return nil
}

func (p *page) kill(nothing) error { return p.bot.kill() }
