package storage

import (
	"database/sql/driver"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/sandbox/pgtest"
)

// TestStructsFitTables: each stored field has its column, and a column is sealed
// exactly if its name says so, for its own table.
func TestStructsFitTables(t *testing.T) {
	pgtest.SQLiteOnly(t)
	db := openTest(t)
	for table, of := range map[string]reflect.Type{
		"users": reflect.TypeFor[User](), "api_keys": reflect.TypeFor[Key](), "purchases": reflect.TypeFor[Purchase](), "orders": reflect.TypeFor[Order](),
		"outbox": reflect.TypeFor[Message](), "searches": reflect.TypeFor[PastSearch](), "saved_items": reflect.TypeFor[SavedItem](), "saved_numbers": reflect.TypeFor[SavedNumber](), "watches": reflect.TypeFor[Watch](),
		"balance_watches": reflect.TypeFor[BalanceWatch](), "reminders": reflect.TypeFor[Reminder](), "swaps": reflect.TypeFor[Swap](), "audit_log": reflect.TypeFor[AuditEntry](), "monitor_alerts": reflect.TypeFor[Alert](), "broadcasts": reflect.TypeFor[Broadcast](),
		"broadcast_recipients": reflect.TypeFor[Recipient](), "baskets": reflect.TypeFor[Basket](), "basket_lines": reflect.TypeFor[BasketLine](), "basket_sets": reflect.TypeFor[BasketSet](),
		"rooms": reflect.TypeFor[Room](), "room_lines": reflect.TypeFor[RoomLine](), "room_messages": reflect.TypeFor[RoomMessage](),
		"catalogue": reflect.TypeFor[CatalogueItem](), "news": reflect.TypeFor[News](),
		"allowances": reflect.TypeFor[Allowance](), "allowance_links": reflect.TypeFor[AllowanceLink](), "ledger": reflect.TypeFor[LedgerLine](), "turns": reflect.TypeFor[Turn](),
	} {
		var columns []string
		if err := db.reader.SelectContext(t.Context(), &columns, `SELECT name FROM pragma_table_info(?)`, table); err != nil {
			t.Fatal(err)
		}
		l := layoutOf(of)
		for _, c := range l.columns {
			if c.from != "" {
				continue // computed
			}
			if !slices.Contains(columns, c.name) {
				t.Errorf("%s has no column %s", table, c.name)
			}
			if plain, ok := strings.CutSuffix(c.name, "_sealed"); ok != c.sealed() || ok && (c.sealTable != table || c.sealColumn != plain || l.id == nil) {
				t.Errorf("%s.%s is sealed as %q.%q", table, c.name, c.sealTable, c.sealColumn)
			}
		}
	}
}

func TestSelectRowsNeedsFields(t *testing.T) {
	db := openTest(t)
	if _, err := selectRows[Reminder](t.Context(), db, db.reader, `SELECT 1 AS surprise`); err == nil || !strings.Contains(err.Error(), "surprise") {
		t.Errorf("the error is %v", err)
	}
}

// Rows that can't be read are left out, beside the others.
func TestSelectRowsLeavesOutUnreadable(t *testing.T) {
	db := openTest(t)
	type priced struct {
		Price decimal.Decimal `db:"price"`
	}
	found, err := selectRows[priced](t.Context(), db, db.reader, `SELECT '1.50' AS price UNION ALL SELECT 'cheap' UNION ALL SELECT '2'`)
	if err == nil || len(found) != 2 || found[0].Price.String() != "1.5" || found[1].Price.String() != "2" {
		t.Errorf("found %v, %v", found, err)
	}
	if _, err := selectRow[priced](t.Context(), db, db.reader, `SELECT '1' AS price WHERE 1 = 0`); !errors.Is(err, ErrNotFound) {
		t.Errorf("without a row: %v", err)
	}
}

func TestAssignmentsKeepSealedColumnOfEmptyField(t *testing.T) {
	db := openTest(t)
	set, args := db.assignments(&Order{ID: 1, Link: "x"}, "link_sealed", "phone_sealed", "state")
	if set != "link_sealed = ?, state = ?" || len(args) != 2 {
		t.Errorf("sets %q with %d arguments", set, len(args))
	}
}

func TestColumnTypes(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8_999_999, time.FixedZone("", 3600))
	for _, test := range []struct {
		value driver.Valuer
		want  driver.Value
	}{
		{millis(at), at.UnixMilli()},
		{millis{}, int64(0)},
		{bit(true), int64(1)},
		{bit(false), int64(0)},
		{money(decimal.RequireFromString("1.500")), "1.500"}, // trailing zeros are kept
		{money(decimal.RequireFromString("2e3")), "2000"},
		{money{}, "0"},
		{nullMoney{}, nil},
		{nullMoney(decimal.NewNullDecimal(decimal.RequireFromString("0.10"))), "0.10"},
	} {
		if got, err := test.value.Value(); err != nil || got != test.want {
			t.Errorf("%#v is stored as %v (%v), want %v", test.value, got, err, test.want)
		}
	}
	var read millis
	if err := read.Scan(at.UnixMilli()); err != nil || !time.Time(read).Equal(at.Truncate(time.Millisecond)) || time.Time(read).Location() != time.UTC {
		t.Errorf("%v is read as %v, %v", at, time.Time(read), err)
	}
	for _, zero := range []any{nil, int64(0)} {
		if err := read.Scan(zero); err != nil || !time.Time(read).IsZero() {
			t.Errorf("%v is read as %v, %v", zero, time.Time(read), err)
		}
	}
	if err := read.Scan("yesterday"); err == nil {
		t.Error("a text is read as a time")
	}
	var flag bit
	if err := flag.Scan(int64(1)); err != nil || !bool(flag) {
		t.Errorf("1 is read as %v, %v", flag, err)
	}
	if err := flag.Scan("yes"); err == nil {
		t.Error("a text is read as a bool")
	}
	var amount money
	if err := amount.Scan(""); err != nil || !decimal.Decimal(amount).IsZero() {
		t.Errorf("no text is read as %v, %v", decimal.Decimal(amount), err)
	}
}
