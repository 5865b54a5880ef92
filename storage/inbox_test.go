package storage

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/sandbox/pgtest"
)

// me is the owner of the chats of these tests. It is no replica.
const me = "me"

func put(t *testing.T, db *DB, ids ...int64) []bool {
	t.Helper()
	payloads := make([][]byte, len(ids))
	for i, id := range ids {
		payloads[i] = fmt.Append(nil, "payload ", id)
	}
	fresh, _, err := db.StoreUpdates(t.Context(), me, ids, ids, payloads)
	if err != nil {
		t.Fatal(err)
	}
	return fresh
}

// finish finishes an update whose chat has its id.
func finish(t *testing.T, db *DB, id int64) {
	t.Helper()
	if more, err := db.Finish(t.Context(), me, id, id); err != nil || more {
		t.Fatalf("more %t, %v", more, err)
	}
}

func deadLetter(t *testing.T, db *DB, id int64) {
	t.Helper()
	if more, err := db.DeadLetter(t.Context(), me, id, id); err != nil || more {
		t.Fatalf("more %t, %v", more, err)
	}
}

func checkUnfinished(t *testing.T, db *DB, want ...int64) {
	t.Helper()
	ids, last, err := db.OrphanedChats(t.Context()) // in these tests a chat has its update's id
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("unfinished: %s", diff)
	}
	if diff := cmp.Diff(want, last); diff != "" {
		t.Errorf("last: %s", diff)
	}
}

func TestStoreUpdates(t *testing.T) {
	db := openTest(t)
	for _, step := range []struct {
		ids  []int64
		want []bool
	}{
		{nil, nil},
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

	finish(t, db, 7)
	if put(t, db, 7)[0] {
		t.Error("a finished update is fresh again")
	}
	checkUnfinishedSet(t, db, 8)
	if _, _, err := db.StoreUpdates(t.Context(), me, []int64{1}, nil, nil); err == nil {
		t.Error("slices of different lengths pass")
	}
}

func checkUnfinishedSet(t *testing.T, db *DB, want int) {
	t.Helper()
	ids, _, err := db.OrphanedChats(t.Context())
	if err != nil || len(ids) != want {
		t.Errorf("%d unfinished (%v), want %d", len(ids), err, want)
	}
}

// More updates than one INSERT stores.
func TestStoreManyUpdates(t *testing.T) {
	db := openTest(t)
	var ids []int64
	for i := range int64(3*insertRows + 5) {
		ids = append(ids, 10_000+i)
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
		finish(t, db, 901)
		deadLetter(t, db, 5)
		checkUnfinished(t, db, 900, 6)
	})
}

func TestStartAttempt(t *testing.T) {
	db := openTest(t)
	put(t, db, 1, 2, 3)
	for want := 1; want <= 4; want++ {
		if attempts, err := db.StartAttempt(t.Context(), 1); err != nil || attempts != want {
			t.Errorf("attempt %d: %d, %v", want, attempts, err)
		}
	}
	checkUnfinished(t, db, 2, 3, 1) // that with attempts last
	finish(t, db, 2)
	deadLetter(t, db, 3)
	for _, id := range []int64{2, 3, 4} { // done, dead-lettered, unknown
		if _, err := db.StartAttempt(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("update %d: %v", id, err)
		}
	}
}

func TestRecoveryIsRemembered(t *testing.T) {
	db := openTest(t)
	begin := func(want bool) {
		t.Helper()
		if again, err := db.BeginRecovery(t.Context()); err != nil || again != want {
			t.Errorf("again %t, want %t, %v", again, want, err)
		}
	}
	begin(false)
	begin(true)
	for range 2 {
		if err := db.EndRecovery(t.Context()); err != nil {
			t.Error(err)
		}
	}
	begin(false)
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
	finishWith := func(id int64, step, data string, until time.Time) {
		t.Helper()
		if _, err := db.FinishWithDialog(t.Context(), me, id, id, 77, step, data, until); err != nil {
			t.Error(err)
		}
	}
	finishWith(1, "amount", "3", farFuture)
	dialog("amount/3")
	time.Sleep(2 * time.Millisecond) // the next update is done at another time
	finishWith(2, "link", "", farFuture)
	dialog("link/")
	time.Sleep(2 * time.Millisecond)
	finishWith(1, "amount", "again", farFuture) // finished before: changes nothing
	dialog("link/")
	finish(t, db, 3) // without a word about the dialog
	dialog("link/")
	finishWith(4, "", "", time.Time{})
	dialog("/")
	finishWith(99, "amount", "unknown", farFuture)
	dialog("/")
	checkUnfinished(t, db)
}

