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

// maxBatch bounds how many writes share one transaction, and so how long the first of
// them waits: 256 small writes take about as long as an fsync of a slow disk.
const maxBatch = 256

// batcher runs the small writes that are queued in one transaction. While one batch
// commits the next gathers: no write waits for a batch to fill.
type batcher struct {
	writer *sqlx.DB
	wake   chan struct{} // holds one token: there may be something to do
	done   chan struct{} // closed when the loop has ended

	mu     sync.Mutex
	queue  []*operation
	closed bool
}

type operation struct {
	ctx      context.Context //nolint:containedctx // it is queued together with its write
	fn       func(tx *sqlx.Tx) error
	pipeline bool        // fn only runs statements, and fails if one does: it can't end the transaction unnoticed
	taken    atomic.Bool // by the loop, to run it, or by the caller, to cancel it
	failure  error       // of this operation alone
	reply    chan error
}

func startBatcher(writer *sqlx.DB) *batcher {
	b := &batcher{writer: writer, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go b.loop()
	return b
}

// submit runs fn in the next transaction. fn may run again after that was rolled back.
func (b *batcher) submit(ctx context.Context, pipeline bool, fn func(tx *sqlx.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("storage: waiting to write: %w", err)
	}
	op := &operation{ctx: ctx, fn: fn, pipeline: pipeline, reply: make(chan error, 1)}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return ErrClosed
	}
	b.queue = append(b.queue, op)
	b.mu.Unlock()
	signal(b.wake)

	select {
	case err := <-op.reply:
		return err
	case <-ctx.Done():
		if op.taken.CompareAndSwap(false, true) {
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
	signal(b.wake)
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("writes are pending: %w", ctx.Err())
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

// take removes the next batch from the queue, the oldest first.
func (b *batcher) take() []*operation {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(b.queue), maxBatch)
	ops := append([]*operation(nil), b.queue[:n]...)
	b.queue = append(b.queue[:0], b.queue[n:]...)
	clear(b.queue[len(b.queue):cap(b.queue)])
	return ops
}

// run runs one batch and replies to its operations after the commit. Those that are
// queued while it waits for the writer are included.
func (b *batcher) run() {
	tx, err := b.begin()
	ops := b.take()
	started := start(ops)
	if err == nil {
		err = b.transact(tx, started)
	}
	for _, op := range ops {
		if op.failure != nil {
			op.reply <- op.failure
		} else {
			op.reply <- err
		}
	}
}

// begin begins a transaction, without the context of any operation: it belongs to all.
func (b *batcher) begin() (*sqlx.Tx, error) {
	tx, err := b.writer.BeginTxx(context.Background(), nil)
	if err != nil {
		return nil, fmt.Errorf("storage: begin: %w", err)
	}
	return tx, nil
}

// start returns the operations whose callers still wait. The others fail.
func start(ops []*operation) (started []*operation) {
	for _, op := range ops {
		if !op.taken.CompareAndSwap(false, true) {
			op.failure = context.Canceled
		} else if err := op.ctx.Err(); err != nil {
			op.failure = fmt.Errorf("storage: waiting to write: %w", err)
		} else {
			started = append(started, op)
		}
	}
	return started
}

// transact runs operations in one transaction. A failure undoes only its operation: each
// has a savepoint, except one that is alone, and pipelines, for which savepoints would
// cost as much as what they do. If a pipeline fails, all run again with savepoints.
func (b *batcher) transact(tx *sqlx.Tx, ops []*operation) error {
	for _, op := range ops {
		if !op.pipeline && len(ops) > 1 {
			if err := savepoint(tx, op); err != nil {
				return errors.Join(err, rollback(tx))
			}
			continue
		}
		if op.failure = recoverTo(tx, op.fn); op.failure == nil {
			continue
		}
		if err := rollback(tx); err != nil || len(ops) == 1 {
			return err
		}
		return b.transactApart(ops)
	}
	return commit(tx)
}

// transactApart is transact with a savepoint for each operation.
func (b *batcher) transactApart(ops []*operation) error {
	tx, err := b.begin()
	if err != nil {
		return err
	}
	for _, op := range ops {
		if err := savepoint(tx, op); err != nil {
			return errors.Join(err, rollback(tx))
		}
	}
	return commit(tx)
}

func commit(tx *sqlx.Tx) error {
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("storage: commit: %w", err)
	}
	return nil
}

// savepoint runs one operation so that its failure undoes only itself. The error that it
// returns ends the whole transaction.
func savepoint(tx *sqlx.Tx, op *operation) error {
	ctx := context.Background()
	if _, err := tx.ExecContext(ctx, "SAVEPOINT op"); err != nil {
		return fmt.Errorf("storage: savepoint: %w", err)
	}
	if op.failure = recoverTo(tx, op.fn); op.failure != nil {
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO SAVEPOINT op"); err != nil {
			return fmt.Errorf("storage: roll back to the savepoint: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, "RELEASE SAVEPOINT op"); err != nil {
		return fmt.Errorf("storage: release savepoint: %w", err)
	}
	return nil
}

// recoverTo runs fn and turns a panic into an error, so that it ends neither the other
// writes nor the loop.
func recoverTo(tx *sqlx.Tx, fn func(tx *sqlx.Tx) error) (err error) {
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
