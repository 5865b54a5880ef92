package storage

import (
	"errors"
	"testing"
)

func TestSavedNumbers(t *testing.T) {
	db := openWithPeople(t)
	ctx := t.Context()
	tgUS, tgGB, waUS := SavedNumber{"tg", "us", "Telegram"}, SavedNumber{"tg", "gb", "Telegram"}, SavedNumber{"wa", "us", "WhatsApp"}
	save := func(user int64, n SavedNumber, want error) {
		t.Helper()
		if err := db.SaveNumber(ctx, user, n, 2); !errors.Is(err, want) {
			t.Errorf("saving %v: %v, want %v", n, err, want)
		}
	}
	want := func(user int64, want ...SavedNumber) {
		t.Helper()
		got, err := db.SavedNumbers(ctx, user)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%v, %v, want %v", got, err, want)
		}
		for _, n := range want {
			if got[0] != n && got[len(got)-1] != n {
				t.Errorf("%v, want %v", got, want)
			}
		}
	}
	save(ann, tgUS, nil)
	save(bob, tgUS, nil)
	save(ann, tgGB, nil)
	save(ann, waUS, ErrFull)
	save(ann, tgUS, nil) // it is one of them
	if err := db.SaveNumber(ctx, 99, tgUS, 2); err == nil {
		t.Error("an unknown person has saved something")
	}
	want(ann, tgUS, tgGB)
	if err := db.RemoveSavedNumber(ctx, ann, "tg", "us"); err != nil {
		t.Fatal(err)
	}
	want(ann, tgGB)
	want(bob, tgUS)
	data, err := db.PersonalData(ctx, ann)
	if err != nil || len(data.Numbers) != 1 || data.Numbers[0] != tgGB {
		t.Errorf("the personal data has %v, %v", data.Numbers, err)
	}
	// All of it ends with the person.
	if _, err := db.writer.ExecContext(ctx, "DELETE FROM users WHERE id = 7"); err != nil {
		t.Fatal(err)
	}
	want(ann)
}
