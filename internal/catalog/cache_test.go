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

// TestCachedAnswersNeedNoCall: what is cached costs no call, for anybody, until its time is over.
func TestCachedAnswersNeedNoCall(t *testing.T) {
	for _, method := range methods {
		t.Run(method.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
				first, freshness, err := method.call(t.Context(), c, key)
				if err != nil || freshness.Stale || !freshness.At.Equal(time.Now()) {
					t.Fatalf("got %v, %v", freshness, err)
				}
				cold := m.takeCalls()
				if len(cold) == 0 {
					t.Fatal("a cold cache answered")
				}

				time.Sleep(inventoryTTL - time.Second) // the shortest of them
				for _, who := range []redact.Secret{key, otherKey, badKey} {
					again, _, err := method.call(t.Context(), c, who)
					if diff := cmp.Diff(first, again); err != nil || diff != "" {
						t.Errorf("%v, (-first +again):\n%s", err, diff)
					}
				}
				wantCalls(t, m)

				time.Sleep(ttl)
				if _, freshness, err := method.call(t.Context(), c, key); err != nil || freshness.Stale || !freshness.At.Equal(time.Now()) {
					t.Errorf("after the TTL: %v, %v", freshness, err)
				}
				if diff := cmp.Diff(len(cold) > 0, len(m.takeCalls()) > 0); diff != "" {
					t.Error("believed for longer than the TTL")
				}
			})
		})
	}
}

// TestStaleDuringOutage follows an outage from its beginning to its end.
func TestStaleDuringOutage(t *testing.T) {
	for _, outage := range []error{down, unreadable} {
		for _, method := range methods {
			if method.name == "Counts" { // tells no freshness
				continue
			}
			t.Run(outage.Error()+"/"+method.name, func(t *testing.T) {
				inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
					first, _, err := method.call(t.Context(), c, key)
					if err != nil {
						t.Fatal(err)
					}
					said := time.Now()
					m.takeCalls()
					m.set(outage, 0)
					time.Sleep(ttl + time.Second)

					stale := func() {
						t.Helper()
						value, freshness, err := method.call(t.Context(), c, key)
						if diff := cmp.Diff(first, value); err != nil || diff != "" {
							t.Errorf("%v, (-first +stale):\n%s", err, diff)
						}
						if !freshness.Stale || !freshness.At.Equal(said) {
							t.Errorf("freshness %v, want stale of %v", freshness, said)
						}
					}
					stale()
					tried := len(m.takeCalls())
					if tried == 0 {
						t.Error("did not try")
					}
					for range 14 {
						time.Sleep(time.Second)
						stale()
					}
					wantCalls(t, m)
					time.Sleep(2 * time.Second)
					stale()
					if len(m.takeCalls()) == 0 {
						t.Error("did not try again after the hold")
					}

					// An answer that speaks of the key is no outage.
					time.Sleep(staleTTL + time.Second)
					_, _, err = method.call(t.Context(), c, badKey)
					wantError(t, err, hstock.ErrInvalidKey)

					m.set(nil, 0)
					if _, freshness, err := method.call(t.Context(), c, key); err != nil || freshness.Stale || !freshness.At.Equal(time.Now()) {
						t.Errorf("after the outage: %v, %v", freshness, err)
					}
				})
			})
		}
	}
}

// TestStaleAnswersExpire: what is older than a day is not shown at all.
func TestStaleAnswersExpire(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		for _, method := range methods {
			if _, _, err := method.call(t.Context(), c, key); err != nil {
				t.Fatal(err)
			}
		}
		m.set(down, 0)
		time.Sleep(maxStaleAge)
		for _, method := range methods {
			if _, _, err := method.call(t.Context(), c, key); !isOutage(err) {
				t.Errorf("%s: %v, want an outage", method.name, err)
			}
		}
	})
}

// TestSlowRefreshServesStale: an older answer is better than a long wait, and the new one comes
// all the same.
func TestSlowRefreshServesStale(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.set(nil, 20*time.Second)
		shelf := func() (time.Duration, Freshness, error) {
			began := time.Now()
			_, freshness, err := c.Shelf(t.Context(), key, "", "Instagram", "")
			return time.Since(began), freshness, err
		}
		if took, freshness, err := shelf(); took != 20*time.Second || freshness.Stale || err != nil {
			t.Errorf("cold: %s, %v, %v", took, freshness, err)
		}
		time.Sleep(ttl)
		if took, freshness, err := shelf(); took != refreshTimeout || !freshness.Stale || err != nil {
			t.Errorf("warm: %s, %v, %v", took, freshness, err)
		}
		time.Sleep(20 * time.Second)
		if took, freshness, err := shelf(); took != 0 || freshness.Stale || err != nil {
			t.Errorf("refreshed: %s, %v, %v", took, freshness, err)
		}
		wantCalls(t, m, "services  Instagram/ 0 ", "services  Instagram/ 0 ")
	})
}

