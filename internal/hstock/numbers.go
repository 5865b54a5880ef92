package hstock

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// maxNumberBytes bounds what is read as a number.
const maxNumberBytes = 40

// parseInteger parses a whole number. "10,000" is one: a whole number has no
// decimals, so the comma separates thousands.
func parseInteger(s string) (int64, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	d, _, ok := parseFigure(s, true)
	if !ok || !d.IsInteger() || !d.BigInt().IsInt64() {
		return 0, false
	}
	return d.IntPart(), true
}

// parseNumber parses a number and the currency beside it, which is a code or "". It
// returns false for what could mean two numbers ("1,250").
func parseNumber(s string) (d decimal.Decimal, currency string, ok bool) {
	return parseFigure(s, false)
}

// figurePattern is a sign, a currency and digits with separators, or digits and a
// currency. A currency is a sign, a code of three or four letters, or "US$".
var figurePattern = regexp.MustCompile(
	`^([+-]?) ?(\p{Sc}|[A-Za-z]{3,4}|[A-Za-z]{1,3}\p{Sc})? ?([+-]?)([0-9][0-9.,' ]*|\.[0-9]+) ?(\p{Sc}|[A-Za-z]{3,4}|[A-Za-z]{1,3}\p{Sc})?$`,
)

// variants replaces the typographic forms of minus, space and apostrophe.
var variants = strings.NewReplacer("\u2212", "-", "\u00a0", " ", "\u2009", " ", "\u202f", " ", "\u2019", "'")

func parseFigure(s string, whole bool) (d decimal.Decimal, currency string, ok bool) {
	s = strings.TrimSpace(s)
	if d, ok := parseDecimal(s); ok {
		return d, "", true
	}
	if len(s) > maxNumberBytes {
		return decimal.Decimal{}, "", false
	}
	match := figurePattern.FindStringSubmatch(variants.Replace(s))
	if match == nil || match[1] != "" && match[3] != "" || match[2] != "" && match[5] != "" {
		return decimal.Decimal{}, "", false
	}
	plain, ok := ungroup(strings.TrimSpace(match[4]), whole)
	if !ok {
		return decimal.Decimal{}, "", false
	}
	if code := strings.ToUpper(match[2] + match[5]); strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		currency = code
	}
	d, ok = parseDecimal(match[1] + match[3] + plain)
	return d, currency, ok
}

// ungroup returns digits with separators as a plain decimal. Separators of one kind
// stand between thousands, and a point or comma of another kind behind them before
// the decimals. A lone point stands before decimals; a lone comma does, too, unless
// it could separate thousands: then it does so in a whole number only.
func ungroup(s string, whole bool) (string, bool) {
	separators := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, s)
	if separators == "" || separators == "." {
		return s, true
	}
	first, last := separators[:1], separators[len(separators)-1:]
	at := strings.LastIndex(s, last)
	integer, fraction := s[:at], s[at+1:]
	switch {
	case separators == "," && isGrouped(s, ",") && !whole:
		return "", false
	case strings.Trim(separators, first) == "" && isGrouped(s, first):
		return strings.ReplaceAll(s, first, ""), true
	case fraction == "":
		return "", false
	case separators == ",":
		return integer + "." + fraction, true
	case last != first && (last == "." || last == ",") && strings.Trim(separators[:len(separators)-1], first) == "" && isGrouped(integer, first):
		return strings.ReplaceAll(integer, first, "") + "." + fraction, true
	}
	return "", false
}

var groupPattern = regexp.MustCompile(`^[1-9][0-9]{0,2}(,[0-9]{3})+$|^[1-9][0-9]?(,[0-9]{2})+,[0-9]{3}$`)

// isGrouped reports whether a separator stands between thousands, or where India
// writes it ("12,34,567").
func isGrouped(s, separator string) bool {
	return groupPattern.MatchString(strings.ReplaceAll(s, separator, ","))
}

// parseDecimal parses a plain or scientific number with limited size and exponent:
// "1e999999999" would fill the memory when printed.
func parseDecimal(s string) (decimal.Decimal, bool) {
	if s == "" || len(s) > maxNumberBytes || strings.Trim(s, "+-.0123456789eE") != "" {
		return decimal.Decimal{}, false
	}
	d, err := decimal.NewFromString(s)
	if err != nil || d.Exponent() > 20 || d.Exponent() < -50 {
		return decimal.Decimal{}, false
	}
	return d, true
}
