package storage

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"hstockbot/internal/sandbox/pgtest"
)

// ended is a rental that has ended: who rented it, after how many seconds, and whether
// with a code.
type ended struct {
	user    int64
	seconds int
	code    bool
	change  func(o *Order) // nil: none
}

// insertEnded stores rentals of a project in a country.
func insertEnded(t *testing.T, db *DB, project, country string, at time.Time, rentals ...ended) {
	t.Helper()
	err := db.write(t.Context(), func(tx *sqlx.Tx) error {
		for _, r := range rentals {
			o := Order{
				ID: newID(), UserID: r.user, PurchaseID: placedFor(t, db, tx, r.user), Kind: KindSMS, Name: "Telegram", Quantity: 1, State: OrderExpired, Rental: Rental{Project: project, Country: country},
				CreatedAt: at, UpdatedAt: at.Add(time.Duration(r.seconds) * time.Second), ClosedAt: at.Add(time.Hour),
			}
			if r.code {
				o.State, o.Delivered = OrderDelivered, 1
			}
			outcome := DeliveryTime{Took: time.Duration(r.seconds) * time.Second, Arrived: r.code}
			if r.change != nil {
				r.change(&o)
			}
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

// placedFor returns the id of a purchase of a person.
func placedFor(t *testing.T, db *DB, tx *sqlx.Tx, user int64) int64 {
	t.Helper()
	p := Purchase{ID: newID(), UserID: user, Kind: KindSMS, RatePer: 1, State: PurchasePlaced}
	if err := db.insertPurchase(t.Context(), tx, p); err != nil {
		t.Fatal(err)
	}
	return p.ID
}

func TestRentalFigures(t *testing.T) {
	db := openWithUsers(t, 1, 2)
	now := time.Now()
	code := func(user int64, seconds int) ended { return ended{user: user, seconds: seconds, code: true} }
	none := func(user int64, change func(*Order)) ended { return ended{user: user, seconds: 1200, change: change} }
	cancelled := func(after time.Duration) func(o *Order) {
		return func(o *Order) { o.State, o.CancelSentAt = OrderCancelled, o.CreatedAt.Add(after) }
	}
	insertEnded(t, db, "tg", "us", now, code(1, 30), code(1, 10), code(1, 20), code(2, 40), none(2, nil), none(1, nil))
	insertEnded(t, db, "tg", "gb", now, code(1, 30), code(1, 10), code(1, 20), code(1, 40), code(1, 40)) // one person
	insertEnded(t, db, "tg", "fr", now, code(1, 30), code(1, 10), code(2, 20), code(2, 40))              // four
	insertEnded(t, db, "tg", "de", now, none(1, nil), none(1, nil), none(1, nil), none(2, nil), none(2, nil))
	insertEnded(t, db, "tg", "es", now, code(1, 9), code(1, 9), code(1, 9), code(2, 9),
		none(1, cancelled(59*time.Second)), none(1, cancelled(time.Minute)),
		none(2, func(o *Order) { o.Delivered = 1 })) // late: at a time that is not known
	insertEnded(t, db, "tg", "it", now.Add(-deliveryTimesAge-time.Hour), code(1, 1), code(1, 1), code(2, 1), code(2, 1), code(2, 1)) // old
	insertEnded(t, db, "wa", "us", now, code(1, 1), code(1, 1), code(2, 1), code(2, 1), code(2, 1))                                  // not asked for
	figures := func() map[string]RentalFigures {
		t.Helper()
		var subjects []string
		for _, country := range []string{"us", "gb", "fr", "de", "es", "it", "nowhere"} {
			subjects = append(subjects, Rental{Project: "tg", Country: country}.Subject())
		}
		found, err := db.RentalFigures(t.Context(), now, subjects)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	equal(t, "figures", map[string]RentalFigures{
		"sms/us/tg": {Rentals: 6, Codes: 4, Median: 30 * time.Second},
		"sms/de/tg": {Rentals: 5},
		"sms/es/tg": {Rentals: 6, Codes: 5, Median: 9 * time.Second},
	}, figures())
	insertEnded(t, db, "tg", "us", now, code(2, 1))
	equal(t, "after another code", RentalFigures{Rentals: 7, Codes: 5, Median: 20 * time.Second}, figures()["sms/us/tg"])
	if found, err := db.RentalFigures(t.Context(), now, nil); err != nil || len(found) != 0 {
		t.Errorf("of nothing: %v, %v", found, err)
	}
	if err := db.Forget(t.Context(), 2, now); err != nil {
		t.Fatal(err)
	}
	equal(t, "after one of two people was forgotten", map[string]RentalFigures{}, figures())
}

// TestRentalFiguresAreOfTheLastHundred: rentals that a sweep has not yet deleted do not
// count.
func TestRentalFiguresAreOfTheLastHundred(t *testing.T) {
	db := openWithUsers(t, 1, 2)
	now := time.Now()
	var rentals []ended
	for i := range 120 {
		rentals = append(rentals, ended{user: int64(1 + i%2), seconds: i, code: i >= 50})
	}
	insertEnded(t, db, "tg", "us", now, rentals...)
	found, err := db.RentalFigures(t.Context(), now, []string{"sms/us/tg"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "figures", RentalFigures{Rentals: 100, Codes: 70, Median: 85 * time.Second}, found["sms/us/tg"])
}

func TestRentedProjects(t *testing.T) {
	db := openWithUsers(t, 1, 2)
	now := time.Now()
	code := func(user int64) ended { return ended{user: user, code: true} }
	insertEnded(t, db, "old", "us", now.Add(-deliveryTimesAge-time.Hour), code(1), code(2), code(2), code(1))
	insertEnded(t, db, "wa", "us", now.Add(-2*time.Hour), code(1), code(2))
	insertEnded(t, db, "tg", "us", now.Add(-3*time.Hour), code(1), code(2), code(2))
	insertEnded(t, db, "one", "us", now.Add(-time.Hour), code(2), code(2), code(2), code(2), code(2)) // person
	ids := func(want string, got []string, err error) {
		t.Helper()
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	most, err := db.MostRentedProjects(t.Context(), now, 9)
	ids("tg wa", most, err)
	own, err := db.RentedProjects(t.Context(), 2, 3)
	ids("one wa tg", own, err)
	if err := db.Forget(t.Context(), 1, now); err != nil {
		t.Fatal(err)
	}
	most, err = db.MostRentedProjects(t.Context(), now, 9)
	ids("", most, err)
}

// TestRentalFiguresScanNoOrders: the queries read indexes, and of the orders the rows
// that these name.
func TestRentalFiguresScanNoOrders(t *testing.T) {
	pgtest.SQLiteOnly(t)
	db := openTest(t)
	for query, want := range map[string][]string{
		rentalFigures:      {"SEARCH d USING INDEX delivery_times_subject (subject=? AND at>?)", "SEARCH o USING INDEX sqlite_autoindex_orders_1 (id=?)"},
		mostRentedProjects: {"SCAN orders USING INDEX orders_sms"},
	} {
		args := make([]any, strings.Count(query, "?"))
		var plan []struct {
			ID, Parent, Notused int
			Detail              string
		}
		if err := db.reader.SelectContext(t.Context(), &plan, "EXPLAIN QUERY PLAN "+query, args...); err != nil {
			t.Fatal(err)
		}
		details := fmt.Sprint(plan)
		for _, want := range want {
			if !strings.Contains(details, want) {
				t.Errorf("%s\nthe plan lacks %q:\n%s", query, want, details)
			}
		}
		if query == rentalFigures && strings.Contains(details, "SCAN o ") {
			t.Errorf("all orders are read: %s", details)
		}
	}
}

// BenchmarkRentalFigures measures what a tap reads with a million orders: the figures of
// a project in 200 countries, and the projects that are rented most.
func BenchmarkRentalFigures(b *testing.B) {
	db := openTest(b)
	manyOrders(b, db, 1_000_000)
	ctx := b.Context()
	for _, query := range []string{ // a hundred rentals of each pair
		`UPDATE orders SET project = 'p' || (id / 8 % 6), country = 'c' || (id / 48 % 200) WHERE kind = 'sms'`,
		`INSERT INTO delivery_times (order_id, subject, millis, arrived, at) SELECT id, 'sms/' || country || '/' || project, id % 90000, id / 48 % 3 > 0, ` +
			strconv.FormatInt(toMillis(firstDay.Add(179*day)), 10) + ` FROM orders WHERE kind = 'sms'`,
		`ANALYZE`,
	} {
		if _, err := db.writer.ExecContext(ctx, query); err != nil {
			b.Fatal(err)
		}
	}
	now := firstDay.Add(180 * day)
	var subjects []string
	for i := range 200 {
		subjects = append(subjects, Rental{Project: "p3", Country: fmt.Sprint("c", i)}.Subject())
	}
	b.Run("figures", func(b *testing.B) {
		for b.Loop() {
			if found, err := db.RentalFigures(ctx, now, subjects); err != nil || len(found) != 200 {
				b.Fatal(len(found), err)
			}
		}
	})
	b.Run("most rented", func(b *testing.B) {
		for b.Loop() {
			if found, err := db.MostRentedProjects(ctx, now, 20); err != nil || len(found) == 0 {
				b.Fatal(len(found), err)
			}
		}
	})
}
