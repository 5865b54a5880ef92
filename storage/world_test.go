package storage

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

func duePolls(t *testing.T, db *DB, owner string, now time.Time) []DuePoll {
	t.Helper()
	due, err := db.DuePolls(t.Context(), owner, time.Time{}, now, 100)
	if err != nil {
		t.Fatal(err)
	}
	return due
}

// storePoll stores an order as a poll without messages.
func storePoll(t *testing.T, db *DB, o Order) {
	t.Helper()
	_, reported, err := db.UpdateOrder(t.Context(), o, nil, nil, func(Order, []redact.Secret) ([]Message, error) { return nil, nil })
	if err != nil || !reported {
		t.Fatalf("reported %v: %v", reported, err)
	}
}

// markUnknown makes the outcome of a purchase unknown.
func markUnknown(t *testing.T, db *DB, p Purchase) Purchase {
	t.Helper()
	now := time.Now()
	marked, err := db.MarkOutcomeUnknown(t.Context(), p, "", now, Message{UserID: p.UserID, Kind: "unknown", CreatedAt: now})
	if err != nil || !marked {
		t.Fatalf("marked %v: %v", marked, err)
	}
	return p
}

// idOf is the external id of an order that the marketplace numbers.
func idOf(number int64) string { return strconv.FormatInt(number, 10) }

// rented places a purchase of two numbers and returns its orders, due at once.
func rented(t *testing.T, db *DB, user int64, key Key, numbers ...int64) []Order {
	t.Helper()
	now := time.Now()
	p := sending(t, db, user, key, int64(len(numbers)))
	given := make([]Placement, 0, len(numbers))
	for _, n := range numbers {
		given = append(given, Placement{ExternalID: idOf(n), Phone: "+12025550123", RawStatus: "active"})
	}
	orders, placed, err := db.PlacePurchase(t.Context(), p, given, now, now, func(Order) []Message { return nil })
	if err != nil || !placed {
		t.Fatalf("placed %v: %v", placed, err)
	}
	return orders
}

// sending returns a purchase of numbers that is being sent.
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
	p.SentAt = now
	return p
}

func equal(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func selectStrings(t *testing.T, db *DB, query string) (found []string) {
	t.Helper()
	if err := db.reader.SelectContext(t.Context(), &found, query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return found
}

func openWithUsers(t *testing.T, ids ...int64) *DB {
	t.Helper()
	db := openTest(t)
	for _, id := range ids {
		if _, _, err := db.TouchUser(t.Context(), id, "Ann", "en", true); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func saveKey(t *testing.T, db *DB, user int64, secret redact.Secret) Key {
	t.Helper()
	key, err := db.SaveKey(t.Context(), user, secret)
	if err != nil {
		t.Fatal(err)
	}
	got, err := db.ActiveKey(t.Context(), user)
	if diff := cmp.Diff(key, got); err != nil || diff != "" {
		t.Errorf("the active key: %v%s", err, diff)
	}
	if key.Secret != secret || key.UserID != user || key.State != KeyActive || key.Invalid || key.ID == 0 ||
		key.Fingerprint != db.Digest("key", []byte(secret.Reveal())) {
		t.Errorf("saved as %+v", key)
	}
	return key
}

// placed stores orders with these external ids that a person bought together.
func placed(tb testing.TB, db *DB, user int64, numbers ...int64) []Order {
	tb.Helper()
	ctx := tb.Context()
	if _, _, err := db.TouchUser(ctx, user, "Somebody", "en", true); err != nil {
		tb.Fatal(err)
	}
	key, err := db.SaveKey(ctx, user, redact.Secret(fmt.Sprint("key-of-", user)))
	if err != nil {
		tb.Fatal(err)
	}
	now := time.Now()
	p, err := db.InsertDraft(ctx, Purchase{
		UserID: user, KeyID: key.ID, KeyFingerprint: key.Fingerprint, Kind: KindProduct, Service: 2, Name: "Goods", Quantity: 1, Link: "anna@example.com", LinkDigest: "digest", LinkMisfit: "post",
		Rate: decimal.New(125, -2), RatePer: 1, Currency: "USD", Balance: decimal.New(99, 0), CreatedAt: now, ExpiresAt: now.Add(time.Minute),
	}, 0)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := db.ClaimPurchase(ctx, user, p.ID, "test", now, now.Add(time.Minute)); err != nil {
		tb.Fatal(err)
	}
	if _, err := db.StartSending(ctx, p.ID, "test", Terms{Rate: p.Rate, Balance: p.Balance, Currency: "USD"}, now, now.Add(time.Minute)); err != nil {
		tb.Fatal(err)
	}
	p.SentAt = now
	given := make([]Placement, 0, len(numbers))
	for _, number := range numbers {
		given = append(given, Placement{ExternalID: idOf(number)})
	}
	orders, _, err := db.PlacePurchase(ctx, p, given, now, now, func(o Order) []Message {
		return []Message{{UserID: user, PurchaseID: p.ID, OrderID: o.ID, Kind: "x", Body: []byte("goods"), CreatedAt: now}}
	})
	if err != nil {
		tb.Fatal(err)
	}
	return orders
}

func (db *DB) count(tb testing.TB, query string, args ...any) int {
	tb.Helper()
	var n int
	if err := db.reader.GetContext(tb.Context(), &n, query, args...); err != nil {
		tb.Fatal(err)
	}
	return n
}

func importedOrder(user, number int64) Order {
	now := time.Now()
	return Order{UserID: user, Kind: KindProduct, ExternalID: idOf(number), State: OrderOpen, Currency: "USD", CreatedAt: now, UpdatedAt: now, NextPollAt: now}
}

func noMessages(Order, []redact.Secret) ([]Message, error) { return nil, nil }
