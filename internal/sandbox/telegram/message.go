package telegram

import (
	"encoding/json"
	"time"
)

// Person is a person with a Telegram account.
type Person struct {
	ID           int64
	FirstName    string
	LastName     string
	Username     string // without @; "": none
	LanguageCode string // the language of their app, "pt-br"; "": unknown
}

// Message is a message as its chat shows it now. Its slices are never modified:
// an edit makes new ones.
type Message struct {
	ID          int   // the first message of a chat is 1
	Chat        int64 // the person's id in a private chat
	FromBot     bool
	From        Person
	Date        time.Time
	EditDate    time.Time // zero: never edited
	Text        string    // plain; the caption if there is a file
	Entities    []Entity  // of Text
	Keyboard    [][]Button
	Reply       json.RawMessage // a reply keyboard, its removal or a forced reply, as sent
	Document    *Document       // nil: none
	Photo       *Document       // nil: none; only its URL is set if the bot sent a URL
	Sticker     string          // its emoji; "": none
	Via         string          // username of the bot whose inline result it is; "": none
	LinkPreview LinkPreview
	Unloaded    bool     // there is no preview, because its URL can't be loaded
	ReplyTo     int      // ID of the message this one replies to; 0: none
	Effect      string   // emoji of the message effect; "": none
	Protected   bool     // protect_content
	Silent      bool     // disable_notification
	Thread      int      // the topic it is in; 0: none
	Album       string   // media_group_id: pictures that were sent together; "": none
	Anonymous   bool     // in a group: an admin sent it in the group's name
	Deleted     bool     // for both sides
	Service     *Service // of a service message; nil: it is none

	markup json.RawMessage // the InlineKeyboardMarkup as sent; nil: none
	source []Entity        // Entities without those that Telegram detects
}

// Entity is a Bot API MessageEntity; Offset and Length count UTF-16 units.
type Entity struct {
	Type           string `json:"type"`
	Offset         int    `json:"offset"`
	Length         int    `json:"length"`
	URL            string `json:"url,omitempty"`
	Language       string `json:"language,omitempty"`
	CustomEmojiID  string `json:"custom_emoji_id,omitempty"`
	UnixTime       int64  `json:"unix_time,omitempty"`
	DateTimeFormat string `json:"date_time_format,omitempty"`
}

// Button is an inline button. Exactly one of CallbackData, URL, CopyText and
// Other is set.
type Button struct {
	Text         string
	CallbackData string
	URL          string
	CopyText     string
	Other        string // the name of another action, "web_app"
	Query        string // of the action switch_inline_query
	Style        string // "danger", "success", "primary" or ""
	Icon         string // icon_custom_emoji_id
}

// LinkPreview is a Bot API LinkPreviewOptions.
type LinkPreview struct {
	Disabled    bool   `json:"is_disabled,omitempty"`
	URL         string `json:"url,omitempty"`
	PreferLarge bool   `json:"prefer_large_media,omitempty"`
	PreferSmall bool   `json:"prefer_small_media,omitempty"`
	AboveText   bool   `json:"show_above_text,omitempty"`
}

// Document is a file that the bot sent.
type Document struct {
	Name string
	Type string // MIME
	Data []byte
	URL  string // of a photo sent by URL; the sandbox does not fetch it

	Width, Height int // of a photo, in pixels; 0 if it was not fetched

	id, path string
}

// Answer is the bot's answer to a tap; Text is "" if it shows nothing.
type Answer struct {
	Person    int64  // who tapped
	MessageID int    // the tapped message
	Data      string // the button's
	Text      string
	Alert     bool // a dialog box instead of a toast
	URL       string
	At        time.Time
}

// anonymousAdmin is the bot that Telegram names as the author of a message of an
// anonymous admin (Bot API: Message.from).
var anonymousAdmin = Person{ID: 1087968824, FirstName: "Group", Username: "GroupAnonymousBot"}

// The wire types are the JSON that the bot receives.

type wireUser struct {
	ID           int64  `json:"id"`
	IsBot        bool   `json:"is_bot"`
	FirstName    string `json:"first_name"`
	LastName     string `json:"last_name,omitempty"`
	Username     string `json:"username,omitempty"`
	LanguageCode string `json:"language_code,omitempty"`
}

func (p Person) wire(bot bool) wireUser {
	return wireUser{p.ID, bot, p.FirstName, p.LastName, p.Username, p.LanguageCode}
}

type wireChat struct {
	ID        int64  `json:"id"`
	Type      string `json:"type"`
	Title     string `json:"title,omitempty"`
	Username  string `json:"username,omitempty"`
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
	Forum     bool   `json:"is_forum,omitempty"`
}

