package bot

import (
	"time"
	"unicode/utf16"

	"github.com/go-telegram/bot/models"
)

// View is what a handler shows. A View without Text, Document and Photo draws
// nothing; its Toast still answers the tap.
type View struct {
	Text         string // HTML, at most 4096 UTF-16 units after entities (1024 with a file)
	Keyboard     [][]models.InlineKeyboardButton
	Picture      string    // URL shown as a link preview above the text; "" = no previews
	Document     *Document // a file of its own message; Text becomes its caption
	Photo        *Document // likewise a picture that is shown (Bot API: sendPhoto, 10 MB); not beside a Document
	Toast        string    // the answer to the tap, at most 200 characters
	Alert        bool      // the Toast waits to be dismissed
	AsNewMessage bool      // a new message even after a tap: the tapped one stays as it is
	// Dialog is what the person's next text means; nil: nothing. It replaces the
	// dialog before, unless Keep leaves that as it is.
	Dialog     *Dialog
	KeepDialog bool
	// Redirect is the callback data of the screen to show instead, as if its button
	// had been tapped: "Try again" and Back after a question lead there. Beside it
	// only Toast, Alert and AsNewMessage count.
	Redirect string
}

// Document is a file, sent byte for byte.
type Document struct {
	Name string
	Data []byte
}

// Dialog says what a person's next text means: the name of a Step, and data of
// its own making.
type Dialog struct {
	Step string
	Data string
	TTL  time.Duration
}

// RedirectTo returns a View that redirects to callback data.
func RedirectTo(data string) View { return View{Redirect: data} }

// empty reports whether there is nothing to draw.
func (v View) empty() bool { return v.Text == "" && !v.file() }

// file reports whether it is a message with a file, which is never drawn in
// another one's place.
func (v View) file() bool { return v.Document != nil || v.Photo != nil }

// method is the one of the Bot API that sends it.
func (v View) method() string {
	switch {
	case v.Document != nil:
		return "sendDocument"
	case v.Photo != nil:
		return "sendPhoto"
	default:
		return "sendMessage"
	}
}

// markup returns nil, and no empty keyboard, where there are no buttons: an
// edit without takes the buttons away.
func (v View) markup() models.ReplyMarkup {
	if len(v.Keyboard) == 0 {
		return nil
	}
	return &models.InlineKeyboardMarkup{InlineKeyboard: v.Keyboard}
}

func (v View) preview() *models.LinkPreviewOptions {
	yes := true
	if v.Picture == "" {
		return &models.LinkPreviewOptions{IsDisabled: &yes}
	}
	return &models.LinkPreviewOptions{URL: &v.Picture, PreferLargeMedia: &yes, ShowAboveText: &yes}
}

const maxToast = 200 // characters (Bot API: answerCallbackQuery)

// toast returns the answer to the tap, cut to what Telegram takes.
func (v View) toast() string {
	units := utf16.Encode([]rune(v.Toast))
	if len(units) <= maxToast {
		return v.Toast
	}
	return string(utf16.Decode(units[:maxToast-1])) + "…"
}
