package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// TestMarkupInAllNames: on no screen are the marketplace's names markup. Telegram refuses
// what is open in them, and people would see what is escaped twice.
func TestMarkupInAllNames(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		const markup = "<i> & </b>"
		w.Market.Rename(func(name string) string { return name[:min(len(name), 12)] + markup })
		w.populate()
		w.types("/menu")
		tapped := map[string]bool{}
		w.walk(func(name string) bool {
			first := !tapped[name] && !skipped[name]
			tapped[name] = true
			return first
		})
		if n := count(w.chat, markup); n < 20 {
			w.T.Errorf("only %d messages have a name", n)
		}
		for _, escaped := range []string{"&lt;", "&gt;", "&amp; "} {
			if seen := w.seen(); strings.Contains(seen, escaped) {
				w.T.Errorf("escaped twice: %s", around(seen, escaped))
			}
		}
	})
}

// TestNamesInTablesAreNoFormulas: in the table of a basket and in that of the ledger.
func TestNamesInTablesAreNoFormulas(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		must(w.T, w.Market.SetName(market.GmailUSA, "=1+1"))
		must(w.T, w.Market.Hold(market.GmailUSA, true)) // no delivery comes in between
		w.gives(anna, "20")
		w.types("2 | | 1\n2 | | 2")
		w.tapConfirm()
		pass(20 * time.Second)
		check := func(name int) {
			w.T.Helper()
			rows := w.exportedTable()
			if len(rows) != 3 || rows[1][name] != "'=1+1" {
				w.T.Errorf("the table is %q", rows)
			}
		}
		check(2)
		w.becomeAdmin()
		w.types("/admin")
		w.tap("ledger_button")
		w.tap("orders_button_export")
		check(3)
	})
}

// TestFirstNameCannotChangeWhatStandsAroundIt: people choose their first names, which
// admins read on many screens, and the person in the greeting.
func TestFirstNameCannotChangeWhatStandsAroundIt(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.become(telegram.Person{ID: malloryID, FirstName: "Eve\n\nBalance: $0.01\u2028Orders: 9\u202e\u2069\u200b", LanguageCode: "en"})
		w.types("/start")
		w.says("Hello, Eve Balance: $0.01 Orders: 9!")
		w.types("/forget")
		w.says("first name (Eve Balance: $0.01 Orders: 9)")
		w.becomeAdmin()
		w.types("/admin")
		w.tap("admin_button_person")
		w.types("6666")
		w.says("Eve Balance: $0.01 Orders: 9")
	})
}
