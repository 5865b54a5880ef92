package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// lastFree is the last migration that may do more than add: the program from before it was
// stopped before the present one was started.
const lastFree = 20

var (
	migrationParts  = regexp.MustCompile(`(?s)^(.*?)-- \+goose Up\n(.*)-- \+goose Down\n(.*)$`)
	lineComment     = regexp.MustCompile(`(?m)--.*$`)
	createsTable    = regexp.MustCompile(`^CREATE TABLE (\w+) \(`)
	insertsInto     = regexp.MustCompile(`^INSERT INTO (\w+) `)
	uniqueIndexOn   = regexp.MustCompile(`^CREATE UNIQUE INDEX \w+ ON (\w+) `)
	addsColumn      = regexp.MustCompile(`^ALTER TABLE \w+ ADD COLUMN \w+ .* DEFAULT `)
	indexes         = regexp.MustCompile(`^(CREATE INDEX \w+ ON|DROP INDEX) \w+`)
	raisesSchemaMin = regexp.MustCompile(`^UPDATE settings SET value = '(\d+)' WHERE name = 'schema_min'$`)
)

// statements returns the statements of a part of a migration, each on one line.
func statements(part string) (all []string) {
	for statement := range strings.SplitSeq(lineComment.ReplaceAllString(part, ""), ";") {
		if words := strings.Fields(statement); len(words) > 0 {
			all = append(all, strings.Join(words, " "))
		}
	}
	return all
}

// onlyAdds returns an error if a program that does not know a migration may fail on its
// tables, or if the migration has no way back.
func onlyAdds(number int, text string) error {
	parts := migrationParts.FindStringSubmatch(text)
	if parts == nil || len(statements(parts[1])) > 0 {
		return errors.New("it does not begin with -- +goose Up and end with -- +goose Down")
	}
	if len(statements(parts[3])) == 0 {
		return errors.New("nothing follows -- +goose Down")
	}
	own := map[string]bool{}
	for _, statement := range statements(parts[2]) {
		if table := createsTable.FindStringSubmatch(statement); table != nil {
			own[table[1]] = true
			continue
		}
		if addsColumn.MatchString(statement) || indexes.MatchString(statement) {
			continue
		}
		if table := insertsInto.FindStringSubmatch(statement); table != nil && own[table[1]] {
			continue
		}
		if table := uniqueIndexOn.FindStringSubmatch(statement); table != nil && own[table[1]] {
			continue
		}
		if known := raisesSchemaMin.FindStringSubmatch(statement); known != nil {
			if version, err := strconv.Atoi(known[1]); err == nil && version < number {
				continue
			}
			return fmt.Errorf("it raises schema_min to a version that the program of the release before does not know: %s", statement)
		}
		return fmt.Errorf("the program of the release before runs beside this migration, which may only create tables and indexes, "+
			"add columns with a default, fill its own tables and drop indexes: %s", statement)
	}
	return nil
}

func TestMigrationsOnlyAdd(t *testing.T) {
	paths, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, path := range paths {
		text, err := migrations.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		digits, _, _ := strings.Cut(strings.TrimPrefix(path, "migrations/"), "_")
		number, err := strconv.Atoi(digits)
		if err != nil {
			t.Fatal(err)
		}
		if number <= lastFree {
			continue
		}
		checked++
		if err := onlyAdds(number, string(text)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if checked == 0 {
		t.Error("no migration is checked")
	}
}

func TestOnlyAdds(t *testing.T) {
	const down = "\n-- +goose Down\nDROP TABLE news;\n"
	for _, up := range []string{
		"CREATE TABLE news (\n    id TEXT PRIMARY KEY, -- random; not a number\n    at BIGINT NOT NULL\n);\nINSERT INTO news (id, at) SELECT id, 0 FROM orders;",
		"CREATE TABLE news (id TEXT);\nCREATE UNIQUE INDEX news_id ON news (id);",
		"ALTER TABLE orders ADD COLUMN seen BIGINT NOT NULL DEFAULT 0;\nCREATE INDEX orders_seen ON orders (seen) WHERE seen > 0;\nDROP INDEX orders_due;",
		"UPDATE settings SET value = '29' WHERE name = 'schema_min';",
	} {
		if err := onlyAdds(30, "-- A comment.\n\n-- +goose Up\n"+up+"\n"+down); err != nil {
			t.Errorf("%s\n%v", up, err)
		}
	}
	for _, up := range []string{
		"ALTER TABLE orders RENAME COLUMN state TO status;",
		"ALTER TABLE orders DROP COLUMN state;",
		"ALTER TABLE orders ADD COLUMN seen BIGINT NOT NULL;",
		"ALTER TABLE orders RENAME TO purchases_done;",
		"CREATE TABLE news (id TEXT); DROP TABLE orders;",
		"CREATE UNIQUE INDEX orders_state ON orders (state);",
		"INSERT INTO settings (name, value) VALUES ('news', '1');",
		"UPDATE orders SET state = 'done';",
		"DELETE FROM orders;",
		"UPDATE settings SET value = '30' WHERE name = 'schema_min';",
		"UPDATE settings SET value = '30';",
	} {
		if err := onlyAdds(30, "-- +goose Up\n"+up+"\n"+down); err == nil {
			t.Errorf("it is allowed: %s", up)
		}
	}
	for _, text := range []string{"CREATE TABLE news (id TEXT);", "-- +goose Up\nCREATE TABLE news (id TEXT);\n", "-- +goose Up\nCREATE TABLE news (id TEXT);\n-- +goose Down\n-- Nothing.\n", "CREATE TABLE news (id TEXT);\n-- +goose Up\n" + down} {
		if err := onlyAdds(30, text); err == nil {
			t.Errorf("it is allowed: %s", text)
		}
	}
}
