package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// The ports of a pair are in the names of its sockets.
const (
	primaryPort = "1"
	standbyPort = "2"
)

// Pair is a server and its standby, for one test.
type Pair struct {
	tb  testing.TB
	dir string // of their data and sockets
}

// NewPair starts a server and its standby, which end with the test. Synchronous: each
// commit waits until the standby has it.
func NewPair(tb testing.TB, synchronous bool) *Pair {
	tb.Helper()
	Require(tb)
	if _, err := exec.LookPath("pg_basebackup"); err != nil {
		tb.Fatal("a pair of servers needs PostgreSQL's programs in PATH: ", err)
	}
	p := &Pair{tb: tb, dir: ServersDir(tb)}
	tb.Cleanup(func() {
		for _, data := range []string{"primary", "standby"} {
			if _, err := os.Stat(filepath.Join(p.dir, data, "postmaster.pid")); err == nil {
				p.stop(data)
			}
		}
	})
	p.run("initdb", "--pgdata=primary", "--username=test", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
	p.start("primary", primaryPort)
	p.run("pg_basebackup", "--host="+p.dir, "--port="+primaryPort, "--username=test", "--pgdata=standby", "--write-recovery-conf", "--checkpoint=fast", "--no-sync")
	p.start("standby", standbyPort)
	if synchronous {
		p.exec(primaryPort, `ALTER SYSTEM SET synchronous_standby_names = '*'`)
		p.exec(primaryPort, `SELECT pg_reload_conf()`)
	}
	state := "async"
	if synchronous {
		state = "sync"
	}
	p.await(primaryPort, `SELECT EXISTS (SELECT 1 FROM pg_stat_replication WHERE sync_state = '`+state+`')`)
	p.exec(primaryPort, `CREATE DATABASE bot`)
	p.CatchUp()
	return p
}

// URL is the database's on whichever server is the primary one.
func (p *Pair) URL() string {
	query := url.Values{"host": {p.dir + "," + p.dir}, "port": {primaryPort + "," + standbyPort}, "target_session_attrs": {"read-write"}}
	return "postgres://test@/bot?" + query.Encode()
}

// CatchUp waits until the standby has what is committed by now.
func (p *Pair) CatchUp() {
	p.tb.Helper()
	var at string
	p.query(primaryPort, &at, `SELECT CAST(pg_current_wal_lsn() AS TEXT)`)
	p.await(primaryPort, `SELECT EXISTS (SELECT 1 FROM pg_stat_replication WHERE replay_lsn >= '`+at+`')`)
}

// Hold keeps from the standby what is committed from now on: FailOver loses it.
func (p *Pair) Hold() {
	p.tb.Helper()
	p.exec(standbyPort, `ALTER SYSTEM SET primary_conninfo = ''`)
	p.exec(standbyPort, `SELECT pg_reload_conf()`)
	p.await(standbyPort, `SELECT NOT EXISTS (SELECT 1 FROM pg_stat_wal_receiver)`)
}

// FailOver kills the primary and promotes the standby.
func (p *Pair) FailOver() {
	p.tb.Helper()
	p.stop("primary")
	p.exec(standbyPort, `SELECT pg_promote()`)
}

func (p *Pair) start(data, port string) {
	p.tb.Helper()
	p.run("pg_ctl", "--pgdata="+data, "--log="+data+".log", "--wait", "--silent",
		"--options=-k "+p.dir+" -p "+port+" -c listen_addresses='' -c autovacuum=off -c max_wal_size=256MB", "start")
}

// stop ends a server as a crash would.
func (p *Pair) stop(data string) {
	p.tb.Helper()
	p.run("pg_ctl", "--pgdata="+data, "--mode=immediate", "--silent", "stop")
}

func (p *Pair) run(program string, args ...string) {
	p.tb.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		p.tb.Fatal(err)
	}
	command := exec.CommandContext(context.WithoutCancel(p.tb.Context()), path, args...) //nolint:gosec // PostgreSQL's programs
	command.Dir, command.SysProcAttr = p.dir, &syscall.SysProcAttr{Credential: ServersUser(p.tb)}
	// Servers inherit it: a pipe would stay open as long as they run.
	output, err := os.Create(filepath.Join(p.dir, "output"))
	if err != nil {
		p.tb.Fatal(err)
	}
	command.Stdout, command.Stderr = output, output
	if err := errors.Join(command.Run(), output.Close()); err != nil {
		said, _ := os.ReadFile(output.Name())
		p.tb.Fatalf("%s: %v\n%s", program, err, said)
	}
}

func (p *Pair) exec(port, query string) {
	p.tb.Helper()
	p.on(port, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, query)
		return err
	})
}

func (p *Pair) query(port string, result any, query string) {
	p.tb.Helper()
	p.on(port, func(ctx context.Context, conn *pgx.Conn) error { return conn.QueryRow(ctx, query).Scan(result) })
}

// await waits until a query gives true.
func (p *Pair) await(port, query string) {
	p.tb.Helper()
	p.on(port, func(ctx context.Context, conn *pgx.Conn) error {
		for done := false; !done; {
			if err := conn.QueryRow(ctx, query).Scan(&done); err != nil {
				return err
			}
			if _, err := conn.Exec(ctx, `SELECT pg_sleep(0.002)`); err != nil { // the server's, also in a bubble
				return err
			}
		}
		return nil
	})
}

func (p *Pair) on(port string, do func(ctx context.Context, conn *pgx.Conn) error) {
	p.tb.Helper()
	ctx := context.WithoutCancel(p.tb.Context())
	conn, err := pgx.Connect(ctx, fmt.Sprint("postgres://test@/postgres?", strings.Join([]string{"host=" + p.dir, "port=" + port}, "&")))
	if err == nil {
		err = errors.Join(do(ctx, conn), conn.Close(ctx))
	}
	if err != nil {
		p.tb.Error(err) // also of another goroutine
	}
}
