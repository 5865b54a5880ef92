package config

import (
	"log/slog"
	"math"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"hstockbot/internal/redact"
)

var (
	// The same pattern as in redact, so that every accepted token is recognized
	// in errors of other packages (Bot API: "Authorizing your bot").
	tokenPattern = regexp.MustCompile(`^\d{3,20}:[A-Za-z0-9_-]{20,}$`)
	// Bot API: setWebhook, secret_token.
	webhookSecretPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)
)

const (
	maxKeyBytes     = 512 // of an API key; the marketplace documents no length
	maxSupportRunes = 500 // leaves space for the rest of the message
)

// UnmarshalText reads secrets separated by commas.
func (secrets *Secrets) UnmarshalText(text []byte) error {
	*secrets = nil
	if strings.TrimSpace(string(text)) == "" {
		return nil
	}
	for part := range strings.SplitSeq(string(text), ",") {
		*secrets = append(*secrets, redact.Secret(strings.TrimSpace(part)))
	}
	return nil
}

// UnmarshalText reads ids separated by commas: "1, 2, 3". Ids of people are
// positive (Bot API: User), those of groups are negative and an error.
func (ids *IDs) UnmarshalText(text []byte) error {
	*ids = nil
	if strings.TrimSpace(string(text)) == "" {
		return nil
	}
	for part := range strings.SplitSeq(string(text), ",") {
		id, err := strconv.ParseInt(strings.TrimSpace(part), 10, 64)
		if err != nil {
			return err
		}
		if id <= 0 {
			return strconv.ErrRange
		}
		*ids = append(*ids, id)
	}
	return nil
}

// UnmarshalText reads one of the four names in any case; slog itself would also
// read "INFO+2".
func (l *Level) UnmarshalText(text []byte) error {
	name := strings.ToLower(strings.TrimSpace(string(text)))
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if name == strings.ToLower(level.String()) {
			*l = Level(level)
			return nil
		}
	}
	return strconv.ErrSyntax
}

// trim removes space around values. A token that ends with a newline would make
// net/http print the whole URL in its error.
func (c *Config) trim() {
	for _, secret := range []*redact.Secret{&c.TelegramToken, &c.HStockAPIKey, &c.SecretKey} {
		*secret = redact.Secret(strings.TrimSpace(secret.Reveal()))
	}
	for _, text := range []*string{
		&c.TelegramAPIURL, &c.HStockAPIURL, &c.DatabaseURL, &c.DefaultLang, &c.HTTPAddr,
		&c.WebhookURL, &c.WebhookAddr, &c.SupportText, &c.LogFormat, &c.BackupDir, &c.TopUpURL,
	} {
		*text = strings.TrimSpace(*text)
	}
}

// problems returns an error for each invalid setting.
func (c *Config) problems(known Known) (found []error) {
	if c.TelegramToken == "" {
		found = append(found, missing("TELEGRAM_TOKEN"))
	}
	for _, rule := range []struct {
		variable string
		holds    bool
	}{
		{"TELEGRAM_TOKEN", c.TelegramToken == "" || tokenPattern.MatchString(c.TelegramToken.Reveal())},
		{"TELEGRAM_API_URL", isURL(c.TelegramAPIURL, "http", "https")},
		{"HSTOCK_API_URL", isURL(c.HStockAPIURL, "https") || isURL(c.HStockAPIURL, "http") && isLoopback(c.HStockAPIURL)},
		{"HSTOCK_API_KEY", isKey(c.HStockAPIKey.Reveal())},
		{"HSTOCK_RATE", isRate(float64(c.HStockRate))},
		{"DATABASE_FAILOVER", slices.Contains([]string{"", "none", "synchronous", "accepted-loss"}, c.DatabaseFailover)},
		{"DEFAULT_LANG", slices.Contains(known.Languages, c.DefaultLang)},
		{"HTTP_ADDR", c.HTTPAddr == "" || isHostPort(c.HTTPAddr)},
		{"WEBHOOK_URL", c.WebhookURL == "" || isURL(c.WebhookURL, "https")},
		{"WEBHOOK_SECRET", areWebhookSecrets(c.WebhookSecrets)},
		{"WEBHOOK_ADDR", isHostPort(c.WebhookAddr)},
		{"SMM_RATE_PER", c.SMMRatePer >= 1},
		{"TOPUP_URL", c.TopUpURL == "" || isPage(c.TopUpURL)},
		{"SUPPORT_TEXT", isSentence(c.SupportText)},
		{"TELEGRAM_RATE", isRate(c.TelegramRate)},
		{"CATALOG_TTL", c.CatalogTTL > 0},
		{"LOG_FORMAT", c.LogFormat == "text" || c.LogFormat == "json"},
	} {
		if !rule.holds {
			found = append(found, invalid(rule.variable))
		}
	}
	if c.WebhookURL != "" && len(c.WebhookSecrets) == 0 {
		found = append(found, missing("WEBHOOK_SECRET"))
	}
	return append(found, c.databaseProblems(known)...)
}

