package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// RoomMessage is a message to admins that waits to be posted in the room. Like a Message
// it holds a kind and its arguments.
type RoomMessage struct {
	ID        int64     `db:"id"`
	Kind      string    `db:"kind"`
	Priority  Priority  `db:"priority"` // of the Messages that it becomes if the room is lost
	Body      []byte    `db:"body_sealed" seal:"room_messages.body"`
	CreatedAt time.Time `db:"created_at"`
	Damaged   error     // why Body can't be read, nil where it can
}

// RoomWorks reports whether there is a room that can be reached.
func (db *DB) RoomWorks(ctx context.Context) (bool, error) {
	works, err := roomWorks(ctx, db.reader)
	if err != nil {
		return false, fmt.Errorf("look for a room: %w", err)
	}
	return works, nil
}

func roomWorks(ctx context.Context, q sqlx.QueryerContext) (bool, error) {
	var n int
	err := sqlx.GetContext(ctx, q, &n, `SELECT COUNT(*) FROM rooms WHERE kind = ? AND fault = ''`, RoomStaff)
	return n > 0, err
}

// RoomMessages returns the messages that wait to be posted in the room, the oldest first,
// at most limit, those after this one; the zero RoomMessage is before all.
func (db *DB) RoomMessages(ctx context.Context, after RoomMessage, limit int) ([]RoomMessage, error) {
	messages, err := selectRows[RoomMessage](ctx, db, db.reader,
		`SELECT `+columnsOf[RoomMessage]()+` FROM room_messages WHERE created_at > ? OR created_at = ? AND id > ? ORDER BY created_at, id LIMIT ?`,
		toMillis(after.CreatedAt), toMillis(after.CreatedAt), after.ID, limit)
	if err != nil {
		return nil, fmt.Errorf("read messages of the room: %w", err)
	}
	return messages, nil
}

// DeleteRoomMessage deletes a message that was posted.
func (db *DB) DeleteRoomMessage(ctx context.Context, id int64) error {
	_, err := db.transition(ctx, "delete a message of the room", `DELETE FROM room_messages WHERE id = ?`, id)
	return err
}

// ReturnRoomMessages gives the admins what waits for a room that is gone or can't be
// reached. It reports false where nothing waits, a room works, or nobody can be written to.
func (db *DB) ReturnRoomMessages(ctx context.Context, admins []int64) (returned bool, err error) {
	err = db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		works, err := roomWorks(ctx, tx)
		if err != nil || works {
			return err
		}
		var before, after int
		if err := tx.GetContext(ctx, &before, `SELECT COUNT(*) FROM room_messages`); err != nil || before == 0 {
			return err
		}
		if err := db.returnMessages(ctx, tx, admins); err != nil {
			return err
		}
		err = tx.GetContext(ctx, &after, `SELECT COUNT(*) FROM room_messages`)
		returned = err == nil && after < before
		return err
	})
	if err != nil {
		return false, fmt.Errorf("return messages of the room: %w", err)
	}
	return returned, nil
}

// ReturnRoomMessage gives a message that waits for the room to those of admins who can be
// written to. It reports false where there is nobody: it waits on.
func (db *DB) ReturnRoomMessage(ctx context.Context, m RoomMessage, admins []int64) (returned bool, err error) {
	err = db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		people, err := reachable(ctx, tx, admins)
		if err != nil || len(people) == 0 {
			return err
		}
		returned, err = db.transitionTx(ctx, tx, `DELETE FROM room_messages WHERE id = ?`, m.ID)
		if err != nil || !returned {
			return err
		}
		return db.insertFor(ctx, tx, people, Message{Kind: m.Kind, Priority: m.Priority, Body: m.Body, CreatedAt: m.CreatedAt})
	})
	if err != nil {
		return false, fmt.Errorf("return a message of the room: %w", err)
	}
	return returned, nil
}

// returnMessages makes what waits for the room messages to those of admins who can be
// written to. Where there is nobody it waits on.
func (db *DB) returnMessages(ctx context.Context, tx *sqlx.Tx, admins []int64) error {
	people, err := reachable(ctx, tx, admins)
	if err != nil || len(people) == 0 {
		return err
	}
	waiting, err := selectRows[RoomMessage](ctx, db, tx, `SELECT `+columnsOf[RoomMessage]()+` FROM room_messages ORDER BY created_at, id`)
	if err != nil {
		return err
	}
	for _, m := range waiting {
		if m.Damaged != nil {
			continue // stays until a key opens it
		}
		if err := db.insertFor(ctx, tx, people, Message{Kind: m.Kind, Priority: m.Priority, Body: m.Body, CreatedAt: m.CreatedAt}); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM room_messages WHERE id = ?`, m.ID); err != nil {
			return err
		}
	}
	return nil
}

// insertReport stores what admins are told: for the room while that works, else a message
// for each of them. It reports false where there is nobody to tell.
func (db *DB) insertReport(ctx context.Context, tx *sqlx.Tx, report RoomNotice) (told bool, err error) {
	works, err := roomWorks(ctx, tx)
	if err != nil {
		return false, err
	}
	m := report.Message
	if works {
		return true, db.insertRoomMessage(ctx, tx, m)
	}
	people, err := reachable(ctx, tx, report.Admins)
	if err != nil || len(people) == 0 {
		return false, err
	}
	return true, db.insertFor(ctx, tx, people, m)
}

func (db *DB) insertRoomMessage(ctx context.Context, tx *sqlx.Tx, m Message) error {
	return db.insert(ctx, tx, "room_messages", &RoomMessage{ID: newID(), Kind: m.Kind, Priority: m.Priority, Body: m.Body, CreatedAt: m.CreatedAt})
}
