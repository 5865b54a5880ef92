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

// TestWarm: what is cached costs no call, for anybody, until its time is over.
func TestWarm(t *testing.T) {
	for _, method := range methods {
		t.Run(method.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *Catalog, m *fake) {
				first, freshness, err := method.call(t.Context(), c, key)
				if err != nil || freshness.Stale || !freshness.At.Equal(time.Now()) {
					t.Fatalf("got %v, %v", freshness, err)
				}
				cold := m.asked()
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
				mustAsk(t, m)

				time.Sleep(ttl)
				if _, freshness, err := method.call(t.Context(), c, key); err != nil || freshness.Stale || !freshness.At.Equal(time.Now()) {
					t.Errorf("after the TTL: %v, %v", freshness, err)
				}
				if diff := cmp.Diff(len(cold) > 0, len(m.asked()) > 0); diff != "" {
					t.Error("believed for longer than the TTL")
				}
			})
		})
	}
}

// TestStale follows an outage from its beginning to its end.
func TestStale(t *testing.T) {
	for _, outage := range []error{down, unreadable} {
		for _, method := range methods {
			if method.name == "Counts" { // tells no freshness
				continue
			}
			t.Run(outage.Error()+"/"+method.name, func(t *testing.T) {
				bubble(t, func(t *testing.T, c *Catalog, m *fake) {
					first, _, err := method.call(t.Context(), c, key)
					if err != nil {
						t.Fatal(err)
					}
					said := time.Now()
					m.asked()
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
					tried := len(m.asked())
					if tried == 0 {
						t.Error("did not try")
					}
					for range 14 {
						time.Sleep(time.Second)
						stale()
					}
					mustAsk(t, m)
					time.Sleep(2 * time.Second)
					stale()
					if len(m.asked()) == 0 {
						t.Error("did not try again after the hold")
					}

					// An answer that speaks of the key is no outage.
					time.Sleep(hold + time.Second)
					_, _, err = method.call(t.Context(), c, badKey)
					mustBe(t, err, hstock.ErrInvalidKey)

					m.set(nil, 0)
					if _, freshness, err := method.call(t.Context(), c, key); err != nil || freshness.Stale || !freshness.At.Equal(time.Now()) {
						t.Errorf("after the outage: %v, %v", freshness, err)
					}
				})
			})
		}
	}
}

// TestForgotten: what is older than a day is not shown at all.
func TestForgotten(t *testing.T) {
	bubble(t, func(t *testing.T, c *Catalog, m *fake) {
		for _, method := range methods {
			if _, _, err := method.call(t.Context(), c, key); err != nil {
				t.Fatal(err)
			}
		}
		m.set(down, 0)
		time.Sleep(keepFor)
		for _, method := range methods {
			if _, _, err := method.call(t.Context(), c, key); !isOutage(err) {
				t.Errorf("%s: %v, want an outage", method.name, err)
			}
		}
	})
}

// TestSlow: an older answer is better than a long wait, and the new one comes
// all the same.
func TestSlow(t *testing.T) {
	bubble(t, func(t *testing.T, c *Catalog, m *fake) {
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
		if took, freshness, err := shelf(); took != patience || !freshness.Stale || err != nil {
			t.Errorf("warm: %s, %v, %v", took, freshness, err)
		}
		time.Sleep(20 * time.Second)
		if took, freshness, err := shelf(); took != 0 || freshness.Stale || err != nil {
			t.Errorf("refreshed: %s, %v, %v", took, freshness, err)
		}
		mustAsk(t, m, "services  Instagram/ 0 ", "services  Instagram/ 0 ")
	})
}

// TestJoined: many people, one call.
func TestJoined(t *testing.T) {
	bubble(t, func(t *testing.T, c *Catalog, m *fake) {
		m.set(nil, time.Second)
		var people sync.WaitGroup
		for range 50 {
			people.Go(func() {
				rows, _, err := c.Shelf(t.Context(), key, "zh", "Email Accounts", "")
				if err != nil || len(rows) != 2 {
					t.Errorf("%d rows, %v", len(rows), err)
				}
			})
		}
		people.Wait()
		mustAsk(t, m, "services zh Email Accounts/ 0 ")
	})
}

// TestFirstLeaves: whoever joined gets the answer though the first gave up.
func TestFirstLeaves(t *testing.T) {
	bubble(t, func(t *testing.T, c *Catalog, m *fake) {
		m.set(nil, 2*time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		var people sync.WaitGroup
		people.Go(func() {
			_, _, err := c.Shelf(ctx, key, "", "Instagram", "")
			mustBe(t, err, context.Canceled)
		})
		synctest.Wait()
		people.Go(func() {
			rows, _, err := c.Shelf(t.Context(), otherKey, "", "Instagram", "")
			if err != nil || len(rows) != 1 {
				t.Errorf("%d rows, %v", len(rows), err)
			}
		})
		synctest.Wait()
		began := time.Now()
		cancel()
		people.Wait()
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("took %s, want 2s", took)
		}
		mustAsk(t, m, "services  Instagram/ 0 ")
	})
}

