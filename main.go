// Command hstockbot is a Telegram bot that sells what the HStockPlus marketplace
// offers: people browse, buy and receive goods in a chat.
//
// main owns the commands and their flags. Package app builds the program.
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
	"strings"
	"syscall"
	"time"

	"hstockbot/internal/app"
	"hstockbot/internal/config"
	"hstockbot/internal/ops"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/web"
	"hstockbot/locales"
	"hstockbot/storage"
)

// version is set by the linker (make build); without it, the version that the Go
// toolchain recorded is printed.
var version string

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // the command failed; healthcheck: not ready
	exitUsage  = 2 // wrong command line or configuration; nothing was started
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run carries out one command with the settings of the environment and returns the
// exit status. Tests call it instead of main.
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

// start reads the configuration and runs the bot until ctx is done.
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

// healthcheck asks the running bot, found by the same settings, whether it is ready.
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

// newLogger returns the program's logger. Every line passes the redactor.
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

const usage = `hstockbot: a Telegram bot for the HStockPlus marketplace

Usage: hstockbot [command]

Commands:
  run          run the bot (the default command)
  demo         try it: a pretend marketplace, a pretend Telegram and a page to chat on
               -addr host:port  address of the page, on loopback (default: 127.0.0.1:8090)
               -data DIR        keep everything in this folder for the next time
               -seed N          sell the same goods and prices for the same N
  version      print the version
  help         print this
  healthcheck  exit with 0 if the running bot is ready, else with 1

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

// known returns a command only if it is one: other input may be a secret.
func known(command string) string {
	switch command {
	case "run", "demo", "version", "help", "healthcheck":
		return command
	default:
		return "hstockbot"
	}
}

// finish turns the error of a command into its exit status.
func finish(stderr io.Writer, err error) int {
	if err != nil {
		return fail(stderr, exitFailed, err)
	}
	return exitOK
}

// fail prints one line that says what is wrong. An error of writing that line can't
// be reported anywhere.
func fail(stderr io.Writer, status int, err error) int {
	line := strings.ReplaceAll(new(redact.Redactor).String(err.Error()), "\n", "; ")
	_, _ = fmt.Fprintf(stderr, "hstockbot: %s\n", line)
	return status
}

// runBot starts the program, waits for ctx, and stops it.
func runBot(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	began := time.Now()
	program, err := app.New(ctx, cfg, app.Options{Log: log, Version: buildVersion(), GoVersion: runtime.Version()})
	if err != nil {
		return err
	}
	defer func() {
		// What was cut off is in the database and goes on at the next start.
		if err := program.Stop(context.WithoutCancel(ctx)); err != nil {
			log.Error("stop incomplete", "error", err)
		}
	}()
	if err := program.Start(ctx); err != nil {
		return err
	}
	log.Info("started", "version", buildVersion(), "took", time.Since(began).Round(time.Millisecond))
	<-ctx.Done()
	log.Info("stopping")
	return nil
}

// demo reads the flags of its command and runs the bot against the pretend world
// until ctx is done. Its errors don't repeat the input, which may be a secret.
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
