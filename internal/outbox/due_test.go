package outbox_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// TestTakesWhatItHasSlotsFor: a busy process uses its last slot, leaves what it has no slot
// for to another process, and has all its slots again when it is done.
func TestTakesWhatItHasSlotsFor(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var busy atomic.Int32
		w.sender.before = func(context.Context, storage.Message) {
			busy.Add(1)
			time.Sleep(30 * time.Second)
		}
		storeFor := func(people int64) {
			for range people {
				user := boris + 1 + int64(w.stored)
				_, _, err := w.db.TouchUser(t.Context(), user, "Somebody", "en", true)
				testworld.Must(t, err)
				w.store(user, outbox.PriorityGoods, "goods")
			}
			w.outbox.Wake()
			testworld.Pass(time.Second)
		}
		wantBusy := func(want int32) {
			t.Helper()
			if got := busy.Load(); got != want {
				t.Errorf("%d people are served, want %d", got, want)
			}
		}
		storeFor(63)
		storeFor(3)
		wantBusy(64)
		other := w.newOutbox()
		other.Start(&w.sender)
		testworld.Pass(time.Second)
		wantBusy(66)
		testworld.Must(t, other.Stop(t.Context()))
		testworld.Pass(30 * time.Second)
		storeFor(3)
		wantBusy(69)
	})
}

// TestLooksAgainWhenSomethingIsDue: without a Wake it looks when the next message is due,
// and after 15 seconds at the latest.
func TestLooksAgainWhenSomethingIsDue(t *testing.T) {
	inWorld(t, func(_ *testing.T, w *world) {
		w.store(anna, outbox.PriorityStatus, "a1")
		testworld.Pass(14 * time.Second)
		w.wantSent(anna)
		testworld.Pass(time.Second)
		w.wantSent(anna, "a1")

		w.sender.FailWith(func(message storage.Message) error {
			if message.Tries == 1 {
				return &outbox.RetryAfterError{After: 10 * time.Second, Err: errors.New("too many requests")}
			}
			return nil
		})
		w.store(anna, outbox.PriorityStatus, "a2")
		w.outbox.Wake()
		testworld.Pass(time.Second)
		w.sender.FailWith(nil)
		w.store(boris, outbox.PriorityStatus, "b1")
		testworld.Pass(8 * time.Second)
		w.wantSent(boris)
		testworld.Pass(2 * time.Second)
		w.wantSent(boris, "b1")
		w.wantSent(anna, "a1", "a2")
	})
}

// TestLostClaimIsReleased: messages that were perhaps claimed, by a commit that the database
// has not answered, do not wait for the end of a lease that nobody holds.
func TestLostClaimIsReleased(t *testing.T) {
	proxy := testworld.PostgresProxy(t)
	inWorld(t, func(t *testing.T, w *world) {
		keys, err := storage.ParseKeys(testworld.SecretKey)
		testworld.Must(t, err)
		db, err := storage.Open(t.Context(), storage.Options{URL: proxy.URL(), Keys: keys})
		testworld.Must(t, err)
		_, _, err = db.TouchUser(t.Context(), anna, "Anna", "en", true)
		testworld.Must(t, err)
		own := w.db
		w.db = db
		w.store(anna, outbox.PriorityGoods, "goods")
		other := w.newOutbox()
		w.db = own
		proxy.CutForLong(pgtest.CutAfterCommit)
		other.Start(&w.sender)
		time.AfterFunc(13*time.Second, proxy.Up)
		testworld.Pass(time.Minute)
		w.wantSent(anna, "goods")
		testworld.Must(t, other.Stop(t.Context()))
		testworld.Must(t, db.Close(t.Context()))
	})
}
