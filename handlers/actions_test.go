package handlers_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestEveryActionIsUsed: each of the marketplace's 16 actions is behind some
// screen, as ARCHITECTURE.md says, and the marketplace's own log shows it.
func TestEveryActionIsUsed(t *testing.T) {
	text, err := os.ReadFile("../ARCHITECTURE.md")
	must(t, err)
	_, table, found := strings.Cut(string(text), "## The 16 actions")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| .* \\| (.*) \\|$").FindAllStringSubmatch(table, -1)
	if !found || len(rows) != 16 {
		t.Fatalf("ARCHITECTURE.md tells of %d actions, want 16", len(rows))
	}
	inWorld(t, "en", func(w *world) {
		w.setTheScene()
		w.types("/catalog")
		w.openGmail()
		w.types("/menu")
		w.tap("menu_button_recommended")
		w.types("/menu")
		w.tap("menu_button_shops")
		w.types("/orders")
		w.tap("orders_button_sms")
		w.tapLike("⏳")
		w.tap("cancel_button")
		w.tap("cancel_button_sure")
		pass(time.Minute)
		for _, row := range rows {
			action, used := row[1], row[2]
			if used == "" || strings.Contains(used, "no screen") {
				t.Errorf("%s has no screen: %q", action, used)
			}
			if w.market.Count(action) == 0 {
				t.Errorf("%s was never asked for", action)
			}
		}
	})
}
