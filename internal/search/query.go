package search

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Scores of a matched word, best first. A match in a name scores higher than
// one in a text, and higher again at the same position as in the query.
const (
	exactName, exactText             = 60, 30
	prefixName, prefixText           = 50, 25
	fuzzyName, fuzzyText             = 20, 12 // also of a substring
	fuzzyPrefixName, fuzzyPrefixText = 10, 6
	perEdit                          = 3 // subtracted
	positionBonus                    = 5
)

const (
	// commonWord is the number of documents from which on a word is taken to be
	// spelt correctly, so that no fuzzy matches are looked for.
	commonWord = 10
	// The fewest letters of a word that may match with one edit, with two edits,
	// as a substring, and as a prefix with edits.
	minOneEdit, minTwoEdits, minSubstring, minFuzzyPrefix = 4, 8, 3, 6
	// maxBigrams is how many bigrams of a CJK run count: each is one bit.
	maxBigrams = 31
)

// Search returns the indexes of the documents that match all words of the query,
// each in a name or a text: best score first, equal scores in the order of the
// documents. The package comment says how a word matches. A query without words
// finds nothing.
func (x *Index) Search(query string) []int {
	s := searcher{Index: x, scores: make([]uint8, len(x.lengths)), totals: make([]uint32, len(x.lengths)), matchedWords: make([]uint16, len(x.lengths))}
	seen := map[string]bool{}
	for token, cjk := range tokens(Fold(query)) {
		if seen[token] {
			continue
		}
		seen[token] = true
		if cjk {
			s.matchCJK(token)
		} else {
			s.matchWord(token)
		}
		if !s.finishWord() {
			return nil
		}
	}
	return s.ranked()
}

// searcher runs one search, word by word.
type searcher struct {
	*Index
	scores       []uint8  // by document: of the current word
	matched      []uint32 // documents that match the current word
	totals       []uint32 // by document: sum over the words before
	matchedWords []uint16 // by document: number of words before that it matches
	wordsDone    uint16   // number of words before
	results      []uint32 // documents that match all words before
}

// matchWord looks for a word of a script with spaces.
func (s *searcher) matchWord(word string) {
	from, to, exact := s.prefixRange(word, false)
	if exact {
		s.scoreTerm(from, exactName, exactText)
		from++
	}
	for i := from; i < to; i++ {
		s.scoreTerm(i, prefixName, prefixText)
	}
	if len(s.matched) >= commonWord {
		return
	}
	letters := []rune(word)
	if len(letters) >= minSubstring {
		for i, term := range s.terms[:s.wordCount] {
			if strings.Contains(term, word) {
				s.scoreTerm(i, fuzzyName, fuzzyText)
			}
		}
	}
	maxEdits := 0
	switch {
	case strings.ContainsFunc(word, unicode.IsNumber):
		return // a different number is no typo
	case len(letters) >= minTwoEdits:
		maxEdits = 2
	case len(letters) >= minOneEdit:
		maxEdits = 1
	default:
		return
	}
	m := newFuzzyMatcher(letters, maxEdits)
	m.match(s.Index, false, func(term int, edits uint8) {
		s.scoreTerm(term, fuzzyName-edits*perEdit, fuzzyText-edits*perEdit)
	})
	if len(s.matched) == 0 && len(letters) >= minFuzzyPrefix {
		m.match(s.Index, true, func(term int, edits uint8) {
			s.scoreTerm(term, fuzzyPrefixName-edits*perEdit, fuzzyPrefixText-edits*perEdit)
		})
	}
}

// scoreTerm scores the documents that contain a term, by where they contain it.
func (s *searcher) scoreTerm(term int, name, text uint8) {
	for _, p := range s.postingsOf(term) {
		score := text
		if p&inName != 0 {
			score = name
		}
		if p.isAtPosition(int(s.wordsDone)) {
			score += positionBonus
		}
		s.setScore(p.document(), score)
	}
}

// setScore raises the score of a document for the current word.
func (s *searcher) setScore(document uint32, score uint8) {
	if s.scores[document] == 0 {
		s.matched = append(s.matched, document)
	}
	s.scores[document] = max(s.scores[document], score)
}

// matchCJK looks for a run of CJK characters. A single character matches
// anywhere. In a longer run each character must be next to one of its
// neighbours in the document, because people type several words without spaces
// that are apart in a name.
func (s *searcher) matchCJK(run string) {
	if utf8.RuneCountInString(run) == 1 {
		from, to, _ := s.prefixRange(run, true)
		for i := from; i < to; i++ {
			s.scoreTerm(i, prefixName, prefixText)
		}
		return
	}
	const positioned = 1 << maxBigrams // a flag next to the bits of the bigrams
	var (
		names, texts = make([]uint32, len(s.lengths)), make([]uint32, len(s.lengths)) // bigrams found, as bits
		candidates   []uint32
		all, bit     uint32 = 0, 1
	)
	for bigram := range bigrams(run) {
		if bit == positioned {
			break
		}
		if term, _, known := s.prefixRange(bigram, true); known {
			for _, p := range s.postingsOf(term) {
				d := p.document()
				if texts[d] == 0 {
					candidates = append(candidates, d)
				}
				texts[d] |= bit
				if p&inName != 0 {
					names[d] |= bit
				}
				if bit == 1 && p.isAtPosition(int(s.wordsDone)) {
					names[d] |= positioned
				}
			}
		}
		all |= bit
		bit <<= 1
	}
	coversAll := func(found uint32) bool {
		characters := all<<1 | 1
		return (found|found<<1)&characters == characters
	}
	for _, d := range candidates {
		score := uint8(0)
		switch {
		case names[d]&all == all:
			score = exactName
		case coversAll(names[d] & all):
			score = fuzzyName
		case texts[d] == all:
			score = exactText
		case coversAll(texts[d]):
			score = fuzzyText
		default:
			continue
		}
		if names[d]&positioned != 0 {
			score += positionBonus
		}
		s.setScore(d, score)
	}
}

// finishWord adds the scores of the current word to the totals and reports
// whether any document matches all words so far.
func (s *searcher) finishWord() bool {
	s.results = s.results[:0]
	for _, d := range s.matched {
		if s.matchedWords[d] == s.wordsDone {
			s.matchedWords[d]++
			s.totals[d] += uint32(s.scores[d])
			s.results = append(s.results, d)
		}
		s.scores[d] = 0
	}
	s.matched = s.matched[:0]
	s.wordsDone++
	return len(s.results) > 0
}

// ranked returns the results, best first. Among equal totals, documents whose
// shortest name has fewer other tokens come first.
func (s *searcher) ranked() []int {
	const maxOthers = 8
	keys := make([]uint64, 0, len(s.results)) // inverted score, then document: the best sorts first
	for _, d := range s.results {
		others := max(int(s.lengths[d])-int(s.wordsDone), 0)
		score := s.totals[d]*maxOthers + uint32(maxOthers-1-min(others, maxOthers-1))
		keys = append(keys, uint64(^score)<<32|uint64(d))
	}
	slices.Sort(keys)
	documents := make([]int, len(keys))
	for i, key := range keys {
		documents[i] = int(uint32(key)) //nolint:gosec // the lower half is the document
	}
	return documents
}
