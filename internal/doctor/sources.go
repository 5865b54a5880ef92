package doctor

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/go-telegram/bot/models"

	"hstockbot/bot"
	"hstockbot/internal/callrate"
	"hstockbot/internal/config"
	"hstockbot/internal/hstock"
	"hstockbot/storage"
)

// facts are what the sources gave.
type facts struct {
	Options
	path     string   // of the database file, "" for PostgreSQL
	invalid  []string // settings with a problem
	now      time.Time
	telegram telegramFacts
	market   marketFacts
	files    fileFacts
	database databaseFacts
	backups  backupFacts
}

// clock is the time of another machine, and how it was read.
type clock struct {
	date time.Time // to the second; zero where there was none
	at   time.Time // here, in the middle of the call
	took time.Duration
}

type telegramFacts struct {
	asked      bool // the settings allow it
	me         bot.Profile
	err        error
	clock      clock
	webhook    models.WebhookInfo
	webhookErr error
}

type marketFacts struct {
	asked   bool
	balance hstock.Balance
	err     error
	clock   clock
}

// databaseFacts are read in the order of the fields, the slow ones last. After err, nothing
// else is set; after schemaErr, or with an unknown schema, the rest is not.
type databaseFacts struct {
	asked     bool
	err       error
	serverErr error
	standbys  int64
	durable   error
	offset    time.Duration
	offsetErr error
	schema    storage.Schema
	schemaErr error
	known     bool // the program knows the tables of the schema
	botErr    error

	replicas     []storage.Replica
	replicasErr  error
	waiting      storage.Waiting
	waitingErr   error
	silent, gone []int64 // admins
	adminsErr    error
	supportAway  []int64 // support who never wrote, or have blocked the bot
	supportErr   error
	threshold    string // of the operator's balance
	callRate     string // what is known about the marketplace's limit

	keysErr   error // the keys themselves
	opened    int
	sealed    []error
	sealedErr error

	damages      []string
	integrityErr error
}

// use reports whether settings are all without a problem.
func (f *facts) use(settings ...string) bool {
	return !slices.ContainsFunc(settings, func(name string) bool { return slices.Contains(f.invalid, name) })
}

// proxies are the variables of net/http. With an invalid one the bot does not start.
var proxies = []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"}

// read reads all sources at the same time. What is late has errLate.
func read(ctx context.Context, o Options) *facts {
	f := &facts{Options: o, now: time.Now()}
	for _, problem := range o.Problems {
		if invalid, ok := errors.AsType[*config.Error](problem); ok {
			f.invalid = append(f.invalid, invalid.Variable)
		}
	}
	f.telegram = telegramFacts{asked: f.use(append(proxies, "TELEGRAM_TOKEN", "TELEGRAM_API_URL")...), err: errLate, webhookErr: errLate}
	f.market = marketFacts{asked: f.use(append(proxies, "HSTOCK_API_URL", "HSTOCK_API_KEY")...), err: errLate}
	f.database = databaseFacts{asked: f.use("DATABASE_URL"), err: errLate}
	f.files, f.backups = fileFacts{err: errLate}, backupFacts{err: errLate}
	if f.database.asked {
		f.path, _ = storage.FilePath(o.Config.DatabaseURL) // checked with the settings
	}

	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var sources []func() (set func())
	if f.telegram.asked {
		sources = append(sources, func() func() {
			found := readTelegram(ctx, o)
			return func() { f.telegram = found }
		})
	}
	if f.market.asked {
		sources = append(sources, func() func() {
			found := readMarket(ctx, o)
			return func() { f.market = found }
		})
	}
	if path := f.path; path != "" {
		sources = append(sources, func() func() {
			found := readFiles(path, o.IsLocked)
			return func() { f.files = found }
		})
	}
	if path, useKey := f.path, f.use("SECRET_KEY"); f.database.asked {
		sources = append(sources, func() func() {
			found := readDatabase(ctx, o.Config, path, useKey)
			return func() { f.database = found }
		}, func() func() {
			found := readBackups(ctx, o.Config, path, useKey)
			return func() { f.backups = found }
		})
	}
	results := make(chan func(), len(sources))
	for _, source := range sources {
		go func() { results <- source() }()
	}
	late := time.NewTimer(lastTimeout)
	defer late.Stop()
	for range sources {
		select {
		case set := <-results:
			set()
		case <-late.C:
			return f
		}
	}
	return f
}

