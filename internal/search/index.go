package search

import (
	"maps"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// Document is something to search for. Names and Texts may be in several
// languages; a match in Texts scores lower than one in Names.
type Document struct {
	Names []string
	Texts []string
}

// Index finds documents by the words that people type. It is immutable, so
// several goroutines may use it at once.
type Index struct {
	terms        []string  // words, then CJK terms (bigrams and single characters), each sorted
	wordCount    int       // how many of the terms are words
	sharedPrefix []uint8   // runes that each term shares with the term before it
	starts       []uint32  // offset of each term's postings, and the end of the last
	postings     []posting // by term, then by document
	lengths      []uint8   // of the shortest name of each document, in tokens
}

// posting records that a document contains a term, and where: at which token of
// a name, or only in a text.
type posting uint32

const (
	inName       posting = 1
	positionBits         = 3
	lastPosition         = 1<<positionBits - 1 // stands for all later positions too
	flagBits             = 1 + positionBits    // the low bits; the others are the document
)

func atPosition(position int) posting {
	return posting(min(position, lastPosition))<<1 | inName //nolint:gosec // bounded in this line
}

func (p posting) document() uint32 { return uint32(p >> flagBits) }

// isAtPosition reports whether the term is the token at position of a name.
func (p posting) isAtPosition(position int) bool {
	return position < lastPosition && p&(1<<flagBits-1) == atPosition(position)
}

// NewIndex builds an index. Search returns positions in documents.
func NewIndex(documents []Document) *Index {
	b := builder{words: map[string]uint32{}, cjk: map[string]uint32{}, lengths: make([]uint8, len(documents))}
	for i, d := range documents {
		b.document = uint32(i)
		for _, name := range d.Names {
			b.addName(name)
		}
		for _, text := range d.Texts {
			for token, cjk := range tokens(Fold(text)) {
				b.addToken(token, cjk, 0)
			}
		}
	}
	return b.index()
}

// builder collects the postings of an Index, document by document.
type builder struct {
	document   uint32            // the current one
	words, cjk map[string]uint32 // term to term id
	latest     []uint32          // by term id: position of the latest posting, plus 1
	postings   []posting         // by document
	termIDs    []uint32          // of each posting
	lengths    []uint8
}

func (b *builder) addName(name string) {
	length := 0
	for token, cjk := range tokens(Fold(name)) {
		b.addToken(token, cjk, atPosition(length))
		length++
	}
	if shortest := &b.lengths[b.document]; length > 0 && (*shortest == 0 || length < int(*shortest)) {
		*shortest = uint8(min(length, 255))
	}
}

// addToken adds a word, or the bigrams of a CJK run. The last character of a
// run is added alone, so that every character starts a term and a prefix
// lookup finds single characters.
func (b *builder) addToken(token string, cjk bool, where posting) {
	if !cjk {
		b.add(b.words, token, where)
		return
	}
	for bigram := range bigrams(token) {
		b.add(b.cjk, bigram, where)
	}
	_, size := utf8.DecodeLastRuneInString(token)
	b.add(b.cjk, token[len(token)-size:], where)
}

func (b *builder) add(ids map[string]uint32, term string, where posting) {
	id, known := ids[term]
	if !known {
		id = uint32(len(b.latest))    //nolint:gosec // far fewer
		ids[strings.Clone(term)] = id // a substring would keep its whole text in memory
		b.latest = append(b.latest, 0)
	}
	added := posting(b.document)<<flagBits | where
	if latest := b.latest[id]; latest > 0 && b.postings[latest-1].document() == b.document {
		if earlier := &b.postings[latest-1]; where != 0 && (*earlier&inName == 0 || added < *earlier) {
			*earlier = added
		}
		return
	}
	b.postings = append(b.postings, added)
	b.termIDs = append(b.termIDs, id)
	b.latest[id] = uint32(len(b.postings)) //nolint:gosec // more do not fit into memory
}

// index sorts the postings by term with a counting sort, which keeps the order
// of the documents.
func (b *builder) index() *Index {
	x := &Index{
		terms:        slices.Concat(slices.Sorted(maps.Keys(b.words)), slices.Sorted(maps.Keys(b.cjk))),
		wordCount:    len(b.words),
		sharedPrefix: make([]uint8, len(b.latest)),
		starts:       make([]uint32, len(b.latest)+1),
		postings:     make([]posting, len(b.postings)),
		lengths:      b.lengths,
	}
	sorted := make([]uint32, len(x.terms)) // by term id: index in terms
	for i, term := range x.terms {
		ids := b.words
		if i >= x.wordCount {
			ids = b.cjk
		}
		sorted[ids[term]] = uint32(i)
		if i > 0 {
			x.sharedPrefix[i] = uint8(min(commonPrefixLength(x.terms[i-1], term), 255)) //nolint:gosec // bounded in this line
		}
	}
	for _, id := range b.termIDs {
		x.starts[sorted[id]+1]++
	}
	for i := range x.terms {
		x.starts[i+1] += x.starts[i]
	}
	next := slices.Clone(x.starts)
	for i, id := range b.termIDs {
		slot := &next[sorted[id]]
		x.postings[*slot] = b.postings[i]
		*slot++
	}
	return x
}

// prefixRange returns the range of terms that start with token. Exact reports
// whether the first of them equals it.
func (x *Index) prefixRange(token string, cjk bool) (from, to int, exact bool) {
	from, to = 0, x.wordCount
	if cjk {
		from, to = x.wordCount, len(x.terms)
	}
	list := x.terms[from:to]
	first := sort.SearchStrings(list, token)
	last := first
	for last < len(list) && strings.HasPrefix(list[last], token) {
		last++
	}
	return from + first, from + last, first < last && list[first] == token
}

func (x *Index) postingsOf(term int) []posting {
	return x.postings[x.starts[term]:x.starts[term+1]]
}
