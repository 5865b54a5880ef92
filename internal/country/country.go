// Package country reads the country codes of the marketplace, which are likely
// those of ISO 3166, but not promised to be.
//
// It owns the one rule for which texts count as a code. It contains neither
// names nor languages (package locales), nor the search for a country (package
// catalog).
package country

import (
	"strings"

	"github.com/biter777/countries"
)

// Parse returns the country of an ISO 3166 code with two or three letters in any
// case, of XK (Kosovo), or of UK for GB. Any other text is countries.Unknown.
//
// The library itself also reads names, vehicle codes, withdrawn codes, and codes
// between other characters. So a text counts only if it is the library's own
// code of the country.
func Parse(code string) countries.CountryCode {
	upper := strings.ToUpper(code)
	if upper == "UK" {
		return countries.GBR
	}
	country := countries.ByName(upper)
	switch {
	case upper != country.Alpha2() && upper != country.Alpha3(),
		len(upper) != len(code),                            // ı and ſ become I and S in upper case
		country == countries.ANT, country == countries.YUG: // withdrawn, and without a flag
		return countries.Unknown
	}
	return country
}
