package bot

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hstockbot/internal/outbox"
	"html"
	"runtime/debug"
	"strings"
	"time"

	telegram "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"
)

const (
	// handlerTimeout is what a handler may take, a purchase included.
	handlerTimeout = time.Minute
	// drawTimeout is what drawing may take after it, waiting included.
	drawTimeout = 2 * replyTimeout
)

type deliveryKey struct{}

// run handles one delivery; it is what the dispatcher calls.
func (b *Bot) run(item *delivery) {
	defer func() {
		if p := recover(); p != nil {
			b.notePanic(item.id, p)
		}
		switch {
		case item.tap == nil:
		case b.work.Err() != nil:
			item.tap.drop()
		default:
			item.tap.answer("", false) // unless somebody has
		}
	}()
	if b.work.Err() != nil {
		return // stopping has run out of time; it stays in the inbox
	}
	if item.update == nil && !b.startAttempt(item) {
		return
	}
	b.library.ProcessUpdate(context.WithValue(b.work, deliveryKey{}, item), item.update.library())
}

// startAttempt reads an update that was found in the inbox.
func (b *Bot) startAttempt(item *delivery) bool {
	ctx, cancel := context.WithTimeout(b.work, inboxTimeout)
	defer cancel()
	payload, attempts, err := b.cfg.Inbox.StartAttempt(ctx, item.id)
	if err == nil && attempts <= maxAttemptsPerUpdate {
		item.update, err = decodeUpdate(payload)
	}
	switch {
	case attempts > maxAttemptsPerUpdate:
		b.deadLetter(b.work, item.id)
		return false
	case err != nil:
		b.log.Warn("an unfinished update can't be handled", "update", item.id, "error", err)
		return false
	}
	item.received = time.Now()
	if q := item.update.CallbackQuery; q != nil {
		item.tap = b.newTap(item, q.ID)
	}
	return true
}

// outcome is what an update comes to in the inbox.
type outcome struct {
	event  string // its kind, for Observe
	user   int64
	left   bool // not handled: it stays in the inbox
	dialog bool // the person's dialog is replaced by the next two
	next   *Dialog
}

// handle is the library's one handler.
func (b *Bot) handle(ctx context.Context, _ *telegram.Bot, u *models.Update) {
	item, _ := ctx.Value(deliveryKey{}).(*delivery)
	var out outcome
	switch {
	case u.CallbackQuery != nil:
		out = b.handleTap(ctx, item, u.CallbackQuery)
	case u.Message != nil && u.Message.Chat.Type == models.ChatTypePrivate:
		out = b.handleTyped(ctx, item, u.Message)
	case u.Message != nil:
		out = b.handleGroup(ctx, item, u.Message)
	case u.MyChatMember != nil:
		out = b.handleMember(ctx, u.MyChatMember)
	case u.InlineQuery != nil:
		out = b.handleInline(ctx, item, u.InlineQuery)
	}
	if !out.left {
		b.finish(ctx, item, out)
	}
	b.cfg.ObserveUpdate(out.event, time.Since(item.received))
}

// finish records that the update is done. Stopping does not cut it off.
func (b *Bot) finish(ctx context.Context, item *delivery, out outcome) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), inboxTimeout)
	defer cancel()
	var err error
	switch {
	case !out.dialog:
		err = b.cfg.Inbox.Finish(ctx, item.id)
	case out.next == nil:
		err = b.cfg.Inbox.FinishWithDialog(ctx, item.id, out.user, "", "", time.Time{})
	default:
		err = b.cfg.Inbox.FinishWithDialog(ctx, item.id, out.user, out.next.Step, out.next.Data, time.Now().Add(out.next.TTL))
	}
	if err != nil {
		b.log.Error("a handled update was not finished and will be handled again after a restart", "update", item.id, "error", err)
	}
}

