package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// RoomKind is what a Room is for.
type RoomKind string

const (
	// RoomStaff is the group of the shop: orders, alerts and daily figures.
	RoomStaff RoomKind = "room"
	// RoomChannel is the channel of the shop: what is new.
	RoomChannel RoomKind = "channel"
)

// RoomTopic is what a topic of a room is for.
type RoomTopic string

// The values are names of columns.
const (
	TopicAlerts RoomTopic = "alerts_topic"
	TopicOrders RoomTopic = "orders_topic"
	TopicDaily  RoomTopic = "daily_topic"
)

// NoDailyHour is the DailyHour of a room without daily figures.
const NoDailyHour = -1

// ErrRoomTaken says that a chat is bound as a room of another kind.
var ErrRoomTaken = errors.New("the chat is bound already")

// Room is a group or a channel that an admin chose. There is at most one of each kind.
type Room struct {
	ID          int64     `db:"id"` // of this choice
	Kind        RoomKind  `db:"kind"`
	ChatID      int64     `db:"chat_id"` // Telegram's
	Title       string    `db:"title_sealed" seal:"rooms.title"`
	AlertsTopic int64     `db:"alerts_topic"` // Telegram's ids; 0 = the chat as it is
	OrdersTopic int64     `db:"orders_topic"`
	DailyTopic  int64     `db:"daily_topic"`
	BoundBy     int64     `db:"bound_by"`
	BoundAt     time.Time `db:"bound_at"`
	Fault       string    `db:"fault"`      // why it can't be reached, defined by the room package; "" if it can
	DailyHour   int64     `db:"daily_hour"` // 0 to 23 or NoDailyHour
	DailyDay    string    `db:"daily_day"`  // when the last daily figures were due, as time.DateOnly; "" if none were
	SentUntil   time.Time `db:"sent_until"` // purchases sent until then have lines
	Damaged     error     // why Title can't be read, nil where it can
}

// Topic returns Telegram's id of a topic, 0 for none.
func (r Room) Topic(t RoomTopic) int64 {
	return map[RoomTopic]int64{TopicAlerts: r.AlertsTopic, TopicOrders: r.OrdersTopic, TopicDaily: r.DailyTopic}[t]
}

// RoomNotice is what admins are told when a room can no longer be used: a message for each
// of Admins who can be written to. Its UserID is set for each.
type RoomNotice struct {
	Admins  []int64
	Message Message
}

// Room returns the room of a kind, or ErrNotFound.
func (db *DB) Room(ctx context.Context, kind RoomKind) (Room, error) {
	return db.roomWhere(ctx, `kind = ?`, kind)
}

// RoomInChat returns the room that a chat is bound as, or ErrNotFound.
func (db *DB) RoomInChat(ctx context.Context, chat int64) (Room, error) {
	return db.roomWhere(ctx, `chat_id = ?`, chat)
}

func (db *DB) roomWhere(ctx context.Context, where string, args ...any) (Room, error) {
	r, err := selectRow[Room](ctx, db, db.reader, `SELECT `+columnsOf[Room]()+` FROM rooms WHERE `+where, args...)
	if err != nil {
		return Room{}, fmt.Errorf("read room: %w", err)
	}
	return r, nil
}

