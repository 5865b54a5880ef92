package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hstockbot/internal/config"
	"hstockbot/internal/ops"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
)

const testToken = "123456789:AAabcdefghijklmnopqrstuvwxyz0123456"

// environment sets these settings and unsets all others.
func environment(t *testing.T, values map[string]string) {
	t.Helper()
	for _, s := range config.Settings() {
		t.Setenv(s.Name, "") // the test restores it
		if value, ok := values[s.Name]; ok {
			t.Setenv(s.Name, value)
		} else if err := os.Unsetenv(s.Name); err != nil {
			t.Fatal(err)
		}
	}
}

// command runs a command and returns its status and output.
func command(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, &out, &errs)
	return status, out.String(), errs.String()
}

func TestVersion(t *testing.T) {
	environment(t, nil)
	status, stdout, stderr := command(t, "version")
	if status != exitOK || !strings.HasPrefix(stdout, "hstockbot ") || !strings.Contains(stdout, ", commit ") || stderr != "" {
		t.Errorf("got %d %q %q", status, stdout, stderr)
	}
}

func TestHelpListsCommandsAndSettings(t *testing.T) {
	environment(t, nil)
	for _, word := range []string{"help", "-h", "--help"} {
		status, stdout, stderr := command(t, word)
		if status != exitOK || stderr != "" {
			t.Errorf("%s: got %d %q", word, status, stderr)
		}
		for _, name := range []string{"run", "demo", "backup", "restore", "migrate-db", "rotate", "version", "help", "healthcheck"} {
			if !strings.Contains(stdout, "\n  "+name+" ") {
				t.Errorf("%s does not list the command %s", word, name)
			}
		}
		for _, s := range config.Settings() {
			if !strings.Contains(stdout, "\n  "+s.Name+" ") {
				t.Errorf("%s does not list the setting %s", word, s.Name)
			}
		}
	}
}

func TestWrongCommandLineIsRefused(t *testing.T) {
	environment(t, nil)
	const canary = "CANARY"
	for _, args := range [][]string{
		{canary},
		{testToken},
		{""},
		{"run", canary},
		{"version", "x"},
		{canary, canary},
		{"migrate-db"},
		{"migrate-db", canary},
		{"migrate-db", canary, canary, canary},
	} {
		status, stdout, stderr := command(t, args...)
		if status != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "hstockbot help") {
			t.Errorf("%q: got %d %q %q", args, status, stdout, stderr)
		}
		if strings.Contains(stderr, canary) || strings.Contains(stderr, testToken) {
			t.Errorf("%q is repeated in %q", args, stderr)
		}
	}
}

// A wrong flag of the demo gives status 2 and one line without its value.
func TestWrongDemoFlagsAreRefused(t *testing.T) {
	environment(t, nil)
	const canary = "CANARY"
	for _, test := range []struct{ args, want string }{
		{"-addr", "-addr host:port"},
		{"-addr 0.0.0.0:8090", "loopback only"},
		{"-addr :8090", "loopback only"},
		{"-addr " + canary + ":8090", "loopback only"},
		{"-addr " + canary, "host:port"},
		{"-addr 127.0.0.1:99999", "65535"},
		{"-seed -1", "-seed N"},
		{"-seed " + canary, "-seed N"},
		{"-" + canary, "-data DIR"},
		{canary, "-data DIR"},
		{"-seed 1 " + canary, "-data DIR"},
	} {
		status, stdout, stderr := command(t, append([]string{"demo"}, strings.Fields(test.args)...)...)
		if status != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, test.want) {
			t.Errorf("demo %s: got %d %q %q", test.args, status, stdout, stderr)
		}
		if strings.Contains(stderr, canary) {
			t.Errorf("demo %s is repeated in %q", test.args, stderr)
		}
	}
	for _, flag := range []string{"-h", "-help"} {
		if status, stdout, stderr := command(t, "demo", flag); status != exitOK || !strings.Contains(stdout, "-seed N") || stderr != "" {
			t.Errorf("demo %s: got %d %q %q", flag, status, stdout, stderr)
		}
	}
}

