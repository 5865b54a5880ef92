package locales

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

// loadText loads message files given as text, by language.
func loadText(t *testing.T, files map[string]string) (*Bundle, error) {
	t.Helper()
	fsys := fstest.MapFS{}
	for code, content := range files {
		fsys[code+".toml"] = &fstest.MapFile{Data: []byte(content)}
	}
	return load(fsys)
}

func mustLoadText(t *testing.T, files map[string]string) *Bundle {
	t.Helper()
	b, err := loadText(t, files)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// loadAll is a bundle in which every language has a file, with its name only.
func loadAll(t *testing.T) *Bundle {
	t.Helper()
	files := map[string]string{}
	for _, code := range codes {
		files[code] = fmt.Sprintf("language_name = %q", "name of "+code)
	}
	return mustLoadText(t, files)
}

func TestLoadRefuses(t *testing.T) {
	const english = `a_b = "words"`
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"no English", map[string]string{"zh": english}, "en.toml is missing"},
		{"unknown language", map[string]string{"en": english, "eo": english}, "eo.toml"},
		{"other spelling", map[string]string{"en": english, "pt-br": english}, "pt-br.toml"},
		{"bad TOML", map[string]string{"en": `a_b = `}, "en.toml"},
		{"key twice", map[string]string{"en": english + "\n" + english}, "en.toml"},
		{"no other", map[string]string{"en": `a_b.one = "words"`}, "a_b"},
		{"unclosed placeholder", map[string]string{"en": `a_b = "{{.Name"`}, "a_b"},
		{"template code", map[string]string{"en": `a_b = "{{if .X}}y{{end}}"`}, "a_b"},
		{"bad placeholder in a form", map[string]string{"en": "a_b.one = \"{{x}}\"\na_b.other = \"x\""}, "a_b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := loadText(t, tt.files)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one that names %q", err, tt.want)
			}
		})
	}
}

func TestLanguages(t *testing.T) {
	b := mustLoadText(t, map[string]string{"zh": `language_name = "中文"`, "pt-BR": `language_name = "Português (Brasil)"`, "en": `language_name = "English"`})
	want := []Language{{"en", "English"}, {"zh", "中文"}, {"pt-BR", "Português (Brasil)"}}
	if diff := cmp.Diff(want, b.Languages()); diff != "" {
		t.Error(diff)
	}
	for _, language := range want {
		if got := b.Localizer(language.Code); got.Lang() != language.Code || got != b.Localizer(language.Code) {
			t.Errorf("Localizer(%q): got %q, or a new one each time", language.Code, got.Lang())
		}
	}
	for _, code := range []string{"", "fr", "xx", "PT-br"} {
		if got := b.Localizer(code).Lang(); got != English {
			t.Errorf("Localizer(%q).Lang() = %q, want English", code, got)
		}
	}
}

func TestMatch(t *testing.T) {
	all := loadAll(t)
	few := mustLoadText(t, map[string]string{"en": `language_name = "English"`, "zh": `language_name = "中文"`})
	for _, tt := range []struct {
		bundle               *Bundle
		code, fallback, want string
	}{
		{all, "en", "zh", "en"},
		{all, "en-GB", "zh", "en"},
		{all, "zh", "en", "zh"},
		{all, "zh-hans", "en", "zh"},
		{all, "zh-Hant", "en", "zh"},
		{all, "zh-HK", "en", "zh"},
		{all, "zh_hans_cn", "en", "zh"},
		{all, "cn", "en", "zh"},
		{all, "pt", "en", "pt"},
		{all, "pt-pt", "en", "pt"},
		{all, "pt-ao", "en", "pt"},
		{all, "pt-br", "en", "pt-BR"},
		{all, "pt_BR", "en", "pt-BR"},
		{all, "PT-BR", "en", "pt-BR"},
		{all, "bn", "en", "bn-BD"},
		{all, "bn-BD", "en", "bn-BD"},
		{all, "bn-in", "en", "bn-BD"},
		{all, "jp", "en", "ja"},
		{all, "jp-JP", "en", "ja"},
		{all, "es-419", "en", "es"},
		{all, "ur-PK", "en", "ur"},
		{all, " ru ", "en", "ru"},
		{all, "iw", "zh", "zh"},       // Hebrew, as it was once written
		{all, "in", "zh", "zh"},       // Indonesian likewise, not Hindi
		{all, "fre", "zh", "zh"},      // a longer code that begins like ours
		{all, "ar-", "en", "ar"},      // cut short
		{all, "-", "ko", "ko"},        // only a separator
		{all, "", "de", "de"},         // bots and old apps send none
		{all, "xx", "pt-br", "pt-BR"}, // an operator's spelling counts too
		{all, "xx", "yy", "en"},
		{all, "xx", "", "en"},
		{few, "pt-br", "zh", "zh"}, // no file, so the operator's choice
		{few, "zh-tw", "en", "zh"},
		{few, "fr", "de", "en"},
	} {
		if got := tt.bundle.Match(tt.code, tt.fallback); got != tt.want {
			t.Errorf("Match(%q, %q) = %q, want %q", tt.code, tt.fallback, got, tt.want)
		}
	}
	// Where the region has no file the language may have one.
	b := mustLoadText(t, map[string]string{"en": `language_name = "x"`, "pt": `language_name = "x"`})
	if got := b.Match("pt-br", "en"); got != "pt" {
		t.Errorf(`Match("pt-br") = %q without pt-BR, want "pt"`, got)
	}
}

