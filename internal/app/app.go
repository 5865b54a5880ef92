// Package app builds the program from its configuration, starts its services in
// order and stops them in reverse. It contains no logic of its own: main runs it,
// and tests, benchmarks and the demo build the program through it too.
//
// The construction order has no back edge:
//
//	lock → database → hints → replica → rates → marketplace client → catalog → bot → outbox
//	         → orders → notifier → broadcasts → room → backups → monitor → watches → news → funds → screens.Register(bot)
//
// Several processes may share a PostgreSQL database. All of them handle updates, and one
// does the background work (package replica).
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"syscall"
	"time"

	"hstockbot/bot"
	"hstockbot/handlers"
	"hstockbot/internal/backups"
	"hstockbot/internal/broadcasts"
	"hstockbot/internal/callrate"
	"hstockbot/internal/catalog"
	"hstockbot/internal/config"
	"hstockbot/internal/funds"
	"hstockbot/internal/hints"
	"hstockbot/internal/hstock"
	"hstockbot/internal/monitor"
	"hstockbot/internal/news"
	"hstockbot/internal/ops"
	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/internal/pace"
	"hstockbot/internal/replica"
	"hstockbot/internal/room"
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
	// Alone says that no other process uses the database. A file is locked, and never
	// shared.
	Alone bool
	// Checkpoint is called with the name of each step of a purchase or a delivery
	// that was just made durable. Tests end the process there.
	Checkpoint func(step string)
}