// TestConcurrentCallersShareOneCall: many people, one call.
func TestConcurrentCallersShareOneCall(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.set(nil, time.Second)
		var people sync.WaitGroup
		for range 50 {
			people.Go(func() {
				items, _, err := c.Shelf(t.Context(), key, "zh", "Email Accounts", "")
				if err != nil || len(items) != 2 {
					t.Errorf("%d items, %v", len(items), err)
				}
			})
		}
		people.Wait()
		wantCalls(t, m, "services zh Email Accounts/ 0 ")
	})
}

// TestFirstCallerCancels: whoever joined gets the answer though the first gave up.
func TestFirstCallerCancels(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.set(nil, 2*time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		var people sync.WaitGroup
		people.Go(func() {
			_, _, err := c.Shelf(ctx, key, "", "Instagram", "")
			wantError(t, err, context.Canceled)
		})
		synctest.Wait()
		people.Go(func() {
			items, _, err := c.Shelf(t.Context(), otherKey, "", "Instagram", "")
			if err != nil || len(items) != 1 {
				t.Errorf("%d items, %v", len(items), err)
			}
		})
		synctest.Wait()
		began := time.Now()
		cancel()
		people.Wait()
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("took %s, want 2s", took)
		}
		wantCalls(t, m, "services  Instagram/ 0 ")
	})
}

// TestFirstCallerHasInvalidKey: whoever joined is asked for with their own key.
func TestFirstCallerHasInvalidKey(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.set(nil, time.Second)
		var people sync.WaitGroup
		people.Go(func() {
			_, _, err := c.Shelf(t.Context(), badKey, "", "Instagram", "")
			wantError(t, err, hstock.ErrInvalidKey)
		})
		synctest.Wait()
		for range 5 {
			people.Go(func() {
				if items, _, err := c.Shelf(t.Context(), key, "", "Instagram", ""); err != nil || len(items) != 1 {
					t.Errorf("%d items, %v", len(items), err)
				}
			})
		}
		people.Wait()
		wantCalls(t, m, "services  Instagram/ 0 ", "services  Instagram/ 0 ")
	})
}

// TestOutageWithEmptyCache: with nothing to show, the error is the marketplace's.
func TestOutageWithEmptyCache(t *testing.T) {
	for _, method := range methods {
		t.Run(method.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
				m.set(down, 0)
				_, _, err := method.call(t.Context(), c, key)
				wantError(t, err, down)
				synctest.Wait() // what was asked for side by side has failed, too
				m.set(nil, 0)
				if _, _, err := method.call(t.Context(), c, key); err != nil {
					t.Errorf("an outage was remembered: %v", err)
				}
			})
		})
	}
}

// TestRefusalIsNotAnOutage: what was refused is not answered from memory.
func TestRefusalIsNotAnOutage(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		refused := &hstock.Error{Action: "services", Kind: hstock.RefusedOther, Refusal: "No such category"}
		if _, _, err := c.Shelf(t.Context(), key, "", "Instagram", ""); err != nil {
			t.Fatal(err)
		}
		m.set(refused, 0)
		time.Sleep(ttl)
		_, _, err := c.Shelf(t.Context(), key, "", "Instagram", "")
		wantError(t, err, refused)
	})
}

func TestCloseDuringLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &fakeMarket{delay: time.Hour}
		c := New(m, Options{TTL: ttl})
		ctx, cancel := context.WithCancel(t.Context())
		var person sync.WaitGroup
		person.Go(func() {
			_, _, err := c.Shelf(ctx, key, "", "Instagram", "")
			wantError(t, err, context.Canceled)
		})
		synctest.Wait()
		cancel()
		person.Wait()
		began := time.Now()
		c.Close() // the bubble fails if the load outlives it
		if took := time.Since(began); took != 0 {
			t.Errorf("Close took %s", took)
		}
	})
}

// panickingMarket fails in a way that is nobody's fault but ours.
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

// TestPanicReachesCaller: a panic reaches the caller's goroutine, which is guarded, instead
// of ending the program in one that is not.
func TestPanicReachesCaller(t *testing.T) {
	for name, ask := range map[string]func(ctx context.Context, c *Catalog) error{
		"shelf": func(ctx context.Context, c *Catalog) error {
			_, _, err := c.Shelf(ctx, key, "", "Instagram", "")
			return err
		},
		"search": func(ctx context.Context, c *Catalog) error {
			_, _, err := c.Search(ctx, key, "zh", "gmail")
			return err
		},
		"counts": func(ctx context.Context, c *Catalog) error {
			_, err := c.Counts(ctx, key, CategoryPath{Category: "Instagram"}, CategoryPath{Category: "Gmail"})
			return err
		},
		"categories": func(ctx context.Context, c *Catalog) error {
			_, _, err := c.Categories(ctx, key, "zh")
			return err
		},
		"countries": func(ctx context.Context, c *Catalog) error {
			_, _, err := c.Countries(ctx, key, "zh")
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

// TestCacheSizeIsLimited: shelves beyond the bound push out others.
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
		c.seenItems.Set(itemKey{"", n}, seenItem{})
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
