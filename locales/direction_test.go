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
