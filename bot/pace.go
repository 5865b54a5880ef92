package bot

import (
	"context"
	"hstockbot/internal/outbox"
	"math"
	"slices"
	"sync"
	"time"
)

// Telegram's limits on messages (Bot FAQ: "My bot is hitting limits"), beside
// Config.Rate for all chats together.
const (
	chatInterval  = time.Second // of a private chat, in the long run
	chatBurst     = 3
	groupInterval = time.Minute / 17 // with the burst: 20 in any minute
	groupBurst    = 3
)

// pacer makes messages wait their turn: an even rate for all chats together,
// a rate with a small burst for each chat, urgent ones first. The overall rate
// has no burst: one would only let more pass in a second than it says.
//
// It also keeps what Telegram said by retry_after: until then nothing of that
// kind goes to that chat. That holds without a rate, too.
type pacer struct {
	interval time.Duration // between any two messages; 0 = no pacing

	mu      sync.Mutex
	next    time.Time // not before then any message
	chats   map[int64]*chatPace
	sweepAt int       // number of chats to look for forgotten ones at
	waiting []*waiter // most urgent first, then in order
	timer   *time.Timer
}

// chatPace exists while a chat has sent lately.
type chatPace struct {
	full       time.Time // when its burst is whole again
	sendsAfter time.Time // by retry_after
	editsAfter time.Time
}

type waiter struct {
	chat     int64
	priority outbox.Priority
	turn     chan struct{} // closed at its turn
}

const minSweep = 1024

func newPacer(rate float64) *pacer {
	p := &pacer{chats: map[int64]*chatPace{}, sweepAt: minSweep}
	if rate > 0 {
		p.interval = time.Duration(math.Ceil(float64(time.Second) / rate))
	}
	return p
}

// message waits for the turn of a message, ctx's end at the longest. It does
// not wait where Telegram has asked for more than patience: it returns how long
// instead.
func (p *pacer) message(ctx context.Context, chat int64, priority outbox.Priority, patience time.Duration) (hold time.Duration, err error) {
	p.mu.Lock()
	now := time.Now()
	if hold := p.heldFor(chat, now); hold > patience {
		p.mu.Unlock()
		return hold, nil
	}
	if len(p.waiting) == 0 && !p.readyAt(chat).After(now) {
		p.take(chat, now)
		p.mu.Unlock()
		return 0, nil
	}
	w := &waiter{chat: chat, priority: priority, turn: make(chan struct{})}
	at, _ := slices.BinarySearchFunc(p.waiting, priority+1, func(w *waiter, c outbox.Priority) int { return int(w.priority - c) })
	p.waiting = slices.Insert(p.waiting, at, w)
	p.pump(now)
	p.mu.Unlock()

	select {
	case <-w.turn:
		return 0, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at = slices.Index(p.waiting, w)
	if at < 0 {
		return 0, nil // its turn came at the same moment
	}
	p.waiting = slices.Delete(p.waiting, at, at+1)
	return 0, ctx.Err()
}

// edit waits until Telegram lets this chat's messages be edited again, as
// message does.
func (p *pacer) edit(ctx context.Context, chat int64, patience time.Duration) (hold time.Duration, err error) {
	p.mu.Lock()
	if c := p.chats[chat]; c != nil {
		hold = time.Until(c.editsAfter)
	}
	p.mu.Unlock()
	if hold <= 0 || hold > patience {
		return max(hold, 0), nil
	}
	return 0, pause(ctx, hold)
}

// holdMessages keeps messages from a chat for so long.
func (p *pacer) holdMessages(chat int64, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.chat(chat)
	c.sendsAfter = later(c.sendsAfter, time.Now().Add(d))
}

// holdEdits keeps edits from a chat for so long.
func (p *pacer) holdEdits(chat int64, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.chat(chat)
	c.editsAfter = later(c.editsAfter, time.Now().Add(d))
}

// pump gives their turn to all who may go now, and sets the timer for the next.
func (p *pacer) pump(now time.Time) {
	var wake time.Time
	left := p.waiting[:0]
	for _, w := range p.waiting {
		at := p.readyAt(w.chat)
		if !at.After(now) {
			p.take(w.chat, now)
			close(w.turn)
			continue
		}
		left = append(left, w)
		if wake.IsZero() || at.Before(wake) {
			wake = at
		}
	}
	clear(p.waiting[len(left):])
	p.waiting = left
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

// readyAt returns when a chat may have its next message, as things stand.
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

// take counts one message.
func (p *pacer) take(chat int64, now time.Time) {
	if p.interval == 0 {
		return
	}
	// From when its turn was due, where the timer was only a little late: at 30 a
	// second those moments add up to several percent.
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

// chat returns a chat's state. Now and then it forgets the chats that have
// nothing to remember, so that memory follows those of the last seconds.
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

// chatLimit: groups have negative ids (Bot API: Chat).
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

// pause waits, unless ctx ends before.
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
