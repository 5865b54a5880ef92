package bot

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-telegram/bot/models"
)

// allowedUpdates are the kinds of updates that are received (Bot API: getUpdates).
var allowedUpdates = []string{
	models.AllowedUpdateMessage, models.AllowedUpdateEditedMessage, models.AllowedUpdateCallbackQuery, models.AllowedUpdateMyChatMember,
	models.AllowedUpdateInlineQuery,
}

// update has the fields that are used (Bot API: Update). The others are not decoded,
// so that a value that the library does not know does not lose an update, and they
// are not stored.
type update struct {
	ID            int64         `json:"update_id"`
	Message       *message      `json:"message,omitempty"`
	EditedMessage *message      `json:"edited_message,omitempty"`
	CallbackQuery *callback     `json:"callback_query,omitempty"`
	MyChatMember  *memberChange `json:"my_chat_member,omitempty"`
	InlineQuery   *inlineQuery  `json:"inline_query,omitempty"`
	// Edited is added by the bot, which keeps an edited message in Message.
	Edited bool `json:"edited,omitempty"`
}

type message struct {
	ID   int     `json:"message_id"`
	Date int     `json:"date"`
	Chat chat    `json:"chat"`
	From *sender `json:"from,omitempty"`
	Text string  `json:"text,omitempty"`
	// Caption is the text under a file.
	Caption string  `json:"caption,omitempty"`
	Via     present `json:"via_bot,omitempty"` // set if the person chose an inline result
	// SenderChat is the group itself if From is one of its anonymous admins.
	SenderChat *chat  `json:"sender_chat,omitempty"`
	Album      string `json:"media_group_id,omitempty"`    // of pictures that were sent together
	Thread     int    `json:"message_thread_id,omitempty"` // the topic of the chat
	// What the person has chosen with a button of an Ask.
	ChatShared  *SharedChat  `json:"chat_shared,omitempty"`
	UsersShared *SharedUsers `json:"users_shared,omitempty"`
	// The group has become this supergroup; the supergroup was this group.
	MigrateTo   int64 `json:"migrate_to_chat_id,omitempty"`
	MigrateFrom int64 `json:"migrate_from_chat_id,omitempty"`
	content
}

// content says that a person sent something other than text. A message without content
// and text is a service message (a pinned message, a new title).
type content struct {
	Animation   present `json:"animation,omitempty"`
	Audio       present `json:"audio,omitempty"`
	Checklist   present `json:"checklist,omitempty"`
	Contact     present `json:"contact,omitempty"`
	Dice        present `json:"dice,omitempty"`
	Document    present `json:"document,omitempty"`
	Game        present `json:"game,omitempty"`
	LivePhoto   present `json:"live_photo,omitempty"`
	Location    present `json:"location,omitempty"`
	PaidMedia   present `json:"paid_media,omitempty"`
	Photo       present `json:"photo,omitempty"`
	Poll        present `json:"poll,omitempty"`
	RichMessage present `json:"rich_message,omitempty"`
	Sticker     present `json:"sticker,omitempty"`
	Story       present `json:"story,omitempty"`
	Video       present `json:"video,omitempty"`
	VideoNote   present `json:"video_note,omitempty"`
	Voice       present `json:"voice,omitempty"`
}

type callback struct {
	ID      string  `json:"id"`
	From    sender  `json:"from"`
	Message *tapped `json:"message,omitempty"`
	Data    string  `json:"data,omitempty"`
	Label   string  `json:"label,omitempty"` // of the button; added by the bot from Message
}

// tapped is the tapped message (Bot API: MaybeInaccessibleMessage). Its text may
// contain goods and is not stored; only a message with text can be edited as text.
type tapped struct {
	ID   int     `json:"message_id"`
	Date int     `json:"date"` // 0: the message is no longer accessible
	Chat chat    `json:"chat"`
	Text present `json:"text,omitempty"`
	// Thread is the topic of the chat.
	Thread int `json:"message_thread_id,omitempty"`
	// Keyboard is not stored: copy buttons may contain goods. It is only kept in memory, as
	// buttons.
	Keyboard *keyboard `json:"reply_markup,omitempty"`
	buttons  [][]button
}

type keyboard struct {
	Rows [][]button `json:"inline_keyboard"`
}

// button is a button as Telegram sent it.
type button struct {
	text, data string
	raw        json.RawMessage
}

