package storage

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// TestALeaseThatIsOver: others are told until when an order is leased, and may
// take it then; a note by who had it before still counts.
func TestALeaseThatIsOver(t *testing.T) {
	db := openWithUsers(t, 7)
	order := rented(t, db, 7, saveKey(t, db, 7, "first-secret"), 501)[0]
	now := time.Now().Add(time.Second).Truncate(time.Millisecond)
	ends := now.Add(30 * time.Second)
	due := duePolls(t, db, "one", now)
	if taken, err := db.TakePolls(t.Context(), nil, due, "one", now, ends); err != nil || len(taken) != 1 {
		t.Fatalf("%d taken: %v", len(taken), err)
	}
	due = duePolls(t, db, "two", now)
	if len(due) != 1 || !due[0].LeasedUntil.Equal(ends) {
		t.Fatalf("the other process sees %+v, want a lease until %s", due, ends)
	}
	for _, test := range []struct {
		after time.Duration
		taken int
	}{{29 * time.Second, 0}, {30 * time.Second, 1}} {
		at := now.Add(test.after)
		taken, err := db.TakePolls(t.Context(), nil, due, "two", at, at.Add(time.Minute))
		if err != nil || len(taken) != test.taken {
			t.Errorf("%d taken after %s, want %d: %v", len(taken), test.after, test.taken, err)
		}
	}
	if own := duePolls(t, db, "one", ends); len(own) != 1 {
		t.Errorf("who had it before sees %d due, want the other's lease", len(own))
	}
	note := PollResult{OrderID: order.ID, At: now, Succeeded: true, NextAt: ends.Add(time.Hour)}
	if _, err := db.TakePolls(t.Context(), []PollResult{note}, nil, "one", now, now); err != nil {
		t.Fatal(err)
	}
	// The other one fails after that: the answer stands.
	failed := PollResult{OrderID: order.ID, At: ends, Failures: 1, NextAt: ends.Add(time.Second)}
	if _, err := db.TakePolls(t.Context(), []PollResult{failed}, nil, "two", now, now); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Order(t.Context(), 7, order.ID); err != nil || got.Polls != 1 || got.Failures != 0 || !got.NextPollAt.Equal(note.NextAt) {
		t.Errorf("after a late note: %+v, %v", got, err)
	}
}

// TestWhatHasChangedIsNotTaken: an order that was asked for, or closed, since it
// was found due.
func TestWhatHasChangedIsNotTaken(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, db *DB, o Order){
		"noted": func(t *testing.T, db *DB, o Order) {
			note := PollResult{OrderID: o.ID, At: o.CreatedAt, Succeeded: true, NextAt: o.NextPollAt.Add(time.Millisecond)}
			if _, err := db.TakePolls(t.Context(), []PollResult{note}, nil, "two", o.CreatedAt, o.CreatedAt); err != nil {
				t.Fatal(err)
			}
		},
		"closed": func(t *testing.T, db *DB, o Order) {
			o.Polls++
			o.State, o.ClosedAt = OrderCancelled, o.CreatedAt
			report(t, db, o)
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := openWithUsers(t, 7)
			order := rented(t, db, 7, saveKey(t, db, 7, "first-secret"), 501)[0]
			now := time.Now().Add(time.Second)
			due := duePolls(t, db, "one", now)
			change(t, db, order)
			taken, err := db.TakePolls(t.Context(), nil, due, "one", now, now.Add(time.Minute))
			if err != nil || len(due) != 1 || len(taken) != 0 {
				t.Errorf("%d due, %d taken: %v", len(due), len(taken), err)
			}
		})
	}
}

// TestTheLongestDueComeFirst, where there are more than are asked for.
func TestTheLongestDueComeFirst(t *testing.T) {
	db := openWithUsers(t, 7)
	orders := rented(t, db, 7, saveKey(t, db, 7, "first-secret"), 501, 502, 503)
	now := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	var notes []PollResult
	for i, overdue := range []time.Duration{time.Second, 3 * time.Second, 2 * time.Second} {
		notes = append(notes, PollResult{OrderID: orders[i].ID, At: now, Succeeded: true, NextAt: now.Add(-overdue)})
	}
	if _, err := db.TakePolls(t.Context(), notes, nil, "one", now, now); err != nil {
		t.Fatal(err)
	}
	due, err := db.DuePolls(t.Context(), "one", time.Time{}, now, 2)
	if err != nil || len(due) != 2 || due[0].OrderID != orders[1].ID || due[1].OrderID != orders[2].ID {
		t.Errorf("due %+v: %v", due, err)
	}
}

