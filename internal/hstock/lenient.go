package hstock

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// The types below read one field in whatever form it comes: as a string or a
// number, null, "" and missing alike. Something quite different reads as
// missing; what a missing field means is for the answer to decide.

// text is a string. A number or true reads as it is written.
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

// count is the number, or 0 where it is missing or negative.
func (n integer) count() int64 { return max(0, n.value) }

// money is an exact decimal.
type money struct{ decimal.NullDecimal }

func (m *money) UnmarshalJSON(data []byte) error {
	m.Decimal, m.Valid = parseDecimal(strings.TrimSpace(scalar(data)))
	return nil
}

// price is the amount and whether it is one that a thing can cost.
func (m money) price() (decimal.Decimal, bool) {
	return m.Decimal, m.Valid && !m.Decimal.IsNegative()
}

// flag is true, 1, "1", "true", or their opposites.
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

// secrets is a list of strings kept byte for byte. What is delivered in another
// form is kept as it is written: better odd than lost.
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

// errorField is what an "error" field says.
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
		for _, words := range []text{inner.Message, inner.Error, inner.Code} {
			if s.message == "" {
				s.message = string(words)
			}
		}
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
	default: // true and 1 say that there is one, not which
		words := scalar(data)
		s.ok = words != "" && words != "0"
	}
	return nil
}

// refusalMessage reports whether the answer is {"error": …} and what it says.
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

// trimBody returns body without a byte order mark and outer spaces.
func trimBody(body []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
}

// decodeError says why no sense could be made of body.
func decodeError(body []byte) error {
	if json.Valid(body) {
		return errUnexpectedShape
	}
	return errNotJSON
}

// unmarshal reads what fits of a JSON value into v. A member of the wrong type reads
// as missing; false means that body is not one whole value, and v is untouched.
func unmarshal(data []byte, v any) bool {
	err := json.Unmarshal(data, v)
	var mismatch *json.UnmarshalTypeError
	return err == nil || errors.As(err, &mismatch)
}

// decodeList reads a bare array, or the first of the named members that is one.
// An element of the wrong type reads as an empty one, so that positions keep.
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

// scalar is a string's content, or a number or true as it is written; "" for
// null, false, objects and arrays.
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

// parseDecimal reads a plain or scientific number of a size that money can
// have: "1e999999999" would fill the memory when printed.
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
