package storage

import (
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"
)

// TestMigrationsGoBack: each one takes back what it did, and nothing else.
func TestMigrationsGoBack(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	placed(t, db, 1, 101) // tables with rows
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db.writer.DB, folder, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	schema := func() (lines []string) {
		t.Helper()
		query := `SELECT m.name || ': ' || m.type || ' ' || COALESCE((SELECT group_concat(c.name) FROM pragma_table_info(m.name) c), '') FROM sqlite_master m ORDER BY 1`
		if err := db.writer.SelectContext(ctx, &lines, query); err != nil {
			t.Fatal(err)
		}
		return lines
	}
	newest := provider.ListSources()
	before := map[int64][]string{}
	for i := len(newest) - 1; i > 0; i-- { // the first one holds what can't be taken back
		before[newest[i].Version] = schema()
		if _, err := provider.Down(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for range newest[1:] {
		done, err := provider.UpByOne(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before[done.Source.Version], schema()); diff != "" {
			t.Errorf("%s, down and up (-before +after):\n%s", done.Source.Path, diff)
		}
	}
}
