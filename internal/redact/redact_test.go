package redact_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hstockbot/internal/redact"
)

// The secrets that must not appear in any output. key matches no pattern, so
// only its type or its value identifies it.
const (
	key     = redact.Secret("canary-key-5f0c/91+d=")
	token   = redact.Secret("7012345678:AAH-canary_token_0123456789abcdefg")
	account = redact.Secret("user@example.com:pa&ss <canary>")
)

var canaries = []string{
	string(key), url.QueryEscape(string(key)), url.PathEscape(string(key)),
	string(token), url.QueryEscape(string(token)), "canary",
}

func assertClean(t *testing.T, how, text string) {
	t.Helper()
	for _, canary := range canaries {
		if strings.Contains(text, canary) {
			t.Errorf("%s shows %q: %s", how, canary, text)
			return
		}
	}
}

func TestReveal(t *testing.T) {
	if got := account.Reveal(); got != string(account) {
		t.Errorf("Reveal() = %q", got)
	}
}

type exported struct {
	Key  redact.Secret
	Keys []redact.Secret
	Of   map[string]redact.Secret
	Ptr  *redact.Secret
}

func TestSecretPrintsPlaceholder(t *testing.T) {
	pointer := key
	whole := exported{Key: key, Keys: []redact.Secret{key, token}, Of: map[string]redact.Secret{"a": account}, Ptr: &pointer}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%c", "%U", "%t", "%08.3f", "%-40s|", "%.3s"} {
		for _, value := range []any{key, &pointer, whole, &whole, []redact.Secret{key}, map[redact.Secret]int{key: 1}, [1]redact.Secret{account}, any(key)} {
			assertClean(t, verb, fmt.Sprintf(verb, value))
		}
	}
	assertClean(t, "Sprint", fmt.Sprint(key, whole))
	assertClean(t, "Sprintln", fmt.Sprintln(key))
	assertClean(t, "String", key.String())
	assertClean(t, "an error", fmt.Errorf("call: %w", fmt.Errorf("with %v of %+v", key, whole)).Error())
	if got, want := fmt.Sprintf("%s|%q|%x", key, key, key), "[redacted]|[redacted]|[redacted]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSecretMarshalsPlaceholder(t *testing.T) {
	whole := exported{Key: key, Keys: []redact.Secret{token}, Of: map[string]redact.Secret{"a": account}}
	asJSON, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	assertClean(t, "JSON", string(asJSON))
	if want := `{"Key":"[redacted]","Keys":["[redacted]"],"Of":{"a":"[redacted]"},"Ptr":null}`; string(asJSON) != want {
		t.Errorf("JSON: got %s, want %s", asJSON, want)
	}
	asXML, err := xml.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	assertClean(t, "XML", string(asXML))
	// Unmarshalling keeps the value.
	var back struct{ Key redact.Secret }
	if err := json.Unmarshal([]byte(`{"Key":"value"}`), &back); err != nil || back.Key.Reveal() != "value" {
		t.Errorf("read %q from JSON, error %v", back.Key.Reveal(), err)
	}
}

func TestTail(t *testing.T) {
	for secret, want := range map[redact.Secret]string{
		"0123456789abcdef": "••••cdef",
		"0123456789ab":     "••••89ab",
		"0123456789a":      "••••",
		"":                 "••••",
		"ключключключ":     "••••ключ",
	} {
		if got := secret.Tail(); got != want {
			t.Errorf("%d characters: %q, want %q", len([]rune(string(secret))), got, want)
		}
	}
}

