package web

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// beforeMoney walks on a phone through what helps before a purchase: numbers by what they
// are for, the warning of a second order on a link, and the wait for a top-up. The balance is
// set in the back room.
func beforeMoney(t *testing.T, _ *testDemo, p *tab) {
	p.setViewport(390, "light")
	picture := func(name string) {
		t.Helper()
		p.checkWidth(390)
		p.settle()
		p.screenshot(name)
	}
	anna := openWithKey(p)
	anna.send("/sms")
	anna.awaitMessage("What for?")
	anna.send("Telegram")
	anna.awaitMessage("Which country?")
	picture("demo-numbers.png")

	follow := func() {
		t.Helper()
		anna.send("/start p_1")
		anna.awaitMessage("Instagram Followers")
		anna.tap("1,000")
		anna.awaitMessage("Send the link")
		anna.send("https://instagram.com/anna")
		anna.awaitMessage("Total (estimate): $0.50")
	}
	follow()
	anna.tap("✅ Confirm")
	anna.awaitMessage("placed")
	follow()
	anna.awaitMessage("on this link is still running")
	picture("demo-guard.png")
	anna.tap("📦 Open it")
	anna.awaitMessage("https://instagram.com/anna")

	anna.send("/key " + keyPoor)
	anna.awaitMessage("$2.00")
	anna.send("/start p_2")
	anna.awaitMessage("Gmail Account - USA")
	anna.tap("✏️ Other amount")
	anna.awaitMessage("How many?")
	anna.send("4")
	anna.awaitMessage("Delivery email?")
	anna.tap("Skip")
	anna.awaitMessage("short")
	anna.tap("⏳ Tell me when it’s there")
	anna.awaitMessage("I’m watching your balance")
	picture("demo-topup.png")
	p.click("Back room", `document.querySelector('#tab-control')`)
	account := `[...document.querySelectorAll('#control li')].find((li) => li.querySelector('code')?.textContent === ` + js(keyPoor) + `)`
	p.do("type the balance", chromedp.Evaluate[chromedp.Void](`{`+prelude+account+`.querySelector('input').value = '25.00';}`))
	p.click("Set", `button(`+account+`, 'Set')`)
	p.click("Chat", `document.querySelector('#tab-chat')`)
	anna.awaitMessage("💰 +$23.00 has arrived. Do you still want it?")
}

// afterMoney reports on a phone that one of two accounts does not work.
func afterMoney(_ *testing.T, _ *testDemo, p *tab) {
	p.setViewport(390, "light")
	anna := openWithKey(p)
	anna.tapAll(gmailPath...)
	anna.tapAll("2", "Skip")
	anna.awaitMessage("Total: $2.50")
	anna.tap("✅ Confirm")
	anna.awaitMessage("delivered")
	anna.tap("⚠️ Some don’t")
	anna.awaitMessage("what’s wrong?")
	anna.tap("Locked")
	anna.awaitMessage("which ones?")
	anna.tapAll("2", "Done")
	anna.awaitMessage("Locked, 1 of 2: 2")
	p.checkWidth(390)
	p.settle()
	p.screenshot("demo-claim.png")
	anna.tap("📋 Copy")
	p.awaitToast("Copied")
}
