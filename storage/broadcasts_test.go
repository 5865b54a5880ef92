package storage

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"
)

// crowd inserts people with the ids from 1 to n; every tenth has Chinese in Telegram.
func crowd(tb testing.TB, db *DB, n int) {
	tb.Helper()
	err := db.write(tb.Context(), func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(tb.Context(), `WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < ?)
			INSERT INTO users (id, name, telegram_lang, lang, unreachable, blocked, private_chat, created_at, seen_at)
			SELECT id, 'Somebody', CASE WHEN id % 10 = 0 THEN 'zh' ELSE 'en' END, '', 0, 0, 1, 1, 1 FROM ids`, n)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// confirmed returns a waiting broadcast of this author. Those of higher authors are
// confirmed later.
func confirmed(tb testing.TB, db *DB, author int64) Broadcast {
	tb.Helper()
	ctx := tb.Context()
	if err := db.SetBroadcastText(ctx, author, "", "Hello"); err != nil {
		tb.Fatal(err)
	}
	draft, err := db.BroadcastDraft(ctx, author)
	if err != nil {
		tb.Fatal(err)
	}
	ok, err := db.ConfirmBroadcast(ctx, author, draft.ID, draft.Revision, 3, author, 7, AuditEntry{
		AdminID: author, Action: "send", At: time.Now().Add(time.Duration(author) * time.Millisecond),
	})
	if err != nil || !ok {
		tb.Fatalf("confirmed %v, %v", ok, err)
	}
	return draft
}

func TestBroadcastDraft(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	if _, err := db.BroadcastDraft(ctx, 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("a draft that does not exist: %v", err)
	}
	for lang, text := range map[string]string{"": "Hello", "zh": "你好", "en": "Hi"} {
		if err := db.SetBroadcastText(ctx, 1, lang, text); err != nil {
			t.Fatal(err)
		}
	}
	seen, err := db.BroadcastDraft(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.SetBroadcastText(ctx, 1, "en", ""); err != nil {
		t.Fatal(err)
	}
	texts, err := db.BroadcastTexts(ctx, seen.ID)
	if diff := cmp.Diff(map[string]string{"": "Hello", "zh": "你好"}, texts); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	entry := AuditEntry{AdminID: 1, Action: "send", Subject: seen.ID, At: time.Now()}
	for what, try := range map[string][3]int64{"as it was before": {1, seen.ID, seen.Revision}, "by another admin": {2, seen.ID, seen.Revision + 1}} {
		if ok, err := db.ConfirmBroadcast(ctx, try[0], try[1], try[2], 3, 1, 7, entry); ok || err != nil {
			t.Errorf("confirmed %s: %v, %v", what, ok, err)
		}
	}
	// Twelve taps at once send it once.
	var taps sync.WaitGroup
	var mu sync.Mutex
	yes := 0
	for range 12 {
		taps.Go(func() {
			ok, err := db.ConfirmBroadcast(ctx, 1, seen.ID, seen.Revision+1, 3, 1, 7, entry)
			mu.Lock()
			defer mu.Unlock()
			if ok {
				yes++
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	taps.Wait()
	entries, _, err := db.AuditLog(ctx, 9, 0)
	if yes != 1 || len(entries) != 1 || err != nil {
		t.Errorf("confirmed %d times, recorded %d times, %v", yes, len(entries), err)
	}
	b, err := db.Broadcast(ctx, seen.ID)
	if err != nil || b.State != BroadcastWaiting || b.Total != 3 || b.MessageID != 7 {
		t.Errorf("got %+v, %v", b, err)
	}
	if err := db.SetBroadcastText(ctx, 1, "", "Another one"); err != nil {
		t.Fatal(err)
	}
	if texts, err := db.BroadcastTexts(ctx, seen.ID); texts[""] != "Hello" || err != nil {
		t.Errorf("what was confirmed says %q now, %v", texts, err)
	}
	if err := db.DiscardBroadcastDraft(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if n := db.count(t, `SELECT COUNT(*) FROM broadcast_texts`); n != 2 {
		t.Errorf("%d texts are left, want the 2 that were confirmed", n)
	}
}

func TestBroadcastLease(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	crowd(t, db, 10)
	first, second := confirmed(t, db, 1), confirmed(t, db, 2)
	now := time.Now()
	claim := func(owner string, at time.Time, want int64) Broadcast {
		t.Helper()
		b, err := db.ClaimBroadcast(ctx, owner, at, at.Add(time.Minute))
		if want == 0 && !errors.Is(err, ErrNotFound) || want != 0 && (err != nil || b.ID != want) {
			t.Fatalf("%s claims %+v, %v", owner, b, err)
		}
		return b
	}
	claim("one", now, first.ID)
	claim("two", now, 0) // the second waits for its turn
	take := func(owner string, people ...int64) ([]Recipient, bool) {
		t.Helper()
		all := make([]Recipient, 0, len(people))
		for _, id := range people {
			all = append(all, Recipient{UserID: id})
		}
		taken, held, err := db.TakeRecipients(ctx, Take{ID: first.ID, Owner: owner, Until: now.Add(time.Minute), Cursor: 3, People: all})
		if err != nil {
			t.Fatal(err)
		}
		return taken, held
	}
	if err := db.SetUnreachable(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if taken, held := take("one", 1, 2, 3); !held || len(taken) != 2 {
		t.Errorf("took %v, held %v; one can't be written to any more", taken, held)
	}
	if taken, held := take("two", 4); held || len(taken) != 0 {
		t.Error("took recipients of another owner's broadcast")
	}
	if taken, _ := take("one", 1); len(taken) != 0 {
		t.Error("a recipient was taken twice")
	}
	// The process is gone: who was in hand is never sent to again.
	b := claim("two", now.Add(2*time.Minute), first.ID)
	if b.Uncertain != 2 || b.Cursor != 3 {
		t.Errorf("after a crash: %+v", b)
	}
	if err := db.SettleRecipient(ctx, first.ID, 1, OutcomeSent); err != nil { // it was only late
		t.Fatal(err)
	}
	if b, err := db.Broadcast(ctx, first.ID); err != nil || b.Sent != 0 || b.Uncertain != 2 {
		t.Errorf("counted twice: %+v, %v", b, err)
	}
	if _, held := take("one", 5); held {
		t.Error("who lost the lease goes on")
	}
	if _, held := take("two", 5); !held {
		t.Error("not held")
	}
	if done, err := db.FinishBroadcast(ctx, first.ID, "two", now); done || err != nil {
		t.Errorf("finished with a recipient left: %v, %v", done, err)
	}
	if err := db.ReturnRecipient(ctx, first.ID, Recipient{UserID: 5, Tries: 1}, now.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if due, next, err := db.PendingRecipients(ctx, first.ID, now, 9); len(due) != 0 || !next.Equal(now.Add(time.Second).Truncate(time.Millisecond)) || err != nil {
		t.Errorf("due %v, next %v, %v", due, next, err)
	}
	// Stopped: its end is reported first, then the next one is sent.
	for i, want := range []bool{true, false} {
		if ok, err := db.StopBroadcast(ctx, first.ID, 9, AuditEntry{AdminID: 9, Action: "stop", At: now}); ok != want || err != nil {
			t.Errorf("stop %d: %v, %v", i, ok, err)
		}
	}
	later := now.Add(4 * time.Minute)
	claim("three", later, first.ID)
	if err := errors.Join(db.DropPendingRecipients(ctx, first.ID), db.MarkReported(ctx, first.ID)); err != nil {
		t.Fatal(err)
	}
	if n := db.count(t, `SELECT COUNT(*) FROM broadcast_recipients`); n != 0 {
		t.Errorf("%d people still wait", n)
	}
	claim("three", later, second.ID)
	if done, err := db.FinishBroadcast(ctx, second.ID, "three", later); !done || err != nil {
		t.Errorf("finished %v, %v", done, err)
	}
	if all, err := db.Broadcasts(ctx, 9); err != nil || len(all) != 2 || all[0].State != BroadcastDone && all[1].State != BroadcastDone {
		t.Errorf("listed %+v, %v", all, err)
	}
}

func TestAudienceLanguages(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	crowd(t, db, 30)
	if err := errors.Join(db.SetLang(ctx, 1, "de"), db.SetUnreachable(ctx, 2)); err != nil {
		t.Fatal(err)
	}
	if _, err := db.SetBlocked(ctx, 3, true, AuditEntry{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.TouchUser(ctx, 31, "In a group", "en", false); err != nil {
		t.Fatal(err)
	}
	readers, err := db.AudienceLanguages(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(readers, func(a, b AudienceLanguage) int { return int(a.Count - b.Count) })
	if diff := cmp.Diff([]AudienceLanguage{{"de", "en", 1}, {"", "zh", 3}, {"", "en", 24}}, readers); diff != "" {
		t.Error(diff)
	}
	audience, err := db.Audience(ctx, nil, 0, time.Now(), 99)
	if err != nil || len(audience) != 28 || audience[1].ID != 4 {
		t.Errorf("the audience is %d people, %v", len(audience), err)
	}
	if audience, _ := db.Audience(ctx, nil, 0, time.UnixMilli(0), 99); len(audience) != 0 {
		t.Errorf("%d people came too late for it", len(audience))
	}
	// Of those who are served only: 3 is blocked, and 99 was never here.
	only := []int64{1, 3, 4, 99}
	if few, err := db.Audience(ctx, only, 0, time.Now(), 99); err != nil || len(few) != 2 || few[1].ID != 4 {
		t.Errorf("of %v there are %+v (%v)", only, few, err)
	}
	if few, err := db.AudienceLanguages(ctx, only); err != nil || len(few) != 2 || few[0].Count+few[1].Count != 2 {
		t.Errorf("of %v read %+v (%v)", only, few, err)
	}
}

// An audience of 200,000 people is read in pages: it does not stay in memory,
// and neither the pages nor the count take long.
func TestLargeAudience(t *testing.T) {
	const all, page = 50_000, 256
	db := openTest(t)
	ctx := t.Context()
	crowd(t, db, all)
	readers, err := db.AudienceLanguages(ctx, nil)
	if err != nil || len(readers) != 2 || readers[0].Count+readers[1].Count != all {
		t.Fatalf("counted %v, %v", readers, err)
	}
	var before, after runtime.MemStats
	seen, cursor, most := 0, int64(0), uint64(0)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for pages := 0; ; pages++ {
		people, err := db.Audience(ctx, nil, cursor, time.Now(), page)
		if err != nil {
			t.Fatal(err)
		}
		if len(people) == 0 {
			break
		}
		if people[0].ID != cursor+1 {
			t.Fatalf("after %d came %d", cursor, people[0].ID)
		}
		seen, cursor = seen+len(people), people[len(people)-1].ID
		if pages%25 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&after)
			most = max(most, after.HeapAlloc)
		}
	}
	if seen != all {
		t.Errorf("saw %d people", seen)
	}
	if most > before.HeapAlloc+1<<20 { // all of them take 7 MB
		t.Errorf("%d KiB more on the heap than before", (most-before.HeapAlloc)>>10)
	}
}

// TestBroadcastIsLeasedAsRead: what another process has done since it was read counts.
func TestBroadcastIsLeasedAsRead(t *testing.T) {
	db := openTest(t)
	crowd(t, db, 3)
	waiting, later := confirmed(t, db, 1), confirmed(t, db, 2)
	waiting.State, later.State = BroadcastWaiting, BroadcastWaiting
	now := time.Now()
	until := now.Add(time.Minute)
	lease := func(b Broadcast, at time.Time) error {
		return db.write(t.Context(), func(tx *sqlx.Tx) error {
			_, err := db.leaseBroadcast(t.Context(), tx, b, "late", at, at.Add(time.Minute))
			return err
		})
	}
	sending, err := db.ClaimBroadcast(t.Context(), "first", now, until)
	if err != nil || sending.ID != waiting.ID {
		t.Fatalf("claimed %+v: %v", sending, err)
	}
	if _, _, err := db.TakeRecipients(t.Context(), Take{ID: sending.ID, Owner: "first", Until: until, Cursor: 1, People: []Recipient{{UserID: 1, Lang: ""}}}); err != nil {
		t.Fatal(err)
	}
	for name, stale := range map[string]Broadcast{"read as waiting": waiting, "read as not leased": sending} {
		if err := lease(stale, now); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := lease(later, now); !isUnique(err) {
		t.Errorf("a second one is sent: %v", err)
	}
	if n := db.count(t, `SELECT COUNT(*) FROM broadcast_recipients WHERE state = 'sending'`); n != 1 {
		t.Errorf("%d recipients in hand, want 1", n)
	}
	if err := lease(sending, until); err != nil {
		t.Errorf("a lease that has expired: %v", err)
	}
}
