package hstock

import "testing"

// TestPricesCarryTheirCurrency checks that the currency of a balance is known from
// then on, without another call, and that it is the one of the key.
func TestPricesCarryTheirCurrency(t *testing.T) {
	c, m := newTestClient(t, respond(200, `{"balance":"1","currency":"USD","rate":"2","services":[{"service":1,"rate":"2"}]}`))
	inventory, err := c.Inventory(t.Context(), secretKey, 1, "")
	if err != nil || inventory.Currency != "" {
		t.Errorf("currency %q before a balance, %v", inventory.Currency, err)
	}
	for range 2 {
		if currency, err := c.Currency(t.Context(), secretKey); err != nil || currency != "USD" {
			t.Errorf("currency %q, %v", currency, err)
		}
	}
	if calls := len(m.requests()); calls != 2 {
		t.Errorf("%d calls, want 2", calls)
	}
	inventory, err = c.Inventory(t.Context(), secretKey, 1, "")
	if err != nil || inventory.Currency != "USD" {
		t.Errorf("currency %q, %v", inventory.Currency, err)
	}
	page, err := c.Services(t.Context(), secretKey, Filter{})
	if err != nil || page.Items[0].Currency != "USD" {
		t.Errorf("%v, %v", page, err)
	}
	page, err = c.Services(t.Context(), otherKey, Filter{})
	if err != nil || page.Items[0].Currency != "" {
		t.Errorf("another key: %v, %v", page, err)
	}
}

func TestUnknownCurrencyFails(t *testing.T) {
	c, _ := newTestClient(t, respond(200, `{"error":"Invalid API key"}`))
	_, err := c.Currency(t.Context(), secretKey)
	if kind, _ := KindOf(err); kind != InvalidKey {
		t.Errorf("got %v, want an invalid key", err)
	}
}
