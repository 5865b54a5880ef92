package docs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	alertRules = "docs/alerts.yaml"
	dashboard  = "docs/grafana.json"
	unit       = "docs/hstockbot.service"
)

// run runs a program that reads one of the operators' files. Where it is not installed the
// test is skipped; in CI it fails.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if output, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil || strings.Contains(string(output), "Unknown") {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, output)
	}
}

// The unit is valid, and systemd calls its exposure at most 1.9 of 10.
func TestSystemdUnit(t *testing.T) {
	t.Chdir(repository)
	// systemd-analyze wants the program to be there.
	path := filepath.Join(t.TempDir(), filepath.Base(unit))
	text := strings.Replace(readFile(t, unit), "/usr/local/bin/hstockbot", "/bin/true", 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "systemd-analyze", "verify", path)
	run(t, "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=19", path)
}

// TestSecretsStayOnTheMachine: no commit and no image gets settings, databases, backups or
// keys, and a crash of the bot, whose memory has keys and goods, leaves no core dump.
func TestSecretsStayOnTheMachine(t *testing.T) {
	t.Chdir(repository)
	for _, name := range []string{".env", ".env.old", "data/x", "bot.db", "bot.db-wal", "bot.db.7.daily-x.bak", "bot.db.before-x.bak", "bot.db.forgotten", "secret.key", "secret.key.old"} {
		run(t, "git", "check-ignore", "--quiet", "--no-index", name)
	}
	for file, lines := range map[string][]string{
		".dockerignore": {".env", ".env.*", "data", "**/*.db*", "**/secret.key*"}, unit: {"LimitCORE=0"}, "compose.yaml": {"    core: 0 # a core dump would hold keys and goods"},
	} {
		for _, line := range lines {
			if !strings.Contains("\n"+readFile(t, file), "\n"+line+"\n") {
				t.Errorf("%s has no line %q", file, line)
			}
		}
	}
}

func TestAlertRules(t *testing.T) {
	t.Chdir(repository)
	const tests = "internal/docs/testdata/alerts_test.yaml"
	rules := matches(readFile(t, alertRules), `(?m)- alert: (\w+)$`)
	if len(rules) == 0 {
		t.Fatal("there are no rules")
	}
	section := matches(readFile(t, manual), `(?s)\n### Alert rules\n(.*?)\n##`)[0]
	checkNames(t, manual, "alert", matches(section, `\b(Hstockbot\w+)`), rules)
	checkNames(t, manual, "description of alert", rules, matches(section, "(?m)^\\| `(\\w+)` "))
	checkNames(t, tests, "test that fires", rules, matches(readFile(t, tests), `(?m)- alertname: (\w+)$`))
	run(t, "promtool", "check", "rules", alertRules)
	run(t, "promtool", "test", "rules", tests)
}

// The dashboard is valid JSON, its queries are valid, and each screen has a name.
func TestDashboard(t *testing.T) {
	t.Chdir(repository)
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }

			FieldConfig struct {
				Overrides []struct {
					Properties []struct{ Value json.RawMessage }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, dashboard)), &board); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$__interval", "1m", "$__range", "1h", "$job", "hstockbot")
	var rules strings.Builder
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	var screens []string
	for _, panel := range board.Panels {
		for i, target := range panel.Targets {
			fmt.Fprintf(&rules, "  - { record: panel, labels: { panel: %q, query: \"%d\" }, expr: %q }\n", panel.Title, i, variables.Replace(target.Expr))
		}
		for _, override := range panel.FieldConfig.Overrides {
			for _, property := range override.Properties {
				var mappings []struct {
					Options map[string]struct{ Text string }
				}
				if json.Unmarshal(property.Value, &mappings) != nil {
					continue
				}
				for code, name := range mappings[0].Options {
					if name.Text != "" {
						screens = append(screens, code)
					}
				}
			}
		}
	}
	slices.Sort(screens)
	routes := append(matches(goSource(t, "keyboards", false), `= route\.New\[[^\n]*\]\("(\w+)"\)`), "outdated")
	checkNames(t, dashboard, "name of screen", routes, screens)
	checkNames(t, dashboard, "screen", screens, routes)
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "promtool", "check", "rules", path)
}
