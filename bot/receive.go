package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	telegram "github.com/go-telegram/bot"

	"hstockbot/internal/loop"
	"hstockbot/internal/route"
)

const (
	pollTimeout = 30 * time.Second // of a long poll at Telegram
	pollLimit   = 100              // updates per poll, Telegram's maximum
	pollGrace   = 15 * time.Second // for the transfer of the response

	minBackoff      = 250 * time.Millisecond
	maxBackoff      = 15 * time.Second
	conflictBackoff = 5 * time.Second
	// pollInterval is the least time between two polls that bring nothing new.
	pollInterval = time.Second
	// webhookPause is the time before a webhook of another program is deleted again.
	webhookPause = time.Minute

	inboxTimeout = 10 * time.Second
)

// poll receives updates until Stop (Bot API: getUpdates). An offset acknowledges all
// updates before it, so it grows only after they were stored.
func (b *Bot) poll() {
	b.pollConflict.start(time.Now())
	deleting := pollBackoff{bot: b, request: "deleteWebhook"}
	for deleting.retry(b.deleteWebhook()) {
	}
	polling := pollBackoff{bot: b, request: "getUpdates"}
	var offset int64
	var webhookDeleted time.Time
	limit := pollLimit
	for b.receiving.Err() == nil {
		started, before := time.Now(), offset
		updates, err := b.getUpdates(offset, limit)
		switch {
		case errors.Is(err, errTooLarge):
			limit = max(limit/2, 1)
		case err == nil:
			limit = min(2*limit, pollLimit)
		}
		if err == nil && len(updates) == 0 {
			// All updates are acknowledged, and ids may restart after a quiet week.
			offset = 0
		}
		if err == nil && len(updates) > 0 {
			var last int64
			if last, err = b.receive(updates); err == nil {
				offset = last + 1
			}
		}
		if errors.Is(err, errWebhookActive) && time.Since(webhookDeleted) >= webhookPause {
			webhookDeleted = time.Now()
			if failed := b.deleteWebhook(); failed != nil {
				b.log.Warn("webhook of another program not deleted", "error", failed)
			}
		}
		polling.retry(err)
		if err == nil && (len(updates) == 0 || offset == before) {
			_ = pause(b.receiving, pollInterval-time.Since(started)) // a server that does not wait
		}
	}
}

// deleteWebhook makes polling possible (Bot API: deleteWebhook). Updates that wait at
// Telegram stay there.
func (b *Bot) deleteWebhook() error {
	ctx, cancel := context.WithTimeout(b.receiving, callTimeout)
	defer cancel()
	_, err := b.library.DeleteWebhook(ctx, &telegram.DeleteWebhookParams{})
	return b.client.asError("deleteWebhook", err)
}

func (b *Bot) getUpdates(offset int64, limit int) (updates []received, err error) {
	ctx, cancel := context.WithTimeout(b.receiving, pollTimeout+pollGrace)
	defer cancel()
	params := struct {
		Offset         int64    `json:"offset,omitempty"`
		Limit          int      `json:"limit"`
		Timeout        int      `json:"timeout"` // seconds
		AllowedUpdates []string `json:"allowed_updates"`
	}{offset, limit, int(pollTimeout / time.Second), allowedUpdates}
	err = b.client.call(ctx, "getUpdates", params, maxUpdates, func(body []byte) (err error) {
		updates, err = decodeUpdates(body)
		return err
	})
	return updates, err
}

// pollBackoff waits after failed requests, and logs when failing begins, changes
// and ends.
type pollBackoff struct {
	bot      *Bot
	request  string    // Bot API
	failures int       // in a row
	since    time.Time // the first of them
	code     int       // of the last one
}

// notTelegrams is the code of an error that is not a Bot API call's.
const notTelegrams = -1

