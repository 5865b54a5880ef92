package handlers

import (
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/shopspring/decimal"
	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"

	"hstockbot/internal/hstock"
)

// parseAmount parses a whole number of at most 18 digits of any script. Spaces, commas and
// dots are accepted as separators of groups of three digits, and commas of groups of two before
// the last three, as in India: "1,500" is 1500, "1,50,000" is 150000, and "1.5" is not accepted.
func parseAmount(text string) (int64, bool) {
	var groups []string
	group, commas := strings.Builder{}, true
	for _, r := range norm.NFKC.String(strings.TrimSpace(withoutDirections(text))) {
		switch value, isDigit := digit(r); {
		case isDigit:
			group.WriteByte(value)
		case r == ' ' || r == ',' || r == '.' || r == '\'' || r == '’' || r == '٬' || r == '，':
			groups = append(groups, group.String())
			group.Reset()
			commas = commas && r == ','
		default:
			return 0, false
		}
	}
	groups = append(groups, group.String())
	if !isGrouped(groups, 3) && (!commas || !isGrouped(groups, 2)) {
		return 0, false
	}
	digits := strings.Join(groups, "")
	if len(digits) > 18 {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil
}

// isGrouped reports whether these are the groups of a number: the last one of three digits,
// those before of size. A single one has any length.
func isGrouped(groups []string, size int) bool {
	last := len(groups) - 1
	if last == 0 {
		return groups[0] != ""
	}
	for _, g := range groups[1:last] {
		if len(g) != size {
			return false
		}
	}
	return groups[0] != "" && len(groups[0]) <= size && len(groups[last]) == 3
}

// withoutDirections removes the marks of direction that a message in Arabic or Urdu has, and
// what is copied from one.
func withoutDirections(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, text)
}

// parseExternalID parses the id of an order, with or without # before it: a number of any
// script, also with separators, or another text with a digit and without spaces.
func parseExternalID(text string) (string, bool) {
	id := hstock.ParseOrderID(asciiDigits(withoutDirections(text)))
	if id != "" && isDigits(id) {
		return id, true
	}
	if n, ok := parseAmount(strings.TrimPrefix(strings.TrimSpace(withoutDirections(text)), "#")); ok && n > 0 {
		return strconv.FormatInt(n, 10), true
	}
	return id, id != ""
}

func isDigits(text string) bool { return strings.Trim(text, "0123456789") == "" }

// asciiDigits replaces the digits of all scripts by 0 to 9.
func asciiDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.Is(unicode.Nd, r) {
			return r
		}
		plain, _ := utf8.DecodeRuneInString(norm.NFKC.String(string(r)))
		value, _ := digit(plain)
		return rune(value)
	}, text)
}

// parsePrice parses an amount of money above 0 with at most 18 digits of any script,
// a comma or a point before the decimals, and optional currency signs around it, and
// "US$" before it.
// "1,500" is 1.5: the answer shows the price that was understood.
func parsePrice(text string) (decimal.Decimal, bool) {
	const maxDigits = 18
	text = strings.TrimSpace(norm.NFKC.String(withoutDirections(text)))
	if strings.HasPrefix(text, "US$") {
		text = strings.TrimPrefix(text, "US")
	}
	text = strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Sc, r) })
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
	if digits == 0 || digits > maxDigits || marks > 1 {
		return decimal.Zero, false
	}
	price, err := decimal.NewFromString(amount.String())
	return price, err == nil && price.IsPositive()
}

// digit returns the ASCII digit for a decimal digit of any script. In Unicode the
// ten digits of a script are consecutive. Where two scripts' digits are adjacent,
// NFKC has replaced them before.
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

// isEmail reports whether text is one e-mail address (RFC 5321: at most 254 bytes).
func isEmail(text string) bool {
	address, err := mail.ParseAddress(text)
	if err != nil || address.Address != text || len(text) > 254 {
		return false
	}
	return isDomain(text[strings.LastIndexByte(text, '@')+1:])
}

// maxLinkLength limits links, in bytes, like browsers do.
const maxLinkLength = 2000

// parseLink parses the address of a page, with or without a scheme
// ("instagram.com/name"), and returns it with one. Without a scheme the host must be
// under a real top-level domain, because people also type "2.5" or "anna.maria" here.
func parseLink(text string) (string, bool) {
	text = width.Narrow.String(strings.TrimSpace(text))
	if text == "" || len(text) > maxLinkLength || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return "", false
	}
	hasScheme := strings.Contains(text, "://")
	if !hasScheme {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil {
		return "", false
	}
	host := u.Hostname()
	return text, isDomain(host) && (hasScheme || hasPublicSuffix(host))
}

// isDomain reports whether a host is a name with a domain. The last part of an IPv4
// address is a number, which no domain is.
func isDomain(host string) bool {
	dot := strings.LastIndexByte(host, '.')
	return dot > 0 && strings.ContainsFunc(host[dot+1:], func(r rune) bool { return !unicode.IsDigit(r) && r != ']' })
}

// hasPublicSuffix reports whether a host is a name below a public suffix that a
// registry of ICANN's manages ("example.co.uk", not "co.uk"). Suffixes of private
// companies ("github.io") are names below those.
func hasPublicSuffix(host string) bool {
	name, err := idna.Punycode.ToASCII(strings.ToLower(host))
	if err != nil || strings.HasPrefix(name, ".") || strings.Contains(name, "..") {
		return false
	}
	suffix, isPublic := publicsuffix.PublicSuffix(name)
	for !isPublic {
		_, parent, ok := strings.Cut(suffix, ".")
		if !ok {
			return false
		}
		suffix, isPublic = publicsuffix.PublicSuffix(parent)
	}
	return len(suffix) < len(name)
}
