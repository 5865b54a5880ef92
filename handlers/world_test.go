package handlers_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"
	"go.uber.org/goleak"

	"hstockbot/internal/ops"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/locales"
)

var update = flag.Bool("update", false, "write the golden transcripts again")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	annaKey     = string(testworld.AnnaKey)
	poorKey     = string(testworld.PoorKey)
	operatorKey = string(testworld.OperatorKey)
	adminID     = 4000
)

var (
	anna    = telegram.Person{ID: 1001, FirstName: "Anna", Username: "anna", LanguageCode: "en"}
	bob     = telegram.Person{ID: 2002, FirstName: "Bob", LanguageCode: "en"}
	mallory = telegram.Person{ID: 6666, FirstName: "Mallory", LanguageCode: "en"} // who forges buttons
)

var (
	must = testworld.Must
	pass = testworld.Pass
)

// world is a test world with the whole program and the chat of one person.
type world struct {
	*testworld.World

	cfg        testworld.Config // a change takes effect at the next start
	app        *testworld.App
	marketDown atomic.Pointer[time.Time] // since when the marketplace counts as down; nil: it is up

	anna   *telegram.Client // whose chat the scenario is in
	bundle *locales.Bundle
	l      *locales.Localizer // of Anna
}

// inWorld runs a scenario with a person whose Telegram speaks lang. A secret in
// the log or in the database file and a call that Telegram refuses fail it.
func inWorld(t *testing.T, lang string, scenario func(w *world)) {
	t.Helper()
	testworld.Run(t, func(tw *testworld.World) {
		w := &world{World: tw, cfg: tw.Config()}
		w.cfg.AdminIDs = []int64{adminID}
		var err error
		w.bundle, err = testworld.Languages()
		must(w.T, err)
		w.l = w.bundle.Localizer(w.bundle.Match(lang, "en"))
		w.start()
		person := anna
		person.LanguageCode = lang
		w.anna = w.Telegram.Join(person)
		scenario(w)
		w.stop()
		w.checkSecrets()
	})
}

// start builds and starts the program on the world's database.
func (w *world) start() {
	w.T.Helper()
	w.app = w.Start(w.cfg, testworld.Options{
		Version: "v1.2.3", GoVersion: "go1.26",
		CallStats: func() (market, telegram ops.Snapshot) {
			market = ops.Snapshot{Calls: 320, Errors: 3, LastError: "balance: unreachable", LastErrorAt: time.Now().Add(-time.Minute), Answers: true}
			if since := w.marketDown.Load(); since != nil {
				market.DownSince = *since
			}
			return market, ops.Snapshot{Calls: 1234}
		},
	})
}

// stop stops the program. The servers go on.
func (w *world) stop() {
	w.T.Helper()
	must(w.T, w.app.Stop(context.WithoutCancel(w.T.Context())))
}

// restart stops the program and starts it on the same database.
func (w *world) restart() {
	w.T.Helper()
	w.stop()
	w.start()
}

// type_ types text, and a moment passes.
func (w *world) types(text string) {
	w.T.Helper()
	w.anna.Type(text)
	pass(time.Second)
}

// tap taps the button whose label is this message.
func (w *world) tap(id string) {
	w.T.Helper()
	w.tapLabel(w.l.Label(id))
}

func (w *world) tapLabel(label string) {
	w.T.Helper()
	if err := w.anna.Tap(label); err != nil {
		w.T.Fatal(err)
	}
	pass(time.Second)
}

// tapLike taps the newest button whose label contains part.
func (w *world) tapLike(part string) {
	w.T.Helper()
	for _, m := range slices.Backward(w.anna.Messages()) {
		for _, row := range m.Keyboard {
			for _, b := range row {
				if !m.Deleted && strings.Contains(b.Text, part) {
					must(w.T, w.anna.TapOn(m.ID, b.Text))
					pass(time.Second)
					return
				}
			}
		}
	}
	w.T.Fatalf("no button has %q; the chat is:\n%s", part, w.anna.Transcript())
}

// tapTo taps the button of the newest message that carries this data.
func (w *world) tapTo(data string) {
	w.T.Helper()
	last := w.anna.Last()
	for _, row := range last.Keyboard {
		for _, b := range row {
			if b.CallbackData == data {
				must(w.T, w.anna.TapOn(last.ID, b.Text))
				pass(time.Second)
				return
			}
		}
	}
	w.T.Fatalf("no button carries %q; the chat is:\n%s", data, w.anna.Transcript())
}

