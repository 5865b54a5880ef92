package telegram

import (
	"slices"
	"time"
)

const (
	deletableFor = 48 * time.Hour // Bot API: deleteMessage
	maxDeleted   = 100            // Bot API: deleteMessages
	notModified  = "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message"
)

// edited is the message that an edit names.
func (s *Server) edited(a args) (*chat, *Message, *apiError) {
	c, err := s.target(a)
	if err != nil {
		return nil, nil, err
	}
	id := a.number("message_id")
	m := c.message(int(id))
	switch {
	case id == 0:
		return nil, nil, badRequest("message identifier is not specified")
	case m == nil:
		return nil, nil, badRequest("message to edit not found")
	case !m.FromBot || m.Reply != nil:
		return nil, nil, badRequest("message can't be edited")
	}
	return c, m, nil
}

// change puts what an edit says into a message, if it says anything new.
func (s *Server) change(c *chat, m *Message, next Message, a args) (any, *apiError) {
	var other []byte
	var err *apiError
	if next.Keyboard, next.markup, other, err = a.markup(); err != nil {
		return nil, err
	}
	if other != nil {
		return nil, badRequest("inline keyboard expected")
	}
	if next.Text == m.Text && slices.Equal(next.source, m.source) &&
		sameKeyboard(&next, m) && next.LinkPreview == m.LinkPreview {
		return nil, badRequest(notModified)
	}
	next.Entities = detect(next.Text, next.source)
	next.EditDate = time.Now()
	*m = next
	c.log(event{kind: eventEdited, message: next})
	return m.wire(c), nil
}

func (s *Server) editMessageText(a args) (any, *apiError) {
	c, m, err := s.edited(a)
	if err != nil {
		return nil, err
	}
	next := *m
	if next.Text, next.source, err = formatted(a, "text", "entities", maxMessage, "message"); err != nil {
		return nil, err
	}
	if next.Text == "" {
		return nil, badRequest("message text is empty")
	}
	if m.Document != nil || m.Photo != nil {
		return nil, badRequest("there is no text in the message to edit")
	}
	if next.LinkPreview, err = a.preview(); err != nil {
		return nil, err
	}
	next.Unloaded = s.unloadable[next.LinkPreview.URL]
	return s.change(c, m, next, a)
}

func (s *Server) editMessageCaption(a args) (any, *apiError) {
	c, m, err := s.edited(a)
	if err != nil {
		return nil, err
	}
	next := *m
	if next.Text, next.source, err = formatted(a, "caption", "caption_entities", maxCaption, "message caption"); err != nil {
		return nil, err
	}
	if m.Document == nil && m.Photo == nil {
		return nil, badRequest("there is no caption in the message to edit")
	}
	return s.change(c, m, next, a)
}

func (s *Server) editMessageReplyMarkup(a args) (any, *apiError) {
	c, m, err := s.edited(a)
	if err != nil {
		return nil, err
	}
	return s.change(c, m, *m, a)
}

func (s *Server) deleteMessage(a args) (any, *apiError) {
	c, err := s.target(a)
	if err != nil {
		return nil, err
	}
	m := c.message(int(a.number("message_id")))
	if m == nil {
		return nil, badRequest("message to delete not found")
	}
	if err := m.deletable(c); err != nil {
		return nil, err
	}
	c.remove(m)
	return true, nil
}

// deleteMessages skips what can't be found (Bot API: deleteMessages).
func (s *Server) deleteMessages(a args) (any, *apiError) {
	c, err := s.target(a)
	if err != nil {
		return nil, err
	}
	ids, _ := a["message_ids"].node.([]any)
	switch {
	case len(ids) == 0:
		return nil, badRequest("message identifiers are not specified")
	case len(ids) > maxDeleted:
		return nil, badRequest("too many message identifiers specified")
	}
	var found []*Message
	for _, id := range ids {
		m := c.message(int(number(id)))
		if m == nil {
			continue
		}
		if err := m.deletable(c); err != nil {
			return nil, err
		}
		found = append(found, m)
	}
	for _, m := range found {
		c.remove(m)
	}
	return true, nil
}

// deletable says whether the bot may: what it or the person wrote in a private
// chat, and what it wrote in a group, for 48 hours.
func (m *Message) deletable(c *chat) *apiError {
	switch {
	case time.Since(m.Date) > deletableFor:
		return badRequest("message can't be deleted for everyone")
	case !m.FromBot && c.kind != "private":
		return badRequest("message can't be deleted")
	}
	return nil
}

func (c *chat) remove(m *Message) {
	m.Deleted = true
	c.log(event{kind: eventDeleted, message: *m})
}
