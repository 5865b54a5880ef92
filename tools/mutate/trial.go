package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// verdict says what became of a mutant.
type verdict int

const (
	killed verdict = iota
	argued         // it survived, and survivors.txt says why
	survived
	notCovered // no test gets there
	notTried   // the time was over
	verdicts   // their number
)

var verdictNames = [verdicts]string{"killed", "argued", "survived", "not covered", "not tried"}

func (v verdict) String() string { return verdictNames[v] }

// result is what became of a mutant.
type result struct {
	mutant
	verdict verdict
	by      string // the test that killed it, "panic" or "timeout"
	left    int    // how many tests were left out, as they take too long
}

// String has the form of a line of survivors.txt, with the place where the reason stands there.
func (r result) String() string {
	s := fmt.Sprintf("%s # line %d", r.key(), r.line)
	if r.by != "" {
		s += ", by " + r.by
	}
	if r.left > 0 {
		s += fmt.Sprintf("; %d tests are left out by -each", r.left)
	}
	return s
}

// testCase is a test that passes without a mutant.
type testCase struct {
	suite   *suite
	name    string
	took    time.Duration
	reached map[int]bool // mutants, and whether they would make a difference
}

// suite is the tests of a package.
type suite struct {
	folder string // of the package, from the root
	binary string
}

// laboratory tries mutants.
type laboratory struct {
	folder string // with everything that is written
	suites []*suite
	tests  []testCase
	broken []string // tests that fail without a mutant
}

// module is a copy of the module in which the tests run, as a test that fails may write there.
func (l *laboratory) module() string { return filepath.Join(l.folder, "module") }

func (l *laboratory) copyModule(from string) error {
	to := l.module()
	return filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir() && slices.Contains([]string{".git", "bin", "dist"}, name):
			return filepath.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		case !entry.Type().IsRegular():
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), content, info.Mode().Perm()|0o600)
	})
}

// build compiles the tests of the packages in root.
func (l *laboratory) build(ctx context.Context, root string, packages []goPackage, overlay map[string]string) error {
	content, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return err
	}
	overlayFile := filepath.Join(l.folder, "overlay.json")
	if err := os.WriteFile(overlayFile, content, 0o600); err != nil {
		return err
	}
	for i, p := range packages {
		folder, err := filepath.Rel(root, p.Dir)
		if err != nil {
			return err
		}
		s := &suite{folder, filepath.Join(l.folder, fmt.Sprintf("%d.test", i))}
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", overlayFile, "-o", s.binary, p.ImportPath)
		cmd.Dir = root
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s with mutants: %w\n%s", p.ImportPath, err, output)
		}
		if _, err := os.Stat(s.binary); err == nil { // there are tests
			l.suites = append(l.suites, s)
		}
	}
	return nil
}

// baseline runs each test without a mutant.
func (l *laboratory) baseline(ctx context.Context, chosen, skip *regexp.Regexp) error {
	for _, s := range l.suites {
		cmd := exec.CommandContext(ctx, s.binary, "-test.list", "^(Test|Fuzz|Example)")
		cmd.Dir = filepath.Join(l.module(), s.folder)
		list, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("list the tests of %s: %w", s.folder, err)
		}
		for name := range strings.FieldsSeq(string(list)) {
			if !chosen.MatchString(name) || skip.MatchString(name) {
				continue
			}
			record := filepath.Join(l.folder, "record")
			if err := os.WriteFile(record, nil, 0o600); err != nil {
				return err
			}
			start := time.Now()
			by, output, err := l.run(ctx, s, []string{name}, 5*time.Minute, "MUTANT_RECORD="+record)
			if err != nil {
				return err
			}
			if by != "" {
				l.broken = append(l.broken, fmt.Sprintf("%s in %s: %s\n%s", name, s.folder, by, lastLines(output, 15)))
				continue
			}
			test := testCase{suite: s, name: name, took: time.Since(start), reached: map[int]bool{}}
			content, err := os.ReadFile(record)
			if err != nil {
				return err
			}
			for line := range strings.Lines(string(content)) {
				var id int
				var differs bool
				if _, err := fmt.Sscan(line, &id, &differs); err != nil {
					return fmt.Errorf("record of %s: %w", name, err)
				}
				test.reached[id] = test.reached[id] || differs
			}
			l.tests = append(l.tests, test)
		}
	}
	return nil
}

