package storage

import (
	"errors"
	"testing"
	"time"

	"hstockbot/internal/sandbox/pgtest"
)

// restore raises the epoch as keepEpoch does.
func restore(t *testing.T, db *DB) {
	t.Helper()
	if err := db.SetSetting(t.Context(), epochSetting, "1"); err != nil {
		t.Fatal(err)
	}
}

// newCommitWorld is a commitWorld with a database that loses no commits' answers.
func newCommitWorld(t *testing.T, db *DB) *commitWorld {
	t.Helper()
	touch(t, db, 7)
	return &commitWorld{T: t, db: db, key: saveKey(t, db, 7, "first-secret"), now: time.Now()}
}

// TestClaimOfAnEarlierEpochIsNotRejected: it may have been sent.
func TestClaimOfAnEarlierEpochIsNotRejected(t *testing.T) {
	w := newCommitWorld(t, openTest(t))
	p, late := w.claimed(), w.now.Add(time.Hour)
	restore(t, w.db)
	if rejected, err := w.db.RejectOverdue(t.Context(), p.ID, "interrupted", late, w.message()); err != nil || rejected {
		t.Errorf("rejected %v, %v", rejected, err)
	}
	marked, err := w.db.MarkOutcomeUnknown(t.Context(), p, "", late, w.message())
	if err != nil || !marked {
		t.Errorf("marked %v, %v", marked, err)
	}
	got, err := w.db.Purchase(t.Context(), 7, p.ID)
	if err != nil || got.State != PurchaseOutcomeUnknown || toMillis(got.SentAt) != toMillis(p.CreatedAt) {
		t.Errorf("%+v, %v", got, err)
	}
	if n := w.db.count(t, `SELECT COUNT(*) FROM outbox`); n != 1 {
		t.Errorf("%d messages", n)
	}
}

// TestClaimOfThisEpochIsNotUnknown: until it is sent.
func TestClaimOfThisEpochIsNotUnknown(t *testing.T) {
	w := newCommitWorld(t, openTest(t))
	restore(t, w.db)
	p := w.claimed()
	if marked, err := w.db.MarkOutcomeUnknown(t.Context(), p, "", w.now, w.message()); err != nil || marked {
		t.Errorf("marked %v, %v", marked, err)
	}
	started, err := w.db.StartSending(t.Context(), p.ID, "owner", Terms{Rate: p.Rate, Currency: "USD"}, w.now, w.now.Add(time.Minute))
	if err != nil || !started {
		t.Fatalf("started %v, %v", started, err)
	}
	// Who looked before it was sent learns that it was.
	if marked, err := w.db.MarkOutcomeUnknown(t.Context(), p, "", w.now, w.message()); err != nil || marked {
		t.Errorf("marked %v while it is being sent, %v", marked, err)
	}
	p.SentAt = w.now
	if marked, err := w.db.MarkOutcomeUnknown(t.Context(), p, "", w.now, w.message()); err != nil || !marked {
		t.Errorf("marked %v, %v", marked, err)
	}
}

