package storage

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"hstockbot/internal/sandbox/pgtest"
)

func TestSealRoundTrip(t *testing.T) {
	db := &DB{keys: testKeys(t, 1)}
	rapid.Check(t, func(t *rapid.T) {
		table, column := rapid.StringMatching(`[a-z_]{1,20}`).Draw(t, "table"), rapid.StringMatching(`[a-z_]{1,20}`).Draw(t, "column")
		row, plain := rapid.Int64().Draw(t, "row"), rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		sealed := db.seal(table, column, row, plain)
		got, err := db.unseal(table, column, row, sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%q became %q, %v", plain, got, err)
		}
		if again := db.seal(table, column, row, plain); again == sealed {
			t.Fatal("the same value twice looks the same")
		}
	})
}

func TestSealedFormat(t *testing.T) {
	db := &DB{keys: testKeys(t, 1)}
	sealed := db.seal("t", "c", 1, []byte("canary"))
	parts := strings.Split(sealed, ".")
	// 8 hex digits of SHA-256 over 32 bytes of 1.
	if len(parts) != 3 || parts[0] != "v1" || parts[1] != "72cd6e84" || strings.ContainsAny(parts[2], "+/=") {
		t.Errorf("sealed as %s", sealed)
	}
}

func TestUnsealRefuses(t *testing.T) {
	db := &DB{keys: testKeys(t, 1)}
	sealed := db.seal("api_keys", "secret", 7, []byte("canary"))
	last := sealed[len(sealed)-1]
	flipped := sealed[:len(sealed)-10] + strings.Map(func(r rune) rune {
		if r == 'A' {
			return 'B'
		}
		return 'A'
	}, sealed[len(sealed)-10:len(sealed)-9]) + sealed[len(sealed)-9:]
	for name, test := range map[string]struct {
		table, column string
		row           int64
		sealed        string
	}{
		"another row":     {"api_keys", "secret", 8, sealed},
		"another column":  {"api_keys", "print", 7, sealed},
		"another table":   {"dialogs", "secret", 7, sealed},
		"shifted names":   {"api_key", "ssecret", 7, sealed},
		"changed":         {"api_keys", "secret", 7, flipped},
		"cut off":         {"api_keys", "secret", 7, sealed[:len(sealed)-1]},
		"longer":          {"api_keys", "secret", 7, sealed + string(last)},
		"no base64":       {"api_keys", "secret", 7, sealed[:len(sealed)-1] + "!"},
		"another version": {"api_keys", "secret", 7, "v2" + sealed[2:]},
		"plain":           {"api_keys", "secret", 7, "canary"},
		"empty":           {"api_keys", "secret", 7, ""},
		"no box":          {"api_keys", "secret", 7, sealed[:12]},
	} {
		plain, err := db.unseal(test.table, test.column, test.row, test.sealed)
		if !errors.Is(err, ErrSealed) || plain != nil {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
		if strings.Contains(fmt.Sprint(err), "canary") {
			t.Errorf("%s: the error shows the value", name)
		}
	}
}

func TestSealText(t *testing.T) {
	db := &DB{keys: testKeys(t, 1)}
	for _, text := range []string{"", "x"} {
		sealed := db.sealText("t", "c", 1, text)
		got, err := db.unsealText("t", "c", 1, sealed)
		if err != nil || got != text || (sealed == "") != (text == "") {
			t.Errorf("%q became %q (%v), sealed as %q", text, got, err, sealed)
		}
	}
}

// A new key is added in front; the old one still opens what it sealed, and without
// it Open fails. Digests stay the same.
func TestKeyRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	db := openAt(t, path, testKeys(t, 1))
	old, digest := db.seal("t", "c", 1, []byte("canary")), db.Digest("key", []byte("secret"))
	mustClose(t, db)

	_, err := Open(t.Context(), Options{URL: testURL(t, path), Keys: testKeys(t, 2)})
	var unknown *UnknownKeyError
	if !errors.As(err, &unknown) || unknown.KeyID != "72cd6e84" {
		t.Fatalf("opened with another key: %v", err)
	}

	db = openAt(t, path, testKeys(t, 2, 1))
	if plain, err := db.unseal("t", "c", 1, old); err != nil || string(plain) != "canary" {
		t.Errorf("the old value is %q, %v", plain, err)
	}
	if db.Digest("key", []byte("secret")) != digest {
		t.Error("the digest has changed")
	}
	only := &DB{keys: testKeys(t, 2)}
	if _, err := only.unseal("t", "c", 1, db.seal("t", "c", 1, []byte("new"))); err != nil {
		t.Errorf("new values are not sealed with the newest key: %v", err)
	}
}

