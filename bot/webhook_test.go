package bot

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/memnet"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/locales"
)

func identifyNobody(context.Context, User, bool) (*locales.Localizer, error) { return nil, nil }

const (
	hookSecret    = "canary-of-the-webhook"
	oldHookSecret = "old-canary-of-the-webhook"
	hookUpdate    = `{"update_id":7,"message":{"message_id":1,"date":1,"chat":{"id":1,"type":"private"},"from":{"id":1,"first_name":"Ann"},"text":"hi"}}`
)

// Status 200 means that the update is stored or of no interest. Without the secret the
// body is not read.
func TestWebhookStatus(t *testing.T) {
	for _, test := range []struct {
		name, method, secret, body string
		readError                  error // after the body
		failStores                 int
		status                     int
		states                     map[string]int
	}{
		{name: "well", method: "POST", secret: hookSecret, body: hookUpdate, status: 200, states: map[string]int{"done": 1}},
		{name: "old secret", method: "POST", secret: oldHookSecret, body: hookUpdate, status: 200, states: map[string]int{"done": 1}},
		{name: "both secrets", method: "POST", secret: hookSecret + "," + oldHookSecret, body: hookUpdate, status: 401},
		{name: "wrong secret", method: "POST", secret: hookSecret + "x", body: hookUpdate, status: 401},
		{name: "no secret", method: "POST", body: hookUpdate, status: 401},
		{name: "GET", method: "GET", secret: hookSecret, status: 405},
		{name: "garbage", method: "POST", secret: hookSecret, body: "<html>", status: 400},
		{name: "no id", method: "POST", secret: hookSecret, body: "{}", status: 400},
		{name: "wrong type", method: "POST", secret: hookSecret, body: `{"update_id":7,"message":1}`, status: 200, states: map[string]int{"dead_lettered": 1}},
		{name: "of no interest", method: "POST", secret: hookSecret, body: `{"update_id":7,"poll":{}}`, status: 200},
		{name: "too large", method: "POST", secret: hookSecret, body: `{"update_id":7,"x":"` + strings.Repeat("x", maxWebhook) + `"}`, status: 413},
		{name: "cut off", method: "POST", secret: hookSecret, body: hookUpdate, readError: io.ErrUnexpectedEOF, status: 400},
		{name: "timeout", method: "POST", secret: hookSecret, readError: os.ErrDeadlineExceeded, status: 400},
		{name: "not stored", method: "POST", secret: hookSecret, body: hookUpdate, failStores: 1, status: 503},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				w.cfg.Webhook = &Webhook{URL: "https://example.com/hook", Secrets: []redact.Secret{hookSecret, oldHookSecret}}
				w.inbox.failStores = test.failStores
				w.build()
				unread := strings.NewReader(test.body)
				var body io.Reader = unread
				if test.readError != nil {
					body = io.MultiReader(body, iotest.ErrReader(test.readError))
				}
				request := httptest.NewRequestWithContext(t.Context(), test.method, "/hook", body)
				if test.secret != "" {
					request.Header.Set(webhookHeader, test.secret)
				}
				answer := httptest.NewRecorder()
				w.bot.serveWebhook(answer, request)
				w.idle()
				if answer.Code != test.status {
					t.Errorf("status %d", answer.Code)
				}
				if answer.Code == http.StatusUnauthorized && unread.Len() != len(test.body) {
					t.Errorf("%d bytes of a body from somebody else were read", len(test.body)-unread.Len())
				}
				if got := answer.Header().Get("Retry-After"); (got == "1") != (test.status == 503) {
					t.Errorf("status %d with Retry-After %q", answer.Code, got)
				}
				w.refuseCanary("the answer", answer.Body.String())
				if test.states == nil {
					test.states = map[string]int{}
				}
				if diff := cmp.Diff(test.states, w.inbox.states()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// Telegram sends updates to the webhook that setWebhook names, and repeats those that
// were not stored.
func TestWebhookEndToEnd(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.cfg.Webhook = &Webhook{URL: "http://hook/", Addr: "127.0.0.1:0", Secrets: []redact.Secret{hookSecret, oldHookSecret}}
		w.inbox.failStores = 2
		w.build()
		w.bot.Text(echo("text"))
		w.telegram.Fault(telegram.Fault{Method: "setWebhook", HTML: true, Times: 3})
		stop := w.serveHook()
		w.bot.receivers.Go(w.bot.setWebhook)
		if w.bot.Ready() == nil {
			t.Error("ready before setWebhook has succeeded")
		}
		time.Sleep(time.Minute)
		ann := w.join(1)
		ann.Type("hi")
		time.Sleep(time.Minute)
		w.idle()
		if !strings.HasPrefix(ann.Last().Text, "text") || w.bot.Ready() != nil {
			t.Errorf("ready %v, chat\n%s", w.bot.Ready(), ann.Transcript())
		}
		for _, call := range w.calls("setWebhook") {
			want := map[string]string{"url": "http://hook/", "secret_token": hookSecret, "allowed_updates": `["message","edited_message","callback_query","my_chat_member","inline_query"]`}
			if diff := cmp.Diff(want, call.Fields); diff != "" {
				t.Error(diff)
			}
		}
		w.telegram.Close() // its webhook
		stop()
	})
}

// While the database is away Telegram repeats an update each second: it arrives within a
// second after the end of an outage, however long that was.
func TestWebhookOutage(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.cfg.Webhook = &Webhook{URL: "http://hook/", Addr: "127.0.0.1:0", Secrets: []redact.Secret{hookSecret, oldHookSecret}}
		w.build()
		w.bot.Text(echo("text"))
		stop := w.serveHook()
		w.bot.setWebhook()
		w.inbox.failStores = 30 // seconds
		ann := w.join(1)
		ann.Type("hi")
		ann.Type("there")
		time.Sleep(31 * time.Second)
		w.idle()
		if diff := cmp.Diff(map[string]int{"done": 2}, w.inbox.states()); diff != "" {
			t.Error(diff)
		}
		w.telegram.Close() // its webhook
		stop()
	})
}

