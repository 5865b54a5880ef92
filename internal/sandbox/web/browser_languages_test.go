package web

import (
	"path/filepath"
	"testing"

	"github.com/BurntSushi/toml"
)

// botSays is a message of the bot's in a language, as its file has it: the page shows
// what the bot says, and knows no word of it.
func botSays(t *testing.T, lang, id string) string {
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

// inLanguages is the page with scripts that need more than Latin letters do: from
// the choice of the language to delivered goods. Lines run the way the language
// does, and nothing sticks out, on a phone and on a wide screen.
func inLanguages(t *testing.T, _ *running, p *tab) {
	anna := withKey(p)
	direction := map[string]string{"ar": "rtl", "ur": "rtl"}
	for _, lang := range []string{"ar", "ur", "hi", "bn-BD", "ja"} {
		words := func(id string) string { return botSays(t, lang, id) }
		want := direction[lang]
		if want == "" {
			want = "ltr"
		}
		anna.says("/language")
		anna.taps(words("language_name"))
		anna.taps(words("menu_button_catalog"))
		p.inDirection(anna, lang, want)
		anna.first()
		p.looks(lang + "-goods")
		anna.says("/start p_2")
		anna.sees("$1.25")
		p.inDirection(anna, lang, want)
		anna.taps("1", words("order_button_skip"), words("confirm_button_confirm"))
		until[bool](p, "the goods to arrive", `messages(`+js(anna.id)+`).filter((m) => !m.classList.contains('own')).at(-1).querySelector('code') !== null`)
		p.inDirection(anna, lang, want)
		p.looks(lang + "-delivered")
		anna.says("/menu")
		anna.taps(words("menu_button_help"))
		p.inDirection(anna, lang, want)
		p.looks(lang + "-help")
	}
}

// first taps the first button of the newest message, and waits for what it leads to.
func (one *person) first() {
	one.t.Helper()
	all := `chat(` + js(one.id) + `).querySelector('.messages').textContent`
	before := read[string](one.tab, all)
	one.click("the first button", `[...messages(`+js(one.id)+`).at(-1).querySelectorAll('button')].filter(shown)[0]`)
	until[bool](one.tab, "what the first button leads to", all+` !== `+js(before))
}

// inDirection looks whether the newest message's text begins on the side where the
// language does.
func (p *tab) inDirection(one *person, lang, want string) {
	p.t.Helper()
	got := until[string](p, "the newest message", `(() => {
		const text = messages(`+js(one.id)+`).filter((m) => !m.classList.contains('own')).at(-1)?.querySelector('.text');
		return text && getComputedStyle(text).direction;
	})()`)
	if got != want {
		p.t.Errorf("%s: the newest message runs %s, want %s:\n%s", lang, got, want, p.shown())
	}
}

// looks looks at the page on a phone and on a wide screen.
func (p *tab) looks(name string) {
	p.t.Helper()
	for _, look := range []struct {
		name  string
		width int64
	}{{"phone", 390}, {"wide", 1280}} {
		p.look(look.width, "light")
		p.settle()
		p.fits(look.width)
		p.picture("language-" + name + "-" + look.name + ".png")
	}
}
