package search

import "unicode/utf8"

// fuzzyMatcher compares a typed word with the sorted words of an index by
// optimal string alignment distance: the number of letters inserted, deleted or
// replaced, or of neighbours swapped. The rows of the distance matrix for a prefix
// that a word shares with the word before it are reused, and a word is
// abandoned as soon as its distance exceeds maxEdits.
type fuzzyMatcher struct {
	typed       []rune
	maxEdits    int
	letters     []rune  // letters[d]: the d-th letter of the current word
	ends        []int   // ends[d]: byte offset in the word after that letter
	distances   [][]int // distances[d][j]: edits between d letters of the word and j of the typed one
	prefixEdits []int   // prefixEdits[d]: the fewest edits between a prefix of at most d letters and the typed word
}

func newFuzzyMatcher(typed []rune, maxEdits int) *fuzzyMatcher {
	depth := len(typed) + maxEdits + 2 // a longer word needs more edits than that
	m := &fuzzyMatcher{
		typed: typed, maxEdits: maxEdits,
		letters: make([]rune, depth), ends: make([]int, depth), distances: make([][]int, depth), prefixEdits: make([]int, depth),
	}
	for d := range m.distances {
		m.distances[d] = make([]int, len(typed)+2)
	}
	for j := range m.distances[0] {
		m.distances[0][j] = j
	}
	m.prefixEdits[0] = len(typed)
	return m
}

// match calls found with the index of each word within maxEdits of the typed one
// and the number of edits. With prefix, a word whose prefix is within maxEdits
// matches too.
func (m *fuzzyMatcher) match(x *Index, prefix bool, found func(word int, edits uint8)) {
	// Rows up to depth are filled in; at dead letters the distance exceeds maxEdits.
	depth, dead := 0, len(m.distances)
	for i, word := range x.terms[:x.wordCount] {
		if shared := int(x.sharedPrefix[i]); shared < dead {
			depth, dead = min(shared, depth), len(m.distances)
			for end := m.ends[depth]; end < len(word) && depth < dead; {
				letter, size := utf8.DecodeRuneInString(word[end:])
				end += size
				depth++
				m.letters[depth], m.ends[depth] = letter, end
				if m.fillRow(depth) > m.maxEdits {
					dead = depth
				}
			}
		}
		edits := m.maxEdits + 1
		if depth < dead {
			edits = m.edits(depth)
		}
		if prefix {
			edits = min(edits, m.prefixEdits[depth])
		}
		if edits <= m.maxEdits {
			found(i, uint8(edits)) //nolint:gosec // at most two
		}
	}
}

// fillRow computes the row of depth letters from the rows above, within maxEdits
// of the diagonal, and returns its minimum.
func (m *fuzzyMatcher) fillRow(depth int) int {
	row, above := m.distances[depth], m.distances[depth-1]
	letter, tooMany := m.letters[depth], m.maxEdits+1
	from, to := max(depth-m.maxEdits, 1), min(depth+m.maxEdits, len(m.typed))
	row[from-1], row[to+1] = tooMany, tooMany
	if from == 1 {
		row[0] = depth
	}
	fewest := row[from-1]
	for j := from; j <= to; j++ {
		r := m.typed[j-1]
		edits := above[j-1]
		if r != letter {
			edits++
		}
		edits = min(edits, above[j]+1, row[j-1]+1)
		if depth > 1 && j > 1 && r == m.letters[depth-1] && m.typed[j-2] == letter {
			edits = min(edits, m.distances[depth-2][j-2]+1)
		}
		row[j] = edits
		fewest = min(fewest, edits)
	}
	m.prefixEdits[depth] = min(m.prefixEdits[depth-1], m.edits(depth))
	return fewest
}

// edits returns the distance between depth letters of the word and the typed word.
func (m *fuzzyMatcher) edits(depth int) int {
	if d := depth - len(m.typed); d > m.maxEdits || -d > m.maxEdits {
		return m.maxEdits + 1
	}
	return m.distances[depth][len(m.typed)]
}

// commonPrefixLength returns the length of the common prefix of two strings in runes.
func commonPrefixLength(a, b string) int {
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
