package bot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	telegram "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"hstockbot/internal/outbox"
)

const (
	// replyTimeout is how long a reply may wait and take. After that the person has
	// tapped again.
	replyTimeout = 30 * time.Second
	// maxHold is the longest retry_after that Send and Edit wait out. The outbox waits
	// out longer ones.
	maxHold     = 5 * time.Second
	maxAttempts = 3                      // including the first one
	retryPause  = 250 * time.Millisecond // before the second attempt; doubled before the third
)

// Send sends a message that is not a reply, and returns its id (Bot API: sendMessage,
// sendDocument, sendPhoto). It waits for the pacer until ctx is done. With
// outbox.PriorityNews ctx ends only that wait: cancelling an in-flight call would leave
// the delivery unknown.
//
// It repeats a call only if it certainly was not executed: without a connection, or
// after a retry_after of at most 5 seconds. The errors are outbox.ErrUnreachable,
// outbox.ErrRejected, outbox.ErrUncertain, or transient: not sent, try again later,
// after *Error.RetryAfter if it is set. If the topic no longer exists, the message is
// sent without one.
func (b *Bot) Send(ctx context.Context, chat int64, priority outbox.Priority, v View) (messageID int, err error) {
	return b.sendView(ctx, chat, int(v.Thread), priority, v, maxHold)
}

// Edit changes a message without a tap (Bot API: editMessageText). A message that is
// not modified is no error; one that no longer exists is outbox.ErrRejected. These
// edits are not paced, but wait out a retry_after of at most 5 seconds. Other errors are those of
// Send; outbox.ErrUncertain means that the response was lost twice.
func (b *Bot) Edit(ctx context.Context, chat int64, messageID int, v View) error {
	err := b.edit(ctx, chat, messageID, v, maxHold, false)
	if e, ok := errors.AsType[*Error](err); ok && errors.Is(e, outbox.ErrGone) {
		gone := *e
		gone.kind = outbox.ErrRejected
		return &gone
	}
	return err
}

// reply sends a message in response to what a person did, to the topic in which they did
// it.
func (b *Bot) reply(ctx context.Context, chat int64, thread int, v View) (messageID int, err error) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	priority := outbox.PriorityReply
	if b.isUrgent(chat) {
		priority = outbox.PriorityCode
	}
	return b.sendView(ctx, chat, thread, priority, v, replyTimeout)
}

// sendView sends a new message, without a topic if the topic no longer exists. It waits
// out a retry_after of at most longest; after a longer one it returns the error at once.
func (b *Bot) sendView(ctx context.Context, chat int64, thread int, priority outbox.Priority, v View, longest time.Duration) (messageID int, err error) {
	calling := ctx
	if priority == outbox.PriorityNews {
		calling = context.WithoutCancel(ctx)
	}
	err = b.attempt(ctx, attempts{
		method: v.method(),
		chat:   chat,
		wait:   func() (time.Duration, error) { return b.pacer.message(ctx, chat, priority, longest) },
		hold:   b.pacer.holdMessages,
	}, func() error {
		send := func(v View) (err error) {
			messageID, err = b.sendOnce(calling, chat, thread, v)
			return err
		}
		err := b.withAcceptedParts(v, send)
		if errors.Is(err, outbox.ErrNoTopic) && !v.onlyInThread {
			thread = 0
			err = b.withAcceptedParts(v, send)
		}
		return err
	})
	return messageID, err
}

func (b *Bot) sendOnce(ctx context.Context, chat int64, thread int, v View) (messageID int, err error) {
	switch {
	case v.Document != nil:
		return b.sendDocument(ctx, chat, thread, v)
	case v.Photo != nil:
		return b.sendPhoto(ctx, chat, thread, v)
	default:
		return b.sendMessage(ctx, chat, thread, v)
	}
}

// withAcceptedParts calls f with a view, and again without what an old Bot API server
// refuses.
func (b *Bot) withAcceptedParts(v View, f func(View) error) error {
	return b.withAcceptedEffect(v, func(v View) error {
		return b.withAcceptedButtons(v, func(v View) error { return b.withAcceptedTimes(v, f) })
	})
}

// withAcceptedEffect calls f with a view, and once more without its effect if Telegram
// refuses that, which is remembered.
func (b *Bot) withAcceptedEffect(v View, f func(View) error) error {
	plain := v
	plain.Party = false
	if v.Party && b.noEffects.Load() {
		return f(plain)
	}
	err := f(v)
	e, ok := errors.AsType[*Error](err)
	if !v.Party || !ok || !errors.Is(e, outbox.ErrRejected) || !strings.Contains(strings.ToLower(e.Description), "effect") {
		return err
	}
	if !b.noEffects.Swap(true) {
		b.log.Warn("telegram refuses message effects, left out from now on")
	}
	return f(plain)
}

