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
	typingLasts = 5 * time.Second       // how long "typing" is shown (Bot API: sendChatAction)
	keepAlive   = 25 * time.Second      // between two comments in a stream that has nothing to tell
	gather      = 15 * time.Millisecond // changes that come together are told together
)

// events streams what is to be seen (Server-Sent Events): first an update with
// everything, then one with what is new whenever something is. A browser that
// loses the stream asks again by itself and begins anew, so nothing has to be
// remembered here.
func (p *page) events(w http.ResponseWriter, r *http.Request) {
	chat, stopChat := p.chats.Subscribe()
	defer stopChat()
	goods, stopGoods := p.goods.Subscribe()
	defer stopGoods()
	bot, stopBot := p.bot.subscribe()
	defer stopBot()

	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	send := func(format string, values ...any) error {
		if _, err := fmt.Fprintf(w, format, values...); err != nil {
			return fmt.Errorf("the browser is gone: %w", err)
		}
		return control.Flush()
	}
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	later := time.NewTimer(keepAlive) // something that time alone changes
	defer later.Stop()
	seen := p.look()
	for {
		update, err := seen.update()
		if err != nil {
			p.log.Error("the page can't be told", "error", err)
			return
		}
		if update != nil {
			if err := send("data: %s\n\n", update); err != nil {
				return
			}
		}
		if d := seen.changesIn(); d > 0 {
			later.Reset(d)
		} else {
			later.Stop()
		}
		for again := true; again; {
			again = false
			select {
			case <-chat:
			case <-goods:
			case <-bot:
			case <-later.C:
			case <-alive.C:
				if err := send(":\n\n"); err != nil {
					return
				}
				again = true
			case <-r.Context().Done():
				return
			}
		}
		wait(r.Context(), gather)
	}
}

// sight is what one browser has been shown.
type sight struct {
	page     *page
	began    bool
	chats    map[int64]*chatSight
	bot      botView
	keys     []byte
	faults   []byte
	orders   map[int64]orderView
	numbers  map[int64]numberView
	market   callsSeen
	telegram callsSeen
	waiting  bool // an order or a number is about to change by itself
}

// chatSight is what one browser has been shown of one chat.
type chatSight struct {
	person   *telegram.Client
	messages map[int]time.Time // by id, when they were last edited
	answers  int               // how many
	typing   bool
	blocked  bool
	profile  []byte
}

// look begins a stream. What taps were answered with before it is not repeated.
func (p *page) look() *sight {
	s := &sight{
		page: p, chats: map[int64]*chatSight{}, orders: map[int64]orderView{}, numbers: map[int64]numberView{},
		market:   callsSeen{last: max(0, int64(p.goods.Count(""))-oldCalls), open: map[int64]bool{}},
		telegram: callsSeen{last: max(0, int64(p.chats.Count(""))-oldCalls), open: map[int64]bool{}},
	}
	for id, person := range p.people {
		s.chats[id] = &chatSight{person: person, messages: map[int]time.Time{}, answers: len(person.Answers())}
	}
	return s
}

// changesIn is how soon something may change by time alone, 0 where nothing does.
func (s *sight) changesIn() time.Duration {
	for _, c := range s.chats {
		if c.typing {
			return typingLasts / 10
		}
	}
	if s.waiting {
		return lookAgain
	}
	return 0
}

// update returns the JSON of what has changed since the last one, nil if
// nothing has.
func (s *sight) update() ([]byte, error) {
	u := update{Chats: map[int64]chatUpdate{}}
	for id, c := range s.chats {
		one, err := s.page.updateChat(c)
		if err != nil {
			return nil, err
		}
		if !one.empty() {
			u.Chats[id] = one
		}
	}
	if bot := s.page.viewBot(); bot != s.bot {
		s.bot, u.Bot = bot, &bot
	}
	if err := s.updateRoom(&u); err != nil {
		return nil, err
	}
	u.Calls = s.calls()
	if !s.began {
		s.began = true
		u.All = &allView{Username: botUsername, Name: botName}
		for _, who := range residents() {
			u.All.People = append(u.All.People, personView{who.ID, who.FirstName, who.LanguageCode, who.about})
		}
	}
	if u.empty() {
		return nil, nil
	}
	return json.Marshal(u)
}

// updateChat looks at one chat. Only messages that are new or edited since are
// put into JSON: an edit has a time of its own.
func (p *page) updateChat(c *chatSight) (chatUpdate, error) {
	var u chatUpdate
	shown := 0
	messages := c.person.Messages()
	for _, m := range messages {
		edited, known := c.messages[m.ID]
		if known {
			shown++
			if edited.Equal(m.EditDate) {
				continue
			}
		}
		view, err := json.Marshal(viewMessage(m))
		if err != nil {
			return u, fmt.Errorf("show message %d: %w", m.ID, err)
		}
		c.messages[m.ID] = m.EditDate
		if !known {
			shown++
		}
		u.Messages = append(u.Messages, view)
	}
	if shown < len(c.messages) {
		left := map[int]bool{}
		for _, m := range messages {
			left[m.ID] = true
		}
		for id := range c.messages {
			if !left[id] {
				delete(c.messages, id)
				u.Deleted = append(u.Deleted, id)
			}
		}
		slices.Sort(u.Deleted)
	}
	answers := c.person.Answers()
	for _, a := range answers[min(c.answers, len(answers)):] {
		u.Answers = append(u.Answers, answerView{Message: a.MessageID, Data: a.Data, Text: a.Text, Alert: a.Alert})
	}
	c.answers = len(answers)
	if typing := c.person.Typing(); typing != c.typing {
		c.typing, u.Typing = typing, &typing
	}
	if blocked := c.person.Blocked(); blocked != c.blocked {
		c.blocked, u.Blocked = blocked, &blocked
	}
	var err error
	u.Profile, err = changed(&c.profile, p.viewProfile(c.person))
	return u, err
}

// updateRoom looks at the back room.
func (s *sight) updateRoom(u *update) error {
	orders, numbers := s.page.goods.Orders(), s.page.goods.Numbers()
	s.page.masks.learn(orders, numbers)
	s.waiting = slices.ContainsFunc(orders, func(o market.Order) bool { return o.Open && o.AutoDelivery }) ||
		slices.ContainsFunc(numbers, func(n market.Number) bool { return n.Open || n.Follows })
	for _, o := range orders {
		if err := fresh(s.orders, o.Number, viewOrder(o), &u.Orders); err != nil {
			return err
		}
	}
	for _, n := range numbers {
		if err := fresh(s.numbers, n.Number, viewNumber(n), &u.Numbers); err != nil {
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

// fresh appends the JSON of a view that is new or differs from the last one.
func fresh[V comparable](last map[int64]V, number int64, view V, to *[]json.RawMessage) error {
	if was, ok := last[number]; ok && was == view {
		return nil
	}
	last[number] = view
	data, err := json.Marshal(view)
	if err != nil {
		return fmt.Errorf("show %d: %w", number, err)
	}
	*to = append(*to, data)
	return nil
}

// changed returns the JSON of a view where it differs from the last one, which
// it replaces.
func changed(last *[]byte, view any) (json.RawMessage, error) {
	now, err := json.Marshal(view)
	if err != nil {
		return nil, fmt.Errorf("show the page's side: %w", err)
	}
	if bytes.Equal(now, *last) {
		return nil, nil
	}
	*last = now
	return now, nil
}
