// Command hstockbot is a Telegram bot that sells what the HStockPlus marketplace
// offers: people browse, buy and receive goods in a chat.
//
// main owns the commands and their flags. Package app builds the program.
package main

import (
	"cmp"
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
	"syscall"
	"time"

	"hstockbot/internal/app"
	"hstockbot/internal/config"
	"hstockbot/internal/doctor"
	"hstockbot/internal/loop"
	"hstockbot/internal/ops"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/web"
	"hstockbot/locales"
	"hstockbot/storage"
)

// version, commit and date (of the commit) are set by the linker (make build); without
// them, what the Go toolchain recorded is printed.
var version, commit, date string

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // the command failed; healthcheck: not ready
	exitUsage  = 2 // wrong command line or configuration; nothing was started
)

func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
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
	if command == "migrate-db" {
		return migrateDB(ctx, args[1:], stdout, stderr)
	}
	if command == "doctor" {
		return examine(ctx, args[1:], stdout, stderr)
	}
	if command == "backup" || command == "restore" {
		return backup(ctx, command, args[1:], stdout, stderr)
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
	case "rotate":
		return rotate(ctx, stdout, stderr)
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
	signal.Ignore(syscall.SIGPIPE) // else writing to a closed standard error ends the process
	out := ops.NewLogWriter(stderr, newLogger(cfg, stderr))
	defer out.Close()
	log := newLogger(cfg, out)
	for _, warning := range cfg.Warnings() {
		log.Warn(warning)
	}
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
	known, err := knownSettings()
	if err != nil {
		return config.Config{}, err
	}
	return config.Load(known)
}

// knownSettings returns the rules of packages locales and storage.
func knownSettings() (config.Known, error) {
	bundle, err := locales.Load()
	if err != nil {
		return config.Known{}, err
	}
	known := knownDatabase()
	for _, language := range bundle.Languages() {
		known.Languages = append(known.Languages, language.Code)
	}
	return known, nil
}

// knownDatabase returns the rules of package storage.
func knownDatabase() config.Known {
	return config.Known{
		SecretKey: func(value string) error {
			_, err := storage.ParseKeys(value)
			return err
		},
		DatabaseFile: storage.FilePath, DatabaseHosts: storage.Hosts,
	}
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
	_, err := fmt.Fprintf(to, "hstockbot %s, commit %s of %s, %s\n", buildVersion(),
		cmp.Or(commit, recorded("vcs.revision"), "unknown"), cmp.Or(date, recorded("vcs.time"), "an unknown date"), buildSystem())
	return err
}

