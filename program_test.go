package main

import (
	"bytes"
	"context"
	"fmt"
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

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

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

func (s *programWorld) start() {
	s.t.Helper()
	s.process = exec.CommandContext(context.Background(), os.Args[0])
	s.process.Env, s.process.Stderr = s.env, &s.log
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

// The program sells, is killed while the order is open, delivers after the next
// start, and stops on SIGTERM.
func TestProgramDeliversAfterAKill(t *testing.T) {
	environment(t, nil)
	s := newProgramWorld(t)
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
		t.Errorf("the running bot is not ready: %s", stderr)
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
		t.Errorf("after SIGTERM it ended with %v:\n%s", err, &s.log)
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

// The program is killed while fifty people write; each gets an answer after the
// next start.
func TestProgramAnswersEverybodyAfterAKill(t *testing.T) {
	environment(t, nil)
	s := newProgramWorld(t)
	s.start()
	people := make([]*telegram.Client, 50)
	for i := range people {
		people[i] = s.telegram.Join(telegram.Person{ID: int64(i + 1), FirstName: "Ann", LanguageCode: "en"})
		people[i].Type("/menu")
	}
	s.awaitText(people[0], "What would you like?") // the others are still being answered
	s.kill()
	s.start()
	for _, person := range people {
		s.awaitText(person, "What would you like?")
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
