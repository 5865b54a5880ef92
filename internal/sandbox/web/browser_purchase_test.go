package web

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func giveKey(_ *testing.T, _ *testDemo, p *tab) {
	anna := openKeyScreen(p)
	p.checkCopy(keyRich, func() {
		p.click("Copy", `button([...document.querySelectorAll('#control li')].find((li) => li.querySelector('code')?.textContent === `+js(keyRich)+`), 'Copy')`)
	})
	anna.send(keyRich)
	anna.awaitMessage("Key ••••4f7a saved.")
	waitFor[bool](p, "the message with the key to be gone", `!messages(`+js(anna.id)+`).some((m) => words(m).includes(`+js(keyRich)+`))`)

	anna.tap("💰 Balance")
	anna.awaitMessage("$500.00")
}

func browseInChinese(t *testing.T, _ *testDemo, p *tab) {
	bo := p.openAs("Bo")
	bo.awaitMessage("你好")
	bo.awaitMessage("$50.00") // the balance of the key that Bo has already sent
	bo.tapAll("🛍 商品目录", "›", "‹", "邮箱账号", "Gmail", "Gmail 账号 - 美国")
	bo.awaitMessage("单价：$1.25")
	bo.tap("🔄 刷新")
	p.awaitToast("已是最新")
	bo.tapAll("‹ 返回", "‹ 返回", "🏠 菜单")
	bo.awaitMessage("想做点什么？")
	bo.tap("❓ 帮助")
	bo.awaitMessage("/catalog")
	if menu := bo.commandMenu(); !strings.Contains(menu, "/orders") || !regexp.MustCompile(`\p{Han}`).MatchString(menu) {
		t.Errorf("Bo's command menu is %q", menu)
	}
}

func buyTwoAccounts(t *testing.T, _ *testDemo, p *tab) {
	anna := openWithKey(p)
	anna.tapAll(gmailPath...)
	anna.awaitMessage("$1.25 each")
	anna.tapAll("2", "Skip")
	anna.awaitMessage("Total: $2.50")
	anna.tap("✅ Confirm")
	anna.awaitMessage("placed")
	message := anna.awaitMessage("delivered")
	goods := anna.goods(message)
	if len(goods) != 2 || !strings.HasSuffix(strings.SplitN(goods[0], ":", 2)[0], "@gmail.com") {
		t.Fatalf("bought two accounts, received %q", goods)
	}
	p.checkCopy(goods[1], func() { anna.tap("📋 Copy 2") })
	p.awaitToast("Copied")
	p.checkCopy(goods[0], func() {
		p.click("the first account", `chat(`+js(anna.id)+`).querySelector('.message[data-id=`+js(message)+`] code')`)
	})

	anna.tap("📦 My orders")
	anna.awaitMessage("My orders")
	anna.tap("✅ #" + anna.lastOrder() + " Gmail Account - USA ×2")
	anna.awaitMessage("Status: ✅ delivered")
}

