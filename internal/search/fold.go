package search

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold normalizes text for comparison: its words, separated by single spaces,
// case-folded, without accents, and with compatibility variants (full width,
// ligatures, digits of other scripts) replaced. A word consists of letters,
// digits and the combining marks of its script. Invisible characters are
// removed; all others separate words.
func Fold(text string) string {
	text = cases.Fold().String(norm.NFKD.String(text))
	text = norm.NFKD.String(strings.ToLower(text)) // cases.Fold maps small Cherokee letters to capitals
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
			folded.WriteRune(foldLetter(r))
		case isAccent(r) || isInvisible(r):
			continue
		case inWord && unicode.In(r, unicode.Mn, unicode.Mc):
			folded.WriteRune(r)
		default:
			inWord = false
		}
	}
	return norm.NFC.String(folded.String())
}

// isAccent reports whether r is a mark that people omit when they type: an
// accent, or an Arabic vowel. The marks of Hindi, Thai and others are letters.
func isAccent(r rune) bool {
	return 0x300 <= r && r <= 0x36F || 0x64B <= r && r <= 0x65F || r == 0x670
}

// isInvisible reports whether r only changes how its neighbours are drawn.
func isInvisible(r rune) bool { return unicode.In(r, unicode.Cf, unicode.Variation_Selector) }

// foldLetter replaces letters whose stroke Unicode does not decompose, and
// digits of other scripts by ASCII digits.
func foldLetter(r rune) rune {
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
	// Unicode places the digits 0 to 9 of each script next to each other.
	zero := r
	for unicode.IsDigit(zero - 1) {
		zero--
	}
	return '0' + (r-zero)%10
}
