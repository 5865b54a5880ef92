package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/sandbox/telegram"
)

// patience is when a test gives up; none waits that long when all is well.
const patience = 30 * time.Second

// running is a demo with the fake bot.
type running struct {
	t      *testing.T
	url    string
	client *http.Client
	stderr *lockedWriter
	said   *bytes.Buffer // stderr's
	stop   func() error  // and what Run returned
	lines  func() []string
}

func launch(t *testing.T, opts Options) *running {
	t.Helper()
	said := new(bytes.Buffer)
	demo := &running{t: t, client: &http.Client{Transport: &http.Transport{}}, said: said, stderr: &lockedWriter{to: said}}
	t.Cleanup(demo.client.CloseIdleConnections)
	out, in := io.Pipe()
	opts.Stdout, opts.Stderr = in, demo.stderr
	if opts.Command == nil {
		opts.Command = self(t, "fake-bot")
	}
	if opts.Addr == "" {
		opts.Addr = "127.0.0.1:0"
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		result <- Run(ctx, opts)
		_ = in.Close()
	}()
	reader := bufio.NewReader(out)
	first, err := reader.ReadString('\n')
	if err != nil {
		t.Fatalf("no address: %v; %v", err, <-result)
	}
	demo.url = strings.TrimSuffix(first, "\n")
	rest := make(chan []byte, 1)
	go func() {
		more, _ := io.ReadAll(reader)
		rest <- more
	}()
	demo.lines = sync.OnceValue(func() []string {
		return append([]string{demo.url}, strings.Fields(string(<-rest))...)
	})
	demo.stop = sync.OnceValue(func() error {
		cancel()
		return <-result
	})
	t.Cleanup(func() {
		if err := demo.stop(); err != nil {
			t.Errorf("the demo ended with %v", err)
		}
		demo.lines()
	})
	return demo
}

// post returns the status and the sentence of the answer.
func (d *running) post(path, body string) (int, string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", d.url)
	resp, err := d.client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(text))
}

func (d *running) typeText(text string) {
	d.t.Helper()
	body, err := json.Marshal(map[string]any{"person": anna, "text": text})
	if err != nil {
		d.t.Fatal(err)
	}
	if status, said := d.post("/type", string(body)); status != http.StatusNoContent {
		d.t.Fatalf("typing %q: %d %s", text, status, said)
	}
}

// browser is what a page makes of the stream, with Anna's chat open.
type browser struct {
	t        *testing.T
	lines    *bufio.Scanner
	people   []personView
	messages map[int]messageView
	others   map[int64]map[int]messageView // the chats of everybody else
	answers  []answerView
	bot      []string // every state it was told
	keys     []keyView
	faults   []faultView
	calls    map[string]callView
	profile  profileView
}

func (d *running) browse() *browser {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+"/events", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		cancel()
		_ = resp.Body.Close()
	})
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		d.t.Fatalf("events are %s", got)
	}
	b := &browser{t: d.t, lines: bufio.NewScanner(resp.Body)}
	b.lines.Buffer(nil, 1<<20)
	b.next()
	return b
}

// next takes one update in.
func (b *browser) next() {
	b.t.Helper()
	for b.lines.Scan() {
		data, ok := strings.CutPrefix(b.lines.Text(), "data: ")
		if !ok {
			continue
		}
		var u update
		if err := json.Unmarshal([]byte(data), &u); err != nil {
			b.t.Fatalf("%s: %v", data, err)
		}
		if (u.All != nil) != (b.messages == nil) {
			b.t.Fatalf("everything is told first and only then: %s", data)
		}
		if u.All != nil {
			b.people, b.messages = u.All.People, map[int]messageView{}
			b.others, b.calls = map[int64]map[int]messageView{}, map[string]callView{}
		}
		for id, news := range u.Chats {
			b.chat(id, news)
		}
		if u.Bot != nil {
			b.bot = append(b.bot, u.Bot.State)
		}
		if u.Keys != nil {
			b.keys = nil
			b.decode(u.Keys, &b.keys)
		}
		if u.Faults != nil {
			b.faults = nil
			b.decode(u.Faults, &b.faults)
		}
		for _, call := range u.Calls {
			b.calls[call.ID] = call
		}
		return
	}
	b.t.Fatalf("the stream ended: %v; the chat is %+v, the bot was %v", b.lines.Err(), b.messages, b.bot)
}

