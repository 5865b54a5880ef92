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
	kicked     bool      // the person blocked the bot, or a group removed it
	messages   []Message // the message with ID n is at n-1
	history    []event
	answers    []Answer
	lastTap    *callbackQuery
	inline     *InlineAnswer // what the person sees above the text field; nil: nothing
	lastInline *inlineQuery
	typing     time.Time // when the bot's last chat action ends
	watchers   watchers
	flood      bucket
	topics     map[int]bool // by message_thread_id
}

// addChat adds an empty chat. The caller holds mu.
func (s *Server) addChat(id int64, kind string) *chat {
	c := &chat{s: s, id: id, kind: kind, watchers: watchers{}, topics: map[int]bool{}}
	s.chats[id] = c
	return c
}

func (c *chat) wire() wireChat {
	if c.kind == "private" {
		return wireChat{ID: c.id, Type: c.kind, Username: c.person.Username, FirstName: c.person.FirstName, LastName: c.person.LastName}
	}
	return wireChat{ID: c.id, Type: c.kind, Title: c.title}
}

// message returns nil if the message does not exist or is deleted.
func (c *chat) message(id int) *Message {
	if id < 1 || id > len(c.messages) || c.messages[id-1].Deleted {
		return nil
	}
	return &c.messages[id-1]
}

// add appends a message and sets its ID and date.
func (c *chat) add(m Message) *Message {
	m.ID, m.Chat, m.Date = len(c.messages)+1, c.id, time.Now()
	c.messages = append(c.messages, m)
	if m.FromBot {
		c.typing = time.Time{}
	}
	c.log(event{kind: eventSent, message: m})
	return &c.messages[m.ID-1]
}

// addTyped adds a text that a person typed.
func (c *chat) addTyped(p Person, text string) *Message {
	text, _ = trim(cleanText(text), nil)
	return c.add(Message{From: p, Text: text, Entities: detectEntities(text, nil)})
}

// addComposed adds a message that a person composed.
func (c *chat) addComposed(p Person, m Message) *Message {
	text, _ := trim(cleanText(m.Text), nil)
	if m.Thread != 0 {
		c.topics[m.Thread] = true
	}
	return c.add(Message{
		From: p, Text: text, Entities: detectEntities(text, nil), Photo: m.Photo, Sticker: m.Sticker,
		Thread: m.Thread, Album: m.Album, Anonymous: m.Anonymous,
	})
}

// deleteMessage deletes a message; actor is "" for the bot.
func (c *chat) deleteMessage(m *Message, actor string) {
	m.Deleted = true
	c.log(event{kind: eventDeleted, message: *m, actor: actor})
}

// log adds an event to the history and notifies the chat's watchers.
func (c *chat) log(e event) {
	if !c.s.opts.NoLog {
		c.history = append(c.history, e)
	}
	c.s.changed(c)
}

// chatView is what a person sees of a chat. Client and Group embed it.
type chatView struct {
	s    *Server
	chat *chat
}

// ChatID returns the chat's id as the bot sees it.
func (v chatView) ChatID() int64 { return v.chat.id }

// Messages returns the messages that are not deleted, oldest first.
func (v chatView) Messages() []Message {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	return v.visible()
}

func (v chatView) visible() []Message {
	shown := make([]Message, 0, len(v.chat.messages))
	for _, m := range v.chat.messages {
		if !m.Deleted {
			shown = append(shown, m)
		}
	}
	return shown
}

// DeleteTopic deletes a topic. The bot can no longer write there.
func (v chatView) DeleteTopic(thread int) {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	delete(v.chat.topics, thread)
}

// Message returns one message, also a deleted one (with Deleted set), and false
// if it never existed.
func (v chatView) Message(id int) (Message, bool) {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	if id < 1 || id > len(v.chat.messages) {
		return Message{}, false
	}
	return v.chat.messages[id-1], true
}

// Last returns the newest message that is not deleted, or the zero Message.
func (v chatView) Last() Message {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	for _, m := range slices.Backward(v.chat.messages) {
		if !m.Deleted {
			return m
		}
	}
	return Message{}
}

// Typing reports whether the chat shows that the bot types or sends a file: for
// 5 s after sendChatAction, or until its next message.
func (v chatView) Typing() bool {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	return time.Now().Before(v.chat.typing)
}

// File returns the bytes of the message's document or photo, nil if it has none.
func (v chatView) File(m Message) []byte {
	if d := m.file(); d != nil {
		return slices.Clone(d.Data)
	}
	return nil
}

// Await calls done with Messages, now and after every change of the chat, until
// done returns true. If ctx ends first, the error wraps ctx.Err() and shows the
// chat's transcript.
func (v chatView) Await(ctx context.Context, done func([]Message) bool) error {
	return v.await(ctx, func() bool { return done(v.Messages()) })
}

func (v chatView) await(ctx context.Context, done func() bool) error {
	changes, cancel := v.s.subscribe(v.chat.watchers)
	defer cancel()
	for !done() {
		select {
		case <-changes:
		case <-ctx.Done():
			return fmt.Errorf("wait for the chat: %w; it is\n%s", ctx.Err(), v.Transcript())
		}
	}
	return nil
}

// Group is a group chat in which the bot is a member with privacy mode on.
type Group struct{ chatView }

// Group returns the group with this id. It creates a missing group, and the bot
// gets a my_chat_member update. Ids are negative; an id below -1,000,000,000,000
// makes a supergroup.
func (s *Server) Group(id int64, title string) *Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.chats[id]
	if c == nil {
		kind := "group"
		if id < -1_000_000_000_000 {
			kind = "supergroup"
		}
		c = s.addChat(id, kind)
		c.title = title
		s.enqueueMembership(c, Person{ID: 777_000, FirstName: "Owner"}, "left", "member")
	}
	return &Group{chatView{s, c}}
}

// Type sends text to the group as p and returns the message's ID. The bot gets
// the message only if it begins with a command that names no other bot.
func (g *Group) Type(p *Client, text string) int { return g.Send(p, Message{Text: text}) }

// Send is Type with the Text, Thread and Anonymous of m. A Thread creates the topic.
func (g *Group) Send(p *Client, composed Message) int {
	s, c := g.s, g.chat
	s.mu.Lock()
	defer s.mu.Unlock()
	m := c.addComposed(p.chat.person, composed)
	if !c.kicked && s.visibleToBot(m) {
		s.enqueue("message", m.wire(c))
	}
	return m.ID
}

// Remove removes the bot from the group. The bot gets a my_chat_member update.
func (g *Group) Remove(by *Client) {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	g.chat.setKicked(true, by.chat.person, "removes the bot")
}

// setKicked changes the bot's membership and sends it a my_chat_member update.
func (c *chat) setKicked(kicked bool, by Person, note string) {
	if c.kicked == kicked {
		return
	}
	c.kicked = kicked
	c.log(event{kind: eventNote, actor: by.FirstName, text: note})
	before, after := "kicked", "member"
	if kicked {
		before, after = after, before
	}
	c.s.enqueueMembership(c, by, before, after)
}

// enqueueMembership adds a my_chat_member update.
func (s *Server) enqueueMembership(c *chat, by Person, before, after string) {
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
