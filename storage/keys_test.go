package storage

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/redact"
)

func checkKey(t *testing.T, db *DB, want Key) {
	t.Helper()
	got, err := db.Key(t.Context(), want.ID)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("key: %v%s", err, diff)
	}
}

func TestKeyStates(t *testing.T) {
	db := openWithUsers(t, 7, 8)
	if _, err := db.ActiveKey(t.Context(), 7); !errors.Is(err, ErrNotFound) {
		t.Errorf("no key yet: %v", err)
	}
	first := saveKey(t, db, 7, "first-secret")
	second := saveKey(t, db, 7, "second-secret")
	first.State, first.Secret = KeyReplaced, ""
	checkKey(t, db, first) // forgotten: nothing was bought with it

	// Given again, it is the same key: its orders find it.
	if again := saveKey(t, db, 7, "first-secret"); again.ID != first.ID || !again.CreatedAt.Equal(first.CreatedAt) {
		t.Errorf("given again: %+v", again)
	}
	first.State, first.Secret, second.State, second.Secret = KeyActive, "first-secret", KeyReplaced, ""
	checkKey(t, db, second)

	// Somebody else with the same key has a row of their own, and one fingerprint.
	theirs := saveKey(t, db, 8, "first-secret")
	if theirs.ID == first.ID || theirs.Fingerprint != first.Fingerprint {
		t.Errorf("another person's: %+v", theirs)
	}

	if err := db.RemoveKey(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	first.State, first.Secret = KeyRemoved, ""
	checkKey(t, db, first)
	checkKey(t, db, theirs)
	if _, err := db.ActiveKey(t.Context(), 7); !errors.Is(err, ErrNotFound) {
		t.Errorf("a removed key is active: %v", err)
	}
	if err := db.RemoveKey(t.Context(), 7); !errors.Is(err, ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if _, err := db.Key(t.Context(), 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown key: %v", err)
	}
}

// A refusal is notified once; a key that is given again is valid again.
func TestRefuseKey(t *testing.T) {
	db := openWithUsers(t, 7)
	key := saveKey(t, db, 7, "first-secret")
	for _, want := range []bool{true, false} {
		refused, err := db.RefuseKey(t.Context(), key.ID, Message{UserID: 7, Kind: "refused", CreatedAt: key.CreatedAt})
		if err != nil || refused != want {
			t.Errorf("refused is %t, %v, want %t", refused, err, want)
		}
	}
	if n, err := db.CountPendingMessages(t.Context()); err != nil || n != 1 {
		t.Errorf("%d messages, %v, want 1", n, err)
	}
	key.Invalid = true
	checkKey(t, db, key)
	saveKey(t, db, 7, "first-secret")
}

func TestOneActiveKey(t *testing.T) {
	db := openWithUsers(t, 7)
	var saves sync.WaitGroup
	for i := range 20 {
		saves.Go(func() {
			if _, err := db.SaveKey(t.Context(), 7, redact.Secret(fmt.Sprint("secret-", i%5))); err != nil {
				t.Error(err)
			}
		})
	}
	saves.Wait()
	var active, all int
	if err := errors.Join(
		db.reader.GetContext(t.Context(), &active, "SELECT COUNT(*) FROM api_keys WHERE user_id = 7 AND state = 'active'"),
		db.reader.GetContext(t.Context(), &all, "SELECT COUNT(*) FROM api_keys WHERE user_id = 7")); err != nil {
		t.Fatal(err)
	}
	if active != 1 || all != 5 {
		t.Errorf("%d active of %d keys", active, all)
	}
	saveKey(t, db, 7, "secret-1")
	saveKey(t, db, 7, "secret-2")
	for _, statement := range []string{ // the index holds where the program doesn't
		"UPDATE api_keys SET state = 'active' WHERE user_id = 7",
		"UPDATE api_keys SET user_id = 9 WHERE user_id = 7", // and so does the foreign key
	} {
		if _, err := db.writer.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("%s: passed", statement)
		}
	}
}

// A sealed secret that was copied into another row can't be opened.
func TestKeyOfAnotherRow(t *testing.T) {
	db := openWithUsers(t, 7, 8)
	mine, theirs := saveKey(t, db, 7, "first-secret"), saveKey(t, db, 8, "second-secret")
	if _, err := db.writer.ExecContext(t.Context(),
		"UPDATE api_keys SET secret_sealed = (SELECT secret_sealed FROM api_keys WHERE id = ?) WHERE id = ?", theirs.ID, mine.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ActiveKey(t.Context(), 7); !errors.Is(err, ErrSealed) {
		t.Errorf("a swapped secret: %v", err)
	}
}

// TestKeyOfAnotherOwner: a key whose row was moved to another person can't be opened.
func TestKeyOfAnotherOwner(t *testing.T) {
	db := openWithUsers(t, 7, 8)
	saveKey(t, db, 7, "first-secret")
	saveKey(t, db, 8, "second-secret")
	for _, statement := range []string{
		"DROP INDEX api_keys_active", // it refuses two active keys in the middle of the swap
		"UPDATE api_keys SET user_id = 15 - user_id",
	} {
		if _, err := db.writer.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, user := range []int64{7, 8} {
		if key, err := db.ActiveKey(t.Context(), user); !errors.Is(err, ErrSealed) {
			t.Errorf("the key of %d is %q, %v", user, key.Secret.Reveal(), err)
		}
	}
}

// TestSealKeysForOwners: keys that an older program sealed open after the start that
// follows the migration; later, the old form is refused.
func TestSealKeysForOwners(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	db := openAt(t, path, testKeys(t, 2))
	keys := map[int64]Key{}
	for id, ring := range map[int64]Keyring{7: testKeys(t, 2), 8: testKeys(t, 1)} { // key 1 is missing at first
		if _, _, err := db.TouchUser(t.Context(), id, "Ann", "en", true); err != nil {
			t.Fatal(err)
		}
		keys[id] = saveKey(t, db, id, redact.Secret(fmt.Sprint("secret-", id)))
		storeUnbound(t, db, ring, keys[id])
	}
	if _, err := db.ActiveKey(t.Context(), 7); !errors.Is(err, ErrSealed) {
		t.Errorf("the old form before the start: %v", err)
	}
	if err := db.SetSetting(t.Context(), unboundKeysSetting, "1"); err != nil { // as the migration does
		t.Fatal(err)
	}

	db = reopen(t, db, path, testKeys(t, 2))
	checkKey(t, db, keys[7])
	if _, err := db.ActiveKey(t.Context(), 8); !isUnknownKey(err) {
		t.Errorf("a key is missing: %v", err)
	}
	before := selectStrings(t, db, `SELECT secret_sealed FROM api_keys WHERE user_id = 7`)
	db = reopen(t, db, path, testKeys(t, 2, 1))
	checkKey(t, db, keys[7])
	checkKey(t, db, keys[8])
	equal(t, "sealed anew without need", before, selectStrings(t, db, `SELECT secret_sealed FROM api_keys WHERE user_id = 7`))

	storeUnbound(t, db, testKeys(t, 2), keys[7])
	db = reopen(t, db, path, testKeys(t, 2, 1))
	if _, err := db.ActiveKey(t.Context(), 7); !errors.Is(err, ErrSealed) {
		t.Errorf("the old form after the start: %v", err)
	}
	checkKey(t, db, keys[8])
}

// storeUnbound stores the secret of a key as older programs sealed it.
func storeUnbound(t *testing.T, db *DB, ring Keyring, key Key) {
	t.Helper()
	sealed := (&DB{keys: ring}).seal("api_keys", "secret", key.ID, []byte(key.Secret.Reveal()))
	if _, err := db.writer.ExecContext(t.Context(), `UPDATE api_keys SET secret_sealed = ? WHERE id = ?`, sealed, key.ID); err != nil {
		t.Fatal(err)
	}
}

func reopen(t *testing.T, db *DB, path string, ring Keyring) *DB {
	t.Helper()
	mustClose(t, db)
	return openAt(t, path, ring)
}