// retry waits as long as the error requires and reports whether to try again: not
// if there is no error, and not after receiving has ended.
func (p *pollBackoff) retry(err error) bool {
	b := p.bot
	if b.receiving.Err() != nil {
		return false
	}
	if err == nil {
		if p.failures > 0 {
			b.log.Info("telegram request recovered", "request", p.request, "failures", p.failures, "after", time.Since(p.since).Round(time.Second))
		}
		p.failures = 0
		b.ready.Store(true)
		return false
	}
	b.cfg.CountEvent("poll_failed")
	code := notTelegrams
	if e, ok := errors.AsType[*Error](err); ok {
		code = e.Code
	}
	if p.failures == 0 {
		p.since = time.Now()
	}
	if p.failures == 0 || p.code != code {
		p.log(code, err)
	}
	p.code = code
	p.failures++
	if p.failures > 1 {
		b.ready.Store(false)
	}
	wait := loop.Jitter(loop.Backoff(minBackoff, maxBackoff, p.failures))
	if code == http.StatusConflict && !errors.Is(err, errWebhookActive) {
		b.pollConflict.observe(time.Now())
		wait = loop.Jitter(conflictBackoff)
	}
	if demanded := retryAfter(err); demanded > 0 {
		wait = demanded
	}
	return pause(b.receiving, wait) == nil
}

func (p *pollBackoff) log(code int, err error) {
	log := p.bot.log
	switch code {
	case http.StatusConflict:
		if errors.Is(err, errWebhookActive) {
			log.Error("another program has set a webhook for this bot, deleting it", "error", err)
			return
		}
		log.Error("another program receives this bot's updates; only one may use a token", "error", err)
	case http.StatusUnauthorized, http.StatusNotFound:
		log.Error("telegram rejects the token; it was changed or revoked", "error", err)
	case notTelegrams:
		log.Error("updates not stored, retrying", "error", err)
	default:
		log.Warn("telegram request failed, retrying", "request", p.request, "error", err)
	}
}

var errNoUpdateIDs = errors.New("no update of the batch has a readable id")

// receive stores a batch and submits it. It returns the id of the last update. After an
// error Telegram must repeat the batch: it is not stored, or may not be.
func (b *Bot) receive(updates []received) (last int64, err error) {
	now := time.Now()
	var (
		batch    []*delivery
		ids      []int64
		chats    []int64
		payloads [][]byte
	)
	for _, u := range updates {
		if u.ID == 0 {
			b.log.Error("update without a readable id skipped")
			continue
		}
		last = u.ID
		item := newDelivery(u.ID, u.chatID())
		item.received = now
		payload := []byte(u.damaged)
		switch {
		case payload != nil: // is dead-lettered when it is its turn
		case !u.forBot(), u.aboutChat() && b.hooks.ChatChanged == nil:
			continue
		default:
			item.update = u.update
			if u.InlineQuery != nil {
				u.InlineQuery.Received = now.UnixMilli()
			}
			if payload, err = json.Marshal(u.update); err != nil {
				return 0, fmt.Errorf("encode update: %w", err)
			}
		}
		batch, ids, chats, payloads = append(batch, item), append(ids, item.id), append(chats, item.chat), append(payloads, payload)
	}
	if last == 0 {
		return 0, errNoUpdateIDs
	}
	if len(batch) == 0 {
		return last, nil
	}
	b.dispatcher.arrive(ids)
	ctx, cancel := context.WithTimeout(b.work, inboxTimeout) // the beginning of Stop does not cancel it
	defer cancel()
	fresh, unfinished, err := b.cfg.Inbox.StoreUpdates(ctx, b.cfg.Owner, ids, chats, payloads)
	if err != nil {
		b.dispatcher.leaveArriving(ids)
		for _, chat := range chats { // they may be stored, and Telegram may repeat them to another process
			b.dispatcher.submitStored(chat)
		}
		return 0, fmt.Errorf("store updates: %w", err)
	}
	var order []int64
	mine := map[int64][]*delivery{}
	for i, item := range batch {
		if unfinished[i] == 0 { // done, or another process handles it
			b.dispatcher.leaveArriving(ids[i : i+1])
			continue
		}
		if _, known := mine[item.chat]; !known {
			order, mine[item.chat] = append(order, item.chat), nil
		}
		if !fresh[i] { // memory has it, or it is read from the inbox
			b.dispatcher.leaveArriving(ids[i : i+1])
			continue
		}
		b.prepare(item)
		mine[item.chat] = append(mine[item.chat], item)
	}
	for _, chat := range order {
		b.dispatcher.submit(chat, mine[chat], unfinished[slices.Index(chats, chat)])
	}
	return last, nil
}

