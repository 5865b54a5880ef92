package storage

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/pressly/goose/v3"
)

// versionTable is goose's, with a row for each migration.
const versionTable = "goose_db_version"

// moveTable is a table of a database that is moved.
type moveTable struct {
	name    string
	columns []string // by name
	text    []string // those of the columns that hold text
	key     []string // columns of the primary key
	rows    int64
}

func (t moveTable) list() string {
	names := make([]string, len(t.columns))
	for i, name := range t.columns {
		names[i] = quoted(name)
	}
	return strings.Join(names, ", ")
}

// order returns the columns of the primary key for ORDER BY. SQLite orders text by its
// bytes, PostgreSQL if it is told so.
func (t moveTable) order(postgres bool) string {
	names := make([]string, len(t.key))
	for i, name := range t.key {
		names[i] = quoted(name)
		if postgres && slices.Contains(t.text, name) {
			names[i] += ` COLLATE "C"`
		}
	}
	return strings.Join(names, ", ")
}

// tables returns all tables but goose's, by name.
func (s *moveSide) tables(ctx context.Context) (tables []moveTable, err error) {
	query := sqliteColumns
	if s.postgres {
		query = postgresColumns
	}
	var columns []struct {
		Table  string `db:"table_name"`
		Column string `db:"column_name"`
		Key    int    `db:"key_position"` // from 1, 0 = not in the primary key
		Text   bool   `db:"is_text"`
	}
	if err := s.SelectContext(ctx, &columns, query); err != nil {
		return nil, s.wrap(err)
	}
	for _, column := range columns {
		if column.Table == versionTable {
			continue
		}
		if len(tables) == 0 || tables[len(tables)-1].name != column.Table {
			tables = append(tables, moveTable{name: column.Table})
		}
		table := &tables[len(tables)-1]
		table.columns = append(table.columns, column.Column)
		if column.Text {
			table.text = append(table.text, column.Column)
		}
		if column.Key > 0 {
			table.key = append(table.key, make([]string, max(0, column.Key-len(table.key)))...)
			table.key[column.Key-1] = column.Column
		}
	}
	slices.SortFunc(tables, func(a, b moveTable) int { return strings.Compare(a.name, b.name) })
	return tables, nil
}

// sameTables refuses tables and columns that only one side has. The target has those that
// this program's migrations make.
func sameTables(source, target []moveTable) error {
	names := func(tables []moveTable) (all []string) {
		for _, table := range tables {
			all = append(all, table.name)
			for _, column := range table.columns {
				all = append(all, table.name+"."+column)
			}
			if len(table.key) == 0 {
				all = append(all, table.name+" without a primary key")
			}
		}
		return all
	}
	from, to := names(source), names(target)
	for _, name := range from {
		if !slices.Contains(to, name) {
			return fmt.Errorf("storage: FROM has %q, which this program does not know; remove it, or it would be lost", name)
		}
	}
	for _, name := range to {
		if !slices.Contains(from, name) {
			return fmt.Errorf("storage: TO has %q, and FROM does not", name)
		}
	}
	return nil
}

// inForeignKeyOrder sorts tables so that each is after those that it refers to.
func (s *moveSide) inForeignKeyOrder(ctx context.Context, tables []moveTable) (sorted []moveTable, err error) {
	query := sqliteReferences
	if s.postgres {
		query = postgresReferences
	}
	var references []struct {
		Table    string `db:"table_name"`
		RefersTo string `db:"refers_to"`
	}
	if err := s.SelectContext(ctx, &references, query); err != nil {
		return nil, s.wrap(err)
	}
	waits := map[string]map[string]bool{} // table to those that must be before it
	for _, reference := range references {
		if waits[reference.Table] == nil {
			waits[reference.Table] = map[string]bool{}
		}
		waits[reference.Table][reference.RefersTo] = true
	}
	for len(sorted) < len(tables) {
		before := len(sorted)
		for _, table := range tables {
			if slices.ContainsFunc(sorted, func(t moveTable) bool { return t.name == table.name }) {
				continue
			}
			if len(waits[table.name]) > 0 {
				continue
			}
			sorted = append(sorted, table)
			for _, others := range waits {
				delete(others, table.name)
			}
		}
		if len(sorted) == before {
			return nil, errors.New("storage: tables refer to each other in a circle")
		}
	}
	return sorted, nil
}

// knownVersion returns the version of the newest migration.
func knownVersion() (int64, error) {
	files, err := fs.ReadDir(migrations, "migrations") // by name
	if err != nil {
		return 0, fmt.Errorf("storage: migrations: %w", err)
	}
	version, err := goose.NumericComponent(files[len(files)-1].Name())
	if err != nil {
		return 0, fmt.Errorf("storage: migrations: %w", err)
	}
	return version, nil
}

