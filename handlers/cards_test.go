package handlers

import (
	"testing"

	"hstockbot/internal/hstock"
	"hstockbot/locales"
)

// TestInlineCardWithoutNameHasTitle: Telegram refuses the whole answer if one card has
// no title (ARTICLE_TITLE_EMPTY).
func TestInlineCardWithoutNameHasTitle(t *testing.T) {
	bundle, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", " "} {
		card := (&Screens{}).inlineCard(bundle.Localizer("en"), "bot", hstock.Item{Service: 7, Name: name})
		if card.Title != "#7" {
			t.Errorf("%q: the title is %q", name, card.Title)
		}
	}
}

// TestFirstItems: the recommended items in stock, or else the first items in stock, up
// to a limit.
func TestFirstItems(t *testing.T) {
	items := make([]hstock.Item, 50_000)
	for i := range items {
		items[i] = hstock.Item{Service: int64(i), Stock: int64(i % 2)}
	}
	first := firstItems(items)
	if len(first) != maxInlineItems || first[0].Service != 1 || first[1].Service != 3 {
		t.Errorf("%d items, the first is %d", len(first), first[0].Service)
	}
	for _, i := range []int{40_000, 40_001, 40_003} {
		items[i].Recommended = true
	}
	if got := firstItems(items); len(got) != 2 || got[0].Service != 40_001 || got[1].Service != 40_003 {
		t.Errorf("recommended are %+v", got)
	}
	if got := firstItems(items[:1]); len(got) != 0 {
		t.Errorf("sold out are %+v", got)
	}
}