// serveHook serves the webhook on the in-memory network.
func (w *world) serveHook() (stop func()) {
	_, stop = w.network.Serve("hook", http.HandlerFunc(w.bot.serveWebhook))
	return stop
}

// Start opens the webhook's listener and Stop closes it. An address in use is an error
// of Start.
func TestWebhookListener(t *testing.T) {
	config := Config{
		Token: canary, APIURL: "http://telegram", Dial: memnet.New().Dial, Inbox: newInbox(),
		Webhook: &Webhook{URL: "https://example.com", Addr: "127.0.0.1:0", Secrets: []redact.Secret{hookSecret, oldHookSecret}},
	}
	b, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	b.SetHooks(Hooks{Identify: identifyNobody})
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Error(err)
	}

	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	config.Webhook = &Webhook{URL: "https://example.com", Addr: taken.Addr().String(), Secrets: []redact.Secret{hookSecret, oldHookSecret}}
	if b, err = New(config); err != nil {
		t.Fatal(err)
	}
	b.SetHooks(Hooks{Identify: identifyNobody})
	if err := b.Start(t.Context()); err == nil {
		t.Error("two listen on one address")
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// A webhook that another program has changed or deleted is set again within two minutes.
// Until then the bot is not ready and says why.
func TestLostWebhookIsSetAgain(t *testing.T) {
	for name, address := range map[string]string{"deleted": "", "changed": "http://other/hook"} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				w.cfg.Webhook = &Webhook{URL: "http://hook/", Addr: "127.0.0.1:0", Secrets: []redact.Secret{hookSecret, oldHookSecret}}
				w.build()
				w.bot.Text(echo("text"))
				stop := w.serveHook()
				w.bot.receivers.Go(w.bot.keepWebhook)
				time.Sleep(time.Hour + webhookCheck/2)
				if err := w.bot.Ready(); err != nil || len(w.calls("setWebhook")) != 1 {
					t.Errorf("ready %v, %d calls of setWebhook in an hour", err, len(w.calls("setWebhook")))
				}
				w.setWebhook(address)
				ann := w.join(1)
				ann.Type("hi")
				time.Sleep(webhookCheck + time.Second)
				if err := w.bot.Ready(); err == nil || !strings.Contains(err.Error(), "webhook") {
					t.Errorf("ready %v", err)
				}
				time.Sleep(2 * webhookCheck)
				w.idle()
				if since, sure := w.bot.WebhookConflict(); since.IsZero() || !sure {
					t.Errorf("a conflict since %v, sure %v", since, sure)
				}
				time.Sleep(10 * time.Minute)
				if since, sure := w.bot.WebhookConflict(); !since.IsZero() || !sure {
					t.Errorf("ten minutes later a conflict since %v, sure %v", since, sure)
				}
				if !strings.HasPrefix(ann.Last().Text, "text") || w.bot.Ready() != nil {
					t.Errorf("ready %v, chat\n%s", w.bot.Ready(), ann.Transcript())
				}
				if n := strings.Count(w.logs.String(), "another program has changed or deleted the webhook"); n != 1 {
					t.Errorf("logged %d times:\n%s", n, w.logs)
				}
				w.telegram.Close() // its webhook
				stop()
			})
		})
	}
}

