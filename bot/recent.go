package bot

import (
	"sync"
	"time"
)

const (
	// groupCommands is how many commands of one group are answered in a minute: fewer
	// than the messages that the group may get.
	groupCommands = 15
	recentTTL     = time.Minute
)

// recentChats remembers what happened in chats in the last minute.
type recentChats struct {
	mu      sync.Mutex
	chats   map[int64]*recentChat
	sweepAt int // number of chats at which old ones are deleted
}

type recentChat struct {
	album    string    // the last one that was answered
	since    time.Time // of commands
	commands int
	used     time.Time
}

func newRecentChats() recentChats {
	return recentChats{chats: map[int64]*recentChat{}, sweepAt: minSweep}
}

// answered reports whether a picture of an album (Bot API: media_group_id) was answered.
func (r *recentChats) answered(chat int64, album string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.chats[chat]
	return album != "" && c != nil && c.album == album
}

// answer notes that a picture of an album is answered.
func (r *recentChats) answer(chat int64, album string) {
	if album == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.chat(chat, time.Now()).album = album
}

// command reports whether one more command of a group may be answered.
func (r *recentChats) command(chat int64, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.chat(chat, now)
	if now.Sub(c.since) >= time.Minute {
		c.since, c.commands = now, 0
	}
	c.commands++
	return c.commands <= groupCommands
}

func (r *recentChats) chat(id int64, now time.Time) *recentChat {
	c := r.chats[id]
	if c == nil {
		if len(r.chats) >= r.sweepAt {
			for id, c := range r.chats {
				if now.Sub(c.used) > recentTTL {
					delete(r.chats, id)
				}
			}
			r.sweepAt = max(minSweep, 2*len(r.chats))
		}
		c = &recentChat{}
		r.chats[id] = c
	}
	c.used = now
	return c
}
