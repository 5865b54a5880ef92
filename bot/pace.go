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
	// Edits after taps, and answers to taps, of one chat. Telegram documents no limit of them, but
	// too many are refused, in the end for all chats.
	drawInterval = time.Second
	drawBurst    = 10
)

// pacer delays messages: at an even rate for all chats together, and at a rate with a
// small burst for each chat; the most urgent message goes first. The overall rate has
// no burst, because a burst would exceed the rate in its second.
//
// Edits after taps, and answers to taps, have a rate with a burst for each chat. Of the answers that
// wait in a chat only the newest is sent.
//
// It also obeys retry_after: until then it delays messages, or edits, to that chat,
// also without a rate.
//
// Where other processes send too, each message that is due also reserves a slot of all
// (Pace), one after another. The limits of this process are kept as well.
type pacer struct {
	interval time.Duration // between any two messages; 0 = no pacing
	shared   Pace          // nil: no other process sends

	mu      sync.Mutex
	next    time.Time // earliest time of the next message, or of the next reservation
	asking  bool      // a reservation is under way
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

	editsFull   time.Time // as full
	answersFull time.Time
	answer      *waitingAnswer // nil: none
}

// waitingAnswer is the answer to a tap that waits.
type waitingAnswer struct {
	hasText  bool
	replaced chan struct{} // closed when a newer answer takes its place
}

type waiter struct {
	chat     int64
	priority outbox.Priority
	maxHold  time.Duration
	hold     time.Duration // the message may not be sent: a retry_after of another process has so much left
	granted  chan struct{} // closed when the message may be sent, or hold is set
}

// Pace keeps all processes that send with one token to the limits on messages together.
type Pace interface {
	// ReserveMessage reserves the slot of a message: one in each interval, and in its chat
	// one in each chatInterval with a burst. inAll is the time until the slot. If it is not
	// reserved, it is further away than one interval, or inChat is the time until the chat
	// may get a message.
	ReserveMessage(chat int64, interval, chatInterval time.Duration, chatBurst int) (inAll, inChat time.Duration, reserved bool)
	// HoldChat delays messages to a chat.
	HoldChat(chat int64, d time.Duration)
}

const minSweep = 1024

