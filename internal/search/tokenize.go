package search

import (
	"iter"
	"unicode"
	"unicode/utf8"
)

// tokens splits folded text into words and into runs of CJK characters; cjk
// tells which a token is.
func tokens(folded string) iter.Seq2[string, bool] {
	return func(yield func(token string, cjk bool) bool) {
		start, cjk := -1, false
		for i, r := range folded {
			if r == ' ' {
				if start >= 0 && !yield(folded[start:i], cjk) {
					return
				}
				start = -1
				continue
			}
			isRuneCJK := isCJK(r)
			if start >= 0 && isRuneCJK != cjk && !unicode.In(r, unicode.Mn, unicode.Mc) {
				if !yield(folded[start:i], cjk) {
					return
				}
				start = -1
			}
			if start < 0 {
				start, cjk = i, isRuneCJK
			}
		}
		if start >= 0 {
			yield(folded[start:], cjk)
		}
	}
}

// isCJK reports whether r is Chinese, Japanese or Korean: scripts in which
// spaces do not separate all words.
func isCJK(r rune) bool {
	const hangulJamo = 0x1100 // the lowest CJK code point; skips the table lookups for other scripts
	return r >= hangulJamo && (r == 'ー' || unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul))
}

// bigrams yields each pair of neighbouring characters of a run.
func bigrams(run string) iter.Seq[string] {
	return func(yield func(string) bool) {
		start := 0
		_, end := utf8.DecodeRuneInString(run)
		for end < len(run) {
			_, size := utf8.DecodeRuneInString(run[end:])
			if !yield(run[start : end+size]) {
				return
			}
			_, step := utf8.DecodeRuneInString(run[start:])
			start, end = start+step, end+size
		}
	}
}
