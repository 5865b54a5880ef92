package web

import (
	"encoding/json"
	"strings"
	"unicode/utf16"

	"hstockbot/internal/sandbox/telegram"
)

// update is one event of the stream. A missing field has not changed.
type update struct {
	All     *allView             `json:"all,omitempty"`   // only in the first update, which holds the whole state
	Chats   map[int64]chatUpdate `json:"chats,omitempty"` // by user id, or chat id of a room
	Bot     *botView             `json:"bot,omitempty"`
	Keys    json.RawMessage      `json:"keys,omitempty"`
	Orders  []json.RawMessage    `json:"orders,omitempty"`  // new and changed ones, by ascending number
	Numbers []json.RawMessage    `json:"numbers,omitempty"` // new and changed ones, by ascending number
	Faults  json.RawMessage      `json:"faults,omitempty"`
	Calls   []callView           `json:"calls,omitempty"` // new and newly answered ones, oldest first
}

func (u *update) empty() bool {
	return u.All == nil && u.Bot == nil &&
		len(u.Chats)+len(u.Keys)+len(u.Orders)+len(u.Numbers)+len(u.Faults)+len(u.Calls) == 0
}

type allView struct {
	Username string       `json:"username"` // of the bot, for links to it
	Name     string       `json:"name"`     // of the bot
	People   []personView `json:"people"`
	Rooms    []roomView   `json:"rooms"`
}

type personView struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Lang  string `json:"lang"` // of their Telegram app
	About string `json:"about"`
}

// chatUpdate is what has changed in one person's chat, or in a room.
type chatUpdate struct {
	Messages []json.RawMessage `json:"messages,omitempty"` // new and changed ones, by ascending id
	Deleted  []int             `json:"deleted,omitempty"`  // ids
	Answers  []answerView      `json:"answers,omitempty"`  // to taps
	Typing   *bool             `json:"typing,omitempty"`
	Blocked  *bool             `json:"blocked,omitempty"`
	Profile  json.RawMessage   `json:"profile,omitempty"`
	Inline   json.RawMessage   `json:"inline,omitempty"` // an inlineView; null: none
	Reply    json.RawMessage   `json:"reply,omitempty"`  // rows of replyButtonView; null: none
	Place    string            `json:"place,omitempty"`  // the bot's, in a room
}

func (u *chatUpdate) empty() bool {
	return len(u.Messages)+len(u.Deleted)+len(u.Answers)+len(u.Profile)+len(u.Inline)+len(u.Reply)+len(u.Place) == 0 && u.Typing == nil && u.Blocked == nil
}

type messageView struct {
	ID       int               `json:"id"`
	Own      bool              `json:"own"`            // sent by the person
	From     string            `json:"from,omitempty"` // another person, in a room or in a chat that the bot does not see
	Topic    string            `json:"topic,omitempty"`
	Service  string            `json:"service,omitempty"` // what a service message says
	Via      string            `json:"via,omitempty"`     // username of the bot whose inline result it is
	At       int64             `json:"at"`                // unix ms
	Edited   bool              `json:"edited"`
	Text     string            `json:"text"`
	Entities []telegram.Entity `json:"entities"` // offsets in UTF-16 units, like JavaScript's
	Keyboard [][]buttonView    `json:"keyboard"`
	File     *fileView         `json:"file,omitempty"`
	Sticker  string            `json:"sticker,omitempty"`
	Preview  *previewView      `json:"preview,omitempty"`
	ReplyTo  int               `json:"replyTo,omitempty"`
	Effect   string            `json:"effect,omitempty"` // the emoji
	Silent   bool              `json:"silent,omitempty"`
}

// buttonView has one of Data, URL, Copy and Query, or none if the page can't act on it.
type buttonView struct {
	Text  string `json:"text"`
	Data  string `json:"data,omitempty"`
	URL   string `json:"url,omitempty"`
	Copy  string `json:"copy,omitempty"`
	Query string `json:"query,omitempty"` // an inline query that it types
	Style string `json:"look,omitempty"`  // "danger", "success" or "primary"
}

type fileView struct {
	Name   string `json:"name"`
	Size   int    `json:"size"`             // bytes
	Width  int    `json:"width,omitempty"`  // of a photo, in pixels
	Height int    `json:"height,omitempty"` // likewise
}

// previewView is a link preview. The page shows only the address, because it loads
// nothing from other sites.
type previewView struct {
	URL   string `json:"url"`
	Above bool   `json:"above"` // above the text
}

// answerView is the bot's answer to a tap.
type answerView struct {
	Message int    `json:"message"`
	Data    string `json:"data"`
	Text    string `json:"text"` // "": none is shown
	Alert   bool   `json:"alert"`
}

func viewMessage(m telegram.Message) messageView {
	view := messageView{
		ID: m.ID, Own: !m.FromBot, At: m.Date.UnixMilli(), Edited: !m.EditDate.IsZero(),
		Text: m.Text, Entities: m.Entities, Sticker: m.Sticker, ReplyTo: m.ReplyTo, Effect: m.Effect, Silent: m.Silent, Via: m.Via,
	}
	if m.Service != nil {
		view.Service = m.Service.String()
	}
	for _, row := range m.Keyboard {
		var buttons []buttonView
		for _, b := range row {
			buttons = append(buttons, buttonView{Text: b.Text, Data: b.CallbackData, URL: b.URL, Copy: b.CopyText, Query: b.Query, Style: b.Style})
		}
		view.Keyboard = append(view.Keyboard, buttons)
	}
	if file := document(m); file != nil {
		view.File = &fileView{Name: file.Name, Size: len(file.Data), Width: file.Width, Height: file.Height}
	} else if m.Photo != nil {
		view.Preview = &previewView{URL: m.Photo.URL, Above: true}
	}
	if link := previewURL(m); link != "" {
		view.Preview = &previewView{URL: link, Above: m.LinkPreview.AboveText}
	}
	return view
}

// previewURL returns the address whose preview the message shows, "" for none: the
// address that the bot requested, or else the first one in the text. Messages with
// files have no preview.
func previewURL(m telegram.Message) string {
	if m.LinkPreview.Disabled || m.Unloaded || m.Document != nil || m.Photo != nil {
		return ""
	}
	if m.LinkPreview.URL != "" {
		return m.LinkPreview.URL
	}
	for _, e := range m.Entities {
		switch e.Type {
		case "text_link":
			return e.URL
		case "url":
			units := utf16.Encode([]rune(m.Text))
			return string(utf16.Decode(units[e.Offset : e.Offset+e.Length]))
		}
	}
	return ""
}

// profileView is the bot's profile as one person sees it.
type profileView struct {
	About    string             `json:"about"` // the description that an empty chat shows
	Commands []telegram.Command `json:"commands"`
}

func (p *page) viewProfile(person *telegram.Client) profileView {
	lang, _, _ := strings.Cut(person.Person().LanguageCode, "-")
	about, _ := p.telegram.Description(lang)
	if about == "" {
		about, _ = p.telegram.Description("")
	}
	return profileView{About: about, Commands: person.Commands()}
}
