package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hstockbot/internal/config"
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
	var help strings.Builder
	run(t.Context(), []string{"help"}, &help, io.Discard)
	programs := matches(help.String(), `(?m)^  ([a-z]+) `)
	targets := matches(readFile(t, "Makefile"), `(?m)^([a-z-]+):`)
	tests := matches(goSource(t, ".", true), `(?m)^func ((?:Test|Benchmark)\w+)\(`)
	slashes := slices.Concat(
		matches(goSource(t, "handlers", false), `(?i)command(?:\(| = )"([a-z]+)"`),
		matches(goSource(t, "internal/ops", false), `"GET /([a-z]+)"`),
		[]string{"newbot", "revoke", "setinline", "data"}, // of @BotFather; a folder of the image
	)
	for _, d := range documents(t) {
		checkNames(t, d.path, "make target", matches(d.code, `\bmake ([a-z-]+)`), targets)
		checkNames(t, d.path, "command", matches(d.code, `(?:\bhstockbot|go run \.) ([a-z]+)`), programs)
		checkNames(t, d.path, "bot command or page", matches(d.spans, `(?m)^/([a-z]+)(?: .*)?$`), slashes)
		checkNames(t, d.path, "test", matches(d.text, `\b((?:Test|Benchmark)[A-Z]\w*)`), tests)
	}
}

func TestDocumentSettings(t *testing.T) {
	var names []string
	for _, s := range config.Settings() {
		names = append(names, s.Name)
		row := "(?m)^\\| `" + s.Name + "` \\| [^|]*" + regexp.QuoteMeta(s.Default) + "[^|]* \\|"
		if !regexp.MustCompile(row).MatchString(readFile(t, manual)) {
			t.Errorf("%s: setting %s, or its default %q, is missing", manual, s.Name, s.Default)
		}
	}
	for _, d := range documents(t) {
		checkNames(t, d.path, "setting", matches(d.code, `\b([A-Z]+(?:_[A-Z]+)+)\b`), names)
	}
}

func TestDocumentMetrics(t *testing.T) {
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

func TestDocumentLogLines(t *testing.T) {
	section := matches(readFile(t, manual), `(?s)\n## Log lines\n(.*?)\nErrors `)[0]
	cells := strings.Join(matches(section, "(?m)^\\| (`[^|]+) \\|"), "\n")
	checkNames(t, manual, "log line", matches(cells, "`([^`]+)`"), matches(goSource(t, ".", false), `"([^"\n]+)"`))
}

func TestDocumentLengths(t *testing.T) {
	if n := strings.Count(readFile(t, "README.md"), "\n"); n > 200 {
		t.Errorf("README.md has %d lines, at most 200 are allowed", n)
	}
	if n := len(strings.Fields(readFile(t, "ARCHITECTURE.md"))); n > 2500 {
		t.Errorf("ARCHITECTURE.md has %d words, at most 2,500 are allowed", n)
	}
}
