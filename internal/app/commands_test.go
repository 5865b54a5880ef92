package app_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"hstockbot/internal/app"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// The environment of a command that is killed.
const (
	envCommand = "HSTOCKBOT_TEST_COMMAND"
	envKeys    = "HSTOCKBOT_TEST_KEYS"
	envTarget  = "HSTOCKBOT_TEST_TARGET" // of migrate-db, where it is no file

	backupFile = "backup.db"
	movedFile  = "moved.db"
)

// runCommand is the process of a command that is killed.
func runCommand(command, databaseURL string) error {
	cfg := testworld.BaseConfig(databaseURL)
	cfg.SecretKey = redact.Secret(os.Getenv(envKeys))
	folder := filepath.Dir(strings.TrimPrefix(databaseURL, "sqlite:"))
	ctx := context.Background()
	switch command {
	case "backup":
		_, err := app.Backup(ctx, cfg, filepath.Join(folder, backupFile), io.Discard, io.Discard)
		return err
	case "restore":
		_, err := app.Restore(ctx, cfg, filepath.Join(folder, backupFile), io.Discard)
		return err
	case "migrate-db":
		return app.Move(ctx, app.MoveOptions{
			From: databaseURL, To: cmp.Or(os.Getenv(envTarget), "sqlite:"+filepath.Join(folder, movedFile)), SecretKey: cfg.SecretKey, Progress: io.Discard,
		})
	case "rotate":
		_, err := app.Rotate(ctx, cfg, io.Discard)
		return err
	}
	keys, err := storage.ParseKeys(cfg.SecretKey.Reveal())
	if err != nil {
		return err
	}
	db, err := storage.Open(ctx, storage.Options{URL: databaseURL, Keys: keys})
	if err != nil {
		return err
	}
	if command == "daily" {
		err = storage.ErrExists
		for errors.Is(err, storage.ErrExists) { // until the second of the one before is over
			err = db.BackupDaily(ctx, filepath.Join(folder, "daily"))
		}
	}
	return err
}
