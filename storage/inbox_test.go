package storage

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func put(t *testing.T, db *DB, ids ...int64) []bool {
	t.Helper()
	payloads := make([][]byte, len(ids))
	for i, id := range ids {
		payloads[i] = fmt.Append(nil, "payload ", id)
	}
	fresh, err := db.StoreUpdates(t.Context(), ids, ids, payloads)
	if err != nil {
		t.Fatal(err)
	}
	return fresh
}

func checkUnfinished(t *testing.T, db *DB, want ...int64) {
	t.Helper()
	ids, chats, err := db.Unfinished(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("unfinished: %s", diff)
	}
	if diff := cmp.Diff(ids, chats); diff != "" { // in these tests a chat has its update's id
		t.Errorf("chats: %s", diff)
	}
}

func TestStoreUpdates(t *testing.T) {
	db := openTest(t)
	for _, step := range []struct {
		ids  []int64
		want []bool
	}{
		{nil, []bool{}},
		{[]int64{50, 7, 51}, []bool{true, true, true}},
		{[]int64{7}, []bool{false}},
		{[]int64{51, 52, 7, 3}, []bool{false, true, false, true}},
		{[]int64{60, 60}, []bool{true, false}}, // twice in one batch
		{[]int64{-1, 0, 1 << 60}, []bool{true, true, true}},
	} {
		if diff := cmp.Diff(step.want, put(t, db, step.ids...)); diff != "" {
			t.Errorf("put %v: %s", step.ids, diff)
		}
	}
	checkUnfinishedSet(t, db, 9)

	if err := db.Finish(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	if put(t, db, 7)[0] {
		t.Error("a finished update is fresh again")
	}
	if _, err := db.StoreUpdates(t.Context(), []int64{1}, nil, nil); err == nil {
		t.Error("slices of different lengths pass")
	}
}

func checkUnfinishedSet(t *testing.T, db *DB, want int) {
	t.Helper()
	ids, _, err := db.Unfinished(t.Context())
	if err != nil || len(ids) != want {
		t.Errorf("%d unfinished (%v), want %d", len(ids), err, want)
	}
}

// Many updates at once keep the order of the batch.
func TestStoreManyUpdates(t *testing.T) {
	db := openTest(t)
	var ids []int64
	for i := range int64(3*insertRows + 5) {
		ids = append(ids, 10_000-i)
	}
	for i, fresh := range put(t, db, ids...) {
		if !fresh {
			t.Fatalf("update %d isn't fresh", i)
		}
	}
	checkUnfinished(t, db, ids...)
}

// Older batches come first even when Telegram has restarted its ids.
func TestUnfinishedOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	synctest.Test(t, func(t *testing.T) {
		db := openAt(t, path, testKeys(t, 1))
		put(t, db, 900, 901)
		time.Sleep(time.Second)
		put(t, db, 5, 6)
		checkUnfinished(t, db, 900, 901, 5, 6)
		if err := errors.Join(db.Finish(t.Context(), 901), db.DeadLetter(t.Context(), 5)); err != nil {
			t.Fatal(err)
		}
		checkUnfinished(t, db, 900, 6)
	})
}

func TestStartAttempt(t *testing.T) {
	db := openTest(t)
	put(t, db, 1, 2, 3)
	for want := 2; want <= 4; want++ { // Put counted the first
		payload, attempts, err := db.StartAttempt(t.Context(), 1)
		if err != nil || attempts != want || string(payload) != "payload 1" {
			t.Errorf("attempt %d: %q, %d, %v", want, payload, attempts, err)
		}
	}
	if err := errors.Join(db.Finish(t.Context(), 2), db.DeadLetter(t.Context(), 3)); err != nil {
		t.Fatal(err)
	}
	for _, id := range []int64{2, 3, 4} { // done, dead-lettered, unknown
		if _, _, err := db.StartAttempt(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("update %d: %v", id, err)
		}
	}
}

// Attempts at an update whose sealing key is gone are counted, so that it is
// dead-lettered in the end.
func TestStartAttemptAtDamagedUpdate(t *testing.T) {
	db := openTest(t)
	put(t, db, 1)
	db.keys = testKeys(t, 9)
	for want := 2; want <= 3; want++ {
		_, attempts, err := db.StartAttempt(t.Context(), 1)
		var unknown *UnknownKeyError
		if !errors.As(err, &unknown) || attempts != want {
			t.Errorf("attempt %d: %d, %v", want, attempts, err)
		}
	}
}

