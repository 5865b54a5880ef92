// Package config owns the program's settings: their names in the environment,
// their defaults, and the rules that their values must follow.
//
// A setting is one field of Config with its tags, one rule in check and one
// invalid value in the test. The tags are also the source of .env.example and of
// the table in docs/operations.md. An invalid setting
// stops the program before anything is opened (exit status 2), with one line
// that names the variable and what it takes. The value is not part of that
// line: it may be a secret in the wrong variable. The package contains nothing
// of the packages that use the settings; they get plain values from main.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"

	"hstockbot/internal/redact"
)

// Config contains all settings, checked. URLs have neither user info, query nor
// fragment.
//
// The tags declare the setting: the variable, its default, whether it is
// required (needed), the end of the sentence "VARIABLE takes …" (takes), what it does
// (desc), and the heading of docs/operations.md that says more (see).
type Config struct {
	TelegramToken redact.Secret `envconfig:"TELEGRAM_TOKEN" needed:"yes" takes:"the bot's token as @BotFather gives it, digits:letters" desc:"To get one, send /newbot to @BotFather in Telegram." see:"a-bot-of-your-own"`
	HStockAPIKey  redact.Secret `envconfig:"HSTOCK_API_KEY" takes:"the operator's own API key of the marketplace, without spaces" desc:"People without a key browse with it, watches are checked with it, and admins see its balance. It buys for people only who have an allowance."`

	AdminIDs IDs `envconfig:"ADMIN_IDS" takes:"Telegram user ids separated by commas" desc:"These people are admins and are always served." see:"admins"`
	// SupportIDs may contain admins, who are more than support.
	SupportIDs IDs `envconfig:"SUPPORT_IDS" takes:"Telegram user ids separated by commas" desc:"These people are support: they see everyone's orders, write to people, get alerts about purchases, and are always served." see:"admins"`
	// AllowedIDs are the only people served besides admins and support; empty = everyone.
	AllowedIDs IDs `envconfig:"ALLOWED_IDS" takes:"Telegram user ids separated by commas" desc:"If set, only these people, admins and support are served; others get no answer."`

	SupportText string `envconfig:"SUPPORT_TEXT" default:"support@hstockplus.net" takes:"whom people should write to, at most 500 characters" desc:"It is shown under Help and with claims. An @name also gets a button that opens the chat with the text of the claim."`
	// TopUpURL is empty where no page for it is offered.
	TopUpURL    string `envconfig:"TOPUP_URL" takes:"the https URL of the page where people top up, without user" desc:"A card that the balance does not suffice for has a button that opens it."`
	DefaultLang string `envconfig:"DEFAULT_LANG" default:"en" takes:"the code of a language the bot speaks" desc:"It is for people whose Telegram uses a language that the bot does not have. The codes are en zh es fr de ja ko pt pt-BR ru ar hi vi ur bn-BD."`

	// TimeZone is that of the days in sums and of QuietHours.
	TimeZone Zone `envconfig:"TIME_ZONE" default:"UTC" takes:"the name of a time zone, such as Europe/Berlin" desc:"The days of sums and QUIET_HOURS are counted in it. Times in messages are shown in each reader's own zone."`
	// QuietHours are empty where none are quiet.
	QuietHours Hours `envconfig:"QUIET_HOURS" takes:"two times of the day, such as 22-7 or 22:30-07:00" desc:"What is sent between them about news and the progress of orders makes no sound. Goods, codes, answers and alerts for admins always do."`

	DatabaseURL string `envconfig:"DATABASE_URL" default:"sqlite:data/bot.db" takes:"sqlite: and the path of a file, e.g. sqlite:data/bot.db, or postgres://user:password@host/name" desc:"PostgreSQL must be version 15 or newer. The image sets sqlite:/data/bot.db." see:"postgresql"`
	// SecretKey is empty when the key is a file beside the database file.
	SecretKey redact.Secret `envconfig:"SECRET_KEY" takes:"32 bytes in base64 (openssl rand -base64 32), or several separated by commas, the newest first (required with PostgreSQL)" desc:"It encrypts the database's secrets. Without it, a key is generated into secret.key beside the database file. Keep a copy: without the key nothing encrypted can be read." see:"key-rotation"`

	// BackupDir is empty where no daily backups are made.
	BackupDir string `envconfig:"BACKUP_DIR" takes:"a folder for daily backups of the database file, best on another disk (not with PostgreSQL)" desc:"The last seven are kept. The key is not in them." see:"daily-backups"`

	// DatabaseFailover is about PostgreSQL. If it is empty, the bot judges by the standbys
	// that are connected.
	DatabaseFailover string `envconfig:"DATABASE_FAILOVER" takes:"what becomes of PostgreSQL when its server is lost: none, synchronous or accepted-loss (required with several servers in DATABASE_URL)" desc:"With none, no standby takes its place; with synchronous, one that has every commit; with accepted-loss, one that may lack the last purchases, which may then be bought again. If it is not set, nobody can buy while a standby replicates asynchronously." see:"postgresql"`

	// HTTPAddr is empty when the pages for operators are off.
	HTTPAddr string `envconfig:"HTTP_ADDR" default:"127.0.0.1:8080" takes:"host:port for /healthz, /readyz and /metrics, or nothing to turn them off" desc:"The command hstockbot healthcheck needs them." see:"health-and-metrics"`

	// WebhookURL is empty for long polling.
	WebhookURL string `envconfig:"WEBHOOK_URL" takes:"the https URL at which Telegram reaches this bot, without user, query or fragment" desc:"Without it, the bot asks Telegram for updates (long polling)." see:"webhook"`
	// WebhookSecrets are all accepted, and Telegram is told the first one.
	WebhookSecrets Secrets `envconfig:"WEBHOOK_SECRET" takes:"1 to 256 of the characters A-Z a-z 0-9 _ -, or several such secrets separated by commas, the newest first (required with WEBHOOK_URL)" desc:"Telegram sends it with each update." see:"webhook"`
	WebhookAddr    string  `envconfig:"WEBHOOK_ADDR" default:"127.0.0.1:8443" takes:"host:port on which the webhook listens" desc:"It speaks plain HTTP, so put a server with a certificate in front." see:"webhook"`

	// SMMRatePer is the number of pieces that an SMM rate is the price of.
	SMMRatePer int64 `envconfig:"SMM_RATE_PER" default:"1000" takes:"how many pieces an SMM rate is for, a whole number ≥ 1" desc:"Admins get an alert if a charge does not match it."`
	// HStockRate is the maximum of all keys together; 0 = no limit.
	HStockRate CallRate `envconfig:"HSTOCK_RATE" default:"auto" takes:"auto, or the most calls a second to the marketplace, a number ≥ 0 (0 = no limit)" desc:"All keys together. The bot finds out how many calls the marketplace allows: it starts at 20 a second and makes at most so many; auto is 300." see:"how-fast-the-marketplace-is-called"`
	// TelegramRate is in messages a second to all chats together; 0 = no pacing.
	TelegramRate float64       `envconfig:"TELEGRAM_RATE" default:"30" takes:"messages a second to Telegram, a number ≥ 0 (0 = no pacing)" desc:"0 is for a Bot API server of your own."`
	CatalogTTL   time.Duration `envconfig:"CATALOG_TTL" default:"5m" takes:"how long catalogue answers are kept, a duration > 0 such as 5m" desc:"Prices and stock in lists may be that old; a purchase reads them anew."`

	LogLevel  Level  `envconfig:"LOG_LEVEL" default:"info" takes:"debug, info, warn or error" desc:"Lines of lower levels are left out." see:"log-lines"`
	LogFormat string `envconfig:"LOG_FORMAT" default:"text" takes:"text or json"`

	TelegramAPIURL string `envconfig:"TELEGRAM_API_URL" default:"https://api.telegram.org" takes:"the http(s) URL of a Bot API server, without user, query or fragment" desc:"Best is version 7.11 or newer: an older one shows no buttons that copy."`
	HStockAPIURL   string `envconfig:"HSTOCK_API_URL" default:"https://hstockplus.com/api/v2" takes:"the https URL of the marketplace's API, without user, query or fragment (http only on this computer, because each request contains an API key)"`
}

