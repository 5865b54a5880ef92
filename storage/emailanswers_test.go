package storage

import (
	"testing"
	"time"
)

// The answers are those of the latest purchases of products; others' are not read.
func TestEmailAnswers(t *testing.T) {
	db := openTest(t)
	for _, user := range []int64{1, 2} {
		if _, _, err := db.TouchUser(t.Context(), user, "", "en", true); err != nil {
			t.Fatal(err)
		}
	}
	key := saveKey(t, db, 1, "canary-key-0123456789")
	at := time.Now()
	answer := func(user int64, kind Kind, link string) {
		t.Helper()
		at = at.Add(time.Second)
		_, err := db.InsertDraft(t.Context(), Purchase{UserID: user, KeyID: key.ID, Kind: kind, Link: link, CreatedAt: at, ExpiresAt: at.Add(time.Hour)}, 0)
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(want EmailAnswers) {
		t.Helper()
		if got, err := db.EmailAnswers(t.Context(), 1); err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	want(EmailAnswers{})
	answer(1, KindProduct, "")
	want(EmailAnswers{Given: true})
	answer(1, KindProduct, "anna@example.com")
	answer(1, KindSMM, "https://example.com/anna")
	answer(2, KindProduct, "bob@example.com")
	want(EmailAnswers{Given: true, Last: "anna@example.com", Address: "anna@example.com"})
	answer(1, KindProduct, "")
	want(EmailAnswers{Given: true, Address: "anna@example.com"})
}
