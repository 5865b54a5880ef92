package storage

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Rates that all processes on a PostgreSQL database keep to together. Each has a row,
// which holds when its whole burst is available again (full_at; the generic cell rate
// algorithm). A statement locks the row of a rate before those of its chats, so two
// statements neither take the same slot nor block each other for ever. They see the
// latest version of each row that they change (read committed), and read the clock when
// the row is locked.
//
// A crash may lose the last reservations, so nothing waits for the disk or a standby
// (synchronous_commit).

// Names of rates. The rates of chats have names of their own.
const (
	PaceTelegram    = "telegram"
	PaceMarketplace = "marketplace"

	chatPrefix = PaceTelegram + "/" // before the chat's id
)

// Slot is the answer to a reservation. Times are the database server's.
type Slot struct {
	Reserved bool
	Now      time.Time
	At       time.Time // the next slot of the rate; it belongs to the caller if Reserved
	ChatAt   time.Time // if not Reserved: when the chat may get a message, zero for at once
	Replicas int       // that are alive
}

// ChatPace is the rate of one chat: a message in each interval on average, and at most
// Burst at once.
type ChatPace struct {
	Chat     int64
	Interval time.Duration
	Burst    int
}

const (
	microsNow = `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS now, set_config('synchronous_commit', 'off', true) AS durable`

	// nextSlot locks the row of a rate, and gives its next slot, in microseconds. A slot
	// that is far away is from before the server's clock was set back.
	nextSlot = `WITH locked AS (SELECT full_at FROM pace WHERE name = ? FOR UPDATE),
		clock AS (SELECT full_at, CAST(? AS BIGINT) AS step, ` + microsNow + ` FROM locked),
		slot AS (SELECT now, step, GREATEST(now, LEAST(full_at, now + 2 * step)) AS at FROM clock),`

	livingReplicas = `(SELECT COUNT(*) FROM replicas WHERE until > now / 1000) AS replicas`

	reserveSlot = nextSlot + `
		taken AS (UPDATE pace SET full_at = at + step FROM slot WHERE name = ? AND at <= now + step RETURNING 1)
		SELECT EXISTS (SELECT 1 FROM taken) AS reserved, now, at, 0 AS chat_at, ` + livingReplicas + ` FROM slot`

	isChat        = `pace.name LIKE '` + chatPrefix + `%'`
	isUnused      = `pace.full_at <= now AND pace.held_until <= now`
	deleteUnused  = `DELETE FROM pace USING slot WHERE ` + isChat + ` AND ` + isUnused
	reserveInChat = nextSlot + `
		chat AS (SELECT CAST(? AS TEXT) AS name, CAST(? AS BIGINT) AS step, CAST(? AS BIGINT) AS burst),
		turn AS (INSERT INTO pace AS p (name, full_at, held_until) SELECT chat.name, at + chat.step, 0 FROM slot, chat WHERE at <= now + slot.step
			ON CONFLICT (name) DO UPDATE SET full_at = GREATEST(p.full_at + (SELECT step FROM chat), excluded.full_at)
			WHERE p.full_at <= excluded.full_at + (SELECT (burst - 2) * step FROM chat) AND p.held_until <= excluded.full_at - (SELECT step FROM chat)
			RETURNING 1),
		taken AS (UPDATE pace SET full_at = at + step FROM slot, turn WHERE name = ? RETURNING 1),
		swept AS (` + deleteUnused + ` AND pace.name <> (SELECT name FROM chat))
		SELECT EXISTS (SELECT 1 FROM taken) AS reserved, now, at, ` + livingReplicas + `,
			COALESCE((SELECT GREATEST(full_at - (burst - 1) * chat.step, held_until) FROM pace JOIN chat USING (name)), 0) AS chat_at FROM slot`

	sweepPace = nextSlot + ` swept AS (` + deleteUnused + `) SELECT COUNT(*) FROM pace, slot WHERE ` + isChat + ` AND NOT (` + isUnused + `)`

	insertPace = `INSERT INTO pace (name, full_at, held_until) VALUES (?, 0, 0) ON CONFLICT (name) DO NOTHING`

	holdChat = `INSERT INTO pace AS p (name, full_at, held_until) SELECT CAST(? AS TEXT), 0, now + CAST(? AS BIGINT) FROM (SELECT ` + microsNow + `) AS clock
		ON CONFLICT (name) DO UPDATE SET held_until = GREATEST(p.held_until, excluded.held_until)`
)

// ReserveSlot reserves the next slot of a rate with one slot in each step. A slot further
// away than one step is not reserved. PostgreSQL only.
//
// Other than elsewhere, a deadline of ctx interrupts the statement.
func (db *DB) ReserveSlot(ctx context.Context, name string, step time.Duration) (Slot, error) {
	return db.reserve(ctx, name, reserveSlot, name, micros(step), name)
}

// ReserveMessage is ReserveSlot for a message to Telegram, which also needs the turn of
// its chat at the time of the slot: both are taken or neither. It deletes the rows of the
// chats that nothing delays.
func (db *DB) ReserveMessage(ctx context.Context, step time.Duration, chat ChatPace) (Slot, error) {
	return db.reserve(ctx, PaceTelegram, reserveInChat,
		PaceTelegram, micros(step), chatName(chat.Chat), micros(chat.Interval), chat.Burst, PaceTelegram)
}

func (db *DB) reserve(ctx context.Context, name, query string, args ...any) (Slot, error) {
	var row []struct {
		Reserved bool  `db:"reserved"`
		Now      int64 `db:"now"`
		At       int64 `db:"at"`
		ChatAt   int64 `db:"chat_at"`
		Replicas int   `db:"replicas"`
	}
	ctx = interruptible(ctx)
	err := db.reader.SelectContext(ctx, &row, query, args...)
	if err == nil && len(row) == 0 { // the first reservation of all
		if _, err = db.writer.ExecContext(ctx, insertPace, name); err == nil {
			err = db.reader.SelectContext(ctx, &row, query, args...)
		}
	}
	if err != nil {
		return Slot{}, fmt.Errorf("reserve a slot: %w", err)
	}
	if len(row) == 0 {
		return Slot{}, fmt.Errorf("reserve a slot: %w", ErrNotFound)
	}
	slot := Slot{Reserved: row[0].Reserved, Now: time.UnixMicro(row[0].Now), At: time.UnixMicro(row[0].At), Replicas: row[0].Replicas}
	if row[0].ChatAt > 0 {
		slot.ChatAt = time.UnixMicro(row[0].ChatAt)
	}
	return slot, nil
}

// HoldChat delays messages to a chat.
func (db *DB) HoldChat(ctx context.Context, chat int64, d time.Duration) error {
	if _, err := db.writer.ExecContext(interruptible(ctx), holdChat, chatName(chat), micros(d)); err != nil {
		return fmt.Errorf("hold a chat: %w", err)
	}
	return nil
}

// SweepPace deletes the rows of the chats that nothing delays, and returns how many others
// remain.
func (db *DB) SweepPace(ctx context.Context) (remain int, err error) {
	if err = db.writer.GetContext(interruptible(ctx), &remain, sweepPace, PaceTelegram, 0); err != nil {
		return 0, fmt.Errorf("sweep the paces of chats: %w", err)
	}
	return remain, nil
}

// micros returns a duration in microseconds, rounded up.
func micros(d time.Duration) int64 { return (d + time.Microsecond - 1).Microseconds() }

func chatName(chat int64) string { return chatPrefix + strconv.FormatInt(chat, 10) }
