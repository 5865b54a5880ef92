package storage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	// rotateRows is how many values one transaction of Rotate seals anew at most, and
	// rotateBytes how long they are together unless it is one, so that other writes do not
	// wait long.
	rotateRows  = 500
	rotateBytes = 1 << 20

	sealPrefix = len(sealVersion) + len(".12345678.") // of a sealed value: version and key id
)

// ErrKeyNotUsed says that a program runs that does not seal with the newest key.
var ErrKeyNotUsed = errors.New("storage: a running bot does not use the newest key yet; " +
	"restart the bot with the new key in front of the older ones, then run rotate again")

// UnreadableError says that Rotate found values that no key opens. They stay as they are.
type UnreadableError struct {
	Values []TableCount
}

// TableCount is how many values of a table an UnreadableError is about.
type TableCount struct {
	Table string
	Count int64
}

func (e *UnreadableError) Error() string {
	var n int64
	tables := make([]string, len(e.Values))
	for i, of := range e.Values {
		n += of.Count
		tables[i] = fmt.Sprintf("%s %d", of.Table, of.Count)
	}
	return fmt.Sprintf("storage: values that none of the keys opens stay as they are: %d (%s); all others are sealed with the newest key. "+
		"Put the missing key behind the others and run rotate again", n, strings.Join(tables, ", "))
}

// RotateOptions say what Rotate rotates.
type RotateOptions struct {
	URL  string  // as Options.URL
	Keys Keyring // the first one seals, all of them open
	// Running reports whether a program uses the database, if that is a file.
	Running func() (bool, error)
	// Progress is called with what is being done, and with how many of all rows are done,
	// from when on a value was sealed anew.
	Progress func(task string, done, total int64)

	checkpoint func() // after each transaction; tests wait there; may be nil
}

// Rotation is the result of Rotate.
type Rotation struct {
	Sealed int64 // how many values were sealed anew
	Older  bool  // the Keyring has keys beside the newest
	// Since is from when on all values are sealed with the newest key, in whole seconds:
	// what was copied before may need older keys. Zero: it was always so.
	Since time.Time
}

// Rotate seals all values anew that are not sealed with the newest key, while other
// processes use the database. It never changes the schema: a database of another version
// is refused.
//
// Values are read outside of transactions. Each transaction replaces a few of them by
// compare-and-set, so what another process has changed meanwhile stays. It runs until it
// finds nothing to seal; so it goes on where an earlier call was cut off.
//
// The key of the digests is first: a program that lacks the newest key does not start
// after that (AddReplica). The error is ErrKeyNotUsed where one runs that seals with
// another key, and an *UnreadableError after everything else was sealed.
func Rotate(ctx context.Context, o RotateOptions) (result Rotation, err error) {
	db, err := openExisting(ctx, o.URL, o.Keys)
	if err != nil {
		return Rotation{}, err
	}
	defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
	r := &rotation{RotateOptions: o, db: db, result: Rotation{Older: len(o.Keys.keys) > 1}}
	if err := r.run(ctx); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("storage: stopped; run rotate again to go on: %w", ctx.Err())
		}
		return Rotation{}, err
	}
	return r.result, nil
}

// rotation is one call of Rotate.
type rotation struct {
	RotateOptions
	db         *DB
	result     Rotation
	total      int64        // of rows
	unreadable []TableCount // of the present pass
}

