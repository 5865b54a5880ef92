package app_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// The exit statuses of the program.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// program is the built program.
type program struct{ path string }

func buildProgram(t *testing.T) program {
	t.Helper()
	p := program{filepath.Join(t.TempDir(), "hstockbot")}
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", p.path, "hstockbot").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
	return p
}

// command runs the program with these settings and no others.
func (p program) command(t *testing.T, settings []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	command := exec.CommandContext(context.WithoutCancel(t.Context()), p.path, args...)
	command.Env, command.Dir, command.Stdout, command.Stderr = append(settings, "PATH="+os.Getenv("PATH")), t.TempDir(), &out, &errs
	err := command.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), out.String(), errs.String()
	}
	testworld.Must(t, err)
	return exitOK, out.String(), errs.String()
}

var moveKey = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("m"), 32))

// makeDatabase makes a database that is sealed with moveKey and returns its URL.
func makeDatabase(t *testing.T) string {
	t.Helper()
	keys, err := storage.ParseKeys(moveKey)
	if err != nil {
		t.Fatal(err)
	}
	url := "sqlite:" + filepath.Join(t.TempDir(), "bot.db")
	db, err := storage.Open(t.Context(), storage.Options{URL: url, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return url
}

func TestMigrateDB(t *testing.T) {
	p := buildProgram(t)
	from, to := makeDatabase(t), "sqlite:"+filepath.Join(t.TempDir(), "bot.db")
	settings := []string{"SECRET_KEY='" + moveKey + "'"}
	status, stdout, stderr := p.command(t, settings, "migrate-db", from, to)
	if status != exitOK || !strings.HasPrefix(stdout, "Moved. ") || !strings.Contains(stderr, "copying settings\n") {
		t.Errorf("got %d %q %q", status, stdout, stderr)
	}
	if strings.Contains(stdout+stderr, moveKey) {
		t.Errorf("the key is shown: %q %q", stdout, stderr)
	}
	for _, args := range [][]string{{from, to}, {to, from}} {
		if status, stdout, stderr := p.command(t, settings, append([]string{"migrate-db"}, args...)...); status != exitFailed || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("again: got %d %q %q", status, stdout, stderr)
		}
	}
	settings = []string{"TELEGRAM_TOKEN=" + testworld.Token, "SECRET_KEY=" + moveKey, "DATABASE_URL=" + from, "HTTP_ADDR="}
	if status, _, stderr := p.command(t, settings, "run"); status != exitFailed || !strings.Contains(stderr, "was moved by migrate-db; set DATABASE_URL") {
		t.Errorf("the bot on the old database: got %d %q", status, stderr)
	}
}

func TestMigrateDBHelp(t *testing.T) {
	if status, stdout, stderr := buildProgram(t).command(t, nil, "migrate-db", "-h"); status != exitOK || !strings.Contains(stdout, "migrate-db FROM TO") || stderr != "" {
		t.Errorf("got %d %q %q", status, stdout, stderr)
	}
}

// Errors show neither the password of an address nor the key.
func TestMigrateDBRefuses(t *testing.T) {
	const canary = "CANARY-of-a-password"
	p := buildProgram(t)
	file := makeDatabase(t)
	server := "postgres://bot:" + canary + "@127.0.0.1:1/bot?connect_timeout=1"
	for _, test := range []struct {
		from, to, key, want string
		status              int
	}{
		{canary, file, moveKey, "takes sqlite:PATH", exitUsage},
		{file, canary, moveKey, "takes sqlite:PATH", exitUsage},
		{server, file, "", "SECRET_KEY is required", exitUsage},
		{server, file, canary, "SECRET_KEY takes", exitUsage},
		{file, file, moveKey, "the same database", exitFailed},
		{file, server, moveKey, "TO: ", exitFailed},
		{server, "sqlite:" + filepath.Join(t.TempDir(), "bot.db"), moveKey, "FROM: ", exitFailed},
		{"sqlite:" + filepath.Join(t.TempDir(), "bot.db"), server, moveKey, "FROM: storage: there is no database", exitFailed},
	} {
		status, stdout, stderr := p.command(t, []string{"SECRET_KEY=" + test.key}, "migrate-db", test.from, test.to)
		if status != test.status || stdout != "" || !strings.Contains(stderr, test.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: got %d %q %q", test.want, status, stdout, stderr)
		}
		if strings.Contains(stderr, canary) || strings.Contains(stderr, moveKey) {
			t.Errorf("a secret is shown: %q", stderr)
		}
	}
}
