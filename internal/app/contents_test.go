package app_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// row is a row by column. A sealed column stands there without its suffix, and with the
// digest of what was sealed.
type row map[string]any

// contents are the rows of a database by table.
type contents map[string][]row

const sealedSuffix = "_sealed"

// digest stands for a value that was sealed, which no test prints.
func digest(plain string) string {
	if plain == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(plain))
	return hex.EncodeToString(sum[:])
}

// opener opens sealed values. It shares no code with package storage.
type opener map[string]cipher.AEAD // by the id of the key

func newOpener(t *testing.T, keys string) opener {
	t.Helper()
	o := opener{}
	for text := range strings.SplitSeq(keys, ",") {
		raw, err := base64.StdEncoding.DecodeString(text)
		testworld.Must(t, err)
		block, err := aes.NewCipher(raw)
		testworld.Must(t, err)
		sum := sha256.Sum256(raw)
		o[hex.EncodeToString(sum[:4])], err = cipher.NewGCMWithRandomNonce(block)
		testworld.Must(t, err)
	}
	return o
}

// open opens a value of the form v1.ID.BASE64 that is bound to a place.
func (o opener) open(sealed string, place ...any) (plain string, err error) {
	parts := strings.Split(sealed, ".")
	if len(parts) != 3 || parts[0] != "v1" || o[parts[1]] == nil {
		return "", errors.New("no value that is sealed with one of the keys")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return "", err
	}
	names := make([]string, len(place))
	for i, name := range place {
		names[i] = fmt.Sprint(name)
	}
	opened, err := o[parts[1]].Open(nil, nil, raw, []byte(strings.Join(names, "\x00")))
	return string(opened), err
}

// unseal opens the sealed values of a row and returns how many there were.
func (o opener) unseal(t *testing.T, table string, r row) (opened int) {
	t.Helper()
	open := func(column, to, sealed string, place ...any) {
		if sealed == "" {
			r[to] = ""
			return
		}
		plain, err := o.open(sealed, place...)
		if err != nil {
			t.Errorf("%s.%s of row %v: %v", table, column, place[2], err)
		}
		opened++
		r[to] = digest(plain)
	}
	if table == "settings" && r["name"] == "digest_key" {
		open("value", "value", r["value"].(string), table, r["name"], 0)
	}
	for column, value := range maps.Clone(r) {
		name, sealed := strings.CutSuffix(column, sealedSuffix)
		if !sealed {
			continue
		}
		place := []any{table, name, r["id"]}
		switch table {
		case "api_keys":
			place = append(place, r["user_id"])
		case "dialogs":
			place[2] = r["user_id"]
		case "inbox":
			place[2] = r["update_id"]
		}
		delete(r, column)
		open(column, name, value.(string), place...)
	}
	return opened
}

