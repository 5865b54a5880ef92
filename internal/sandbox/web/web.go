// Package web is the demo (`hstockbot demo`). It serves the pretend marketplace
// and the pretend Telegram on loopback, runs the bot as a child process whose
// settings point at them, and serves a page where pretend people chat with the
// bot, beside a panel that controls the marketplace ("Back room").
//
// The package owns the page, the endpoints of the page (page.go, control.go) and
// the bot's process. It contains no code of the bot: the bot is a command and its
// environment, as in production.
//
// The browser receives changes as Server-Sent Events. The page builds messages
// from parsed entities and never from HTML. It loads nothing from other origins,
// and it rejects requests from other origins (guard.go).
//
// Options.Data keeps the bot's database, and beside it the pretend world
// (world.json), because the database refers to order ids and message ids of
// that world.
package web

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// DefaultAddr is the address of the page, unless its port is taken.
const DefaultAddr = "127.0.0.1:8090"

// Options configure a demo. The zero value is valid.
type Options struct {
	// Addr is the loopback host:port of the page, "" for DefaultAddr. If the port
	// is taken, the page uses the next free one of the following hundred.
	Addr string
	// Seed determines prices, stock and goods of the marketplace. Saved data has
	// its own seed; Run fails if Seed is neither 0 nor that seed.
	Seed uint64
	// Data is the folder that keeps the bot's database and the pretend world. It
	// is created if missing. "": nothing is kept.
	Data string
	// Command starts the bot: a program (an absolute path, or a name in PATH) and
	// its arguments. nil: this program with the argument "run".
	Command []string
	// Stdout receives one line, the page's address. nil: discarded.
	Stdout io.Writer
	// Stderr receives the log of the bot and of the demo. nil: discarded.
	Stderr io.Writer
}

const (
	deliverAfter = 3 * time.Second // automatic goods: the order is visible before they arrive
	codeAfter    = 15 * time.Second
)

// The bot's name in the pretend Telegram.
const (
	botUsername = "hstock_demo_bot"
	botName     = "HStockPlus demo"
)

// Run runs the demo until ctx is done. Then it stops the bot with SIGTERM (with
// SIGKILL after 10 s) and removes the bot's data unless Options.Data is set. A bot
// that exits by itself is restarted and is not an error.
func Run(ctx context.Context, opts Options) (err error) {
	opts, err = opts.withDefaults()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(opts.Stderr, nil))

	dir, remove, err := opts.dataDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()

	// A random token keeps other programs from acting as the bot.
	token := "1234567:AA" + rand.Text()
	w, err := newWorld(opts, dir, token, log)
	if err != nil {
		return err
	}
	listening := &servers{log: log, failed: make(chan error, 3)}
	defer func() {
		w.market.Close()
		w.telegram.Close()
		listening.stop()
	}()
	marketAddr, err := listening.start(ctx, "127.0.0.1:0", 0, func(net.Addr) http.Handler { return w.market })
	if err != nil {
		return err
	}
	telegramAddr, err := listening.start(ctx, "127.0.0.1:0", 0, func(net.Addr) http.Handler { return w.telegram })
	if err != nil {
		return err
	}
	bot := newChild(opts.Command, dir, opts.Stderr, log, environment(map[string]string{
		"TELEGRAM_TOKEN":   token,
		"TELEGRAM_API_URL": "http://" + telegramAddr.String(),
		"HSTOCK_API_URL":   "http://" + marketAddr.String() + "/api/v2",
		"HSTOCK_API_KEY":   keyOperator,
		"TOPUP_URL":        "https://example.com/top-up",
		"ADMIN_IDS":        strconv.FormatInt(olga, 10),
		"DATABASE_URL":     "sqlite:" + filepath.Join(dir, "bot.db"),
		"HTTP_ADDR":        "",
		"TELEGRAM_RATE":    "30",
	}))
	pageAddr, err := listening.start(ctx, opts.Addr, 100, func(addr net.Addr) http.Handler {
		return newPage(w.market, w.telegram, bot, token, log).handler(addr)
	})
	if err != nil {
		return err
	}

	if opts.Data != "" {
		defer w.saveChanges(ctx)() // deferred first, so the last save follows the bot's stop
	}
	if err := bot.start(ctx); err != nil {
		return err
	}
	defer bot.stop()
	if _, err := fmt.Fprintf(opts.Stdout, "http://%s\n", pageAddr); err != nil {
		return fmt.Errorf("print the address: %w", err)
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-listening.failed:
		return err
	}
}

// Check returns an error if Addr is not a loopback host:port. Run checks it too.
func (o Options) Check() error {
	if o.Addr == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return errors.New("the page's address must be host:port")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errors.New("the page's port must be a number from 0 to 65535")
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return errors.New("the demo listens on loopback only: 127.0.0.1, ::1 or localhost")
	}
	return nil
}

func (o Options) withDefaults() (Options, error) {
	if err := o.Check(); err != nil {
		return o, err
	}
	if o.Addr == "" {
		o.Addr = DefaultAddr
	}
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	if o.Stderr == nil {
		o.Stderr = io.Discard
	}
	o.Stderr = &lockedWriter{to: o.Stderr}
	if len(o.Command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return o, fmt.Errorf("find this program to run it as the bot: %w", err)
		}
		o.Command = []string{self, "run"}
	}
	return o, nil
}

// lockedWriter serializes what the bot and the demo write.
type lockedWriter struct {
	mu sync.Mutex
	to io.Writer
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

// servers are the running HTTP servers of the demo.
type servers struct {
	log     *slog.Logger
	failed  chan error // receives the error of a server that ends before stop
	running []*http.Server
	serving sync.WaitGroup
}

// start listens on addr, or else on one of the next ports (see listen), and serves
// until stop.
func (s *servers) start(ctx context.Context, addr string, morePorts int, handler func(net.Addr) http.Handler) (net.Addr, error) {
	listener, err := listen(ctx, addr, morePorts)
	if err != nil {
		return nil, err
	}
	server := &http.Server{
		Handler:           handler(listener.Addr()),
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.running = append(s.running, server)
	s.serving.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("serve on %s: %w", listener.Addr(), err)
		}
	})
	return listener.Addr(), nil
}

// stop closes the listeners and all connections, and waits for the servers.
func (s *servers) stop() {
	for _, server := range s.running {
		_ = server.Close() // the error of closing a listener has no consequence
	}
	s.serving.Wait()
}

// listen tries the port of addr and the morePorts ports after it. It tries the
// next port after any error, since a port can be taken or reserved by the system.
// The returned error is the first one.
func listen(ctx context.Context, addr string, morePorts int) (net.Listener, error) {
	var config net.ListenConfig
	listener, first := config.Listen(ctx, "tcp", addr)
	if first == nil {
		return listener, nil
	}
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, first
	}
	port, err := strconv.Atoi(service)
	if err != nil {
		return nil, first
	}
	for next := port + 1; next <= min(port+morePorts, 65535); next++ {
		if listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(next))); err == nil {
			return listener, nil
		}
	}
	return nil, fmt.Errorf("no free port for the page: %w", first)
}
