package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// partSuffix ends the name of a file that is being written.
const partSuffix = ".part"

var (
	// ErrExists says that a backup would take the place of another file.
	ErrExists = errors.New("storage: there is a file of that name; a backup overwrites nothing")

	errDamaged = errors.New("storage: the database file is damaged or incomplete")
	// errLocked says that a lock was waited for in vain. It is no ErrInUse: what holds it may be no bot, or the
	// server's side of a program that was killed.
	errLocked = errors.New("storage: another program has locked the database; stop it, or wait a minute if it was killed")
)

// BackupOptions say what Backup copies.
type BackupOptions struct {
	Path string  // of the database file
	Keys Keyring // of the database
	// Progress is called with what is being done; nil for none.
	Progress func(task string)
}

func (o BackupOptions) progress(task string) {
	if o.Progress != nil {
		o.Progress(task)
	}
}

// BackupResult is about a backup that was made.
type BackupResult struct {
	Size int64 // bytes
	// Unreadable are columns of the database in which no value can be opened.
	Unreadable []string
}

// Backup copies a database file, also one that a bot uses, to a new file. The database is
// not changed, and no process waits for a lock.
//
// The copy is made by VACUUM INTO: one statement, so one state of the database, however
// busy it is, and only of what is in its tables. The online backup of SQLite copies pages:
// it begins again with each write of another process, and takes along what deleted rows
// have left in them. It is written to a temporary file (0600) beside the new one, checked,
// synced and linked into place. A process that is killed may leave *.part, and *.part-journal,
// until the next backup of that name.
func Backup(ctx context.Context, o BackupOptions, to string) (result BackupResult, err error) {
	if err := checkTarget(o.Path, to); err != nil {
		return BackupResult{}, err
	}
	part, result, err := o.makePart(ctx, to)
	if err != nil {
		return BackupResult{}, err
	}
	defer removeDatabase(part)
	err = os.Link(part, to) // unlike a rename, it overwrites nothing
	switch {
	case errors.Is(err, fs.ErrExist):
		return BackupResult{}, ErrExists
	case err != nil: // a file system without hard links
		err = os.Rename(part, to)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(to))
	}
	if err != nil {
		return BackupResult{}, fmt.Errorf("storage: writing the backup: %w", withoutPath(err))
	}
	return result, nil
}

// WriteBackup is Backup to a writer. The temporary file is beside the database, and has no
// name while it is read.
func WriteBackup(ctx context.Context, o BackupOptions, to io.Writer) (result BackupResult, err error) {
	part, result, err := o.makePart(ctx, o.Path+".backup")
	if err != nil {
		return BackupResult{}, err
	}
	file, err := os.Open(part) //nolint:gosec // just made
	removeDatabase(part)
	if err == nil {
		_, err = io.Copy(to, file)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return BackupResult{}, fmt.Errorf("storage: writing the backup: %w", withoutPath(err))
	}
	return result, nil
}

// makePart makes a temporary file beside name with a copy that is checked and durable.
func (o BackupOptions) makePart(ctx context.Context, name string) (part string, result BackupResult, err error) {
	if _, err := StatFile(o.Path); err != nil {
		return "", BackupResult{}, fmt.Errorf("DATABASE_URL: %w", err)
	}
	removeUnfinished(name + ".")
	part, err = createPart(name)
	if err != nil {
		return "", BackupResult{}, fmt.Errorf("storage: writing the backup: %w", withoutPath(err))
	}
	if result, err = o.write(ctx, part); err != nil {
		removeDatabase(part)
		return "", BackupResult{}, err
	}
	return part, result, nil
}

// write copies the database to an empty file, checks the copy and makes it durable.
func (o BackupOptions) write(ctx context.Context, part string) (result BackupResult, err error) {
	o.progress("copying the database")
	from, err := copyDatabase(ctx, o.Path, part)
	if err != nil {
		return BackupResult{}, err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	o.progress("checking the copy")
	if result.Unreadable, err = checkCopy(ctx, from, part, o.Keys); err != nil {
		return BackupResult{}, err
	}
	if result.Size, err = syncFile(part); err != nil {
		return BackupResult{}, fmt.Errorf("storage: writing the backup: %w", withoutPath(err))
	}
	return result, nil
}

// createPart creates an empty file (0600) whose name begins with another name.
func createPart(name string) (string, error) {
	file, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*"+partSuffix)
	if err != nil {
		return "", err
	}
	return file.Name(), file.Close()
}

// removeDatabase removes a file and what SQLite keeps beside it. What can't be removed
// stays.
func removeDatabase(name string) {
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		_ = os.Remove(name + suffix)
	}
}

