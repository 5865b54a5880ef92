// Package app builds the program from its configuration, starts its services in
// order and stops them in reverse. It contains no logic of its own: main runs it,
// and tests, benchmarks and the demo build the program through it too.
//
// The construction order has no back edge:
//
//	database → marketplace client → catalog → bot → outbox → orders → notifier
//	         → broadcasts → monitor → watches → screens.Register(bot)
package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
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
	"hstockbot/internal/outbox"
	"hstockbot/internal/watches"
	"hstockbot/locales"
	"hstockbot/storage"
)

// Options is what a program is built with beside its configuration. All but Log
// may be left out.
type Options struct {
	Log       *slog.Logger
	Version   string // of the program
	GoVersion string // that built it
	// Bundle saves reading the message files again.
	Bundle *locales.Bundle
	// Dial connects to Telegram and the marketplace instead of TCP.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// CallStats replaces the measured figures of the calls to both.
	CallStats func() (market, telegram ops.Snapshot)
	// ObserveCall is called for each call to Telegram, beside the metrics.
	ObserveCall func(method, outcome string)
	// Checkpoint is called with the name of each step of a purchase or a delivery
	// that was just made durable. Tests end the process there.
	Checkpoint func(step string)
}

// App is the built program. The fields are for those who look into it.
type App struct {
	DB         *storage.DB
	Market     *hstock.Client
	Catalog    *catalog.Catalog
	Bot        *bot.Bot
	Outbox     *outbox.Outbox
	Orders     *orders.Service
	Broadcasts *broadcasts.Service
	Notifier   *handlers.Notifier
	Announcer  *handlers.Announcer

	stages []stage
}

// New opens the database and builds everything else. Telegram and the marketplace
// need not be up. A program that is not started must be stopped all the same.
func New(ctx context.Context, cfg config.Config, o Options) (*App, error) {
	bundle, err := o.Bundle, error(nil)
	if bundle == nil {
		if bundle, err = locales.Load(); err != nil {
			return nil, err
		}
	}
	db, err := openDatabase(ctx, cfg)
	if err != nil {
		return nil, err
	}
	a := &App{DB: db}
	if err := a.build(cfg, o, bundle); err != nil {
		if a.Catalog != nil {
			a.Catalog.Close()
		}
		return nil, errors.Join(err, db.Close(context.WithoutCancel(ctx)))
	}
	return a, nil
}