// App is the built program. The fields are for those who look into it.
type App struct {
	Metrics    *ops.Metrics
	DB         *storage.DB
	Hints      *hints.Hints
	Replica    *replica.Replica
	CallRate   *callrate.Limiter
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

// New opens the database and builds everything else. A database file is locked first: New
// waits as long as another process holds the lock. Telegram and the marketplace need not
// be up. A program that is not started must be stopped all the same.
func New(ctx context.Context, cfg config.Config, o Options) (*App, error) {
	bundle, err := o.Bundle, error(nil)
	if bundle == nil {
		if bundle, err = locales.Load(); err != nil {
			return nil, err
		}
	}
	path, err := storage.FilePath(cfg.DatabaseURL)
	if err != nil {
		return nil, err
	}
	a := &App{Metrics: ops.NewMetrics(o.Version)}
	if path != "" {
		o.Alone = true
		lock, err := lockDatabase(ctx, path, o.Log)
		if err != nil {
			return nil, err
		}
		a.stages = append(a.stages, stage{{name: "database lock", stop: func(context.Context) error { return lock.Unlock() }, timeout: stopRest}})
	}
	if a.DB, err = openDatabase(ctx, cfg, path, a.Metrics.ObserveTransaction); err == nil {
		a.stages = append(a.stages, stage{{name: "database", stop: a.DB.Close, timeout: stopTotal}})
		if err = a.DB.SetOperatorKey(ctx, cfg.HStockAPIKey, cfg.AdminIDs); err == nil {
			err = a.build(cfg, o, bundle)
		}
	}
	if err != nil {
		return nil, errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
	}
	return a, nil
}

func (a *App) build(cfg config.Config, o Options, bundle *locales.Bundle) (err error) {
	metrics := a.Metrics
	var marketStats, telegramStats ops.CallStats
	callStats := o.CallStats
	if callStats == nil {
		callStats = func() (market, telegram ops.Snapshot) { return marketStats.Snapshot(), telegramStats.Snapshot() }
	}

	var others hints.DB // nil: no other process uses the database
	if !o.Alone {
		others = a.DB
	}
	a.Hints = hints.New(others, o.Log)
	a.stages = append(a.stages, stage{{name: "hints", start: func(context.Context) error { a.Hints.Start(); return nil }, stop: a.Hints.Stop, timeout: stopRest}})
	a.Replica = replica.New(replica.Options{
		DB: a.DB, Log: o.Log, Version: o.Version, Settings: sharedSettings(a.DB, cfg), Alone: o.Alone,
		Ended: func() { a.Orders.WakeSettler() },
	})
	wakeReplicas := a.Hints.Share("lease", a.Replica.Wake)
	a.stages = append(a.stages, stage{{name: "replica", start: a.Replica.Start, stop: func(ctx context.Context) error {
		defer wakeReplicas() // what this one has given back is free
		return a.Replica.Stop(ctx)
	}, timeout: stopRest}})
	var marketPace callrate.Pace
	var telegramPace bot.Pace
	if !o.Alone {
		rates := pace.New(a.DB, o.Log)
		marketPace, telegramPace = rates, rates
		a.stages = append(a.stages, stage{{name: "rates", stop: closing(rates.Close), timeout: stopRest}})
	}
	a.CallRate = callrate.New(callrate.Options{Most: float64(cfg.HStockRate), Pace: marketPace, Store: a.DB, Log: o.Log})
	a.stages = append(a.stages, stage{{name: "rate of calls", start: func(context.Context) error { a.CallRate.Start(); return nil }, stop: a.CallRate.Stop, timeout: stopRest}})
	a.Market, err = hstock.New(hstock.Options{
		URL: cfg.HStockAPIURL, Limiter: a.CallRate, Dial: o.Dial, MaySend: a.Replica.MaySend,
		Observe: func(action, outcome string, took time.Duration) {
			metrics.ObserveMarketplace(action, outcome, took)
			marketStats.Observe(action+": "+outcome, hstock.IsNoResponse(outcome))
		},
	})
	if err != nil {
		return err
	}
	a.Catalog = catalog.New(a.Market, catalog.Options{TTL: cfg.CatalogTTL})
	a.stages = append(a.stages, stage{
		{name: "marketplace client", stop: closing(a.Market.Close), timeout: stopRest},
		{name: "catalog", stop: closing(a.Catalog.Close), timeout: stopRest},
	})
	a.Bot, err = bot.New(bot.Config{
		Token: cfg.TelegramToken, APIURL: cfg.TelegramAPIURL, Rate: cfg.TelegramRate, Pace: telegramPace, Webhook: webhook(cfg), Dial: o.Dial,
		Inbox: a.DB, Owner: a.Replica.ID(), Shared: !o.Alone, Log: o.Log, ObserveUpdate: metrics.ObserveUpdate, CountEvent: metrics.CountEvent,
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
	a.Outbox = outbox.New(outbox.Options{DB: a.DB, Log: o.Log, Checkpoint: o.Checkpoint, Share: a.Hints.Share, ObserveSent: metrics.ObserveMessage})
	a.Orders = orders.New(orders.Options{
		DB: a.DB, Market: a.Market, Wake: a.Outbox.Wake, Log: o.Log, Owner: a.Replica.ID(), SMMRatePer: cfg.SMMRatePer, TopUpURL: cfg.TopUpURL, Limiter: a.CallRate, Checkpoint: o.Checkpoint,
		Share: a.Hints.Share, CountPurchase: metrics.CountPurchase,
	})
	people := handlers.People{
		DB: a.DB, Bundle: bundle, DefaultLang: cfg.DefaultLang, AdminIDs: cfg.AdminIDs, SupportIDs: cfg.SupportIDs, AllowedIDs: cfg.AllowedIDs, OperatorKey: cfg.HStockAPIKey,
	}
	a.Notifier = handlers.NewNotifier(handlers.NotifierOptions{
		People: people, SupportText: cfg.SupportText, Bot: a.Bot, Catalog: a.Catalog, Orders: a.Orders, Log: o.Log, SMMRatePer: cfg.SMMRatePer, TelegramRate: cfg.TelegramRate,
		Quiet: func(at time.Time) bool { return cfg.QuietHours.Contain(at, cfg.TimeZone.Location()) },
	})
	a.Broadcasts = broadcasts.New(broadcasts.Options{
		DB: a.DB, Send: a.Notifier.SendBroadcast, Progress: a.Notifier.DrawBroadcast, Language: people.Language,
		Admin: people.IsAdmin, OnlyIDs: people.ServedIDs(), Log: o.Log, Rate: cfg.TelegramRate, Share: a.Hints.Share,
	})
	rooms := room.New(room.Options{DB: a.DB, Poster: a.Notifier, Log: o.Log, AdminIDs: cfg.AdminIDs, Zone: cfg.TimeZone.Location(), Wake: a.Outbox.Wake})
	daily := backups.New(backups.Options{DB: a.DB, Log: o.Log, Folder: cfg.BackupDir, Count: metrics.CountEvent})
	monitoring := monitor.New(monitor.Options{
		DB: a.DB, Market: a.Market, Log: o.Log, OperatorKey: cfg.HStockAPIKey, AdminIDs: cfg.AdminIDs, SupportIDs: cfg.SupportIDs, SMMRatePer: cfg.SMMRatePer,
		MarketDown: func() (since time.Time, sure bool) {
			market, _ := callStats()
			return market.DownSince, market.Answers || !market.DownSince.IsZero()
		},
		PollConflict: a.Bot.PollConflict, WebhookConflict: a.Bot.WebhookConflict, BackupFailed: daily.Failed, MarketBlocked: a.CallRate.BannedSince, Wake: a.Outbox.Wake,
	})
	watcher := watches.New(watches.Options{DB: a.DB, Market: a.Market, Log: o.Log, OperatorKey: cfg.HStockAPIKey, Wake: a.Outbox.Wake})
	reporter := news.New(news.Options{
		DB: a.DB, Market: a.Market, Log: o.Log, OperatorKey: cfg.HStockAPIKey,
		Names: postNames(a.Catalog, cfg),
		Post:  a.Notifier.PostNews, Edit: a.Notifier.EditNews, Fault: a.Notifier.ChannelFault, Lose: rooms.Break,
	})
	balances := funds.New(funds.Options{
		DB: a.DB, Market: a.Market, Orders: a.Orders, Log: o.Log, Wake: a.Outbox.Wake, Language: people.Language, Share: a.Hints.Share,
	})
	a.Announcer = handlers.NewAnnouncer(handlers.AnnouncerOptions{People: people, Bot: a.Bot, Log: o.Log})
	handlers.New(handlers.Options{
		People: people, Catalog: a.Catalog, Market: a.Market, Orders: a.Orders, Funds: balances, Broadcasts: a.Broadcasts, Monitor: monitoring, Rooms: rooms,
		Notifier: a.Notifier, Announcer: a.Announcer, Log: o.Log, SupportText: cfg.SupportText, SMMRatePer: cfg.SMMRatePer, Wake: a.Outbox.Wake,
		Version: o.Version + " · " + o.GoVersion, CallStats: callStats, CallRate: a.CallRate,
	}).Register(a.Bot)
	operators := ops.New(ops.Options{Addr: cfg.HTTPAddr, Metrics: metrics, Log: o.Log, Checks: checks(a)})

	clients := &a.stages[len(a.stages)-1]
	*clients = append(*clients, service{name: "operators' server", start: startOperators(operators, o), stop: operators.Stop, timeout: stopRest})
	background := &background{leads: a.Replica.Leads(), log: o.Log, work: func(ctx context.Context) error {
		a.Outbox.Start(a.Notifier)
		a.Orders.Start()
		a.Broadcasts.Start()
		watcher.Start()
		reporter.Start()
		balances.Start()
		daily.Start()
		monitoring.Start()
		rooms.Start()
		a.Announcer.Start()
		return a.Bot.Lead(ctx)
	}}
	a.stages = append(a.stages,
		stage{{name: "outbox", stop: a.Outbox.Stop, timeout: stopOutbox}},
		stage{{name: "orders", stop: a.Orders.Stop, timeout: stopOrders}},
		stage{
			{name: "broadcasts", stop: a.Broadcasts.Stop, timeout: stopNews},
			{name: "watches", stop: watcher.Stop, timeout: stopNews},
			{name: "news", stop: reporter.Stop, timeout: stopNews},
			{name: "balances", stop: balances.Stop, timeout: stopNews},
			{name: "backups", stop: daily.Stop, timeout: stopNews},
			{name: "monitor", stop: monitoring.Stop, timeout: stopNews},
			{name: "room", stop: rooms.Stop, timeout: stopNews},
			{name: "announcer", stop: a.Announcer.Stop, timeout: stopNews},
		},
		stage{{name: "bot", start: a.Bot.Start, stop: a.Bot.Stop, timeout: stopReceiving}},
		stage{{name: "background work", start: background.Start, stop: background.Stop, timeout: stopRest}},
	)
	perSecond := func(read func(callrate.State) float64) func(context.Context) (int64, error) {
		return func(context.Context) (int64, error) { return int64(math.Round(read(a.CallRate.State()))), nil }
	}
	if cfg.BackupDir != "" {
		err = metrics.Gauge("backup_age_seconds", "Time since the last good daily backup.", daily.Age)
	}
	return errors.Join(err,
		metrics.Gauge("marketplace_rate", "Calls a second that the marketplace may get.", perSecond(func(s callrate.State) float64 { return s.Rate })),
		metrics.Gauge("marketplace_limit", "Calls a second near which the marketplace refused some; 0 if it refused none.", perSecond(func(s callrate.State) float64 { return s.Limit })),
		metrics.Gauge("marketplace_ban_seconds", "For how long background calls still pause after a firewall's answer; 0 if they do not.", func(context.Context) (int64, error) {
			return int64(max(0, time.Until(a.CallRate.State().BannedUntil).Seconds())), nil
		}),
		metrics.Gauge("orders_open", "Orders that are still watched.", count(a.DB.CountOpenOrders)),
		metrics.Gauge("outbox_pending", "Messages to people that are not sent yet.", count(a.DB.CountPendingMessages)),
		metrics.Gauge("outbox_oldest_age_seconds", "How long ago the oldest of them was stored; 0 if there is none.", age(a.DB.OldestPendingMessage)),
	)
}

// postNames returns what tells the names of all services in the language of posts, nil for
// English.
func postNames(c *catalog.Catalog, cfg config.Config) func(context.Context) (map[int64]string, error) {
	if cfg.DefaultLang == locales.English {
		return nil
	}
	return func(ctx context.Context) (map[int64]string, error) {
		items, _, err := c.Shelf(ctx, catalog.Access{Key: cfg.HStockAPIKey}, cfg.DefaultLang, "", "")
		names := make(map[int64]string, len(items))
		for i := range items {
			names[items[i].Service] = items[i].Name
		}
		return names, err
	}
}

// startOperators returns the start of the operators' server. Of several processes on one
// machine that were given the same address, one has its pages.
func startOperators(server *ops.Server, o Options) func(context.Context) error {
	return func(ctx context.Context) error {
		err := server.Start(ctx)
		if !o.Alone && errors.Is(err, syscall.EADDRINUSE) {
			o.Log.Warn("the address of HTTP_ADDR is in use, this process has no pages for operators", "error", err)
			return nil
		}
		return err
	}
}

// sharedSettings returns a digest of the settings that processes on one database must
// share. The rates are among them: the processes keep to one of each together.
func sharedSettings(db *storage.DB, cfg config.Config) string {
	return db.Digest("settings", fmt.Append(nil,
		cfg.TelegramToken.Reveal(), cfg.TelegramAPIURL, cfg.TelegramRate, cfg.WebhookURL, cfg.HStockAPIURL, cfg.HStockAPIKey.Reveal(), cfg.HStockRate,
		cfg.SMMRatePer, cfg.AdminIDs, cfg.SupportIDs, cfg.AllowedIDs, cfg.SupportText, cfg.DefaultLang, cfg.TimeZone, cfg.QuietHours, cfg.TopUpURL))
}

func openDatabase(ctx context.Context, cfg config.Config, path string, observe func(kind string, took time.Duration)) (*storage.DB, error) {
	keys, err := databaseKeys(cfg, path)
	if err != nil {
		return nil, err
	}
	return storage.Open(ctx, storage.Options{URL: cfg.DatabaseURL, Keys: keys, Failover: storage.Failover(cfg.DatabaseFailover), BotID: cfg.BotID(), Zone: cfg.TimeZone.Location(), Observe: observe})
}

// databaseKeys returns the keys of SECRET_KEY, else those beside the file at path.
func databaseKeys(cfg config.Config, path string) (storage.Keyring, error) {
	if cfg.SecretKey == "" {
		return storage.KeysBeside(path)
	}
	return storage.ParseKeys(cfg.SecretKey.Reveal())
}

func webhook(cfg config.Config) *bot.Webhook {
	if cfg.WebhookURL == "" {
		return nil
	}
	return &bot.Webhook{URL: cfg.WebhookURL, Addr: cfg.WebhookAddr, Secrets: cfg.WebhookSecrets}
}

// checks returns the conditions of readiness. A process that stands by makes no requests
// for updates, and is ready.
func checks(a *App) []ops.Check {
	return []ops.Check{
		{Name: "database", Do: a.DB.Ping},
		{Name: "telegram", Do: func(context.Context) error {
			if a.Replica.StandsBy() {
				return nil
			}
			return a.Bot.Ready()
		}},
		{Name: "replica", Do: a.Replica.Check},
	}
}

func count(read func(context.Context) (int, error)) func(context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) {
		n, err := read(ctx)
		return int64(n), err
	}
}

// age returns the time since what read returns, in whole seconds, and 0 for the zero time.
func age(read func(context.Context) (time.Time, error)) func(context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) {
		at, err := read(ctx)
		if at.IsZero() {
			return 0, err
		}
		return int64(max(time.Since(at), 0).Seconds()), err
	}
}
