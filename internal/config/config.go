// Package config owns the program's settings: their names in the environment,
// their defaults, and the rules that their values must follow.
//
// A setting is one field of Config with its tags, one rule in check, one
// invalid value in the test and one line in .env.example. An invalid setting
// stops the program before anything is opened (exit status 2), with one line
// that names the variable and what it takes. The value is not part of that
// line: it may be a secret in the wrong variable. The package contains nothing
// of the packages that use the settings; they get plain values from main.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"

	"hstockbot/internal/redact"
)

// Config contains all settings, checked. URLs have neither user info, query nor
// fragment.
//
// The tags declare the setting: the variable, its default, whether it is
// required (needed), and the end of the sentence "VARIABLE takes …" (takes).
type Config struct {
	TelegramToken  redact.Secret `envconfig:"TELEGRAM_TOKEN" needed:"yes" takes:"the bot's token as @BotFather gives it, digits:letters"`
	TelegramAPIURL string        `envconfig:"TELEGRAM_API_URL" default:"https://api.telegram.org" takes:"the http(s) URL of a Bot API server, without user, query or fragment"`

	HStockAPIURL string        `envconfig:"HSTOCK_API_URL" default:"https://hstockplus.com/api/v2" takes:"the http(s) URL of the marketplace's API, without user, query or fragment"`
	HStockAPIKey redact.Secret `envconfig:"HSTOCK_API_KEY" takes:"the operator's own API key of the marketplace, without spaces"`
	// HStockRate is in calls a second of all keys together; 0 = no limit.
	HStockRate float64 `envconfig:"HSTOCK_RATE" default:"20" takes:"calls a second to the marketplace, a number ≥ 0 (0 = no limit)"`

	AdminIDs IDs `envconfig:"ADMIN_IDS" takes:"Telegram user ids separated by commas"`
	// AllowedIDs are the only people served besides admins; empty = everyone.
	AllowedIDs IDs `envconfig:"ALLOWED_IDS" takes:"Telegram user ids separated by commas"`

	DatabaseURL string `envconfig:"DATABASE_URL" default:"sqlite:data/bot.db" takes:"sqlite: and the path of a file, e.g. sqlite:data/bot.db"`
	// SecretKey is empty when the key is a file beside the database.
	SecretKey redact.Secret `envconfig:"SECRET_KEY" takes:"32 bytes in base64 (openssl rand -base64 32), or several separated by commas, the newest first"`

	DefaultLang string `envconfig:"DEFAULT_LANG" default:"en" takes:"the code of a language the bot speaks"`

	// HTTPAddr is empty when the pages for operators are off.
	HTTPAddr string `envconfig:"HTTP_ADDR" default:"127.0.0.1:8080" takes:"host:port for /healthz, /readyz and /metrics, or nothing to turn them off"`

	// WebhookURL is empty for long polling.
	WebhookURL    string        `envconfig:"WEBHOOK_URL" takes:"the https URL at which Telegram reaches this bot, without user, query or fragment"`
	WebhookSecret redact.Secret `envconfig:"WEBHOOK_SECRET" takes:"1 to 256 of the characters A-Z a-z 0-9 _ - (required with WEBHOOK_URL)"`
	WebhookAddr   string        `envconfig:"WEBHOOK_ADDR" default:"127.0.0.1:8443" takes:"host:port on which the webhook listens"`

	// SMMRatePer is the number of pieces that an SMM rate is the price of.
	SMMRatePer  int64  `envconfig:"SMM_RATE_PER" default:"1000" takes:"how many pieces an SMM rate is for, a whole number ≥ 1"`
	SupportText string `envconfig:"SUPPORT_TEXT" default:"support@hstockplus.net" takes:"whom people should write to, at most 500 characters"`

	// TelegramRate is in messages a second to all chats together; 0 = no pacing.
	TelegramRate float64       `envconfig:"TELEGRAM_RATE" default:"30" takes:"messages a second to Telegram, a number ≥ 0 (0 = no pacing)"`
	CatalogTTL   time.Duration `envconfig:"CATALOG_TTL" default:"5m" takes:"how long catalogue answers are kept, a duration > 0 such as 5m"`

	LogLevel  Level  `envconfig:"LOG_LEVEL" default:"info" takes:"debug, info, warn or error"`
	LogFormat string `envconfig:"LOG_FORMAT" default:"text" takes:"text or json"`
}