// become makes everything that follows be done by another person.
func (w *world) become(person telegram.Person) *telegram.Client {
	w.T.Helper()
	w.anna = w.Telegram.Join(person)
	return w.anna
}

// beAdmin makes an admin the one whose chat the test goes on in.
func (w *world) beAdmin() *telegram.Client {
	w.T.Helper()
	return w.become(telegram.Person{ID: adminID, FirstName: "Boss", LanguageCode: w.l.Lang()})
}

// as lets somebody else act in Anna's place.
func (w *world) as(person telegram.Person, act func()) {
	w.T.Helper()
	before := w.anna
	w.become(person)
	act()
	w.anna = before
}

// open opens a product by its deep link.
func (w *world) open(service string) {
	w.T.Helper()
	w.types("/start p_" + service)
}

// withKey gives a key without telling of it in the transcript's own scenario.
func (w *world) withKey(key string) {
	w.T.Helper()
	w.types("/key " + key)
}

// says fails unless some message of the chat holds the text.
func (w *world) says(text string) {
	w.T.Helper()
	if !strings.Contains(w.anna.Transcript(), text) {
		w.T.Errorf("the chat does not say %q:\n%s", text, w.anna.Transcript())
	}
}

// golden compares the chat's history with the file of this scenario.
func (w *world) golden(name string) {
	w.T.Helper()
	got := w.anna.History()
	path := filepath.Join("testdata", name+"."+w.l.Lang()+".txt")
	if *update {
		must(w.T, os.MkdirAll("testdata", 0o750))
		must(w.T, os.WriteFile(path, []byte(got), 0o600))
		return
	}
	want, err := os.ReadFile(path)
	must(w.T, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		w.T.Errorf("the transcript has changed (go test ./handlers -update writes it anew; -want +got):\n%s", diff)
	}
}

// checkSecrets fails if a key, the bot's token, a delivered account, an address or
// an SMS can be read in the log or in the files of the database.
func (w *world) checkSecrets() {
	w.T.Helper()
	secrets := []string{annaKey, poorKey, operatorKey, testworld.Token}
	for _, order := range w.Market.Orders() {
		secrets = append(secrets, order.Accounts...)
		if strings.Contains(order.Link, "@") {
			secrets = append(secrets, order.Link)
		}
	}
	for _, phone := range w.Market.Numbers() {
		secrets = append(secrets, phone.Phone)
		if phone.Content != "" {
			secrets = append(secrets, phone.Content)
		}
	}
	files, err := filepath.Glob(w.DatabasePath() + "*")
	must(w.T, err)
	contents := map[string]string{"the log": w.Log.String()}
	for _, file := range files {
		content, err := os.ReadFile(file)
		must(w.T, err)
		contents[filepath.Base(file)] = string(content)
	}
	for name, content := range contents {
		for _, secret := range secrets {
			if strings.Contains(content, secret) {
				w.T.Errorf("%s holds a secret: %q", name, secret)
			}
		}
	}
	for _, call := range w.Telegram.Calls() {
		if !call.OK && call.Code == 400 && !strings.Contains(call.Description, "not modified") {
			w.T.Errorf("Telegram refused %s: %s", call.Method, call.Description)
		}
	}
}

// readDB reads the program's database over a connection of its own.
func (w *world) readDB(read func(db *sqlx.DB)) {
	w.T.Helper()
	db, err := sqlx.Open("sqlite", "file:"+w.DatabasePath()+"?_pragma=query_only(1)")
	must(w.T, err)
	defer func() { must(w.T, db.Close()) }()
	read(db)
}

// changeDB writes into the program's database over a connection of its own.
func (w *world) changeDB(query string, args ...any) {
	w.T.Helper()
	db, err := sqlx.Open("sqlite", "file:"+w.DatabasePath())
	must(w.T, err)
	_, err = db.Exec(query, args...)
	must(w.T, err)
	must(w.T, db.Close())
}

// languages are the codes of all languages. The race detector makes everything ten
// times slower, and does not look at words: it gets three.
func languages(t *testing.T) []string {
	t.Helper()
	if raceDetector {
		return []string{"en", "zh", "ar"}
	}
	bundle, err := testworld.Languages()
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
