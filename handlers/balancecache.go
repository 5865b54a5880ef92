package handlers

import (
	"sync"
	"time"

	"hstockbot/internal/hstock"
)

const (
	// balanceMaxAge is enough to choose a quantity. A confirm card reads the balance
	// again.
	balanceMaxAge = 30 * time.Second
	// maxCachedBalances limits the memory. A balance that is not cached is read again.
	maxCachedBalances = 10_000
	// operatorUserID stands for the operator's account in the cache.
	operatorUserID = 0
)

// balanceCache contains the balance last read for each person. It is safe for
// concurrent use.
type balanceCache struct {
	mu      sync.Mutex
	entries map[int64]balanceEntry
}

type balanceEntry struct {
	balance hstock.Balance
	readAt  time.Time
}

func newBalanceCache() *balanceCache { return &balanceCache{entries: map[int64]balanceEntry{}} }

// get returns a balance that is not older than balanceMaxAge.
func (c *balanceCache) get(userID int64) (hstock.Balance, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[userID]
	return e.balance, ok && time.Since(e.readAt) < balanceMaxAge
}

// last returns the balance last read, however old.
func (c *balanceCache) last(userID int64) (hstock.Balance, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[userID]
	return e.balance, ok
}

func (c *balanceCache) put(userID int64, balance hstock.Balance) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= maxCachedBalances {
		for id, e := range c.entries {
			if time.Since(e.readAt) >= balanceMaxAge {
				delete(c.entries, id)
			}
		}
	}
	if len(c.entries) < maxCachedBalances {
		c.entries[userID] = balanceEntry{balance: balance, readAt: time.Now()}
	}
}

func (c *balanceCache) forget(userID int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, userID)
}
