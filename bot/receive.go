package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
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

	// maxAttemptsPerUpdate is how often an update is handled before it is dead-lettered:
	// it may be the one that crashes the process.
	maxAttemptsPerUpdate = 3

	inboxTimeout = 10 * time.Second
)

// poll receives updates until Stop (Bot API: getUpdates). An offset acknowledges all
// updates before it, so it grows only after they were stored.
func (b *Bot) poll() {
	b.conflict.start(time.Now())
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
			if last, err = b.receiver.receive(updates); err == nil {
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

func (b *Bot) getUpdates(offset int64, limit int) ([]json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(b.receiving, pollTimeout+pollGrace)
	defer cancel()
	params := struct {
		Offset         int64    `json:"offset,omitempty"`
		Limit          int      `json:"limit"`
		Timeout        int      `json:"timeout"` // seconds
		AllowedUpdates []string `json:"allowed_updates"`
	}{offset, limit, int(pollTimeout / time.Second), allowedUpdates}
	var response struct {
		Result []json.RawMessage `json:"result"`
	}
	err := b.client.call(ctx, "getUpdates", params, &response, maxUpdates)
	return response.Result, err
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
		b.conflict.observe(time.Now())
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

// receiver stores received updates and submits them to the dispatcher.
type receiver struct {
	bot *Bot

	mu sync.Mutex
	// uncertain are the ids whose storing failed. They may be stored all the same; then
	// they are known when Telegram repeats them, and yet not handled.
	uncertain map[int64]bool
}

var errNoUpdateIDs = errors.New("no update of the batch has a readable id")

// receive stores a batch and submits it. It returns the id of the last update. After an
// error nothing is stored for certain.
func (r *receiver) receive(raw []json.RawMessage) (last int64, err error) {
	b := r.bot
	received := time.Now()
	var (
		batch    []*delivery
		ids      []int64
		chats    []int64
		payloads [][]byte
	)
	for _, raw := range raw {
		u, err := decodeUpdate(raw)
		if u.ID == 0 {
			b.log.Error("update without a readable id skipped")
			continue
		}
		last = u.ID
		item := newDelivery(u.ID, u.chatID())
		item.received = received
		switch {
		case err != nil:
			b.log.Error("update not readable", "update", u.ID)
		case !u.forBot():
			continue
		default:
			item.update = u
			if u.InlineQuery != nil {
				u.InlineQuery.Received = received.UnixMilli()
			}
			if raw, err = json.Marshal(u); err != nil {
				return 0, fmt.Errorf("encode update: %w", err)
			}
		}
		batch, ids, chats, payloads = append(batch, item), append(ids, item.id), append(chats, item.chat), append(payloads, raw)
	}
	if last == 0 {
		return 0, errNoUpdateIDs
	}
	if len(batch) == 0 {
		return last, nil
	}
	places, uncertain, err := r.store(ids, chats, payloads)
	if err != nil {
		return 0, err
	}
	var ready []*delivery
	for i, item := range batch {
		item.place = places[i]
		switch {
		case uncertain[i]:
			ready = append(ready, newDelivery(item.id, item.chat)) // the inbox knows whether it is done
		case item.place == 0: // known
		case item.update == nil:
			b.deadLetter(b.work, item.id)
		default:
			b.prepare(item)
			ready = append(ready, item)
		}
	}
	b.dispatcher.submit(ready...)
	return last, nil
}

// prepare says what a delivery is whose update was decoded. A tap is answered in time
// from now on.
func (b *Bot) prepare(item *delivery) {
	q := item.update.CallbackQuery
	if q == nil {
		return
	}
	item.tap = b.newTap(item, q.ID)
	if name, _ := route.Split(q.Data); q.Message != nil && b.router.screens[name].draws {
		item.screen = q.Message.ID
	}
}

// readBacklog reads the first updates of a chat in the inbox after a place.
func (b *Bot) readBacklog(chat, after int64, limit int) ([]*delivery, error) {
	ctx, cancel := context.WithTimeout(b.work, inboxTimeout)
	defer cancel()
	var items []*delivery
	err := b.cfg.Inbox.ChatBacklog(ctx, chat, after, limit, func(id, place int64, received time.Time, payload []byte) {
		item := newDelivery(id, chat)
		item.place, item.received, item.resumed = place, received, place <= b.leftover
		if item.resumed {
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

// skip finishes deliveries that are not handled because a newer one is.
func (b *Bot) skip(items []*delivery) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.work), inboxTimeout)
	defer cancel()
	ids := make([]int64, len(items))
	for i, item := range items {
		ids[i] = item.id
		if item.tap != nil {
			item.tap.answer("", false)
		}
	}
	if err := b.cfg.Inbox.Finish(ctx, ids...); err != nil {
		b.log.Error("skipped updates not finished", "updates", len(ids), "error", err)
	}
	for _, item := range items {
		b.dispatcher.done(item)
	}
}

// isUrgent reports whether the chat is the private chat of a person who is served
// before others; it has the id of its person (Bot API: Chat).
func (b *Bot) isUrgent(chat int64) bool {
	return chat > 0 && b.hooks.Urgent != nil && b.hooks.Urgent(chat)
}

// store stores updates. Known ones have no place; uncertain ones are known, but perhaps
// only because an earlier store failed after writing them. The beginning of Stop does
// not cancel it.
func (r *receiver) store(ids, chats []int64, payloads [][]byte) (places []int64, uncertain []bool, err error) {
	ctx, cancel := context.WithTimeout(r.bot.work, inboxTimeout)
	defer cancel()
	places, err = r.bot.cfg.Inbox.StoreUpdates(ctx, ids, chats, payloads)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		if r.uncertain == nil {
			r.uncertain = map[int64]bool{}
		}
		for _, id := range ids {
			r.uncertain[id] = true
		}
		return nil, nil, fmt.Errorf("store updates: %w", err)
	}
	uncertain = make([]bool, len(ids))
	for i, id := range ids {
		uncertain[i] = r.uncertain[id] && places[i] == 0
		delete(r.uncertain, id)
	}
	return places, uncertain, nil
}

// deadLetter marks an update as dead-lettered. Hooks.DeadLettered logs it.
func (b *Bot) deadLetter(ctx context.Context, id int64) {
	ctx, cancel := context.WithTimeout(ctx, inboxTimeout)
	defer cancel()
	if err := b.cfg.Inbox.DeadLetter(ctx, id); err != nil {
		b.log.Error("update not dead-lettered", "update", id, "error", err)
		return
	}
	b.cfg.CountEvent("dead_lettered")
	if b.hooks.DeadLettered != nil {
		b.hooks.DeadLettered(ctx, id)
	}
}
