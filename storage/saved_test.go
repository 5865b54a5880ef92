package storage

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
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

func TestFavourites(t *testing.T) {
	db := openWithPeople(t)
	ctx := t.Context()
	want := func(user int64, want ...Favourite) {
		t.Helper()
		got, err := db.Favourites(ctx, user, 10, 0)
		n, countErr := db.CountFavourites(ctx, user)
		if diff := cmp.Diff(want, got); err != nil || countErr != nil || n != len(want) || (diff != "" && len(want)+len(got) > 0) {
			t.Errorf("%v, %v, %d (-want +got):\n%s", err, countErr, n, diff)
		}
	}
	a, b, c := Favourite{Service: 1, SMM: true, Name: "Followers"}, Favourite{Service: 2, Name: "Gmail"}, Favourite{Service: 3, Name: "Outlook"}
	add := func(user int64, f Favourite, most int, want error) {
		t.Helper()
		if err := db.AddFavourite(ctx, user, f, most); !errors.Is(err, want) {
			t.Errorf("adding %s: %v, want %v", f.Name, err, want)
		}
	}
	add(ann, a, 2, nil)
	add(bob, c, 2, nil)
	add(ann, b, 2, nil)
	add(ann, c, 2, ErrFull)
	add(ann, a, 2, nil) // it is one of them
	if err := db.AddFavourite(ctx, 99, a, 2); err == nil {
		t.Error("somebody never seen has saved something")
	}
	want(bob, c)
	if err := db.RemoveFavourite(ctx, ann, 2); err != nil {
		t.Error(err)
	}
	want(ann, a)
	want(99)
}

func TestSavedThingsArePeoplesOwn(t *testing.T) {
	db := openWithPeople(t)
	ctx := t.Context()
	mine := Watch{UserID: ann, Service: 2, Name: "Gmail", Kind: WatchRestock, Currency: "USD"}
	for _, err := range []error{
		db.AddFavourite(ctx, ann, Favourite{Service: 2, Name: "Gmail"}, 9),
		db.SetWatch(ctx, mine, 9),
		db.RemoveFavourite(ctx, bob, 2),
		db.RemoveWatch(ctx, bob, 2, WatchRestock),
		db.RemoveWatch(ctx, ann, 2, WatchPrice), // she has no such
	} {
		if err != nil {
			t.Error(err)
		}
	}
	for user, want := range map[int64]bool{ann: true, bob: false} {
		saved, err := db.IsFavourite(ctx, user, 2)
		alerts, alertsErr := db.Watches(ctx, user, 2)
		if err != nil || alertsErr != nil || saved != want || (len(alerts) == 1) != want {
			t.Errorf("%d: %v %v, saved %v, alerts %v", user, err, alertsErr, saved, alerts)
		}
	}
	// All of it ends with the person.
	if _, err := db.writer.ExecContext(ctx, "DELETE FROM users WHERE id = 7"); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"favourites", "watches"} {
		var n int
		if err := db.reader.GetContext(ctx, &n, "SELECT COUNT(*) FROM "+table); err != nil || n != 0 {
			t.Errorf("%s: %v, %d left", table, err, n)
		}
	}
}

func TestSetAlert(t *testing.T) {
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

// TestChangeAlerts: of any number of callers that have seen the same, one tells.
func TestChangeAlerts(t *testing.T) {
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
			var told [8]int
			var callers sync.WaitGroup
			for i := range told {
				callers.Go(func() {
					n, err := db.ApplyWatchChanges(t.Context(), []WatchChange{change, change}, time.Now())
					if err != nil {
						t.Error(err)
					}
					told[i] = n
				})
			}
			callers.Wait()
			sum := 0
			for _, n := range told {
				sum += n
			}
			if waiting, err := db.CountPendingMessages(t.Context()); err != nil || sum != 1 || waiting != 1 {
				t.Errorf("%v, told %d times, %d messages", err, sum, waiting)
			}
			if left, err := db.Watches(t.Context(), ann, 2); err != nil || (len(left) == 0) != end || !end && left[0].Armed {
				t.Errorf("%v, left %+v", err, left)
			}
		})
	}
}

// TestAnAlertSetAnew is not told by what was seen before.
func TestAnAlertSetAnew(t *testing.T) {
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
		told, err := db.ApplyWatchChanges(t.Context(), []WatchChange{{Watch: seen, End: true, Message: Message{UserID: ann, Kind: "price"}}}, time.Now())
		if err != nil || told != 0 {
			t.Errorf("%v, told %d", err, told)
		}
	})
}

func TestClaimAlertsRound(t *testing.T) {
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
