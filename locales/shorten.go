package locales

import "unicode/utf8"

// Shorten returns text if it has at most limit characters (runes), else its
// first limit-1 characters and "…".
func Shorten(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}
