package storage

import (
	"errors"
	"testing"
	"time"

	"github.com/shopspring/decimal"
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
