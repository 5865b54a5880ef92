package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"os"
	"strings"
	"testing"

	"hstockbot/internal/config"
	"hstockbot/internal/ops"
)

const testToken = "123456789:AAabcdefghijklmnopqrstuvwxyz0123456"

// environment sets these settings and unsets all others.
func environment(t *testing.T, values map[string]string) {
	t.Helper()
	for _, s := range config.Settings() {
		t.Setenv(s.Name, "") // the test restores it
		if value, ok := values[s.Name]; ok {
			t.Setenv(s.Name, value)
		} else if err := os.Unsetenv(s.Name); err != nil {
			t.Fatal(err)
		}
	}
}

// command runs a command and returns its status and output.
func command(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, &out, &errs)
	return status, out.String(), errs.String()
}

func TestVersion(t *testing.T) {
	environment(t, nil)
	status, stdout, stderr := command(t, "version")
	if status != exitOK || !strings.HasPrefix(stdout, "hstockbot ") || stderr != "" {
		t.Errorf("got %d %q %q", status, stdout, stderr)
	}
}

func TestHelpListsCommandsAndSettings(t *testing.T) {
	environment(t, nil)
	for _, word := range []string{"help", "-h", "--help"} {
		status, stdout, stderr := command(t, word)
		if status != exitOK || stderr != "" {
			t.Errorf("%s: got %d %q", word, status, stderr)
		}
		for _, name := range []string{"run", "demo", "version", "help", "healthcheck"} {
			if !strings.Contains(stdout, "\n  "+name+" ") {
				t.Errorf("%s does not list the command %s", word, name)
			}
		}
		for _, s := range config.Settings() {
			if !strings.Contains(stdout, "\n  "+s.Name+" ") {
				t.Errorf("%s does not list the setting %s", word, s.Name)
			}
		}
	}
}

func TestWrongCommandLineIsRefused(t *testing.T) {
	environment(t, nil)
	const canary = "CANARY"
	for _, args := range [][]string{{canary}, {testToken}, {""}, {"run", canary}, {"version", "x"}, {canary, canary}} {
		status, stdout, stderr := command(t, args...)
		if status != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "hstockbot help") {
			t.Errorf("%q: got %d %q %q", args, status, stdout, stderr)
		}
		if strings.Contains(stderr, canary) || strings.Contains(stderr, testToken) {
			t.Errorf("%q is repeated in %q", args, stderr)
		}
	}
}

// A wrong flag of the demo gives status 2 and one line without its value.
func TestWrongDemoFlagsAreRefused(t *testing.T) {
	environment(t, nil)
	const canary = "CANARY"
	for _, test := range []struct{ args, want string }{
		{"-addr", "-addr host:port"},
		{"-addr 0.0.0.0:8090", "loopback only"},
		{"-addr :8090", "loopback only"},
		{"-addr " + canary + ":8090", "loopback only"},
		{"-addr " + canary, "host:port"},
		{"-addr 127.0.0.1:99999", "65535"},
		{"-seed -1", "-seed N"},
		{"-seed " + canary, "-seed N"},
		{"-" + canary, "-data DIR"},
		{canary, "-data DIR"},
		{"-seed 1 " + canary, "-data DIR"},
	} {
		status, stdout, stderr := command(t, append([]string{"demo"}, strings.Fields(test.args)...)...)
		if status != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, test.want) {
			t.Errorf("demo %s: got %d %q %q", test.args, status, stdout, stderr)
		}
		if strings.Contains(stderr, canary) {
			t.Errorf("demo %s is repeated in %q", test.args, stderr)
		}
	}
	for _, flag := range []string{"-h", "-help"} {
		if status, stdout, stderr := command(t, "demo", flag); status != exitOK || !strings.Contains(stdout, "-seed N") || stderr != "" {
			t.Errorf("demo %s: got %d %q %q", flag, status, stdout, stderr)
		}
	}
}

// Each wrong setting gives status 2 and one line that names it without its value.
func TestWrongSettingsAreRefused(t *testing.T) {
	const canary = "CANARY"
	for _, s := range config.Settings() {
		for _, args := range [][]string{nil, {"run"}} {
			value := canary + " \x01 " + strings.Repeat(canary, 100) // wrong for every setting
			values := map[string]string{"TELEGRAM_TOKEN": testToken}
			values[s.Name] = value
			environment(t, values)
			status, stdout, stderr := command(t, args...)
			if status != exitUsage || stdout != "" {
				t.Errorf("%s: got %d %q", s.Name, status, stdout)
			}
			if !strings.HasPrefix(stderr, "hstockbot: "+s.Name+" takes ") || strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, "\n") {
				t.Errorf("%s: not one line that names it: %q", s.Name, stderr)
			}
			if strings.Contains(stderr, canary) || strings.Contains(stderr, testToken) {
				t.Errorf("%s: the line shows a value: %q", s.Name, stderr)
			}
		}
	}
}

