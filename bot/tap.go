package bot

import (
	"context"
	"sync"
	"time"
)

// answerDelay is after what time a tap is answered when there is nothing to
// say yet: until then the person's Telegram shows it as being worked on.
const answerDelay = 500 * time.Millisecond

// tap is the answer that a callback query gets, exactly once.
type tap struct {
	bot   *Bot
	item  *delivery
	query string
	timer *time.Timer

	mu    sync.Mutex
	given bool
}

// newTap answers the query empty after answerDelay, unless answer does before.
// The delivery must be open until then.
func (b *Bot) newTap(item *delivery, query string) *tap {
	t := &tap{bot: b, item: item, query: query}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = time.AfterFunc(answerDelay, func() { t.answer("", false) })
	return t
}

// answer sends the answer, beside what its caller goes on to do, and reports
// whether it was still to be given.
func (t *tap) answer(toast string, alert bool) bool {
	if !t.take() {
		return false
	}
	go func() {
		defer t.bot.dispatcher.done(t.item)
		// Not cut off by Stop: it waits for the answer.
		ctx, cancel := context.WithTimeout(t.bot.work, callTimeout+sendTimeout)
		defer cancel()
		if err := t.bot.answerCallback(ctx, t.query, toast, alert); err != nil {
			t.bot.log.Warn("a tap was not answered", "update", t.item.id, "error", err)
		}
	}()
	return true
}

// take makes the caller the one who answers; the delivery stays open for it.
func (t *tap) take() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.given {
		return false
	}
	t.given = true
	t.timer.Stop()
	t.item.open.Add(1)
	return true
}

// drop leaves the tap unanswered.
func (t *tap) drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.given = true
	t.timer.Stop()
}
