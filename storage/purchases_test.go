package storage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

// TestKeyDisturbedByExpiredNumber: its price is refunded, whether that
// was polled or not.
func TestKeyDisturbedByExpiredNumber(t *testing.T) {
	sent := time.Now().Add(-time.Minute)
	for name, test := range map[string]struct {
		state     OrderState
		expiresAt time.Time
		closedAt  time.Time
		want      bool
	}{
		"waits":                     {OrderOpen, time.Now().Add(time.Hour), time.Time{}, false},
		"no end is known":           {OrderOpen, time.Time{}, time.Time{}, false},
		"over":                      {OrderOpen, time.Now().Add(-time.Second), time.Time{}, true},
		"over, and heard of":        {OrderExpired, time.Now().Add(-time.Second), time.Time{}, true},
		"over before it was sent":   {OrderExpired, sent.Add(-time.Second), time.Time{}, false},
		"had its code":              {OrderDelivered, time.Now().Add(-time.Second), time.Time{}, false},
		"expired since it was sent": {OrderExpired, sent.Add(-time.Hour), time.Now(), true},
		"expired long before":       {OrderExpired, sent.Add(-time.Hour), sent.Add(-time.Minute), false},
		"cancelled since":           {OrderCancelled, time.Now().Add(time.Hour), time.Now(), true},
	} {
		t.Run(name, func(t *testing.T) {
			db := openWithUsers(t, 7, 8)
			key := saveKey(t, db, 7, "first-secret")
			o := rented(t, db, 7, key, 501)[0]
			if _, err := db.transition(t.Context(), "sent long ago", `UPDATE purchases SET sent_at = 1 WHERE id = ?`, o.PurchaseID); err != nil {
				t.Fatal(err)
			}
			o.Polls++
			o.State, o.ExpiresAt, o.ClosedAt = test.state, test.expiresAt, test.closedAt
			storePoll(t, db, o)
			for p, want := range map[*Purchase]bool{
				{ID: 1, KeyFingerprint: key.Fingerprint}:                          test.want,
				{ID: 1, KeyFingerprint: saveKey(t, db, 8, "another").Fingerprint}: false,
			} {
				if got, err := db.BalanceMayHaveChanged(t.Context(), *p, sent); err != nil || got != want {
					t.Errorf("disturbed is %v, want %v: %v", got, want, err)
				}
			}
		})
	}
}

// TestKeyDisturbedByCancel: until EndCancels.
func TestKeyDisturbedByCancel(t *testing.T) {
	db := openWithUsers(t, 7)
	key := saveKey(t, db, 7, "first-secret")
	o := rented(t, db, 7, key, 501)[0]
	sent := time.Now().Add(time.Second) // after the renting
	for i, step := range []struct {
		do   func() error
		want bool
	}{
		{func() error { return nil }, false},
		{func() error { _, err := db.StartCancels(t.Context(), 7, []int64{o.ID}, time.Now()); return err }, true},
		{func() error { return db.EndCancels(t.Context(), []int64{o.ID}) }, false},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if got, err := db.BalanceMayHaveChanged(t.Context(), Purchase{ID: 1, KeyFingerprint: key.Fingerprint}, sent); err != nil || got != step.want {
			t.Errorf("step %d: disturbed is %v, want %v: %v", i, got, step.want, err)
		}
	}
}

// TestPurchasePhoneIsSealed and can be opened.
func TestPurchasePhoneIsSealed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	db := openAt(t, path, testKeys(t, 1))
	if _, _, err := db.TouchUser(t.Context(), 7, "Ann", "en", true); err != nil {
		t.Fatal(err)
	}
	key := saveKey(t, db, 7, "first-secret")
	const phone = "+12025550177"
	p, err := db.InsertDraft(t.Context(), Purchase{
		UserID: 7, KeyID: key.ID, KeyFingerprint: key.Fingerprint, Kind: KindSMS, Name: "Telegram", Quantity: 1,
		Rental: Rental{Project: "tg", Country: "us", Phone: phone}, Rate: decimal.New(9, -1), RatePer: 1, ExpiresAt: time.Now().Add(time.Minute),
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := db.Purchase(t.Context(), 7, p.ID); err != nil || got.Rental.Phone != phone {
		t.Errorf("read as %q: %v", got.Rental.Phone, err)
	}
	for _, suffix := range []string{"", "-wal"} { // while it is open: nothing is hidden by a checkpoint
		content, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), phone[1:]) {
			t.Errorf("bot.db%s holds the phone number", suffix)
		}
	}
}
