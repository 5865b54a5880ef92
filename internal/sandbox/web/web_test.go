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
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		d.t.Fatal(err)
	}
	if status, said := d.post("/type", string(body)); status != http.StatusNoContent {
		d.t.Fatalf("typing %q: %d %s", text, status, said)
	}
}

// browser is what a page makes of the stream.
type browser struct {
	t        *testing.T
	lines    *bufio.Scanner
	messages map[int]messageView
	answers  []answerView
	bot      []string // every state it was told
	room     roomView
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
			b.messages = map[int]messageView{}
		}
		for _, raw := range u.Messages {
			var m messageView
			b.decode(raw, &m)
			b.messages[m.ID] = m
		}
		for _, id := range u.Deleted {
			delete(b.messages, id)
		}
		b.answers = append(b.answers, u.Answers...)
		if u.Bot != "" {
			b.bot = append(b.bot, u.Bot)
		}
		if u.Room != nil {
			b.room = roomView{}
			b.decode(u.Room, &b.room)
		}
		if u.Profile != nil {
			b.profile = profileView{}
			b.decode(u.Profile, &b.profile)
		}
		return
	}
	b.t.Fatalf("the stream ended: %v; the chat is %+v, the bot was %v", b.lines.Err(), b.messages, b.bot)
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

	if status, said := demo.post("/tap", `{"message":2,"data":"t1"}`); status != http.StatusNoContent {
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

	if status, _ := demo.post("/sticker", `{}`); status != http.StatusNoContent {
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
	if len(page.room.Keys) != 2 || page.room.Keys[0] != (keyView{Key: keyRich, Balance: "500.00 USD"}) {
		t.Errorf("the keys: %+v", page.room.Keys)
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
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, demo.url+"/file/"+strconv.Itoa(id), nil)
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
	page.await(func() bool { return strings.Count(strings.Join(page.bot, " "), botDown) == 2 })

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
		{"a port that is none", Options{Addr: "127.0.0.1:99999"}, "99999"},
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
