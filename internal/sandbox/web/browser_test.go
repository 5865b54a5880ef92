package web

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// TestBrowser drives the page in a real browser, with the real bot behind it. Each
// scenario has its own demo and tab. The tab fails the test for console errors and
// for requests to other origins.
func TestBrowser(t *testing.T) {
	browser := startBrowser(t)
	bot := buildBot(t)
	fakeBot := self(t, "fake-bot")
	for _, scenario := range []struct {
		name    string
		command []string
		test    func(*testing.T, *testDemo, *tab)
	}{
		{"give a key", bot, giveKey},
		{"browse in Chinese", bot, browseInChinese},
		{"buy two accounts", bot, buyTwoAccounts},
		{"buy a file of twenty", bot, buyFileOfTwenty},
		{"buy followers for a link", bot, buyFollowers},
		{"lost answer", bot, loseAnswer},
		{"custom SMS", bot, sendCustomSMS},
		{"two codes and a late one", bot, receiveTwoAndLateCodes},
		{"no code", bot, cancelCode},
		{"kill while an order is open", bot, killWithOpenOrder},
		{"right to left", bot, checkRightToLeft},
		{"other scripts", bot, checkLanguages},
		{"scrolled up", bot, keepScrollPosition},
		{"keyboard only", bot, useKeyboardOnly},
		{"another site", bot, attackFromAnotherSite},
		{"idle", bot, makeNoRequestsWhileIdle},
		{"picture of spending", bot, showSpending},
		{"inline queries", bot, shareProduct},
		{"before the money", bot, beforeMoney},
		{"after the money", bot, afterMoney},
		{"basket", bot, buyBasket},
		{"shop", bot, runShop},
		{"allowance", bot, useAllowance},
		{"alert", fakeBot, showAlert},
		{"local times", fakeBot, showLocalTimes},
		{"colours", fakeBot, showColours},
		{"replies", fakeBot, showReplies},
		{"rooms", fakeBot, useRooms},
		{"a thousand messages", fakeBot, showThousandMessages},
		{"pictures", bot, takeScreenshots},
	} {
		t.Run(scenario.name, func(t *testing.T) {
			t.Parallel() // scenarios mostly wait for deliveries
			startedAt := time.Now()
			demo := launch(t, Options{Seed: 1, Command: scenario.command})
			p := newTab(t, browser, demo.url)
			defer p.close()
			p.setViewport(1280, "light")
			scenario.test(t, demo, p)
			t.Logf("took %v", time.Since(startedAt).Round(10*time.Millisecond))
		})
	}
}

// openWithKey opens the page as Anna, who sends her key to the bot.
func openWithKey(p *tab) *user {
	p.t.Helper()
	anna := p.openAs("Anna")
	anna.send("/key " + keyRich)
	anna.awaitMessage("saved")
	return anna
}

// openKeyScreen opens the page as Anna, on the screen that asks for a key.
func openKeyScreen(p *tab) *user {
	p.t.Helper()
	anna := p.openAs("Anna")
	anna.send("/start")
	anna.awaitMessage("Hello, Anna!")
	anna.tap("🔑 API key")
	anna.awaitMessage(botMessage(p.t, "en", "key_none"))
	return anna
}

var gmailPath = []string{"🛍 Catalog", "Email Accounts", "Gmail", "Gmail Account - USA"}

// commandMenu opens the command menu, returns its lines, and closes it.
func (u *user) commandMenu() string {
	u.t.Helper()
	toggle := `button(chat(` + js(u.id) + `), 'Commands')`
	u.click("Commands", toggle)
	lines := waitFor[string](u.tab, "the menu", `[...chat(`+js(u.id)+`).querySelectorAll('[role=menuitem]')].filter(shown).map(words).join('\n')`)
	u.press(kb.Escape)
	waitFor[bool](u.tab, "the menu to close", toggle+`.getAttribute('aria-expanded') === 'false'`)
	return lines
}

// lastOrder returns the id of the last order that the chat mentions.
func (u *user) lastOrder() string {
	u.t.Helper()
	return waitFor[string](u.tab, "an order", `messages(`+js(u.id)+`).map(words).join(' ').match(/Order #(\d+)/g)?.at(-1).match(/\d+/)[0]`)
}
