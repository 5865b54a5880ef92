package storage

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"hstockbot/internal/sandbox/pgtest"
)

func openPostgresTest(t *testing.T) *DB {
	t.Helper()
	return openURL(t, postgresURL(t, filepath.Join(t.TempDir(), "bot.db")))
}

func openURL(t *testing.T, url string) *DB {
	t.Helper()
	db, err := Open(t.Context(), Options{URL: url, Keys: testKeys(t, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, db) })
	return db
}

// alter changes the database with a statement that names it as %.
func alter(t *testing.T, db *DB, statement string) {
	t.Helper()
	name := selectStrings(t, db, `SELECT current_database()`)[0]
	if _, err := db.writer.ExecContext(t.Context(), strings.ReplaceAll(statement, "%", name)); err != nil {
		t.Fatal(err)
	}
}

func TestConcurrentFirstStartsOnPostgres(t *testing.T) {
	url := pgtest.Empty(t)
	var starts sync.WaitGroup
	for range 3 {
		starts.Go(func() {
			db, err := Open(t.Context(), Options{URL: url, Keys: testKeys(t, 1)})
			if err != nil {
				t.Error(err)
				return
			}
			mustClose(t, db)
		})
	}
	starts.Wait()
	db := openURL(t, url)
	if n := db.count(t, `SELECT COUNT(*) FROM goose_db_version WHERE version_id = ?`, eraseVersion-1); n != 1 {
		t.Errorf("a migration was made %d times", n)
	}
}

func TestOpenRefusesServerThatLosesCommits(t *testing.T) {
	url := postgresURL(t, filepath.Join(t.TempDir(), "bot.db"))
	alter(t, openURL(t, url), `ALTER DATABASE % SET synchronous_commit = off`)
	db, err := Open(t.Context(), Options{URL: url, Keys: testKeys(t, 1)})
	if err == nil {
		mustClose(t, db)
	}
	if err == nil || !strings.Contains(err.Error(), "synchronous_commit is off") {
		t.Errorf("the error is %v", err)
	}
}

