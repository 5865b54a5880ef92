package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hstockbot/internal/sandbox/pgtest"
)

// newFile returns the URL of a database file that does not exist.
func newFile(tb testing.TB) string {
	tb.Helper()
	return sqliteScheme + filepath.Join(tb.TempDir(), "data", "bot.db")
}

// execute runs statements on a database without opening it.
func execute(tb testing.TB, url string, statements ...string) {
	tb.Helper()
	side := sideOf(tb, url)
	for _, statement := range statements {
		if _, err := side.ExecContext(tb.Context(), statement); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
	if err := side.close(); err != nil {
		tb.Fatal(err)
	}
}

func sideOf(tb testing.TB, url string) *moveSide {
	tb.Helper()
	side, err := openMoveSide(tb.Context(), "test", url)
	if err != nil {
		tb.Fatal(err)
	}
	return side
}

// fullShopFile is the file that fullShop has made.
var fullShopFile []byte

// fullShop returns the URL of a file with rows in all tables.
func fullShop(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "bot.db")
	url := sqliteScheme + path
	if fullShopFile != nil {
		if err := os.WriteFile(path, fullShopFile, 0o600); err != nil {
			tb.Fatal(err)
		}
		return url
	}
	content, err := os.ReadFile(filepath.Join("testdata", "version9.sqlite"))
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	openOnce(tb, url)
	side := sideOf(tb, url)
	tables, err := side.tables(tb.Context())
	if err == nil {
		tables, err = side.inForeignKeyOrder(tb.Context(), tables)
	}
	if err != nil {
		tb.Fatal(err)
	}
	var statements []string
	for _, table := range tables {
		n, err := side.count(tb.Context(), `SELECT COUNT(*) FROM `+table.name)
		if err != nil {
			tb.Fatal(err)
		}
		if n > 0 {
			continue
		}
		values := make([]string, len(table.columns)) // of a table that is newer than version 9
		for i, column := range table.columns {
			switch {
			case column == "order_id":
				values[i] = "(SELECT MIN(id) FROM orders)"
			case column == "purchase_id":
				values[i] = "(SELECT MIN(id) FROM purchases)"
			case slices.Contains(table.text, column):
				values[i] = "'1'"
			default:
				values[i] = "1"
			}
		}
		statements = append(statements, `INSERT INTO `+table.name+` (`+table.list()+`) VALUES (`+strings.Join(values, ", ")+`)`)
	}
	if err := side.close(); err != nil {
		tb.Fatal(err)
	}
	db := &DB{keys: testKeys(tb, 1)}
	execute(tb, url, append(statements,
		`UPDATE basket_lines SET link_sealed = '`+db.seal("basket_lines", "link", 1, []byte("https://t.me/anna"))+`'`,
		`UPDATE basket_sets SET name_sealed = '`+db.seal("basket_sets", "name", 1, []byte("Boost"))+`'`,
		`UPDATE rooms SET title_sealed = '`+db.seal("rooms", "title", 1, []byte("Team"))+`'`,
		`UPDATE room_messages SET body_sealed = '`+db.seal("room_messages", "body", 1, []byte("{}"))+`'`,
		`UPDATE replicas SET until = 4000000000000`, // of a process that was killed
		`INSERT INTO settings (name, value) VALUES ('', ''), ('é', 'ü'), ('Z', '😀'), ('z', '1'), ('a b', 'x'||char(10)||char(9)||'''\"'), ('_', '2')`,
		`UPDATE users SET name = 'An 名字 \ ', seen_at = 9223372036854775807 WHERE id = 1`,
		`UPDATE orders SET remains = -9223372036854775807 WHERE id = (SELECT MIN(id) FROM orders)`)...)
	if fullShopFile, err = os.ReadFile(path); err != nil {
		tb.Fatal(err)
	}
	return url
}

// openOnce opens a database as the program does, and closes it.
func openOnce(tb testing.TB, url string) {
	tb.Helper()
	if err := tryOpen(tb, url); err != nil {
		tb.Fatal(err)
	}
}

func tryOpen(tb testing.TB, url string) error {
	tb.Helper()
	db, err := Open(tb.Context(), Options{URL: url, Keys: testKeys(tb, 1)})
	if err == nil {
		mustClose(tb, db)
	}
	return err
}

