// Package pgtest makes databases on a PostgreSQL server for tests. It does not import
// package storage, whose tests use it too.
//
// TEST_POSTGRES is the URL of a server on which the tests may create and drop
// databases. With TEST_DATABASE=postgres all tests run on it that would use a SQLite
// file otherwise.
package pgtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

const (
	serverVariable   = "TEST_POSTGRES"
	databaseVariable = "TEST_DATABASE"
	wantedDatabase   = "postgres"

	// templateLock is the key of the advisory lock under which templates are made.
	templateLock = 0x706774657374 // "pgtest"
)

// Wanted reports whether tests that would use a SQLite file use PostgreSQL.
func Wanted() bool { return os.Getenv(databaseVariable) == wantedDatabase }

// SQLiteOnly skips a test about SQLite itself where PostgreSQL is wanted.
func SQLiteOnly(tb testing.TB) {
	tb.Helper()
	if Wanted() {
		tb.Skip("this is about SQLite")
	}
}

// Require skips a test where there is no server. In CI, and where PostgreSQL is wanted,
// the test fails.
func Require(tb testing.TB) {
	tb.Helper()
	if os.Getenv(serverVariable) != "" {
		return
	}
	if Wanted() || os.Getenv("CI") != "" {
		tb.Fatal(serverVariable + " names no PostgreSQL server")
	}
	tb.Skip(serverVariable + " names no PostgreSQL server")
}

// URL returns the URL of the database that stands for a file at path. At the first call
// it is created, and dropped at the end of the test. migrate makes the tables of an
// empty database; it is called once for each version of the migrations.
func URL(tb testing.TB, path string, migrate func(url string) error) string {
	tb.Helper()
	return create(tb, path, Prepare(tb, migrate))
}

// Prepare makes the database that URL copies, and returns its name. A test with a
// synctest bubble calls it before: migrations need real time.
func Prepare(tb testing.TB, migrate func(url string) error) string {
	tb.Helper()
	Require(tb)
	name, err := template(context.WithoutCancel(tb.Context()), migrate)
	if err != nil {
		tb.Fatal("making the template database: ", err)
	}
	return name
}

// Empty returns the URL of a database without tables, which is dropped at the end of the
// test.
func Empty(tb testing.TB) string {
	tb.Helper()
	Require(tb)
	return create(tb, tb.TempDir(), "template1")
}

// Copy returns the URL of a copy of a database that nothing is connected to, which is dropped
// at the end of the test.
func Copy(tb testing.TB, database string) string {
	tb.Helper()
	config, err := pgx.ParseConfig(database)
	if err != nil {
		tb.Fatal(err)
	}
	return create(tb, tb.TempDir(), config.Database)
}

func create(tb testing.TB, path, template string) string {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	sum := sha256.Sum256([]byte(path))
	name := "test_" + hex.EncodeToString(sum[:8])
	err := withServer(ctx, func(server *pgx.Conn) error {
		if exists, err := exists(ctx, server, name); err != nil || exists {
			return err
		}
		tb.Cleanup(func() { drop(tb, name) })
		_, err := server.Exec(ctx, `CREATE DATABASE `+name+` TEMPLATE `+template)
		return err
	})
	if err != nil {
		tb.Fatal("making a database: ", err)
	}
	return address(name)
}

func drop(tb testing.TB, name string) {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context()) // which ends before the cleanup
	err := withServer(ctx, func(server *pgx.Conn) error {
		_, err := server.Exec(ctx, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`)
		return err
	})
	if err != nil {
		tb.Error("dropping a database: ", err)
	}
}

var (
	templateMade sync.Mutex
	templateName string
)

// template returns the name of a database with the present tables, which stays on the
// server: processes share it.
func template(ctx context.Context, migrate func(url string) error) (string, error) {
	templateMade.Lock()
	defer templateMade.Unlock()
	if templateName != "" {
		return templateName, nil
	}
	version, err := schemaVersion()
	if err != nil {
		return "", err
	}
	name := "schema_" + version
	err = withServer(ctx, func(server *pgx.Conn) error {
		if _, err := server.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(templateLock)); err != nil {
			return err
		}
		if exists, err := exists(ctx, server, name); err != nil || exists {
			return err
		}
		draft := name + "_draft" // of a process that was killed, if it exists
		for _, query := range []string{`DROP DATABASE IF EXISTS ` + draft + ` WITH (FORCE)`, `CREATE DATABASE ` + draft} {
			if _, err := server.Exec(ctx, query); err != nil {
				return err
			}
		}
		if err := migrate(address(draft)); err != nil {
			return err
		}
		if err := forgetKey(ctx, draft); err != nil {
			return err
		}
		_, err := server.Exec(ctx, `ALTER DATABASE `+draft+` RENAME TO `+name)
		return err
	})
	if err == nil {
		templateName = name
	}
	return name, err
}

// forgetKey deletes the digest key, which is sealed: tests have different secret keys.
func forgetKey(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, address(name))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, `DELETE FROM settings WHERE name = 'digest_key'`)
	return errors.Join(err, conn.Close(ctx))
}

// schemaVersion returns a digest of the migrations.
func schemaVersion() (string, error) {
	root, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			return "", fs.ErrNotExist
		}
		root = filepath.Dir(root)
	}
	files, err := filepath.Glob(filepath.Join(root, "storage", "migrations", "*.sql"))
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // of this module
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprintf(sum, "%s %d\n%s", filepath.Base(file), len(text), text)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

func exists(ctx context.Context, server *pgx.Conn, name string) (found bool, err error) {
	err = server.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`, name).Scan(&found)
	return found, err
}

func withServer(ctx context.Context, do func(server *pgx.Conn) error) error {
	server, err := pgx.Connect(ctx, os.Getenv(serverVariable))
	if err != nil {
		return err
	}
	return errors.Join(do(server), server.Close(ctx))
}

// address returns the URL of a database on the server.
func address(name string) string {
	server, err := url.Parse(os.Getenv(serverVariable))
	if err != nil {
		return ""
	}
	server.Path = "/" + name
	return server.String()
}
