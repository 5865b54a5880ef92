package search

import (
	"maps"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// Document is something to be found: what it is called, in as many languages as
// there are, and what else is said of it, which weighs less.
type Document struct {
	Names []string
	Texts []string
}

// Index finds documents by words that people type: in any order and any case,
// with or without accents, with slips, and while they are still typing. It is
// made once, never changed, and may be used by several goroutines at once.
//
// Its terms are words, and of scripts that are written without spaces each two
// neighbouring characters.
type Index struct {
	terms    []string  // words, then characters, both sorted
	words    int       // how many of them are words
	shared   []uint8   // how many letters each term has in common with the one before it
	starts   []uint32  // where the postings of each term start, and where those of the last end
	postings []posting // by term, then by document
	lengths  []uint8   // of the shortest name of each document, in pieces
}

// posting says that a document has a term, and where: at which place of a name, or
// only in another text.
type posting uint32

const (
	inName    posting = 1
	placeBits         = 3
	lastPlace         = 1<<placeBits - 1 // and all that are behind it
	flags             = 1 + placeBits    // bits that are not the document's
)

func atPlace(place int) posting {
	return posting(min(place, lastPlace))<<1 | inName //nolint:gosec // bounded in this line
}

func (p posting) document() uint32 { return uint32(p >> flags) }

// isAt reports whether the term is at this place of a name.
func (p posting) isAt(place int) bool {
	return place < lastPlace && p&(1<<flags-1) == atPlace(place)
}

// NewIndex returns an index of documents. Search gives their places.
func NewIndex(documents []Document) *Index {
	b := builder{words: map[string]uint32{}, dense: map[string]uint32{}, lengths: make([]uint8, len(documents))}
	for i, d := range documents {
		b.document = uint32(i)
		for _, name := range d.Names {
			b.addName(name)
		}
		for _, text := range d.Texts {
			for piece, dense := range pieces(Fold(text)) {
				b.addPiece(piece, dense, 0)
			}
		}
	}
	return b.index()
}

// builder collects what an Index holds, in the order in which it comes.
type builder struct {
	document     uint32            // the present one
	words, dense map[string]uint32 // ids of the terms
	latest       []uint32          // by id, the place of a term's latest posting, plus 1
	postings     []posting         // by document
	terms        []uint32          // the id of each posting's term
	lengths      []uint8
}

func (b *builder) addName(name string) {
	length := 0
	for piece, dense := range pieces(Fold(name)) {
		b.addPiece(piece, dense, atPlace(length))
		length++
	}
	if known := &b.lengths[b.document]; length > 0 && (*known == 0 || length < int(*known)) {
		*known = uint8(min(length, 255))
	}
}

// addPiece adds a word, or the pairs of a run of characters. The last character
// is a term by itself, so that each one begins a term and is found alone.
func (b *builder) addPiece(piece string, dense bool, where posting) {
	if !dense {
		b.add(b.words, piece, where)
		return
	}
	for pair := range pairs(piece) {
		b.add(b.dense, pair, where)
	}
	_, size := utf8.DecodeLastRuneInString(piece)
	b.add(b.dense, piece[len(piece)-size:], where)
}

func (b *builder) add(ids map[string]uint32, term string, where posting) {
	id, known := ids[term]
	if !known {
		id = uint32(len(b.latest))    //nolint:gosec // far fewer
		ids[strings.Clone(term)] = id // not a part of its text, which would be held
		b.latest = append(b.latest, 0)
	}
	found := posting(b.document)<<flags | where
	if at := b.latest[id]; at > 0 && b.postings[at-1].document() == b.document {
		if known := &b.postings[at-1]; where != 0 && (*known&inName == 0 || found < *known) {
			*known = found
		}
		return
	}
	b.postings = append(b.postings, found)
	b.terms = append(b.terms, id)
	b.latest[id] = uint32(len(b.postings)) //nolint:gosec // more don't fit into memory
}

// index sorts the postings by term. Documents came in order, and stay so.
func (b *builder) index() *Index {
	x := &Index{
		terms:    slices.Concat(slices.Sorted(maps.Keys(b.words)), slices.Sorted(maps.Keys(b.dense))),
		words:    len(b.words),
		shared:   make([]uint8, len(b.latest)),
		starts:   make([]uint32, len(b.latest)+1),
		postings: make([]posting, len(b.postings)),
		lengths:  b.lengths,
	}
	places := make([]uint32, len(x.terms)) // in terms, by id
	for i, term := range x.terms {
		ids := b.words
		if i >= x.words {
			ids = b.dense
		}
		places[ids[term]] = uint32(i)
		if i > 0 {
			x.shared[i] = uint8(min(inCommon(x.terms[i-1], term), 255)) //nolint:gosec // bounded in this line
		}
	}
	for _, id := range b.terms {
		x.starts[places[id]+1]++
	}
	for i := range x.terms {
		x.starts[i+1] += x.starts[i]
	}
	next := slices.Clone(x.starts)
	for i, id := range b.terms {
		at := &next[places[id]]
		x.postings[*at] = b.postings[i]
		*at++
	}
	return x
}

// beginning returns where the terms are that begin with a piece, and the first
// of them is it itself if exact.
func (x *Index) beginning(piece string, dense bool) (from, to int, exact bool) {
	from, to = 0, x.words
	if dense {
		from, to = x.words, len(x.terms)
	}
	list := x.terms[from:to]
	first := sort.SearchStrings(list, piece)
	last := first
	for last < len(list) && strings.HasPrefix(list[last], piece) {
		last++
	}
	return from + first, from + last, first < last && list[first] == piece
}

func (x *Index) postingsOf(term int) []posting {
	return x.postings[x.starts[term]:x.starts[term+1]]
}
