package country

import (
	"strings"
	"testing"

	"github.com/biter777/countries"
)

func TestParseReadsEveryCountry(t *testing.T) {
	for _, want := range countries.All() {
		if want == countries.ANT || want == countries.YUG {
			continue
		}
		for _, code := range []string{want.Alpha2(), want.Alpha3(), strings.ToLower(want.Alpha2())} {
			if got := Parse(code); got != want {
				t.Errorf("Parse(%q) = %v, want %v", code, got, want)
			}
		}
	}
	for _, code := range []string{"uk", "UK"} {
		if got := Parse(code); got != countries.GBR {
			t.Errorf("Parse(%q) = %v, want GB", code, got)
		}
	}
}

func TestParseRejectsOtherTexts(t *testing.T) {
	for _, text := range []string{
		"", "any", "England", "Germany", // names
		"187", "840", "001", // numbers of ISO 3166 and M.49
		"zz", "xx", "EU", // reserved or not countries
		"an", "ANT", "yu", "YUG", // withdrawn
		"biz", "u-s", "us ", "us1", "ｕｓ", "uſ",
	} {
		if got := Parse(text); got != countries.Unknown {
			t.Errorf("Parse(%q) = %v, want Unknown", text, got)
		}
	}
}
