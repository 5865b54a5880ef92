package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

var newestKey = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("n"), 32))

// openWith opens a database with keys and closes it.
func openWith(t *testing.T, url, keys string, use func(db *storage.DB)) error {
	t.Helper()
	ring, err := storage.ParseKeys(keys)
	testworld.Must(t, err)
	db, err := storage.Open(t.Context(), storage.Options{URL: url, Keys: ring})
	if err != nil {
		return err
	}
	use(db)
	return db.Close(t.Context())
}

func TestRotateCommand(t *testing.T) {
	pgtest.SQLiteOnly(t)
	p := buildProgram(t)
	t.Run("keys of the file", p.rotates)
	t.Run("bad input", p.refusesToRotate)
	t.Run("read-only file", p.refusesToRotateReadOnly)
}

// The keys are those of secret.key, and the older one can be removed afterwards.
func (p program) rotates(t *testing.T) {
	url := makeDatabase(t)
	testworld.Must(t, openWith(t, url, moveKey, func(db *storage.DB) {
		_, _, err := db.TouchUser(t.Context(), 7, "Ann", "en", true)
		testworld.Must(t, err)
		_, err = db.SaveKey(t.Context(), 7, "key-of-ann")
		testworld.Must(t, err)
	}))
	settings := []string{"DATABASE_URL=" + url}
	for _, step := range []struct{ keys, want string }{
		{moveKey, "Nothing to rotate: everything is encrypted with the newest key.\n"}, // there is no second key
		{newestKey + "," + moveKey, "Rotated: 2 values were encrypted anew. Everything is encrypted with the newest key. " +
			"The older keys may go: remove them from SECRET_KEY or secret.key, and restart the bot. Backups made before "},
		{newestKey + "," + moveKey, "Nothing to rotate: everything is encrypted with the newest key. The older keys may go: "},
		{newestKey, "Nothing to rotate: everything is encrypted with the newest key. Backups made before "},
	} {
		secret := filepath.Join(filepath.Dir(strings.TrimPrefix(url, "sqlite:")), "secret.key")
		testworld.Must(t, os.WriteFile(secret, []byte(step.keys+"\n"), 0o600))
		status, stdout, stderr := p.command(t, settings, "rotate")
		if status != exitOK || !strings.HasPrefix(stdout, step.want) || strings.Count(stdout, "\n") != 1 || strings.Contains(stderr, "encrypting api_keys\n") != strings.HasPrefix(stdout, "Rotated") {
			t.Errorf("want %q, got %d %q %q", step.want, status, stdout, stderr)
		}
		if strings.Contains(step.want, "Backups") != strings.Contains(stdout, " UTC still need the older keys.\n") && !strings.Contains(step.want, "may go: ") {
			t.Errorf("got %q", stdout)
		}
	}
	testworld.Must(t, openWith(t, url, newestKey, func(db *storage.DB) {
		if key, err := db.ActiveKey(t.Context(), 7); err != nil || key.Secret != "key-of-ann" {
			t.Errorf("the key is %+v, %v", key, err)
		}
	}))
}

