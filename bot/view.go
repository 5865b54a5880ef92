package bot

import (
	"time"
	"unicode/utf16"

	"github.com/go-telegram/bot/models"
)

// View is what a handler returns to be shown. A View without Text, Document and Photo
// draws nothing; its Toast still answers the tap.
type View struct {
	Text         string // HTML, at most 4096 UTF-16 units after entities (1024 with a file)
	Keyboard     [][]models.InlineKeyboardButton
	Picture      string    // URL, shown as a link preview above the text; "" = no preview
	Document     *Document // sent as a new message with Text as its caption (Bot API: sendDocument)
	Photo        *Document // likewise, at most 10 MB (Bot API: sendPhoto); not together with Document
	Toast        string    // the answer to the tap, cut to 200 UTF-16 units (Bot API: answerCallbackQuery)
	Alert        bool      // the person must dismiss the Toast
	AsNewMessage bool      // sent as a new message even after a tap; the tapped message does not change
	// Dialog is what the person's next text means; nil = it has no special meaning. It
	// replaces the dialog before, unless KeepDialog is set.
	Dialog     *Dialog
	KeepDialog bool
	// Redirect is the callback data of the screen to show instead, as if its button
	// had been tapped. Of the other fields only Toast, Alert and AsNewMessage count,
	// and the toast of the screen replaces this one.
	Redirect string
}

// Document is a file, sent unchanged.
type Document struct {
	Name string
	Data []byte
}

// Dialog says which Step handles a person's next text, with which Request.Data, and
// for how long.
type Dialog struct {
	Step string
	Data string
	TTL  time.Duration
}

// RedirectTo returns a View that redirects to callback data.
func RedirectTo(data string) View { return View{Redirect: data} }

// empty reports whether there is nothing to draw.
func (v View) empty() bool { return v.Text == "" && !v.file() }

// file reports whether the view has a file. Then it is always a new message.
func (v View) file() bool { return v.Document != nil || v.Photo != nil }

// method returns the Bot API method that sends the view.
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

// markup returns nil if there are no buttons: an edit without markup removes them.
func (v View) markup() models.ReplyMarkup {
	if len(v.Keyboard) == 0 {
		return nil
	}
	return &models.InlineKeyboardMarkup{InlineKeyboard: v.Keyboard}
}

// withoutCopyButtons returns the view without its copy buttons, and whether it has any.
func (v View) withoutCopyButtons() (plain View, found bool) {
	plain = v
	plain.Keyboard = nil
	for _, row := range v.Keyboard {
		var kept []models.InlineKeyboardButton
		for _, button := range row {
			if button.CopyText != nil {
				found = true
			} else {
				kept = append(kept, button)
			}
		}
		if len(kept) > 0 {
			plain.Keyboard = append(plain.Keyboard, kept)
		}
	}
	return plain, found
}

func (v View) preview() *models.LinkPreviewOptions {
	yes := true
	if v.Picture == "" {
		return &models.LinkPreviewOptions{IsDisabled: &yes}
	}
	return &models.LinkPreviewOptions{URL: &v.Picture, PreferLargeMedia: &yes, ShowAboveText: &yes}
}

const maxToast = 200 // UTF-16 units (Bot API: answerCallbackQuery)

// toast returns Toast, cut to maxToast.
func (v View) toast() string {
	units := utf16.Encode([]rune(v.Toast))
	if len(units) <= maxToast {
		return v.Toast
	}
	return string(utf16.Decode(units[:maxToast-1])) + "…"
}
