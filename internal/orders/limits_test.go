package orders_test

import (
	"fmt"
	"testing"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
)

// TestLimitsOf: of goods no more can be bought than are in stock, where that is known.
func TestLimitsOf(t *testing.T) {
	product := hstock.Item{EntityType: hstock.EntityProduct, Min: 2, Max: 50}
	variants := []hstock.Subproduct{{ID: "1"}, {ID: "2"}}
	for name, test := range map[string]struct {
		item      hstock.Item
		inventory hstock.Inventory
		want      orders.QuantityLimits
	}{
		"plenty":                     {product, hstock.Inventory{Stock: 51}, orders.QuantityLimits{Min: 2, Max: 50}},
		"fewer than may be bought":   {product, hstock.Inventory{Stock: 49}, orders.QuantityLimits{Min: 2, Max: 49}},
		"fewer than must be bought":  {product, hstock.Inventory{Stock: 1}, orders.QuantityLimits{Min: 2, Max: 1, SoldOut: true}},
		"none":                       {product, hstock.Inventory{}, orders.QuantityLimits{Min: 2, Max: 50, SoldOut: true}},
		"unknown":                    {product, hstock.Inventory{StockUnknown: true}, orders.QuantityLimits{Min: 2, Max: 50}},
		"unknown, with a figure":     {product, hstock.Inventory{StockUnknown: true, Stock: 7}, orders.QuantityLimits{Min: 2, Max: 50}},
		"one variant":                {product, hstock.Inventory{Stock: 7, Subproducts: variants[:1]}, orders.QuantityLimits{Min: 2, Max: 7}},
		"the stock of all variants":  {product, hstock.Inventory{Stock: 7, Subproducts: variants}, orders.QuantityLimits{Min: 2, Max: 50}},
		"other limits by now":        {product, hstock.Inventory{Stock: 90, Min: 3, Max: 60}, orders.QuantityLimits{Min: 3, Max: 60}},
		"no limits but the stock":    {hstock.Item{EntityType: hstock.EntityProduct}, hstock.Inventory{Stock: 7}, orders.QuantityLimits{Min: 1, Max: 7}},
		"no limits, stock unknown":   {hstock.Item{EntityType: hstock.EntityProduct}, hstock.Inventory{StockUnknown: true}, orders.QuantityLimits{Min: 1}},
		"SMM, which is not in stock": {hstock.Item{EntityType: hstock.EntitySMM, Min: 100, Max: 10000}, hstock.Inventory{}, orders.QuantityLimits{Min: 100, Max: 10000}},
		"SMM, with a figure":         {hstock.Item{EntityType: hstock.EntitySMM, Min: 100, Max: 10000}, hstock.Inventory{Stock: 7}, orders.QuantityLimits{Min: 100, Max: 10000}},
	} {
		test.inventory.Available = true
		if got := orders.LimitsOf(test.item, test.inventory); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

func TestLimitErrors(t *testing.T) {
	limits := orders.QuantityLimits{Min: 2, Max: 50}
	for quantity, want := range map[int64]string{1: "quantity must be between 2 and 50", 2: "<nil>", 50: "<nil>", 51: "quantity must be between 2 and 50"} {
		if got := fmt.Sprint(limits.Allows(quantity)); got != want {
			t.Errorf("%d: %s, want %s", quantity, got, want)
		}
	}
	limits.SoldOut = true
	if got := fmt.Sprint(limits.Allows(2)); got != "sold out" {
		t.Errorf("sold out: %s", got)
	}
}