func (b *Bot) handleTap(ctx context.Context, item *delivery, q *models.CallbackQuery) outcome {
	req := &Request{
		UpdateID: item.id, Received: item.received, Chat: item.chat, User: userOf(&q.From), Tapped: true, CallbackData: q.Data,
		bot: b, tap: item.tap,
	}
	var tappedChat models.Chat
	switch {
	case q.Message.Message != nil:
		tappedChat, req.MessageID = q.Message.Message.Chat, q.Message.Message.ID
		req.screenMessageID = req.MessageID
	case q.Message.InaccessibleMessage != nil:
		tappedChat, req.MessageID = q.Message.InaccessibleMessage.Chat, q.Message.InaccessibleMessage.MessageID
	}
	req.Private = req.Chat == req.User.ID || tappedChat.Type == models.ChatTypePrivate
	out := outcome{event: "tap", user: req.User.ID}
	if !req.Private || !b.allowed(req.User) {
		return out // answered empty
	}
	if served, done := b.identify(ctx, req, true); !served {
		out.left = !done
		return out
	}
	return b.respond(ctx, req, out, true, func(ctx context.Context, req *Request) (View, error) {
		return b.open(ctx, req, req.CallbackData)
	})
}

func (b *Bot) handleTyped(ctx context.Context, item *delivery, m *models.Message) outcome {
	req := &Request{
		UpdateID: item.id, Received: item.received, Chat: item.chat, Private: true, User: userOf(m.From), MessageID: m.ID, Text: m.Text, bot: b,
	}
	out := outcome{event: "text", user: req.User.ID}
	if !b.allowed(req.User) {
		return out
	}
	if served, done := b.identify(ctx, req, true); !served {
		out.left = !done
		return out
	}
	if b.readCommand(ctx, req) {
		out.event = "command"
		h, ok := b.router.commands[req.Command]
		if !ok {
			h = b.router.text
		}
		return b.respond(ctx, req, out, true, h)
	}
	step, data, err := b.cfg.Inbox.Dialog(ctx, req.User.ID)
	if err != nil {
		return b.respond(ctx, req, out, false, func(context.Context, *Request) (View, error) { return View{KeepDialog: true}, err })
	}
	if step == "" {
		return b.respond(ctx, req, out, false, b.router.text)
	}
	h, ok := b.router.steps[step]
	if !ok { // of another version
		return b.respond(ctx, req, out, true, b.router.text)
	}
	out.event, req.Data = "step", data
	return b.respond(ctx, req, out, true, h)
}

// handleGroup asks the shop about commands that may be meant for this bot.
func (b *Bot) handleGroup(ctx context.Context, item *delivery, m *models.Message) outcome {
	req := &Request{UpdateID: item.id, Received: item.received, Chat: item.chat, User: userOf(m.From), MessageID: m.ID, Text: m.Text, bot: b}
	out := outcome{event: "group", user: req.User.ID}
	if b.hooks.Group == nil || !b.allowed(req.User) || !b.readCommand(ctx, req) {
		return out
	}
	if served, done := b.identify(ctx, req, false); !served {
		out.left = !done
		return out
	}
	return b.respond(ctx, req, out, false, func(ctx context.Context, req *Request) (View, error) {
		v, speak := b.hooks.Group(ctx, req)
		if !speak {
			return View{}, nil
		}
		v.Dialog = nil // typed text in a group is no answer
		return v, nil
	})
}

// handleMember notes that a person has blocked the bot, or has come back.
func (b *Bot) handleMember(ctx context.Context, m *models.ChatMemberUpdated) outcome {
	out := outcome{event: "member", user: m.From.ID}
	user := userOf(&m.From)
	if !b.allowed(user) {
		return out
	}
	if m.NewChatMember.Type == models.ChatMemberTypeBanned {
		b.unreachable(ctx, m.Chat.ID)
		return out
	}
	_, done := b.identify(ctx, &Request{User: user}, m.Chat.Type == models.ChatTypePrivate)
	out.left = !done
	return out
}

