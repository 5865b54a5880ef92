package search

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How well a word of the query is found, the best first: as it is, as the
// beginning of a word, near one or inside of one, near the beginning of one. A
// name weighs more than another text, and more again where the word has the same
// place in it as in the query.
const (
	exactName, exactText   = 60, 30
	prefixName, prefixText = 50, 25
	nearName, nearText     = 20, 12
	farName, farText       = 10, 6
	perSlip                = 3
	inPlace                = 5
)

const (
	// A word that so many documents have is meant as it is spelt: nothing is
	// looked for that only comes near it.
	common = 10
	// From so many letters on, a word may have one slip, and two; is found in the
	// middle of other words; and with slips at the beginning of others.
	oneSlip, twoSlips, inside, unfinished = 4, 8, 3, 6
	// maxRun is how much of a run of characters counts: its pairs are bits.
	maxRun = 31
)

// Search returns the places of the documents that have all words of the query,
// each in a name or another text: the best first, and equally good ones in the
// order of the documents. A word is found as it is, or as the beginning of one; if
// it is rare, also with slips and inside of words; and if it is not found at all, as
// the beginning of a word with slips. A query without words finds nothing.
func (x *Index) Search(query string) []int {
	s := scan{Index: x, best: make([]uint8, len(x.lengths)), totals: make([]uint32, len(x.lengths)), has: make([]uint16, len(x.lengths))}
	seen := map[string]bool{}
	for piece, dense := range pieces(Fold(query)) {
		if seen[piece] {
			continue
		}
		seen[piece] = true
		if dense {
			s.run(piece)
		} else {
			s.word(piece)
		}
		if !s.add() {
			return nil
		}
	}
	return s.ranked()
}

// scan is one search. It looks for one word after the other.
type scan struct {
	*Index
	best    []uint8  // of the present word, how well each document has it
	touched []uint32 // the documents that have it
	totals  []uint32 // of the words before, the sum for each document
	has     []uint16 // how many of those it has
	done    uint16   // how many of those there are
	found   []uint32 // the documents that have all of those
}

// word looks for a word of a script with spaces.
func (s *scan) word(word string) {
	from, to, exact := s.beginning(word, false)
	if exact {
		s.mark(from, exactName, exactText)
		from++
	}
	for i := from; i < to; i++ {
		s.mark(i, prefixName, prefixText)
	}
	if len(s.touched) >= common {
		return
	}
	letters := []rune(word)
	if len(letters) >= inside {
		for i, term := range s.terms[:s.words] {
			if strings.Contains(term, word) {
				s.mark(i, nearName, nearText)
			}
		}
	}
	most := 0
	switch {
	case strings.ContainsFunc(word, unicode.IsNumber):
		return // another number is no slip
	case len(letters) >= twoSlips:
		most = 2
	case len(letters) >= oneSlip:
		most = 1
	default:
		return
	}
	w := newWalk(letters, most)
	w.near(s.Index, false, func(term int, slips uint8) {
		s.mark(term, nearName-slips*perSlip, nearText-slips*perSlip)
	})
	if len(s.touched) == 0 && len(letters) >= unfinished {
		w.near(s.Index, true, func(term int, slips uint8) {
			s.mark(term, farName-slips*perSlip, farText-slips*perSlip)
		})
	}
}

// mark notes the documents that have a term, and how well that fits.
func (s *scan) mark(term int, name, text uint8) {
	for _, p := range s.postingsOf(term) {
		fits := text
		if p&inName != 0 {
			fits = name
		}
		if p.isAt(int(s.done)) {
			fits += inPlace
		}
		s.note(p.document(), fits)
	}
}

func (s *scan) note(document uint32, fits uint8) {
	if s.best[document] == 0 {
		s.touched = append(s.touched, document)
	}
	s.best[document] = max(s.best[document], fits)
}

// run looks for characters of a script without spaces. A single one is found
// wherever it stands. Of more, each has to stand beside one of its neighbours: people
// type several words in one piece that stand apart in a name.
func (s *scan) run(run string) {
	if n := utf8.RuneCountInString(run); n == 1 {
		from, to, _ := s.beginning(run, true)
		for i := from; i < to; i++ {
			s.mark(i, prefixName, prefixText)
		}
		return
	}
	const placed = 1 << maxRun // a bit beside those of the pairs
	var (
		names, texts = make([]uint32, len(s.lengths)), make([]uint32, len(s.lengths))
		have         []uint32
		all, bit     uint32 = 0, 1
	)
	for pair := range pairs(run) {
		if bit == placed {
			break
		}
		if term, _, known := s.beginning(pair, true); known {
			for _, p := range s.postingsOf(term) {
				d := p.document()
				if texts[d] == 0 {
					have = append(have, d)
				}
				texts[d] |= bit
				if p&inName != 0 {
					names[d] |= bit
				}
				if bit == 1 && p.isAt(int(s.done)) {
					names[d] |= placed
				}
			}
		}
		all |= bit
		bit <<= 1
	}
	covers := func(pairs uint32) bool {
		characters := all<<1 | 1
		return (pairs|pairs<<1)&characters == characters
	}
	for _, d := range have {
		fits := uint8(0)
		switch {
		case names[d]&all == all:
			fits = exactName
		case covers(names[d] & all):
			fits = nearName
		case texts[d] == all:
			fits = exactText
		case covers(texts[d]):
			fits = nearText
		default:
			continue
		}
		if names[d]&placed != 0 {
			fits += inPlace
		}
		s.note(d, fits)
	}
}

// add adds the present word to those before, and reports whether any document
// has them all.
func (s *scan) add() bool {
	s.found = s.found[:0]
	for _, d := range s.touched {
		if s.has[d] == s.done {
			s.has[d]++
			s.totals[d] += uint32(s.best[d])
			s.found = append(s.found, d)
		}
		s.best[d] = 0
	}
	s.touched = s.touched[:0]
	s.done++
	return len(s.found) > 0
}

// ranked returns the documents that have all words. Of equally good ones, those
// come first whose names say little else.
func (s *scan) ranked() []int {
	const brief = 8
	order := make([]uint64, 0, len(s.found)) // the best is the least
	for _, d := range s.found {
		besides := max(int(s.lengths[d])-int(s.done), 0)
		fits := s.totals[d]*brief + uint32(brief-1-min(besides, brief-1))
		order = append(order, uint64(^fits)<<32|uint64(d))
	}
	slices.Sort(order)
	places := make([]int, len(order))
	for i, o := range order {
		places[i] = int(uint32(o)) //nolint:gosec // the lower half is the document
	}
	return places
}
