package telegram

import (
	"slices"
	"strings"
)

// Limits of forum topics (Bot API: createForumTopic).
const maxTopicName = 128

// topicColors are the values of icon_color; the first is the usual one.
var topicColors = []int64{7322096, 16766590, 13338331, 9367192, 16749490, 16478047}

// topic is a topic of a forum, or of a private chat.
type topic struct {
	Closed bool `json:"closed,omitempty"`
}

// topicName returns the name of a topic in a forum, also of a deleted one, "" for others.
func (c *chat) topicName(thread int) string {
	if thread < 1 || thread > len(c.messages) {
		return ""
	}
	if created := c.messages[thread-1].Service; created != nil && created.TopicCreated != nil {
		return created.TopicCreated.Name
	}
	return ""
}

// TopicName returns the name of a topic in a forum, "" if there is no such topic.
func (g *Group) TopicName(thread int) string {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	return g.chat.topicName(thread)
}

// checkTopic refuses a message_thread_id in which the bot can't write; 0 is no topic.
func (c *chat) checkTopic(thread int) *apiError {
	t := c.topics[thread]
	switch {
	case thread == 0:
		return nil
	case t == nil:
		return badRequest("message thread not found")
	case t.Closed && !c.can("can_manage_topics"):
		return badRequest("TOPIC_CLOSED")
	}
	return nil
}

// addTopic adds a topic with its service message, whose ID is the topic's too.
func (c *chat) addTopic(m Message) *Message {
	m.Thread = len(c.messages) + 1
	c.topics[m.Thread] = &topic{}
	return c.add(m)
}

type wireTopic struct {
	Thread int `json:"message_thread_id"`
	*TopicCreated
}

func (s *Server) createForumTopic(a args) (any, *apiError) {
	c, err := s.targetChat(a)
	if err != nil {
		return nil, err
	}
	created := &TopicCreated{Name: strings.TrimSpace(cleanText(a.str("name"))), Color: int(topicColors[0]), Icon: a.str("icon_custom_emoji_id")}
	if color, ok := a["icon_color"]; ok {
		if !slices.Contains(topicColors, a.integer("icon_color")) {
			return nil, badRequest("wrong icon_color %s specified", color.text)
		}
		created.Color = int(a.integer("icon_color"))
	}
	switch {
	case !c.forum:
		return nil, badRequest("the chat is not a forum")
	case !c.can("can_manage_topics"):
		return nil, badRequest("not enough rights to create a topic")
	case created.Name == "":
		return nil, badRequest("title must be non-empty")
	case utf16Len(created.Name) > maxTopicName:
		return nil, badRequest("the topic's name is longer than %d (strict: Telegram cuts it)", maxTopicName)
	}
	m := c.addTopic(Message{FromBot: true, From: s.bot, Service: &Service{TopicCreated: created}})
	return wireTopic{m.ID, created}, nil
}

// CreateTopic creates a topic in a forum and returns its message_thread_id.
func (g *Group) CreateTopic(by *Client, name string) int {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	m := g.chat.addTopic(Message{From: by.chat.person, Service: &Service{TopicCreated: &TopicCreated{Name: name, Color: int(topicColors[0])}}})
	return g.chat.sent(m)
}

// CloseTopic closes a topic. Only administrators who manage topics can write there.
func (g *Group) CloseTopic(by *Client, thread int) {
	g.setClosed(by, thread, &Service{TopicClosed: &struct{}{}})
}

// ReopenTopic ends CloseTopic.
func (g *Group) ReopenTopic(by *Client, thread int) {
	g.setClosed(by, thread, &Service{TopicReopened: &struct{}{}})
}

func (g *Group) setClosed(by *Client, thread int, service *Service) {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	t, closed := g.chat.topics[thread], service.TopicClosed != nil
	if t == nil || t.Closed == closed {
		return
	}
	t.Closed = closed
	g.chat.sent(g.chat.add(Message{From: by.chat.person, Thread: thread, Service: service}))
}

// DeleteTopic deletes a topic; in a forum with its messages. The bot can no longer
// write there. Telegram sends bots no update about it.
func (v chatView) DeleteTopic(thread int) {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	delete(v.chat.topics, thread)
	if !v.chat.forum {
		return
	}
	for i := range v.chat.messages {
		if m := &v.chat.messages[i]; m.Thread == thread {
			m.Deleted = true
		}
	}
	v.chat.log(event{kind: eventNote, actor: "Topic " + v.chat.topicName(thread), text: "is deleted"})
}
