package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// ErrFull says that a person has as many of these as one may have.
var ErrFull = errors.New("storage: full")

// Favourite is a product or SMM service that a person has saved.
type Favourite struct {
	Service int64
	SMM     bool
	Name    string // when it was saved
}

// AddFavourite saves one for a person, unless they have as many as most already:
// then the error is ErrFull. Saving it again changes nothing.
func (db *DB) AddFavourite(ctx context.Context, userID int64, f Favourite, most int) error {
	err := db.submit(ctx, func(tx *sqlx.Tx) error {
		var others int
		if err := tx.GetContext(ctx, &others, db.bind(`SELECT COUNT(*) FROM favourites WHERE user_id = ? AND service <> ?`), userID, f.Service); err != nil {
			return err
		}
		if others >= most {
			return ErrFull
		}
		_, err := tx.ExecContext(ctx, db.bind(`INSERT INTO favourites (user_id, service, smm, name, created_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (user_id, service) DO NOTHING`), userID, f.Service, toBit(f.SMM), f.Name, toMillis(time.Now()))
		return err
	})
	if err != nil {
		return fmt.Errorf("add favourite: %w", err)
	}
	return nil
}

// RemoveFavourite takes one of a person's away; it may be gone already.
func (db *DB) RemoveFavourite(ctx context.Context, userID, service int64) error {
	_, err := db.move(ctx, "remove favourite", `DELETE FROM favourites WHERE user_id = ? AND service = ?`, userID, service)
	return err
}

// IsFavourite reports whether a person has saved a service.
func (db *DB) IsFavourite(ctx context.Context, userID, service int64) (bool, error) {
	var n int
	err := db.reader.GetContext(ctx, &n, db.bind(`SELECT COUNT(*) FROM favourites WHERE user_id = ? AND service = ?`), userID, service)
	if err != nil {
		return false, fmt.Errorf("read favourite: %w", err)
	}
	return n > 0, nil
}

// CountFavourites returns how many a person has saved.
func (db *DB) CountFavourites(ctx context.Context, userID int64) (int, error) {
	var n int
	if err := db.reader.GetContext(ctx, &n, db.bind(`SELECT COUNT(*) FROM favourites WHERE user_id = ?`), userID); err != nil {
		return 0, fmt.Errorf("count favourites: %w", err)
	}
	return n, nil
}

// Favourites returns some of what a person has saved, the newest first.
func (db *DB) Favourites(ctx context.Context, userID int64, limit, offset int) ([]Favourite, error) {
	var rows []struct {
		Service int64  `db:"service"`
		SMM     int64  `db:"smm"`
		Name    string `db:"name"`
	}
	err := db.reader.SelectContext(ctx, &rows, db.bind(`SELECT service, smm, name FROM favourites WHERE user_id = ?
		ORDER BY created_at DESC, service LIMIT ? OFFSET ?`), userID, limit, offset)
	if err != nil {
		return nil, fmt.Errorf("read favourites: %w", err)
	}
	all := make([]Favourite, 0, len(rows))
	for _, row := range rows {
		all = append(all, Favourite{Service: row.Service, SMM: row.SMM == 1, Name: row.Name})
	}
	return all, nil
}
