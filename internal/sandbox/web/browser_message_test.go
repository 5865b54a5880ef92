package web

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// showReplies shows what a message replies to, an effect, and that it came silently.
func showReplies(t *testing.T, _ *testDemo, p *tab) {
	p.setViewport(390, "light")
	anna := p.openAs("Anna")
	anna.send("one, which is rather long for the width of a phone that shows only one line of it\ntwo")
	anna.awaitMessage("two")
	anna.send("/start")
	anna.awaitMessage("Hello")
	for range 12 {
		anna.send("fill\nthe\nscreen")
		anna.awaitMessage("screen")
	}
	anna.send("/reply 1")
	anna.awaitMessage("/reply 1")
	anna.send("/reply 4")
	anna.awaitMessage("/reply 4")
	quote := func(id string) string {
		return `chat(` + js(anna.id) + `).querySelector('[data-quotes=` + js(id) + `]')`
	}
	wantQuote := func(id, want string) {
		t.Helper()
		waitFor[bool](p, "the quote "+want, `words(`+quote(id)+`) === `+js(want))
	}
	wantQuote("1", "Anna one, which is rather long for the width of a phone that shows only one line of it")
	wantQuote("4", "HStockPlus demo Hello <img src=x onerror=alert(1)> a&b")
	p.checkWidth(390)
	if marks := eval[[]string](p, `[...messages(`+js(anna.id)+`).at(-1).querySelectorAll('time [role=img]')].map((m) => m.textContent + ' ' + name(m))`); len(marks) != 2 || marks[0] != "🎉 Sent with this effect" || marks[1] != "🔕 Sent without a sound" {
		t.Errorf("the marks are %q", marks)
	}
	// A press scrolls to the message, and the quote follows its edits.
	p.click("the quote", quote("4"))
	waitFor[bool](p, "the message that was answered", `((m, view) => m.top >= view.top && m.bottom <= view.bottom)(`+
		`chat(`+js(anna.id)+`).querySelector('[data-id="4"]').getBoundingClientRect(), chat(`+js(anna.id)+`).querySelector('.scroll').getBoundingClientRect())`)
	anna.tap("Tap me")
	waitFor[bool](p, "the alert", `shown(document.querySelector('[role=alertdialog]'))`)
	p.press(kb.Enter)
	wantQuote("4", "HStockPlus demo Tapped")
	anna.send("/forget 1")
	wantQuote("1", "Deleted message")
	if !eval[bool](p, quote("1")+`.disabled`) {
		t.Error("the quote of a deleted message can be pressed")
	}
}

// showSpending shows the chart of what was spent as a picture in the chat.
func showSpending(t *testing.T, _ *testDemo, p *tab) {
	p.setViewport(390, "light")
	anna := openWithKey(p)
	anna.tapAll(gmailPath...)
	anna.tapAll("2", "Skip")
	anna.tap("✅ Confirm")
	anna.awaitMessage("delivered")
	anna.send("/balance")
	anna.awaitMessage("$497.50")
	anna.tap("📊 Spending")
	message := anna.awaitMessage("Last 30 days: $2.50")
	picture := `chat(` + js(anna.id) + `).querySelector('.message[data-id=` + js(message) + `] img')`
	waitFor[bool](p, "the picture", picture+`.complete && `+picture+`.naturalWidth > 300`)
	got := eval[struct {
		Alt, Type   string
		Left, Right float64
	}](p, `(async (img, box) => ({ Alt: img.alt, Type: (await fetch(img.src)).headers.get('Content-Type'), Left: box.left, Right: box.right }))(`+picture+`, `+picture+`.getBoundingClientRect())`)
	if got.Alt != "Picture spending.png" || got.Type != "image/png" || got.Left < 0 || got.Right > 390 {
		t.Errorf("the picture is %+v", got)
	}
	p.checkWidth(390)
	if !eval[bool](p, `keys(`+js(anna.id)+`, '🏠 Menu').some(shown)`) {
		t.Error("the picture has no buttons")
	}
	p.settle()
	p.screenshot("demo-spending.png")
}