// Each wrong setting gives status 2 and one line that names it without its value.
func TestWrongSettingsAreRefused(t *testing.T) {
	const canary = "CANARY"
	for _, s := range config.Settings() {
		for _, args := range [][]string{nil, {"run"}} {
			value := canary + " \x01 " + strings.Repeat(canary, 100) // wrong for every setting
			values := map[string]string{"TELEGRAM_TOKEN": testToken}
			values[s.Name] = value
			environment(t, values)
			status, stdout, stderr := command(t, args...)
			if status != exitUsage || stdout != "" {
				t.Errorf("%s: got %d %q", s.Name, status, stdout)
			}
			if !strings.HasPrefix(stderr, "hstockbot: "+s.Name+" takes ") || strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, "\n") {
				t.Errorf("%s: not one line that names it: %q", s.Name, stderr)
			}
			if strings.Contains(stderr, canary) || strings.Contains(stderr, testToken) {
				t.Errorf("%s: the line shows a value: %q", s.Name, stderr)
			}
		}
	}
}

func TestTokenIsRequired(t *testing.T) {
	environment(t, nil)
	status, _, stderr := command(t)
	if status != exitUsage || !strings.HasPrefix(stderr, "hstockbot: TELEGRAM_TOKEN is required") {
		t.Errorf("got %d %q", status, stderr)
	}
}

// storage decides whether SECRET_KEY is valid.
func TestSecretKey(t *testing.T) {
	for _, test := range []struct {
		name, value string
		good        bool
	}{
		{"one", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("n"), 32)), true},
		{"short", base64.StdEncoding.EncodeToString([]byte("short")), false},
		{"no base64", strings.Repeat("!", 44), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			environment(t, map[string]string{"TELEGRAM_TOKEN": testToken, "SECRET_KEY": test.value})
			_, err := loadConfig()
			if (err == nil) != test.good {
				t.Errorf("got %v", err)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "SECRET_KEY takes ") {
				t.Errorf("got %q", err)
			}
		})
	}
}

func TestLoggerHidesSecrets(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		secrets := map[string]string{
			"TELEGRAM_TOKEN": testToken,
			"HSTOCK_API_KEY": "operator-key-canary",
			"WEBHOOK_SECRET": "webhook-secret-canary",
			"SECRET_KEY":     base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("n"), 32)),
			"LOG_FORMAT":     format,
		}
		environment(t, secrets)
		cfg, err := loadConfig()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		log := newLogger(cfg, &out)
		for _, secret := range secrets {
			log.Info("about "+secret, "value", secret, "config", cfg, slog.Group("group", "value", secret))
			log.Debug("not at this level")
		}
		delete(secrets, "LOG_FORMAT")
		for name, secret := range secrets {
			if strings.Contains(out.String(), secret) {
				t.Errorf("%s: the log shows %s", format, name)
			}
		}
		if strings.Contains(out.String(), "not at this level") {
			t.Errorf("%s: the level is ignored", format)
		}
		if isJSON := strings.HasPrefix(out.String(), "{"); isJSON != (format == "json") {
			t.Errorf("%s: got %.20s", format, &out)
		}
	}
}

func TestHealthcheck(t *testing.T) {
	server := ops.New(ops.Options{Addr: "127.0.0.1:0", Metrics: ops.NewMetrics("test"), Log: slog.New(slog.DiscardHandler)})
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	addr := server.Addr()
	environment(t, map[string]string{"HTTP_ADDR": addr}) // needs no token
	if status, stdout, stderr := command(t, "healthcheck"); status != exitOK || stdout+stderr != "" {
		t.Errorf("ready: got %d %q %q", status, stdout, stderr)
	}
	if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := command(t, "healthcheck"); status != exitFailed || strings.Count(stderr, "\n") != 1 {
		t.Errorf("stopped: got %d %q", status, stderr)
	}
	t.Setenv("HTTP_ADDR", "nonsense")
	if status, _, stderr := command(t, "healthcheck"); status != exitUsage || !strings.HasPrefix(stderr, "hstockbot: HTTP_ADDR takes ") {
		t.Errorf("wrong address: got %d %q", status, stderr)
	}
}

// The settings that .env.example sets are valid but for the token.
func TestEnvironmentExample(t *testing.T) {
	content, err := os.ReadFile(".env.example")
	if err != nil {
		t.Fatal(err)
	}
	active := map[string]string{}
	for line := range strings.Lines(string(content)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			active[name] = value
		}
	}
	environment(t, active)
	if _, err := loadConfig(); err == nil || !strings.HasPrefix(err.Error(), "TELEGRAM_TOKEN is required") {
		t.Errorf("without a token: got %v, want that only the token is missing", err)
	}
	t.Setenv("TELEGRAM_TOKEN", testToken)
	if _, err := loadConfig(); err != nil {
		t.Errorf("with a token: %v", err)
	}
}

// asProgram makes the test binary run the program.
const asProgram = "HSTOCKBOT_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// programWorld is the program in a process of its own, between the two pretend
// servers, with HTTP over loopback on both sides.
type programWorld struct {
	t        testing.TB
	telegram *telegram.Server
	market   *market.Server
	env      []string
	dir      string
	process  *exec.Cmd
	log      bytes.Buffer
}

const customerKey = "canary-key-of-a-customer-0123"

func newProgramWorld(t testing.TB) *programWorld {
	t.Helper()
	s := &programWorld{
		t: t, dir: t.TempDir(), market: market.New(market.Options{}),
		telegram: telegram.New(telegram.Options{Token: testToken}),
	}
	s.market.AddKey(customerKey, "100.00", "USD")
	marketURL, telegramURL := httptest.NewServer(s.market), httptest.NewServer(s.telegram)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	_ = listener.Close() // the program takes the port
	s.env = append(os.Environ(), asProgram+"=1", "TELEGRAM_TOKEN="+testToken, "TELEGRAM_API_URL="+telegramURL.URL,
		"HSTOCK_API_URL="+marketURL.URL, "DATABASE_URL=sqlite:"+s.dir+"/data/bot.db", "HTTP_ADDR="+addr,
		"TELEGRAM_RATE=0", "LOG_LEVEL=debug")
	t.Setenv("HTTP_ADDR", addr)
	t.Cleanup(func() {
		s.kill()
		s.telegram.Close()
		s.market.Close()
		telegramURL.Close()
		marketURL.Close()
	})
	return s
}

func (s *programWorld) start() { s.startWith(&s.log) }

func (s *programWorld) startWith(stderr io.Writer) {
	s.t.Helper()
	s.process = exec.CommandContext(context.Background(), os.Args[0])
	s.process.Env, s.process.Stderr = s.env, stderr
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// kill ends the process with SIGKILL.
func (s *programWorld) kill() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait() // "signal: killed"
		s.process = nil
	}
}

// terminate stops the process with SIGTERM.
func (s *programWorld) terminate() {
	s.t.Helper()
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if err := s.process.Wait(); err != nil {
		s.t.Errorf("after SIGTERM it ended with %v:\n%s", err, &s.log)
	}
	s.process = nil
}

// await waits until the chat shows such a message.
func (s *programWorld) await(client *telegram.Client, what string, shows func(telegram.Message) bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := client.Await(ctx, func(messages []telegram.Message) bool { return slices.ContainsFunc(messages, shows) })
	if err != nil {
		s.t.Fatalf("%s: %v; the chat is:\n%s\nthe log is:\n%s", what, err, client.Transcript(), &s.log)
	}
}

func (s *programWorld) awaitText(client *telegram.Client, text string) {
	s.t.Helper()
	s.await(client, text, func(m telegram.Message) bool { return m.FromBot && strings.Contains(m.Text, text) })
}

// tap waits for a button and taps it.
func (s *programWorld) tap(client *telegram.Client, label string) {
	s.t.Helper()
	s.await(client, label, func(m telegram.Message) bool {
		return slices.ContainsFunc(m.Keyboard, func(row []telegram.Button) bool {
			return slices.ContainsFunc(row, func(b telegram.Button) bool { return b.Text == label })
		})
	})
	if err := client.Tap(label); err != nil {
		s.t.Fatal(err)
	}
}

// buy lets Anna give her key and buy accounts.
func (s *programWorld) buy(quantity string) (anna *telegram.Client) {
	s.t.Helper()
	anna = s.telegram.Join(telegram.Person{ID: 1, FirstName: "Anna", LanguageCode: "en"})
	anna.Type("/key " + customerKey)
	s.awaitText(anna, "$100.00")
	anna.Type("/start p_2")
	for _, label := range []string{quantity, "Skip", "✅ Confirm"} {
		s.tap(anna, label)
	}
	return anna
}

// The program sells, is killed while the order is open, delivers after the next
// start, and stops on SIGTERM.
func TestProgramDeliversAfterAKill(t *testing.T) {
	environment(t, nil)
	s := newProgramWorld(t)
	if err := s.market.Hold(market.GmailUSA, true); err != nil {
		t.Fatal(err)
	}
	s.start()
	anna := s.buy("2")
	s.awaitText(anna, "Order #23501 placed")
	if status, _, stderr := command(t, "healthcheck"); status != exitOK {
		t.Errorf("the running bot is not ready: %s", stderr)
	}
	s.kill()

	if err := s.market.Finish(market.FirstOrder); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.awaitText(anna, "Order #23501 delivered")
	s.terminate()
	for _, secret := range append(s.market.Orders()[0].Accounts, testToken, customerKey) {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log holds a secret:\n%s", &s.log)
		}
	}
	if adds := s.market.Count("add"); adds != 1 {
		t.Errorf("%d requests to buy reached the marketplace, want 1", adds)
	}
}