func TestDigest(t *testing.T) {
	db, other := openTest(t), openTest(t)
	one := db.Digest("key", []byte("secret"))
	if len(one) != 43 || one != db.Digest("key", []byte("secret")) {
		t.Errorf("the digest is %q, then %q", one, db.Digest("key", []byte("secret")))
	}
	for name, different := range map[string]string{
		"another value":    db.Digest("key", []byte("secret2")),
		"another domain":   db.Digest("account", []byte("secret")),
		"a shifted domain": db.Digest("keys", []byte("ecret")),
		"another database": other.Digest("key", []byte("secret")),
	} {
		if different == one {
			t.Errorf("%s has the same digest", name)
		}
	}
}

func TestParseKeys(t *testing.T) {
	one, two := bytes.Repeat([]byte{0xfb}, keySize), bytes.Repeat([]byte{2}, keySize)
	std, url, raw := base64.StdEncoding.EncodeToString(one), base64.URLEncoding.EncodeToString(one), base64.RawStdEncoding.EncodeToString(one)
	want := testKeys(t, 0xfb, 2)
	for _, text := range []string{std, url, raw, " " + std + "\n", std + "," + base64.StdEncoding.EncodeToString(two), url + ", " + base64.StdEncoding.EncodeToString(two)} {
		ring, err := ParseKeys(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		for i, key := range ring.keys {
			if key.id != want.keys[i].id {
				t.Errorf("%q: key %d is %s, want %s", text, i, key.id, want.keys[i].id)
			}
		}
	}
	for _, text := range []string{"", " ", ",", std + ",", "hunter2", std[:20], std + "hunter2", std + ",hunter2hunter2", "!" + std} {
		_, err := ParseKeys(text)
		if err == nil {
			t.Errorf("%q is taken for keys", text)
			continue
		}
		for _, secret := range []string{"hunter2", std, std[:8]} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the value: %v", err)
			}
		}
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(format, want); !strings.Contains(text, "[redacted]") || len(text) > 20 {
			t.Errorf("a keyring prints as %s", text)
		}
	}
}

func TestKeysBeside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "bot.db")
	rings := make([]Keyring, 16)
	var starts sync.WaitGroup
	for i := range rings {
		starts.Go(func() {
			var err error
			if rings[i], err = KeysBeside(path); err != nil {
				t.Error(err)
			}
		})
	}
	starts.Wait()
	db := &DB{keys: rings[0]}
	sealed := db.seal("t", "c", 1, []byte("canary"))
	for i, ring := range rings {
		if plain, err := (&DB{keys: ring}).unseal("t", "c", 1, sealed); err != nil || string(plain) != "canary" {
			t.Errorf("start %d has another key: %v", i, err)
		}
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 || files[0].Name() != secretFile {
		t.Errorf("left in the folder: %v, %v", files, err)
	}
}

func TestMakeKeyWithoutHardLinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	name := filepath.Join(filepath.Dir(path), secretFile)
	noLinks := func(from, to string) error {
		return &os.LinkError{Op: "link", Old: from, New: to, Err: errors.ErrUnsupported}
	}
	var first []byte
	for range 2 { // the second one does not replace the key of the first one
		if err := makeKey(name, noLinks); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = text
		}
		if !bytes.Equal(first, text) {
			t.Error("the key was replaced")
		}
	}
	if _, err := KeysBeside(path); err != nil {
		t.Error(err)
	}
	files, err := os.ReadDir(filepath.Dir(name))
	if err != nil || len(files) != 1 {
		t.Errorf("left in the folder: %v, %v", files, err)
	}
	for n := range len(bytes.TrimSpace(first)) - len("=") {
		if err := os.WriteFile(name, first[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := KeysBeside(path); err == nil || !strings.Contains(err.Error(), "delete the file") {
			t.Fatalf("the first %d characters of a key: %v", n, err)
		}
	}
}

func TestKeysBesideRefuses(t *testing.T) {
	t.Run("readable by others", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "bot.db")
		if _, err := KeysBeside(path); err != nil {
			t.Fatal(err)
		}
		for _, mode := range []os.FileMode{0o604, 0o644, 0o650, 0o664} {
			if err := os.Chmod(filepath.Join(filepath.Dir(path), secretFile), mode); err != nil {
				t.Fatal(err)
			}
			if _, err := KeysBeside(path); err == nil || !strings.Contains(err.Error(), "chmod 600") || !strings.Contains(err.Error(), "SECRET_KEY") {
				t.Errorf("mode %04o: %v", mode, err)
			}
		}
	})
	t.Run("nonsense", func(t *testing.T) {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, secretFile), []byte("hunter2"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := KeysBeside(filepath.Join(folder, "bot.db"))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("nonsense: %v", err)
		}
	})
	t.Run("lost beside a database", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "bot.db")
		pgtest.SQLiteOnly(t)
		openAt(t, path, testKeys(t, 1))
		if _, err := KeysBeside(path); err == nil || !strings.Contains(err.Error(), "put it back") {
			t.Errorf("a new key for an old database: %v", err)
		}
	})
}