func (r *rotation) run(ctx context.Context) error {
	if err := r.check(ctx); err != nil {
		return err
	}
	for _, column := range sealedColumns {
		n, err := r.db.countRows(ctx, "count values", `SELECT COUNT(*)`+column.from("1 = 1"))
		if err != nil {
			return err
		}
		r.total += int64(n)
	}
	for task := "encrypting "; ; task = "checking " {
		before := r.result.Sealed
		if err := r.pass(ctx, task); err != nil {
			return err
		}
		if r.result.Sealed == before {
			break
		}
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	if len(r.unreadable) > 0 {
		return &UnreadableError{Values: r.unreadable}
	}
	return r.record(ctx)
}

// pass goes through all values once.
func (r *rotation) pass(ctx context.Context, task string) error {
	r.unreadable = nil
	var done int64
	for i, column := range sealedColumns {
		r.show(task+column.table, done)
		for after, n := int64(math.MinInt64), rotateRows; n == rotateRows; {
			values, err := r.db.sealedValues(ctx, column, after)
			if err != nil {
				return fmt.Errorf("storage: reading %s: %w", column.table, err)
			}
			if err := r.seal(ctx, column, values); err != nil {
				return fmt.Errorf("storage: encrypting %s: %w", column.table, err)
			}
			if n = len(values); n > 0 {
				after = values[n-1].Position
			}
			done += int64(n)
			r.show(task+column.table, done)
		}
		if i > 0 {
			continue
		}
		if err := r.check(ctx); err != nil { // now that the key of the digests is sealed anew
			return err
		}
	}
	return nil
}

func (r *rotation) show(task string, done int64) {
	if r.result.Sealed > 0 {
		r.Progress(task, min(done, r.total), r.total)
	}
}

// check refuses a database that was moved, or that a program uses which does not seal
// with the newest key.
func (r *rotation) check(ctx context.Context) error {
	if err := checkNotMoved(ctx, r.db.reader); err != nil {
		return err
	}
	if r.db.writes == nil {
		if running, err := r.Running(); err != nil || !running {
			return err // the rows are those of a process that has ended
		}
	}
	ahead, err := r.db.ClockOffset(ctx)
	if err != nil {
		return err
	}
	replicas, err := r.db.Replicas(ctx, time.Now().Add(-ahead))
	if err != nil {
		return err
	}
	for _, replica := range replicas {
		if first, _, _ := strings.Cut(replica.Keys, ","); first != r.Keys.keys[0].id {
			return ErrKeyNotUsed
		}
	}
	return nil
}

// sealedValues returns the values of a column in the rows after a position, rotateRows at
// most. Those that are sealed with the newest key are left empty. SQLite reads the rows as
// they lie in the file: neighbours share pages, and in the order of random ids each value
// would be a page to write.
// VACUUM may renumber them: who reads all reads until there is nothing new.
func (db *DB) sealedValues(ctx context.Context, c sealedColumn, after int64) (values []sealedValue, err error) {
	position := "rowid"
	if db.writes != nil {
		position = c.row
	}
	newest := sealVersion + "." + db.keys.keys[0].id + "."
	query := fmt.Sprintf(`SELECT %s %s AS position, CASE WHEN substr(%s, 1, %d) = ? THEN '' ELSE %[3]s END AS sealed`, c.identity(), position, c.column, sealPrefix) +
		c.from(position+` > ?`) + fmt.Sprintf(` ORDER BY position LIMIT %d`, rotateRows)
	return values, db.reader.SelectContext(ctx, &values, query, newest, after)
}

// resealed is a value that takes the place of another.
type resealed struct {
	sealedValue
	anew string
}

// seal seals values anew and stores them in as many transactions as their length needs.
func (r *rotation) seal(ctx context.Context, column sealedColumn, values []sealedValue) error {
	var piece []resealed
	size := 0
	for _, value := range values {
		if value.Sealed == "" {
			continue
		}
		plain, err := r.db.unseal(column.sealTable, column.sealColumn, value.Row, value.Sealed, column.ownerOf(value)...)
		if err != nil {
			r.countUnreadable(column.table)
			continue
		}
		anew := r.db.seal(column.sealTable, column.sealColumn, value.Row, plain, column.ownerOf(value)...)
		if size += len(anew); size > rotateBytes && len(piece) > 0 {
			if err := r.store(ctx, column, piece); err != nil {
				return err
			}
			piece, size = nil, len(anew)
		}
		piece = append(piece, resealed{value, anew})
	}
	if len(piece) == 0 {
		return nil
	}
	return r.store(ctx, column, piece)
}

func (r *rotation) countUnreadable(table string) {
	if n := len(r.unreadable); n == 0 || r.unreadable[n-1].Table != table { // columns of a table follow each other
		r.unreadable = append(r.unreadable, TableCount{Table: table})
	}
	r.unreadable[len(r.unreadable)-1].Count++
}

// store replaces values in one transaction. SQLite lets a process that waits for the lock
// try only now and then: it is free for at least as long as it was held.
func (r *rotation) store(ctx context.Context, column sealedColumn, piece []resealed) error {
	query := `UPDATE ` + column.table + ` SET ` + column.column + ` = ?` + column.rows(column.row+` = ? AND `+column.column+` = ?`) + ` RETURNING 1`
	began := time.Now()
	var replaced int64
	err := r.db.pipeline(ctx, func() []command {
		replaced = 0
		commands := make([]command, len(piece))
		for i, value := range piece {
			commands[i] = command{query: query, args: []any{value.anew, value.Row, value.Sealed}, scan: func(row) error { replaced++; return nil }}
		}
		return commands
	})
	if err != nil {
		return err
	}
	r.result.Sealed += replaced
	if r.checkpoint != nil {
		r.checkpoint()
	}
	if r.db.writes != nil {
		return nil
	}
	select {
	case <-time.After(time.Since(began)):
	case <-ctx.Done(): // the next read fails
	}
	return nil
}

// rotatedSetting holds from when on all values are sealed with a key, as unix
// milliseconds.
func rotatedSetting(keyID string) string { return "rotated_to_" + keyID }

// record stores that everything is sealed with the newest key, unless that was so at the
// end of an earlier call, and reads since when.
func (r *rotation) record(ctx context.Context) error {
	name := rotatedSetting(r.Keys.keys[0].id)
	text, err := r.db.Setting(ctx, name)
	if err != nil {
		return err
	}
	if r.result.Sealed > 0 || text == "" && r.result.Older {
		text = strconv.FormatInt(toMillis(time.Now().Truncate(time.Second).Add(time.Second)), 10)
		if err := r.db.SetSetting(ctx, name, text); err != nil {
			return err
		}
	}
	if text == "" {
		return nil
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("storage: setting %s: %w", name, err)
	}
	r.result.Since = fromMillis(ms)
	return nil
}

// openExisting opens a database that has the schema of this program, and changes nothing.
// The key of Digest is not read.
func openExisting(ctx context.Context, url string, keys Keyring) (db *DB, err error) {
	path, err := FilePath(url)
	if err != nil {
		return nil, err
	}
	if len(keys.keys) == 0 {
		return nil, errors.New("storage: no key to seal with")
	}
	for range 3 { // while programs begin and end to use it
		if err = checkExisting(ctx, url); !errors.Is(err, ErrChanged) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	db = &DB{keys: keys}
	if path == "" {
		config, err := parsePostgres(url)
		if err != nil {
			return nil, err
		}
		db.connectPostgres(config)
		return db, nil
	}
	if err := CreateFile(path); err != nil { // it exists: this restricts who may read it
		return nil, fmt.Errorf("storage: opening the database: %w", withoutPath(err))
	}
	if db.writer, err = open(path, rotatePragmas, 1, true); err != nil {
		return nil, err
	}
	db.reader = db.writer
	if err := checkPragmas(ctx, db.writer, rotatePragmas); err != nil {
		return nil, errors.Join(plainly("opening the database", err), db.Close(ctx))
	}
	db.batch = startBatcher(db.writer)
	return db, nil
}

// checkExisting refuses a database of another program or schema version. It reads only: a
// file of another program must not get the settings of this one.
func checkExisting(ctx context.Context, url string) (err error) {
	inspector, err := Inspect(ctx, url, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, inspector.Close()) }()
	if err := inspector.CheckServer(ctx); err != nil {
		return err
	}
	known, err := knownVersion()
	if err != nil {
		return err
	}
	return inspector.side.checkVersion(ctx, known)
}
