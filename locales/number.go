package locales

import (
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// Number returns n with the thousands separators of the language.
func (l *Localizer) Number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := digits[:len(digits)-len(strings.TrimPrefix(digits, "-"))]
	digits = digits[len(sign):]
	size := 3
	var groups []string
	for len(digits) > size {
		groups = append(groups, digits[len(digits)-size:])
		digits = digits[:len(digits)-size]
		if l.numbers.indian {
			size = 2
		}
	}
	groups = append(groups, sign+digits)
	slices.Reverse(groups)
	return strings.Join(groups, l.numbers.thousands)
}

// Money returns an amount in the marketplace's format: "$25.00" for USD ("US$25.00" where
// "$" is another currency), "25.00 EUR" for other currencies. It is exact: at least two decimals, more if the
// amount has more, never rounded. The decimal mark is a point in every language
// and thousands are not separated, so the two can't be confused. In
// right-to-left languages the result is isolated.
func (l *Localizer) Money(amount decimal.Decimal, currency string) string {
	digits := amount.Abs().String()
	switch _, decimals, _ := strings.Cut(digits, "."); len(decimals) {
	case 0:
		digits += ".00"
	case 1:
		digits += "0"
	}
	sign := ""
	if amount.IsNegative() {
		sign = "-"
	}
	switch currency {
	case "USD":
		return l.Isolate(sign + l.numbers.dollar + digits)
	case "":
		return l.Isolate(sign + digits)
	default:
		return l.Isolate(sign + digits + " " + currency)
	}
}
