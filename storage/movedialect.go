package storage

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
)

// movePragmas also let SQLite keep 64 MB of the database in memory. What the caller has
// locked is free, or another program uses the database.
var movePragmas = append([]pragma{{"busy_timeout", "1000", "1000"}, {"cache_size", "-65536", "-65536"}}, writerPragmas[1:]...)

// The columns of all tables, in their order.
const (
	sqliteColumns = `SELECT m.name AS table_name, c.name AS column_name, c.pk AS key_position, c.type = 'TEXT' AS is_text
		FROM sqlite_master m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY m.name, c.cid`
	postgresColumns = `SELECT t.relname AS table_name, a.attname AS column_name, a.atttypid = 'text'::regtype AS is_text,
			COALESCE(array_position(i.indkey::int2[], a.attnum) + 1, 0) AS key_position -- from 0 (int2vector)
		FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
			LEFT JOIN pg_index i ON i.indrelid = t.oid AND i.indisprimary
		WHERE t.relkind IN ('r', 'p') AND t.relnamespace = current_schema()::regnamespace ORDER BY t.relname, a.attnum`
)

// Which table refers to which other table.
const (
	sqliteReferences = `SELECT m.name AS table_name, f."table" AS refers_to
		FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' AND f."table" <> m.name`
	postgresReferences = `SELECT t.relname AS table_name, r.relname AS refers_to
		FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class r ON r.oid = c.confrelid
		WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace AND t.oid <> r.oid`
)

// Indexes that belong to no constraint.
const (
	sqliteIndexes   = `SELECT name, sql AS definition FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name`
	postgresIndexes = `SELECT c.relname AS name, pg_get_indexdef(c.oid) AS definition
		FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
		WHERE t.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
			AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = i.indexrelid) ORDER BY c.relname`
)

// postgresForeignKeys are constraints: PostgreSQL checks a row of COPY for ten times as
// long as it takes to write it, and all rows at once within seconds.
const postgresForeignKeys = `SELECT quote_ident(t.relname) AS table_name, quote_ident(c.conname) AS name, pg_get_constraintdef(c.oid) AS definition
	FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
	WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace ORDER BY t.relname, c.conname`

// moveSettings are those of the connections of a move: what it does takes its time, but
// the lock of a table is free, or a program uses the database.
var moveSettings = map[string]string{
	"statement_timeout":                   "0",
	"idle_in_transaction_session_timeout": "0",
	"lock_timeout":                        "3s", // more than autovacuum takes to give way
	"maintenance_work_mem":                "128MB",
}

// openMovePostgres returns a pool of one connection.
func openMovePostgres(url string) (*sqlx.DB, error) {
	config, err := parsePostgres(url)
	if err != nil {
		return nil, err
	}
	pool := sqlx.NewDb(stdlib.OpenDB(*config, withSettings(moveSettings)), "pgx")
	pool.SetMaxOpenConns(1)
	return pool, nil
}

// isLocked reports whether PostgreSQL has waited for a lock in vain.
func isLocked(err error) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && refused.Code == lockNotAvailable
}
