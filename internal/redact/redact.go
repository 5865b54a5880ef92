// Package redact keeps secrets out of logs and errors.
//
// It owns Secret, a string that prints as a placeholder, and Redactor, which
// removes secrets from text that other code has produced: net/http puts the
// bot's token into the errors that it returns. The program's only logger
// writes through Redactor.Handler, which hides the known values, everything
// that looks like a token, and the fields that are named like a secret. The
// package contains nothing of the origin of secrets.
package redact

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Placeholder replaces a secret.
const Placeholder = "[redacted]"

// Secret is a token, an API key, a delivered account or a code. Printing,
// logging or marshalling it gives Placeholder; only Reveal returns the value.
//
// The type can't prevent three leaks: fmt does not call the methods of a value
// in an unexported field (Redactor.Handler covers that), encoding/json does not
// call those of map keys, and fmt calls none for a verb that does not fit (%p,
// or %w of a value that is no error; go vet reports both).
type Secret string

// Reveal returns the value itself. Call it only where the value is passed to
// its destination: a request, a sealed column, the chat of its owner.
func (s Secret) Reveal() string { return string(s) }

// String implements fmt.Stringer.
func (s Secret) String() string { return Placeholder }

// Format implements fmt.Formatter, so that %q, %x and %#v print Placeholder too.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Placeholder) }

// MarshalText implements encoding.TextMarshaler, which encoding/json uses as well.
func (s Secret) MarshalText() ([]byte, error) { return []byte(Placeholder), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(Placeholder) }

// Tail returns dots and the last four characters ("••••cdef"), by which people
// recognize their own key. For a secret of fewer than twelve characters it
// returns the dots only.
func (s Secret) Tail() string {
	runes := []rune(string(s))
	if len(runes) < 12 {
		return "••••"
	}
	return "••••" + string(runes[len(runes)-4:])
}

// The patterns of secrets in text: a bot token anywhere, also right after "/bot"
// (Bot API: "Authorizing your bot"), and the value of a field that is named
// like a secret, in a form (key=…), in JSON ("key":"…", also with escaped
// quotes) and in url.Values as fmt prints them (key:[…]).
var (
	tokenPattern  = regexp.MustCompile(`\d{3,20}(:|%3[Aa])[A-Za-z0-9_-]{20,}`)
	fieldPattern  = regexp.MustCompile(`(?i)(^|[^\w])(` + fieldNames + `)=[^&\s"']+`)
	jsonPattern   = regexp.MustCompile(`(?i)("(?:` + fieldNames + `)\\*"\s*:\s*\\*")[^"\\]+`)
	valuesPattern = regexp.MustCompile(`(?i)(^|[^\w])(` + fieldNames + `):\[[^\]]*\]`)
	namePattern   = regexp.MustCompile(`(?i)^(` + fieldNames + `)$`)
)

const fieldNames = `key|api_?key|token|secret|secret_?key|secret_?token`

// Redactor removes secrets from text. The zero value recognizes them by the
// patterns only.
type Redactor struct {
	replacer *strings.Replacer
}

// New returns a Redactor that also hides these values, plain and escaped as in
// URLs. Values shorter than eight characters are ignored, because hiding them
// would also hide ordinary words.
func New(secrets ...Secret) *Redactor {
	var values []string
	for _, secret := range secrets {
		if value := strings.TrimSpace(secret.Reveal()); len(value) >= 8 {
			values = append(values, value, url.QueryEscape(value), url.PathEscape(value))
		}
	}
	return &Redactor{replacer: newReplacer(values)}
}

// newReplacer returns a Replacer that hides these values. The longest come
// first, because a value may be the beginning of another one.
func newReplacer(values []string) *strings.Replacer {
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(values))
	for _, value := range slices.Compact(values) {
		pairs = append(pairs, value, Placeholder)
	}
	return strings.NewReplacer(pairs...)
}

