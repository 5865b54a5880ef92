package storage

import (
	"testing"
	"time"
)

func TestRefundBelongsToTheMonthOfItsPurchase(t *testing.T) {
	db := openHouse(t, 1)
	november := time.Date(2026, 11, 30, 23, 59, 0, 0, time.UTC)
	december := november.Add(2 * time.Minute)
	give(t, db, 1, "10", "0", true, november)
	p := sendHouse(t, db, houseDraft(t, db, 1, KindProduct, "6", 1, november), november)
	equal(t, "november", "4", available(t, db, 1, november))
	equal(t, "december", "10", available(t, db, 1, december))
	order := placeHouse(t, db, p, december, "1")[0]
	reportHouse(t, db, order, OrderDelivered, "6", december)
	equal(t, "december", "10", available(t, db, 1, december))
	reportHouse(t, db, order, OrderRefunded, "", december)
	equal(t, "december", "10", available(t, db, 1, december))
	equal(t, "november", "10", available(t, db, 1, november))
	equal(t, "period", "2026-11", entryOf(t, db, p).Period)
	// Given once from now on: what was bought before counts.
	sendHouse(t, db, houseDraft(t, db, 1, KindProduct, "3", 1, december), december)
	once := give(t, db, 1, "10", "0", false, december)
	equal(t, "once", "7", available(t, db, 1, december.AddDate(0, 5, 0)))
	for want, filters := range map[int][]LedgerFilter{
		2: {{}, {Grant: once.GrantID}},
		1: {{Period: "2026-11"}, {Day: db.Day(november)}, {Grant: once.GrantID, Period: "2026-12"}},
		0: {{Grant: once.GrantID + 1}, {Period: "2026-10"}, {Day: db.Day(november.AddDate(0, 0, -1))}},
	} {
		for _, filter := range filters {
			if lines, total, err := db.Ledger(t.Context(), filter, 9, 0); err != nil || total != want || len(lines) != want {
				t.Errorf("%+v: %d of %d, want %d: %v", filter, len(lines), total, want, err)
			}
		}
	}
	// Another program has changed something, and has not written it into the ledger.
	for _, check := range []struct {
		what, change, left string
		since              time.Time
	}{
		{"after november", `UPDATE purchases SET state = 'rejected' WHERE state = 'sending'; UPDATE orders SET state = 'delivered', charge = '6'`, "10", november},
		{"all", `UPDATE purchases SET state = 'sending' WHERE state = 'rejected'`, "1", november.Add(-time.Millisecond)},
	} {
		if _, err := db.writer.ExecContext(t.Context(), check.change); err != nil {
			t.Fatal(err)
		}
		if err := db.CheckLedger(t.Context(), check.since); err != nil {
			t.Fatal(err)
		}
		equal(t, check.what, check.left, available(t, db, 1, december))
	}
	for _, rename := range []string{`ALTER TABLE orders RENAME TO gone`, `ALTER TABLE gone RENAME TO orders`} {
		if _, err := db.writer.ExecContext(t.Context(), rename); err != nil {
			t.Fatal(err)
		}
		err := db.CheckLedger(t.Context(), time.Time{})
		equal(t, "it fails without its orders", rename == `ALTER TABLE orders RENAME TO gone`, err != nil)
	}
	for _, rename := range []string{`ALTER TABLE ledger RENAME TO gone`, `ALTER TABLE gone RENAME TO ledger`} {
		if _, err := db.writer.ExecContext(t.Context(), rename); err != nil {
			t.Fatal(err)
		}
		_, err := db.Allowance(t.Context(), 1, december)
		equal(t, "what was taken can't be read", rename == `ALTER TABLE ledger RENAME TO gone`, err != nil)
	}
	db.zone = zone(t, "Asia/Tokyo")
	equal(t, "in Tokyo it is december", "2026-12", db.period(november))
}

func TestChargeAboveHoldIsToldOnce(t *testing.T) {
	db := openHouse(t, 1)
	now := time.Now()
	give(t, db, 1, "10", "10", false, now)
	p := sendHouse(t, db, houseDraft(t, db, 1, KindProduct, "9.00", 1, now), now)
	order := placeHouse(t, db, p, now, "1")[0]
	told := func() int { return db.count(t, `SELECT COUNT(*) FROM outbox WHERE kind = ?`, MessageOverHold) }
	reportHouse(t, db, order, OrderOpen, "9.00", now)
	equal(t, "told of its price", 0, told())
	reportHouse(t, db, order, OrderOpen, "12.00", now)
	equal(t, "available", "-3.2", available(t, db, 1, now))
	equal(t, "told", 2, told())
	reportHouse(t, db, order, OrderDelivered, "13.00", now)
	reportHouse(t, db, order, OrderCancelled, "0", now)
	reportHouse(t, db, order, OrderDelivered, "13.00", now)
	equal(t, "told again", 2, told())
	equal(t, "available", "-4.3", available(t, db, 1, now))
	equal(t, "cost", "13", entryOf(t, db, p).Cost.String())
	for who, user := range map[string]int64{"the admin": houseAdmin, "the buyer": 1} {
		equal(t, "to "+who, 1, db.count(t, `SELECT COUNT(*) FROM outbox WHERE kind = ? AND user_id = ? AND purchase_id = ?`, MessageOverHold, user, p.ID))
	}
}

