package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Dialog returns what a person's next typed text means: the step and its data. Both
// are "" when no dialog is open, or it has expired. The data is sealed: people are
// asked for links, addresses and numbers.
func (db *DB) Dialog(ctx context.Context, user int64) (step, data string, err error) {
	var row struct {
		Step       string `db:"step"`
		DataSealed string `db:"data_sealed"`
	}
	err = db.reader.GetContext(ctx, &row, `SELECT step, data_sealed FROM dialogs WHERE user_id = ? AND expires_at > ?`,
		user, toMillis(time.Now()))
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("read dialog: %w", err)
	}
	data, err = db.unsealText("dialogs", "data", user, row.DataSealed)
	if err != nil {
		return "", "", fmt.Errorf("read dialog: %w", err)
	}
	return row.Step, data, nil
}
