package app_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// backupSettings are the settings of a bot whose Telegram and marketplace are away.
func backupSettings(url string, more ...string) []string {
	return append([]string{
		"TELEGRAM_TOKEN=" + testworld.Token, "SECRET_KEY=" + moveKey, "DATABASE_URL=" + url, "HTTP_ADDR=",
		"TELEGRAM_API_URL=http://127.0.0.1:1", "HSTOCK_API_URL=http://127.0.0.1:1",
	}, more...)
}

// runningBot is a bot in a process of its own.
type runningBot struct {
	t       *testing.T
	command *exec.Cmd
	log     *bufio.Reader
}

func (p program) start(t *testing.T, settings []string) *runningBot {
	t.Helper()
	b := &runningBot{t: t, command: exec.CommandContext(t.Context(), p.path)}
	b.command.Env, b.command.Dir = settings, t.TempDir()
	log, err := b.command.StderrPipe()
	testworld.Must(t, err)
	b.log = bufio.NewReader(log)
	testworld.Must(t, b.command.Start())
	t.Cleanup(func() { _ = b.command.Process.Kill() }) // where the test has failed
	return b
}

// until reads the log until it says something.
func (b *runningBot) until(words string) {
	b.t.Helper()
	for {
		line, err := b.log.ReadString('\n')
		if err != nil {
			b.t.Fatalf("the log ends without %q: %v", words, err)
		}
		if strings.Contains(line, words) {
			return
		}
	}
}

func (b *runningBot) stop() {
	b.t.Helper()
	testworld.Must(b.t, b.command.Process.Signal(syscall.SIGTERM))
	_, err := io.Copy(io.Discard, b.log)
	testworld.Must(b.t, err)
	testworld.Must(b.t, b.command.Wait())
}

// names returns the names of the files in a folder that begin so.
func names(t *testing.T, folder, prefix string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	testworld.Must(t, err)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), prefix) {
			found = append(found, entry.Name())
		}
	}
	return found
}

// refuses checks that a command fails with one line that has these words, and no canary.
func refuses(t *testing.T, want int, words string, status int, stdout, stderr string) {
	t.Helper()
	if status != want || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, words) {
		t.Errorf("want %d and %q, got %d %q %q", want, words, status, stdout, stderr)
	}
	if strings.Contains(stderr, moveKey) || strings.Contains(stderr, "CANARY") {
		t.Errorf("a secret or the input is shown: %q", stderr)
	}
}

// TestBackupCommand tests the commands backup and restore of the built program.
func TestBackupCommand(t *testing.T) {
	p := buildProgram(t)
	for name, test := range map[string]func(*testing.T, program){
		"of a bot":                    backupAndRestoreOfABot,
		"command line":                backupCommandLine,
		"refuses":                     backupCommandRefuses,
		"on a full or read-only disk": backupCommandOnAFullOrReadOnlyDisk,
		"of another user":             backupCommandOfAnotherUser,
		"at once":                     backupCommandsAtOnce,
		"killed":                      killedBackupCommand,
	} {
		t.Run(name, func(t *testing.T) { test(t, p) })
	}
}

// backupAndRestoreOfABot: the bot is backed up while it runs, also by itself, and
// restored to another folder when it has stopped.
func backupAndRestoreOfABot(t *testing.T, p program) {
	url := makeDatabase(t)
	daily, made := filepath.Join(t.TempDir(), "daily"), filepath.Join(t.TempDir(), "CANARY")
	bot := p.start(t, backupSettings(url, "BACKUP_DIR="+daily))
	bot.until("daily backup made")
	settings := []string{"SECRET_KEY=" + moveKey, "DATABASE_URL=" + url}
	status, stdout, stderr := p.command(t, settings, "backup", made)
	if status != exitOK || !strings.HasPrefix(stdout, "Backed up and checked: ") || strings.Count(stdout, "\n") != 1 || !strings.Contains(stdout, "The key is not in the backup") || stderr != "" {
		t.Errorf("backup: %d %q %q", status, stdout, stderr)
	}
	status, piped, stderr := p.command(t, settings, "backup", "-")
	if status != exitOK || !strings.HasPrefix(piped, "SQLite format 3\x00") || !strings.HasPrefix(stderr, "Backed up and checked: ") {
		t.Errorf("backup to standard output: %d, %d bytes, %q", status, len(piped), stderr)
	}
	status, stdout, stderr = p.command(t, settings, "backup", made)
	refuses(t, exitFailed, "overwrites nothing", status, stdout, stderr)
	status, stdout, stderr = p.command(t, settings, "restore", made)
	refuses(t, exitFailed, "a program uses the database; stop it first", status, stdout, stderr)
	bot.stop()

	other := filepath.Join(t.TempDir(), "new", "bot.db")
	settings[1] = "DATABASE_URL=sqlite:" + other
	for i, from := range []string{made, filepath.Join(daily, names(t, daily, "bot.db.")[0])} {
		status, stdout, stderr := p.command(t, settings, "restore", from)
		if status != exitOK || !strings.HasPrefix(stdout, "Restored. ") || strings.Count(stdout, "\n") != 1 || stderr != "" || strings.Contains(stdout, "is kept as bot.db.before-restore-") != (i > 0) {
			t.Errorf("restore: %d %q %q", status, stdout, stderr)
		}
		bot := p.start(t, backupSettings("sqlite:"+other))
		bot.until("msg=started")
		bot.stop()
	}
	if found := names(t, filepath.Dir(other), "bot.db.before-restore-"); len(found) != 1 {
		t.Errorf("kept: %v", found)
	}
}

