package handlers

import (
	"strings"
	"testing"

	"hstockbot/locales"
	"hstockbot/storage"
)

// Every state of the marketplace's that is known has a word in the person's language, also
// while the order is open. Others are shown as they are.
func TestStateWords(t *testing.T) {
	languages, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	l := languages.Localizer("ru")
	known := map[storage.Kind][]string{
		storage.KindProduct: {"", "Pending", "In queue", "In progress", "Processing", "Completed", "Partial", "Canceled", "Refunded", "Failed"},
		storage.KindSMS:     {"", "ACTIVE", "waiting", "code_received", "EXPIRED", "timeout", "cancelled", "refunded", "BANNED", "finished", "Completed", "Failed"},
	}
	known[storage.KindSMM] = known[storage.KindProduct]
	for kind, statuses := range known {
		for _, raw := range statuses {
			for _, state := range []storage.OrderState{storage.OrderOpen, storage.OrderExpired, storage.OrderStale} {
				word := stateWord(l, storage.Order{Kind: kind, State: state, RawStatus: raw})
				if word == "" || strings.ContainsFunc(word, func(r rune) bool { return r < 128 && r != ' ' }) {
					t.Errorf("%s with the status %q, which is %s, is shown as %q", kind, raw, state, word)
				}
			}
		}
		if got := stateWord(l, storage.Order{Kind: kind, State: storage.OrderOpen, RawStatus: "On holiday"}); got != "On holiday" {
			t.Errorf("an unknown status is shown as %q", got)
		}
	}
}