// In a rollout several copies keep the webhook, one after another. Telegram is told once.
func TestRolloutSetsWebhookOnce(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.cfg.Webhook = &Webhook{URL: "http://hook/", Secrets: []redact.Secret{oldHookSecret}}
		copies := func(when string, n, calls int) {
			t.Helper()
			for range n {
				w.stop()
				w.build()
				w.bot.receivers.Go(w.bot.keepWebhook)
				time.Sleep(3 * webhookCheck)
				if err := w.bot.Ready(); err != nil {
					t.Errorf("%s: %v", when, err)
				}
			}
			if got := len(w.calls("setWebhook")); got != calls {
				t.Errorf("%s: %d calls of setWebhook, want %d", when, got, calls)
			}
		}
		copies("a rollout", 3, 1)
		w.cfg.Webhook = &Webhook{URL: "http://hook/", Secrets: []redact.Secret{hookSecret, oldHookSecret}}
		copies("another secret", 3, 2)
		w.cfg.Webhook = &Webhook{URL: "http://hook/2", Secrets: []redact.Secret{hookSecret}}
		copies("another address", 3, 3)
		w.setWebhook("") // the fourth call
		copies("deleted meanwhile", 3, 5)
		for _, value := range w.inbox.settings {
			if strings.Contains(value, "canary") {
				t.Errorf("the secret is readable: %s", value)
			}
		}
	})
}

// A webhook with the right address and another secret, such as that of a program whose
// database is older, is set again when Telegram says that its updates are refused.
func TestRefusedUpdatesSetWebhookAgain(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.cfg.Webhook = &Webhook{URL: "http://hook/", Secrets: []redact.Secret{hookSecret}}
		w.build()
		w.bot.Text(echo("text"))
		stop := w.serveHook()
		w.bot.setWebhook()
		w.setWebhook("http://hook/") // without a secret
		w.bot.receivers.Go(w.bot.keepWebhook)
		ann := w.join(1)
		ann.Type("hi")
		time.Sleep(10 * time.Minute)
		w.idle()
		if !strings.HasPrefix(ann.Last().Text, "text") || len(w.calls("setWebhook")) != 3 {
			t.Errorf("%d calls of setWebhook, chat\n%s", len(w.calls("setWebhook")), ann.Transcript())
		}
		w.telegram.Close() // its webhook
		stop()
	})
}
