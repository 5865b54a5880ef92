package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// PastSearch is what a person typed to find something. It is sealed: people paste
// keys everywhere.
type PastSearch struct {
	ID      int64     `db:"id"`
	Query   string    `db:"query_sealed" seal:"searches.query"`
	At      time.Time `db:"created_at"`
	Damaged error     // why Query can't be read, nil where it can
}

// maxSearches is how many searches of a person are kept.
const maxSearches = 100

// AddSearch stores what a person typed to find something and returns its id. Of each
// person, the newest maxSearches are kept.
func (db *DB) AddSearch(ctx context.Context, userID int64, query string) (int64, error) {
	search := PastSearch{ID: newID(), Query: query, At: time.Now()}
	err := db.submitOnce(ctx, finds(ctx, `SELECT 1 FROM searches WHERE id = ?`, search.ID), func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM searches WHERE user_id = ? AND id NOT IN
			(SELECT id FROM searches WHERE user_id = ? ORDER BY created_at DESC LIMIT ?)`, userID, userID, maxSearches-1)
		if err != nil {
			return err
		}
		return db.insert(ctx, tx, "searches", &search, "user_id", userID)
	})
	if err != nil {
		return 0, fmt.Errorf("add search: %w", err)
	}
	return search.ID, nil
}

// Search returns what this person typed, or ErrNotFound.
func (db *DB) Search(ctx context.Context, userID, id int64) (string, error) {
	search, err := selectRow[PastSearch](ctx, db, db.reader, `SELECT `+columnsOf[PastSearch]()+` FROM searches WHERE id = ? AND user_id = ?`, id, userID)
	if err == nil {
		err = search.Damaged
	}
	if err != nil {
		return "", fmt.Errorf("read search: %w", err)
	}
	return search.Query, nil
}
