package web

import (
	"encoding/json"
	"slices"

	"github.com/shopspring/decimal"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// update is what the page is told. What is not in it has not changed.
type update struct {
	All      *allView          `json:"all,omitempty"`      // forget what was: the rest is everything
	Messages []json.RawMessage `json:"messages,omitempty"` // new or changed ones, by rising id
	Deleted  []int             `json:"deleted,omitempty"`  // their ids
	Answers  []answerView      `json:"answers,omitempty"`  // to taps
	Typing   *bool             `json:"typing,omitempty"`
	Bot      string            `json:"bot,omitempty"` // botRunning or botDown
	Profile  json.RawMessage   `json:"profile,omitempty"`
	Room     json.RawMessage   `json:"room,omitempty"`
}

func (u *update) empty() bool {
	return len(u.Messages)+len(u.Deleted)+len(u.Answers)+len(u.Bot)+len(u.Profile)+len(u.Room) == 0 && u.Typing == nil
}

type allView struct {
	Username string `json:"username"` // of the bot, for links to it
}

type messageView struct {
	ID       int               `json:"id"`
	Own      bool              `json:"own"` // the person's
	At       int64             `json:"at"`  // unix ms
	Edited   bool              `json:"edited"`
	Text     string            `json:"text"`
	Entities []telegram.Entity `json:"entities"` // offsets in UTF-16 units, as JavaScript counts
	Keyboard [][]buttonView    `json:"keyboard"`
	File     *fileView         `json:"file,omitempty"`
	Sticker  string            `json:"sticker,omitempty"`
	Preview  *previewView      `json:"preview,omitempty"`
	ReplyTo  int               `json:"replyTo,omitempty"`
}

// buttonView has one of data, url and copy; none where the page can't do it.
type buttonView struct {
	Text string `json:"text"`
	Data string `json:"data,omitempty"`
	URL  string `json:"url,omitempty"`
	Copy string `json:"copy,omitempty"`
}

type fileView struct {
	Name string `json:"name"`
	Size int    `json:"size"` // bytes
}

// previewView is a link preview. The page shows its address only: it asks
// nothing of other sites.
type previewView struct {
	URL   string `json:"url"`
	Above bool   `json:"above"`
}

type answerView struct {
	Message int    `json:"message"`
	Data    string `json:"data"`
	Text    string `json:"text"` // "": nothing was said
	Alert   bool   `json:"alert"`
}

func viewMessage(m telegram.Message) messageView {
	view := messageView{
		ID: m.ID, Own: !m.FromBot, At: m.Date.UnixMilli(), Edited: !m.EditDate.IsZero(),
		Text: m.Text, Entities: m.Entities, Sticker: m.Sticker, ReplyTo: m.ReplyTo,
	}
	for _, row := range m.Keyboard {
		var buttons []buttonView
		for _, b := range row {
			buttons = append(buttons, buttonView{Text: b.Text, Data: b.CallbackData, URL: b.URL, Copy: b.CopyText})
		}
		view.Keyboard = append(view.Keyboard, buttons)
	}
	if m.Document != nil {
		view.File = &fileView{Name: m.Document.Name, Size: len(m.Document.Data)}
	}
	if p := m.LinkPreview; !p.Disabled && p.URL != "" {
		view.Preview = &previewView{URL: p.URL, Above: p.AboveText}
	}
	return view
}

// roomView is the marketplace's back room.
type roomView struct {
	Keys   []keyView   `json:"keys"`
	Orders []orderView `json:"orders"` // newest first
	Faults int         `json:"faults"` // ordered and not yet met
}

type keyView struct {
	Key     string `json:"key"`
	Balance string `json:"balance"` // with its currency
}

type orderView struct {
	Number    int64  `json:"number"`
	Name      string `json:"name"`
	Quantity  int64  `json:"quantity"`
	Delivered int64  `json:"delivered"`
	Charge    string `json:"charge"`
	Status    string `json:"status"`
	Left      bool   `json:"left"`     // something can still be delivered
	Refunded  bool   `json:"refunded"` // all of it
}

// maxOrders is how many the page lists.
const maxOrders = 30

func (p *page) viewRoom() roomView {
	view := roomView{Keys: []keyView{}, Orders: []orderView{}, Faults: len(p.goods.Faults())}
	accounts := p.goods.Accounts()
	for _, key := range []string{keyRich, keyPoor} {
		i := slices.IndexFunc(accounts, func(a market.Account) bool { return a.Key == key })
		if i >= 0 {
			view.Keys = append(view.Keys, keyView{Key: key, Balance: money(accounts[i].Balance, accounts[i].Currency)})
		}
	}
	for _, o := range slices.Backward(p.goods.Orders()) {
		if len(view.Orders) == maxOrders {
			break
		}
		view.Orders = append(view.Orders, orderView{
			Number: o.Number, Name: o.Name, Quantity: o.Quantity, Delivered: o.Delivered,
			Charge: money(o.Charge, o.Currency), Status: o.Status,
			Left:     o.Delivered < o.Quantity && !o.Refunded.IsPositive(),
			Refunded: o.Refunded.Equal(o.Charge),
		})
	}
	return view
}

// money shows at least two decimals and never rounds.
func money(amount decimal.Decimal, currency string) string {
	return amount.StringFixed(max(2, -amount.Exponent())) + " " + currency
}

// profileView is what the bot says of itself.
type profileView struct {
	About    string             `json:"about"` // what an empty chat says
	Commands []telegram.Command `json:"commands"`
}

func (p *page) viewProfile() profileView {
	about, _ := p.chats.Description(you.LanguageCode)
	if about == "" {
		about, _ = p.chats.Description("")
	}
	return profileView{About: about, Commands: p.person.Commands()}
}