// One line says what is wrong; no secret is shown, and no file is made.
func (p program) refusesToRotate(t *testing.T) {
	const canary = "CANARY-of-a-password"
	folder := t.TempDir()
	server := "postgres://bot:" + canary + "@127.0.0.1:1/bot?connect_timeout=1"
	url := makeDatabase(t)
	for _, test := range []struct {
		url, key, want string
		args           []string
		status         int
	}{
		{url: url, key: moveKey, args: []string{canary}, want: "rotate takes no arguments", status: exitUsage},
		{url: canary, key: moveKey, want: "DATABASE_URL takes", status: exitUsage},
		{url: url, key: canary, want: "SECRET_KEY takes", status: exitUsage},
		{url: url, key: moveKey + "," + canary, want: "SECRET_KEY takes", status: exitUsage},
		{url: server, want: "SECRET_KEY is required", status: exitUsage},
		{url: server, key: moveKey, want: "connect", status: exitFailed},
		{url: url, want: "secret.key is missing", status: exitFailed},
		{url: url, key: newestKey, want: "values that none of the keys opens stay as they are: 1 (settings 1)", status: exitFailed},
		{url: "sqlite:" + filepath.Join(folder, "missing", "bot.db"), want: "the file is missing or empty", status: exitFailed},
		{url: url + "/bot.db", key: moveKey, want: "not a directory", status: exitFailed},
	} {
		status, stdout, stderr := p.command(t, []string{"DATABASE_URL=" + test.url, "SECRET_KEY=" + test.key}, append([]string{"rotate"}, test.args...)...)
		if status != test.status || stdout != "" || !strings.Contains(stderr, test.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: got %d %q %q", test.want, status, stdout, stderr)
		}
		if strings.Contains(stderr, canary) || strings.Contains(stderr, moveKey) || strings.Contains(stderr, newestKey) {
			t.Errorf("a secret is shown: %q", stderr)
		}
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 0 {
		t.Errorf("the folder has %v, %v", entries, err)
	}
	testworld.Must(t, openWith(t, url, moveKey, func(*storage.DB) {}))
}

// A file that may only be read stays as it is. Root may write it, so another user tries.
func (p program) refusesToRotateReadOnly(t *testing.T) {
	url := makeDatabase(t)
	path := strings.TrimPrefix(url, "sqlite:")
	before, err := os.ReadFile(path)
	testworld.Must(t, err)
	testworld.Must(t, os.Chmod(path, 0o444))
	command := exec.CommandContext(t.Context(), p.path, "rotate")
	if os.Geteuid() == 0 {
		for _, folder := range []string{filepath.Dir(path), filepath.Dir(filepath.Dir(path)), filepath.Dir(p.path), filepath.Dir(filepath.Dir(p.path))} {
			testworld.Must(t, os.Chmod(folder, 0o755))
		}
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	var stderr bytes.Buffer
	command.Env, command.Dir, command.Stderr = []string{"DATABASE_URL=" + url, "SECRET_KEY=" + newestKey + "," + moveKey}, "/", &stderr
	err = command.Run()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != exitFailed || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("got %v %q", err, &stderr)
	}
	after, err := os.ReadFile(path)
	testworld.Must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
}

// killRotation kills a rotation after it has begun with a table, unless it ends before.
func (r *builtWorld) killRotation(keys, table string) {
	r.t.Helper()
	command := exec.CommandContext(context.Background(), r.program.path, "rotate")
	command.Env = append(r.settings, "SECRET_KEY="+keys)
	output, err := command.StderrPipe()
	testworld.Must(r.t, err)
	testworld.Must(r.t, command.Start())
	for lines := bufio.NewScanner(output); lines.Scan() && lines.Text() != "encrypting "+table; {
	}
	_ = command.Process.Kill()
	_, _ = io.Copy(io.Discard, output)
	r.t.Logf("at %s: %v", table, command.Wait())
}

// TestRotateUnderLoad rotates beside the bot while people buy, kills the rotation again
// and again, and removes the older key. Nobody notices, and everything can be read.
func TestRotateUnderLoad(t *testing.T) {
	r := newBuiltWorld(t)
	both := newestKey + "," + testworld.SecretKey
	rotate := func(keys string) (status int, stdout, stderr string) {
		return r.program.command(t, append(r.settings, "SECRET_KEY="+keys), "rotate")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.restart(testworld.SecretKey)
	end := r.buy(ctx)
	r.awaitPurchases(crashPeople)
	for _, keys := range []string{both, newestKey, newestKey + "," + moveKey} {
		status, stdout, stderr := rotate(keys)
		if status != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "restart the bot with the new key in front") {
			t.Errorf("the bot does not know the key: got %d %q %q", status, stdout, stderr)
		}
	}
	r.restart(both)
	r.awaitPurchases(crashPeople)
	for _, table := range []string{"settings", "api_keys", "orders", "outbox"} {
		r.killRotation(both, table)
	}
	status, stdout, stderr := rotate(both)
	if status != exitOK || !strings.Contains(stdout, "The older keys may go") || !strings.Contains(stdout, "Backups made before ") {
		t.Fatalf("got %d %q %q", status, stdout, stderr)
	}
	r.restart(newestKey)
	r.awaitPurchases(crashPeople)
	timeout := time.AfterFunc(crashDeadline, cancel)
	end()
	timeout.Stop()
	r.awaitDeliveries(time.Now().Add(crashDeadline))
	r.check()
	if status, stdout, stderr := rotate(newestKey); status != exitOK || !strings.HasPrefix(stdout, "Nothing to rotate") {
		t.Errorf("afterwards: got %d %q %q", status, stdout, stderr)
	}
	for _, failure := range []string{"sealed value can't be read", "sealed with key"} {
		if strings.Contains(r.log.String(), failure) {
			t.Errorf("%s; the log is:\n%s", failure, &r.log)
		}
	}
	r.kill()
	testworld.Must(t, openWith(t, r.database, newestKey, func(db *storage.DB) {
		for i, b := range r.people {
			if key, err := db.ActiveKey(t.Context(), int64(i+1)); err != nil || key.Secret.Reveal() != b.key {
				t.Errorf("the key of person %d: %v", i+1, err)
			}
		}
	}))
	if err := openWith(t, r.database, testworld.SecretKey, func(*storage.DB) {}); err == nil || !strings.Contains(fmt.Sprint(err), "sealed with key") {
		t.Errorf("the older key opens the database: %v", err)
	}
}
