package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"hstockbot/storage"
)

const (
	lockSuffix = ".lock" // of the file beside the database
	lockRetry  = 100 * time.Millisecond
	lockMode   = fs.FileMode(0o600)
)

// lockDatabase makes this process the only one that uses a database, and waits as long
// as another process holds the lock. The database need not exist yet. It is not opened:
// opening it may migrate it, and an older program may still be at work.
func lockDatabase(ctx context.Context, path string, log *slog.Logger) (*flock.Flock, error) {
	lock, err := takeLock(ctx, path, log)
	if err != nil {
		return nil, fmt.Errorf("lock database: %w", err)
	}
	return lock, nil
}

func takeLock(ctx context.Context, path string, log *slog.Logger) (*flock.Flock, error) {
	if err := storage.CreateFile(path); err != nil {
		return nil, err
	}
	lock, err := newLock(path)
	if err != nil {
		return nil, err
	}
	locked, err := lock.TryLock()
	if err == nil && !locked {
		log.Warn("another process uses this database; waiting until it stops")
		_, err = lock.TryLockContext(ctx, lockRetry)
	}
	return lock, err
}

// newLock returns the lock of a database file that need not exist, in an existing folder.
func newLock(path string) (*flock.Flock, error) {
	file, err := filepath.EvalSymlinks(path) // one lock, whatever the file is called
	if errors.Is(err, fs.ErrNotExist) {
		file, err = filepath.EvalSymlinks(filepath.Dir(path))
		file = filepath.Join(file, filepath.Base(path))
	}
	if err != nil {
		return nil, err
	}
	return flock.New(file+lockSuffix, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(lockMode)), nil
}

// lockAtOnce locks a database file that need not exist, in an existing folder. The error is
// storage.ErrInUse where another process has locked it. No error shows its name, which an
// operator has typed.
func lockAtOnce(path string) (*flock.Flock, error) {
	lock, err := newLock(path)
	if err != nil {
		return nil, errors.New("the folder of the database can't be opened")
	}
	locked, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, errors.New("the database can't be locked: is its folder or the .lock beside it another user's, or the disk full or read-only?")
	case !locked:
		return nil, storage.ErrInUse
	}
	return lock, nil
}

// IsLocked reports whether a program uses an existing database file. It makes no file. A
// program that starts in this instant waits for lockRetry.
func IsLocked(path string) (bool, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false, err
	}
	lock := flock.New(path+lockSuffix, flock.SetFlag(os.O_RDONLY))
	free, err := lock.TryRLock()
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && !free, errors.Join(err, lock.Close())
}
