package catalog

import (
	"fmt"
	"slices"
	"testing"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
)

// TestSellers checks that all sellers are returned once, for several page sizes.
func TestSellers(t *testing.T) {
	for _, test := range []struct {
		total, perPage, calls int
	}{
		{0, 0, 1},
		{14, 0, 1},
		{19, 20, 1},
		{20, 20, 2},
		{45, 20, 3},
		{250, 100, 4}, // 50 sellers on a page are no proof that it is the last
		{30, 0, 2},    // the page is ignored
		{5000, 100, maxSellerCalls},
	} {
		t.Run(fmt.Sprintf("%d by %d", test.total, test.perPage), func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
				m.perPage = test.perPage
				for i := range test.total {
					m.sellers = append(m.sellers, hstock.Seller{ID: fmt.Sprint(i), Name: "Seller", Rating: decimal.New(48, -1), HasRating: true})
				}
				want := m.sellers[:min(test.total, maxSellerCalls*sellersPerCall)]
				for _, calls := range []int{test.calls, 0} {
					got, _, err := c.Sellers(t.Context(), Access{Key: key})
					if err != nil || !slices.EqualFunc(want, got, func(a, b hstock.Seller) bool { return a.ID == b.ID }) {
						t.Errorf("%v, %d sellers, want %d", err, len(got), len(want))
					}
					if called := m.takeCalls(); len(called) != calls {
						t.Errorf("%d calls, want %d: %q", len(called), calls, called)
					}
				}
			})
		})
	}
}
