package storage

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"hstockbot/internal/redact"
)

// insertTimes stores outcomes of orders of a subject, a second apart: the n-th took n
// milliseconds, and every tenth ended without a code.
func insertTimes(t *testing.T, db *DB, first Order, n int, at time.Time) {
	t.Helper()
	err := db.write(t.Context(), func(tx *sqlx.Tx) error {
		for i := range n {
			o := first
			o.ID += int64(i) + 1
			o.UpdatedAt = at.Add(time.Duration(i) * time.Second)
			outcome := DeliveryTime{Took: time.Duration(i) * time.Millisecond, Arrived: i%10 > 0}
			if err := errors.Join(db.insertOrder(t.Context(), tx, o), insertDeliveryTime(t.Context(), tx, o, outcome)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDeliveryTimeIsStoredWithThePoll(t *testing.T) {
	db := openWithUsers(t, 7)
	key := saveKey(t, db, 7, "key-of-7-0123456789")
	o := rented(t, db, 7, key, 1)[0]
	times := func() DeliveryTimes {
		t.Helper()
		found, err := db.DeliveryTimes(t.Context(), time.Now(), "product/3", o.Subject())
		if err != nil {
			t.Fatal(err)
		}
		return found[o.Subject()]
	}
	store := func(stored bool, outcome DeliveryTime, codes ...redact.Secret) {
		t.Helper()
		if _, got, err := db.UpdateOrder(t.Context(), o, &outcome, codes, noMessages); err != nil || got != stored {
			t.Fatalf("stored %v, %v", got, err)
		}
	}
	equal(t, "subject", "sms/us/tg", o.Subject())
	store(false, DeliveryTime{Took: time.Second, Arrived: true}) // not the next poll of the order
	equal(t, "after an outdated poll", DeliveryTimes{}, times())
	o.Polls++
	store(true, DeliveryTime{Took: 20 * time.Minute})
	equal(t, "after the end", DeliveryTimes{Ended: []time.Duration{20 * time.Minute}}, times())
	o.Polls++
	store(true, DeliveryTime{Took: 21 * time.Minute, Arrived: true}, "code")
	equal(t, "after a late code", DeliveryTimes{Arrived: []time.Duration{21 * time.Minute}}, times())
	if err := db.Forget(t.Context(), 7, time.Now()); err != nil {
		t.Fatal(err)
	}
	equal(t, "of a forgotten person", DeliveryTimes{}, times())
	if n := db.count(t, `SELECT COUNT(*) FROM delivery_times`); n != 0 {
		t.Errorf("%d rows of a forgotten person", n)
	}
}

// TestDeliveryTimesAreTheLastHundred of each subject, of 14 days, sorted.
func TestDeliveryTimesAreTheLastHundred(t *testing.T) {
	db := openTest(t)
	product := placed(t, db, 1, 101)[0]
	other := product
	other.ID, other.Service = product.ID+1000, 3
	now := time.Now()
	insertTimes(t, db, product, 120, now)
	insertTimes(t, db, other, 20, now)
	read := func(at time.Time) map[string]DeliveryTimes {
		t.Helper()
		found, err := db.DeliveryTimes(t.Context(), at, "product/2", "product/3", "product/4")
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	counts := func(at time.Time) string {
		found := read(at)
		return fmt.Sprintln(len(found), len(found["product/2"].Arrived), len(found["product/2"].Ended), len(found["product/3"].Arrived), len(found["product/3"].Ended))
	}
	equal(t, "outcomes", "2 90 10 18 2\n", counts(now))
	equal(t, "first", 21*time.Millisecond, read(now)["product/2"].Arrived[0])
	if err := db.Sweep(t.Context(), now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows after a sweep", 120, db.count(t, `SELECT COUNT(*) FROM delivery_times`))
	equal(t, "outcomes after a sweep", "2 90 10 18 2\n", counts(now))
	later := now.Add(deliveryTimesAge + 10*time.Second) // ten of the other subject are older than 14 days
	equal(t, "outcomes of 14 days", "2 90 10 9 1\n", counts(later))
	if err := db.Sweep(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows of 14 days", 110, db.count(t, `SELECT COUNT(*) FROM delivery_times`))
}