// withAcceptedTimes calls f with a view, and once more without the tags of local times if
// Telegram refuses them: a Bot API server from before 9.5 does not know them, which is
// remembered, and the newest one refuses times that are years ahead.
func (b *Bot) withAcceptedTimes(v View, f func(View) error) error {
	plain, found := v.withoutLocalTimes()
	if found && (b.noLocalTimes.Load() || v.file()) {
		return f(plain)
	}
	err := f(v)
	e, ok := errors.AsType[*Error](err)
	if !found || !ok || !errors.Is(e, outbox.ErrRejected) {
		return err
	}
	switch description := strings.ToLower(e.Description); {
	case strings.Contains(description, "tg-time"):
		if !b.noLocalTimes.Swap(true) {
			b.log.Warn("telegram refuses local times, sent in UTC; the Bot API server is older than version 9.5")
		}
	case !strings.Contains(description, "entity_date_invalid") && !strings.Contains(description, "invalid date"):
		return err
	}
	return f(plain)
}

// withAcceptedButtons calls f with a view, and once more without copy buttons if Telegram
// refuses them: a Bot API server from before 7.11 does. That is remembered.
func (b *Bot) withAcceptedButtons(v View, f func(View) error) error {
	plain, found := v.withoutCopyButtons()
	if found && b.noCopyButtons.Load() {
		return f(plain)
	}
	err := f(v)
	if !found || !refusesButtons(err) {
		return err
	}
	if err = f(plain); err == nil && !b.noCopyButtons.Swap(true) {
		b.log.Warn("telegram refuses copy buttons, left out; the Bot API server is older than version 7.11")
	}
	return err
}

// refusesButtons reports whether an error is about a keyboard.
func refusesButtons(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok || !errors.Is(e, outbox.ErrRejected) {
		return false
	}
	description := strings.ToLower(e.Description)
	return strings.Contains(description, "button") || strings.Contains(description, "keyboard") || strings.Contains(description, "reply markup")
}

// edit changes a message, in response to a tap or not. longest is as in sendView.
func (b *Bot) edit(ctx context.Context, chat int64, messageID int, v View, longest time.Duration, tapped bool) error {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	a := attempts{
		method:     "editMessageText",
		chat:       chat,
		wait:       func() (time.Duration, error) { return b.pacer.edit(ctx, chat, longest, tapped) },
		hold:       b.pacer.holdEdits,
		repeatable: true,
	}
	if chat < 0 { // Telegram's limit of groups and channels is on both (Bot FAQ: "My bot is hitting limits")
		a.wait = func() (time.Duration, error) { return b.pacer.message(ctx, chat, outbox.PriorityStatus, longest) }
		a.hold = b.pacer.holdMessages
	}
	return b.attempt(ctx, a, func() error {
		err := b.withAcceptedParts(v, func(v View) error { return b.editMessage(ctx, chat, messageID, v) })
		if errors.Is(err, errNotModified) {
			return nil
		}
		return err
	})
}

// editKeyboard changes only the buttons of a message, in response to a tap (Bot API:
// editMessageReplyMarkup). That nothing changes is no error.
func (b *Bot) editKeyboard(ctx context.Context, chat int64, messageID int, buttons keyboard) error {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	return b.attempt(ctx, attempts{
		method:     "editMessageReplyMarkup",
		chat:       chat,
		wait:       func() (time.Duration, error) { return b.pacer.edit(ctx, chat, replyTimeout, true) },
		hold:       b.pacer.holdEdits,
		repeatable: true,
	}, func() error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		err := b.client.call(ctx, "editMessageReplyMarkup", &telegram.EditMessageReplyMarkupParams{ChatID: chat, MessageID: messageID, ReplyMarkup: buttons}, maxResponse, nil)
		if errors.Is(err, errNotModified) {
			return nil
		}
		return err
	})
}

// attempts says how a call that draws a message is repeated.
type attempts struct {
	method     string // Bot API
	chat       int64
	wait       func() (hold time.Duration, err error) // for the pacer; hold > 0 means that the wait would be too long
	hold       func(chat int64, d time.Duration)      // tells the pacer of a retry_after
	repeatable bool                                   // a second execution changes nothing, so it is repeated once if the response was lost
}

// attempt makes a call up to maxAttempts times.
func (b *Bot) attempt(ctx context.Context, a attempts, call func() error) error {
	for attempt := 1; ; attempt++ {
		hold, err := a.wait()
		switch {
		case err != nil:
			return b.client.unsent(a.method, err)
		case hold > 0:
			return &Error{Method: a.method, Code: http.StatusTooManyRequests, RetryAfter: hold}
		}
		err = call()
		flood := retryAfter(err)
		if flood > 0 {
			b.cfg.CountEvent("flood")
			a.hold(a.chat, flood)
		}
		if errors.Is(err, outbox.ErrUnreachable) {
			b.unreachable(ctx, a.chat)
		}
		again := flood > 0 || isTransient(err) || a.repeatable && attempt == 1 && errors.Is(err, outbox.ErrUncertain)
		if !again || attempt == maxAttempts {
			return err
		}
		if flood > 0 {
			continue // the pacer waits
		}
		if cut := pause(ctx, retryPause<<(attempt-1)); cut != nil {
			return fmt.Errorf("%w, not repeated: %w", err, cut)
		}
	}
}