func (a *App) build(cfg config.Config, o Options, bundle *locales.Bundle) (err error) {
	metrics := ops.NewMetrics(o.Version)
	var marketStats, telegramStats ops.CallStats
	callStats := o.CallStats
	if callStats == nil {
		callStats = func() (market, telegram ops.Snapshot) { return marketStats.Snapshot(), telegramStats.Snapshot() }
	}

	a.Market, err = hstock.New(hstock.Options{
		URL: cfg.HStockAPIURL, Rate: cfg.HStockRate, Dial: o.Dial,
		Observe: func(action, outcome string, took time.Duration) {
			metrics.ObserveMarketplace(action, outcome, took)
			marketStats.Observe(action+": "+outcome, hstock.IsNoResponse(outcome))
		},
	})
	if err != nil {
		return err
	}
	a.Catalog = catalog.New(a.Market, catalog.Options{TTL: cfg.CatalogTTL})
	a.Bot, err = bot.New(bot.Config{
		Token: cfg.TelegramToken, APIURL: cfg.TelegramAPIURL, Rate: cfg.TelegramRate, Webhook: webhook(cfg), Dial: o.Dial,
		Inbox: a.DB, Log: o.Log, ObserveUpdate: metrics.ObserveUpdate, CountEvent: metrics.CountEvent,
		ObserveCall: func(method, outcome string, took time.Duration) {
			metrics.ObserveTelegram(method, outcome, took)
			if outcome != bot.OutcomeStopped {
				telegramStats.Observe(method+": "+outcome, outcome == bot.OutcomeFailed || outcome == bot.OutcomeFlood)
			}
			if o.ObserveCall != nil {
				o.ObserveCall(method, outcome)
			}
		},
	})
	if err != nil {
		return err
	}
	a.Outbox = outbox.New(outbox.Options{DB: a.DB, Log: o.Log, Checkpoint: o.Checkpoint})
	a.Orders = orders.New(orders.Options{
		DB: a.DB, Market: a.Market, Wake: a.Outbox.Wake, Log: o.Log, SMMRatePer: cfg.SMMRatePer, Rate: cfg.HStockRate, Checkpoint: o.Checkpoint,
	})
	people := handlers.People{
		DB: a.DB, Bundle: bundle, DefaultLang: cfg.DefaultLang, AdminIDs: cfg.AdminIDs, AllowedIDs: cfg.AllowedIDs, OperatorKey: cfg.HStockAPIKey,
	}
	a.Notifier = handlers.NewNotifier(handlers.NotifierOptions{
		People: people, Bot: a.Bot, Catalog: a.Catalog, Orders: a.Orders, Log: o.Log, SMMRatePer: cfg.SMMRatePer, TelegramRate: cfg.TelegramRate,
	})
	a.Broadcasts = broadcasts.New(broadcasts.Options{
		DB: a.DB, Send: a.Notifier.SendBroadcast, Progress: a.Notifier.DrawBroadcast, Language: people.Language,
		Admin: people.IsAdmin, OnlyIDs: people.ServedIDs(), Log: o.Log, Rate: cfg.TelegramRate,
	})
	monitoring := monitor.New(monitor.Options{
		DB: a.DB, Market: a.Market, Log: o.Log, OperatorKey: cfg.HStockAPIKey, AdminIDs: cfg.AdminIDs, SMMRatePer: cfg.SMMRatePer,
		MarketDown: func() (since time.Time, sure bool) {
			market, _ := callStats()
			return market.DownSince, market.Answers || !market.DownSince.IsZero()
		},
		PollConflict: a.Bot.PollConflict, Wake: a.Outbox.Wake,
	})
	watcher := watches.New(watches.Options{DB: a.DB, Market: a.Market, Log: o.Log, OperatorKey: cfg.HStockAPIKey, Wake: a.Outbox.Wake})
	a.Announcer = handlers.NewAnnouncer(handlers.AnnouncerOptions{People: people, Bot: a.Bot, Log: o.Log})
	handlers.New(handlers.Options{
		People: people, Catalog: a.Catalog, Market: a.Market, Orders: a.Orders, Broadcasts: a.Broadcasts, Monitor: monitoring,
		Notifier: a.Notifier, Announcer: a.Announcer, Log: o.Log, SupportText: cfg.SupportText, SMMRatePer: cfg.SMMRatePer, Wake: a.Outbox.Wake,
		Version: o.Version + " · " + o.GoVersion, CallStats: callStats,
	}).Register(a.Bot)
	operators := ops.New(ops.Options{Addr: cfg.HTTPAddr, Metrics: metrics, Log: o.Log, Checks: checks(a.DB, a.Bot)})

	a.stages = []stage{
		{{name: "database", stop: a.DB.Close, timeout: stopTotal}},
		{
			{name: "marketplace client", stop: closing(a.Market.Close), timeout: stopRest},
			{name: "catalog", stop: closing(a.Catalog.Close), timeout: stopRest},
			{name: "operators' server", start: operators.Start, stop: operators.Stop, timeout: stopRest},
		},
		{{name: "outbox", start: func(context.Context) error { a.Outbox.Start(a.Notifier); return nil }, stop: a.Outbox.Stop, timeout: stopOutbox}},
		{{name: "orders", start: starting(a.Orders.Start), stop: a.Orders.Stop, timeout: stopOrders}},
		{
			{name: "broadcasts", start: starting(a.Broadcasts.Start), stop: a.Broadcasts.Stop, timeout: stopNews},
			{name: "watches", start: starting(watcher.Start), stop: watcher.Stop, timeout: stopNews},
			{name: "monitor", start: starting(monitoring.Start), stop: monitoring.Stop, timeout: stopNews},
			{name: "announcer", start: starting(a.Announcer.Start), stop: a.Announcer.Stop, timeout: stopNews},
		},
		{{name: "bot", start: a.Bot.Start, stop: a.Bot.Stop, timeout: stopReceiving}},
	}
	return errors.Join(
		metrics.Gauge("orders_open", "Orders that are still watched.", count(a.DB.CountOpenOrders)),
		metrics.Gauge("outbox_pending", "Messages to people that are not sent yet.", count(a.DB.CountPendingMessages)),
	)
}

// openDatabase opens it with the keys of SECRET_KEY, else with those beside it.
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

func checks(db *storage.DB, b *bot.Bot) []ops.Check {
	return []ops.Check{
		{Name: "database", Do: db.Ping},
		{Name: "telegram", Do: func(context.Context) error {
			if !b.Ready() {
				return errors.New("updates are not being received")
			}
			return nil
		}},
	}
}

func count(read func(context.Context) (int, error)) func(context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) {
		n, err := read(ctx)
		return int64(n), err
	}
}
