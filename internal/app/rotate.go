package app

import (
	"context"
	"fmt"
	"io"
	"time"

	"hstockbot/internal/config"
	"hstockbot/storage"
)

// Rotate encrypts everything with the newest key, for the command rotate, and returns
// what to tell the operator. A bot may run. The error is storage.ErrKeyNotUsed while one
// runs that does not encrypt with that key. It shows on progress how far it is: a bar on a
// terminal, else lines.
func Rotate(ctx context.Context, cfg config.Config, progress io.Writer) (string, error) {
	path, err := storage.FilePath(cfg.DatabaseURL)
	if err != nil {
		return "", err
	}
	if path != "" {
		if _, err := storage.StatFile(path); err != nil { // else a key would be made for it
			return "", fmt.Errorf("DATABASE_URL: %w", err)
		}
	}
	keys, err := databaseKeys(cfg, path)
	if err != nil {
		return "", err
	}
	shown := newProgress(progress)
	defer shown.close()
	result, err := storage.Rotate(ctx, storage.RotateOptions{
		URL: cfg.DatabaseURL, Keys: keys, Progress: shown.show, Running: func() (bool, error) { return IsLocked(path) },
	})
	if err != nil {
		return "", err
	}
	return describe(result), nil
}

// describe says what was done, whether the older keys may go, and what still needs them.
func describe(r storage.Rotation) string {
	text := "Nothing to rotate: everything is encrypted with the newest key."
	if r.Sealed == 1 {
		text = "Rotated: 1 value was encrypted anew. Everything is encrypted with the newest key."
	} else if r.Sealed > 1 {
		text = fmt.Sprintf("Rotated: %d values were encrypted anew. Everything is encrypted with the newest key.", r.Sealed)
	}
	if r.Older {
		text += " The older keys may go: remove them from SECRET_KEY or secret.key, and restart the bot."
	}
	if !r.Since.IsZero() {
		text += fmt.Sprintf(" Backups made before %s still need the older keys.", r.Since.UTC().Format(time.DateTime+" MST"))
	}
	return text
}
