package handlers_test

import (
	"testing"

	"hstockbot/internal/sandbox/telegram"
)

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
