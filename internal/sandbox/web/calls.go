package web

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// How much of the log of calls the page is told.
const (
	oldCalls  = 100 // of each side, when it opens
	maxShown  = 400 // runes of what was said or answered
	toMarket  = "marketplace"
	toChats   = "Telegram"
	pollCalls = "getUpdates"
)

// callView is one call of the bot.
type callView struct {
	ID     string `json:"id"`
	Side   string `json:"side"` // toMarket or toChats
	Name   string `json:"name"` // an action or a method
	Who    string `json:"who,omitempty"`
	At     int64  `json:"at"`   // unix ms
	Took   int64  `json:"took"` // ms; -1: no answer yet
	Good   bool   `json:"good"`
	Result string `json:"result"`
	Said   string `json:"said"`   // by the bot, without secrets
	Answer string `json:"answer"` // the same
	Note   string `json:"note"`   // what it is for
	Fault  string `json:"fault,omitempty"`
	Poll   bool   `json:"poll,omitempty"` // one of many that wait for news
}

// callsSeen is how far one browser knows a log.
type callsSeen struct {
	last int64
	open map[int64]bool // shown without their answers
}

// after is the number after which to look again.
func (s *callsSeen) after() int64 {
	after := s.last
	for n := range s.open {
		after = min(after, n-1)
	}
	return after
}

// fresh says whether a call is to be shown, being new or answered since.
func (s *callsSeen) fresh(n int64, answered bool) bool {
	was, known := s.open[n], n <= s.last
	if known && (!was || !answered) {
		return false
	}
	s.last = max(s.last, n)
	if answered {
		delete(s.open, n)
	} else {
		s.open[n] = true
	}
	return true
}

func (s *sight) calls() []callView {
	var views []callView
	for _, c := range s.page.goods.CallsAfter(s.market.after()) {
		if s.market.fresh(c.Number, c.Took > 0) {
			views = append(views, s.page.viewMarketCall(c))
		}
	}
	for _, c := range s.page.chats.CallsAfter(s.telegram.after()) {
		if s.telegram.fresh(c.Number, c.Took > 0) {
			views = append(views, s.page.viewTelegramCall(c))
		}
	}
	slices.SortStableFunc(views, func(a, b callView) int { return int(a.At - b.At) })
	return views
}

func (p *page) viewMarketCall(c market.Call) callView {
	note := marketNotes[c.Action]
	view := callView{
		ID: "m" + strconv.FormatInt(c.Number, 10), Side: toMarket, Name: c.Action, At: c.At.UnixMilli(), Took: -1, Note: note,
		Said: p.masks.clean(said(c)),
	}
	if c.Fault != "" {
		view.Fault = string(c.Fault)
		view.Note = strings.TrimSpace(view.Note + " " + faultNotes[view.Fault])
	}
	if c.Took == 0 {
		view.Result = "waits for the answer"
		return view
	}
	view.Took = max(c.Took.Milliseconds(), 0)
	answer := string(c.Answer)
	view.Answer = shorten(p.masks.clean(answer))
	switch {
	case c.Status == 0:
		view.Result = "no answer"
	case c.Fault == market.Cut:
		view.Result = "cut off"
	case strings.HasPrefix(answer, `{"error":`):
		view.Result = "refused"
	default:
		view.Result = strconv.Itoa(c.Status)
		view.Good = c.Status == http.StatusOK
	}
	return view
}

// said is what the bot sent, the key by its end.
func said(c market.Call) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c.Fields)) {
		value := c.Fields.Get(name)
		switch name {
		case "action":
			continue
		case "key":
			parts = slices.Insert(parts, 0, "key "+redact.Secret(value).Tail())
			continue
		}
		parts = append(parts, name+" "+value)
	}
	return shorten(strings.Join(parts, " · "))
}

func (p *page) viewTelegramCall(c telegram.Call) callView {
	note := telegramNotes[c.Method]
	view := callView{
		ID: "t" + strconv.FormatInt(c.Number, 10), Side: toChats, Name: c.Method, At: c.At.UnixMilli(), Took: -1, Note: note,
		Said: shorten(p.masks.clean(fields(c))), Poll: c.Method == pollCalls,
	}
	if id, err := strconv.ParseInt(c.Fields["chat_id"], 10, 64); err == nil && p.people[id] != nil {
		view.Who = p.people[id].Person().FirstName
	}
	if c.Fault != "" {
		view.Fault = c.Fault
		view.Note = strings.TrimSpace(view.Note + " " + faultNotes[telegramFault+c.Fault])
	}
	if c.Took == 0 {
		view.Result = "waits for the answer"
		return view
	}
	view.Took = max(c.Took.Milliseconds(), 0)
	switch {
	case c.Code != 0:
		view.Result = fmt.Sprintf("%d %s", c.Code, c.Description)
	case c.OK && c.Fault == "lose_answer":
		view.Result = "done, no answer"
	case c.OK:
		view.Result, view.Good = "ok", true
	default:
		view.Result = "no answer"
	}
	return view
}

