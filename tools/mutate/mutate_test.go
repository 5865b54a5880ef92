package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// shop is a module with each kind of code that has mutants.
var shop = map[string]string{
	"go.mod": "module shop\n\ngo 1.26\n",
	"decimal.go": `package shop

type Decimal int

func (d Decimal) Cmp(e Decimal) int          { return int(d - e) }
func (d Decimal) GreaterThan(e Decimal) bool { return d > e }
func (d Decimal) Add(e Decimal) Decimal      { return d + e }
func (d Decimal) Sub(e Decimal) Decimal      { return d - e }
func (d Decimal) Mul(e Decimal) Decimal      { return d * e }
func (d Decimal) Div(e Decimal) Decimal      { return d / e }
`,
	"shop.go": `package shop

import (
	"errors"
	"log"
	"time"
)

func Buy(price, fee, balance Decimal, sent bool) (bought bool, err error) {
	if sent || price.Add(fee).GreaterThan(balance) { // one line, two conditions
		log.Print("refused", !sent)
		return false, errors.New("refused")
	}
	return true, nil
}

func Late(now, end time.Time) bool { return now.After(end) }

func Pieces(list []int, most int) (sum int) {
	defer func() { sum = sum * 2 }()
	for _, n := range list {
		if sum+n > most {
			break
		}
		sum += n
	}
	return sum
}

func Unreached(n int) int {
	n++
	return n
}

func Mark() string {
	return ` + "`UPDATE orders SET state = ?, tries = tries + 1 WHERE id = ? AND next_at <= ?`" + `
}
`,
	"shop_test.go": `package shop

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestBuy(t *testing.T) {
	for _, test := range []struct {
		price Decimal
		sent  bool
		want  bool
	}{{9, false, true}, {10, false, false}, {1, true, false}} {
		got, err := Buy(test.price, 1, 10, test.sent)
		if got != test.want || (err == nil) != test.want {
			t.Error(test, got, err)
		}
	}
}

func TestLate(t *testing.T) {
	now := time.Now()
	if Late(now, now.Add(1)) || !Late(now, now.Add(-1)) { // not at the end itself
		t.Error("wrong")
	}
}

func TestPieces(t *testing.T) {
	if got := Pieces([]int{1, 2, 3, 4}, 6); got != 12 {
		_ = os.WriteFile("failed", nil, 0o600)
		t.Error(got)
	}
}

func TestMark(t *testing.T) {
	if !strings.Contains(Mark(), "WHERE id = ? AND next_at <= ?") {
		t.Error(Mark())
	}
}

func TestBroken(t *testing.T) { t.Error("fails without a mutant") }
`,
}

