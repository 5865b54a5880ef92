package hstock

import (
	"strings"
	"unicode"
)

// maxMarks is how many combining marks a letter keeps; no script needs more.
const maxMarks = 4

// PlainName returns a name or sentence of the marketplace in one line that can't
// change how the text around it is read. Controls, direction characters and other
// format characters are removed, except joiners between letters or symbols. Spaces,
// separators of lines and paragraphs, and letters that look like spaces become one
// space. Combining marks need something to stand on.
//
// Every name goes through it where it is decoded, except the names in Category, which
// the marketplace takes as filters.
func PlainName(s string) string {
	if isPlain(s) {
		return s
	}
	runes := []rune(s)
	plain := make([]rune, 0, len(runes))
	marks := 0
	for i, r := range runes {
		previous := ' '
		if len(plain) > 0 {
			previous = plain[len(plain)-1]
		}
		switch {
		case unicode.IsSpace(r) || unicode.Is(unicode.Z, r) || isBlank(r):
			if previous != ' ' {
				plain = append(plain, ' ')
			}
			marks = 0
		case r == '\u200c' || r == '\u200d': // joiners
			if i+1 < len(runes) && joins(previous) && joins(runes[i+1]) {
				plain = append(plain, r)
			}
		case unicode.IsMark(r):
			if marks++; marks <= maxMarks && previous != ' ' {
				plain = append(plain, r)
			}
		case unicode.Is(unicode.C, r), r == unicode.ReplacementChar:
		default:
			plain = append(plain, r)
			marks = 0
		}
	}
	return strings.TrimSpace(string(plain))
}

// isPlain reports whether a name is printable ASCII with single spaces, as most are.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == ' ' && (i == 0 || i == len(s)-1 || s[i-1] == ' ') {
			return false
		}
	}
	return true
}

// joins reports whether a joiner next to a character has a meaning: in Persian and
// Indian scripts, and in emoji.
func joins(r rune) bool { return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsSymbol(r) }

// isBlank reports whether a letter or symbol is drawn as a space or as nothing.
func isBlank(r rune) bool {
	switch r {
	case '\u115f', '\u1160', '\u3164', '\uffa0', '\u2800':
		return true
	}
	return false
}

// maxRefusalRunes is the longest message of the marketplace that is kept.
const maxRefusalRunes = 200

// sanitize makes a message of the marketplace safe to display: PlainName, at most
// maxRefusalRunes.
func sanitize(message string) string { return shorten(PlainName(message), maxRefusalRunes) }

func shorten(s string, limit int) string {
	if runes := []rune(s); len(runes) > limit {
		return string(append(runes[:limit-1], '…'))
	}
	return s
}
