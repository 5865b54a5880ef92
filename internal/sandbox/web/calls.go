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

const (
	recentCalls  = 100 // calls of each service in the first update
	maxLogText   = 400 // runes of a request or an answer in the log
	pollMethod   = "getUpdates"
	marketSide   = "marketplace"
	telegramSide = "Telegram"
)

// callView is one call of the bot. Request and Answer are redacted.
type callView struct {
	ID      string `json:"id"`
	Side    string `json:"side"`          // marketSide or telegramSide
	Name    string `json:"name"`          // action or method
	Person  string `json:"who,omitempty"` // whose chat it concerns
	At      int64  `json:"at"`            // unix ms
	Took    int64  `json:"took"`          // ms; -1: no answer yet
	OK      bool   `json:"good"`
	Result  string `json:"result"`
	Request string `json:"said"`
	Answer  string `json:"answer"`
	Note    string `json:"note"` // the call's purpose
	Fault   string `json:"fault,omitempty"`
	Poll    bool   `json:"poll,omitempty"` // a getUpdates call
}

// callCursor is the position of one browser in a log of calls.
type callCursor struct {
	last int64
	open map[int64]bool // calls sent before their answer
}

// newCallCursor returns a cursor before the last recentCalls of total calls.
func newCallCursor(total int) callCursor {
	return callCursor{last: int64(max(0, total-recentCalls)), open: map[int64]bool{}}
}

// start returns the number of the call after which the next read begins.
func (c *callCursor) start() int64 {
	start := c.last
	for n := range c.open {
		start = min(start, n-1)
	}
	return start
}

// advance reports whether a call is new or newly answered, and records it.
func (c *callCursor) advance(n int64, answered bool) bool {
	if n <= c.last && (!c.open[n] || !answered) {
		return false
	}
	c.last = max(c.last, n)
	if answered {
		delete(c.open, n)
	} else {
		c.open[n] = true
	}
	return true
}

func (s *stream) calls() []callView {
	var views []callView
	for _, c := range s.page.market.CallsAfter(s.marketCalls.start()) {
		if s.marketCalls.advance(c.Number, c.Took > 0) {
			views = append(views, s.page.viewMarketCall(c))
		}
	}
	for _, c := range s.page.telegram.CallsAfter(s.telegramCalls.start()) {
		if s.telegramCalls.advance(c.Number, c.Took > 0) {
			views = append(views, s.page.viewTelegramCall(c))
		}
	}
	slices.SortStableFunc(views, func(a, b callView) int { return int(a.At - b.At) })
	return views
}

// setTiming sets the fields that calls of both services have alike. It reports
// whether the call is answered.
func (v *callView) setTiming(at time.Time, took time.Duration) bool {
	v.At, v.Took = at.UnixMilli(), took.Milliseconds()
	if took == 0 {
		v.Took, v.Result = -1, "waiting for the answer"
	}
	return took != 0
}

func (p *page) viewMarketCall(c market.Call) callView {
	view := callView{
		ID: "m" + strconv.FormatInt(c.Number, 10), Side: marketSide, Name: c.Action, Fault: string(c.Fault),
		Note:    strings.TrimSpace(marketNotes[c.Action] + " " + faultNotes[string(c.Fault)]),
		Request: p.secrets.redact(marketRequest(c)),
	}
	if !view.setTiming(c.At, c.Took) {
		return view
	}
	answer := string(c.Answer)
	view.Answer = shorten(p.secrets.redact(answer))
	switch {
	case c.Status == 0:
		view.Result = "no answer"
	case c.Fault == market.Cut:
		view.Result = "cut off"
	case strings.HasPrefix(answer, `{"error":`):
		view.Result = "refused"
	default:
		view.Result = strconv.Itoa(c.Status)
		view.OK = c.Status == http.StatusOK
	}
	return view
}

// marketRequest formats the fields of a request, with only the end of the key.
func marketRequest(c market.Call) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c.Fields)) {
		value := c.Fields.Get(name)
		switch name {
		case "action":
		case "key":
			parts = slices.Insert(parts, 0, "key "+redact.Secret(value).Tail())
		default:
			parts = append(parts, name+" "+value)
		}
	}
	return shorten(strings.Join(parts, " · "))
}