// fields is what the bot sent to Telegram. A keyboard is only counted: what its
// copy buttons carry is nobody else's business.
func fields(c telegram.Call) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c.Fields)) {
		value := c.Fields[name]
		switch name {
		case "chat_id", "parse_mode", "callback_query_id", "allowed_updates":
			continue
		case "reply_markup":
			value = fmt.Sprintf("%d buttons", strings.Count(value, `"text":`))
		}
		parts = append(parts, name+" "+value)
	}
	return strings.Join(parts, " · ")
}

func shorten(text string) string {
	if runes := []rune(text); len(runes) > maxShown {
		return string(runes[:maxShown]) + "…"
	}
	return text
}

// lookAgain is how soon the page looks at what changes by time alone.
const lookAgain = 2 * time.Second

// marketNotes say what an action is for.
var marketNotes = map[string]string{
	"add":              "The one request that buys. It is sent once, whatever happens: a second one would be a second purchase.",
	"add_sms":          "The one request that rents numbers. It is sent once, too.",
	"status":           "Asks what became of an order. It is only reading, so it may be repeated.",
	"balance":          "Reads the money, above all right before buying and after an answer that was not clear.",
	"inventory":        "Price and stock of one row, read again right before buying.",
	"services":         "A page of the catalogue, kept for a while.",
	"products":         "Products by their number or shelf, kept for a while.",
	"categories":       "The shelves: in English for asking, in the person’s language for reading.",
	"subcategory_info": "The description of a shelf.",
	"shops":            "The sellers.",
	"cancel":           "Ends orders. It moves money, so it is sent once.",
	"allowcancel":      "Asks whether an order may be cancelled, and what would come back.",
	"sms_projects":     "What numbers can be rented for.",
	"sms_countries":    "Where numbers can be rented.",
	"sms_code":         "Asks whether a code has come.",
	"sms_status":       "Asks what became of a rented number.",
}

// telegramNotes say what a method is for.
var telegramNotes = map[string]string{
	pollCalls:                "Waits for news of people. Its offset says what has been stored: only that acknowledges it.",
	"sendMessage":            "A new message. Where the answer is lost, only goods and what became of a purchase are sent again.",
	"editMessageText":        "Draws another screen into the same message.",
	"editMessageReplyMarkup": "Changes the buttons of a message.",
	"editMessageCaption":     "Changes the words under a file.",
	"answerCallbackQuery":    "Ends the waiting of a tapped button, perhaps with a few words.",
	"deleteMessage":          "Takes a message away; one with a key at once.",
	"deleteMessages":         "Takes messages away.",
	"sendDocument":           "Goods as a file: there are many, or Telegram would not take them as text.",
	"sendPhoto":              "A picture.",
	"sendChatAction":         "Shows that something takes a moment.",
	"setMyCommands":          "Tells Telegram the command menu, in each language.",
	"setMyDescription":       "What an empty chat says.",
	"setMyShortDescription":  "What the bot’s profile says.",
	"getMe":                  "Asks who the bot is.",
	"deleteWebhook":          "Says that the bot asks for updates itself.",
	"getWebhookInfo":         "Asks how updates are delivered.",
}

// telegramFault stands before the faults of Telegram, which have names alike.
const telegramFault = "Telegram "

// faultNotes say what a fault means for the bot.
var faultNotes = map[string]string{
	string(market.Slow):           "This answer came late on purpose.",
	string(market.Refuse):         "Refused on purpose: a clear answer, so nothing was bought.",
	string(market.Cut):            "Carried out, and the answer broke off in the middle.",
	string(market.CommitThenLose): "Sold and charged, but the answer was lost: the bot can’t know, says so, and does not buy again.",
	string(market.HTML502):        "A gateway answered instead: nothing is known of what happened behind it.",
	string(market.TooMany):        "Too many requests: the bot waits before it asks again.",
	telegramFault + "refuse":      "Too many requests, on purpose: the bot waits as long as Telegram says.",
	telegramFault + "lose_answer": "It was done, but the bot was not told.",
}
