package web

import (
	"encoding/json"
	"strings"
	"unicode/utf16"

	"hstockbot/internal/sandbox/telegram"
)

// update is what the page is told. What is not in it has not changed.
type update struct {
	All     *allView             `json:"all,omitempty"`   // forget what was: the rest is everything
	Chats   map[int64]chatUpdate `json:"chats,omitempty"` // by person
	Bot     *botView             `json:"bot,omitempty"`
	Keys    json.RawMessage      `json:"keys,omitempty"`
	Orders  []json.RawMessage    `json:"orders,omitempty"`  // new or changed ones, by rising number
	Numbers []json.RawMessage    `json:"numbers,omitempty"` // the same
	Faults  json.RawMessage      `json:"faults,omitempty"`
	Calls   []callView           `json:"calls,omitempty"` // new ones and those answered since, oldest first
}

func (u *update) empty() bool {
	return u.All == nil && u.Bot == nil &&
		len(u.Chats)+len(u.Keys)+len(u.Orders)+len(u.Numbers)+len(u.Faults)+len(u.Calls) == 0
}

type allView struct {
	Username string       `json:"username"` // of the bot, for links to it
	Name     string       `json:"name"`     // of the bot
	People   []personView `json:"people"`
}

type personView struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Lang  string `json:"lang"` // of their Telegram
	About string `json:"about"`
}

// chatUpdate is what is new in one person's chat.
type chatUpdate struct {
	Messages []json.RawMessage `json:"messages,omitempty"` // new or changed ones, by rising id
	Deleted  []int             `json:"deleted,omitempty"`  // their ids
	Answers  []answerView      `json:"answers,omitempty"`  // to taps
	Typing   *bool             `json:"typing,omitempty"`
	Blocked  *bool             `json:"blocked,omitempty"`
	Profile  json.RawMessage   `json:"profile,omitempty"`
}

func (u *chatUpdate) empty() bool {
	return len(u.Messages)+len(u.Deleted)+len(u.Answers)+len(u.Profile) == 0 && u.Typing == nil && u.Blocked == nil
}

type messageView struct {
	ID       int               `json:"id"`
	Own      bool              `json:"own"` // the person's
	At       int64             `json:"at"`  // unix ms
	Edited   bool              `json:"edited"`
	Text     string            `json:"text"`
	Entities []telegram.Entity `json:"entities"` // offsets in UTF-16 units, as JavaScript counts
	Keyboard [][]buttonView    `json:"keyboard"`
	File     *fileView         `json:"file,omitempty"`
	Sticker  string            `json:"sticker,omitempty"`
	Preview  *previewView      `json:"preview,omitempty"`
	ReplyTo  int               `json:"replyTo,omitempty"`
}

// buttonView has one of data, url and copy; none where the page can't do it.
type buttonView struct {
	Text string `json:"text"`
	Data string `json:"data,omitempty"`
	URL  string `json:"url,omitempty"`
	Copy string `json:"copy,omitempty"`
	Look string `json:"look,omitempty"` // "danger", "success" or "primary"
}

type fileView struct {
	Name string `json:"name"`
	Size int    `json:"size"` // bytes
}

// previewView is a link preview. The page shows its address only: it asks
// nothing of other sites.
type previewView struct {
	URL   string `json:"url"`
	Above bool   `json:"above"`
}

type answerView struct {
	Message int    `json:"message"`
	Data    string `json:"data"`
	Text    string `json:"text"` // "": nothing was said
	Alert   bool   `json:"alert"`
}

func viewMessage(m telegram.Message) messageView {
	view := messageView{
		ID: m.ID, Own: !m.FromBot, At: m.Date.UnixMilli(), Edited: !m.EditDate.IsZero(),
		Text: m.Text, Entities: m.Entities, Sticker: m.Sticker, ReplyTo: m.ReplyTo,
	}
	for _, row := range m.Keyboard {
		var buttons []buttonView
		for _, b := range row {
			buttons = append(buttons, buttonView{Text: b.Text, Data: b.CallbackData, URL: b.URL, Copy: b.CopyText, Look: b.Style})
		}
		view.Keyboard = append(view.Keyboard, buttons)
	}
	if file := document(m); file != nil {
		view.File = &fileView{Name: file.Name, Size: len(file.Data)}
	} else if m.Photo != nil {
		view.Preview = &previewView{URL: m.Photo.URL, Above: true}
	}
	if link := previewed(m); link != "" {
		view.Preview = &previewView{URL: link, Above: m.LinkPreview.AboveText}
	}
	return view
}

// previewed is the address whose preview the message shows: the one asked for, or
// the first in the text, unless previews are off. Files have none.
func previewed(m telegram.Message) string {
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
			all := utf16.Encode([]rune(m.Text))
			return string(utf16.Decode(all[e.Offset : e.Offset+e.Length]))
		}
	}
	return ""
}

// profileView is what the bot says of itself to one person.
type profileView struct {
	About    string             `json:"about"` // what an empty chat says
	Commands []telegram.Command `json:"commands"`
}

func (p *page) viewProfile(person *telegram.Client) profileView {
	lang, _, _ := strings.Cut(person.Person().LanguageCode, "-")
	about, _ := p.chats.Description(lang)
	if about == "" {
		about, _ = p.chats.Description("")
	}
	return profileView{About: about, Commands: person.Commands()}
}
