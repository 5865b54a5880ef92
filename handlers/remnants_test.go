package handlers_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"testing"
	"time"

	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
)

// Of a forgotten person no byte is left in the database file and its write-ahead log.
func TestForgottenPersonLeavesNoRemnants(t *testing.T) {
	pgtest.SQLiteOnly(t)
	inWorld(t, "en", func(w *world) {
		// The id has more than four bytes, so that no other number looks like it.
		person := telegram.Person{ID: 0x1d5a7b9c3e, FirstName: "Persephone", LanguageCode: "en"}
		w.become(person)
		w.withKey(annaKey)
		w.buyGmail("2")
		w.types("/search gmail")
		w.types("https://instagram.com/persephone")
		w.rent("1")
		w.buyWithEmail("persephone@example.com")
		w.tap("menu_button_catalog")
		pass(2 * time.Minute)
		idBytes := binary.BigEndian.AppendUint64(nil, uint64(person.ID))[3:]
		sealed := []byte("v1.")
		remnants := func(values ...[]byte) (counts []int) {
			for _, value := range values {
				n := 0
				for _, suffix := range []string{"", "-wal"} {
					content, err := os.ReadFile(w.DatabasePath() + suffix)
					if err != nil && !errors.Is(err, fs.ErrNotExist) {
						w.T.Fatal(err)
					}
					n += bytes.Count(bytes.ReplaceAll(content, []byte("v1.2.3"), nil), value) // the program's version looks sealed
				}
				counts = append(counts, n)
			}
			return counts
		}
		values := [][]byte{idBytes, []byte("Persephone"), sealed, []byte(strconv.FormatInt(person.ID, 10)), []byte("persephone"), []byte(annaKey)}
		if before := remnants(values...); before[0] == 0 || before[1] == 0 || before[2] < 2 {
			t.Fatalf("the test looks for the wrong values: %v", before)
		}
		w.forget()
		w.says(w.l.T("forget_done"))
		pass(3 * time.Second)
		for i, n := range remnants(values...) {
			if i == 2 {
				n-- // the key of digests, in the settings
			}
			if n != 0 {
				t.Errorf("%q is left %d times", values[i], n)
			}
		}
	})
}
