package docs_test

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"maps"
	"net"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"hstockbot/internal/config"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
)

// elsewhere is what no test can run, by the words that a command begins with, and why.
var elsewhere = map[string]string{
	"docker ":      "needs Docker and the Internet; other tests check compose.yaml",
	"git pull":     "needs the server of the repository",
	"go test":      "runs this test; .ci/run runs it as it is written",
	"install ":     "writes to folders of the system",
	"journalctl ":  "needs systemd as the first process",
	"systemctl ":   "needs systemd as the first process",
	"systemd-run ": "needs systemd as the first process",
	"useradd ":     "adds a user to the system",
}

// endless are commands that run until they are stopped, and what they print when they have
// started.
var endless = map[string]string{"bin/hstockbot": "msg=started", "go run . demo": "http://127.0.0.1:"}

// TestDocumentedCommands runs the commands of each page as they are written, block by block
// in the order of the page. What an operator does between them is in prepare.
func TestDocumentedCommands(t *testing.T) {
	t.Chdir(repository)
	unused := maps.Clone(elsewhere)
	for _, page := range []string{"README.md", manual} {
		t.Run(page, func(t *testing.T) {
			o := newOperator(t)
			for _, commands := range shellBlocks(t, page) {
				commands = slices.DeleteFunc(commands, func(command string) bool {
					for words := range elsewhere {
						if strings.HasPrefix(command, words) {
							delete(unused, words)
							return true
						}
					}
					return false
				})
				if len(commands) > 0 && !t.Run(commands[0], func(t *testing.T) { o.prepare(t, commands[0]); o.run(t, commands...) }) {
					return // what follows needs it
				}
			}
		})
	}
	for words := range unused {
		if !t.Failed() { // else a page may have ended early
			t.Errorf("no page has %q", words)
		}
	}
}

// shellBlocks returns the commands of each block of a page that is marked as sh.
func shellBlocks(t *testing.T, page string) (blocks [][]string) {
	t.Helper()
	for _, block := range codeBlock.FindAllString(readFile(t, page), -1) {
		lines := strings.Split(strings.ReplaceAll(block, "\\\n", ""), "\n")
		language := strings.TrimLeft(lines[0], " `")
		if language == "" {
			t.Errorf("%s: a block names no language: %s", page, block)
		}
		if language == "sh" {
			indent := lines[0][:strings.Index(lines[0], "`")]
			for i := range lines {
				lines[i] = strings.TrimPrefix(lines[i], indent)
			}
			blocks = append(blocks, lines[1:len(lines)-1])
		}
	}
	return blocks
}

// operator is somebody who follows a page, in a folder like that of the repository.
type operator struct {
	page        *testing.T
	folder      string
	environment []string
	newKey      string // that openssl printed
	admin       *telegram.Client
	running     *exec.Cmd
	output      *bufio.Scanner // of what runs
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	o := &operator{page: t, folder: t.TempDir()}
	t.Cleanup(func() { o.stop() })
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if slices.Contains([]string{".git", ".env", "bin", "data"}, entry.Name()) {
			continue
		}
		if err := os.Symlink(filepath.Join(root, entry.Name()), filepath.Join(o.folder, entry.Name())); err != nil {
			t.Fatal(err)
		}
	}
	o.environment = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.ContainsFunc(config.Settings(), func(s config.Setting) bool { return s.Name == name })
	})
	o.environment = append(o.environment, "PATH="+filepath.Join(o.folder, "bin")+":"+os.Getenv("PATH"),
		"CGO_ENABLED=0", "GOFLAGS=-trimpath") // go run finds what make build has compiled, also in another folder
	return o
}

// prepare does what the page says in words before a command, or expects.
func (o *operator) prepare(t *testing.T, command string) {
	t.Helper()
	program := strings.Fields(command)
	switch strings.Join(program[:min(2, len(program))], " ") {
	case "go run":
		o.run(t, "go run . version") // compiles, for as long as that takes
	case "make build":
		o.fillIn(t)
	case "hstockbot backup", "hstockbot healthcheck":
		o.start(t)
	case "hstockbot restore":
		o.stop()
	case "hstockbot migrate-db":
		pgtest.Require(t)
		o.start(t) // on what was restored
		o.stop()
		o.emptyDatabase(t, "CREATE DATABASE hstockbot OWNER hstockbot ENCODING 'UTF8' TEMPLATE template0")
		o.set(t, "SECRET_KEY", readFile(t, filepath.Join(o.folder, "data/secret.key")))
	case "hstockbot doctor":
		o.start(t)
		o.lookAtOrders(t)
	case "hstockbot rotate":
		o.stop()
		o.set(t, "SECRET_KEY", o.newKey+","+readFile(t, filepath.Join(o.folder, "data/secret.key")))
		o.start(t)
	case "createuser --pwprompt":
		o.connectPostgres(t)
		o.emptyDatabase(t, "DROP ROLE IF EXISTS hstockbot")
		o.page.Cleanup(func() { o.stop(); o.emptyDatabase(o.page, "DROP ROLE IF EXISTS hstockbot") })
	case "pg_dump --format=custom":
		pgtest.Require(t)
		o.stop()
		o.set(t, "DATABASE_URL", "postgres://hstockbot:password@localhost/hstockbot")
		o.set(t, "SECRET_KEY", o.newKey)
		o.start(t)
	case "pg_restore --clean", `psql "$DATABASE_URL"`:
		pgtest.Require(t)
		o.stop()
	}
}