// rowsOf returns the rows of all tables as text, with the name of each column, sorted.
// What is about processes and the settings that a move makes are left out.
func rowsOf(tb testing.TB, url string) (all map[string][]string) {
	tb.Helper()
	side := sideOf(tb, url)
	tables, err := side.tables(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	all = map[string][]string{}
	for _, table := range tables {
		if slices.Contains(processTables, table.name) {
			continue
		}
		for _, row := range rowsOfTable(tb, side, table.name) {
			if name, _ := row["name"].(string); table.name == "settings" && slices.Contains([]string{movedSetting, movingSetting, timelineSetting, tablesSetting}, name) {
				continue
			}
			all[table.name] = append(all[table.name], fmt.Sprintf("%#v", row)) // by column
		}
		slices.Sort(all[table.name])
	}
	if err := side.close(); err != nil {
		tb.Fatal(err)
	}
	return all
}

func rowsOfTable(tb testing.TB, side *moveSide, table string) (all []map[string]any) {
	tb.Helper()
	rows, err := side.QueryxContext(tb.Context(), `SELECT * FROM `+table)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		row := map[string]any{}
		if err := rows.MapScan(row); err != nil {
			tb.Fatal(err)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return all
}

func moveTo(tb testing.TB, from, to string) error {
	tb.Helper()
	return Move(tb.Context(), MoveOptions{From: from, To: to, Keys: testKeys(tb, 1)})
}

func TestMoveKeepsEveryRow(t *testing.T) {
	first := fullShop(t)
	want := rowsOf(t, first)
	if len(want) < 17 {
		t.Fatalf("%d tables have rows", len(want))
	}
	for _, step := range []struct {
		name string
		to   func(testing.TB) string
	}{{"to PostgreSQL", pgtest.Empty}, {"between servers", pgtest.Empty}, {"to SQLite", newFile}, {"between files", newFile}} {
		second := step.to(t)
		fresh := step.to(t)
		openOnce(t, fresh)
		indexes := indexesOf(t, fresh)
		var tasks []string
		err := Move(t.Context(), MoveOptions{From: first, To: second, Keys: testKeys(t, 1), Progress: func(task string, done, total int64) {
			if done > total || total != 0 && total < 50 {
				t.Errorf("%s: %d of %d", task, done, total)
			}
			if !slices.Contains(tasks, task) {
				tasks = append(tasks, task)
			}
		}})
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if !slices.Contains(tasks, "copying orders") || !slices.Contains(tasks, "comparing orders") || slices.Index(tasks, "copying orders") < slices.Index(tasks, "copying purchases") {
			t.Errorf("%s: the tasks are %q", step.name, tasks)
		}
		equal(t, step.name, want, rowsOf(t, second))
		equal(t, step.name+": indexes", indexes, indexesOf(t, second))
		for _, table := range processTables {
			side := sideOf(t, second)
			if n := len(rowsOfTable(t, side, table)); n > 0 {
				t.Errorf("%s: %s has %d rows", step.name, table, n)
			}
			if err := side.close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := tryOpen(t, first); !errors.Is(err, ErrMoved) {
			t.Errorf("%s: the source opens: %v", step.name, err)
		}
		first = second
	}
	db := openURL(t, first)
	if key, err := db.ActiveKey(t.Context(), version9Ann); err != nil || key.Secret != "ann-new" {
		t.Errorf("Ann's key is %+v, %v", key, err)
	}
}

// indexesOf returns the definitions of the indexes and constraints of a database.
func indexesOf(t *testing.T, url string) (names []string) {
	t.Helper()
	side := sideOf(t, url)
	query := `SELECT name || ': ' || COALESCE(sql, '') FROM sqlite_master ORDER BY name`
	if side.postgres {
		query = `SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()
			UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) || convalidated FROM pg_constraint
			WHERE connamespace = current_schema()::regnamespace ORDER BY 1`
	}
	if err := errors.Join(side.SelectContext(t.Context(), &names, query), side.close()); err != nil {
		t.Fatal(err)
	}
	return names
}

// A database can be moved when it was moved to and used before.
func TestMoveOfUsedDatabase(t *testing.T) {
	first, second, third := fullShop(t), pgtest.Empty(t), newFile(t)
	if err := moveTo(t, first, second); err != nil {
		t.Fatal(err)
	}
	db := openURL(t, second)
	if err := db.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	want := rowsOf(t, second)
	if err := moveTo(t, second, third); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows", want, rowsOf(t, third))
	for url, known := range map[string]bool{second: true, third: false} { // the server of the source is not that of the target
		side := sideOf(t, url)
		tables, err := side.mark(t.Context(), tablesSetting)
		if err != nil || (tables != "") != known {
			t.Errorf("%s has tables %q, %v", url, tables, err)
		}
		timeline, err := side.mark(t.Context(), timelineSetting)
		if err := errors.Join(err, side.close()); err != nil || (timeline != "") != known {
			t.Errorf("the timeline is %q, %v", timeline, err)
		}
	}
}

func TestSealedColumnsOfMove(t *testing.T) {
	side := sideOf(t, fullShop(t))
	defer func() { _ = side.close() }()
	tables, err := side.tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, table := range tables {
		for _, column := range table.columns {
			if strings.HasSuffix(column, "_sealed") {
				want = append(want, table.name+"."+column)
			}
		}
	}
	for _, column := range sealedColumns[1:] { // after the digest key
		got = append(got, column.table+"."+column.column)
	}
	slices.Sort(want)
	slices.Sort(got)
	equal(t, "sealed columns", want, got)
	db := &DB{keys: testKeys(t, 1)}
	for _, column := range sealedColumns {
		ids, err := side.keyIDs(t.Context(), column)
		if err != nil || len(ids) != 1 {
			t.Errorf("%s.%s is sealed with %q, %v", column.table, column.column, ids, err)
			continue
		}
		if failure, err := side.openOne(t.Context(), db, column, ids[0]); failure != nil || err != nil {
			t.Errorf("%s.%s: %v, %v", column.table, column.column, failure, err)
		}
	}
}

// A damaged value is copied as it is, if others of its key can be opened.
func TestMoveKeepsDamagedValue(t *testing.T) {
	from, to := fullShop(t), newFile(t)
	execute(t, from, `UPDATE orders SET link_sealed = substr(link_sealed, 1, 12) || 'AAAA' WHERE id = (SELECT MIN(id) FROM orders)`,
		`UPDATE orders SET phone_sealed = 'not sealed'`)
	want := rowsOf(t, from)
	if err := moveTo(t, from, to); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows", want, rowsOf(t, to))
}

// One damaged value does not make a key count as another one of the same id.
func TestMoveTriesSeveralValuesOfAKey(t *testing.T) {
	from, keys := fullShop(t), testKeys(t, 2, 1)
	db, err := Open(t.Context(), Options{URL: from, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := db.AddSearch(t.Context(), 1, "words"); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, db)
	id := keys.keys[0].id
	damage := `UPDATE searches SET query_sealed = 'v1.` + id + `.AAAA' WHERE rowid = (SELECT MIN(rowid) FROM searches WHERE query_sealed LIKE 'v1.` + id + `.%')`
	execute(t, from, damage)
	if err := Move(t.Context(), MoveOptions{From: from, To: newFile(t), Keys: keys}); err != nil {
		t.Error(err)
	}
	from = fullShop(t)
	execute(t, from, `UPDATE searches SET query_sealed = 'v1.`+id+`.AAAA'`)
	if err := Move(t.Context(), MoveOptions{From: from, To: newFile(t), Keys: keys}); !errors.Is(err, ErrSealed) {
		t.Errorf("no value of a key can be opened: %v", err)
	}
}

func TestMoveRefusesRowsThatDiffer(t *testing.T) {
	from, to := fullShop(t), openedFile(t)
	execute(t, to, `CREATE TRIGGER other AFTER INSERT ON users BEGIN UPDATE users SET name = 'x' WHERE id = NEW.id; END`)
	refusesMove(t, from, to, "", "", "the rows of users are not the same")
}

// The order of text is that of its bytes, whatever the language of the database is.
func TestMoveToDatabaseOfAnotherLanguage(t *testing.T) {
	from, to := fullShop(t), openedOnServer(t)
	execute(t, to, `ALTER TABLE settings ALTER COLUMN name TYPE TEXT COLLATE "en-x-icu"`)
	want := rowsOf(t, from)
	if err := moveTo(t, from, to); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows", want, rowsOf(t, to))
}

// A stop after the commit comes too late.
func TestMoveIsFinishedAfterCommit(t *testing.T) {
	from, to := fullShop(t), openedOnServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := Move(ctx, MoveOptions{From: from, To: to, Keys: testKeys(t, 1), checkpoint: func(step string) {
		if step == "committed" {
			cancel()
		}
	}})
	if err != nil {
		t.Error(err)
	}
	openOnce(t, to)
}

func TestMoveIsStopped(t *testing.T) {
	for _, step := range []string{"copied", "compared"} {
		from, to := fullShop(t), openedFile(t)
		check := unchanged(t, from, to)
		ctx, cancel := context.WithCancel(t.Context())
		err := Move(ctx, MoveOptions{From: from, To: to, Keys: testKeys(t, 1), checkpoint: func(at string) {
			if at == step {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("stopped when %s: %v", step, err)
		}
		check()
		if err := moveTo(t, from, to); err != nil {
			t.Error(err)
		}
	}
}
