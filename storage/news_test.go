package storage

import (
	"fmt"
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

// TestLatestNews: the newest of each service that still hold, the newest first.
func TestLatestNews(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	now := time.Now().Truncate(time.Millisecond)
	item := func(service int64, price string) CatalogueItem {
		return CatalogueItem{Service: service, Category: "Mail", Price: decimal.RequireFromString(price), Currency: "USD", InStock: true}
	}
	fact := func(kind NewsKind, service int64, price string, ago time.Duration) News {
		return News{Kind: kind, Service: service, Name: "A", Price: decimal.RequireFromString(price), Currency: "USD", At: now.Add(-ago)}
	}
	soldOut, gone, risen, other := item(2, "1"), item(3, "1"), item(4, "10.5"), item(5, "1")
	soldOut.InStock, gone.GoneClock, other.Currency, gone.Category = false, 7, "BTC", "Gone"
	change := func(value string, changes ...CatalogueChange) bool {
		t.Helper()
		current, err := db.ChangeCatalogue(ctx, "round", value, changes)
		if err != nil {
			t.Fatal(err)
		}
		return current
	}
	want := func(kind NewsKind, want ...string) {
		t.Helper()
		found, err := db.LatestNews(ctx, kind, now, 10)
		var got []string
		for _, n := range found {
			got = append(got, fmt.Sprint(n.Service, " ", n.Price))
		}
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the news are %v, want %v (%v)", got, want, err)
		}
	}
	hasNews := func(want bool) {
		t.Helper()
		if c, err := db.MenuContents(ctx, 7, now); err != nil || c.News != want {
			t.Errorf("the menu: %+v, %v", c, err)
		}
	}
	hasNews(false)
	if err := db.SetSetting(ctx, "round", "mine"); err != nil {
		t.Fatal(err)
	}
	if change("another's", CatalogueChange{Item: item(1, "1")}) {
		t.Error("a round that was overtaken has stored something")
	}
	change("mine", CatalogueChange{Item: soldOut, News: []News{fact(NewsRestock, 2, "1", time.Hour)}},
		CatalogueChange{Item: gone, News: []News{fact(NewsRestock, 3, "1", time.Hour)}},
		CatalogueChange{Item: risen, News: []News{fact(NewsDrop, 4, "9.0", time.Hour)}},
		CatalogueChange{Item: other, News: []News{fact(NewsDrop, 5, "2", time.Hour)}},
		CatalogueChange{Item: item(6, "1"), News: []News{fact(NewsNew, 6, "1", newsAge+time.Second)}})
	hasNews(false)
	change("mine", CatalogueChange{Item: item(1, "1"), News: []News{fact(NewsDrop, 1, "2", 2*time.Hour), fact(NewsDrop, 1, "1.0", time.Hour), fact(NewsRestock, 1, "1", time.Hour)}},
		CatalogueChange{Item: item(7, "10"), News: []News{fact(NewsDrop, 7, "10.00", time.Minute)}})
	hasNews(true)
	want(NewsRestock, "1 1")
	want(NewsDrop, "7 10", "1 1")
	want(NewsNew)
	if categories, err := db.CatalogueCategories(ctx); err != nil || fmt.Sprint(categories) != "[Mail]" {
		t.Errorf("the categories are %v, %v", categories, err)
	}
	if err := db.Sweep(ctx, now); err != nil {
		t.Fatal(err)
	}
	if n := db.count(t, `SELECT COUNT(*) FROM news`); n != 8 {
		t.Errorf("%d news are left, want 8 of 9", n)
	}
	change("mine", CatalogueChange{Item: item(1, "1"), Delete: true})
	want(NewsRestock)
}