// syncFile makes a file durable and returns its size.
func syncFile(name string) (size int64, err error) {
	file, err := os.OpenFile(name, os.O_RDWR, 0) //nolint:gosec // just made
	if err != nil {
		return 0, err
	}
	info, err := file.Stat()
	if err == nil {
		size = info.Size()
		err = file.Sync()
	}
	return size, errors.Join(err, file.Close())
}

// checkTarget refuses the name of a backup that is taken, or is that of a file that belongs
// to the database.
func checkTarget(path, to string) error {
	info, err := os.Lstat(to)
	switch {
	case err == nil && info.IsDir():
		return errors.New("storage: a backup is a file, and that is a folder")
	case err == nil:
		return ErrExists
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("storage: writing the backup: %w", withoutPath(err))
	case strings.HasSuffix(to, "/"):
		return errors.New("storage: a backup is a file, and that is the name of a folder")
	}
	path, target := realPath(path), realPath(to)
	own := []string{filepath.Join(filepath.Dir(path), secretFile)}
	for _, suffix := range []string{"", "-journal", "-wal", "-shm", ".lock", forgottenSuffix} {
		own = append(own, path+suffix)
	}
	if slices.Contains(own, target) {
		return errors.New("storage: that file belongs to the database itself")
	}
	return nil
}

// realPath returns the absolute path without symbolic links, as far as it exists.
func realPath(path string) string {
	if file, err := filepath.EvalSymlinks(path); err == nil {
		path = file
	} else if folder, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(folder, filepath.Base(path))
	}
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	return path
}

// copyDatabase copies a database of this program to an empty file and returns the opened
// original.
func copyDatabase(ctx context.Context, path, to string) (from *moveSide, err error) {
	for range 2 {
		var unchanged func() bool
		if from, unchanged, err = openForReading(ctx, path); err != nil {
			return nil, err
		}
		err = checkOurs(ctx, from)
		if err == nil {
			_, err = from.ExecContext(ctx, `VACUUM INTO ?`, to)
			err = plainly("copying the database", err)
		}
		changed := !unchanged()
		if err == nil && !changed {
			return from, nil
		}
		err = errors.Join(err, from.close())
		if !changed {
			return nil, err
		}
		if err := os.Truncate(to, 0); err != nil { // a program has begun to use the database
			return nil, fmt.Errorf("storage: writing the copy: %w", withoutPath(err))
		}
	}
	return nil, errors.Join(errors.New("storage: the database changes while it is copied; try again"), err)
}

// checkOurs refuses a database of another program, of a newer version, and one that was
// moved.
func checkOurs(ctx context.Context, side *moveSide) error {
	version, err := side.version(ctx)
	if err != nil {
		return plainly("reading the schema", err)
	}
	has, err := side.has(ctx, "settings")
	if err != nil || version == 0 || !has {
		return errors.Join(ErrForeign, plainly("reading the schema", err))
	}
	known, err := knownVersion()
	if err != nil {
		return err
	}
	if version > known {
		return &SchemaError{Required: version, Known: known}
	}
	return checkSchema(ctx, side.pool, sqliteSchema, known)
}

// checkCopy refuses a copy that is damaged or is not like the original: each column of
// sealed values of which the keys open one in the original has one that they open. It
// returns the columns in which none is opened in the original either. The key of the
// digests must be opened.
func checkCopy(ctx context.Context, from *moveSide, copied string, keys Keyring) (unreadable []string, err error) {
	to, _, err := openForReading(ctx, copied)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	if err := checkIntegrity(ctx, to); err != nil {
		return nil, err
	}
	const versions = `SELECT version_id FROM ` + versionTable + ` WHERE is_applied ORDER BY id`
	var before, after []int64
	for side, found := range map[*moveSide]*[]int64{from: &before, to: &after} {
		if err := side.SelectContext(ctx, found, versions); err != nil {
			return nil, plainly("reading the migrations", err)
		}
	}
	// Another process may migrate the database meanwhile.
	if len(after) == 0 || len(after) > len(before) || !slices.Equal(before[:len(after)], after) {
		return nil, errors.New("storage: the copy has other migrations than the database")
	}
	return checkSealedLike(ctx, from, to, keys)
}

