package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/jmoiron/sqlx"
	"golang.org/x/sync/errgroup"
)

var (
	// ErrMoved says that Move has copied the database elsewhere: what is written to it now
	// would be missing there.
	ErrMoved = errors.New("storage: this database was moved by migrate-db; set DATABASE_URL to the database that it was moved to")
	// ErrMoveUnfinished says that the database is the target of a Move that was cut off.
	ErrMoveUnfinished = errors.New("storage: migrate-db was cut off while it moved to this database; run it again with the same databases")
	// ErrInUse says that a program uses a database that Move was given.
	ErrInUse = errors.New("storage: a program uses the database; stop it first")
)

// Settings of Move. Each holds the id of the move.
const (
	movedSetting  = "moved"  // of the source, when the target is complete
	movingSetting = "moving" // of the target, until the source is marked
)

// processTables are about processes that used the source, not about the shop. A process
// that was killed may stand in them for ever; in the target nothing is leased to it.
var processTables = []string{"leases", "pace", "replicas"}

// MoveOptions say what Move copies and where to.
type MoveOptions struct {
	From, To string // as Options.URL
	Keys     Keyring
	// Progress is called from one goroutine at a time with what is being done, and with
	// how many of all rows are done. The total is 0 for what has no rows.
	Progress func(task string, done, total int64)

	checkpoint func(step string) // tests end the process there; may be nil
}