func TestDialogExpires(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	synctest.Test(t, func(t *testing.T) {
		db := openAt(t, path, testKeys(t, 1))
		put(t, db, 1)
		if _, err := db.FinishWithDialog(t.Context(), me, 1, 1, 77, "amount", "3", time.Now().Add(time.Minute)); err != nil {
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

// The files and their backup never contain a key or what people type in plain text, and
// an update that is done keeps nothing.
func TestNothingReadableInFiles(t *testing.T) {
	pgtest.SQLiteOnly(t)
	const canary = "canary-4f1c9e-canary"
	path := filepath.Join(t.TempDir(), "bot.db")
	db := openAt(t, path, testKeys(t, 1))
	check := func(when string) {
		t.Helper()
		for _, suffix := range []string{"", "-wal", "-shm", ".backup"} {
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
	if _, _, err := db.StoreUpdates(t.Context(), me, []int64{1, 2}, []int64{77, 77}, [][]byte{[]byte(canary), []byte(canary)}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.SaveKey(t.Context(), 77, canary); err != nil {
		t.Fatal(err)
	}
	check("stored")
	if more, err := db.FinishWithDialog(t.Context(), me, 77, 1, 77, "link", canary, farFuture); err != nil || !more {
		t.Fatal(more, err)
	}
	if more, err := db.DeadLetter(t.Context(), me, 77, 2); err != nil || more {
		t.Fatal(more, err)
	}
	check("finished")
	for id, want := range map[int64]bool{1: true, 2: false} {
		var sealed string
		if err := db.reader.GetContext(t.Context(), &sealed, "SELECT payload_sealed FROM inbox WHERE update_id = ?", id); err != nil || (sealed == "") != want {
			t.Errorf("update %d: blank is %t (%v), want %t", id, sealed == "", err, want)
		}
	}
	if _, err := Backup(t.Context(), BackupOptions{Path: path, Keys: testKeys(t, 1)}, path+".backup"); err != nil {
		t.Fatal(err)
	}
	check("backed up")
	mustClose(t, db)
	check("closed")
}

// chatWorld has updates of the chats 1 and 2, which their ids say: chat 2 has the odd ones.
type chatWorld struct {
	*testing.T
	db *DB
}

func (w *chatWorld) store(owner string, ids ...int64) (fresh []bool, unfinished []int) {
	w.Helper()
	chats, payloads := make([]int64, len(ids)), make([][]byte, len(ids))
	for i, id := range ids {
		chats[i], payloads[i] = 1+id%2, fmt.Append(nil, "payload ", id)
	}
	fresh, unfinished, err := w.db.StoreUpdates(w.Context(), owner, ids, chats, payloads)
	if err != nil {
		w.Fatal(err)
	}
	return fresh, unfinished
}

func (w *chatWorld) backlog(owner string, chat int64, limit int, want ...int64) {
	w.Helper()
	var ids []int64
	err := w.db.ChatBacklog(w.Context(), owner, chat, limit, func(id int64, received time.Time, payload []byte) {
		ids = append(ids, id)
		if string(payload) != fmt.Sprint("payload ", id) || received.IsZero() {
			w.Errorf("read %d, received %s: %q", id, received, payload)
		}
	})
	if diff := cmp.Diff(want, ids); diff != "" || err != nil {
		w.Errorf("backlog of chat %d for %s: %s, %v", chat, owner, diff, err)
	}
}

func (w *chatWorld) finish(owner string, chat int64, wantMore bool, ids ...int64) {
	w.Helper()
	if more, err := w.db.Finish(w.Context(), owner, chat, ids...); err != nil || more != wantMore {
		w.Errorf("finished %v: more %t, %v", ids, more, err)
	}
}

func (w *chatWorld) owners(want map[int64]string) {
	w.Helper()
	var rows []struct {
		Chat  int64  `db:"chat_id"`
		Owner string `db:"owner"`
	}
	if err := w.db.reader.SelectContext(w.Context(), &rows, `SELECT chat_id, owner FROM chats`); err != nil {
		w.Fatal(err)
	}
	got := map[int64]string{}
	for _, row := range rows {
		got[row.Chat] = row.Owner
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("owners: %s", diff)
	}
}

// TestChatBacklog: the updates of a chat are read in the order of their ids.
func TestChatBacklog(t *testing.T) {
	w := &chatWorld{T: t, db: openTest(t)}
	w.store(me, 9, 4, 7)
	w.store(me, 5, 1, 3)
	w.backlog(me, 2, 9, 1, 3, 5, 7, 9)
	w.backlog(me, 2, 2, 1, 3)
	w.finish(me, 2, true, 7, 1)
	w.backlog(me, 2, 9, 3, 5, 9)
	w.backlog("other", 2, 9)
}

// TestOwnerOfAChat: a chat has an owner as long as it has unfinished updates.
func TestOwnerOfAChat(t *testing.T) {
	w := &chatWorld{T: t, db: openTest(t)}
	check := func(fresh []bool, unfinished []int, wantFresh []bool, wantUnfinished []int) {
		t.Helper()
		if diff := cmp.Diff(wantFresh, fresh) + cmp.Diff(wantUnfinished, unfinished); diff != "" {
			t.Error(diff)
		}
	}
	fresh, unfinished := w.store("a", 1, 3, 2)
	check(fresh, unfinished, []bool{true, true, true}, []int{2, 2, 1})
	fresh, unfinished = w.store("b", 5, 3)
	check(fresh, unfinished, []bool{true, false}, []int{0, 0}) // b has no part in it
	w.owners(map[int64]string{1: "a", 2: "a"})
	w.finish("b", 2, true, 1) // nor may it finish
	w.backlog("a", 2, 9, 1, 3, 5)
	w.finish("a", 2, true, 1, 3)
	w.finish("a", 2, false, 5)
	w.owners(map[int64]string{1: "a"})
	fresh, unfinished = w.store("b", 5, 3) // repeated, and done
	check(fresh, unfinished, []bool{false, false}, []int{0, 0})
	w.owners(map[int64]string{1: "a"})
	fresh, unfinished = w.store("b", 7, 4)
	check(fresh, unfinished, []bool{true, true}, []int{1, 0})
	w.owners(map[int64]string{1: "a", 2: "b"})
	var many []int64
	for id := int64(100); id < 100+4*maxCounted; id += 2 {
		many = append(many, id)
	}
	if _, unfinished = w.store("a", many...); unfinished[0] != maxCounted {
		t.Errorf("%d updates are counted", unfinished[0])
	}
}

// TestAdoptChats: only the chats of those that are no replicas.
func TestAdoptChats(t *testing.T) {
	w := &chatWorld{T: t, db: openTest(t)}
	now := time.Now()
	for _, id := range []string{"alive", me} {
		if err := w.db.AddReplica(t.Context(), Replica{ID: id, StartedAt: now, Until: now.Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	w.store("dead", 1, 3)
	w.store("alive", 2)
	orphans := func(want ...int64) {
		t.Helper()
		chats, last, err := w.db.OrphanedChats(t.Context())
		if diff := cmp.Diff(want, chats); diff != "" || err != nil || len(chats) > 0 && last[0] != 3 {
			t.Errorf("%s, last %v, %v", diff, last, err)
		}
	}
	orphans(2)
	if err := w.db.AdoptChats(t.Context(), me, []int64{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	orphans()
	w.owners(map[int64]string{1: "alive", 2: me})
	if chats, err := w.db.OwnedChats(t.Context(), me); err != nil || !slices.Equal(chats, []int64{2}) {
		t.Errorf("owned are %v, %v", chats, err)
	}
	// The one that leads removes the dead.
	for _, step := range []struct {
		id    string
		after time.Duration
		want  Beat
	}{
		{"alive", 0, Beat{Held: true, Ended: true}},
		{me, 2 * time.Minute, Beat{Held: true, Ended: true}},
		{"alive", 2 * time.Minute, Beat{Removed: true}},
	} {
		beat, err := w.db.Beat(t.Context(), step.id, "lease", now.Add(step.after), now.Add(step.after+time.Minute))
		beat.Others = nil
		if diff := cmp.Diff(step.want, beat); diff != "" || err != nil {
			t.Errorf("beat of %s: %s, %v", step.id, diff, err)
		}
	}
	if chats, _, err := w.db.OrphanedChats(t.Context()); err != nil || !slices.Equal(chats, []int64{1}) {
		t.Errorf("orphans are %v, %v", chats, err)
	}
}

// TestRestoreChats: a row of a chat that is missing, which nothing explains, is made.
func TestRestoreChats(t *testing.T) {
	w := &chatWorld{T: t, db: openTest(t)}
	w.store(me, 1, 2, 3)
	for want := range 2 {
		if n, err := w.db.RestoreChats(t.Context()); err != nil || n != want {
			t.Errorf("restored %d, want %d, %v", n, want, err)
		}
		if _, err := w.db.writer.ExecContext(t.Context(), `DELETE FROM chats WHERE chat_id = 2`); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := w.db.RestoreChats(t.Context()); err != nil || n != 1 {
		t.Errorf("restored %d, %v", n, err)
	}
	w.owners(map[int64]string{1: me, 2: ""})
}
