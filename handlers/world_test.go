package handlers_test

import (
	"bytes"
	"context"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"hstockbot/internal/app"
	"hstockbot/internal/config"
	"hstockbot/internal/ops"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/memnet"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/locales"
)

var update = flag.Bool("update", false, "write the golden transcripts anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	token       = "1234567:AAcanary-token-of-the-pretend-bot"
	annaKey     = "canary-key-anna-0123456789"
	poorKey     = "canary-key-poor-0123456789"
	operatorKey = "canary-key-operator-012345"
	secretKey   = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" // of the tests only
	adminID     = 4000
)

var anna = telegram.Person{ID: 1001, FirstName: "Anna", Username: "anna", LanguageCode: "en"}

// world is the whole bot with both pretend servers, inside a bubble of
// simulated time: everything is idle when settle returns.
type world struct {
	t        *testing.T
	dir      string
	net      *memnet.Network
	market   *market.Server
	telegram *telegram.Server
	anna     *telegram.Client
	l        *locales.Localizer // of Anna
	bundle   *locales.Bundle
	log      *lockedBuffer
	rate     float64 // of the bot's messages

	operator redact.Secret // the operator's key; a change takes a restart, as does the next one
	allowed  []int64
	admins   []int64

	marketDown moment // since when the marketplace counts as down

	app *app.App
}

// inWorld runs a scenario with a person whose Telegram speaks lang. The bot's
// own errors, a refusal of the pretend Telegram, and a secret in the log or in
// the database file fail it.
func inWorld(t *testing.T, lang string, scenario func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, dir: t.TempDir(), net: memnet.New(), log: &lockedBuffer{}, rate: 30, operator: operatorKey, admins: []int64{adminID}}
		w.market = market.New(market.Options{})
		_, stopMarket := w.net.Serve("market", w.market)
		w.telegram = telegram.New(telegram.Options{Token: token, Username: "shop_bot", Name: "Shop"})
		_, stopTelegram := w.net.Serve("telegram", w.telegram)
		for _, key := range []string{annaKey, operatorKey} {
			w.market.AddKey(key, "100.00", "USD")
		}
		w.market.AddKey(poorKey, "1.00", "USD")
		var err error
		w.bundle, err = loadLanguages()
		must(t, err)
		person := anna
		person.LanguageCode = lang
		w.l = w.bundle.Localizer(w.bundle.Match(lang, "en"))
		w.start()
		w.anna = w.telegram.Join(person)

		scenario(w)

		w.stop()
		w.telegram.Close()
		w.market.Close()
		stopTelegram()
		stopMarket()
		w.checkSecrets()
		if violations := w.market.Violations(); len(violations) > 0 {
			t.Errorf("the marketplace was asked what the document does not allow: %q", violations)
		}
	})
}

