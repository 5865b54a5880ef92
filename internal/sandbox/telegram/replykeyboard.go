package telegram

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Limits of reply keyboards (Bot API: ReplyKeyboardMarkup, KeyboardButtonRequestUsers).
const (
	maxPlaceholder = 64
	maxShared      = 10
)

// ReplyButton is a button of a reply keyboard. Without an action it types its text.
type ReplyButton struct {
	Text         string
	RequestChat  *RequestChat
	RequestUsers *RequestUsers
	Other        string // the name of another action, "request_contact"
	Style        string // "danger", "success", "primary" or ""
}

// RequestChat is a Bot API KeyboardButtonRequestChat. Chats of the sandbox have neither
// usernames nor photos.
type RequestChat struct {
	ID           int             `json:"request_id"`
	Channel      bool            `json:"chat_is_channel"`
	Forum        *bool           `json:"chat_is_forum"` // nil: both
	HasUsername  *bool           `json:"chat_has_username"`
	Created      bool            `json:"chat_is_created"` // by the person
	UserRights   map[string]bool `json:"user_administrator_rights"`
	BotRights    map[string]bool `json:"bot_administrator_rights"`
	BotIsMember  bool            `json:"bot_is_member"`
	RequestTitle bool            `json:"request_title"`
}

// RequestUsers is a Bot API KeyboardButtonRequestUsers. People of the sandbox are neither
// bots nor premium users, and have no photos.
type RequestUsers struct {
	ID              int  `json:"request_id"`
	Bot             bool `json:"user_is_bot"`
	Premium         bool `json:"user_is_premium"`
	Max             *int `json:"max_quantity"` // nil: 1
	RequestName     bool `json:"request_name"`
	RequestUsername bool `json:"request_username"`
}

// Limit returns how many people can be chosen at once.
func (r *RequestUsers) Limit() int {
	if r.Max == nil {
		return 1
	}
	return *r.Max
}

// replyActions are the fields of a KeyboardButton that set its action.
var replyActions = []string{"request_chat", "request_contact", "request_location", "request_managed_bot", "request_poll", "request_users", "web_app"}

// replyButton reads a button that the schema has checked.
func replyButton(node any) (b ReplyButton, actions []string) {
	fields, _ := node.(map[string]any)
	b.Text, _ = fields["text"].(string)
	b.Style, _ = fields["style"].(string)
	for _, name := range replyActions {
		if v := fields[name]; v != nil && v != false {
			actions = append(actions, name)
		}
	}
	if len(actions) != 1 {
		return b, actions
	}
	switch action := canonicalJSON(fields[actions[0]]); actions[0] {
	case "request_chat":
		b.RequestChat = &RequestChat{}
		_ = json.Unmarshal(action, b.RequestChat) // checked by the schema, as below
	case "request_users":
		b.RequestUsers = &RequestUsers{}
		_ = json.Unmarshal(action, b.RequestUsers)
	default:
		b.Other = actions[0]
	}
	return b, actions
}

// checkReply refuses a reply keyboard that Telegram refuses in the chat.
func (c *chat) checkReply(reply json.RawMessage) *apiError {
	if reply == nil {
		return nil
	}
	if c.kind == "channel" {
		return badRequest("inline keyboard expected")
	}
	node, _ := decodeJSON(reply)
	markup, _ := node.(map[string]any)
	if placeholder, _ := markup["input_field_placeholder"].(string); utf16Len(placeholder) > maxPlaceholder {
		return badRequest("input_field_placeholder is longer than %d (strict)", maxPlaceholder)
	}
	if len(reply) > maxKeyboard {
		return badRequest("reply markup is too long")
	}
	requests := map[int]bool{}
	rows, _ := markup["keyboard"].([]any)
	for _, row := range rows {
		cells, _ := row.([]any)
		for _, cell := range cells {
			b, actions := replyButton(cell)
			if err := c.checkReplyButton(b, actions); err != nil {
				return err
			}
			if id, ok := b.request(); ok {
				if requests[id] {
					return badRequest("request_id %d stands twice in the keyboard (strict)", id)
				}
				requests[id] = true
			}
		}
	}
	return nil
}