func TestSessionsOnPostgresHaveTimeouts(t *testing.T) {
	db := openPostgresTest(t)
	for name, want := range sessionSettings {
		if got := selectStrings(t, db, `SHOW `+name)[0]; got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestWriteOnPostgresIsSerializable(t *testing.T) {
	db := openPostgresTest(t)
	for want, write := range map[string]func(context.Context, func(*sqlx.Tx) error) error{"serializable": db.write, "read committed": db.submit} {
		err := write(t.Context(), func(tx *sqlx.Tx) error {
			var level string
			err := tx.GetContext(t.Context(), &level, `SHOW transaction_isolation`)
			equal(t, "isolation", want, level)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestTextOnPostgresLosesZeroBytes(t *testing.T) {
	db := openPostgresTest(t)
	user, _, err := db.TouchUser(t.Context(), 7, "An\x00n", "en", true)
	if err != nil || user.Name != "Ann" {
		t.Errorf("stored as %q: %v", user.Name, err)
	}
}

// end ends the connection of a transaction, as a failover does.
func end(t *testing.T, tx *sqlx.Tx) error {
	t.Helper()
	_, err := tx.ExecContext(t.Context(), `SELECT pg_terminate_backend(pg_backend_pid())`)
	return err
}

func TestRetriesAfterConnectionLostBeforeCommit(t *testing.T) {
	db := openPostgresTest(t)
	runs := 0
	err := db.write(t.Context(), func(tx *sqlx.Tx) error {
		if runs++; runs == 1 {
			return end(t, tx)
		}
		return set(t.Context(), tx, "a")
	})
	if err != nil || runs != 2 || !kept(t, db, "a") {
		t.Errorf("%d runs: %v", runs, err)
	}
}

// TestRetriesAfterLockTimeout: the server has undone what waited for a lock in vain.
func TestRetriesAfterLockTimeout(t *testing.T) {
	url := postgresURL(t, filepath.Join(t.TempDir(), "bot.db"))
	db := openURL(t, url)
	holder, err := openURL(t, url).writer.BeginTxx(t.Context(), &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err == nil {
		err = set(t.Context(), holder, "a")
	}
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	err = db.write(t.Context(), func(tx *sqlx.Tx) error {
		if runs++; runs == 2 {
			if err := holder.Rollback(); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(t.Context(), `SET LOCAL lock_timeout = '1ms'`); err != nil {
			return err
		}
		return set(t.Context(), tx, "a")
	})
	if err != nil || runs < 2 || !kept(t, db, "a") {
		t.Errorf("%d runs: %v", runs, err)
	}
}

// TestRetriesAfterFreeze: the server ends the transaction of a process that was stopped.
func TestRetriesAfterFreeze(t *testing.T) {
	url := postgresURL(t, filepath.Join(t.TempDir(), "bot.db"))
	db, other := openURL(t, pgtest.NewProxy(t, url).URL()), openURL(t, url)
	runs := 0
	err := db.write(t.Context(), func(tx *sqlx.Tx) error {
		if runs++; runs == 1 {
			var frozen int
			if err := tx.GetContext(t.Context(), &frozen, `SELECT pg_backend_pid() FROM set_config('idle_in_transaction_session_timeout', '1ms', true)`); err != nil {
				return err
			}
			for other.count(t, `SELECT COUNT(*) FROM pg_stat_activity, pg_sleep(0.002) WHERE pid = ?`, frozen) > 0 {
			}
		}
		return set(t.Context(), tx, "a")
	})
	if err != nil || runs != 2 || !kept(t, db, "a") {
		t.Errorf("%d runs: %v", runs, err)
	}
}

// TestSavesOfKeysQueue: those of one person lock their person before any key.
func TestSavesOfKeysQueue(t *testing.T) {
	url := postgresURL(t, filepath.Join(t.TempDir(), "bot.db"))
	db, other := openURL(t, url), openURL(t, url)
	touch(t, db, 7)
	saveKey(t, db, 7, "first-secret")
	holder, err := other.writer.BeginTxx(t.Context(), &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err == nil {
		err = other.lockUser(t.Context(), holder, 7)
	}
	if err != nil {
		t.Fatal(err)
	}
	saved := make(chan error, 1)
	go func() {
		_, err := db.SaveKey(t.Context(), 7, "second-secret")
		saved <- err
	}()
	const waiting = `SELECT COUNT(*) FROM pg_locks JOIN pg_stat_activity USING (pid), pg_sleep(0.002) WHERE NOT granted AND datname = current_database()`
	for other.count(t, waiting) == 0 && len(saved) == 0 {
	}
	if len(saved) > 0 {
		t.Error("a save did not wait for the other")
	} else if _, err := holder.ExecContext(t.Context(), `SELECT 1 FROM api_keys FOR UPDATE NOWAIT`); err != nil {
		t.Errorf("it has locked a key: %v", err)
	}
	if err := errors.Join(holder.Rollback(), <-saved); err != nil {
		t.Error(err)
	}
}

// TestRetriesAfterConnectionsWereClosed: pgx notices it in the middle of a statement.
func TestRetriesAfterConnectionsWereClosed(t *testing.T) {
	proxy := pgtest.NewProxy(t, postgresURL(t, filepath.Join(t.TempDir(), "bot.db")))
	db := openURL(t, proxy.URL())
	for range 10 {
		if err := db.SetSetting(t.Context(), "a", "before"); err != nil {
			t.Fatal(err)
		}
		proxy.Down()
		proxy.Up()
		if err := db.SetSetting(t.Context(), "a", "after"); err != nil {
			t.Error(err)
		}
	}
}

func TestCommitWithoutAnswerIsAmbiguous(t *testing.T) {
	db := openPostgresTest(t)
	for _, query := range []string{
		`CREATE FUNCTION hang_up() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $f$`,
		`CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON settings DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hang_up()`,
	} {
		if _, err := db.writer.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	runs := 0
	err := db.write(t.Context(), func(tx *sqlx.Tx) error { runs++; return set(t.Context(), tx, "a") })
	if !errors.Is(err, ErrAmbiguous) || runs != 1 {
		t.Errorf("%d runs: %v", runs, err)
	}
}

func TestRetriesUntilDatabaseIsWritable(t *testing.T) {
	url := postgresURL(t, filepath.Join(t.TempDir(), "bot.db"))
	db, operator := openURL(t, url), openURL(t, url)
	alter(t, operator, `ALTER DATABASE % SET default_transaction_read_only = on`)
	if err := db.writer.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	db.writer.SetMaxIdleConns(0) // new connections see the setting
	db.writer.SetMaxIdleConns(postgresConnections)
	runs := 0
	err := db.write(t.Context(), func(tx *sqlx.Tx) error {
		if runs++; runs == 2 {
			alter(t, operator, `ALTER DATABASE % SET default_transaction_read_only = off`)
		}
		return set(t.Context(), tx, "a")
	})
	if err != nil || runs < 2 || !kept(t, db, "a") {
		t.Errorf("%d runs: %v", runs, err)
	}
}

func TestPingDetectsRefusedWritesOnPostgres(t *testing.T) {
	db := openPostgresTest(t)
	alter(t, db, `ALTER DATABASE % SET default_transaction_read_only = on`)
	db.writer.SetMaxIdleConns(0) // new connections see the setting
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := db.Ping(ctx); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("a database that refuses writes: %v", err)
	}
}

func TestRefusedRowIsNotRetried(t *testing.T) {
	db := openPostgresTest(t)
	runs := 0
	err := db.write(t.Context(), func(tx *sqlx.Tx) error {
		runs++
		_, err := tx.ExecContext(t.Context(), `INSERT INTO settings (name, value) VALUES (?, '')`, maintenanceSetting)
		return err
	})
	if !isUnique(err) || runs != 1 {
		t.Errorf("%d runs: %v", runs, err)
	}
}

func TestCloseOnPostgresWaitsForWrites(t *testing.T) {
	url := postgresURL(t, filepath.Join(t.TempDir(), "bot.db"))
	db := openURL(t, url)
	started, release, written := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		written <- db.write(t.Context(), func(tx *sqlx.Tx) error {
			close(started)
			<-release
			return set(t.Context(), tx, "a")
		})
	}()
	<-started
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.waitForWrites(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting gives %v", err)
	}
	if err := db.SetSetting(t.Context(), "b", "late"); !errors.Is(err, ErrClosed) {
		t.Errorf("a write after Close: %v", err)
	}
	close(release)
	mustClose(t, db)
	if err := <-written; err != nil || !kept(t, openURL(t, url), "a") {
		t.Errorf("the write that had started: %v", err)
	}
}

func TestHangingStatementEnds(t *testing.T) {
	db := openPostgresTest(t)
	began := time.Now()
	err := db.write(t.Context(), func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(t.Context(), `SET LOCAL statement_timeout = '50ms'`); err != nil {
			return err
		}
		_, err := tx.ExecContext(t.Context(), `SELECT pg_sleep(60)`)
		return err
	})
	if err == nil || time.Since(began) > statementDeadline {
		t.Errorf("ended after %v: %v", time.Since(began), err)
	}
}
