package keyboards

import (
	"testing"

	"hstockbot/internal/route"
)

// TestBack: a product leads back to the very page that it was opened from, also
// from further on, and to the catalogue where there is none.
func TestBack(t *testing.T) {
	place := CategoryPathHash("Email Accounts", "Gmail")
	for _, test := range []struct {
		args ProductArgs
		want string
	}{
		{ProductArgs{ListHash: place, Page: 3}, Shelf.Data(ShelfArgs{Path: place, Page: 3})},
		{ProductArgs{From: FromSearch, Search: 1<<53 - 1, Page: 2}, Found.Data(FoundArgs{Search: 1<<53 - 1, Page: 2})},
		{ProductArgs{From: FromRecommended, Page: 2}, Recommended.Data(RecommendedArgs{Page: 2})},
		{ProductArgs{From: FromSeller, ListHash: place, Page: 1}, SellerGoods.Data(SellerArgs{Seller: place, Page: 1})},
		{ProductArgs{From: FromSaved, Page: 4}, Saved.Data(SavedArgs{Page: 4})},
		{ProductArgs{}, Catalog.Data(CatalogArgs{})},
		{ProductArgs{From: 99, ListHash: place, Search: 5}, Catalog.Data(CatalogArgs{})},
	} {
		test.args.Service = 7
		_, rest := route.Split(Quantity.Data(test.args.WithQuantity(12)))
		order, err := Quantity.Parse(rest)
		if err != nil || order.Quantity != 12 || order.Product() != test.args {
			t.Errorf("%+v became %+v, %v", test.args, order, err)
		}
		if got := order.Product().Back(); got != test.want {
			t.Errorf("%+v leads back to %s, want %s", test.args, got, test.want)
		}
	}
}

// TestPlaceHash: a category is not its subcategory, and names don't run together.
func TestPlaceHash(t *testing.T) {
	seen := map[route.Hash]bool{}
	for _, place := range [][2]string{{"a", ""}, {"a", "b"}, {"ab", ""}, {"", "ab"}, {"b", "a"}} {
		seen[CategoryPathHash(place[0], place[1])] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d hashes of 5 places", len(seen))
	}
}
