package telegram

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestParseHTML(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		text string
		want []Entity
	}{
		{"plain", "plain", nil},
		{"<b>a</b><strong>b</strong>", "ab", []Entity{{Type: "bold", Length: 1}, {Type: "bold", Offset: 1, Length: 1}}},
		{"<i>a</i><em>b</em>", "ab", []Entity{{Type: "italic", Length: 1}, {Type: "italic", Offset: 1, Length: 1}}},
		{"<u>a</u><ins>b</ins>", "ab", []Entity{{Type: "underline", Length: 1}, {Type: "underline", Offset: 1, Length: 1}}},
		{"<s>a</s><strike>b</strike><del>c</del>", "abc", []Entity{{Type: "strikethrough", Length: 1}, {Type: "strikethrough", Offset: 1, Length: 1}, {Type: "strikethrough", Offset: 2, Length: 1}}},
		{`<tg-spoiler>a</tg-spoiler><span class="tg-spoiler">b</span>`, "ab", []Entity{{Type: "spoiler", Length: 1}, {Type: "spoiler", Offset: 1, Length: 1}}},
		{"<b>bold <i>both</i></b>", "bold both", []Entity{{Type: "bold", Length: 9}, {Type: "italic", Offset: 5, Length: 4}}},
		{"<B>upper</b >", "upper", []Entity{{Type: "bold", Length: 5}}},
		{"<b>any</>", "any", []Entity{{Type: "bold", Length: 3}}},
		{"😀<b>😀</b>é<code>x</code>", "😀😀éx", []Entity{{Type: "bold", Offset: 2, Length: 2}, {Type: "code", Offset: 5, Length: 1}}},
		{"&lt;b&gt; &amp; &quot; &#65;&#x1F600;&#x1f600; &nbsp; &apos; &amp;lt; & &#0; &lt", "<b> & \" A😀😀 &nbsp; &apos; &lt; & &#0; <", nil},
		{`<a href="https://a.example/?x=1&amp;y=2">link</a>`, "link", []Entity{{Type: "text_link", Length: 4, URL: "https://a.example/?x=1&y=2"}}},
		{`<a href='https://a.example'>link</a>`, "link", []Entity{{Type: "text_link", Length: 4, URL: "https://a.example/"}}},
		{`<a href=a.example>link</a>`, "link", []Entity{{Type: "text_link", Length: 4, URL: "http://a.example/"}}},
		{`<a>a.example</a>`, "a.example", []Entity{{Type: "text_link", Length: 9, URL: "http://a.example/"}}},
		{`<a href="tg://user?id=5">me</a>`, "me", []Entity{{Type: "text_link", Length: 2, URL: "tg://user?id=5"}}},
		{`<a href="nowhere">link</a>`, "link", nil},
		{`<a href="javascript:alert(1)">link</a>`, "link", nil},
		{"<b></b>x", "x", nil},
		{"<code>a <b>b</b></code>", "a b", []Entity{{Type: "code", Length: 3}}},
		{`<code class="language-go">a</code>`, "a", []Entity{{Type: "code", Length: 1}}},
		{"<pre>a\nb</pre>", "a\nb", []Entity{{Type: "pre", Length: 3}}},
		{`<pre><code class="language-go">a</code></pre>`, "a", []Entity{{Type: "pre", Length: 1, Language: "go"}}},
		{"<blockquote>a</blockquote><blockquote expandable>b</blockquote>", "ab", []Entity{{Type: "blockquote", Length: 1}, {Type: "expandable_blockquote", Offset: 1, Length: 1}}},
		{"<blockquote>a<blockquote>b</blockquote></blockquote>", "ab", []Entity{{Type: "blockquote", Length: 2}}},
		{`<tg-emoji emoji-id="5368324170671202286">👍</tg-emoji>`, "👍", []Entity{{Type: "custom_emoji", Length: 2, CustomEmojiID: "5368324170671202286"}}},
		{`<tg-time unix="1647531900" format="wDT">then</tg-time>`, "then", []Entity{{Type: "date_time", Length: 4, UnixTime: 1647531900, DateTimeFormat: "wDT"}}},
		{`<tg-time unix="5" format="r">a</tg-time><tg-time unix="5">b</tg-time>`, "ab", []Entity{{Type: "date_time", Length: 1, UnixTime: 5, DateTimeFormat: "r"}, {Type: "date_time", Offset: 1, Length: 1, UnixTime: 5}}},
	} {
		text, got, err := parseHTML(c.in)
		if err != nil || text != c.text {
			t.Errorf("%s: got %q, %v, want %q", c.in, text, err, c.text)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: entities (-want +got)\n%s", c.in, diff)
		}
	}
}

