package storage

import (
	"context"
	"strconv"
	"time"
)

// NewsPostedSetting is the setting that holds when news were posted last, as unix
// milliseconds.
const NewsPostedSetting = "news_posted_at"

// WaitingNews returns the news that wait for a post, the oldest first.
func (db *DB) WaitingNews(ctx context.Context) ([]News, error) {
	return db.news(ctx, `WHERE state = 'waiting' ORDER BY at, service`)
}

// PostedNews returns the news of all posts in a channel, by post and place.
func (db *DB) PostedNews(ctx context.Context, chat int64) ([]News, error) {
	return db.news(ctx, `WHERE state = 'posted' AND chat_id = ? ORDER BY message_id DESC, place`, chat)
}

// MarkNewsPosted records a post with these lines. All other news that wait, and were found
// until the time of a clock, are closed, except later: it counts them, or they are out of
// date.
func (db *DB) MarkNewsPosted(ctx context.Context, chat, messageID int64, lines []News, more, until int64, now time.Time, later ...News) error {
	changes := make([]change, 0, len(lines)+2)
	for i, n := range lines {
		changes = append(changes, change{
			`UPDATE news SET state = 'posted', chat_id = ?, message_id = ?, place = ?, more = ? WHERE id = ? AND state = 'waiting'`,
			[]any{chat, messageID, i + 1, more, n.ID},
		})
	}
	return db.pull(ctx, "record a post", append(changes, closeWaiting(until, later), change{upsertSetting, []any{NewsPostedSetting, strconv.FormatInt(toMillis(now), 10)}})...)
}

// CloseWaitingNews gives up the posting of news that were found until the time of a clock,
// except later.
func (db *DB) CloseWaitingNews(ctx context.Context, until int64, later ...News) error {
	return db.pull(ctx, "close news", closeWaiting(until, later))
}

func closeWaiting(until int64, except []News) change {
	c := change{`UPDATE news SET state = 'closed' WHERE state = 'waiting' AND seen_clock <= ?`, []any{until}}
	for _, n := range except { // fewer than a post lists
		c.query += ` AND id <> ?`
		c.args = append(c.args, n.ID)
	}
	return c
}

// CloseNews gives up the posting of one thing that is new.
func (db *DB) CloseNews(ctx context.Context, id int64) error {
	return db.pull(ctx, "close a line", change{`UPDATE news SET state = 'closed' WHERE id = ? AND state = 'waiting'`, []any{id}})
}

// CloseNewsPost makes a post one that is no longer edited.
func (db *DB) CloseNewsPost(ctx context.Context, chat, messageID int64) error {
	return db.pull(ctx, "close a post", change{`UPDATE news SET state = 'closed' WHERE state = 'posted' AND chat_id = ? AND message_id = ?`, []any{chat, messageID}})
}

// SetNewsStruck records which of the lines of a post say that they are sold out.
func (db *DB) SetNewsStruck(ctx context.Context, lines []News) error {
	var changes []change
	for _, n := range lines {
		changes = append(changes, change{`UPDATE news SET struck = ? WHERE id = ?`, []any{bit(n.Struck), n.ID}})
	}
	return db.pull(ctx, "record an edited post", changes...)
}