// databaseProblems returns an error for each of DATABASE_URL, its SECRET_KEY and its
// DATABASE_FAILOVER that is invalid.
func (c *Config) databaseProblems(known Known) (found []error) {
	file, err := known.DatabaseFile(c.DatabaseURL)
	if err != nil {
		found = append(found, invalid("DATABASE_URL"))
	}
	if err == nil && c.BackupDir != "" && (file == "" || hasControl(c.BackupDir)) {
		found = append(found, invalid("BACKUP_DIR"))
	}
	if err == nil && file == "" && c.SecretKey == "" {
		found = append(found, missing("SECRET_KEY"))
	}
	if err == nil && c.DatabaseFailover == "" && known.DatabaseHosts(c.DatabaseURL) > 1 {
		found = append(found, missing("DATABASE_FAILOVER"))
	}
	if c.SecretKey != "" && known.SecretKey(c.SecretKey.Reveal()) != nil {
		found = append(found, invalid("SECRET_KEY"))
	}
	return found
}

func areWebhookSecrets(secrets Secrets) bool {
	return !slices.ContainsFunc(secrets, func(secret redact.Secret) bool {
		return !webhookSecretPattern.MatchString(secret.Reveal())
	})
}

func isURL(value string, schemes ...string) bool {
	u, err := url.Parse(value)
	return err == nil && slices.Contains(schemes, u.Scheme) && u.Hostname() != "" && isPort(u.Port(), true) &&
		u.User == nil && u.RawQuery == "" && !u.ForceQuery && !strings.Contains(value, "#")
}

// isPage reports whether a URL is that of a page that a button can open.
func isPage(value string) bool {
	u, err := url.Parse(value)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && isPort(u.Port(), true) && u.User == nil && !strings.ContainsFunc(value, unicode.IsSpace)
}

// isLoopback reports whether the host of a URL is this computer.
func isLoopback(value string) bool {
	u, err := url.Parse(value)
	if err != nil {
		return false
	}
	return strings.EqualFold(u.Hostname(), "localhost") || net.ParseIP(u.Hostname()).IsLoopback()
}

// proxyVariables are read by net/http (ProxyFromEnvironment), which ignores an invalid
// proxy and connects without it. Of each pair the first one that is set counts.
var proxyVariables = []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"}

// proxyProblems returns an error for each invalid proxy.
func proxyProblems() (found []error) {
	for _, name := range proxyVariables {
		if value := os.Getenv(name); value != "" && !isProxy(value) {
			found = append(found, &Error{Variable: name, Takes: "the address of a proxy, for example http://proxy.example:3128 or socks5://127.0.0.1:1080"})
		}
	}
	return found
}

// isProxy accepts an address without a scheme too, as net/http does.
func isProxy(value string) bool {
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	return err == nil && slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) &&
		u.Hostname() != "" && isPort(u.Port(), true) && !strings.ContainsFunc(u.Hostname(), unicode.IsSpace)
}

func isHostPort(value string) bool {
	host, port, err := net.SplitHostPort(value)
	return err == nil && isPort(port, false) && !strings.ContainsFunc(host, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == '/' || r == '@'
	})
}

// isPort accepts 0 as well: the system then chooses the port.
func isPort(value string, optional bool) bool {
	if value == "" {
		return optional
	}
	_, err := strconv.ParseUint(value, 10, 16)
	return err == nil
}

func isRate(value float64) bool {
	return value >= 0 && !math.IsInf(value, 0) && !math.IsNaN(value)
}

func isKey(value string) bool {
	return len(value) <= maxKeyBytes && !hasControl(value) && !strings.ContainsFunc(value, unicode.IsSpace)
}

func isSentence(value string) bool {
	return value != "" && utf8.ValidString(value) && utf8.RuneCountInString(value) <= maxSupportRunes && !hasControl(strings.ReplaceAll(value, "\n", ""))
}

func hasControl(value string) bool { return strings.ContainsFunc(value, unicode.IsControl) }