// start builds and starts the program on the world's database.
func (w *world) start() {
	w.t.Helper()
	log := slog.New(redact.New(redact.Secret(token), operatorKey).Handler(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	var err error
	w.app, err = app.New(w.t.Context(), config.Config{
		TelegramToken: token, TelegramAPIURL: "http://telegram", TelegramRate: w.rate,
		HStockAPIURL: "http://market", HStockAPIKey: w.operator, HStockRate: 20, CatalogTTL: 5 * time.Minute, SMMRatePer: 1000,
		DatabaseURL: "sqlite:" + filepath.Join(w.dir, "bot.db"), SecretKey: secretKey,
		AdminIDs: w.admins, AllowedIDs: w.allowed, DefaultLang: "en", SupportText: "support@hstockplus.net",
	}, app.Options{
		Log: log, Version: "v1.2.3", GoVersion: "go1.26", Bundle: w.bundle, Dial: w.net.Dial,
		CallStats: func() (market, telegram ops.Snapshot) {
			return ops.Snapshot{
				Calls: 320, Errors: 3, LastError: "balance: unreachable", LastErrorAt: time.Now().Add(-time.Minute), DownSince: w.marketDown.get(), Answers: true,
			}, ops.Snapshot{Calls: 1234}
		},
	})
	must(w.t, err)
	must(w.t, w.app.Start(w.t.Context()))
	settle()
}

// stop ends the program, not the world.
func (w *world) stop() {
	w.t.Helper()
	must(w.t, w.app.Stop(context.WithoutCancel(w.t.Context())))
}

// restart ends the bot and starts another one on the same database.
func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.start()
}

func settle() { synctest.Wait() }

// pass lets simulated time pass and everything in it happen.
func pass(d time.Duration) {
	time.Sleep(d) // in a bubble: no real time
	settle()
}

// type_ types text, and a moment passes.
func (w *world) types(text string) {
	w.t.Helper()
	w.anna.Type(text)
	pass(time.Second)
}

// tap taps the button whose label is this message.
func (w *world) tap(id string) {
	w.t.Helper()
	w.tapLabel(w.l.Label(id))
}

func (w *world) tapLabel(label string) {
	w.t.Helper()
	if err := w.anna.Tap(label); err != nil {
		w.t.Fatal(err)
	}
	pass(time.Second)
}

// tapLike taps the newest button whose label contains part.
func (w *world) tapLike(part string) {
	w.t.Helper()
	for _, m := range slices.Backward(w.anna.Messages()) {
		for _, row := range m.Keyboard {
			for _, b := range row {
				if !m.Deleted && strings.Contains(b.Text, part) {
					must(w.t, w.anna.TapOn(m.ID, b.Text))
					pass(time.Second)
					return
				}
			}
		}
	}
	w.t.Fatalf("no button has %q; the chat is:\n%s", part, w.anna.Transcript())
}

// tapTo taps the button of the newest message that carries this data.
func (w *world) tapTo(data string) {
	w.t.Helper()
	last := w.anna.Last()
	for _, row := range last.Keyboard {
		for _, b := range row {
			if b.CallbackData == data {
				must(w.t, w.anna.TapOn(last.ID, b.Text))
				pass(time.Second)
				return
			}
		}
	}
	w.t.Fatalf("no button carries %q; the chat is:\n%s", data, w.anna.Transcript())
}

// become makes everything that follows be done by another person.
func (w *world) become(person telegram.Person) *telegram.Client {
	w.t.Helper()
	w.anna = w.telegram.Join(person)
	return w.anna
}

// beAdmin makes an admin the one whose chat the test goes on in.
func (w *world) beAdmin() *telegram.Client {
	w.t.Helper()
	return w.become(telegram.Person{ID: adminID, FirstName: "Boss", LanguageCode: w.l.Lang()})
}

// as lets somebody else act in Anna's place.
func (w *world) as(person telegram.Person, act func()) {
	w.t.Helper()
	before := w.anna
	w.become(person)
	act()
	w.anna = before
}

// open opens a product by its deep link.
func (w *world) open(service string) {
	w.t.Helper()
	w.types("/start p_" + service)
}

// withKey gives a key without telling of it in the transcript's own scenario.
func (w *world) withKey(key string) {
	w.t.Helper()
	w.types("/key " + key)
}

// says fails unless some message of the chat holds the text.
func (w *world) says(text string) {
	w.t.Helper()
	if !strings.Contains(w.anna.Transcript(), text) {
		w.t.Errorf("the chat does not say %q:\n%s", text, w.anna.Transcript())
	}
}

// golden compares the chat's history with the file of this scenario.
func (w *world) golden(name string) {
	w.t.Helper()
	got := w.anna.History()
	path := filepath.Join("testdata", name+"."+w.l.Lang()+".txt")
	if *update {
		must(w.t, os.MkdirAll("testdata", 0o750))
		must(w.t, os.WriteFile(path, []byte(got), 0o600))
		return
	}
	want, err := os.ReadFile(path)
	must(w.t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		w.t.Errorf("the transcript has changed (go test ./handlers -update writes it anew; -want +got):\n%s", diff)
	}
}

// checkSecrets looks for what must not be readable: keys, the token and
// delivered accounts, in the log and in the files of the database.
func (w *world) checkSecrets() {
	w.t.Helper()
	secrets := []string{annaKey, poorKey, operatorKey, token}
	for _, order := range w.market.Orders() {
		secrets = append(secrets, order.Accounts...)
		if strings.Contains(order.Link, "@") {
			secrets = append(secrets, order.Link)
		}
	}
	for _, number := range w.market.Numbers() {
		secrets = append(secrets, number.Phone)
		if number.Content != "" {
			secrets = append(secrets, number.Content)
		}
	}
	files, err := filepath.Glob(filepath.Join(w.dir, "bot.db*"))
	must(w.t, err)
	places := map[string][]byte{"the log": w.log.Bytes()}
	for _, file := range files {
		content, err := os.ReadFile(file)
		must(w.t, err)
		places[filepath.Base(file)] = content
	}
	for place, content := range places {
		for _, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				w.t.Errorf("%s holds a secret: %q", place, secret)
			}
		}
	}
	for _, call := range w.telegram.Calls() {
		if !call.OK && call.Code == 400 && !strings.Contains(call.Description, "not modified") {
			w.t.Errorf("Telegram refused %s: %s", call.Method, call.Description)
		}
	}
}

// loadLanguages reads the message files once for all worlds.
var loadLanguages = sync.OnceValues(locales.Load)

// moment is a time that the test sets and the bot reads.
type moment struct{ ms atomic.Int64 }

func (m *moment) set(t time.Time) {
	if t.IsZero() {
		m.ms.Store(0)
		return
	}
	m.ms.Store(t.UnixMilli())
}

func (m *moment) get() time.Time {
	if ms := m.ms.Load(); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

// languages are the codes of all languages. The race detector makes everything ten
// times slower, and does not look at words: it gets three.
func languages(t *testing.T) []string {
	t.Helper()
	if raceDetector {
		return []string{"en", "zh", "ar"}
	}
	bundle, err := loadLanguages()
	must(t, err)
	var codes []string
	for _, language := range bundle.Languages() {
		codes = append(codes, language.Code)
	}
	return codes
}

// inBoth runs a scenario in English and in Chinese, each with its golden file.
func inBoth(t *testing.T, name string, scenario func(w *world)) {
	t.Helper()
	in(t, []string{"en", "zh"}, name, scenario)
}

// inAll is inBoth in every language.
func inAll(t *testing.T, name string, scenario func(w *world)) {
	t.Helper()
	in(t, languages(t), name, scenario)
}

func in(t *testing.T, languages []string, name string, scenario func(w *world)) {
	t.Helper()
	for _, lang := range languages {
		t.Run(lang, func(t *testing.T) {
			inWorld(t, lang, func(w *world) {
				scenario(w)
				w.golden(name)
			})
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.buf.Bytes())
}