// shareProduct types inline queries and sends a card to another person, who opens it in
// the own chat with the bot, and a card to the chat with the bot.
func shareProduct(t *testing.T, _ *testDemo, p *tab) {
	p.setViewport(390, "light")
	anna := p.openAs("Anna")
	field := `chat(` + js(anna.id) + `).querySelector('[aria-label="Message"]')`
	results := `[...chat(` + js(anna.id) + `).querySelectorAll('.results button')].filter(shown)`
	query := func(text string) {
		t.Helper()
		p.click("the text field", field)
		p.do("empty the text field", chromedp.Evaluate[chromedp.Void](`{`+prelude+field+`.value = '';}`))
		p.insertText("@" + botUsername + " " + text)
	}
	query("gmail account usa")
	waitFor[bool](p, "the card", `words((`+results+`)[0]).includes('Gmail Account - USA 💵 Price: $1.25 each')`)
	p.checkWidth(390)
	p.settle()
	p.screenshot("demo-inline.png")

	// The next page comes at the end of the results.
	query("account")
	waitFor[bool](p, "twenty cards", results+`.length === 20`)
	p.do("scroll to the end", chromedp.Evaluate[chromedp.Void](`{`+prelude+`const list = chat(`+js(anna.id)+`).querySelector('.results'); list.scrollTop = list.scrollHeight; }`))
	waitFor[bool](p, "forty cards, where they were", results+`.length === 40 && chat(`+js(anna.id)+`).querySelector('.results').scrollTop > 0`)

	query("gmail account usa")
	card := `(` + results + `).find((c) => words(c).includes('Gmail Account - USA 💵 Price: $1.25 each'))`
	waitFor[bool](p, "the card again", results+`.length < 20 && Boolean(`+card+`)`)
	p.do("choose Bo", chromedp.Evaluate[chromedp.Void](`{`+prelude+`const to = chat(`+js(anna.id)+`).querySelector('.inline select'); to.value = [...to.options].find((o) => o.textContent === 'Bo').value; }`))
	p.click("the card", card)
	p.awaitToast("Sent to Bo")
	if eval[bool](p, `shown(chat(`+js(anna.id)+`).querySelector('.inline')) || `+field+`.value !== '' || messages(`+js(anna.id)+`).length > 0`) {
		t.Error("Anna's chat has a message, or still shows the query")
	}
	bo := p.openChat("Bo")
	bo.awaitMessage("Anna to Bo in their own chat, via @" + botUsername + " https://example.com/uploads/products/gmail.webp Gmail Account - USA")
	p.checkWidth(390)
	bo.tap("Open")
	bo.awaitMessage("Gmail 账号 - 美国")

	anna = p.openChat("Anna")
	query("gmail account usa")
	waitFor[bool](p, "the card in this chat", `Boolean(`+card+`)`)
	p.press(kb.ArrowUp)
	p.press(kb.Enter)
	waitFor[bool](p, "the card as Anna's own message", `messages(`+js(anna.id)+`).some((m) => m.classList.contains('own') && words(m).startsWith('via @`+botUsername+` ') && words(m).includes('Gmail Account - USA'))`)

	p.click("the button of the card", `keys(`+js(anna.id)+`, 'Open').at(-1)`)
	anna.awaitMessage("How many?")
	anna.tap("↗ Share")
	waitFor[bool](p, "the card of the product", results+`.length === 1 && Boolean(`+card+`)`)

	query("xyzzy")
	waitFor[bool](p, "the button", `words((`+results+`)[0]) === `+js(botMessage(t, "en", "inline_button_none")))
	p.click("the button", `(`+results+`)[0]`)
	anna.awaitMessage("Hello, Anna!")
	query("gmail")
	waitFor[bool](p, "the results", results+`.length > 0`)
	p.press(kb.Escape)
	waitFor[bool](p, "the results to close", results+`.length === 0 && document.activeElement === `+field)
}
