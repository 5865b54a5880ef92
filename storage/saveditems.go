package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// ErrFull says that a person has as many of these as the limit allows.
var ErrFull = errors.New("storage: full")

// SavedItem is a product or SMM service that a person has saved.
type SavedItem struct {
	Service int64  `db:"service"`
	SMM     bool   `db:"smm"`
	Name    string `db:"name"` // when it was saved
}

// SaveItem saves an item for a person. The error is ErrFull where they have
// limit others. Saving it again changes nothing.
func (db *DB) SaveItem(ctx context.Context, userID int64, f SavedItem, limit int) error {
	err := db.submitOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		var others int
		if err := tx.GetContext(ctx, &others, `SELECT COUNT(*) FROM saved_items WHERE user_id = ? AND service <> ?`, userID, f.Service); err != nil {
			return err
		}
		if others >= limit {
			return ErrFull
		}
		query, args := db.insertion("saved_items", &f, "user_id", userID, "created_at", toMillis(time.Now()))
		_, err := tx.ExecContext(ctx, query+` ON CONFLICT (user_id, service) DO NOTHING`, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("save item: %w", err)
	}
	return nil
}

// RemoveSavedItem removes an item for a person, if there is one.
func (db *DB) RemoveSavedItem(ctx context.Context, userID, service int64) error {
	_, err := db.transition(ctx, "remove saved item", `DELETE FROM saved_items WHERE user_id = ? AND service = ?`, userID, service)
	return err
}

// IsSaved reports whether a person has saved a service.
func (db *DB) IsSaved(ctx context.Context, userID, service int64) (bool, error) {
	n, err := db.countRows(ctx, "read saved item", `SELECT COUNT(*) FROM saved_items WHERE user_id = ? AND service = ?`, userID, service)
	return n > 0, err
}

// CountSavedItems returns how many saved items a person has.
func (db *DB) CountSavedItems(ctx context.Context, userID int64) (int, error) {
	return db.countRows(ctx, "count saved items", `SELECT COUNT(*) FROM saved_items WHERE user_id = ?`, userID)
}

// SavedItems returns a page of a person's saved items, the newest first.
func (db *DB) SavedItems(ctx context.Context, userID int64, limit, offset int) ([]SavedItem, error) {
	saved, err := selectRows[SavedItem](ctx, db, db.reader, `SELECT `+columnsOf[SavedItem]()+` FROM saved_items WHERE user_id = ?
		ORDER BY created_at DESC, service LIMIT ? OFFSET ?`, userID, limit, offset)
	if err != nil {
		return nil, fmt.Errorf("read saved items: %w", err)
	}
	return saved, nil
}
