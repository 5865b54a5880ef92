package catalog

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
)

// TestPricesAreSharedByCurrencyOnly asks with keys of two currencies: what has prices
// is fetched for each of them, all else once.
func TestPricesAreSharedByCurrencyOnly(t *testing.T) {
	withoutPrices := map[string]bool{"Categories": true, "SubcategoryInfo": true, "Countries": true, "Sellers": true, "Counts": true}
	for _, method := range methods {
		t.Run(method.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
				m.currencies = map[redact.Secret]string{otherKey: "IDR"}
				var calls [3]int
				for i, asking := range []redact.Secret{key, otherKey, key} {
					if _, _, err := method.call(t.Context(), c, Access{Key: asking}); err != nil {
						t.Fatal(err)
					}
					calls[i] = len(m.takeCalls())
				}
				want := [3]int{calls[0], calls[0], 0}
				if withoutPrices[method.name] {
					want[1] = 0
				}
				if method.name == "Apps" {
					want[1] -= 2 // its countries have no prices
				}
				if calls != want {
					t.Errorf("calls %v, want %v", calls, want)
				}
			})
		})
	}
}

// TestListedPriceIsOfOwnCurrency opens a product that another account has seen in a
// list.
func TestListedPriceIsOfOwnCurrency(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.currencies = map[redact.Secret]string{otherKey: "IDR"}
		inRupiah := gmail
		inRupiah.Rate = decimal.RequireFromString("400000")
		m.items = []hstock.Item{inRupiah}
		if _, _, err := c.Shelf(t.Context(), Access{Key: otherKey}, "", "Email Accounts", ""); err != nil {
			t.Fatal(err)
		}
		m.items = []hstock.Item{gmail}
		got, _, err := c.Product(t.Context(), Access{Key: key}, "", gmail.Service)
		if diff := cmp.Diff(gmail, got); err != nil || diff != "" {
			t.Errorf("%v, (-want +got):\n%s", err, diff)
		}
	})
}

// currencylessMarket can't say the currency of a key.
type currencylessMarket struct{ fakeMarket }

var errNoCurrency = errors.New("no currency")

func (*currencylessMarket) Currency(context.Context, redact.Secret) (string, error) {
	return "", errNoCurrency
}

func TestUnknownCurrencyIsAnError(t *testing.T) {
	c := New(&currencylessMarket{}, Options{TTL: ttl})
	defer c.Close()
	_, _, err := c.Shelf(t.Context(), Access{Key: key}, "", "Instagram", "")
	wantError(t, err, errNoCurrency)
}

// TestRepeatedCategoriesAreJoined checks that every button of a category opens it.
func TestRepeatedCategoriesAreJoined(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.categories = map[string][]hstock.Category{
			"": {
				{Name: "Email", Subcategories: []string{"Gmail", "Gmail", "Outlook"}}, {Name: "VPN"}, {Name: "Email", Subcategories: []string{"Outlook", "Yahoo"}},
			},
			"zh": {
				{Name: "邮箱\n", Subcategories: []string{"Gmail", "谷歌", "Outlook"}}, {Name: "VPN"}, {Name: "电邮", Subcategories: []string{"Outlook", "雅虎"}},
			},
		}
		got, _, err := c.Categories(t.Context(), Access{Key: key}, "zh")
		want := []Category{
			{English: "Email", Name: "邮箱", Subcategories: []Subcategory{{"Gmail", "Gmail"}, {"Outlook", "Outlook"}, {"Yahoo", "雅虎"}}},
			{English: "VPN", Name: "VPN"},
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v, (-want +got):\n%s", err, diff)
		}
	})
}

// TestLargeListsAreFetchedInPages opens services among 12,000, of which one answer
// can't have all.
func TestLargeListsAreFetchedInPages(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
		m.items = nil
		for n := range int64(12_000) {
			item := followers
			item.Service, item.Name = n+1, fmt.Sprint("Followers ", n+1)
			m.items = append(m.items, item)
		}
		got, _, err := c.Product(t.Context(), Access{Key: key}, "", 7000)
		if err != nil || got.Service != 7000 {
			t.Errorf("got %v, %v", got, err)
		}
		wantCalls(t, m, "products  / 0 7000", "services  / 5000 smm", "services  / 5000 smm page 2")
		if _, _, err = c.Product(t.Context(), Access{Key: key}, "", 3000); err != nil {
			t.Error(err)
		}
		wantCalls(t, m) // it was on the first page
		items, _, err := c.Items(t.Context(), Access{Key: key}, "", nil, []int64{1, 12_000})
		if err != nil || len(items) != 2 {
			t.Errorf("%d items, %v", len(items), err)
		}
		wantCalls(t, m, "services  / 5000 smm", "services  / 5000 smm page 2", "services  / 5000 smm page 3")
	})
}

// olderMarket has no products, and so no such action.
type olderMarket struct{ fakeMarket }

func (*olderMarket) Products(context.Context, redact.Secret, hstock.Filter) (hstock.Page, error) {
	return hstock.Page{}, &hstock.Error{Action: "products", Kind: hstock.Refused, Err: hstock.ErrInvalidAction}
}

func TestServiceOfMarketWithoutProducts(t *testing.T) {
	c := New(&olderMarket{fakeMarket{items: []hstock.Item{followers}}}, Options{TTL: ttl})
	defer c.Close()
	if got, _, err := c.Product(t.Context(), Access{Key: key}, "", followers.Service); err != nil || got.Name != followers.Name {
		t.Errorf("got %v, %v", got, err)
	}
}
