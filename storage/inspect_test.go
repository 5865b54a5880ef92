package storage

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"hstockbot/internal/sandbox/pgtest"
)

// An Inspector reads a file without a -wal without locks, and says afterwards that a
// program has begun to write to it.
func TestInspectorNoticesThatAProgramStarts(t *testing.T) {
	pgtest.SQLiteOnly(t)
	path := filepath.Join(t.TempDir(), "bot.db")
	mustClose(t, openAt(t, path, testKeys(t, 1)))
	for _, test := range []struct {
		name  string
		start bool
		want  error
	}{
		{"alone", false, nil},
		{"a program starts", true, ErrChanged},
		{"a program runs", false, nil},
	} {
		i, err := Inspect(t.Context(), "sqlite:"+path, "")
		if err != nil {
			t.Fatal(err)
		}
		if test.start {
			openAt(t, path, testKeys(t, 1))
		}
		if _, err := i.Waiting(t.Context()); err != nil {
			t.Error(err)
		}
		if err := i.Close(); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
}

// What is not folded into the file is beside the file itself, not beside a link to it.
func TestInspectorFollowsLinks(t *testing.T) {
	pgtest.SQLiteOnly(t)
	path, link := filepath.Join(t.TempDir(), "bot.db"), filepath.Join(t.TempDir(), "link.db")
	db := openAt(t, path, testKeys(t, 1))
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := db.SetSetting(t.Context(), "a", "b"); err != nil {
		t.Fatal(err)
	}
	i, err := Inspect(t.Context(), "sqlite:"+link, "")
	if err != nil {
		t.Fatal(err)
	}
	if value, err := i.Setting(t.Context(), "a"); err != nil || value != "b" {
		t.Errorf("%q, %v", value, err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
}

// Nothing can be written by an Inspector, also not by mistake.
func TestInspectorCanNotWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	openAt(t, path, testKeys(t, 1))
	i, err := Inspect(t.Context(), testURL(t, path), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.side.ExecContext(t.Context(), `DELETE FROM settings`); err == nil {
		t.Error("rows are deleted")
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
}
