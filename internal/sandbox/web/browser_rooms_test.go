package web

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// useRooms chooses a channel, a group and people on a reply keyboard, on a phone.
func useRooms(t *testing.T, _ *testDemo, p *tab) {
	p.setViewport(390, "light")
	olga := p.openAs("Olga")
	keyboard := func(label string) string {
		return `button(chat(` + js(olga.id) + `).querySelector('.reply'), ` + js(label) + `)`
	}
	choice := func(label string) string { return `button(document.querySelector('dialog'), ` + js(label) + `)` }
	openRoom := func(name string) *user {
		t.Helper()
		room := p.openChat(name)
		p.checkWidth(390)
		return room
	}
	olga.send("/rooms")
	olga.awaitMessage("Which?")
	p.checkWidth(390)
	if !eval[bool](p, keyboard("Phone")+`.disabled`) {
		t.Error("a button that the page can't act on is enabled")
	}
	for _, c := range []struct{ label, other, name string }{{"Choose a channel", "Team", "News"}, {"Choose a group", "News", "Team"}} {
		p.click(c.label, keyboard(c.label))
		p.click(c.name, choice(c.name)+` && !`+choice(c.other)+` && `+choice(c.name))
		waitFor[bool](p, "the choice to close", `!document.querySelector('dialog')`)
	}
	p.click("people", keyboard("Choose people"))
	waitFor[bool](p, "no choice yet", choice("Share")+`.disabled`)
	p.checkWidth(390)
	p.do("tick Anna and Bo", chromedp.Evaluate[chromedp.Void](`for (const tick of [...document.querySelectorAll('dialog input')].slice(0, 2)) tick.click()`))
	p.settle()
	p.screenshot("demo-people.png")
	p.click("Share", choice("Share"))
	olga.awaitMessage("2 people")
	if got := eval[string](p, `messages(`+js(olga.id)+`).filter((m) => m.querySelector('.service')).map(words).join('|')`); got == "" {
		t.Error("what Olga has chosen does not stand in her chat")
	}
	p.click("/done", keyboard("/done"))
	olga.awaitMessage("Done")
	waitFor[bool](p, "the keyboard to be gone", `!shown(chat(`+js(olga.id)+`).querySelector('.reply'))`)

	group := openRoom("Team")
	group.awaitMessage("New in stock")
	head := func(room *user) string { return `chat(` + js(room.id) + `).querySelector('.head')` }
	waitFor[bool](p, "the bot as an administrator", `words(`+head(group)+`).includes('the bot is an administrator')`)
	p.do("write as Anna", chromedp.Evaluate[chromedp.Void](`{`+prelude+`const who = chat(`+js(group.id)+`).querySelector('form select'); who.value = [...who.options].find((o) => o.textContent === 'Anna').value; who.dispatchEvent(new Event('change')); }`))
	group.send("/here")
	group.awaitMessage("Anna /here")
	group.awaitMessage("new topic Orders")
	group.awaitMessage("# Orders Order #7: 2 × Gmail")
	p.checkWidth(390)
	p.settle()
	p.screenshot("demo-room.png")
	group.tap("Seen")
	waitFor[bool](p, "the alert", `document.querySelector('dialog.alert')?.textContent.includes('Saved seen')`)
	p.click("OK", `button(document.querySelector('dialog.alert'), 'OK')`)
	group.awaitMessage("Tapped")
	p.click("Remove the bot", `button(`+head(group)+`, 'Remove the bot')`)
	waitFor[bool](p, "the bot to be gone", `words(`+head(group)+`).includes('the bot was removed') && Boolean(button(`+head(group)+`, 'Add the bot'))`)

	channel := openRoom("News")
	channel.awaitMessage("New in stock")
	if eval[bool](p, `Boolean(chat(`+js(channel.id)+`).querySelector('textarea'))`) {
		t.Error("people can write in the channel")
	}
	p.settle()
	p.screenshot("demo-channel.png")
	channel.tap("Buy") // as Olga, in her chat with the bot
	olga.awaitMessage("/start p_1")
}

// useAllowance lets Olga choose Anna and give her an allowance, with which Anna buys, on a
// phone.
func useAllowance(_ *testing.T, _ *testDemo, p *tab) {
	p.setViewport(390, "light")
	picture := func(name string) {
		p.t.Helper()
		p.checkWidth(390)
		p.settle()
		p.screenshot(name)
	}
	anna := p.openAs("Anna")
	anna.send("/start")
	anna.awaitMessage("Hello, Anna!")
	olga := p.openChat("Olga")
	olga.send("/admin")
	olga.awaitMessage("📒 Ledger")
	olga.tap("👤 Person")
	olga.awaitMessage("Telegram ID")
	olga.tap("👥 Choose a person")
	olga.awaitMessage("Tap the button below")
	p.click("the choice", `button(chat(`+js(olga.id)+`).querySelector('.reply'), "👥 Choose a person")`)
	p.click("Anna", `button(document.querySelector('dialog'), 'Anna')`)
	olga.awaitMessage("First seen")
	olga.tap("💳 Allowance")
	olga.awaitMessage("No allowance.")
	olga.tap("💳 Give")
	olga.awaitMessage("How much?")
	olga.tap("$25.00")
	olga.awaitMessage("Is that right?")
	olga.tap("🔁 Make it monthly")
	olga.awaitMessage("$25.00 each month")
	picture("allowance-terms.png")
	olga.tap("✅ Save")
	olga.awaitMessage("left $25.00")
	p.openChat("Anna")
	anna.awaitMessage("an allowance of $25.00 each month")
	anna.tapAll(gmailPath...)
	anna.tapAll("2", "Skip")
	anna.awaitMessage("Paid from your allowance: now $25.00, after $22.50")
	picture("allowance-card.png")
	anna.tap("✅ Confirm")
	anna.awaitMessage("delivered")
	anna.send("/balance")
	anna.awaitMessage("$2.50 of $25.00 is used this month")
	picture("allowance-balance.png")
	p.openChat("Olga")
	olga.send("/admin")
	olga.awaitMessage("Running since")
	olga.tap("📒 Ledger")
	olga.awaitMessage("Charged: $2.50")
	picture("allowance-ledger.png")
}
