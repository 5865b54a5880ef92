// Package search finds things in lists by words that people type. It owns what
// counts as the same text and which finds come first. It knows nothing of what
// is listed.
package search

import (
	"slices"
	"strings"
)

// rank is how well an entry fits a query.
type rank int

// The best comes first.
const (
	equal    rank = iota // a text is the query
	begins               // a text starts with it
	starts               // each word starts a word of a text
	anywhere             // each word is somewhere in a text
	misfit
)

// Find returns the entries that have each word of the query in one of their
// texts: the best first, and equally good ones in the order of all. What a
// word is, and when two are the same, Fold says. A query without words finds
// nothing.
func Find[T any](all []T, query string, texts func(T) []string) []T {
	query = Fold(query)
	if query == "" {
		return nil
	}
	words := strings.Split(query, " ")
	var found [misfit][]T
	for _, entry := range all {
		if r := rankOf(texts(entry), query, words); r < misfit {
			found[r] = append(found[r], entry)
		}
	}
	return slices.Concat(found[:]...)
}

func rankOf(texts []string, query string, words []string) rank {
	folded := make([]string, len(texts))
	for i, text := range texts {
		folded[i] = Fold(text)
	}
	has := func(fits func(text string) bool) bool { return slices.ContainsFunc(folded, fits) }
	haveAll := func(fits func(text, word string) bool) bool {
		for _, word := range words {
			if !has(func(text string) bool { return fits(text, word) }) {
				return false
			}
		}
		return true
	}
	switch {
	case !haveAll(strings.Contains):
		return misfit
	case slices.Contains(folded, query):
		return equal
	case has(func(text string) bool { return strings.HasPrefix(text, query) }):
		return begins
	case haveAll(startsWord):
		return starts
	}
	return anywhere
}

// startsWord reports whether a word of a folded text begins with this one.
func startsWord(text, word string) bool {
	return strings.HasPrefix(text, word) || strings.Contains(text, " "+word)
}
