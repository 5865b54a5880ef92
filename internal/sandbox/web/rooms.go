package web

import (
	"errors"
	"slices"
	"unicode/utf16"

	"hstockbot/internal/sandbox/telegram"
)

// The chat ids of the pretend group, a forum, and of the pretend channel.
const (
	team int64 = -1_007_000_000_001
	news int64 = -1_007_000_000_002
)

// room is a group or a channel of Olga's. The other people are members of the group.
type room struct {
	*telegram.Group
	roomView
	right string // what the bot needs there
}

type roomView struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Kind  string `json:"kind"` // "group" or "channel"
	About string `json:"about"`
}

// createRooms adds the rooms, or finds those of a saved world. The bot is not there before
// Olga adds it.
func (p *page) createRooms() {
	owner := p.people[olga]
	p.rooms = []*room{
		{owner.CreateForum(team, "Team"), roomView{team, "Team", "group", "a group with topics"}, "can_manage_topics"},
		{owner.CreateChannel(news, "News"), roomView{news, "News", "channel", "a channel"}, "can_post_messages"},
	}
	for id, person := range p.people {
		if id != olga {
			p.rooms[0].Appoint(person, false)
		}
	}
}

// room returns nil if there is none with this id.
func (p *page) room(id int64) *room {
	if i := slices.IndexFunc(p.rooms, func(r *room) bool { return r.ID == id }); i >= 0 {
		return p.rooms[i]
	}
	return nil
}

// viewMessage shows a message with its author and its topic.
func (r *room) viewMessage(m telegram.Message) messageView {
	view := viewMessage(m)
	view.Own = false
	if m.Thread != m.ID { // the message that created the topic names it itself
		view.Topic = r.TopicName(m.Thread)
	}
	if !m.FromBot {
		view.From = m.From.FirstName
	}
	return view
}

var errNoRoom = errors.New("there is no such group or channel")

// typeInRoom sends a person's text to the group, outside of its topics.
func (p *page) typeInRoom(req struct {
	Person int64  `json:"person"`
	Room   int64  `json:"room"`
	Text   string `json:"text"`
},
) error {
	person, err := p.person(req.Person)
	if err != nil {
		return err
	}
	r := p.room(req.Room)
	switch {
	case r == nil:
		return errNoRoom
	case r.Kind == "channel":
		return errors.New("only the bot posts in the channel")
	case len(utf16.Encode([]rune(req.Text))) > maxMessage:
		return errors.New("a message has at most 4096 characters")
	}
	return checkSent(r.Type(person, req.Text))
}

// placeBot lets Olga add the bot to a room with the rights that it needs, or remove it.
func (p *page) placeBot(req struct {
	Room int64 `json:"room"`
	On   bool  `json:"on"`
},
) error {
	r := p.room(req.Room)
	switch {
	case r == nil:
		return errNoRoom
	case req.On:
		r.Promote(p.people[olga], r.right)
	default:
		r.Remove(p.people[olga])
	}
	return nil
}

// replyButtonView is a button below the text field. Kind is "text", "chat" or "people", or
// "" if the page can't act on it.
type replyButtonView struct {
	Text    string       `json:"text"`
	Kind    string       `json:"kind"`
	Style   string       `json:"look,omitempty"`
	Request int          `json:"request,omitempty"`
	Choices []choiceView `json:"choices,omitempty"`
	Max     int          `json:"max,omitempty"` // how many can be chosen
}

type choiceView struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// viewReply returns the person's reply keyboard, nil if there is none.
func (p *page) viewReply(person *telegram.Client) (rows [][]replyButtonView) {
	for _, row := range person.ReplyKeyboard() {
		var buttons []replyButtonView
		for _, b := range row {
			view := replyButtonView{Text: b.Text, Style: b.Style}
			switch {
			case b.RequestChat != nil:
				view.Kind, view.Request, view.Max = "chat", b.RequestChat.ID, 1
				for _, id := range person.Offers(b.RequestChat) {
					if r := p.room(id); r != nil {
						view.Choices = append(view.Choices, choiceView{id, r.Name})
					}
				}
			case b.RequestUsers != nil:
				view.Kind, view.Request, view.Max = "people", b.RequestUsers.ID, b.RequestUsers.Limit()
				for _, one := range demoPeople() {
					view.Choices = append(view.Choices, choiceView{one.ID, one.FirstName})
				}
			case b.Other == "":
				view.Kind = "text"
			}
			buttons = append(buttons, view)
		}
		rows = append(rows, buttons)
	}
	return rows
}

// share sends what a person has chosen for a button of the reply keyboard: one chat, or
// people.
func (p *page) share(req struct {
	Person  int64   `json:"person"`
	Request int     `json:"request"`
	Kind    string  `json:"kind"`
	IDs     []int64 `json:"ids"`
},
) error {
	person, err := p.person(req.Person)
	if err != nil {
		return err
	}
	switch {
	case req.Kind == "people":
		err = person.ShareUsers(req.Request, req.IDs...)
	case req.Kind == "chat" && len(req.IDs) == 1:
		err = person.ShareChat(req.Request, req.IDs[0])
	default:
		return errors.New("choose a chat or people")
	}
	if err != nil {
		return errors.New("the keyboard has changed")
	}
	return nil
}
