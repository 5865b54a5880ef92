package storage

import (
	"errors"
	"testing"
	"time"
)

// TestStartCancelsOnce: a second cancel may be sent only after EndCancels.
func TestStartCancelsOnce(t *testing.T) {
	db := openWithUsers(t, 7, 8)
	orders := rented(t, db, 7, saveKey(t, db, 7, "first-secret"), 501)
	at := time.Now()
	start := func(user int64) bool {
		t.Helper()
		began, err := db.StartCancels(t.Context(), user, []int64{orders[0].ID}, at)
		if err != nil {
			t.Fatal(err)
		}
		return len(began) == 1
	}
	if start(8) {
		t.Error("another person's order")
	}
	if !start(7) || start(7) {
		t.Error("not exactly one of two")
	}
	for _, ended := range []time.Time{at.Add(-time.Minute), at} { // an earlier cancel that ends late is another one
		if start(7) {
			t.Error("sent again before it has ended")
		}
		if err := db.EndCancels(t.Context(), []int64{orders[0].ID}, ended); err != nil {
			t.Fatal(err)
		}
	}
	if !start(7) {
		t.Error("refused after nothing was done")
	}
}

// StartCancels gives each order once, all in one transaction, and only the person's open
// orders.
func TestStartCancels(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	orders := placed(t, db, 1, 101, 102, 103)
	ids, now := []int64{orders[0].ID, orders[1].ID, orders[2].ID}, time.Now()
	if started, err := db.StartCancels(ctx, 2, ids, now); err != nil || len(started) != 0 {
		t.Errorf("another person's: %v, %v", started, err)
	}
	if started, err := db.StartCancels(ctx, 1, ids[:2], now); err != nil || len(started) != 2 {
		t.Errorf("at first: %v, %v", started, err)
	}
	if started, err := db.StartCancels(ctx, 1, ids, now); err != nil || len(started) != 1 || started[0] != ids[2] {
		t.Errorf("then: %v, %v", started, err)
	}
	if err := db.EndCancels(ctx, ids[:1], now); err != nil {
		t.Fatal(err)
	}
	if started, err := db.StartCancels(ctx, 1, ids, now); err != nil || len(started) != 1 || started[0] != ids[0] {
		t.Errorf("after one did nothing: %v, %v", started, err)
	}
	if err := db.EndCancels(ctx, nil, now); err != nil {
		t.Error(err)
	}
}

// EachOrder calls for each order once, across pages, and stops at ErrStop.
func TestEachOrder(t *testing.T) {
	db := openTest(t)
	numbers := make([]int64, 2*exportPage+1)
	for i := range numbers {
		numbers[i] = int64(i + 1)
	}
	placed(t, db, 1, numbers...)
	placed(t, db, 2, 5000)
	// Half of them in one millisecond: pages are separated by the id, too.
	if _, err := db.writer.ExecContext(t.Context(), `UPDATE orders SET created_at = 1000 WHERE CAST(external_id AS BIGINT) % 2 = 0`); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	err := db.EachOrder(t.Context(), 1, func(o Order) error {
		seen[o.ExternalID]++
		if o.Link != "" || o.Rental.Phone != "" {
			t.Errorf("order %s tells %q", o.ExternalID, o.Link)
		}
		return nil
	})
	if err != nil || len(seen) != len(numbers) {
		t.Errorf("%d orders of %d, %v", len(seen), len(numbers), err)
	}
	for number, n := range seen {
		if n != 1 {
			t.Errorf("order %s came %d times", number, n)
		}
	}
	calls := 0
	err = db.EachOrder(t.Context(), 1, func(Order) error {
		calls++
		return ErrStop
	})
	if err != nil || calls != 1 {
		t.Errorf("%d calls after enough, %v", calls, err)
	}
	failure := errors.New("failed")
	if err := db.EachOrder(t.Context(), 1, func(Order) error { return failure }); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
}
