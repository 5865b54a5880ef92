package keyboards

import (
	"slices"
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
		{ProductList{From: FromShelfCheapest, Hash: hash, Page: 2}, SortedShelf.Data(SortedShelfArgs{ShelfArgs{Path: hash, Page: 2}, CheapestFirst})},
		{ProductList{From: FromShelfInStock, Hash: hash, Page: 2}, SortedShelf.Data(SortedShelfArgs{ShelfArgs{Path: hash, Page: 2}, SoldOutHidden})},
		{ProductList{From: FromWatches, Page: 2}, Watches.Data(PageArgs{Page: 2})},
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

func TestShareButton(t *testing.T) {
	l := english(t)
	for _, share := range []bool{false, true} {
		found := false
		for _, button := range slices.Concat(ProductKeyboard(l, ProductArgs{Service: 7}, nil, false, ProductMarks{Share: share})...) {
			found = found || button.SwitchInlineQuery != nil && *button.SwitchInlineQuery == "#7"
		}
		if found != share {
			t.Errorf("with Share %v the button is there: %v", share, found)
		}
	}
}

func TestInlineProduct(t *testing.T) {
	for query, want := range map[string]int64{"#7": 7, "#9007199254740991": 9007199254740991, "7": 0, "#07": 0, "#-7": 0, "#0": 0, "# 7": 0, "##7": 0, "#": 0, "": 0, "#7 gmail": 0, "#99999999999999999999": 0} {
		service, ok := ParseInlineProduct(query)
		if ok != (want > 0) || ok && service != want {
			t.Errorf("%q is read as %d, %v", query, service, ok)
		}
	}
}
