package handlers

import (
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/hstock"
)

// TestCachedBalanceExpires: nothing is left in memory, even if nobody asks again.
func TestCachedBalanceExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newBalanceCache()
		count := func() int {
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.entries)
		}
		for id := range int64(maxCachedBalances + 1) {
			c.put(id, hstock.Balance{Currency: "USD"})
		}
		if _, ok := c.get(maxCachedBalances); ok || count() != maxCachedBalances {
			t.Errorf("%d entries, with the one too many: %v", count(), ok)
		}
		time.Sleep(balanceMaxAge / 2)
		c.put(0, hstock.Balance{Currency: "EUR"}) // known ones are replaced
		c.forget(1)
		time.Sleep(balanceMaxAge / 2)
		synctest.Wait()
		if balance, ok := c.get(0); count() != 1 || !ok || balance.Currency != "EUR" {
			t.Errorf("%d entries, with %+v", count(), balance)
		}
		time.Sleep(balanceMaxAge / 2)
		synctest.Wait()
		if count() != 0 {
			t.Errorf("%d entries are left", count())
		}
	})
}
