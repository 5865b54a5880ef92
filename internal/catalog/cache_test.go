package catalog

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
)

// TestCachedAnswersNeedNoCall checks that a cached answer is returned for every key
// until its TTL has passed.
func TestCachedAnswersNeedNoCall(t *testing.T) {
	for _, method := range methods {
		t.Run(method.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
				first, freshness, err := method.call(t.Context(), c, Access{Key: key})
				if err != nil || freshness.Stale || !freshness.At.Equal(time.Now()) {
					t.Fatalf("got %v, %v", freshness, err)
				}
				cold := m.takeCalls()
				if len(cold) == 0 {
					t.Fatal("an empty cache answered")
				}

				time.Sleep(inventoryTTL - time.Second) // the shortest TTL
				for _, caller := range []redact.Secret{key, otherKey, badKey} {
					again, _, err := method.call(t.Context(), c, Access{Key: caller})
					if diff := cmp.Diff(first, again); err != nil || diff != "" {
						t.Errorf("%v, (-first +again):\n%s", err, diff)
					}
				}
				wantCalls(t, m)

				time.Sleep(ttl)
				if _, freshness, err := method.call(t.Context(), c, Access{Key: key}); err != nil || freshness.Stale || !freshness.At.Equal(time.Now()) {
					t.Errorf("after the TTL: %v, %v", freshness, err)
				}
				if diff := cmp.Diff(len(cold) > 0, len(m.takeCalls()) > 0); diff != "" {
					t.Error("cached for longer than the TTL")
				}
			})
		})
	}
}

// TestStaleDuringOutage covers an outage from start to end.
func TestStaleDuringOutage(t *testing.T) {
	for _, outage := range []error{down, unreadable} {
		for _, method := range methods {
			if method.name == "Counts" { // returns no Freshness
				continue
			}
			t.Run(outage.Error()+"/"+method.name, func(t *testing.T) {
				inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
					first, _, err := method.call(t.Context(), c, Access{Key: key})
					if err != nil {
						t.Fatal(err)
					}
					answeredAt := time.Now()
					m.takeCalls()
					m.set(outage, 0)
					time.Sleep(ttl + time.Second)

					checkStale := func() {
						t.Helper()
						value, freshness, err := method.call(t.Context(), c, Access{Key: key})
						if diff := cmp.Diff(first, value); err != nil || diff != "" {
							t.Errorf("%v, (-first +stale):\n%s", err, diff)
						}
						if !freshness.Stale || !freshness.At.Equal(answeredAt) {
							t.Errorf("freshness %v, want stale of %v", freshness, answeredAt)
						}
					}
					checkStale()
					attempts := len(m.takeCalls())
					if attempts == 0 {
						t.Error("the marketplace was not called")
					}
					for range 14 {
						time.Sleep(time.Second)
						checkStale()
					}
					wantCalls(t, m)
					time.Sleep(2 * time.Second)
					checkStale()
					if len(m.takeCalls()) == 0 {
						t.Error("the marketplace was not called again after staleTTL")
					}

					// A rejected key is not an outage.
					time.Sleep(staleTTL + time.Second)
					_, _, err = method.call(t.Context(), c, Access{Key: badKey})
					wantError(t, err, hstock.ErrInvalidKey)

					m.set(nil, 0)
					if _, freshness, err := method.call(t.Context(), c, Access{Key: key}); err != nil || freshness.Stale || !freshness.At.Equal(time.Now()) {
						t.Errorf("after the outage: %v, %v", freshness, err)
					}
				})
			})
		}
	}
}

// TestStaleAnswersExpire checks that answers older than maxStaleAge are not returned.
func TestStaleAnswersExpire(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		for _, method := range methods {
			if _, _, err := method.call(t.Context(), c, Access{Key: key}); err != nil {
				t.Fatal(err)
			}
		}
		m.set(down, 0)
		time.Sleep(maxStaleAge)
		for _, method := range methods {
			if _, _, err := method.call(t.Context(), c, Access{Key: key}); !isOutage(err) {
				t.Errorf("%s: %v, want an outage", method.name, err)
			}
		}
	})
}

