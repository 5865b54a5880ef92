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

// timeout ends a failing test. No passing test waits that long.
const timeout = 30 * time.Second

// testDemo is a running demo, by default with the fake bot.
type testDemo struct {
	t      *testing.T
	url    string
	client *http.Client
	stderr *bytes.Buffer
	stop   func() error    // returns the result of Run
	lines  func() []string // of stdout, after stop
}

func launch(t *testing.T, opts Options) *testDemo {
	t.Helper()
	demo := &testDemo{t: t, client: &http.Client{Transport: &http.Transport{}}, stderr: new(bytes.Buffer)}
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
		t.Fatalf("read the address: %v; %v", err, <-result)
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
			t.Errorf("the demo failed: %v", err)
		}
		demo.lines()
	})
	return demo
}

// post returns the status and the text of the answer.
func (d *testDemo) post(path, body string) (int, string) {
	d.t.Helper()
	req := d.newRequest(d.t.Context(), http.MethodPost, d.url+path, body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", d.url)
	status, _, text := d.do(req)
	return status, strings.TrimSpace(text)
}

// get returns the body and the header of the answer to a URL.
func (d *testDemo) get(address string) (string, http.Header) {
	d.t.Helper()
	status, header, text := d.do(d.newRequest(d.t.Context(), http.MethodGet, address, ""))
	if status != http.StatusOK {
		d.t.Fatalf("GET %s: %d", address, status)
	}
	return text, header
}

func (d *testDemo) newRequest(ctx context.Context, method, address, body string) *http.Request {
	d.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	return req
}

func (d *testDemo) do(req *http.Request) (status int, header http.Header, body string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(req.Context(), timeout)
	defer cancel()
	resp, err := d.client.Do(req.WithContext(ctx))
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// mustPost posts a request that must be accepted.
func (d *testDemo) mustPost(path, body string) {
	d.t.Helper()
	if status, text := d.post(path, body); status != http.StatusNoContent {
		d.t.Fatalf("%s %s: %d %s", path, body, status, text)
	}
}

func (d *testDemo) typeText(text string) {
	d.t.Helper()
	body, err := json.Marshal(map[string]any{"person": anna, "text": text})
	if err != nil {
		d.t.Fatal(err)
	}
	d.mustPost("/type", string(body))
}

// streamReader holds the state that a browser builds from the stream.
type streamReader struct {
	t        *testing.T
	lines    *bufio.Scanner
	people   []personView
	messages map[int]messageView           // Anna's, by id
	others   map[int64]map[int]messageView // of the other people and the rooms, by user id or chat id
	answers  []answerView
	bot      []string // its states in order
	keys     []keyView
	faults   []faultView
	calls    map[string]callView
	profile  profileView
}

func (d *testDemo) browse() *streamReader {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), timeout)
	resp, err := d.client.Do(d.newRequest(ctx, http.MethodGet, d.url+"/events", ""))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		cancel()
		_ = resp.Body.Close()
	})
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		d.t.Fatalf("the content type of the events is %s", got)
	}
	b := &streamReader{t: d.t, lines: bufio.NewScanner(resp.Body)}
	b.lines.Buffer(nil, 1<<20)
	b.next()
	return b
}

// next applies one update.
func (b *streamReader) next() {
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
			b.t.Fatalf("only the first update must hold the whole state: %s", data)
		}
		if u.All != nil {
			b.people, b.messages = u.All.People, map[int]messageView{}
			b.others, b.calls = map[int64]map[int]messageView{}, map[string]callView{}
		}
		for id, chat := range u.Chats {
			b.applyChat(id, chat)
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

func (b *streamReader) applyChat(id int64, chat chatUpdate) {
	b.t.Helper()
	messages := b.messages
	if id != anna {
		if b.others[id] == nil {
			b.others[id] = map[int]messageView{}
		}
		messages = b.others[id]
	}
	for _, raw := range chat.Messages {
		var m messageView
		b.decode(raw, &m)
		messages[m.ID] = m
	}
	for _, deleted := range chat.Deleted {
		delete(messages, deleted)
	}
	if id != anna {
		return
	}
	b.answers = append(b.answers, chat.Answers...)
	if chat.Profile != nil {
		b.profile = profileView{}
		b.decode(chat.Profile, &b.profile)
	}
}

func (b *streamReader) decode(raw json.RawMessage, into any) {
	b.t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		b.t.Fatalf("%s: %v", raw, err)
	}
}

func (b *streamReader) await(done func() bool) {
	b.t.Helper()
	for !done() {
		b.next()
	}
}

