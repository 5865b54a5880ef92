// Package iso3166 owns one rule: which country a code of ISO 3166 stands for.
package iso3166

import (
	"strings"

	"github.com/biter777/countries"
)

// Country returns the country of a two- or three-letter code in any case; "uk" is
// accepted for GB. The result is countries.Unknown for any other text. The library
// also accepts names, codes of other standards, and punctuation between letters,
// so a code counts only if the library itself returns it for the country.
func Country(code string) countries.CountryCode {
	upper := strings.ToUpper(code)
	if upper == "UK" {
		return countries.GBR
	}
	country := countries.ByName(upper)
	switch {
	case upper != country.Alpha2() && upper != country.Alpha3(),
		len(upper) != len(code),                            // ToUpper maps ı to I and ſ to S
		country == countries.ANT, country == countries.YUG: // former countries, which have no flag
		return countries.Unknown
	}
	return country
}
