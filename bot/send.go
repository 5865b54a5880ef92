package bot

import (
	"bytes"
	"context"
	"errors"
	"hstockbot/internal/outbox"
	"net/http"
	"time"

	telegram "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"
)

const (
	// replyTimeout bounds all waiting for the answer to what a person did:
	// after that they have tapped again.
	replyTimeout = 30 * time.Second
	// sendTimeout is how long a retry_after is waited out for a message that has
	// an outbox behind it; a longer one is the outbox's to wait.
	sendTimeout = 5 * time.Second
	// maxAttempts counts the first one too.
	maxAttempts = 3
	// retryPause is before the second attempt, twice that before the third.
	retryPause = 250 * time.Millisecond
)

// Send sends a message that nobody tapped for, and returns its number (Bot
// API: sendMessage, sendDocument, sendPhoto). It waits for its turn as long as ctx
// lasts. Of outbox.PriorityNews only the wait ends with ctx: cutting off a call that has
// begun would leave somebody of whom nobody knows whether they got it.
//
// It repeats only what Telegram surely has not done: where no connection came
// about, and after a short retry_after. The errors are outbox.ErrUnreachable,
// outbox.ErrRejected, outbox.ErrUncertain (it may have been sent) and others: it was not
// sent, try later; an *Error says by RetryAfter when.
func (b *Bot) Send(ctx context.Context, chat int64, priority outbox.Priority, v View) (messageID int, err error) {
	return b.sendView(ctx, chat, priority, v, sendTimeout)
}

// Edit draws a message again that nobody tapped on (Bot API: editMessageText).
// That it looks so already is no error; a message that is gone is outbox.ErrRejected.
// Edits are not paced, whatever their priority, but wait out a short retry_after.
// Other errors are those of Push; a lost answer has been repeated.
func (b *Bot) Edit(ctx context.Context, chat int64, messageID int, v View) error {
	err := b.edit(ctx, chat, messageID, v, sendTimeout)
	if e := (*Error)(nil); errors.As(err, &e) && errors.Is(e, errGone) {
		gone := *e
		gone.meaning = outbox.ErrRejected
		return &gone
	}
	return err
}

// reply sends the answer to what a person did.
func (b *Bot) reply(ctx context.Context, chat int64, v View) (messageID int, err error) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	return b.sendView(ctx, chat, outbox.PriorityReply, v, replyTimeout)
}

// sendView sends a new message. It waits out a retry_after of at most maxHold; a
// longer one is an error at once.
func (b *Bot) sendView(ctx context.Context, chat int64, priority outbox.Priority, v View, maxHold time.Duration) (messageID int, err error) {
	calling := ctx
	if priority == outbox.PriorityNews {
		calling = context.WithoutCancel(ctx)
	}
	err = b.attempt(ctx, attempts{
		method: v.method(),
		chat:   chat,
		wait:   func() (time.Duration, error) { return b.pacer.message(ctx, chat, priority, maxHold) },
		hold:   b.pacer.holdMessages,
	}, func() (err error) {
		switch {
		case v.Document != nil:
			messageID, err = b.sendDocument(calling, chat, v)
		case v.Photo != nil:
			messageID, err = b.sendPhoto(calling, chat, v)
		default:
			messageID, err = b.sendMessage(calling, chat, v)
		}
		return err
	})
	return messageID, err
}

