package locales

import (
	"strings"
	"unicode"
)

// Unicode's isolates. Text between them does not affect the direction of the
// text around it.
const (
	leftToRightIsolate = "\u2066"
	firstStrongIsolate = "\u2068" // the direction is that of the first letter
	popIsolate         = "\u2069"
)

// Isolate returns text that is written from left to right in any language (a
// phone number, a code, a link), isolated if the language is written from right
// to left.
func (l *Localizer) Isolate(text string) string {
	if !l.rightToLeft || text == "" {
		return text
	}
	return leftToRightIsolate + text + popIsolate
}

// Name returns a name that comes from outside. It is isolated if its direction
// may differ from that of the language: in a right-to-left language always.
func (l *Localizer) Name(name string) string {
	if name == "" || !l.rightToLeft && !strings.ContainsFunc(name, changesDirection) {
		return name
	}
	return firstStrongIsolate + name + popIsolate
}

// changesDirection reports whether r is a letter of a right-to-left script or a
// control character of direction.
func changesDirection(r rune) bool {
	return unicode.Is(unicode.Bidi_Control, r) || unicode.In(r, unicode.Arabic, unicode.Hebrew, unicode.Syriac, unicode.Thaana, unicode.Nko)
}
