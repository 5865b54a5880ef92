package storage

import (
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
)

// TestSumsOfALongLedger: each entry counts once, wherever a page ends and although several have
// the same time.
func TestSumsOfALongLedger(t *testing.T) {
	db := openHouse(t)
	ctx := t.Context()
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	const each = exportPage + 1 // of two people
	err := db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		for i := range int64(2 * each) {
			e := LedgerEntry{
				PurchaseID: 2*each - i*7919%(2*each), UserID: i%2 + 1, Currency: "USD", State: LedgerSettled, At: at.Add(time.Duration(-i/3) * time.Millisecond),
				Day: db.Day(at.AddDate(0, 0, int(-i/each))), Held: dec("1"), Charged: dec("10"), Refunded: dec("9"), Cost: dec("0.5"),
			}
			if e.UserID == 2 {
				e.Charged, e.Refunded = dec("5"), dec("0")
			}
			if err := db.storeEntry(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	people, err := db.LedgerByPerson(ctx, LedgerFilter{})
	if err != nil || len(people) != 2 || people[0].UserID != 2 { // who owes the most
		t.Fatalf("%+v, %v", people, err)
	}
	for i, want := range []struct{ held, charged, refunded, cost, owed int64 }{{each, 5 * each, 0, each / 2, 5 * each}, {each, 10 * each, 9 * each, each / 2, each}} {
		got := people[i]
		equal(t, "purchases", each, got.Purchases)
		for name, sum := range map[string][2]int64{
			"held":     {got.Held.IntPart(), want.held},
			"charged":  {got.Charged.IntPart(), want.charged},
			"refunded": {got.Refunded.IntPart(), want.refunded},
			"cost":     {got.Cost.IntPart(), want.cost},
			"owed":     {got.Owed().IntPart(), want.owed},
		} {
			equal(t, name, sum[1], sum[0])
		}
	}
	days, err := db.LedgerByDay(ctx, LedgerFilter{})
	if err != nil || len(days) != 2 || !days[0].Day.Equal(db.Day(at)) || days[0].Purchases != each || days[1].Purchases != each {
		t.Errorf("%+v, %v", days, err)
	}
}

// TestRefundOfNoAllowance: a person without one gets nothing back, also of a purchase whose
// allowance is not known.
func TestRefundOfNoAllowance(t *testing.T) {
	db := openHouse(t)
	e := LedgerEntry{PurchaseID: 4711, UserID: 1, Currency: "USD", State: LedgerSettled, At: time.Now()}
	if err := db.writeOnce(t.Context(), repeatable, func(tx *sqlx.Tx) error { return db.storeEntry(t.Context(), tx, e) }); err != nil {
		t.Fatal(err)
	}
	counts, err := db.RefundCounts(t.Context(), Allowance{}, e.PurchaseID, time.Now())
	if err != nil || counts {
		t.Error(counts, err)
	}
}
