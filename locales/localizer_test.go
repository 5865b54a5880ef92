package locales

import (
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
)

const sample = `
plain_words = "Just words"
hello_name = "<b>Hello, {{.Name}}</b> & {{.Name}}"
hello_place = "{{.Greeting}} in {{.Place}}"
things_left.one = "{{.Count}} thing for {{.Name}}"
things_left.other = "{{.Count}} things for {{.Name}}"
only_english = "English {{.Name}}"
english_count.one = "one"
english_count.other = "{{.Count}}"
`

func TestMessagesOfLocalizer(t *testing.T) {
	b := mustLoadText(t, map[string]string{"en": sample, "ru": `
plain_words = "Просто слова"
things_left.one = "{{.Count}} вещь"
things_left.few = "{{.Count}} вещи"
things_left.many = "{{.Count}} вещей"
things_left.other = "{{.Count}} вещи"
`})
	en, ru := b.Localizer("en"), b.Localizer("ru")
	for _, tt := range []struct{ name, got, want string }{
		{"no arguments", en.T("plain_words"), "Just words"},
		{"escaped", en.T("hello_name", Args{"Name": `<i>"A&B"</i>'`}), `<b>Hello, &lt;i&gt;&quot;A&amp;B&quot;&lt;/i&gt;'</b> & &lt;i&gt;&quot;A&amp;B&quot;&lt;/i&gt;'`},
		{"escaped text is escaped again", en.T("hello_place", Args{"Greeting": "&amp;", "Place": ""}), "&amp;amp; in "},
		{"markup", en.T("hello_place", Args{"Greeting": HTML("<b>Hi</b>"), "Place": "<p>"}), "<b>Hi</b> in &lt;p&gt;"},
		{"template code in an argument", en.T("hello_place", Args{"Greeting": "{{.Place}}", "Place": "x"}), "{{.Place}} in x"},
		{"last Args has priority", en.T("hello_place", Args{"Greeting": "a", "Place": "b"}, Args{"Place": "c"}), "a in c"},
		{"numbers", en.T("hello_place", Args{"Greeting": 1234, "Place": int64(-5678)}), "1,234 in -5,678"},
		{"other types", en.T("hello_place", Args{"Greeting": true, "Place": fmt.Errorf("<x>")}), "true in &lt;x&gt;"},
		{"argument missing", en.T("hello_place", Args{"Place": "x"}), "{{.Greeting}} in x"},
		{"no Args, nil Args", en.T("hello_place", nil), "{{.Greeting}} in {{.Place}}"},
		{"label", en.Label("hello_place", Args{"Greeting": "A & B", "Place": `<"x">`}), `A & B in <"x">`},
		{"label of a missing message", en.Label("no_such<b>"), "no_such<b>"},
		{"missing message", en.T("no_such<b>"), "no_such&lt;b&gt;"},
		{"missing plural", en.N("no_such", 2), "no_such"},
		{"missing plural label", en.LabelN("no_such", 2), "no_such"},
		{"one", en.N("things_left", 1, Args{"Name": "<x>"}), "1 thing for &lt;x&gt;"},
		{"other", en.N("things_left", 1000, Args{"Name": "x"}), "1,000 things for x"},
		{"negative", en.N("things_left", -5000, Args{"Name": "x"}), "-5,000 things for x"},
		{"plural label", en.LabelN("things_left", 0, Args{"Name": "<x>"}), "0 things for <x>"},
		{"N of a message without forms", en.N("plain_words", 1), "Just words"},
		{"T of a message with forms", en.T("things_left", Args{"Count": "2", "Name": "x"}), "2 things for x"},
		{"own text", ru.T("plain_words"), "Просто слова"},
		{"ru one", ru.N("things_left", 21), "21 вещь"},
		{"ru few", ru.N("things_left", 3), "3 вещи"},
		{"ru many", ru.N("things_left", 11), "11 вещей"},
		{"English for a missing message", ru.T("only_english", Args{"Name": "x"}), "English x"},
		{"English plural rules for an English message", ru.N("english_count", 21), "21"},
		{"missing in both", ru.T("no_such"), "no_such"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, tt.got, tt.want)
		}
	}
	for id, want := range map[string]bool{"plain_words": true, "only_english": true, "no_such": false, "": false} {
		if ru.Has(id) != want {
			t.Errorf("Has(%q) = %v", id, !want)
		}
	}
}

func TestPluralDoesNotModifyArgumentsOfCaller(t *testing.T) {
	b := mustLoadText(t, map[string]string{"en": sample})
	args := make([]Args, 1, 4)
	args[0] = Args{"Name": "x"}
	b.Localizer("en").N("things_left", 3, args...)
	if diff := cmp.Diff([]Args{{"Name": "x"}, nil, nil, nil}, args[:4]); diff != "" {
		t.Errorf("N modified the arguments of its caller: %s", diff)
	}
}

// BenchmarkScreen renders the texts of a full screen: 15 messages with arguments,
// a plural, prices and a time.
func BenchmarkScreen(b *testing.B) {
	bundle, err := load(fstest.MapFS{"en.toml": {Data: []byte(sample + "\n" + english(b))}})
	if err != nil {
		b.Fatal(err)
	}
	l := bundle.Localizer("en")
	price, now := decimal.RequireFromString("12.5"), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		for range 6 {
			l.T("hello_place", Args{"Greeting": l.Money(price, "USD"), "Place": "Gmail <USA>"})
			l.Label("plain_words")
		}
		l.T("hello_name", Args{"Name": l.Clock(now.Add(time.Hour), now)})
		l.N("things_left", 1234, Args{"Name": "x"})
		l.Label("plain_words")
	}
}

func english(tb testing.TB) string {
	tb.Helper()
	content, err := files.ReadFile("en.toml")
	if err != nil {
		tb.Fatal(err)
	}
	return string(content)
}
