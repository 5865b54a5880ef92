package bot

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"hstockbot/internal/outbox"
)

// Telegram's limits on messages (Bot FAQ: "My bot is hitting limits"). Config.Rate
// is the one for all chats together.
const (
	chatInterval  = time.Second // of a private chat, on average
	chatBurst     = 3
	groupInterval = time.Minute / 17 // with the burst: 20 in any minute
	groupBurst    = 3
)

// pacer delays messages: at an even rate for all chats together, and at a rate with a
// small burst for each chat; the most urgent message goes first. The overall rate has
// no burst, because a burst would exceed the rate in its second.
//
// It also obeys retry_after: until then it delays messages, or edits, to that chat,
// also without a rate.
type pacer struct {
	interval time.Duration // between any two messages; 0 = no pacing

	mu      sync.Mutex
	next    time.Time // earliest time of the next message
	chats   map[int64]*chatPace
	sweepAt int       // number of chats at which unused ones are deleted
	waiting []*waiter // most urgent first, then oldest first
	timer   *time.Timer
}

// chatPace is the state of a chat that got messages recently.
type chatPace struct {
	full       time.Time // when the whole burst is available again
	sendsAfter time.Time // by retry_after
	editsAfter time.Time
}

type waiter struct {
	chat     int64
	priority outbox.Priority
	granted  chan struct{} // closed when the message may be sent
}

const minSweep = 1024

func newPacer(rate float64) *pacer {
	p := &pacer{chats: map[int64]*chatPace{}, sweepAt: minSweep}
	if rate > 0 {
		p.interval = time.Duration(math.Ceil(float64(time.Second) / rate))
	}
	return p
}

// message waits until a message may be sent, or ctx is done. If a retry_after has
// more than maxHold left, it returns the rest as hold instead of waiting.
func (p *pacer) message(ctx context.Context, chat int64, priority outbox.Priority, maxHold time.Duration) (hold time.Duration, err error) {
	p.mu.Lock()
	now := time.Now()
	if hold := p.heldFor(chat, now); hold > maxHold {
		p.mu.Unlock()
		return hold, nil
	}
	if len(p.waiting) == 0 && !p.readyAt(chat).After(now) {
		p.count(chat, now)
		p.mu.Unlock()
		return 0, nil
	}
	w := &waiter{chat: chat, priority: priority, granted: make(chan struct{})}
	at, _ := slices.BinarySearchFunc(p.waiting, priority+1, func(w *waiter, c outbox.Priority) int { return int(w.priority - c) })
	p.waiting = slices.Insert(p.waiting, at, w)
	p.pump(now)
	p.mu.Unlock()

	select {
	case <-w.granted:
		return 0, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at = slices.Index(p.waiting, w)
	if at < 0 {
		return 0, nil // it was granted at the same moment
	}
	p.waiting = slices.Delete(p.waiting, at, at+1)
	return 0, ctx.Err()
}

// edit waits until messages of the chat may be edited. hold is as in message.
func (p *pacer) edit(ctx context.Context, chat int64, maxHold time.Duration) (hold time.Duration, err error) {
	p.mu.Lock()
	if c := p.chats[chat]; c != nil {
		hold = time.Until(c.editsAfter)
	}
	p.mu.Unlock()
	if hold <= 0 || hold > maxHold {
		return max(hold, 0), nil
	}
	return 0, pause(ctx, hold)
}

// holdMessages delays messages to a chat.
func (p *pacer) holdMessages(chat int64, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.chat(chat)
	c.sendsAfter = later(c.sendsAfter, time.Now().Add(d))
}

// holdEdits delays edits in a chat.
func (p *pacer) holdEdits(chat int64, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.chat(chat)
	c.editsAfter = later(c.editsAfter, time.Now().Add(d))
}

// pump grants all messages that may be sent now, and sets the timer for the next one.
func (p *pacer) pump(now time.Time) {
	var wake time.Time
	remaining := p.waiting[:0]
	for _, w := range p.waiting {
		at := p.readyAt(w.chat)
		if !at.After(now) {
			p.count(w.chat, now)
			close(w.granted)
			continue
		}
		remaining = append(remaining, w)
		if wake.IsZero() || at.Before(wake) {
			wake = at
		}
	}
	clear(p.waiting[len(remaining):])
	p.waiting = remaining
	if wake.IsZero() {
		return
	}
	if p.timer == nil {
		p.timer = time.AfterFunc(wake.Sub(now), func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.pump(time.Now())
		})
		return
	}
	p.timer.Reset(wake.Sub(now))
}

// readyAt returns when a chat may get its next message.
func (p *pacer) readyAt(chat int64) time.Time {
	at := p.next
	if c := p.chats[chat]; c != nil {
		at = later(at, c.sendsAfter)
		if p.interval > 0 {
			interval, burst := chatLimit(chat)
			at = later(at, c.full.Add(-(burst-1)*interval))
		}
	}
	return at
}

// count counts one message.
func (p *pacer) count(chat int64, now time.Time) {
	if p.interval == 0 {
		return
	}
	// If the timer was only a little late, the next interval begins when this message
	// was due: at 30 a second the delays would cost several percent of the rate.
	due := p.next
	if now.Sub(due) > p.interval/8 {
		due = now
	}
	p.next = due.Add(p.interval)
	interval, _ := chatLimit(chat)
	c := p.chat(chat)
	c.full = later(c.full, now).Add(interval)
}

func (p *pacer) heldFor(chat int64, now time.Time) time.Duration {
	if c := p.chats[chat]; c != nil {
		return c.sendsAfter.Sub(now)
	}
	return 0
}

// chat returns a chat's state. From time to time it deletes the states that no longer
// delay anything, so that memory is bounded by the chats of the last seconds.
func (p *pacer) chat(id int64) *chatPace {
	if c := p.chats[id]; c != nil {
		return c
	}
	if len(p.chats) >= p.sweepAt {
		now := time.Now()
		for id, c := range p.chats {
			if !later(c.full, later(c.sendsAfter, c.editsAfter)).After(now) {
				delete(p.chats, id)
			}
		}
		p.sweepAt = max(minSweep, 2*len(p.chats))
	}
	c := &chatPace{}
	p.chats[id] = c
	return c
}

// chatLimit returns the limit of a chat. Groups have negative ids (Bot API: Chat).
func chatLimit(chat int64) (interval, burst time.Duration) {
	if chat < 0 {
		return groupInterval, groupBurst
	}
	return chatInterval, chatBurst
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// pause waits for d or until ctx is done; then the error is ctx's.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
