package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// searchLife is how long the pages of a search can be turned.
const searchLife = 30 * 24 * time.Hour

// AddSearch keeps what a person typed to find something, sealed (people paste
// keys everywhere), and returns its id.
func (db *DB) AddSearch(ctx context.Context, userID int64, query string) (int64, error) {
	id := newID()
	err := db.submit(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, db.bind(`INSERT INTO searches (id, user_id, query_sealed, created_at) VALUES (?, ?, ?, ?)`),
			id, userID, db.sealText("searches", "query", id, query), toMillis(time.Now()))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("add search: %w", err)
	}
	return id, nil
}

// Search returns what this person typed, or ErrNotFound.
func (db *DB) Search(ctx context.Context, userID, id int64) (string, error) {
	var sealed string
	err := db.reader.GetContext(ctx, &sealed, db.bind(`SELECT query_sealed FROM searches WHERE id = ? AND user_id = ?`), id, userID)
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("read search: %w", err)
	}
	query, err := db.unsealText("searches", "query", id, sealed)
	if err != nil {
		return "", fmt.Errorf("read search: %w", err)
	}
	return query, nil
}

// SweepSearches removes those that are older than searchLife.
func (db *DB) SweepSearches(ctx context.Context, now time.Time) error {
	return db.submit(ctx, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, db.bind(`DELETE FROM searches WHERE created_at < ?`), toMillis(now.Add(-searchLife))); err != nil {
			return fmt.Errorf("sweep searches: %w", err)
		}
		return nil
	})
}
