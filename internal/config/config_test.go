package config_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/config"
	"hstockbot/internal/redact"
)

const token = "123456789:AAabcdefghijklmnopqrstuvwxyz0123456"

var (
	errKey = errors.New("not 32 bytes in base64")
	errURL = errors.New("not a database")
)

// known has simplified rules of the other packages.
var known = config.Known{
	Languages: []string{"en", "zh"},
	SecretKey: func(value string) error {
		for key := range strings.SplitSeq(value, ",") {
			if raw, err := base64.StdEncoding.DecodeString(key); err != nil || len(raw) != 32 {
				return errKey
			}
		}
		return nil
	},
	DatabaseFile: func(value string) (string, error) {
		if strings.HasPrefix(value, "postgres://u:hunter22@") {
			return "", nil
		}
		path, ok := strings.CutPrefix(value, "sqlite:")
		if !ok || path == "" || strings.HasPrefix(path, ":memory:") || strings.Contains(path, "\x01") {
			return "", errURL
		}
		return path, nil
	},
	DatabaseHosts: func(value string) int { return 1 + strings.Count(value, ",") },
}

// environment sets these settings and unsets all others.
func environment(t *testing.T, values map[string]string) {
	t.Helper()
	for _, s := range config.Settings() {
		t.Setenv(s.Name, "") // restores the value after the test
		if value, ok := values[s.Name]; ok {
			t.Setenv(s.Name, value)
		} else if err := os.Unsetenv(s.Name); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDefaults(t *testing.T) {
	environment(t, map[string]string{"TELEGRAM_TOKEN": token})
	got, err := config.Load(known)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		TelegramToken:  token,
		TelegramAPIURL: "https://api.telegram.org",
		HStockAPIURL:   "https://hstockplus.com/api/v2",
		HStockRate:     300,
		DatabaseURL:    "sqlite:data/bot.db",
		DefaultLang:    "en",
		TimeZone:       "UTC",
		HTTPAddr:       "127.0.0.1:8080",
		WebhookAddr:    "127.0.0.1:8443",
		SMMRatePer:     1000,
		SupportText:    "support@hstockplus.net",
		TelegramRate:   30,
		CatalogTTL:     5 * time.Minute,
		LogLevel:       config.Level(slog.LevelInfo),
		LogFormat:      "text",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestLoadReadsEverySetting(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32))
	older := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("o"), 32))
	environment(t, map[string]string{
		"TELEGRAM_TOKEN":   " " + token + "\n",
		"TELEGRAM_API_URL": "http://127.0.0.1:8081/telegram",
		"HSTOCK_API_URL":   "http://[::1]:8082/api/v2",
		"HSTOCK_API_KEY":   "operator-key\n",
		"HSTOCK_RATE":      "0",
		"TIME_ZONE":        " Asia/Dhaka\n",
		"TOPUP_URL":        "https://pay.example/top-up?from=bot#card",
		"QUIET_HOURS":      "22:30-7",
		"ADMIN_IDS":        "1, 9007199254740993",
		"SUPPORT_IDS":      "2,3",
		"ALLOWED_IDS":      "",
		"DATABASE_URL":     "sqlite:/data/bot.db",
		"SECRET_KEY":       key + "," + older + "\n",
		"DEFAULT_LANG":     "zh",
		"HTTP_ADDR":        "",
		"WEBHOOK_URL":      "https://bot.example:8443/hook",
		"WEBHOOK_SECRET":   "aZ09_-, webhook-canary\n",
		"WEBHOOK_ADDR":     ":8443",
		"SMM_RATE_PER":     "1",
		"SUPPORT_TEXT":     "write to @us,\nor call",
		"TELEGRAM_RATE":    "0.5",
		"CATALOG_TTL":      "1m30s",
		"LOG_LEVEL":        "WARN",
		"LOG_FORMAT":       "json",
	})
	got, err := config.Load(known)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		TelegramToken:  token,
		TelegramAPIURL: "http://127.0.0.1:8081/telegram",
		HStockAPIURL:   "http://[::1]:8082/api/v2",
		HStockAPIKey:   "operator-key",
		TimeZone:       "Asia/Dhaka",
		TopUpURL:       "https://pay.example/top-up?from=bot#card",
		QuietHours:     config.Hours{From: 22*60 + 30, To: 7 * 60},
		AdminIDs:       config.IDs{1, 9007199254740993},
		SupportIDs:     config.IDs{2, 3},
		DatabaseURL:    "sqlite:/data/bot.db",
		SecretKey:      redact.Secret(key + "," + older),
		DefaultLang:    "zh",
		WebhookURL:     "https://bot.example:8443/hook",
		WebhookSecrets: config.Secrets{"aZ09_-", "webhook-canary"},
		WebhookAddr:    ":8443",
		SMMRatePer:     1,
		SupportText:    "write to @us,\nor call",
		TelegramRate:   0.5,
		CatalogTTL:     90 * time.Second,
		LogLevel:       config.Level(slog.LevelWarn),
		LogFormat:      "json",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	scrubbed := redact.New(got.Secrets()...).String(strings.Join([]string{token, "operator-key", key, older, "webhook-canary"}, " | "))
	for _, secret := range []string{token, "operator-key", key, older, "webhook-canary"} {
		if strings.Contains(scrubbed, secret) {
			t.Errorf("Secrets lacks a value: %s", scrubbed)
		}
	}
	if shown := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(shown, token) || strings.Contains(shown, key) || strings.Contains(shown, "webhook-canary") {
		t.Error("a printed Config shows a secret")
	}
}