// String returns text with every secret replaced by Placeholder.
func (r *Redactor) String(text string) string {
	if r.replacer != nil {
		text = r.replacer.Replace(text)
	}
	// Most log lines contain neither character, and the search costs far less
	// than the patterns.
	if strings.Contains(text, ":") || strings.Contains(text, "%3") {
		text = tokenPattern.ReplaceAllString(text, Placeholder)
		text = jsonPattern.ReplaceAllString(text, "${1}"+Placeholder)
		text = valuesPattern.ReplaceAllString(text, "${1}${2}:["+Placeholder+"]")
	}
	if strings.Contains(text, "=") {
		text = fieldPattern.ReplaceAllString(text, "${1}${2}="+Placeholder)
	}
	return text
}

// Handler returns a slog.Handler that removes secrets from messages and
// attributes and passes the records to next.
func (r *Redactor) Handler(next slog.Handler) slog.Handler {
	return &handler{redactor: r, next: next}
}

type handler struct {
	redactor *Redactor
	next     slog.Handler
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *handler) Handle(ctx context.Context, record slog.Record) error {
	clean := slog.NewRecord(record.Time, record.Level, h.redactor.String(record.Message), record.PC)
	record.Attrs(func(attr slog.Attr) bool {
		clean.AddAttrs(h.attr(attr))
		return true
	})
	return h.next.Handle(ctx, clean)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, attr := range attrs {
		clean[i] = h.attr(attr)
	}
	return &handler{redactor: h.redactor, next: h.next.WithAttrs(clean)}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{redactor: h.redactor, next: h.next.WithGroup(name)}
}

// attr removes secrets from one attribute. Numbers and times can't contain a
// secret and keep their type; other values become text, to which the patterns
// apply. The text of an attribute that is named like a secret is hidden.
func (h *handler) attr(attr slog.Attr) slog.Attr {
	value := attr.Value.Resolve()
	switch value.Kind() {
	case slog.KindGroup:
		members := value.Group()
		clean := make([]slog.Attr, len(members))
		for i, member := range members {
			clean[i] = h.attr(member)
		}
		return slog.Attr{Key: attr.Key, Value: slog.GroupValue(clean...)}
	case slog.KindString:
		return slog.String(attr.Key, h.text(attr.Key, value.String()))
	case slog.KindAny:
		return slog.String(attr.Key, h.text(attr.Key, sprint(value.Any())))
	default:
		return slog.Attr{Key: attr.Key, Value: value}
	}
}

func (h *handler) text(name, text string) string {
	if text != "" && namePattern.MatchString(name) {
		return Placeholder
	}
	return h.redactor.String(text)
}

// sprint formats value with %+v and hides the Secrets in its unexported fields,
// which fmt would print.
func sprint(value any) string {
	text := fmt.Sprintf("%+v", value)
	switch value.(type) {
	case error, fmt.Stringer, fmt.Formatter:
		return text // by its own method
	}
	v := reflect.ValueOf(value)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if secrets := secretsIn(v, nil); len(secrets) > 0 {
		text = newReplacer(secrets).Replace(text)
	}
	return text
}

var secretType = reflect.TypeFor[Secret]()

// secretsIn appends the Secrets that fmt would print as part of value. It does
// not follow pointers, which fmt prints as addresses below the top level.
func secretsIn(value reflect.Value, found []string) []string {
	switch value.Kind() {
	case reflect.String:
		if value.Type() == secretType && value.Len() > 0 {
			found = append(found, value.String())
		}
	case reflect.Struct:
		for i := range value.NumField() {
			found = secretsIn(value.Field(i), found)
		}
	case reflect.Interface:
		found = secretsIn(value.Elem(), found)
	case reflect.Slice, reflect.Array:
		if value.Type().Elem().Kind() == reflect.Uint8 {
			return found
		}
		for i := range value.Len() {
			found = secretsIn(value.Index(i), found)
		}
	case reflect.Map:
		for entries := value.MapRange(); entries.Next(); {
			found = secretsIn(entries.Value(), secretsIn(entries.Key(), found))
		}
	}
	return found
}
