package telegram

import (
	"maps"
	"net/url"
	"strconv"
	"time"
)

// Limits of callbacks (Bot API: answerCallbackQuery, InlineKeyboardButton).
const (
	callbackLifetime = 150 * time.Second
	maxCallbackData  = 64  // bytes
	maxToast         = 200 // UTF-16 units
	expiredQuery     = "query is too old and response timeout expired or query ID is invalid"
)

// callbackQuery is a tap, with the bot's answer.
type callbackQuery struct {
	id      string
	chat    *chat
	by      Person
	message int
	data    string
	at      time.Time
	answer  *Answer // nil: none yet
}

// callbackQueries are the taps that can still be answered.
type callbackQueries struct {
	lastID  int64 // of callback and inline queries
	open    map[string]*callbackQuery
	sweepAt int // the number of open taps at which the next sweep runs
}

// sweep removes expired taps once enough taps are open.
func (c *callbackQueries) sweep() {
	if len(c.open) < c.sweepAt {
		return
	}
	maps.DeleteFunc(c.open, func(_ string, tap *callbackQuery) bool { return time.Since(tap.at) > callbackLifetime })
	c.sweepAt = max(1024, 2*len(c.open))
}

// nextQueryID returns an id for a callback query or an inline query.
func (s *Server) nextQueryID() string {
	s.callbacks.lastID++
	return strconv.FormatInt(s.bot.ID<<32+s.callbacks.lastID, 10)
}

type wireCallbackQuery struct {
	ID       string   `json:"id"`
	From     wireUser `json:"from"`
	Message  any      `json:"message,omitempty"` // *wireMessage or wireInaccessible
	Instance string   `json:"chat_instance"`
	Data     string   `json:"data"`
}

// tap sends the bot a callback query of a person. The history shows note after their
// name.
func (c *chat) tap(by Person, messageID int, data, note string) {
	s := c.s
	s.callbacks.sweep()
	tap := &callbackQuery{id: s.nextQueryID(), chat: c, by: by, message: messageID, data: data, at: time.Now()}
	s.callbacks.open[tap.id] = tap
	c.lastTap = tap
	c.log(event{kind: eventTapped, actor: by.FirstName, text: note, message: Message{ID: messageID}, tap: tap})

	w := wireCallbackQuery{ID: tap.id, From: by.wire(false), Instance: strconv.FormatInt(c.id^0x5bd1e995, 10), Data: data}
	if m := c.message(messageID); m != nil {
		w.Message = m.wire(c)
	} else {
		w.Message = wireInaccessible{Chat: c.wire(), ID: messageID}
	}
	s.enqueue("callback_query", by.ID, w)
}

func (s *Server) answerCallbackQuery(a args) (any, *apiError) {
	text, link := a.str("text"), a.str("url")
	if utf16Len(text) > maxToast {
		return nil, badRequest("MESSAGE_TOO_LONG")
	}
	if link != "" {
		if u, err := url.Parse(link); err != nil || u.Host != "t.me" {
			return nil, badRequest("URL_INVALID")
		}
	}
	tap := s.callbacks.open[a.str("callback_query_id")]
	if tap == nil || time.Since(tap.at) > callbackLifetime {
		return nil, badRequest(expiredQuery)
	}
	delete(s.callbacks.open, tap.id) // a second answer is refused
	tap.answer = &Answer{
		Person: tap.by.ID, MessageID: tap.message, Data: tap.data, Text: text, Alert: a.flag("show_alert"),
		URL: link, At: time.Now(),
	}
	c := tap.chat
	c.answers = append(c.answers, *tap.answer)
	if s.opts.NoLog && len(c.answers) > 100 {
		c.answers = append([]Answer(nil), c.answers[50:]...)
	}
	s.changed(c)
	return true, nil
}
