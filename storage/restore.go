package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/jmoiron/sqlx"
)

// restoringSuffix ends the name of the copy until it is in its place.
const restoringSuffix = ".restoring"

// RestoreOptions say what Restore restores.
type RestoreOptions struct {
	Path string  // of the database file, which need not exist
	From string  // the backup
	Keys Keyring // of the backup
	// Progress is called with what is being done; nil for none.
	Progress func(task string)

	checkpoint func(step string) // tests end the process there; may be nil
}

func (o RestoreOptions) reach(step string) {
	if o.checkpoint != nil {
		o.checkpoint(step)
	}
}

// Restored is the result of Restore.
type Restored struct {
	// Until is when the newest of what is stored in the backup was stored.
	Until     time.Time
	Kept      string // the file of the database before; "" where there was none
	Forgotten int    // people who were forgotten again
	// Old says that the list of forgotten people does not reach back to the backup.
	Old bool
}

// Restore puts a copy of a backup in the place of a database file, which the caller has
// locked. The files of the database before are kept beside it.
//
// The copy is made, checked and migrated under another name. There the epoch is raised, so
// that nothing counts as certain that was in progress, and nobody buys until an admin has
// looked (Restoration); and people who were forgotten since are forgotten again. The
// database before is folded into one file, which gets a second name, and is replaced by
// the copy in one step: a process that is killed leaves one or the other. The error is
// ErrInUse while a program has the database before open, also one that takes no lock.
func Restore(ctx context.Context, o RestoreOptions) (result Restored, err error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	o.Path = realPath(o.Path)
	owner, err := o.check(ctx)
	if err != nil {
		return Restored{}, err
	}
	forgotten, err := readForgotten(o.Path)
	if err != nil {
		return Restored{}, err
	}
	part := o.Path + restoringSuffix
	removeDatabase(part)                                                   // of a process that was killed
	file, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // beside the operator's database
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return Restored{}, fmt.Errorf("storage: restoring: %w", withoutPath(err))
	}
	defer removeDatabase(part) // once it is in its place, it has another name
	if err := o.copy(ctx, part); err != nil {
		return Restored{}, err
	}
	o.reach("copied")
	if result, err = o.prepare(ctx, part, forgotten); err != nil {
		return Restored{}, err
	}
	o.reach("prepared")
	if err := owner.give(part); err != nil {
		return Restored{}, fmt.Errorf("storage: restoring: %w", withoutPath(err))
	}
	if err := ctx.Err(); err != nil {
		return Restored{}, fmt.Errorf("storage: stopped before anything was restored: %w", err)
	}
	result.Kept, err = o.replace(context.WithoutCancel(ctx), part)
	return result, err
}

// check refuses what can't be restored, and returns whose the database is.
func (o RestoreOptions) check(ctx context.Context) (owner owner, err error) {
	source, err := StatFile(o.From)
	if err != nil {
		return owner, fmt.Errorf("the backup: %w", err)
	}
	before, err := os.Stat(o.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		before, err = os.Stat(filepath.Dir(o.Path))
	case err == nil && before.IsDir():
		return owner, errors.New("storage: the database is a folder")
	case err == nil && os.SameFile(source, before):
		return owner, errors.New("storage: the backup is the database itself")
	case err == nil && !ownerOf(before).isMe():
		return owner, errors.New("storage: the database belongs to another user; run this as that user")
	}
	if err != nil {
		return owner, fmt.Errorf("storage: restoring: %w", withoutPath(err))
	}
	owner = ownerOf(before)
	backup, _, err := openForReading(ctx, o.From)
	if err != nil {
		return owner, fmt.Errorf("the backup: %w", err)
	}
	defer func() { err = errors.Join(err, backup.close()) }()
	o.Progress("checking the backup")
	if err := checkOurs(ctx, backup); err != nil {
		return owner, fmt.Errorf("the backup: %w", err)
	}
	if err := checkIntegrity(ctx, backup); err != nil {
		return owner, fmt.Errorf("the backup: %w", err)
	}
	return owner, o.checkBot(ctx, backup)
}

// checkBot refuses the backup of another bot. A database that can't be read is replaced
// by any.
func (o RestoreOptions) checkBot(ctx context.Context, backup *moveSide) error {
	bot, err := backup.mark(ctx, botSetting)
	if err != nil || bot == "" {
		return err
	}
	present, _, err := openForReading(ctx, o.Path)
	if err != nil {
		return nil //nolint:nilerr // there is none, or it is damaged
	}
	other, err := present.mark(ctx, botSetting)
	if err := present.close(); err != nil {
		return err
	}
	if err == nil && other != "" && other != bot {
		return fmt.Errorf("%w: the backup is that of bot %s, and the database that of bot %s", ErrOtherBot, bot, other)
	}
	return nil
}

// copy copies the backup and checks the copy.
func (o RestoreOptions) copy(ctx context.Context, part string) (err error) {
	o.Progress("copying the backup")
	from, err := copyDatabase(ctx, o.From, part)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	_, err = checkCopy(ctx, from, part, o.Keys)
	return err
}

