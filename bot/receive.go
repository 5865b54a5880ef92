package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	telegram "github.com/go-telegram/bot"
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
	trouble := pollBackoff{bot: b, what: "receiving updates"}
	for trouble.again(b.deleteWebhook()) {
	}
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
		trouble.again(err)
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

// pollBackoff says once that something does not work, once that it works again,
// and waits in between.
type pollBackoff struct {
	bot     *Bot
	what    string
	since   time.Time // zero while all is well
	failed  int       // times in a row
	code    int       // what was said last
	backoff time.Duration
}

// again waits as long as the error demands and reports whether to try again:
// not where there is none, and not once receiving has ended.
func (t *pollBackoff) again(err error) bool {
	b := t.bot
	if b.receive.Err() != nil {
		return false
	}
	if err == nil {
		if t.failed > 0 {
			b.log.Info("telegram: "+t.what+" works again", "failures", t.failed, "after", time.Since(t.since).Round(time.Second))
		}
		*t = pollBackoff{bot: b, what: t.what}
		b.ready.Store(true)
		return false
	}
	b.cfg.CountEvent("poll_failed")
	var e *Error
	code := -1
	if errors.As(err, &e) {
		code = e.Code
	}
	if t.failed == 0 || t.code != code {
		t.say(code, err)
	}
	if code == http.StatusConflict {
		b.conflict.seen(time.Now())
	}
	if t.failed == 0 {
		t.since = time.Now()
	}
	t.failed++
	t.code = code
	if t.failed > 1 {
		b.ready.Store(false)
	}
	_ = pause(b.receive, t.wait(code, retryAfter(err))) // the caller sees when it has ended
	return b.receive.Err() == nil
}

func (t *pollBackoff) say(code int, err error) {
	log := t.bot.log
	switch code {
	case http.StatusConflict:
		log.Error("telegram: somebody else receives this bot's updates; only one program may run with a token", "error", err)
	case http.StatusUnauthorized, http.StatusNotFound:
		log.Error("telegram: the token is not known; it was changed or revoked", "error", err)
	default:
		log.Warn("telegram: "+t.what+" fails, trying again", "error", err)
	}
}

func (t *pollBackoff) wait(code int, demanded time.Duration) time.Duration {
	t.backoff = min(max(2*t.backoff, minBackoff), maxBackoff)
	d := t.backoff
	switch {
	case demanded > 0:
		return demanded + rand.N(demanded/10) //nolint:gosec // jitter is no secret
	case code == http.StatusConflict:
		d = conflictBackoff
	}
	return d*4/5 + rand.N(d*2/5) //nolint:gosec // jitter is no secret
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
