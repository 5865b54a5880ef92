package storage

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

const paceTestStep = 2 * time.Millisecond

// Processes that reserve at the same time never get slots that are closer to each other
// than the step, nor more of a chat than its rate and burst allow.
func TestReservationsKeepAllRates(t *testing.T) {
	const replicas, each = 3, 60
	limits := map[int64]ChatPace{1: {Chat: 1, Interval: 20 * time.Millisecond, Burst: 3}, -2: {Chat: -2, Interval: 30 * time.Millisecond, Burst: 2}}
	url := postgresURL(t, t.TempDir())
	var (
		mu      sync.Mutex
		all     []time.Time
		chats   = map[int64][]time.Time{}
		running sync.WaitGroup
	)
	for range replicas {
		db := openURL(t, url)
		running.Go(func() {
			for n := 0; n < each && t.Context().Err() == nil; {
				chat := ChatPace{Chat: int64(100 + n), Interval: time.Second, Burst: 3}
				if limit, ok := limits[int64(1-n%4*3)]; ok { // 1, -2, -5, -8
					chat = limit
				}
				_, err := db.SweepPace(t.Context())
				if err == nil {
					err = db.HoldChat(t.Context(), int64(200+n), time.Microsecond)
				}
				if err != nil {
					t.Error(err)
					return
				}
				slot, err := db.ReserveMessage(t.Context(), paceTestStep, chat)
				if err != nil {
					t.Error(err)
					return
				}
				if !slot.Reserved {
					continue
				}
				n++
				mu.Lock()
				all, chats[chat.Chat] = append(all, slot.At), append(chats[chat.Chat], slot.At)
				mu.Unlock()
			}
		})
	}
	running.Wait()
	if len(all) != replicas*each || len(chats[1]) < replicas*each/5 || len(chats[-2]) < replicas*each/5 {
		t.Fatalf("%d messages, in the chats %d and %d", len(all), len(chats[1]), len(chats[-2]))
	}
	apart(t, "all", all, 1, paceTestStep)
	for id, limit := range limits {
		// GCRA: any burst+n slots take at least n intervals.
		for n := 1; n+limit.Burst <= len(chats[id]); n++ {
			apart(t, "a chat", chats[id], limit.Burst+n-1, time.Duration(n)*limit.Interval)
		}
	}
}

// apart fails the test if a time is closer than least to the one that is n before it.
func apart(t *testing.T, what string, times []time.Time, n int, least time.Duration) {
	t.Helper()
	slices.SortFunc(times, time.Time.Compare)
	for i := n; i < len(times); i++ {
		if gap := times[i].Sub(times[i-n]); gap < least {
			t.Fatalf("%s: %d within %v", what, n+1, gap)
		}
	}
}