// buildSystem names the toolchain and the system that the program was built with and for.
func buildSystem() string {
	return fmt.Sprintf("%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH)
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

// recorded returns what the Go toolchain recorded about the source, "" for nothing.
func recorded(key string) string {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return ""
	}
	for _, setting := range info.Settings {
		if setting.Key == key {
			return setting.Value
		}
	}
	return ""
}

const usage = `hstockbot: a Telegram bot for the HStockPlus marketplace

Usage: hstockbot [command]

Commands:
  run          run the bot (the default command)
  demo         try it: a pretend marketplace, a pretend Telegram and a page to chat on
               -addr host:port  address of the page, on loopback (default: 127.0.0.1:8090)
               -data DIR        keep everything in this folder for the next time
               -seed N          sell the same goods and prices for the same N
  backup FILE  copy the database file to a new file, or with - to standard output, also
               while the bot runs
  restore FILE put a backup in the place of the database file. Stop the bot first
  migrate-db FROM TO
               move everything to another, empty database; both as in DATABASE_URL.
               Stop the bot first
  rotate       encrypt everything with the newest key, also while the bot runs
  doctor       say what is wrong with the settings, Telegram, the marketplace and the
               database, and what to do; exit with 1 if something is bad. It changes
               nothing and may run beside the bot
               -json            print an array of objects
  version      print the version, the commit and its date
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
	case "run", "demo", "backup", "restore", "migrate-db", "rotate", "doctor", "version", "help", "healthcheck":
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

// deadStop is how long a program may take to stop that others count as dead: they may do
// its work.
const deadStop = time.Second

// runBot runs the bot until ctx is done. A process that others count as dead starts again.
func runBot(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	dead, err := runUntilDead(ctx, cfg, log)
	if !dead {
		return err
	}
	for failures := 0; ctx.Err() == nil; {
		if dead {
			failures = 0
			log.Error("the database could not be told in time that this process is alive, starting again")
		}
		if dead, err = runUntilDead(ctx, cfg, log); err != nil {
			failures++
			wait := loop.Backoff(time.Second, time.Minute, failures)
			log.Error("starting again failed", "retry_in", wait, "error", err)
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
	}
	return nil
}

// runUntilDead runs the bot until ctx is done, or until others may count this process as
// dead.
func runUntilDead(ctx context.Context, cfg config.Config, log *slog.Logger) (dead bool, err error) {
	began := time.Now()
	program, err := app.New(ctx, cfg, app.Options{Log: log, Version: buildVersion(), GoVersion: runtime.Version()})
	if err != nil {
		if ctx.Err() != nil { // stopped while it waited for another process
			return false, nil
		}
		return false, err
	}
	defer func() {
		ctx := context.WithoutCancel(ctx)
		if dead {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, deadStop)
			defer cancel()
		}
		// What was cut off is in the database and goes on at the next start.
		if err := program.Stop(ctx); err != nil {
			log.Error("stop incomplete", "error", err)
		}
	}()
	if err := program.Start(ctx); err != nil {
		return false, err
	}
	log.Info("started", "version", buildVersion(), "took", time.Since(began).Round(time.Millisecond))
	select {
	case <-ctx.Done():
		log.Info("stopping")
		return false, nil
	case <-program.Replica.Dead():
		return true, nil
	}
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

// examine says what is wrong with the bot that these settings describe.
func examine(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	asJSON := flags.Bool("json", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return finish(stderr, printHelp(stdout))
	case err != nil || flags.NArg() > 0:
		return fail(stderr, exitUsage, errors.New("doctor takes nothing but -json; try: hstockbot help"))
	}
	known, err := knownSettings()
	if err != nil {
		return fail(stderr, exitFailed, err)
	}
	cfg, problems := config.LoadAll(known)
	lines := doctor.Examine(ctx, doctor.Options{Config: cfg, Problems: problems, Version: buildVersion(), Build: buildSystem(), IsLocked: app.IsLocked})
	show := doctor.Print
	if *asJSON {
		show = doctor.PrintJSON
	}
	if err := show(stdout, lines); err != nil {
		return fail(stderr, exitFailed, err)
	}
	if doctor.HasBad(lines) {
		return fail(stderr, exitFailed, errors.New("something is bad; each such line says what to do"))
	}
	return exitOK
}

// migrateDB moves a shop to another database. Its errors repeat neither the input nor a
// secret.
func migrateDB(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 1 && slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
		return finish(stderr, printHelp(stdout))
	}
	if len(args) != 2 {
		return fail(stderr, exitUsage, errors.New("migrate-db takes FROM and TO, the addresses of two databases; try: hstockbot help"))
	}
	for _, url := range args {
		if _, err := storage.FilePath(url); err != nil {
			return fail(stderr, exitUsage, err)
		}
	}
	key, err := config.LoadSecretKey(knownDatabase(), args[0])
	if err != nil {
		return fail(stderr, exitUsage, err)
	}
	err = app.Move(ctx, app.MoveOptions{From: args[0], To: args[1], SecretKey: key, Progress: stderr})
	if err != nil {
		from, to := config.Config{DatabaseURL: args[0], SecretKey: key}, config.Config{DatabaseURL: args[1]}
		hidden := redact.New(append(from.Secrets(), to.Secrets()...)...)
		return fail(stderr, exitFailed, errors.New(hidden.String(err.Error())))
	}
	_, err = fmt.Fprintln(stdout, "Moved. Set DATABASE_URL to the new database and keep the secret key: "+
		"SECRET_KEY, or the content of secret.key beside the old one. The bot refuses the old database now.")
	return finish(stderr, err)
}

// rotate encrypts everything with the newest key. Its errors repeat no secret.
func rotate(ctx context.Context, stdout, stderr io.Writer) int {
	cfg, err := config.LoadDatabase(knownDatabase())
	if err != nil {
		return fail(stderr, exitUsage, err)
	}
	result, err := app.Rotate(ctx, cfg, stderr)
	if err != nil {
		status := exitFailed
		if errors.Is(err, storage.ErrKeyNotUsed) {
			status = exitUsage
		}
		return fail(stderr, status, errors.New(redact.New(cfg.Secrets()...).String(err.Error())))
	}
	_, err = fmt.Fprintln(stdout, result)
	return finish(stderr, err)
}

// backup makes or restores a backup. Its errors repeat neither the input nor a secret.
func backup(ctx context.Context, command string, args []string, stdout, stderr io.Writer) int {
	if len(args) == 1 && slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
		return finish(stderr, printHelp(stdout))
	}
	toStdout := command == "backup" && len(args) == 1 && args[0] == "-"
	if len(args) != 1 || args[0] == "" || strings.HasPrefix(args[0], "-") && !toStdout {
		return fail(stderr, exitUsage, fmt.Errorf("%s takes FILE, the name of a file; try: hstockbot help", command))
	}
	cfg, err := config.LoadDatabase(knownDatabase())
	if err != nil {
		return fail(stderr, exitUsage, err)
	}
	signal.Ignore(syscall.SIGPIPE) // else the end of a pipe ends the process without a word
	var result string
	if command == "backup" {
		result, err = app.Backup(ctx, cfg, args[0], stdout, stderr)
	} else {
		result, err = app.Restore(ctx, cfg, args[0], stderr)
	}
	if err != nil {
		return fail(stderr, exitFailed, errors.New(redact.New(cfg.Secrets()...).String(err.Error())))
	}
	if toStdout {
		stdout = stderr
	}
	_, err = fmt.Fprintln(stdout, result)
	return finish(stderr, err)
}
