package storage

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
)

const ann, bob = 7, 8

// openWithPeople opens a database that knows Ann and Bob.
func openWithPeople(t *testing.T) *DB {
	t.Helper()
	db := openTest(t)
	for _, id := range []int64{ann, bob} {
		if _, _, err := db.TouchUser(t.Context(), id, "Somebody", "en", true); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func TestSetWatch(t *testing.T) {
	db := openWithPeople(t)
	ctx := t.Context()
	price := Watch{UserID: ann, Service: 2, Name: "Gmail", Kind: WatchPrice, Price: decimal.RequireFromString("1.10"), Currency: "EUR"}
	set := func(a Watch, most int, want error) {
		t.Helper()
		if err := db.SetWatch(ctx, a, most); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	set(price, 2, nil)
	set(Watch{UserID: ann, Service: 2, Kind: WatchRestock}, 2, nil)
	set(Watch{UserID: ann, Service: 3, Kind: WatchRestock}, 2, ErrFull)
	price.Price = decimal.RequireFromString("0.9000")
	set(price, 2, nil) // in place of the one before
	got, err := db.WatchesBetween(ctx, false, 2, 2)
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", err, got)
	}
	for _, a := range got {
		if a.Kind == WatchPrice && (!a.Price.Equal(price.Price) || a.Currency != "EUR" || !a.Armed || a.Name != "Gmail") {
			t.Errorf("got %+v", a)
		}
	}
	if smm, err := db.WatchedServices(ctx, true); err != nil || len(smm) > 0 {
		t.Errorf("%v, %v", err, smm)
	}
}

// TestApplyWatchChanges: of concurrent callers with the same change one notifies.
func TestApplyWatchChanges(t *testing.T) {
	for _, end := range []bool{false, true} {
		t.Run(fmt.Sprint("end ", end), func(t *testing.T) {
			db := openWithPeople(t)
			if err := db.SetWatch(t.Context(), Watch{UserID: ann, Service: 2, Kind: WatchRestock}, 9); err != nil {
				t.Fatal(err)
			}
			seen, err := db.Watches(t.Context(), ann, 2)
			if err != nil {
				t.Fatal(err)
			}
			change := WatchChange{Watch: seen[0], End: end, Message: Message{UserID: ann, Kind: "restock", CreatedAt: time.Now()}}
			var notified [8]int
			var callers sync.WaitGroup
			for i := range notified {
				callers.Go(func() {
					n, err := db.ApplyWatchChanges(t.Context(), []WatchChange{change, change}, time.Now())
					if err != nil {
						t.Error(err)
					}
					notified[i] = n
				})
			}
			callers.Wait()
			sum := 0
			for _, n := range notified {
				sum += n
			}
			if waiting, err := db.CountPendingMessages(t.Context()); err != nil || sum != 1 || waiting != 1 {
				t.Errorf("%v, notified %d times, %d messages", err, sum, waiting)
			}
			if left, err := db.Watches(t.Context(), ann, 2); err != nil || (len(left) == 0) != end || !end && left[0].Armed {
				t.Errorf("%v, left %+v", err, left)
			}
		})
	}
}

// TestApplyWatchChangesSkipsResetWatch: a change read before the watch was set again is skipped.
func TestApplyWatchChangesSkipsResetWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openWithPeople(t)
		defer mustClose(t, db)
		a := Watch{UserID: ann, Service: 2, Kind: WatchPrice, Price: decimal.NewFromInt(5)}
		set := func() []Watch {
			if err := db.SetWatch(t.Context(), a, 9); err != nil {
				t.Fatal(err)
			}
			all, err := db.Watches(t.Context(), ann, 2)
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		seen := set()[0]
		time.Sleep(time.Second)
		a.Price = decimal.NewFromInt(1)
		set()
		notified, err := db.ApplyWatchChanges(t.Context(), []WatchChange{{Watch: seen, End: true, Message: Message{UserID: ann, Kind: "price"}}}, time.Now())
		if err != nil || notified != 0 {
			t.Errorf("%v, notified %d", err, notified)
		}
	})
}

func TestClaimWatchRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openWithPeople(t)
		defer mustClose(t, db)
		const pause = 3 * time.Minute
		claim := func(now time.Time, want bool, due time.Time) {
			t.Helper()
			mine, at, err := db.ClaimWatchRound(t.Context(), now, pause)
			if err != nil || mine != want || !at.Equal(due) {
				t.Errorf("at %v: %v, %v, %v; want %v, %v", now, mine, at, err, want, due)
			}
		}
		start := time.Now()
		claim(start, true, start.Add(pause))
		claim(start.Add(time.Second), false, start.Add(pause))
		claim(start.Add(pause), true, start.Add(2*pause))
		claim(start.Add(-time.Hour), true, start.Add(-time.Hour).Add(pause)) // the clock was put back
	})
}

// TestPullWatchRound: only the round that the caller has read becomes due, or any.
func TestPullWatchRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openWithPeople(t)
		defer mustClose(t, db)
		const pause = 3 * time.Minute
		now := time.Now()
		claim := func() (bool, time.Time) {
			t.Helper()
			mine, due, err := db.ClaimWatchRound(t.Context(), now, pause)
			if err != nil {
				t.Fatal(err)
			}
			return mine, due
		}
		pull := func(due time.Time) {
			t.Helper()
			if err := db.PullWatchRound(t.Context(), due, now); err != nil {
				t.Fatal(err)
			}
		}
		pull(time.Time{}) // nothing is stored
		_, due := claim()
		pull(due.Add(time.Second))
		if mine, _ := claim(); mine {
			t.Error("a round that another process has moved was made due")
		}
		for _, read := range []time.Time{due, {}} {
			pull(read)
			if mine, _ := claim(); !mine {
				t.Errorf("the round due at %v is not due after it was pulled", read)
			}
		}
	})
}
