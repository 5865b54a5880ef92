package storage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/sandbox/pgtest"
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
				{ID: 1, RatePer: 1, KeyFingerprint: key.Fingerprint}:                          test.want,
				{ID: 1, RatePer: 1, KeyFingerprint: saveKey(t, db, 8, "another").Fingerprint}: false,
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
	now := time.Now()
	sent := now.Add(time.Second) // after the renting
	for i, step := range []struct {
		do   func() error
		want bool
	}{
		{func() error { return nil }, false},
		{func() error { _, err := db.StartCancels(t.Context(), 7, []int64{o.ID}, now); return err }, true},
		{func() error { return db.EndCancels(t.Context(), []int64{o.ID}, now) }, false},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if got, err := db.BalanceMayHaveChanged(t.Context(), Purchase{ID: 1, KeyFingerprint: key.Fingerprint, RatePer: 1}, sent); err != nil || got != step.want {
			t.Errorf("step %d: disturbed is %v, want %v: %v", i, got, step.want, err)
		}
	}
}

// TestBalanceChangedThroughAnotherKeyOfTheAccount: a purchase of the same person, one
// that showed the same balance in the minutes around, or a refund of the same sum.
func TestBalanceChangedThroughAnotherKeyOfTheAccount(t *testing.T) {
	for name, test := range map[string]struct {
		change string
		want   bool
	}{
		"nothing in common": {`UPDATE purchases SET balance = '7', created_at = 1`, false},
		"the same balance":  {`UPDATE purchases SET balance = '71.5', currency = 'USD', sent_at = sent_at - 300000`, true},
		"long before":       {`UPDATE purchases SET balance = '71.5', currency = 'USD', sent_at = 1, created_at = 1`, false},
		"another currency":  {`UPDATE purchases SET balance = '71.5', currency = 'EUR'`, false},
		"a refund":          {`UPDATE orders SET state = 'refunded', charge = '25.00', currency = 'USD', closed_at = created_at + 1000`, true},
		"a smaller refund":  {`UPDATE orders SET state = 'refunded', charge = '24', currency = 'USD', closed_at = created_at + 1000`, false},
		"the same person":   {`UPDATE purchases SET user_id = 7`, true},
	} {
		t.Run(name, func(t *testing.T) {
			db := openWithUsers(t, 7, 8)
			sent := time.Now().Add(-time.Second)
			rented(t, db, 8, saveKey(t, db, 8, "another"), 501)
			if _, err := db.transition(t.Context(), "change", test.change); err != nil {
				t.Fatal(err)
			}
			p := Purchase{
				ID: 1, UserID: 7, KeyFingerprint: "first", Currency: "USD", Balance: decimal.RequireFromString("71.50"),
				Rate: decimal.RequireFromString("2.5"), Quantity: 10, RatePer: 1,
			}
			if got, err := db.BalanceMayHaveChanged(t.Context(), p, sent); err != nil || got != test.want {
				t.Errorf("changed is %v, want %v: %v", got, test.want, err)
			}
		})
	}
}

// TestPurchasePhoneIsSealed and can be opened.
func TestPurchasePhoneIsSealed(t *testing.T) {
	pgtest.SQLiteOnly(t)
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

// TestReplacedDraftCannotBeBought: a draft that is drawn again leaves one that can be bought.
func TestReplacedDraftCannotBeBought(t *testing.T) {
	db := openWithUsers(t, 7)
	w := &commitWorld{T: t, db: db, key: saveKey(t, db, 7, "first-secret"), now: time.Now()}
	replaced := w.draft()
	again, err := db.InsertDraft(t.Context(), w.purchase(), replaced.ID)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[int64]bool{replaced.ID: false, again.ID: true} {
		if claimed, err := db.ClaimPurchase(t.Context(), 7, id, "owner", w.now, w.now.Add(time.Minute)); err != nil || claimed != want {
			t.Errorf("claimed %v, %v, want %v", claimed, err, want)
		}
	}
}

// TestReplacedDraftHandsOnItsWait: a wait for a top-up goes on for the draft that replaces it,
// a wait for its turn ends. Both end with a draft that is discarded. Nobody else's changes.
func TestReplacedDraftHandsOnItsWait(t *testing.T) {
	db := openWithUsers(t, 7, 8)
	w := &commitWorld{T: t, db: db, key: saveKey(t, db, 7, "first-secret"), now: time.Now()}
	replaced, other := w.draft(), w.draft()
	queue := func(p Purchase) {
		if _, err := db.transition(t.Context(), "queue", `INSERT INTO turns (purchase_id, user_id, message_id, queued_at, turn_at) VALUES (?, 7, 0, 1, 1)`, p.ID); err != nil {
			t.Fatal(err)
		}
	}
	queue(replaced)
	queue(other)
	for kind, id := range map[BalanceWatchKind]int64{BalanceTopUp: replaced.ID, BalanceLow: 0} {
		if err := db.SetBalanceWatch(t.Context(), BalanceWatch{UserID: 7, Kind: kind, PurchaseID: id, NextAt: w.now}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(topUp int64, turns int) {
		t.Helper()
		watches, err := db.BalanceWatches(t.Context(), 7)
		if err != nil || len(watches) != 2 {
			t.Fatal(watches, err)
		}
		for _, watch := range watches {
			if id := map[BalanceWatchKind]int64{BalanceTopUp: topUp, BalanceLow: 0}[watch.Kind]; watch.PurchaseID != id {
				t.Errorf("%s is for %d, want %d", watch.Kind, watch.PurchaseID, id)
			}
		}
		if n := db.count(t, `SELECT COUNT(*) FROM turns`); n != turns || db.count(t, `SELECT COUNT(*) FROM turns WHERE purchase_id = ?`, other.ID) != 1 {
			t.Errorf("%d purchases wait for their turn, want %d", n, turns)
		}
	}
	w.draft() // it replaces none
	want(replaced.ID, 2)
	stranger := w.purchase()
	stranger.UserID = 8
	if _, err := db.InsertDraft(t.Context(), stranger, replaced.ID); err != nil {
		t.Fatal(err)
	}
	want(replaced.ID, 2)
	again, err := db.InsertDraft(t.Context(), w.purchase(), replaced.ID)
	if err != nil {
		t.Fatal(err)
	}
	want(again.ID, 1)
	change := func(query string) {
		if _, err := db.writer.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	change(`CREATE UNIQUE INDEX one ON purchases (state) WHERE state = 'superseded'`)
	if p, err := db.InsertDraft(t.Context(), w.purchase(), again.ID); err == nil || p.ID != 0 {
		t.Errorf("stored beside the draft that it replaces: %+v", p)
	}
	want(again.ID, 1)
	change(`DROP INDEX one`)
	queue(again)
	if discarded, err := db.DiscardDraft(t.Context(), 7, again.ID); err != nil || !discarded {
		t.Fatalf("discarded %v: %v", discarded, err)
	}
	if watches, err := db.BalanceWatches(t.Context(), 7); err != nil || len(watches) != 1 || watches[0].Kind != BalanceLow {
		t.Errorf("the waits after it was discarded: %+v, %v", watches, err)
	}
	equal(t, "what waits for its turn", []string{idOf(other.ID)}, selectStrings(t, db, `SELECT purchase_id FROM turns`))
}