// TestTakePollsIncludesDamagedOrder: the goods of an order arrive even if its phone
// number can't be read.
func TestTakePollsIncludesDamagedOrder(t *testing.T) {
	db := openWithUsers(t, 7)
	orders := rented(t, db, 7, saveKey(t, db, 7, "first-secret"), 501, 502)
	if _, err := db.transition(t.Context(), "damage", `UPDATE orders SET phone_sealed = 'v1.00000000.AAAA' WHERE id = ?`, orders[0].ID); err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(time.Second)
	taken, err := db.TakePolls(t.Context(), nil, duePolls(t, db, "one", now), "one", now, now.Add(time.Minute))
	if err == nil || len(taken) != 2 {
		t.Errorf("taken %+v: %v", taken, err)
	}
	for _, order := range taken {
		if damaged := order.ID == orders[0].ID; damaged != (order.Damaged != nil) || damaged != (order.Rental.Phone == "") {
			t.Errorf("taken %+v", order)
		}
	}
}

// TestOnlyNumbersAreAdoptedInTurn: goods have one order, numbers that the
// marketplace gave itself are all there are, and what is told goes with the order.
func TestOnlyNumbersAreAdoptedInTurn(t *testing.T) {
	now := time.Now()
	tell := func(o Order) []Message {
		return []Message{{UserID: o.UserID, OrderID: o.ID, Kind: "number", CreatedAt: now}}
	}
	t.Run("told of each", func(t *testing.T) {
		db := openWithUsers(t, 7)
		p := doubted(t, db, sending(t, db, 7, saveKey(t, db, 7, "first-secret"), 2))
		for i, number := range []int64{501, 501, 502, 503} {
			_, _, err := db.AdoptOrder(t.Context(), p, Placement{ExternalID: number, Phone: "+12025550123"}, now, now, tell)
			if err != nil && !errors.Is(err, ErrExternalIDTaken) {
				t.Errorf("step %d: %v", i, err)
			}
		}
		orders, err := db.OrdersOfPurchase(t.Context(), 7, p.ID)
		if err != nil || len(orders) != 2 {
			t.Fatalf("%d orders: %v", len(orders), err)
		}
		for _, o := range orders {
			if !o.Adopted || o.Quantity != 1 || o.Rental.Phone != "+12025550123" || o.Rental.Project != "tg" {
				t.Errorf("adopted as %+v", o)
			}
		}
		if n, err := db.CountPendingMessages(t.Context()); err != nil || n != 3 { // and that of the doubt
			t.Errorf("%d messages wait, want 3: %v", n, err)
		}
	})
	t.Run("goods", func(t *testing.T) {
		db := openWithUsers(t, 7)
		p := sending(t, db, 7, saveKey(t, db, 7, "first-secret"), 2)
		p.Kind = KindProduct
		if _, err := db.transition(t.Context(), "make goods", `UPDATE purchases SET kind = 'product' WHERE id = ?`, p.ID); err != nil {
			t.Fatal(err)
		}
		p = doubted(t, db, p)
		for _, test := range []struct {
			number  int64
			adopted bool
		}{{501, true}, {502, false}} {
			_, adopted, err := db.AdoptOrder(t.Context(), p, Placement{ExternalID: test.number}, now, now, tell)
			if adopted != test.adopted || err != nil {
				t.Errorf("order %d: adopted %v, %v", test.number, adopted, err)
			}
		}
	})
	t.Run("fewer were given", func(t *testing.T) {
		db := openWithUsers(t, 7)
		p := sending(t, db, 7, saveKey(t, db, 7, "first-secret"), 2)
		if _, placed, err := db.PlacePurchase(t.Context(), p, []Placement{{ExternalID: 501}}, now, now, tell); !placed || err != nil {
			t.Fatalf("placed %v: %v", placed, err)
		}
		if _, adopted, err := db.AdoptOrder(t.Context(), p, Placement{ExternalID: 502}, now, now, tell); adopted || err != nil {
			t.Errorf("adopted %v, %v: the marketplace has said how many there are", adopted, err)
		}
	})
	t.Run("the number of goods", func(t *testing.T) {
		db := openWithUsers(t, 7)
		key := saveKey(t, db, 7, "first-secret")
		order := rented(t, db, 7, key, 501)[0]
		if _, err := db.transition(t.Context(), "make goods", `UPDATE orders SET kind = 'product' WHERE id = ?`, order.ID); err != nil {
			t.Fatal(err)
		}
		p := doubted(t, db, sending(t, db, 7, key, 1))
		if _, adopted, err := db.AdoptOrder(t.Context(), p, Placement{ExternalID: 501}, now, now, tell); !adopted || err != nil {
			t.Errorf("adopted %v, %v: they are counted apart", adopted, err)
		}
	})
}