func (p *page) viewTelegramCall(c telegram.Call) callView {
	view := callView{
		ID: "t" + strconv.FormatInt(c.Number, 10), Side: telegramSide, Name: c.Method, Fault: c.Fault, Poll: c.Method == pollMethod,
		Note:    strings.TrimSpace(telegramNotes[c.Method] + " " + faultNotes[telegramSide+c.Fault]),
		Request: shorten(p.secrets.redact(telegramRequest(c))),
	}
	id, _ := strconv.ParseInt(c.Fields["chat_id"], 10, 64) // 0 if there is none
	if person, room := p.people[id], p.room(id); person != nil {
		view.Person = person.Person().FirstName
	} else if room != nil {
		view.Person = room.Name
	}
	if !view.setTiming(c.At, c.Took) {
		return view
	}
	switch {
	case c.Code != 0:
		view.Result = fmt.Sprintf("%d %s", c.Code, c.Description)
	case c.OK && c.Fault == "lose_answer":
		view.Result = "done, no answer"
	case c.OK:
		view.Result, view.OK = "ok", true
	default:
		view.Result = "no answer"
	}
	return view
}

// telegramRequest formats the fields of a request. It only counts the buttons of a
// keyboard, because copy buttons contain goods.
func telegramRequest(c telegram.Call) string {
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
	if runes := []rune(text); len(runes) > maxLogText {
		return string(runes[:maxLogText]) + "…"
	}
	return text
}

// marketNotes explain the marketplace's actions on the page.
var marketNotes = map[string]string{
	"add":              "The only request that buys. It is never repeated, because a second request would be a second purchase.",
	"add_sms":          "The only request that rents numbers. It is never repeated either.",
	"status":           "Reads the status of an order. Reading is safe to repeat.",
	"balance":          "Reads the balance, for example right before buying and after an unclear answer.",
	"inventory":        "Reads price and stock of one item right before buying.",
	"services":         "Reads a page of the catalogue, which is cached.",
	"products":         "Reads products by number or category, which are cached.",
	"categories":       "Reads the categories: in English for filters, in the person’s language for display.",
	"subcategory_info": "Reads the description of a category.",
	"shops":            "Reads the sellers.",
	"cancel":           "Cancels orders. It moves money, so it is never repeated.",
	"allowcancel":      "Asks whether an order can be cancelled, and how much would be refunded.",
	"sms_projects":     "Reads the services that numbers can be rented for.",
	"sms_countries":    "Reads the countries where numbers can be rented.",
	"sms_code":         "Asks whether a code has arrived.",
	"sms_status":       "Reads the status of a rented number.",
}

// telegramNotes explain Telegram's methods on the page.
var telegramNotes = map[string]string{
	pollMethod:               "Waits for updates. The offset acknowledges the updates that the bot has stored.",
	"sendMessage":            "Sends a message. If the answer is lost, only goods and the outcome of a purchase are sent again.",
	"editMessageText":        "Replaces a screen in the same message.",
	"editMessageReplyMarkup": "Changes the buttons of a message.",
	"editMessageCaption":     "Changes the text below a file.",
	"answerCallbackQuery":    "Ends the waiting state of a tapped button, sometimes with a short text.",
	"deleteMessage":          "Deletes a message. A message with a key is deleted at once.",
	"deleteMessages":         "Deletes messages.",
	"sendDocument":           "Sends goods as a file: there are many, or Telegram would not accept them as text.",
	"sendPhoto":              "Sends a picture.",
	"sendChatAction":         "Shows that the bot is busy.",
	"setMyCommands":          "Sets the command menu in one language.",
	"setMyDescription":       "Sets the text of an empty chat.",
	"setMyShortDescription":  "Sets the text of the bot’s profile.",
	"getMe":                  "Reads the bot’s own name.",
	"createForumTopic":       "Makes a topic in a group.",
	"getChat":                "Reads the name and the kind of a chat.",
	"getChatMember":          "Asks for somebody’s rights in a group.",
	"deleteWebhook":          "Removes the webhook, because the bot polls for updates.",
	"getWebhookInfo":         "Asks how updates are delivered.",
}

// faultNotes explain the effect of faults on the page. Telegram's faults have
// telegramSide as a prefix.
var faultNotes = map[string]string{
	string(market.Slow):           "Injected fault: the answer came late.",
	string(market.Refuse):         "Injected fault: a clear refusal, so nothing was bought.",
	string(market.Cut):            "Injected fault: the request was carried out, and the answer broke off in the middle.",
	string(market.CommitThenLose): "Injected fault: sold and charged, and the answer was lost. The bot reports that the outcome is unknown and does not buy again.",
	string(market.HTML502):        "Injected fault: a gateway answered instead, so the outcome is unknown.",
	string(market.TooMany):        "Injected fault: too many requests. The bot waits before it asks again.",
	telegramSide + "refuse":       "Injected fault: too many requests. The bot waits as long as Telegram requires.",
	telegramSide + "lose_answer":  "Injected fault: the request was carried out, and the answer was lost.",
}
