package storage

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
)

// statementDeadline ends a statement that the server does not answer.
const statementDeadline = 10 * time.Second

// bounded returns a context for one statement. It ends by itself only: pgx closes the
// connection when a context ends, and a commit that is cut off is ambiguous.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Value(interruptibleKey{}) != nil {
		return context.WithTimeout(ctx, statementDeadline)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), statementDeadline)
}

type interruptibleKey struct{}

// interruptible returns a context that ends a statement when it is done, for a statement of
// which it does not matter whether it was executed.
func interruptible(ctx context.Context) context.Context {
	return context.WithValue(ctx, interruptibleKey{}, true)
}

// pgConnector makes connections to PostgreSQL that differ from the driver's: started
// statements end by themselves only, placeholders are ?, text has no zero bytes, and a
// commit says whether its outcome is certain.
type pgConnector struct {
	driver.Connector
	inspects bool // nothing is written, and the epoch is not compared
}

// Connect implements driver.Connector.
func (c pgConnector) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, statementDeadline)
	defer cancel()
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	full, ok := inner.(*stdlib.Conn)
	if !ok {
		return nil, errors.Join(errors.New("the driver's connection is of another type"), inner.Close())
	}
	if c.inspects {
		return &pgConn{Conn: full}, nil
	}
	if err := keepEpoch(ctx, full.Conn()); err != nil {
		return nil, errors.Join(fmt.Errorf("storage: comparing the server's timeline: %w", err), inner.Close())
	}
	return &pgConn{Conn: full}, nil
}

// selectTimeline gives the server's identity and timeline, which changes with each
// promotion at once; pg_control_checkpoint changes with the next checkpoint only.
const selectTimeline = `SELECT CAST(system_identifier AS TEXT) || '/' || SUBSTR(pg_walfile_name(pg_current_wal_lsn()), 1, 8) FROM pg_control_system()`

// selectTables gives the identity of a table. A server never gives it again, so it is
// another one where a dump was restored.
const selectTables = `SELECT COALESCE(CAST(CAST(to_regclass('settings') AS oid) AS TEXT), '')`

// keepEpoch raises the epoch if the database was used on another timeline or with other
// tables before, which may have had later commits. Of several connections one does, and the
// others wait for it.
func keepEpoch(ctx context.Context, conn *pgx.Conn) error {
	const known = `COALESCE((` + selectSetting + `), '')`
	var timeline, server, tables, restored string
	err := conn.QueryRow(ctx, numbered(`SELECT `+known+`, (`+selectTimeline+`), `+known+`, (`+selectTables+`)`), timelineSetting, tablesSetting).
		Scan(&timeline, &server, &tables, &restored)
	if err != nil || timeline == server && tables == restored {
		return err
	}
	return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		// A standby that is not there yet is not waited for: where it lacks the epoch, it lacks
		// all that was stored in the epoch.
		if _, err := tx.Exec(ctx, `SET LOCAL synchronous_commit = local`); err != nil {
			return err
		}
		var raise, backup bool
		for _, of := range []struct{ name, known, present string }{{timelineSetting, timeline, server}, {tablesSetting, tables, restored}} {
			if of.known == of.present {
				continue
			}
			tag, err := tx.Exec(ctx, numbered(upsertSetting+` WHERE settings.value = ?`), of.name, of.present, of.known)
			if err != nil {
				return err
			}
			if tag.RowsAffected() > 0 && of.known != "" {
				raise, backup = true, backup || of.name == tablesSetting
			}
		}
		if !raise {
			return nil
		}
		return raiseEpoch(ctx, tx, backup)
	})
}

func raiseEpoch(ctx context.Context, tx pgx.Tx, backup bool) error {
	var last int64
	var before string
	err := tx.QueryRow(ctx, `SELECT (`+selectLastStored+`), COALESCE((`+numbered(selectSetting)+`), '')`, restoredSetting).Scan(&last, &before)
	if err != nil {
		return err
	}
	restoration, err := nextRestoration(last, before, time.Now(), backup)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, numbered(upsertSetting), restoredSetting, restoration.setting()); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, numbered(growEpoch), epochSetting)
	return err
}

