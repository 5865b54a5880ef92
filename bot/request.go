package bot

import (
	"context"
	"errors"
	"slices"
	"time"

	"hstockbot/internal/outbox"
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
	ChatTitle string // of the group; "" in a private chat
	Caption   string // under the person's file
	Command   string // in lower case, without the slash; "" if Text is none
	Args      string // the text after the command
	Addressed bool   // the command names this bot: /menu@thisbot
	// What the person has chosen with a button of an Ask, nil for other messages. Such a
	// message has no Text; like a text it answers the dialog.
	SharedChat  *SharedChat
	SharedUsers *SharedUsers
	Data        string // of the dialog that Text answers
	// CallbackData is the data of the tapped button, of the button whose label was typed
	// (see Bot.Label), or of the screen that the request was redirected to; "" for other
	// text.
	CallbackData string
	// ScreenMessageID is the message in which the next View is drawn; 0 = a new one.
	ScreenMessageID int

	bot        *Bot
	tap        *tap       // nil unless Tapped
	toastShown string     // by Show
	buttons    [][]button // of the tapped message; nil if they are not known
	thread     int        // the topic of the chat to which replies go (Bot API: message_thread_id); 0 = none
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

// InlineMode reports whether people can type inline queries, as far as Telegram has said.
func (r *Request) InlineMode() bool { return r.bot.profile.inline.Load() }

// Thread returns the id of the topic of the chat to which replies go (Bot API:
// message_thread_id), 0 for none.
func (r *Request) Thread() int64 { return int64(r.thread) }

// Delete deletes the person's message (Bot API: deleteMessage). Telegram allows that
// for 48 hours.
func (r *Request) Delete(ctx context.Context) error {
	return r.bot.deleteMessage(ctx, r.Chat, r.MessageID)
}

// RemoveReplyKeyboard removes the keyboard of an Ask, or one that a previous program has
// left in the chat (Bot API: ReplyKeyboardRemove). Only a message can do that, and it can have no
// buttons: a silent one is sent and deleted.
func (r *Request) RemoveReplyKeyboard(ctx context.Context) error {
	id, err := r.bot.reply(ctx, r.Chat, r.thread, View{Text: "👋", removeReplyKeyboard: true, Silent: true})
	if err != nil {
		return err
	}
	return r.bot.deleteMessage(ctx, r.Chat, id)
}

// draw edits the message that shows the screen. It sends a new message if there is
// none, if it can't be edited, or if the view requires one.
func (r *Request) draw(ctx context.Context, v View) error {
	if v.DropButton {
		return r.dropButton(ctx)
	}
	if v.empty() {
		return nil
	}
	v.L = r.L
	if r.ScreenMessageID != 0 && !v.AsNewMessage && !v.file() && v.Ask == nil {
		err := r.bot.edit(ctx, r.Chat, r.ScreenMessageID, v, replyTimeout, true)
		if !errors.Is(err, outbox.ErrGone) {
			return err
		}
		v.Silent = true
	}
	id, err := r.bot.reply(ctx, r.Chat, r.thread, v)
	if err == nil && !v.file() {
		r.ScreenMessageID = id
	}
	return err
}

// dropButton does what View.DropButton says. A button that is gone is no error.
func (r *Request) dropButton(ctx context.Context) error {
	rest, found := [][]button{}, false
	for _, row := range r.buttons {
		kept := slices.DeleteFunc(slices.Clone(row), func(b button) bool { return b.data == r.CallbackData })
		found = found || len(kept) < len(row)
		if len(kept) > 0 {
			rest = append(rest, kept)
		}
	}
	if !found {
		return nil
	}
	err := r.bot.editKeyboard(ctx, r.Chat, r.MessageID, keyboard{Rows: rest})
	if errors.Is(err, outbox.ErrGone) {
		return nil
	}
	return err
}
