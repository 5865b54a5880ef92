package web

import (
	"net/http"
	"strconv"
	"testing"
)

// rentedNumber is a rented number in the chat and in the back room.
type rentedNumber struct {
	*user
	phone string
	row   string // selector of its row in the back room
}

// rent opens the page as Anna, who rents two numbers.
func rent(p *tab) (anna *user, first, second rentedNumber) {
	p.t.Helper()
	anna = openWithKey(p)
	if eval[bool](p, `document.querySelector('#rented').open`) {
		p.t.Error("the empty section of rented numbers is open")
	}
	anna.tapAll("📱 SMS numbers", "🌍 By country", "🇺🇸 United States", "OpenAI / ChatGPT", "2")
	anna.awaitMessage("Please confirm")
	anna.tap("✅ Confirm")
	rented := func(order int) rentedNumber {
		row := `#numbers [data-number="` + strconv.Itoa(order) + `"]`
		phone := waitFor[string](p, "the number in the back room", `words(document.querySelector(`+js(row)+`)).match(/\+\d{7,}/)?.[0]`)
		return rentedNumber{user: anna, phone: phone, row: row}
	}
	return anna, rented(23501), rented(23502)
}

// awaitRow waits until the row in the back room contains all texts.
func (n rentedNumber) awaitRow(texts ...string) {
	n.t.Helper()
	waitFor[bool](n.tab, n.phone+" in the back room", js(texts)+`.every((text) => words(document.querySelector(`+js(n.row)+`)).includes(text))`)
}

// enabled reports whether a button of the row is enabled.
func (n rentedNumber) enabled(label string) bool {
	n.t.Helper()
	return eval[bool](n.tab, `!button(document.querySelector(`+js(n.row)+`), `+js(label)+`).disabled`)
}

// clickRow types the text of an SMS and clicks a button of the row.
func (n rentedNumber) clickRow(label, text string) {
	n.t.Helper()
	field := `document.querySelector(` + js(n.row+" input") + `)`
	if text != "" {
		n.click("the SMS field", field)
		n.insertText(text)
	}
	n.clickControl(n.row, label)
	waitFor[bool](n.tab, "the field to be empty", field+`.value === ''`)
}

// messageElement waits for the last message with the phone number and a text, and
// returns an expression for it.
func (n rentedNumber) messageElement(text string) string {
	n.t.Helper()
	id := waitFor[string](n.tab, text+" of "+n.phone,
		`messages(`+js(n.id)+`).findLast((m) => words(m).includes(`+js(n.phone)+`) && words(m).includes(`+js(text)+`))?.dataset.id`)
	return `chat(` + js(n.id) + `).querySelector('.message[data-id=` + js(id) + `]')`
}

// tapIn taps a button of one message.
func (n rentedNumber) tapIn(message, label string) {
	n.t.Helper()
	n.click(label+" of "+n.phone, `button(`+message+`, `+js(label)+`)`)
}

// sendCustomSMS sends an SMS with a chosen text, and lets the other number expire.
func sendCustomSMS(t *testing.T, _ *testDemo, p *tab) {
	_, first, second := rent(p)
	for _, n := range []rentedNumber{first, second} {
		n.clickRow("No code", "")
		n.awaitRow("active", "No code arrives automatically")
	}
	waiting := first.messageElement("waiting for the code")
	p.checkCopy(first.phone, func() { first.tapIn(waiting, "📋 Copy number") })

	const text = `<b>رمز التحقق</b> هو 918273 & "شكرا" </code> 😀`
	first.clickRow("Send code", text)
	first.awaitRow("code_received", "code 918273")
	if first.enabled("No code") || first.enabled("Expire") {
		t.Error("the code has arrived, and the number can still expire or lose its code")
	}
	code := first.messageElement("🔐 918273")
	if got := eval[string](p, code+`.querySelector('blockquote').textContent`); got != text {
		t.Errorf("the SMS is shown as %q, want %q", got, text)
	}
	p.checkCopy("918273", func() { first.tapIn(code, "📋 Copy code") })
	p.checkCopy(text, func() { first.tapIn(code, "📋 Copy SMS") })
	waitFor[bool](p, "the waiting message to change", `words(`+waiting+`).includes('code received')`)

	second.awaitRow("active") // the first number's code does not affect it
	waiting = second.messageElement("waiting for the code")
	second.clickRow("Expire", "")
	second.awaitRow("expired")
	end := second.messageElement("time ran out, and no code arrived")
	waitFor[bool](p, "a new message, and the change of the waiting one",
		`words(`+waiting+`).includes('time ran out') && `+end+` !== `+waiting)
}

// receiveTwoAndLateCodes sends codes that the bot must not miss: a second code after
// the first one, and a code after the number has expired.
func receiveTwoAndLateCodes(t *testing.T, _ *testDemo, p *tab) {
	p.timeout = 2 * timeout // after a code the bot polls again only after half a minute
	_, two, late := rent(p)
	two.clickRow("Send two codes", "first 1111")
	late.clickRow("Send late", "late 2222")
	two.messageElement("🔐 1111")
	late.messageElement("time ran out, and no code arrived")
	late.messageElement("🔐 2222")
	two.awaitRow("code_received", "code ")
	second := waitFor[string](p, "the second code", `words(document.querySelector(`+js(two.row)+`)).match(/code (\d{6})/)?.[1]`)
	two.messageElement("🔐 " + second)
	if n := eval[int](p, `messages(`+js(two.id)+`).filter((m) => words(m).includes('🔐 ')).length`); n != 3 {
		t.Errorf("%d messages with codes, want 3", n)
	}
}

// cancelCode cancels the automatic code of one number, and receives that of the other.
func cancelCode(t *testing.T, demo *testDemo, p *tab) {
	_, silent, other := rent(p)
	silent.awaitRow("active", "A code arrives automatically at")
	silent.clickRow("No code", "")
	silent.awaitRow("active", "No code arrives automatically")
	if silent.enabled("No code") || !other.enabled("No code") {
		t.Error("the button is still enabled, or disabled for the other number")
	}
	other.messageElement("🔐 ") // rented together with the silent number
	silent.awaitRow("active", "No code arrives automatically")
	silent.tapIn(silent.messageElement("waiting for the code"), "🔄 Check now")
	p.awaitToast("No code yet")
	if n := eval[int](p, `messages(`+js(silent.id)+`).filter((m) => words(m).includes('🔐 ')).length`); n != 1 {
		t.Errorf("%d codes arrived, want only that of the other number", n)
	}

	// The section opened automatically. It stays closed after a person has closed it.
	p.click("Rented numbers", `document.querySelector('#rented summary')`)
	if status, body := demo.post("/number", `{"number":23501,"do":"expire"}`); status != http.StatusNoContent {
		t.Fatalf("expire: %d %s", status, body)
	}
	waitFor[bool](p, "the number to expire", `document.querySelector(`+js(silent.row)+`).dataset.status === 'expired'`)
	if eval[bool](p, `document.querySelector('#rented').open`) {
		t.Error("the closed section is open again")
	}
}
