package storage

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Everything that depends on PostgreSQL is in this file, in pgdriver.go, listen.go and
// pace.go; for Move in movedialect.go and moveside.go.

const (
	// postgresConnections is the size of the pool; postgresWrites of them may write at
	// the same time, so that reads do not wait for writes.
	postgresConnections = 16
	postgresWrites      = 12
	idleTime            = 5 * time.Minute
	connectTimeout      = 5 * time.Second // of each host in the URL

	// A write that surely was not made is tried again for as long as retryFor: longer than
	// one that hangs or is frozen can hold a lock (sessionSettings), and enough for a queue of
	// 20 writers of one row where each takes half a second.
	retryFor     = 10 * time.Second
	conflictWait = time.Millisecond // more for each attempt but the first, up to longestWait
	longestWait  = 20 * time.Millisecond
	brokenWait   = 200 * time.Millisecond

	// Migrations of another process are waited for: its lock is tried for each period
	// (seconds, 1 is goose's lowest), this many times.
	lockPeriod, lockTries = 1, 300

	// eraseVersion is the migration that is about SQLite's files.
	eraseVersion = 12

	leastPostgres = 150000 // server_version_num of PostgreSQL 15
)

// Codes of PostgreSQL's errors (documentation: appendix "PostgreSQL Error Codes").
const (
	plainWarning         = "01000"
	connectionClass      = "08"
	readOnlyTransaction  = "25006"
	uniqueViolation      = "23505"
	idleInTransaction    = "25P03"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	tooManyConnections   = "53300"
	lockNotAvailable     = "55P03"
	adminShutdown        = "57P01"
	crashShutdown        = "57P02"
	cannotConnectNow     = "57P03"
)

// selectClock gives the server's time in unix milliseconds.
const selectClock = `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)`

// postgresTables counts the tables of a name.
const postgresTables = `SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = ?`

// selectRecovery gives 1 on a standby, which can't be written to.
const selectRecovery = `SELECT CASE WHEN pg_is_in_recovery() THEN 1 ELSE 0 END`

var errStandby = errors.New("storage: the database is a standby")

// sessionSettings are those of each connection. The server ends what hangs before the
// client's own deadline (statementDeadline) would, and a frozen process' transaction before
// those that wait for its locks give up (retryFor).
var sessionSettings = map[string]string{
	"statement_timeout":                   "8s",
	"lock_timeout":                        "5s",
	"idle_in_transaction_session_timeout": "8s",
	"default_transaction_isolation":       "read committed", // of pipelines
	// Where much seems to be read, the server would compile a statement first, for a second or
	// more. Ours read little, and all transactions that overlap with a long one fail.
	"jit": "off",
}

// withSettings gives each connection these settings. PgBouncer takes none with the start of a
// connection.
func withSettings(settings map[string]string) stdlib.OptionOpenDB {
	var statements strings.Builder
	for name, value := range settings {
		fmt.Fprintf(&statements, "SET %s = '%s';", name, value)
	}
	return stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		if _, err := conn.PgConn().Exec(ctx, statements.String()).ReadAll(); err != nil {
			return fmt.Errorf("storage: settings of a connection: %w", err)
		}
		return nil
	})
}

func (db *DB) openPostgres(ctx context.Context, url string) error {
	config, err := parsePostgres(url)
	if err != nil {
		return err
	}
	if err := migratePostgres(ctx, config); err != nil {
		return err
	}
	db.connectPostgres(config)
	if err := db.keepMaintenance(ctx); err != nil {
		return err
	}
	if db.digest, err = db.digestKey(ctx); err != nil {
		return err
	}
	return db.sealKeysForOwners(ctx)
}

// parsePostgres reads a URL. The error is ErrURL.
func parsePostgres(url string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, ErrURL
	}
	if config.ConnectTimeout <= 0 || config.ConnectTimeout > connectTimeout {
		config.ConnectTimeout = connectTimeout
	}
	return config, nil
}

// connectPostgres makes the pool of connections.
func (db *DB) connectPostgres(config *pgx.ConnConfig) {
	config.OnNotice = noteWarning
	db.prepareHints(config)
	if config.ValidateConnect == nil { // a standby that is promoted later would get past keepEpoch
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	}
	pool := sql.OpenDB(pgConnector{Connector: stdlib.GetConnector(*config, withSettings(sessionSettings))})
	pool.SetMaxOpenConns(postgresConnections)
	pool.SetMaxIdleConns(postgresConnections)
	pool.SetConnMaxIdleTime(idleTime)
	db.writer = sqlx.NewDb(pool, driverName) // whose queries have ? too
	db.reader = db.writer
	db.writes = make(chan struct{}, postgresWrites)
}

// migratePostgres checks the server and runs the migrations, which may take longer than
// sessionSettings allow.
func migratePostgres(ctx context.Context, config *pgx.ConnConfig) error {
	pool := sqlx.NewDb(stdlib.OpenDB(*config), "pgx")
	defer func() { _ = pool.Close() }()
	if err := checkServer(ctx, pool); err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPeriod, lockTries))
	if err != nil {
		return fmt.Errorf("storage: migrations: %w", err)
	}
	return migrate(ctx, pool, schema{
		dialect: goose.DialectPostgres,
		options: []goose.ProviderOption{goose.WithSessionLocker(locker), goose.WithExcludeVersions([]int64{eraseVersion})},
		tables:  postgresTables,
	})
}

