package handlers

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/locales"
	"hstockbot/storage"
)

func TestCellsAreNoFormulas(t *testing.T) {
	for _, cell := range []string{
		"=1+1", "+1", "-1", "@SUM(A1)", "\"=1+1", "'=1", "“=1", " =1", "\u00a0=1", "\"\"\"=1", " \" =1", "＝1", "＠x", "\ufeff=1",
		"=HYPERLINK(\"http://x\",\"y\")", "=cmd|' /C calc'!A0",
	} {
		if got := plainCell(cell); got != "'"+cell {
			t.Errorf("%q became %q", cell, got)
		}
	}
	for cell, want := range map[string]string{
		"A;=cmd|'/c calc'!A0;B\t=1+1": "A, =cmd|'/c calc'!A0, B, =1+1", "a,b;c": "a,b, c", "line\nbreak": "line, break", "a\r\n\r\nb": "a, b",
		"\t=1": "'=1", ";=1": "'=1", "\r+1;": "'+1", "; ;": "", "\tx": "x", "a ; b": "a, b",
	} {
		if got := plainCell(cell); got != want {
			t.Errorf("%q became %q, want %q", cell, got, want)
		}
	}
	for _, cell := range []string{"", "Gmail", "12.50", "a=b", "a+b", "🇺🇸", "Gmail \"USA\"", "'", "2000-01-01 00:00:00", "–", "100%"} {
		if got := plainCell(cell); got != cell {
			t.Errorf("%q became %q", cell, got)
		}
	}
}

func english(tb testing.TB) *locales.Localizer {
	tb.Helper()
	bundle, err := locales.Load()
	if err != nil {
		tb.Fatal(err)
	}
	return bundle.Localizer("en")
}

// TestOrderTable: the marketplace's names are written unchanged, unless they would be
// formulas or further cells.
func TestOrderTable(t *testing.T) {
	table := newOrderTable(english(t), maxExportSize, "Feedback")
	for _, name := range []string{"=1+1", "a,b;c", "line\nbreak", `"quoted"`, "中文", "\"=2", strings.Repeat("x", 300)} {
		charge := decimal.NewNullDecimal(decimal.RequireFromString("12.5000"))
		if err := table.add(storage.Order{ExternalID: "7", Name: name, Kind: storage.KindProduct, Quantity: 3, RawStatus: "@odd", Charge: charge, Currency: "USD", CreatedAt: time.Unix(0, 0)}); err != nil {
			t.Fatal(err)
		}
	}
	text, marked := strings.CutPrefix(string(table.bytes()), "\ufeff")
	if !marked || strings.Count(text, "\r\n") != 8 {
		t.Errorf("the table is %q", text)
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 8 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, want := range []string{"Name", "'=1+1", "a,b, c", "line, break", `"quoted"`, "中文", "'\"=2", strings.Repeat("x", 300)} {
		if rows[i][2] != want {
			t.Errorf("row %d: %q, want %q", i, rows[i][2], want)
		}
	}
	if row := rows[1]; row[1] != "goods" || row[4] != "3" || row[6] != "'@odd" || row[7] != "12.50" || row[9] != "1970-01-01 00:00:00" || row[10] != "" {
		t.Errorf("the row is %q", row)
	}
}

func TestFullTableEndsWithWholeRow(t *testing.T) {
	table := newOrderTable(english(t), 1000, "Feedback")
	var err error
	for range 100 {
		if err = table.add(storage.Order{ExternalID: "7", Name: "Gmail", Kind: storage.KindProduct}); err != nil {
			break
		}
	}
	if !errors.Is(err, storage.ErrStop) {
		t.Fatalf("got %v", err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(table.bytes()))).ReadAll()
	if err != nil || len(rows) != table.rows+1 || table.rows == 0 || table.rows > 40 {
		t.Errorf("%d rows are in the file, %d were counted, %v", len(rows), table.rows, err)
	}
}

func FuzzPlainCell(f *testing.F) {
	for _, seed := range []string{"=1", "\"=1", " +", "", "a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		if strings.ContainsAny(plainCell(cell), ";\t\r\n") {
			t.Errorf("%q became %q", cell, plainCell(cell))
		}
		inner := strings.Trim(plainCell(cell), "\"")
		if strings.HasPrefix(inner, "=") || strings.HasPrefix(inner, "+") || strings.HasPrefix(inner, "-") || strings.HasPrefix(inner, "@") {
			t.Errorf("%q became %q", cell, plainCell(cell))
		}
	})
}

// BenchmarkOrderTable writes a file of 50,000 orders.
func BenchmarkOrderTable(b *testing.B) {
	l := english(b)
	order := storage.Order{
		ExternalID: "23501", Name: "Gmail Account - USA", Kind: storage.KindProduct, Quantity: 2, State: storage.OrderDelivered, RawStatus: "Completed",
		Charge: decimal.NewNullDecimal(decimal.New(250, -2)), Currency: "USD", CreatedAt: time.Unix(1e9, 0), UpdatedAt: time.Unix(1e9, 0),
	}
	for b.Loop() {
		table := newOrderTable(l, maxExportSize, "Feedback")
		for range 50_000 {
			if err := table.add(order); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := io.Discard.Write(table.bytes()); err != nil {
			b.Fatal(err)
		}
	}
}
