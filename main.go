// Command hstockbot is a Telegram bot that is the shop window of the HStockPlus
// marketplace: people browse, buy and receive goods in a chat.
//
// main owns the commands, the configuration and the wiring: everything is
// started in order here and stopped in reverse.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"hstockbot/bot"
	"hstockbot/handlers"
	"hstockbot/internal/broadcasts"
	"hstockbot/internal/catalog"
	"hstockbot/internal/config"
	"hstockbot/internal/hstock"
	"hstockbot/internal/monitor"
	"hstockbot/internal/ops"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/web"
	"hstockbot/internal/watches"
	"hstockbot/locales"
	"hstockbot/storage"
)

// version is set by the linker (make build); without it, what the Go toolchain
// knows of the source is told.
var version string

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // it ran, and failed; healthcheck: not ready
	exitUsage  = 2 // a wrong command line or configuration: nothing was started
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run is main without the process around it: it carries out one command with
// the settings of the environment and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	command := "run"
	if len(args) > 0 {
		command = args[0]
	}
	if command == "demo" {
		return demo(ctx, args[1:], stdout, stderr)
	}
	if len(args) > 1 {
		return fail(stderr, exitUsage, fmt.Errorf("%s takes no arguments; try: hstockbot help", known(command)))
	}
	switch command {
	case "run":
		return start(ctx, stderr)
	case "version":
		return finish(stderr, printVersion(stdout))
	case "help", "-h", "-help", "--help":
		return finish(stderr, printHelp(stdout))
	case "healthcheck":
		return healthcheck(ctx, stderr)
	default:
		return fail(stderr, exitUsage, errors.New("unknown command; try: hstockbot help"))
	}
}

// start reads the configuration and runs the bot until ctx is over.
func start(ctx context.Context, stderr io.Writer) int {
	cfg, err := loadConfig()
	if err != nil {
		return fail(stderr, exitUsage, err)
	}
	log := newLogger(cfg, stderr)
	if err := runBot(ctx, cfg, log); err != nil {
		log.Error("stopped", "error", err)
		return exitFailed
	}
	return exitOK
}

// healthcheck asks the bot that runs with the same settings whether it is ready.
func healthcheck(ctx context.Context, stderr io.Writer) int {
	addr, err := config.LoadHTTPAddr()
	if err != nil {
		return fail(stderr, exitUsage, err)
	}
	return finish(stderr, ops.Healthcheck(ctx, addr))
}

func loadConfig() (config.Config, error) {
	bundle, err := locales.Load()
	if err != nil {
		return config.Config{}, err
	}
	var languages []string
	for _, language := range bundle.Languages() {
		languages = append(languages, language.Code)
	}
	return config.Load(config.Known{
		Languages: languages,
		SecretKey: func(value string) error {
			_, err := storage.ParseKeys(value)
			return err
		},
	})
}

// newLogger returns the only logger: whatever is logged passes the redactor.
func newLogger(cfg config.Config, to io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	var handler slog.Handler = slog.NewTextHandler(to, options)
	if cfg.LogFormat == "json" {
		handler = slog.NewJSONHandler(to, options)
	}
	return slog.New(redact.New(cfg.Secrets()...).Handler(handler))
}

