package telegram

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// params are the parameters of a call.
type params map[string]any

// answer is what a call was answered with. Lost: the connection was closed.
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

// serve lets the server answer a request in this goroutine.
func serve(s *Server, r *http.Request) (got answer) {
	w := httptest.NewRecorder()
	defer func() {
		if thrown := recover(); thrown != nil {
			if err, ok := thrown.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(thrown)
			}
			got = answer{Lost: true}
		}
	}()
	s.ServeHTTP(w, r)
	_ = json.Unmarshal(w.Body.Bytes(), &got)
	got.HTTP, got.Body = w.Code, w.Body.String()
	return got
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

// call makes a call with a JSON body.
func call(t *testing.T, s *Server, method string, p params) answer {
	t.Helper()
	return serve(s, jsonRequest(t.Context(), method, p))
}

// must makes a call that has to succeed and returns its result.
func must(t *testing.T, s *Server, method string, p params) json.RawMessage {
	t.Helper()
	got := call(t, s, method, p)
	if !got.OK {
		t.Fatalf("%s %v: %d %s", method, p, got.Code, got.Description)
	}
	return got.Result
}

// wantRefusal makes a call that has to be refused with words in its description.
func wantRefusal(t *testing.T, s *Server, method string, p params, code int, words string) answer {
	t.Helper()
	got := call(t, s, method, p)
	if got.OK || got.Code != code || got.HTTP != code || !strings.Contains(got.Description, words) {
		t.Errorf("%s %v: got %d %q, want %d %q", method, p, got.Code, got.Description, code, words)
	}
	return got
}

// pollIDs is getUpdates; it returns the ids and the updates themselves.
func pollIDs(t *testing.T, s *Server, p params) (ids []int64, updates []map[string]json.RawMessage) {
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

// callbackID is the id of the only callback among all pending updates, which are
// acknowledged.
func callbackID(t *testing.T, s *Server) string {
	t.Helper()
	ids, updates := pollIDs(t, s, nil)
	for i, u := range updates {
		if u["callback_query"] == nil {
			continue
		}
		var q struct{ ID string }
		if err := json.Unmarshal(u["callback_query"], &q); err != nil {
			t.Fatal(err)
		}
		pollIDs(t, s, params{"offset": ids[i] + 1})
		return q.ID
	}
	t.Fatal("no callback is pending")
	return ""
}

func keyboardOf(rows ...[]params) params { return params{"inline_keyboard": rows} }

func row(buttons ...params) []params { return buttons }

func callback(text, data string) params { return params{"text": text, "callback_data": data} }

// pipes is a listener of net.Pipe connections, for servers inside a bubble.
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

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
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