func backupCommandLine(t *testing.T, p program) {
	for _, args := range [][]string{{"backup"}, {"backup", ""}, {"backup", "CANARY", "x"}, {"backup", "-CANARY"}, {"restore"}, {"restore", "-"}, {"restore", "CANARY", "x"}} {
		status, stdout, stderr := p.command(t, nil, args...)
		refuses(t, exitUsage, args[0]+" takes FILE", status, stdout, stderr)
	}
	for _, command := range []string{"backup", "restore"} {
		if status, stdout, stderr := p.command(t, nil, command, "-h"); status != exitOK || !strings.Contains(stdout, command+" FILE") || stderr != "" {
			t.Errorf("%s -h: %d %q %q", command, status, stdout, stderr)
		}
		status, stdout, stderr := p.command(t, []string{"DATABASE_URL=CANARY"}, command, "x")
		refuses(t, exitUsage, "DATABASE_URL takes", status, stdout, stderr)
		settings := []string{"DATABASE_URL=postgres://bot:CANARY@127.0.0.1:1/bot", "SECRET_KEY=" + moveKey}
		status, stdout, stderr = p.command(t, settings, command, "x")
		refuses(t, exitFailed, map[string]string{"backup": "pg_dump --format=custom", "restore": "pg_restore --clean --if-exists"}[command], status, stdout, stderr)
	}
}

// backupCommandRefuses: one line each, and nothing has changed.
func backupCommandRefuses(t *testing.T, p program) {
	url := makeDatabase(t)
	path, err := storage.FilePath(url)
	testworld.Must(t, err)
	folder := t.TempDir()
	settings := []string{"SECRET_KEY=" + moveKey, "DATABASE_URL=" + url}
	good := filepath.Join(folder, "good")
	if status, _, stderr := p.command(t, settings, "backup", good); status != exitOK {
		t.Fatal(stderr)
	}
	empty := filepath.Join(folder, "empty")
	testworld.Must(t, os.WriteFile(empty, nil, 0o600))
	before, present := names(t, filepath.Dir(path), ""), read(t, path)
	noKey := []string{"DATABASE_URL=" + url}
	for _, test := range []struct {
		settings          []string
		words             string
		status            int
		command, argument string
	}{
		{settings, "that is a folder", exitFailed, "backup", folder},
		{settings, "no such file or directory", exitFailed, "backup", filepath.Join(folder, "CANARY", "x")},
		{settings, "overwrites nothing", exitFailed, "backup", path},
		{noKey, "the key is missing", exitFailed, "backup", filepath.Join(folder, "x")},
		{[]string{"SECRET_KEY=" + moveKey, "DATABASE_URL=sqlite:" + filepath.Join(folder, "CANARY")}, "there is no database", exitFailed, "backup", filepath.Join(folder, "x")},
		{settings, "the backup: storage: there is no database", exitFailed, "restore", filepath.Join(folder, "CANARY")},
		{settings, "missing or empty", exitFailed, "restore", empty},
		{noKey, "the key is missing", exitFailed, "restore", good},
	} {
		status, stdout, stderr := p.command(t, test.settings, test.command, test.argument)
		refuses(t, test.status, test.words, status, stdout, stderr)
	}
	if after := names(t, filepath.Dir(path), ""); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("files before %v, after %v", before, after)
	}
	if read(t, path) != present {
		t.Error("the database has changed")
	}
	if left := names(t, folder, ""); strings.Join(left, " ") != "empty good" {
		t.Errorf("left: %v", left)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	testworld.Must(t, err)
	return string(content)
}

// mounted mounts a file system in memory, or skips the test.
func mounted(t *testing.T, options string) (folder string, remount func(options string)) {
	t.Helper()
	folder = t.TempDir()
	mount := func(args ...string) ([]byte, error) {
		return exec.CommandContext(context.WithoutCancel(t.Context()), "mount", append(args, folder)...).CombinedOutput()
	}
	if output, err := mount("-t", "tmpfs", "-o", options, "tmpfs"); err != nil {
		t.Skipf("a file system can't be mounted: %v %s", err, output)
	}
	t.Cleanup(func() {
		if output, err := exec.CommandContext(context.WithoutCancel(t.Context()), "umount", folder).CombinedOutput(); err != nil {
			t.Errorf("%v %s", err, output)
		}
	})
	return folder, func(options string) {
		if output, err := mount("-o", "remount,"+options); err != nil {
			t.Fatalf("%v %s", err, output)
		}
	}
}