// A log shows no password of the database, wherever its address has it and however it is
// written there.
func TestDatabasePasswordsAreSecrets(t *testing.T) {
	for address, passwords := range map[string][]string{
		"postgres://bot:canary-1@db/bot":                                  {"canary-1"},
		"postgres://bot:canary%24%401@db1:5432,db2:5432/bot":              {"canary%24%401", "canary$@1"},
		"postgres://db/bot?user=bot&password=canary%2B1&sslmode=disable":  {"canary%2B1", "canary+1"},
		"postgresql://bot:canary-1@db/bot?sslpassword=canary-2&password=": {"canary-1", "canary-2"},
	} {
		cfg := config.Config{DatabaseURL: address}
		text := address + " " + strings.Join(passwords, " ")
		if hidden := redact.New(cfg.Secrets()...).String(text); strings.Contains(hidden, "canary") || !strings.Contains(hidden, "db") {
			t.Errorf("%s becomes %s", text, hidden)
		}
	}
	for _, address := range []string{"sqlite:/data/bot.db", "postgres://bot@db:5432/bot", "postgres://db/bot?sslmode=disable"} {
		cfg := config.Config{DatabaseURL: address}
		if hidden := redact.New(cfg.Secrets()...).String(address); hidden != address {
			t.Errorf("%s becomes %s", address, hidden)
		}
	}
}