// Known contains the rules that other packages define.
type Known struct {
	Languages []string           // codes of the languages that have a message file
	SecretKey func(string) error // returns an error for a SECRET_KEY that is not valid
	// DatabaseFile returns the file that a DATABASE_URL names, "" for PostgreSQL, and an
	// error for one that is not valid.
	DatabaseFile func(string) (string, error)
	// DatabaseHosts returns how many servers a valid DATABASE_URL names.
	DatabaseHosts func(string) int
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
	c, problems := LoadAll(known)
	if len(problems) > 0 {
		return Config{}, problems[0]
	}
	return c, nil
}

// LoadAll reads the settings like Load and returns an error for each invalid one. What
// can't be read as its type is removed from the environment and has its default in Config.
func LoadAll(known Known) (c Config, problems []error) {
	for {
		c = Config{}
		err := process(&c)
		if err == nil {
			break
		}
		problems = append(problems, err)
		if unread, ok := errors.AsType[*Error](err); !ok || os.Unsetenv(unread.Variable) != nil {
			return c, problems
		}
	}
	c.trim()
	problems = append(problems, c.problems(known)...)
	return c, append(problems, proxyProblems()...)
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

// LoadSecretKey reads and checks SECRET_KEY only, for the migrate-db command, which does
// not need the other settings. It is required unless the database is a file.
func LoadSecretKey(known Known, databaseURL string) (redact.Secret, error) {
	var c struct {
		SecretKey redact.Secret `envconfig:"SECRET_KEY"`
	}
	if err := process(&c); err != nil {
		return "", err
	}
	all := Config{SecretKey: c.SecretKey, DatabaseURL: databaseURL}
	all.trim()
	if problems := all.databaseProblems(known); len(problems) > 0 {
		return "", problems[0]
	}
	return all.SecretKey, nil
}

// LoadDatabase reads and checks DATABASE_URL, SECRET_KEY and DATABASE_FAILOVER only, for
// commands that do not need the other settings.
func LoadDatabase(known Known) (Config, error) {
	var c struct {
		DatabaseURL      string        `envconfig:"DATABASE_URL"`
		SecretKey        redact.Secret `envconfig:"SECRET_KEY"`
		DatabaseFailover string        `envconfig:"DATABASE_FAILOVER"`
	}
	c.DatabaseURL = setting("DATABASE_URL").Default
	if err := process(&c); err != nil {
		return Config{}, err
	}
	all := Config{DatabaseURL: c.DatabaseURL, SecretKey: c.SecretKey, DatabaseFailover: c.DatabaseFailover}
	all.trim()
	if problems := all.databaseProblems(known); len(problems) > 0 {
		return Config{}, problems[0]
	}
	return all, nil
}

// Warnings returns what is allowed but unsafe, a sentence each.
func (c *Config) Warnings() []string {
	if isURL(c.TelegramAPIURL, "https") || isLoopback(c.TelegramAPIURL) {
		return nil
	}
	return []string{"TELEGRAM_API_URL is an http address of another computer, the token and all messages are sent unencrypted"}
}

// BotID returns Telegram's id of the bot, which its token begins with.
func (c *Config) BotID() string {
	id, _, _ := strings.Cut(c.TelegramToken.Reveal(), ":")
	return id
}

// Secrets returns the values that must not appear in a log.
func (c *Config) Secrets() []redact.Secret {
	secrets := []redact.Secret{c.TelegramToken, c.HStockAPIKey, c.SecretKey}
	secrets = append(secrets, c.WebhookSecrets...)
	for key := range strings.SplitSeq(c.SecretKey.Reveal(), ",") {
		secrets = append(secrets, redact.Secret(key))
	}
	if database, err := url.Parse(c.DatabaseURL); err == nil {
		password, _ := database.User.Password()
		query := database.Query() // where libpq takes them as well
		secrets = append(secrets, redact.Secret(password), redact.Secret(query.Get("password")), redact.Secret(query.Get("sslpassword")))
	}
	return secrets
}

// Setting describes one variable, for the help text and the documents.
type Setting struct {
	Name     string
	Default  string // "" = none
	Takes    string
	Desc     string // sentences
	See      string // anchor in docs/operations.md, "" = none
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
			Desc:     field.Tag.Get("desc"),
			See:      field.Tag.Get("see"),
			Required: field.Tag.Get("needed") == "yes",
		})
	}
	return settings
}

