package main

import (
	"regexp"
	"strings"
)

// textMutant is a mutant of a text: the whole of it, and what was changed.
type textMutant struct{ operator, text, from, to string }

var (
	sqlKeyword = regexp.MustCompile(`\b(SELECT|UPDATE|INSERT|DELETE|WHERE|AND|SET)\b`)
	// A comparison or a test of one column. What is more than that, such as a sum or a
	// function, is left alone, as a mutant that is no SQL would be killed by any test.
	sqlCondition = regexp.MustCompile(`[a-z_][a-z0-9_.]*(?:\s*(<=|>=|<>|<|>|=)\s*(?:\?|-?\d+|'[a-z_]*'|[a-z_][a-z0-9_.]*)| (?:NOT )?IN \('[^()]*'\)| IS (?:NOT )?NULL\b)`)
	sqlSet       = regexp.MustCompile(`(?:\bSET|,)\s+([a-z_][a-z0-9_]*)\s*=\s*`)
	sqlSetBefore = regexp.MustCompile(`(\bSET|,)$`)
	sqlSetAfter  = regexp.MustCompile(`^(\s*,|\s+(WHERE|FROM|RETURNING)\b|\s*$)`)
)

// sqlMutants returns the mutants of a text with SQL, which may be a part of a statement.
func sqlMutants(sql string) (mutants []textMutant) {
	if !sqlKeyword.MatchString(sql) {
		return nil
	}
	change := func(operator string, start, end int, to string) {
		mutants = append(mutants, textMutant{operator, sql[:start] + to + sql[end:], sql[start:end], to})
	}
	for _, m := range sqlSet.FindAllStringSubmatchIndex(sql, -1) {
		if column, end := sql[m[2]:m[3]], sqlValueEnd(sql, m[1]); end > 0 {
			change("sql-set", m[2], end, column+" = CASE WHEN 1=1 THEN "+column+" ELSE "+sql[m[1]:end]+" END")
		}
	}
	for _, m := range sqlCondition.FindAllStringSubmatchIndex(sql, -1) {
		start, end := m[0], m[1]
		before, after := strings.TrimSpace(sql[:start]), strings.TrimSpace(sql[end:])
		if sqlSetBefore.MatchString(before) || endsInOperator(before) || strings.HasSuffix(before, ")") ||
			after != "" && strings.Contains("(+-*/|%", after[:1]) {
			continue
		}
		change("sql-true", start, end, "("+sql[start:end]+" OR 1=1)")
		change("sql-false", start, end, "("+sql[start:end]+" AND 1=0)")
		if m[2] >= 0 {
			if to, ok := boundary[sql[m[2]:m[3]]]; ok {
				change("sql-bound", m[2], m[3], to)
			}
		}
	}
	return mutants
}

// sqlValueEnd returns where the value ends that SET gives to a column, and 0 if that is not
// in this text.
func sqlValueEnd(sql string, start int) int {
	depth := 0
	for i := start; i <= len(sql); i++ {
		value := sql[start:i]
		switch {
		case i < len(sql) && sql[i] == '(':
			depth++
		case i < len(sql) && sql[i] == ')':
			depth--
		}
		if depth < 0 || depth == 0 && sqlSetAfter.MatchString(sql[i:]) {
			value = strings.TrimSpace(value)
			if value == "" || endsInOperator(value) || strings.Count(value, "'")%2 != 0 || strings.Count(value, "CASE ") != strings.Count(value, " END") {
				return 0
			}
			return i
		}
	}
	return 0
}

func endsInOperator(s string) bool { return s != "" && strings.Contains("+-*/|%=<>'.", s[len(s)-1:]) }