type wireMessage struct {
	*Service
	ID          int             `json:"message_id"`
	From        *wireUser       `json:"from,omitempty"`
	Via         *wireUser       `json:"via_bot,omitempty"`
	Chat        wireChat        `json:"chat"`
	SenderChat  *wireChat       `json:"sender_chat,omitempty"`
	Thread      int             `json:"message_thread_id,omitempty"`
	InTopic     bool            `json:"is_topic_message,omitempty"`
	Album       string          `json:"media_group_id,omitempty"`
	Date        int64           `json:"date"`
	EditDate    int64           `json:"edit_date,omitempty"`
	Protected   bool            `json:"has_protected_content,omitempty"`
	ReplyTo     *wireMessage    `json:"reply_to_message,omitempty"`
	Effect      string          `json:"effect_id,omitempty"`
	Text        string          `json:"text,omitempty"`
	Entities    []Entity        `json:"entities,omitempty"`
	Caption     string          `json:"caption,omitempty"`
	CapEntities []Entity        `json:"caption_entities,omitempty"`
	LinkPreview *LinkPreview    `json:"link_preview_options,omitempty"`
	Document    *wireDocument   `json:"document,omitempty"`
	Photo       []wirePhoto     `json:"photo,omitempty"`
	Sticker     *wireSticker    `json:"sticker,omitempty"`
	Markup      json.RawMessage `json:"reply_markup,omitempty"`
}

type wireDocument struct {
	ID       string `json:"file_id"`
	UniqueID string `json:"file_unique_id"`
	Name     string `json:"file_name,omitempty"`
	Type     string `json:"mime_type,omitempty"`
	Size     int    `json:"file_size,omitempty"`
}

type wirePhoto struct {
	ID       string `json:"file_id"`
	UniqueID string `json:"file_unique_id"`
	Width    int    `json:"width"`
	Height   int    `json:"height"`
	Size     int    `json:"file_size,omitempty"`
}

type wireSticker struct {
	ID       string `json:"file_id"`
	UniqueID string `json:"file_unique_id"`
	Type     string `json:"type"`
	Width    int    `json:"width"`
	Height   int    `json:"height"`
	Animated bool   `json:"is_animated"`
	Video    bool   `json:"is_video"`
	Emoji    string `json:"emoji,omitempty"`
}

// wireInaccessible is a Bot API InaccessibleMessage: what a callback query holds
// in place of a deleted message.
type wireInaccessible struct {
	Chat wireChat `json:"chat"`
	ID   int      `json:"message_id"`
	Date int64    `json:"date"` // always 0
}

// wire returns the message of chat c as it stands in responses and updates.
func (m *Message) wire(c *chat) *wireMessage {
	from := m.From.wire(m.FromBot)
	w := &wireMessage{
		ID: m.ID, From: &from, Chat: c.wire(), Date: m.Date.Unix(),
		Protected: m.Protected, Markup: m.markup, Service: m.Service, Thread: m.Thread, InTopic: m.Thread != 0, Album: m.Album,
	}
	if m.Anonymous {
		*w.From = anonymousAdmin.wire(true)
		group := c.wire()
		w.SenderChat = &group
	}
	if c.kind == "channel" { // posts are the channel's own
		w.From, w.SenderChat = nil, &w.Chat
	}
	if m.Via != "" {
		via := c.s.bot.wire(true)
		w.Via = &via
	}
	if !m.EditDate.IsZero() {
		w.EditDate = m.EditDate.Unix()
	}
	for id, emoji := range effects {
		if m.Effect == emoji {
			w.Effect = id
		}
	}
	if reply := c.message(m.ReplyTo); reply != nil {
		inner := *reply
		inner.ReplyTo = 0 // Bot API: "will not contain further reply_to_message fields"
		w.ReplyTo = inner.wire(c)
	}
	if m.LinkPreview != (LinkPreview{}) {
		preview := m.LinkPreview
		w.LinkPreview = &preview
	}
	switch {
	case m.Document != nil:
		d := m.Document
		w.Caption, w.CapEntities = m.Text, m.Entities
		w.Document = &wireDocument{ID: d.id, UniqueID: "u" + d.id, Name: d.Name, Type: d.Type, Size: len(d.Data)}
	case m.Photo != nil:
		w.Caption, w.CapEntities = m.Text, m.Entities
		w.Photo = []wirePhoto{{ID: m.Photo.id, UniqueID: "u" + m.Photo.id, Width: max(m.Photo.Width, 1), Height: max(m.Photo.Height, 1), Size: len(m.Photo.Data)}}
	case m.Sticker != "":
		w.Sticker = &wireSticker{ID: "sticker", UniqueID: "usticker", Type: "regular", Width: 512, Height: 512, Emoji: m.Sticker}
	default:
		w.Text, w.Entities = m.Text, m.Entities
	}
	return w
}

// file returns the message's document or photo, nil if it has none.
func (m *Message) file() *Document {
	if m.Document != nil {
		return m.Document
	}
	return m.Photo
}
