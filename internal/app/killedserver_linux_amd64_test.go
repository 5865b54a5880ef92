package app_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"

	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/testworld"
)

// What a fileScenario has to do with PostgreSQL.
const (
	toPostgres = " to PostgreSQL" // it moves the shop there
	onPostgres = " on PostgreSQL" // the shop is there
)

// shopFile holds the URL of a shop's database on PostgreSQL.
const shopFile = "shop.url"

// databaseOf returns the URL of the shop's database that belongs to a folder.
func databaseOf(t *testing.T, folder string) string {
	t.Helper()
	if path := filepath.Join(folder, shopFile); size(path) > 0 {
		return read(t, path)
	}
	return "sqlite:" + filepath.Join(folder, "bot.db")
}

// putOnServer makes a database on PostgreSQL that of a folder.
func putOnServer(t *testing.T, folder, url string) {
	t.Helper()
	testworld.Must(t, os.WriteFile(filepath.Join(folder, shopFile), []byte(url), 0o600))
}

// copyOnServer gives the copy of a folder a copy of its database on PostgreSQL, of which each
// commit is an event, and returns its URL for the process that is killed.
func copyOnServer(t *testing.T, folder string, e *events) string {
	t.Helper()
	url := pgtest.Copy(t, databaseOf(t, folder))
	putOnServer(t, folder, url)
	return watched(t, url, e)
}

// watched returns the URL of a database on PostgreSQL through which each commit is an event.
func watched(t *testing.T, url string, e *events) string {
	t.Helper()
	proxy := pgtest.NewProxy(t, url)
	proxy.Watch(e.event)
	return proxy.URL()
}

// rotationOnServer gives a database a new key that has values in all places.
func rotationOnServer() fileScenario {
	s := rotationOf(version9Key, func(t *testing.T, folder string) {
		t.Helper()
		url := pgtest.Empty(t)
		makeVersion9(t, url)
		migrates(t, url)
		putOnServer(t, folder, url)
	})
	s.server = onPostgres
	s.must = []string{"settings", "api_keys", "purchases", "orders", "outbox"}
	return s
}

// migrationOnServer starts with what migration starts with, on PostgreSQL.
func migrationOnServer() fileScenario {
	var want contents
	return fileScenario{
		command: "migrate", keys: version9Key, server: onPostgres,
		prepare: func(t *testing.T, folder string) {
			t.Helper()
			url := pgtest.Empty(t)
			makeVersion9(t, url)
			putOnServer(t, folder, url)
			want = migrates(t, pgtest.Copy(t, url))
			if len(want["orders"]) == 0 {
				t.Fatal("the shop is empty")
			}
		},
		check: func(t *testing.T, folder string, _ contents) {
			t.Helper()
			same(t, "migrate", want, migrates(t, databaseOf(t, folder)))
		},
		must: []string{"goose_db_version"},
	}
}

// makeVersion9 makes the tables of schema version 9 in an empty database on PostgreSQL, and
// copies the rows of the file of that version there.
func makeVersion9(t *testing.T, url string) {
	t.Helper()
	server, err := sqlx.Open("pgx", url)
	testworld.Must(t, err)
	defer func() { testworld.Must(t, server.Close()) }()
	server.SetMaxOpenConns(1) // the setting below is a connection's
	provider, err := goose.NewProvider(goose.DialectPostgres, server.DB, os.DirFS(filepath.Join("..", "..", "storage", "migrations")))
	testworld.Must(t, err)
	_, err = provider.UpTo(t.Context(), 9)
	testworld.Must(t, err)
	file, err := sqlx.Open("sqlite", "file:"+version9+"?mode=ro&immutable=1")
	testworld.Must(t, err)
	defer func() { testworld.Must(t, file.Close()) }()
	tx, err := file.BeginTxx(t.Context(), nil)
	testworld.Must(t, err)
	defer func() { testworld.Must(t, tx.Rollback()) }()
	var tables []string
	testworld.Must(t, tx.SelectContext(t.Context(), &tables, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('goose_db_version', 'sqlite_sequence')`))
	_, err = server.ExecContext(t.Context(), `SET session_replication_role = replica`) // rows in any order
	testworld.Must(t, err)
	for _, table := range tables {
		for _, r := range readRows(t, tx, table) {
			columns := slices.Sorted(maps.Keys(r))
			_, err := server.NamedExecContext(t.Context(), fmt.Sprintf(`INSERT INTO %s (%s) VALUES (:%s)`,
				table, strings.Join(columns, ", "), strings.Join(columns, ", :")), map[string]any(r))
			testworld.Must(t, err)
		}
	}
}
