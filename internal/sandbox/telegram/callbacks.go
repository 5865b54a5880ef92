package telegram

import (
	"maps"
	"net/url"
	"strconv"
	"time"
)

// Limits of callbacks (Bot API: answerCallbackQuery, InlineKeyboardButton).
const (
	callbackLife = 150 * time.Second
	maxCallback  = 64  // bytes of callback_data
	maxToast     = 200 // UTF-16 units
	expiredQuery = "query is too old and response timeout expired or query ID is invalid"
)

// query is a tap that waits for its answer, or got it.
type query struct {
	id      string
	chat    *chat
	message int
	data    string
	at      time.Time
	answer  *Answer // nil: none yet
}

// queries are the taps that can still be answered.
type queries struct {
	last    int64
	open    map[string]*query
	sweepAt int // how many open ones make it worth looking for expired ones
}

// sweep forgets expired queries, now and then.
func (q *queries) sweep() {
	if len(q.open) < q.sweepAt {
		return
	}
	maps.DeleteFunc(q.open, func(_ string, one *query) bool { return time.Since(one.at) > callbackLife })
	q.sweepAt = max(1024, 2*len(q.open))
}

type wireQuery struct {
	ID       string   `json:"id"`
	From     wireUser `json:"from"`
	Message  any      `json:"message,omitempty"` // *wireMessage or inaccessible
	Instance string   `json:"chat_instance"`
	Data     string   `json:"data"`
}

// ask tells the bot of a tap. how is what the history says the person does.
func (s *Server) ask(c *chat, messageID int, data, how string) *query {
	s.queries.sweep()
	s.queries.last++
	q := &query{
		id: strconv.FormatInt(s.bot.ID<<32+s.queries.last, 10), chat: c,
		message: messageID, data: data, at: time.Now(),
	}
	s.queries.open[q.id] = q
	c.log(event{kind: eventTapped, who: c.person.FirstName, text: how, message: Message{ID: messageID}, tap: q})

	out := wireQuery{ID: q.id, From: c.person.wire(false), Instance: strconv.FormatInt(c.id^0x5bd1e995, 10), Data: data}
	if m := c.message(messageID); m != nil {
		out.Message = m.wire(c)
	} else {
		out.Message = inaccessible{Chat: c.wire(), ID: messageID}
	}
	s.enqueue("callback_query", out)
	return q
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
	q := s.queries.open[a.str("callback_query_id")]
	if q == nil || time.Since(q.at) > callbackLife {
		return nil, badRequest(expiredQuery)
	}
	delete(s.queries.open, q.id) // a second answer finds no query
	q.answer = &Answer{
		MessageID: q.message, Data: q.data, Text: text, Alert: a.flag("show_alert"),
		URL: link, At: time.Now(),
	}
	q.chat.answers = append(q.chat.answers, *q.answer)
	if s.opts.NoLog && len(q.chat.answers) > 100 {
		q.chat.answers = append([]Answer(nil), q.chat.answers[50:]...)
	}
	s.changed(q.chat)
	return true, nil
}
