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

// editTarget returns the message to edit.
func (s *Server) editTarget(a args) (*chat, *Message, *apiError) {
	c, err := s.targetChat(a)
	if err != nil {
		return nil, nil, err
	}
	id := a.integer("message_id")
	m := c.message(int(id))
	switch {
	case id == 0:
		return nil, nil, badRequest("message identifier is not specified")
	case m == nil:
		return nil, nil, badRequest("message to edit not found")
	case !m.FromBot || m.Reply != nil || m.Service != nil || c.checkWritable() != nil:
		return nil, nil, badRequest("message can't be edited")
	}
	return c, m, nil
}

// applyEdit replaces m with edited and the call's keyboard, unless nothing
// changes.
func (s *Server) applyEdit(c *chat, m *Message, edited Message, a args) (any, *apiError) {
	var other []byte
	var err *apiError
	if edited.Keyboard, edited.markup, other, err = a.markup(); err != nil {
		return nil, err
	}
	if other != nil {
		return nil, badRequest("inline keyboard expected")
	}
	if err := s.unknownToOld(&edited, a); err != nil {
		return nil, err
	}
	if edited.Text == m.Text && slices.Equal(edited.source, m.source) &&
		sameKeyboard(&edited, m) && edited.LinkPreview == m.LinkPreview {
		return nil, badRequest(notModified)
	}
	edited.Entities = detectEntities(edited.Text, edited.source)
	edited.EditDate = time.Now()
	*m = edited
	c.log(event{kind: eventEdited, message: edited})
	return m.wire(c), nil
}

func (s *Server) editMessageText(a args) (any, *apiError) {
	c, m, err := s.editTarget(a)
	if err != nil {
		return nil, err
	}
	edited := *m
	if err := edited.setText(a); err != nil {
		return nil, err
	}
	if m.file() != nil {
		return nil, badRequest("there is no text in the message to edit")
	}
	if err := s.setPreview(&edited, a); err != nil {
		return nil, err
	}
	return s.applyEdit(c, m, edited, a)
}

func (s *Server) editMessageCaption(a args) (any, *apiError) {
	c, m, err := s.editTarget(a)
	if err != nil {
		return nil, err
	}
	edited := *m
	if err := edited.setCaption(a); err != nil {
		return nil, err
	}
	if m.file() == nil {
		return nil, badRequest("there is no caption in the message to edit")
	}
	return s.applyEdit(c, m, edited, a)
}

func (s *Server) editMessageReplyMarkup(a args) (any, *apiError) {
	c, m, err := s.editTarget(a)
	if err != nil {
		return nil, err
	}
	return s.applyEdit(c, m, *m, a)
}

func (s *Server) deleteMessage(a args) (any, *apiError) {
	c, err := s.targetChat(a)
	if err != nil {
		return nil, err
	}
	m := c.message(int(a.integer("message_id")))
	if m == nil {
		return nil, badRequest("message to delete not found")
	}
	if err := m.checkDeletable(c); err != nil {
		return nil, err
	}
	c.deleteMessage(m, "")
	return true, nil
}

// deleteMessages skips messages that it does not find (Bot API: deleteMessages).
func (s *Server) deleteMessages(a args) (any, *apiError) {
	c, err := s.targetChat(a)
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
		m := c.message(int(nodeInteger(id)))
		if m == nil {
			continue
		}
		if err := m.checkDeletable(c); err != nil {
			return nil, err
		}
		found = append(found, m)
	}
	for _, m := range found {
		c.deleteMessage(m, "")
	}
	return true, nil
}

// checkDeletable refuses messages older than 48 hours, messages of people in groups and
// channels unless the bot may delete them, and the bot's own posts in a channel where it
// may no longer post (Bot API: deleteMessage).
func (m *Message) checkDeletable(c *chat) *apiError {
	switch {
	case m.Service != nil && m.Service.TopicCreated != nil:
		return badRequest("message can't be deleted")
	case c.can("can_delete_messages"):
		return nil
	case time.Since(m.Date) > deletableFor:
		return badRequest("message can't be deleted for everyone")
	case c.kind != "private" && (!m.FromBot || c.checkWritable() != nil):
		return badRequest("message can't be deleted")
	}
	return nil
}
