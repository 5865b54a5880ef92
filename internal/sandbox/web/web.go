// Package web is the demo: the pretend marketplace and the pretend Telegram on
// loopback, the bot as a process of its own that is pointed at them by its
// settings, and a page on which pretend people type, tap and receive, with the
// marketplace's back room beside it.
//
// It owns the page, what the page may ask for, and the life of the process. It
// must not know the bot: that is a command and its environment, the same as in
// production. It listens on loopback only.
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

// DefaultAddr is where the page is, unless that port is taken.
const DefaultAddr = "127.0.0.1:8090"

// Options are what a demo needs. The zero value will do.
type Options struct {
	// Addr is the loopback host:port of the page, "" for DefaultAddr. Where the
	// port is taken, it is the next free one of the hundred that follow.
	Addr string
	// Seed makes prices, stock and goods of the marketplace: the same each time.
	// Data that is kept has its own; another one than 0 must be that.
	Seed uint64
	// Data is a folder where the bot's database and the pretend world are kept
	// for the next time; it is made where there is none. "": nothing is kept.
	Data string
	// Command starts the bot: a program, by its absolute path or as PATH has
	// it, and its arguments. nil: this program with the argument "run".
	Command []string
	// Stdout gets one line, the page's address; nil: nobody.
	Stdout io.Writer
	// Stderr gets what the bot logs, as it comes, and what the demo has to say
	// of the bot; nil: nobody.
	Stderr io.Writer
}

const (
	deliverAfter = 3 * time.Second // of automatic goods: one sees the order placed before it arrives
	codeAfter    = 15 * time.Second
)

// What the bot is called in the pretend Telegram.
const (
	botUsername = "hstock_demo_bot"
	botName     = "HStockPlus demo"
)

// Run runs the demo until ctx is over, and leaves nothing behind but Options.Data:
// the bot is stopped (as by its operator; killed after 10 s), its data removed or
// kept. The error is that of what the demo could not do at all; a bot that ends by
// itself is started again.
func Run(ctx context.Context, opts Options) (err error) {
	opts, err = opts.withDefaults()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(opts.Stderr, nil))

	folder, done, err := opts.folder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()

	// The secret differs each time, so that no other program can play the bot.
	token := "1234567:AA" + rand.Text()
	w, err := newWorld(opts, folder, token, log)
	if err != nil {
		return err
	}
	listening := &servers{log: log, failed: make(chan error, 3)}
	defer func() {
		w.goods.Close()
		w.chats.Close()
		listening.stop()
	}()
	marketAddr, err := listening.start(ctx, "127.0.0.1:0", 0, func(net.Addr) http.Handler { return w.goods })
	if err != nil {
		return err
	}
	telegramAddr, err := listening.start(ctx, "127.0.0.1:0", 0, func(net.Addr) http.Handler { return w.chats })
	if err != nil {
		return err
	}
	bot := newChild(opts.Command, folder, opts.Stderr, log, environment(map[string]string{
		"TELEGRAM_TOKEN":   token,
		"TELEGRAM_API_URL": "http://" + telegramAddr.String(),
		"HSTOCK_API_URL":   "http://" + marketAddr.String() + "/api/v2",
		"HSTOCK_API_KEY":   keyOperator,
		"ADMIN_IDS":        admins(),
		"DATABASE_URL":     "sqlite:" + filepath.Join(folder, "bot.db"),
		"HTTP_ADDR":        "",
		"TELEGRAM_RATE":    "30",
	}))
	pageAddr, err := listening.start(ctx, opts.Addr, 100, func(at net.Addr) http.Handler {
		return newPage(w.goods, w.chats, bot, token, log).handler(at)
	})
	if err != nil {
		return err
	}

	if opts.Data != "" {
		defer w.keep(ctx)() // the last time after the bot has stopped
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

// Check says what is wrong with Addr.
func (o Options) Check() error {
	if o.Addr == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return errors.New("the page's address takes host:port")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errors.New("the page's port is a number up to 65535")
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

// lockedWriter lets the bot and the demo write to one place.
type lockedWriter struct {
	mu sync.Mutex
	to io.Writer
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

// servers are the HTTP servers of the demo.
type servers struct {
	log     *slog.Logger
	failed  chan error // of a server that ended by itself
	running []*http.Server
	serving sync.WaitGroup
}

// start listens on addr, or where that can't be on one of the next ports, and
// serves there until stop.
func (s *servers) start(ctx context.Context, addr string, others int, handler func(net.Addr) http.Handler) (net.Addr, error) {
	listener, err := listen(ctx, addr, others)
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

// stop closes all connections, which ends what is being answered on them.
func (s *servers) stop() {
	for _, server := range s.running {
		_ = server.Close() // of a listener, closing has nothing to tell
	}
	s.serving.Wait()
}

// listen tries the port of addr and as many of the following ones as others
// says. Whatever is wrong with a port (taken, kept back by the system), the
// next one may do; the error is that of the first.
func listen(ctx context.Context, addr string, others int) (net.Listener, error) {
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
	for next := port + 1; next <= min(port+others, 65535); next++ {
		if listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(next))); err == nil {
			return listener, nil
		}
	}
	return nil, fmt.Errorf("the page finds no port: %w", first)
}
