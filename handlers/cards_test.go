package handlers

import (
	"testing"

	"hstockbot/internal/hstock"
	"hstockbot/locales"
)

// TestACardWithoutAName has a title all the same: Telegram refuses the answer, with
// all other cards, where one has none (ARTICLE_TITLE_EMPTY).
func TestACardWithoutAName(t *testing.T) {
	bundle, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", " "} {
		card := (&Screens{}).inlineCard(bundle.Localizer("en"), "bot", hstock.Item{Service: 7, Name: name}, "USD")
		if card.Title != "#7" {
			t.Errorf("%q: the title is %q", name, card.Title)
		}
	}
}

// TestBeginning: recommended goods or else the first ones, none sold out, and of a
// huge catalogue no more than anybody scrolls through.
func TestBeginning(t *testing.T) {
	rows := make([]hstock.Item, 50_000)
	for i := range rows {
		rows[i] = hstock.Item{Service: int64(i), Stock: int64(i % 2)}
	}
	first := firstItems(rows)
	if len(first) != maxInlineItems || first[0].Service != 1 || first[1].Service != 3 {
		t.Errorf("%d rows, the first is %d", len(first), first[0].Service)
	}
	for _, i := range []int{40_000, 40_001, 40_003} {
		rows[i].Recommended = true
	}
	if got := firstItems(rows); len(got) != 2 || got[0].Service != 40_001 || got[1].Service != 40_003 {
		t.Errorf("recommended are %+v", got)
	}
	if got := firstItems(rows[:1]); len(got) != 0 {
		t.Errorf("sold out are %+v", got)
	}
}