// fillIn writes the settings into .env, with a pretend Telegram and marketplace.
func (o *operator) fillIn(t *testing.T) {
	t.Helper()
	world := telegram.New(telegram.Options{})
	marketplace := market.New(market.Options{})
	telegramServer, marketServer := httptest.NewServer(world), httptest.NewServer(marketplace)
	o.page.Cleanup(func() {
		o.stop()
		world.Close()
		marketplace.Close()
		telegramServer.Close()
		marketServer.Close()
	})
	o.admin = world.Join(telegram.Person{ID: 7, FirstName: "Olga", LanguageCode: "en"})
	pages, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err == nil {
		err = pages.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"TELEGRAM_TOKEN": telegram.DefaultToken, "ADMIN_IDS": "7", "TELEGRAM_API_URL": telegramServer.URL,
		"HSTOCK_API_URL": marketServer.URL, "HTTP_ADDR": pages.Addr().String(),
	} {
		o.set(t, name, value)
	}
}

// lookAtOrders taps the button that lets people buy again after a restore.
func (o *operator) lookAtOrders(t *testing.T) {
	t.Helper()
	const button = "✅ I’ve checked the orders"
	ctx, cancel := context.WithTimeout(t.Context(), serverDeadline)
	defer cancel()
	o.admin.Type("/admin")
	err := o.admin.Await(ctx, func([]telegram.Message) bool { return o.admin.Tap(button) == nil })
	if err == nil {
		err = o.admin.Await(ctx, func([]telegram.Message) bool { return !strings.Contains(o.admin.Transcript(), button) })
	}
	if err != nil {
		t.Fatal(err)
	}
}

// set changes a line of .env.
func (o *operator) set(t *testing.T, name, value string) {
	t.Helper()
	path := filepath.Join(o.folder, ".env")
	text := regexp.MustCompile(`(?m)^#?`+name+`=.*$`).ReplaceAllLiteralString(readFile(t, path), name+"="+strings.TrimSpace(value))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start starts the bot if it does not run.
func (o *operator) start(t *testing.T) {
	t.Helper()
	if o.running == nil {
		o.run(t, "bin/hstockbot")
	}
}

// run runs commands with the settings of .env, as soon as there are some.
func (o *operator) run(t *testing.T, commands ...string) {
	t.Helper()
	script := strings.Join(commands, "\n")
	if _, err := os.Stat(filepath.Join(o.folder, ".env")); !errors.Is(err, fs.ErrNotExist) {
		script = "set -a; . ./.env; set +a\n" + script
	}
	command := exec.CommandContext(context.WithoutCancel(t.Context()), "sh", "-ec", script)
	command.Dir, command.Env = o.folder, o.environment
	command.Stdin = strings.NewReader("password\npassword\n")
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // without a terminal, passwords are read from standard input
	started, isEndless := endless[commands[len(commands)-1]]
	if !isEndless {
		var errs strings.Builder
		command.Stderr = &errs
		output, err := command.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s%s", script, err, output, errs.String())
		}
		if strings.HasPrefix(commands[0], "openssl rand") {
			o.newKey = strings.TrimSpace(string(output))
		}
		return
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stdout, command.Stderr = writer, writer
	if err := errors.Join(command.Start(), writer.Close()); err != nil {
		t.Fatal(err)
	}
	o.running, o.output = command, bufio.NewScanner(reader)
	o.await(t, started)
}

// await waits until what runs has printed the words, or "" until it has ended.
func (o *operator) await(t *testing.T, words string) {
	t.Helper()
	group := -o.running.Process.Pid
	timeout := time.AfterFunc(serverDeadline, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
	defer timeout.Stop()
	var printed strings.Builder
	for o.output.Scan() {
		printed.WriteString(o.output.Text() + "\n")
		if words != "" && strings.Contains(o.output.Text(), words) {
			return
		}
	}
	if words != "" {
		t.Fatalf("%q was not printed, but\n%s", words, printed.String())
	}
}

// stop stops what runs.
func (o *operator) stop() {
	if o.running == nil {
		return
	}
	if err := syscall.Kill(-o.running.Process.Pid, syscall.SIGTERM); err != nil {
		o.page.Error(err)
	}
	o.await(o.page, "")
	_ = o.running.Wait() // the status is that of sh, which the signal ended
	o.running = nil
}

// connectPostgres makes the server of the tests the one that the programs of PostgreSQL use,
// and the one at localhost.
func (o *operator) connectPostgres(t *testing.T) {
	t.Helper()
	pgtest.Require(t)
	address, err := url.Parse(pgtest.NewProxy(o.page, os.Getenv("TEST_POSTGRES")).URL())
	if err != nil {
		t.Fatal(err)
	}
	o.environment = append(o.environment, "PGHOST="+address.Hostname(), "PGPORT="+address.Port(), "PGUSER="+address.User.Username(), "PGSSLMODE=disable")
}

// emptyDatabase deletes the database of the page, and executes a statement.
func (o *operator) emptyDatabase(t *testing.T, statement string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	server, err := pgx.Connect(ctx, os.Getenv("TEST_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = server.Exec(ctx, "DROP DATABASE IF EXISTS hstockbot WITH (FORCE)")
	if err == nil {
		_, err = server.Exec(ctx, statement)
	}
	if err := errors.Join(err, server.Close(ctx)); err != nil {
		t.Fatal(err)
	}
}