// edit draws a message again. maxHold is as in sendView.
func (b *Bot) edit(ctx context.Context, chat int64, messageID int, v View, maxHold time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	return b.attempt(ctx, attempts{
		method:     "editMessageText",
		chat:       chat,
		wait:       func() (time.Duration, error) { return b.pacer.edit(ctx, chat, maxHold) },
		hold:       b.pacer.holdEdits,
		repeatable: true,
	}, func() error {
		err := b.editMessage(ctx, chat, messageID, v)
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
		if flood == 0 && pause(ctx, retryPause<<(attempt-1)) != nil {
			return err
		}
	}
}

// isTransient reports whether nothing was done and the same call may do it. A
// token that Telegram does not know (401, 404) is no matter of moments.
func isTransient(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.meaning == nil && e.Code == 0
}

func (b *Bot) sendMessage(ctx context.Context, chat int64, v View) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	message, err := b.library.SendMessage(ctx, &telegram.SendMessageParams{
		ChatID:             chat,
		Text:               v.Text,
		ParseMode:          models.ParseModeHTML,
		LinkPreviewOptions: v.preview(),
		ReplyMarkup:        v.markup(),
	})
	if err != nil {
		return 0, b.client.asError("sendMessage", err)
	}
	return message.ID, nil
}

func (b *Bot) sendDocument(ctx context.Context, chat int64, v View) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, uploadTimeout)
	defer cancel()
	message, err := b.library.SendDocument(ctx, &telegram.SendDocumentParams{
		ChatID:      chat,
		Document:    &models.InputFileUpload{Filename: v.Document.Name, Data: bytes.NewReader(v.Document.Data)},
		Caption:     v.Text,
		ParseMode:   models.ParseModeHTML,
		ReplyMarkup: v.markup(),
		// A list of accounts is a file, whatever its bytes look like.
		DisableContentTypeDetection: true,
	})
	if err != nil {
		return 0, b.client.asError("sendDocument", err)
	}
	return message.ID, nil
}

func (b *Bot) sendPhoto(ctx context.Context, chat int64, v View) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, uploadTimeout)
	defer cancel()
	message, err := b.library.SendPhoto(ctx, &telegram.SendPhotoParams{
		ChatID:      chat,
		Photo:       &models.InputFileUpload{Filename: v.Photo.Name, Data: bytes.NewReader(v.Photo.Data)},
		Caption:     v.Text,
		ParseMode:   models.ParseModeHTML,
		ReplyMarkup: v.markup(),
	})
	if err != nil {
		return 0, b.client.asError("sendPhoto", err)
	}
	return message.ID, nil
}

func (b *Bot) editMessage(ctx context.Context, chat int64, messageID int, v View) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := b.library.EditMessageText(ctx, &telegram.EditMessageTextParams{
		ChatID:             chat,
		MessageID:          messageID,
		Text:               v.Text,
		ParseMode:          models.ParseModeHTML,
		LinkPreviewOptions: v.preview(),
		ReplyMarkup:        v.markup(),
	})
	return b.client.asError("editMessageText", err)
}

// answerCallback answers a tap. A second answer to it does nothing, and a tap
// that is too old for one is let be.
func (b *Bot) answerCallback(ctx context.Context, query, toast string, alert bool) error {
	return retryOnce(ctx, errTooOld, func(ctx context.Context) error {
		_, err := b.library.AnswerCallbackQuery(ctx, &telegram.AnswerCallbackQueryParams{
			CallbackQueryID: query, Text: toast, ShowAlert: alert,
		})
		return b.client.asError("answerCallbackQuery", err)
	})
}

// deleteMessage deletes a message, unless somebody already has.
func (b *Bot) deleteMessage(ctx context.Context, chat int64, messageID int) error {
	return retryOnce(ctx, errDeleted, func(ctx context.Context) error {
		_, err := b.library.DeleteMessage(ctx, &telegram.DeleteMessageParams{ChatID: chat, MessageID: messageID})
		return b.client.asError("deleteMessage", err)
	})
}

// retryOnce makes a call that is safe to repeat, and repeats it once where that
// may help. benign, if not nil, is the error that is none.
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
		if !again || attempt > 1 || wait > sendTimeout || pause(ctx, wait) != nil {
			return err
		}
	}
}

func (b *Bot) unreachable(ctx context.Context, chat int64) {
	if chat > 0 && b.hooks.Unreachable != nil { // in private chats it is the person's id (Bot API: Chat)
		b.hooks.Unreachable(ctx, chat)
	}
}
