package keyboards

import (
	"testing"

	"hstockbot/internal/route"
)

// TestBack checks that a product leads back to the page of the list that it was
// opened from, also after a quantity was added.
func TestBack(t *testing.T) {
	hash := CategoryPathHash("Email Accounts", "Gmail")
	for _, test := range []struct {
		list ProductList
		want string
	}{
		{ProductList{Hash: hash, Page: 3}, Shelf.Data(ShelfArgs{Path: hash, Page: 3})},
		{ProductList{From: FromSearch, Search: 1<<53 - 1, Page: 2}, Found.Data(FoundArgs{Search: 1<<53 - 1, Page: 2})},
		{ProductList{From: FromRecommended, Page: 2}, Recommended.Data(PageArgs{Page: 2})},
		{ProductList{From: FromSeller, Hash: hash, Page: 1}, SellerGoods.Data(SellerArgs{Seller: hash, Page: 1})},
		{ProductList{From: FromSaved, Page: 4}, Saved.Data(SavedArgs{Page: 4})},
		{ProductList{}, Catalog.Data(PageArgs{})},
		{ProductList{From: 99, Hash: hash, Search: 5}, Catalog.Data(PageArgs{})},
	} {
		args := ProductArgs{Service: 7, ProductList: test.list}
		_, rest := route.Split(Quantity.Data(args.WithQuantity(12)))
		order, err := Quantity.Parse(rest)
		if err != nil || order.Quantity != 12 || order.Product() != args {
			t.Errorf("%+v became %+v, %v", args, order, err)
		}
		if got := order.Back(); got != test.want {
			t.Errorf("%+v leads back to %s, want %s", test.list, got, test.want)
		}
	}
}

// TestCategoryPathHash checks that a category and its subcategories differ, and
// that names are not just concatenated.
func TestCategoryPathHash(t *testing.T) {
	seen := map[route.Hash]bool{}
	for _, path := range [][2]string{{"a", ""}, {"a", "b"}, {"ab", ""}, {"", "ab"}, {"b", "a"}} {
		seen[CategoryPathHash(path[0], path[1])] = true
	}
	if len(seen) != 5 {
		t.Errorf("5 paths have %d hashes", len(seen))
	}
}