// BindRoom makes a chat the room of r.Kind in place of the one before, with the audit
// entry, and returns it. The same chat bound again loses its Fault and gets the topics of
// r; it keeps its lines and its hour. ErrRoomTaken says that the chat is a room of another
// kind.
func (db *DB) BindRoom(ctx context.Context, r Room, entry AuditEntry) (Room, error) {
	entry.ID, r.ID = newID(), newID()
	err := db.writeOnce(ctx, auditExists(ctx, entry), func(tx *sqlx.Tx) error {
		before, err := selectRow[Room](ctx, db, tx, `SELECT `+columnsOf[Room]()+` FROM rooms WHERE kind = ?`, r.Kind)
		switch {
		case err == nil && before.ChatID == r.ChatID:
			r.ID, r.SentUntil, r.DailyHour, r.DailyDay = before.ID, before.SentUntil, before.DailyHour, before.DailyDay
		case err == nil, errors.Is(err, ErrNotFound):
			err = deleteLines(ctx, tx, r.Kind)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		var taken int
		if err := tx.GetContext(ctx, &taken, `SELECT COUNT(*) FROM rooms WHERE chat_id = ? AND kind <> ?`, r.ChatID, r.Kind); err != nil {
			return err
		}
		if taken > 0 {
			return ErrRoomTaken
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM rooms WHERE kind = ?`, r.Kind); err != nil {
			return err
		}
		if err := db.insert(ctx, tx, "rooms", &r); err != nil {
			return err
		}
		return db.insertAudit(ctx, tx, entry)
	})
	if err != nil {
		return Room{}, fmt.Errorf("bind room: %w", err)
	}
	return r, nil
}

// deleteLines deletes the lines of the room where they are of this kind.
func deleteLines(ctx context.Context, tx *sqlx.Tx, kind RoomKind) error {
	if kind != RoomStaff {
		return nil
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM room_lines`)
	return err
}

// UnbindRoom forgets a room, with the audit entry. Messages that wait for it go to those
// of admins who can be written to. It reports false where the room is another one by now.
func (db *DB) UnbindRoom(ctx context.Context, r Room, admins []int64, entry AuditEntry) (bool, error) {
	entry.ID = newID()
	return db.transitionOnce(ctx, "unbind room", auditExists(ctx, entry), func(tx *sqlx.Tx) error {
		err := deleteLines(ctx, tx, r.Kind)
		if err == nil {
			err = db.insertAudit(ctx, tx, entry)
		}
		if err == nil && r.Kind == RoomStaff {
			err = db.returnMessages(ctx, tx, admins)
		}
		return err
	}, `DELETE FROM rooms WHERE id = ?`, r.ID)
}

// MoveRoom gives a room the chat's new id, with the audit entry: a group has become a
// supergroup, and whether that can be reached is to be seen. Its messages have other ids there, so lines that may change are posted anew:
// an edit could hit another message. It reports false where no room has the old id.
func (db *DB) MoveRoom(ctx context.Context, from, to int64, entry AuditEntry) (bool, error) {
	entry.ID = newID()
	return db.transitionOnce(ctx, "move room", auditExists(ctx, entry), func(tx *sqlx.Tx) error {
		var id int64
		err := tx.GetContext(ctx, &id, `SELECT id FROM rooms WHERE chat_id = ?`, to)
		if err == nil {
			err = resetLines(ctx, tx, id)
		}
		if err == nil {
			err = db.insertAudit(ctx, tx, entry)
		}
		return err
	}, `UPDATE rooms SET chat_id = ?, fault = '' WHERE chat_id = ? AND NOT EXISTS (SELECT 1 FROM rooms AS other WHERE other.chat_id = ?)`, to, from, to)
}

// resetLines forgets the messages of lines that may change.
func resetLines(ctx context.Context, tx *sqlx.Tx, room int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE room_lines SET message_id = 0, shown = '' WHERE finished_at = 0 AND room_id = ?`, room)
	return err
}

// BreakRoom records why a room can't be reached, with the audit entry and the notice, and
// gives the admins what waits for it, all in one transaction. It reports false where the
// room has a fault already, which becomes this one, or is another one by now.
func (db *DB) BreakRoom(ctx context.Context, r Room, fault string, notice RoomNotice, entry AuditEntry) (bool, error) {
	entry.ID = newID()
	broken, err := db.transitionOnce(ctx, "break room", auditExists(ctx, entry), func(tx *sqlx.Tx) error {
		err := db.insertNotice(ctx, tx, notice)
		if err == nil {
			err = db.insertAudit(ctx, tx, entry)
		}
		if err == nil && r.Kind == RoomStaff {
			err = db.returnMessages(ctx, tx, notice.Admins)
		}
		return err
	}, `UPDATE rooms SET fault = ? WHERE id = ? AND fault = ''`, fault, r.ID)
	if broken || err != nil {
		return broken, err
	}
	_, err = db.transitionAudited(ctx, "change fault of room", entry, `UPDATE rooms SET fault = ? WHERE id = ? AND fault <> '' AND fault <> ?`, fault, r.ID, fault)
	return false, err
}

// MendRoom records that a room can be reached again, with the audit entry. It reports
// false where it could be.
func (db *DB) MendRoom(ctx context.Context, r Room, entry AuditEntry) (bool, error) {
	return db.transitionAudited(ctx, "mend room", entry, `UPDATE rooms SET fault = '' WHERE id = ? AND fault <> ''`, r.ID)
}

// SetRoomTopic replaces one topic of a room, with the notice. Lines that may change were
// deleted with the topic of orders, and are posted anew. It reports false where the topic
// was replaced before.
func (db *DB) SetRoomTopic(ctx context.Context, r Room, topic RoomTopic, thread int64, notice RoomNotice) (bool, error) {
	return db.transitionOnce(ctx, "replace topic", repeatable, func(tx *sqlx.Tx) error {
		err := db.insertNotice(ctx, tx, notice)
		if err == nil && topic == TopicOrders {
			err = resetLines(ctx, tx, r.ID)
		}
		return err
	},
		`UPDATE rooms SET `+string(topic)+` = ? WHERE id = ? AND `+string(topic)+` = ?`, thread, r.ID, r.Topic(topic))
}

// SetDailyHour sets the hour of daily figures, or NoDailyHour, with the audit entry. day
// is the day of which the figures are not posted any more, "" for none.
func (db *DB) SetDailyHour(ctx context.Context, r Room, hour int64, day string, entry AuditEntry) (bool, error) {
	return db.transitionAudited(ctx, "set hour of daily figures", entry, `UPDATE rooms SET daily_hour = ?, daily_day = ? WHERE id = ?`, hour, day, r.ID)
}

// MarkDaily records on which day the last daily figures were due that were posted. It
// reports false where that was recorded before.
func (db *DB) MarkDaily(ctx context.Context, r Room, day string) (bool, error) {
	return db.transition(ctx, "mark daily figures", `UPDATE rooms SET daily_day = ? WHERE id = ? AND daily_day = ?`, day, r.ID, r.DailyDay)
}

// insertNotice stores the message of a notice for each of its admins who can be written to.
// Where there is nobody it waits as messages of the room do.
func (db *DB) insertNotice(ctx context.Context, tx *sqlx.Tx, notice RoomNotice) error {
	people, err := reachable(ctx, tx, notice.Admins)
	if err != nil {
		return err
	}
	if len(people) == 0 {
		return db.insertRoomMessage(ctx, tx, notice.Message)
	}
	return db.insertFor(ctx, tx, people, notice.Message)
}

func (db *DB) insertFor(ctx context.Context, tx *sqlx.Tx, people []int64, message Message) error {
	reachable, err := reachable(ctx, tx, people)
	if err != nil {
		return err
	}
	var messages []Message
	for _, id := range reachable {
		message.UserID = id
		messages = append(messages, message)
	}
	return db.insertMessages(ctx, tx, withIDs(messages...))
}
