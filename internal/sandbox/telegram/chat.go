package telegram

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// chat is a private chat, a group or a channel. Server.mu guards it.
type chat struct {
	s          *Server
	id         int64
	kind       string           // "private", "group", "supergroup" or "channel"
	title      string           // of a group or a channel
	forum      bool             // a supergroup with topics
	person     Person           // of a private chat
	status     string           // the bot's: "member", "administrator", "restricted", "left" or "kicked" (also by a person who blocked it)
	rights     []string         // of the bot as an administrator, "can_manage_topics"
	people     map[int64]member // of a group or a channel, by user id
	migratedTo int64            // the supergroup that the group has become; 0: none
	messages   []Message        // the message with ID n is at n-1
	history    []event
	answers    []Answer
	lastTap    *callbackQuery
	inline     *InlineAnswer // what the person sees above the text field; nil: nothing
	lastInline *inlineQuery
	received   []Message // from other people, in chats that the bot does not see
	typing     time.Time // when the bot's last chat action ends
	watchers   watchers
	flood      bucket
	topics     map[int]*topic // by message_thread_id
}

// addChat adds an empty chat. The caller holds mu.
func (s *Server) addChat(id int64, kind string) *chat {
	c := &chat{s: s, id: id, kind: kind, status: "member", watchers: watchers{}, people: map[int64]member{}, topics: map[int]*topic{}}
	s.chats[id] = c
	return c
}

func (c *chat) wire() wireChat {
	if c.kind == "private" {
		return wireChat{ID: c.id, Type: c.kind, Username: c.person.Username, FirstName: c.person.FirstName, LastName: c.person.LastName}
	}
	return wireChat{ID: c.id, Type: c.kind, Title: c.title, Forum: c.forum}
}

// gone reports whether the bot can't write to the chat because it is not there.
func (c *chat) gone() bool { return c.status == "left" || c.status == "kicked" }

// can reports whether the bot is an administrator with this right.
func (c *chat) can(right string) bool { return slices.Contains(c.rights, right) }

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
	if m.Thread != 0 && c.topics[m.Thread] == nil {
		c.topics[m.Thread] = &topic{}
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

// Answers returns the bot's answers to taps in the chat, oldest first, also
// those without a text.
func (v chatView) Answers() []Answer {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	return slices.Clone(v.chat.answers)
}

// Toasts returns the Answers with a text, including alerts.
func (v chatView) Toasts() []Answer {
	return slices.DeleteFunc(v.Answers(), func(a Answer) bool { return a.Text == "" })
}

// AwaitAnswers is Await for Answers.
func (v chatView) AwaitAnswers(ctx context.Context, done func([]Answer) bool) error {
	return v.await(ctx, func() bool { return done(v.Answers()) })
}
