package hstock

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// The types below decode one member, each a kind of "Forms" in doc.go. What is not
// one of the forms decodes like a missing member; the decoder of each answer decides
// which members it requires.

// text is a string, byte for byte. A number or true decodes to its JSON text.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	*t = text(scalar(data))
	return nil
}

// name is a text that people read, cleaned by PlainName.
type name string

func (n *name) UnmarshalJSON(data []byte) error {
	*n = name(PlainName(scalar(data)))
	return nil
}

// word is a short text of the marketplace that people read: a state, a reason.
type word string

func (w *word) UnmarshalJSON(data []byte) error {
	*w = word(sanitize(scalar(data)))
	return nil
}

// currency is the code of a currency in capitals.
type currency string

func (c *currency) UnmarshalJSON(data []byte) error {
	*c = currency(shorten(strings.ToUpper(PlainName(scalar(data))), maxCurrencyRunes))
	return nil
}

const maxCurrencyRunes = 10

// id is the number of a service: digits only, as they stand in the answer.
type id struct {
	value int64
	ok    bool
}

var idPattern = regexp.MustCompile(`^#?([0-9]+)(\.0+)?$`)

func (n *id) UnmarshalJSON(data []byte) error {
	*n = parseID(scalar(data))
	return nil
}

func parseID(s string) id {
	if value, err := strconv.ParseInt(s, 10, 64); err == nil && s[0] >= '0' {
		return id{value, value > 0}
	}
	match := idPattern.FindStringSubmatch(strings.TrimSpace(s))
	if match == nil {
		return id{}
	}
	value, err := strconv.ParseInt(match[1], 10, 64)
	return id{value, err == nil && value > 0}
}

// orderID is the id of an order, which is a text of the marketplace; "" for none.
type orderID string

func (o *orderID) UnmarshalJSON(data []byte) error {
	*o = orderID(ParseOrderID(scalar(data)))
	if data[0] != '"' && strings.Trim(string(*o), "0123456789") != "" && !isExtended(data) {
		*o = "" // 1e5 is a number that may have been rounded
	}
	return nil
}

// maxOrderIDBytes bounds an order id.
const maxOrderIDBytes = 128

// anyNumber matches a number with a sign, decimals or separators of thousands.
var anyNumber = regexp.MustCompile(`^[+-]?[0-9]*[.'’٬，]?[0-9]*$|^[+-]?[0-9]{1,3}([.'’٬，][0-9]{3})+$`)

// ParseOrderID returns the id of an order in a text, which may have # before it, or ""
// if the text is none. "Order id" in the package comment says which texts are ids.
func ParseOrderID(s string) string {
	s = strings.TrimSpace(s)
	s = strings.TrimLeftFunc(s, func(r rune) bool { return r == '#' || unicode.IsSpace(r) })
	if match := idPattern.FindStringSubmatch(s); match != nil {
		s = match[1]
	}
	isDigits := strings.Trim(s, "0123456789") == ""
	isZero := !strings.ContainsFunc(s, func(r rune) bool { return r != '0' && (unicode.IsLetter(r) || unicode.IsDigit(r)) })
	hasOtherDigits := strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII && unicode.IsDigit(r) })
	switch {
	case len(s) > maxOrderIDBytes, s != PlainName(s), strings.ContainsAny(s, " ,;"):
		return ""
	case !strings.ContainsAny(s, "0123456789"), hasOtherDigits, isZero, !isDigits && anyNumber.MatchString(s):
		return ""
	default:
		return s
	}
}

// integer is a whole number.
type integer struct {
	value int64
	ok    bool
}

func (n *integer) UnmarshalJSON(data []byte) error {
	n.value, n.ok = parseInteger(scalar(data))
	return nil
}

// count returns the number, or 0 if it is missing or negative.
func (n integer) count() int64 { return max(0, n.value) }

// figure returns the number, nil if it is missing, and 0 if it is negative.
func (n integer) figure() *int64 {
	if !n.ok {
		return nil
	}
	value := n.count()
	return &value
}

// stock returns a number of pieces, and whether it is unknown: missing, in words, or
// -1. Another negative number means that more was sold than there is.
func (n integer) stock() (pieces int64, unknown bool) {
	return n.count(), !n.ok || n.value == -1
}

// money is an exact decimal with the currency that stands beside it, if any.
type money struct {
	decimal.NullDecimal
	currency string
}

func (m *money) UnmarshalJSON(data []byte) error {
	*m = money{}
	if data[0] == '{' && !isExtended(data) {
		var inner struct {
			Amount, Value plainMoney
			Currency      currency
		}
		unmarshal(data, &inner)
		if m.NullDecimal = inner.Amount.NullDecimal; !m.Valid {
			m.NullDecimal = inner.Value.NullDecimal
		}
		m.currency = string(inner.Currency)
		return nil
	}
	m.Decimal, m.currency, m.Valid = parseNumber(scalar(data))
	return nil
}

// plainMoney is money that is not an object, which ends the recursion.
type plainMoney struct{ decimal.NullDecimal }

func (m *plainMoney) UnmarshalJSON(data []byte) error {
	m.Decimal, _, m.Valid = parseNumber(scalar(data))
	return nil
}

// figure returns the amount if it is not negative.
func (m money) figure() decimal.NullDecimal {
	if m.Decimal.IsNegative() {
		return decimal.NullDecimal{}
	}
	return m.NullDecimal
}