// checkIntegrity refuses a database that SQLite finds damaged.
func checkIntegrity(ctx context.Context, side *moveSide) error {
	var found []string
	if err := side.SelectContext(ctx, &found, `PRAGMA integrity_check(1)`); err != nil {
		return plainly("checking the database", err)
	}
	if !slices.Equal(found, []string{"ok"}) {
		return errDamaged
	}
	return nil
}

// checkSealedLike compares which columns the keys open, see checkCopy.
func checkSealedLike(ctx context.Context, from, to *moveSide, keys Keyring) (unreadable []string, err error) {
	tables, err := to.tables(ctx)
	if err != nil {
		return nil, err
	}
	opened, last := false, error(nil)
	for _, column := range sealedColumns {
		known := slices.ContainsFunc(tables, func(t moveTable) bool { return t.name == column.table && slices.Contains(t.columns, column.column) })
		if !known { // an older version
			continue
		}
		sealed, failure, err := to.opens(ctx, column, keys)
		switch {
		case err != nil:
			return nil, plainly("reading sealed values", err)
		case !sealed:
			continue
		case failure == nil:
			opened = true
			continue
		case column.column == "value": // the key of the digests, without which the bot does not start
			return nil, failure
		}
		_, original, err := from.opens(ctx, column, keys)
		if err != nil {
			return nil, plainly("reading sealed values", err)
		}
		if original == nil {
			return nil, fmt.Errorf("storage: the copy is not like the database: %w", failure)
		}
		last = failure
		unreadable = append(unreadable, column.table+"."+column.column)
	}
	if !opened && last != nil {
		return nil, last
	}
	return unreadable, nil
}

// opens reports whether a column has sealed values, and as failure why none of them can be
// opened.
func (s *moveSide) opens(ctx context.Context, column sealedColumn, keys Keyring) (sealed bool, failure, err error) {
	ids, err := s.keyIDs(ctx, column)
	if err != nil {
		return false, nil, err
	}
	for _, id := range ids {
		if failure, err = s.openOne(ctx, &DB{keys: keys}, column, id); err != nil || failure == nil {
			return true, nil, err
		}
	}
	return len(ids) > 0, failure, nil
}

// plainly says what an error of a database means to an operator.
func plainly(doing string, err error) error {
	if isLocked(err) {
		return errLocked
	}
	failure, ok := errors.AsType[*sqlite.Error](err)
	if err == nil || !ok {
		return err
	}
	switch failure.Code() {
	case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE:
		return fmt.Errorf("storage: %s: the files can't grow: is the disk full, or the size of files limited?", doing)
	}
	switch failure.Code() & 0xff { // without the extended code
	case sqlite3.SQLITE_NOTADB:
		return ErrForeign
	case sqlite3.SQLITE_CORRUPT:
		return errDamaged
	case sqlite3.SQLITE_BUSY:
		return errLocked
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("storage: %s: no space is left on the disk", doing)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return fmt.Errorf("storage: %s: this user may not read or write the files: %w", doing, err)
	}
	if strings.HasPrefix(err.Error(), "storage: ") { // it says what was being done
		return err
	}
	return fmt.Errorf("storage: %s: %w", doing, err)
}

// withoutPath returns the reason of an error about a file. Its name was typed by an
// operator, and may be a secret in the wrong place.
func withoutPath(err error) error {
	if failure, ok := errors.AsType[*fs.PathError](err); ok {
		return failure.Err
	}
	if failure, ok := errors.AsType[*os.LinkError](err); ok {
		return failure.Err
	}
	return err
}

// Names of backups that are made by themselves: what they are of, and when they were made.
const (
	stampLayout  = "20060102T150405"
	backupSuffix = ".bak"
)

// keptBackups returns the backups with this prefix, the oldest first.
func keptBackups(prefix string) ([]string, error) {
	names, err := filesWith(prefix, backupSuffix)
	if err != nil {
		return nil, err
	}
	stamp := func(name string) string {
		name = strings.TrimSuffix(name, backupSuffix)
		return name[max(0, len(name)-len(stampLayout)):]
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(stamp(a), stamp(b)) })
	return names, nil
}

// filesWith returns the files whose paths begin and end so.
func filesWith(prefix, suffix string) (found []string, err error) {
	entries, err := os.ReadDir(filepath.Dir(prefix))
	if err != nil {
		return nil, withoutPath(err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), filepath.Base(prefix)) && strings.HasSuffix(entry.Name(), suffix) {
			found = append(found, filepath.Join(filepath.Dir(prefix), entry.Name()))
		}
	}
	return found, nil
}

