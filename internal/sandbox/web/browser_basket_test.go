package web

import (
	"strings"
	"testing"
)

// buyBasket buys pasted lines on a phone, saves a set, and applies it to another link.
func buyBasket(t *testing.T, _ *testDemo, p *tab) {
	p.setViewport(390, "light")
	anna := openWithKey(p)
	next := p.downloads(t.TempDir())
	anna.send("1 | https://instagram.com/anna | 1000\nhello\n2 | | 2\n16 | https://t.me/annas_shop | 500")
	anna.awaitMessage("✖ Line 2 (hello): please write service | link | quantity")
	anna.awaitMessage("Basket: 3 lines")
	anna.awaitMessage("2. Gmail Account - USA × 2 · $2.50")
	p.checkWidth(390)
	p.settle()
	p.screenshot("demo-basket.png")
	anna.tap("✅ Confirm")
	anna.awaitMessage("Buying your basket…")
	anna.awaitMessage("✅ 1 · ⏳ 1 · ▫️ 1")
	p.checkWidth(390)
	anna.awaitMessage("Everything is ordered. ✅ 3 ✅ 1. Instagram Followers") // the card: the file says less
	file := anna.awaitMessage("basket-")
	p.checkWidth(390)
	p.click("the file", `chat(`+js(anna.id)+`).querySelector('.message[data-id=`+js(file)+`] .document a[download]')`)
	name, content := next()
	table := strings.Split(strings.TrimSpace(string(content)), "\r\n")
	if !strings.HasPrefix(name, "basket-") || !strings.HasSuffix(name, ".csv") || len(table) != 4 {
		t.Fatalf("the file %q is %q", name, content)
	}
	for i, want := range []string{"1,1,Instagram Followers,1000,0.5,USD,ordered,", "2,2,Gmail Account - USA,2,2.5,USD,ordered,", "3,16,"} {
		if !strings.HasPrefix(table[i+1], want) {
			t.Errorf("line %d is %q, want %q", i+1, table[i+1], want)
		}
	}

	anna.send("1 | https://instagram.com/anna | 1000\n2 | | 1\n1 | https://instagram.com/anna | 500")
	anna.awaitMessage("on this link is still running")
	anna.tap("★ Save as a set")
	anna.awaitMessage("What should I call this set?")
	anna.send("Boost")
	anna.awaitMessage("★ Saved.")
	anna.tap("‹ Back")
	anna.awaitMessage("Basket: 3 lines")
	anna.tapAll("✏️ Change", "🗑 Empty the basket")
	anna.awaitMessage("Empty the whole basket?")
	anna.tap("🗑 Empty the basket")
	anna.awaitMessage("Your basket is empty.")
	anna.send("https://instagram.com/annas_shop")
	anna.awaitMessage("Instagram")
	p.checkWidth(390)
	anna.tap("★ Boost: 1 × 1,000 + 1 × 500")
	anna.awaitMessage("Basket: 2 lines")
	anna.awaitMessage("2. Instagram Followers × 500 · $0.25 🔗 https://instagram.com/annas_shop")
	p.checkWidth(390)
}
