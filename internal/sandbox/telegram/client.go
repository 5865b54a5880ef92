package telegram

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Client is a person's Telegram app. It shows the private chat with the bot.
type Client struct{ chatView }

var errBlocked = errors.New("the bot is blocked")

// Join returns the person's app. An ID that has joined before keeps its chat and
// gets the new details. The bot can write to the chat at once.
func (s *Server) Join(p Person) *Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.chats[p.ID]
	if c == nil {
		c = s.addChat(p.ID, "private")
	}
	c.person = p
	return &Client{chatView{s, c}}
}

// Person returns the person who uses this app.
func (c *Client) Person() Person {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.chat.person
}

// Type sends text and returns the message's ID. Blank text, and any text while
// the bot is blocked, is not sent: the ID is 0.
func (c *Client) Type(text string) int {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.typeText(text)
}

func (c *Client) typeText(text string) int {
	if c.chat.gone() || strings.TrimSpace(text) == "" {
		return 0
	}
	return c.send(c.chat.addTyped(c.chat.person, text))
}

// Send sends a message with the Text, Photo, Sticker, Thread and Album of m, and returns
// its ID, 0 while the bot is blocked. A Thread creates the topic.
func (c *Client) Send(m Message) int {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.chat.gone() {
		return 0
	}
	return c.send(c.chat.addComposed(c.chat.person, m))
}

// Sticker sends a sticker and returns the message's ID, 0 while the bot is blocked.
func (c *Client) Sticker() int {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.chat.gone() {
		return 0
	}
	return c.send(c.chat.add(Message{From: c.chat.person, Sticker: "👋"}))
}

func (c *Client) send(m *Message) int {
	c.s.enqueue("message", c.chat.id, m.wire(c.chat))
	return m.ID
}

// EditOwn changes a text message of the person. The bot gets an edited_message
// update.
func (c *Client) EditOwn(messageID int, text string) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	m := c.chat.message(messageID)
	if m == nil || m.FromBot || m.Sticker != "" || m.Service != nil || c.chat.gone() {
		return fmt.Errorf("message %d can't be edited", messageID)
	}
	m.Text, _ = trim(cleanText(text), nil)
	m.Entities, m.EditDate = detectEntities(m.Text, nil), time.Now()
	c.chat.log(event{kind: eventEdited, message: *m})
	c.s.enqueue("edited_message", c.chat.id, m.wire(c.chat))
	return nil
}

// Delete deletes a message, the person's or the bot's, for both sides. Telegram
// sends bots no update about it.
func (c *Client) Delete(messageID int) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	m := c.chat.message(messageID)
	if m == nil {
		return fmt.Errorf("there is no message %d", messageID)
	}
	c.chat.deleteMessage(m, c.chat.person.FirstName)
	return nil
}

// Tap taps the button with this label in the newest message that has one. A copy
// button copies and a URL button opens its link; a deep link to this bot sends
// /start with its parameter.
func (c *Client) Tap(label string) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for i := len(c.chat.messages) - 1; i >= 0; i-- {
		if m := &c.chat.messages[i]; !m.Deleted {
			if b, ok := m.labelled(label); ok {
				return c.tap(m, b)
			}
		}
	}
	return fmt.Errorf("no message has a button %q; the newest buttons are %s", label, c.labels())
}

// TapOn taps the button with this label in one message.
func (c *Client) TapOn(messageID int, label string) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	m := c.chat.message(messageID)
	if m == nil {
		return fmt.Errorf("there is no message %d", messageID)
	}
	b, ok := m.labelled(label)
	if !ok {
		return fmt.Errorf("message %d has no button %q", messageID, label)
	}
	return c.tap(m, b)
}

// TapButton taps the button with this callback data, as the app last showed the
// message: also if an edit has removed the button or the message is deleted. It
// fails if the message never existed, if data is empty and if the bot is blocked.
func (c *Client) TapButton(messageID int, data string) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if messageID < 1 || messageID > len(c.chat.messages) || data == "" {
		return fmt.Errorf("message %d has no such button", messageID)
	}
	if c.chat.gone() {
		return errBlocked
	}
	m := &c.chat.messages[messageID-1]
	if b, ok := m.button(func(b Button) bool { return b.CallbackData == data }); ok {
		return c.tap(m, b)
	}
	c.chat.tap(c.chat.person, messageID, data, "taps a button of before, "+strconv.Quote(data))
	return nil
}

// TapData sends callback data that no button needs to have: forged data, or the
// data of a deleted message.
func (c *Client) TapData(messageID int, data string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.chat.tap(c.chat.person, messageID, data, "forges "+strconv.Quote(data))
}

// RepeatTap sends the last callback again, as an app does that got no answer: the
// same message and data with a new update id and a new callback id.
func (c *Client) RepeatTap() error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	last := c.chat.lastTap
	if last == nil {
		return errors.New("nothing has been tapped yet")
	}
	c.chat.tap(c.chat.person, last.message, last.data, "sends the tap again")
	return nil
}

// Block blocks the bot. The bot gets a my_chat_member update, and its calls for
// this chat are refused with 403.
func (c *Client) Block() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.chat.setStatus(c.chat.person, "kicked", nil, "blocks the bot")
}

// Unblock ends Block. The bot gets a my_chat_member update.
func (c *Client) Unblock() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.chat.setStatus(c.chat.person, "member", nil, "unblocks the bot")
}

// Blocked reports whether the person has blocked the bot.
func (c *Client) Blocked() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.chat.gone()
}

// tap does what tapping the button does. The caller holds mu.
func (c *Client) tap(m *Message, b Button) error {
	if c.chat.gone() {
		return errBlocked
	}
	note := event{kind: eventNote, actor: c.chat.person.FirstName}
	switch {
	case b.CallbackData != "":
		c.chat.tap(c.chat.person, m.ID, b.CallbackData, "taps [ "+b.Text+" ]")
		return nil
	case b.CopyText != "":
		note.text = "copies " + strconv.Quote(b.CopyText)
	case b.URL != "":
		if start, ok := c.s.deepLink(b.URL); ok {
			c.typeText(strings.TrimSpace("/start " + start))
			return nil
		}
		note.text = "opens " + b.URL
	case b.Other == switchInline: // the person chooses a chat, in which the app types the query
		c.chat.inline = nil
		c.startInlineQuery(b.Query, "")
		return nil
	default:
		return fmt.Errorf("a %s button can't be tapped in the sandbox", b.Other)
	}
	c.chat.log(note)
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

func (m *Message) labelled(label string) (Button, bool) {
	return m.button(func(b Button) bool { return b.Text == label })
}

// button returns the first button that matches.
func (m *Message) button(matches func(Button) bool) (Button, bool) {
	for _, row := range m.Keyboard {
		if i := slices.IndexFunc(row, matches); i >= 0 {
			return row[i], true
		}
	}
	return Button{}, false
}

// labels lists the buttons of the newest message with a keyboard, for errors.
func (c *Client) labels() string {
	for _, m := range slices.Backward(c.visible()) {
		var labels []string
		for _, b := range slices.Concat(m.Keyboard...) {
			labels = append(labels, strconv.Quote(b.Text))
		}
		if len(labels) > 0 {
			return strings.Join(labels, ", ")
		}
	}
	return "none"
}
