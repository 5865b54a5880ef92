package web

import "testing"

// runShop chooses the shop's group and channel on a phone, as the admin, and looks at the
// line of an order in the group.
func runShop(t *testing.T, _ *testDemo, p *tab) {
	p.setViewport(390, "light")
	picture := func(name string) {
		t.Helper()
		p.checkWidth(390)
		p.settle()
		p.screenshot(name)
	}
	olga := p.openAs("Olga")
	choose := func(button, chat string) {
		t.Helper()
		p.click(button, `button(chat(`+js(olga.id)+`).querySelector('.reply'), `+js(button)+`)`)
		p.click(chat, `button(document.querySelector('dialog'), `+js(chat)+`)`)
	}
	olga.send("/admin")
	olga.awaitMessage("Running since")
	olga.tap("👥 Room")
	olga.awaitMessage("There is none yet.")
	olga.tap("👥 Choose a group")
	olga.awaitMessage("Which group?")
	p.checkWidth(390)
	choose("🗂 A group with topics", "Team")
	olga.awaitMessage("This group is the shop’s room now.")
	olga.awaitMessage("Topics: Alerts · Orders · Daily")
	picture("demo-room-admin.png")
	olga.send("/admin")
	olga.awaitMessage("Running since")
	olga.tap("📢 Channel")
	olga.awaitMessage("No channel yet")
	olga.tap("📢 Choose a channel")
	olga.awaitMessage("You need to be an admin there")
	choose("📢 Choose a channel", "News")
	olga.awaitMessage("I post in News")
	picture("demo-channel-admin.png")

	anna := p.openChat("Anna")
	anna.send("/key " + keyRich)
	anna.awaitMessage("saved")
	anna.send("/start p_2")
	anna.awaitMessage("Gmail Account - USA")
	anna.tap("2")
	anna.awaitMessage("Delivery email?")
	anna.tap("Skip")
	anna.awaitMessage("Please confirm")
	anna.tap("✅ Confirm")
	anna.awaitMessage("placed")
	team := p.openChat("Team")
	team.awaitMessage("# Orders Gmail Account - USA × 2 · $2.50 · ✅ delivered")
	picture("demo-room.png")
}
