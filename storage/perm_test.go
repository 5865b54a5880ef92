//go:build unix

package storage

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"hstockbot/internal/sandbox/pgtest"
)

// The folder is 0700 and the files are 0600, whatever the umask, at each start.
func TestPermissions(t *testing.T) {
	pgtest.SQLiteOnly(t)
	for _, umask := range []int{0, 0o022, 0o077} {
		old := syscall.Umask(umask)
		defer syscall.Umask(old)
		path := filepath.Join(t.TempDir(), "deep", "data", "bot.db")
		keys, err := KeysBeside(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			db := openItself(t, path, keys)
			if err := db.SetSetting(t.Context(), "a", "b"); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{path, path + "-wal", path + "-shm", filepath.Join(filepath.Dir(path), secretFile)} {
				checkMode(t, name, 0o600)
			}
			checkMode(t, filepath.Dir(path), 0o700)
			checkMode(t, filepath.Dir(filepath.Dir(path)), 0o700)
			mustClose(t, db)
			if err := os.Chmod(path, 0o644); err != nil { // as a careless copy leaves it
				t.Fatal(err)
			}
		}
	}
}

// An existing folder is not changed.
func TestExistingFolderKeepsMode(t *testing.T) {
	pgtest.SQLiteOnly(t)
	folder := filepath.Join(t.TempDir(), "shared")
	if err := os.Mkdir(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	openItself(t, filepath.Join(folder, "bot.db"), testKeys(t, 1))
	checkMode(t, folder, 0o750)
}

// A secret key may be read by a group of the process, and by no other group.
func TestSecretKeyOfGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	if _, err := KeysBeside(path); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(filepath.Dir(path), secretFile)
	for _, mode := range []os.FileMode{0o640, 0o660, 0o440} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := KeysBeside(path); err != nil {
			t.Errorf("mode %04o: %v", mode, err)
		}
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if othersMay(info, []int{os.Getegid() + 1}) == 0 {
			t.Errorf("mode %04o is accepted for another group", mode)
		}
	}
}

func checkMode(t *testing.T, name string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Error(err)
		return
	}
	if info.Mode().Perm() != want {
		t.Errorf("%s is %04o, want %04o", name, info.Mode().Perm(), want)
	}
}
