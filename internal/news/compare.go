package news

import (
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/storage"
)

const (
	// silence is how long a service may not be listed without being news when it returns.
	silence = time.Hour
	// repeat is the time between two news of one kind about a service: stock may flap.
	repeat = 6 * time.Hour
	// forgotten is how long a service that is not listed is remembered.
	forgotten = 14 * 24 * time.Hour
)

// comparison is what a round compares with.
type comparison struct {
	selection Selection
	clock     int64 // of this round
	base      bool  // the catalogue is only stored
}

// changes returns the differences between the stored catalogue and the items that the
// marketplace lists.
func (c comparison) changes(stored []storage.CatalogueItem, items []hstock.Item) []storage.CatalogueChange {
	known := make(map[int64]storage.CatalogueItem, len(stored))
	for _, item := range stored {
		known[item.Service] = item
	}
	var changes []storage.CatalogueChange
	for i := range items {
		before, found := known[items[i].Service]
		delete(known, items[i].Service)
		after := c.itemOf(items[i], before)
		var news []storage.News
		if !c.base && after.InStock {
			news = c.news(before, &after, found, items[i].Name)
		}
		if !found || !equal(before, after) {
			changes = append(changes, storage.CatalogueChange{Item: after, News: news})
		}
	}
	for _, item := range stored { // in their order
		if _, missing := known[item.Service]; !missing {
			continue
		}
		switch {
		case c.base, item.GoneClock > 0 && c.since(item.GoneClock) >= forgotten:
			changes = append(changes, storage.CatalogueChange{Item: item, Delete: true})
		case item.GoneClock == 0:
			item.GoneClock = c.clock
			changes = append(changes, storage.CatalogueChange{Item: item})
		}
	}
	return changes
}

// itemOf returns an item as it is stored. before is the stored one, or zero.
func (c comparison) itemOf(item hstock.Item, before storage.CatalogueItem) storage.CatalogueItem {
	after := before
	after.Service, after.SMM, after.Category = item.Service, item.EntityType == hstock.EntitySMM, item.Category
	after.InStock = (item.StockUnknown || item.Stock >= max(item.Min, 1)) && !item.NeedsMoreThanLink()
	after.GoneClock = 0
	// A price of zero is an error of the marketplace and not an offer.
	if item.Rate.IsPositive() || before.Service == 0 {
		after.Price, after.Currency = item.Rate, item.Currency
	}
	return after
}

// news returns what is new about a service that is in stock, and notes it in after.
func (c comparison) news(before storage.CatalogueItem, after *storage.CatalogueItem, found bool, name string) (news []storage.News) {
	add := func(kind storage.NewsKind) {
		n := storage.News{
			Kind: kind, Service: after.Service, SMM: after.SMM, Name: name, Category: after.Category,
			Price: after.Price, Currency: after.Currency, SeenClock: c.clock,
		}
		if kind == storage.NewsDrop {
			n.OldPrice = before.Price
		}
		news = append(news, n)
	}
	if !found {
		if c.selection.NewGoods(after.Category) && after.Price.IsPositive() {
			add(storage.NewsNew)
		}
		return news
	}
	wasGone := before.GoneClock > 0 && c.since(before.GoneClock) >= silence
	if (!before.InStock || wasGone) && c.selection.Restocks && c.mayRepeat(before.RestockClock) {
		after.RestockClock = c.clock
		add(storage.NewsRestock)
	}
	if before.Currency == after.Currency && hasDropped(before.Price, after.Price, c.selection.Drop) && c.mayRepeat(before.DropClock) {
		after.DropClock = c.clock
		add(storage.NewsDrop)
	}
	return news
}

func (c comparison) since(clock int64) time.Duration {
	return time.Duration(c.clock-clock) * time.Millisecond
}

func (c comparison) mayRepeat(last int64) bool { return last == 0 || c.since(last) >= repeat }

// hasDropped reports whether a price has fallen by so many percent.
func hasDropped(before, after decimal.Decimal, percent int64) bool {
	return before.IsPositive() && before.Sub(after).Mul(decimal.NewFromInt(100)).GreaterThanOrEqual(before.Mul(decimal.NewFromInt(percent)))
}

// equal reports whether two items are stored alike.
func equal(a, b storage.CatalogueItem) bool {
	if !a.Price.Equal(b.Price) {
		return false
	}
	a.Price = b.Price
	return a == b
}