func newPacer(rate float64, shared Pace) *pacer {
	p := &pacer{chats: map[int64]*chatPace{}, sweepAt: minSweep}
	if rate > 0 {
		p.interval = time.Duration(math.Ceil(float64(time.Second) / rate))
		p.shared = shared
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
	if p.shared == nil && len(p.waiting) == 0 && !p.readyAt(chat).After(now) {
		p.count(chat, now)
		p.mu.Unlock()
		return 0, nil
	}
	w := &waiter{chat: chat, priority: priority, maxHold: maxHold, granted: make(chan struct{})}
	at, _ := slices.BinarySearchFunc(p.waiting, priority+1, func(w *waiter, c outbox.Priority) int { return int(w.priority - c) })
	p.waiting = slices.Insert(p.waiting, at, w)
	p.pump(now)
	p.mu.Unlock()

	select {
	case <-w.granted:
		return w.hold, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-w.granted: // at the same moment
		return w.hold, nil
	default:
		p.remove(w)
		return 0, ctx.Err()
	}
}

// remove removes a message that may be waiting, and reports whether it was.
func (p *pacer) remove(w *waiter) bool {
	at := slices.Index(p.waiting, w)
	if at >= 0 {
		p.waiting = slices.Delete(p.waiting, at, at+1)
	}
	return at >= 0
}

// edit waits until messages of the chat may be edited, at a rate if the person has tapped.
// hold is as in message.
func (p *pacer) edit(ctx context.Context, chat int64, maxHold time.Duration, tapped bool) (hold time.Duration, err error) {
	p.mu.Lock()
	now := time.Now()
	var at time.Time
	if c := p.chats[chat]; c != nil {
		at = c.editsAfter
	}
	if hold = at.Sub(now); hold > maxHold {
		p.mu.Unlock()
		return hold, nil
	}
	if tapped && p.interval > 0 {
		at = later(at, take(&p.chat(chat).editsFull, now))
	}
	p.mu.Unlock()
	if !at.After(now) {
		return 0, nil
	}
	return 0, pause(ctx, at.Sub(now))
}

// answer waits until a tap in the chat may be answered. It returns false if it is not to
// be answered, because a newer answer is. An empty answer does not replace a text.
func (p *pacer) answer(ctx context.Context, chat int64, hasText bool) bool {
	if p.interval == 0 {
		return true
	}
	p.mu.Lock()
	now := time.Now()
	c := p.chat(chat)
	w := &waitingAnswer{hasText: hasText, replaced: make(chan struct{})}
	var at time.Time
	switch older := c.answer; {
	case older == nil:
		at = take(&c.answersFull, now)
	case older.hasText && !hasText:
		p.mu.Unlock()
		return false
	default: // it takes the turn of the older one
		close(older.replaced)
		at = c.answersFull.Add(-drawBurst * drawInterval)
	}
	if !at.After(now) {
		c.answer = nil
		p.mu.Unlock()
		return true
	}
	c.answer = w
	p.mu.Unlock()
	timer := time.NewTimer(at.Sub(now))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-w.replaced:
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.answer != w {
		return false // replaced at the same moment
	}
	c.answer = nil
	return ctx.Err() == nil
}

// take takes one of the burst of edits or answers and returns when it may be used. full
// is when the whole burst is available again.
func take(full *time.Time, now time.Time) time.Time {
	*full = later(*full, now).Add(drawInterval)
	return full.Add(-drawBurst * drawInterval)
}

// holdMessages delays messages to a chat.
func (p *pacer) holdMessages(chat int64, d time.Duration) {
	p.mu.Lock()
	c := p.chat(chat)
	c.sendsAfter = later(c.sendsAfter, time.Now().Add(d))
	p.mu.Unlock()
	if p.shared != nil {
		p.shared.HoldChat(chat, d)
	}
}

// holdEdits delays edits in a chat.
func (p *pacer) holdEdits(chat int64, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.chat(chat)
	c.editsAfter = later(c.editsAfter, time.Now().Add(d))
}

// pump grants all messages that may be sent now, and sets the timer for the next one. With
// other processes it begins to reserve a slot for the first of them.
func (p *pacer) pump(now time.Time) {
	if p.asking {
		return // and then comes back
	}
	var wake time.Time
	remaining := p.waiting[:0]
	for _, w := range p.waiting {
		at := p.readyAt(w.chat)
		if !at.After(now) {
			if p.shared != nil {
				p.asking = true
				go p.reserve(w)
				return // p.waiting is as it was
			}
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

// reserve reserves a slot for a message, which goes at its time.
func (p *pacer) reserve(w *waiter) {
	interval, burst := chatLimit(w.chat)
	inAll, inChat, reserved := p.shared.ReserveMessage(w.chat, p.interval, interval, int(burst))
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.asking = false
	if reserved {
		p.next = now.Add(inAll) // the next slot is one interval later
		p.countInChat(w.chat, p.next)
		if p.remove(w) {
			p.grantAt(w, inAll)
		}
	} else {
		p.next = now.Add(inAll - p.interval)
		c := p.chat(w.chat)
		c.sendsAfter = later(c.sendsAfter, now.Add(inChat))
		if inChat > w.maxHold && p.remove(w) {
			w.hold = inChat
			close(w.granted)
		}
	}
	p.pump(now)
}

// grantAt grants a message after a time.
func (p *pacer) grantAt(w *waiter, in time.Duration) {
	if in <= 0 {
		close(w.granted)
		return
	}
	time.AfterFunc(in, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		close(w.granted)
	})
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
	p.countInChat(chat, now)
}

func (p *pacer) countInChat(chat int64, at time.Time) {
	interval, _ := chatLimit(chat)
	c := p.chat(chat)
	c.full = later(c.full, at).Add(interval)
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
			if c.answer == nil && !later(later(c.full, c.sendsAfter), later(c.editsAfter, later(c.editsFull, c.answersFull))).After(now) {
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
