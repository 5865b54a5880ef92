package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"
)

const (
	// sentOverlap is how far back AddRoomLines looks: a purchase may be committed after a
	// later one, and the clocks of processes differ.
	sentOverlap = 10 * time.Minute
	// lineBatch is how many lines are added at once.
	lineBatch = 500
)

// RoomLine is the line of a purchase in the room. It has nothing of the person, and no
// sealed column is read for it: goods, links, numbers and e-mails can't get there.
type RoomLine struct {
	PurchaseID int64     `db:"purchase_id"`
	RoomID     int64     `db:"room_id"`
	MessageID  int64     `db:"message_id"` // 0: not posted
	Shown      string    `db:"shown"`      // what the message shows, defined by the room package; "" for nothing
	FinishedAt time.Time `db:"finished_at"`
}

// RoomPurchase is a line that may change, with what it is about. Purchase has no sealed
// column.
type RoomPurchase struct {
	RoomLine
	Kind        Kind            `db:"kind"`
	Name        string          `db:"name"`
	Country     string          `db:"country"`
	CountryName string          `db:"country_name"`
	Quantity    int64           `db:"quantity"`
	Rate        decimal.Decimal `db:"rate"`
	RatePer     int64           `db:"rate_per"`
	Currency    string          `db:"currency"`
	State       PurchaseState   `db:"state"` // "" where it was deleted
	SentAt      time.Time       `db:"sent_at"`
	Orders      []RoomOrder     // the oldest first
}

// RoomOrder is what a line says of an order.
type RoomOrder struct {
	PurchaseID int64               `db:"purchase_id"`
	State      OrderState          `db:"state"`
	Charge     decimal.NullDecimal `db:"charge"`
	Currency   string              `db:"currency"`
	Delivered  int64               `db:"delivered"`
	ClosedAt   time.Time           `db:"closed_at"`
}

// AddRoomLines adds a line for each purchase that was sent since the room was chosen and
// has none. It reports whether there may be more.
func (db *DB) AddRoomLines(ctx context.Context, r Room, now time.Time) (more bool, err error) {
	since := r.SentUntil
	if since.After(now) { // the clock was ahead
		since = now
	}
	since = since.Add(-sentOverlap)
	if since.Before(r.BoundAt) {
		since = r.BoundAt
	}
	const missing = ` FROM purchases WHERE sent_at > 0 AND sent_at >= ? AND NOT EXISTS (SELECT 1 FROM room_lines WHERE room_lines.purchase_id = purchases.id)`
	found, err := db.countRows(ctx, "look for sent purchases", `SELECT COUNT(*)`+missing, toMillis(since))
	if err != nil || found == 0 && now.Sub(r.SentUntil).Abs() < sentOverlap/2 {
		return false, err
	}
	err = db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO room_lines (purchase_id, room_id, message_id, shown, finished_at)
			SELECT id, CAST(? AS BIGINT), 0, '', 0`+missing+` AND EXISTS (SELECT 1 FROM rooms WHERE rooms.id = ?) ORDER BY sent_at, id LIMIT ?`,
			r.ID, toMillis(since), r.ID, lineBatch)
		if err == nil && found <= lineBatch {
			_, err = tx.ExecContext(ctx, `UPDATE rooms SET sent_until = ? WHERE id = ?`, toMillis(now), r.ID)
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("add lines of the room: %w", err)
	}
	return found > lineBatch, nil
}

// RoomPurchases returns the lines of a room that may change, the oldest purchase first.
func (db *DB) RoomPurchases(ctx context.Context, r Room) ([]RoomPurchase, error) {
	lines, err := selectRows[RoomPurchase](ctx, db, db.reader, `
		SELECT l.purchase_id, l.room_id, l.message_id, l.shown, l.finished_at, COALESCE(p.kind, '') AS kind, COALESCE(p.name, '') AS name,
		       COALESCE(p.country, '') AS country, COALESCE(p.country_name, '') AS country_name, COALESCE(p.quantity, 0) AS quantity, COALESCE(p.rate, '0') AS rate, COALESCE(p.rate_per, 1) AS rate_per,
		       COALESCE(p.currency, '') AS currency, COALESCE(p.state, '') AS state, COALESCE(p.sent_at, 0) AS sent_at
		  FROM room_lines l LEFT JOIN purchases p ON p.id = l.purchase_id
		 WHERE l.finished_at = 0 AND l.room_id = ? ORDER BY p.sent_at, l.purchase_id`, r.ID)
	if err != nil {
		return nil, fmt.Errorf("read lines of the room: %w", err)
	}
	orders, err := selectRows[RoomOrder](ctx, db, db.reader, `SELECT `+columnsOf[RoomOrder]()+` FROM orders
		 WHERE purchase_id IN (SELECT purchase_id FROM room_lines WHERE finished_at = 0 AND room_id = ?) ORDER BY created_at, id`, r.ID)
	if err != nil {
		return nil, fmt.Errorf("read orders of the room: %w", err)
	}
	of := map[int64][]RoomOrder{}
	for _, o := range orders {
		of[o.PurchaseID] = append(of[o.PurchaseID], o)
	}
	for i := range lines {
		lines[i].Orders = of[lines[i].PurchaseID]
	}
	return lines, nil
}

// CountPlaced returns how many purchases that were sent on a day were placed.
func (db *DB) CountPlaced(ctx context.Context, of time.Time) (int, error) {
	return db.countRows(ctx, "count placed purchases", `SELECT COUNT(*) FROM purchases WHERE sent_at > 0 AND sent_at >= ? AND sent_at < ? AND state = 'placed'`,
		toMillis(db.DayBegins(of)), toMillis(db.DayBegins(of.Add(day))))
}

// SaveRoomLine records what a line's message in a room shows, and whether the line may
// change. It records nothing where the room has another chat by now.
func (db *DB) SaveRoomLine(ctx context.Context, r Room, l RoomLine) error {
	_, err := db.transition(ctx, "record a line of the room", `
		UPDATE room_lines SET message_id = ?, shown = ?, finished_at = ?
		 WHERE purchase_id = ? AND room_id = ? AND EXISTS (SELECT 1 FROM rooms WHERE rooms.id = ? AND rooms.chat_id = ?)`,
		l.MessageID, l.Shown, toMillis(l.FinishedAt), l.PurchaseID, r.ID, r.ID, r.ChatID)
	return err
}
