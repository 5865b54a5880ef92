package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

const (
	typingDuration    = 5 * time.Second       // of a chat action (Bot API: sendChatAction)
	keepAliveInterval = 25 * time.Second      // between comments in an idle stream
	batchDelay        = 15 * time.Millisecond // changes in this time share one update
	refreshInterval   = 2 * time.Second       // while an order or a number changes over time
)

// events serves the stream of updates (Server-Sent Events). The first update holds
// the whole state, each further one the changes. A browser that loses the stream
// reconnects and starts with the whole state, so no history is kept.
func (p *page) events(w http.ResponseWriter, r *http.Request) {
	telegramChanges, stopTelegram := p.telegram.Subscribe()
	defer stopTelegram()
	marketChanges, stopMarket := p.market.Subscribe()
	defer stopMarket()
	botChanges, stopBot := p.bot.subscribe()
	defer stopBot()

	w.Header().Set("Content-Type", "text/event-stream")
	response := http.NewResponseController(w)
	send := func(format string, values ...any) error {
		if _, err := fmt.Fprintf(w, format, values...); err != nil {
			return fmt.Errorf("write to the browser: %w", err)
		}
		return response.Flush()
	}
	keepAlive := time.NewTicker(keepAliveInterval)
	defer keepAlive.Stop()
	refresh := time.NewTimer(keepAliveInterval) // for changes over time, which send no signal
	defer refresh.Stop()
	s := p.newStream()
	for {
		update, err := s.update()
		if err != nil {
			p.log.Error("page update failed", "error", err)
			return
		}
		if update != nil {
			if err := send("data: %s\n\n", update); err != nil {
				return
			}
		}
		if d := s.refreshAfter(); d > 0 {
			refresh.Reset(d)
		} else {
			refresh.Stop()
		}
		for idle := true; idle; {
			idle = false
			select {
			case <-telegramChanges:
			case <-marketChanges:
			case <-botChanges:
			case <-refresh.C:
			case <-keepAlive.C:
				if err := send(":\n\n"); err != nil {
					return
				}
				idle = true
			case <-r.Context().Done():
				return
			}
		}
		wait(r.Context(), batchDelay)
	}
}

// stream holds the state that one browser has received.
type stream struct {
	page          *page
	started       bool
	chats         map[int64]*chatState // by user id, or chat id of a room
	bot           botView
	keys          []byte
	faults        []byte
	orders        map[int64]orderView  // by order id
	numbers       map[int64]numberView // by order id
	marketCalls   callCursor
	telegramCalls callCursor
	changing      bool // an order or a number changes over time
}

// chatState holds the state of one chat that one browser has received.
type chatState struct {
	person   *telegram.Client  // nil: it is a room
	room     *room             // nil: it is a person's
	messages map[int]time.Time // last edit, by message id
	answers  int               // number of answers
	typing   bool
	blocked  bool
	profile  []byte
	inline   []byte
	reply    []byte
	place    string
}

// newStream returns a stream that starts with the whole state. It omits earlier
// answers to taps and all but the last recentCalls calls.
func (p *page) newStream() *stream {
	s := &stream{
		page: p, chats: map[int64]*chatState{}, orders: map[int64]orderView{}, numbers: map[int64]numberView{},
		marketCalls: newCallCursor(p.market.Count("")), telegramCalls: newCallCursor(p.telegram.Count("")),
	}
	for id, person := range p.people {
		s.chats[id] = &chatState{person: person, messages: map[int]time.Time{}, answers: len(person.Answers())}
	}
	for _, r := range p.rooms {
		s.chats[r.ID] = &chatState{room: r, messages: map[int]time.Time{}, answers: len(r.Answers())}
	}
	return s
}

// refreshAfter returns the time until the next update that no signal announces, 0 if
// there is none.
func (s *stream) refreshAfter() time.Duration {
	for _, c := range s.chats {
		if c.typing {
			return typingDuration / 10
		}
	}
	if s.changing {
		return refreshInterval
	}
	return 0
}

// update returns the changes since the last update as JSON, nil if there are none.
func (s *stream) update() ([]byte, error) {
	u := update{Chats: map[int64]chatUpdate{}}
	for id, c := range s.chats {
		update := s.page.updateChat
		if c.room != nil {
			update = s.page.updateRoom
		}
		chat, err := update(c)
		if err != nil {
			return nil, err
		}
		if !chat.empty() {
			u.Chats[id] = chat
		}
	}
	if bot := s.page.viewBot(); bot != s.bot {
		s.bot, u.Bot = bot, &bot
	}
	if err := s.updateControl(&u); err != nil {
		return nil, err
	}
	u.Calls = s.calls()
	if !s.started {
		s.started = true
		u.All = &allView{Username: botUsername, Name: botName}
		for _, r := range s.page.rooms {
			u.All.Rooms = append(u.All.Rooms, r.roomView)
		}
		for _, person := range demoPeople() {
			u.All.People = append(u.All.People, personView{person.ID, person.FirstName, person.LanguageCode, person.about})
		}
	}
	if u.empty() {
		return nil, nil
	}
	return json.Marshal(u)
}

