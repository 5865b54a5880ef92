package bot

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	telegram "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"hstockbot/internal/loop"
	"hstockbot/internal/outbox"
	"hstockbot/locales"
)

const (
	handlerTimeout = time.Minute      // of a handler, including a purchase
	drawTimeout    = 2 * replyTimeout // of drawing after it, including the waits for the pacer
	// maxDrawings is how often an update is handled whose drawing is cut off by a deadline.
	maxDrawings = 3
	// maxFinishBackoff is the longest pause before it is recorded again that an update is done.
	maxFinishBackoff = 2 * time.Second
)

type deliveryKey struct{}

// run handles one delivery. The dispatcher calls it.
func (b *Bot) run(item *delivery) {
	defer func() {
		if p := recover(); p != nil {
			b.logPanic(item.id, p)
		}
		switch {
		case item.tap == nil:
		case b.work.Err() != nil:
			item.tap.drop()
		default:
			item.tap.answer("", false) // if it is not answered yet
		}
	}()
	if b.work.Err() != nil {
		return // Stop has run out of time; the update stays in the inbox
	}
	if item.update == nil {
		b.log.Error("stored update not readable", "update", item.id)
		b.deadLetter(b.work, item)
		return
	}
	if leftover, careful := b.dispatcher.isLeftover(item); leftover && careful && !b.startAttempt(item) {
		return
	}
	b.library.ProcessUpdate(context.WithValue(b.work, deliveryKey{}, item), item.update.library())
}

// result says what is recorded about an update.
type result struct {
	kind, screen  string // for Config.ObserveUpdate
	user          int64
	unfinished    bool    // the update is handled again in a while, or after Stop by another process
	replaceDialog bool    // of the person, by dialog
	dialog        *Dialog // nil ends it
}

// handle is the library's only handler.
func (b *Bot) handle(ctx context.Context, _ *telegram.Bot, u *models.Update) {
	item, _ := ctx.Value(deliveryKey{}).(*delivery)
	var out result
	switch {
	case u.CallbackQuery != nil:
		out = b.handleTap(ctx, item, u.CallbackQuery)
	case u.Message != nil && u.Message.Chat.Type == models.ChatTypePrivate:
		out = b.handleTyped(ctx, item, u.Message)
	case u.Message != nil && item.update.Message.moved():
		out = b.handleMove(ctx, item.update.Message)
	case u.Message != nil:
		out = b.handleGroup(ctx, item, u.Message)
	case u.MyChatMember != nil && u.MyChatMember.Chat.Type != models.ChatTypePrivate:
		out = b.handlePlace(ctx, item.update.MyChatMember)
	case u.MyChatMember != nil:
		out = b.handleMember(ctx, u.MyChatMember)
	case u.InlineQuery != nil:
		out = b.handleInline(ctx, item, u.InlineQuery)
	}
	if out.unfinished {
		item.again = b.work.Err() == nil
	} else {
		b.finish(item, out)
	}
	b.cfg.ObserveUpdate(out.kind, out.screen, time.Since(item.received))
}

// finish records that the update is done.
func (b *Bot) finish(item *delivery, out result) {
	item.finishing.Store(true)
	b.finishing("update not finished", func(ctx context.Context) (err error) {
		switch {
		case !out.replaceDialog:
			item.more, err = b.cfg.Inbox.Finish(ctx, b.cfg.Owner, item.chat, item.id)
		case out.dialog == nil:
			item.more, err = b.cfg.Inbox.FinishWithDialog(ctx, b.cfg.Owner, item.chat, item.id, out.user, "", "", time.Time{})
		default:
			item.more, err = b.cfg.Inbox.FinishWithDialog(ctx, b.cfg.Owner, item.chat, item.id, out.user, out.dialog.Step, out.dialog.Data, time.Now().Add(out.dialog.TTL))
		}
		return err
	})
}

// finishing calls do, which finishes updates, until it succeeds: what was handled must not
// be handled again. The last call is when Stop begins, which does not cancel it.
func (b *Bot) finishing(failure string, do func(context.Context) error) {
	for failures := 1; ; failures++ {
		stopping := b.receiving.Err() != nil
		ctx, cancel := context.WithTimeout(context.WithoutCancel(b.work), inboxTimeout)
		err := do(ctx)
		cancel()
		if err == nil {
			return
		}
		if failures == 1 || stopping {
			b.log.Error(failure, "error", err)
		}
		if stopping {
			return
		}
		_ = pause(b.receiving, loop.Jitter(loop.Backoff(minBackoff, maxFinishBackoff, failures)))
	}
}

