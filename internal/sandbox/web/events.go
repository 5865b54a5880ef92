package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// typingLasts is how long "typing" is shown (Bot API: sendChatAction).
const typingLasts = 5 * time.Second

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

	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	typing := time.NewTimer(typingLasts)
	defer typing.Stop()
	seen := p.look()
	for {
		update, err := seen.update()
		if err != nil {
			p.log.Error("the page can't be told", "error", err)
			return
		}
		if update != nil {
			if _, err := fmt.Fprintf(w, "data: %s\n\n", update); err != nil {
				return // the browser is gone
			}
			if err := control.Flush(); err != nil {
				return
			}
			if seen.typing {
				typing.Reset(typingLasts)
			}
		}
		select {
		case <-chat:
		case <-goods:
		case <-bot:
		case <-typing.C:
		case <-r.Context().Done():
			return
		}
	}
}

// sight is what one browser has been shown.
type sight struct {
	page     *page
	began    bool
	messages map[int][]byte // as they were sent
	answers  int            // how many
	room     []byte
	profile  []byte
	bot      string
	typing   bool
}

// look begins a stream. What taps were answered with before it is not repeated.
func (p *page) look() *sight {
	return &sight{page: p, messages: map[int][]byte{}, answers: len(p.person.Answers())}
}

// update returns the JSON of what has changed since the last one, nil if
// nothing has.
func (s *sight) update() ([]byte, error) {
	var u update
	shown := map[int]bool{}
	for _, m := range s.page.person.Messages() {
		shown[m.ID] = true
		view, err := json.Marshal(viewMessage(m))
		if err != nil {
			return nil, fmt.Errorf("show message %d: %w", m.ID, err)
		}
		if !bytes.Equal(view, s.messages[m.ID]) {
			s.messages[m.ID] = view
			u.Messages = append(u.Messages, view)
		}
	}
	for id := range s.messages {
		if !shown[id] {
			delete(s.messages, id)
			u.Deleted = append(u.Deleted, id)
		}
	}
	answers := s.page.person.Answers()
	for _, a := range answers[min(s.answers, len(answers)):] {
		u.Answers = append(u.Answers, answerView{Message: a.MessageID, Data: a.Data, Text: a.Text, Alert: a.Alert})
	}
	s.answers = len(answers)

	var err error
	if u.Room, err = changed(&s.room, s.page.viewRoom()); err != nil {
		return nil, err
	}
	if u.Profile, err = changed(&s.profile, s.page.viewProfile()); err != nil {
		return nil, err
	}
	if state := s.page.bot.state(); state != s.bot {
		s.bot, u.Bot = state, state
	}
	if typing := s.page.person.Typing(); typing != s.typing {
		s.typing, u.Typing = typing, &typing
	}
	if !s.began {
		s.began = true
		u.All = &allView{Username: botUsername}
	} else if u.empty() {
		return nil, nil
	}
	return json.Marshal(u)
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