// UnmarshalJSON implements json.Unmarshaler.
func (b *button) UnmarshalJSON(raw []byte) error {
	var fields struct {
		Text string `json:"text"`
		Data string `json:"callback_data"`
	}
	_ = json.Unmarshal(raw, &fields) // an odd button is not the tapped one
	*b = button{text: fields.Text, data: fields.Data, raw: slices.Clone(raw)}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (b button) MarshalJSON() ([]byte, error) { return b.raw, nil }

type memberChange struct {
	Chat          chat   `json:"chat"`
	From          sender `json:"from"`
	NewChatMember member `json:"new_chat_member"`
}

type inlineQuery struct {
	ID     string `json:"id"`
	From   sender `json:"from"`
	Query  string `json:"query,omitempty"`
	Offset string `json:"offset,omitempty"`
	// Received is added by the bot: Telegram sends no time.
	Received int64 `json:"received,omitempty"` // unix ms
}

type chat struct {
	ID    int64  `json:"id"`
	Type  string `json:"type"`
	Title string `json:"title,omitempty"` // of a group or a channel
}

type sender struct {
	ID           int64  `json:"id"`
	IsBot        bool   `json:"is_bot,omitempty"`
	FirstName    string `json:"first_name,omitempty"`
	Username     string `json:"username,omitempty"`
	LanguageCode string `json:"language_code,omitempty"`
}

// present is true if the field is present, except null and false.
type present bool

// UnmarshalJSON implements json.Unmarshaler.
func (p *present) UnmarshalJSON(data []byte) error {
	*p = string(data) != "null" && string(data) != "false"
	return nil
}

// received is an update from Telegram.
type received struct {
	*update
	damaged json.RawMessage // the update as it was received, if it can't be decoded; else nil
}

// decodeUpdates decodes the response to getUpdates.
func decodeUpdates(body []byte) (all []received, err error) {
	var response struct {
		Result []update `json:"result"`
	}
	if json.Unmarshal(body, &response) == nil {
		for i := range response.Result {
			u := &response.Result[i]
			u.complete()
			all = append(all, received{update: u})
		}
		return all, nil
	}
	// One that can't be decoded must not lose the others.
	var each struct {
		Result []json.RawMessage `json:"result"`
	}
	err = json.Unmarshal(body, &each)
	for _, raw := range each.Result {
		all = append(all, decodeReceived(raw))
	}
	return all, err
}

func decodeReceived(raw json.RawMessage) received {
	u, err := decodeUpdate(raw)
	if err != nil {
		return received{update: u, damaged: raw}
	}
	return received{update: u}
}

var errNoUpdateID = errors.New("the update has no id")

// decodeUpdate decodes one update. After an error the update has its id, if that is
// readable, so that the update can be acknowledged.
func decodeUpdate(raw []byte) (*update, error) {
	u := &update{}
	err := json.Unmarshal(raw, u)
	if odd, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && strings.HasPrefix(odd.Field, "callback_query.message.reply_markup") {
		err = nil // the rest was decoded, and the update is handled without the label
	}
	if err != nil {
		head := struct {
			ID int64 `json:"update_id"`
		}{}
		_ = json.Unmarshal(raw, &head) // the id stays 0 if it is unreadable
		u = &update{ID: head.ID}
		err = fmt.Errorf("decode update: %w", err)
	}
	if u.ID == 0 {
		return u, errNoUpdateID
	}
	u.complete()
	return u, err
}

// complete sets the fields that are added by the bot.
func (u *update) complete() {
	if u.EditedMessage != nil {
		u.Message, u.EditedMessage, u.Edited = u.EditedMessage, nil, true
	}
	if q := u.CallbackQuery; q != nil && q.Message != nil && q.Message.Keyboard != nil {
		q.Message.buttons = q.Message.Keyboard.Rows
		q.Label, q.Message.Keyboard = q.Message.Keyboard.label(q.Data), nil
	}
}

// label returns the label of the button with this data, "" if there is none.
func (k *keyboard) label(data string) string {
	for _, row := range k.Rows {
		for _, button := range row {
			if button.data == data {
				return button.text
			}
		}
	}
	return ""
}

// chatID returns the chat in whose order the update is handled.
func (u *update) chatID() int64 {
	switch {
	case u.Message != nil:
		return u.Message.Chat.ID
	case u.CallbackQuery != nil && u.CallbackQuery.Message != nil:
		return u.CallbackQuery.Message.Chat.ID
	case u.CallbackQuery != nil:
		return u.CallbackQuery.From.ID // a private chat has the id of its person
	case u.MyChatMember != nil:
		return u.MyChatMember.Chat.ID
	case u.InlineQuery != nil:
		return u.InlineQuery.From.ID // in order with the private chat
	default:
		return 0
	}
}

// forBot reports whether the bot may respond to the update. Updates of bots and
// channels, other service messages than those about what was chosen or a group that has
// become a supergroup, and text in groups that is not a command are not stored.
func (u *update) forBot() bool {
	switch {
	case u.Message != nil:
		m := u.Message
		if m.moved() {
			return true
		}
		if m.From == nil || m.From.IsBot && !m.anonymous() || bool(m.Via) {
			return false
		}
		if !m.Chat.private() {
			return strings.HasPrefix(m.Text, "/") || strings.HasPrefix(m.Caption, "/")
		}
		return m.Text != "" || m.content != content{} || m.ChatShared != nil || m.UsersShared != nil
	case u.CallbackQuery != nil:
		return !u.CallbackQuery.From.IsBot
	case u.MyChatMember != nil:
		return !u.MyChatMember.From.IsBot || !u.MyChatMember.Chat.private()
	case u.InlineQuery != nil:
		return !u.InlineQuery.From.IsBot
	default:
		return false
	}
}

// aboutChat reports whether the update is about the bot's place in a group or a channel.
func (u *update) aboutChat() bool {
	return u.Message != nil && u.Message.moved() || u.MyChatMember != nil && !u.MyChatMember.Chat.private()
}

// moved reports whether a group says that it has become a supergroup.
func (m *message) moved() bool { return m.MigrateTo != 0 || m.MigrateFrom != 0 }

// anonymous reports whether an anonymous admin of a group wrote the message. From is then
// a bot of Telegram's.
func (m *message) anonymous() bool {
	return m.SenderChat != nil && m.SenderChat.ID == m.Chat.ID && !m.Chat.private()
}

func (c chat) private() bool { return c.Type == string(models.ChatTypePrivate) }

// library converts the update to the library's type.
func (u *update) library() *models.Update {
	out := &models.Update{ID: u.ID}
	switch {
	case u.Message != nil:
		m := u.Message
		out.Message = &models.Message{ID: m.ID, Date: m.Date, Chat: m.Chat.library(), Text: m.Text}
		if m.From != nil {
			from := m.From.library()
			out.Message.From = &from
		}
	case u.CallbackQuery != nil:
		q := u.CallbackQuery
		out.CallbackQuery = &models.CallbackQuery{ID: q.ID, From: q.From.library(), Data: q.Data}
		if m := q.Message; m != nil {
			out.CallbackQuery.Message = m.library()
		}
	case u.MyChatMember != nil:
		m := u.MyChatMember
		out.MyChatMember = &models.ChatMemberUpdated{
			Chat: m.Chat.library(), From: m.From.library(),
			NewChatMember: models.ChatMember{Type: models.ChatMemberType(m.NewChatMember.Status)},
		}
	case u.InlineQuery != nil:
		q := u.InlineQuery
		from := q.From.library()
		out.InlineQuery = &models.InlineQuery{ID: q.ID, From: &from, Query: q.Query, Offset: q.Offset}
	}
	return out
}

func (m *tapped) library() models.MaybeInaccessibleMessage {
	if m.Date == 0 || !m.Text {
		// A file can't be edited as text either, so both get a new message.
		return models.MaybeInaccessibleMessage{
			Type:                models.MaybeInaccessibleMessageTypeInaccessibleMessage,
			InaccessibleMessage: &models.InaccessibleMessage{Chat: m.Chat.library(), MessageID: m.ID},
		}
	}
	return models.MaybeInaccessibleMessage{Message: &models.Message{ID: m.ID, Date: m.Date, Chat: m.Chat.library()}}
}

func (c chat) library() models.Chat {
	return models.Chat{ID: c.ID, Type: models.ChatType(c.Type)}
}

func (s sender) library() models.User {
	return models.User{ID: s.ID, IsBot: s.IsBot, FirstName: s.FirstName, Username: s.Username, LanguageCode: s.LanguageCode}
}
