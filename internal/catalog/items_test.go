package catalog

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
)

func TestShelf(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		tests := []struct {
			lang, category, subcategory string
			want                        []hstock.Item
			call                        string
		}{
			{"zh", "Email Accounts", "Gmail", []hstock.Item{gmail}, "services zh Email Accounts/Gmail 5000 "},
			{"en", "Email Accounts", "", []hstock.Item{gmail, outlook}, "services  Email Accounts/ 5000 "},
			{"", "", "", []hstock.Item{followers, gmail, outlook}, "services  / 5000 "},
			{"", "Nothing", "", nil, "services  Nothing/ 5000 "},
		}
		for _, test := range tests {
			got, _, err := c.Shelf(t.Context(), Access{Key: key}, test.lang, test.category, test.subcategory)
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%v, (-want +got):\n%s", err, diff)
			}
			wantCalls(t, m, test.call)
		}
	})
}

func TestShelfIsLimited(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.items = slices.Repeat([]hstock.Item{gmail}, maxShelfItems+5)
		for i := range m.items {
			m.items[i].Service = int64(i + 1)
		}
		items, _, err := c.Shelf(t.Context(), Access{Key: key}, "", gmail.Category, "")
		if err != nil || len(items) != maxShelfItems {
			t.Errorf("%d items, %v, want %d", len(items), err, maxShelfItems)
		}
	})
}

func TestProduct(t *testing.T) {
	tests := []struct {
		name    string
		shelf   string // opened before
		service int64
		want    hstock.Item
		calls   []string
	}{
		{"from a shelf", "Email Accounts", 2, gmail, nil},
		{"SMM from a shelf", "Instagram", 1, followers, nil},
		{"by number", "", 2, gmail, []string{"products zh / 0 2"}},
		{"SMM by number", "", 1, followers, []string{"products zh / 0 1", "services zh / 5000 smm"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
				if test.shelf != "" {
					if _, _, err := c.Shelf(t.Context(), Access{Key: key}, "zh", test.shelf, ""); err != nil {
						t.Fatal(err)
					}
					m.takeCalls()
				}
				got, freshness, err := c.Product(t.Context(), Access{Key: key}, "zh", test.service)
				if diff := cmp.Diff(test.want, got); err != nil || freshness.Stale || diff != "" {
					t.Errorf("%v, %v, (-want +got):\n%s", freshness, err, diff)
				}
				wantCalls(t, m, test.calls...)
			})
		})
	}
}

func TestProductDelisted(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		_, _, err := c.Product(t.Context(), Access{Key: key}, "", 99)
		wantError(t, err, ErrDelisted)
		wantCalls(t, m, "products  / 0 99", "services  / 5000 smm")
		_, _, err = c.Product(t.Context(), Access{Key: key}, "", 99)
		wantError(t, err, ErrDelisted)
		wantCalls(t, m)

		// Items that were on a shelf and were delisted since.
		for _, shelf := range []string{"Email Accounts", "Instagram"} {
			if _, _, err := c.Shelf(t.Context(), Access{Key: key}, "", shelf, ""); err != nil {
				t.Fatal(err)
			}
		}
		m.items = nil
		time.Sleep(ttl)
		for _, service := range []int64{1, 2} {
			_, _, err = c.Product(t.Context(), Access{Key: key}, "", service)
			wantError(t, err, ErrDelisted)
		}
	})
}

// TestProductFromShelfDuringOutage checks that an item that only a shelf has
// returned is stale, and is not fetched at each call.
func TestProductFromShelfDuringOutage(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		if _, _, err := c.Shelf(t.Context(), Access{Key: key}, "", "", ""); err != nil {
			t.Fatal(err)
		}
		answeredAt := time.Now()
		time.Sleep(ttl)
		m.set(down, 0)
		m.takeCalls()
		for _, want := range []hstock.Item{followers, gmail} {
			for range 5 {
				got, freshness, err := c.Product(t.Context(), Access{Key: key}, "", want.Service)
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%v, (-want +got):\n%s", err, diff)
				}
				if !freshness.Stale || !freshness.At.Equal(answeredAt) {
					t.Errorf("freshness %v, want stale of %v", freshness, answeredAt)
				}
			}
		}
		wantCalls(t, m, "services  / 5000 smm", "products  / 0 2")
		if _, _, err := c.Product(t.Context(), Access{Key: key}, "", 99); !isOutage(err) {
			t.Errorf("a service that was never returned: %v, want an outage", err)
		}
	})
}