// Each invalid value contains the canary, so the test detects an error that
// quotes any part of the value.
func TestInvalidValues(t *testing.T) {
	const canary = "CANARY"
	long := strings.Repeat(canary, 100)
	invalid := map[string][]string{
		"TELEGRAM_TOKEN":    {canary, "123:" + canary, token + " " + canary, canary + ":AAabcdefghijklmnopqrstuvwxyz", token + "/../" + canary},
		"TELEGRAM_API_URL":  {canary, "ftp://" + canary, "https://user:" + canary + "@host", "https://host/?" + canary, "https://host#" + canary, "http://" + canary + ":port", "http://%zz" + canary, "http:///" + canary, "https://host:99999/" + canary},
		"HSTOCK_API_URL":    {canary, "//" + canary, "https://" + canary + "@host/api", "https://host/api?key=" + canary, "http://" + canary + "/api/v2", "http://127.0.0.1." + canary + ".example/", "http://10.0.0.1/" + canary},
		"HSTOCK_API_KEY":    {"two " + canary, canary + "\tx", long},
		"HSTOCK_RATE":       {canary, "20" + canary},
		"TIME_ZONE":         {canary},
		"TOPUP_URL":         {canary, "https://" + canary + "@pay.example"},
		"QUIET_HOURS":       {canary, "22-" + canary},
		"ADMIN_IDS":         {canary, "1,2;" + canary, "1,," + canary, "@" + canary},
		"SUPPORT_IDS":       {canary, "7 8" + canary},
		"ALLOWED_IDS":       {canary, "9223372036854775808" + canary},
		"DATABASE_URL":      {canary, "postgres://user:" + canary + "@db/bot", "postgresql://" + canary, "mysql://" + canary, "sqlite::memory:" + canary, "sqlite:a\x01" + canary},
		"SECRET_KEY":        {canary, "YWJj," + canary},
		"BACKUP_DIR":        {canary + "\x01"},
		"DATABASE_FAILOVER": {canary, "None", "accepted-loss " + canary},
		"DEFAULT_LANG":      {canary, "EN" + canary},
		"HTTP_ADDR":         {canary, "127.0.0.1:" + canary, "http://127.0.0.1:80/" + canary, canary + ":99999", "a b" + canary + ":80"},
		"WEBHOOK_URL":       {canary, "http://" + canary, "https://u:" + canary + "@host", "https://host/?" + canary},
		"WEBHOOK_SECRET":    {canary + "!", "a " + canary, long, canary + ",a b", canary + ",", "," + canary, canary + "," + long},
		"WEBHOOK_ADDR":      {canary, ":" + canary},
		"SMM_RATE_PER":      {canary, "1000" + canary},
		"SUPPORT_TEXT":      {long, canary + "\x7f"},
		"TELEGRAM_RATE":     {canary, "0x" + canary},
		"CATALOG_TTL":       {canary, "5" + canary},
		"LOG_LEVEL":         {canary, "INFO+" + canary},
		"LOG_FORMAT":        {canary, "json" + canary},
	}
	for _, s := range config.Settings() {
		if len(invalid[s.Name]) == 0 {
			t.Errorf("%s has no invalid value here", s.Name)
		}
		for _, value := range invalid[s.Name] {
			t.Run(s.Name+"="+value[:min(len(value), 40)], func(t *testing.T) {
				values := map[string]string{"TELEGRAM_TOKEN": token}
				values[s.Name] = value
				environment(t, values)
				_, err := config.Load(known)
				assertError(t, err, s.Name)
				if err != nil && strings.Contains(err.Error(), canary) {
					t.Errorf("the error shows the value: %v", err)
				}
			})
		}
	}
}

// Invalid values that are too short to contain the canary.
func TestInvalidNumbersAndEmptyValues(t *testing.T) {
	for _, test := range []struct{ variable, value string }{
		{"TOPUP_URL", "http://pay.example/"},
		{"TOPUP_URL", "https://user@pay.example/"},
		{"TOPUP_URL", "pay.example"},
		{"TOPUP_URL", "https://pay.example/ x"},
		{"TIME_ZONE", "Berlin"},
		{"TIME_ZONE", "../etc/passwd"},
		{"QUIET_HOURS", "22"},
		{"QUIET_HOURS", "22-22:00"},
		{"QUIET_HOURS", "22-25"},
		{"QUIET_HOURS", "22:60-7"},
		{"QUIET_HOURS", "-"},
		{"HSTOCK_RATE", "-1"},
		{"HSTOCK_RATE", "Auto"},
		{"HSTOCK_RATE", "auto 5"},
		{"HSTOCK_RATE", "NaN"},
		{"HSTOCK_RATE", "Inf"},
		{"HSTOCK_RATE", ""},
		{"TELEGRAM_RATE", "-0.5"},
		{"TELEGRAM_RATE", "nan"},
		{"SMM_RATE_PER", "0"},
		{"SMM_RATE_PER", "-1000"},
		{"SMM_RATE_PER", "1.5"},
		{"CATALOG_TTL", "0s"},
		{"CATALOG_TTL", "-5m"},
		{"CATALOG_TTL", "5"},
		{"ADMIN_IDS", "0"},
		{"ADMIN_IDS", "-1001234567890"},
		{"ADMIN_IDS", "1,"},
		{"DATABASE_URL", ""},
		{"DATABASE_URL", "sqlite:"},
		{"DATABASE_URL", "sqlite::memory:"},
		{"DEFAULT_LANG", ""},
		{"DEFAULT_LANG", "fr"},
		{"TELEGRAM_API_URL", ""},
		{"HTTP_ADDR", "8080"},
		{"HTTP_ADDR", "host:"},
		{"WEBHOOK_ADDR", ""},
		{"SUPPORT_TEXT", " "},
		{"TELEGRAM_TOKEN", ""},
		{"TELEGRAM_TOKEN", " \n"},
	} {
		t.Run(test.variable+"="+test.value, func(t *testing.T) {
			values := map[string]string{"TELEGRAM_TOKEN": token}
			values[test.variable] = test.value
			environment(t, values)
			_, err := config.Load(known)
			assertError(t, err, test.variable)
		})
	}
}

