package locales

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Shorten returns text if it has at most limit characters (runes), else its
// first limit-1 characters and "…".
func Shorten(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}

// CutAtWord returns text if it has at most limit UTF-16 units, as Telegram counts them,
// else what fits of it, up to the end of a word, and "…". Without a space in the second
// half it is cut at a character. It returns "" if limit is below 2.
func CutAtWord(text string, limit int) string {
	units, cut, space := 0, 0, 0 // cut and space are in bytes
	for i, r := range text {
		if units <= limit-1 {
			cut = i
			if unicode.IsSpace(r) {
				space = i
			}
		}
		if units += utf16.RuneLen(r); units > limit {
			if limit < 2 {
				return ""
			}
			if 2*space >= cut {
				cut = space
			}
			return strings.TrimRightFunc(text[:cut], unicode.IsSpace) + "…"
		}
	}
	return text
}
