package app_test

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// inputWorld is the folder of a bot that does not run, in which something is wrong.
type inputWorld struct {
	*testing.T
	program
	folder, key string
	wrapper     []string // a command that runs the program
	user        *syscall.Credential
}

const nobody = 65534

// newInputWorld makes a folder with a database, and one with a backup of it.
func newInputWorld(t *testing.T, p program, content string) *inputWorld {
	t.Helper()
	w := &inputWorld{T: t, program: p, folder: t.TempDir(), key: newestKey + "," + moveKey}
	for _, folder := range []string{"data", "backups", "other"} {
		testworld.Must(t, os.Mkdir(w.path(folder), 0o700))
	}
	w.write("data/bot.db", content)
	w.write("backups/bot.db", content)
	return w
}

func (w *inputWorld) path(name string) string { return filepath.Join(w.folder, name) }

func (w *inputWorld) write(name, content string) {
	w.Helper()
	testworld.Must(w.T, os.WriteFile(w.path(name), []byte(content), 0o600))
}

// each calls do for the database and the backup.
func (w *inputWorld) each(do func(name string) error) {
	w.Helper()
	for _, name := range []string{"data/bot.db", "backups/bot.db"} {
		testworld.Must(w.T, do(w.path(name)))
	}
}

// mount puts the content of a folder on a file system in memory, and fills that or makes it
// read-only.
func (w *inputWorld) mount(folder string, full bool) {
	w.Helper()
	disk, remount := mounted(w.T, "size=3m")
	for _, name := range names(w.T, w.path(folder), "") {
		testworld.Must(w.T, os.WriteFile(filepath.Join(disk, name), []byte(read(w.T, w.path(folder+"/"+name))), 0o600))
	}
	testworld.Must(w.T, os.RemoveAll(w.path(folder)))
	testworld.Must(w.T, os.Symlink(disk, w.path(folder)))
	if !full {
		remount("ro")
		return
	}
	if err := os.WriteFile(filepath.Join(disk, "filler"), make([]byte, 4<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		w.Errorf("the disk is not full: %v", err)
	}
}

// open lets other users into the folders, and takes the files from them.
func (w *inputWorld) open() {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		w.Skip("only root can be another user")
	}
	for _, folder := range []string{w.folder, w.path("data"), w.path("backups"), w.path("other"), filepath.Dir(w.program.path)} {
		testworld.Must(w.T, os.Chmod(filepath.Dir(folder), 0o755))
		testworld.Must(w.T, os.Chmod(folder, 0o777))
	}
	w.user = &syscall.Credential{Uid: nobody, Gid: nobody}
}

// run runs a command on the database.
func (w *inputWorld) run(command string) (status int, stdout, stderr string) {
	w.Helper()
	args := append(w.wrapper[:len(w.wrapper):len(w.wrapper)], w.program.path, command)
	switch command {
	case "backup":
		args = append(args, w.path("other/new"))
	case "restore":
		args = append(args, w.path("backups/bot.db"))
	case "migrate-db":
		args = append(args, "sqlite:"+w.path("data/bot.db"), "sqlite:"+w.path("other/new.db"))
	}
	var out, errs bytes.Buffer
	child := exec.CommandContext(w.Context(), args[0], args[1:]...)
	child.Env = append(backupSettings("sqlite:"+w.path("data/bot.db")), "SECRET_KEY="+w.key, "PATH="+os.Getenv("PATH"))
	child.Dir, child.Stdout, child.Stderr = "/", &out, &errs
	child.SysProcAttr = &syscall.SysProcAttr{Credential: w.user}
	err := child.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), out.String(), errs.String()
	}
	testworld.Must(w.T, err)
	return exitOK, out.String(), errs.String()
}

// use opens a database as a program does that takes no lock of the bot.
func (w *inputWorld) use(name string) {
	w.Helper()
	db, err := sql.Open("sqlite", "file:"+w.path(name))
	testworld.Must(w.T, err)
	db.SetMaxOpenConns(1)
	w.Cleanup(func() { _ = db.Close() })
	_, err = db.ExecContext(w.Context(), `UPDATE users SET name = 'Zoe'`)
	testworld.Must(w.T, err)
}

