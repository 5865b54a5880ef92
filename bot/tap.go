package bot

import (
	"context"
	"sync"
	"time"
)

// answerDelay is how long after its receipt a tap is answered if there is no toast yet.
// Until it is answered, the person's app shows a progress indicator.
const answerDelay = 500 * time.Millisecond

// tap is a callback query, which is answered exactly once.
type tap struct {
	bot   *Bot
	item  *delivery
	query string
	timer *time.Timer

	mu       sync.Mutex
	answered bool // or dropped
}

// newTap answers the query empty after answerDelay, unless answer was called before.
// The delivery must be unfinished until then.
func (b *Bot) newTap(item *delivery, query string) *tap {
	t := &tap{bot: b, item: item, query: query}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = time.AfterFunc(answerDelay, func() { t.answer("", false) })
	return t
}

// answer sends the answer in the background, unless there are too many in the chat. It reports whether the tap was not
// answered before.
func (t *tap) answer(toast string, alert bool) bool {
	if !t.claim() {
		return false
	}
	go func() {
		defer t.bot.dispatcher.done(t.item)
		// Stop waits for the answer, so its beginning does not cancel it.
		ctx, cancel := context.WithTimeout(t.bot.work, callTimeout+maxHold)
		defer cancel()
		if !t.bot.pacer.answer(ctx, t.item.chat, toast != "") {
			return
		}
		if err := t.bot.answerCallback(ctx, t.query, toast, alert); err != nil {
			t.bot.log.Warn("tap not answered", "update", t.item.id, "error", err)
		}
	}()
	return true
}

// claim reports whether the caller must answer; the delivery is unfinished until then.
func (t *tap) claim() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.answered {
		return false
	}
	t.answered = true
	t.timer.Stop()
	t.item.unfinished.Add(1)
	return true
}

// drop makes the tap stay unanswered.
func (t *tap) drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answered = true
	t.timer.Stop()
}