// request returns the request_id of the button, false if it has none.
func (b *ReplyButton) request() (id int, ok bool) {
	switch {
	case b.RequestChat != nil:
		return b.RequestChat.ID, true
	case b.RequestUsers != nil:
		return b.RequestUsers.ID, true
	}
	return 0, false
}

func (c *chat) checkReplyButton(b ReplyButton, actions []string) *apiError {
	const where = "can't parse keyboard button: "
	id, _ := b.request()
	switch {
	case strings.TrimSpace(b.Text) == "":
		return badRequest("keyboard button text must be non-empty")
	case !slices.Contains([]string{"", "danger", "success", "primary"}, b.Style):
		return badRequest(where+"invalid button style %q specified", b.Style)
	case len(actions) > 1:
		return badRequest(where+"at most one action must be specified, found %s (strict: Telegram takes the first)", strings.Join(actions, " and "))
	case id < math.MinInt32 || id > math.MaxInt32:
		return badRequest("request_id %d does not fit into 32 bits (strict)", id)
	}
	if chats := b.RequestChat; chats != nil {
		switch {
		case c.kind != "private":
			return badRequest("chats can be requested in private chats only")
		case !covers(chats.UserRights, chats.BotRights):
			return badRequest("user_administrator_rights must be a superset of bot_administrator_rights")
		}
	}
	if users := b.RequestUsers; users != nil {
		switch {
		case c.kind != "private":
			return badRequest("users can be requested in private chats only")
		case users.Limit() < 1 || users.Limit() > maxShared:
			return badRequest("max_quantity must be from 1 to %d (strict)", maxShared)
		}
	}
	return nil
}

// covers reports whether all rights that are set are in by, too.
func covers(by, rights map[string]bool) bool {
	for name, set := range rights {
		if set && !by[name] {
			return false
		}
	}
	return true
}

// ReplyKeyboard returns the keyboard below the person's text field, nil if there is none:
// the one of the bot's newest message that brings or removes one. It goes with its message.
func (c *Client) ReplyKeyboard() [][]ReplyButton {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.chat.replyKeyboard()
}

func (c *chat) replyKeyboard() (keyboard [][]ReplyButton) {
	for _, m := range slices.Backward(c.messages) {
		switch {
		case m.Reply == nil:
		case m.Deleted:
			return nil
		default:
			return readReplyKeyboard(m.Reply)
		}
	}
	return nil
}

// readReplyKeyboard returns the buttons of a reply markup that has been checked, nil if it
// has none.
func readReplyKeyboard(reply json.RawMessage) (keyboard [][]ReplyButton) {
	node, _ := decodeJSON(reply)
	markup, _ := node.(map[string]any)
	rows, _ := markup["keyboard"].([]any)
	for _, row := range rows {
		var buttons []ReplyButton
		cells, _ := row.([]any)
		for _, cell := range cells {
			b, _ := replyButton(cell)
			buttons = append(buttons, b)
		}
		keyboard = append(keyboard, buttons)
	}
	return keyboard
}

// requested returns the button with this request_id on the person's reply keyboard.
func (c *Client) requested(requestID int) (ReplyButton, error) {
	if c.chat.gone() {
		return ReplyButton{}, errBlocked
	}
	for _, b := range slices.Concat(c.chat.replyKeyboard()...) {
		if id, ok := b.request(); ok && id == requestID {
			return b, nil
		}
	}
	return ReplyButton{}, fmt.Errorf("no button on the keyboard has the request_id %d", requestID)
}

// ShareChat chooses a chat for the button with this request_id. The app first gives the
// bot the place and the rights in the chat that the button asks for. The bot gets a
// my_chat_member update of that, and a message with chat_shared.
func (c *Client) ShareChat(requestID int, chatID int64) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	b, err := c.requested(requestID)
	if err != nil {
		return err
	}
	chosen := c.s.chats[chatID]
	if b.RequestChat == nil || chosen == nil || !b.RequestChat.offers(chosen, c.chat.id) {
		return fmt.Errorf("the button does not offer chat %d", chatID)
	}
	b.RequestChat.place(chosen, c.chat.person)
	shared := &ChatShared{RequestID: requestID, ChatID: chatID}
	if b.RequestChat.RequestTitle {
		shared.Title = chosen.title
	}
	c.send(c.chat.add(Message{From: c.chat.person, Service: &Service{ChatShared: shared}}))
	return nil
}

