package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/jmoiron/sqlx"
)

// maxBatch bounds how many writes share one transaction, so that the first
// of them doesn't wait for an endless queue: 256 small writes take about as
// long as a slow disk's fsync.
const maxBatch = 256

// batcher runs small writes that wait together in one transaction. While one
// batch is being made durable the next gathers; nobody waits for company.
type batcher struct {
	writer *sqlx.DB
	wake   chan struct{} // holds one token: there may be something to do
	done   chan struct{} // closed when the loop has ended

	mu     sync.Mutex
	queue  []*operation
	closed bool
}

type operation struct {
	ctx   context.Context //nolint:containedctx // it waits in a queue together with its write
	fn    func(tx *sqlx.Tx) error
	begun atomic.Bool // taken by the loop, or given up by the caller: whoever is first
	own   error       // what fn said
	reply chan error
}

func startBatcher(writer *sqlx.DB) *batcher {
	b := &batcher{writer: writer, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go b.loop()
	return b
}

func (b *batcher) submit(ctx context.Context, fn func(tx *sqlx.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("storage: waiting to write: %w", err)
	}
	op := &operation{ctx: ctx, fn: fn, reply: make(chan error, 1)}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return ErrClosed
	}
	b.queue = append(b.queue, op)
	b.mu.Unlock()
	b.signal()

	select {
	case err := <-op.reply:
		return err
	case <-ctx.Done():
		if op.begun.CompareAndSwap(false, true) {
			return fmt.Errorf("storage: waiting to write: %w", ctx.Err())
		}
		return <-op.reply
	}
}

// close refuses new writes and waits until the queued ones have ended, or ctx is done.
func (b *batcher) close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.signal()
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("writes are pending: %w", ctx.Err())
	}
}

func (b *batcher) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *batcher) loop() {
	defer close(b.done)
	for range b.wake {
		for b.waiting() {
			b.run()
		}
		if b.drained() {
			return
		}
	}
}

func (b *batcher) waiting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue) > 0
}

func (b *batcher) drained() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed && len(b.queue) == 0
}

// take returns the next batch, the oldest first.
func (b *batcher) take() []*operation {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(b.queue), maxBatch)
	ops := append([]*operation(nil), b.queue[:n]...)
	b.queue = append(b.queue[:0], b.queue[n:]...)
	clear(b.queue[len(b.queue):cap(b.queue)])
	return ops
}

// run runs one batch and, after its commit, answers everyone in it. Who comes
// while it waits for the writer is in it.
func (b *batcher) run() {
	// Nobody's context: it is everybody's transaction.
	tx, err := b.writer.BeginTxx(context.Background(), nil)
	ops := b.take()
	if err != nil {
		err = fmt.Errorf("storage: begin: %w", err)
	} else {
		err = transact(tx, ops)
	}
	for _, op := range ops {
		if op.own != nil {
			op.reply <- op.own
		} else {
			op.reply <- err
		}
	}
}

func transact(tx *sqlx.Tx, ops []*operation) error {
	alone := len(ops) == 1 // the transaction itself is its savepoint
	written := false
	for _, op := range ops {
		if !op.begun.CompareAndSwap(false, true) {
			op.own = context.Canceled // its caller has gone and reads no reply
			continue
		}
		if err := op.ctx.Err(); err != nil {
			op.own = fmt.Errorf("storage: waiting to write: %w", err)
			continue
		}
		if alone {
			op.own = caught(tx, op.fn)
		} else if err := savepoint(tx, op); err != nil {
			return errors.Join(err, rollback(tx))
		}
		written = written || op.own == nil
	}
	if !written {
		return rollback(tx)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("storage: commit: %w", err)
	}
	return nil
}

// savepoint runs one operation so that its own error undoes only itself. The
// error it returns is the transaction's: it can't go on.
func savepoint(tx *sqlx.Tx, op *operation) error {
	ctx := context.Background()
	if _, err := tx.ExecContext(ctx, "SAVEPOINT op"); err != nil {
		return fmt.Errorf("storage: savepoint: %w", err)
	}
	if op.own = caught(tx, op.fn); op.own != nil {
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO SAVEPOINT op"); err != nil {
			return fmt.Errorf("storage: back to the savepoint: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, "RELEASE SAVEPOINT op"); err != nil {
		return fmt.Errorf("storage: release savepoint: %w", err)
	}
	return nil
}

// caught runs fn and turns a panic into an error: it must not take other
// people's writes, or the loop, with it.
func caught(tx *sqlx.Tx, fn func(tx *sqlx.Tx) error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("storage: panic in a write: %v\n%s", value, debug.Stack())
		}
	}()
	return fn(tx)
}

func rollback(tx *sqlx.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("storage: rollback: %w", err)
	}
	return nil
}