// updateRoom returns the changes of a room.
func (p *page) updateRoom(c *chatState) (u chatUpdate, err error) {
	if err := c.updateMessages(&u, c.room.Messages(), c.room.viewMessage); err != nil {
		return u, err
	}
	c.updateAnswers(&u, c.room.Answers())
	c.updateTyping(&u, c.room.Typing())
	if place := c.room.BotStatus(); place != c.place {
		c.place, u.Place = place, place
	}
	return u, nil
}

func (c *chatState) updateAnswers(u *chatUpdate, answers []telegram.Answer) {
	for _, a := range answers[min(c.answers, len(answers)):] {
		u.Answers = append(u.Answers, answerView{Message: a.MessageID, Data: a.Data, Text: a.Text, Alert: a.Alert})
	}
	c.answers = len(answers)
}

func (c *chatState) updateTyping(u *chatUpdate, typing bool) {
	if typing != c.typing {
		c.typing, u.Typing = typing, &typing
	}
}

// updateChat returns the changes of one person's chat.
func (p *page) updateChat(c *chatState) (u chatUpdate, err error) {
	messages := c.person.Messages()
	for i, m := range c.person.Received() {
		m.ID = -1 - i // no id of the chat with the bot
		messages = append(messages, m)
	}
	slices.SortStableFunc(messages, func(a, b telegram.Message) int { return a.Date.Compare(b.Date) })
	err = c.updateMessages(&u, messages, func(m telegram.Message) messageView {
		shown := viewMessage(m)
		if m.ID < 0 {
			shown.Own, shown.From = false, m.From.FirstName
		}
		return shown
	})
	if err != nil {
		return u, err
	}
	c.updateAnswers(&u, c.person.Answers())
	c.updateTyping(&u, c.person.Typing())
	if blocked := c.person.Blocked(); blocked != c.blocked {
		c.blocked, u.Blocked = blocked, &blocked
	}
	if u.Profile, err = changed(&c.profile, p.viewProfile(c.person)); err != nil {
		return u, err
	}
	if u.Reply, err = changed(&c.reply, p.viewReply(c.person)); err != nil {
		return u, err
	}
	u.Inline, err = changed(&c.inline, viewInline(c.person))
	return u, err
}

// updateMessages adds new messages, those whose edit date has changed, and the ids of
// deleted ones.
func (c *chatState) updateMessages(u *chatUpdate, messages []telegram.Message, show func(telegram.Message) messageView) error {
	present := make(map[int]bool, len(messages))
	for _, m := range messages {
		present[m.ID] = true
		if edited, known := c.messages[m.ID]; known && edited.Equal(m.EditDate) {
			continue
		}
		view, err := json.Marshal(show(m))
		if err != nil {
			return fmt.Errorf("encode message %d: %w", m.ID, err)
		}
		c.messages[m.ID] = m.EditDate
		u.Messages = append(u.Messages, view)
	}
	for id := range c.messages {
		if !present[id] {
			delete(c.messages, id)
			u.Deleted = append(u.Deleted, id)
		}
	}
	slices.Sort(u.Deleted)
	return nil
}

// updateControl adds the changes of the back room.
func (s *stream) updateControl(u *update) error {
	orders, numbers := s.page.market.Orders(), s.page.market.Numbers()
	s.page.secrets.update(orders, numbers)
	s.changing = slices.ContainsFunc(orders, func(o market.Order) bool { return o.Open && o.AutoDelivery }) ||
		slices.ContainsFunc(numbers, func(n market.Number) bool { return n.Open || n.Follows })
	for _, o := range orders {
		if err := appendChanged(s.orders, o.Number, viewOrder(o), &u.Orders); err != nil {
			return err
		}
	}
	for _, n := range numbers {
		if err := appendChanged(s.numbers, n.Number, viewNumber(n), &u.Numbers); err != nil {
			return err
		}
	}
	var err error
	if u.Keys, err = changed(&s.keys, s.page.viewKeys()); err != nil {
		return err
	}
	u.Faults, err = changed(&s.faults, s.page.viewFaults())
	return err
}

// appendChanged appends the JSON of a view that is new or differs from the last one.
func appendChanged[V comparable](last map[int64]V, id int64, view V, to *[]json.RawMessage) error {
	if before, known := last[id]; known && before == view {
		return nil
	}
	last[id] = view
	data, err := json.Marshal(view)
	if err != nil {
		return fmt.Errorf("encode order %d: %w", id, err)
	}
	*to = append(*to, data)
	return nil
}

// changed returns the JSON of a view if it differs from *last, which it replaces,
// and nil if it does not.
func changed(last *[]byte, view any) (json.RawMessage, error) {
	data, err := json.Marshal(view)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", view, err)
	}
	if bytes.Equal(data, *last) {
		return nil, nil
	}
	*last = data
	return data, nil
}
