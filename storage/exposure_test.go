package storage

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// TestExposureOf: sums what is open with one key, exactly and per currency; not what has
// ended, what belongs to another key, and imported orders without a charge.
func TestExposureOf(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	secret := redact.Secret("key-of-7") // the one that placed gives
	orders := placed(t, db, 7, 101, 102, 103, 104, 105, 106)
	placed(t, db, 8, 201) // of another key
	for i, change := range []string{
		`charge = '0.1'`,
		`charge = '0.2'`,
		`charge = '9', state = 'delivered', closed_at = 1`,
		`charge = '7', state = 'delivered'`, // a number that is watched after its code
		`charge = '5', state = 'partial', closed_at = 1`,
		`charge = NULL`,
	} {
		if _, err := db.writer.ExecContext(ctx, `UPDATE orders SET `+change+` WHERE id = ?`, orders[i].ID); err != nil {
			t.Fatal(err)
		}
	}
	imported := importedOrder(7, 900)
	imported.KeyFingerprint = db.Digest(keyDomain, []byte(secret.Reveal()))
	if _, err := db.ImportOrder(ctx, imported, nil, noMessages); err != nil {
		t.Fatal(err)
	}
	insertUnresolved(t, db, Purchase{UserID: 7, KeyFingerprint: imported.KeyFingerprint, Kind: KindProduct, Quantity: 3, Rate: decimal.RequireFromString("0.00000000001"), Currency: "EUR"}, "")
	got, err := db.ExposureOf(ctx, secret)
	want := Exposure{
		MayCost:     map[string]decimal.Decimal{"USD": decimal.New(125, -2), "EUR": decimal.RequireFromString("0.00000000003")},
		MayGiveBack: map[string]decimal.Decimal{"USD": decimal.New(3, -1)},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if none, err := db.ExposureOf(ctx, "another key"); err != nil || len(none.MayCost)+len(none.MayGiveBack) != 0 {
		t.Errorf("another key: %+v, %v", none, err)
	}
}
