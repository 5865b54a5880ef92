package locales

import (
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

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
		{"de", 1234567, "1\u00a0234\u00a0567"}, // beside "$1.125", "1.000" would be read as one
		{"es", 1000, "1\u00a0000"},
		{"pt", 1000, "1\u00a0000"},
		{"pt-BR", 1000, "1\u00a0000"},
		{"vi", 1000, "1\u00a0000"},
		{"hi", 1000, "1,000"},
		{"hi", -100000, "-1,00,000"},
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
		{"es", "-1.125", "USD", "-US$1.125"}, // "$" is the peso in much of Latin America
		{"pt-BR", "25", "USD", "US$25.00"},
		{"pt", "25", "USD", "$25.00"},
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
			t.Fatalf("%s is formatted as %q", amount, got)
		}
		if _, decimals, _ := strings.Cut(digits, "."); len(decimals) < 2 {
			t.Fatalf("%q has fewer than two decimals", got)
		}
	})
}
