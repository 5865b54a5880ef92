package bot

import (
	"context"
	"errors"
	"time"

	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Request is what a person typed or tapped. It must not be used by several goroutines
// at once.
type Request struct {
	UpdateID  int64
	Received  time.Time // when the update was received or, after a restart, found
	Chat      int64
	Private   bool
	User      User
	L         *locales.Localizer
	MessageID int    // of the tapped message, or of the person's message
	Tapped    bool   // a button was tapped; else a message was sent
	Text      string // of the person's message; "" for a sticker, a photo and so on
	Command   string // in lower case, without the slash; "" if Text is none
	Args      string // the text after the command
	Addressed bool   // the command names this bot: /menu@thisbot
	Data      string // of the dialog that Text answers
	// CallbackData is the data of the tapped button, or of the screen that the request
	// was redirected to; "" for text.
	CallbackData string

	bot             *Bot
	tap             *tap   // nil unless Tapped
	toastShown      string // by Show
	screenMessageID int    // the message in which the next View is drawn; 0 = a new one
	thread          int    // the topic of the chat to which replies go (Bot API: message_thread_id); 0 = none
}

// Show draws a view before the handler has returned. The view that the handler
// returns is then drawn in the same message, unless it is AsNewMessage. A Toast
// answers the tap. The errors are those of Bot.Send.
func (r *Request) Show(ctx context.Context, v View) error {
	if r.tap != nil && v.Toast != "" && r.tap.answer(v.toast(), v.Alert) {
		r.toastShown = v.Toast
	}
	return r.draw(ctx, v)
}

// RetryData returns the callback data that "Try again" may have after an error of this
// request, "" for none. Screen and Action say what it is.
func (r *Request) RetryData() string {
	name, rest := route.Split(r.CallbackData)
	if screen, ok := r.bot.router.screens[name]; ok {
		return screen.retry(rest)
	}
	return ""
}

// BotUsername returns the bot's username without @, "" while it is not known.
func (r *Request) BotUsername(ctx context.Context) string { return r.bot.Username(ctx) }

// Delete deletes the person's message (Bot API: deleteMessage). Telegram allows that
// for 48 hours.
func (r *Request) Delete(ctx context.Context) error {
	return r.bot.deleteMessage(ctx, r.Chat, r.MessageID)
}

// draw edits the message that shows the screen. It sends a new message if there is
// none, if it can't be edited, or if the view requires one.
func (r *Request) draw(ctx context.Context, v View) error {
	if v.empty() {
		return nil
	}
	if r.screenMessageID != 0 && !v.AsNewMessage && !v.file() {
		err := r.bot.edit(ctx, r.Chat, r.screenMessageID, v, replyTimeout, true)
		if !errors.Is(err, errGone) {
			return err
		}
	}
	id, err := r.bot.reply(ctx, r.Chat, r.thread, v)
	if err == nil && !v.file() {
		r.screenMessageID = id
	}
	return err
}