// awaitMessage waits for a message of the bot that matches.
func (b *streamReader) awaitMessage(matches func(messageView) bool) messageView {
	b.t.Helper()
	var found messageView
	b.await(func() bool {
		for _, m := range b.messages {
			if !m.Own && matches(m) {
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
	hello := page.awaitMessage(containing("Hello"))
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

	demo.mustPost("/tap", `{"person":7000001,"message":2,"data":"t1"}`)
	page.await(func() bool { return page.messages[2].Text == "Tapped" && len(page.answers) == 1 })
	if want := (answerView{Message: 2, Data: "t1", Text: "Saved t1", Alert: true}); page.answers[0] != want {
		t.Errorf("the answers to the tap are %+v", page.answers)
	}
	if m := page.messages[2]; !m.Edited || m.Keyboard != nil {
		t.Errorf("the edited message is %+v", m)
	}

	demo.typeText("/forget") // message 3, which the bot may delete before the page shows it
	demo.typeText("after")
	page.awaitMessage(containing("after"))
	if _, shown := page.messages[3]; shown {
		t.Error("the deleted message is still shown")
	}

	demo.typeText("/file")
	sent := page.awaitMessage(func(m messageView) bool { return m.File != nil })
	if diff := cmp.Diff(&fileView{Name: "заказ 1.txt", Size: len(fileText)}, sent.File); diff != "" {
		t.Errorf("the file (-want +got):\n%s", diff)
	}
	checkDownload(t, demo, sent.ID)

	demo.mustPost("/sticker", `{"person":7000001}`)
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
	if len(page.keys) != len(demoKeys()) || page.keys[0] != (keyView{Key: keyRich, Balance: "500.00 USD", Amount: "500.00", About: "plenty"}) {
		t.Errorf("the keys are %+v", page.keys)
	}

	// Another browser receives the same chat, and no earlier answers to taps.
	other := demo.browse()
	if diff := cmp.Diff(page.messages, other.messages); diff != "" {
		t.Errorf("another browser (-first +other):\n%s", diff)
	}
	if len(other.answers) != 0 {
		t.Errorf("earlier answers are repeated: %+v", other.answers)
	}
}

// checkDownload downloads the file of a message in Anna's chat.
func checkDownload(t *testing.T, demo *testDemo, id int) {
	t.Helper()
	body, header := demo.get(demo.url + "/file/7000001/" + strconv.Itoa(id))
	if body != fileText {
		t.Errorf("downloaded %q", body)
	}
	disposition, params, err := mime.ParseMediaType(header.Get("Content-Disposition"))
	if err != nil || disposition != "attachment" || params["filename"] != "заказ 1.txt" {
		t.Errorf("Content-Disposition: %s %v, %v", disposition, params, err)
	}
	if got := header.Get("Content-Type"); got != "application/octet-stream" {
		t.Errorf("the content type of the file is %s", got)
	}
}

// The bot gets the demo's settings, and none of a real bot.
func TestBotEnvironment(t *testing.T) {
	t.Setenv("ADMIN_IDS", "CANARY")
	t.Setenv("SECRET_KEY", "CANARY")
	t.Setenv("TELEGRAM_TOKEN", "CANARY")
	t.Setenv("HTTPS_PROXY", "CANARY")
	t.Setenv("LOG_LEVEL", "debug")
	demo := launch(t, Options{})
	page := demo.browse()
	demo.typeText("/env")
	env := strings.Split(page.awaitMessage(containing("DATABASE_URL=")).Text, "\n")
	for _, want := range []string{"HTTP_ADDR=", "HSTOCK_API_KEY=" + keyOperator, "LOG_LEVEL=debug"} {
		if !slices.Contains(env, want) {
			t.Errorf("the bot's environment lacks %s", want)
		}
	}
	if i := slices.IndexFunc(env, func(s string) bool { return strings.Contains(s, "CANARY") }); i >= 0 {
		t.Errorf("the bot's environment has %s", env[i])
	}
}

func TestRestartsBotAfterExit(t *testing.T) {
	demo := launch(t, Options{})
	page := demo.browse()
	demo.typeText("/pid")
	first := page.awaitMessage(func(m messageView) bool { return m.ID == 2 })
	demo.typeText("/die")
	page.await(func() bool { return slices.Contains(page.bot, botDown) })
	demo.typeText("/pid")
	second := page.awaitMessage(func(m messageView) bool { return m.ID > 4 })
	if first.Text == second.Text {
		t.Errorf("the process is still %s", first.Text)
	}
	demo.mustPost("/kill", `{}`)
	page.await(func() bool { return strings.HasSuffix(strings.Join(page.bot, " "), botDown+" "+botRunning) })

	if err := demo.stop(); err != nil {
		t.Fatal(err)
	}
	if log := demo.stderr.String(); !strings.Contains(log, "exit status 3") {
		t.Errorf("the log lacks the exit status:\n%s", log)
	}
}

func TestStopRemovesProcessAndData(t *testing.T) {
	demo := launch(t, Options{})
	page := demo.browse()
	demo.typeText("/pid")
	pid, err := strconv.Atoi(page.awaitMessage(func(messageView) bool { return true }).Text)
	if err != nil {
		t.Fatal(err)
	}
	demo.typeText("/env")
	_, database, _ := strings.Cut(page.awaitMessage(containing("DATABASE_URL=")).Text, "DATABASE_URL=sqlite:")
	database, _, _ = strings.Cut(database, "\n")
	folder := filepath.Dir(database)
	if _, err := os.Stat(folder); err != nil {
		t.Fatalf("the folder of the data: %v", err)
	}

	if err := demo.stop(); err != nil {
		t.Fatal(err)
	}
	if process, err := os.FindProcess(pid); err == nil && process.Signal(syscall.Signal(0)) == nil {
		t.Errorf("process %d still runs", pid)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data still exists in %s: %v", folder, err)
	}
	if log := demo.stderr.String(); !strings.Contains(log, "stopped by SIGTERM") || !strings.Contains(log, "the bot's own stdout") {
		t.Errorf("stderr has:\n%s", log)
	}
	if lines := demo.lines(); len(lines) != 1 || !strings.HasPrefix(lines[0], "http://127.0.0.1:") {
		t.Errorf("stdout has %q, want only the address", lines)
	}
}

// A second demo with the same data continues the chats with their files, the
// marketplace, and the bot's database.
func TestKeepsData(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new")
	demo := launch(t, Options{Data: folder, Seed: 7})
	page := demo.browse()
	demo.typeText("/file")
	sent := page.awaitMessage(func(m messageView) bool { return m.File != nil })
	demo.mustPost("/balance", `{"key":"`+keyRich+`","balance":"12.50"}`)
	if err := os.WriteFile(filepath.Join(folder, "bot.db"), []byte("the bot's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := demo.stop(); err != nil {
		t.Fatal(err)
	}

	if err := Run(t.Context(), Options{Addr: "127.0.0.1:0", Data: folder, Seed: 8, Command: self(t, "fake-bot")}); err == nil || !strings.Contains(err.Error(), "seed 7") {
		t.Errorf("with another seed: %v", err)
	}
	demo = launch(t, Options{Data: folder})
	again := demo.browse()
	if diff := cmp.Diff(sent, again.messages[sent.ID]); diff != "" {
		t.Errorf("the file's message (-before +after):\n%s", diff)
	}
	checkDownload(t, demo, sent.ID)
	if again.keys[0].Balance != "12.50 USD" {
		t.Errorf("the balance is %+v", again.keys[0])
	}
	if len(again.others[bo]) != len(page.others[bo]) {
		t.Errorf("Bo's first messages are repeated: %v", again.others[bo])
	}
	demo.typeText("/env")
	env := again.awaitMessage(containing("DATABASE_URL=")).Text
	if want := "DATABASE_URL=sqlite:" + filepath.Join(folder, "bot.db"); !strings.Contains(env, want) {
		t.Errorf("the bot's environment lacks %s", want)
	}
	if kept, err := os.ReadFile(filepath.Join(folder, "bot.db")); err != nil || string(kept) != "the bot's" {
		t.Errorf("the bot's database is %q, %v", kept, err)
	}
}

// The page receives the people, and the bot receives the id of its admin.
func TestPeopleAndAdmin(t *testing.T) {
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
	page.await(func() bool { return len(page.others[bo]) >= 4 }) // two of his own, and the bot's answers
	demo.typeText("/env")
	if env := page.awaitMessage(containing("ADMIN_IDS=")).Text; !strings.Contains(env, "ADMIN_IDS=7000004\n") {
		t.Error("Olga is not an admin")
	}
	if len(page.others[amal])+len(page.others[olga]) != 0 {
		t.Errorf("the others have sent messages: %v", page.others)
	}
}

func TestUsesNextFreePort(t *testing.T) {
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

func TestRejectsInvalidOptions(t *testing.T) {
	for _, test := range []struct {
		name string
		opts Options
		want string
	}{
		{"all addresses", Options{Addr: "0.0.0.0:0"}, "loopback only"},
		{"no host", Options{Addr: ":0"}, "loopback only"},
		{"host name", Options{Addr: "example.com:80"}, "loopback only"},
		{"other machine", Options{Addr: "192.0.2.1:0"}, "loopback only"},
		{"no port", Options{Addr: "127.0.0.1"}, "host:port"},
		{"invalid port", Options{Addr: "127.0.0.1:99999"}, "65535"},
		{"missing program", Options{Addr: "127.0.0.1:0", Command: []string{"/nowhere/bot"}}, "start the bot"},
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