// Offers returns the ids of the chats that the person can choose from.
func (c *Client) Offers(r *RequestChat) (ids []int64) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for id, chat := range c.s.chats {
		if r.offers(chat, c.chat.id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// offers reports whether a person can choose the chat.
func (r *RequestChat) offers(c *chat, person int64) bool {
	rank := c.people[person].Status
	leads := rank == "creator" || rank == "administrator"
	switch {
	case rank == "", // is not there, or the chat is a private one
		c.migratedTo != 0,
		r.Channel != (c.kind == "channel"),
		r.Forum != nil && *r.Forum != c.forum,
		r.HasUsername != nil && *r.HasUsername,
		r.Created && rank != "creator",
		(r.UserRights != nil || r.BotRights != nil) && !leads,
		r.BotIsMember && c.kind == "channel" && c.gone() && !leads:
		return false
	}
	return true
}

// place gives the bot what the request demands, as a person's app does.
func (r *RequestChat) place(c *chat, by Person) {
	rights := slices.Clone(c.rights)
	for _, right := range slices.Sorted(maps.Keys(r.BotRights)) {
		if r.BotRights[right] && !c.can(right) && slices.Contains(c.rightNames(), right) {
			rights = append(rights, right)
		}
	}
	switch {
	case r.BotRights != nil && (c.status != "administrator" || len(rights) > len(c.rights)), r.BotIsMember && c.gone() && c.kind == "channel":
		c.promote(by, rights)
	case r.BotIsMember && c.gone():
		c.setStatus(by, "member", nil, "adds the bot")
	}
}

// ShareUsers chooses people for the button with this request_id. The bot gets a message
// with users_shared.
func (c *Client) ShareUsers(requestID int, ids ...int64) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	b, err := c.requested(requestID)
	if err != nil {
		return err
	}
	r := b.RequestUsers
	switch {
	case r == nil || r.Bot || r.Premium:
		return fmt.Errorf("the button with the request_id %d does not offer people", requestID)
	case len(ids) < 1 || len(ids) > r.Limit():
		return fmt.Errorf("%d people were chosen, the button takes 1 to %d", len(ids), r.Limit())
	}
	shared := &UsersShared{RequestID: requestID}
	for _, id := range ids {
		chosen := c.s.chats[id]
		if chosen == nil || chosen.kind != "private" {
			return fmt.Errorf("there is no person %d", id)
		}
		user := SharedUser{ID: id}
		if r.RequestName {
			user.FirstName, user.LastName = chosen.person.FirstName, chosen.person.LastName
		}
		if r.RequestUsername {
			user.Username = chosen.person.Username
		}
		shared.Users = append(shared.Users, user)
	}
	c.send(c.chat.add(Message{From: c.chat.person, Service: &Service{UsersShared: shared}}))
	return nil
}

// String shows the button as in a transcript.
func (b ReplyButton) String() string {
	switch {
	case b.RequestChat != nil:
		return fmt.Sprintf("[ %s (request_chat %d) ]", b.Text, b.RequestChat.ID)
	case b.RequestUsers != nil:
		return fmt.Sprintf("[ %s (request_users %d) ]", b.Text, b.RequestUsers.ID)
	case b.Other != "":
		return "[ " + b.Text + " (" + b.Other + ") ]"
	}
	return "[ " + b.Text + " ]"
}

// replyLines shows a reply markup as in a transcript.
func replyLines(reply json.RawMessage) (lines []string) {
	for _, row := range readReplyKeyboard(reply) {
		line := "keyboard:"
		for _, b := range row {
			line += " " + b.String()
		}
		lines = append(lines, line)
	}
	if lines == nil {
		return []string{"keyboard: " + string(reply)}
	}
	return lines
}
