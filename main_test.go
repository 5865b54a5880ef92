package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
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
	"hstockbot/internal/sandbox/telegram"
)

const testToken = "123456789:AAabcdefghijklmnopqrstuvwxyz0123456"

// environment makes these the only settings.
func environment(t *testing.T, values map[string]string) {
	t.Helper()
	for _, s := range config.Settings() {
		t.Setenv(s.Name, "") // restores whatever it was
		if value, ok := values[s.Name]; ok {
			t.Setenv(s.Name, value)
		} else if err := os.Unsetenv(s.Name); err != nil {
			t.Fatal(err)
		}
	}
}

// command carries one out and returns what it leaves.
func command(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, &out, &errs)
	return status, out.String(), errs.String()
}

func TestVersion(t *testing.T) {
	environment(t, nil)
	status, stdout, stderr := command(t, "version")
	if status != exitOK || !strings.HasPrefix(stdout, "hstockbot ") || stderr != "" {
		t.Errorf("got %d %q %q", status, stdout, stderr)
	}
}

func TestHelpNamesEverything(t *testing.T) {
	environment(t, nil)
	for _, word := range []string{"help", "-h", "--help"} {
		status, stdout, stderr := command(t, word)
		if status != exitOK || stderr != "" {
			t.Errorf("%s: got %d %q", word, status, stderr)
		}
		for _, name := range []string{"run", "demo", "version", "help", "healthcheck"} {
			if !strings.Contains(stdout, "\n  "+name+" ") {
				t.Errorf("%s does not name the command %s", word, name)
			}
		}
		for _, s := range config.Settings() {
			if !strings.Contains(stdout, "\n  "+s.Name+" ") {
				t.Errorf("%s does not name the setting %s", word, s.Name)
			}
		}
	}
}

func TestWrongCommandLine(t *testing.T) {
	environment(t, nil)
	const canary = "CANARY"
	for _, args := range [][]string{{canary}, {testToken}, {""}, {"run", canary}, {"version", "x"}, {canary, canary}} {
		status, stdout, stderr := command(t, args...)
		if status != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "hstockbot help") {
			t.Errorf("%q: got %d %q %q", args, status, stdout, stderr)
		}
		if strings.Contains(stderr, canary) || strings.Contains(stderr, testToken) {
			t.Errorf("%q is repeated: %q", args, stderr)
		}
	}
}

// A wrong flag of the demo: status 2, one line, and nothing of its value.
func TestWrongDemo(t *testing.T) {
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
			t.Errorf("demo %s is repeated: %q", test.args, stderr)
		}
	}
	for _, flag := range []string{"-h", "-help"} {
		if status, stdout, stderr := command(t, "demo", flag); status != exitOK || !strings.Contains(stdout, "-seed N") || stderr != "" {
			t.Errorf("demo %s: got %d %q %q", flag, status, stdout, stderr)
		}
	}
}

// A wrong setting, whichever it is: status 2, one line that names it, and
// nothing of its value.
func TestWrongConfiguration(t *testing.T) {
	const canary = "CANARY"
	for _, s := range config.Settings() {
		for _, args := range [][]string{nil, {"run"}} {
			value := canary + " \x01 " + strings.Repeat(canary, 100) // wrong for each of them
			values := map[string]string{"TELEGRAM_TOKEN": testToken}
			values[s.Name] = value
			environment(t, values)
			status, stdout, stderr := command(t, args...)
			if status != exitUsage || stdout != "" {
				t.Errorf("%s: got %d %q", s.Name, status, stdout)
			}
			if !strings.HasPrefix(stderr, "hstockbot: "+s.Name+" takes ") || strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, "\n") {
				t.Errorf("%s: not one line about it: %q", s.Name, stderr)
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

// SECRET_KEY is judged by those who seal with it.
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
			t.Errorf("%s: the level is not kept", format)
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
		t.Errorf("gone: got %d %q", status, stderr)
	}
	t.Setenv("HTTP_ADDR", "nonsense")
	if status, _, stderr := command(t, "healthcheck"); status != exitUsage || !strings.HasPrefix(stderr, "hstockbot: HTTP_ADDR takes ") {
		t.Errorf("wrong address: got %d %q", status, stderr)
	}
}

// .env.example names every setting once, shows the default where there is one,
// and works as it is but for the token.
func TestEnvironmentExample(t *testing.T) {
	file, err := os.Open(".env.example")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	shown, active := map[string]string{}, map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line, commented := strings.CutPrefix(lines.Text(), "#")
		name, value, ok := strings.Cut(line, "=")
		if !ok || name == "" || strings.ContainsAny(name, " #") {
			continue
		}
		if _, twice := shown[name]; twice {
			t.Errorf("%s stands there twice", name)
		}
		shown[name] = value
		if !commented {
			active[name] = value
		}
	}
	for _, s := range config.Settings() {
		value, ok := shown[s.Name]
		if !ok {
			t.Errorf("%s is missing", s.Name)
		}
		if s.Default != "" && value != s.Default {
			t.Errorf("%s: shows %q, the default is %q", s.Name, value, s.Default)
		}
		delete(shown, s.Name)
	}
	for name := range shown {
		t.Errorf("%s is no setting", name)
	}

	environment(t, active)
	if _, err := loadConfig(); err == nil || !strings.HasPrefix(err.Error(), "TELEGRAM_TOKEN is required") {
		t.Errorf("as it is: got %v, want that only the token is missing", err)
	}
	t.Setenv("TELEGRAM_TOKEN", testToken)
	if _, err := loadConfig(); err != nil {
		t.Errorf("with a token: %v", err)
	}
}

