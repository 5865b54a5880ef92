package storage

import (
	"path/filepath"
	"testing"
	"time"

	"hstockbot/internal/sandbox/pgtest"
)

// After each method that changes users, User returns what is stored.
func TestChangedUserIsReadAgain(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	for _, change := range []struct {
		name string
		make func() error
	}{
		{"TouchUser", func() error { _, _, err := db.TouchUser(ctx, 7, "Anna", "de", true); return err }},
		{"SetLang", func() error { return db.SetLang(ctx, 7, "zh") }},
		{"SetUnreachable", func() error { return db.SetUnreachable(ctx, 7) }},
		{"SetBlocked", func() error { _, err := db.SetBlocked(ctx, 7, true, AuditEntry{At: time.Now()}); return err }},
		{"PullBroadcasts", func() error { return db.PullBroadcasts(ctx, time.Now().Add(-time.Hour), time.Hour, time.Hour) }},
		{"Forget", func() error { return db.Forget(ctx, 7, time.Now()) }},
	} {
		t.Run(change.name, func(t *testing.T) {
			if _, _, err := db.TouchUser(ctx, 7, "Ann", "en", true); err != nil {
				t.Fatal(err)
			}
			before, err := db.User(ctx, 7)
			if err != nil {
				t.Fatal(err)
			}
			if err := change.make(); err != nil {
				t.Fatal(err)
			}
			if after, _ := db.User(ctx, 7); after == before {
				t.Errorf("%+v is not read again", after)
			}
		})
	}
}

// Users who were read before a change and are added after it may be those from before it.
func TestUserFromBeforeChangeIsNotKept(t *testing.T) {
	known := &knownUsers{users: map[int64]User{}}
	_, _, changes := known.get(7)
	known.forget(7)
	known.add(User{ID: 7}, changes)
	if user, found, _ := known.get(7); found {
		t.Errorf("%+v is kept", user)
	}
}

func TestKnownUsersAreBounded(t *testing.T) {
	known := &knownUsers{users: map[int64]User{}}
	for id := range int64(2 * maxKnownUsers) {
		known.add(User{ID: id}, 0)
	}
	if n := len(known.users); n > maxKnownUsers {
		t.Errorf("%d users are kept", n)
	}
}

// On a server another process's change is seen.
func TestUserChangedByAnotherProcess(t *testing.T) {
	if !pgtest.Wanted() {
		t.Skip("a file is not shared")
	}
	path := filepath.Join(t.TempDir(), "bot.db")
	db, other := openAt(t, path, testKeys(t, 1)), openAt(t, path, testKeys(t, 1))
	if _, _, err := db.TouchUser(t.Context(), 7, "Ann", "en", true); err != nil {
		t.Fatal(err)
	}
	if _, err := db.User(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	if err := other.SetLang(t.Context(), 7, "zh"); err != nil {
		t.Fatal(err)
	}
	if user, err := db.User(t.Context(), 7); err != nil || user.Lang != "zh" {
		t.Errorf("%+v, %v", user, err)
	}
}
