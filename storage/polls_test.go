package storage

import (
	"slices"
	"testing"
	"time"
)

func dueIDs(t *testing.T, db *DB, owner string, since, now time.Time) []int64 {
	t.Helper()
	due, err := db.DuePolls(t.Context(), owner, since, now, 100)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]int64, 0, len(due))
	for _, d := range due {
		ids = append(ids, d.OrderID)
	}
	slices.Sort(ids)
	return ids
}

// TestTakePollsOnce: of two processes one gets an order; its result is
// stored, and the order is due again at NextAt.
func TestTakePollsOnce(t *testing.T) {
	db := openWithUsers(t, 7)
	key := saveKey(t, db, 7, "first-secret")
	orders := rented(t, db, 7, key, 501, 502)
	now := time.Now().Add(time.Second)
	due, err := db.DuePolls(t.Context(), "one", time.Time{}, now, 100)
	if err != nil || len(due) != 2 {
		t.Fatalf("%d due: %v", len(due), err)
	}
	taken, err := db.TakePolls(t.Context(), nil, due, "one", now, now.Add(time.Minute))
	if err != nil || len(taken) != 2 || taken[0].Key != "first-secret" || !taken[0].OwnKey() || taken[0].Rental.Phone != "+12025550123" {
		t.Fatalf("taken %+v: %v", taken, err)
	}
	if again, err := db.TakePolls(t.Context(), nil, due, "two", now, now.Add(time.Minute)); err != nil || len(again) != 0 {
		t.Errorf("the second process took %d: %v", len(again), err)
	}
	if ids := dueIDs(t, db, "one", time.Time{}, now); len(ids) != 0 {
		t.Errorf("what is in hand is due: %v", ids)
	}
	if ids := dueIDs(t, db, "two", time.Time{}, now); len(ids) != 2 {
		t.Errorf("the leases of others are not returned: %v", ids)
	}

	next := now.Add(10 * time.Second)
	notes := []PollResult{
		{OrderID: orders[0].ID, At: now, Succeeded: true, NextAt: next},
		{OrderID: orders[1].ID, At: now, Failures: 3, NextAt: next},
	}
	if _, err := db.TakePolls(t.Context(), notes, nil, "one", now, now); err != nil {
		t.Fatal(err)
	}
	for i, want := range []Order{{Polls: 1}, {Failures: 3}} {
		got, err := db.Order(t.Context(), 7, orders[i].ID)
		if err != nil || got.Polls != want.Polls || got.Failures != want.Failures || got.NextPollAt.UnixMilli() != next.UnixMilli() {
			t.Errorf("after the note: %+v, %v", got, err)
		}
	}
	if at, err := db.NextPoll(t.Context(), now); err != nil || at.UnixMilli() != next.UnixMilli() {
		t.Errorf("the next is due at %s: %v", at, err)
	}
	// A note of a poll that another one has overtaken changes nothing.
	late := []PollResult{{OrderID: orders[0].ID, At: now, Succeeded: true, NextAt: now.Add(time.Hour)}}
	if _, err := db.TakePolls(t.Context(), late, nil, "one", now, now); err != nil {
		t.Fatal(err)
	}
	if got, _ := db.Order(t.Context(), 7, orders[0].ID); got.Polls != 1 || got.NextPollAt.UnixMilli() != next.UnixMilli() {
		t.Errorf("an overtaken note was written: %+v", got)
	}
}

// TestDuePollsWindow: only orders that became due after since are returned.
func TestDuePollsWindow(t *testing.T) {
	db := openWithUsers(t, 7)
	orders := rented(t, db, 7, saveKey(t, db, 7, "first-secret"), 501)
	at := orders[0].NextPollAt
	for _, test := range []struct {
		since, now time.Time
		want       int
	}{
		{time.Time{}, at.Add(time.Second), 1},
		{at.Add(-time.Second), at.Add(time.Second), 1},
		{at.Add(time.Second), at.Add(time.Minute), 0},
		{time.Time{}, at.Add(-time.Second), 0},
	} {
		if ids := dueIDs(t, db, "one", test.since, test.now); len(ids) != test.want {
			t.Errorf("since %s until %s: %v", test.since, test.now, ids)
		}
	}
}

// TestDuePollsWithoutUsableKey: orders wait for a usable key.
func TestDuePollsWithoutUsableKey(t *testing.T) {
	db := openWithUsers(t, 7)
	key := saveKey(t, db, 7, "first-secret")
	orders := rented(t, db, 7, key, 501)
	if _, err := db.RefuseKey(t.Context(), key.ID, Message{UserID: 7, Kind: "x", CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(time.Minute)
	if ids := dueIDs(t, db, "one", time.Time{}, now); len(ids) != 0 {
		t.Errorf("due with a refused key: %v", ids)
	}
	other := saveKey(t, db, 7, "second-secret")
	due, err := db.DuePolls(t.Context(), "one", time.Time{}, now, 100)
	if err != nil || len(due) != 1 || due[0].KeyID != other.ID || due[0].OrderID != orders[0].ID {
		t.Fatalf("with a new key: %+v, %v", due, err)
	}
	taken, err := db.TakePolls(t.Context(), nil, due, "one", now, now.Add(time.Minute))
	if err != nil || len(taken) != 1 || taken[0].Key != "second-secret" || taken[0].OwnKey() {
		t.Errorf("taken %+v: %v", taken, err)
	}
}

// TestTakePollsAfterLease: another owner may take an order when its lease has expired;
// a result of the former owner is still stored.
func TestTakePollsAfterLease(t *testing.T) {
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

// TestTakePollsSkipsChangedOrders: an order that was polled or closed since it
// was found due.
func TestTakePollsSkipsChangedOrders(t *testing.T) {
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
			storePoll(t, db, o)
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

// TestDuePollsLongestFirst, where there are more than the limit.
func TestDuePollsLongestFirst(t *testing.T) {
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

// TestPollResultsOfOneOrder: of two results of the same poll the answered one is stored.
func TestPollResultsOfOneOrder(t *testing.T) {
	for _, succeeded := range []bool{true, false} {
		db := openWithUsers(t, 7)
		orders := rented(t, db, 7, saveKey(t, db, 7, "first-secret"), 501, 502, 503)
		now := time.Now().Truncate(time.Millisecond)
		var results []PollResult
		for _, order := range orders {
			results = append(results,
				PollResult{OrderID: order.ID, At: now, Succeeded: succeeded, NextAt: now.Add(time.Minute)},
				PollResult{OrderID: order.ID, At: now, Succeeded: !succeeded, NextAt: now.Add(time.Minute)})
		}
		if _, err := db.TakePolls(t.Context(), results, nil, "one", now, now); err != nil {
			t.Fatal(err)
		}
		for _, order := range orders {
			got, err := db.Order(t.Context(), 7, order.ID)
			if err != nil || got.Polls != 1 || !got.UpdatedAt.Equal(now) {
				t.Errorf("stored %+v: %v", got, err)
			}
		}
	}
}
