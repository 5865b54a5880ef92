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
	ordered := map[string]string{
		"": "state_placed", "Pending": "state_pending", "In queue": "state_pending", "In progress": "state_in_progress", "Processing": "state_in_progress",
		"Completed": "state_completed", "Partial": "state_partial", "Canceled": "state_cancelled", "Refunded": "state_refunded", "Failed": "state_failed",
	}
	for kind, words := range map[storage.Kind]map[string]string{
		storage.KindProduct: ordered,
		storage.KindSMM:     ordered,
		storage.KindSMS: {
			"": "state_waiting_code", "ACTIVE": "state_waiting_code", "waiting": "state_waiting_code", "code_received": "state_waiting_code", // it is on its way
			"Completed": "state_waiting_code", "BANNED": "state_waiting_code", "Failed": "state_waiting_code", // the code is still asked for
			"EXPIRED": "state_expired", "timeout": "state_expired", "cancelled": "state_cancelled", "refunded": "state_refunded",
		},
	} {
		for raw, id := range words {
			if got, want := stateWord(l, storage.Order{Kind: kind, State: storage.OrderOpen, RawStatus: raw}), l.Label(id); got != want {
				t.Errorf("an open %s with the status %q is shown as %q, want %q", kind, raw, got, want)
			}
			ended := stateWord(l, storage.Order{Kind: kind, State: storage.OrderExpired, RawStatus: raw})
			if ended == "" || strings.ContainsFunc(ended, func(r rune) bool { return r < 128 && r != ' ' }) {
				t.Errorf("an expired %s with the status %q is shown as %q", kind, raw, ended)
			}
		}
		if got := stateWord(l, storage.Order{Kind: kind, State: storage.OrderOpen, RawStatus: "On holiday"}); got != "On holiday" {
			t.Errorf("an unknown status is shown as %q", got)
		}
	}
}
