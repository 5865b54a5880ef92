package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"

	"hstockbot/internal/sandbox/pgtest"
)

// waitQueued returns when n writes are queued in the batcher.
func waitQueued(t *testing.T, db *DB, n int) {
	t.Helper()
	pgtest.SQLiteOnly(t)
	for {
		db.batch.mu.Lock()
		waiting := len(db.batch.queue)
		db.batch.mu.Unlock()
		if waiting >= n {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal("the writes never queued")
		}
		runtime.Gosched()
	}
}

// occupy keeps the batcher busy until release is called, so that what is
// submitted meanwhile becomes one batch.
func occupy(t *testing.T, db *DB) (release func()) {
	t.Helper()
	pgtest.SQLiteOnly(t)
	started, gate := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- db.submit(t.Context(), func(*sqlx.Tx) error {
			close(started)
			<-gate
			return nil
		})
	}()
	<-started
	return func() {
		close(gate)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func set(ctx context.Context, tx *sqlx.Tx, name string) error {
	return setSetting(ctx, tx, upsertSetting, name, "kept")
}

func kept(t *testing.T, db *DB, name string) bool {
	t.Helper()
	value, err := db.Setting(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return value == "kept"
}

// In one batch an error, a panic and a refused row undo only their own write.
func TestSubmitIsolates(t *testing.T) {
	db := openTest(t)
	own := errors.New("my own")
	release := occupy(t, db)
	errs := make([]error, 40)
	var writes sync.WaitGroup
	for i := range errs {
		writes.Go(func() {
			errs[i] = db.submit(t.Context(), func(tx *sqlx.Tx) error {
				if err := set(t.Context(), tx, fmt.Sprint("op", i)); err != nil {
					return err
				}
				switch i % 4 {
				case 1:
					return own
				case 2:
					panic("out of hand")
				case 3:
					_, err := tx.ExecContext(t.Context(), "INSERT INTO settings (name, value) VALUES (?, '')", digestSetting)
					return err
				}
				return nil
			})
		})
	}
	waitQueued(t, db, len(errs))
	release()
	writes.Wait()
	for i, err := range errs {
		ok := false
		switch i % 4 {
		case 0:
			ok = err == nil
		case 1:
			ok = errors.Is(err, own)
		case 2:
			ok = err != nil && strings.Contains(err.Error(), "out of hand")
		case 3:
			ok = isUnique(err)
		}
		if !ok {
			t.Errorf("op %d: %v", i, err)
		}
		if kept(t, db, fmt.Sprint("op", i)) != (i%4 == 0) {
			t.Errorf("op %d: kept is wrong", i)
		}
	}
}

// The same of pipelines, beside a write that is none.
func TestPipelineIsolates(t *testing.T) {
	db := openTest(t)
	release := occupy(t, db)
	errs := make([]error, 9)
	var writes sync.WaitGroup
	for i := range errs {
		insert := func(name string) command {
			return command{query: `INSERT INTO settings (name, value) VALUES (?, 'kept')`, args: []any{name}}
		}
		commands := []command{insert(fmt.Sprint("op", i)), insert(fmt.Sprint("also", i))}
		if i%3 == 1 {
			commands = append(commands, insert(digestSetting)) // exists
		}
		writes.Go(func() {
			if i == 3 {
				errs[i] = db.submit(t.Context(), func(tx *sqlx.Tx) error { return set(t.Context(), tx, "op3") })
				return
			}
			errs[i] = db.pipeline(t.Context(), func() []command { return commands })
		})
	}
	waitQueued(t, db, len(errs))
	release()
	writes.Wait()
	for i, err := range errs {
		if want := i%3 != 1; want != (err == nil) || !want && !isUnique(err) || kept(t, db, fmt.Sprint("op", i)) != want {
			t.Errorf("op %d: %v", i, err)
		}
	}
}

// The same where an operation is alone in its transaction.
func TestWriteIsolates(t *testing.T) {
	db := openTest(t)
	own := errors.New("my own")
	for name, write := range map[string]func(context.Context, func(*sqlx.Tx) error) error{"write": db.write, "submit": db.submit} {
		err := write(t.Context(), func(tx *sqlx.Tx) error { return errors.Join(set(t.Context(), tx, "a"), own) })
		if !errors.Is(err, own) || kept(t, db, "a") {
			t.Errorf("%s: an error of its own: %v", name, err)
		}
		err = write(t.Context(), func(tx *sqlx.Tx) error { _ = set(t.Context(), tx, "a"); panic("out of hand") })
		if err == nil || !strings.Contains(err.Error(), "out of hand") || kept(t, db, "a") {
			t.Errorf("%s: a panic: %v", name, err)
		}
		if err := write(t.Context(), func(tx *sqlx.Tx) error { return set(t.Context(), tx, name) }); err != nil || !kept(t, db, name) {
			t.Errorf("%s afterwards: %v", name, err)
		}
	}
}

// An operation that ends the shared transaction fails all of them: none
// was committed.
func TestSubmitBrokenTransaction(t *testing.T) {
	pgtest.SQLiteOnly(t)
	db := openTest(t)
	release := occupy(t, db)
	errs := make([]error, 3)
	var writes sync.WaitGroup
	for i := range errs {
		writes.Go(func() {
			errs[i] = db.submit(t.Context(), func(tx *sqlx.Tx) error {
				if i == 1 {
					_, err := tx.ExecContext(t.Context(), "ROLLBACK")
					return err
				}
				return set(t.Context(), tx, fmt.Sprint("op", i))
			})
		})
		waitQueued(t, db, i+1)
	}
	release()
	writes.Wait()
	for i, err := range errs {
		if err == nil || kept(t, db, fmt.Sprint("op", i)) {
			t.Errorf("op %d: %v", i, err)
		}
	}
	if err := db.submit(t.Context(), func(tx *sqlx.Tx) error { return set(t.Context(), tx, "later") }); err != nil || !kept(t, db, "later") {
		t.Errorf("the next write: %v", err)
	}
}

func TestSubmitCancelled(t *testing.T) {
	db := openTest(t)
	t.Run("while it waits", func(t *testing.T) {
		release := occupy(t, db)
		defer release()
		ctx, cancel := context.WithCancel(t.Context())
		reply := make(chan error)
		go func() {
			reply <- db.submit(ctx, func(tx *sqlx.Tx) error { return set(t.Context(), tx, "waited") })
		}()
		waitQueued(t, db, 1)
		cancel()
		if err := <-reply; !errors.Is(err, context.Canceled) {
			t.Errorf("answered %v", err)
		}
	})
	t.Run("before it was handed in", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, write := range []func(context.Context, func(*sqlx.Tx) error) error{db.write, db.submit} {
			err := write(ctx, func(tx *sqlx.Tx) error { return set(t.Context(), tx, "waited") })
			if !errors.Is(err, context.Canceled) {
				t.Errorf("answered %v", err)
			}
		}
	})
	t.Run("while it runs", func(t *testing.T) {
		for _, write := range []func(context.Context, func(*sqlx.Tx) error) error{db.write, db.submit} {
			ctx, cancel := context.WithCancel(t.Context())
			err := write(ctx, func(tx *sqlx.Tx) error {
				err := set(ctx, tx, "ran")
				cancel()
				return err
			})
			if err != nil || !kept(t, db, "ran") {
				t.Errorf("answered %v", err)
			}
		}
	})
	t.Run("within, before a statement", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := db.submit(ctx, func(tx *sqlx.Tx) error {
			cancel()
			return errors.Join(set(t.Context(), tx, "half"), set(ctx, tx, "other half"))
		})
		if !errors.Is(err, context.Canceled) || kept(t, db, "half") {
			t.Errorf("answered %v", err)
		}
	})
	if kept(t, db, "waited") {
		t.Error("a write that was reported as cancelled was done")
	}
}