func TestMissingSettings(t *testing.T) {
	environment(t, nil)
	_, err := config.Load(known)
	assertError(t, err, "TELEGRAM_TOKEN")

	environment(t, map[string]string{"TELEGRAM_TOKEN": token, "WEBHOOK_URL": "https://bot.example/"})
	_, err = config.Load(known)
	assertError(t, err, "WEBHOOK_SECRET")
}

func TestSeveralServersNeedAFailover(t *testing.T) {
	settings := map[string]string{"TELEGRAM_TOKEN": token, "DATABASE_URL": "postgres://u:hunter22@one,two/bot", "SECRET_KEY": base64.StdEncoding.EncodeToString(make([]byte, 32))}
	environment(t, settings)
	_, err := config.Load(known)
	assertError(t, err, "DATABASE_FAILOVER")

	settings["DATABASE_FAILOVER"] = "synchronous"
	environment(t, settings)
	if c, err := config.Load(known); err != nil || c.DatabaseFailover != "synchronous" {
		t.Errorf("got %q, %v", c.DatabaseFailover, err)
	}
}

func TestBackupDirIsForAFile(t *testing.T) {
	settings := map[string]string{"TELEGRAM_TOKEN": token, "BACKUP_DIR": " /backups\n"}
	environment(t, settings)
	if c, err := config.Load(known); err != nil || c.BackupDir != "/backups" {
		t.Errorf("got %q, %v", c.BackupDir, err)
	}
	settings["DATABASE_URL"], settings["SECRET_KEY"] = "postgres://u:hunter22@db/bot", base64.StdEncoding.EncodeToString(make([]byte, 32))
	environment(t, settings)
	_, err := config.Load(known)
	assertError(t, err, "BACKUP_DIR")
}

func TestPostgresNeedsSecretKey(t *testing.T) {
	settings := map[string]string{"TELEGRAM_TOKEN": token, "DATABASE_URL": "postgres://u:hunter22@db/bot"}
	environment(t, settings)
	_, err := config.Load(known)
	assertError(t, err, "SECRET_KEY")

	settings["SECRET_KEY"] = base64.StdEncoding.EncodeToString(make([]byte, 32))
	environment(t, settings)
	c, err := config.Load(known)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(c.Secrets(), "hunter22") {
		t.Error("the database's password may appear in a log")
	}
}

