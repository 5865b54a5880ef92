package telegram

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// chat is a private chat or a group. Server.mu guards it.
type chat struct {
	s          *Server
	id         int64
	kind       string    // "private", "group" or "supergroup"
	title      string    // of a group
	person     Person    // of a private chat
	gone       bool      // blocked by the person, or removed from the group
	messages   []Message // those of ID n at n-1
	history    []event
	answers    []Answer
	lastTap    *query
	inline     *InlineAnswer // what the person sees above the text field, nil for nothing
	lastInline *inlineQuery
	typing     time.Time // when the bot's last chat action ends
	watchers   map[chan struct{}]struct{}
	flood      bucket
}

func (c *chat) wire() wireChat {
	if c.kind == "private" {
		return wireChat{ID: c.id, Type: c.kind, Username: c.person.Username, FirstName: c.person.FirstName, LastName: c.person.LastName}
	}
	return wireChat{ID: c.id, Type: c.kind, Title: c.title}
}

// message returns the message, nil where it never was or is deleted.
func (c *chat) message(id int) *Message {
	if id < 1 || id > len(c.messages) || c.messages[id-1].Deleted {
		return nil
	}
	return &c.messages[id-1]
}

// add appends a message, numbers and dates it.
func (c *chat) add(m Message) *Message {
	m.ID, m.Chat, m.Date = len(c.messages)+1, c.id, time.Now()
	c.messages = append(c.messages, m)
	if m.FromBot {
		c.typing = time.Time{}
	}
	c.log(event{kind: eventSent, message: m})
	return &c.messages[m.ID-1]
}

// say adds what a person typed.
func (c *chat) say(p Person, text string) *Message {
	text = cleanText(text)
	text, _ = trim(text, nil)
	return c.add(Message{From: p, Text: text, Entities: detect(text, nil)})
}

// log writes an event down and wakes whoever watches the chat.
func (c *chat) log(e event) {
	if !c.s.opts.NoLog {
		c.history = append(c.history, e)
	}
	c.s.changed(c)
}

// window is what a person sees of a chat. It is embedded by Client and Group.
type window struct {
	s *Server
	c *chat
}

// ChatID returns the chat's id as the bot knows it.
func (w window) ChatID() int64 { return w.c.id }

// Messages returns the chat's messages, oldest first, without deleted ones.
func (w window) Messages() []Message {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.visible()
}

func (w window) visible() []Message {
	shown := make([]Message, 0, len(w.c.messages))
	for _, m := range w.c.messages {
		if !m.Deleted {
			shown = append(shown, m)
		}
	}
	return shown
}

// Message returns one message; false where it never was. A deleted one is
// returned with Deleted set.
func (w window) Message(id int) (Message, bool) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if id < 1 || id > len(w.c.messages) {
		return Message{}, false
	}
	return w.c.messages[id-1], true
}

// Last returns the newest message, the zero Message in an empty chat.
func (w window) Last() Message {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	for _, m := range slices.Backward(w.c.messages) {
		if !m.Deleted {
			return m
		}
	}
	return Message{}
}

// Typing says whether the chat shows that the bot types or sends a file: for 5 s
// after sendChatAction, or until its next message.
func (w window) Typing() bool {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return time.Now().Before(w.c.typing)
}

// File returns the bytes of the message's document or photo, nil where it has
// none.
func (w window) File(m Message) []byte {
	for _, d := range []*Document{m.Document, m.Photo} {
		if d != nil {
			return slices.Clone(d.Data)
		}
	}
	return nil
}

// Await returns once done accepts Messages, which are shown to it now and after
// every change of the chat. The error is the context's, with the chat as it is.
func (w window) Await(ctx context.Context, done func([]Message) bool) error {
	return w.await(ctx, func() bool { return done(w.Messages()) })
}

func (w window) await(ctx context.Context, done func() bool) error {
	changes := make(chan struct{}, 1)
	w.s.mu.Lock()
	w.c.watchers[changes] = struct{}{}
	w.s.mu.Unlock()
	defer func() {
		w.s.mu.Lock()
		delete(w.c.watchers, changes)
		w.s.mu.Unlock()
	}()
	for !done() {
		select {
		case <-changes:
		case <-ctx.Done():
			return fmt.Errorf("the chat never came to look so: %w; it is\n%s", ctx.Err(), w.Transcript())
		}
	}
	return nil
}

// Group is a group chat that the bot is in, with privacy mode on.
type Group struct{ window }

// Group returns the group of that id, and makes it where there is none, which
// the bot is told. Ids are negative; those under -1,000,000,000,000 are of
// supergroups.
func (s *Server) Group(id int64, title string) *Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.chats[id]
	if c == nil {
		c = &chat{s: s, id: id, kind: "group", title: title, watchers: map[chan struct{}]struct{}{}}
		if id < -1_000_000_000_000 {
			c.kind = "supergroup"
		}
		s.chats[id] = c
		owner := Person{ID: 777_000, FirstName: "Owner"}
		s.memberUpdate(c, owner, "left", "member")
	}
	return &Group{window{s, c}}
}

// Type says text in the group as p and returns the message's ID. The bot sees it
// only if it begins with a command that is not addressed to another bot.
func (g *Group) Type(p *Client, text string) int {
	s, c := g.s, g.c
	s.mu.Lock()
	defer s.mu.Unlock()
	m := c.say(p.c.person, text)
	if !c.gone && s.forBot(m) {
		s.enqueue("message", m.wire(c))
	}
	return m.ID
}

// Remove throws the bot out of the group, which it is told.
func (g *Group) Remove(by *Client) {
	s, c := g.s, g.c
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.gone {
		return
	}
	c.gone = true
	c.log(event{kind: eventNote, who: by.c.person.FirstName, text: "removes the bot"})
	s.memberUpdate(c, by.c.person, "member", "kicked")
}

// memberUpdate tells the bot that its own place in a chat has changed.
func (s *Server) memberUpdate(c *chat, by Person, before, after string) {
	member := func(status string) map[string]any {
		m := map[string]any{"user": s.bot.wire(true), "status": status}
		if status == "kicked" {
			m["until_date"] = 0
		}
		return m
	}
	s.enqueue("my_chat_member", map[string]any{
		"chat": c.wire(), "from": by.wire(false), "date": time.Now().Unix(),
		"old_chat_member": member(before), "new_chat_member": member(after),
	})
}
