package storage

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
)

// moveSide is a database of a move: one connection, on which one transaction runs. It has
// no deadline for statements.
type moveSide struct {
	*sqlx.Conn
	pool     *sqlx.DB
	name     string // for errors
	postgres bool
}

// openMoveSide connects to a database and changes nothing in it.
func openMoveSide(ctx context.Context, name, url string) (side *moveSide, err error) {
	path, err := FilePath(url)
	if err != nil {
		return nil, err
	}
	side = &moveSide{name: name, postgres: path == ""}
	if side.postgres {
		side.pool, err = openMovePostgres(url)
	} else {
		side.pool, err = open(path, movePragmas, 1, false)
	}
	if err != nil {
		return nil, side.wrap(err)
	}
	if side.Conn, err = side.pool.Connx(ctx); err != nil {
		return nil, side.wrap(errors.Join(plainly("opening the database", err), side.pool.Close()))
	}
	return side, nil
}

// close ends the transaction, if one runs, without its changes. The server notices late
// that a connection was closed: the lock of InUse is given back before. Where that fails,
// the connection is lost, and the server ends both.
func (s *moveSide) close() error {
	if s.postgres {
		ctx, cancel := bounded(context.Background())
		defer cancel()
		_ = s.execAll(ctx, []string{`ROLLBACK`, `SELECT pg_advisory_unlock_all()`})
	}
	return errors.Join(s.Close(), s.pool.Close())
}

func (s *moveSide) wrap(err error) error {
	if isLocked(err) {
		err = errLocked
	}
	return fmt.Errorf("%s: %w", s.name, err)
}

// moveLock is the key of an advisory lock.
const moveLock = 0x6d6f7665 // "move"

// InUse reports whether another program uses a database of PostgreSQL, and keeps other
// moves from it until the connection is closed. Files are locked by the caller of Move.
func (s *moveSide) InUse(ctx context.Context) (bool, error) {
	if !s.postgres {
		return false, nil
	}
	var free bool
	if err := s.GetContext(ctx, &free, `SELECT pg_try_advisory_lock($1)`, int64(moveLock)); err != nil || !free {
		return true, err
	}
	return s.hasReplicas(ctx)
}

// hasReplicas reports whether a program is alive on a database of PostgreSQL.
func (s *moveSide) hasReplicas(ctx context.Context) (bool, error) {
	exists, err := s.has(ctx, "replicas")
	if err != nil || !exists || !s.postgres {
		return false, err
	}
	n, err := s.count(ctx, `SELECT COUNT(*) FROM replicas WHERE until > $1`, toMillis(time.Now()))
	return n > 0, err
}

// begin starts a transaction beside which no other can write.
func (s *moveSide) begin(ctx context.Context) error {
	if !s.postgres {
		_, err := s.ExecContext(ctx, `BEGIN IMMEDIATE`)
		if isBusy(err) {
			err = ErrInUse
		}
		if err != nil {
			return s.wrap(err)
		}
		return nil
	}
	tables, err := s.tables(ctx)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(tables))
	for _, table := range tables {
		names = append(names, quoted(table.name))
	}
	if _, err := s.ExecContext(ctx, `BEGIN`); err != nil {
		return s.wrap(err)
	}
	if len(names) == 0 {
		return nil
	}
	_, err = s.ExecContext(ctx, `LOCK TABLE `+strings.Join(names, ", ")+` IN SHARE ROW EXCLUSIVE MODE`)
	if isLocked(err) {
		err = ErrInUse
	}
	if err != nil {
		return s.wrap(err)
	}
	return nil
}

// mark returns the value of a setting, "" where there is no table of them.
func (s *moveSide) mark(ctx context.Context, name string) (string, error) {
	exists, err := s.has(ctx, "settings")
	if err != nil || !exists {
		return "", err
	}
	value, err := setting(ctx, s, s.Rebind(selectSetting), name)
	if err != nil {
		return "", s.wrap(err)
	}
	return value, nil
}

// commitWithMark stores a setting and commits the transaction.
func (s *moveSide) commitWithMark(ctx context.Context, name, value string) error {
	if _, err := s.ExecContext(ctx, s.Rebind(upsertSetting), name, value); err != nil {
		return s.wrap(err)
	}
	if _, err := s.ExecContext(ctx, `COMMIT`); err != nil {
		return s.wrap(err)
	}
	return nil
}

// removeMark deletes a setting, and what identifies the other server and its tables.
func (s *moveSide) removeMark(ctx context.Context, name string) error {
	if _, err := s.ExecContext(ctx, s.Rebind(`DELETE FROM settings WHERE name IN (?, ?, ?)`), name, timelineSetting, tablesSetting); err != nil {
		return s.wrap(err)
	}
	return nil
}

// has reports whether a table exists.
func (s *moveSide) has(ctx context.Context, table string) (bool, error) {
	query := sqliteSchema.tables
	if s.postgres {
		query = postgresTables
	}
	n, err := s.count(ctx, s.Rebind(query), table)
	return n > 0, err
}

// count runs a query for one number.
func (s *moveSide) count(ctx context.Context, query string, args ...any) (n int64, err error) {
	if err := s.GetContext(ctx, &n, query, args...); err != nil {
		return 0, s.wrap(err)
	}
	return n, nil
}

