package locales

import (
	"testing"
	"unicode/utf8"

	"github.com/biter777/countries"
)

func TestEveryCountryHasFlagAndNames(t *testing.T) {
	loaded, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	all := loadAll(t)
	var localizers []*Localizer
	for _, language := range loaded.Languages() {
		localizers = append(localizers, loaded.Localizer(language.Code))
	}
	for _, code := range codes {
		localizers = append(localizers, all.Localizer(code))
	}
	isIndicator := func(r rune) bool { return '🇦' <= r && r <= '🇿' }
	for _, country := range countries.All() {
		code := country.Alpha2()
		if country == countries.ANT || country == countries.YUG { // withdrawn
			if flag := Flag(code); flag != "" {
				t.Errorf("%s has a flag: %q", code, flag)
			}
			continue
		}
		flag := Flag(code)
		first, size := utf8.DecodeRuneInString(flag)
		second, rest := utf8.DecodeRuneInString(flag[size:])
		if !isIndicator(first) || !isIndicator(second) || len(flag) != size+rest {
			t.Errorf("Flag(%q) = %q", code, flag)
		}
		if other := Flag(country.Alpha3()); other != flag {
			t.Errorf("Flag(%q) = %q, want %q", country.Alpha3(), other, flag)
		}
		for _, l := range localizers {
			switch name := l.Country(code, "as given"); name {
			case "", "as given", code:
				t.Errorf("%s: Country(%q) = %q", l.Lang(), code, name)
			}
		}
	}
}

func TestCountry(t *testing.T) {
	b := loadAll(t)
	for _, tt := range []struct{ lang, code, given, flag, want string }{
		{"en", "us", "USA", "🇺🇸", "United States"},
		{"en", "US", "", "🇺🇸", "United States"},
		{"en", "usa", "", "🇺🇸", "United States"},
		{"en", "Usa", "", "🇺🇸", "United States"},
		{"en", "uk", "", "🇬🇧", "United Kingdom"},
		{"en", "gbr", "", "🇬🇧", "United Kingdom"},
		{"en", "xk", "", "🇽🇰", "Kosovo"},
		{"zh", "us", "United States", "🇺🇸", "美国"},
		{"pt", "pl", "", "🇵🇱", "Polónia"},
		{"pt-BR", "pl", "", "🇵🇱", "Polônia"},
		{"ar", "us", "", "🇺🇸", "الولايات المتحدة"},
		{"bn-BD", "ru", "", "🇷🇺", "রাশিয়া"},

		{"zh", "any", "Any country", "", "Any country"},
		{"zh", "any", "", "", "any"},
		{"en", "187", "USA", "", "USA"}, // not the number of the United States, which is 840
		{"en", "840", "", "", "840"},
		{"en", "001", "", "", "001"}, // the world in M.49
		{"en", "zz", "", "", "zz"},   // CLDR's "Unknown Region"
		{"en", "xx", "", "", "xx"},
		{"en", "EU", "", "", "EU"}, // in CLDR, but not a country
		{"en", "an", "", "", "an"}, // withdrawn
		{"en", "biz", "", "", "biz"},
		{"en", "sun", "", "", "sun"},
		{"en", "england", "", "", "england"},
		{"en", "u-s", "", "", "u-s"},
		{"en", "us ", "", "", "us "},
		{"en", "us1", "", "", "us1"},
		{"en", "ｕｓ", "", "", "ｕｓ"},
		{"en", "uſ", "", "", "uſ"},
		{"en", "", "", "", ""},
	} {
		if got := Flag(tt.code); got != tt.flag {
			t.Errorf("Flag(%q) = %q, want %q", tt.code, got, tt.flag)
		}
		if got := b.Localizer(tt.lang).Country(tt.code, tt.given); got != tt.want {
			t.Errorf("%s: Country(%q, %q) = %q, want %q", tt.lang, tt.code, tt.given, got, tt.want)
		}
	}
}