// checkServer refuses a server that would not keep what it has confirmed.
func checkServer(ctx context.Context, db *sqlx.DB) error {
	var standby, version int
	if err := db.GetContext(ctx, &standby, selectRecovery); err != nil {
		return fmt.Errorf("storage: opening the database: %w", err)
	}
	if standby != 0 {
		return errStandby
	}
	if err := db.GetContext(ctx, &version, `SHOW server_version_num`); err != nil {
		return fmt.Errorf("storage: reading the server's version: %w", err)
	}
	if version < leastPostgres {
		return fmt.Errorf("storage: PostgreSQL 15 or newer is needed, and the server has version number %d", version)
	}
	for _, setting := range []struct{ name, refused string }{{"fsync", "off"}, {"full_page_writes", "off"}, {"synchronous_commit", "off"}} {
		var value string
		if err := db.GetContext(ctx, &value, `SHOW `+setting.name); err != nil {
			return fmt.Errorf("storage: reading the server's %s: %w", setting.name, err)
		}
		if value == setting.refused {
			return fmt.Errorf("storage: the server's %s is %s: a crash would lose purchases", setting.name, value)
		}
	}
	var encoding string
	if err := db.GetContext(ctx, &encoding, `SHOW server_encoding`); err != nil {
		return fmt.Errorf("storage: reading the database's encoding: %w", err)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("storage: the database's encoding is %s and must be UTF8", encoding)
	}
	return nil
}

// retry runs fn in a transaction until it is certain what became of it, or retryFor has
// passed.
func (db *DB) retry(ctx context.Context, isolation sql.IsolationLevel, fn func(tx *sqlx.Tx) error) error {
	return db.retryWrite(ctx, func() error { return db.transact(ctx, isolation, fn) })
}

// retryWrite makes a write as retry does.
func (db *DB) retryWrite(ctx context.Context, write func() error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("storage: waiting to write: %w", err)
	}
	if db.closed.Load() {
		return ErrClosed
	}
	select {
	case db.writes <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("storage: waiting to write: %w", ctx.Err())
	}
	defer func() { <-db.writes }()
	deadline := time.Now().Add(retryFor)
	var before error // of the attempt before
	for attempt := 1; ; attempt++ {
		err := write()
		again, wait := retryAfter(err, attempt)
		if err != nil && before != nil && ctx.Err() != nil {
			err = fmt.Errorf("%w; before: %w", err, before) // the first says only that the time is over
		}
		if !again || !time.Now().Before(deadline) {
			return err
		}
		before = err
		if wait == 0 {
			continue
		}
		select {
		case <-time.After(rand.N(wait)): //nolint:gosec // a pause is no secret
		case <-ctx.Done():
			return err
		}
	}
}

// retryAfter reports whether a write that failed surely was not made and may succeed
// later, and how long to wait at most.
func retryAfter(err error, attempt int) (again bool, wait time.Duration) {
	if err == nil || errors.Is(err, ErrAmbiguous) {
		return false, 0
	}
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch refused.Code {
		case serializationFailure, deadlockDetected, lockNotAvailable:
			return true, min(time.Duration(attempt-1)*conflictWait, longestWait) // the other has committed, or was waited for
		case readOnlyTransaction, idleInTransaction, tooManyConnections, adminShutdown, crashShutdown, cannotConnectNow:
			return true, brokenWait
		}
		return strings.HasPrefix(refused.Code, connectionClass), brokenWait
	}
	return isBroken(err), brokenWait
}

// isBroken reports whether the connection was lost or could not be made.
func isBroken(err error) bool {
	for _, broken := range []error{driver.ErrBadConn, pgconn.ErrConnClosed, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, broken) {
			return true
		}
	}
	_, refused := errors.AsType[*pgconn.ConnectError](err)
	_, failed := errors.AsType[*net.OpError](err)
	return refused || failed || pgconn.SafeToRetry(err)
}

// waitForTokens waits until no write is in progress, or ctx is done.
func (db *DB) waitForTokens(ctx context.Context) error {
	for range postgresWrites {
		select {
		case db.writes <- struct{}{}:
			defer func() { <-db.writes }()
		case <-ctx.Done():
			return fmt.Errorf("writes are pending: %w", ctx.Err())
		}
	}
	return nil
}

// keepMaintenance makes the row that holdMaintenance locks.
func (db *DB) keepMaintenance(ctx context.Context) error {
	err := db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO settings (name, value) VALUES (?, '') ON CONFLICT (name) DO NOTHING`, maintenanceSetting)
		return err
	})
	if err != nil {
		return fmt.Errorf("storage: storing setting %s: %w", maintenanceSetting, err)
	}
	return nil
}

// holdMaintenance keeps the maintenance setting as it is until tx has ended: serializable
// transactions are in some order, but not in that in which they return.
func (db *DB) holdMaintenance(ctx context.Context, tx *sqlx.Tx) error {
	if db.writes == nil {
		return nil
	}
	_, err := tx.ExecContext(ctx, `SELECT 1 FROM settings WHERE name = ? FOR SHARE`, maintenanceSetting)
	return err
}

// lockChat returns the statement by which the rest of a pipeline sees what others have
// committed about a chat: they lock its row as well.
func (db *DB) lockChat(chat int64) []command {
	if db.writes == nil {
		return nil
	}
	return []command{{query: `SELECT 1 FROM chats WHERE chat_id = ? FOR UPDATE`, args: []any{chat}}}
}

// lockUser makes writes that change several rows of a person wait for each other here:
// they lock those rows in any order, and PostgreSQL takes a second to find a deadlock. Rows
// that only refer to the person don't wait.
func (db *DB) lockUser(ctx context.Context, tx *sqlx.Tx, userID int64) error {
	if db.writes == nil {
		return nil
	}
	_, err := tx.ExecContext(ctx, `SELECT 1 FROM users WHERE id = ? FOR NO KEY UPDATE`, userID)
	return err
}