// moveRows are the rows of a table, for pgx.CopyFromSource too.
type moveRows struct {
	*sql.Rows
	n       int64 // that were read
	read    func()
	values  []any
	targets []any
}

// read returns the rows of a table, in the order of the primary key if they are ordered.
func (s *moveSide) read(ctx context.Context, table moveTable, ordered bool, read func()) (*moveRows, error) {
	query := `SELECT ` + table.list() + ` FROM ` + quoted(table.name)
	if ordered {
		query += ` ORDER BY ` + table.order(s.postgres)
	}
	found, err := s.QueryContext(ctx, query) //nolint:rowserrcheck // who reads the rows checks it
	if err != nil {
		return nil, err
	}
	rows := &moveRows{Rows: found, read: read, values: make([]any, len(table.columns)), targets: make([]any, len(table.columns))}
	for i := range rows.values {
		rows.targets[i] = &rows.values[i]
	}
	return rows, nil
}

// Next implements pgx.CopyFromSource.
func (r *moveRows) Next() bool {
	if !r.Rows.Next() {
		return false
	}
	r.n++
	r.read()
	return true
}

// Values implements pgx.CopyFromSource. The slice is used again for the next row.
func (r *moveRows) Values() ([]any, error) {
	return r.values, r.Scan(r.targets...)
}

// write inserts rows. An error of reading them is returned too.
func (s *moveSide) write(ctx context.Context, table moveTable, rows *moveRows) error {
	if s.postgres {
		return s.Raw(func(conn any) error {
			full, ok := conn.(*stdlib.Conn)
			if !ok {
				return errors.New("the driver's connection is of another type")
			}
			_, err := full.Conn().CopyFrom(ctx, pgx.Identifier{table.name}, table.columns, rows)
			return err
		})
	}
	query := `INSERT INTO ` + quoted(table.name) + ` (` + table.list() + `) VALUES (?` + strings.Repeat(", ?", len(table.columns)-1) + `)`
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return err
		}
		if _, err := s.ExecContext(ctx, query, values...); err != nil {
			return err
		}
	}
	return rows.Err()
}

// digest returns the SHA-256 over all rows of a table, in the order of its primary key.
// Values of different types never give the same bytes.
func (s *moveSide) digest(ctx context.Context, table moveTable, read func()) (sum []byte, err error) {
	rows, err := s.read(ctx, table, true, read)
	if err != nil {
		return nil, s.wrap(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	hash := sha256.New()
	var row []byte
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return nil, s.wrap(err)
		}
		row = row[:0]
		for i, value := range values {
			switch value := value.(type) {
			case nil:
				row = append(row, 'n')
			case int64:
				row = binary.BigEndian.AppendUint64(append(row, 'i'), uint64(value)) //nolint:gosec // its bits
			case string:
				row = binary.BigEndian.AppendUint64(append(row, 't'), uint64(len(value)))
				row = append(row, value...)
			default:
				return nil, s.wrap(fmt.Errorf("%s.%s holds a value of type %T", table.name, table.columns[i], value))
			}
		}
		_, _ = hash.Write(row) // never fails
	}
	if err := rows.Err(); err != nil {
		return nil, s.wrap(err)
	}
	return hash.Sum(nil), nil
}

// dropIndexes drops the indexes that belong to no constraint, and in PostgreSQL the foreign
// keys, and returns the statements that make them again. Made after the rows, they take a
// third of the time.
func (s *moveSide) dropIndexes(ctx context.Context) (again []string, err error) {
	var indexes, foreignKeys []struct {
		Table      string `db:"table_name"`
		Name       string `db:"name"`
		Definition string `db:"definition"`
	}
	query := sqliteIndexes
	if s.postgres {
		query = postgresIndexes
		if err := s.SelectContext(ctx, &foreignKeys, postgresForeignKeys); err != nil {
			return nil, err
		}
	}
	if err := s.SelectContext(ctx, &indexes, query); err != nil {
		return nil, err
	}
	var drop []string
	for _, index := range indexes {
		drop = append(drop, `DROP INDEX `+quoted(index.Name))
		again = append(again, index.Definition)
	}
	for _, key := range foreignKeys {
		drop = append(drop, `ALTER TABLE `+key.Table+` DROP CONSTRAINT `+key.Name)
		again = append(again, `ALTER TABLE `+key.Table+` ADD CONSTRAINT `+key.Name+` `+key.Definition)
	}
	return again, s.execAll(ctx, drop)
}

func (s *moveSide) execAll(ctx context.Context, statements []string) error {
	for _, statement := range statements {
		if _, err := s.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// makeIndexes makes what dropIndexes has dropped. PostgreSQL learns about the rows by ANALYZE; on SQLite the
// program's queries are made for a database without it.
func (s *moveSide) makeIndexes(ctx context.Context, statements []string) error {
	if s.postgres {
		statements = append(statements, `ANALYZE`)
	}
	if err := s.execAll(ctx, statements); err != nil {
		return s.wrap(err)
	}
	return nil
}

// quoted returns a name for SQL.
func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }
