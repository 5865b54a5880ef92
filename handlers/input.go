package handlers

import (
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/shopspring/decimal"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"

	"hstockbot/internal/route"
)

// What people type, read leniently where it is clear and refused where it is not.

// parse decodes callback data that a dialog has kept.
func parse[A any](r route.Route[A], data string) (A, error) {
	name, rest := route.Split(data)
	if name != r.Name() {
		var none A
		return none, route.ErrMalformed
	}
	return r.Parse(rest)
}

// parseAmount reads a whole number of at most 18 digits in any script's
// digits. Spaces, commas and dots are taken for separators of thousands, but
// only where they stand before groups of three: "1.5" is no amount.
func parseAmount(text string) (int64, bool) {
	var groups []string
	group := strings.Builder{}
	for _, r := range norm.NFKC.String(strings.TrimSpace(text)) {
		switch value, isDigit := digit(r); {
		case isDigit:
			group.WriteByte(value)
		case r == ' ' || r == ',' || r == '.' || r == '\'' || r == '’' || r == '٬' || r == '，':
			groups = append(groups, group.String())
			group.Reset()
		default:
			return 0, false
		}
	}
	groups = append(groups, group.String())
	for i, g := range groups {
		if g == "" || i > 0 && len(g) != 3 || i == 0 && len(groups) > 1 && len(g) > 3 {
			return 0, false
		}
	}
	digits := strings.Join(groups, "")
	if len(digits) > 18 {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil
}

// orderNumber reads the number of an order, with or without the # before it.
func orderNumber(text string) (int64, bool) {
	n, ok := parseAmount(strings.TrimPrefix(strings.TrimSpace(text), "#"))
	return n, ok && n > 0
}

// parsePrice reads an amount of money over 0 in any script's digits, with a comma
// or a point before its decimals and perhaps a sign of a currency around it. A
// single mark is that of the decimals, also before three digits: nobody is told
// of a price without seeing how it was read.
func parsePrice(text string) (decimal.Decimal, bool) {
	const longest = 18 // digits
	text = strings.TrimFunc(norm.NFKC.String(text), func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Sc, r) })
	amount, digits, marks := strings.Builder{}, 0, 0
	for _, r := range text {
		switch value, isDigit := digit(r); {
		case isDigit:
			amount.WriteByte(value)
			digits++
		case r == '.' || r == ',' || r == '٫' || r == '。':
			amount.WriteByte('.')
			marks++
		default:
			return decimal.Zero, false
		}
	}
	if digits == 0 || digits > longest || marks > 1 {
		return decimal.Zero, false
	}
	price, err := decimal.NewFromString(amount.String())
	return price, err == nil && price.IsPositive()
}

// digit returns the ASCII digit that a decimal digit of any script stands for.
// Unicode lays each script's ten digits out in order; where two scripts' touch,
// parseAmount's NFKC has left none of them.
func digit(r rune) (byte, bool) {
	if !unicode.Is(unicode.Nd, r) {
		return 0, false
	}
	zero := r
	for unicode.Is(unicode.Nd, zero-1) && r-zero < 9 {
		zero--
	}
	return "0123456789"[r-zero], true
}

// isEmail reports whether text is an address and nothing else (RFC 5321: at
// most 254 bytes).
func isEmail(text string) bool {
	address, err := mail.ParseAddress(text)
	return err == nil && address.Address == text && len(text) <= 254
}

// maxLink is how long a link may be, in bytes; browsers' own bound is near it.
const maxLink = 2000

// parseLink reads the address of a page: with a scheme, or as people write it
// without ("instagram.com/name").
func parseLink(text string) (string, bool) {
	text = width.Narrow.String(strings.TrimSpace(text))
	if text == "" || len(text) > maxLink || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return "", false
	}
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil {
		return "", false
	}
	host := u.Hostname()
	if dot := strings.LastIndexByte(host, '.'); dot <= 0 || dot == len(host)-1 {
		return "", false
	}
	return text, true
}
