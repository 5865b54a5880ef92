package storage

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
)

// Each way to write is observed once when it ends.
func TestObserve(t *testing.T) {
	var kinds []string
	db, err := Open(t.Context(), Options{
		URL: testURL(t, filepath.Join(t.TempDir(), "bot.db")), Keys: testKeys(t, 1),
		Observe: func(kind string, _ time.Duration) { kinds = append(kinds, kind) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, db)
	for _, test := range []struct {
		want  string
		write func() error
	}{
		{"write", func() error { return db.write(t.Context(), func(*sqlx.Tx) error { return nil }) }},
		{"small_write", func() error { return db.submit(t.Context(), func(*sqlx.Tx) error { return nil }) }},
		{"small_write", func() error {
			return db.pipeline(t.Context(), func() []command { return []command{{query: `DELETE FROM pace WHERE name = 'none'`}} })
		}},
	} {
		kinds = nil
		if err := test.write(); err != nil || !slices.Equal(kinds, []string{test.want}) {
			t.Errorf("got %v and %q, want %q", err, kinds, test.want)
		}
	}
}
