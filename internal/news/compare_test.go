package news

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/storage"
)

// TestForgetsWhatIsNotListed: for two weeks it is remembered, and then new again.
func TestForgetsWhatIsNotListed(t *testing.T) {
	const gone = 1000
	item := storage.CatalogueItem{Service: 5, Price: decimal.NewFromInt(1), Currency: "USD", InStock: true, GoneClock: gone}
	for after, want := range map[time.Duration]int{forgotten - time.Millisecond: 0, forgotten: 1} {
		c := comparison{clock: gone + after.Milliseconds()}
		changes := c.changes([]storage.CatalogueItem{item}, nil)
		if len(changes) != want || want == 1 && !changes[0].Delete {
			t.Errorf("after %v the changes are %+v", after, changes)
		}
	}
}

// TestPricesThatAreNoOffers: a price of zero changes nothing, and one in another currency
// is stored and not compared.
func TestPricesThatAreNoOffers(t *testing.T) {
	before := storage.CatalogueItem{Service: 5, Price: decimal.NewFromInt(10), Currency: "USD", InStock: true}
	c := comparison{selection: Selection{Restocks: true, Drop: 10, AllNew: true}, clock: 1000}
	for _, test := range []struct {
		item            hstock.Item
		changes, news   int
		price, currency string
	}{
		{hstock.Item{Service: 5, Rate: decimal.Zero, Currency: "USD", Stock: 3}, 0, 0, "", ""},
		{hstock.Item{Service: 5, Rate: decimal.NewFromInt(1), Currency: "BTC", Stock: 3}, 1, 0, "1", "BTC"},
		{hstock.Item{Service: 5, Rate: decimal.NewFromInt(9), Currency: "USD", Stock: 3}, 1, 1, "9", "USD"},
		{hstock.Item{Service: 5, Rate: decimal.RequireFromString("9.01"), Currency: "USD", Stock: 3}, 1, 0, "9.01", "USD"},
		{hstock.Item{Service: 5, Rate: decimal.NewFromInt(1), Currency: "USD"}, 1, 0, "1", "USD"}, // sold out
	} {
		changes := c.changes([]storage.CatalogueItem{before}, []hstock.Item{test.item})
		if len(changes) != test.changes {
			t.Errorf("%+v changes %+v", test.item, changes)
			continue
		}
		for _, change := range changes {
			if len(change.News) != test.news || change.Item.Price.String() != test.price || change.Item.Currency != test.currency {
				t.Errorf("%+v changes %+v", test.item, change)
			}
		}
	}
	if changes := c.changes(nil, []hstock.Item{{Service: 6, Currency: "USD", Stock: 3}}); len(changes) != 1 || len(changes[0].News) > 0 {
		t.Errorf("a new service without a price changes %+v", changes)
	}
}
