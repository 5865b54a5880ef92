package storage

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/sandbox/pgtest"
)

// insertUnresolved stores a purchase of unknown outcome, whose balance was read again.
func insertUnresolved(tb testing.TB, db *DB, p Purchase, seen string) Purchase {
	tb.Helper()
	ctx, now := tb.Context(), time.Now()
	p.RatePer, p.CreatedAt, p.ExpiresAt = 1, now, farFuture
	p, err := db.InsertDraft(ctx, p, 0)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := db.ClaimPurchase(ctx, p.UserID, p.ID, "test", now, farFuture); err != nil {
		tb.Fatal(err)
	}
	if _, err := db.StartSending(ctx, p.ID, "test", Terms{Rate: p.Rate, Balance: p.Balance, Currency: p.Currency}, now, farFuture); err != nil {
		tb.Fatal(err)
	}
	p.SentAt = now
	if _, err := db.MarkOutcomeUnknown(ctx, p, "canary words", now, Message{UserID: p.UserID, PurchaseID: p.ID, Kind: "x", CreatedAt: now}); err != nil {
		tb.Fatal(err)
	}
	if seen != "" {
		p.Checks, p.BalanceSeen, p.Verdict = 1, decimal.NewNullDecimal(decimal.RequireFromString(seen)), VerdictBought
		if _, err := db.RecordCheck(ctx, p, 0, nil); err != nil {
			tb.Fatal(err)
		}
	}
	return p
}