func (b *browser) chat(id int64, news chatUpdate) {
	b.t.Helper()
	messages := b.messages
	if id != anna {
		if b.others[id] == nil {
			b.others[id] = map[int]messageView{}
		}
		messages = b.others[id]
	}
	for _, raw := range news.Messages {
		var m messageView
		b.decode(raw, &m)
		messages[m.ID] = m
	}
	for _, gone := range news.Deleted {
		delete(messages, gone)
	}
	if id != anna {
		return
	}
	b.answers = append(b.answers, news.Answers...)
	if news.Profile != nil {
		b.profile = profileView{}
		b.decode(news.Profile, &b.profile)
	}
}

func (b *browser) decode(raw json.RawMessage, into any) {
	b.t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		b.t.Fatalf("%s: %v", raw, err)
	}
}

func (b *browser) await(done func() bool) {
	b.t.Helper()
	for !done() {
		b.next()
	}
}

// said waits for a message of the bot's that fits.
func (b *browser) said(fits func(messageView) bool) messageView {
	b.t.Helper()
	var found messageView
	b.await(func() bool {
		for _, m := range b.messages {
			if !m.Own && fits(m) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

func containing(text string) func(messageView) bool {
	return func(m messageView) bool { return strings.Contains(m.Text, text) }
}

func TestChat(t *testing.T) {
	demo := launch(t, Options{})
	page := demo.browse()

	demo.typeText("/start")
	hello := page.said(containing("Hello"))
	want := messageView{
		ID: 2, At: hello.At, Text: "Hello <img src=x onerror=alert(1)> a&b",
		Entities: []telegram.Entity{{Type: "bold", Length: 5}, {Type: "code", Offset: 35, Length: 3}},
		Keyboard: [][]buttonView{{{Text: "Tap me", Data: "t1"}}},
	}
	if diff := cmp.Diff(want, hello); diff != "" {
		t.Errorf("the greeting (-want +got):\n%s", diff)
	}
	if own := page.messages[1]; !own.Own || own.Text != "/start" || len(own.Entities) != 1 {
		t.Errorf("the person's own message: %+v", own)
	}

	if status, said := demo.post("/tap", `{"person":7000001,"message":2,"data":"t1"}`); status != http.StatusNoContent {
		t.Fatalf("tap: %d %s", status, said)
	}
	page.await(func() bool { return page.messages[2].Text == "Tapped" && len(page.answers) == 1 })
	if want := (answerView{Message: 2, Data: "t1", Text: "Saved t1", Alert: true}); page.answers[0] != want {
		t.Errorf("the tap was answered with %+v", page.answers)
	}
	if m := page.messages[2]; !m.Edited || m.Keyboard != nil {
		t.Errorf("edited in place: %+v", m)
	}

	demo.typeText("/forget") // message 3, which may be gone before it was ever shown
	demo.typeText("after")
	page.said(containing("after"))
	if _, there := page.messages[3]; there {
		t.Error("the deleted message is still shown")
	}

	demo.typeText("/file")
	sent := page.said(func(m messageView) bool { return m.File != nil })
	if diff := cmp.Diff(&fileView{Name: "заказ 1.txt", Size: len(fileText)}, sent.File); diff != "" {
		t.Errorf("the file (-want +got):\n%s", diff)
	}
	download(t, demo, sent.ID)

	if status, _ := demo.post("/sticker", `{"person":7000001}`); status != http.StatusNoContent {
		t.Errorf("sticker: %d", status)
	}
	page.await(func() bool {
		for _, m := range page.messages {
			if m.Own && m.Sticker != "" {
				return true
			}
		}
		return false
	})
	if diff := cmp.Diff([]telegram.Command{{Command: "start", Description: "Begin"}}, page.profile.Commands); diff != "" {
		t.Errorf("the command menu (-want +got):\n%s", diff)
	}
	if len(page.keys) != len(purses()) || page.keys[0] != (keyView{Key: keyRich, Balance: "500.00 USD", Amount: "500.00", About: "plenty"}) {
		t.Errorf("the keys: %+v", page.keys)
	}

	// Another browser sees the chat as it is, and no old toast.
	other := demo.browse()
	if diff := cmp.Diff(page.messages, other.messages); diff != "" {
		t.Errorf("another browser (-first +other):\n%s", diff)
	}
	if len(other.answers) != 0 {
		t.Errorf("old answers are repeated: %+v", other.answers)
	}
}

func download(t *testing.T, demo *running, id int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, demo.url+"/file/7000001/"+strconv.Itoa(id), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := demo.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != fileText {
		t.Errorf("downloaded %q, %v", body, err)
	}
	disposition, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition"))
	if err != nil || disposition != "attachment" || params["filename"] != "заказ 1.txt" {
		t.Errorf("Content-Disposition: %s %v, %v", disposition, params, err)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/octet-stream" {
		t.Errorf("a file must not be shown as %s", got)
	}
}

// The bot gets the demo's settings and none of a real one's.
func TestEnvironment(t *testing.T) {
	t.Setenv("ADMIN_IDS", "CANARY")
	t.Setenv("SECRET_KEY", "CANARY")
	t.Setenv("TELEGRAM_TOKEN", "CANARY")
	t.Setenv("HTTPS_PROXY", "CANARY")
	t.Setenv("LOG_LEVEL", "debug")
	demo := launch(t, Options{})
	page := demo.browse()
	demo.typeText("/env")
	env := strings.Split(page.said(containing("DATABASE_URL=")).Text, "\n")
	for _, want := range []string{"HTTP_ADDR=", "HSTOCK_API_KEY=" + keyOperator, "LOG_LEVEL=debug"} {
		if !slices.Contains(env, want) {
			t.Errorf("the bot does not get %s", want)
		}
	}
	if i := slices.IndexFunc(env, func(s string) bool { return strings.Contains(s, "CANARY") }); i >= 0 {
		t.Errorf("the bot gets %s", env[i])
	}
}

func TestBotThatEndsIsStartedAgain(t *testing.T) {
	demo := launch(t, Options{})
	page := demo.browse()
	demo.typeText("/pid")
	first := page.said(func(m messageView) bool { return m.ID == 2 })
	demo.typeText("/die")
	page.await(func() bool { return slices.Contains(page.bot, botDown) })
	demo.typeText("/pid")
	second := page.said(func(m messageView) bool { return m.ID > 4 })
	if first.Text == second.Text {
		t.Errorf("still process %s", first.Text)
	}
	if status, said := demo.post("/kill", `{}`); status != http.StatusNoContent {
		t.Fatalf("kill: %d %s", status, said)
	}
	page.await(func() bool { return strings.HasSuffix(strings.Join(page.bot, " "), botDown+" "+botRunning) })

	if err := demo.stop(); err != nil {
		t.Fatal(err)
	}
	if said := demo.said.String(); !strings.Contains(said, "exit status 3") {
		t.Errorf("the log does not say how it ended:\n%s", said)
	}
}

func TestStopsCleanly(t *testing.T) {
	demo := launch(t, Options{})
	page := demo.browse()
	demo.typeText("/pid")
	pid, err := strconv.Atoi(page.said(func(messageView) bool { return true }).Text)
	if err != nil {
		t.Fatal(err)
	}
	demo.typeText("/env")
	_, database, _ := strings.Cut(page.said(containing("DATABASE_URL=")).Text, "DATABASE_URL=sqlite:")
	database, _, _ = strings.Cut(database, "\n")
	folder := filepath.Dir(database)
	if _, err := os.Stat(folder); err != nil {
		t.Fatalf("no folder for the data: %v", err)
	}

	if err := demo.stop(); err != nil {
		t.Fatal(err)
	}
	if process, err := os.FindProcess(pid); err == nil && process.Signal(syscall.Signal(0)) == nil {
		t.Errorf("process %d is left", pid)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data is left in %s: %v", folder, err)
	}
	if said := demo.said.String(); !strings.Contains(said, "asked to end") || !strings.Contains(said, "the bot's own stdout") {
		t.Errorf("stderr has:\n%s", said)
	}
	if lines := demo.lines(); len(lines) != 1 || !strings.HasPrefix(lines[0], "http://127.0.0.1:") {
		t.Errorf("stdout has %q, want the address alone", lines)
	}
}

// Data are kept: the chat goes on, with its files, the marketplace has its orders,
// and a bot finds its database.
func TestKeptData(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new")
	demo := launch(t, Options{Data: folder, Seed: 7})
	page := demo.browse()
	demo.typeText("/file")
	sent := page.said(func(m messageView) bool { return m.File != nil })
	if status, said := demo.post("/balance", `{"key":"`+keyRich+`","balance":"12.50"}`); status != http.StatusNoContent {
		t.Fatalf("balance: %d %s", status, said)
	}
	if err := os.WriteFile(filepath.Join(folder, "bot.db"), []byte("the bot's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := demo.stop(); err != nil {
		t.Fatal(err)
	}

	if err := Run(t.Context(), Options{Addr: "127.0.0.1:0", Data: folder, Seed: 8, Command: self(t, "fake-bot")}); err == nil || !strings.Contains(err.Error(), "seed 7") {
		t.Errorf("another seed: %v", err)
	}
	demo = launch(t, Options{Data: folder})
	again := demo.browse()
	if diff := cmp.Diff(sent, again.messages[sent.ID]); diff != "" {
		t.Errorf("the file's message (-before +after):\n%s", diff)
	}
	download(t, demo, sent.ID)
	if again.keys[0].Balance != "12.50 USD" {
		t.Errorf("the balance: %+v", again.keys[0])
	}
	if len(again.others[bo]) != len(page.others[bo]) {
		t.Errorf("what Bo says at first is said again: %v", again.others[bo])
	}
	demo.typeText("/env")
	env := again.said(containing("DATABASE_URL=")).Text
	if want := "DATABASE_URL=sqlite:" + filepath.Join(folder, "bot.db"); !strings.Contains(env, want) {
		t.Errorf("the bot does not get %s", want)
	}
	if kept, err := os.ReadFile(filepath.Join(folder, "bot.db")); err != nil || string(kept) != "the bot's" {
		t.Errorf("the bot's data: %q, %v", kept, err)
	}
}

// What people have is told, and the bot is told who its admin is.
func TestPeople(t *testing.T) {
	demo := launch(t, Options{})
	page := demo.browse()
	want := []personView{
		{anna, "Anna", "en", "English, new here"},
		{bo, "Bo", "zh-hans", "Chinese, with an API key"},
		{amal, "Amal", "ar", "Arabic, new here"},
		{olga, "Olga", "en", "English, the bot’s admin"},
	}
	if diff := cmp.Diff(want, page.people); diff != "" {
		t.Errorf("the people (-want +got):\n%s", diff)
	}
	page.await(func() bool { return len(page.others[bo]) >= 4 }) // two of his own, and what the bot says to them
	demo.typeText("/env")
	if env := page.said(containing("ADMIN_IDS=")).Text; !strings.Contains(env, "ADMIN_IDS=7000004\n") {
		t.Error("Olga is no admin")
	}
	if len(page.others[amal])+len(page.others[olga]) != 0 {
		t.Errorf("the others have said something: %v", page.others)
	}
}

func TestTakenPort(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	demo := launch(t, Options{Addr: taken.Addr().String()})
	_, got, err := net.SplitHostPort(strings.TrimPrefix(demo.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	before, _ := strconv.Atoi(port)
	after, _ := strconv.Atoi(got)
	if after <= before || after > before+100 {
		t.Errorf("%s was taken, the page is at %s", port, got)
	}
}

func TestWhatCantBeDone(t *testing.T) {
	for _, test := range []struct {
		name string
		opts Options
		want string
	}{
		{"every address", Options{Addr: "0.0.0.0:0"}, "loopback only"},
		{"no host", Options{Addr: ":0"}, "loopback only"},
		{"a name", Options{Addr: "example.com:80"}, "loopback only"},
		{"another machine", Options{Addr: "192.0.2.1:0"}, "loopback only"},
		{"no port", Options{Addr: "127.0.0.1"}, "host:port"},
		{"a port that is none", Options{Addr: "127.0.0.1:99999"}, "65535"},
		{"no such bot", Options{Addr: "127.0.0.1:0", Command: []string{"/nowhere/bot"}}, "start the bot"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			test.opts.Stdout = &out
			err := Run(t.Context(), test.opts)
			if err == nil || !strings.Contains(err.Error(), test.want) || out.Len() > 0 {
				t.Errorf("got %v and %q, want an error about %q", err, &out, test.want)
			}
		})
	}
}
