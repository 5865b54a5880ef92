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
)

const (
	pollTimeout = 30 * time.Second // how long Telegram holds an empty poll
	pollLimit   = 100              // updates at once, Telegram's most
	pollGrace   = 15 * time.Second // for the answer itself

	minBackoff      = 250 * time.Millisecond
	maxBackoff      = 15 * time.Second
	conflictBackoff = 5 * time.Second

	// maxAttemptsPerUpdate is how often an update is handled before it is given up: it may
	// be the one that ends the process.
	maxAttemptsPerUpdate = 3

	inboxTimeout = 10 * time.Second
)

// poll asks Telegram for updates until Stop (Bot API: getUpdates). An update
// is acknowledged by asking for those behind it, which is done only after it
// was stored.
func (b *Bot) poll() {
	b.conflict.start(time.Now())
	deleting := pollBackoff{bot: b, request: "deleteWebhook"}
	for deleting.retry(b.deleteWebhook()) {
	}
	polling := pollBackoff{bot: b, request: "getUpdates"}
	var offset int64
	for b.receive.Err() == nil {
		updates, err := b.getUpdates(offset)
		if err == nil && len(updates) == 0 {
			// All before is acknowledged, and ids may begin anew after a quiet week.
			offset = 0
		}
		if err == nil && len(updates) > 0 {
			var last int64
			if last, err = b.receiver.take(updates); err == nil {
				offset = last + 1
			}
		}
		polling.retry(err)
	}
}

// deleteWebhook makes polling possible. What waits at Telegram stays there.
func (b *Bot) deleteWebhook() error {
	ctx, cancel := context.WithTimeout(b.receive, callTimeout)
	defer cancel()
	_, err := b.library.DeleteWebhook(ctx, &telegram.DeleteWebhookParams{})
	return b.client.asError("deleteWebhook", err)
}

func (b *Bot) getUpdates(offset int64) ([]json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(b.receive, pollTimeout+pollGrace)
	defer cancel()
	params := struct {
		Offset         int64    `json:"offset,omitempty"`
		Limit          int      `json:"limit"`
		Timeout        int      `json:"timeout"` // seconds
		AllowedUpdates []string `json:"allowed_updates"`
	}{offset, pollLimit, int(pollTimeout / time.Second), allowedUpdates}
	var answer struct {
		Result []json.RawMessage `json:"result"`
	}
	err := b.client.call(ctx, "getUpdates", params, &answer, maxUpdates)
	return answer.Result, err
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
	if b.receive.Err() != nil {
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
	if code == http.StatusConflict {
		b.conflict.seen(time.Now())
		wait = loop.Jitter(conflictBackoff)
	}
	if demanded := retryAfter(err); demanded > 0 {
		wait = demanded
	}
	return pause(b.receive, wait) == nil
}

func (p *pollBackoff) log(code int, err error) {
	log := p.bot.log
	switch code {
	case http.StatusConflict:
		log.Error("another program receives this bot's updates; only one may use a token", "error", err)
	case http.StatusUnauthorized, http.StatusNotFound:
		log.Error("telegram rejects the token; it was changed or revoked", "error", err)
	case notTelegrams:
		log.Error("updates not stored, retrying", "error", err)
	default:
		log.Warn("telegram request failed, retrying", "request", p.request, "error", err)
	}
}

// receiver stores what was received and hands it to the dispatcher.
type receiver struct {
	bot *Bot

	mu sync.Mutex
	// unsure are ids whose storing failed: it may have been done all the same,
	// and then they are known when Telegram repeats them, but not handled.
	unsure map[int64]bool
}

var errNothingReadable = errors.New("no update of the batch has a number")

// take stores a batch and hands it on. It returns the number of the last
// update. The error is that they are not stored.
func (in *receiver) take(raw []json.RawMessage) (last int64, err error) {
	b := in.bot
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
			b.log.Error("telegram: an update can't be read and has no number; it is left out")
			continue
		}
		last = u.ID
		item := newDelivery(u.ID, u.chatID())
		item.received = received
		switch {
		case err != nil:
			b.log.Error("telegram: an update can't be read; it is kept aside", "update", u.ID)
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
		return 0, errNothingReadable
	}
	if len(batch) == 0 {
		return last, nil
	}
	fresh, unsure, err := in.put(ids, chats, payloads)
	if err != nil {
		return 0, err
	}
	var handed []*delivery
	for i, item := range batch {
		switch {
		case unsure[i]:
			handed = append(handed, newDelivery(item.id, item.chat)) // the inbox knows whether it is done
		case !fresh[i]:
		case item.update == nil:
			b.deadLetter(b.work, item.id)
		default:
			if q := item.update.CallbackQuery; q != nil {
				item.tap = b.newTap(item, q.ID) // of all, before any has to wait for room
			}
			handed = append(handed, item)
		}
	}
	in.hand(handed)
	return last, nil
}

// put stores updates. fresh ones were not known; unsure ones were, but perhaps
// only from an attempt at storing them that failed. Stopping does not cut it off.
func (in *receiver) put(ids, chats []int64, payloads [][]byte) (fresh, unsure []bool, err error) {
	ctx, cancel := context.WithTimeout(in.bot.work, inboxTimeout)
	defer cancel()
	fresh, err = in.bot.cfg.Inbox.StoreUpdates(ctx, ids, chats, payloads)
	in.mu.Lock()
	defer in.mu.Unlock()
	if err != nil {
		if in.unsure == nil {
			in.unsure = map[int64]bool{}
		}
		for _, id := range ids {
			in.unsure[id] = true
		}
		return nil, nil, fmt.Errorf("store updates: %w", err)
	}
	unsure = make([]bool, len(ids))
	for i, id := range ids {
		unsure[i] = in.unsure[id] && !fresh[i]
		delete(in.unsure, id)
	}
	return fresh, unsure, nil
}

// resume hands on what was found unfinished at the start.
func (in *receiver) resume(ids, chats []int64) {
	for i, id := range ids {
		if in.bot.dispatcher.submit(in.bot.receive, newDelivery(id, chats[i])) != nil {
			return // stopping; they stay in the inbox
		}
	}
}

// hand waits for room for each. What finds none before Stop stays in the inbox.
func (in *receiver) hand(batch []*delivery) {
	for _, item := range batch {
		if in.bot.dispatcher.submit(in.bot.receive, item) != nil && item.tap != nil {
			item.tap.drop()
		}
	}
}

// deadLetter gives an update up.
func (b *Bot) deadLetter(ctx context.Context, id int64) {
	ctx, cancel := context.WithTimeout(ctx, inboxTimeout)
	defer cancel()
	if err := b.cfg.Inbox.DeadLetter(ctx, id); err != nil {
		b.log.Error("an update could not be parked", "update", id, "error", err)
		return
	}
	b.cfg.CountEvent("dead_lettered")
	if b.hooks.DeadLettered != nil {
		b.hooks.DeadLettered(ctx, id)
	}
}