func buyFileOfTwenty(t *testing.T, demo *testDemo, p *tab) {
	anna := openWithKey(p)
	next := p.downloads(t.TempDir())
	anna.send("/start p_8")
	anna.tapAll("20", "Skip", "✅ Confirm")
	message := anna.awaitMessage("20 items in the file")
	link := `chat(` + js(anna.id) + `).querySelector('.message[data-id=` + js(message) + `] .document a[download]')`
	p.click("the file", link)
	name, content := next()
	if order := anna.lastOrder(); name != "order-"+order+".txt" {
		t.Errorf("the file of order %s has the name %q", order, name)
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	if len(lines) != 20 {
		t.Errorf("bought twenty accounts, the file has %d lines", len(lines))
	}
	for _, line := range lines {
		if account, password, ok := strings.Cut(line, ":"); !ok || !strings.HasSuffix(account, "@hotmail.com") || password == "" {
			t.Errorf("the file has the line %q", line)
		}
	}
	if served, _ := demo.get(eval[string](p, link+`.href`)); served != string(content) {
		t.Errorf("the message's file is\n%q, the saved file\n%q", served, content)
	}
	if shown := eval[string](p, `words(`+link+`.closest('.document'))`); !strings.Contains(shown, strconv.Itoa(len(content))+" B") {
		t.Errorf("the file of %d bytes is shown as %q", len(content), shown)
	}
}

func buyFollowers(t *testing.T, _ *testDemo, p *tab) {
	anna := openWithKey(p)
	anna.send("/start p_1")
	anna.awaitMessage("Instagram Followers")
	anna.tap("1,000")
	anna.awaitMessage("Send the link")
	anna.send("my page")
	anna.awaitMessage("That’s not a link")
	anna.send("https://instagram.com/anna")
	anna.awaitMessage("Total (estimate): $0.50")
	anna.tap("✅ Confirm")
	anna.awaitMessage("placed")
	// The bot rarely polls such an order, and Refresh polls it at most every three
	// seconds. Otherwise Refresh shows a toast, and the test taps again.
	waitFor[bool](p, "the marketplace to complete the order", `words(document.querySelector('#control [data-order="`+anna.lastOrder()+`"]')).includes('1000 of 1000')`)
	done := `messages(` + js(anna.id) + `).some((m) => words(m).includes('Status: ✅ delivered'))`
	for waitFor[bool](p, "no toast", `!document.querySelector('.toast')`); !eval[bool](p, done); waitFor[bool](p, "no toast", `!document.querySelector('.toast')`) {
		anna.tap("🔄 Refresh")
		waitFor[bool](p, "an answer", `document.querySelector('.toast') !== null || `+done)
	}
	message := anna.awaitMessage("Status: ✅ delivered")
	link := eval[struct{ Href, Rel, Target string }](p, `((a) => a && { Href: a.href, Rel: a.rel, Target: a.target })(chat(`+js(anna.id)+`).querySelector('.message[data-id=`+js(message)+`] a[href*=instagram]'))`)
	if link.Href != "https://instagram.com/anna" || !strings.Contains(link.Rel, "noopener") || link.Target != "_blank" {
		t.Errorf("the link is %+v", link)
	}
}

func loseAnswer(t *testing.T, _ *testDemo, p *tab) {
	anna := openWithKey(p)
	anna.tapAll(gmailPath...)
	anna.tapAll("2", "Skip")
	anna.awaitMessage("Please confirm")
	p.click("the fault", `document.querySelector('#control [data-fault=lose]')`)
	anna.tap("✅ Confirm")
	anna.awaitMessage("may or may not have been placed")
	anna.awaitMessage(botMessage(t, "en", "unresolved_warning"))

	order := waitFor[string](p, "the order in the back room", `document.querySelector('#control [data-order]')?.dataset.order`)
	anna.tap("🔢 I have the order number")
	anna.awaitMessage("Send the order number")
	anna.send("999999")
	anna.awaitMessage("can’t find an order with this number")
	anna.send(order)
	anna.awaitMessage("Is this your order for “Gmail Account - USA” × 2?")
	anna.tap("✅ Yes, this is it")
	p.awaitToast("Added to your orders")
	if goods := anna.goods(anna.awaitMessage("Order #" + order + " delivered")); len(goods) != 2 {
		t.Errorf("the adopted order delivered %q", goods)
	}
	if orders := eval[int](p, `document.querySelectorAll('#control [data-order]').length`); orders != 1 {
		t.Errorf("the marketplace has %d orders, want 1", orders)
	}
}

func killWithOpenOrder(t *testing.T, _ *testDemo, p *tab) {
	p.timeout = 2 * timeout // the bot may poll such an order only after half a minute
	anna := openWithKey(p)
	anna.send("/start p_3") // delivered manually
	anna.tapAll("1", "Skip", "✅ Confirm")
	anna.awaitMessage("placed")
	order := anna.lastOrder()

	p.clickControl("#control", "Kill the bot")
	p.clickControl(`#control [data-order="`+order+`"]`, "Deliver")
	if goods := anna.goods(anna.awaitMessage("Order #" + order + " delivered")); len(goods) != 1 {
		t.Errorf("the order delivered %q", goods)
	}
	waitFor[bool](p, "the kill in the back room", `words(document.querySelector('#control')).includes('killed once')`)
	anna.send("/orders")
	anna.awaitMessage("My orders")
}