// state returns all files with what is in them: the rows of a database, else the bytes. The
// locks say nothing.
func (w *inputWorld) state() string {
	w.Helper()
	var state strings.Builder
	for _, folder := range []string{"data", "backups", "other"} {
		if info, err := os.Stat(w.path(folder)); err != nil || !info.IsDir() {
			continue
		}
		for _, name := range names(w.T, w.path(folder), "") {
			name = folder + "/" + name
			if strings.HasSuffix(name, ".lock") || strings.HasSuffix(name, "-shm") || size(w.path(name)) == 0 {
				continue
			}
			sum := sha256.New()
			if err := digestRows(w.path(name), func(row string) { _, _ = sum.Write([]byte(row)) }); err != nil {
				content, err := os.ReadFile(w.path(name))
				_, _ = fmt.Fprintf(sum, "%s %v", content, err)
			}
			_, _ = fmt.Fprintf(&state, "%s %x\n", name, sum.Sum(nil))
		}
	}
	return state.String()
}

// size returns that of a file, 0 where there is none.
func size(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}

// digestRows adds all rows of a database file.
func digestRows(path string, add func(row string)) (err error) {
	how := "?mode=ro"
	if size(path+"-wal") == 0 {
		how += "&immutable=1" // it makes none
	}
	db, err := sql.Open("sqlite", "file:"+path+how)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var tables []string
	each := func(query string, do func(rows *sql.Rows) error) (err error) {
		rows, err := db.Query(query) //nolint:noctx // a small file
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() && err == nil {
			err = do(rows)
		}
		return errors.Join(err, rows.Err())
	}
	err = each(`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		tables = append(tables, name)
		return err
	})
	if err == nil && len(tables) == 0 {
		err = errors.New("no tables")
	}
	for _, table := range tables {
		add(table)
		err = errors.Join(err, each(`SELECT * FROM "`+table+`" ORDER BY 1`, func(rows *sql.Rows) error {
			columns, err := rows.Columns()
			values, targets := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				targets[i] = &values[i]
			}
			err = errors.Join(err, rows.Scan(targets...))
			add(fmt.Sprintf("%q\n", values))
			return err
		}))
	}
	return err
}

// TestBadInput: each command says in one line what is wrong, and damages nothing.
func TestBadInput(t *testing.T) {
	pgtest.SQLiteOnly(t)
	p := buildProgram(t)
	url := makeDatabase(t)
	testworld.Must(t, openWith(t, url, moveKey, func(db *storage.DB) {
		_, _, err := db.TouchUser(t.Context(), 7, "Ann", "en", true)
		testworld.Must(t, err)
		_, err = db.SaveKey(t.Context(), 7, "CANARY-key-of-ann")
		testworld.Must(t, err)
	}))
	content := read(t, strings.TrimPrefix(url, "sqlite:"))
	type words map[string]string // of the line, by command
	const (
		full    = "the files can't grow: is the disk full, or the size of files limited?"
		lacks   = "which SECRET_KEY (or secret.key) lacks"
		damaged = "the database file is damaged or incomplete"
		foreign = "this is no database of this program"
		folder  = "it is a folder, not a database"
		newer   = "the database needs a newer program"
		refused = "this user may not read or write the files"
	)
	t.Run("at once", func(t *testing.T) { newInputWorld(t, p, content).commandsAtOnce() })
	for _, input := range []struct {
		name   string
		change func(w *inputWorld)
		want   words
	}{
		{"no space", func(w *inputWorld) { w.mount("data", true) }, words{
			"run": full, "restore": "no space is left on the disk", "rotate": full, "migrate-db": full, "doctor": "disk               only 0 MiB are free",
		}},
		{"no space elsewhere", func(w *inputWorld) { w.mount("other", true) }, words{"backup": "no space is left on the disk", "migrate-db": "no space is left on the disk"}},
		{"file size limit", func(w *inputWorld) { w.wrapper = []string{"sh", "-c", `ulimit -f 8; exec "$0" "$@"`} }, words{
			"run": full, "backup": full, "restore": full, "rotate": full, "migrate-db": full,
		}},
		{"read-only disk", func(w *inputWorld) { w.mount("data", false) }, words{
			"run": "read-only file system", "restore": "or the disk full or read-only?", "rotate": "read-only file system", "migrate-db": "FROM: the database can't be locked",
			"doctor": "can't make files in the folder",
		}},
		{"read-only disk elsewhere", func(w *inputWorld) { w.mount("other", false) }, words{"backup": "read-only file system", "migrate-db": "TO: the database can't be locked"}},
		{"wrong key", func(w *inputWorld) { w.key = newestKey }, words{
			"run": lacks, "backup": lacks, "restore": lacks, "rotate": "none of the keys opens", "migrate-db": lacks, "doctor": lacks,
		}},
		{"half a file", func(w *inputWorld) {
			w.each(func(name string) error { return os.Truncate(name, int64(len(content)/8192*4096)) })
		}, words{"run": damaged, "backup": damaged, "restore": damaged, "rotate": damaged, "migrate-db": damaged, "doctor": damaged}},
		{"another program's database", func(w *inputWorld) {
			w.each(func(name string) error {
				testworld.Must(w.T, os.Remove(name))
				testworld.Exec(w.T, name, `CREATE TABLE bookmarks (id INTEGER)`)
				return nil
			})
		}, words{"run": foreign, "backup": foreign, "restore": foreign, "rotate": foreign, "migrate-db": foreign, "doctor": "no database of this program"}},
		{"text", func(w *inputWorld) {
			w.each(func(name string) error { return os.WriteFile(name, bytes.Repeat([]byte("CANARY"), 1000), 0o600) })
		}, words{"run": foreign, "backup": foreign, "restore": foreign, "rotate": foreign, "migrate-db": foreign, "doctor": "no database of this program"}},
		{"folder", func(w *inputWorld) {
			w.each(func(name string) error { return errors.Join(os.Remove(name), os.Mkdir(name, 0o700)) })
		}, words{"run": "is a directory", "backup": folder, "restore": folder, "rotate": folder, "migrate-db": folder, "doctor": folder}},
		{"newer version", func(w *inputWorld) {
			w.each(func(name string) error {
				testworld.Exec(w.T, name, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
				testworld.Exec(w.T, name, `UPDATE settings SET value = '9999' WHERE name = 'schema_min'`)
				return nil
			})
		}, words{"run": newer, "backup": newer, "restore": newer, "rotate": newer, "migrate-db": newer, "doctor": "a newer program is needed"}},
		{"another user's files", func(w *inputWorld) { w.open() }, words{
			"run": "permission denied", "backup": refused, "restore": "belongs to another user", "rotate": refused, "migrate-db": refused, "doctor": refused,
		}},
		{"open in another program", func(w *inputWorld) { w.use("data/bot.db") }, words{"restore": "a program uses the database; stop it first"}},
	} {
		t.Run(input.name, func(t *testing.T) {
			for command, words := range input.want {
				t.Run(command, func(t *testing.T) {
					w := newInputWorld(t, p, content)
					input.change(w)
					before := w.state()
					w.refuses(command, words)
					if after := w.state(); after != before {
						t.Errorf("before\n%s\nafter\n%s", before, after)
					}
				})
			}
		})
	}
}

// commandsAtOnce: what one of them does is whole, and the others say why they did nothing.
func (w *inputWorld) commandsAtOnce() {
	for _, test := range []struct {
		command string
		done    []string // words of a command that found nothing left to do, or of its error
	}{
		{"restore", []string{"Restored. ", "a program uses the database"}},
		{"rotate", []string{"Rotated: ", "Nothing to rotate"}},
		{"migrate-db", []string{"a program uses the database", "was moved by migrate-db"}},
	} {
		var group sync.WaitGroup
		statuses := make(chan int, 3)
		for range cap(statuses) {
			group.Go(func() {
				status, stdout, stderr := w.run(test.command)
				statuses <- status
				if strings.HasPrefix(stdout, "Moved. ") {
					return
				}
				if said := stdout + stderr; !slices.ContainsFunc(test.done, func(words string) bool { return strings.Contains(said, words) }) {
					w.Errorf("%s: %d %q", test.command, status, said)
				}
			})
		}
		group.Wait()
		close(statuses)
		succeeded := 0
		for status := range statuses {
			if status == exitOK {
				succeeded++
			}
		}
		if succeeded == 0 || test.command == "migrate-db" && succeeded > 1 {
			w.Errorf("%s succeeded %d times", test.command, succeeded)
		}
	}
	testworld.Must(w.T, openWith(w.T, "sqlite:"+w.path("other/new.db"), newestKey, func(db *storage.DB) {
		if key, err := db.ActiveKey(w.Context(), 7); err != nil || key.Secret != "CANARY-key-of-ann" {
			w.Errorf("the key: %v", err)
		}
	}))
}

// refuses checks that a command fails with a line that has these words: one of the doctor's
// report, else the error.
func (w *inputWorld) refuses(command, words string) {
	w.Helper()
	status, stdout, stderr := w.run(command)
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	if command == "rotate" || command == "migrate-db" { // after their progress
		lines = lines[len(lines)-1:]
	}
	said := stderr
	if command == "doctor" {
		said, stdout = stdout, ""
	}
	if status != exitFailed || stdout != "" || len(lines) != 1 || !strings.Contains(said, words) {
		w.Errorf("want %q, got %d\n%s%s", words, status, said, stdout)
	}
	for _, hidden := range []string{moveKey, newestKey, "CANARY", "%!", "goroutine "} {
		if strings.Contains(said, hidden) {
			w.Errorf("%q is shown:\n%s", hidden, said)
		}
	}
}
