package keyboards

import (
	"math"
	"testing"

	"hstockbot/internal/route"
)

// TestBackGoesWhereTheProductWasOpened, and still does after a quantity was chosen.
func TestBackGoesWhereTheProductWasOpened(t *testing.T) {
	a, b := route.HashOf("Email Accounts"), route.HashOf("Gmail")
	for _, test := range []struct {
		name string
		args ProductArgs
		want string
	}{
		{"a link", ProductArgs{}, Catalog.Data(CatalogArgs{})},
		{"a shelf", ProductArgs{Category: a, Subcategory: b, Page: 3}, Shelf.Data(ShelfArgs{Category: a, Subcategory: b, Page: 3})},
		{"a whole category", ProductArgs{Category: a}, Shelf.Data(ShelfArgs{Category: a})},
		{"recommended", ProductArgs{From: FromRecommended, Page: 2}, Recommended.Data(RecommendedArgs{Page: 2})},
		{"a shop", ProductArgs{From: FromShop, Category: b, Page: 1}, ShopGoods.Data(ShopArgs{Shop: b, Page: 1})},
		{"saved", ProductArgs{From: FromSaved, Page: 4}, Saved.Data(SavedArgs{Page: 4})},
		{"somewhere unknown", ProductArgs{From: 99, Parent: 7}, Catalog.Data(CatalogArgs{})},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.args.Service = 7
			if got := test.args.Back(); got != test.want {
				t.Errorf("back to %q, want %q", got, test.want)
			}
			if got := test.args.Order(5).Product(); got != test.args {
				t.Errorf("after a quantity: %+v, want %+v", got, test.args)
			}
		})
	}
}

// TestTheLongestOrderFits: every quantity of every product has a button.
func TestTheLongestOrderFits(t *testing.T) {
	args := OrderArgs{
		Service: math.MinInt64, Quantity: math.MinInt64, From: math.MaxUint8, Parent: math.MinInt64,
		Subcategory: route.HashOf("x"), Page: math.MaxUint16,
	}
	if n := len(SkipEmail.Data(args)); n > route.MaxBytes {
		t.Errorf("%d bytes", n)
	}
}