// TestANumberMovesTheBalanceWhenItsTimeIsOver: its price comes back, whether that
// has been heard of or not.
func TestANumberMovesTheBalanceWhenItsTimeIsOver(t *testing.T) {
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
			report(t, db, o)
			for p, want := range map[*Purchase]bool{
				{ID: 1, KeyFingerprint: key.Fingerprint}:                          test.want,
				{ID: 1, KeyFingerprint: saveKey(t, db, 8, "another").Fingerprint}: false,
			} {
				if got, err := db.KeyDisturbed(t.Context(), *p, sent); err != nil || got != want {
					t.Errorf("disturbed is %v, want %v: %v", got, want, err)
				}
			}
		})
	}
}

// TestACancelOnItsWayMovesTheBalance, until it is known to have done nothing.
func TestACancelOnItsWayMovesTheBalance(t *testing.T) {
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
		if got, err := db.KeyDisturbed(t.Context(), Purchase{ID: 1, KeyFingerprint: key.Fingerprint}, sent); err != nil || got != step.want {
			t.Errorf("step %d: disturbed is %v, want %v: %v", i, got, step.want, err)
		}
	}
}

// TestThePhoneOfAPurchaseIsSealed, and opens again.
func TestThePhoneOfAPurchaseIsSealed(t *testing.T) {
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

// TestEverybodysSearchesAreTheirOwn, also of the same words.
func TestEverybodysSearchesAreTheirOwn(t *testing.T) {
	db := openWithUsers(t, 7, 8)
	ids := map[int64]int64{}
	for _, user := range []int64{7, 8} {
		id, err := db.AddSearch(t.Context(), user, "telegram")
		if err != nil {
			t.Fatal(err)
		}
		ids[user] = id
	}
	for user, other := range map[int64]int64{7: 8, 8: 7} {
		if query, err := db.Search(t.Context(), user, ids[user]); err != nil || query != "telegram" {
			t.Errorf("own: %q, %v", query, err)
		}
		if query, err := db.Search(t.Context(), user, ids[other]); !errors.Is(err, ErrNotFound) || query != "" {
			t.Errorf("somebody else's: %q, %v", query, err)
		}
	}
	var sealed []string
	if err := db.reader.SelectContext(t.Context(), &sealed, `SELECT query_sealed FROM searches`); err != nil {
		t.Fatal(err)
	}
	if len(sealed) != 2 || slices.ContainsFunc(sealed, func(s string) bool { return !strings.HasPrefix(s, "v1.") }) || sealed[0] == sealed[1] {
		t.Errorf("kept as %q", sealed)
	}
}

func duePolls(t *testing.T, db *DB, owner string, now time.Time) []DuePoll {
	t.Helper()
	due, err := db.DuePolls(t.Context(), owner, time.Time{}, now, 100)
	if err != nil {
		t.Fatal(err)
	}
	return due
}

// report stores an order as a poll that says nothing has found it.
func report(t *testing.T, db *DB, o Order) {
	t.Helper()
	_, reported, err := db.UpdateOrder(t.Context(), o, nil, func(Order, []redact.Secret) ([]Message, error) { return nil, nil })
	if err != nil || !reported {
		t.Fatalf("reported %v: %v", reported, err)
	}
}

// doubted loses the answer of a purchase.
func doubted(t *testing.T, db *DB, p Purchase) Purchase {
	t.Helper()
	now := time.Now()
	moved, err := db.MarkOutcomeUnknown(t.Context(), p, "", now, Message{UserID: p.UserID, Kind: "unknown", CreatedAt: now})
	if err != nil || !moved {
		t.Fatalf("doubted %v: %v", moved, err)
	}
	return p
}