func (b *Bot) handleTap(ctx context.Context, item *delivery, q *models.CallbackQuery) result {
	req := &Request{
		UpdateID: item.id, Received: item.received, Chat: item.chat, User: userOf(&q.From), Tapped: true, CallbackData: q.Data,
		bot: b, tap: item.tap,
	}
	if m := item.update.CallbackQuery.Message; m != nil {
		req.thread, req.buttons = m.Thread, m.buttons
	}
	var tappedChat models.Chat
	switch {
	case q.Message.Message != nil:
		tappedChat, req.MessageID = q.Message.Message.Chat, q.Message.Message.ID
		req.ScreenMessageID = req.MessageID
	case q.Message.InaccessibleMessage != nil:
		tappedChat, req.MessageID = q.Message.InaccessibleMessage.Chat, q.Message.InaccessibleMessage.MessageID
	}
	req.Private = req.Chat == req.User.ID || tappedChat.Type == models.ChatTypePrivate
	out := result{kind: "tap", user: req.User.ID}
	if !req.Private || !b.allowed(req.User) {
		return out // run answers the tap empty
	}
	if served, done := b.identify(ctx, req, true); !served {
		out.unfinished = !done
		return out
	}
	out.screen = b.router.screenOf(req.CallbackData)
	return b.respond(ctx, req, out, true, func(ctx context.Context, req *Request) (View, error) {
		return b.open(ctx, req, req.CallbackData)
	})
}

func (b *Bot) handleTyped(ctx context.Context, item *delivery, m *models.Message) result {
	req := &Request{
		UpdateID: item.id, Received: item.received, Chat: item.chat, Private: true, User: userOf(m.From), MessageID: m.ID, Text: m.Text, bot: b, thread: item.update.Message.Thread,
		SharedChat: item.update.Message.ChatShared, SharedUsers: item.update.Message.UsersShared,
	}
	out := result{kind: "text", user: req.User.ID}
	if !b.readCaption(item, req) || !b.allowed(req.User) {
		return out
	}
	album := item.update.Message.Album
	if item.drawings == 0 && !b.kept(req.Text) && b.recent.answered(req.Chat, album) {
		return out // the answer to another picture of the album is for this one as well
	}
	if served, done := b.identify(ctx, req, true); !served {
		out.unfinished = !done
		return out
	}
	if b.readCommand(ctx, req) {
		out.kind = "command"
		h, ok := b.router.commands[req.Command]
		if !ok {
			h = b.router.text
		}
		return b.respond(ctx, req, out, true, h)
	}
	if req.CallbackData = b.router.labelled(req); req.CallbackData != "" {
		return b.respond(ctx, req, out, true, b.router.label)
	}
	step, data, err := b.cfg.Inbox.Dialog(ctx, req.User.ID)
	if err != nil {
		return b.respond(ctx, req, out, false, func(context.Context, *Request) (View, error) { return View{KeepDialog: true}, err })
	}
	if step == "" && !b.kept(req.Text) && b.dispatcher.skipOlder(item, b.isPlain) {
		return out
	}
	b.recent.answer(req.Chat, album)
	if step == "" {
		return b.respond(ctx, req, out, false, b.router.text)
	}
	h, ok := b.router.steps[step]
	if !ok { // a step of another version of the bot
		return b.respond(ctx, req, out, true, b.router.text)
	}
	out.kind, req.Data = "step", data
	return b.respond(ctx, req, out, true, h)
}

// isPlain reports whether a delivery is a message that is ordinary text outside dialogs.
func (b *Bot) isPlain(item *delivery) bool {
	if item.update == nil || item.update.Message == nil {
		return false
	}
	m := item.update.Message
	_, _, _, command := parseCommand(m.Text)
	return !command && !item.update.Edited && !b.kept(m.Text) && !b.kept(m.Caption)
}

// readCaption completes the request of a message: a caption that Hooks.Keep names is its
// text. It reports false for an edited message that is not handled, because Hooks.Keep
// does not name it.
func (b *Bot) readCaption(item *delivery, req *Request) bool {
	req.Caption = item.update.Message.Caption
	if b.kept(req.Caption) {
		req.Text = req.Caption
	}
	return !item.update.Edited || b.kept(req.Text)
}

func (b *Bot) kept(text string) bool { return b.hooks.Keep != nil && b.hooks.Keep(text) }