// isTransient reports whether a call was not executed and may succeed at once. A
// rejected token (401, 404) will not.
func isTransient(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.kind == nil && e.Code == 0
}

func (b *Bot) sendMessage(ctx context.Context, chat int64, thread int, v View) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var sent sentMessage
	err := b.client.call(ctx, "sendMessage", &telegram.SendMessageParams{
		ChatID:              chat,
		MessageThreadID:     thread,
		Text:                v.html(),
		ParseMode:           models.ParseModeHTML,
		LinkPreviewOptions:  v.preview(),
		ReplyMarkup:         v.markup(),
		ReplyParameters:     v.replyParameters(),
		DisableNotification: v.Silent,
		MessageEffectID:     v.effect(),
	}, maxResponse, sent.decode)
	return sent.Result.ID, err
}

func (b *Bot) sendDocument(ctx context.Context, chat int64, thread int, v View) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, uploadTimeout)
	defer cancel()
	message, err := b.library.SendDocument(ctx, &telegram.SendDocumentParams{
		ChatID:          chat,
		MessageThreadID: thread,
		Document:        &models.InputFileUpload{Filename: v.Document.Name, Data: bytes.NewReader(v.Document.Data)},
		Caption:         v.html(),
		ParseMode:       models.ParseModeHTML,
		ReplyMarkup:     v.markup(),
		ReplyParameters: v.replyParameters(), DisableNotification: v.Silent, MessageEffectID: v.effect(),
		// Goods stay a file, whatever Telegram would recognise in its bytes.
		DisableContentTypeDetection: true,
	})
	if err != nil {
		return 0, b.client.asError("sendDocument", err)
	}
	return message.ID, nil
}

func (b *Bot) sendPhoto(ctx context.Context, chat int64, thread int, v View) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, uploadTimeout)
	defer cancel()
	message, err := b.library.SendPhoto(ctx, &telegram.SendPhotoParams{
		ChatID:          chat,
		MessageThreadID: thread,
		Photo:           &models.InputFileUpload{Filename: v.Photo.Name, Data: bytes.NewReader(v.Photo.Data)},
		Caption:         v.html(),
		ParseMode:       models.ParseModeHTML,
		ReplyMarkup:     v.markup(),
		ReplyParameters: v.replyParameters(), DisableNotification: v.Silent, MessageEffectID: v.effect(),
	})
	if err != nil {
		return 0, b.client.asError("sendPhoto", err)
	}
	return message.ID, nil
}

func (b *Bot) editMessage(ctx context.Context, chat int64, messageID int, v View) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return b.client.call(ctx, "editMessageText", &telegram.EditMessageTextParams{
		ChatID:             chat,
		MessageID:          messageID,
		Text:               v.html(),
		ParseMode:          models.ParseModeHTML,
		LinkPreviewOptions: v.preview(),
		ReplyMarkup:        v.markup(),
	}, maxResponse, nil)
}

// answerCallback answers a tap (Bot API: answerCallbackQuery). A second answer does
// nothing. That the tap is too old is no error.
func (b *Bot) answerCallback(ctx context.Context, query, toast string, alert bool) error {
	return retryOnce(ctx, errTooOld, func(ctx context.Context) error {
		return b.client.call(ctx, "answerCallbackQuery", &telegram.AnswerCallbackQueryParams{
			CallbackQueryID: query, Text: toast, ShowAlert: alert,
		}, maxResponse, nil)
	})
}

// deleteMessage deletes a message. That it was deleted before is no error.
func (b *Bot) deleteMessage(ctx context.Context, chat int64, messageID int) error {
	return retryOnce(ctx, errDeleted, func(ctx context.Context) error {
		return b.client.call(ctx, "deleteMessage", &telegram.DeleteMessageParams{ChatID: chat, MessageID: messageID}, maxResponse, nil)
	})
}

// retryOnce makes a call that is safe to repeat, and repeats it once if the error may
// be temporary. benign is an error that counts as success; nil for none.
func retryOnce(ctx context.Context, benign error, call func(context.Context) error) error {
	for attempt := 1; ; attempt++ {
		once, cancel := context.WithTimeout(ctx, callTimeout)
		err := call(once)
		cancel()
		if err == nil || errors.Is(err, benign) {
			return nil
		}
		wait := max(retryAfter(err), retryPause)
		again := retryAfter(err) > 0 || errors.Is(err, outbox.ErrUncertain) || isTransient(err)
		if !again || attempt > 1 || wait > maxHold || pause(ctx, wait) != nil {
			return err
		}
	}
}

func (b *Bot) unreachable(ctx context.Context, chat int64) {
	if chat > 0 && b.hooks.Unreachable != nil { // a private chat has the id of its person (Bot API: Chat)
		b.hooks.Unreachable(ctx, chat)
	}
}
