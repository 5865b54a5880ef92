// Package docs_test checks that the documents name only what exists: files, links,
// commands, settings, metrics, log lines and tests, that images and actions are pinned, and
// what compose.yaml starts.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hstockbot/internal/config"
	"hstockbot/internal/doctor"
)

// manual is where operators look up settings, metrics and log lines.
const manual = "docs/operations.md"

// document is one Markdown file, with its path in the repository.
type document struct {
	path, text  string
	prose       string // text without code
	code, spans string // all code; inline code, one per line
}

var (
	codeBlock  = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	inlineCode = regexp.MustCompile("`[^`\n]+`")
)

// repository is the working directory of every test. It is set within the tests: go test
// does not notice what TestMain does, and would use its cache after a document has changed.
const repository = "../.."

// documents returns what is checked. Released entries of the changelog are left
// out, because they may name things that no longer exist.
func documents(t *testing.T) (all []document) {
	t.Helper()
	paths, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md") {
		d := document{path: path, text: readFile(t, path)}
		if parts := strings.Split(d.text, "\n## "); path == "CHANGELOG.md" {
			d.text = strings.Join(parts[:2], "\n## ")
		}
		blocks, rest := codeBlock.FindAllString(d.text, -1), codeBlock.ReplaceAllString(d.text, "")
		d.spans = strings.ReplaceAll(strings.Join(inlineCode.FindAllString(rest, -1), "\n"), "`", "")
		d.code = strings.Join(blocks, "\n") + "\n" + d.spans
		d.prose = inlineCode.ReplaceAllString(rest, "")
		all = append(all, d)
	}
	return all
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// goSource returns all Go files of a folder and its subfolders, joined: either
// the tests or the program.
func goSource(t *testing.T, folder string, tests bool) string {
	t.Helper()
	var source strings.Builder
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") && strings.HasSuffix(path, "_test.go") == tests {
			source.WriteString(readFile(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return source.String()
}

// matches returns what the first group of the pattern matches, each once, sorted.
func matches(text, pattern string) (found []string) {
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// checkNames reports each name that is not known.
func checkNames(t *testing.T, path, kind string, names, known []string) {
	t.Helper()
	for _, name := range names {
		if !slices.Contains(known, name) {
			t.Errorf("%s: %s %s does not exist", path, kind, name)
		}
	}
}

func TestDocumentLinks(t *testing.T) {
	t.Chdir(repository)
	for _, d := range documents(t) {
		for _, link := range matches(d.prose, `(?:\]\(|src="|srcset=")([^)"\s]+)[)"]`) {
			path, anchor, _ := strings.Cut(link, "#")
			target := filepath.Join(filepath.Dir(d.path), path)
			if path == "" {
				target = d.path
			}
			if strings.Contains(link, "://") {
				continue
			} else if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", d.path, err)
			} else if anchor != "" {
				checkNames(t, d.path, "heading", []string{anchor}, anchors(readFile(t, target)))
			}
		}
	}
}

// anchors returns the names that GitHub gives to the headings of a document.
func anchors(text string) (names []string) {
	for _, heading := range matches(text, `(?m)^#+ (.*)$`) {
		name := regexp.MustCompile(`[^\w -]`).ReplaceAllString(strings.ToLower(heading), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

func TestDocumentPaths(t *testing.T) {
	t.Chdir(repository)
	const file = `\.?[\w-]+(?:/[\w.-]+)*(?:\.(?:go|md|toml|yml|yaml|sql|example)|/)`
	const inFolder = `(?:internal|bot|handlers|keyboards|locales|storage|docs|tools)/[\w/.-]*\w`
	for _, d := range documents(t) {
		paths := append(matches(d.code, `(?m)(?:^|\s)(`+file+`)(?:\s|$)`), matches(d.text, `(?:^|[\s("./]|`+"`)("+inFolder+`)`)...)
		for _, path := range paths {
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %v", d.path, err)
			}
		}
	}
}

func TestDocumentCommandsAndTests(t *testing.T) {
	t.Chdir(repository)
	programs := matches(readFile(t, "main.go"), `(?m)^  ([a-z-]+) `) // of its usage text
	targets := matches(readFile(t, "Makefile"), `(?m)^([a-z-]+):`)
	tests := matches(goSource(t, ".", true), `(?m)^func ((?:Test|Benchmark)\w+)\(`)
	slashes := slices.Concat(
		matches(goSource(t, "handlers", false), `(?i)command(?:\(| = )"([a-z]+)"`),
		matches(goSource(t, "internal/ops", false), `"GET /([a-z]+)"`),
		[]string{"newbot", "revoke", "setinline", "data"}, // of @BotFather; a folder of the image
	)
	for _, d := range documents(t) {
		checkNames(t, d.path, "make target", matches(d.code, `\bmake ([a-z-]+)`), targets)
		checkNames(t, d.path, "command", matches(d.code, `(?:\bhstockbot|go run \.) ([a-z][a-z-]*)`), programs)
		checkNames(t, d.path, "bot command or page", matches(d.spans, `(?m)^/([a-z]+)(?: .*)?$`), slashes)
		checkNames(t, d.path, "test", matches(d.text, `\b((?:Test|Benchmark)[A-Z]\w*)`), tests)
	}
}

// TestSecurityPromises: each promise names tests, and each of them is in the package of its
// row. Rows without a promise or a package have those of the row above.
func TestSecurityPromises(t *testing.T) {
	t.Chdir(repository)
	folder, rows := "", 0
	for _, row := range regexp.MustCompile(`(?m)^\| (.*?) ?\| (.*?) ?\| (.*?) ?\|$`).FindAllStringSubmatch(readFile(t, "SECURITY.md"), -1) {
		promise, tests := row[1], matches(row[3], "`(Test[A-Z]\\w*)`")
		if packages := matches(row[2], "`(.*)`"); len(packages) > 0 {
			folder = strings.Replace(packages[0], "main", ".", 1)
		}
		if len(tests) == 0 {
			if row[2] != "" && promise != "promise" {
				t.Errorf("%q has no test", promise)
			}
			continue
		}
		rows++
		files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		var source strings.Builder
		for _, file := range files {
			source.WriteString(readFile(t, file))
		}
		checkNames(t, "SECURITY.md, "+folder, "test", tests, matches(source.String(), `(?m)^func (Test\w+)\(`))
	}
	if rows < 60 {
		t.Errorf("%d promises have tests", rows)
	}
}

func TestDocumentSettings(t *testing.T) {
	t.Chdir(repository)
	var names []string
	for _, s := range config.Settings() {
		names = append(names, s.Name)
	}
	names = append(names, "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY") // of net/http
	names = append(names, matches(goSource(t, "internal/sandbox/pgtest", false), `"(TEST_[A-Z]+)"`)...)
	names = append(names, matches(readFile(t, ".env.example"), `(?m)^#?([A-Z_]+)=`)...) // also those of compose.yaml
	for _, d := range documents(t) {
		checkNames(t, d.path, "setting", matches(d.code, `\b([A-Z]+(?:_[A-Z]+)+)\b`), names)
	}
}

func TestDocumentMetrics(t *testing.T) {
	t.Chdir(repository)
	source := strings.ReplaceAll(goSource(t, ".", false), `Gauge("`, `Gauge("hstockbot_`)
	registered := matches(source, `"(hstockbot_\w+\w)"`)
	for _, service := range matches(source, `newRequestMetrics\(\w+, "(\w+)"`) {
		for _, suffix := range matches(source, `"hstockbot_" \+ service \+ "(\w+)"`) {
			registered = append(registered, "hstockbot_"+service+suffix)
		}
	}
	for _, d := range documents(t) {
		checkNames(t, d.path, "metric", matches(d.text, `\b(hstockbot_\w+)`), registered)
	}
	checkNames(t, manual, "description of metric", registered, matches(readFile(t, manual), `\b(hstockbot_\w+)`))
}

// TestDocumentLogLines: each documented log line exists, and each one at level info and
// above is documented.
func TestDocumentLogLines(t *testing.T) {
	t.Chdir(repository)
	section := matches(readFile(t, manual), `(?s)\n## Log lines\n(.*?)\n### `)[0]
	cells := strings.Join(matches(section, "(?m)^\\| (`[^|]+) \\|"), "\n")
	documented := matches(cells, "`([^`]+)`")
	source := goSource(t, ".", false)
	checkNames(t, manual, "log line", documented, matches(source, `"([^"\n]+)"`))
	program := strings.Replace(source, goSource(t, "internal/sandbox", false), "", 1) // which stands in it in one piece
	checkNames(t, manual, "row of the log line", matches(program, `\.(?:Info|Warn|Error)(?:Context)?\((?:ctx, )?"([^"\n]+)"`), documented)
}

// TestDocumentErrors: the errors that end the start exist.
func TestDocumentErrors(t *testing.T) {
	t.Chdir(repository)
	source := goSource(t, ".", false)
	section := matches(readFile(t, manual), `(?s)\n### Errors at the start\n(.*?)\n## `)[0]
	cells := strings.Join(matches(section, "(?m)^\\| (`[^|]+) \\|"), "\n")
	for _, text := range matches(cells, "`(?:TELEGRAM_TOKEN)?([^`]+)`") {
		for part := range strings.SplitSeq(text, "…") {
			if !strings.Contains(source, strings.TrimSpace(part)) {
				t.Errorf("%s: no error contains %q", manual, part)
			}
		}
	}
}

// TestDocumentAlerts: each alert is found by the text that an admin sees.
func TestDocumentAlerts(t *testing.T) {
	t.Chdir(repository)
	section := matches(readFile(t, manual), `(?s)\n## Alerts\n(.*?)\n## `)[0]
	rows := matches(section, "(?m)^\\| `([^`]+)` \\|")
	alerts := matches(readFile(t, "locales/en.toml"), `(?m)^(alert_.* = ".*")$`)
	alerts = slices.DeleteFunc(alerts, func(line string) bool { return regexp.MustCompile(`^alert_(ended_|more|\w+\.one)`).MatchString(line) })
	for _, row := range rows {
		if !slices.ContainsFunc(alerts, func(alert string) bool { return strings.Contains(alert, row) }) {
			t.Errorf("%s: no alert contains %q", manual, row)
		}
	}
	for _, alert := range alerts {
		if !slices.ContainsFunc(rows, func(row string) bool { return strings.Contains(alert, row) }) {
			t.Errorf("%s: a row is missing for %s", manual, alert)
		}
	}
}

func TestDocumentDoctor(t *testing.T) {
	t.Chdir(repository)
	section := matches(readFile(t, manual), `(?s)\n## The doctor\n(.*?)\n## `)[0]
	rows := matches(section, "(?m)^\\| `([a-z-]+)` \\|")
	checkNames(t, manual, "check of the doctor", rows, doctor.Names())
	checkNames(t, manual, "row of the doctor's check", doctor.Names(), rows)
}

func TestDocumentLengths(t *testing.T) {
	t.Chdir(repository)
	if n := strings.Count(readFile(t, "README.md"), "\n"); n > 200 {
		t.Errorf("README.md has %d lines, at most 200 are allowed", n)
	}
	if n := len(strings.Fields(readFile(t, "ARCHITECTURE.md"))); n > 2500 {
		t.Errorf("ARCHITECTURE.md has %d words, at most 2,500 are allowed", n)
	}
}

// TestPinnedByDigest: a tag can be moved to other contents, a digest can't.
func TestPinnedByDigest(t *testing.T) {
	t.Chdir(repository)
	for file, pinned := range map[string]*regexp.Regexp{
		"compose.yaml":                  regexp.MustCompile(`^\s*image: (?:hstockbot|\S+:\d\S*@sha256:[0-9a-f]{64})$`),
		"Dockerfile":                    regexp.MustCompile(`^FROM (--platform=\$BUILDPLATFORM )?\S+@sha256:[0-9a-f]{64}( AS \w+)?$`),
		".github/workflows/ci.yml":      regexp.MustCompile(`^\s*- uses: \S+@[0-9a-f]{40} # v\S+$`),
		".github/workflows/release.yml": regexp.MustCompile(`^\s*- uses: \S+@[0-9a-f]{40} # v\S+$`),
	} {
		found := false
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(content), "\n") {
			if !strings.HasPrefix(line, "FROM ") && !strings.Contains(line, " uses:") && !strings.Contains(line, " image: ") {
				continue
			}
			found = true
			if !pinned.MatchString(line) {
				t.Errorf("%s: not pinned: %s", file, line)
			}
		}
		if !found {
			t.Errorf("%s contains nothing to pin", file)
		}
	}
}

// TestWorkflowFetchesHistory: TestRollingUpgrade needs it in every job that runs the tests.
func TestWorkflowFetchesHistory(t *testing.T) {
	t.Chdir(repository)
	for _, file := range []string{".github/workflows/ci.yml", ".github/workflows/release.yml"} {
		tested := false
		for _, job := range strings.Split(readFile(t, file), "\n    steps:\n")[1:] {
			if !regexp.MustCompile(`(?m)^ *-? *run: .*(\.ci/run|make ci|go test)`).MatchString(job) {
				continue
			}
			tested = true
			if !regexp.MustCompile(`uses: actions/checkout@.*\n( {8,}.*\n)* *fetch-depth: 0\b`).MatchString(job) {
				t.Errorf("%s: a job runs the tests without the history:\n%s", file, job)
			}
		}
		if !tested {
			t.Errorf("%s: no job runs the tests", file)
		}
	}
}