// handleGroup asks Hooks.Group about commands that may be meant for this bot.
func (b *Bot) handleGroup(ctx context.Context, item *delivery, m *models.Message) result {
	req := &Request{UpdateID: item.id, Received: item.received, Chat: item.chat, User: userOf(m.From), MessageID: m.ID, Text: m.Text, ChatTitle: item.update.Message.Chat.Title, bot: b, thread: item.update.Message.Thread}
	out := result{kind: "group", user: req.User.ID}
	if b.hooks.Group == nil || !b.readCaption(item, req) || !b.allowed(req.User) || !b.readCommand(ctx, req) {
		return out
	}
	if _, known := b.router.commands[req.Command]; !known && !req.Addressed || !b.recent.command(req.Chat, time.Now()) {
		return out
	}
	served, done := false, true
	if req.Addressed && !m.From.IsBot {
		served, done = b.identify(ctx, req, false)
	} else if b.hooks.Localize != nil {
		served, done = b.localize(ctx, req, b.hooks.Localize)
	}
	if !served {
		out.unfinished = !done
		return out
	}
	return b.respond(ctx, req, out, false, func(ctx context.Context, req *Request) (View, error) {
		v, ok := b.hooks.Group(ctx, req)
		if !ok {
			return View{}, nil
		}
		v.Dialog = nil // text in a group is not received
		return v, nil
	})
}

// handleMember records that a person has blocked or unblocked the bot.
func (b *Bot) handleMember(ctx context.Context, m *models.ChatMemberUpdated) result {
	out := result{kind: "member", user: m.From.ID}
	user := userOf(&m.From)
	if !b.allowed(user) {
		return out
	}
	if m.NewChatMember.Type == models.ChatMemberTypeBanned {
		b.unreachable(ctx, m.Chat.ID)
		return out
	}
	_, done := b.identify(ctx, &Request{User: user}, true)
	out.unfinished = !done
	return out
}

// respond runs a handler and shows its view, or the view for its error or panic.
// The person's dialog is replaced if endsDialog is true or the view has a new one.
func (b *Bot) respond(ctx context.Context, req *Request, out result, endsDialog bool, h handler) result {
	hctx, cancel := context.WithTimeout(ctx, handlerTimeout)
	v, err := b.recoverView(req, func() (View, error) {
		v, err := h(hctx, req)
		return b.follow(hctx, req, v, err)
	})
	cancel()
	item, _ := ctx.Value(deliveryKey{}).(*delivery)
	item.drawings++
	item.drawing.Store(true)
	if err != nil && b.work.Err() != nil {
		out.unfinished = true // cut off by Stop
		return out
	}
	ctx, cancel = context.WithTimeout(ctx, drawTimeout)
	defer cancel()
	if err != nil {
		v = b.errorView(ctx, req, err)
	}
	err = b.show(ctx, req, v)
	out.unfinished = err != nil && (b.work.Err() != nil || cutOff(err) && item.drawings < maxDrawings)
	if req.tap != nil && v.Toast == "" {
		b.answerDrawn(ctx, req, err, out.unfinished)
	}
	if out.unfinished {
		return out
	}
	out.replaceDialog = (endsDialog || v.Dialog != nil) && !v.KeepDialog
	out.dialog = v.Dialog
	if v.Dialog != nil && v.Dialog.WithMessage {
		d := *v.Dialog
		if err != nil {
			req.ScreenMessageID = 0 // it may be what was tapped, which shows something else
		}
		d.Data = strconv.Itoa(req.ScreenMessageID) + " " + d.Data
		out.dialog = &d
	}
	return out
}

// show draws the view, and in parallel answers the tap with its toast. If the tap was
// answered before, an alert, or a toast without a view, is sent as a message.
func (b *Bot) show(ctx context.Context, req *Request, v View) error {
	late := req.tap != nil && v.Toast != "" && !req.tap.answer(v.toast(), v.Alert) && v.Toast != req.toastShown && (v.Alert || v.empty())
	err := req.draw(ctx, v)
	if errors.Is(err, outbox.ErrRejected) {
		// The person must see something. The view is too long, or its HTML is invalid.
		b.log.Error("telegram rejects a screen", "update", req.UpdateID, "error", err)
		err = req.draw(ctx, b.errorView(ctx, req, err))
	}
	if err == nil && late {
		err = b.replyToast(ctx, req, v)
	}
	if err != nil && !errors.Is(err, outbox.ErrUnreachable) {
		b.log.Warn("screen not drawn", "update", req.UpdateID, "error", err)
	}
	return err
}

