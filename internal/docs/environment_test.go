package docs_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"hstockbot/internal/config"
	"hstockbot/locales"
)

var update = flag.Bool("update", false, "generate the settings in the documents again")

const example = ".env.example"

// TestSettingsAreDocumented: the table of the manual and .env.example say what the tags of
// config.Config say, and .env.example shows the defaults.
func TestSettingsAreDocumented(t *testing.T) {
	t.Chdir(repository)
	exampleText := readFile(t, example)
	table := "| setting | default | takes | what it does |\n|---|---|---|---|\n"
	var environment strings.Builder
	for _, s := range config.Settings() {
		column, description := "none", code(s.Desc)
		if s.Required {
			column = "required"
		} else if s.Default != "" {
			column = "`" + s.Default + "`"
		}
		if s.See != "" {
			description += " [More](#" + s.See + ")"
		}
		table += fmt.Sprintf("| `%s` | %s | %s | %s |\n", s.Name, column, code(s.Takes), strings.TrimSpace(description))

		line := regexp.MustCompile(`(?m)^#?` + s.Name + `=(.*)$`).FindStringSubmatch(exampleText)
		if line == nil || s.Default != "" && line[1] != s.Default {
			line = []string{"#" + s.Name + "=" + s.Default} // where there is no default, write an example by hand
		}
		takes := (&config.Error{Variable: s.Name, Missing: s.Required, Takes: s.Takes}).Error()
		environment.WriteString(comment(takes+". "+s.Desc) + line[0] + "\n\n")
	}
	checkGenerated(t, manual, "<!-- settings: generated from internal/config by go test ./internal/docs -update -->\n", "<!-- end of settings -->\n", table)
	checkGenerated(t, example, "# --- Generated from internal/config by go test ./internal/docs -update\n\n", "# --- End of what is generated\n", environment.String())
}

// checkGenerated compares what stands between two marks of a file, or writes it.
func checkGenerated(t *testing.T, path, begin, end, want string) {
	t.Helper()
	before, rest, hasBegin := strings.Cut(readFile(t, path), begin)
	got, after, hasEnd := strings.Cut(rest, end)
	if !hasBegin || !hasEnd {
		t.Fatalf("%s: the marks of what is generated are missing", path)
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != want {
		t.Errorf("%s is not current, run: go test ./internal/docs -update", path)
	}
}

// code marks names of settings and files, addresses and paths as code.
func code(text string) string {
	return regexp.MustCompile(`openssl rand -base64 32|\b[A-Z]+(?:_[A-Z]+)+\b|[^\s(]*[:/]\S*\w|\bsecret\.key\b`).ReplaceAllString(text, "`$0`")
}

// comment returns text as lines of a shell's comment, of at most 80 characters.
func comment(text string) string {
	var lines strings.Builder
	line := "#"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > 80 {
			lines.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	return lines.String() + line + "\n"
}

// TestEnvironmentExample: .env.example has nothing twice, and beside the settings only what
// compose uses.
func TestEnvironmentExample(t *testing.T) {
	t.Chdir(repository)
	compose := readFile(t, "compose.yaml") + readFile(t, "docs/compose/bot.env") + readFile(t, "docs/compose/postgres.env")
	shown := map[string]bool{}
	for _, line := range regexp.MustCompile(`(?m)^#?([A-Z_]+)=`).FindAllStringSubmatch(readFile(t, example), -1) {
		if shown[line[1]] {
			t.Errorf("%s appears again", line[1])
		}
		shown[line[1]] = true
	}
	for _, s := range config.Settings() {
		delete(shown, s.Name)
	}
	for name := range shown {
		if !strings.Contains(compose, "${"+name) && name != "COMPOSE_PROFILES" {
			t.Errorf("%s is neither a setting nor used by compose.yaml", name)
		}
	}
}

// TestDocumentedLanguages: DEFAULT_LANG names each language.
func TestDocumentedLanguages(t *testing.T) {
	bundle, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, language := range bundle.Languages() {
		codes = append(codes, language.Code)
	}
	for _, s := range config.Settings() {
		if want := " " + strings.Join(codes, " ") + "."; s.Name == "DEFAULT_LANG" && !strings.HasSuffix(s.Desc, want) {
			t.Errorf("DEFAULT_LANG does not end with%s", want)
		}
	}
}
