// Package pace keeps several processes to one rate of messages to Telegram, and to one
// rate of calls to the marketplace. Each message and each block of calls reserves its slot
// in the database that the processes share.
//
// While the database fails or is slow, each process keeps to its part of the rate: the
// rate divided by the number of processes that were alive when a reservation last
// succeeded. Which message goes first, and the pauses within one process, are up to the
// callers. A process that is alone needs none of this.
package pace

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"hstockbot/storage"
)

const (
	deadline   = time.Second      // of a statement
	retryPause = 5 * time.Second  // between two attempts while the database fails
	sweepPause = 10 * time.Second // after which unused chats are deleted
)

// DB is what a Pace needs of *storage.DB.
type DB interface {
	ReserveSlot(ctx context.Context, name string, step time.Duration) (storage.Slot, error)
	ReserveMessage(ctx context.Context, step time.Duration, chat storage.ChatPace) (storage.Slot, error)
	HoldChat(ctx context.Context, chat int64, d time.Duration) error
	SweepPace(ctx context.Context) (remain int, err error)
}

// Pace reserves slots. It is safe for concurrent use, and its methods take at most a second.
type Pace struct {
	db  DB
	log *slog.Logger

	mu       sync.Mutex
	failing  bool
	retryAt  time.Time            // while failing
	replicas int                  // that are alive, as last known
	next     map[string]time.Time // while failing: the next slot of this process, by rate
	sweep    *time.Timer          // nil: nothing is to be deleted
	closed   bool
}

// New returns a Pace, which its caller closes. It soon deletes what earlier processes have
// left.
func New(db DB, log *slog.Logger) *Pace {
	p := &Pace{db: db, log: log, replicas: 1, next: map[string]time.Time{}}
	p.sweepLater()
	return p
}

// ReserveMessage reserves the slot of a message to Telegram: one in each interval, and in
// the chat one in each chatInterval with a burst. inAll is the time until the slot. If it
// is not reserved, inChat is the time until the chat may get a message; ask again when the
// slot is at most one interval away.
func (p *Pace) ReserveMessage(chat int64, interval, chatInterval time.Duration, chatBurst int) (inAll, inChat time.Duration, reserved bool) {
	slot := p.reserve(storage.PaceTelegram, interval, func(ctx context.Context) (storage.Slot, error) {
		return p.db.ReserveMessage(ctx, interval, storage.ChatPace{Chat: chat, Interval: chatInterval, Burst: chatBurst})
	})
	p.sweepLater()
	if !slot.ChatAt.IsZero() {
		inChat = slot.ChatAt.Sub(slot.Now)
	}
	return slot.At.Sub(slot.Now), inChat, slot.Reserved
}

// ReserveCalls reserves the next step in which the marketplace is called. in is the time
// until it begins. If it is not reserved, ask again when it is at most one step away.
func (p *Pace) ReserveCalls(step time.Duration) (in time.Duration, reserved bool) {
	slot := p.reserve(storage.PaceMarketplace, step, func(ctx context.Context) (storage.Slot, error) {
		return p.db.ReserveSlot(ctx, storage.PaceMarketplace, step)
	})
	return slot.At.Sub(slot.Now), slot.Reserved
}

// HoldChat delays the messages of all processes to a chat (Bot API: retry_after).
func (p *Pace) HoldChat(chat int64, d time.Duration) {
	p.try(func(ctx context.Context) error { return p.db.HoldChat(ctx, chat, d) })
	p.sweepLater()
}

// reserve asks the database, or else gives the next slot of this process.
func (p *Pace) reserve(rate string, step time.Duration, ask func(context.Context) (storage.Slot, error)) storage.Slot {
	var slot storage.Slot
	ok := p.try(func(ctx context.Context) (err error) {
		slot, err = ask(ctx)
		return err
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	if ok {
		p.replicas = max(1, slot.Replicas)
		return slot
	}
	now := time.Now()
	slot = storage.Slot{Now: now, At: now}
	if next := p.next[rate]; next.After(now) {
		slot.At = next
	}
	if slot.At.Sub(now) <= step {
		slot.Reserved = true
		p.next[rate] = slot.At.Add(step * time.Duration(p.replicas))
	}
	return slot
}

// try runs a statement and reports whether it succeeded. While the database fails, most
// statements are not run.
func (p *Pace) try(run func(context.Context) error) bool {
	p.mu.Lock()
	now := time.Now()
	if p.failing {
		if now.Before(p.retryAt) {
			p.mu.Unlock()
			return false
		}
		p.retryAt = now.Add(deadline + retryPause)
	}
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	err := run(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.retryAt = time.Now().Add(retryPause)
	}
	switch {
	case err != nil && !p.failing:
		p.log.Warn("rates not shared with the other processes, each keeps to its part", "processes", p.replicas, "error", err)
	case err == nil && p.failing:
		p.log.Info("rates shared again")
	}
	p.failing = err != nil
	return err == nil
}

// sweepLater deletes the rows of unused chats after a pause, so that no chat remains in
// the database for much longer than it is delayed.
func (p *Pace) sweepLater() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.sweep != nil {
		return
	}
	p.sweep = time.AfterFunc(sweepPause, func() {
		var remain int
		ok := p.try(func(ctx context.Context) (err error) {
			remain, err = p.db.SweepPace(ctx)
			return err
		})
		p.mu.Lock()
		p.sweep = nil
		p.mu.Unlock()
		if !ok || remain > 0 {
			p.sweepLater()
		}
	})
}

// Close ends what runs in the background.
func (p *Pace) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.sweep != nil {
		p.sweep.Stop()
	}
}
