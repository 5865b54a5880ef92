package storage

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"time"
)

// maxPrepared bounds the statements kept on a connection. The program has a
// few dozen; lists of varying length (IN, VALUES) make the rest.
const maxPrepared = 128

// connector makes connections that differ from the driver's in two ways.
//
// They keep their statements prepared, whoever runs them: compiling costs
// more than running for statements as small as ours.
//
// A statement that began is never interrupted. SQLite rolls the whole
// transaction back when a write inside it is interrupted (sqlite3_interrupt),
// and the driver reports a write that succeeded as cancelled when its context
// ends a moment later. Where many people's writes share a transaction, either
// would let one person's cancelled context undo or misreport another's write.
// database/sql still looks at the context before each statement, and no
// statement of ours is long.
type connector struct{ driver.Connector }

// Connect implements driver.Connector. Of several starts at once one switches
// the new file to WAL, and SQLite refuses the others without waiting; they
// come again for as long as a statement would wait for a lock.
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

// fullConn is what the driver's connection can do and database/sql uses.
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

// statement returns the kept statement, or another one where that is in use:
// its rows are open while the same query runs again.
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
	for query, stmt := range c.prepared { // any one: the common ones come back at once
		if !stmt.busy {
			delete(c.prepared, query)
			return stmt.Close()
		}
	}
	return nil
}

type statement struct {
	fullStmt
	kept bool // the connection closes it, not its user
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

// openRows gives its statement back when it is closed.
type openRows struct {
	driver.Rows
	stmt *statement
}

// Close implements driver.Rows.
func (r *openRows) Close() error {
	return errors.Join(r.Rows.Close(), r.stmt.release())
}
