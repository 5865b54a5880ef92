package handlers

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"hstockbot/bot"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/locales"
)

// formatted returns the parts of a message that are formatted, each with its kind and link.
func formatted(t *testing.T, html string) (kinds, texts []string) {
	t.Helper()
	text, entities, err := telegram.ParseHTML(html)
	if err != nil {
		t.Fatalf("Telegram refuses %q: %v", html, err)
	}
	units := utf16.Encode([]rune(text))
	if n := bot.Length(html); n < len(units) {
		t.Errorf("%q has %d units, counted %d", html, len(units), n)
	}
	for _, e := range entities {
		kinds, texts = append(kinds, e.Type+" "+e.URL), append(texts, string(utf16.Decode(units[e.Offset:e.Offset+e.Length])))
	}
	return kinds, texts
}

// FuzzHTML: a name and a description are text, whatever they are, also in a greeting that an
// admin has formatted.
func FuzzHTML(f *testing.F) {
	l := english(f)
	for greeting, name := range map[string]string{
		"Hi {name}!":        "<b>",
		"<b>{name}</b> {na": "me}",
		`<a href="https://example.com/{name}?a=1&amp;b">{name}</a>`:                                          `"><i>`,
		"<a href='https://example.com/>{name}'>{name}</a> &lt;{name}&gt; \"{name}":                           "'>&lt;",
		"<blockquote expandable>{name}</blockquote><pre><code class=\"language-{name}\">{name}</code></pre>": "</blockquote>\n",
		"<tg-spoiler>{name}</tg-spoiler><span class=\"tg-spoiler\">x</span>":                                 "\u202e😀",
		"{name}": "{name}",
	} {
		f.Add(greeting, name, "mail & <box>\n</b>")
	}
	f.Add("", "", strings.Repeat("</blockquote>\n", 12))
	f.Add("", "", strings.Repeat("&lt;😀 ", 600))
	f.Fuzz(func(t *testing.T, greeting, name, description string) {
		if !utf8.ValidString(greeting + name + description) {
			return // all of it comes in JSON, and then decoding has replaced what is not UTF-8
		}
		name = "x" + locales.Shorten(name, nameLength-1)
		if bot.CheckMarkup(greeting) == nil {
			want, _ := formatted(t, greeting)
			if got, _ := formatted(t, withName(greeting, name)); !slices.Equal(got, want) {
				t.Errorf("%q with the name %q is formatted as %q, want %q", greeting, name, got, want)
			}
		}
		text := withDescription("<b>"+locales.Escape(title(l, name))+"</b>", description, "\n\n"+string(code(l, name)))
		if n := bot.Length(text); n > bot.MaxText {
			t.Errorf("%d units", n)
		}
		kinds, texts := formatted(t, text)
		want := []string{"bold ", "code "}
		if len(kinds) == 3 {
			want = slices.Insert(want, 1, kinds[1])
		}
		if !slices.Equal(kinds, want) || len(kinds) == 3 && kinds[1] != "expandable_blockquote " {
			t.Fatalf("%q is formatted as %q", text, kinds)
		}
		if copied := texts[len(texts)-1]; !strings.Contains(texts[0], copied) {
			t.Errorf("%q is copied as %q", texts[0], copied)
		}
	})
}
