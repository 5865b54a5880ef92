// Package chosen is what the places call in which an instrumented package can be changed.
// mutate copies this file into each such package, under the name of that package.
//
// All mutants are compiled in at once, and $MUTANT has the id of the one that is in force, so
// that no mutant waits for a compiler. Without one the package does what it did. $MUTANT_RECORD
// is then a file to which each mutant that is reached is written with whether it would have made
// a difference there, which says the tests that can kill it.
package chosen

import (
	"cmp"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

var (
	mutantInForce, _ = strconv.Atoi(os.Getenv("MUTANT"))
	mutantRecord, _  = os.OpenFile(os.Getenv("MUTANT_RECORD"), os.O_APPEND|os.O_WRONLY, 0)
	mutantRecorded   sync.Map
)

// mutantIs reports whether the mutant is in force.
func mutantIs(id int, differs bool) bool {
	if mutantRecord != nil {
		line := fmt.Sprintln(id, differs)
		if _, known := mutantRecorded.LoadOrStore(line, true); !known {
			_, _ = mutantRecord.WriteString(line)
		}
	}
	return mutantInForce == id
}

func mutantRemoves(id int) bool { return mutantIs(id, true) }

// mutantBool has two mutants: the condition is true, and it is false.
func mutantBool(id int, v bool) bool {
	isTrue, isFalse := mutantIs(id, !v), mutantIs(id+1, v)
	return isTrue || v && !isFalse
}

func mutantFlip(id int, v bool) bool { return v != mutantIs(id, true) }

func mutantError(id int, err error) error {
	if mutantIs(id, err != nil) {
		return nil
	}
	return err
}

func mutantText(id int, text string, mutants ...string) string {
	for i, mutant := range mutants {
		if mutantIs(id+i, true) {
			return mutant
		}
	}
	return text
}

// mutantOrder is a comparison whose mutant decides otherwise where both sides are equal.
func mutantOrder[T cmp.Ordered](id int, op string, a, b T) bool {
	switch other := mutantIs(id, a == b) && a == b; op {
	case "<":
		return a < b || other
	case ">":
		return a > b || other
	case "<=":
		return a <= b && !other
	default:
		return a >= b && !other
	}
}

func mutantTime(id int, op string, a, b time.Time) bool {
	switch other := mutantIs(id, a.Equal(b)) && a.Equal(b); op {
	case "Before":
		return a.Before(b) || other
	default:
		return a.After(b) || other
	}
}

func mutantDecimalOrder[T interface{ Cmp(T) int }](id int, op string, a, b T) bool {
	switch op {
	case "LessThan":
		op = "<"
	case "LessThanOrEqual":
		op = "<="
	case "GreaterThan":
		op = ">"
	case "GreaterThanOrEqual":
		op = ">="
	}
	return mutantOrder(id, op, a.Cmp(b), 0)
}

type mutantNumeric interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr | ~float32 | ~float64
}

func mutantNumber[T mutantNumeric](id int, op string, a, b T) T {
	if mutantIs(id, true) {
		op = map[string]string{"+": "-", "-": "+", "*": "/", "/": "*"}[op]
	}
	switch op {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	default:
		return a / b
	}
}

func mutantDecimal[T interface {
	Add(T) T
	Sub(T) T
	Mul(T) T
	Div(T) T
}](id int, op string, a, b T) T {
	if mutantIs(id, true) {
		op = map[string]string{"Add": "Sub", "Sub": "Add", "Mul": "Div", "Div": "Mul"}[op]
	}
	switch op {
	case "Add":
		return a.Add(b)
	case "Sub":
		return a.Sub(b)
	case "Mul":
		return a.Mul(b)
	default:
		return a.Div(b)
	}
}
