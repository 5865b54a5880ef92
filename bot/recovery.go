package bot

import (
	"context"
	"slices"
	"time"
)

const (
	// recoveryPeriod is how soon after a start that finds unfinished updates the process
	// must end for one of them to be suspected.
	recoveryPeriod = time.Minute
	// maxAttemptsPerUpdate is how often a suspected update is handled before it is
	// dead-lettered.
	maxAttemptsPerUpdate = 3
)

// adopt makes this process handle the chats of processes that have ended.
func (b *Bot) adopt(ctx context.Context) error {
	chats, last, err := b.cfg.Inbox.OrphanedChats(ctx)
	if err != nil || len(chats) == 0 {
		return err
	}
	if err := b.beginRecovery(ctx, chats, last); err != nil {
		return err
	}
	if err := b.cfg.Inbox.AdoptChats(ctx, b.cfg.Owner, chats); err != nil {
		return err
	}
	b.dispatcher.resume(chats)
	return nil
}

// beginRecovery prepares the handling of what other processes have left in these chats, up
// to the last updates.
func (b *Bot) beginRecovery(ctx context.Context, chats, last []int64) error {
	careful, begins := false, !b.recovering.Load()
	if begins {
		var err error
		if careful, err = b.cfg.Inbox.BeginRecovery(ctx); err != nil {
			return err
		}
		b.recovering.Store(true)
	}
	if careful {
		b.log.Warn("the last start ended early, unfinished updates are handled one by one", "chats", len(chats))
	}
	recovered := b.dispatcher.expectLeftovers(chats, last, careful)
	if begins {
		b.receivers.Go(func() { b.awaitRecovery(recovered, careful) })
	}
	return nil
}

// awaitRecovery ends the recovery when the leftover updates are handled, or when it is
// certain that they don't end the process.
func (b *Bot) awaitRecovery(recovered <-chan struct{}, careful bool) {
	var over <-chan time.Time
	if !careful {
		timer := time.NewTimer(recoveryPeriod)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-recovered:
		b.endRecovery()
	case <-over:
		b.endRecovery()
	case <-b.receiving.Done(): // Stop does it
	}
}

// endRecovery records that the process does not end early.
func (b *Bot) endRecovery() {
	if !b.recovering.CompareAndSwap(true, false) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.work), inboxTimeout)
	defer cancel()
	if err := b.cfg.Inbox.EndRecovery(ctx); err != nil {
		b.log.Error("recovery not ended", "error", err)
	}
}

// startAttempt counts an attempt at a suspected update, and dead-letters it after too
// many. It reports whether the update is to be handled.
func (b *Bot) startAttempt(item *delivery) bool {
	ctx, cancel := context.WithTimeout(b.work, inboxTimeout)
	defer cancel()
	attempts, err := b.cfg.Inbox.StartAttempt(ctx, item.id)
	switch {
	case err != nil:
		b.log.Error("attempt at an update not counted", "update", item.id, "error", err)
		item.again = b.work.Err() == nil
		return false
	case attempts > maxAttemptsPerUpdate:
		b.deadLetter(b.work, item)
		return false
	default:
		return true
	}
}

// expectLeftovers notes what other processes have left in these chats, up to the last
// updates. recovered is closed when all leftover updates are handled.
func (d *dispatcher) expectLeftovers(chats, last []int64, careful bool) (recovered <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.leftovers) == 0 {
		d.recovered = make(chan struct{})
		d.careful = careful
	}
	for i, chat := range chats {
		d.leftovers[chat] = last[i]
	}
	return d.recovered
}

// isLeftover reports whether another process has left a delivery, and whether leftover
// ones are handled one by one.
func (d *dispatcher) isLeftover(item *delivery) (leftover, careful bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return item.id <= d.leftovers[item.chat], d.careful
}

// checkRecovered notes that a chat has no more leftover updates.
func (d *dispatcher) checkRecovered(q *chatQueue) {
	last, expected := d.leftovers[q.chat]
	if !expected || slices.ContainsFunc(q.items, func(item *delivery) bool { return item.id <= last }) {
		return
	}
	// What is read next comes after what is in memory.
	if q.stored && (len(q.items) == 0 || q.items[len(q.items)-1].id < last) {
		return
	}
	delete(d.leftovers, q.chat)
	if len(d.leftovers) == 0 {
		close(d.recovered)
	}
}