// 400 concurrent writes each read a number and add one: none is lost.
func TestConcurrentReadModifyWrite(t *testing.T) {
	db := openTest(t)
	var writes sync.WaitGroup
	for i := range 400 {
		write := db.write
		if i%2 == 0 && db.batch != nil { // on PostgreSQL submit is for one row
			write = db.submit
		}
		writes.Go(func() {
			err := write(t.Context(), func(tx *sqlx.Tx) error {
				text, err := setting(t.Context(), tx, selectSetting, "count")
				if err != nil {
					return err
				}
				n, _ := strconv.Atoi(text)
				return setSetting(t.Context(), tx, upsertSetting, "count", strconv.Itoa(n+1))
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	writes.Wait()
	if got, err := db.Setting(t.Context(), "count"); err != nil || got != "400" {
		t.Errorf("counted %s (%v), want 400", got, err)
	}
}

// More writes than one batch holds.
func TestSubmitManyBatches(t *testing.T) {
	db := openTest(t)
	release := occupy(t, db)
	n := 2*maxBatch + 10
	var writes sync.WaitGroup
	for i := range n {
		writes.Go(func() {
			if err := db.submit(t.Context(), func(tx *sqlx.Tx) error { return set(t.Context(), tx, fmt.Sprint(i)) }); err != nil {
				t.Error(err)
			}
		})
	}
	waitQueued(t, db, n)
	release()
	writes.Wait()
	var got int
	if err := db.reader.GetContext(t.Context(), &got, "SELECT COUNT(*) FROM settings WHERE value = 'kept'"); err != nil || got != n {
		t.Errorf("kept %d (%v), want %d", got, err, n)
	}
}

// A statement is completed even if its context ends: an interrupted
// one would roll the shared transaction back.
func TestStatementsAreNotInterrupted(t *testing.T) {
	pgtest.SQLiteOnly(t)
	db := openTest(t)
	raw, err := db.writer.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	err = raw.Raw(func(inner any) error {
		c := inner.(*conn)
		_, err := c.ExecContext(cancelled, "INSERT INTO settings (name, value) VALUES ('steady', 'kept')", nil)
		return err
	})
	if err != nil || !kept(t, db, "steady") {
		t.Errorf("with a cancelled context: %v", err)
	}
}

// Prepared statements are kept, within the bound, and one whose rows are open is
// not reused.
func TestPreparedStatements(t *testing.T) {
	pgtest.SQLiteOnly(t)
	db := openTest(t)
	err := db.write(t.Context(), func(tx *sqlx.Tx) error {
		const query = "SELECT value FROM (SELECT 1 AS value UNION ALL SELECT 2 UNION ALL SELECT 3) WHERE value >= ? ORDER BY value"
		var got []int
		outer, err := tx.QueryContext(t.Context(), query, 1)
		if err != nil {
			return err
		}
		defer func() { _ = outer.Close() }()
		for outer.Next() {
			var value int
			if err := outer.Scan(&value); err != nil {
				return err
			}
			var within []int
			if err := tx.SelectContext(t.Context(), &within, query, value); err != nil {
				return err
			}
			got = append(got, within...)
		}
		if fmt.Sprint(got) != "[1 2 3 2 3 3]" {
			t.Errorf("nested reads give %v", got)
		}
		return outer.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	err = db.write(t.Context(), func(tx *sqlx.Tx) error {
		for i := range 3 * maxPrepared {
			var got int
			if err := tx.GetContext(t.Context(), &got, fmt.Sprint("SELECT ", i)); err != nil || got != i {
				return fmt.Errorf("statement %d gives %d: %w", i, got, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	withConn(t, db.writer.DB, func(c *conn) {
		if len(c.prepared) != maxPrepared {
			t.Errorf("%d statements are kept, want %d", len(c.prepared), maxPrepared)
		}
		for query, stmt := range c.prepared {
			if stmt.busy {
				t.Errorf("%s is busy without open rows", query)
			}
		}
	})
}

func withConn(t *testing.T, pool *sql.DB, fn func(c *conn)) {
	t.Helper()
	raw, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	if err := raw.Raw(func(inner any) error { fn(inner.(*conn)); return nil }); err != nil {
		t.Fatal(err)
	}
}
