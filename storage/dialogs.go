package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Dialog returns what a person's next typed text means: the step and its data. Both
// are "" when no dialog is open, or it has expired. The data is sealed: people are
// asked for links, addresses and numbers.
func (db *DB) Dialog(ctx context.Context, user int64) (step, data string, err error) {
	var row struct {
		Step       string `db:"step"`
		DataSealed string `db:"data_sealed"`
	}
	err = db.reader.GetContext(ctx, &row, db.bind(`SELECT step, data_sealed FROM dialogs WHERE user_id = ? AND expires_at > ?`),
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

// setDialog replaces a person's dialog; step "" clears it.
func (db *DB) setDialog(ctx context.Context, tx *sqlx.Tx, user int64, step, sealed string, until time.Time) error {
	var err error
	if step == "" {
		_, err = tx.ExecContext(ctx, db.bind(`DELETE FROM dialogs WHERE user_id = ?`), user)
	} else {
		_, err = tx.ExecContext(ctx, db.bind(`INSERT INTO dialogs (user_id, step, data_sealed, expires_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (user_id) DO UPDATE SET step = excluded.step, data_sealed = excluded.data_sealed, expires_at = excluded.expires_at`),
			user, step, sealed, toMillis(until))
	}
	return err
}