func writeModule(t *testing.T, files map[string]string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// TestMutate tries all mutants of a module, whose tests miss some of them.
func TestMutate(t *testing.T) {
	run := func(arguments, skip string) (out string, passed bool, root string) {
		root = writeModule(t, shop)
		o := options{
			root: root, packages: []string{"."}, survivors: filepath.Join(t.TempDir(), "survivors.txt"), verbose: true, seed: 1,
			files: regexp.MustCompile(`^shop\.go$`), tests: regexp.MustCompile(""), skip: regexp.MustCompile(skip), each: time.Minute,
		}
		if err := os.WriteFile(o.survivors, []byte(arguments), 0o600); err != nil {
			t.Fatal(err)
		}
		var buffer bytes.Buffer
		passed, err := mutate(t.Context(), o, &buffer)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(buffer.String(), o.survivors, "survivors.txt"), passed, root
	}

	const late = "shop.go Late: bound: now.After(end) -> or equal"
	const set = "shop.go Mark: sql-set: state = ? -> state = CASE WHEN 1=1 THEN state ELSE ? END"
	out, passed, root := run("# comment\n\n"+set+" # no database\n"+late+" ×2 # two\nshop.go Late: remove: x() -> # gone\nshop.go Buy: flip: true -> !true # was missed\nother.go F: flip: true -> !true # elsewhere\n", "^$")
	for _, want := range []string{
		"killed: shop.go Buy: true: sent -> true # line 10, by TestBuy",
		"killed: shop.go Buy: false: sent -> false # line 10, by TestBuy",
		"killed: shop.go Buy: true: price.Add(fee).GreaterThan(balance) -> true # line 10, by TestBuy",
		"killed: shop.go Buy: false: price.Add(fee).GreaterThan(balance) -> false # line 10, by TestBuy",
		"killed: shop.go Buy: bound: price.Add(fee).GreaterThan(balance) -> GreaterThanOrEqual # line 10, by TestBuy",
		"killed: shop.go Buy: arith: price.Add(fee) -> Sub # line 10, by TestBuy",
		"killed: shop.go Buy: flip: false -> !false # line 12, by TestBuy",
		`killed: shop.go Buy: err-nil: errors.New("refused") -> nil # line 12, by TestBuy`,
		"killed: shop.go Buy: flip: true -> !true # line 14, by TestBuy",
		"killed: shop.go Late: true: now.After(end) -> true # line 17, by TestLate",
		"killed: shop.go Late: false: now.After(end) -> false # line 17, by TestLate",
		"killed: shop.go Pieces: remove: defer func() { sum = sum * 2 }() -> # line 20, by TestPieces",
		"killed: shop.go Pieces: remove: sum = sum * 2 -> # line 20, by TestPieces",
		"killed: shop.go Pieces: arith: sum * 2 -> / # line 20, by TestPieces",
		"killed: shop.go Pieces: true: sum+n > most -> true # line 22, by TestPieces",
		"killed: shop.go Pieces: false: sum+n > most -> false # line 22, by TestPieces",
		"killed: shop.go Pieces: bound: sum+n > most -> >= # line 22, by TestPieces",
		"killed: shop.go Pieces: arith: sum+n -> - # line 22, by TestPieces",
		"killed: shop.go Pieces: remove: break -> # line 23, by TestPieces",
		"killed: shop.go Pieces: remove: sum += n -> # line 25, by TestPieces",
		"not covered: shop.go Unreached: remove: n++ -> # line 31",
		"SURVIVED: shop.go Mark: sql-set: tries = tries + 1 -> tries = CASE WHEN 1=1 THEN tries ELSE tries + 1 END # line 36",
		"killed: shop.go Mark: sql-true: id = ? -> (id = ? OR 1=1) # line 36, by TestMark",
		"killed: shop.go Mark: sql-false: id = ? -> (id = ? AND 1=0) # line 36, by TestMark",
		"killed: shop.go Mark: sql-true: next_at <= ? -> (next_at <= ? OR 1=1) # line 36, by TestMark",
		"killed: shop.go Mark: sql-false: next_at <= ? -> (next_at <= ? AND 1=0) # line 36, by TestMark",
		"killed: shop.go Mark: sql-bound: <= -> < # line 36, by TestMark",
		"STALE in survivors.txt: " + late + " # no such mutant",
		"STALE in survivors.txt: shop.go Late: remove: x() -> # no such mutant",
		"STALE in survivors.txt: shop.go Buy: flip: true -> !true # killed by TestBuy",
		"shop.go  29       25      2       1         1            0",
		"29 of 29 mutants tried",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("not told: %s", want)
		}
	}
	if !strings.Contains(out, "FAILS WITHOUT A MUTANT, and is left out: TestBroken") || passed {
		t.Error("a test that fails without a mutant is not reported")
	}
	if strings.Contains(out, "other.go") {
		t.Error("a file is judged that was not changed")
	}
	if t.Failed() {
		t.Log(out)
	}
	if files, err := os.ReadDir(root); err != nil || len(files) != len(shop) {
		t.Errorf("a failed test has written into the module: %v %v", files, err)
	}

	out, passed, _ = run(late+" # at the end it is the same\n"+set+" # no database\nshop.go Mark: sql-set: tries = tries + 1 -> tries = CASE WHEN 1=1 THEN tries ELSE tries + 1 END # too", "Broken")
	if !passed {
		t.Errorf("all survivors are argued away:\n%s", out)
	}
}

// TestSQLMutants shows which parts of SQL are changed, and which are left alone.
func TestSQLMutants(t *testing.T) {
	for sql, want := range map[string][]string{
		"SELECT 1 FROM t WHERE a.id = b.id AND n > 0": {"sql-true a.id = b.id", "sql-false a.id = b.id", "sql-true n > 0", "sql-false n > 0", "sql-bound >"},
		"DELETE FROM t WHERE state IN ('a', 'b') AND at IS NOT NULL": {
			"sql-true state IN ('a', 'b')", "sql-false state IN ('a', 'b')", "sql-true at IS NOT NULL", "sql-false at IS NOT NULL",
		},
		"UPDATE t SET a = CASE WHEN n = 1 THEN 2 ELSE a END, b = max(b, ?) WHERE": {
			"sql-set a = CASE WHEN n = 1 THEN 2 ELSE a END", "sql-set b = max(b, ?)", "sql-true n = 1", "sql-false n = 1",
		},
		"UPDATE t SET a = 'x' || ": nil, // the rest is in another text
		"UPDATE t SET a = '":       nil,
		"SELECT 1 WHERE a + b < ? AND lower(c) = ? AND d = lower(?) AND e < f + 1": nil,
		"a is less, and = that": nil,
	} {
		var got []string
		for _, m := range sqlMutants(sql) {
			got = append(got, m.operator+" "+m.from)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%q", sql, got)
		}
	}
}

func TestArguments(t *testing.T) {
	if _, err := parseArguments("a.go F: flip: true -> !true\n"); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Error("a line without a reason:", err)
	}
	got, err := parseArguments("a.go F: remove: x  = y -> ×2 # why\n")
	if want := []argument{{"a.go F: remove: x = y ->", 2}}; err != nil || !slices.Equal(got, want) {
		t.Error(got, err)
	}
}