func TestFinish(t *testing.T) {
	db := openTest(t)
	put(t, db, 1, 2, 3, 4)
	dialog := func(want string) {
		t.Helper()
		step, data, err := db.Dialog(t.Context(), 77)
		if err != nil || step+"/"+data != want {
			t.Errorf("the dialog is %s/%s (%v), want %s", step, data, err, want)
		}
	}
	dialog("/")
	finish := func(id int64, step, data string, until time.Time) {
		t.Helper()
		if err := db.FinishWithDialog(t.Context(), id, 77, step, data, until); err != nil {
			t.Error(err)
		}
	}
	finish(1, "amount", "3", farFuture)
	dialog("amount/3")
	finish(2, "link", "", farFuture)
	dialog("link/")
	finish(1, "amount", "again", farFuture) // finished before: changes nothing
	dialog("link/")
	if err := db.Finish(t.Context(), 3); err != nil { // without a word about the dialog
		t.Error(err)
	}
	dialog("link/")
	finish(4, "", "", time.Time{})
	dialog("/")

	for range 2 {
		if err := errors.Join(db.Finish(t.Context(), 1), db.DeadLetter(t.Context(), 1)); err != nil {
			t.Errorf("finished again: %v", err)
		}
	}
	for name, err := range map[string]error{
		"finish":             db.Finish(t.Context(), 99),
		"finish with dialog": db.FinishWithDialog(t.Context(), 99, 77, "amount", "", farFuture),
		"park":               db.DeadLetter(t.Context(), 99),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of an unknown update: %v", name, err)
		}
	}
	dialog("/")
	checkUnfinished(t, db)
}

func TestDialogExpires(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	synctest.Test(t, func(t *testing.T) {
		db := openAt(t, path, testKeys(t, 1))
		put(t, db, 1)
		if err := db.FinishWithDialog(t.Context(), 1, 77, "amount", "3", time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		for _, wait := range []struct {
			time time.Duration
			want string
		}{{time.Minute - time.Millisecond, "amount"}, {time.Millisecond, ""}} {
			time.Sleep(wait.time)
			if step, _, err := db.Dialog(t.Context(), 77); err != nil || step != wait.want {
				t.Errorf("the step is %q (%v), want %q", step, err, wait.want)
			}
		}
	})
}

// The files never contain what people type in plain text, and an update
// that is done keeps nothing.
func TestNothingReadableInFiles(t *testing.T) {
	const canary = "canary-4f1c9e-canary"
	path := filepath.Join(t.TempDir(), "bot.db")
	db := openAt(t, path, testKeys(t, 1))
	check := func(when string) {
		t.Helper()
		for _, suffix := range []string{"", "-wal", "-shm"} {
			content, err := os.ReadFile(path + suffix)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			for shift := range 3 { // also in base64, at any alignment
				encoded := base64.RawURLEncoding.EncodeToString([]byte(canary)[shift : shift+15])
				if bytes.Contains(content, []byte(canary)) || bytes.Contains(content, []byte(encoded)) {
					t.Errorf("%s: readable in bot.db%s", when, suffix)
				}
			}
		}
	}
	if _, _, err := db.TouchUser(t.Context(), 77, "Ann", "en", true); err != nil {
		t.Fatal(err)
	}
	if _, err := db.StoreUpdates(t.Context(), []int64{1, 2}, []int64{77, 77}, [][]byte{[]byte(canary), []byte(canary)}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.SaveKey(t.Context(), 77, canary); err != nil {
		t.Fatal(err)
	}
	check("stored")
	if err := db.FinishWithDialog(t.Context(), 1, 77, "link", canary, farFuture); err != nil {
		t.Fatal(err)
	}
	if err := db.DeadLetter(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	check("finished")
	for id, want := range map[int64]bool{1: true, 2: false} {
		var sealed string
		if err := db.reader.GetContext(t.Context(), &sealed, "SELECT payload_sealed FROM inbox WHERE update_id = ?", id); err != nil || (sealed == "") != want {
			t.Errorf("update %d: blank is %t (%v), want %t", id, sealed == "", err, want)
		}
	}
	mustClose(t, db)
	check("closed")
}
