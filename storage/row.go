package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"
)

// Struct tags map the fields of a struct to columns:
//
//	db:"name"                  the column
//	db:"name" from:"SQL"       computed, not stored
//	db:"name" seal:"table.col" sealed, for this table, column and the id of the row
//	    owner:"column"         and for the person in this column, whose field stands before
//
// The names in a seal tag are part of the sealed data (associatedData), so they stay
// when a table or a column is renamed.
//
// Untagged fields are not stored. The fields of an untagged struct are mapped like the
// others; a seal tag on it names the table of its sealed fields. A field "Damaged
// error" is set if a sealed value of the row can't be opened.

// column is a field of a struct that is mapped to a column.
type column struct {
	name        string
	from        string
	index       []int
	sealTable   string
	sealColumn  string
	owner       []int // index of the field of the owner, nil for columns without one
	destination func(field reflect.Value) any
}

func (c column) sealed() bool { return c.sealColumn != "" }

// ownerOf returns whom the column of a row is sealed for, as seal takes it.
func (c column) ownerOf(row reflect.Value) []int64 {
	if c.owner == nil {
		return nil
	}
	return []int64{row.FieldByIndex(c.owner).Int()}
}

// layout is the mapping of a struct.
type layout struct {
	columns []column
	byName  map[string]int
	id      []int // index of the field of the column id
	damaged []int // index of the field Damaged
}

var layouts sync.Map // reflect.Type to *layout

func layoutOf(t reflect.Type) *layout {
	if known, ok := layouts.Load(t); ok {
		return known.(*layout)
	}
	l := &layout{byName: map[string]int{}}
	l.add(t, nil, "")
	layouts.Store(t, l)
	return l
}

func (l *layout) add(t reflect.Type, parent []int, sealTable string) {
	for i := range t.NumField() {
		field := t.Field(i)
		index := append(parent[:len(parent):len(parent)], i)
		name, stored := field.Tag.Lookup("db")
		switch {
		case stored:
			c := column{name: name, from: field.Tag.Get("from"), index: index, destination: destinationOf(field.Type)}
			if seal := field.Tag.Get("seal"); seal != "" {
				c.sealTable, c.sealColumn = sealTable, seal
				if table, name, ok := strings.Cut(seal, "."); ok {
					c.sealTable, c.sealColumn = table, name
				}
			}
			if owner := field.Tag.Get("owner"); owner != "" {
				c.owner = l.columns[l.byName[owner]].index
			}
			if name == "id" {
				l.id = index
			}
			l.byName[name] = len(l.columns)
			l.columns = append(l.columns, c)
		case field.Name == "Damaged":
			l.damaged = index
		case field.Type.Kind() == reflect.Struct:
			l.add(field.Type, index, field.Tag.Get("seal"))
		}
	}
}

// destinationOf returns what gives the column type (values.go) of a field, by pointer.
func destinationOf(t reflect.Type) func(reflect.Value) any {
	switch t {
	case reflect.TypeFor[time.Time]():
		return func(field reflect.Value) any { return (*millis)(field.Addr().Interface().(*time.Time)) }
	case reflect.TypeFor[bool]():
		return func(field reflect.Value) any { return (*bit)(field.Addr().Interface().(*bool)) }
	case reflect.TypeFor[decimal.Decimal]():
		return func(field reflect.Value) any { return (*money)(field.Addr().Interface().(*decimal.Decimal)) }
	case reflect.TypeFor[decimal.NullDecimal]():
		return func(field reflect.Value) any { return (*nullMoney)(field.Addr().Interface().(*decimal.NullDecimal)) }
	default:
		return func(field reflect.Value) any { return field.Addr().Interface() }
	}
}

// columnsOf lists the columns of T for SELECT and RETURNING.
func columnsOf[T any]() string { return listColumns[T](true) }

// plainColumnsOf is columnsOf without sealed columns: their fields stay empty.
func plainColumnsOf[T any]() string { return listColumns[T](false) }

func listColumns[T any](sealed bool) string {
	var names []string
	for _, c := range layoutOf(reflect.TypeFor[T]()).columns {
		switch {
		case c.sealed() && !sealed:
		case c.from != "":
			names = append(names, c.from+" AS "+c.name)
		default:
			names = append(names, c.name)
		}
	}
	return strings.Join(names, ", ")
}

