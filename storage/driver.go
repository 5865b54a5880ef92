package storage

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"time"
)

// maxPrepared bounds the prepared statements kept on a connection. The program has a
// few dozen, and some for lists of varying length (IN, VALUES).
const maxPrepared = 128

// connector makes connections that differ from the driver's in two ways.
//
// They keep statements prepared: compiling statements as small as ours costs more than
// running them.
//
// They never interrupt a running statement. SQLite rolls the whole transaction back when
// a write is interrupted (sqlite3_interrupt), and the driver reports a write that
// succeeded as cancelled when its context ends shortly after. As many people's writes
// share a transaction, one person's cancelled context would undo or misreport another's
// write. database/sql checks the context before each statement, and ours are short.
type connector struct{ driver.Connector }

// Connect implements driver.Connector. When several processes start at once, one
// switches the new file to WAL and SQLite refuses the others without waiting for the
// lock; they retry for as long as a statement would wait.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	deadline := time.Now().Add(busyTimeout)
	inner, err := c.Connector.Connect(ctx)
	for isBusy(err) && time.Now().Before(deadline) {
		select {
		case <-time.After(busyTimeout / 500):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		inner, err = c.Connector.Connect(ctx)
	}
	if err != nil {
		return nil, err
	}
	full, ok := inner.(fullConn)
	if !ok {
		return nil, errors.Join(errors.New("the driver's connection lacks a method"), inner.Close())
	}
	return &conn{fullConn: full, prepared: map[string]*statement{}}, nil
}

// Close implements io.Closer, which database/sql calls.
func (c connector) Close() error {
	if closer, ok := c.Connector.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// fullConn is what database/sql uses of the driver's connection.
type fullConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type fullStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// conn is used by one goroutine at a time (database/sql).
type conn struct {
	fullConn
	prepared map[string]*statement
}

// BeginTx implements driver.ConnBeginTx.
func (c *conn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	return c.fullConn.BeginTx(context.WithoutCancel(ctx), options)
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	stmt, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	result, err := stmt.ExecContext(ctx, args)
	return result, errors.Join(err, stmt.release())
}

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	stmt, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, args)
	if err != nil {
		return nil, errors.Join(err, stmt.release())
	}
	return &openRows{Rows: rows, stmt: stmt}, nil
}

// PrepareContext implements driver.ConnPrepareContext. The caller closes it.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return c.prepare(ctx, query)
}

// Close implements driver.Conn.
func (c *conn) Close() error {
	var failures []error
	for _, stmt := range c.prepared {
		failures = append(failures, stmt.Close())
	}
	return errors.Join(append(failures, c.fullConn.Close())...)
}

// statement returns the kept statement, or another one where that is in use because its
// rows are still open.
func (c *conn) statement(ctx context.Context, query string) (*statement, error) {
	kept := c.prepared[query]
	if kept != nil && !kept.busy {
		kept.busy = true
		return kept, nil
	}
	stmt, err := c.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	stmt.busy = true
	if kept == nil {
		if err := c.makeRoom(); err != nil {
			return nil, errors.Join(err, stmt.Close())
		}
		stmt.kept = true
		c.prepared[query] = stmt
	}
	return stmt, nil
}

func (c *conn) prepare(ctx context.Context, query string) (*statement, error) {
	inner, err := c.fullConn.PrepareContext(context.WithoutCancel(ctx), query)
	if err != nil {
		return nil, err
	}
	full, ok := inner.(fullStmt)
	if !ok {
		return nil, errors.Join(errors.New("the driver's statement lacks a method"), inner.Close())
	}
	return &statement{fullStmt: full}, nil
}

func (c *conn) makeRoom() error {
	if len(c.prepared) < maxPrepared {
		return nil
	}
	for query, stmt := range c.prepared { // any: a frequent one is soon prepared again
		if !stmt.busy {
			delete(c.prepared, query)
			return stmt.Close()
		}
	}
	return nil
}

type statement struct {
	fullStmt
	kept bool // closed by the connection, not by its user
	busy bool
}

// ExecContext implements driver.StmtExecContext.
func (s *statement) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.fullStmt.ExecContext(context.WithoutCancel(ctx), args)
}

// QueryContext implements driver.StmtQueryContext.
func (s *statement) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.fullStmt.QueryContext(context.WithoutCancel(ctx), args)
}

func (s *statement) release() error {
	s.busy = false
	if s.kept {
		return nil
	}
	return s.Close()
}

// openRows releases its statement when it is closed.
type openRows struct {
	driver.Rows
	stmt *statement
}

// Close implements driver.Rows.
func (r *openRows) Close() error {
	return errors.Join(r.Rows.Close(), r.stmt.release())
}