func TestForgottenHoldIsFinal(t *testing.T) {
	db := openHouse(t, 1, 2, 3)
	ctx, now := t.Context(), time.Now()
	give(t, db, 1, "100", "10", false, now)
	give(t, db, 3, "100", "10", false, now)
	other := markUnknown(t, db, sendHouse(t, db, houseDraft(t, db, 3, KindProduct, "4.00", 1, now), now))
	rejected := houseDraft(t, db, 1, KindProduct, "8.00", 1, now)
	if err := claimHouse(t, db, rejected, now); err != nil {
		t.Fatal(err)
	}
	if done, err := db.RejectPurchase(ctx, rejected.ID, "owner", "x", "", now); err != nil || !done {
		t.Fatal(done, err)
	}
	code, err := db.AddAllowanceLink(ctx, AllowanceTerms{Amount: dec("1"), Currency: "USD"}, byAdmin("link", now))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.UseAllowanceLink(ctx, 2, code, byAdmin("used", now)); err != nil {
		t.Fatal(err)
	}
	unknown := markUnknown(t, db, sendHouse(t, db, houseDraft(t, db, 1, KindProduct, "1.00", 1, now), now))
	p := sendHouse(t, db, houseDraft(t, db, 1, KindProduct, "2.00", 1, now), now)
	open := placeHouse(t, db, p, now, "1")[0]
	for _, user := range []int64{1, 2} {
		if err := db.Forget(ctx, user, now); err != nil {
			t.Fatal(err)
		}
	}
	for _, of := range []Purchase{unknown, p} {
		e := entryOf(t, db, of)
		if e.UserID != 0 || e.State != LedgerSettled || !e.Held.IsZero() || !e.Charged.Equal(e.Hold) || !e.Refunded.IsZero() {
			t.Errorf("%+v", e)
		}
	}
	equal(t, "what took nothing", LedgerReleased, entryOf(t, db, rejected).State)
	if e := entryOf(t, db, other); e.UserID != 3 || e.State != LedgerHeld || !e.Held.Equal(e.Hold) {
		t.Errorf("another person's: %+v", e)
	}
	if err := db.Forget(ctx, 3, now); err != nil {
		t.Fatal(err)
	}
	open.Polls++
	if _, reported, err := db.UpdateOrder(ctx, open, nil, nil, noMessages); err != nil || reported {
		t.Errorf("a late answer: %v, %v", reported, err)
	}
	equal(t, "rows of the people", 0, db.count(t, `SELECT (SELECT COUNT(*) FROM allowances) + (SELECT COUNT(*) FROM allowance_links) + (SELECT COUNT(*) FROM api_keys) + (SELECT COUNT(*) FROM ledger WHERE user_id <> 0)`))
	sums, err := db.LedgerByPerson(ctx, LedgerFilter{})
	if err != nil || len(sums) != 1 || sums[0].UserID != 0 || sums[0].Purchases != 3 || !sums[0].Owed().Equal(dec("7.7")) {
		t.Errorf("%+v, %v", sums, err)
	}
}

// What can't be written into the ledger does not happen.
func TestEntryIsStoredOrNothing(t *testing.T) {
	db := openHouse(t, 1)
	ctx, now := t.Context(), time.Now()
	give(t, db, 1, "100", "0", false, now)
	order := placeHouse(t, db, sendHouse(t, db, houseDraft(t, db, 1, KindProduct, "1", 1, now), now), now, "1")[0]
	change := func(query string) {
		if _, err := db.writer.ExecContext(ctx, query); err != nil {
			t.Fatal(err)
		}
	}
	next := houseDraft(t, db, 1, KindProduct, "2", 1, now)
	change(`CREATE UNIQUE INDEX one ON ledger (currency) WHERE state = 'held'`)
	if err := claimHouse(t, db, next, now); err == nil {
		t.Error("a claim without its entry")
	}
	change(`DROP INDEX one`)
	equal(t, "available", "99", available(t, db, 1, now))
	placeHouse(t, db, sendHouse(t, db, next, now), now, "2")
	order = reportHouse(t, db, order, OrderDelivered, "1", now)
	change(`CREATE UNIQUE INDEX one ON ledger (currency) WHERE state = 'held'`)
	order.Polls++
	order.State, order.ClosedAt = OrderOpen, time.Time{}
	if _, _, err := db.UpdateOrder(ctx, order, nil, nil, noMessages); err == nil {
		t.Error("a poll without its entry")
	}
	change(`DROP INDEX one`)
	change(`CREATE UNIQUE INDEX one ON ledger (currency) WHERE state = 'settled'`)
	if err := db.Forget(ctx, 1, now); err == nil {
		t.Error("forgotten without a final entry")
	}
	equal(t, "available", "97", available(t, db, 1, now))
}