func backupCommandOnAFullOrReadOnlyDisk(t *testing.T, p program) {
	url := makeDatabase(t)
	settings := []string{"SECRET_KEY=" + moveKey, "DATABASE_URL=" + url}
	good := filepath.Join(t.TempDir(), "good")
	if status, _, stderr := p.command(t, settings, "backup", good); status != exitOK {
		t.Fatal(stderr)
	}
	for options, words := range map[string]string{"size=64k": "no space is left on the disk", "ro": "read-only"} {
		disk, remount := mounted(t, "size=64k")
		remount(options)
		status, stdout, stderr := p.command(t, settings, "backup", filepath.Join(disk, "CANARY"))
		refuses(t, exitFailed, words, status, stdout, stderr)
		status, stdout, stderr = p.command(t, []string{settings[0], "DATABASE_URL=sqlite:" + disk + "/bot.db"}, "restore", good)
		refuses(t, exitFailed, words, status, stdout, stderr)
		if left := names(t, disk, ""); strings.Join(left, " ") != "bot.db.lock" && len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
	// A disk that has become read-only can be saved.
	disk, remount := mounted(t, "size=4m")
	testworld.Must(t, os.WriteFile(filepath.Join(disk, "bot.db"), []byte(read(t, good)), 0o600))
	remount("ro")
	if status, _, stderr := p.command(t, []string{settings[0], "DATABASE_URL=sqlite:" + disk + "/bot.db"}, "backup", filepath.Join(t.TempDir(), "x")); status != exitOK {
		t.Error(stderr)
	}
}

// backupCommandOfAnotherUser: what root restores belongs to the owner of the database
// before.
func backupCommandOfAnotherUser(t *testing.T, p program) {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("only root can be another user")
	}
	url := makeDatabase(t)
	path, err := storage.FilePath(url)
	testworld.Must(t, err)
	folder := t.TempDir()
	settings := []string{"SECRET_KEY=" + moveKey, "DATABASE_URL=" + url}
	good := filepath.Join(folder, "good")
	if status, _, stderr := p.command(t, settings, "backup", good); status != exitOK {
		t.Fatal(stderr)
	}
	testworld.Must(t, os.Chown(path, nobody, nobody))
	if status, _, stderr := p.command(t, settings, "restore", good); status != exitOK {
		t.Fatal(stderr)
	}
	for _, name := range []string{path, path + ".lock"} {
		info, err := os.Stat(name)
		testworld.Must(t, err)
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != nobody || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %+v", filepath.Base(name), stat)
		}
	}
}

// backupCommandsAtOnce: one of them makes the backup.
func backupCommandsAtOnce(t *testing.T, p program) {
	url := makeDatabase(t)
	settings := []string{"SECRET_KEY=" + moveKey, "DATABASE_URL=" + url}
	to := filepath.Join(t.TempDir(), "backup")
	var group sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range 3 {
		group.Go(func() {
			status, stdout, stderr := p.command(t, settings, "backup", to)
			mu.Lock()
			defer mu.Unlock()
			if status == exitOK {
				made++
				return
			}
			refuses(t, exitFailed, "overwrites nothing", status, stdout, stderr)
		})
	}
	group.Wait()
	if left := names(t, filepath.Dir(to), ""); made != 1 || len(left) != 1 {
		t.Errorf("made %d, files %v", made, left)
	}
	other := []string{settings[0], "DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "bot.db")}
	if status, _, stderr := p.command(t, other, "restore", to); status != exitOK {
		t.Error(stderr)
	}
}

// killedBackupCommand: nothing half has the name of the backup, and the next one works.
func killedBackupCommand(t *testing.T, p program) {
	url := makeDatabase(t)
	settings := []string{"SECRET_KEY=" + moveKey, "DATABASE_URL=" + url}
	folder := t.TempDir()
	to := filepath.Join(folder, "backup")
	for n := 0; len(names(t, folder, "backup.")) == 0 && n < 100; n++ {
		_ = os.Remove(to) // one that was faster
		command := exec.CommandContext(t.Context(), p.path, "backup", to)
		command.Env = settings
		testworld.Must(t, command.Start())
		for i := 0; len(names(t, folder, "backup")) == 0 && i < 1_000_000; i++ { // until it writes
			runtime.Gosched()
		}
		testworld.Must(t, command.Process.Kill())
		_ = command.Wait() // it was killed, or was faster
	}
	if left := names(t, folder, "backup."); len(left) == 0 || slices.ContainsFunc(left, func(name string) bool { return !strings.Contains(name, ".part") }) {
		t.Fatalf("left: %v", left)
	}
	if _, err := os.Stat(to); err == nil {
		testworld.Must(t, os.Remove(to))
	}
	if status, _, stderr := p.command(t, settings, "backup", to); status != exitOK {
		t.Error(stderr)
	}
}
