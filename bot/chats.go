package bot

import (
	"context"
	"time"
)

// Several processes may share an inbox. Each chat that has unfinished updates is owned by
// one of them. The process that leads adopts the chats of processes that have ended.

const (
	adoptInterval = time.Second
	// rescueInterval is the time between two looks for updates that are nobody's.
	rescueInterval = 5 * time.Second
)

// keepChats adopts chats, and looks for updates that are nobody's, until Stop begins.
func (b *Bot) keepChats() {
	if !b.cfg.Shared {
		return
	}
	for pause(b.receiving, adoptInterval) == nil {
		ctx, cancel := context.WithTimeout(b.receiving, inboxTimeout)
		if err := b.adopt(ctx); err != nil && b.receiving.Err() == nil {
			b.log.Error("chats of other processes not adopted, retrying", "error", err)
		}
		cancel()
	}
}

// rescuer handles updates that are nobody's. There should be none.
type rescuer struct {
	bot    *Bot
	missed map[int64]bool // chats of this process that memory did not have at the last look
}

// run looks for such updates until Stop begins.
func (r *rescuer) run() {
	for pause(r.bot.receiving, rescueInterval) == nil {
		ctx, cancel := context.WithTimeout(r.bot.receiving, inboxTimeout)
		if err := r.rescue(ctx); err != nil && r.bot.receiving.Err() == nil {
			r.bot.log.Error("unfinished updates not read, retrying", "error", err)
		}
		cancel()
	}
}

// rescue handles the chats of this process that memory has had neither now nor at the last
// look, and makes other processes' chats without an owner orphans.
func (r *rescuer) rescue(ctx context.Context) error {
	chats, err := r.bot.cfg.Inbox.OwnedChats(ctx, r.bot.cfg.Owner)
	if err != nil {
		return err
	}
	missed := map[int64]bool{}
	for _, chat := range chats {
		switch {
		case r.bot.dispatcher.has(chat):
		case r.missed[chat]:
			r.count(1)
			r.bot.dispatcher.submitStored(chat)
		default:
			missed[chat] = true
		}
	}
	r.missed = missed
	if !r.bot.leads.Load() {
		return nil
	}
	restored, err := r.bot.cfg.Inbox.RestoreChats(ctx)
	r.count(restored)
	return err
}

func (r *rescuer) count(chats int) {
	for range chats {
		r.bot.cfg.CountEvent("chat_rescued")
	}
	if chats > 0 {
		r.bot.log.Error("updates were nobody's and are handled late", "chats", chats)
	}
}
