package telegram

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

const annID = 7

// params are the parameters of a call.
type params map[string]any

// only returns the parameters that the method has.
func (p params) only(method string) params {
	kept := params{}
	for name, v := range p {
		if tables().method(method).table.fields[name] != nil {
			kept[name] = v
		}
	}
	return kept
}

// answer is the response to a call. Lost means that the connection was closed.
type answer struct {
	OK          bool            `json:"ok"`
	Result      json.RawMessage `json:"result"`
	Code        int             `json:"error_code"`
	Description string          `json:"description"`
	Parameters  struct {
		RetryAfter int `json:"retry_after"`
	} `json:"parameters"`
	HTTP int    `json:"-"`
	Lost bool   `json:"-"`
	Body string `json:"-"`
}

// serve serves a request in this goroutine.
func serve(s *Server, r *http.Request) (got answer) {
	w := httptest.NewRecorder()
	defer func() {
		if reason := recover(); reason != nil {
			if err, ok := reason.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(reason)
			}
			got = answer{Lost: true}
		}
	}()
	s.ServeHTTP(w, r)
	_ = json.Unmarshal(w.Body.Bytes(), &got)
	got.HTTP, got.Body = w.Code, w.Body.String()
	return got
}

func request(t testing.TB, verb, path, kind string, body io.Reader) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), verb, path, body)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	return r
}

func jsonRequest(ctx context.Context, method string, p params) *http.Request {
	if p == nil {
		p = params{}
	}
	body, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/bot"+DefaultToken+"/"+method, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

// multipartBody encodes texts as fields and files as file parts.
func multipartBody(t testing.TB, texts map[string]string, files map[string][]byte) (kind string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for name, text := range texts {
		if err := form.WriteField(name, text); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range files {
		part, err := form.CreateFormFile(name, name+".txt")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	return form.FormDataContentType(), b.Bytes()
}

func multipartRequest(t testing.TB, method string, texts map[string]string, files map[string][]byte) *http.Request {
	t.Helper()
	kind, body := multipartBody(t, texts, files)
	return request(t, http.MethodPost, "/bot"+DefaultToken+"/"+method, kind, bytes.NewReader(body))
}

// call makes a call with a JSON body.
func call(t *testing.T, s *Server, method string, p params) answer {
	t.Helper()
	return serve(s, jsonRequest(t.Context(), method, p))
}

// must makes a call that must succeed and returns its result.
func must(t *testing.T, s *Server, method string, p params) json.RawMessage {
	t.Helper()
	got := call(t, s, method, p)
	if !got.OK {
		t.Fatalf("%s %v: %d %s", method, p, got.Code, got.Description)
	}
	return got.Result
}

// wantRefusal makes a call that must be refused with this code and description.
func wantRefusal(t *testing.T, s *Server, method string, p params, code int, description string) answer {
	t.Helper()
	got := call(t, s, method, p)
	if got.OK || got.Code != code || got.HTTP != code || !strings.Contains(got.Description, description) {
		t.Errorf("%s %v: got %d %q, want %d %q", method, p, got.Code, got.Description, code, description)
	}
	return got
}

// withText returns a server with Ann, who has got a text message (1) and a document (2)
// from the bot, and has sent a text (3).
func withText(t *testing.T, opts Options) (*Server, *Client) {
	t.Helper()
	s := New(opts)
	t.Cleanup(s.Close)
	ann := s.Join(Person{ID: annID, FirstName: "Ann", LanguageCode: "en"})
	must(t, s, "sendMessage", params{"chat_id": annID, "text": "one", "reply_markup": inlineKeyboard(row(callbackButton("Go", "go")))})
	s.mu.Lock()
	ann.chat.add(Message{FromBot: true, From: s.bot, Text: "caption", Document: s.storeFile(Document{Name: "a.txt", Data: []byte("x")}, "document")})
	s.mu.Unlock()
	ann.Type("hello")
	return s, ann
}

// getUpdates polls and returns the ids and the updates.
func getUpdates(t *testing.T, s *Server, p params) (ids []int64, updates []map[string]json.RawMessage) {
	t.Helper()
	if err := json.Unmarshal(must(t, s, "getUpdates", p), &updates); err != nil {
		t.Fatal(err)
	}
	for _, u := range updates {
		var id int64
		if err := json.Unmarshal(u["update_id"], &id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids, updates
}

// drain returns the pending updates and acknowledges them.
func drain(t *testing.T, s *Server) []map[string]json.RawMessage {
	t.Helper()
	ids, updates := getUpdates(t, s, nil)
	if len(ids) > 0 {
		getUpdates(t, s, params{"offset": ids[len(ids)-1] + 1})
	}
	return updates
}

// queryID returns the id of the newest pending query of a kind ("callback_query" or
// "inline_query") and acknowledges all pending updates.
func queryID(t *testing.T, s *Server, kind string) string {
	t.Helper()
	for _, u := range slices.Backward(drain(t, s)) {
		if u[kind] == nil {
			continue
		}
		var q struct{ ID string }
		if err := json.Unmarshal(u[kind], &q); err != nil {
			t.Fatal(err)
		}
		return q.ID
	}
	t.Fatalf("no %s is pending", kind)
	return ""
}

func inlineKeyboard(rows ...[]params) params { return params{"inline_keyboard": rows} }

func row(buttons ...params) []params { return buttons }

func callbackButton(text, data string) params { return params{"text": text, "callback_data": data} }

func repeat(n int, p params) []params {
	all := make([]params, n)
	for i := range all {
		all[i] = p
	}
	return all
}

// pipes is a listener of net.Pipe connections, for servers in a synctest bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func listenPipes(t *testing.T, handler http.Handler) *pipes {
	t.Helper()
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(p) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return p
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { p.once.Do(func() { close(p.closed) }); return nil }

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
