package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// argument says why mutants of the same key may survive.
type argument struct {
	key   string
	times int
}

var times = regexp.MustCompile(` ×(\d+)$`)

// parseArguments reads a file of survivors: lines such as
//
//	orders/poll.go Next: true: wait > 0 -> true # why no test can tell, or why none has to
//
// with "×2" before the "#" if there are two of the same text in a function. Lines may also be
// repeated. Empty lines and those that start with "#" are comments.
func parseArguments(text string) ([]argument, error) {
	var arguments []argument
	number := 0
	for line := range strings.Lines(text) {
		number++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, reason, _ := strings.Cut(line, " # ")
		if strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("line %d has no reason", number)
		}
		a := argument{collapsed(key), 1}
		if m := times.FindStringSubmatch(a.key); m != nil {
			a.times, _ = strconv.Atoi(m[1])
			a.key = strings.TrimSuffix(a.key, m[0])
		}
		arguments = append(arguments, a)
	}
	return arguments, nil
}

// argue marks the survivors that are argued away, and returns the arguments that are stale:
// their mutant was killed, or there is none in a file that the mutants are of.
func argue(results []result, arguments []argument) (stale []string) {
	allowed := map[string]int{}
	for _, a := range arguments {
		allowed[a.key] += a.times
	}
	killers := map[string]string{}
	files := map[string]bool{}
	for i, r := range results {
		files[r.file] = true
		switch key := r.key(); {
		case r.verdict == killed:
			killers[key] = "killed by " + r.by
		case allowed[key] > 0:
			allowed[key]--
			if r.verdict != notTried {
				results[i].verdict = argued
			}
		}
	}
	for _, a := range arguments {
		if file, _, _ := strings.Cut(a.key, " "); allowed[a.key] > 0 && files[file] {
			stale = append(stale, a.key+" # "+cmp.Or(killers[a.key], "no such mutant"))
			allowed[a.key] = 0 // told once
		}
	}
	return stale
}