// version returns the version of the schema, 0 where there is none.
func (s *moveSide) version(ctx context.Context) (int64, error) {
	exists, err := s.has(ctx, versionTable)
	if err != nil || !exists {
		return 0, err
	}
	return s.count(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM `+versionTable+` WHERE is_applied`)
}

// checkVersion refuses a database of another schema version than the known one.
func (s *moveSide) checkVersion(ctx context.Context, known int64) error {
	version, err := s.version(ctx)
	switch {
	case err != nil:
		return err
	case version == 0:
		return s.wrap(ErrForeign)
	case version > known:
		return s.wrap(&SchemaError{Required: version, Known: known})
	case version < known:
		return s.wrap(fmt.Errorf("storage: the database has schema version %d, and this program makes %d; start the bot of this program on it once", version, known))
	}
	return nil
}

// checkEmpty refuses a target with rows other than those that Open makes. A database
// without tables is empty.
func (s *moveSide) checkEmpty(ctx context.Context, known int64) error {
	tables, err := s.tables(ctx)
	if err != nil || len(tables) == 0 {
		return err
	}
	version, err := s.version(ctx)
	if err != nil {
		return err
	}
	switch version {
	case known:
	case 0:
		return s.wrap(ErrForeign)
	default:
		return s.wrap(fmt.Errorf("storage: the database has tables of another version (%d, not %d); give an empty one", version, known))
	}
	for _, table := range tables {
		query, args := `SELECT CASE WHEN EXISTS (SELECT 1 FROM `+quoted(table.name)+`) THEN 1 ELSE 0 END`, []any(nil)
		if table.name == "settings" {
			query = s.Rebind(`SELECT COUNT(*) FROM settings WHERE name NOT IN (?, ?, ?, ?) AND NOT (name = ? AND value = '')`)
			args = []any{schemaMinSetting, digestSetting, timelineSetting, tablesSetting, maintenanceSetting}
		}
		n, err := s.count(ctx, query, args...)
		if err != nil {
			return err
		}
		if n > 0 {
			return s.wrap(fmt.Errorf("storage: the table %s has rows; give an empty database", table.name))
		}
	}
	return nil
}

// checkZeroBytes refuses text that PostgreSQL can't hold.
func (s *moveSide) checkZeroBytes(ctx context.Context, table moveTable) error {
	if len(table.text) == 0 {
		return nil
	}
	parts := make([]string, len(table.text))
	for i, column := range table.text {
		parts[i] = `COALESCE(` + quoted(column) + `, '')`
	}
	zero := ` FROM ` + quoted(table.name) + ` WHERE instr(CAST(`
	n, err := s.count(ctx, `SELECT COUNT(*)`+zero+strings.Join(parts, " || ")+` AS BLOB), x'00') > 0`)
	if err != nil || n == 0 {
		return err
	}
	for _, column := range table.text {
		n, err := s.count(ctx, `SELECT COUNT(*)`+zero+quoted(column)+` AS BLOB), x'00') > 0`)
		if err != nil {
			return err
		}
		if n > 0 {
			return s.wrap(fmt.Errorf("storage: %s.%s has zero bytes in %d rows, which PostgreSQL can't hold; remove them first", table.name, column, n))
		}
	}
	return nil
}

// checkSealed refuses a database that is sealed with a key that is missing, or with
// another key of the same id: at least one value of each id must open. Damaged values are
// copied as they are.
func (s *moveSide) checkSealed(ctx context.Context, db *DB) error {
	opened := map[string]error{} // by key id; nil = a value was opened
	for _, column := range sealedColumns {
		ids, err := s.keyIDs(ctx, column)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err, tried := opened[id]; tried && err == nil {
				continue
			}
			if opened[id], err = s.openOne(ctx, db, column, id); err != nil {
				return err
			}
		}
	}
	failures := make([]error, 0, len(opened))
	for _, err := range opened {
		failures = append(failures, err)
	}
	if err := errors.Join(failures...); err != nil {
		return s.wrap(err)
	}
	return nil
}

// keyIDs returns the ids of the keys that a column is sealed with.
func (s *moveSide) keyIDs(ctx context.Context, column sealedColumn) (ids []string, err error) {
	var prefixes []string
	if err := s.SelectContext(ctx, &prefixes, `SELECT DISTINCT substr(`+column.column+`, 1, 12)`+column.from(column.column+` LIKE '`+sealVersion+`.%'`)); err != nil {
		return nil, s.wrap(err)
	}
	for _, prefix := range prefixes {
		id, ok := strings.CutSuffix(strings.TrimPrefix(prefix, sealVersion+"."), ".")
		if _, err := hex.DecodeString(id); ok && err == nil { // else the value is damaged
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// openOne opens one of a few values that are sealed with a key. failure is what is wrong
// with the last one if none can be opened.
func (s *moveSide) openOne(ctx context.Context, db *DB, column sealedColumn, id string) (failure, err error) {
	var samples []sealedValue
	query := `SELECT ` + column.identity() + column.column + ` AS sealed` +
		column.from(`substr(`+column.column+`, 1, 12) = ?`) + ` LIMIT 20`
	if err := s.SelectContext(ctx, &samples, s.Rebind(query), sealVersion+"."+id+"."); err != nil {
		return nil, s.wrap(err)
	}
	for _, sample := range samples {
		if _, failure = db.unseal(column.sealTable, column.sealColumn, sample.Row, sample.Sealed, column.ownerOf(sample)...); failure == nil {
			return nil, nil
		}
	}
	return failure, nil
}
