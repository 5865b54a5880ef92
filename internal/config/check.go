package config

import (
	"log/slog"
	"math"
	"net"
	"net/url"
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
	for _, secret := range []*redact.Secret{&c.TelegramToken, &c.HStockAPIKey, &c.SecretKey, &c.WebhookSecret} {
		*secret = redact.Secret(strings.TrimSpace(secret.Reveal()))
	}
	for _, text := range []*string{
		&c.TelegramAPIURL, &c.HStockAPIURL, &c.DatabaseURL, &c.DefaultLang, &c.HTTPAddr,
		&c.WebhookURL, &c.WebhookAddr, &c.SupportText, &c.LogFormat,
	} {
		*text = strings.TrimSpace(*text)
	}
}

// check returns an error for the first invalid setting in the order of Config.
func (c *Config) check(known Known) error {
	if c.TelegramToken == "" {
		return missing("TELEGRAM_TOKEN")
	}
	for _, rule := range []struct {
		variable string
		holds    bool
	}{
		{"TELEGRAM_TOKEN", tokenPattern.MatchString(c.TelegramToken.Reveal())},
		{"TELEGRAM_API_URL", isURL(c.TelegramAPIURL, "http", "https")},
		{"HSTOCK_API_URL", isURL(c.HStockAPIURL, "http", "https")},
		{"HSTOCK_API_KEY", isKey(c.HStockAPIKey.Reveal())},
		{"HSTOCK_RATE", isRate(c.HStockRate)},
		{"DEFAULT_LANG", slices.Contains(known.Languages, c.DefaultLang)},
		{"HTTP_ADDR", c.HTTPAddr == "" || isHostPort(c.HTTPAddr)},
		{"WEBHOOK_URL", c.WebhookURL == "" || isURL(c.WebhookURL, "https")},
		{"WEBHOOK_SECRET", c.WebhookSecret == "" || webhookSecretPattern.MatchString(c.WebhookSecret.Reveal())},
		{"WEBHOOK_ADDR", isHostPort(c.WebhookAddr)},
		{"SMM_RATE_PER", c.SMMRatePer >= 1},
		{"SUPPORT_TEXT", isSentence(c.SupportText)},
		{"TELEGRAM_RATE", isRate(c.TelegramRate)},
		{"CATALOG_TTL", c.CatalogTTL > 0},
		{"LOG_FORMAT", c.LogFormat == "text" || c.LogFormat == "json"},
	} {
		if !rule.holds {
			return invalid(rule.variable)
		}
	}
	if c.WebhookURL != "" && c.WebhookSecret == "" {
		return missing("WEBHOOK_SECRET")
	}
	if err := checkDatabase(c.DatabaseURL); err != nil {
		return err
	}
	if c.SecretKey != "" && known.SecretKey(c.SecretKey.Reveal()) != nil {
		return invalid("SECRET_KEY")
	}
	return nil
}

// checkDatabase does not accept :memory:, because each connection of the pool
// would have its own database.
func checkDatabase(value string) error {
	if strings.HasPrefix(value, "postgres://") || strings.HasPrefix(value, "postgresql://") {
		return &Error{
			Variable: "DATABASE_URL",
			Takes:    setting("DATABASE_URL").Takes + " (PostgreSQL is not supported yet)",
		}
	}
	path, ok := strings.CutPrefix(value, "sqlite:")
	if !ok || path == "" || strings.HasPrefix(path, ":memory:") || hasControl(path) {
		return invalid("DATABASE_URL")
	}
	return nil
}

func isURL(value string, schemes ...string) bool {
	u, err := url.Parse(value)
	return err == nil && slices.Contains(schemes, u.Scheme) && u.Hostname() != "" && isPort(u.Port(), true) &&
		u.User == nil && u.RawQuery == "" && !u.ForceQuery && !strings.Contains(value, "#")
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
