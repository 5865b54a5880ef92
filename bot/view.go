package bot

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-telegram/bot/models"

	"hstockbot/locales"
)

// View is what a handler returns to be shown. A View without Text, Document and Photo
// draws nothing; its Toast still answers the tap.
type View struct {
	Text         string             // HTML, at most 4096 UTF-16 units after entities (1024 with a file)
	L            *locales.Localizer // the language of Text; nil: that of the request, or none
	Keyboard     [][]models.InlineKeyboardButton
	Picture      string    // URL, shown as a link preview above the text; "" = no preview
	Document     *Document // sent as a new message with Text as its caption (Bot API: sendDocument)
	Photo        *Document // likewise, at most 10 MB (Bot API: sendPhoto); not together with Document
	Toast        string    // the answer to the tap, cut to 200 UTF-16 units (Bot API: answerCallbackQuery)
	Alert        bool      // the person must dismiss the Toast
	AsNewMessage bool      // sent as a new message even after a tap; the tapped message does not change
	// Thread is the topic of the chat that Bot.Send sends to; 0 = none (Bot API:
	// message_thread_id). Screens are drawn in the topic in which the person is.
	Thread int64
	// ReplyTo is the message of the chat that a new message replies to, 0 for none. One
	// that is gone is no error (Bot API: reply_parameters, allow_sending_without_reply).
	ReplyTo int64
	Silent  bool // a new message makes no sound (Bot API: disable_notification)
	// DropButton takes the tapped button out of its message, which stays as it is otherwise.
	// Of the other fields only Toast and Alert count. After a restart between the tap and its
	// handling the button stays: its message may contain goods, so it is not stored.
	DropButton bool
	// Ask is a keyboard below the text field, in place of Keyboard. The View is then always
	// a new message. The keyboard stays until Request.RemoveReplyKeyboard.
	Ask   []AskButton
	Party bool // a new message begins with 🎉, where Telegram allows it (Bot API: message_effect_id)
	// Dialog is what the person's next text means; nil = it has no special meaning. It
	// replaces the dialog before, unless KeepDialog is set.
	Dialog     *Dialog
	KeepDialog bool
	// Redirect is the callback data of the screen to show instead, as if its button
	// had been tapped. Of the other fields only Toast, Alert and AsNewMessage count,
	// and the toast of the screen replaces this one.
	Redirect string

	removeReplyKeyboard bool // see Request.RemoveReplyKeyboard
	onlyInThread        bool // see Bot.Post
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
	// WithMessage puts the id of the message in which the View was drawn, 0 if that failed,
	// and a space before Data.
	WithMessage bool
}

// RedirectTo returns a View that redirects to callback data.
func RedirectTo(data string) View { return View{Redirect: data} }

// empty reports whether there is nothing to draw.
func (v View) empty() bool { return v.Text == "" && !v.file() }

// file reports whether the view has a file. Then it is always a new message.
func (v View) file() bool { return v.Document != nil || v.Photo != nil }

// html returns the text with the marks of direction that its lines need, unless it is too
// long for them.
func (v View) html() string {
	if v.L == nil {
		return v.Text
	}
	marked, limit := v.L.MarkLines(v.Text), MaxText
	if v.file() {
		limit = maxCaption
	}
	if len(marked) > len(v.Text) && Length(marked) > limit {
		return v.Text
	}
	return marked
}

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
	if v.removeReplyKeyboard {
		return &models.ReplyKeyboardRemove{RemoveKeyboard: true}
	}
	if len(v.Ask) > 0 {
		return replyKeyboard(v.Ask)
	}
	if len(v.Keyboard) == 0 {
		return nil
	}
	return &models.InlineKeyboardMarkup{InlineKeyboard: fitRows(v.Keyboard)}
}

// withoutCopyButtons returns the view without its copy buttons, and whether it has any.
func (v View) withoutCopyButtons() (plain View, found bool) {
	for _, row := range v.Keyboard {
		found = found || slices.ContainsFunc(row, isCopyButton)
	}
	if !found {
		return v, false
	}
	plain = v
	plain.Keyboard = nil
	for _, row := range v.Keyboard {
		if row = slices.DeleteFunc(slices.Clone(row), isCopyButton); len(row) > 0 {
			plain.Keyboard = append(plain.Keyboard, row)
		}
	}
	return plain, true
}

func isCopyButton(button models.InlineKeyboardButton) bool { return button.CopyText != nil }

// localTime matches the tags of a local time (Bot API: date_time). Data can't contain
// them, because in data < is escaped.
var localTime = regexp.MustCompile(`</?tg-time\b[^>]*>`)

// withoutLocalTimes returns the view without the tags of local times, and whether it has
// any. Their text remains.
func (v View) withoutLocalTimes() (plain View, found bool) {
	if !strings.Contains(v.Text, "<tg-time") {
		return v, false // without the cost of the expression
	}
	plain = v
	plain.Text = localTime.ReplaceAllLiteralString(v.Text, "")
	return plain, true
}

func (v View) preview() *models.LinkPreviewOptions {
	yes := true
	if v.Picture == "" {
		return &models.LinkPreviewOptions{IsDisabled: &yes}
	}
	return &models.LinkPreviewOptions{URL: &v.Picture, PreferLargeMedia: &yes, ShowAboveText: &yes}
}

// replyParameters returns nil for a message that is no reply.
func (v View) replyParameters() *models.ReplyParameters {
	if v.ReplyTo == 0 {
		return nil
	}
	return &models.ReplyParameters{MessageID: int(v.ReplyTo), AllowSendingWithoutReply: true}
}

// partyEffect is Telegram's id of 🎉.
const partyEffect = "5046509860389126442"

func (v View) effect() string {
	if v.Party {
		return partyEffect
	}
	return ""
}

const maxToast = 200 // UTF-16 units (Bot API: answerCallbackQuery)

// toast returns Toast, cut to maxToast.
func (v View) toast() string { return locales.CutAtWord(v.Toast, maxToast) }