func TestRedactorHidesValues(t *testing.T) {
	r := redact.New(key, token, "  padded-secret-value\n", "short", "", "abcdefgh", "abcdefgh-and-more")
	for text, want := range map[string]string{
		"before " + string(key) + " after":           "before [redacted] after",
		"a=" + url.QueryEscape(string(key)) + "&b=1": "a=[redacted]&b=1",
		"/" + url.PathEscape(string(key)) + "/x":     "/[redacted]/x",
		"padded-secret-value":                        "[redacted]",
		"short words stay":                           "short words stay",
		"abcdefgh-and-more":                          "[redacted]",
		"abcdefgh, abcdefghi":                        "[redacted], [redacted]i",
		string(key) + string(key):                    "[redacted][redacted]",
	} {
		if got := r.String(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestRedactorHidesPatterns(t *testing.T) {
	var r redact.Redactor // it has no values, as before the configuration is read
	for text, want := range map[string]string{
		"https://api.telegram.org/bot" + string(token) + "/getMe":        "https://api.telegram.org/bot[redacted]/getMe",
		"https://api.telegram.org/file/bot" + string(token) + "/a/b.jpg": "https://api.telegram.org/file/bot[redacted]/a/b.jpg",
		"bot" + url.QueryEscape(string(token)) + " x":                    "bot[redacted] x",
		string(token): "[redacted]",
		"POST /api/v2?action=balance&key=abc%2Fdef&lang=zh": "POST /api/v2?action=balance&key=[redacted]&lang=zh",
		"key=abc":                     "key=[redacted]",
		"body key=abc, KEY=def":       "body key=[redacted] KEY=[redacted]",
		"(token=abc)":                 "(token=[redacted]",
		`secret="abc" stays quoted`:   `secret="abc" stays quoted`,
		`{"key":"abc","n":1}`:         `{"key":"[redacted]","n":1}`,
		`{"api_key" : "abc def"}`:     `{"api_key" : "[redacted]"}`,
		`"{\"key\":\"abc\",\"n\":1}"`: `"{\"key\":\"[redacted]\",\"n\":1}"`,
		fmt.Sprint(url.Values{"action": {"add"}, "key": {"abc", "def"}}): "map[action:[add] key:[[redacted]]]",
		"at 12:05, order 1234:5 of key 7":                                "at 12:05, order 1234:5 of key 7",
		"hotkey=a monkey=b":                                              "hotkey=a monkey=b",
		"key: not accepted":                                              "key: not accepted",
		"100% of 5:30 = fine; x = y":                                     "100% of 5:30 = fine; x = y",
		"":                                                               "",
	} {
		if got := r.String(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestRedactorHidesAnyValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[A-Za-z0-9/+&=%"<]{8,40}`).Draw(t, "secret")
		before, after := rapid.String().Draw(t, "before"), rapid.String().Draw(t, "after")
		if got := redact.New(redact.Secret(secret)).String(before + secret + after); strings.Contains(got, secret) && !strings.Contains(redact.Placeholder, secret) {
			t.Fatalf("the value remains in %q", got)
		}
	})
}

func TestRedactorHidesTokenInErrorsOfNetHTTP(t *testing.T) {
	r := redact.New(token)
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close() // so that the dial is refused
	for name, address := range map[string]string{
		"refused":    server.URL + "/bot" + string(token) + "/getMe?key=canary",
		"bad escape": "http://127.0.0.1/bot" + string(token) + "/%zz",
		"bad host":   "http://bot" + string(token) + "@[::1",
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, nil)
		if err == nil {
			var response *http.Response
			if response, err = server.Client().Do(request); err == nil {
				_ = response.Body.Close()
				t.Fatalf("%s: no error", name)
			}
		}
		for _, format := range []string{"%v", "%+v", "%q"} {
			text := fmt.Sprintf(format, fmt.Errorf("getMe: %w", err))
			if !strings.Contains(text, "canary") {
				t.Fatalf("%s: the token is not in %s", name, text)
			}
			assertClean(t, name, r.String(text))
			assertClean(t, name+" by pattern", new(redact.Redactor).String(text))
		}
	}
}

// handlers are the two log formats of the program.
var handlers = map[string]func(io.Writer) slog.Handler{
	"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
	"json": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
}

type unexported struct {
	name   string
	key    redact.Secret
	nested struct{ keys []redact.Secret }
	of     map[redact.Secret]any
	any    any
	self   *unexported
}

type lazy struct{}

func (lazy) LogValue() slog.Value {
	return slog.GroupValue(slog.String("text", "by "+string(key)), slog.Any("secret", token))
}

type panicking struct{}

func (panicking) Error() string { panic("panic in Error") }

func TestHandlerHidesSecrets(t *testing.T) {
	urlError := &url.Error{Op: "Post", URL: "https://api.telegram.org/bot" + string(token) + "/getMe", Err: errors.New("EOF")}
	hidden := unexported{name: "shown", key: "cy7canary", of: map[redact.Secret]any{"canary2": 1}, any: redact.Secret("canary3")}
	hidden.nested.keys = []redact.Secret{"canary4", ""}
	hidden.self = &hidden
	for name, open := range handlers {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			log := slog.New(redact.New(key, token, account).Handler(open(&out)))
			for _, write := range []func(){
				func() { log.Info("message with " + string(key)) },
				func() { log.Info("typed", "a", key, "b", []redact.Secret{token}, "c", &exported{Key: account}) },
				func() { log.Info("text", "a", string(key), "b", "x "+string(token)) },
				func() {
					log.Info("named", "key", "canary", "Token", "canary", slog.Group("g", "api_key", []byte("canary")))
				},
				func() { log.Error("error", "error", urlError) },
				func() { log.Error("wrapped", "error", fmt.Errorf("call: %w", errors.Join(urlError, errors.New("x")))) },
				func() { log.Info("not exported", "a", hidden, "b", &hidden, "c", []any{hidden}) },
				func() { log.Info("lazy", "a", lazy{}) },
				func() { log.Info("group", slog.Group("g", "a", string(key), slog.Group("h", "b", account))) },
				func() { log.With("a", string(key), "b", lazy{}).Info("with", "c", string(token)) },
				func() { log.WithGroup("g").With("a", urlError).WithGroup("h").Info("groups", "b", string(key)) },
				func() {
					log.Info("maps", "a", map[string]string{"key": string(key)}, "b", url.Values{"key": {"canary"}})
				},
				func() {
					log.Info("bytes", "a", json.RawMessage(`{"key":"canary"}`), "b", http.Header{"X": {string(token)}})
				},
				func() { log.Info("odd", []any{string(key)}...) },
			} {
				out.Reset()
				write()
				if out.Len() == 0 {
					t.Fatal("nothing was logged")
				}
				assertClean(t, name, out.String())
			}
			out.Reset()
			log.Info("panicking", "error", panicking{}, "nil", nil, "none", (*unexported)(nil))
			if !strings.Contains(out.String(), "PANIC") {
				t.Errorf("a panic in Error: %s", out.String())
			}
		})
	}
}

func TestHandlerKeepsOtherAttributes(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(redact.New(key).Handler(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo, AddSource: true})))
	log.WithGroup("g").With("took", 5*time.Millisecond).Warn("done", "n", 3, "ok", true, "x", 1.5, "error", errors.New("plain"), "s", unexported{name: "shown"})
	var got struct {
		Level, Msg string
		Source     struct{ File string }
		G          struct {
			Took  int64
			N     int
			OK    bool
			X     float64
			Error string
			S     string
		}
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Level != "WARN" || got.Msg != "done" || !strings.HasSuffix(got.Source.File, "redact_test.go") {
		t.Errorf("got %+v", got)
	}
	if g := got.G; g.Took != 5_000_000 || g.N != 3 || !g.OK || g.X != 1.5 || g.Error != "plain" || !strings.Contains(g.S, "shown") {
		t.Errorf("got %+v", g)
	}
	if log.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("a level that is disabled in the next handler is enabled")
	}
}

func BenchmarkHandler(b *testing.B) {
	next := slog.NewTextHandler(io.Discard, nil)
	err := fmt.Errorf("call: %w", &url.Error{Op: "Post", URL: "https://api.telegram.org/bot" + string(token) + "/getMe", Err: io.EOF})
	for name, handler := range map[string]slog.Handler{"bare": next, "redacting": redact.New(key, token).Handler(next)} {
		log := slog.New(handler)
		b.Run(name+"/plain", func(b *testing.B) {
			for b.Loop() {
				log.Info("update handled", "update", 123456, "route", "p", "took", time.Millisecond)
			}
		})
		b.Run(name+"/error", func(b *testing.B) {
			for b.Loop() {
				log.Error("call failed", "method", "getMe", "error", err)
			}
		})
	}
}
