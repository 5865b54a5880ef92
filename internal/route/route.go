// Package route is the codec of callback data: it turns typed arguments into
// the short strings that buttons carry, and back.
//
// A route is declared once, with the struct of its arguments:
//
//	var Product = route.New[ProductArgs]("p")
//
// and is encoded as "p:1a.0.3": the route's name, then the struct's fields in
// order, integers in base 36. What a field may be is bounded by its type, so a
// route that could exceed Telegram's limit is refused when it is declared, not
// when a person taps. The package knows neither Telegram nor the shop.
package route

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// MaxBytes is the limit on callback data (Bot API: InlineKeyboardButton, "1-64 bytes").
const MaxBytes = 64

// ErrMalformed is returned for data that no route has encoded: an old
// button's, or a forged one's.
var ErrMalformed = errors.New("malformed callback data")

// Hash stands for a name of unknown length (a category, a project) in callback
// data: the first 8 characters of the base64url SHA-256 of the name. 48 bits
// tell a shop's few thousand names apart; who resolves one refuses it when two
// names share it.
type Hash string

const (
	hashBytes = 6
	hashLen   = 8 // of them in base64
)

// HashOf returns the Hash of a canonical name. The empty name has the empty Hash.
func HashOf(name string) Hash {
	if name == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(name))
	return Hash(base64.RawURLEncoding.EncodeToString(sum[:hashBytes]))
}

// Number returns h as a number of at most 48 bits and one, for arguments that
// have room for a Hash or a number but not for both. HashOfNumber is its inverse.
func (h Hash) Number() int64 {
	raw, err := base64.RawURLEncoding.DecodeString(string(h))
	if err != nil || len(raw) != hashBytes {
		return 0
	}
	var bits [8]byte
	copy(bits[8-hashBytes:], raw)
	return int64(binary.BigEndian.Uint64(bits[:])) + 1 //nolint:gosec // 48 bits
}

// HashOfNumber returns the Hash whose Number is n; the empty one where none is.
func HashOfNumber(n int64) Hash {
	if n <= 0 || n > 1<<(8*hashBytes) {
		return ""
	}
	bits := binary.BigEndian.AppendUint64(nil, uint64(n-1))
	return Hash(base64.RawURLEncoding.EncodeToString(bits[8-hashBytes:]))
}

// Route encodes and decodes the callback data of one screen or deed. A is a
// struct whose fields are signed or unsigned integers (or types of such a
// kind), bools or Hashes.
type Route[A any] struct {
	name string
}

// New declares a route. It panics where A has a field that can't be encoded or
// where the longest possible data would exceed MaxBytes: both are mistakes in
// the program, found when it starts.
func New[A any](name string) Route[A] {
	if name == "" || strings.ContainsAny(name, ":.") {
		panic(fmt.Sprintf("route: bad name %q", name))
	}
	if longest := len(name) + longestArgs(reflect.TypeFor[A]()); longest > MaxBytes {
		panic(fmt.Sprintf("route: %q may take %d bytes, over %d", name, longest, MaxBytes))
	}
	return Route[A]{name: name}
}

// Name returns the part of the data before the colon.
func (r Route[A]) Name() string { return r.name }

// Data returns the callback data for these arguments, at most MaxBytes long.
func (r Route[A]) Data(args A) string {
	value := reflect.ValueOf(args)
	if value.NumField() == 0 {
		return r.name
	}
	var data strings.Builder
	data.WriteString(r.name)
	for i := range value.NumField() {
		if i == 0 {
			data.WriteByte(':')
		} else {
			data.WriteByte('.')
		}
		data.WriteString(encode(value.Field(i)))
	}
	return data.String()
}

// Parse decodes the rest of callback data, as Split returns it. Anything that
// Data would not have written is ErrMalformed.
func (r Route[A]) Parse(rest string) (A, error) {
	var args A
	value := reflect.ValueOf(&args).Elem()
	if value.NumField() == 0 {
		if rest != "" {
			return args, ErrMalformed
		}
		return args, nil
	}
	list, found := strings.CutPrefix(rest, ":")
	parts := strings.Split(list, ".")
	if !found || len(parts) != value.NumField() {
		return args, ErrMalformed
	}
	for i, part := range parts {
		if !decode(value.Field(i), part) {
			var none A
			return none, ErrMalformed
		}
	}
	return args, nil
}

// Split cuts callback data into the route's name and the rest for Parse. The
// rest begins with the colon, so that "p" and "p:" stay two things.
func Split(data string) (name, rest string) {
	if i := strings.IndexByte(data, ':'); i >= 0 {
		return data[:i], data[i:]
	}
	return data, ""
}

var hashType = reflect.TypeFor[Hash]()

// longestArgs returns the length of the longest ":a.b.c" that a value of this
// struct type can have.
func longestArgs(args reflect.Type) int {
	if args.Kind() != reflect.Struct {
		panic(fmt.Sprintf("route: arguments are a struct, not %s", args))
	}
	total := 0
	for i := range args.NumField() {
		field := args.Field(i)
		if !field.IsExported() {
			panic(fmt.Sprintf("route: %s.%s is not exported", args, field.Name))
		}
		total += 1 + longest(args, field)
	}
	return total
}

func longest(args reflect.Type, field reflect.StructField) int {
	if field.Type == hashType {
		return hashLen
	}
	switch field.Type.Kind() {
	case reflect.Bool:
		return 1
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		lowest := int64(-1) << (field.Type.Bits() - 1)
		return len(strconv.FormatInt(lowest, 36))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		highest := ^uint64(0) >> (64 - field.Type.Bits())
		return len(strconv.FormatUint(highest, 36))
	default:
		panic(fmt.Sprintf("route: %s.%s is a %s, which callback data can't hold", args, field.Name, field.Type))
	}
}

func encode(field reflect.Value) string {
	switch {
	case field.Type() == hashType:
		return field.String()
	case field.Kind() == reflect.Bool:
		if field.Bool() {
			return "1"
		}
		return "0"
	case field.CanInt():
		return strconv.FormatInt(field.Int(), 36)
	default:
		return strconv.FormatUint(field.Uint(), 36)
	}
}

// decode sets field from text and reports whether text is exactly what encode
// writes for that value: one value has one spelling, so a forger gains no
// second name for a button.
func decode(field reflect.Value, text string) bool {
	switch {
	case field.Type() == hashType:
		if text != "" && (len(text) != hashLen || !isBase64URL(text)) {
			return false
		}
		field.SetString(text)
	case field.Kind() == reflect.Bool:
		field.SetBool(text == "1")
	case field.CanInt():
		n, err := strconv.ParseInt(text, 36, field.Type().Bits())
		if err != nil {
			return false
		}
		field.SetInt(n)
	default:
		n, err := strconv.ParseUint(text, 36, field.Type().Bits())
		if err != nil {
			return false
		}
		field.SetUint(n)
	}
	return encode(field) == text
}

func isBase64URL(text string) bool {
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
