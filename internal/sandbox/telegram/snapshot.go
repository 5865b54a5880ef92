package telegram

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// A snapshot holds chats with their files, the bot's profile, and the updates that the
// bot has not acknowledged. It holds no histories, calls, faults, webhook, open taps or
// what people have sent to each other; a tap from before is answered with expiredQuery.
type snapshot struct {
	Chats             []savedChat       `json:"chats"`
	Next              int64             `json:"next_update"`
	Queue             []update          `json:"updates"`
	Allowed           []string          `json:"allowed_updates"`
	LastQuery         int64             `json:"last_query"`
	Commands          []savedCommands   `json:"commands"`
	Descriptions      map[string]string `json:"descriptions"`
	ShortDescriptions map[string]string `json:"short_descriptions"`
}

type savedChat struct {
	Person   Person         `json:"person"` // of a private chat
	Kicked   bool           `json:"gone"`   // a private chat's person blocked the bot
	Topics   map[int]*topic `json:"topics,omitempty"`
	Group    *savedGroup    `json:"group,omitempty"`
	Messages []savedMessage `json:"messages"`
}

// savedGroup is what only groups and channels have.
type savedGroup struct {
	ID         int64            `json:"id"`
	Kind       string           `json:"kind"`
	Title      string           `json:"title"`
	Forum      bool             `json:"forum,omitempty"`
	Status     string           `json:"status"` // of the bot
	Rights     []string         `json:"rights,omitempty"`
	People     map[int64]member `json:"people"`
	MigratedTo int64            `json:"migrated_to,omitempty"`
}

type savedMessage struct {
	Message
	Markup   json.RawMessage `json:"markup,omitempty"`
	Source   []Entity        `json:"source,omitempty"`
	FileID   string          `json:"file_id,omitempty"`
	FilePath string          `json:"file_path,omitempty"`
}

type savedCommands struct {
	Scope string    `json:"scope"`
	Lang  string    `json:"lang"`
	List  []Command `json:"list"`
}

func (c *savedChat) id() int64 {
	if c.Group != nil {
		return c.Group.ID
	}
	return c.Person.ID
}

// Keep returns the server's state as JSON for Restore.
func (s *Server) Keep() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	saved := snapshot{
		Next: s.updates.next, Queue: s.updates.queue, Allowed: s.updates.allowed, LastQuery: s.callbacks.lastID,
		Descriptions: s.profile.texts["description"], ShortDescriptions: s.profile.texts["short_description"],
	}
	for key, list := range s.profile.commands {
		saved.Commands = append(saved.Commands, savedCommands{key.scope, key.lang, list})
	}
	slices.SortFunc(saved.Commands, func(a, b savedCommands) int {
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Lang, b.Lang))
	})
	for _, c := range s.chats {
		chat := savedChat{Person: c.person, Topics: c.topics}
		if c.kind == "private" {
			chat.Kicked = c.gone()
		} else {
			chat.Group = &savedGroup{c.id, c.kind, c.title, c.forum, c.status, c.rights, c.people, c.migratedTo}
		}
		for _, m := range c.messages {
			message := savedMessage{Message: m, Markup: m.markup, Source: m.source}
			if d := m.file(); d != nil {
				message.FileID, message.FilePath = d.id, d.path
			}
			chat.Messages = append(chat.Messages, message)
		}
		saved.Chats = append(saved.Chats, chat)
	}
	slices.SortFunc(saved.Chats, func(a, b savedChat) int { return cmp.Compare(a.id(), b.id()) })
	data, err := json.Marshal(saved)
	if err != nil {
		return nil, fmt.Errorf("save the pretend Telegram: %w", err)
	}
	return data, nil
}

// Restore loads the state that Keep returned into a new server.
func (s *Server) Restore(data []byte) error {
	var saved snapshot
	if err := json.Unmarshal(data, &saved); err != nil {
		return fmt.Errorf("restore the pretend Telegram: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.updates.next, s.updates.allowed = max(saved.Next, firstUpdateID), saved.Allowed
	s.updates.queue = saved.Queue
	s.callbacks.lastID = saved.LastQuery
	for _, c := range saved.Commands {
		s.profile.commands[commandsKey{c.Scope, c.Lang}] = c.List
	}
	maps.Copy(s.profile.texts["description"], saved.Descriptions)
	maps.Copy(s.profile.texts["short_description"], saved.ShortDescriptions)
	for _, chat := range saved.Chats {
		c := s.addChat(chat.id(), "private")
		c.person = chat.Person
		if chat.Kicked {
			c.status = "kicked"
		}
		if chat.Topics != nil {
			c.topics = chat.Topics
		}
		if g := chat.Group; g != nil {
			c.kind, c.title, c.forum, c.status, c.rights = g.Kind, g.Title, g.Forum, g.Status, g.Rights
			c.people, c.migratedTo = g.People, g.MigratedTo
		}
		for _, message := range chat.Messages {
			m := message.Message
			m.markup, m.source = message.Markup, message.Source
			if bytes.Equal(m.Reply, []byte("null")) {
				m.Reply = nil // encoding/json writes a nil RawMessage as null
			}
			if d := m.file(); d != nil {
				d.id, d.path = message.FileID, message.FilePath
				s.files.add(d)
			}
			c.messages = append(c.messages, m)
		}
	}
	return nil
}
