package telegram

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// What follows is how a server is kept between two runs: private chats with
// their files, the bot's profile, and the updates it has not acknowledged.
// Histories, calls, faults, groups, a webhook and open taps are not kept; for a
// tap that is open Telegram has the words "query is too old".

type keptServer struct {
	Chats             []keptChat        `json:"chats"`
	Next              int64             `json:"next_update"`
	Queue             []keptUpdate      `json:"updates"`
	Allowed           []string          `json:"allowed_updates"`
	LastQuery         int64             `json:"last_query"`
	Commands          []keptCommands    `json:"commands"`
	Descriptions      map[string]string `json:"descriptions"`
	ShortDescriptions map[string]string `json:"short_descriptions"`
}

type keptChat struct {
	Person   Person        `json:"person"`
	Gone     bool          `json:"gone"`
	Messages []keptMessage `json:"messages"`
}

type keptMessage struct {
	Message
	Markup   json.RawMessage `json:"markup,omitempty"`
	Source   []Entity        `json:"source,omitempty"`
	FileID   string          `json:"file_id,omitempty"`
	FilePath string          `json:"file_path,omitempty"`
}

type keptUpdate struct {
	ID   int64           `json:"id"`
	At   time.Time       `json:"at"`
	Body json.RawMessage `json:"body"`
}

type keptCommands struct {
	Scope string    `json:"scope"`
	Lang  string    `json:"lang"`
	List  []Command `json:"list"`
}

// Keep returns the server as JSON for Restore.
func (s *Server) Keep() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := keptServer{
		Next: s.updates.next, Allowed: s.updates.allowed, LastQuery: s.queries.last,
		Descriptions: s.profile.descriptions, ShortDescriptions: s.profile.shortDescriptions,
	}
	for _, u := range s.updates.queue {
		kept.Queue = append(kept.Queue, keptUpdate{u.id, u.at, u.body})
	}
	for of, list := range s.profile.commands {
		kept.Commands = append(kept.Commands, keptCommands{of.scope, of.lang, list})
	}
	slices.SortFunc(kept.Commands, func(a, b keptCommands) int {
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Lang, b.Lang))
	})
	for _, c := range s.chats {
		if c.kind != "private" {
			continue
		}
		one := keptChat{Person: c.person, Gone: c.gone}
		for _, m := range c.messages {
			k := keptMessage{Message: m, Markup: m.markup, Source: m.source}
			if d := m.file(); d != nil {
				k.FileID, k.FilePath = d.id, d.path
			}
			one.Messages = append(one.Messages, k)
		}
		kept.Chats = append(kept.Chats, one)
	}
	slices.SortFunc(kept.Chats, func(a, b keptChat) int { return cmp.Compare(a.Person.ID, b.Person.ID) })
	data, err := json.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("keep the pretend Telegram: %w", err)
	}
	return data, nil
}

// Restore makes a server that nobody has used yet what Keep wrote down.
func (s *Server) Restore(data []byte) error {
	var kept keptServer
	if err := json.Unmarshal(data, &kept); err != nil {
		return fmt.Errorf("restore the pretend Telegram: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.updates.next, s.updates.allowed = max(kept.Next, firstUpdate), kept.Allowed
	for _, u := range kept.Queue {
		s.updates.queue = append(s.updates.queue, update{id: u.ID, at: u.At, body: u.Body})
	}
	s.queries.last = kept.LastQuery
	for _, one := range kept.Commands {
		s.profile.commands[commandsOf{one.Scope, one.Lang}] = one.List
	}
	for lang, text := range kept.Descriptions {
		s.profile.descriptions[lang] = text
	}
	for lang, text := range kept.ShortDescriptions {
		s.profile.shortDescriptions[lang] = text
	}
	for _, one := range kept.Chats {
		c := &chat{s: s, id: one.Person.ID, kind: "private", person: one.Person, gone: one.Gone, watchers: map[chan struct{}]struct{}{}}
		for _, k := range one.Messages {
			m := k.Message
			m.markup, m.source = k.Markup, k.Source
			if bytes.Equal(m.Reply, []byte("null")) {
				m.Reply = nil // what JSON makes of none
			}
			if d := m.file(); d != nil {
				d.id, d.path = k.FileID, k.FilePath
				s.files.byID[d.id], s.files.byPath[d.path] = d, d
			}
			c.messages = append(c.messages, m)
		}
		s.chats[c.id] = c
	}
	return nil
}

// file is the message's document or photo, nil where it has none.
func (m *Message) file() *Document {
	if m.Document != nil {
		return m.Document
	}
	return m.Photo
}
