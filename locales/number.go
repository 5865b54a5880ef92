package locales

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/shopspring/decimal"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Number returns n with the language's separators between thousands. Digits
// are 0-9 in every language, as in the prices, order numbers and codes that
// stand beside it.
func (l *Localizer) Number(n int64) string {
	if -1000 < n && n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	return l.printer.Sprint(n)
}

// Money returns an amount as the marketplace states it: "$25.00" in US
// dollars, "25.00 EUR" otherwise. It is exact: at least two decimals, as many
// more as there are, never rounded. The decimal mark is a point in every
// language and thousands are not separated, so that no reader can take one for
// the other. Isolated in right-to-left languages.
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

// Isolate returns text that reads from left to right whatever surrounds it (a
// phone number, a code, a link) so that a right-to-left language leaves its
// parts in order: between U+2066 and U+2069. Other languages need nothing.
func (l *Localizer) Isolate(text string) string {
	if !l.rightToLeft || text == "" {
		return text
	}
	return "\u2066" + text + "\u2069"
}

// Name returns a name from outside so that its own direction ends with it, or it
// would turn round what stands beside it: between U+2068 and U+2069 where it may
// run against the language, which is always so in a right-to-left one.
func (l *Localizer) Name(name string) string {
	turns := func(r rune) bool {
		return unicode.Is(unicode.Bidi_Control, r) || unicode.In(r, unicode.Arabic, unicode.Hebrew, unicode.Syriac, unicode.Thaana, unicode.Nko)
	}
	if name == "" || !l.rightToLeft && !strings.ContainsFunc(name, turns) {
		return name
	}
	return "\u2068" + name + "\u2069"
}

func newPrinter(tag language.Tag) *message.Printer {
	// Refused only for a key or type that is malformed, and these are not.
	if latin, err := tag.SetTypeForKey("nu", "latn"); err == nil {
		tag = latin
	}
	return message.NewPrinter(tag)
}
