package locales

import (
	"html"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/bidi"
)

// Unicode's isolates. Text between them does not affect the direction of the
// text around it.
const (
	leftToRightIsolate = "\u2066"
	firstStrongIsolate = "\u2068" // the direction is that of the first letter
	popIsolate         = "\u2069"
)

// rightToLeftMark is an invisible letter of a right-to-left script.
const rightToLeftMark = "\u200f"

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

// MarkLines begins lines of HTML with a mark where they would not have the direction of the
// language: Telegram's apps take it from the first letter outside of isolates (as Unicode's
// bidirectional algorithm does). In a right-to-left language these are the lines that have no
// letter there, such as a price, and those of the language that begin with a name in Latin
// letters. A line of other scripts only keeps its direction. What people copy (code, pre)
// stays as it is.
func (l *Localizer) MarkLines(text string) string {
	if !l.rightToLeft {
		return text
	}
	var result strings.Builder
	var copied bool // the line begins in a code or pre
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			result.WriteByte('\n')
		}
		visible, endsCopied := visibleText(line, copied)
		if !copied && !strings.HasPrefix(line, "<pre") && needsMark(visible) {
			if quote := blockquote.FindString(line); quote != "" { // a mark before it would be a line of its own
				result.WriteString(quote)
				line = line[len(quote):]
			}
			result.WriteString(rightToLeftMark)
		}
		copied = endsCopied
		result.WriteString(line)
	}
	return result.String()
}

var blockquote = regexp.MustCompile(`^<blockquote[^>]*>`)

// visibleText returns the text of a line of HTML, and whether it ends within a code or pre.
func visibleText(line string, copied bool) (text string, endsCopied bool) {
	var visible strings.Builder
	for {
		before, rest, found := strings.Cut(line, "<")
		visible.WriteString(before)
		if !found {
			return html.UnescapeString(visible.String()), copied
		}
		tag, after, _ := strings.Cut(rest, ">")
		switch name, _, _ := strings.Cut(strings.TrimPrefix(tag, "/"), " "); name {
		case "code", "pre":
			copied = !strings.HasPrefix(tag, "/")
		}
		line = after
	}
}

// needsMark reports whether a line is shown from left to right, and should not be.
func needsMark(line string) bool {
	switch first, rightToLeft := directions(line); first {
	case bidi.R, bidi.AL:
		return false
	case bidi.L:
		return rightToLeft
	default:
		return strings.TrimSpace(line) != ""
	}
}

// directions returns the direction of the first letter of a line outside of isolates,
// bidi.ON where it has none, and whether one of them is from right to left.
func directions(line string) (first bidi.Class, rightToLeft bool) {
	depth := 0
	first = bidi.ON
	for _, r := range line {
		properties, _ := bidi.LookupRune(r)
		switch class := properties.Class(); class {
		case bidi.LRI, bidi.RLI, bidi.FSI:
			depth++
		case bidi.PDI:
			depth = max(0, depth-1)
		case bidi.L, bidi.R, bidi.AL:
			if depth > 0 {
				continue
			}
			if first == bidi.ON {
				first = class
			}
			rightToLeft = rightToLeft || class != bidi.L
		}
	}
	return first, rightToLeft
}
