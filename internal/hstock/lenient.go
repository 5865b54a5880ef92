package hstock

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// The types below decode one field, given as a string, number or bool. null, "" and
// values of another type decode like a missing field; the decoder of each answer
// decides which fields it requires.

// text is a string. A number or true decodes to its JSON text.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	*t = text(scalar(data))
	return nil
}

// integer is a whole number.
type integer struct {
	value int64
	ok    bool
}

func (n *integer) UnmarshalJSON(data []byte) error {
	n.value, n.ok = parseInteger(strings.TrimSpace(scalar(data)))
	return nil
}

func (n integer) pointer() *int64 {
	if !n.ok {
		return nil
	}
	return &n.value
}

// count returns the number, or 0 if it is missing or negative.
func (n integer) count() int64 { return max(0, n.value) }

// money is an exact decimal.
type money struct{ decimal.NullDecimal }

func (m *money) UnmarshalJSON(data []byte) error {
	m.Decimal, m.Valid = parseDecimal(strings.TrimSpace(scalar(data)))
	return nil
}

// price returns the amount and whether it is valid as a price.
func (m money) price() (decimal.Decimal, bool) {
	return m.Decimal, m.Valid && !m.Decimal.IsNegative()
}

// flag is a bool, also given as 1, "1", "true", "yes" or their opposites.
type flag struct{ value, ok bool }

func (f *flag) UnmarshalJSON(data []byte) error {
	switch strings.ToLower(strings.TrimSpace(scalar(data))) {
	case "true", "1", "yes":
		f.value, f.ok = true, true
	case "false", "0", "no":
		f.value, f.ok = false, true
	default:
		f.value, f.ok = false, string(data) == "false"
	}
	return nil
}

func (f flag) pointer() *bool {
	if !f.ok {
		return nil
	}
	return &f.value
}

// secrets is a list of strings, kept byte for byte. Elements of another type are kept
// as JSON text, so that no delivered goods are lost.
type secrets []redact.Secret

func (s *secrets) UnmarshalJSON(data []byte) error {
	*s = nil
	var elements []json.RawMessage
	if data[0] != '[' {
		elements = []json.RawMessage{data}
	} else if err := json.Unmarshal(data, &elements); err != nil {
		return err
	}
	for _, element := range elements {
		secret := scalar(element)
		if element[0] == '{' || element[0] == '[' {
			secret = string(element)
		}
		if secret != "" && secret != "{}" {
			*s = append(*s, redact.Secret(secret))
		}
	}
	return nil
}

// errorField is an "error" field: a message, an object or list with one, or a flag.
type errorField struct {
	message string
	ok      bool
}

func (s *errorField) UnmarshalJSON(data []byte) error {
	*s = errorField{}
	switch data[0] {
	case '{':
		var inner struct{ Message, Error, Code text }
		unmarshal(data, &inner)
		s.message = string(cmp.Or(inner.Message, inner.Error, inner.Code))
		s.ok = string(data) != "{}"
	case '[':
		var inner []text
		unmarshal(data, &inner)
		if s.ok = len(inner) > 0; s.ok {
			s.message = string(inner[0])
		}
	case '"':
		s.message = scalar(data)
		s.ok = strings.TrimSpace(s.message) != ""
	default: // true and 1 mean an error without a message
		value := scalar(data)
		s.ok = value != "" && value != "0"
	}
	return nil
}

// refusalMessage returns the message of an {"error": …} answer, and whether it is one.
func refusalMessage(body []byte) (string, bool) {
	if body[0] != '{' || !bytes.Contains(body, []byte(`"error"`)) {
		return "", false
	}
	var answer struct {
		Error   errorField
		Message text
	}
	unmarshal(body, &answer)
	if answer.Error.ok && answer.Error.message == "" {
		return string(answer.Message), true
	}
	return answer.Error.message, answer.Error.ok
}

// trimBody removes a byte order mark and surrounding spaces.
func trimBody(body []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
}

// decodeError returns why body could not be decoded.
func decodeError(body []byte) error {
	if json.Valid(body) {
		return errUnexpectedShape
	}
	return errNotJSON
}

// unmarshal decodes a JSON value into v and skips members of the wrong type. It
// returns false and leaves v unchanged if data is not one complete value.
func unmarshal(data []byte, v any) bool {
	err := json.Unmarshal(data, v)
	var mismatch *json.UnmarshalTypeError
	return err == nil || errors.As(err, &mismatch)
}

// decodeList decodes a bare array, or the first of the named members that is an
// array. Elements of the wrong type decode to the zero value, so that positions
// are kept.
func decodeList[T any](body []byte, names ...string) ([]T, bool) {
	switch body[0] {
	case '[':
	case '{':
		var members map[string]json.RawMessage
		if !unmarshal(body, &members) {
			return nil, false
		}
		body = nil
		for _, name := range names {
			if member := members[name]; body == nil && len(member) > 0 && member[0] == '[' {
				body = member
			}
		}
		if body == nil {
			return nil, false
		}
	default:
		return nil, false
	}
	var elements []T
	return elements, unmarshal(body, &elements)
}

// scalar returns the content of a string, or the JSON text of a number or true; ""
// for null, false, objects and arrays.
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
	case 'n', 'f', '{', '[':
		return ""
	default:
		return string(data)
	}
}

func parseInteger(s string) (int64, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	d, ok := parseDecimal(s)
	if !ok || !d.IsInteger() || !d.BigInt().IsInt64() {
		return 0, false
	}
	return d.IntPart(), true
}

// parseDecimal parses a plain or scientific number with limited size and exponent:
// "1e999999999" would fill the memory when printed.
func parseDecimal(s string) (decimal.Decimal, bool) {
	if s == "" || len(s) > 40 || strings.Trim(s, "+-.0123456789eE") != "" {
		return decimal.Decimal{}, false
	}
	d, err := decimal.NewFromString(s)
	if err != nil || d.Exponent() > 20 || d.Exponent() < -50 {
		return decimal.Decimal{}, false
	}
	return d, true
}
