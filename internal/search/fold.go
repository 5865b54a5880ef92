package search

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold returns what is compared of a text: its words, a space between them, in
// one case, without accents and without what only looks different (full width,
// ligatures, digits of other scripts). A word is letters, digits and the marks
// that belong to them. Whatever stands between words is a space, and what can't
// be seen is nothing.
func Fold(text string) string {
	text = cases.Fold().String(norm.NFKD.String(text))
	text = norm.NFKD.String(strings.ToLower(text)) // cases.Fold makes capitals of small Cherokee letters
	var folded strings.Builder
	folded.Grow(len(text))
	inWord := false
	for _, r := range text {
		switch {
		case unicode.IsLetter(r) || unicode.IsNumber(r):
			if !inWord && folded.Len() > 0 {
				folded.WriteByte(' ')
			}
			inWord = true
			folded.WriteRune(plain(r))
		case isAccent(r) || isUnseen(r):
			continue
		case inWord && unicode.In(r, unicode.Mn, unicode.Mc):
			folded.WriteRune(r)
		default:
			inWord = false
		}
	}
	return norm.NFC.String(folded.String())
}

// isAccent reports whether a mark is one that people leave out: an accent, or a
// vowel of Arabic. The marks of Hindi, Thai and others are letters.
func isAccent(r rune) bool {
	return 0x300 <= r && r <= 0x36F || 0x64B <= r && r <= 0x65F || r == 0x670
}

// isUnseen reports whether r only says how its neighbours are drawn.
func isUnseen(r rune) bool { return unicode.In(r, unicode.Cf, unicode.Variation_Selector) }

// plain returns the letter that is typed for one whose stroke is no mark of its
// own, and the ASCII digit for one of another script.
func plain(r rune) rune {
	switch r {
	case 'đ':
		return 'd'
	case 'ł':
		return 'l'
	case 'ø':
		return 'o'
	}
	if r <= unicode.MaxASCII || !unicode.IsDigit(r) {
		return r
	}
	// Unicode has digits in rows from 0 to 9.
	zero := r
	for unicode.IsDigit(zero - 1) {
		zero--
	}
	return '0' + (r-zero)%10
}