// prepare says what a delivery is whose update was decoded. A tap is answered in time
// from now on.
func (b *Bot) prepare(item *delivery) {
	if item.update == nil || item.update.CallbackQuery == nil {
		return
	}
	q := item.update.CallbackQuery
	item.tap = b.newTap(item, q.ID)
	if name, _ := route.Split(q.Data); q.Message != nil && b.router.screens[name].draws {
		item.screen = q.Message.ID
	}
}

// readBacklog reads the first unfinished updates of a chat in the inbox.
func (b *Bot) readBacklog(chat int64, limit int) ([]*delivery, error) {
	ctx, cancel := context.WithTimeout(b.work, inboxTimeout)
	defer cancel()
	var items []*delivery
	err := b.cfg.Inbox.ChatBacklog(ctx, b.cfg.Owner, chat, limit, func(id int64, received time.Time, payload []byte) {
		item := newDelivery(id, chat)
		item.received = received
		if leftover, _ := b.dispatcher.isLeftover(item); leftover {
			item.received = time.Now()
		}
		if u, err := decodeUpdate(payload); err == nil {
			item.update = u
			b.prepare(item)
		}
		items = append(items, item)
	})
	if err != nil && b.work.Err() == nil {
		b.log.Error("backlog of a chat not read, retrying", "error", err)
	}
	return items, err
}

// skip finishes deliveries of a chat that are not handled because a newer one is.
func (b *Bot) skip(items []*delivery) {
	ids := make([]int64, len(items))
	for i, item := range items {
		ids[i] = item.id
		if item.tap != nil {
			item.tap.answer("", false)
		}
	}
	more := false
	b.finishing("skipped updates not finished", func(ctx context.Context) (err error) {
		more, err = b.cfg.Inbox.Finish(ctx, b.cfg.Owner, items[0].chat, ids...)
		return err
	})
	b.dispatcher.unskip(items, more)
}

// isUrgent reports whether the chat is the private chat of a person who is served
// before others; it has the id of its person (Bot API: Chat).
func (b *Bot) isUrgent(chat int64) bool {
	return chat > 0 && b.hooks.Urgent != nil && b.hooks.Urgent(chat)
}

// deadLetter marks an update as dead-lettered. Hooks.DeadLettered logs it, and first
// stores what the person is told.
func (b *Bot) deadLetter(ctx context.Context, item *delivery) {
	ctx, cancel := context.WithTimeout(ctx, inboxTimeout)
	defer cancel()
	var err error
	if b.hooks.DeadLettered != nil {
		err = b.hooks.DeadLettered(ctx, item.deadLetter())
	}
	if err == nil {
		item.finishing.Store(true)
		item.more, err = b.cfg.Inbox.DeadLetter(ctx, b.cfg.Owner, item.chat, item.id)
	}
	if err != nil {
		b.log.Error("update not dead-lettered", "update", item.id, "error", err)
		item.finishing.Store(false)
		item.again = b.work.Err() == nil
		return
	}
	b.cfg.CountEvent("dead_lettered")
}

func (item *delivery) deadLetter() DeadLetter {
	letter := DeadLetter{UpdateID: item.id}
	switch u := item.update; {
	case u == nil:
		letter.UserID = max(item.chat, 0) // a private chat has the id of its person
	case u.Message != nil && u.Message.Chat.private():
		from := u.Message.From.library()
		letter.UserID, letter.User, letter.Text = item.chat, userOf(&from), u.Message.Text
	case u.CallbackQuery != nil && u.CallbackQuery.From.ID == item.chat:
		q := u.CallbackQuery
		from := q.From.library()
		letter.UserID, letter.User, letter.Tapped, letter.Label, letter.Data = item.chat, userOf(&from), true, q.Label, q.Data
		if q.Message != nil {
			letter.MessageID = q.Message.ID
		}
	}
	return letter
}