// prepare migrates the copy and changes what the time since the backup makes necessary.
func (o RestoreOptions) prepare(ctx context.Context, part string, forgotten map[string]time.Time) (result Restored, err error) {
	o.Progress("preparing the database")
	db, err := Open(ctx, Options{URL: sqliteScheme + part, Keys: o.Keys, restoring: true})
	if err != nil {
		return Restored{}, plainly("preparing the database", err)
	}
	now := time.Now()
	err = db.write(ctx, func(tx *sqlx.Tx) error {
		restoration, err := db.raiseEpoch(ctx, tx, now)
		if err != nil {
			return err
		}
		result.Until, result.Old = restoration.From, now.Sub(restoration.From) > forgottenFor
		result.Forgotten, err = db.forgetAgain(ctx, tx, forgotten, now)
		return err
	})
	if err == nil && result.Forgotten > 0 {
		err = db.erase(ctx)
	}
	if err = errors.Join(err, db.Close(context.WithoutCancel(ctx))); err == nil {
		_, err = syncFile(part)
	}
	if err != nil {
		return Restored{}, plainly("preparing the database", withoutPath(err))
	}
	return result, nil
}

// forgetAgain forgets each person who was forgotten after their row was made, and returns
// how many. What they had in progress was over by then, so their updates are handled.
func (db *DB) forgetAgain(ctx context.Context, tx *sqlx.Tx, forgotten map[string]time.Time, now time.Time) (n int, err error) {
	var people []struct {
		ID        int64  `db:"id"`
		CreatedAt millis `db:"created_at"`
	}
	if err := tx.SelectContext(ctx, &people, `SELECT id, created_at FROM users`); err != nil {
		return 0, err
	}
	for _, person := range people {
		at, listed := forgotten[db.forgottenDigest(person.ID)]
		if !listed || at.Before(time.Time(person.CreatedAt)) { // they came back
			continue
		}
		for _, query := range []string{
			`UPDATE inbox SET state = 'done', finished_at = received_at WHERE chat_id = ? AND finished_at IS NULL`,
			`DELETE FROM chats WHERE chat_id = ?`,
		} {
			if _, err := tx.ExecContext(ctx, query, person.ID); err != nil {
				return 0, err
			}
		}
		if err := db.forget(ctx, tx, person.ID, now); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// besideFiles are what SQLite keeps beside a database that was not closed, and would take
// for a part of any other file of that name.
var besideFiles = []string{"-wal", "-journal"}

// replace puts the copy in the place of the database, whose files get other names.
func (o RestoreOptions) replace(ctx context.Context, part string) (kept string, err error) {
	o.Progress("replacing the database")
	if exists(o.Path) {
		kept = freeName(o.Path + ".before-restore-" + time.Now().UTC().Format(stampLayout))
		unlock, err := o.keep(ctx, kept)
		if err != nil {
			return "", err
		}
		defer unlock()
	}
	o.reach("kept")
	for _, suffix := range append(besideFiles, "-shm") { // of the database before: kept, or of no use
		if err := os.Remove(o.Path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("storage: restoring: %w", withoutPath(err))
		}
	}
	err = os.Rename(part, o.Path)
	if err == nil {
		err = syncFolder(filepath.Dir(o.Path))
	}
	if err != nil {
		return "", fmt.Errorf("storage: restoring: %w", withoutPath(err))
	}
	return kept, nil
}

// freeName returns a name, or another one that begins with it where it is taken.
func freeName(name string) string {
	free := name
	for n := 2; exists(free); n++ {
		free = fmt.Sprintf("%s-%d", name, n)
	}
	return free
}

// keep gives the files of the database a second name, and keeps all others from the database
// until unlock. If it is damaged, what is beside it is kept, too.
func (o RestoreOptions) keep(ctx context.Context, kept string) (unlock func(), err error) {
	for _, suffix := range besideFiles {
		if err := secondName(o.Path+suffix, kept+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("storage: keeping the database before: %w", withoutPath(err))
		}
	}
	unlock, locked := foldAndLock(ctx, o.Path)
	if locked == nil || errors.Is(locked, ErrInUse) {
		for _, suffix := range besideFiles { // its content is in the database, or stays where it was
			if removed := os.Remove(kept + suffix); !errors.Is(removed, fs.ErrNotExist) {
				err = errors.Join(err, removed)
			}
		}
	}
	if errors.Is(locked, ErrInUse) {
		return nil, ErrInUse
	}
	if err == nil {
		err = secondName(o.Path, kept)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(o.Path))
	}
	if err != nil {
		unlock()
		return nil, fmt.Errorf("storage: keeping the database before: %w", withoutPath(err))
	}
	return unlock, nil
}

// foldAndLock makes a database one file, with nothing beside it, and keeps all others from
// it until unlock. The error is ErrInUse if another connection is open: it would go on with
// the file before, and what it writes to its log would become a part of the new one.
// Connections to a database in WAL mode hold a lock as long as they are open.
func foldAndLock(ctx context.Context, path string) (unlock func(), err error) {
	pool, err := open(path, nil, 1, false)
	if err != nil {
		return func() {}, err
	}
	unlock = func() { _ = pool.Close() } // it has written everything
	for _, query := range []string{`PRAGMA journal_mode = DELETE`, `BEGIN EXCLUSIVE`} {
		if _, err = pool.ExecContext(ctx, query); isBusy(err) {
			err = ErrInUse
		}
		if err != nil {
			unlock()
			return func() {}, err
		}
	}
	return unlock, nil
}

// secondName gives a file a second name. On a file system without hard links it is copied:
// at no moment is there no database.
func secondName(name, second string) (err error) {
	err = os.Link(name, second)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	from, err := os.Open(name) //nolint:gosec // the operator's database
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := os.OpenFile(second, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // beside it
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Sync(), to.Close())
}

// GiveToOwner makes a file that root has made that of the owner of another file or folder.
func GiveToOwner(name, other string) error {
	info, err := os.Stat(other)
	if err == nil {
		err = ownerOf(info).give(name)
	}
	if err != nil {
		return fmt.Errorf("storage: giving a file to the owner of the database: %w", withoutPath(err))
	}
	return nil
}