func TestParseHTMLErrors(t *testing.T) {
	t.Parallel()
	const invalidUnix = `Tag "tg-time" must have a valid attribute "unix" (strict: Telegram shows plain text) at byte offset `
	for in, want := range map[string]string{
		"a <b>b":                      `Can't find end tag corresponding to start tag "b"`,
		"a <b>b<i>c</i>":              `Can't find end tag corresponding to start tag "b"`,
		"é <foo>":                     `Unsupported start tag "foo" at byte offset 3`,
		"1 < 2 > 3":                   `Unsupported start tag "" at byte offset 2`,
		"a<br/>b":                     `Unsupported start tag "br/" at byte offset 1`,
		"<p>x</p>":                    `Unsupported start tag "p" at byte offset 0`,
		"1 <2":                        "Unclosed start tag at byte offset 2",
		"a</b>":                       "Unexpected end tag at byte offset 1",
		"<b>a</i>":                    `Unmatched end tag at byte offset 4, expected "</b>", found "</i>"`,
		"<b><i>a</b></i>":             `Unmatched end tag at byte offset 7, expected "</i>", found "</b>"`,
		"<b>a</b":                     "Unclosed end tag at byte offset 4",
		"<b":                          "Unclosed start tag at byte offset 0",
		"<a href>x</a>":               `Expected equal sign in declaration of an attribute of the tag "a" at byte offset 0`,
		"<a ='x'>x</a>":               `Empty attribute name in the tag "a" at byte offset 0`,
		`<a href="x`:                  "Unclosed start tag at byte offset 0",
		`<a href=`:                    `Unclosed start tag "a" at byte offset 0`,
		`<a href=a_b>x</a>`:           "Unexpected end of name token at byte offset 8",
		"<span>x</span>":              `Tag "span" must have class "tg-spoiler" at byte offset 0`,
		"<tg-emoji>x</tg-emoji>":      "Invalid custom emoji identifier specified",
		"<tg-time unix=x>y</tg-time>": invalidUnix + "17",
		"<tg-time>y</tg-time>":        invalidUnix + "10",
		"<tg-time unix=0>y</tg-time>": invalidUnix + "17",
		`<tg-time unix="3822122018" format="t">y</tg-time>`:  invalidUnix + "39",
		`<tg-time unix="1647531900" format="x">y</tg-time>`:  "Invalid date format used",
		`<tg-time unix="1647531900" format="rt">y</tg-time>`: "Invalid date format used",
		`<tg-time unix="1647531900" format="td">y</tg-time>`: "Invalid date format used",
		`<tg-time unix="1647531900" format="Tt">y</tg-time>`: "Invalid date format used",
	} {
		if _, _, err := parseHTML(in); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", in, err, want)
		}
	}
}

