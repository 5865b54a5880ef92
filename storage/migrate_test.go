package storage

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/sandbox/pgtest"
)

// TestMigrationsDown: each down migration reverts its up migration exactly.
func TestMigrationsDown(t *testing.T) {
	pgtest.SQLiteOnly(t)
	db := openTest(t)
	ctx := t.Context()
	placed(t, db, 1, 101)                                                        // tables with rows
	for _, id := range []string{"5b0c1f0e-77aa", "12345678901234567890", "x1"} { // no numbers of the old column
		o := importedOrder(1, 0)
		o.ExternalID = id
		if _, err := db.ImportOrder(ctx, o, nil, noMessages); err != nil {
			t.Fatal(err)
		}
	}
	provider, err := sqliteSchema.newProvider(db.writer)
	if err != nil {
		t.Fatal(err)
	}
	schema := func() (lines []string) {
		t.Helper()
		query := `SELECT m.name || ': ' || m.type || ' ' || COALESCE((SELECT group_concat(c.name ORDER BY c.name) FROM pragma_table_info(m.name) c), '') FROM sqlite_master m ORDER BY 1`
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

func TestMigrationSetsSchemaMin(t *testing.T) {
	db := openTest(t)
	if got, err := db.Setting(t.Context(), schemaMinSetting); err != nil || got != "18" {
		t.Errorf("schema_min is %q, %v", got, err)
	}
}

func TestOpenRefusesNewerSchema(t *testing.T) {
	pgtest.SQLiteOnly(t)
	path := filepath.Join(t.TempDir(), "bot.db")
	db := openAt(t, path, testKeys(t, 1))
	if err := db.SetSetting(t.Context(), schemaMinSetting, "999"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), Options{URL: "sqlite:" + path, Keys: testKeys(t, 1)})
	var refused *SchemaError
	if !errors.As(err, &refused) || refused.Required != 999 || refused.Known < 10 {
		t.Fatalf("the error is %v", err)
	}
	if text := err.Error(); !strings.Contains(text, "needs a newer program") || strings.Contains(text, "\n") {
		t.Errorf("the error says %q", text)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the refused database was written to (%v)", err)
	}
}

func TestOpenRefusesMalformedSchemaMin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	db := openAt(t, path, testKeys(t, 1))
	if err := db.SetSetting(t.Context(), schemaMinSetting, "ten"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	if _, err := Open(t.Context(), Options{URL: testURL(t, path), Keys: testKeys(t, 1)}); err == nil || !strings.Contains(err.Error(), schemaMinSetting) {
		t.Errorf("the error is %v", err)
	}
}