// price returns the amount and whether it is valid as a price.
func (m money) price() (decimal.Decimal, bool) {
	return m.Decimal, m.Valid && !m.Decimal.IsNegative()
}

// flag is a bool.
type flag struct{ value, ok bool }

func (f *flag) UnmarshalJSON(data []byte) error {
	*f = flag{}
	s := scalar(data)
	if string(data) == "false" {
		s = "false"
	}
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "1", "yes", "y", "on", "ok", "success":
		f.value, f.ok = true, true
	case "false", "0", "no", "n", "off":
		f.ok = true
	}
	return nil
}

func (f flag) pointer() *bool {
	if !f.ok {
		return nil
	}
	return &f.value
}

// moment is a point in time.
type moment struct{ time.Time }

func (m *moment) UnmarshalJSON(data []byte) error {
	m.Time, _ = parseTime(scalar(data))
	return nil
}

var timeLayouts = []string{
	time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04",
	time.RFC1123, time.RFC1123Z,
}

// firstYear is the first one of a time: those before, such as 1970, mean that there is
// none.
const firstYear = 1990

// parseTime parses a date with a time of day, or a Unix time in seconds,
// milliseconds or microseconds. A time without a zone is in UTC.
func parseTime(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if d, _, ok := parseNumber(s); ok {
		seconds := d
		switch digits := len(d.Truncate(0).Coefficient().String()); {
		case d.Exponent() > 0 || !d.IsPositive():
			return time.Time{}, false
		case digits == 9 || digits == 10:
		case digits == 12 || digits == 13:
			seconds = d.Shift(-3)
		case digits == 15 || digits == 16:
			seconds = d.Shift(-6)
		default:
			return time.Time{}, false
		}
		t := time.UnixMicro(seconds.Shift(6).IntPart()).UTC()
		return t, t.Year() >= firstYear
	}
	iso := strings.TrimSuffix(strings.ReplaceAll(s, "/", "-"), " UTC")
	if len(iso) > 10 && iso[10] == ' ' {
		iso = iso[:10] + "T" + strings.ReplaceAll(iso[11:], " ", "")
	}
	for _, layout := range timeLayouts {
		for _, form := range []string{iso, s} {
			if t, err := time.Parse(layout, form); err == nil && t.Year() >= firstYear {
				return t.UTC(), true
			}
		}
	}
	return time.Time{}, false
}

// smsCode is the code of an SMS; a placeholder is none.
type smsCode string

func (c *smsCode) UnmarshalJSON(data []byte) error {
	s := scalar(data)
	if data[0] != '"' {
		s = plainDigits(s)
	}
	if *c = smsCode(s); isPlaceholder(s) {
		*c = ""
	}
	return nil
}

// phone is a phone number, in the marketplace's spelling. It is empty if a character could
// not be read: without it, it would be another number.
type phone string

func (p *phone) UnmarshalJSON(data []byte) error {
	given := scalar(data)
	s := sanitize(plainDigits(strings.TrimSpace(given)))
	if *p = phone(s); isPlaceholder(s) || strings.ContainsRune(given, utf8.RuneError) {
		*p = ""
	}
	return nil
}

var scientific = regexp.MustCompile(`^([0-9])\.?([0-9]*)[eE]\+?([0-9]{1,2})$`)

// plainDigits returns a number such as "4.915550023501e+12" or "48210.0" in digits.
// It returns "" if the number was rounded, so that its last digits are missing.
func plainDigits(s string) string {
	if match := scientific.FindStringSubmatch(s); match != nil {
		if exponent, err := strconv.Atoi(match[3]); err != nil || len(match[2]) != exponent {
			return ""
		}
		return match[1] + match[2]
	}
	if whole, zeros, found := strings.Cut(s, "."); found && strings.Trim(zeros, "0") == "" && strings.Trim(whole, "0123456789") == "" {
		return whole
	}
	return s
}

// isPlaceholder reports whether a code or a phone number stands for a missing one.
func isPlaceholder(s string) bool {
	s = strings.ToLower(strings.TrimSpace(s))
	switch s {
	case "0", "null", "nil", "none", "undefined", "nan", "n/a", "na", "no", "false", "true", "empty", "unknown", "waiting", "wait", "pending",
		"no code", "not received", "not yet", "waiting for code", "wait code", "tba", "tbd":
		return true
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

// scalar returns the content of a string, or the JSON text of a number or true; ""
// for null, false, objects and arrays. An object of extended JSON, as MongoDB writes
// it ({"$oid": "…"}), is its value.
func scalar(data []byte) string {
	switch data[0] {
	case '"':
		inner := data[1 : len(data)-1]
		if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
			return string(inner)
		}
		var s string
		if json.Unmarshal(data, &s) != nil {
			return ""
		}
		return s
	case '{':
		if !isExtended(data) {
			return ""
		}
		var members map[string]json.RawMessage
		if unmarshal(data, &members) && len(members) == 1 {
			for _, member := range members {
				return scalar(member)
			}
		}
		return ""
	case 'n', 'f', '[':
		return ""
	default:
		return string(data)
	}
}

// isExtended reports whether an object begins with a member such as "$date".
func isExtended(object []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(object[1:], " \t\r\n"), []byte(`"$`))
}
