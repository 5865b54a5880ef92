package telegram

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Group is a group, a forum or a channel. In groups the bot's privacy mode is on.
type Group struct{ chatView }

// member is a person in a group or a channel.
type member struct {
	Person Person `json:"person"`
	Status string `json:"status"` // "creator", "administrator" (with all rights) or "member"
}

// wireMember is a Bot API ChatMember. rights are those of an administrator.
func (c *chat) wireMember(user wireUser, status string, rights []string) map[string]any {
	m := map[string]any{"user": user, "status": status}
	switch status {
	case "kicked":
		m["until_date"] = 0
	case "creator":
		m["is_anonymous"] = false
	case "restricted": // from everything
		for _, name := range tables().objects["ChatMemberRestricted"].required {
			if strings.HasPrefix(name, "can_") {
				m[name] = false
			}
		}
		m["is_member"], m["until_date"] = true, 0
	case "administrator":
		m["is_anonymous"], m["can_be_edited"] = false, false
		for _, right := range c.rightNames() {
			m[right] = right == "can_manage_chat" || slices.Contains(rights, right)
		}
	}
	return m
}

// Rights that only channels have, and that only groups have (Bot API:
// ChatAdministratorRights).
var (
	channelRights = []string{"can_edit_messages", "can_manage_direct_messages", "can_post_messages"}
	groupRights   = []string{"can_manage_tags", "can_manage_topics", "can_pin_messages"}
)

// rightNames returns the names of an administrator's rights in this chat.
func (c *chat) rightNames() []string {
	missing := channelRights
	if c.kind == "channel" {
		missing = groupRights
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(tables().objects["ChatAdministratorRights"].fields)), func(name string) bool {
		return !strings.HasPrefix(name, "can_") || slices.Contains(missing, name)
	})
}

// Group returns the group with this id. It creates a missing group, and the bot
// gets a my_chat_member update. Ids are negative; an id below -1,000,000,000,000
// makes a supergroup.
func (s *Server) Group(id int64, title string) *Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	owner := Person{ID: 777_000, FirstName: "Owner"}
	c, created := s.group(id, owner)
	if created {
		c.title = title
		c.setStatus(owner, "member", nil, "")
	}
	return &Group{chatView{s, c}}
}

// CreateForum creates a supergroup with topics, without the bot. An id that exists keeps
// its chat.
func (c *Client) CreateForum(id int64, title string) *Group {
	return c.create(id, title, func(c *chat) { c.kind, c.forum = "supergroup", true })
}

// CreateChannel creates a channel, without the bot. An id that exists keeps its chat.
func (c *Client) CreateChannel(id int64, title string) *Group {
	return c.create(id, title, func(c *chat) { c.kind = "channel" })
}

func (c *Client) create(id int64, title string, set func(*chat)) *Group {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	g, created := c.s.group(id, c.chat.person)
	if created {
		g.title = title
		set(g)
	}
	return &Group{chatView{c.s, g}}
}

// group returns the group with this id, or a new one without the bot. The caller holds mu.
func (s *Server) group(id int64, owner Person) (c *chat, created bool) {
	if c = s.chats[id]; c != nil {
		return c, false
	}
	kind := "group"
	if id < -1_000_000_000_000 {
		kind = "supergroup"
	}
	c = s.addChat(id, kind)
	c.status = "left"
	c.people[owner.ID] = member{owner, "creator"}
	return c, true
}

// Appoint makes a person a member, or an administrator with all rights.
func (g *Group) Appoint(p *Client, administrator bool) {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	status := "member"
	if administrator {
		status = "administrator"
	}
	g.chat.people[p.chat.id] = member{p.chat.person, status}
}

// Type sends text to the group as p and returns the message's ID. The bot gets
// the message only if it begins with a command that names no other bot, or if the bot
// is an administrator.
func (g *Group) Type(p *Client, text string) int { return g.Send(p, Message{Text: text}) }

// Send is Type with the Text, Thread and Anonymous of m. Outside of forums a Thread creates
// the topic. The ID is 0, and nothing is sent, if p may not write there.
func (g *Group) Send(p *Client, composed Message) int {
	s, c := g.s, g.chat
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := c.people[p.chat.id]; !ok && c.kind != "channel" {
		c.people[p.chat.id] = member{p.chat.person, "member"}
	}
	topic, ok := c.topics[composed.Thread]
	rank := c.people[p.chat.id].Status
	switch leads := rank == "creator" || rank == "administrator"; {
	case c.migratedTo != 0,
		c.kind == "channel" && !leads,
		c.forum && composed.Thread != 0 && !ok,
		ok && topic.Closed && !leads:
		return 0
	}
	return c.sent(c.addComposed(p.chat.person, composed))
}

// Tap taps the button with this label in the newest message that has one, as p. A deep
// link to the bot sends /start in p's own chat.
func (g *Group) Tap(p *Client, label string) error {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	for i := range slices.Backward(g.chat.messages) {
		if m := &g.chat.messages[i]; !m.Deleted {
			if b, ok := m.labelled(label); ok {
				return g.tap(p, m, b)
			}
		}
	}
	return fmt.Errorf("no message has a button %q", label)
}

// TapButton taps the button with this callback data in one message, as p.
func (g *Group) TapButton(p *Client, messageID int, data string) error {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	if m := g.chat.message(messageID); m != nil && data != "" {
		if b, ok := m.button(func(b Button) bool { return b.CallbackData == data }); ok {
			return g.tap(p, m, b)
		}
	}
	return fmt.Errorf("message %d has no such button", messageID)
}

// TapData sends callback data as p that no button needs to have.
func (g *Group) TapData(p *Client, messageID int, data string) {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	g.chat.tap(p.chat.person, messageID, data, "forges "+strconv.Quote(data))
}