// The program stores its data in PostgreSQL, between a tap and a restart.
func TestProgramOnPostgres(t *testing.T) {
	environment(t, nil)
	s := newProgramWorld(t)
	s.env = append(s.env, "DATABASE_URL="+pgtest.Empty(t), "SECRET_KEY="+base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("n"), 32)))
	s.start()
	anna := s.buy("1")
	s.awaitText(anna, "Order #23501 delivered")
	s.terminate()

	s.start()
	anna.Type("/orders")
	s.awaitText(anna, "My orders")
	s.terminate()
	if _, err := os.Stat(s.dir + "/data"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a folder for a database file: %v", err)
	}
	if strings.Contains(s.log.String(), "level=ERROR") {
		t.Errorf("the log is:\n%s", &s.log)
	}
}

// SIGHUP arrives when the terminal is closed.
func TestProgramStopsOnSIGHUP(t *testing.T) {
	environment(t, nil)
	s := newProgramWorld(t)
	s.start()
	anna := s.telegram.Join(telegram.Person{ID: 1, FirstName: "Anna", LanguageCode: "en"})
	anna.Type("/menu")
	s.awaitText(anna, "What would you like?")
	if err := s.process.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	err := s.process.Wait()
	s.process = nil
	if err != nil || !strings.Contains(s.log.String(), "stopping") {
		t.Errorf("it ended with %v:\n%s", err, &s.log)
	}
}

// The reader of the log is gone (its pipe is broken) or stuck (its pipe is full).
func TestProgramOutlivesTheReaderOfItsLog(t *testing.T) {
	for name, gone := range map[string]bool{"gone": true, "stuck": false} {
		t.Run(name, func(t *testing.T) {
			environment(t, nil)
			s := newProgramWorld(t)
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = reader.Close() }()
			if gone {
				_ = reader.Close()
			} else {
				fill(t, writer)
			}
			s.startWith(writer)
			_ = writer.Close()
			anna := s.telegram.Join(telegram.Person{ID: 1, FirstName: "Anna", LanguageCode: "en"})
			anna.Type("/menu")
			s.awaitText(anna, "What would you like?")
			if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			process := s.process.Process
			watchdog := time.AfterFunc(20*time.Second, func() { _ = process.Kill() })
			defer watchdog.Stop()
			err = s.process.Wait()
			s.process = nil
			if err != nil {
				t.Errorf("it ended with %v", err) // "signal: killed": it did not stop
			}
		})
	}
}

// fill writes to a pipe until it is full.
func fill(t *testing.T, pipe *os.File) {
	t.Helper()
	if err := pipe.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for {
		_, err := pipe.Write(make([]byte, 1<<10))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkColdStart measures the time from the start of the process, with an empty
// folder, to its first getUpdates.
func BenchmarkColdStart(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s := newProgramWorld(b)
		s.telegram.Join(telegram.Person{ID: 1, FirstName: "Ann"}).Type("/menu")
		changes, cancel := s.telegram.Subscribe()
		b.StartTimer()
		s.start()
		for s.telegram.Count("getUpdates") == 0 {
			<-changes
		}
		b.StopTimer()
		cancel()
		s.kill()
		b.StartTimer()
	}
}

// BenchmarkMemory reports the resident memory of the program after 10,000 taps
// of 200 people.
func BenchmarkMemory(b *testing.B) {
	s := newProgramWorld(b)
	s.start()
	for b.Loop() {
		var tapping sync.WaitGroup
		for i := range 200 {
			tapping.Go(func() {
				person := s.telegram.Join(telegram.Person{ID: int64(i + 1), FirstName: "Ann", LanguageCode: "en"})
				person.Type("/menu")
				s.awaitText(person, "What would you like?")
				for range 25 {
					s.tap(person, "❓ Help")
					s.awaitText(person, "How it works")
					s.tap(person, "🏠 Menu")
					s.awaitText(person, "What would you like?")
				}
			})
		}
		tapping.Wait()
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.Process.Pid))
	if err != nil {
		b.Skip("resident memory is read from /proc")
	}
	for line := range strings.Lines(string(status)) {
		var kB float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kB); n == 1 {
			b.ReportMetric(kB/1024, "MB-resident")
		}
	}
}
