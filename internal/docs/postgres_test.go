package docs_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"hstockbot/internal/sandbox/pgtest"
)

const serverDeadline = time.Minute // of each step

// server is one of the two PostgreSQL servers of compose.yaml, on loopback.
type server struct {
	address, peer, folder, port string

	script  string
	runs    *exec.Cmd
	output  *bufio.Scanner
	printed []string
}

// newServers returns two servers, which end with the test.
func newServers(t *testing.T) (first, second *server) {
	t.Helper()
	pgtest.Require(t)
	folder := pgtest.ServersDir(t)
	script := filepath.Join(folder, "postgres.sh")
	if err := os.WriteFile(script, []byte(readFile(t, "docs/compose/postgres.sh")), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	first = &server{address: "127.0.0.2", peer: "127.0.0.3"}
	second = &server{address: "127.0.0.3", peer: "127.0.0.2"}
	for _, s := range []*server{first, second} {
		s.port, s.script, s.folder = port, script, filepath.Join(folder, s.address)
		if err := os.Mkdir(s.folder, 0o700); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.kill(t) })
	}
	pgtest.GiveToServers(t, script, first.folder, second.folder)
	return first, second
}

// command returns a program that runs in a process group of its own.
func (s *server) command(t *testing.T, primary, name string, arguments ...string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(context.WithoutCancel(t.Context()), name, arguments...)
	command.Dir = s.folder
	command.Env = append(os.Environ(), "SERVER="+s.address, "PEER="+s.peer, "PRIMARY="+primary, "PGPORT="+s.port,
		"PGDATA="+filepath.Join(s.folder, "pgdata"), "POSTGRES_PASSWORD=canary3", "REPLICATION_PASSWORD=canary4")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: pgtest.ServersUser(t)}
	return command
}

// start runs postgres.sh as compose.yaml does, with the value of POSTGRES_PRIMARY.
func (s *server) start(t *testing.T, primary string) {
	t.Helper()
	s.runs = s.command(t, primary, "bash", s.script, "-c", "listen_addresses="+s.address, "-c", "unix_socket_directories="+s.folder)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.runs.Stdout, s.runs.Stderr = writer, writer
	if err := errors.Join(s.runs.Start(), writer.Close()); err != nil {
		t.Fatal(err)
	}
	s.output, s.printed = bufio.NewScanner(reader), nil
}

// await waits until the server prints a line with the text.
func (s *server) await(t *testing.T, text string) {
	t.Helper()
	timeout := time.AfterFunc(serverDeadline, func() { s.kill(t) })
	defer timeout.Stop()
	for s.output.Scan() {
		s.printed = append(s.printed, s.output.Text())
		if strings.Contains(s.output.Text(), text) {
			return
		}
	}
	t.Fatalf("%s did not print %q, but\n%s", s.address, text, strings.Join(s.printed, "\n"))
}

// kill ends the server without a checkpoint, as the loss of its machine would.
func (s *server) kill(t *testing.T) {
	t.Helper()
	if s.runs == nil {
		return
	}
	signal := func(signal syscall.Signal) {
		if err := syscall.Kill(-s.runs.Process.Pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Error(err)
		}
	}
	signal(syscall.SIGQUIT) // of PostgreSQL: immediate shutdown. A script ignores it
	timeout := time.AfterFunc(serverDeadline, func() { signal(syscall.SIGKILL) })
	defer timeout.Stop()
	_ = s.runs.Wait()
	s.runs = nil
}

// stops waits until the server has ended by itself with the message.
func (s *server) stops(t *testing.T, message string) {
	t.Helper()
	s.await(t, message)
	if err := s.runs.Wait(); err == nil {
		t.Errorf("%s: status 0", s.address)
	}
	s.runs = nil
}

// query returns what the statement selects at the servers, in the form of DATABASE_URL:
// at the one of them that has the session attributes.
func query(t *testing.T, user, attributes, statement string, servers ...*server) (value string, err error) {
	t.Helper()
	var hosts, ports []string
	for _, s := range servers {
		hosts, ports = append(hosts, s.address), append(ports, s.port)
	}
	ctx, cancel := context.WithTimeout(t.Context(), serverDeadline)
	defer cancel()
	connection, err := pgx.Connect(ctx, fmt.Sprintf("host=%s port=%s user=%s password=canary3 dbname=hstockbot target_session_attrs=%s",
		strings.Join(hosts, ","), strings.Join(ports, ","), user, attributes))
	if err != nil {
		return "", err
	}
	defer func() { _ = connection.Close(ctx) }()
	err = connection.QueryRow(ctx, statement).Scan(&value)
	return value, err
}

// TestComposeFailover loses the primary server, promotes the standby and replaces what was
// lost, as the manual says.
func TestComposeFailover(t *testing.T) {
	t.Chdir(repository)
	first, second := newServers(t)
	expect := func(want, attributes, statement string, servers ...*server) {
		t.Helper()
		if got, err := query(t, "hstockbot", attributes, statement, servers...); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", statement, got, err, want)
		}
	}
	const rows = `SELECT COALESCE(string_agg(n, ' ' ORDER BY n), '') FROM bought`

	second.start(t, first.address) // waits for the first one
	second.await(t, "waiting for "+first.address)
	first.start(t, first.address)
	second.await(t, "started streaming WAL")
	expect("1", "read-write", `SELECT COUNT(*)::text FROM pg_stat_replication`, second, first)
	expect("UTF8 on on", "read-write", `SELECT current_setting('server_encoding') || ' ' || current_setting('data_checksums') || ' ' || current_setting('synchronous_commit')`, second, first)
	if _, err := query(t, "hstockbot", "read-write", `CREATE TABLE bought (n text)`, first, second); !errors.Is(err, pgx.ErrNoRows) {
		t.Error(err)
	}
	expect("1", "read-write", `INSERT INTO bought VALUES ('1') RETURNING n`, first, second)
	for _, user := range []string{"postgres", "replication"} {
		if _, err := query(t, user, "any", `SELECT 'in'`, first); err == nil {
			t.Errorf("%s logs in from the network", user)
		}
	}

	first.kill(t)
	if output, err := second.command(t, "", "pg_ctl", "promote", "--wait").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	expect("1", "read-write", rows, first, second)
	expect(`"127.0.0.2", "127.0.0.3"`, "read-write", `SHOW synchronous_standby_names`, first, second)

	first.start(t, first.address)
	first.stops(t, "127.0.0.3 was promoted and has taken the place of this server")
	if err := os.RemoveAll(filepath.Join(first.folder, "pgdata")); err != nil {
		t.Fatal(err)
	}
	first.start(t, first.address)
	first.stops(t, "127.0.0.3 has the database: set POSTGRES_PRIMARY=127.0.0.3")
	first.start(t, second.address)
	first.await(t, "started streaming WAL")
	expect("2", "read-write", `INSERT INTO bought VALUES ('2') RETURNING n`, first, second)

	// The standby that is promoted next has it, too.
	second.kill(t)
	if output, err := first.command(t, "", "pg_ctl", "promote", "--wait").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	expect("1 2", "read-write", rows, first, second)
}
