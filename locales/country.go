package locales

import (
	"cmp"

	"github.com/biter777/countries"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"hstockbot/internal/iso3166"
)

// Flag returns the flag of a country as an emoji, two regional indicators. The
// code is one of ISO 3166 with two or three letters in any case, XK, or uk for
// GB; anything else has no flag and gives "".
func Flag(code string) string {
	country := iso3166.Country(code)
	if country == countries.Unknown {
		return ""
	}
	return country.Emoji()
}

// Country returns the name of a country as plain text: CLDR's where Flag knows
// the code, else the given one, else the code as it came.
func (l *Localizer) Country(code, given string) string {
	name := ""
	if region, err := language.ParseRegion(iso3166.Country(code).Alpha2()); err == nil {
		name = l.regions.Name(region)
	}
	return cmp.Or(name, given, code)
}

func newRegions(tag language.Tag) display.Namer {
	if tag == language.Portuguese {
		tag = language.EuropeanPortuguese // CLDR's plain Portuguese is that of Brazil
	}
	return display.Regions(tag)
}
