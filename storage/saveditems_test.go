package storage

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFavourites(t *testing.T) {
	db := openWithPeople(t)
	ctx := t.Context()
	want := func(user int64, want ...SavedItem) {
		t.Helper()
		got, err := db.SavedItems(ctx, user, 10, 0)
		n, countErr := db.CountSavedItems(ctx, user)
		if diff := cmp.Diff(want, got); err != nil || countErr != nil || n != len(want) || (diff != "" && len(want)+len(got) > 0) {
			t.Errorf("%v, %v, %d (-want +got):\n%s", err, countErr, n, diff)
		}
	}
	a, b, c := SavedItem{Service: 1, SMM: true, Name: "Followers"}, SavedItem{Service: 2, Name: "Gmail"}, SavedItem{Service: 3, Name: "Outlook"}
	add := func(user int64, f SavedItem, most int, want error) {
		t.Helper()
		if err := db.SaveItem(ctx, user, f, most); !errors.Is(err, want) {
			t.Errorf("adding %s: %v, want %v", f.Name, err, want)
		}
	}
	add(ann, a, 2, nil)
	add(bob, c, 2, nil)
	add(ann, b, 2, nil)
	add(ann, c, 2, ErrFull)
	add(ann, a, 2, nil) // it is one of them
	if err := db.SaveItem(ctx, 99, a, 2); err == nil {
		t.Error("an unknown person has saved something")
	}
	want(bob, c)
	if err := db.RemoveSavedItem(ctx, ann, 2); err != nil {
		t.Error(err)
	}
	want(ann, a)
	want(99)
}

func TestFavouritesAndWatchesOfTwoPeople(t *testing.T) {
	db := openWithPeople(t)
	ctx := t.Context()
	mine := Watch{UserID: ann, Service: 2, Name: "Gmail", Kind: WatchRestock, Currency: "USD"}
	for _, err := range []error{
		db.SaveItem(ctx, ann, SavedItem{Service: 2, Name: "Gmail"}, 9),
		db.SetWatch(ctx, mine, 9),
		db.RemoveSavedItem(ctx, bob, 2),
		db.RemoveWatch(ctx, bob, 2, WatchRestock),
		db.RemoveWatch(ctx, ann, 2, WatchPrice), // she has no such
	} {
		if err != nil {
			t.Error(err)
		}
	}
	for user, want := range map[int64]bool{ann: true, bob: false} {
		saved, err := db.IsSaved(ctx, user, 2)
		watches, watchesErr := db.Watches(ctx, user, 2)
		if err != nil || watchesErr != nil || saved != want || (len(watches) == 1) != want {
			t.Errorf("%d: %v %v, saved %v, watches %v", user, err, watchesErr, saved, watches)
		}
	}
	// All of it ends with the person.
	if _, err := db.writer.ExecContext(ctx, "DELETE FROM users WHERE id = 7"); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"saved_items", "watches"} {
		var n int
		if err := db.reader.GetContext(ctx, &n, "SELECT COUNT(*) FROM "+table); err != nil || n != 0 {
			t.Errorf("%s: %v, %d left", table, err, n)
		}
	}
}
