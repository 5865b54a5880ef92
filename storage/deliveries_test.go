package storage

import (
	"testing"

	"hstockbot/internal/redact"
)

// TestDeliveredCountsCopies: an account delivered twice is two.
func TestDeliveredCountsCopies(t *testing.T) {
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
	if _, _, err := db.UpdateOrder(t.Context(), order, nil, []redact.Secret{"a", "a"}, func(Order, []redact.Secret) ([]Message, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	if !known("a") || !known("a", "a") || known("a", "a", "a") || known("b") {
		t.Error("an answer is taken for another")
	}
}
