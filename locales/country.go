package locales

import (
	"cmp"

	"github.com/biter777/countries"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"hstockbot/internal/country"
)

// Flag returns the flag of a country as an emoji (two regional indicators), or
// "" for a text that country.Parse does not accept.
func Flag(code string) string {
	parsed := country.Parse(code)
	if parsed == countries.Unknown {
		return ""
	}
	return parsed.Emoji()
}

// Country returns the name of a country as plain text: that of CLDR if
// country.Parse accepts the code, else the given name, else the code itself.
func (l *Localizer) Country(code, given string) string {
	name := ""
	if region, err := language.ParseRegion(country.Parse(code).Alpha2()); err == nil {
		name = l.regions.Name(region)
	}
	return cmp.Or(name, given, code)
}

func newRegions(tag language.Tag) display.Namer {
	if tag == language.Portuguese {
		tag = language.EuropeanPortuguese // in CLDR plain Portuguese is that of Brazil
	}
	return display.Regions(tag)
}