// asProgram makes the test binary be the program itself.
const asProgram = "HSTOCKBOT_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// shopping is the program in a process of its own, between the two pretend
// servers, with real HTTP on both sides.
type shopping struct {
	t        testing.TB
	telegram *telegram.Server
	market   *market.Server
	env      []string
	dir      string
	process  *exec.Cmd
	log      bytes.Buffer
}

const customerKey = "canary-key-of-a-customer-0123"

func goShopping(t testing.TB) *shopping {
	t.Helper()
	s := &shopping{
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
	_ = listener.Close() // free for the program
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

func (s *shopping) start() {
	s.t.Helper()
	s.process = exec.CommandContext(context.Background(), os.Args[0])
	s.process.Env, s.process.Stderr = s.env, &s.log
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// kill ends the process as a power cut would.
func (s *shopping) kill() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait() // "signal: killed"
		s.process = nil
	}
}

// await waits for the chat to show something.
func (s *shopping) await(client *telegram.Client, what string, shows func(telegram.Message) bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := client.Await(ctx, func(messages []telegram.Message) bool { return slices.ContainsFunc(messages, shows) })
	if err != nil {
		s.t.Fatalf("%s: %v; the chat is:\n%s\nthe log is:\n%s", what, err, client.Transcript(), &s.log)
	}
}

func (s *shopping) awaitText(client *telegram.Client, text string) {
	s.t.Helper()
	s.await(client, text, func(m telegram.Message) bool { return m.FromBot && strings.Contains(m.Text, text) })
}

// tap waits for a button and taps it.
func (s *shopping) tap(client *telegram.Client, label string) {
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

// TestTheProgram buys through the program itself, kills it while the order is
// open, and stops the next one politely.
func TestTheProgram(t *testing.T) {
	environment(t, nil)
	s := goShopping(t)
	if err := s.market.Hold(market.GmailUSA, true); err != nil {
		t.Fatal(err)
	}
	s.start()
	anna := s.telegram.Join(telegram.Person{ID: 1, FirstName: "Anna", LanguageCode: "en"})
	anna.Type("/key " + customerKey)
	s.awaitText(anna, "$100.00")
	anna.Type("/start p_2")
	s.tap(anna, "2")
	s.tap(anna, "Skip")
	s.tap(anna, "✅ Confirm")
	s.awaitText(anna, "Order #23501 placed")
	if status, _, stderr := command(t, "healthcheck"); status != exitOK {
		t.Errorf("a running bot is not ready: %s", stderr)
	}
	s.kill()

	if err := s.market.Finish(market.FirstOrder); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.awaitText(anna, "Order #23501 delivered")
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.process.Wait(); err != nil {
		t.Errorf("asked to stop, it ended with %v:\n%s", err, &s.log)
	}
	s.process = nil
	for _, secret := range append(s.market.Orders()[0].Accounts, testToken, customerKey) {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log holds a secret:\n%s", &s.log)
		}
	}
	if adds := s.market.Count("add"); adds != 1 {
		t.Errorf("%d requests to buy reached the marketplace, want 1", adds)
	}
}

// TestNothingTypedIsLost kills the program while fifty people type.
func TestNothingTypedIsLost(t *testing.T) {
	environment(t, nil)
	s := goShopping(t)
	s.start()
	people := make([]*telegram.Client, 50)
	for i := range people {
		people[i] = s.telegram.Join(telegram.Person{ID: int64(i + 1), FirstName: "Ann", LanguageCode: "en"})
		people[i].Type("/menu")
	}
	s.awaitText(people[0], "What would you like?") // in the midst of it
	s.kill()
	s.start()
	for _, person := range people {
		s.awaitText(person, "What would you like?")
	}
}

// BenchmarkColdStart measures from the start of the process, with an empty
// folder, to its first answered poll.
func BenchmarkColdStart(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s := goShopping(b)
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
	s := goShopping(b)
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