// Secrets is a list of secrets, the newest first.
type Secrets []redact.Secret

// IDs is a list of Telegram user ids.
type IDs []int64

// Level is one of the four log levels: debug, info, warn and error.
type Level slog.Level

// Level implements slog.Leveler.
func (l Level) Level() slog.Level { return slog.Level(l) }

// CallRate is a maximum rate of calls to the marketplace, in calls a second.
type CallRate float64

// autoRate is what "auto" stands for.
const autoRate = 300

// Decode implements envconfig.Decoder.
func (r *CallRate) Decode(value string) error {
	if value == "auto" {
		*r = autoRate
		return nil
	}
	rate, err := strconv.ParseFloat(value, 64)
	*r = CallRate(rate)
	return err
}

// process fills spec from the environment. An error of envconfig is replaced,
// not wrapped, because its message contains the value.
func process(spec any) error {
	if err := unquoteAll(); err != nil {
		return err
	}
	err := envconfig.Process("", spec)
	if parse, ok := errors.AsType[*envconfig.ParseError](err); ok {
		return invalid(parse.KeyName)
	}
	if err != nil {
		return fmt.Errorf("read the environment: %w", err)
	}
	return nil
}

// unquoteAll removes the quotes around the values of all settings from the
// environment, where envconfig and net/http read them: a file with NAME="value" is
// read without its quotes by a shell, and with them by docker run --env-file.
func unquoteAll() error {
	names := slices.Clone(proxyVariables)
	for _, s := range Settings() {
		names = append(names, s.Name)
	}
	for _, name := range names {
		value := strings.TrimSpace(os.Getenv(name))
		if len(value) < 2 || value[0] != value[len(value)-1] || value[0] != '"' && value[0] != '\'' {
			continue
		}
		if err := os.Setenv(name, value[1:len(value)-1]); err != nil {
			return fmt.Errorf("set %s without its quotes: %w", name, err)
		}
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