func TestMatchStaysWithinLanguages(t *testing.T) {
	b, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		got := b.Match(rapid.String().Draw(t, "code"), rapid.String().Draw(t, "fallback"))
		if b.Localizer(got).Lang() != got {
			t.Fatalf("matched %q, which has no file", got)
		}
	})
}

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

func TestT(t *testing.T) {
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
		{"already escaped is escaped again", en.T("hello_place", Args{"Greeting": "&amp;", "Place": ""}), "&amp;amp; in "},
		{"markup", en.T("hello_place", Args{"Greeting": HTML("<b>Hi</b>"), "Place": "<p>"}), "<b>Hi</b> in &lt;p&gt;"},
		{"template code in an argument", en.T("hello_place", Args{"Greeting": "{{.Place}}", "Place": "x"}), "{{.Place}} in x"},
		{"several Args, the last wins", en.T("hello_place", Args{"Greeting": "a", "Place": "b"}, Args{"Place": "c"}), "a in c"},
		{"numbers", en.T("hello_place", Args{"Greeting": 1234, "Place": int64(-5678)}), "1,234 in -5,678"},
		{"others", en.T("hello_place", Args{"Greeting": true, "Place": fmt.Errorf("<x>")}), "true in &lt;x&gt;"},
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
		{"own words", ru.T("plain_words"), "Просто слова"},
		{"ru one", ru.N("things_left", 21), "21 вещь"},
		{"ru few", ru.N("things_left", 3), "3 вещи"},
		{"ru many", ru.N("things_left", 11), "11 вещей"},
		{"English instead", ru.T("only_english", Args{"Name": "x"}), "English x"},
		{"English plural by English rules", ru.N("english_count", 21), "21"},
		{"neither", ru.T("no_such"), "no_such"},
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

func TestPluralArgumentsOfCallerStay(t *testing.T) {
	b := mustLoadText(t, map[string]string{"en": sample})
	args := make([]Args, 1, 4)
	args[0] = Args{"Name": "x"}
	b.Localizer("en").N("things_left", 3, args...)
	if diff := cmp.Diff([]Args{{"Name": "x"}, nil, nil, nil}, args[:4]); diff != "" {
		t.Errorf("N wrote into its caller's arguments: %s", diff)
	}
}

func TestNumber(t *testing.T) {
	b := loadAll(t)
	for _, tt := range []struct {
		lang string
		n    int64
		want string
	}{
		{"en", 0, "0"},
		{"en", 999, "999"},
		{"en", 1000, "1,000"},
		{"en", -1234567, "-1,234,567"},
		{"en", -1 << 63, "-9,223,372,036,854,775,808"},
		{"de", 1234567, "1.234.567"},
		{"fr", 1234567, "1\u00a0234\u00a0567"},
		{"ru", 1234567, "1\u00a0234\u00a0567"},
		{"hi", 1234567, "12,34,567"},
		{"bn-BD", 1234567, "12,34,567"},
		{"ar", 1234567, "1,234,567"},
		{"zh", 1234567, "1,234,567"},
	} {
		if got := b.Localizer(tt.lang).Number(tt.n); got != tt.want {
			t.Errorf("%s: Number(%d) = %q, want %q", tt.lang, tt.n, got, tt.want)
		}
	}
}

func TestMoney(t *testing.T) {
	b := loadAll(t)
	for _, tt := range []struct{ lang, amount, currency, want string }{
		{"en", "25", "USD", "$25.00"},
		{"en", "25", "EUR", "25.00 EUR"},
		{"en", "25.5", "", "25.50"},
		{"en", "0", "USD", "$0.00"},
		{"en", "-0.00", "USD", "$0.00"},
		{"en", "0.0125", "USD", "$0.0125"},
		{"en", "0.012500", "USD", "$0.0125"},
		{"en", "1.200", "USD", "$1.20"},
		{"en", "-3.1", "USD", "-$3.10"},
		{"en", "-3.1", "EUR", "-3.10 EUR"},
		{"en", "1234567.891", "USD", "$1234567.891"},
		{"en", "1e3", "USD", "$1000.00"},
		{"en", "0.1234567890123456789012345", "USD", "$0.1234567890123456789012345"},
		{"de", "1234.5", "USD", "$1234.50"},
		{"zh", "25", "USDT", "25.00 USDT"},
		{"ar", "25", "USD", "\u2066$25.00\u2069"},
		{"ur", "25", "EUR", "\u206625.00 EUR\u2069"},
	} {
		if got := b.Localizer(tt.lang).Money(decimal.RequireFromString(tt.amount), tt.currency); got != tt.want {
			t.Errorf("%s: Money(%s, %q) = %q, want %q", tt.lang, tt.amount, tt.currency, got, tt.want)
		}
	}
}

func TestMoneyIsExact(t *testing.T) {
	l := loadAll(t).Localizer("fr")
	rapid.Check(t, func(t *rapid.T) {
		amount := decimal.New(rapid.Int64().Draw(t, "coefficient"), rapid.Int32Range(-20, 10).Draw(t, "exponent"))
		got := l.Money(amount, "EUR")
		digits, found := strings.CutSuffix(got, " EUR")
		back, err := decimal.NewFromString(digits)
		if !found || err != nil || !back.Equal(amount) {
			t.Fatalf("%s is written as %q", amount, got)
		}
		if _, decimals, _ := strings.Cut(digits, "."); len(decimals) < 2 {
			t.Fatalf("%q has fewer than two decimals", got)
		}
	})
}

func TestIsolate(t *testing.T) {
	b := loadAll(t)
	for _, code := range codes {
		want := "+1 555"
		if code == "ar" || code == "ur" {
			want = "\u2066+1 555\u2069"
		}
		if got := b.Localizer(code).Isolate("+1 555"); got != want {
			t.Errorf("%s: %q, want %q", code, got, want)
		}
		if got := b.Localizer(code).Isolate(""); got != "" {
			t.Errorf("%s: an isolate of nothing: %q", code, got)
		}
	}
}

func TestClock(t *testing.T) {
	b, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 24, 11, 51, 0, 0, time.UTC)
	tokyo := time.FixedZone("Tokyo", 9*3600)
	for _, tt := range []struct {
		lang string
		off  time.Duration
		want string
	}{
		{"en", 14 * time.Minute, "12:05 UTC (in 14 min)"},
		{"en", 14*time.Minute - time.Second, "12:04 UTC (in 14 min)"},
		{"en", -3 * time.Minute, "11:48 UTC (3 min ago)"},
		{"en", 0, "11:51 UTC (now)"},
		{"en", 29 * time.Second, "11:51 UTC (now)"},
		{"en", -time.Minute, "11:50 UTC (1 min ago)"},
		{"en", 119 * time.Minute, "13:50 UTC (in 119 min)"},
		{"en", 2 * time.Hour, "13:51 UTC (in 2 h)"},
		{"en", 12 * time.Hour, "23:51 UTC (in 12 h)"},
		{"en", 13 * time.Hour, "25 Nov, 00:51 UTC (in 13 h)"},
		{"en", -47 * time.Hour, "22 Nov, 12:51 UTC (47 h ago)"},
		{"en", -3 * 24 * time.Hour, "21 Nov, 11:51 UTC (3 days ago)"},
		{"en", 40 * 24 * time.Hour, "3 Jan 2027, 11:51 UTC (in 40 days)"},
		{"en", -365 * 24 * time.Hour, "24 Nov 2025, 11:51 UTC (365 days ago)"},
		{"zh", 14 * time.Minute, "12:05 UTC（14 分钟后）"},
		{"zh", -3 * 24 * time.Hour, "11月21日 11:51 UTC（3 天前）"},
		{"zh", 40 * 24 * time.Hour, "2027年1月3日 11:51 UTC（40 天后）"},
	} {
		if got := b.Localizer(tt.lang).Clock(now.Add(tt.off).In(tokyo), now.In(tokyo)); got != tt.want {
			t.Errorf("%s: %v from now: %q, want %q", tt.lang, tt.off, got, tt.want)
		}
	}
}

func TestClockIsolates(t *testing.T) {
	b := mustLoadText(t, map[string]string{"en": `language_name = "x"`, "ur": "clock_today = \"{{.Relative}} {{.Time}}\"\nclock_now = \"now\""})
	at := time.Date(2026, 1, 2, 12, 5, 0, 0, time.UTC)
	if got, want := b.Localizer("ur").Clock(at, at), "now \u206612:05 UTC\u2069"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// BenchmarkScreen draws what a full screen says: 15 messages with arguments, a
// plural, prices and a time.
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