func printVersion(to io.Writer) error {
	_, err := fmt.Fprintf(to, "hstockbot %s %s %s/%s\n", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

const usage = `hstockbot: the shop window of the HStockPlus marketplace, in Telegram

Usage: hstockbot [command]

Commands:
  run          run the bot (also without a command)
  demo         try it: a pretend marketplace, a pretend Telegram and a page to chat on
               -addr host:port  of the page, on loopback (default: 127.0.0.1:8090)
               -data DIR        keeps everything there for the next time
               -seed N          other goods and prices, the same for each N
  version      print the version
  help         print this
  healthcheck  exit with 0 when the running bot is ready, else with 1

Settings, read from the environment:
`

func printHelp(to io.Writer) error {
	text := usage
	for _, s := range config.Settings() {
		text += fmt.Sprintf("  %-17s %s", s.Name, s.Takes)
		switch {
		case s.Required:
			text += " (required)"
		case s.Default != "":
			text += " (default: " + s.Default + ")"
		}
		text += "\n"
	}
	_, err := io.WriteString(to, text)
	return err
}

// known repeats a command only if it is one: what was typed may be a secret.
func known(command string) string {
	switch command {
	case "run", "demo", "version", "help", "healthcheck":
		return command
	default:
		return "hstockbot"
	}
}

// finish turns the result of a command into its exit status.
func finish(stderr io.Writer, err error) int {
	if err != nil {
		return fail(stderr, exitFailed, err)
	}
	return exitOK
}

// fail says in one line what is wrong. A stderr that can't be written to is
// nothing that anybody could be told.
func fail(stderr io.Writer, status int, err error) int {
	line := strings.ReplaceAll(new(redact.Redactor).String(err.Error()), "\n", "; ")
	_, _ = fmt.Fprintf(stderr, "hstockbot: %s\n", line)
	return status
}

// How long a stop may take in all, and its parts.
const (
	stopReceiving = 4 * time.Second        // handlers in hand; a purchase cut off then is unknown at once
	stopTrade     = 2 * time.Second        // polls in hand, and messages that are due
	stopNews      = 750 * time.Millisecond // copies of a broadcast that are on their way, alerts and alarms
	stopRest      = 250 * time.Millisecond
)

// announceEvery is how soon Telegram is told the commands again after a failure.
const announceEvery = time.Minute

// runBot starts everything in order, waits for ctx, and stops in reverse.
func runBot(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	began := time.Now()
	// What was started is stopped in reverse, each with a deadline of its own.
	var stops []func() error
	defer func() {
		for _, stop := range slices.Backward(stops) {
			// What was cut off is in the database and goes on at the next start.
			if err := stop(); err != nil {
				log.Error("stopping", "error", err)
			}
		}
	}()
	started := func(patience time.Duration, stop func(context.Context) error) {
		stops = append(stops, func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
			defer cancel()
			return stop(ctx)
		})
	}

	bundle, err := locales.Load()
	if err != nil {
		return err
	}
	db, err := openDatabase(ctx, cfg)
	if err != nil {
		return err
	}
	started(stopRest, func(context.Context) error { return db.Close() })

	metrics := ops.NewMetrics(buildVersion())
	var marketPulse, telegramPulse ops.CallStats
	market, err := hstock.New(hstock.Options{
		URL: cfg.HStockAPIURL, Rate: cfg.HStockRate,
		Observe: func(action, outcome string, took time.Duration) {
			metrics.ObserveMarketplace(action, outcome, took)
			marketPulse.Observe(action+": "+outcome, hstock.IsNoResponse(outcome))
		},
	})
	if err != nil {
		return err
	}
	started(stopRest, func(context.Context) error { market.Close(); return nil })
	goods := catalog.New(market, catalog.Options{TTL: cfg.CatalogTTL})
	started(stopRest, func(context.Context) error { goods.Close(); return nil })

	shop := handlers.New(handlers.Options{
		DB: db, Catalog: goods, Market: market, Bundle: bundle, Log: log,
		OperatorKey: cfg.HStockAPIKey, AdminIDs: cfg.AdminIDs, AllowedIDs: cfg.AllowedIDs,
		DefaultLang: cfg.DefaultLang, SupportText: cfg.SupportText, SMMRatePer: cfg.SMMRatePer, TelegramRate: cfg.TelegramRate,
		Version: buildVersion() + " · " + runtime.Version(),
		Traffic: func() (market, telegram handlers.CallStats) { return traffic(&marketPulse), traffic(&telegramPulse) },
	})
	trade := orders.New(orders.Options{
		DB: db, Market: market, Send: shop.Notify, Log: log,
		SMMRatePer: cfg.SMMRatePer, Rate: cfg.HStockRate,
	})
	telegram, err := bot.New(bot.Config{
		Token: cfg.TelegramToken, APIURL: cfg.TelegramAPIURL, Rate: cfg.TelegramRate, Webhook: webhook(cfg),
		Inbox: db, Log: log, Hooks: shop.Hooks(),
		Observe: func(event string, took time.Duration) {
			switch event {
			case "parked":
				metrics.CountEvent("dead_lettered")
			case "panic", "poll_failed", "flood":
				metrics.CountEvent(event)
			default:
				metrics.ObserveUpdate(event, took)
			}
		},
		ObserveCall: func(method, outcome string, took time.Duration) {
			metrics.ObserveTelegram(method, outcome, took)
			if outcome != bot.OutcomeStopped {
				telegramPulse.Observe(method+": "+outcome, outcome == bot.OutcomeFailed || outcome == bot.OutcomeFlood)
			}
		},
	})
	if err != nil {
		return err
	}
	messages := broadcasts.New(shop.Broadcasting())
	wrong := monitor.New(monitor.Options{
		DB: db, Market: market, Log: log, OperatorKey: cfg.HStockAPIKey, AdminIDs: cfg.AdminIDs, SMMRatePer: cfg.SMMRatePer,
		MarketDown: func() (since time.Time, sure bool) {
			t := marketPulse.Snapshot()
			return t.DownSince, t.Answers || !t.DownSince.IsZero()
		}, PollConflict: telegram.PollConflict, Wake: trade.Wake,
	})
	shop.Attach(telegram, trade, messages, wrong)

	if err := watch(metrics, db); err != nil {
		return err
	}
	operators := ops.New(ops.Options{Addr: cfg.HTTPAddr, Metrics: metrics, Log: log, Checks: []ops.Check{
		{Name: "database", Do: db.Ping},
		{Name: "telegram", Do: func(context.Context) error {
			if !telegram.Ready() {
				return errors.New("updates are not being received")
			}
			return nil
		}},
	}})
	if err := operators.Start(ctx); err != nil {
		return err
	}
	started(stopRest, operators.Stop)
	trade.Start()
	started(stopTrade, trade.Stop)
	messages.Start()
	news := watches.New(watches.Options{DB: db, Market: market, Log: log, OperatorKey: cfg.HStockAPIKey, Wake: trade.Wake})
	news.Start()
	wrong.Start()
	started(stopNews, func(ctx context.Context) error {
		return errors.Join(messages.Stop(ctx), wrong.Stop(ctx), news.Stop(ctx))
	})
	if err := telegram.Start(ctx); err != nil {
		return err
	}
	started(stopReceiving, telegram.Stop)
	log.Info("started", "version", buildVersion(), "took", time.Since(began).Round(time.Millisecond))

	var announcing sync.WaitGroup
	announcing.Go(func() { announce(ctx, shop, log) })
	<-ctx.Done()
	announcing.Wait()
	log.Info("stopping")
	return nil
}

// traffic is a pulse as admins see it.
func traffic(p *ops.CallStats) handlers.CallStats {
	t := p.Snapshot()
	return handlers.CallStats{Calls: t.Calls, Errors: t.Errors, LastError: t.LastError, LastErrorAt: t.LastErrorAt}
}

func openDatabase(ctx context.Context, cfg config.Config) (*storage.DB, error) {
	path, err := storage.FilePath(cfg.DatabaseURL)
	if err != nil {
		return nil, err
	}
	keys, err := storage.ParseKeys(cfg.SecretKey.Reveal())
	if cfg.SecretKey == "" {
		keys, err = storage.KeysBeside(path)
	}
	if err != nil {
		return nil, err
	}
	return storage.Open(ctx, storage.Options{URL: cfg.DatabaseURL, Keys: keys})
}

func webhook(cfg config.Config) *bot.Webhook {
	if cfg.WebhookURL == "" {
		return nil
	}
	return &bot.Webhook{URL: cfg.WebhookURL, Addr: cfg.WebhookAddr, Secret: cfg.WebhookSecret}
}

// watch gives operators the numbers that tell whether something is stuck.
func watch(metrics *ops.Metrics, db *storage.DB) error {
	count := func(read func(context.Context) (int, error)) func(context.Context) (int64, error) {
		return func(ctx context.Context) (int64, error) {
			n, err := read(ctx)
			return int64(n), err
		}
	}
	return errors.Join(
		metrics.Gauge("orders_open", "Orders that are not finished.", count(db.CountOpenOrders)),
		metrics.Gauge("outbox_pending", "Messages to people that are not sent yet.", count(db.CountPendingMessages)),
	)
}

// announce tells Telegram the commands, again and again until it listens: the
// bot works without.
func announce(ctx context.Context, shop *handlers.Screens, log *slog.Logger) {
	for ctx.Err() == nil {
		err := shop.Announce(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		log.Warn("Telegram was not told the commands", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(announceEvery):
		}
	}
}

// demo reads the flags of that command and runs the bot against the pretend world
// until ctx is over. What was typed is not repeated.
func demo(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts := web.Options{Stdout: stdout, Stderr: stderr}
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&opts.Addr, "addr", web.DefaultAddr, "")
	flags.StringVar(&opts.Data, "data", "", "")
	flags.Uint64Var(&opts.Seed, "seed", 0, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return finish(stderr, printHelp(stdout))
	case err != nil || flags.NArg() > 0:
		return fail(stderr, exitUsage, errors.New("demo takes -addr host:port, -data DIR and -seed N; try: hstockbot help"))
	}
	if err := opts.Check(); err != nil {
		return fail(stderr, exitUsage, err)
	}
	return finish(stderr, web.Run(ctx, opts))
}
