package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/term"

	"hstockbot/internal/config"
	"hstockbot/storage"
)

// toStdout is the name of a backup that is written to standard output.
const toStdout = "-"

// Backup copies the database file to another file, or to stdout, for the command backup,
// and returns what to tell the operator. A bot may run.
func Backup(ctx context.Context, cfg config.Config, name string, stdout, progress io.Writer) (string, error) {
	path, err := storage.FilePath(cfg.DatabaseURL)
	if err != nil {
		return "", err
	}
	if path == "" {
		return "", errors.New("PostgreSQL backs itself up: run pg_dump --format=custom --file=FILE with the address of DATABASE_URL, or pg_basebackup for the whole server")
	}
	if file, ok := stdout.(*os.File); ok && name == toStdout && term.IsTerminal(int(file.Fd())) {
		return "", errors.New("a backup is not shown on a terminal; redirect it to a file")
	}
	keys, err := existingKeys(cfg, path)
	if err != nil {
		return "", err
	}
	show, closeProgress := showTasks(progress)
	defer closeProgress()
	options := storage.BackupOptions{Path: path, Keys: keys, Progress: show}
	var result storage.BackupResult
	if name == toStdout {
		result, err = storage.WriteBackup(ctx, options, stdout)
	} else {
		result, err = storage.Backup(ctx, options, name)
	}
	if err != nil {
		return "", stopped(ctx, err, "nothing was backed up")
	}
	text := fmt.Sprintf("Backed up and checked: %d bytes. The key is not in the backup: keep SECRET_KEY, or secret.key beside the database, in another place. Nobody can use the backup without it.", result.Size)
	for _, column := range result.Unreadable {
		text += fmt.Sprintf(" None of the keys opens what is in %s, in the database and in the backup: an older key is missing.", column)
	}
	return text, nil
}

// Restore puts a backup in the place of the database file, for the command restore, and
// returns what to tell the operator. The error is storage.ErrInUse while a bot runs.
func Restore(ctx context.Context, cfg config.Config, name string, progress io.Writer) (text string, err error) {
	path, err := storage.FilePath(cfg.DatabaseURL)
	if err != nil {
		return "", err
	}
	if path == "" {
		return "", errors.New("PostgreSQL restores itself: stop the bot and run pg_restore --clean --if-exists --dbname=DATABASE FILE; the bot notices it at its next start")
	}
	if _, err := storage.StatFile(name); err != nil { // before a folder is made
		return "", fmt.Errorf("the backup: %w", err)
	}
	keys, err := existingKeys(cfg, path)
	if err != nil {
		return "", err
	}
	unlock, err := lockForRestore(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	show, closeProgress := showTasks(progress)
	defer closeProgress()
	restored, err := storage.Restore(ctx, storage.RestoreOptions{
		Path: path, From: name, Keys: keys, Progress: show,
	})
	if err != nil {
		return "", stopped(ctx, err, "nothing was restored")
	}
	return describeRestored(restored), nil
}

// showTasks returns what shows the present task on a terminal. Elsewhere one line is
// enough, the last.
func showTasks(progress io.Writer) (show func(task string), closeProgress func()) {
	p := newProgress(progress)
	if p.bar == nil {
		return nil, p.close
	}
	return func(task string) { p.show(task, 0, 0) }, p.close
}

// describeRestored says what is in the database now, and what the operator has to do.
func describeRestored(r storage.Restored) string {
	text := fmt.Sprintf("Restored. What was stored after %s is missing. Start the bot: nobody can buy until an admin (ADMIN_IDS) has checked the orders on HStockPlus and confirmed that in /admin.",
		r.Until.UTC().Format(time.DateTime+" MST"))
	if r.Kept != "" {
		text += fmt.Sprintf(" The database before is kept as %s.", filepath.Base(r.Kept))
	}
	if r.Forgotten > 0 {
		text += fmt.Sprintf(" People who were forgotten since and are forgotten again: %d.", r.Forgotten)
	}
	if r.Old {
		text += " The backup is older than the list of forgotten people reaches back: some of them may be in the database again."
	}
	return text
}

// stopped says what a signal has interrupted.
func stopped(ctx context.Context, err error, result string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("stopped, %s: %w", result, ctx.Err())
	}
	return err
}

// existingKeys returns the keys of SECRET_KEY, else those in the existing secret.key beside
// the database.
func existingKeys(cfg config.Config, path string) (storage.Keyring, error) {
	if cfg.SecretKey != "" {
		return storage.ParseKeys(cfg.SecretKey.Reveal())
	}
	keys, err := storage.KeysFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("the key is missing: set SECRET_KEY, or put secret.key beside the database file of DATABASE_URL")
	}
	return keys, err
}

// lockForRestore locks a database file that need not exist, in a folder that is created.
func lockForRestore(path string) (unlock func() error, err error) {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, errors.New("the folder of the database can't be created")
	}
	lock, err := lockAtOnce(path)
	if err != nil {
		return nil, err
	}
	owner := path
	if _, err := os.Stat(path); err != nil {
		owner = folder
	}
	if err := storage.GiveToOwner(lock.Path(), owner); err != nil { // the bot has to lock it, too
		return nil, errors.Join(err, lock.Unlock())
	}
	return lock.Unlock, nil
}