type pgConn struct{ *stdlib.Conn }

// ResetSession implements driver.SessionResetter.
func (c *pgConn) ResetSession(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	return c.Conn.ResetSession(ctx)
}

// CheckNamedValue implements driver.NamedValueChecker. PostgreSQL refuses text with zero
// bytes, which Telegram and the marketplace may send: they are removed.
func (c *pgConn) CheckNamedValue(arg *driver.NamedValue) (err error) {
	arg.Value, err = driver.DefaultParameterConverter.ConvertValue(arg.Value)
	if text, ok := arg.Value.(string); ok {
		arg.Value = withoutZeroBytes(text)
	}
	return err
}

// BeginTx implements driver.ConnBeginTx.
func (c *pgConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	begin := "begin isolation level " + strings.ToLower(sql.IsolationLevel(options.Isolation).String())
	if _, err := c.ExecContext(ctx, begin, nil); err != nil {
		return nil, err
	}
	return &pgTx{conn: c}, nil
}

// ExecContext implements driver.ExecerContext.
func (c *pgConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	result, err := c.Conn.ExecContext(ctx, numbered(query), args)
	return result, c.checked(ctx, err)
}

// QueryContext implements driver.QueryerContext.
func (c *pgConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	ctx, cancel := bounded(ctx)
	rows, err := c.Conn.QueryContext(ctx, numbered(query), args)
	if err != nil {
		defer cancel()
		return nil, c.checked(ctx, err)
	}
	return &pgRows{Rows: rows, cancel: cancel}, nil
}

// checked closes a connection to a server that can't be written to any longer: the next
// connection may be to the one that replaces it.
func (c *pgConn) checked(ctx context.Context, err error) error {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == readOnlyTransaction {
		return errors.Join(err, c.Conn.Conn().Close(ctx))
	}
	return err
}

// pgRows ends the context of its statement when it is closed.
type pgRows struct {
	driver.Rows
	cancel context.CancelFunc
}

// Close implements driver.Rows.
func (r *pgRows) Close() error {
	defer r.cancel()
	return r.Rows.Close()
}

// errNotReplicated says that the server has committed, and gave up waiting for its
// synchronous standby: a failover would lose the commit.
var errNotReplicated = errors.New("the synchronous standby did not confirm")

// noteWarning is called with the notices of a connection. The one of a commit that was
// not replicated has no code of its own, or that of the end of the connection
// (PostgreSQL: SyncRepWaitForLSN).
func noteWarning(conn *pgconn.PgConn, notice *pgconn.Notice) {
	if notice.Code == plainWarning || notice.Code == adminShutdown {
		conn.CustomData()[plainWarning] = true
	}
}

type pgTx struct{ conn *pgConn }

// Commit implements driver.Tx. An error wraps ErrAmbiguous where the server may have
// committed, and also errNotReplicated where a failover would lose that.
func (t *pgTx) Commit() error {
	ctx, cancel := bounded(context.Background())
	defer cancel()
	seen := t.conn.Conn.Conn().PgConn().CustomData()
	delete(seen, plainWarning)
	tag, err := t.conn.Conn.Conn().Exec(ctx, "commit")
	if err = outcome(err, seen[plainWarning] != nil); err == nil && tag.String() == "ROLLBACK" {
		return pgx.ErrTxCommitRollback
	}
	return err
}

// Rollback implements driver.Tx.
func (t *pgTx) Rollback() error {
	_, err := t.conn.ExecContext(context.Background(), "rollback", nil)
	return err
}

// numberedQueries keeps the queries that numbered has made, by the query with ?.
var numberedQueries sync.Map

// numbered returns a query with $1, $2 … for its ?.
func numbered(query string) string {
	if !strings.Contains(query, "?") {
		return query
	}
	if known, ok := numberedQueries.Load(query); ok {
		return known.(string)
	}
	made := sqlx.Rebind(sqlx.DOLLAR, query)
	numberedQueries.Store(query, made)
	return made
}
