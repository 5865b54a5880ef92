package app_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"hstockbot/internal/app"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// serverFile holds the URL of the PostgreSQL database that a folder's shop is moved to.
const serverFile = "server.url"

// serverFor makes an empty database on PostgreSQL, of which each commit is an event, and
// returns its URL for the process that is killed.
func serverFor(t *testing.T, folder string, e *events) string {
	t.Helper()
	url := pgtest.Empty(t)
	testworld.Must(t, os.WriteFile(filepath.Join(folder, serverFile), []byte(url), 0o600))
	return watched(t, url, e)
}

// move moves the shop from file to file.
func move() fileScenario {
	m := mover{
		to: func(_ *testing.T, folder string) string { return "sqlite:" + filepath.Join(folder, movedFile) },
		empty: func(t *testing.T, folder string) { // only what the message names
			t.Helper()
			testworld.Must(t, os.Remove(filepath.Join(folder, movedFile)))
		},
	}
	s := m.scenario()
	s.must = []string{"write bot.db-wal"}
	return s
}

// moveToServer moves it to PostgreSQL.
func moveToServer() fileScenario {
	m := mover{to: func(t *testing.T, folder string) string {
		t.Helper()
		return read(t, filepath.Join(folder, serverFile))
	}}
	m.empty = func(t *testing.T, folder string) {
		t.Helper()
		onServer(t, m.to(t, folder), `DROP SCHEMA public CASCADE`, `CREATE SCHEMA public`)
	}
	s := m.scenario()
	s.server = toPostgres
	s.must = []string{"api_keys,", "write bot.db-wal", "sync bot.db-wal"}
	return s
}

// mover knows the database that a shop is moved to.
type mover struct {
	to    func(t *testing.T, folder string) (url string)
	empty func(t *testing.T, folder string) // does what the message of an unfinished move says
}

func (m mover) scenario() fileScenario {
	return fileScenario{
		command: "migrate-db", keys: testworld.SecretKey, prepare: shop,
		after: m.afterTheKill,
		check: func(t *testing.T, folder string, before contents) {
			t.Helper()
			if err := openShop(t, databaseOf(t, folder)); !errors.Is(err, storage.ErrMoved) {
				t.Errorf("the old database opens: %v", err)
			}
			testworld.Must(t, openShop(t, m.to(t, folder)))
			m.same(t, m.to(t, folder), before)
		},
	}
}

func openShop(t *testing.T, url string) error {
	t.Helper()
	return openWith(t, url, testworld.SecretKey, func(*storage.DB) {})
}

// same compares the rows of a database with those of the shop, but for what a move marks.
func (m mover) same(t *testing.T, url string, before contents) {
	t.Helper()
	now, _ := contentsOf(t, url, testworld.SecretKey)
	marks := []string{"moved", "moving", "timeline", "tables", "maintenance"} // the last one stands for none
	same(t, url, before.withoutSettings(marks...), now.withoutSettings(marks...))
}

// afterTheKill: the old database has all rows, and never do both databases open as the shop.
// Where the command refuses to go on it says what to do, which is done here.
func (m mover) afterTheKill(t *testing.T, folder string, before contents) (again bool) {
	t.Helper()
	if url := m.to(t, folder); strings.HasPrefix(url, "postgres") {
		// The server has noticed that the process has ended.
		onServer(t, url, `DO $$ BEGIN WHILE EXISTS (
			SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
		) LOOP PERFORM pg_sleep(0.01), pg_stat_clear_snapshot(); END LOOP; END $$`)
	}
	m.same(t, databaseOf(t, folder), before)
	old := openShop(t, databaseOf(t, folder))
	if old != nil && !errors.Is(old, storage.ErrMoved) {
		t.Errorf("the old database: %v", old)
	}
	if !m.made(t, folder) {
		return true
	}
	moved := openShop(t, m.to(t, folder))
	switch {
	case errors.Is(moved, storage.ErrMoveUnfinished) && old == nil:
		err := app.Move(context.WithoutCancel(t.Context()), app.MoveOptions{From: databaseOf(t, folder), To: m.to(t, folder), SecretKey: redact.Secret(testworld.SecretKey), Progress: io.Discard})
		if err == nil || !strings.Contains(err.Error(), "delete the file, or drop the database and create it again, then run migrate-db again. FROM has all rows") {
			t.Errorf("moved again: %v", err)
		}
		m.empty(t, folder)
	case moved == nil && old == nil:
		if rows, _ := contentsOf(t, m.to(t, folder), testworld.SecretKey); len(rows["users"]) > 0 {
			t.Errorf("both databases open, and the new one has %d people", len(rows["users"]))
		}
	case moved != nil && !errors.Is(moved, storage.ErrMoveUnfinished):
		t.Errorf("the new database: %v", moved)
	}
	return moved != nil || old == nil
}

// made reports whether there is a new database. Opening it would make one.
func (m mover) made(t *testing.T, folder string) bool {
	t.Helper()
	path, err := storage.FilePath(m.to(t, folder))
	testworld.Must(t, err)
	return path == "" || size(path) > 0
}

// onServer runs statements on PostgreSQL.
func onServer(t *testing.T, url string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	testworld.Must(t, err)
	for _, statement := range statements {
		_, err := conn.Exec(t.Context(), statement)
		testworld.Must(t, err)
	}
	testworld.Must(t, conn.Close(t.Context()))
}