// timed notes when a call was made.
func timed(call func() time.Time) clock {
	began := time.Now()
	date := call()
	took := time.Since(began)
	return clock{date: date, at: began.Add(took / 2), took: took}
}

func readTelegram(ctx context.Context, o Options) telegramFacts {
	f := telegramFacts{asked: true}
	inspector, err := bot.NewInspector(bot.Config{Token: o.Config.TelegramToken, APIURL: o.Config.TelegramAPIURL, Dial: o.Dial})
	if err != nil {
		f.err, f.webhookErr = err, err
		return f
	}
	defer inspector.Close()
	f.clock = timed(func() (date time.Time) {
		f.me, date, f.err = inspector.Me(ctx)
		return date
	})
	if f.webhookErr = f.err; f.err == nil {
		f.webhook, f.webhookErr = inspector.Webhook(ctx)
	}
	return f
}

// readMarket reads the balance. Without a key it is asked too: a refusal is an answer.
func readMarket(ctx context.Context, o Options) marketFacts {
	f := marketFacts{asked: true}
	client, err := hstock.New(hstock.Options{URL: o.Config.HStockAPIURL, Dial: o.Dial})
	if err != nil {
		f.err = err
		return f
	}
	defer client.Close()
	f.clock = timed(func() (date time.Time) {
		f.balance, date, f.err = client.Probe(ctx, o.Config.HStockAPIKey)
		return date
	})
	return f
}

// readDatabase reads again if a bot has started meanwhile.
func readDatabase(ctx context.Context, cfg config.Config, path string, useKey bool) databaseFacts {
	f, err := inspect(ctx, cfg, path, useKey)
	if errors.Is(err, storage.ErrChanged) {
		f, _ = inspect(ctx, cfg, path, useKey) // nothing was written that could fail
	}
	return f
}

func inspect(ctx context.Context, cfg config.Config, path string, useKey bool) (f databaseFacts, closed error) {
	f.asked = true
	db, err := storage.Inspect(ctx, cfg.DatabaseURL, storage.Failover(cfg.DatabaseFailover))
	if err != nil {
		f.err = err
		return f, nil
	}
	defer func() { closed = db.Close() }()
	if id := cfg.BotID(); id != "" {
		f.botErr = db.CheckBot(ctx, id)
	}
	f.serverErr = db.CheckServer(ctx)
	if f.standbys, err = db.Standbys(ctx); err == nil {
		err = db.Durable(ctx)
	}
	f.durable = err
	f.offset, f.offsetErr = db.ClockOffset(ctx)
	if f.schema, f.schemaErr = db.Schema(ctx); f.schemaErr != nil {
		return f, nil
	}
	if f.known = f.schema.Version >= f.schema.Known && f.schema.Required <= f.schema.Known; f.known {
		f.replicas, f.replicasErr = db.Replicas(ctx)
		f.waiting, f.waitingErr = db.Waiting(ctx)
		f.silent, f.gone, f.adminsErr = db.Unreached(ctx, cfg.AdminIDs)
		silent, gone, err := db.Unreached(ctx, cfg.SupportIDs)
		f.supportAway, f.supportErr = slices.Concat(silent, gone), err
		f.threshold, _ = db.Setting(ctx, storage.OperatorThreshold) // else the balance is judged without it
		f.callRate, _ = db.Setting(ctx, callrate.Setting)           // as if nothing were known
		if keys, err := readKeys(cfg, path, useKey); err != nil {
			f.keysErr = err
		} else {
			f.opened, f.sealed, f.sealedErr = db.Sealed(ctx, keys)
		}
	}
	f.damages, f.integrityErr = db.Integrity(ctx)
	return f, nil
}

var errNoKey = errors.New("neither SECRET_KEY nor a key file")

// readKeys reads the keys as the bot does, and makes none.
func readKeys(cfg config.Config, path string, useKey bool) (storage.Keyring, error) {
	if !useKey {
		return storage.Keyring{}, errors.New("SECRET_KEY is not usable")
	}
	if cfg.SecretKey != "" {
		return storage.ParseKeys(cfg.SecretKey.Reveal())
	}
	keys, err := storage.KeysFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return storage.Keyring{}, errNoKey
	}
	return keys, err
}
