package locales

import (
	"cmp"
	"strings"

	"github.com/biter777/countries"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// Flag returns the flag of a country as an emoji, two regional indicators. The
// code is one of ISO 3166 with two or three letters in any case, XK, or uk for
// GB; anything else has no flag and gives "".
func Flag(code string) string {
	country := countryOf(code)
	if country == countries.Unknown {
		return ""
	}
	return country.Emoji()
}

// Country returns the name of a country as plain text: CLDR's where Flag knows
// the code, else the given one, else the code as it came.
func (l *Localizer) Country(code, given string) string {
	name := ""
	if region, err := language.ParseRegion(countryOf(code).Alpha2()); err == nil {
		name = l.regions.Name(region)
	}
	return cmp.Or(name, given, code)
}

// countryOf reads a code. The library reads much more: names, codes of cars and
// of old, and any of them between other signs. So a code counts only if it is
// what the library itself calls the country.
func countryOf(code string) countries.CountryCode {
	upper := strings.ToUpper(code)
	if upper == "UK" {
		return countries.GBR
	}
	country := countries.ByName(upper)
	switch {
	case upper != country.Alpha2() && upper != country.Alpha3(),
		len(upper) != len(code),                            // in upper case, ı is I and ſ is S
		country == countries.ANT, country == countries.YUG: // no more, and without a flag
		return countries.Unknown
	}
	return country
}

func newRegions(tag language.Tag) display.Namer {
	if tag == language.Portuguese {
		tag = language.EuropeanPortuguese // CLDR's plain Portuguese is that of Brazil
	}
	return display.Regions(tag)
}