// TestProductMissingFromStaleList checks that a service missing from a stale list is
// not reported as delisted.
func TestProductMissingFromStaleList(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		if _, _, err := c.Product(t.Context(), Access{Key: key}, "", 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(ttl)
		m.set(down, 0)
		_, _, err := c.Product(t.Context(), Access{Key: key}, "", 99)
		if !isOutage(err) {
			t.Errorf("got %v, want an outage", err)
		}
	})
}

// withSeller sets the seller of an item, which fakeMarket reads from SubcategoryID.
func withSeller(item hstock.Item, seller string) hstock.Item {
	item.SubcategoryID = seller
	return item
}

func TestRecommendedAndSellerGoods(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		recommendedGmail := withSeller(gmail, "a")
		recommendedGmail.Recommended = true
		m.items = []hstock.Item{followers, recommendedGmail, withSeller(outlook, "b")}
		for _, calls := range [][]string{{"products  / 5000 recommended", "products  / 5000 of b"}, nil} {
			recommended, _, err := c.Recommended(t.Context(), Access{Key: key}, "en")
			if diff := cmp.Diff([]hstock.Item{recommendedGmail}, recommended); err != nil || diff != "" {
				t.Errorf("%v, recommended (-want +got):\n%s", err, diff)
			}
			goods, _, err := c.SellerGoods(t.Context(), Access{Key: key}, "en", "b")
			if diff := cmp.Diff([]hstock.Item{m.items[2]}, goods); err != nil || diff != "" {
				t.Errorf("%v, goods of the seller (-want +got):\n%s", err, diff)
			}
			if _, _, err := c.Product(t.Context(), Access{Key: key}, "en", 3); err != nil { // a listed product needs no call
				t.Error(err)
			}
			wantCalls(t, m, calls...)
		}
	})
}

func TestItems(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		items, fresh, err := c.Items(t.Context(), Access{Key: key}, "zh", []int64{3, 2, 99}, []int64{1, 98})
		want := map[int64]hstock.Item{1: followers, 2: gmail, 3: outlook}
		if diff := cmp.Diff(want, items); err != nil || fresh.Stale || diff != "" {
			t.Errorf("%v, %v (-want +got):\n%s", err, fresh, diff)
		}
		wantCalls(t, m, "products zh / 0 3,2,99", "services zh / 5000 smm")

		// A new price is visible after inventoryTTL, long before the TTL of a shelf.
		repriced := gmail
		repriced.Rate = decimal.RequireFromString("26.00")
		m.items = []hstock.Item{followers, repriced}
		time.Sleep(inventoryTTL + time.Second)
		items, _, err = c.Items(t.Context(), Access{Key: key}, "zh", []int64{3, 2, 99}, nil)
		if diff := cmp.Diff(map[int64]hstock.Item{2: repriced}, items); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		wantCalls(t, m, "products zh / 0 3,2,99")

		// During an outage the last good answer is returned.
		m.set(down, 0)
		time.Sleep(inventoryTTL + time.Second)
		items, fresh, err = c.Items(t.Context(), Access{Key: key}, "zh", []int64{3, 2, 99}, []int64{1})
		if diff := cmp.Diff(map[int64]hstock.Item{1: followers, 2: repriced}, items); err != nil || !fresh.Stale || diff != "" {
			t.Errorf("%v, %v (-want +got):\n%s", err, fresh, diff)
		}
	})
}

// TestItemsAreFetchedInBatches checks that productIds never exceeds MaxBatch.
func TestItemsAreFetchedInBatches(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		var services []int64
		for n := range int64(250) {
			services = append(services, n+10)
		}
		if _, _, err := c.Items(t.Context(), Access{Key: key}, "en", services, nil); err != nil {
			t.Error(err)
		}
		if called := m.takeCalls(); len(called) != 3 {
			t.Errorf("%d calls, want 3", len(called))
		}
	})
}
