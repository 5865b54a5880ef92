package search

import (
	"iter"
	"unicode"
	"unicode/utf8"
)

// pieces cuts folded text into words and into runs of characters of scripts
// that are written without spaces, which are dense.
func pieces(folded string) iter.Seq2[string, bool] {
	return func(yield func(piece string, dense bool) bool) {
		start, dense := -1, false
		for i, r := range folded {
			if r == ' ' {
				if start >= 0 && !yield(folded[start:i], dense) {
					return
				}
				start = -1
				continue
			}
			is := isDense(r)
			if start >= 0 && is != dense && !unicode.In(r, unicode.Mn, unicode.Mc) {
				if !yield(folded[start:i], dense) {
					return
				}
				start = -1
			}
			if start < 0 {
				start, dense = i, is
			}
		}
		if start >= 0 {
			yield(folded[start:], dense)
		}
	}
}

// isDense reports whether r is of a script whose words are not told apart by
// spaces, or not by them alone: Chinese, Japanese, Korean.
func isDense(r rune) bool {
	const hangulJamo = 0x1100 // the first of them
	return r >= hangulJamo && (r == 'ー' || unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul))
}

// pairs gives each two neighbouring characters of a run.
func pairs(run string) iter.Seq[string] {
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