// answerDrawn answers a tap after its view was drawn. If it was not, the answer says so,
// or a message where the tap was answered before. unfinished: the tap is handled again.
func (b *Bot) answerDrawn(ctx context.Context, req *Request, err error, unfinished bool) {
	excuse := View{}
	if err != nil && !unfinished && !errors.Is(err, outbox.ErrUnreachable) {
		excuse = b.errorView(ctx, req, fmt.Errorf("%w: %w", ErrNotDrawn, err))
	}
	if req.tap.answer(excuse.toast(), excuse.Toast != "") || excuse.Toast == "" {
		return
	}
	if err := b.replyToast(ctx, req, excuse); err != nil {
		b.log.Warn("screen not drawn", "update", req.UpdateID, "error", err)
	}
}

// replyToast sends a toast as a message.
func (b *Bot) replyToast(ctx context.Context, req *Request, v View) error {
	_, err := b.reply(ctx, req.Chat, req.thread, View{Text: html.EscapeString(v.Toast), L: req.L})
	return err
}

// cutOff reports whether drawing was cut off by a deadline, which passes also while the
// process is stopped, and can be repeated: it sent nothing, or edited.
func cutOff(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && errors.Is(err, context.DeadlineExceeded) && (!errors.Is(e, outbox.ErrUncertain) || strings.HasPrefix(e.Method, "edit"))
}

func (b *Bot) errorView(ctx context.Context, req *Request, err error) View {
	if b.hooks.Error == nil {
		b.log.Error("handler failed", "update", req.UpdateID, "error", err)
		return View{}
	}
	v, _ := b.recoverView(req, func() (View, error) { return b.hooks.Error(ctx, req, err), nil })
	return v
}

// recoverView calls f and turns a panic into a view.
func (b *Bot) recoverView(req *Request, f func() (View, error)) (v View, err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		reference := b.logPanic(req.UpdateID, p)
		v, err = View{}, nil
		if b.hooks.Panicked != nil {
			v = b.hooks.Panicked(req, reference)
		}
	}()
	return f()
}

// logPanic logs a panic under a reference that is shown to the person.
func (b *Bot) logPanic(update int64, p any) (reference string) {
	reference = rand.Text()[:8]
	b.cfg.CountEvent("panic")
	b.log.Error("handler panicked", "reference", reference, "update", update,
		"panic", b.client.sanitize(fmt.Sprint(p)), "stack", b.client.redactor.String(string(debug.Stack())))
	return reference
}

// ErrIgnored is returned by Hooks.Identify for a person who gets no answer.
var ErrIgnored = errors.New("the person is not served")

// identify calls Hooks.Identify. If the person is not served, done says whether the
// update is finished; otherwise it is handled again in a while, because without a
// language the person can't be told of the error.
func (b *Bot) identify(ctx context.Context, req *Request, private bool) (served, done bool) {
	return b.localize(ctx, req, func(ctx context.Context, u User) (*locales.Localizer, error) {
		return b.hooks.Identify(ctx, u, private)
	})
}

// localize is identify with another hook.
func (b *Bot) localize(ctx context.Context, req *Request, hook func(context.Context, User) (*locales.Localizer, error)) (served, done bool) {
	ctx, cancel := context.WithTimeout(ctx, handlerTimeout)
	defer cancel()
	l, err := hook(ctx, req.User)
	switch {
	case errors.Is(err, ErrIgnored):
		return false, true
	case err != nil:
		b.log.Error("person not identified", "update", req.UpdateID, "error", err)
		return false, false
	}
	req.L = l
	return true, true
}

func (b *Bot) allowed(u User) bool { return b.hooks.Allowed == nil || b.hooks.Allowed(u) }

// readCommand sets the command of the request and reports whether the text is one
// of this bot.
func (b *Bot) readCommand(ctx context.Context, req *Request) bool {
	name, mention, args, ok := parseCommand(req.Text)
	if !ok {
		return false
	}
	if mention != "" {
		username := b.Username(ctx)
		if !strings.EqualFold(mention, username) {
			username = b.usernameWithin(ctx, usernameRecheck) // the bot may have been renamed
		}
		req.Addressed = username != "" && strings.EqualFold(mention, username)
		if !req.Addressed && (username != "" || !req.Private) {
			return false // a command of another bot
		}
	}
	req.Command, req.Args = name, args
	return true
}

func userOf(u *models.User) User {
	return User{ID: u.ID, FirstName: u.FirstName, Username: u.Username, LanguageCode: u.LanguageCode}
}