func TestLoadHTTPAddr(t *testing.T) {
	for _, test := range []struct {
		name, value, want string
		set, invalid      bool
	}{
		{name: "unset", want: "127.0.0.1:8080"},
		{name: "off", set: true},
		{name: "set", set: true, value: ":9090\n", want: ":9090"},
		{name: "invalid", set: true, value: "nonsense", invalid: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			values := map[string]string{} // no token: the command does not need one
			if test.set {
				values["HTTP_ADDR"] = test.value
			}
			environment(t, values)
			got, err := config.LoadHTTPAddr()
			if test.invalid {
				assertError(t, err, "HTTP_ADDR")
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

// net/http ignores a proxy that it can't read and connects without it.
func TestInvalidProxies(t *testing.T) {
	const canary = "CANARY"
	names := []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"}
	for _, name := range names {
		for _, test := range []struct {
			value string
			valid bool
		}{
			{"", true},
			{"http://proxy.example:3128", true},
			{"proxy.example:3128", true},
			{"127.0.0.1:3128", true},
			{"[::1]:3128", true},
			{"https://user:password@proxy.example", true},
			{"socks5://127.0.0.1:1080", true},
			{"socks5h://127.0.0.1", true},
			{"'http://proxy.example:3128'", true},
			{canary + "://proxy.example:3128", false},
			{"ftp://" + canary, false},
			{"http://" + canary + ":port", false},
			{"http://" + canary + ":99999", false},
			{"http://%zz" + canary, false},
			{"http:///" + canary, false},
			{canary + ":3128\n8080", false},
			{"two words " + canary, false},
			{":3128", false},
		} {
			t.Run(name+"="+test.value, func(t *testing.T) {
				environment(t, map[string]string{"TELEGRAM_TOKEN": token})
				for _, other := range names {
					t.Setenv(other, "")
				}
				t.Setenv(name, test.value)
				_, err := config.Load(known)
				if test.valid {
					if err != nil {
						t.Error(err)
					}
					return
				}
				assertError(t, err, name)
				if strings.Contains(err.Error(), canary) {
					t.Errorf("the error shows the value: %v", err)
				}
			})
		}
	}
}

func TestUnencryptedAddresses(t *testing.T) {
	for _, test := range []struct {
		url            string
		market, warned bool // whether the marketplace may have it; whether Telegram's is warned about
	}{
		{"https://shop.example/api", true, false},
		{"http://localhost:8080/api", true, false},
		{"http://127.8.9.1/api", true, false},
		{"http://[::1]:80/api", true, false},
		{"http://shop.example/api", false, true},
		{"http://192.168.1.1/api", false, true},
		{"http://localhost.example/api", false, true},
		{"http://[::ffff:10.0.0.1]/api", false, true},
	} {
		t.Run(test.url, func(t *testing.T) {
			environment(t, map[string]string{"TELEGRAM_TOKEN": token, "HSTOCK_API_URL": test.url})
			if _, err := config.Load(known); test.market && err != nil {
				t.Error(err)
			} else if !test.market {
				assertError(t, err, "HSTOCK_API_URL")
			}
			environment(t, map[string]string{"TELEGRAM_TOKEN": token, "TELEGRAM_API_URL": test.url})
			cfg, err := config.Load(known)
			if err != nil {
				t.Fatal(err)
			}
			if warnings := cfg.Warnings(); (len(warnings) == 1) != test.warned {
				t.Errorf("warnings %q", warnings)
			}
		})
	}
}

// docker run --env-file leaves the quotes of a line NAME="value" in the value.
func TestQuotesAroundValues(t *testing.T) {
	environment(t, map[string]string{
		"TELEGRAM_TOKEN": `"` + token + `"`, "HSTOCK_API_KEY": "'operator-key'", "HSTOCK_RATE": `"5"`, "ADMIN_IDS": ` "1,2" `,
		"CATALOG_TTL": "'1m'", "SUPPORT_TEXT": `"it's "us""`, "HTTP_ADDR": `""`, "LOG_LEVEL": `"debug"`, "WEBHOOK_SECRET": `'`,
	})
	_, err := config.Load(known)
	assertError(t, err, "WEBHOOK_SECRET") // one quote is no pair
	t.Setenv("WEBHOOK_SECRET", "")
	got, err := config.Load(known)
	if err != nil {
		t.Fatal(err)
	}
	if got.TelegramToken != token || got.HStockAPIKey != "operator-key" || got.HStockRate != 5 || len(got.AdminIDs) != 2 ||
		got.CatalogTTL != time.Minute || got.SupportText != `it's "us"` || got.HTTPAddr != "" || got.LogLevel != config.Level(slog.LevelDebug) {
		t.Errorf("got %+v", got)
	}
	t.Setenv("HTTP_ADDR", `":9090"`)
	if addr, err := config.LoadHTTPAddr(); err != nil || addr != ":9090" {
		t.Errorf("got %q, %v", addr, err)
	}
}

// assertError fails unless err is one line about the variable.
func assertError(t *testing.T, err error, variable string) {
	t.Helper()
	invalid, ok := errors.AsType[*config.Error](err)
	if !ok {
		t.Fatalf("got %v, want an error about %s", err, variable)
	}
	if invalid.Variable != variable || !strings.HasPrefix(err.Error(), variable+" ") {
		t.Errorf("got %q, want one about %s", err, variable)
	}
	if strings.ContainsAny(err.Error(), "\r\n") || invalid.Takes == "" {
		t.Errorf("not one complete line: %q", err)
	}
}