// respond runs a handler and shows what it returns, or what its error or its
// panic comes to. replaces says that the person's dialog ends with this.
func (b *Bot) respond(ctx context.Context, req *Request, out outcome, replaces bool, h handler) outcome {
	hctx, cancel := context.WithTimeout(ctx, handlerTimeout)
	v, err := b.safely(req, func() (View, error) {
		v, err := h(hctx, req)
		return b.follow(hctx, req, v, err)
	})
	cancel()
	if err != nil && b.work.Err() != nil {
		out.left = true // cut off by Stop
		return out
	}
	ctx, cancel = context.WithTimeout(ctx, drawTimeout)
	defer cancel()
	if err != nil {
		v = b.errorView(ctx, req, err)
	}
	if err := b.show(ctx, req, v); err != nil && b.work.Err() != nil {
		out.left = true
		return out
	}
	out.dialog = (replaces || v.Dialog != nil) && !v.KeepDialog
	out.next = v.Dialog
	return out
}

// show answers the tap and draws the view, side by side. What came too late
// for the answer is said by a message where it matters.
func (b *Bot) show(ctx context.Context, req *Request, v View) error {
	late := req.tap != nil && !req.tap.answer(v.toast(), v.Alert) && v.Toast != "" && v.Toast != req.toastShown && (v.Alert || v.empty())
	err := req.draw(ctx, v)
	if errors.Is(err, outbox.ErrRejected) {
		// Nobody would see anything: too long, or not the HTML that Telegram reads.
		b.log.Error("telegram refuses what a handler shows", "update", req.UpdateID, "error", err)
		err = req.draw(ctx, b.errorView(ctx, req, err))
	}
	if err == nil && late {
		_, err = b.reply(ctx, req.Chat, View{Text: html.EscapeString(v.Toast)})
	}
	if err != nil && !errors.Is(err, outbox.ErrUnreachable) {
		b.log.Warn("what a handler shows was not drawn", "update", req.UpdateID, "error", err)
	}
	return err
}

func (b *Bot) errorView(ctx context.Context, req *Request, err error) View {
	if b.hooks.Error == nil {
		b.log.Error("a handler failed", "update", req.UpdateID, "error", err)
		return View{}
	}
	v, _ := b.safely(req, func() (View, error) { return b.hooks.Error(ctx, req, err), nil })
	return v
}

// safely calls f; a panic becomes the view that tells of it.
func (b *Bot) safely(req *Request, f func() (View, error)) (v View, err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		reference := b.notePanic(req.UpdateID, p)
		v, err = View{}, nil
		if b.hooks.Panicked != nil {
			v = b.hooks.Panicked(req, reference)
		}
	}()
	return f()
}

// notePanic logs a panic under a reference that people can quote.
func (b *Bot) notePanic(update int64, p any) (reference string) {
	reference = rand.Text()[:8]
	b.cfg.CountEvent("panic")
	b.log.Error("a handler panicked", "reference", reference, "update", update,
		"panic", b.client.sanitize(fmt.Sprint(p)), "stack", b.client.redactor.String(string(debug.Stack())))
	return reference
}

// ErrIgnored is Greet's word for somebody who gets no answer.
var ErrIgnored = errors.New("the person is not served")

// identify has the shop record the person. Without it nothing can be said, since
// no language is known: unless done, the update waits for the next start.
func (b *Bot) identify(ctx context.Context, req *Request, private bool) (served, done bool) {
	ctx, cancel := context.WithTimeout(ctx, handlerTimeout)
	defer cancel()
	l, err := b.hooks.Identify(ctx, req.User, private)
	switch {
	case errors.Is(err, ErrIgnored):
		return false, true
	case err != nil:
		b.log.Error("a person could not be recorded", "update", req.UpdateID, "error", err)
		return false, false
	}
	req.L = l
	return true, true
}

func (b *Bot) allowed(u User) bool { return b.hooks.Allowed == nil || b.hooks.Allowed(u) }

// readCommand fills in what command the text is, if it is one of this bot's.
func (b *Bot) readCommand(ctx context.Context, req *Request) bool {
	name, mention, args, ok := parseCommand(req.Text)
	if !ok {
		return false
	}
	if mention != "" {
		username := b.Username(ctx)
		req.Addressed = username != "" && strings.EqualFold(mention, username)
		if !req.Addressed && (username != "" || !req.Private) {
			return false // another bot's
		}
	}
	req.Command, req.Args = name, args
	return true
}

func userOf(u *models.User) User {
	return User{ID: u.ID, FirstName: u.FirstName, Username: u.Username, LanguageCode: u.LanguageCode}
}