// TestSlowRefreshServesStale checks that a slow refresh returns the stale answer and
// still replaces it.
func TestSlowRefreshServesStale(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.set(nil, 20*time.Second)
		shelf := func() (time.Duration, Freshness, error) {
			began := time.Now()
			_, freshness, err := c.Shelf(t.Context(), Access{Key: key}, "", "Instagram", "")
			return time.Since(began), freshness, err
		}
		if took, freshness, err := shelf(); took != 20*time.Second || freshness.Stale || err != nil {
			t.Errorf("empty cache: %s, %v, %v", took, freshness, err)
		}
		time.Sleep(ttl)
		if took, freshness, err := shelf(); took != refreshTimeout || !freshness.Stale || err != nil {
			t.Errorf("expired: %s, %v, %v", took, freshness, err)
		}
		time.Sleep(20 * time.Second)
		if took, freshness, err := shelf(); took != 0 || freshness.Stale || err != nil {
			t.Errorf("refreshed: %s, %v, %v", took, freshness, err)
		}
		wantCalls(t, m, "services  Instagram/ 5000 ", "services  Instagram/ 5000 ")
	})
}

func TestConcurrentCallersShareOneCall(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.set(nil, time.Second)
		var callers sync.WaitGroup
		for range 50 {
			callers.Go(func() {
				items, _, err := c.Shelf(t.Context(), Access{Key: key}, "zh", "Email Accounts", "")
				if err != nil || len(items) != 2 {
					t.Errorf("%d items, %v", len(items), err)
				}
			})
		}
		callers.Wait()
		wantCalls(t, m, "services zh Email Accounts/ 5000 ")
	})
}

// TestFirstCallerCancels checks that a second caller gets the answer of a load whose
// first caller has left.
func TestFirstCallerCancels(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.set(nil, 2*time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			_, _, err := c.Shelf(ctx, Access{Key: key}, "", "Instagram", "")
			wantError(t, err, context.Canceled)
		})
		synctest.Wait()
		callers.Go(func() {
			items, _, err := c.Shelf(t.Context(), Access{Key: otherKey}, "", "Instagram", "")
			if err != nil || len(items) != 1 {
				t.Errorf("%d items, %v", len(items), err)
			}
		})
		synctest.Wait()
		began := time.Now()
		cancel()
		callers.Wait()
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("took %s, want 2s", took)
		}
		wantCalls(t, m, "services  Instagram/ 5000 ")
	})
}

// TestFirstCallerHasInvalidKey checks that callers who joined its load fetch with
// their own keys.
func TestFirstCallerHasInvalidKey(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.set(nil, time.Second)
		var callers sync.WaitGroup
		callers.Go(func() {
			_, _, err := c.Shelf(t.Context(), Access{Key: badKey}, "", "Instagram", "")
			wantError(t, err, hstock.ErrInvalidKey)
		})
		synctest.Wait()
		for range 5 {
			callers.Go(func() {
				if items, _, err := c.Shelf(t.Context(), Access{Key: key}, "", "Instagram", ""); err != nil || len(items) != 1 {
					t.Errorf("%d items, %v", len(items), err)
				}
			})
		}
		callers.Wait()
		wantCalls(t, m, "services  Instagram/ 5000 ", "services  Instagram/ 5000 ")
	})
}

// TestOutageWithEmptyCache checks that the marketplace's error is returned and not
// cached.
func TestOutageWithEmptyCache(t *testing.T) {
	for _, method := range methods {
		t.Run(method.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
				m.set(down, 0)
				_, _, err := method.call(t.Context(), c, Access{Key: key})
				wantError(t, err, down)
				synctest.Wait() // the parallel calls have failed too
				m.set(nil, 0)
				if _, _, err := method.call(t.Context(), c, Access{Key: key}); err != nil {
					t.Errorf("an outage was cached: %v", err)
				}
			})
		})
	}
}

// TestRefusalIsNotAnOutage checks that a refusal does not return the last good answer.
func TestRefusalIsNotAnOutage(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		refused := &hstock.Error{Action: "services", Kind: hstock.RefusedOther, Refusal: "No such category"}
		if _, _, err := c.Shelf(t.Context(), Access{Key: key}, "", "Instagram", ""); err != nil {
			t.Fatal(err)
		}
		m.set(refused, 0)
		time.Sleep(ttl)
		_, _, err := c.Shelf(t.Context(), Access{Key: key}, "", "Instagram", "")
		wantError(t, err, refused)
	})
}

func TestCloseDuringLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &fakeMarket{delay: time.Hour}
		c := New(m, Options{TTL: ttl})
		ctx, cancel := context.WithCancel(t.Context())
		var caller sync.WaitGroup
		caller.Go(func() {
			_, _, err := c.Shelf(ctx, Access{Key: key}, "", "Instagram", "")
			wantError(t, err, context.Canceled)
		})
		synctest.Wait()
		cancel()
		caller.Wait()
		began := time.Now()
		c.Close() // the bubble fails if the load outlives it
		if took := time.Since(began); took != 0 {
			t.Errorf("Close took %s", took)
		}
	})
}

// panickingMarket has a bug in some of its methods.
type panickingMarket struct{ fakeMarket }

func (*panickingMarket) Services(context.Context, redact.Secret, hstock.Filter) (hstock.Page, error) {
	panic("bug")
}

func (*panickingMarket) Categories(context.Context, redact.Secret, string) ([]hstock.Category, error) {
	panic("bug")
}

func (*panickingMarket) SMSCountries(context.Context, redact.Secret, string) ([]hstock.SMSCountry, error) {
	panic("bug")
}

// TestPanicReachesCaller checks that a panic is raised in the caller's goroutine,
// where the bot recovers it, and does not end the program.
func TestPanicReachesCaller(t *testing.T) {
	for name, ask := range map[string]func(ctx context.Context, c *Catalog) error{
		"shelf": func(ctx context.Context, c *Catalog) error {
			_, _, err := c.Shelf(ctx, Access{Key: key}, "", "Instagram", "")
			return err
		},
		"search": func(ctx context.Context, c *Catalog) error {
			_, _, err := c.Search(ctx, Access{Key: key}, "zh", "gmail")
			return err
		},
		"counts": func(ctx context.Context, c *Catalog) error {
			_, err := c.Counts(ctx, Access{Key: key}, CategoryPath{Category: "Instagram"}, CategoryPath{Category: "Gmail"})
			return err
		},
		"categories": func(ctx context.Context, c *Catalog) error {
			_, _, err := c.Categories(ctx, Access{Key: key}, "zh")
			return err
		},
		"countries": func(ctx context.Context, c *Catalog) error {
			_, _, err := c.Countries(ctx, Access{Key: key}, "zh")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := New(&panickingMarket{}, Options{TTL: ttl})
			defer c.Close()
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			t.Errorf("got %v", ask(t.Context(), c))
		})
	}
}

// TestCacheSizeIsLimited checks that shelves beyond the limits evict others.
func TestCacheSizeIsLimited(t *testing.T) {
	c := New(&fakeMarket{}, Options{TTL: ttl})
	defer c.Close()
	items := make([]hstock.Item, 10_000)
	for i := range items {
		items[i] = gmail
	}
	one := cacheEntry{value: items, at: time.Now(), ttl: ttl}
	shelves := maxCacheBytes/int(weigh(cacheKey{}, one)) + 1
	for n := range 3 * shelves {
		question := cacheKey{kind: kindShelf, service: int64(n)}
		c.lastGood.Set(question, one)
		c.fresh.Set(question, one)
	}
	for n := range int64(2 * maxSeenItems) {
		c.seenItems.Set(itemKey{"", "", n}, seenItem{})
	}
	c.lastGood.CleanUp()
	c.fresh.CleanUp()
	c.seenItems.CleanUp()
	if kept, fresh := c.lastGood.WeightedSize(), c.fresh.WeightedSize(); kept > maxCacheBytes || fresh > maxCacheBytes || kept == 0 || fresh == 0 {
		t.Errorf("%d and %d bytes, want at most %d", kept, fresh, maxCacheBytes)
	}
	if size := c.seenItems.EstimatedSize(); size > maxSeenItems || size == 0 {
		t.Errorf("%d items, want at most %d", size, maxSeenItems)
	}
}

func TestIsOutage(t *testing.T) {
	for err, want := range map[error]bool{
		down: true, unreadable: true, nil: false, ErrDelisted: false, errors.New("x"): false, context.Canceled: false,
		&hstock.Error{Kind: hstock.InvalidKey}: false, &hstock.Error{Kind: hstock.Refused}: false,
	} {
		if got := isOutage(err); got != want {
			t.Errorf("isOutage(%v) = %v", err, got)
		}
	}
}
