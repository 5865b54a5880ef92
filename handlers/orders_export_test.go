package handlers_test

import (
	"encoding/csv"
	"strconv"
	"strings"
	"testing"
	"time"
)

// exportedTable are the rows of the last message's file.
func (w *world) exportedTable() [][]string {
	w.T.Helper()
	text, hasMark := strings.CutPrefix(w.file(), "\ufeff")
	if !hasMark {
		w.T.Errorf("the file begins with %q", text[:min(len(text), 10)])
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	must(w.T, err)
	return rows
}

// TestExportContainsNoSecrets: no goods, links, addresses or phone numbers.
func TestExportContainsNoSecrets(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.buyWithEmail("anna@example.com")
		w.rent("1")
		w.list("orders_button_export")
		rows := w.exportedTable()
		if len(rows) != 3 || rows[1][0] != "23502" || rows[1][3] != "United States" || rows[2][0] != "23501" || rows[2][7] != "1.25" {
			w.T.Errorf("the table is %q", rows)
		}
		for _, secret := range []string{w.firstPhone().Phone[1:], w.Market.Orders()[0].Accounts[0], "anna@"} {
			if strings.Contains(w.file(), secret) {
				w.T.Errorf("the table contains %q", secret)
			}
		}
	})
}

// TestExportOf10000Orders: the file contains every order once, the newest first.
func TestExportOf10000Orders(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.place(placements(10_000))
		w.list("orders_button_export")
		pass(10 * time.Second)
		rows := w.exportedTable()
		if len(rows) != 10_001 {
			w.T.Fatalf("%d rows", len(rows))
		}
		for i, row := range rows[1:] {
			if row[0] != strconv.Itoa(700_000+9_999-i) || row[2] != "Gmail, \"USA\"" {
				w.T.Fatalf("row %d is %q", i, row)
			}
		}
		w.says("10,000 orders")
	})
}
