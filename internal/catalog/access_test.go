package catalog

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
)

// pricesIn collects all amounts in an answer.
func pricesIn(value any) (prices []string) {
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		if amount, ok := v.Interface().(decimal.Decimal); ok {
			prices = append(prices, amount.String())
			return
		}
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				walk(v.MapIndex(key))
			}
		}
	}
	walk(reflect.ValueOf(value))
	return prices
}

// Each answer has the prices that the person pays, and the cache those of the marketplace.
func TestMarkupOfEachAnswer(t *testing.T) {
	t.Parallel()
	for _, method := range methods {
		if method.name == "Sellers" { // have ratings
			continue
		}
		t.Run(method.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, c *Catalog, m *fakeMarket) {
				m.items[0].Rate = decimal.RequireFromString("1.5")
				m.inventory[2] = hstock.Inventory{Service: 2, Stock: 50, Available: true, Rate: gmail.Rate}
				before, _, err := method.call(t.Context(), c, Access{Key: key})
				if err != nil {
					t.Fatal(err)
				}
				plain := pricesIn(before)
				marked, _, err := method.call(t.Context(), c, Access{Key: key, Markup: func(price decimal.Decimal) decimal.Decimal { return price.Mul(decimal.NewFromInt(3)) }})
				if err != nil {
					t.Fatal(err)
				}
				var want []string
				for _, price := range plain {
					want = append(want, decimal.RequireFromString(price).Mul(decimal.NewFromInt(3)).String())
				}
				if diff := cmp.Diff(want, pricesIn(marked)); diff != "" {
					t.Errorf("prices with a markup (-want +got):\n%s", diff)
				}
				after, _, err := method.call(t.Context(), c, Access{Key: otherKey})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(plain, pricesIn(after)); diff != "" {
					t.Errorf("prices of others (-want +got):\n%s", diff)
				}
			})
		})
	}
}