func (g *Group) tap(p *Client, m *Message, b Button) error {
	start, deep := g.s.deepLink(b.URL)
	switch {
	case deep:
		p.typeText(strings.TrimSpace("/start " + start))
	case b.CallbackData == "":
		return fmt.Errorf("the button %q sends nothing to the bot", b.Text)
	case g.chat.gone():
		return errors.New("the bot is not here")
	default:
		g.chat.tap(p.chat.person, m.ID, b.CallbackData, "taps [ "+b.Text+" ]")
	}
	return nil
}

// sent gives the bot a person's message if it sees it, and returns the message's ID.
func (c *chat) sent(m *Message) int {
	switch {
	case c.gone():
	case c.kind == "channel":
		c.s.enqueue("channel_post", c.id, m.wire(c))
	case m.Service != nil || c.status == "administrator" || c.s.visibleToBot(m):
		c.s.enqueue("message", c.id, m.wire(c))
	}
	return m.ID
}

// BotStatus returns the bot's place: "member", "administrator", "restricted", "left" or
// "kicked".
func (g *Group) BotStatus() string {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	return g.chat.status
}

// Add adds the bot. In a channel it becomes an administrator who may not post, since a
// bot can't be a plain member there. The bot gets a my_chat_member update.
func (g *Group) Add(by *Client) {
	if g.chat.kind == "channel" {
		g.Promote(by)
		return
	}
	g.set(by, "member", nil, "adds the bot")
}

// Promote makes the bot an administrator with these rights ("can_post_messages"), and
// adds it first if it is missing. The bot gets a my_chat_member update.
func (g *Group) Promote(by *Client, rights ...string) {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	g.chat.promote(by.chat.person, rights)
}

// promote makes the bot an administrator. The caller holds mu.
func (c *chat) promote(by Person, rights []string) {
	note := "makes the bot an administrator"
	if len(rights) > 0 {
		note += ": " + strings.Join(rights, ", ")
	}
	c.setStatus(by, "administrator", rights, note)
}

// Demote takes the bot's rights; a channel, which has no bots but administrators, loses
// it. The bot gets a my_chat_member update.
func (g *Group) Demote(by *Client) {
	status := "member"
	if g.chat.kind == "channel" {
		status = "left"
	}
	g.set(by, status, nil, "takes the bot's rights")
}

// Mute keeps the bot in a group, where it may no longer send anything. Promote or Add ends
// that. The bot gets a my_chat_member update.
func (g *Group) Mute(by *Client) { g.set(by, "restricted", nil, "mutes the bot") }

// Remove removes the bot. The bot gets a my_chat_member update.
func (g *Group) Remove(by *Client) { g.set(by, "kicked", nil, "removes the bot") }

func (g *Group) set(by *Client, status string, rights []string, note string) {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	g.chat.setStatus(by.chat.person, status, rights, note)
}

// setStatus changes the bot's membership and sends it a my_chat_member update, if
// anything changes. The history shows the note, "" for none. The caller holds mu.
func (c *chat) setStatus(by Person, status string, rights []string, note string) {
	if c.status == status && slices.Equal(c.rights, rights) {
		return
	}
	for _, right := range rights {
		if !slices.Contains(c.rightNames(), right) {
			panic("telegram: a " + c.kind + " has no right " + right)
		}
	}
	bot := c.s.bot.wire(true)
	before := c.wireMember(bot, c.status, c.rights)
	c.status, c.rights = status, rights
	if note != "" {
		c.log(event{kind: eventNote, actor: by.FirstName, text: note})
	}
	c.s.enqueue("my_chat_member", c.id, map[string]any{
		"chat": c.wire(), "from": by.wire(false), "date": time.Now().Unix(),
		"old_chat_member": before, "new_chat_member": c.wireMember(bot, c.status, c.rights),
	})
}

// Upgrade makes the group a supergroup with a new id, and returns it. The bot keeps its
// place and gets a service message in both, and a my_chat_member update of the
// supergroup only (github.com/tdlib/telegram-bot-api/issues/266). Calls for the old id
// are refused with migrate_to_chat_id. A supergroup stays as it is.
func (g *Group) Upgrade(by *Client, id int64) *Group {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	before, person := g.chat, by.chat.person
	if before.kind != "group" || before.migratedTo != 0 {
		return g
	}
	c := g.s.addChat(id, "supergroup")
	c.title, c.people, c.status = before.title, maps.Clone(before.people), "left"
	before.sent(before.add(Message{From: person, Service: &Service{MigrateTo: id}}))
	before.migratedTo = id
	if !before.gone() {
		c.setStatus(person, before.status, before.rights, "")
	}
	c.sent(c.add(Message{From: person, Anonymous: true, Service: &Service{MigrateFrom: before.id}}))
	return &Group{chatView{g.s, c}}
}

// getChatMember knows the bot, the people of the chat, and people who have left or never
// been there.
func (s *Server) getChatMember(a args) (any, *apiError) {
	c, err := s.targetChat(a)
	if err != nil {
		return nil, err
	}
	id := a.integer("user_id")
	if id == s.bot.ID {
		return c.wireMember(s.bot.wire(true), c.status, c.rights), nil
	}
	if p, ok := c.people[id]; ok {
		return c.wireMember(p.Person.wire(false), p.Status, c.rightNames()), nil
	}
	private := s.chats[id]
	switch {
	case private == nil || private.kind != "private":
		return nil, badRequest("invalid user_id specified")
	case c == private:
		return c.wireMember(private.person.wire(false), "member", nil), nil
	}
	return c.wireMember(private.person.wire(false), "left", nil), nil
}
