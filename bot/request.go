package bot

import (
	"context"
	"errors"
	"time"

	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Request is what a person typed or tapped. It is not for use by several
// goroutines.
type Request struct {
	UpdateID  int64
	Received  time.Time // when the update came or, after a restart, was found
	Chat      int64
	Private   bool
	User      User
	L         *locales.Localizer
	MessageID int    // of the tapped message, or of the person's own
	Tapped    bool   // a button; otherwise typed
	Text      string // what was typed; "" for a sticker, a photo and the like
	Command   string // of a typed command, lower case, without the slash
	Args      string // what stands behind the command
	Addressed bool   // the command names this bot: /menu@thisbot
	Data      string // of the dialog that is being answered
	// CallbackData is that of the tapped button, or of the screen that the request
	// was redirected to; "" for typed text.
	CallbackData string

	bot             *Bot
	tap             *tap   // nil unless Tapped
	toastShown      string // the toast that the tap was answered with by Show
	screenMessageID int    // the message that the next View is drawn in; 0 = a new one
}

// Show draws now, before the handler has returned. The View that the handler
// returns then is drawn in the same message, unless it is New. A Toast answers
// the tap. The errors are those of Push.
func (r *Request) Show(ctx context.Context, v View) error {
	if r.tap != nil && v.Toast != "" && r.tap.answer(v.toast(), v.Alert) {
		r.toastShown = v.Toast
	}
	return r.draw(ctx, v)
}

// RetryData returns the callback data that "Try again" may carry when this request
// fails: what the route of CallbackData was registered with, "" for none.
func (r *Request) RetryData() string {
	name, rest := route.Split(r.CallbackData)
	if screen, ok := r.bot.router.screens[name]; ok {
		return screen.retry(rest)
	}
	return ""
}

// BotUsername returns the bot's own username without @, "" while it is not known.
func (r *Request) BotUsername(ctx context.Context) string { return r.bot.Username(ctx) }

// Delete deletes the person's own message, which Telegram allows for 48 hours
// (Bot API: deleteMessage).
func (r *Request) Delete(ctx context.Context) error {
	return r.bot.deleteMessage(ctx, r.Chat, r.MessageID)
}

// draw edits the message that shows the screen, or sends a new one where there
// is none, where it can't be edited, or where the view wants one.
func (r *Request) draw(ctx context.Context, v View) error {
	if v.empty() {
		return nil
	}
	if r.screenMessageID != 0 && !v.AsNewMessage && !v.file() {
		err := r.bot.edit(ctx, r.Chat, r.screenMessageID, v, replyTimeout)
		if !errors.Is(err, errGone) {
			return err
		}
	}
	id, err := r.bot.reply(ctx, r.Chat, v)
	if err == nil && !v.file() {
		r.screenMessageID = id
	}
	return err
}
