package search

import "unicode/utf8"

// walk compares a typed word with the words of an index, in their order. A slip
// is a letter that is missing, too many or another one, or two neighbours that
// have changed places. What a word has in common with the one before is compared
// once, and a word is left as soon as too much of it differs.
type walk struct {
	typed   []rune
	most    int     // slips that count
	letters []rune  // letters[d]: the d-th letter of the word that is compared
	ends    []int   // ends[d]: where in the word that letter ends
	rows    [][]int // rows[d][j]: the slips between d letters of the word and j of the typed one
	begins  []int   // begins[d]: the fewest between at most d letters and the whole typed one
}

func newWalk(typed []rune, most int) *walk {
	depth := len(typed) + most + 2 // a longer word has more slips
	w := &walk{
		typed: typed, most: most,
		letters: make([]rune, depth), ends: make([]int, depth), rows: make([][]int, depth), begins: make([]int, depth),
	}
	for d := range w.rows {
		w.rows[d] = make([]int, len(typed)+2)
	}
	for j := range w.rows[0] {
		w.rows[0][j] = j
	}
	w.begins[0] = len(typed)
	return w
}

// near calls found with the place of each word that has few enough slips, and
// how many; with typing also of those that only begin so.
func (w *walk) near(x *Index, typing bool, found func(word int, slips uint8)) {
	// So many letters are compared, and that many are too much.
	depth, dead := 0, len(w.rows)
	for i, word := range x.terms[:x.words] {
		if shared := int(x.shared[i]); shared < dead {
			depth, dead = min(shared, depth), len(w.rows)
			for at := w.ends[depth]; at < len(word) && depth < dead; {
				letter, size := utf8.DecodeRuneInString(word[at:])
				at += size
				depth++
				w.letters[depth], w.ends[depth] = letter, at
				if w.compare(depth) > w.most {
					dead = depth
				}
			}
		}
		slips := w.most + 1
		if depth < dead {
			slips = w.whole(depth)
		}
		if typing {
			slips = min(slips, w.begins[depth])
		}
		if slips <= w.most {
			found(i, uint8(slips)) //nolint:gosec // one or two
		}
	}
}

// compare fills in the row of so many letters from the rows above, as far as it
// may have few enough slips, and returns the fewest in it.
func (w *walk) compare(depth int) int {
	row, above := w.rows[depth], w.rows[depth-1]
	letter, tooMany := w.letters[depth], w.most+1
	from, to := max(depth-w.most, 1), min(depth+w.most, len(w.typed))
	row[from-1], row[to+1] = tooMany, tooMany
	if from == 1 {
		row[0] = depth
	}
	fewest := row[from-1]
	for j := from; j <= to; j++ {
		r := w.typed[j-1]
		slips := above[j-1]
		if r != letter {
			slips++
		}
		slips = min(slips, above[j]+1, row[j-1]+1)
		if depth > 1 && j > 1 && r == w.letters[depth-1] && w.typed[j-2] == letter {
			slips = min(slips, w.rows[depth-2][j-2]+1)
		}
		row[j] = slips
		fewest = min(fewest, slips)
	}
	w.begins[depth] = min(w.begins[depth-1], w.whole(depth))
	return fewest
}

// whole returns the slips between so many letters and the whole typed word.
func (w *walk) whole(depth int) int {
	if d := depth - len(w.typed); d > w.most || -d > w.most {
		return w.most + 1
	}
	return w.rows[depth][len(w.typed)]
}

// inCommon returns how many runes two strings have in common at their beginning.
func inCommon(a, b string) int {
	n := 0
	for len(a) > 0 && len(b) > 0 {
		r, size := utf8.DecodeRuneInString(a)
		if other, _ := utf8.DecodeRuneInString(b); other != r {
			break
		}
		a, b = a[size:], b[size:]
		n++
	}
	return n
}
