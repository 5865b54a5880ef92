package locales

import (
	"testing"
)

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
			t.Errorf("%s: the empty text became %q", code, got)
		}
	}
}

func TestNameIsolatesOtherDirection(t *testing.T) {
	b := loadAll(t)
	for _, test := range []struct{ code, name, want string }{
		{"en", "Gmail Account - USA", "Gmail Account - USA"},
		{"zh", "Gmail 账号", "Gmail 账号"},
		{"en", "", ""},
		{"en", "حساب جيميل", "\u2068حساب جيميل\u2069"},
		{"en", "stray \u202e mark", "\u2068stray \u202e mark\u2069"},
		{"ar", "Gmail Account - USA", "\u2068Gmail Account - USA\u2069"},
		{"ur", "حساب جيميل", "\u2068حساب جيميل\u2069"},
		{"ar", "", ""},
	} {
		if got := b.Localizer(test.code).Name(test.name); got != test.want {
			t.Errorf("%s: Name(%q) = %q, want %q", test.code, test.name, got, test.want)
		}
	}
}

func TestMarkLines(t *testing.T) {
	const (
		mark  = rightToLeftMark
		name  = firstStrongIsolate + "Netflix" + popIsolate
		price = leftToRightIsolate + "$5" + popIsolate
	)
	b := loadAll(t)
	for text, want := range map[string]string{
		"مرحبا " + name:           "مرحبا " + name,
		name + " مرحبا":           name + " مرحبا", // its first letter outside of the isolate
		"مرحبا\n🛍 " + name:        "مرحبا\n" + mark + "🛍 " + name,
		"💵 " + price:              mark + "💵 " + price,
		name + "\nمرحبا\n" + name: mark + name + "\nمرحبا\n" + mark + name,
		"":                        "",
		"مرحبا\n\nمرحبا":          "مرحبا\n\nمرحبا",
		"مرحبا\nHStockPlus لا يستجيب":              "مرحبا\n" + mark + "HStockPlus لا يستجيب",
		"مرحبا\n<b>" + name + "</b> × 5":           "مرحبا\n" + mark + "<b>" + name + "</b> × 5",
		"مرحبا\nA text of the seller’s":            "مرحبا\nA text of the seller’s",
		"مرحبا\n&lt;5&gt;":                         "مرحبا\n" + mark + "&lt;5&gt;",
		"مرحبا\n<pre>1\n2</pre>\n3":                "مرحبا\n<pre>1\n2</pre>\n" + mark + "3", // what is copied has no mark, and no line before it
		"مرحبا\n1 <code>2\n3</code> 4\n5":          "مرحبا\n" + mark + "1 <code>2\n3</code> 4\n" + mark + "5",
		"<blockquote expandable>5\n6</blockquote>": "<blockquote expandable>" + mark + "5\n" + mark + "6</blockquote>",
		"مرحبا\n" + mark + "🛍 " + name:             "مرحبا\n" + mark + "🛍 " + name,
		"مرحبا\n<tg-time unix=\"1\">5</tg-time>":   "مرحبا\n" + mark + "<tg-time unix=\"1\">5</tg-time>",
	} {
		for _, code := range []string{"ar", "ur"} {
			if got := b.Localizer(code).MarkLines(text); got != want {
				t.Errorf("%s: %q becomes %q, want %q", code, text, got, want)
			}
		}
		if got := b.Localizer("en").MarkLines(text); got != text {
			t.Errorf("English: %q becomes %q", text, got)
		}
	}
}