// A slot is reserved up to one step ahead, and not further.
func TestReservesOneStepAhead(t *testing.T) {
	db := openPostgresTest(t)
	reserve := func() Slot {
		t.Helper()
		slot, err := db.ReserveSlot(t.Context(), PaceMarketplace, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return slot
	}
	first, second, third := reserve(), reserve(), reserve()
	if !first.Reserved || !first.At.Equal(first.Now) || !second.Reserved || !second.At.Equal(first.At.Add(time.Hour)) {
		t.Errorf("got %+v and %+v", first, second)
	}
	if third.Reserved || !third.At.Equal(second.At.Add(time.Hour)) {
		t.Errorf("the third is %+v", third)
	}
	if _, err := db.writer.ExecContext(t.Context(), `UPDATE pace SET full_at = full_at + 86400000000`); err != nil {
		t.Fatal(err)
	}
	if slot := reserve(); slot.At.Sub(slot.Now) != 2*time.Hour {
		t.Errorf("with a clock that was set back the next slot is %v away", slot.At.Sub(slot.Now))
	}
}

// A chat whose turn has not come takes no slot of the others. A 429 delays it for all.
func TestChatsTurn(t *testing.T) {
	db := openPostgresTest(t)
	reserve := func(chat int64) Slot {
		t.Helper()
		slot, err := db.ReserveMessage(t.Context(), time.Microsecond, ChatPace{Chat: chat, Interval: time.Hour, Burst: 3})
		if err != nil {
			t.Fatal(err)
		}
		return slot
	}
	first := reserve(1)
	for range 2 {
		if slot := reserve(1); !slot.Reserved {
			t.Errorf("the burst is refused: %+v", slot)
		}
	}
	at := db.count(t, `SELECT full_at FROM pace WHERE name = 'telegram'`)
	slot := reserve(1)
	if slot.Reserved || !slot.ChatAt.Equal(first.At.Add(time.Hour)) {
		t.Errorf("after the burst: %+v, want %v", slot, first.At.Add(time.Hour))
	}
	if again := db.count(t, `SELECT full_at FROM pace WHERE name = 'telegram'`); again != at {
		t.Error("a refused chat has taken a slot")
	}
	for _, d := range []time.Duration{time.Hour, time.Minute} { // a shorter one does not end the longer one
		if err := db.HoldChat(t.Context(), 2, d); err != nil {
			t.Fatal(err)
		}
	}
	slot = reserve(2)
	if left := slot.ChatAt.Sub(slot.Now); slot.Reserved || left > time.Hour || left < time.Hour/2 {
		t.Errorf("a held chat: %+v", slot)
	}
	if slot := reserve(3); !slot.Reserved || slot.ChatAt.After(slot.At.Add(time.Hour)) {
		t.Errorf("another chat: %+v", slot)
	}
}

// No chat stays in the table that nothing delays.
func TestPaceDeletesUnusedChats(t *testing.T) {
	db := openPostgresTest(t)
	names := func(what string, want ...string) {
		t.Helper()
		equal(t, what, want, selectStrings(t, db, `SELECT name FROM pace ORDER BY name`))
	}
	reserve := func(chat int64, interval time.Duration) {
		t.Helper()
		if slot, err := db.ReserveMessage(t.Context(), time.Hour, ChatPace{Chat: chat, Interval: interval, Burst: 3}); err != nil || slot.ChatAt.After(slot.At) {
			t.Fatal(slot, err)
		}
		if _, err := db.writer.ExecContext(t.Context(), `UPDATE pace SET full_at = 0 WHERE name = 'telegram'`); err != nil {
			t.Fatal(err)
		}
	}
	sweep := func(want int) {
		t.Helper()
		if n, err := db.SweepPace(t.Context()); err != nil || n != want {
			t.Errorf("%d remain, %v; want %d", n, err, want)
		}
	}
	sweep(0) // an empty table
	reserve(1, time.Hour)
	reserve(2, time.Microsecond)
	names("two chats", "telegram", "telegram/1", "telegram/2")
	reserve(3, time.Microsecond)
	names("one is unused", "telegram", "telegram/1", "telegram/3")
	if err := db.HoldChat(t.Context(), 3, time.Hour); err != nil {
		t.Fatal(err)
	}
	reserve(4, time.Microsecond)
	sweep(2)
	names("swept", "telegram", "telegram/1", "telegram/3")
}

// Living processes are counted with each slot.
func TestSlotCountsReplicas(t *testing.T) {
	db := openPostgresTest(t)
	now := time.Now()
	for id, until := range map[string]time.Time{"a": now.Add(time.Hour), "b": now.Add(time.Hour), "dead": now.Add(-time.Minute)} {
		if err := db.AddReplica(t.Context(), Replica{ID: id, Until: until, StartedAt: now}); err != nil {
			t.Fatal(err)
		}
	}
	if slot, err := db.ReserveSlot(t.Context(), PaceMarketplace, time.Second); err != nil || slot.Replicas != 2 {
		t.Errorf("got %+v, %v", slot, err)
	}
	if slot, err := db.ReserveMessage(t.Context(), time.Second, ChatPace{Chat: 1}); err != nil || slot.Replicas != 2 {
		t.Errorf("got %+v, %v", slot, err)
	}
}

// The end of the context interrupts a reservation that waits for a lock, and the next one
// works.
func TestReservationEndsWithItsContext(t *testing.T) {
	db := openPostgresTest(t)
	if _, err := db.ReserveSlot(t.Context(), PaceTelegram, time.Microsecond); err != nil {
		t.Fatal(err)
	}
	tx, err := db.writer.BeginTxx(t.Context(), &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `LOCK TABLE pace IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := db.ReserveSlot(ctx, PaceTelegram, time.Microsecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ReserveSlot(t.Context(), PaceTelegram, time.Microsecond); err != nil {
		t.Error(err)
	}
}
