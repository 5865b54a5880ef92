package app

import (
	"context"
	"errors"
	"fmt"
	"io"

	"hstockbot/internal/config"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// MoveOptions say what Move moves.
type MoveOptions struct {
	From, To  string        // as DATABASE_URL
	SecretKey redact.Secret // as SECRET_KEY; "" where it is beside the file of From
	Progress  io.Writer     // shows how far it is: a bar on a terminal, else lines
}

// Move moves a shop from one database to another, which is empty, for the command
// migrate-db. From file to file it also takes along the list of forgotten people. The error is storage.ErrInUse while a program uses one of the two.
func Move(ctx context.Context, o MoveOptions) (err error) {
	progress := newProgress(o.Progress)
	defer progress.close()
	move := storage.MoveOptions{From: o.From, To: o.To, Progress: progress.show}
	if err := move.Check(); err != nil {
		return err
	}
	for _, side := range []struct{ name, url string }{{"FROM", o.From}, {"TO", o.To}} {
		unlock, err := lockUnused(side.url)
		if err != nil {
			return fmt.Errorf("%s: %w", side.name, err)
		}
		defer func() { err = errors.Join(err, unlock()) }()
	}
	path, err := storage.FilePath(o.From)
	if err != nil {
		return err
	}
	if move.Keys, err = databaseKeys(config.Config{SecretKey: o.SecretKey}, path); err != nil {
		return err
	}
	to, err := storage.FilePath(o.To)
	if err == nil && path != "" && to != "" {
		err = storage.CopyForgotten(path, to)
	}
	if err != nil {
		return err
	}
	return storage.Move(ctx, move)
}

// lockUnused locks a database file that no other process has locked. PostgreSQL has no
// such lock.
func lockUnused(url string) (unlock func() error, err error) {
	path, err := storage.FilePath(url)
	if err != nil || path == "" {
		return func() error { return nil }, err
	}
	lock, err := lockAtOnce(path)
	if err != nil {
		return nil, err
	}
	return lock.Unlock, nil
}