// A backup that nobody has written to for so long was cut off: another process may be
// making one at the same time.
const unfinishedAfter = 10 * time.Minute

// tidyBackups removes all but the newest backups with this prefix, and what backups have
// left that were cut off. What can't be removed stays.
func tidyBackups(prefix string, keep int) {
	kept, err := keptBackups(prefix)
	if err != nil {
		return
	}
	for _, name := range kept[:max(0, len(kept)-keep)] {
		removeDatabase(name)
	}
	removeUnfinished(prefix)
}

// removeUnfinished removes the files with this prefix whose writing was cut off. What can't
// be removed stays.
func removeUnfinished(prefix string) {
	unfinished, err := filesWith(prefix, partSuffix)
	if err != nil {
		return
	}
	for _, name := range unfinished {
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) >= unfinishedAfter {
			removeDatabase(name)
		}
	}
}

// keptMigrations is how many backups before migrations are kept.
const keptMigrations = 5

// backupBeforeMigration copies a database with content to a file beside it before it is
// migrated to a version. A start that fails again and again makes one copy: nothing has
// changed since.
func backupBeforeMigration(ctx context.Context, path string, keys Keyring, version int64) error {
	path = realPath(path)
	prefix := path + ".before-"
	name := fmt.Sprintf("%s%05d-", prefix, version)
	kept, err := keptBackups(prefix)
	if err != nil {
		return fmt.Errorf("storage: backup before the migration: %w", err)
	}
	if len(kept) > 0 && strings.HasPrefix(kept[len(kept)-1], name) && isNewer(kept[len(kept)-1], path) {
		return nil
	}
	tidyBackups(prefix, keptMigrations)
	_, err = Backup(ctx, BackupOptions{Path: path, Keys: keys}, name+time.Now().UTC().Format(stampLayout)+backupSuffix)
	if err != nil && !errors.Is(err, ErrExists) { // another process has made one in this second
		return fmt.Errorf("storage: nothing was migrated, because the backup before it failed: %w", err)
	}
	tidyBackups(prefix, keptMigrations)
	return nil
}

// isNewer reports whether a copy was written after the last write to the database.
func isNewer(copied, path string) bool {
	info, err := os.Stat(copied)
	if err != nil {
		return false
	}
	for _, name := range []string{path, path + "-wal"} {
		if written, err := os.Stat(name); err == nil && written.Size() > 0 && written.ModTime().After(info.ModTime()) {
			return false
		}
	}
	return true
}

// keptDaily is how many daily backups are kept.
const keptDaily = 7

// dailyPrefix begins the names of the daily backups of a bot in a folder: the file of
// another bot may have the same name.
func dailyPrefix(folder, path, botID string) string {
	return filepath.Join(folder, filepath.Base(path)+"."+botID+".daily-")
}

// BackupDaily makes a backup of the database file in a folder, which it creates, and
// removes all but the last seven.
func (db *DB) BackupDaily(ctx context.Context, folder string) error {
	if err := createFolder(folder); err != nil {
		return fmt.Errorf("storage: the folder of backups: %w", withoutPath(err))
	}
	prefix := dailyPrefix(folder, db.path, db.botID)
	tidyBackups(prefix, keptDaily) // what was cut off takes the space of this one
	_, err := Backup(ctx, BackupOptions{Path: db.path, Keys: db.keys}, prefix+time.Now().UTC().Format(stampLayout)+backupSuffix)
	if err != nil {
		return err
	}
	tidyBackups(prefix, keptDaily)
	return nil
}

// LastDailyBackup returns when the last backup in a folder was made, zero where there is
// none.
func (db *DB) LastDailyBackup(folder string) (time.Time, error) {
	_, at, err := LastDailyBackup(folder, db.path, db.botID)
	return at, err
}

// LastDailyBackup returns the last daily backup of a bot's database file in a folder and
// when it was made, "" where there is none. What a clock that was ahead has made does not
// count.
func LastDailyBackup(folder, path, botID string) (name string, at time.Time, err error) {
	prefix := dailyPrefix(folder, path, botID)
	kept, err := keptBackups(prefix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", time.Time{}, fmt.Errorf("storage: the folder of backups: %w", err)
	}
	for _, name := range slices.Backward(kept) {
		at, err := time.Parse(stampLayout, strings.TrimSuffix(strings.TrimPrefix(name, prefix), backupSuffix))
		if err == nil && !at.After(time.Now()) {
			return name, at, nil
		}
	}
	return "", time.Time{}, nil
}