// FuzzParseHTML checks that any input gives valid UTF-8, and entities that are sorted,
// lie within the text and do not cut a character in two.
func FuzzParseHTML(f *testing.F) {
	for _, seed := range []string{
		"<b>a</b>", "😀<i>😀</i>", "<a href='x", "&#x;&#1114112;&am", "<pre><code class=language-x>é</code></pre>",
		"<blockquote expandable>a</blockquote>", "</", "<", "<b <", "<tg-time unix='5'> x</tg-time>", "\xff<b>\xfe</b>", "/a @bcd #e f@g.h https://i.j",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		text, entities, err := ParseHTML(in)
		if err != nil {
			return
		}
		check := func(step string) {
			t.Helper()
			if !utf8.ValidString(text) {
				t.Fatalf("%s: %q is not UTF-8", step, text)
			}
			all := utf16.Encode([]rune(text))
			if len(all) != utf16Len(text) {
				t.Fatalf("%s: %d units, counted %d", step, len(all), utf16Len(text))
			}
			last := 0
			for _, e := range entities {
				end := e.Offset + e.Length
				if e.Offset < last || e.Length <= 0 || end > len(all) {
					t.Fatalf("%s: %+v in %q", step, e, text)
				}
				last = e.Offset
				for _, cut := range []int{e.Offset, end} {
					if cut < len(all) && utf16.IsSurrogate(rune(all[cut])) && all[cut] >= 0xdc00 {
						t.Fatalf("%s: %+v cuts a character of %q", step, e, text)
					}
				}
			}
			renderMarkup(text, entities)
		}
		check("parsed")
		text, entities = trim(text, entities)
		check("trimmed")
		entities = detectEntities(text, entities)
		check("detected")
	})
}

func TestDetectEntities(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/start":                        "bot_command /start",
		"/start@shop_bot p_5":           "bot_command /start@shop_bot",
		"😀 /start":                      "bot_command /start",
		"a/b /c/d and 1/2":              "",
		"see https://a.example/x, ok":   "url https://a.example/x",
		"mail me@a.example.":            "email me@a.example",
		"@ann_b #new no":                "mention @ann_b, hashtag #new",
		"a@b, c:d@e.f":                  "",
		"line\n/second\n\n  /third end": "bot_command /second, bot_command /third",
		"/":                             "",
	} {
		var got []string
		for _, e := range detectEntities(in, nil) {
			got = append(got, e.Type+" "+utf16Slice(in, e.Offset, e.Length))
		}
		if joined := strings.Join(got, ", "); joined != want {
			t.Errorf("%q: got %q, want %q", in, joined, want)
		}
	}
	inCode := []Entity{{Type: "code", Length: 6}}
	if got := detectEntities("/start", inCode); len(got) != 1 {
		t.Errorf("detected a command in code: %v", got)
	}
}

func TestCleanAndTrim(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		" \n a\r\nb\tc \n":                  "a\nb c",
		"a\u202eb\u2066c\u2069":             "ab\u2066c\u2069",
		"\x00\x1f":                          "",
		"a\xffb":                            "a\ufffdb",
		"pass\u00a0word\u200e  two  spaces": "pass\u00a0word\u200e  two  spaces",
	} {
		if got, _ := trim(cleanText(in), nil); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	text, entities := trim("  <ab>  ", []Entity{{Type: "bold", Offset: 1, Length: 7}, {Type: "code", Offset: 6, Length: 2}})
	if want := []Entity{{Type: "bold", Length: 5}}; text != " <ab>" || !cmp.Equal(entities, want) {
		t.Errorf("got %q %v", text, entities)
	}
}

// A time far ahead is refused as by Telegram, and <tg-time> by a server that is too old.
func TestRefusedTimes(t *testing.T) {
	t.Parallel()
	tag := func(at time.Time) string {
		return fmt.Sprintf(`at <tg-time unix="%d" format="t">noon</tg-time>`, at.Unix())
	}
	far, soon := tag(time.Now().AddDate(3, 0, 1)), tag(time.Now().AddDate(2, 0, 0))
	for _, c := range []struct {
		old        bool
		text, want string
	}{
		{false, soon, ""},
		{false, far, "Bad Request: ENTITY_DATE_INVALID"},
		{true, soon, `Bad Request: can't parse entities: Unsupported start tag "tg-time" at byte offset 3`},
		{true, "at noon", ""},
	} {
		s, _ := withText(t, Options{NoLocalTimes: c.old})
		text := params{"chat_id": annID, "text": c.text, "parse_mode": "HTML"}
		sent := call(t, s, "sendMessage", text)
		text["message_id"], text["text"] = 1, c.text+" sharp"
		edited := call(t, s, "editMessageText", text)
		if sent.Description != c.want || edited.Description != c.want {
			t.Errorf("old %v, %s: %q and %q, want %q", c.old, c.text, sent.Description, edited.Description, c.want)
		}
	}
}