// Known contains the rules that other packages define.
type Known struct {
	Languages []string           // codes of the languages that have a message file
	SecretKey func(string) error // returns an error for a SECRET_KEY that is not valid
}

// Error describes an invalid setting: the variable and what it takes, but not
// its value.
type Error struct {
	Variable string
	Missing  bool // required, but not set
	Takes    string
}

// Error returns one line.
func (e *Error) Error() string {
	if e.Missing {
		return fmt.Sprintf("%s is required: %s", e.Variable, e.Takes)
	}
	return fmt.Sprintf("%s takes %s", e.Variable, e.Takes)
}

// Load reads the settings from the environment and checks them. For an invalid
// setting it returns an *Error.
func Load(known Known) (Config, error) {
	var c Config
	if err := process(&c); err != nil {
		return Config{}, err
	}
	c.trim()
	if err := c.check(known); err != nil {
		return Config{}, err
	}
	return c, nil
}

// LoadHTTPAddr reads and checks HTTP_ADDR only, for the healthcheck command,
// which does not need the other settings.
func LoadHTTPAddr() (string, error) {
	var c struct {
		HTTPAddr string `envconfig:"HTTP_ADDR"`
	}
	c.HTTPAddr = setting("HTTP_ADDR").Default
	if err := process(&c); err != nil {
		return "", err
	}
	addr := strings.TrimSpace(c.HTTPAddr)
	if addr != "" && !isHostPort(addr) {
		return "", invalid("HTTP_ADDR")
	}
	return addr, nil
}

// Secrets returns the values that must not appear in a log.
func (c *Config) Secrets() []redact.Secret {
	secrets := []redact.Secret{c.TelegramToken, c.HStockAPIKey, c.WebhookSecret, c.SecretKey}
	for key := range strings.SplitSeq(c.SecretKey.Reveal(), ",") {
		secrets = append(secrets, redact.Secret(key))
	}
	return secrets
}

// Setting describes one variable, for the help text.
type Setting struct {
	Name     string
	Default  string // "" = none
	Takes    string
	Required bool
}

// Settings returns all settings in the order of Config.
func Settings() []Setting {
	fields := reflect.TypeFor[Config]()
	settings := make([]Setting, 0, fields.NumField())
	for field := range fields.Fields() {
		settings = append(settings, Setting{
			Name:     field.Tag.Get("envconfig"),
			Default:  field.Tag.Get("default"),
			Takes:    field.Tag.Get("takes"),
			Required: field.Tag.Get("needed") == "yes",
		})
	}
	return settings
}

// IDs is a list of Telegram user ids.
type IDs []int64

// Level is one of the four log levels: debug, info, warn and error.
type Level slog.Level

// Level implements slog.Leveler.
func (l Level) Level() slog.Level { return slog.Level(l) }

// process fills spec from the environment. An error of envconfig is replaced,
// not wrapped, because its message contains the value.
func process(spec any) error {
	err := envconfig.Process("", spec)
	if parse, ok := errors.AsType[*envconfig.ParseError](err); ok {
		return invalid(parse.KeyName)
	}
	if err != nil {
		return fmt.Errorf("read the environment: %w", err)
	}
	return nil
}

func invalid(variable string) *Error {
	return &Error{Variable: variable, Takes: setting(variable).Takes}
}

func missing(variable string) *Error {
	return &Error{Variable: variable, Missing: true, Takes: setting(variable).Takes}
}

func setting(name string) Setting {
	for _, s := range Settings() {
		if s.Name == name {
			return s
		}
	}
	return Setting{Name: name}
}
