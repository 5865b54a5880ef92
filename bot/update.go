package bot

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-telegram/bot/models"
)

// allowedUpdates are the kinds of updates that are received (Bot API: getUpdates).
var allowedUpdates = []string{
	models.AllowedUpdateMessage, models.AllowedUpdateCallbackQuery, models.AllowedUpdateMyChatMember, models.AllowedUpdateInlineQuery,
}

// update has the fields that are used (Bot API: Update). The others are not decoded,
// so that a value that the library does not know does not lose an update, and they
// are not stored.
type update struct {
	ID            int64         `json:"update_id"`
	Message       *message      `json:"message,omitempty"`
	CallbackQuery *callback     `json:"callback_query,omitempty"`
	MyChatMember  *memberChange `json:"my_chat_member,omitempty"`
	InlineQuery   *inlineQuery  `json:"inline_query,omitempty"`
}

type message struct {
	ID   int     `json:"message_id"`
	Date int     `json:"date"`
	Chat chat    `json:"chat"`
	From *sender `json:"from,omitempty"`
	Text string  `json:"text,omitempty"`
	Via  present `json:"via_bot,omitempty"` // set if the person chose an inline result
	// SenderChat is the group itself if From is one of its anonymous admins.
	SenderChat *chat  `json:"sender_chat,omitempty"`
	Album      string `json:"media_group_id,omitempty"`    // of pictures that were sent together
	Thread     int    `json:"message_thread_id,omitempty"` // the topic of the chat
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
}

type memberChange struct {
	Chat          chat   `json:"chat"`
	From          sender `json:"from"`
	NewChatMember struct {
		Status string `json:"status"`
	} `json:"new_chat_member"`
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
	ID   int64  `json:"id"`
	Type string `json:"type"`
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

var errNoUpdateID = errors.New("the update has no id")

// decodeUpdate decodes one update. After an error the update has its id, if that is
// readable, so that the update can be acknowledged.
func decodeUpdate(raw []byte) (*update, error) {
	u := &update{}
	err := json.Unmarshal(raw, u)
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
	return u, err
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
// channels, service messages, and text in groups that is not a command are not stored.
func (u *update) forBot() bool {
	switch {
	case u.Message != nil:
		m := u.Message
		if m.From == nil || m.From.IsBot && !m.anonymous() || bool(m.Via) {
			return false
		}
		if !m.Chat.private() {
			return strings.HasPrefix(m.Text, "/")
		}
		return m.Text != "" || m.content != content{}
	case u.CallbackQuery != nil:
		return !u.CallbackQuery.From.IsBot
	case u.MyChatMember != nil:
		return !u.MyChatMember.From.IsBot && u.MyChatMember.Chat.private()
	case u.InlineQuery != nil:
		return !u.InlineQuery.From.IsBot
	default:
		return false
	}
}

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
