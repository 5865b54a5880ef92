package storage

import (
	"errors"
	"fmt"
	"testing"
	"time"

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
		if taken, err := db.ExternalIDTaken(ctx, user, KindProduct, 77); err != nil || taken != want {
			t.Errorf("taken for %d: %v, %v", user, taken, err)
		}
	}
	if n := db.count(t, `SELECT COUNT(*) FROM outbox`); n != 2 {
		t.Errorf("%d messages", n)
	}
	// Its purchase can't have changed a balance.
	disturbed, err := db.BalanceMayHaveChanged(ctx, Purchase{KeyFingerprint: ""}, time.Now().Add(-time.Hour))
	if err != nil || disturbed {
		t.Errorf("the key is disturbed: %v, %v", disturbed, err)
	}
}
