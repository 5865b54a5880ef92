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

// rented places a purchase of two numbers and returns its orders, due at once.
func rented(t *testing.T, db *DB, user int64, key Key, numbers ...int64) []Order {
	t.Helper()
	now := time.Now()
	p := sending(t, db, user, key, int64(len(numbers)))
	given := make([]Placement, 0, len(numbers))
	for _, n := range numbers {
		given = append(given, Placement{ExternalID: n, Phone: "+12025550123", RawStatus: "active"})
	}
	orders, placed, err := db.PlacePurchase(t.Context(), p, given, now, now, func(Order) []Message { return nil })
	if err != nil || !placed {
		t.Fatalf("placed %v: %v", placed, err)
	}
	return orders
}

// sending brings a purchase of numbers to the moment before its answer.
func sending(t *testing.T, db *DB, user int64, key Key, quantity int64) Purchase {
	t.Helper()
	now := time.Now()
	p, err := db.InsertDraft(t.Context(), Purchase{
		UserID: user, KeyID: key.ID, KeyFingerprint: key.Fingerprint, Kind: KindSMS, Name: "Telegram", Quantity: quantity,
		Rental: Rental{Project: "tg", Country: "us", CountryName: "United States"},
		Rate:   decimal.New(9, -1), RatePer: 1, Currency: "USD", CreatedAt: now, ExpiresAt: now.Add(time.Minute),
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	claimed, err := db.ClaimPurchase(t.Context(), user, p.ID, "owner", now, now.Add(time.Minute))
	if err != nil || !claimed {
		t.Fatalf("claimed %v: %v", claimed, err)
	}
	sent, err := db.StartSending(t.Context(), p.ID, "owner", Terms{Rate: p.Rate, Currency: "USD"}, now, now.Add(time.Minute))
	if err != nil || !sent {
		t.Fatalf("sending %v: %v", sent, err)
	}
	return p
}

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

// TestPollsAreTakenOnce: of two processes one gets an order; what it noted is
// written, and the order is due again when it says.
func TestPollsAreTakenOnce(t *testing.T) {
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
		t.Errorf("others' leases are not told of: %v", ids)
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

// TestDuePollsByWindow: what became due since the last look, and no more.
func TestDuePollsByWindow(t *testing.T) {
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

// TestOrdersWithoutAUsableKeyWait for one.
func TestOrdersWithoutAUsableKeyWait(t *testing.T) {
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

// TestOneCancelLeaves, and another one only when it is known to have done nothing.
func TestOneCancelLeaves(t *testing.T) {
	db := openWithUsers(t, 7, 8)
	orders := rented(t, db, 7, saveKey(t, db, 7, "first-secret"), 501)
	start := func(user int64) bool {
		t.Helper()
		began, err := db.StartCancels(t.Context(), user, []int64{orders[0].ID}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return len(began) == 1
	}
	if start(8) {
		t.Error("somebody else's order")
	}
	if !start(7) || start(7) {
		t.Error("not exactly one of two")
	}
	if err := db.EndCancels(t.Context(), []int64{orders[0].ID}); err != nil {
		t.Fatal(err)
	}
	if !start(7) {
		t.Error("refused after nothing was done")
	}
}

// TestNumbersAreAdoptedOneByOne until the purchase has as many as it was for.
func TestNumbersAreAdoptedOneByOne(t *testing.T) {
	db := openWithUsers(t, 7)
	p := sending(t, db, 7, saveKey(t, db, 7, "first-secret"), 2)
	nobody := func(Order) []Message { return nil }
	now := time.Now()
	if _, err := db.MarkOutcomeUnknown(t.Context(), p, "", now, Message{UserID: 7, Kind: "x", CreatedAt: now}); err != nil {
		t.Fatal(err)
	}
	for i, test := range []struct {
		number  int64
		adopted bool
		err     error
	}{{501, true, nil}, {501, false, ErrExternalIDTaken}, {502, true, nil}, {503, false, nil}} {
		_, adopted, err := db.AdoptOrder(t.Context(), p, Placement{ExternalID: test.number}, now, now, nobody)
		if adopted != test.adopted || !errors.Is(err, test.err) {
			t.Errorf("step %d: adopted %v, %v", i, adopted, err)
		}
	}
}

func TestSearches(t *testing.T) {
	db := openWithUsers(t, 7, 8)
	id, err := db.AddSearch(t.Context(), 7, "canary words")
	if err != nil {
		t.Fatal(err)
	}
	if query, err := db.Search(t.Context(), 7, id); err != nil || query != "canary words" {
		t.Errorf("got %q, %v", query, err)
	}
	if _, err := db.Search(t.Context(), 8, id); !errors.Is(err, ErrNotFound) {
		t.Errorf("somebody else's: %v", err)
	}
	if err := db.Sweep(t.Context(), time.Now().Add(30*day-time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Search(t.Context(), 7, id); err != nil {
		t.Errorf("swept too early: %v", err)
	}
	if err := db.Sweep(t.Context(), time.Now().Add(30*day+time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Search(t.Context(), 7, id); !errors.Is(err, ErrNotFound) {
		t.Errorf("not swept: %v", err)
	}
}

// TestPhonesAndQueriesAreSealed: neither can be read in the files.
func TestPhonesAndQueriesAreSealed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	db := openAt(t, path, testKeys(t, 1))
	if _, _, err := db.TouchUser(t.Context(), 7, "Ann", "en", true); err != nil {
		t.Fatal(err)
	}
	rented(t, db, 7, saveKey(t, db, 7, "first-secret"), 501)
	if _, err := db.AddSearch(t.Context(), 7, "canary words"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"12025550123", "canary", redact.Secret("first-secret").Reveal()} {
			if strings.Contains(string(content), secret) {
				t.Errorf("%s holds %q", filepath.Base(file), secret)
			}
		}
	}
}

// TestARepeatedAnswerIsNoNews: copies count.
func TestARepeatedAnswerIsNoNews(t *testing.T) {
	db := openWithUsers(t, 7)
	order := rented(t, db, 7, saveKey(t, db, 7, "first-secret"), 501)[0]
	known := func(accounts ...redact.Secret) bool {
		t.Helper()
		all, err := db.Delivered(t.Context(), order.ID, accounts)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	order.Polls++
	if _, _, err := db.UpdateOrder(t.Context(), order, []redact.Secret{"a", "a"}, func(Order, []redact.Secret) ([]Message, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	if !known("a") || !known("a", "a") || known("a", "a", "a") || known("b") {
		t.Error("an answer is taken for another")
	}
}