func TestTokenIsRequired(t *testing.T) {
	environment(t, nil)
	status, _, stderr := command(t)
	if status != exitUsage || !strings.HasPrefix(stderr, "hstockbot: TELEGRAM_TOKEN is required") {
		t.Errorf("got %d %q", status, stderr)
	}
}

// storage decides whether SECRET_KEY is valid.
func TestSecretKey(t *testing.T) {
	for _, test := range []struct {
		name, value string
		good        bool
	}{
		{"one", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("n"), 32)), true},
		{"short", base64.StdEncoding.EncodeToString([]byte("short")), false},
		{"no base64", strings.Repeat("!", 44), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			environment(t, map[string]string{"TELEGRAM_TOKEN": testToken, "SECRET_KEY": test.value})
			_, err := loadConfig()
			if (err == nil) != test.good {
				t.Errorf("got %v", err)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "SECRET_KEY takes ") {
				t.Errorf("got %q", err)
			}
		})
	}
}

func TestLoggerHidesSecrets(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		secrets := map[string]string{
			"TELEGRAM_TOKEN": testToken,
			"HSTOCK_API_KEY": "operator-key-canary",
			"WEBHOOK_SECRET": "webhook-secret-canary",
			"SECRET_KEY":     base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("n"), 32)),
			"LOG_FORMAT":     format,
		}
		environment(t, secrets)
		cfg, err := loadConfig()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		log := newLogger(cfg, &out)
		for _, secret := range secrets {
			log.Info("about "+secret, "value", secret, "config", cfg, slog.Group("group", "value", secret))
			log.Debug("not at this level")
		}
		delete(secrets, "LOG_FORMAT")
		for name, secret := range secrets {
			if strings.Contains(out.String(), secret) {
				t.Errorf("%s: the log shows %s", format, name)
			}
		}
		if strings.Contains(out.String(), "not at this level") {
			t.Errorf("%s: the level is ignored", format)
		}
		if isJSON := strings.HasPrefix(out.String(), "{"); isJSON != (format == "json") {
			t.Errorf("%s: got %.20s", format, &out)
		}
	}
}

func TestHealthcheck(t *testing.T) {
	server := ops.New(ops.Options{Addr: "127.0.0.1:0", Metrics: ops.NewMetrics("test"), Log: slog.New(slog.DiscardHandler)})
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	addr := server.Addr()
	environment(t, map[string]string{"HTTP_ADDR": addr}) // needs no token
	if status, stdout, stderr := command(t, "healthcheck"); status != exitOK || stdout+stderr != "" {
		t.Errorf("ready: got %d %q %q", status, stdout, stderr)
	}
	if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := command(t, "healthcheck"); status != exitFailed || strings.Count(stderr, "\n") != 1 {
		t.Errorf("stopped: got %d %q", status, stderr)
	}
	t.Setenv("HTTP_ADDR", "nonsense")
	if status, _, stderr := command(t, "healthcheck"); status != exitUsage || !strings.HasPrefix(stderr, "hstockbot: HTTP_ADDR takes ") {
		t.Errorf("wrong address: got %d %q", status, stderr)
	}
}

// .env.example names each setting once with its default, and is valid once it has a
// token.
func TestEnvironmentExample(t *testing.T) {
	file, err := os.Open(".env.example")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	shown, active := map[string]string{}, map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line, commented := strings.CutPrefix(lines.Text(), "#")
		name, value, ok := strings.Cut(line, "=")
		if !ok || name == "" || strings.ContainsAny(name, " #") {
			continue
		}
		if _, twice := shown[name]; twice {
			t.Errorf("%s appears twice", name)
		}
		shown[name] = value
		if !commented {
			active[name] = value
		}
	}
	for _, s := range config.Settings() {
		value, ok := shown[s.Name]
		if !ok {
			t.Errorf("%s is missing", s.Name)
		}
		if s.Default != "" && value != s.Default {
			t.Errorf("%s: shows %q, the default is %q", s.Name, value, s.Default)
		}
		delete(shown, s.Name)
	}
	for name := range shown {
		t.Errorf("%s is not a setting", name)
	}

	environment(t, active)
	if _, err := loadConfig(); err == nil || !strings.HasPrefix(err.Error(), "TELEGRAM_TOKEN is required") {
		t.Errorf("without a token: got %v, want that only the token is missing", err)
	}
	t.Setenv("TELEGRAM_TOKEN", testToken)
	if _, err := loadConfig(); err != nil {
		t.Errorf("with a token: %v", err)
	}
}