// TestFirstHasABadKey: whoever joined is asked for with their own key.
func TestFirstHasABadKey(t *testing.T) {
	bubble(t, func(t *testing.T, c *Catalog, m *fake) {
		m.set(nil, time.Second)
		var people sync.WaitGroup
		people.Go(func() {
			_, _, err := c.Shelf(t.Context(), badKey, "", "Instagram", "")
			mustBe(t, err, hstock.ErrInvalidKey)
		})
		synctest.Wait()
		for range 5 {
			people.Go(func() {
				if rows, _, err := c.Shelf(t.Context(), key, "", "Instagram", ""); err != nil || len(rows) != 1 {
					t.Errorf("%d rows, %v", len(rows), err)
				}
			})
		}
		people.Wait()
		mustAsk(t, m, "services  Instagram/ 0 ", "services  Instagram/ 0 ")
	})
}

// TestColdOutage: with nothing to show, the error is the marketplace's.
func TestColdOutage(t *testing.T) {
	for _, method := range methods {
		t.Run(method.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *Catalog, m *fake) {
				m.set(down, 0)
				_, _, err := method.call(t.Context(), c, key)
				mustBe(t, err, down)
				synctest.Wait() // what was asked for side by side has failed, too
				m.set(nil, 0)
				if _, _, err := method.call(t.Context(), c, key); err != nil {
					t.Errorf("an outage was remembered: %v", err)
				}
			})
		})
	}
}

// TestRefusalIsNoOutage: what was refused is not answered from memory.
func TestRefusalIsNoOutage(t *testing.T) {
	bubble(t, func(t *testing.T, c *Catalog, m *fake) {
		refused := &hstock.Error{Action: "services", Kind: hstock.RefusedOther, Refusal: "No such category"}
		if _, _, err := c.Shelf(t.Context(), key, "", "Instagram", ""); err != nil {
			t.Fatal(err)
		}
		m.set(refused, 0)
		time.Sleep(ttl)
		_, _, err := c.Shelf(t.Context(), key, "", "Instagram", "")
		mustBe(t, err, refused)
	})
}

func TestClosedWhileLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &fake{takes: time.Hour}
		c := New(m, Options{TTL: ttl})
		ctx, cancel := context.WithCancel(t.Context())
		var person sync.WaitGroup
		person.Go(func() {
			_, _, err := c.Shelf(ctx, key, "", "Instagram", "")
			mustBe(t, err, context.Canceled)
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

// panicking fails in a way that is nobody's fault but ours.
type panicking struct{ fake }

func (*panicking) Services(context.Context, redact.Secret, hstock.Filter) (hstock.Page, error) {
	panic("bug")
}

func (*panicking) Categories(context.Context, redact.Secret, string) ([]hstock.Category, error) {
	panic("bug")
}

func (*panicking) SMSCountries(context.Context, redact.Secret, string) ([]hstock.SMSCountry, error) {
	panic("bug")
}

// TestPanic: a panic reaches the caller's goroutine, which is guarded, instead
// of ending the program in one that is not.
func TestPanic(t *testing.T) {
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
			c := New(&panicking{}, Options{TTL: ttl})
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

// TestBounded: shelves beyond the bound push out others.
func TestBounded(t *testing.T) {
	c := New(&fake{}, Options{TTL: ttl})
	defer c.Close()
	rows := make([]hstock.Item, 10_000)
	for i := range rows {
		rows[i] = gmail
	}
	one := entry{value: rows, at: time.Now(), ttl: ttl}
	shelves := maxBytes/int(weigh(id{}, one)) + 1
	for n := range 3 * shelves {
		question := id{kind: kindShelf, number: int64(n)}
		c.kept.Set(question, one)
		c.fresh.Set(question, one)
	}
	for n := range int64(2 * maxRowsSeen) {
		c.rows.Set(rowID{"", n}, rowSeen{})
	}
	c.kept.CleanUp()
	c.fresh.CleanUp()
	c.rows.CleanUp()
	if kept, fresh := c.kept.WeightedSize(), c.fresh.WeightedSize(); kept > maxBytes || fresh > maxBytes || kept == 0 || fresh == 0 {
		t.Errorf("%d and %d bytes, want at most %d", kept, fresh, maxBytes)
	}
	if size := c.rows.EstimatedSize(); size > maxRowsSeen || size == 0 {
		t.Errorf("%d rows, want at most %d", size, maxRowsSeen)
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
