package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// What is deleted must not stay readable in the files. secure_delete (writerPragmas)
// overwrites it in the database, but only when the write-ahead log is copied there, and
// the log keeps the older versions of the pages until it is truncated: a checkpoint does
// both. Copies that SQLite leaves in the unused space of a page when it moves rows to
// another page are only removed by VACUUM.

const (
	// checkpointInterval is the shortest time between checkpoints after ordinary
	// deletions: of delivered goods, and of the updates that were handled.
	checkpointInterval = time.Minute
	// For as long as urgentFor after a person was forgotten, it is urgentInterval: the
	// update that asked for it, which names them, is deleted a moment later.
	urgentFor      = time.Minute
	urgentInterval = time.Second

	// vacuumInterval is the shortest time between two VACUUMs, because writes wait for it.
	vacuumInterval = time.Minute
	// vacuumSetting is set while a VACUUM is due because a person was forgotten. Writes
	// would wait for seconds (about 6 s for 1 GB) where the database has more than
	// maxVacuum bytes: such a one is rewritten at night, from vacuumFrom to vacuumTo
	// o'clock in the time zone of the process.
	vacuumSetting = "vacuum_due"
	maxVacuum     = 64 << 20
	vacuumFrom    = 3
	vacuumTo      = 5
)

// erase removes from the files what was deleted.
func (db *DB) erase(ctx context.Context) error {
	if db.checkpoints == nil {
		return nil
	}
	due, err := db.Setting(ctx, vacuumSetting)
	if err == nil && due != "" {
		err = db.vacuum(ctx)
	}
	return errors.Join(err, db.checkpoint(ctx))
}

// vacuum runs VACUUM, at most once in vacuumInterval, and at night only where it takes
// long: else it is repeated later.
func (db *DB) vacuum(ctx context.Context) error {
	var size int64
	if err := db.reader.GetContext(ctx, &size, `SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`); err != nil {
		return fmt.Errorf("storage: reading the size: %w", err)
	}
	now := time.Now()
	isNight := now.Hour() >= vacuumFrom && now.Hour() < vacuumTo
	if size > maxVacuum && !isNight || !db.checkpoints.startVacuum(now) {
		db.checkpoints.request()
		return nil
	}
	for _, query := range []string{`VACUUM`, `DELETE FROM settings WHERE name = '` + vacuumSetting + `'`} {
		if _, err := db.writer.ExecContext(ctx, query); err != nil {
			return fmt.Errorf("storage: vacuum: %w", err)
		}
	}
	return nil
}

// checkpointTimeout is how long a checkpoint waits for readers, and all writes for it. A
// backup reads for seconds (Backup).
const checkpointTimeout = 250 * time.Millisecond

// checkpoint copies the write-ahead log to the database and truncates it. Where readers
// prevent that for as long as checkpointTimeout, it is repeated later.
func (db *DB) checkpoint(ctx context.Context) (err error) {
	conn, err := db.writer.Connx(ctx)
	if err != nil {
		return fmt.Errorf("storage: waiting for a checkpoint: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }() // gives it back to the pool
	wait := func(timeout time.Duration) error {
		_, err := conn.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf(`PRAGMA busy_timeout = %d`, timeout.Milliseconds()))
		return err
	}
	if err := wait(checkpointTimeout); err != nil {
		return fmt.Errorf("storage: before a checkpoint: %w", err)
	}
	defer func() { err = errors.Join(err, wait(busyTimeout)) }()
	var result struct {
		Busy   int `db:"busy"`
		Frames int `db:"log"`
		Copied int `db:"checkpointed"`
	}
	if err := conn.GetContext(ctx, &result, `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		return fmt.Errorf("storage: truncating the write-ahead log: %w", err)
	}
	if result.Busy != 0 {
		db.checkpoints.request()
	}
	return nil
}

// eraseNow follows the deletion of a person or a key, which is committed: what fails is
// repeated later.
func (db *DB) eraseNow(ctx context.Context) {
	if db.checkpoints == nil {
		return
	}
	db.checkpoints.hurry()
	if db.erase(context.WithoutCancel(ctx)) != nil {
		db.checkpoints.request()
	}
}

// checkpointer erases in the background, on request.
type checkpointer struct {
	run       func(context.Context) error
	requested chan struct{} // holds one token
	stop      context.CancelFunc
	done      chan struct{}

	mu          sync.Mutex
	vacuumAt    time.Time // the last one began
	urgentUntil time.Time
	urgent      chan struct{} // holds one token: the interval has become shorter
}

// newCheckpointer returns a checkpointer with a request, for what an earlier process has
// left.
func newCheckpointer(run func(context.Context) error) *checkpointer {
	c := &checkpointer{run: run, requested: make(chan struct{}, 1), urgent: make(chan struct{}, 1), done: make(chan struct{})}
	c.request()
	return c
}

// start starts the checkpointer, which is in DB.checkpoints by then: run uses it.
func (c *checkpointer) start() {
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	go c.loop(ctx)
}

// request asks for a checkpoint, since something was deleted. PostgreSQL has no
// checkpointer.
func (c *checkpointer) request() {
	if c != nil {
		signal(c.requested)
	}
}

// hurry makes the checkpoints of the next minute follow each other sooner.
func (c *checkpointer) hurry() {
	c.mu.Lock()
	c.urgentUntil = time.Now().Add(urgentFor)
	c.mu.Unlock()
	signal(c.urgent)
}

// startVacuum reports whether a VACUUM may begin now.
func (c *checkpointer) startVacuum(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.vacuumAt.IsZero() && now.Sub(c.vacuumAt) < vacuumInterval {
		return false
	}
	c.vacuumAt = now
	return true
}

func (c *checkpointer) interval() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.urgentUntil) {
		return urgentInterval
	}
	return checkpointInterval
}

func (c *checkpointer) loop(ctx context.Context) {
	defer close(c.done)
	for {
		select {
		case <-c.requested:
		case <-ctx.Done():
			return
		}
		if !c.wait(ctx) {
			return
		}
		if err := c.run(ctx); err != nil {
			c.request()
		}
	}
}

// wait lets the interval pass, and reports false if the checkpointer is stopped.
func (c *checkpointer) wait(ctx context.Context) bool {
	for since := time.Now(); ; {
		rest := time.NewTimer(c.interval() - time.Since(since))
		select {
		case <-rest.C:
			return true
		case <-c.urgent:
			rest.Stop()
		case <-ctx.Done():
			rest.Stop()
			return false
		}
	}
}

// close stops the checkpointer. What it has not done is done when the last connection
// is closed.
func (c *checkpointer) close(ctx context.Context) error {
	c.stop()
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return errors.Join(errors.New("a checkpoint is pending"), ctx.Err())
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