// selectRows returns the rows of a query. Where a sealed value can't be opened its
// field is empty and the field Damaged says why; without such a field the row is
// left out, as one that can't be read at all is. The error is about the rows left
// out, beside the others, or about the query, with none.
func selectRows[T any](ctx context.Context, db *DB, q sqlx.QueryerContext, query string, args ...any) (found []T, err error) {
	rows, err := q.QueryxContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	l := layoutOf(reflect.TypeFor[T]())
	columns := make([]column, len(names))
	for i, name := range names {
		at, ok := l.byName[name]
		if !ok {
			return nil, fmt.Errorf("column %s has no field", name)
		}
		columns[i] = l.columns[at]
	}
	var unreadable []error
	destinations, sealed := make([]any, len(names)), make([]string, len(names))
	for rows.Next() {
		found = append(found, *new(T))
		row := reflect.ValueOf(&found[len(found)-1]).Elem()
		for i, c := range columns {
			if c.sealed() {
				destinations[i] = &sealed[i]
			} else {
				destinations[i] = c.destination(row.FieldByIndex(c.index))
			}
		}
		err := rows.Scan(destinations...)
		if err == nil {
			err = db.openSealed(l, row, columns, sealed)
		}
		if err != nil {
			unreadable = append(unreadable, err)
			found = found[:len(found)-1]
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return found, errors.Join(unreadable...)
}

// openSealed fills the sealed fields of a row.
func (db *DB) openSealed(l *layout, row reflect.Value, columns []column, sealed []string) error {
	var damaged error
	for i, c := range columns {
		if !c.sealed() || sealed[i] == "" {
			continue
		}
		id := row.FieldByIndex(l.id).Int()
		plain, err := db.unseal(c.sealTable, c.sealColumn, id, sealed[i], c.ownerOf(row)...)
		if err != nil {
			damaged = errors.Join(damaged, fmt.Errorf("%s %d: %w", c.sealTable, id, err))
			continue
		}
		if field := row.FieldByIndex(c.index); field.Kind() == reflect.String {
			field.SetString(string(plain))
		} else {
			field.SetBytes(plain)
		}
	}
	if damaged == nil || l.damaged == nil {
		return damaged
	}
	row.FieldByIndex(l.damaged).Set(reflect.ValueOf(damaged))
	return nil
}

// selectRow returns the first row of a query; the error is ErrNotFound where there
// is none.
func selectRow[T any](ctx context.Context, db *DB, q sqlx.QueryerContext, query string, args ...any) (T, error) {
	found, err := selectRows[T](ctx, db, q, query, args...)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return *new(T), err
	}
	return found[0], nil
}

// argument returns what is stored in a column of a row.
func (db *DB) argument(l *layout, row reflect.Value, c column) any {
	field := row.FieldByIndex(c.index)
	if !c.sealed() {
		return c.destination(field)
	}
	var plain string
	if field.Kind() == reflect.String {
		plain = field.String()
	} else {
		plain = string(field.Bytes())
	}
	return db.sealText(c.sealTable, c.sealColumn, row.FieldByIndex(l.id).Int(), plain, c.ownerOf(row)...)
}

// insertion returns the INSERT of a row (a pointer to a struct) and its arguments.
// more are names and values of columns that the struct does not have.
func (db *DB) insertion(table string, row any, more ...any) (query string, args []any) {
	value := reflect.ValueOf(row).Elem()
	l := layoutOf(value.Type())
	var names []string
	for _, c := range l.columns {
		if c.from == "" {
			names, args = append(names, c.name), append(args, db.argument(l, value, c))
		}
	}
	for i := 0; i < len(more); i += 2 {
		names, args = append(names, more[i].(string)), append(args, more[i+1]) //nolint:gosec // callers pass pairs
	}
	return `INSERT INTO ` + table + ` (` + strings.Join(names, ", ") + `) VALUES (?` + strings.Repeat(", ?", len(args)-1) + `)`, args
}

// insert stores a row; see insertion.
func (db *DB) insert(ctx context.Context, tx *sqlx.Tx, table string, row any, more ...any) error {
	query, args := db.insertion(table, row, more...)
	_, err := tx.ExecContext(ctx, query, args...)
	return err
}

// assignments returns what sets these columns to what a row (a pointer to a struct)
// holds, for UPDATE. A sealed column keeps its value where the field is empty: it
// may be one that could not be opened.
func (db *DB) assignments(row any, names ...string) (set string, args []any) {
	value := reflect.ValueOf(row).Elem()
	l := layoutOf(value.Type())
	parts := make([]string, 0, len(names))
	for _, name := range names {
		c := l.columns[l.byName[name]]
		argument := db.argument(l, value, c)
		if c.sealed() && argument == "" {
			continue
		}
		parts, args = append(parts, name+" = ?"), append(args, argument)
	}
	return strings.Join(parts, ", "), args
}

// countRows runs a query for one number. what begins the error.
func (db *DB) countRows(ctx context.Context, what, query string, args ...any) (n int, err error) {
	if err := db.reader.GetContext(ctx, &n, query, args...); err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	return n, nil
}

// readTime runs a query for one time, zero where it gives NULL or no row. what
// begins the error.
func (db *DB) readTime(ctx context.Context, what, query string, args ...any) (time.Time, error) {
	var at millis
	err := db.reader.QueryRowxContext(ctx, query, args...).Scan(&at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, fmt.Errorf("%s: %w", what, err)
	}
	return time.Time(at), nil
}
