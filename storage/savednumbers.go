package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// SavedNumber is a project in one country, for which a person has saved that they rent
// numbers. Project and Country are the marketplace's id and code.
type SavedNumber struct {
	Project string `db:"project"`
	Country string `db:"country"`
	Name    string `db:"name"` // of the project when it was saved
}

// SaveNumber saves a project in a country for a person. The error is ErrFull where they
// have limit others. Saving it again changes nothing.
func (db *DB) SaveNumber(ctx context.Context, userID int64, n SavedNumber, limit int) error {
	err := db.submitOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		var others int
		if err := tx.GetContext(ctx, &others, `SELECT COUNT(*) FROM saved_numbers WHERE user_id = ? AND NOT (project = ? AND country = ?)`,
			userID, n.Project, n.Country); err != nil {
			return err
		}
		if others >= limit {
			return ErrFull
		}
		query, args := db.insertion("saved_numbers", &n, "user_id", userID, "created_at", toMillis(time.Now()))
		_, err := tx.ExecContext(ctx, query+` ON CONFLICT (user_id, project, country) DO NOTHING`, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("save number: %w", err)
	}
	return nil
}

// RemoveSavedNumber removes a project in a country for a person, if it is saved.
func (db *DB) RemoveSavedNumber(ctx context.Context, userID int64, project, country string) error {
	_, err := db.transition(ctx, "remove saved number", `DELETE FROM saved_numbers WHERE user_id = ? AND project = ? AND country = ?`, userID, project, country)
	return err
}

// SavedNumbers returns what a person has saved, the newest first.
func (db *DB) SavedNumbers(ctx context.Context, userID int64) ([]SavedNumber, error) {
	saved, err := selectRows[SavedNumber](ctx, db, db.reader, `SELECT `+columnsOf[SavedNumber]()+` FROM saved_numbers WHERE user_id = ?
		ORDER BY created_at DESC, project, country`, userID)
	if err != nil {
		return nil, fmt.Errorf("read saved numbers: %w", err)
	}
	return saved, nil
}