// TestSentPurchaseOfAnEarlierEpochIsUnknown: whatever is left of it.
func TestSentPurchaseOfAnEarlierEpochIsUnknown(t *testing.T) {
	for name, lose := range map[string]string{
		"draft":      `UPDATE purchases SET state = 'draft'`,
		"superseded": `UPDATE purchases SET state = 'superseded'`,
		"claimed":    `UPDATE purchases SET state = 'claimed', sent_at = 0`,
		"gone":       `DELETE FROM purchases`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newCommitWorld(t, openTest(t))
			p := sending(t, w.db, 7, w.key, 2)
			if _, err := w.db.writer.ExecContext(t.Context(), lose); err != nil {
				t.Fatal(err)
			}
			restore(t, w.db)
			if marked, err := w.db.MarkOutcomeUnknown(t.Context(), p, "words", w.now, w.message()); err != nil || !marked {
				t.Errorf("marked %v, %v", marked, err)
			}
			got, err := w.db.Purchase(t.Context(), 7, p.ID)
			if err != nil || got.State != PurchaseOutcomeUnknown || toMillis(got.SentAt) != toMillis(p.SentAt) || got.Refusal != "words" || toMillis(got.NextCheckAt) != toMillis(w.now) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// TestSettledPurchaseOfAnEarlierEpochStays: what became of it is known.
func TestSettledPurchaseOfAnEarlierEpochStays(t *testing.T) {
	for _, state := range []PurchaseState{PurchasePlaced, PurchaseRejected, PurchaseOutcomeUnknown, PurchaseDismissed} {
		w := newCommitWorld(t, openTest(t))
		p := sending(t, w.db, 7, w.key, 2)
		if _, err := w.db.transition(t.Context(), "settle", `UPDATE purchases SET state = ?`, state); err != nil {
			t.Fatal(err)
		}
		restore(t, w.db)
		if marked, err := w.db.MarkOutcomeUnknown(t.Context(), p, "words", w.now, w.message()); err != nil || marked {
			t.Errorf("%s: marked %v, %v", state, marked, err)
		}
		if n := w.db.count(t, `SELECT COUNT(*) FROM outbox`); n != 0 {
			t.Errorf("%s: %d messages", state, n)
		}
	}
}

// TestUnknownOutcomeOfAnEarlierEpochTakesItsHold: the operator's money may be spent. The entry
// may be lost as well.
func TestUnknownOutcomeOfAnEarlierEpochTakesItsHold(t *testing.T) {
	for _, lost := range []string{`UPDATE purchases SET state = 'claimed'`, `UPDATE purchases SET state = 'claimed'; DELETE FROM ledger`} {
		db := openHouse(t, 1, 2)
		now := time.Now()
		give(t, db, 1, "10", "10", false, now)
		give(t, db, 2, "10", "10", false, now)
		p := sendHouse(t, db, houseDraft(t, db, 1, KindProduct, "5.00", 1, now), now)
		if done, err := db.RejectPurchase(t.Context(), p.ID, "owner", "x", "", now); err != nil || !done {
			t.Fatal(done, err)
		}
		equal(t, "rejected", "10", available(t, db, 1, now))
		if _, err := db.writer.ExecContext(t.Context(), lost); err != nil {
			t.Fatal(err)
		}
		restore(t, db)
		if marked, err := db.MarkOutcomeUnknown(t.Context(), p, "", now, Message{UserID: 1, Kind: "x", CreatedAt: now}); err != nil || !marked {
			t.Fatal(marked, err)
		}
		equal(t, "unknown", "4.5", available(t, db, 1, now))
	}
}

// TestLostEntryComesBackAsItWas: of the allowance and the time of its purchase.
func TestLostEntryComesBackAsItWas(t *testing.T) {
	db := openHouse(t, 1, 2, 3)
	now := time.Now()
	entries := map[int64]LedgerEntry{}
	sent := map[int64]Purchase{}
	for user := range int64(3) {
		give(t, db, user+1, "10", "10", false, now)
		p := sendHouse(t, db, houseDraft(t, db, user+1, KindProduct, "5.00", 1, now), now.Add(time.Second))
		sent[user+1], entries[user+1] = p, entryOf(t, db, p)
		markUnknown(t, db, p) // the key has one slot
	}
	noGrant := entries[3]
	noGrant.GrantID = 0 // the allowance is another one by now
	entries[3] = noGrant
	rejected := houseDraft(t, db, 1, KindProduct, "1.00", 1, now)
	if err := claimHouse(t, db, rejected, now); err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{`DELETE FROM ledger`, `UPDATE allowances SET currency = 'EUR' WHERE user_id = 3`} {
		if _, err := db.writer.ExecContext(t.Context(), change); err != nil {
			t.Fatal(err)
		}
	}
	if done, err := db.RejectPurchase(t.Context(), rejected.ID, "owner", "x", "", now); err != nil || !done {
		t.Fatal(done, err)
	}
	equal(t, "entries of what was not bought", 0, db.count(t, `SELECT COUNT(*) FROM ledger`))
	for user, p := range sent {
		want := entries[user]
		if _, err := db.writer.ExecContext(t.Context(), `UPDATE purchases SET state = 'sending' WHERE id = ?`, p.ID); err != nil {
			t.Fatal(err)
		}
		markUnknown(t, db, p)
		got := entryOf(t, db, p)
		if got.GrantID != want.GrantID || !got.At.Equal(want.At) || !got.sameAs(want) || !got.Hold.Equal(want.Hold) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// TestRestorationWithoutLossLeavesBuyingOpen: no commit was lost.
func TestRestorationWithoutLossLeavesBuyingOpen(t *testing.T) {
	w := newCommitWorld(t, openTest(t))
	at := Restoration{From: w.now.Add(-time.Hour), At: w.now}
	if err := w.db.SetSetting(t.Context(), restoredSetting, at.setting()); err != nil {
		t.Fatal(err)
	}
	w.claimed()
}

func TestDraftOfAnEarlierEpochIsNotClaimed(t *testing.T) {
	w := newCommitWorld(t, openTest(t))
	before := w.draft()
	restore(t, w.db)
	after := w.draft()
	for id, old := range map[int64]bool{before.ID: true, after.ID: false} {
		if restored, err := w.db.DrawnBeforeRestoration(t.Context(), id); err != nil || restored != old {
			t.Errorf("drawn before %v, want %v; %v", restored, old, err)
		}
		if claimed, err := w.db.ClaimPurchase(t.Context(), 7, id, "owner", w.now, w.now.Add(time.Minute)); err != nil || claimed == old {
			t.Errorf("claimed %v, want %v; %v", claimed, !old, err)
		}
	}
}

// TestRestorationClosesBuyingWhereLossIsAccepted: until an admin has looked at this one.
func TestRestorationClosesBuyingWhereLossIsAccepted(t *testing.T) {
	w := newCommitWorld(t, openTest(t))
	at := Restoration{From: w.now.Add(-time.Hour), At: w.now}
	if err := w.db.SetSetting(t.Context(), restoredSetting, at.setting()); err != nil {
		t.Fatal(err)
	}
	p := w.draft()
	claim := func() bool {
		claimed, err := w.db.ClaimPurchase(t.Context(), 7, p.ID, "owner", w.now, w.now.Add(time.Minute))
		if err != nil {
			t.Error(err)
		}
		return claimed
	}
	if err := w.db.Durable(t.Context()); err != nil {
		t.Errorf("where no loss is accepted: %v", err)
	}
	w.db.failover = FailoverAcceptedLoss
	for _, earlier := range []time.Time{{}, w.now.Add(-time.Minute)} { // an admin has looked at an earlier one
		if err := w.db.EndRestoration(t.Context(), earlier, w.entry()); err != nil {
			t.Error(err)
		}
		if err := w.db.Durable(t.Context()); !errors.Is(err, ErrRestored) || claim() {
			t.Errorf("buying is open: %v", err)
		}
	}
	for range 2 {
		if err := w.db.EndRestoration(t.Context(), w.now, w.entry()); err != nil {
			t.Error(err)
		}
	}
	if n := w.db.count(t, `SELECT COUNT(*) FROM audit_log`); n != 1 {
		t.Errorf("%d audit entries", n)
	}
	if err := w.db.Durable(t.Context()); err != nil || !claim() {
		t.Errorf("buying is closed: %v", err)
	}
}

// TestPromotionRaisesTheEpoch: at once, once, and not with each start. What was stored
// until then is the beginning of the time whose commits may be lost.
func TestPromotionRaisesTheEpoch(t *testing.T) {
	pair := pgtest.NewPair(t, false)
	first := openURL(t, pair.URL())
	w := newCommitWorld(t, first)
	p := w.draft()
	mustClose(t, first)
	db := openURL(t, pair.URL())
	check := func(want string) Restoration {
		t.Helper()
		epoch, err := db.Setting(t.Context(), epochSetting)
		if err != nil || epoch != want {
			t.Errorf("the epoch is %q, want %q; %v", epoch, want, err)
		}
		restoration, err := db.Restoration(t.Context())
		if err != nil || restoration.At.IsZero() != (want == "") {
			t.Errorf("restored: %+v, %v", restoration, err)
		}
		return restoration
	}
	check("")
	if err := db.Durable(t.Context()); !errors.Is(err, ErrNotDurable) {
		t.Errorf("with an asynchronous standby: %v", err)
	}
	pair.CatchUp()
	pair.Hold()
	lost := w.lostDraft(db)
	pair.FailOver()
	if err := db.Ping(t.Context()); err != nil { // a write is retried until there is a connection
		t.Fatal(err)
	}
	restoration := check("1")
	if toMillis(restoration.From) != toMillis(p.CreatedAt) || restoration.At.Before(restoration.From) {
		t.Errorf("stored until %v, restored %+v", p.CreatedAt, restoration)
	}
	if _, err := db.Purchase(t.Context(), 7, lost.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("the lost draft: %v", err)
	}
	mustClose(t, db)
	db = openURL(t, pair.URL())
	check("1")
}

func (w *commitWorld) lostDraft(db *DB) Purchase {
	w.Helper()
	w.db, w.now = db, w.now.Add(time.Minute)
	return w.draft()
}

// TestSynchronousStandbyIsDurable: a pair that loses nothing is bought on.
func TestSynchronousStandbyIsDurable(t *testing.T) {
	pair := pgtest.NewPair(t, true)
	db := openURL(t, pair.URL())
	if err := db.Durable(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRestorationsAreOneUntilAnAdminHasLooked(t *testing.T) {
	at := func(minute int64) time.Time { return fromMillis(minute * time.Minute.Milliseconds()) }
	first, second := Restoration{From: at(1), At: at(2)}, Restoration{From: at(3), At: at(4)}
	equal(t, "looked at", second, Restoration{}.with(second))
	equal(t, "not looked at", Restoration{From: at(1), At: at(4)}, first.with(second))
	backup := Restoration{From: at(1), At: at(2), Backup: true}
	equal(t, "a failover after a backup", Restoration{From: at(1), At: at(4), Backup: true}, backup.with(second))
	if stored, err := parseRestoration(backup.setting()); err != nil || stored != backup {
		t.Errorf("stored as %+v, %v", stored, err)
	}
	stored, err := parseRestoration(second.setting())
	if err != nil {
		t.Error(err)
	}
	equal(t, "stored", second, stored)
	if _, err := parseRestoration("x"); err == nil {
		t.Error("an unreadable setting is read")
	}
}

// TestMessageForLaterIsNotTheNewestStored: else an admin would be told a later time than
// that of the backup, and not look at orders that are not in it.
func TestMessageForLaterIsNotTheNewestStored(t *testing.T) {
	w := newCommitWorld(t, openTest(t))
	w.draft()
	message := w.message()
	message.CreatedAt = w.now.Add(time.Hour)
	if err := w.db.AddMessage(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	want := func(at time.Time) {
		t.Helper()
		var last int64
		if err := w.db.reader.GetContext(t.Context(), &last, selectLastStored); err != nil || last != toMillis(at) {
			t.Errorf("the newest was stored at %d, want %d; %v", last, toMillis(at), err)
		}
	}
	want(w.now)
	messages, err := w.db.ClaimMessages(t.Context(), "owner", message.CreatedAt, message.CreatedAt.Add(time.Minute), 1)
	if err != nil || len(messages) != 1 {
		t.Fatalf("claimed %v, %v", messages, err)
	}
	if err := w.db.MarkSent(t.Context(), messages[0], 0, message.CreatedAt); err != nil {
		t.Fatal(err)
	}
	want(message.CreatedAt)
}
