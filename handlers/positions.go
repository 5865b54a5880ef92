package handlers

import (
	"strconv"
	"strings"
	"unicode"
)

// parsePositions parses numbers from 1 to highest of any script, as a list with ranges:
// "2, 5-7" is 2, 5, 6, 7. The result is sorted and has each number once.
func parsePositions(text string, highest int) ([]int, bool) {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Pd, r) || r == '~' || r == '～' || r == '−':
			return '-'
		case unicode.IsSpace(r) || strings.ContainsRune(",;.،؛、，；", r):
			return ' '
		default:
			return r
		}
	}, asciiDigits(text))
	for strings.Contains(text, " -") || strings.Contains(text, "- ") {
		text = strings.NewReplacer(" -", "-", "- ", "-").Replace(text)
	}
	chosen := make([]bool, highest+1)
	for part := range strings.FieldsSeq(text) {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, firstErr := strconv.Atoi(from)
		last, lastErr := strconv.Atoi(to)
		if firstErr != nil || lastErr != nil || first < 1 || last > highest || first > last {
			return nil, false
		}
		for n := first; n <= last; n++ {
			chosen[n] = true
		}
	}
	var positions []int
	for n, is := range chosen {
		if is {
			positions = append(positions, n)
		}
	}
	return positions, len(positions) > 0
}

// formatPositions is the reverse of parsePositions; separator is between the parts.
func formatPositions(positions []int, separator string) string {
	var parts []string
	for i := 0; i < len(positions); {
		last := i
		for last+1 < len(positions) && positions[last+1] == positions[last]+1 {
			last++
		}
		part := strconv.Itoa(positions[i])
		if last > i {
			part += "-" + strconv.Itoa(positions[last])
		}
		parts = append(parts, part)
		i = last + 1
	}
	return strings.Join(parts, separator)
}

// numbersOf returns the numbers of delivered accounts in their order, from 1. positions
// are as in orders.Goods. Where these are not known, or say nothing because accounts are
// equal, it counts.
func numbersOf(accounts int, positions []int) []int {
	numbers := make([]int, accounts)
	known := len(positions) == accounts
	for i := 1; known && i < accounts; i++ {
		known = positions[i] > positions[i-1]
	}
	for i := range numbers {
		numbers[i] = i + 1
		if known {
			numbers[i] = positions[i] + 1
		}
	}
	return numbers
}
