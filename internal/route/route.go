// Package route is the codec of callback data: it turns typed arguments into
// the short strings that buttons carry, and back.
//
// A route is declared once, with the struct of its arguments:
//
//	var Product = route.New[ProductArgs]("p")
//
// and is encoded as "p:1a.0.3": the name of the route, then the fields of the
// struct in order, integers in base 36. The type of a field bounds its length,
// so New panics at the start of the program for a route whose data could exceed
// Telegram's limit. A value has exactly one spelling, and Parse returns an
// error for any other. Names of unknown length are encoded as a Hash.
//
// The package contains neither the routes themselves (package keyboards) nor
// their screens, and it does not check rights: data in a button is not trusted.
package route

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// MaxBytes is the limit on callback data (Bot API: InlineKeyboardButton, "1-64 bytes").
const MaxBytes = 64

// ErrMalformed is the error for data that Data did not produce, for instance
// that of an old or a forged button.
var ErrMalformed = errors.New("malformed callback data")

// Hash represents a name of unknown length (a category, a project) in callback
// data: the first 8 characters of the base64url SHA-256 of the name. Its 48 bits
// distinguish a few thousand names; a caller that looks a name up by its Hash
// must treat a Hash of two names as unknown.
type Hash string

const hashLen = 8

// HashOf returns the Hash of a name, "" for the empty name. Old buttons contain
// hashes, so the function must never change.
func HashOf(name string) Hash {
	if name == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(name))
	return Hash(base64.RawURLEncoding.EncodeToString(sum[:])[:hashLen])
}

// Route encodes and decodes the callback data of one screen or action. A is a
// struct whose fields are signed or unsigned integers (or named types of these),
// bools, Hashes, or embedded structs of these, which are encoded in place.
type Route[A any] struct {
	name string
}

// New declares a route. It panics if A has a field that can't be encoded or if
// the longest possible data exceeds MaxBytes.
func New[A any](name string) Route[A] {
	if name == "" || strings.ContainsAny(name, ":.") {
		panic(fmt.Sprintf("route: bad name %q", name))
	}
	if longest := len(name) + longestArgs(reflect.TypeFor[A]()); longest > MaxBytes {
		panic(fmt.Sprintf("route: the data of %q may have %d bytes, more than %d", name, longest, MaxBytes))
	}
	return Route[A]{name: name}
}

// Name returns the part of the data before the colon.
func (r Route[A]) Name() string { return r.name }

// Data returns the callback data for these arguments, at most MaxBytes.
func (r Route[A]) Data(args A) string {
	var data strings.Builder
	data.WriteString(r.name)
	for i, field := range fields(reflect.ValueOf(args)) {
		if i == 0 {
			data.WriteByte(':')
		} else {
			data.WriteByte('.')
		}
		data.WriteString(encode(field))
	}
	return data.String()
}

// Parse decodes the rest of callback data, as Split returns it. For a rest that
// Data would not produce it returns ErrMalformed.
func (r Route[A]) Parse(rest string) (A, error) {
	var args A
	wanted := fields(reflect.ValueOf(&args).Elem())
	if len(wanted) == 0 {
		if rest != "" {
			return args, ErrMalformed
		}
		return args, nil
	}
	list, found := strings.CutPrefix(rest, ":")
	parts := strings.Split(list, ".")
	if !found || len(parts) != len(wanted) {
		return args, ErrMalformed
	}
	for i, part := range parts {
		if !decode(wanted[i], part) {
			var none A
			return none, ErrMalformed
		}
	}
	return args, nil
}

// Split separates callback data into the name of the route and the rest for
// Parse. The rest begins with the colon, so "p" and "p:" remain different.
func Split(data string) (name, rest string) {
	if i := strings.IndexByte(data, ':'); i >= 0 {
		return data[:i], data[i:]
	}
	return data, ""
}

// fields returns the fields of a struct in order, those of embedded structs in
// their place.
func fields(value reflect.Value) []reflect.Value {
	all := make([]reflect.Value, 0, value.NumField())
	for i := range value.NumField() {
		if field := value.Field(i); field.Kind() == reflect.Struct {
			all = append(all, fields(field)...)
		} else {
			all = append(all, field)
		}
	}
	return all
}

var hashType = reflect.TypeFor[Hash]()

// longestArgs returns the length of the longest ":a.b.c" that a value of this
// struct type can have.
func longestArgs(args reflect.Type) int {
	if args.Kind() != reflect.Struct {
		panic(fmt.Sprintf("route: arguments must be a struct, not %s", args))
	}
	total := 0
	for i := range args.NumField() {
		field := args.Field(i)
		if !field.IsExported() {
			panic(fmt.Sprintf("route: %s.%s is not exported", args, field.Name))
		}
		if field.Anonymous {
			total += longestArgs(field.Type)
		} else {
			total += 1 + longest(args, field)
		}
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
		panic(fmt.Sprintf("route: %s.%s has the type %s, which can't be encoded", args, field.Name, field.Type))
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
// returns for that value.
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
