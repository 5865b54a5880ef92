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

// Favourite is a product or SMM service that a person has saved.
type Favourite struct {
	Service int64  `db:"service"`
	SMM     bool   `db:"smm"`
	Name    string `db:"name"` // when it was saved
}

// AddFavourite saves a favourite of a person's. The error is ErrFull where they have
// limit others. Saving it again changes nothing.
func (db *DB) AddFavourite(ctx context.Context, userID int64, f Favourite, limit int) error {
	err := db.submit(ctx, func(tx *sqlx.Tx) error {
		var others int
		if err := tx.GetContext(ctx, &others, db.bind(`SELECT COUNT(*) FROM favourites WHERE user_id = ? AND service <> ?`), userID, f.Service); err != nil {
			return err
		}
		if others >= limit {
			return ErrFull
		}
		query, args := db.insertion("favourites", &f, "user_id", userID, "created_at", toMillis(time.Now()))
		_, err := tx.ExecContext(ctx, db.bind(query+` ON CONFLICT (user_id, service) DO NOTHING`), args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("add favourite: %w", err)
	}
	return nil
}

// RemoveFavourite removes a favourite of a person's, if there is one.
func (db *DB) RemoveFavourite(ctx context.Context, userID, service int64) error {
	_, err := db.transition(ctx, "remove favourite", `DELETE FROM favourites WHERE user_id = ? AND service = ?`, userID, service)
	return err
}

// IsFavourite reports whether a person has saved a service.
func (db *DB) IsFavourite(ctx context.Context, userID, service int64) (bool, error) {
	n, err := db.countRows(ctx, "read favourite", `SELECT COUNT(*) FROM favourites WHERE user_id = ? AND service = ?`, userID, service)
	return n > 0, err
}

// CountFavourites returns how many favourites a person has.
func (db *DB) CountFavourites(ctx context.Context, userID int64) (int, error) {
	return db.countRows(ctx, "count favourites", `SELECT COUNT(*) FROM favourites WHERE user_id = ?`, userID)
}

// Favourites returns a page of a person's favourites, the newest first.
func (db *DB) Favourites(ctx context.Context, userID int64, limit, offset int) ([]Favourite, error) {
	favourites, err := selectRows[Favourite](ctx, db, db.reader, `SELECT `+columnsOf[Favourite]()+` FROM favourites WHERE user_id = ?
		ORDER BY created_at DESC, service LIMIT ? OFFSET ?`, userID, limit, offset)
	if err != nil {
		return nil, fmt.Errorf("read favourites: %w", err)
	}
	return favourites, nil
}
