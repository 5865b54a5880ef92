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
)

// balanceCache contains the balance last read for each person, until it is older than
// balanceMaxAge: another process may have forgotten the person. It is safe for concurrent
// use.
type balanceCache struct {
	mu      sync.Mutex
	entries map[int64]*balanceEntry
}

type balanceEntry struct {
	balance hstock.Balance
	readAt  time.Time
}

func newBalanceCache() *balanceCache { return &balanceCache{entries: map[int64]*balanceEntry{}} }

// get returns a balance that is not older than balanceMaxAge.
func (c *balanceCache) get(userID int64) (hstock.Balance, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[userID]
	if e == nil || time.Since(e.readAt) >= balanceMaxAge {
		return hstock.Balance{}, false
	}
	return e.balance, true
}

func (c *balanceCache) put(userID int64, balance hstock.Balance) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[userID] == nil && len(c.entries) >= maxCachedBalances {
		return
	}
	e := &balanceEntry{balance: balance, readAt: time.Now()}
	c.entries[userID] = e
	time.AfterFunc(balanceMaxAge, func() { c.expire(userID, e) })
}

// expire deletes an entry that was not replaced.
func (c *balanceCache) expire(userID int64, e *balanceEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[userID] == e {
		delete(c.entries, userID)
	}
}

func (c *balanceCache) forget(userID int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, userID)
}
