package locales

import (
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Number returns n with the thousands separators of the language. The digits are
// 0-9 in every language, as in prices, order ids and codes.
func (l *Localizer) Number(n int64) string {
	if -1000 < n && n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	return l.printer.Sprint(n)
}

// Money returns an amount in the marketplace's format: "$25.00" for USD, "25.00
// EUR" for other currencies. It is exact: at least two decimals, more if the
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
		return l.Isolate(sign + "$" + digits)
	case "":
		return l.Isolate(sign + digits)
	default:
		return l.Isolate(sign + digits + " " + currency)
	}
}

func newPrinter(tag language.Tag) *message.Printer {
	// The error is for a malformed key or type only.
	if latin, err := tag.SetTypeForKey("nu", "latn"); err == nil {
		tag = latin
	}
	return message.NewPrinter(tag)
}
