package locales

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"hstockbot/internal/sandbox/telegram"
)

// nasty are arguments that would be markup, end it, or change what is around them.
var nasty = []string{
	"<b>", "</b>", "</code></blockquote>", `"><a href="https://x.example">`, `' href='tg://user?id=1`, "<a href=\"https://x.example\">x</a>", "<", ">", "&", `"`,
	"&lt;b&gt;", "&amp", "&#60;b&#62;", "{{.Name}}", "a\n<blockquote>b\n", "\n\n", "<pre>\n1\n</pre>", "<tg-time unix=\"1\" format=\"r\">x</tg-time>",
	"\u202eabc\u2066", "\u200f", "\u2068שלום\u2069 12", "نص\nabc", "😀👩‍👩‍👧", "e\u0301\u030a", "\x00\x1f", "a\r\n\tb", "\u2028", "\xff<\xfeb>", "", " ",
}

// message is one that has placeholders, in one language.
type message struct {
	l    *Localizer
	id   string
	text *text
}

// messagesWithArguments are those of all languages, in a fixed order.
func messagesWithArguments(tb testing.TB) []message {
	tb.Helper()
	bundle, err := Load()
	if err != nil {
		tb.Fatal(err)
	}
	var all []message
	for _, language := range bundle.Languages() {
		l := bundle.Localizer(language.Code)
		for id, text := range l.messages {
			if len(text.other.parts) > 1 {
				all = append(all, message{l, id, text})
			}
		}
	}
	slices.SortFunc(all, func(a, b message) int { return cmp.Or(cmp.Compare(a.l.code, b.l.code), cmp.Compare(a.id, b.id)) })
	return all
}

// with returns the message with data in all of its placeholders.
func (m message) with(count int64, data string) string {
	args := Args{}
	for _, part := range m.text.other.parts {
		args[part.name] = data
	}
	if m.text.plurals != nil {
		return m.l.N(m.id, count, args)
	}
	return m.l.T(m.id, args)
}

// check compares the message that has data in its placeholders with the one that has a private
// character there. As Telegram reads them they differ in nothing else: data begins and ends no
// tag, and people see it unchanged, but for the characters that Telegram takes out of any text.
func (m message) check(t *testing.T, count int64, data string) {
	t.Helper()
	data = strings.ToValidUTF8(data, "\ufffd") // as decoding does with JSON, in which all of it comes
	const private = "\ue000"
	seen := read(t, strings.NewReplacer("&", "&#38;", "<", "&#60;").Replace(data)).text
	want := read(t, m.with(count, private)).replace(private, seen)
	html := m.with(count, data)
	got := read(t, html)
	if seen == "" { // then Telegram drops the entities around it
		got.parts, want.parts = nil, nil
	}
	if got.text != want.text || !slices.Equal(got.parts, want.parts) {
		t.Errorf("%s %s: %q is shown as %+v, want %+v", m.l.code, m.id, html, got, want)
	}
	marked := read(t, m.l.MarkLines(html))
	if seen == "" {
		marked.parts = nil
	}
	if got, marked := got.withoutMarks(), marked.withoutMarks(); got.text != marked.text || !slices.Equal(got.parts, marked.parts) {
		t.Errorf("%s %s: with marks %q is shown as %+v, want %+v", m.l.code, m.id, html, marked, got)
	}
}

// reading is what Telegram reads in a message.
type reading struct {
	text  string
	parts []part // with the type and the link of an entity, and what it formats
}

func read(t *testing.T, html string) reading {
	t.Helper()
	text, entities, err := telegram.ParseHTML(html)
	if err != nil {
		t.Fatalf("Telegram refuses %q: %v", html, err)
	}
	r := reading{text: text}
	units := utf16.Encode([]rune(text))
	for _, e := range entities {
		r.parts = append(r.parts, part{name: e.Type + " " + e.URL, literal: string(utf16.Decode(units[e.Offset : e.Offset+e.Length]))})
	}
	return r
}

func (r reading) replace(old, with string) reading {
	r.text, r.parts = strings.ReplaceAll(r.text, old, with), slices.Clone(r.parts)
	for i := range r.parts {
		r.parts[i].literal = strings.ReplaceAll(r.parts[i].literal, old, with)
	}
	return r
}

// withoutMarks takes out what MarkLines may add: nothing in what people copy.
func (r reading) withoutMarks() reading {
	without := r.replace(rightToLeftMark, "")
	for i, p := range r.parts {
		if p.name == "code " || p.name == "pre " {
			without.parts[i] = p
		}
	}
	return without
}

func TestArgumentsStayText(t *testing.T) {
	for _, m := range messagesWithArguments(t) {
		m.check(t, 2, "</b>\n<i>&lt;نص")
	}
}

// FuzzHTML puts any text into any message of any language (message.check).
func FuzzHTML(f *testing.F) {
	all := messagesWithArguments(f)
	for i, data := range nasty {
		f.Add(uint16(i*len(all)/len(nasty)), int64(i), data)
	}
	f.Fuzz(func(t *testing.T, i uint16, count int64, data string) {
		all[int(i)%len(all)].check(t, count, data)
	})
}