// contentsOf reads all tables of a database in one transaction, without package storage,
// and opens every sealed value.
func contentsOf(t *testing.T, url, keys string) (all contents, opened int) {
	t.Helper()
	driver, source, query := "pgx", url, `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, source, query = "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)", `SELECT name FROM sqlite_master WHERE type = 'table'`
	}
	db, err := sqlx.Open(driver, source)
	testworld.Must(t, err)
	defer func() { testworld.Must(t, db.Close()) }()
	tx, err := db.BeginTxx(t.Context(), nil)
	testworld.Must(t, err)
	defer func() { testworld.Must(t, tx.Rollback()) }()
	var tables []string
	testworld.Must(t, tx.SelectContext(t.Context(), &tables, query))
	all = contents{}
	open := newOpener(t, keys)
	for _, table := range tables {
		if table == "goose_db_version" || table == "sqlite_sequence" {
			continue
		}
		all[table] = readRows(t, tx, table)
		for _, r := range all[table] {
			opened += open.unseal(t, table, r)
		}
	}
	return all, opened
}

func readRows(t *testing.T, tx *sqlx.Tx, table string) (all []row) {
	t.Helper()
	rows, err := tx.QueryxContext(t.Context(), `SELECT * FROM `+table)
	testworld.Must(t, err)
	defer func() { testworld.Must(t, rows.Close()) }()
	for rows.Next() {
		r := row{}
		testworld.Must(t, rows.MapScan(r))
		all = append(all, r)
	}
	testworld.Must(t, rows.Err())
	return all
}

// without returns the contents without the rows for which drop reports true.
func (c contents) without(drop func(table string, r row) bool) contents {
	kept := contents{}
	for table, rows := range c {
		kept[table] = slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return drop(table, r) })
	}
	return kept
}

// withoutTables returns the contents without tables.
func (c contents) withoutTables(tables ...string) contents {
	kept := maps.Clone(c)
	for _, table := range tables {
		delete(kept, table)
	}
	return kept
}

// withoutSettings returns the contents without settings.
func (c contents) withoutSettings(names ...string) contents {
	return c.without(func(table string, r row) bool {
		return table == "settings" && slices.Contains(names, r["name"].(string))
	})
}

// withoutPerson returns the contents without what is about a person. After /forget their
// figures are about person 0.
func (c contents) withoutPerson(id int64) contents {
	theirs := map[any]bool{}
	for _, order := range c["orders"] {
		theirs[order["id"]] = order["user_id"] == id
	}
	return c.without(func(table string, r row) bool {
		return r["user_id"] == id || id != 0 && r["chat_id"] == id || table == "users" && r["id"] == id ||
			(table == "deliveries" || table == "delivery_times") && theirs[r["order_id"]]
	})
}

// withoutColumns returns the contents without columns.
func (c contents) withoutColumns(names ...string) contents {
	kept := contents{}
	for table, rows := range c {
		kept[table] = nil
		for _, r := range rows {
			r = maps.Clone(r)
			for _, name := range names {
				delete(r, name)
			}
			kept[table] = append(kept[table], r)
		}
	}
	return kept
}

// count returns how many rows there are.
func (c contents) count() (n int) {
	for _, rows := range c {
		n += len(rows)
	}
	return n
}

// lines returns the rows of a table as sorted text.
func (c contents) lines(table string) (lines []string) {
	for _, r := range c[table] {
		lines = append(lines, fmt.Sprintf("%#v", r)) // by column
	}
	slices.Sort(lines)
	return lines
}

// same compares the digests of the tables of two databases.
func same(t *testing.T, step string, before, after contents) {
	t.Helper()
	for _, table := range slices.Sorted(maps.Keys(before)) {
		was, is := before.lines(table), after.lines(table)
		if digest(strings.Join(was, "\n")) != digest(strings.Join(is, "\n")) {
			only := func(these, others []string) []string {
				return slices.DeleteFunc(slices.Clone(these), func(line string) bool { return slices.Contains(others, line) })
			}
			t.Errorf("%s: %s differs:\nbefore %q\nafter %q", step, table, only(was, is), only(is, was))
		}
	}
	if len(before) != len(after) {
		t.Errorf("%s: %d tables before, %d after", step, len(before), len(after))
	}
}

// peopleOf returns digests of what package storage reads about each person: their
// purchases, orders, keys and all else.
func peopleOf(t *testing.T, url, keys string, ids []int64) (people map[int64]string) {
	t.Helper()
	people = map[int64]string{}
	testworld.Must(t, openWith(t, url, keys, func(db *storage.DB) {
		for _, id := range ids {
			data, err := db.PersonalData(context.WithoutCancel(t.Context()), id)
			if errors.Is(err, storage.ErrNotFound) {
				continue
			}
			testworld.Must(t, err)
			text, err := json.Marshal(data)
			testworld.Must(t, err)
			for _, key := range data.Keys {
				text = append(text, key.Secret.Reveal()...)
				err = errors.Join(err, key.Damaged)
			}
			for _, order := range data.Orders {
				err = errors.Join(err, order.Damaged)
			}
			for _, purchase := range data.Purchases {
				err = errors.Join(err, purchase.Damaged)
			}
			testworld.Must(t, err)
			people[id] = digest(string(text))
		}
	}))
	return people
}