// try runs the tests that meet the mutant until one fails: those of its own package first,
// and of these the quick ones that meet few others. Tests that would take longer than most
// are left out.
func (l *laboratory) try(ctx context.Context, m mutant, most time.Duration) (result, error) {
	var tests []testCase
	covered := false
	for _, t := range l.tests {
		differs, reached := t.reached[m.id]
		covered = covered || differs || reached && !m.branch
		if differs {
			tests = append(tests, t)
		}
	}
	if !covered {
		return result{mutant: m, verdict: notCovered}, nil
	}
	own := filepath.Dir(m.file)
	price := func(t testCase) float64 { return t.took.Seconds() * (1 + float64(len(t.reached))/300) }
	slices.SortStableFunc(tests, func(a, b testCase) int {
		if (a.suite.folder == own) != (b.suite.folder == own) {
			if a.suite.folder == own {
				return -1
			}
			return 1
		}
		return cmp.Compare(price(a), price(b))
	})
	var took time.Duration
	for i, t := range tests {
		if took += t.took; most > 0 && took > most && i > 0 {
			return l.tryTests(ctx, m, tests[:i], len(tests)-i)
		}
	}
	return l.tryTests(ctx, m, tests, 0)
}

func (l *laboratory) tryTests(ctx context.Context, m mutant, tests []testCase, left int) (result, error) {
	for size := 2; len(tests) > 0; size *= 4 {
		timeout := 10 * time.Second
		var names []string
		for _, t := range tests[:min(size, len(tests))] {
			if t.suite == tests[0].suite {
				names = append(names, t.name)
				timeout += 10 * t.took
			}
		}
		by, _, err := l.run(ctx, tests[0].suite, names, timeout, fmt.Sprintf("MUTANT=%d", m.id))
		if err != nil {
			return result{}, err
		}
		if by != "" {
			return result{mutant: m, verdict: killed, by: by}, nil
		}
		tests = tests[len(names):]
	}
	return result{mutant: m, verdict: survived, left: left}, nil
}

var failed = regexp.MustCompile(`--- FAIL: (\S+)`)

// run runs tests, and returns which one failed: "" if they pass.
func (l *laboratory) run(ctx context.Context, s *suite, names []string, timeout time.Duration, env ...string) (by string, output []byte, err error) {
	temp := filepath.Join(l.folder, "tmp") // a test that is cut off leaves its folder
	if err := os.Mkdir(temp, 0o700); err != nil {
		return "", nil, err
	}
	limited, cancel := context.WithTimeout(ctx, timeout+10*time.Second) // for processes that a test starts
	defer cancel()
	cmd := exec.CommandContext(limited, s.binary, "-test.run=^("+strings.Join(names, "|")+")$", "-test.failfast", "-test.timeout="+timeout.String())
	cmd.Dir = filepath.Join(l.module(), s.folder)
	cmd.Env = append(os.Environ(), append(env, "TMPDIR="+temp)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &all, &all
	runErr := cmd.Run()
	if err := errors.Join(ctx.Err(), os.RemoveAll(temp)); err != nil {
		return "", nil, err
	}
	output = all.Bytes()
	switch found := failed.FindSubmatch(output); {
	case runErr == nil:
		return "", output, nil
	case limited.Err() != nil || bytes.Contains(output, []byte("panic: test timed out")):
		return "timeout", output, nil
	case found != nil:
		return string(found[1]), output, nil
	default:
		return "panic", output, nil
	}
}

func lastLines(output []byte, most int) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return "\t" + strings.Join(lines[max(0, len(lines)-most):], "\n\t")
}
