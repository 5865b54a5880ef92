package handlers

import (
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

func TestParseAmount(t *testing.T) {
	for text, want := range map[string]int64{
		"5": 5, " 12 ": 12, "1000": 1000, "1 000": 1000, "1,000": 1000, "1.000.000": 1000000, "1’000": 1000,
		"０１２": 12, "٣": 3, "۱۲": 12, "१२३": 123, "১০": 10, "0": 0, "007": 7, "1\u00a0000": 1000,
		"1\u202f000": 1000, "1,50,000": 150000, "12,34,567": 1234567, "\u200f733": 733, "\u20661,000\u2069": 1000,
	} {
		if got, ok := parseAmount(text); !ok || got != want {
			t.Errorf("parseAmount(%q) = %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", " ", "many", "1.5", "1,5", "-3", "+3", "1e3", "0x10", "5 pcs", "1 00", "1000,000", "123,45,678", "10,25,10", "5 10 100", "1.50,000", "1.50.000", "1,00,00", "1,000,00", "1,00,000,000", ",5", "5,", "1..000",
		"9999999999999999999", "5\n6", "½", "Ⅳ", "💥",
	} {
		if got, ok := parseAmount(text); ok {
			t.Errorf("parseAmount(%q) = %d, want none", text, got)
		}
	}
}

func FuzzParseAmount(f *testing.F) {
	for _, seed := range []string{"5", "1,000", "٣", "１", "𝟙", "", "1.5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, ok := parseAmount(text); ok && n < 0 {
			t.Errorf("parseAmount(%q) = %d", text, n)
		}
	})
}

func TestParsePrice(t *testing.T) {
	for text, want := range map[string]string{
		"1": "1", "US$1.50": "1.50", "\u2066$2.50\u2069": "2.50", "0.5": "0.5", ".5": "0.5", "5.": "5", "0,0125": "0.0125", " $1.50 ": "1.50", "1,50 €": "1.50", "１．２５": "1.25", "¥３，５": "3.5",
		"٣٫٥": "3.5", "۱۲": "12", "१.२५": "1.25", "1,250": "1.250", "3。5": "3.5", "007": "7", "123456789012345678": "123456789012345678",
	} {
		if got, ok := parsePrice(text); !ok || !got.Equal(decimal.RequireFromString(want)) {
			t.Errorf("parsePrice(%q) = %v, %v, want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", " ", ".", "$", "0", "0.00", "-1", "+1", "1.2.3", "1,000.50", "1e3", "0x1", "USD 5", "US5", "5 pcs", "1 000", "½", "Ⅳ", "1\n2",
		"1234567890123456789", "💥", "NaN", "Inf",
	} {
		if got, ok := parsePrice(text); ok {
			t.Errorf("parsePrice(%q) = %v, want none", text, got)
		}
	}
}

func FuzzParsePrice(f *testing.F) {
	for _, seed := range []string{"5", "1,50", "٣٫٥", "１．２", "𝟙", "", "1.2.3", "$1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if price, ok := parsePrice(text); ok && !price.IsPositive() {
			t.Errorf("parsePrice(%q) = %v", text, price)
		}
	})
}

func TestParseLink(t *testing.T) {
	for text, want := range map[string]string{
		"https://instagram.com/anna":       "https://instagram.com/anna",
		" http://example.com/a?b=c#d ":     "http://example.com/a?b=c#d",
		"instagram.com/anna":               "https://instagram.com/anna",
		"https://例子.测试/路径":                 "https://例子.测试/路径",
		"https://t.me/channel/15?single=1": "https://t.me/channel/15?single=1",
		"Shop.Example.CO.UK/2.5":           "https://Shop.Example.CO.UK/2.5",
		"anna.github.io":                   "https://anna.github.io",
		"my_blog.tumblr.com:443":           "https://my_blog.tumblr.com:443",
		"пример.рф":                        "https://пример.рф",
		"163.com/a":                        "https://163.com/a",
		"https://shop.local/a":             "https://shop.local/a",
	} {
		if got, ok := parseLink(text); !ok || got != want {
			t.Errorf("parseLink(%q) = %q, %v, want %q", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "my page", "@anna", "anna", "https://", "https://localhost", "ftp://example.com/a", "javascript:alert(1)",
		"https://user:pass@example.com/", "https://example.com/a b", "https://example.", "https://.com",
		"https://example.com/" + strings.Repeat("a", maxLinkLength), "https://exa\x00mple.com",
	} {
		if got, ok := parseLink(text); ok {
			t.Errorf("parseLink(%q) = %q, want none", text, got)
		}
	}
}

// Amounts, addresses of machines, and words with a point in them are not links.
func TestNumbersAndWordsAreNotLinks(t *testing.T) {
	for _, text := range []string{
		"2.5", "2.5/", "1.000", "1.000.000", "２．５", "٢.٥", "1.2.3.4", "2.5:80", "https://2.5", "https://1.2.3.4/a", "https://[::ffff:1.2.3.4]/", "https://٢.٥",
		"anna.maria", "node.js", "v1.beta", "com", "co.uk", ".com", "a..com", "пример.тест", "shop.local", "x.2024",
	} {
		if got, ok := parseLink(text); ok {
			t.Errorf("parseLink(%q) = %q, want none", text, got)
		}
		if got, ok := pastedLink(text); ok {
			t.Errorf("pastedLink(%q) = %q, want none", text, got)
		}
	}
}

func TestIsEmail(t *testing.T) {
	for text, want := range map[string]bool{
		"anna@example.com": true, "a.b+c@sub.example.org": true, "anna": false, "anna@": false, "Anna <anna@example.com>": false,
		"anna@example.com, b@example.com": false, "": false, strings.Repeat("a", 250) + "@b.com": false,
		"anna@2.5": false, "anna@localhost": false, "anna@[1.2.3.4]": false, "anna@почта.рф": true,
	} {
		if got := isEmail(text); got != want {
			t.Errorf("isEmail(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestPlausibleKey(t *testing.T) {
	for key, want := range map[redact.Secret]bool{
		"0123456789abcdef": true, "short": false, "with space inside": false, "ключ-ключ": false,
		"line\nbreak-in-it": false, redact.Secret(strings.Repeat("a", 257)): false,
	} {
		if got := plausibleKey(key); got != want {
			t.Errorf("plausibleKey(%q) = %v, want %v", key.Reveal(), got, want)
		}
	}
}

// TestAccountsFitMessage: accounts that Telegram would change are sent as a file.
func TestAccountsFitMessage(t *testing.T) {
	for name, test := range map[string]struct {
		accounts []redact.Secret
		want     bool
	}{
		"one":            {[]redact.Secret{"user:pa&ss <w>"}, true},
		"five":           {[]redact.Secret{"1", "2", "3", "4", "5"}, true},
		"six":            {[]redact.Secret{"1", "2", "3", "4", "5", "6"}, false},
		"long":           {[]redact.Secret{redact.Secret(strings.Repeat("x", 257))}, false},
		"leading space":  {[]redact.Secret{" user:pass"}, false},
		"trailing space": {[]redact.Secret{"user:pass "}, false},
		"two lines":      {[]redact.Secret{"user\npass"}, false},
		"empty":          {[]redact.Secret{""}, false},
		"not UTF-8":      {[]redact.Secret{"user:\xff"}, false},
		"invisible":      {[]redact.Secret{"us\u200ber:pass"}, false},
	} {
		if got := fitsMessage(test.accounts); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	if got := string(accountsFile([]redact.Secret{" a\xff", "b"})); got != " a\xff\nb\n" {
		t.Errorf("the file holds %q", got)
	}
}

func TestPersonID(t *testing.T) {
	for text, want := range map[string]int64{
		"@1001": 1001, "1001": 1001, " @1001 ": 1001, "＠１００１": 1001, "@١٠٠١": 1001, "999999999999999999": 999999999999999999,
		"": 0, "@": 0, "@@1": 0, "@anna": 0, "0": 0, "-5": 0, "1.5": 0, "9999999999999999999": 0,
	} {
		if id, ok := personID(text); ok != (want != 0) || ok && id != want {
			t.Errorf("%q: %d, %v, want %d", text, id, ok, want)
		}
	}
}

func TestParseDay(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-25": "2026-11-25", " 2026-11-25 ": "2026-11-25", "２０２６-11-25": "2026-11-25", "٢٠٢٦-١١-٢٥": "2026-11-25",
		"1970-01-02": "1970-01-02", "2149-06-06": "2149-06-06", "2024-02-29": "2024-02-29",
		"1970-01-01": "", "1969-12-31": "", "2149-06-07": "", "2026-02-29": "", "2026-1-2": "", "25.11.2026": "", "": "", "today": "",
	} {
		got := ""
		if day, ok := parseDay(text); ok {
			got = dayOf(day).Format(time.DateOnly)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
