package handlers_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
)

// The environment of the process that BenchmarkTap measures.
const (
	envTapped   = "HSTOCKBOT_TEST_TAPPED" // what it runs; set only for that process
	envDatabase = "HSTOCKBOT_TEST_DATABASE"
	envMarket   = "HSTOCKBOT_TEST_MARKET"
	envTelegram = "HSTOCKBOT_TEST_TELEGRAM"
	envProfile  = "HSTOCKBOT_TEST_PROFILE" // a folder for profiles

	tappedBot     = "bot"
	tappedLibrary = "library"
)

// measured is what the taps on a process took.
type measured struct {
	cpu  time.Duration // of the process, in all
	rate float64       // taps a second
}

// tapProcess taps on what runs in a process of its own.
func tapProcess(b *testing.B, tapped string) measured {
	b.Helper()
	l := testworld.NewLoopback(b, telegram.Options{NoLog: true})
	l.DatabaseURL = "sqlite:" + filepath.Join(b.TempDir(), "bot.db")
	cfg := l.Config(b, 0)
	process := exec.CommandContext(b.Context(), os.Args[0])
	process.Env = append(os.Environ(), envTapped+"="+tapped, envDatabase+"="+cfg.DatabaseURL, envMarket+"="+cfg.HStockAPIURL, envTelegram+"="+cfg.TelegramAPIURL)
	process.Stderr = os.Stderr
	ask, err := process.StdinPipe()
	must(b, err)
	answers, err := process.StdoutPipe()
	must(b, err)
	must(b, process.Start())
	lines := bufio.NewScanner(answers)
	usedCPU := func() time.Duration {
		_, err := io.WriteString(ask, "\n")
		must(b, err)
		lines.Scan()
		used, err := strconv.ParseInt(lines.Text(), 10, 64)
		must(b, errors.Join(lines.Err(), err))
		return time.Duration(used)
	}
	var before time.Duration
	rate := tapAll(b, l.Telegram, func() { before = usedCPU() })
	m := measured{cpu: usedCPU() - before, rate: rate}
	b.ReportMetric(float64(m.cpu.Microseconds())/float64(b.N), "cpu-µs/tap")
	must(b, ask.Close())
	must(b, process.Wait())
	return m
}

// runUntilEOF is that process: it runs the bot, or the library, and prints the CPU time
// that it has used for each line that it reads, in nanoseconds, until the input ends.
func runUntilEOF(tapped string) error {
	if folder := os.Getenv(envProfile); folder != "" {
		stop, err := profile(filepath.Join(folder, tapped))
		if err != nil {
			return err
		}
		defer stop()
	}
	start := startBot
	if tapped == tappedLibrary {
		start = startLibrary
	}
	stop, err := start(context.Background())
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var used syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(os.Stdout, used.Utime.Nano()+used.Stime.Nano()); err != nil {
			return err
		}
	}
	return stop()
}

// startBot starts the program as it is shipped.
func startBot(ctx context.Context) (stop func() error, err error) {
	cfg := testworld.BaseConfig(os.Getenv(envDatabase))
	cfg.TelegramAPIURL, cfg.HStockAPIURL = os.Getenv(envTelegram), os.Getenv(envMarket)
	program, err := testworld.NewApp(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return func() error { return program.Stop(ctx) }, program.Start(ctx)
}

func startLibrary(ctx context.Context) (stop func() error, err error) {
	lib, err := newLibrary(os.Getenv(envTelegram))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { lib.Start(ctx) })
	return func() error { cancel(); running.Wait(); return nil }, nil
}

// profile begins a profile of the CPU. stop writes it, and one of the allocations.
func profile(path string) (stop func(), err error) {
	cpu, err := os.Create(path + ".cpu")
	if err != nil {
		return nil, err
	}
	allocations, err := os.Create(path + ".mem")
	if err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		err := errors.Join(cpu.Close(), pprof.Lookup("allocs").WriteTo(allocations, 0), allocations.Close())
		if err != nil {
			fmt.Fprintln(os.Stderr, strings.TrimSpace(err.Error()))
		}
	}, pprof.StartCPUProfile(cpu)
}