// Move copies all rows from one database to an empty one and marks the source, so that no
// program opens it again. The caller has locked the files of SQLite. Sealed values are
// copied as they are. What is about processes (processTables) is left out.
//
// The rows are written in one transaction of the target, which is committed when a
// SHA-256 over the rows of each table, in the order of its primary key, is the same on
// both sides. The transaction also marks the target as unfinished. Then the source is
// marked as moved, and last the mark of the target is removed. If the process is killed,
// the target is empty or refused by Open, and the source is usable until it is marked.
// After that, Move with the same databases only removes the mark of the target.
func Move(ctx context.Context, o MoveOptions) (err error) {
	if err := o.Check(); err != nil {
		return err
	}
	if len(o.Keys.keys) == 0 {
		return errors.New("storage: no key to open sealed values with")
	}
	for name, url := range map[string]string{"FROM": o.From, "TO": o.To} {
		if path, _ := FilePath(url); path != "" { // checked before
			if err := refuseForeign(ctx, path); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	from, err := openMoveSide(ctx, "FROM", o.From)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	m := &move{MoveOptions: o, from: from}
	removeTarget, err := o.makeTarget()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && !m.committed {
			removeTarget()
		}
	}()
	to, err := openMoveSide(ctx, "TO", o.To)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	for _, side := range []*moveSide{from, to} {
		if inUse, err := side.InUse(ctx); err != nil {
			return side.wrap(err)
		} else if inUse {
			return side.wrap(ErrInUse)
		}
	}
	m.to = to
	if m.Progress == nil {
		m.Progress = func(string, int64, int64) {}
	}
	if marked, err := m.checkMarks(ctx); err != nil {
		return err
	} else if marked {
		return to.removeMark(ctx, movingSetting)
	}
	return m.run(ctx)
}

// Check refuses what Move can't begin with, and creates the folder of the target.
func (o MoveOptions) Check() error {
	from, err := FilePath(o.From)
	if err != nil {
		return err
	}
	to, err := FilePath(o.To)
	if err != nil {
		return err
	}
	var source fs.FileInfo
	if from != "" {
		if source, err = StatFile(from); err != nil {
			return fmt.Errorf("FROM: %w", err)
		}
	}
	if to == "" {
		return nil
	}
	target, err := os.Stat(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = createFolder(filepath.Dir(to))
	case err == nil && target.IsDir():
		return errors.New("TO: storage: it is a folder, not a database")
	case err == nil && source != nil && os.SameFile(source, target):
		return errors.New("storage: FROM and TO are the same database")
	}
	if err != nil {
		return fmt.Errorf("TO: storage: creating the database: %w", withoutPath(err))
	}
	return nil
}

// makeTarget creates the file of the target if it is missing. remove removes it then.
func (o MoveOptions) makeTarget() (remove func(), err error) {
	path, err := FilePath(o.To)
	if err != nil || path == "" {
		return func() {}, err
	}
	remove = func() {}
	if !exists(path) {
		remove = func() { removeDatabase(path) }
	}
	if err := CreateFile(path); err != nil {
		return remove, fmt.Errorf("TO: storage: creating the database: %w", withoutPath(err))
	}
	return remove, nil
}

// move is one call of Move.
type move struct {
	MoveOptions
	from, to *moveSide
	tables   []moveTable // in foreign-key order
	rows     int64       // of all tables

	committed bool // the target has the rows, and is no longer removed
}

// checkMarks refuses databases that were moved before. It reports true where a move
// between the two was cut off after the source was marked.
func (m *move) checkMarks(ctx context.Context) (marked bool, err error) {
	var fromMoved, fromMoving, toMoved, toMoving string
	for _, mark := range []struct {
		side  *moveSide
		name  string
		value *string
	}{
		{m.from, movedSetting, &fromMoved},
		{m.from, movingSetting, &fromMoving},
		{m.to, movedSetting, &toMoved},
		{m.to, movingSetting, &toMoving},
	} {
		if *mark.value, err = mark.side.mark(ctx, mark.name); err != nil {
			return false, err
		}
	}
	switch {
	case fromMoved != "" && fromMoved == toMoving:
		return true, nil
	case fromMoved != "":
		return false, m.from.wrap(ErrMoved)
	case fromMoving != "":
		return false, m.from.wrap(ErrMoveUnfinished)
	case toMoved != "":
		return false, errors.New("storage: TO is the old database that was moved away before, and still has its rows; " +
			"give a new file or an empty database, and keep the old one only as a backup")
	case toMoving != "":
		return false, errors.New("storage: TO has the rows of a move that was cut off; " +
			"delete the file, or drop the database and create it again, then run migrate-db again. FROM has all rows")
	}
	return false, nil
}

// run copies the rows.
func (m *move) run(ctx context.Context) error {
	if err := m.prepare(ctx); err != nil {
		return err
	}
	if err := m.check(ctx); err != nil {
		return err
	}
	indexes, err := m.to.dropIndexes(ctx)
	if err != nil {
		return m.to.wrap(err)
	}
	if err := m.copyTables(ctx); err != nil {
		return err
	}
	m.reach("copied")
	if err := m.compare(ctx, indexes); err != nil {
		return err
	}
	m.reach("compared")
	return m.finish(ctx)
}

// prepare locks both databases, makes the tables of the target, and compares the schemas.
func (m *move) prepare(ctx context.Context) error {
	known, err := knownVersion()
	if err != nil {
		return err
	}
	if err := m.lock(ctx, m.from); err != nil {
		return err
	}
	if err := m.from.checkVersion(ctx, known); err != nil {
		return err
	}
	if err := m.to.checkEmpty(ctx, known); err != nil {
		return err
	}
	db, err := Open(ctx, Options{URL: m.To, Keys: m.Keys})
	if err != nil {
		return m.to.wrap(err)
	}
	if err := db.Close(ctx); err != nil {
		return m.to.wrap(err)
	}
	if err := m.lock(ctx, m.to); err != nil {
		return err
	}
	if err := m.to.checkEmpty(ctx, known); err != nil { // again: now it is locked
		return err
	}
	source, err := m.from.tables(ctx)
	if err != nil {
		return err
	}
	target, err := m.to.tables(ctx)
	if err != nil {
		return err
	}
	if err := sameTables(source, target); err != nil {
		return err
	}
	sorted, err := m.to.inForeignKeyOrder(ctx, target)
	if err != nil {
		return err
	}
	m.tables = slices.DeleteFunc(sorted, func(table moveTable) bool { return slices.Contains(processTables, table.name) })
	return nil
}

// lock begins the transaction of a database, and refuses one that a program has begun to
// use before it was locked. One that begins later is refused by Open or by Beat.
func (m *move) lock(ctx context.Context, side *moveSide) error {
	if err := side.begin(ctx); err != nil {
		return err
	}
	inUse, err := side.hasReplicas(ctx)
	if err == nil && inUse {
		err = side.wrap(ErrInUse)
	}
	return err
}

// check refuses rows that could not be kept or not be read, and counts all.
func (m *move) check(ctx context.Context) error {
	m.Progress("checking what can be moved", 0, 0)
	if err := m.from.checkSealed(ctx, &DB{keys: m.Keys}); err != nil {
		return err
	}
	for i, table := range m.tables {
		if m.to.postgres && !m.from.postgres {
			if err := m.from.checkZeroBytes(ctx, table); err != nil {
				return err
			}
		}
		n, err := m.from.count(ctx, `SELECT COUNT(*) FROM `+quoted(table.name))
		if err != nil {
			return err
		}
		m.tables[i].rows = n
		m.rows += n
	}
	return nil
}

// copyTables copies all rows, and deletes those that Open has made.
func (m *move) copyTables(ctx context.Context) error {
	if _, err := m.to.ExecContext(ctx, `DELETE FROM settings`); err != nil {
		return m.to.wrap(err)
	}
	var done int64
	for _, table := range m.tables {
		rows, err := m.from.read(ctx, table, false, m.counter("copying", table, &done))
		if err != nil {
			return m.from.wrap(err)
		}
		err = m.to.write(ctx, table, rows)
		if err = errors.Join(err, rows.Close()); err != nil {
			return fmt.Errorf("storage: copying %s: %w", table.name, err)
		}
		if rows.n != table.rows {
			return fmt.Errorf("storage: %d of %d rows of %s were copied", rows.n, table.rows, table.name)
		}
	}
	return nil
}

// counter returns what is called for each row of a table.
func (m *move) counter(task string, table moveTable, done *int64) func() {
	task += " " + table.name
	if table.rows > 0 {
		m.Progress(task, *done, m.rows)
	}
	return func() {
		if *done++; *done%1024 == 0 || *done == m.rows {
			m.Progress(task, *done, m.rows)
		}
	}
}

// compare makes the indexes of the target while the rows of the source are read again,
// and compares the rows of both sides.
func (m *move) compare(ctx context.Context, indexes []string) error {
	sums := make([][]byte, len(m.tables))
	var done int64
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		for i, table := range m.tables {
			if sums[i], err = m.from.digest(ctx, table, func() {}); err != nil {
				return err
			}
		}
		return nil
	})
	copied := make([][]byte, len(m.tables))
	group.Go(func() (err error) {
		m.Progress("making indexes", 0, 0)
		if err := m.to.makeIndexes(ctx, indexes); err != nil {
			return err
		}
		for i, table := range m.tables {
			if copied[i], err = m.to.digest(ctx, table, m.counter("comparing", table, &done)); err != nil {
				return err
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	for i, table := range m.tables {
		if string(sums[i]) != string(copied[i]) {
			return fmt.Errorf("storage: the rows of %s are not the same in both databases; nothing was moved", table.name)
		}
	}
	return nil
}

// finish commits the rows and marks the databases. It is not stopped: that takes no time.
func (m *move) finish(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("storage: stopped before the rows were committed: %w", err)
	}
	ctx = context.WithoutCancel(ctx)
	m.Progress("marking the old database", 0, 0)
	id := strconv.FormatInt(newID(), 10)
	m.committed = true // or not: the answer may be an error
	if err := m.to.commitWithMark(ctx, movingSetting, id); err != nil {
		return err
	}
	m.reach("committed")
	if err := m.from.commitWithMark(ctx, movedSetting, id); err != nil {
		return err
	}
	m.reach("marked")
	return m.to.removeMark(ctx, movingSetting)
}

func (m *move) reach(step string) {
	if m.checkpoint != nil {
		m.checkpoint(step)
	}
}

// checkNotMoved refuses a database that Move has left, or has not finished.
func checkNotMoved(ctx context.Context, q sqlx.QueryerContext) error {
	var marks []string
	err := sqlx.SelectContext(ctx, q, &marks, `SELECT name FROM settings WHERE name IN ('`+movedSetting+`', '`+movingSetting+`') AND value <> '' ORDER BY name`)
	switch {
	case err != nil:
		return fmt.Errorf("storage: reading the marks of migrate-db: %w", err)
	case len(marks) == 0:
		return nil
	case marks[0] == movedSetting:
		return ErrMoved
	default:
		return ErrMoveUnfinished
	}
}
