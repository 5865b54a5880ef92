package web

import (
	"net/http"
	"strconv"
	"testing"
)

// number is one rented number, in the chat and in the back room.
type number struct {
	*person
	phone string
	room  string // its line in the back room, for querySelector
}

// rent lets Anna rent two numbers.
func rent(p *tab) (anna *person, first, second number) {
	p.t.Helper()
	anna = withKey(p)
	if read[bool](p, `document.querySelector('#rented').open`) {
		p.t.Error("the section of the rented numbers is open, and there are none")
	}
	anna.taps("📱 SMS numbers", "🇺🇸 United States", "OpenAI / ChatGPT", "2")
	anna.sees("Please confirm")
	anna.tap("✅ Confirm")
	rented := func(n int) number {
		line := `#numbers [data-number="` + strconv.Itoa(n) + `"]`
		phone := until[string](p, "the number in the back room", `words(document.querySelector(`+js(line)+`)).match(/\+\d{7,}/)?.[0]`)
		return number{person: anna, phone: phone, room: line}
	}
	return anna, rented(23501), rented(23502)
}

// is waits for the line in the back room to say all of this.
func (n number) is(said ...string) {
	n.t.Helper()
	until[bool](n.tab, n.phone+" in the back room", js(said)+`.every((one) => words(document.querySelector(`+js(n.room)+`)).includes(one))`)
}

// may says whether a button of the line can be used.
func (n number) may(label string) bool {
	n.t.Helper()
	return read[bool](n.tab, `!button(document.querySelector(`+js(n.room)+`), `+js(label)+`).disabled`)
}

// does clicks a button of the line, after typing this as the SMS.
func (n number) does(label, text string) {
	n.t.Helper()
	field := `document.querySelector(` + js(n.room+" input") + `)`
	if text != "" {
		n.click("the field of the SMS", field)
		n.enter(text)
	}
	n.tab.room(n.room, label)
	until[bool](n.tab, "the field to be empty", field+`.value === ''`)
}

// message waits for the last message that has the phone and these words.
func (n number) message(said string) string {
	n.t.Helper()
	id := until[string](n.tab, said+" of "+n.phone,
		`messages(`+js(n.id)+`).findLast((m) => words(m).includes(`+js(n.phone)+`) && words(m).includes(`+js(said)+`))?.dataset.id`)
	return `chat(` + js(n.id) + `).querySelector('.message[data-id=` + js(id) + `]')`
}

// taps taps a button of one message.
func (n number) taps(message, label string) {
	n.t.Helper()
	n.click(label+" of "+n.phone, `button(`+message+`, `+js(label)+`)`)
}

// ownSMS sends an SMS of one's own text, and lets the other number expire.
func ownSMS(t *testing.T, _ *running, p *tab) {
	_, first, second := rent(p)
	for _, n := range []number{first, second} {
		n.does("Never", "")
		n.is("active", "No code comes by itself")
	}
	waiting := first.message("waiting for the code")
	p.copies(first.phone, func() { first.taps(waiting, "📋 Copy number") })

	const text = `<b>رمز التحقق</b> هو 918273 & "شكرا" </code> 😀`
	first.does("Send code", text)
	first.is("code_received", "code 918273")
	if first.may("Never") || first.may("Expire") {
		t.Error("the code has come, and can still be kept away")
	}
	code := first.message("🔐 918273")
	if got := read[string](p, code+`.querySelector('blockquote').textContent`); got != text {
		t.Errorf("the SMS arrives as %q, want %q", got, text)
	}
	p.copies("918273", func() { first.taps(code, "📋 Copy code") })
	p.copies(text, func() { first.taps(code, "📋 Copy SMS") })
	until[bool](p, "the waiting message to change", `words(`+waiting+`).includes('the code has come')`)

	second.is("active") // its own affair
	waiting = second.message("waiting for the code")
	second.does("Expire", "")
	second.is("expired")
	end := second.message("the time is up, and no code came")
	until[bool](p, "a message of its own, and the waiting one to change",
		`words(`+waiting+`).includes('the time is up') && `+end+` !== `+waiting)
}

// twiceAndLate sends what the bot must not miss: a code, and soon another one; a
// number's end, and soon a code.
func twiceAndLate(t *testing.T, _ *running, p *tab) {
	p.patience = 2 * patience // after a code the next look is half a minute away
	_, twice, late := rent(p)
	twice.does("Twice", "first 1111")
	late.does("Late", "late 2222")
	twice.message("🔐 1111")
	late.message("the time is up, and no code came")
	late.message("🔐 2222")
	twice.is("code_received", "code ")
	second := until[string](p, "the second code", `words(document.querySelector(`+js(twice.room)+`)).match(/code (\d{6})/)?.[1]`)
	twice.message("🔐 " + second)
	if n := read[int](p, `messages(`+js(twice.id)+`).filter((m) => words(m).includes('🔐 ')).length`); n != 3 {
		t.Errorf("%d messages with codes, want 3", n)
	}
}

// never keeps the code of one number away while that of the other comes.
func never(t *testing.T, demo *running, p *tab) {
	_, silent, other := rent(p)
	silent.is("active", "A code comes by itself at")
	silent.does("Never", "")
	silent.is("active", "No code comes by itself")
	if silent.may("Never") || !other.may("Never") {
		t.Error("Never can be used twice, or not for the other number")
	}
	other.message("🔐 ") // was rented together with the silent one
	silent.is("active", "No code comes by itself")
	silent.taps(silent.message("waiting for the code"), "🔄 Check now")
	p.toast("No code yet")
	if n := read[int](p, `messages(`+js(silent.id)+`).filter((m) => words(m).includes('🔐 ')).length`); n != 1 {
		t.Errorf("%d codes came, want that of the other number", n)
	}

	// The section has opened by itself; who closes it is left alone.
	p.click("Rented numbers", `document.querySelector('#rented summary')`)
	if status, said := demo.post("/number", `{"number":23501,"do":"expire"}`); status != http.StatusNoContent {
		t.Fatalf("expire: %d %s", status, said)
	}
	until[bool](p, "the number to expire", `document.querySelector(`+js(silent.room)+`).dataset.status === 'expired'`)
	if read[bool](p, `document.querySelector('#rented').open`) {
		t.Error("a section that a person has closed is open again")
	}
}
