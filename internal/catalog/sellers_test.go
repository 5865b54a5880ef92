package catalog

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
)

// withSeller is the shop of items here: the fake keeps it where there is room.
func withSeller(item hstock.Item, shop string) hstock.Item {
	item.SubcategoryID = shop
	return item
}

func TestRecommendedAndSellerGoods(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		liked := withSeller(gmail, "a")
		liked.Recommended = true
		m.items = []hstock.Item{followers, liked, withSeller(outlook, "b")}
		for _, calls := range [][]string{{"products  / 0 recommended", "products  / 0 of b"}, nil} {
			recommended, _, err := c.Recommended(t.Context(), key, "en")
			if diff := cmp.Diff([]hstock.Item{liked}, recommended); err != nil || diff != "" {
				t.Errorf("%v, recommended (-want +got):\n%s", err, diff)
			}
			goods, _, err := c.SellerGoods(t.Context(), key, "en", "b")
			if diff := cmp.Diff([]hstock.Item{m.items[2]}, goods); err != nil || diff != "" {
				t.Errorf("%v, of the shop (-want +got):\n%s", err, diff)
			}
			if _, _, err := c.Product(t.Context(), key, "en", 3); err != nil { // opened from there it costs no call
				t.Error(err)
			}
			wantCalls(t, m, calls...)
		}
	})
}

// TestSellers: all of them, however many the marketplace puts on a page, each once.
func TestSellers(t *testing.T) {
	for _, test := range []struct {
		total, perPage, calls int
	}{
		{0, 0, 1},
		{14, 0, 1},
		{19, 20, 1},
		{20, 20, 2},
		{45, 20, 3},
		{250, 100, 4}, // 50 on the last might be all that it gives
		{30, 0, 2},    // whatever page is asked for
		{5000, 100, maxSellerCalls},
	} {
		t.Run(fmt.Sprintf("%d by %d", test.total, test.perPage), func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
				m.perPage = test.perPage
				for i := range test.total {
					m.sellers = append(m.sellers, hstock.Seller{ID: fmt.Sprint(i), Name: "Shop", Rating: decimal.New(48, -1), HasRating: true})
				}
				want := m.sellers[:min(test.total, maxSellerCalls*sellersPerCall)]
				for _, calls := range []int{test.calls, 0} {
					got, _, err := c.Sellers(t.Context(), key)
					if err != nil || !slices.EqualFunc(want, got, func(a, b hstock.Seller) bool { return a.ID == b.ID }) {
						t.Errorf("%v, %d shops, want %d", err, len(got), len(want))
					}
					if asked := m.takeCalls(); len(asked) != calls {
						t.Errorf("%d calls, want %d: %q", len(asked), calls, asked)
					}
				}
			})
		})
	}
}

func TestItems(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		items, fresh, err := c.Items(t.Context(), key, "zh", []int64{3, 2, 99}, []int64{1, 98})
		want := map[int64]hstock.Item{1: followers, 2: gmail, 3: outlook}
		if diff := cmp.Diff(want, items); err != nil || fresh.Stale || diff != "" {
			t.Errorf("%v, %v (-want +got):\n%s", err, fresh, diff)
		}
		wantCalls(t, m, "products zh / 0 3,2,99", "services zh / 0 smm")

		// A new price is seen long before a shelf's would be.
		dearer := gmail
		dearer.Rate = decimal.RequireFromString("26.00")
		m.items = []hstock.Item{followers, dearer}
		time.Sleep(inventoryTTL + time.Second)
		items, _, err = c.Items(t.Context(), key, "zh", []int64{3, 2, 99}, nil)
		if diff := cmp.Diff(map[int64]hstock.Item{2: dearer}, items); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		wantCalls(t, m, "products zh / 0 3,2,99")

		// While the marketplace is down, what it said last.
		m.set(down, 0)
		time.Sleep(inventoryTTL + time.Second)
		items, fresh, err = c.Items(t.Context(), key, "zh", []int64{3, 2, 99}, []int64{1})
		if diff := cmp.Diff(map[int64]hstock.Item{1: followers, 2: dearer}, items); err != nil || !fresh.Stale || diff != "" {
			t.Errorf("%v, %v (-want +got):\n%s", err, fresh, diff)
		}
	})
}

// TestItemsAreFetchedInBatches keeps to what productIds takes.
func TestItemsAreFetchedInBatches(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		var services []int64
		for n := range int64(250) {
			services = append(services, n+10)
		}
		if _, _, err := c.Items(t.Context(), key, "en", services, nil); err != nil {
			t.Error(err)
		}
		if asked := m.takeCalls(); len(asked) != 3 {
			t.Errorf("%d calls, want 3", len(asked))
		}
	})
}
