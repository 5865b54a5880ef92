package web

import (
	"path/filepath"
	"testing"

	"github.com/BurntSushi/toml"
)

// botMessage returns a message of the bot from its language file. The page itself
// contains no text of the bot.
func botMessage(t *testing.T, lang, id string) string {
	t.Helper()
	var messages map[string]any
	if _, err := toml.DecodeFile(filepath.Join("..", "..", "..", "locales", lang+".toml"), &messages); err != nil {
		t.Fatal(err)
	}
	text, ok := messages[id].(string)
	if !ok {
		t.Fatalf("%s.toml has no message %s", lang, id)
	}
	return text
}

// checkLanguages tests scripts that need more than Latin letters do, from the choice
// of the language to the delivery: the direction of the text, and that everything
// fits on a phone and on a wide screen.
func checkLanguages(t *testing.T, _ *testDemo, p *tab) {
	anna := openWithKey(p)
	confirm := "confirm_button_confirm"
	for _, lang := range []struct{ code, direction string }{
		{"ar", "rtl"}, {"ur", "rtl"}, {"hi", "ltr"}, {"bn-BD", "ltr"}, {"ja", "ltr"}, {"ru", "ltr"},
	} {
		message := func(id string) string { return botMessage(t, lang.code, id) }
		anna.send("/language")
		anna.tapAll(message("language_name"))
		anna.tapAll(message("menu_button_catalog"))
		anna.checkDirection(lang.code, lang.direction)
		anna.tapFirst()
		p.checkLayout(lang.code + "-goods")
		anna.send("/start p_2")
		anna.awaitMessage("$1.25")
		anna.checkDirection(lang.code, lang.direction)
		anna.tapAll("1", message("order_button_skip"), message(confirm))
		confirm = "confirm_button_anyway" // the same within two minutes
		waitFor[bool](p, "the delivery", `messages(`+js(anna.id)+`).filter((m) => !m.classList.contains('own')).at(-1).querySelector('code') !== null`)
		anna.checkDirection(lang.code, lang.direction)
		p.checkLayout(lang.code + "-delivered")
		anna.send("/sms")
		anna.tapFirst()
		anna.checkDirection(lang.code, lang.direction)
		p.checkLayout(lang.code + "-numbers")
		anna.send("/menu")
		anna.tapAll(message("menu_button_help"))
		anna.checkDirection(lang.code, lang.direction)
		p.checkLayout(lang.code + "-help")
	}
}

// tapFirst taps the first button of the newest message, and waits for the result.
func (u *user) tapFirst() {
	u.t.Helper()
	u.tapAndWait("the first button", `[...messages(`+js(u.id)+`).at(-1).querySelectorAll('button')].filter(shown)[0]`)
}

// checkDirection checks the direction of the text of the bot's newest message.
func (u *user) checkDirection(lang, want string) {
	u.t.Helper()
	got := waitFor[string](u.tab, "the newest message", `(() => {
		const text = messages(`+js(u.id)+`).filter((m) => !m.classList.contains('own')).at(-1)?.querySelector('.text');
		return text && getComputedStyle(text).direction;
	})()`)
	if got != want {
		u.t.Errorf("%s: the direction of the newest message is %s, want %s:\n%s", lang, got, want, u.chats())
	}
}

// checkLayout checks that the page fits on a phone and on a wide screen.
func (p *tab) checkLayout(name string) {
	p.t.Helper()
	for _, screen := range []struct {
		name  string
		width int64
	}{{"phone", 360}, {"wide", 1280}} {
		p.setViewport(screen.width, "light")
		p.settle()
		p.checkWidth(screen.width)
		p.screenshot("language-" + name + "-" + screen.name + ".png")
	}
}
