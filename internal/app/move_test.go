package app

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hstockbot/storage"
)

// makeShop makes a database with its secret.key and returns its URL.
func makeShop(t *testing.T, path string) string {
	t.Helper()
	url := "sqlite:" + path
	keys, err := storage.KeysBeside(path)
	if err != nil {
		t.Fatal(err)
	}
	db, err := storage.Open(t.Context(), storage.Options{URL: url, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	_, _, touched := db.TouchUser(t.Context(), 7, "Ann", "en", true)
	if err := errors.Join(touched, db.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	return url
}

// The key beside the file of the source is used; lines say how far the move is.
func TestMove(t *testing.T) {
	folder := t.TempDir()
	from, to := makeShop(t, filepath.Join(folder, "bot.db")), "sqlite:"+filepath.Join(folder, "new", "bot.db")
	list := filepath.Join(folder, "bot.db.forgotten")
	if err := os.WriteFile(list, fmt.Append(nil, time.Now().UnixMilli(), " digest\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Move(t.Context(), MoveOptions{From: from, To: to, Progress: &out}); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"copying users\n", "making indexes\n", "comparing users\n"} {
		if strings.Count(out.String(), line) != 1 {
			t.Errorf("the output is %q, want %q in it", &out, line)
		}
	}
	if strings.Contains(out.String(), "orders") {
		t.Errorf("the output names an empty table: %q", &out)
	}
	if _, err := os.Stat(filepath.Join(folder, "new", "secret.key")); err == nil {
		t.Error("a key was made beside the target")
	}
	before, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(filepath.Join(folder, "new", "bot.db.forgotten")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the list of forgotten people is %q, %v", after, err)
	}
	keys, err := storage.KeysBeside(filepath.Join(folder, "bot.db"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := storage.Open(t.Context(), storage.Options{URL: to, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	if user, err := db.User(t.Context(), 7); err != nil || user.Name != "Ann" {
		t.Errorf("the person is %+v, %v", user, err)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestMoveRefusesLockedFile(t *testing.T) {
	folder := t.TempDir()
	from, to := filepath.Join(folder, "bot.db"), filepath.Join(folder, "new.db")
	makeShop(t, from)
	for locked, name := range map[string]string{from: "FROM: ", to: "TO: "} {
		if err := storage.CreateFile(locked); err != nil {
			t.Fatal(err)
		}
		lock, err := newLock(locked)
		if err != nil {
			t.Fatal(err)
		}
		if err := lock.Lock(); err != nil {
			t.Fatal(err)
		}
		err = Move(t.Context(), MoveOptions{From: "sqlite:" + from, To: "sqlite:" + to, Progress: &bytes.Buffer{}})
		if !errors.Is(err, storage.ErrInUse) || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s locked: %v", name, err)
		}
		if err := lock.Unlock(); err != nil {
			t.Fatal(err)
		}
	}
	if err := Move(t.Context(), MoveOptions{From: "sqlite:" + from, To: "sqlite:" + to, Progress: &bytes.Buffer{}}); err != nil {
		t.Errorf("not locked: %v", err)
	}
}

func TestMoveMakesNoKeyForMissingSource(t *testing.T) {
	folder := t.TempDir()
	err := Move(t.Context(), MoveOptions{From: "sqlite:" + filepath.Join(folder, "old", "bot.db"), To: "sqlite:" + filepath.Join(folder, "new.db"), Progress: &bytes.Buffer{}})
	if err == nil || !strings.Contains(err.Error(), "FROM: storage: there is no database") {
		t.Errorf("moved: %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "old")); err == nil {
		t.Error("something was made for the source")
	}
}

func TestMoveRefusesMissingKey(t *testing.T) {
	folder := t.TempDir()
	from := makeShop(t, filepath.Join(folder, "bot.db"))
	if err := os.Remove(filepath.Join(folder, "secret.key")); err != nil {
		t.Fatal(err)
	}
	err := Move(t.Context(), MoveOptions{From: from, To: "sqlite:" + filepath.Join(folder, "new", "bot.db"), Progress: &bytes.Buffer{}})
	if err == nil || !strings.Contains(err.Error(), "secret.key is missing") {
		t.Errorf("moved: %v", err)
	}
}

// A terminal shows one bar.
func TestProgressBar(t *testing.T) {
	var out bytes.Buffer
	p := &progress{to: &out, bar: newBar(&out)}
	p.show("checking what can be moved", 0, 0)
	for done := range int64(1001) {
		p.show("copying orders", done, 1000)
	}
	p.show("making indexes", 0, 0)
	p.close()
	for _, want := range []string{"checking what can be moved", "copying orders", "999/1000", "making indexes", "\r"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the bar does not show %q: %q", want, &out)
		}
	}
	if strings.Contains(out.String(), "\n") {
		t.Errorf("the bar has lines: %q", &out)
	}
}
