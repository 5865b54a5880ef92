package telegram

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Client is one person's Telegram app, showing the private chat with the bot.
type Client struct{ window }

// Join returns the person's app; for an ID that has joined before, the same chat
// with the person's new details. The chat is open to the bot at once.
func (s *Server) Join(p Person) *Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.chats[p.ID]
	if c == nil {
		c = &chat{s: s, id: p.ID, kind: "private", watchers: map[chan struct{}]struct{}{}}
		s.chats[p.ID] = c
	}
	c.person = p
	return &Client{window{s, c}}
}

// Person returns who uses this app.
func (c *Client) Person() Person {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.c.person
}

// Type sends text and returns the message's ID; 0 while the bot is blocked and
// for a text of spaces, since neither can be sent.
func (c *Client) Type(text string) int {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.typeText(text)
}

func (c *Client) typeText(text string) int {
	if c.c.gone || strings.TrimSpace(text) == "" {
		return 0
	}
	m := c.c.say(c.c.person, text)
	c.s.enqueue("message", m.wire(c.c))
	return m.ID
}

// Sticker sends one and returns the message's ID, 0 while the bot is blocked.
func (c *Client) Sticker() int {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.c.gone {
		return 0
	}
	m := c.c.add(Message{From: c.c.person, Sticker: "👋"})
	c.s.enqueue("message", m.wire(c.c))
	return m.ID
}

// EditOwn changes a text of the person's own, which the bot is told as an
// edited_message.
func (c *Client) EditOwn(messageID int, text string) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	m := c.c.message(messageID)
	if m == nil || m.FromBot || m.Sticker != "" || c.c.gone {
		return fmt.Errorf("message %d can't be edited", messageID)
	}
	m.Text, _ = trim(cleanText(text), nil)
	m.Entities, m.EditDate = detect(m.Text, nil), time.Now()
	c.c.log(event{kind: eventEdited, message: *m})
	c.s.enqueue("edited_message", m.wire(c.c))
	return nil
}

// Delete removes a message, the person's or the bot's, for both sides. The bot
// is not told (Telegram tells no bot).
func (c *Client) Delete(messageID int) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	m := c.c.message(messageID)
	if m == nil {
		return fmt.Errorf("there is no message %d", messageID)
	}
	m.Deleted = true
	c.c.log(event{kind: eventDeleted, message: *m, who: c.c.person.FirstName})
	return nil
}

// Tap taps the button of that label in the newest message that has one. A copy
// button copies, a URL button opens; one that is a deep link to this bot sends
// its /start.
func (c *Client) Tap(label string) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for i := len(c.c.messages) - 1; i >= 0; i-- {
		if m := &c.c.messages[i]; !m.Deleted {
			if b, ok := m.button(label); ok {
				return c.press(m, b)
			}
		}
	}
	return fmt.Errorf("no message has a button %q; the newest buttons are %s", label, c.labels())
}

// TapOn taps the button of that label on one message.
func (c *Client) TapOn(messageID int, label string) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	m := c.c.message(messageID)
	if m == nil {
		return fmt.Errorf("there is no message %d", messageID)
	}
	b, ok := m.button(label)
	if !ok {
		return fmt.Errorf("message %d has no button %q", messageID, label)
	}
	return c.press(m, b)
}

// TapData sends a callback that no button has to stand behind: forged, or of a
// message deleted since.
func (c *Client) TapData(messageID int, data string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.c.lastTap = c.s.ask(c.c, messageID, data, "forges "+strconv.Quote(data))
}

// RepeatTap sends the last callback again, as apps do that got no answer: the
// same message and data under a new update id and a new callback id (Telegram
// counts it as another query).
func (c *Client) RepeatTap() error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	last := c.c.lastTap
	if last == nil {
		return errors.New("nothing has been tapped yet")
	}
	c.c.lastTap = c.s.ask(c.c, last.message, last.data, "sends the tap again")
	return nil
}

// Answers returns how the person's taps were answered, oldest first, those
// without a text included.
func (c *Client) Answers() []Answer {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return slices.Clone(c.c.answers)
}

// Toasts returns those of Answers that say something, alerts included.
func (c *Client) Toasts() []Answer {
	return slices.DeleteFunc(c.Answers(), func(a Answer) bool { return a.Text == "" })
}

// AwaitAnswers is Await for Answers.
func (c *Client) AwaitAnswers(ctx context.Context, done func([]Answer) bool) error {
	return c.await(ctx, func() bool { return done(c.Answers()) })
}

// Block stops the bot: it is told, and its messages are refused with 403.
func (c *Client) Block() { c.setBlocked(true) }

// Unblock lets the bot write again: it is told.
func (c *Client) Unblock() { c.setBlocked(false) }

// Blocked says whether the bot is blocked.
func (c *Client) Blocked() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.c.gone
}

func (c *Client) setBlocked(blocked bool) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.c.gone == blocked {
		return
	}
	c.c.gone = blocked
	note, before, after := "unblocks the bot", "kicked", "member"
	if blocked {
		note, before, after = "blocks the bot", "member", "kicked"
	}
	c.c.log(event{kind: eventNote, who: c.c.person.FirstName, text: note})
	c.s.memberUpdate(c.c, c.c.person, before, after)
}

// press does what tapping the button does. The caller holds mu.
func (c *Client) press(m *Message, b Button) error {
	if c.c.gone {
		return errors.New("the bot is blocked")
	}
	who := c.c.person.FirstName
	switch {
	case b.CallbackData != "":
		c.c.lastTap = c.s.ask(c.c, m.ID, b.CallbackData, "taps [ "+b.Text+" ]")
	case b.CopyText != "":
		c.c.log(event{kind: eventNote, who: who, text: "copies " + strconv.Quote(b.CopyText)})
	case b.URL != "":
		if start, ok := c.s.deepLink(b.URL); ok {
			c.typeText(strings.TrimSpace("/start " + start))
			return nil
		}
		c.c.log(event{kind: eventNote, who: who, text: "opens " + b.URL})
	default:
		return fmt.Errorf("a %s button can't be tapped in the sandbox", b.Other)
	}
	return nil
}

// deepLink returns the start parameter of a link to this bot.
func (s *Server) deepLink(link string) (start string, ok bool) {
	rest, ok := strings.CutPrefix(link, "https://t.me/"+s.opts.Username)
	if !ok || (rest != "" && rest[0] != '?') {
		return "", false
	}
	_, start, _ = strings.Cut(rest, "start=")
	return start, true
}

func (m *Message) button(label string) (Button, bool) {
	for _, row := range m.Keyboard {
		for _, b := range row {
			if b.Text == label {
				return b, true
			}
		}
	}
	return Button{}, false
}

// labels lists the buttons of the newest message that has any, for errors.
func (c *Client) labels() string {
	for _, m := range slices.Backward(c.c.messages) {
		if m.Deleted || len(m.Keyboard) == 0 {
			continue
		}
		var labels []string
		for _, row := range m.Keyboard {
			for _, b := range row {
				labels = append(labels, strconv.Quote(b.Text))
			}
		}
		return strings.Join(labels, ", ")
	}
	return "none"
}
