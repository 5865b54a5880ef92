package catalog

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
)

func TestCategories(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		english := []Category{
			{"Instagram", "Instagram", []Subcategory{{"Followers", "Followers"}, {"Likes", "Likes"}}},
			{"Email Accounts", "Email Accounts", []Subcategory{{"Gmail", "Gmail"}, {"Outlook", "Outlook"}}},
		}
		chinese := []Category{
			{"Instagram", "Instagram", []Subcategory{{"Followers", "粉丝"}, {"Likes", "点赞"}}},
			{"Email Accounts", "邮箱账号", []Subcategory{{"Gmail", "Gmail"}, {"Outlook", "Outlook"}}},
		}
		tests := []struct {
			lang  string
			want  []Category
			calls int
		}{
			{"en", english, 1},
			{"", english, 0}, // also English
			{"zh", chinese, 2},
			{"zh", chinese, 0},
		}
		for _, test := range tests {
			got, _, err := c.Categories(t.Context(), Access{Key: key}, test.lang)
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%q: %v, (-want +got):\n%s", test.lang, err, diff)
			}
			if calls := m.takeCalls(); len(calls) != test.calls {
				t.Errorf("%q: called %q, want %d calls", test.lang, calls, test.calls)
			}
		}

		// The lists do not match: both are fetched again, then names are English.
		m.categories["de"] = m.categories["zh"][:1]
		got, freshness, err := c.Categories(t.Context(), Access{Key: key}, "de")
		if diff := cmp.Diff(english, got); err != nil || freshness.Stale || diff != "" {
			t.Errorf("%v, (-want +got):\n%s", err, diff)
		}
		if calls := m.takeCalls(); len(calls) != 4 {
			t.Errorf("called %q, want both lists twice", calls)
		}
	})
}

func TestCounts(t *testing.T) {
	paths := []CategoryPath{
		{"Instagram", ""}, {"Email Accounts", ""}, {"Email Accounts", "Gmail"}, {"Email Accounts", "Nothing"}, {},
	}
	want := map[CategoryPath]int{
		{"Instagram", ""}: 1, {"Email Accounts", ""}: 2, {"Email Accounts", "Gmail"}: 1, {"Email Accounts", "Nothing"}: 0, {}: 3,
	}
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		for _, calls := range []int{len(paths), 0} {
			got, err := c.Counts(t.Context(), Access{Key: key}, paths...)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%v, (-want +got):\n%s", err, diff)
			}
			if called := m.takeCalls(); len(called) != calls {
				t.Errorf("called %q, want %d calls", called, calls)
			}
		}
	})

	var many []CategoryPath
	for n := range 30 {
		many = append(many, CategoryPath{Category: fmt.Sprint(n)})
	}
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.set(nil, time.Second-time.Millisecond)
		began := time.Now()
		got, err := c.Counts(t.Context(), Access{Key: key}, many...)
		if took := time.Since(began); took != countsTimeout || err != nil || len(got) != 3*maxConcurrentCounts {
			t.Errorf("%d counts after %s, %v; want %d after %s", len(got), took, err, 3*maxConcurrentCounts, countsTimeout)
		}
		time.Sleep(time.Second) // running calls end late, and their answers are cached
		synctest.Wait()
		if m.maxInFlight != maxConcurrentCounts {
			t.Errorf("%d calls at once, want %d", m.maxInFlight, maxConcurrentCounts)
		}
		m.takeCalls()
		m.set(down, 0)
		if got, err = c.Counts(t.Context(), Access{Key: key}, many...); err != nil || len(got) != 4*maxConcurrentCounts {
			t.Errorf("%d counts, %v, want %d", len(got), err, 4*maxConcurrentCounts)
		}
	})

	// What is known from before is shown for every path, also for those that were
	// still waiting for their turn when the time was over.
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		if got, err := c.Counts(t.Context(), Access{Key: key}, many...); err != nil || len(got) != len(many) {
			t.Fatalf("%d counts, %v", len(got), err)
		}
		time.Sleep(time.Hour)
		m.set(nil, time.Minute)
		if got, err := c.Counts(t.Context(), Access{Key: key}, many...); err != nil || len(got) != len(many) {
			t.Errorf("%d counts of %d while the marketplace is slow, %v", len(got), len(many), err)
		}
	})

	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		got, err := c.Counts(t.Context(), Access{Key: badKey}, many...)
		wantError(t, err, hstock.ErrInvalidKey)
		if called := len(m.takeCalls()); got != nil || called > maxConcurrentCounts {
			t.Errorf("got %v after %d calls with an invalid key", got, called)
		}
		if got, err := c.Counts(t.Context(), Access{Key: key}); err != nil || len(got) != 0 {
			t.Errorf("no paths: %v, %v", got, err)
		}
	})
}

func TestInventory(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		read := func(key redact.Secret, fresh bool) (hstock.Inventory, Freshness, error) {
			return c.Inventory(t.Context(), Access{Key: key}, "zh", 2, fresh)
		}
		stock := func(fresh bool, want int64) {
			t.Helper()
			if got, freshness, err := read(key, fresh); err != nil || freshness.Stale || got.Stock != want {
				t.Errorf("stock %d, %v, %v, want %d", got.Stock, freshness, err, want)
			}
		}
		stock(false, 50)
		m.inventory[2] = hstock.Inventory{Service: 2, Stock: 49}
		stock(false, 50)
		wantCalls(t, m, "inventory 2 zh")
		stock(true, 49)
		stock(false, 49) // the fresh read has replaced the cached answer
		wantCalls(t, m, "inventory 2 zh")
		time.Sleep(inventoryTTL)
		stock(false, 49)
		wantCalls(t, m, "inventory 2 zh")

		// A fresh read is never stale and uses the caller's key.
		_, _, err := read(badKey, true)
		wantError(t, err, hstock.ErrInvalidKey)
		m.set(down, 0)
		_, _, err = read(key, true)
		wantError(t, err, down)
		stock(false, 49)
		m.set(nil, 0)

		_, _, err = c.Inventory(t.Context(), Access{Key: key}, "", 99, false)
		wantError(t, err, ErrDelisted)
		wantError(t, err, hstock.ErrServiceNotFound)
		_, _, err = c.Inventory(t.Context(), Access{Key: key}, "", 99, true)
		wantError(t, err, ErrDelisted)
	})
}
