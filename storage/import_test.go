package storage

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hstockbot/internal/redact"
)

// Each person imports an order once, even if several share the key, which does not
// prevent others from adopting it.
func TestImportOrder(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	for user := int64(1); user <= 2; user++ {
		if _, _, err := db.TouchUser(ctx, user, "Somebody", "en", true); err != nil {
			t.Fatal(err)
		}
		o, err := db.ImportOrder(ctx, importedOrder(user, 77), []redact.Secret{"a", "a", "b"}, func(o Order, fresh []redact.Secret) ([]Message, error) {
			return []Message{{UserID: user, OrderID: o.ID, Kind: "goods", Body: fmt.Append(nil, len(fresh)), CreatedAt: time.Now()}}, nil
		})
		if err != nil || o.Delivered != 3 || !o.External {
			t.Fatalf("taken in as %+v, %v", o, err)
		}
		if _, err := db.ImportOrder(ctx, importedOrder(user, 77), nil, noMessages); !errors.Is(err, ErrExternalIDTaken) {
			t.Errorf("twice: %v", err)
		}
		number := importedOrder(user, 77)
		number.Kind = KindSMS // counted apart
		if _, err := db.ImportOrder(ctx, number, nil, noMessages); err != nil {
			t.Errorf("a rented number of that number: %v", err)
		}
	}
	for user, want := range map[int64]bool{1: true, 2: true, 3: false} {
		if taken, err := db.ExternalIDTaken(ctx, user, KindProduct, "77"); err != nil || taken != want {
			t.Errorf("taken for %d: %v, %v", user, taken, err)
		}
	}
	if n := db.count(t, `SELECT COUNT(*) FROM outbox`); n != 2 {
		t.Errorf("%d messages", n)
	}
	// Its purchase can't have changed a balance.
	disturbed, err := db.BalanceMayHaveChanged(ctx, Purchase{UserID: 1, RatePer: 1}, time.Now().Add(-time.Hour))
	if err != nil || disturbed {
		t.Errorf("the key is disturbed: %v, %v", disturbed, err)
	}
}

// TestExternalIDIsText: any text is stored byte for byte, and finds only its own order.
func TestExternalIDIsText(t *testing.T) {
	db := openWithUsers(t, 1)
	stored := map[string]int64{}
	store := func(id string) {
		o := importedOrder(1, 0)
		o.ExternalID = id
		o, err := db.ImportOrder(t.Context(), o, nil, noMessages)
		if err != nil {
			t.Fatalf("%q: %v", id, err)
		}
		stored[id] = o.ID
	}
	for _, id := range []string{"123", "0123", "123.0", "1e3", "1000", "a1", "A1", "é1", "e\u03011", strings.Repeat("9", 128), "'1", "%1", "1_"} {
		store(id)
	}
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.String().Filter(func(s string) bool { return s != "" && !strings.ContainsRune(s, 0) }).Draw(t, "id")
		if _, known := stored[id]; !known {
			store(id)
		}
	})
	for id, want := range stored {
		if o, err := db.OrderByExternalID(t.Context(), 1, id); err != nil || o.ID != want || o.ExternalID != id {
			t.Errorf("%q: %q, %v", id, o.ExternalID, err)
		}
		if found, err := db.AdminOrdersByExternalID(t.Context(), id, 8); err != nil || len(found) != 1 || found[0].ID != want {
			t.Errorf("%q: admins find %+v, %v", id, found, err)
		}
	}
}
