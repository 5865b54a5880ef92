package telegram

import (
	"fmt"
	"strings"
)

// Service is what a service message says. Exactly one field is set (Bot API: Message).
type Service struct {
	MigrateTo     int64         `json:"migrate_to_chat_id,omitempty"`   // the supergroup that the group has become
	MigrateFrom   int64         `json:"migrate_from_chat_id,omitempty"` // the group that the supergroup was
	TopicCreated  *TopicCreated `json:"forum_topic_created,omitempty"`
	TopicClosed   *struct{}     `json:"forum_topic_closed,omitempty"`
	TopicReopened *struct{}     `json:"forum_topic_reopened,omitempty"`
	ChatShared    *ChatShared   `json:"chat_shared,omitempty"`
	UsersShared   *UsersShared  `json:"users_shared,omitempty"`
}

// TopicCreated is a Bot API ForumTopicCreated.
type TopicCreated struct {
	Name  string `json:"name"`
	Color int    `json:"icon_color"` // RGB
	Icon  string `json:"icon_custom_emoji_id,omitempty"`
}

// ChatShared is a Bot API ChatShared.
type ChatShared struct {
	RequestID int    `json:"request_id"`
	ChatID    int64  `json:"chat_id"`
	Title     string `json:"title,omitempty"`
}

// UsersShared is a Bot API UsersShared.
type UsersShared struct {
	RequestID int          `json:"request_id"`
	Users     []SharedUser `json:"users"`
}

// SharedUser is a Bot API SharedUser.
type SharedUser struct {
	ID        int64  `json:"user_id"`
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
	Username  string `json:"username,omitempty"`
}

// String shows the message as in a transcript.
func (s *Service) String() string {
	switch {
	case s.MigrateTo != 0:
		return fmt.Sprintf("the group is now the supergroup %d", s.MigrateTo)
	case s.MigrateFrom != 0:
		return fmt.Sprintf("the supergroup was the group %d", s.MigrateFrom)
	case s.TopicCreated != nil:
		return "new topic " + s.TopicCreated.Name
	case s.ChatShared != nil:
		return strings.TrimSpace(fmt.Sprintf("shares chat %d %s", s.ChatShared.ChatID, s.ChatShared.Title))
	case s.UsersShared != nil:
		line := "shares"
		for i, u := range s.UsersShared.Users {
			if i > 0 {
				line += ","
			}
			line += strings.TrimRight(fmt.Sprintf(" person %d %s", u.ID, u.FirstName), " ")
		}
		return line
	case s.TopicClosed != nil:
		return "topic closed"
	default:
		return "topic reopened"
	}
}
