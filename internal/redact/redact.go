// Package redact is the one place that keeps secrets out of logs and errors.
//
// It owns two things: Secret, a string that prints as a placeholder wherever
// it ends up by accident, and Redactor, which scrubs text that other people's
// code has made (net/http puts the bot's token into the errors it returns).
// It knows nothing about where secrets come from.
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

// Placeholder stands where a secret would have been.
const Placeholder = "[redacted]"

// Secret is a token, an API key, a delivered account or a code. Printing,
// logging or marshalling it gives Placeholder; only Reveal gives the value.
//
// Three ways round it are not the type's to close: fmt does not ask a field
// that is not exported how it prints (Redactor.Handler does), encoding/json
// does not ask the keys of a map, and fmt asks nobody where a verb does not fit
// (%p, or %w of what is no error: go vet refuses both).
type Secret string

// Reveal returns the value itself. Call it only where the value leaves for
// its destination: the wire, the sealed column, the person's own chat.
func (s Secret) Reveal() string { return string(s) }

// String implements fmt.Stringer.
func (s Secret) String() string { return Placeholder }

// Format implements fmt.Formatter, so that %q, %x and %#v print Placeholder too.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Placeholder) }

// MarshalText implements encoding.TextMarshaler, which encoding/json uses as well.
func (s Secret) MarshalText() ([]byte, error) { return []byte(Placeholder), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(Placeholder) }

// Tail returns the last four characters behind dots ("••••cdef"), the form in
// which a person recognizes their own key. A secret of fewer than twelve
// characters shows none of them.
func (s Secret) Tail() string {
	runes := []rune(string(s))
	if len(runes) < 12 {
		return "••••"
	}
	return "••••" + string(runes[len(runes)-4:])
}

// What secrets look like inside text that others made: a bot token anywhere,
// also right behind "/bot" (Bot API: "Authorizing your bot"), and the value of
// a field that is named like one, in a form (key=…), in JSON ("key":"…", also
// with its quotes escaped) and in url.Values as fmt prints them (key:[…]).
var (
	tokenPattern  = regexp.MustCompile(`\d{3,20}(:|%3[Aa])[A-Za-z0-9_-]{20,}`)
	fieldPattern  = regexp.MustCompile(`(?i)(^|[^\w])(` + fieldNames + `)=[^&\s"']+`)
	jsonPattern   = regexp.MustCompile(`(?i)("(?:` + fieldNames + `)\\*"\s*:\s*\\*")[^"\\]+`)
	valuesPattern = regexp.MustCompile(`(?i)(^|[^\w])(` + fieldNames + `):\[[^\]]*\]`)
	namePattern   = regexp.MustCompile(`(?i)^(` + fieldNames + `)$`)
)

const fieldNames = `key|api_?key|token|secret|secret_?key|secret_?token`

// Redactor scrubs text. The zero value knows the patterns only.
type Redactor struct {
	replacer *strings.Replacer
}

// New returns a Redactor that also hides these very values wherever they
// stand, as they are and as URLs escape them. Values shorter than eight
// characters are left out: hiding them would blank ordinary words.
func New(secrets ...Secret) *Redactor {
	var values []string
	for _, secret := range secrets {
		if value := strings.TrimSpace(secret.Reveal()); len(value) >= 8 {
			values = append(values, value, url.QueryEscape(value), url.PathEscape(value))
		}
	}
	return &Redactor{replacer: replacerOf(values)}
}

// replacerOf returns what hides these values. The longest go first, for one
// may begin with another.
func replacerOf(values []string) *strings.Replacer {
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
	// Most log lines have neither mark; looking for one costs far less than the
	// patterns.
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

// Handler returns a slog.Handler that scrubs messages and attributes before
// next sees them.
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

// attr scrubs one attribute. Numbers, times and the like can't hold a secret
// and keep their type; everything else becomes text, because text is what the
// patterns understand. An attribute that is named like a secret is one.
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

// sprint is what %+v gives, without the Secrets that it would show because
// they are in fields that are not exported.
func sprint(value any) string {
	text := fmt.Sprintf("%+v", value)
	switch value.(type) {
	case error, fmt.Stringer, fmt.Formatter:
		return text // its own words
	}
	of := reflect.ValueOf(value)
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	if secrets := secretsIn(of, nil); len(secrets) > 0 {
		text = replacerOf(secrets).Replace(text)
	}
	return text
}

var secretType = reflect.TypeFor[Secret]()

// secretsIn appends the Secrets that fmt reaches in a value: it goes into
// everything but pointers, which below the top it prints as addresses.
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