func TestAdminUnresolvedPurchases(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	goods := insertUnresolved(t, db, Purchase{
		UserID: 1, KeyFingerprint: "a", Kind: KindProduct, Name: "Goods", Category: "Email", Quantity: 2, Rate: decimal.New(125, -2), Balance: decimal.New(100, 0), Currency: "USD",
	}, "97.50")
	insertUnresolved(t, db, Purchase{UserID: 2, KeyFingerprint: "b", Kind: KindSMS, Name: "Telegram", Quantity: 1, Rate: decimal.New(5, -1), Currency: "EUR"}, "")
	placed(t, db, 3, 101)
	one, err := db.AdminUnresolvedPurchase(ctx, goods.ID)
	if err != nil || one.Total.String() != "2.5" || !one.Fall.Valid || one.Fall.Decimal.String() != "2.5" || one.Checks != 1 || one.Verdict != VerdictBought || one.UserID != 1 {
		t.Errorf("%+v, %v", one, err)
	}
	today := time.Now().UTC().Truncate(day)
	for _, test := range []struct {
		filter AdminOrderFilter
		want   int
	}{
		{AdminOrderFilter{}, 2},
		{AdminOrderFilter{State: FilterOpen}, 2},
		{AdminOrderFilter{State: FilterProblems}, 2},
		{AdminOrderFilter{State: FilterDelivered}, 0},
		{AdminOrderFilter{State: FilterSMS}, 1},
		{AdminOrderFilter{Person: 1}, 1},
		{AdminOrderFilter{Person: 3}, 0},
		{AdminOrderFilter{Category: "Email"}, 1},
		{AdminOrderFilter{Category: "Email", Person: 2}, 0},
		{AdminOrderFilter{Day: today}, 2},
		{AdminOrderFilter{Day: today.Add(-day)}, 0},
	} {
		found, total, err := db.AdminUnresolvedPurchases(ctx, test.filter, 8, 0)
		if err != nil || total != test.want || len(found) != test.want {
			t.Errorf("%+v: %d and %d, want %d, %v", test.filter, len(found), total, test.want, err)
		}
	}
	var pages []int64
	for offset := range 2 {
		page, total, err := db.AdminUnresolvedPurchases(ctx, AdminOrderFilter{}, 1, offset)
		if err != nil || total != 2 || len(page) != 1 || page[0].Fall.Valid != (page[0].ID == goods.ID) {
			t.Fatalf("page %d: %+v of %d, %v", offset, page, total, err)
		}
		pages = append(pages, page[0].ID)
	}
	if pages[0] == pages[1] {
		t.Error("both pages are the same")
	}
	if _, err := db.DismissPurchase(ctx, 1, goods.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.AdminUnresolvedPurchase(ctx, goods.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("dismissed: %v", err)
	}
}

// Purchases that the operator's key has paid are listed for admins until all phones are
// adopted, and dismissed ones, last, for a while.
func TestAdminUnresolvedHouse(t *testing.T) {
	db := openHouse(t, 1)
	ctx, now := t.Context(), time.Now()
	give(t, db, 1, "100", "10", true, now)
	wantListed := func(what string, want ...AdminUnresolved) {
		t.Helper()
		all, total, err := db.AdminUnresolvedPurchases(ctx, AdminOrderFilter{}, 8, 0)
		var got []AdminUnresolved
		for _, p := range all {
			one, err := db.AdminUnresolvedPurchase(ctx, p.ID)
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			equal(t, what, p, one)
			got = append(got, AdminUnresolved{ID: p.ID, Dismissed: p.Dismissed, Adopted: p.Adopted})
		}
		if err != nil || total != len(want) {
			t.Errorf("%s: %d, %v", what, total, err)
		}
		equal(t, what, want, got)
	}
	dismiss := func(p Purchase) {
		t.Helper()
		for _, want := range []bool{true, false} {
			if done, err := db.DismissHousePurchase(ctx, p.ID, now, byAdmin("dismiss", now), Message{UserID: 1, Kind: "dismissed", CreatedAt: now}); err != nil || done != want {
				t.Errorf("dismissed %v, %v, want %v", done, err, want)
			}
		}
	}
	adopt := func(p Purchase, id int64) Order {
		t.Helper()
		order, adopted, err := db.AdoptOrder(ctx, p, Placement{ExternalID: idOf(id)}, now, now, func(Order) []Message { return nil }, byAdmin("adopt", now))
		if err != nil || !adopted {
			t.Fatalf("adopted %v, %v", adopted, err)
		}
		return order
	}
	at := now.Add(-time.Hour)
	phones := markUnknown(t, db, sendHouse(t, db, houseDraft(t, db, 1, KindSMS, "1", 3, at), at))
	goods := markUnknown(t, db, sendHouse(t, db, houseDraft(t, db, 1, KindProduct, "5", 1, now), now))
	wantListed("unknown", AdminUnresolved{ID: goods.ID}, AdminUnresolved{ID: phones.ID})
	dismiss(goods)
	first := adopt(phones, 1)
	reportHouse(t, db, first, OrderDelivered, "1", now)
	wantListed("one adopted", AdminUnresolved{ID: phones.ID, Adopted: 1}, AdminUnresolved{ID: goods.ID, Dismissed: true})
	equal(t, "one of three charged, two held", "96.7", available(t, db, 1, now))
	dismiss(phones)
	equal(t, "messages: the buyer knows the phone", 1, db.count(t, `SELECT COUNT(*) FROM outbox WHERE kind = 'dismissed'`))
	equal(t, "that was all", "98.9", available(t, db, 1, now))
	wantListed("that was all", AdminUnresolved{ID: goods.ID, Dismissed: true}, AdminUnresolved{ID: phones.ID, Dismissed: true, Adopted: 1})
	adopt(phones, 2)
	equal(t, "another one was found", "97.8", available(t, db, 1, now))
	adopt(phones, 3)
	adopt(goods, 1)
	wantListed("all adopted")
	equal(t, "all adopted", "91.2", available(t, db, 1, now))
	at = now.Add(-keepDismissed)
	old := markUnknown(t, db, sendHouse(t, db, houseDraft(t, db, 1, KindProduct, "5", 1, at), at))
	wantListed("an old one", AdminUnresolved{ID: old.ID})
	dismiss(old)
	wantListed("an old one, dismissed")
	if _, err := db.AdminUnresolvedPurchase(ctx, old.ID); err != nil {
		t.Errorf("an old one: %v", err)
	}
}

// The list reads the purchases of unknown outcome and those of the operator's key, not all.
func TestUnresolvedUsesIndexes(t *testing.T) {
	pgtest.SQLiteOnly(t)
	db := openTest(t)
	condition, args := db.unresolvedOf(AdminOrderFilter{})
	var plan []struct {
		ID, Parent, Notused int
		Detail              string
	}
	if err := db.reader.SelectContext(t.Context(), &plan, "EXPLAIN QUERY PLAN SELECT COUNT(*) FROM purchases "+condition, args...); err != nil {
		t.Fatal(err)
	}
	for _, step := range plan {
		if strings.HasPrefix(step.Detail, "SCAN purchases") {
			t.Errorf("all purchases are read: %+v", plan)
		}
	}
}
