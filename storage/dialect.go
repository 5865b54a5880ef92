package storage

import (
	"errors"
	"math/bits"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Queries are written once, in the SQL that both engines understand and with ? for
// values. Everything in which the engines differ is chosen here.

// ErrURL describes a valid database URL. It never contains the value, which may contain
// a password.
var ErrURL = errors.New("storage: the database's address takes sqlite:PATH, for example sqlite:data/bot.db, or postgres://USER:PASSWORD@HOST/NAME")

// FilePath returns the file that a database URL names, "" where it names a PostgreSQL
// database. The error is ErrURL.
func FilePath(databaseURL string) (string, error) {
	if scheme, _, _ := strings.Cut(databaseURL, "://"); scheme == "postgres" || scheme == "postgresql" {
		if _, err := pgx.ParseConfig(databaseURL); err != nil {
			return "", ErrURL
		}
		return "", nil
	}
	path, ok := strings.CutPrefix(databaseURL, sqliteScheme)
	// Each connection to :memory: would have a database of its own.
	if !ok || path == "" || strings.ContainsFunc(path, unicode.IsControl) || strings.Contains(path, ":memory:") || strings.HasSuffix(path, "/") {
		return "", ErrURL
	}
	return filepath.Clean(path), nil
}

// values returns rows of integers as a table v with the columns column1, column2 and so
// on, for FROM, and its arguments. The number of rows is rounded up to a power of two by
// repeating the last one, so that few queries differ. There must be a row.
func values(rows [][]int64) (table string, args []any) {
	width := len(rows[0])
	count := 1 << bits.Len(uint(len(rows)-1))
	args = make([]any, 0, count*width)
	for i := range count {
		for _, value := range rows[min(i, len(rows)-1)] {
			args = append(args, value)
		}
	}
	// PostgreSQL takes the types of the columns from the first row.
	first := strings.TrimSuffix(strings.Repeat("CAST(? AS BIGINT), ", width), ", ")
	other := ", (" + strings.TrimSuffix(strings.Repeat("?, ", width), ", ") + ")"
	return "(VALUES (" + first + ")" + strings.Repeat(other, count-1) + ") AS v", args
}

// isUnique reports whether a unique index or a primary key refused the row.
func isUnique(err error) bool {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refused.Code == uniqueViolation
	}
	failure, ok := errors.AsType[*sqlite.Error](err)
	return ok && (failure.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || failure.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}
