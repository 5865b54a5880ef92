// Command mutate says how well the tests guard the code: it changes the code in one place
// after the other, and lists the changes that no test notices. Run it from anywhere in the
// repository, for example
//
//	go -C tools run ./mutate -budget=30m ./internal/orders ./internal/outbox
//
// A change (a mutant) is one of these:
//
//	true, false            a condition is always true, or always false
//	bound                  < is <=, Before is "before or equal", GreaterThan is GreaterThanOrEqual …
//	arith                  + is -, * is /, Add is Sub …
//	flip                   true is false
//	remove                 a call, an assignment, a defer, a break … is missing
//	err-nil                a returned error is nil
//	sql-true, sql-false    a condition in SQL is true, or false
//	sql-bound              < is <= in SQL
//	sql-set                SET leaves a column as it is
//
// All packages that are named are changed, and the tests of all of them are run: those that
// get to the mutant, the quickest first. A mutant in a line that no test gets to, or in a
// branch that none takes, is not covered. What is declared outside of functions, and logs, are
// not changed.
//
// Survivors that are right are argued away in survivors.txt, by function and text, with the
// reason. The program fails if there are others, if the file argues for mutants that were
// killed, or if a test fails without a mutant; such a test is left out.
//
// Nothing is written into the repository. Tests with a database of their own use what they
// are told to in the environment, as in `go test`.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

type options struct {
	root      string
	packages  []string
	files     *regexp.Regexp
	tests     *regexp.Regexp
	skip      *regexp.Regexp
	budget    time.Duration
	each      time.Duration
	seed      uint64
	survivors string
	verbose   bool
}

func main() {
	o := options{files: regexp.MustCompile(""), tests: regexp.MustCompile(""), skip: regexp.MustCompile("^$")}
	pattern := func(to **regexp.Regexp) func(string) error {
		return func(s string) (err error) { *to, err = regexp.Compile(s); return err }
	}
	flag.StringVar(&o.root, "root", "..", "folder of the module to test")
	flag.Func("files", "change only files whose path matches this `regexp`", pattern(&o.files))
	flag.Func("tests", "run only tests whose name matches this `regexp`", pattern(&o.tests))
	flag.Func("skip", "don't run tests whose name matches this `regexp`", pattern(&o.skip))
	flag.DurationVar(&o.budget, "budget", 0, "stop after this time; what was tried by then is a random part of the mutants (0: try all)")
	flag.DurationVar(&o.each, "each", 30*time.Second, "leave out the slowest tests of a mutant whose tests take longer than this together (0: none)")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().Unix()), "order of the mutants")
	flag.StringVar(&o.survivors, "survivors", "mutate/survivors.txt", "`file` of the survivors that are argued away")
	flag.BoolVar(&o.verbose, "v", false, "tell at once what became of each mutant, also which test has killed it")
	flag.Parse()
	o.packages = flag.Args()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	passed, err := mutate(ctx, o, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	}
	if !passed {
		os.Exit(1)
	}
}

// mutate tries the mutants, and reports whether there was nothing to object to.
func mutate(ctx context.Context, o options, out io.Writer) (passed bool, err error) {
	start := time.Now()
	content, err := os.ReadFile(o.survivors)
	if err != nil {
		return false, err
	}
	arguments, err := parseArguments(string(content))
	if err != nil {
		return false, fmt.Errorf("%s: %w", o.survivors, err)
	}
	folder, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	root, err := filepath.Abs(o.root)
	if err != nil {
		return false, err
	}
	if root, err = filepath.EvalSymlinks(root); err != nil { // go list writes real paths
		return false, err
	}

	l := &laboratory{folder: folder}
	if err := l.copyModule(root); err != nil {
		return false, err
	}
	packages, mutants, overlay, err := instrument(ctx, root, folder, o.packages, o.files)
	if err != nil {
		return false, err
	}
	if err := l.build(ctx, root, packages, overlay); err != nil {
		return false, err
	}
	fmt.Fprintf(out, "%d mutants in %d packages, seed %d, tests are built after %s\n", len(mutants), len(packages), o.seed, since(start))
	if err := l.baseline(ctx, o.tests, o.skip); err != nil {
		return false, err
	}
	fmt.Fprintf(out, "%d tests pass without a mutant, after %s\n", len(l.tests), since(start))
	for _, test := range l.broken {
		fmt.Fprintln(out, "FAILS WITHOUT A MUTANT, and is left out:", test)
	}

	results := make([]result, len(mutants))
	tried := 0
	for _, i := range rand.New(rand.NewPCG(o.seed, 0)).Perm(len(mutants)) { //nolint:gosec // not a secret
		if o.budget > 0 && time.Since(start) > o.budget {
			results[i] = result{mutant: mutants[i], verdict: notTried}
			continue
		}
		if results[i], err = l.try(ctx, mutants[i], o.each); err != nil {
			return false, err
		}
		if o.verbose {
			fmt.Fprintf(out, "%s: %s\n", results[i].verdict, results[i])
		}
		if tried++; tried%100 == 0 {
			fmt.Fprintf(out, "%d mutants tried after %s\n", tried, since(start))
		}
	}
	stale := argue(results, arguments)
	survivors := report(out, o, results, stale)
	fmt.Fprintf(out, "%d of %d mutants tried in %s, seed %d\n", tried, len(mutants), since(start), o.seed)
	return survivors+len(stale)+len(l.broken) == 0, nil
}

func since(start time.Time) time.Duration { return time.Since(start).Round(time.Second) }

// report writes what became of the mutants, and returns how many have survived.
func report(out io.Writer, o options, results []result, stale []string) (survivors int) {
	files := map[string]*[verdicts]int{}
	var total [verdicts]int
	timeouts := 0
	for _, r := range results {
		if files[r.file] == nil {
			files[r.file] = &[verdicts]int{}
		}
		files[r.file][r.verdict]++
		total[r.verdict]++
		if r.verdict == survived {
			fmt.Fprintln(out, "SURVIVED:", r)
		}
		if r.verdict == killed && r.by == "timeout" {
			timeouts++
		}
	}
	for _, line := range stale {
		fmt.Fprintf(out, "STALE in %s: %s\n", o.survivors, line)
	}

	columns := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(columns, "\nfile\tmutants\t%s\n", strings.Join(verdictNames[:], "\t"))
	row := func(name string, n *[verdicts]int) {
		sum, cells := 0, ""
		for _, of := range n {
			sum += of
			cells += fmt.Sprintf("\t%d", of)
		}
		fmt.Fprintf(columns, "%s\t%d%s\n", name, sum, cells)
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		row(file, files[file])
	}
	row("total", &total)
	_ = columns.Flush()
	fmt.Fprintf(out, "\nkilled: %.0f %% of the mutants that were tried, %d of them by a timeout\n", percent(total[killed], len(results)-total[notTried]), timeouts)
	return total[survived]
}

func percent(part, whole int) float64 { return 100 * float64(part) / float64(max(whole, 1)) }
