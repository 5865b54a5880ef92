package handlers

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/locales"
	"hstockbot/storage"
)

// Limits of the marketplace's names in messages, in characters. The marketplace documents
// none, but Telegram limits a message.
const (
	nameLength = 300
	wordLength = 60 // states, variants, categories
)

// A longer text is folded: the person sees its first lines, and a tap unfolds it.
const (
	unfoldedLength = 500 // characters
	unfoldedLines  = 10
)

func isLong(text string) bool {
	return utf8.RuneCountInString(text) > unfoldedLength || strings.Count(text, "\n") >= unfoldedLines
}

// quote formats text as a quote, which is folded if it is long.
func quote(text string) string {
	tag := "<blockquote>"
	if isLong(text) {
		tag = "<blockquote expandable>"
	}
	return tag + locales.Escape(text) + "</blockquote>"
}

// withDescription returns a message with a description, HTML before it and HTML after it.
// What Telegram's limit has no room for is cut from the description, since the rest says
// what the person pays.
func withDescription(before, description, after string) string {
	description = locales.CutAtWord(strings.TrimSpace(description), bot.MaxText-bot.Length(before+after)-len("\n\n\n\n"))
	switch {
	case description == "":
		return before + after
	case isLong(description):
		return before + "\n\n" + quote(description) + after
	default:
		return before + "\n\n" + locales.Escape(description) + after
	}
}

// clock formats a time for a message, absolute and relative to now. Telegram shows it in
// the reader's zone.
func clock(l *locales.Localizer, t time.Time) locales.HTML { return l.LocalClock(t, time.Now()) }

func isPast(t time.Time) bool { return !time.Now().Before(t) }

// title formats one of the marketplace's names for a message.
func title(l *locales.Localizer, name string) string {
	return l.Name(locales.Shorten(name, nameLength))
}

// itemArgs returns the arguments Name and Quantity of a message about a purchase.
func itemArgs(l *locales.Localizer, name string, quantity int64) locales.Args {
	return locales.Args{"Name": title(l, name), "Quantity": l.Number(quantity)}
}

// subject names what is bought: a product by its name, a rented phone also by its
// country.
func subject(l *locales.Localizer, name string, rental storage.Rental) string {
	if rental.Project == "" {
		return name
	}
	return name + " · " + country(l, rental)
}

// country names the country of a rented phone, with its flag.
func country(l *locales.Localizer, rental storage.Rental) string {
	name := l.Country(rental.Country, rental.CountryName)
	if name == "" {
		return l.Label("external_country")
	}
	return withFlag(rental.Country, name)
}

func withFlag(code, name string) string {
	if flag := locales.Flag(code); flag != "" {
		return flag + " " + name
	}
	return name
}

// code formats text that a tap copies. The isolates are not part of what is copied.
func code(l *locales.Localizer, text string) locales.HTML {
	return locales.HTML(l.Isolate("<code>" + locales.Escape(text) + "</code>"))
}

// sums lists money per currency: "$3.00 + 2.00 EUR".
func sums(l *locales.Localizer, perCurrency map[string]decimal.Decimal) string {
	if len(perCurrency) == 0 {
		return l.Money(decimal.Zero, "USD")
	}
	var parts []string
	for _, currency := range slices.Sorted(maps.Keys(perCurrency)) {
		parts = append(parts, l.Money(perCurrency[currency], currency))
	}
	return strings.Join(parts, " + ")
}

// plainText reports whether Telegram shows text unchanged: it is valid UTF-8
// without line breaks and without control characters, which Telegram drops.
func plainText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar
	})
}

// fitsLine reports whether a delivered value can be shown unchanged in one line of
// a message. A value that can't is sent as a file.
func fitsLine(value string) bool {
	return value == strings.TrimSpace(value) && utf8.RuneCountInString(value) <= maxValueLength && plainText(value)
}

// picture returns an address that Telegram accepts for a link preview, else "".
func picture(address string) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || !strings.Contains(u.Hostname(), ".") || len(address) > maxLinkLength {
		return ""
	}
	return u.String()
}
