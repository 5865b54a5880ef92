package hstock

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/callrate"
)

// TestPurchaseOutcomes answers each purchase with each answer that proves no success,
// and counts the requests.
func TestPurchaseOutcomes(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		kind   Kind
	}{
		{"301", 301, `{}`, OutcomeUnknown},
		{"302", 302, `{}`, OutcomeUnknown},
		{"303", 303, `{}`, OutcomeUnknown},
		{"307", 307, `{"order":23501}`, OutcomeUnknown},
		{"308", 308, `{"error":"Insufficient balance"}`, OutcomeUnknown},
		{"304", 304, ``, OutcomeUnknown},
		{"500 with a documented error", 500, `{"error":"Insufficient balance"}`, OutcomeUnknown},
		{"502 in HTML", 502, `<html>Bad Gateway</html>`, OutcomeUnknown},
		{"503", 503, ``, OutcomeUnknown},
		{"504", 504, ``, OutcomeUnknown},
		{"408 with a documented error", 408, `{"error":"Insufficient balance"}`, OutcomeUnknown},
		{"429 with a documented error", 429, `{"error":"Insufficient balance"}`, OutcomeUnknown},
		{"empty", 200, ``, OutcomeUnknown},
		{"204 without a body", 204, ``, OutcomeUnknown},
		{"HTML with 200", 200, `<html>Maintenance</html>`, OutcomeUnknown},
		{"HTML with 403", 403, `<html>Attention Required!</html>`, OutcomeUnknown},
		{"cut-off JSON", 200, `{"order":2350`, OutcomeUnknown},
		{"two JSON values", 200, `{"order":23501}{"order":23502}`, OutcomeUnknown},
		{"too large", 200, `{"order":23501,"x":"` + strings.Repeat("x", maxPurchaseBytes) + `"}`, OutcomeUnknown},
		{"null", 200, `null`, OutcomeUnknown},
		{"a string", 200, `"OK"`, OutcomeUnknown},
		{"an empty object", 200, `{}`, OutcomeUnknown},
		{"an empty array", 200, `[]`, OutcomeUnknown},
		{"success without a number", 200, `{"success":true}`, OutcomeUnknown},
		{"order null", 200, `{"order":null}`, OutcomeUnknown},
		{"order 0", 200, `{"order":0}`, OutcomeUnknown},
		{"order \"0\"", 200, `{"order":"0"}`, OutcomeUnknown},
		{"order empty", 200, `{"order":""}`, OutcomeUnknown},
		{"a negative order", 200, `{"order":-1}`, OutcomeUnknown},
		{"a fractional order", 200, `{"order":1.5}`, OutcomeUnknown},
		{"order as text", 200, `{"order":"abc"}`, OutcomeUnknown},
		{"order in an object", 200, `{"order":{"id":5}}`, OutcomeUnknown},
		{"order too long", 200, `{"order":"` + strings.Repeat("9", maxOrderIDBytes+1) + `"}`, OutcomeUnknown},
		{"orders null", 200, `{"orders":null}`, OutcomeUnknown},
		{"orders empty", 200, `{"orders":[]}`, OutcomeUnknown},
		{"orders without a number", 200, `{"orders":[{"phone":"+1","order":null},{"order":0},null,"x",[]]}`, OutcomeUnknown},
		{"a null error", 200, `{"error":null}`, OutcomeUnknown},
		{"an empty error", 400, `{"error":""}`, OutcomeUnknown},
		{"404 without an error", 404, `{"message":"No such route"}`, OutcomeUnknown},
		{"400 with a message", 400, `{"message":"Insufficient balance"}`, Refused},
		{"a documented error", 200, `{"error":"Insufficient balance"}`, Refused},
		{"a documented error with order 0", 200, `{"error":"Insufficient balance","order":0,"orders":[]}`, Refused},
		{"an invalid key", 401, `{"error":"Invalid API key"}`, InvalidKey},
		{"an undocumented error", 200, `{"error":"Quantity is too small"}`, RefusedOther},
		{"an undocumented error with 403", 403, `{"error":{"code":"E_MIN"}}`, RefusedOther},
	}
	for _, test := range tests {
		for action, call := range purchaseCalls {
			t.Run(test.name+"/"+action, func(t *testing.T) {
				c, m := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Location", "/elsewhere")
					w.Header().Set("Retry-After", "0")
					respond(test.status, test.body)(w, r)
				})
				value, err := call(t.Context(), c)
				var failure *Error
				if !errors.As(err, &failure) || failure.Kind != test.kind || failure.Status != test.status {
					t.Errorf("got %v, %v, want %s", value, err, test.kind)
				}
				checkSentOnce(t, m.requests())
			})
		}
	}
}

func checkSentOnce(t *testing.T, calls []request) {
	t.Helper()
	if len(calls) != 1 {
		t.Fatalf("the server received %d requests, want 1", len(calls))
	}
	for name := range calls[0].Header {
		if strings.Contains(strings.ToLower(name), "idempotency") {
			t.Errorf("sent with %s, which lets net/http repeat the request", name)
		}
	}
}

// tcpServer is a server below HTTP. It counts connections and complete requests, and
// passes each connection to a function.
type tcpServer struct {
	net.Listener
	connected, requests atomic.Int32
	served              sync.WaitGroup
}

func newTCPServer(t *testing.T, serve func(w *tcpServer, conn *net.TCPConn)) (*Client, *tcpServer) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &tcpServer{Listener: listener}
	w.served.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			w.connected.Add(1)
			w.served.Go(func() {
				serve(w, conn.(*net.TCPConn))
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		w.served.Wait()
	})
	return newClient(t, Options{URL: "http://" + listener.Addr().String()}), w
}

// readRequest reads one request and reports whether it was complete.
func (w *tcpServer) readRequest(conn net.Conn) bool {
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return false
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return false
	}
	w.requests.Add(1)
	return true
}

func TestPurchaseOverBrokenConnections(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n"
	tests := []struct {
		name  string
		serve func(w *tcpServer, conn *net.TCPConn)
		kinds []Kind // any of them; several where the result depends on timing
		sent  int32
	}{
		{"reset after reading", func(w *tcpServer, conn *net.TCPConn) {
			w.readRequest(conn)
			_ = conn.SetLinger(0)
		}, []Kind{OutcomeUnknown}, 1},
		{"closed after reading", func(w *tcpServer, conn *net.TCPConn) { w.readRequest(conn) }, []Kind{OutcomeUnknown}, 1},
		{"reset before reading", func(_ *tcpServer, conn *net.TCPConn) {
			_ = conn.SetLinger(0)
		}, []Kind{NotSent, OutcomeUnknown}, 0},
		{"closed before reading", func(_ *tcpServer, _ *net.TCPConn) {}, []Kind{NotSent, OutcomeUnknown}, 0},
		{"closed while sending headers", func(w *tcpServer, conn *net.TCPConn) {
			w.readRequest(conn)
			_, _ = io.WriteString(conn, answer[:20])
		}, []Kind{OutcomeUnknown}, 1},
		{"closed while sending the body", func(w *tcpServer, conn *net.TCPConn) {
			w.readRequest(conn)
			_, _ = io.WriteString(conn, answer+`{"order":`)
		}, []Kind{OutcomeUnknown}, 1},
		{"not HTTP", func(w *tcpServer, conn *net.TCPConn) {
			w.readRequest(conn)
			_, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9.6\r\n\r\n")
		}, []Kind{OutcomeUnknown}, 1},
		{"closed after 100 Continue", func(w *tcpServer, conn *net.TCPConn) {
			w.readRequest(conn)
			_, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
		}, []Kind{OutcomeUnknown}, 1},
		{"another protocol", func(w *tcpServer, conn *net.TCPConn) {
			w.readRequest(conn)
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
		}, []Kind{OutcomeUnknown}, 1},
	}
	for _, test := range tests {
		for action, call := range purchaseCalls {
			t.Run(test.name+"/"+action, func(t *testing.T) {
				c, w := newTCPServer(t, test.serve)
				value, err := call(t.Context(), c)
				kind, ok := KindOf(err)
				found := false
				for _, want := range test.kinds {
					found = found || ok && kind == want
				}
				if !found {
					t.Errorf("got %v, %v, want %v", value, err, test.kinds)
				}
				_ = w.Close()
				w.served.Wait()
				if n := w.connected.Load(); n != 1 {
					t.Errorf("%d connections, want 1", n)
				}
				if n := w.requests.Load(); n != test.sent {
					t.Errorf("the server received %d requests, want %d", n, test.sent)
				}
			})
		}
	}
}

// TestPurchaseReusesNoConnection checks that every purchase opens a connection, even
// if the server offers keep-alive.
func TestPurchaseReusesNoConnection(t *testing.T) {
	const body = `{"order":23501}`
	c, w := newTCPServer(t, func(w *tcpServer, conn *net.TCPConn) {
		if w.readRequest(conn) {
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		}
	})
	for n := int32(1); n <= 20; n++ {
		if order, err := c.Add(t.Context(), secretKey, AddRequest{Service: 1, Quantity: 1}); err != nil || order != "23501" {
			t.Fatalf("got %q, %v", order, err)
		}
		if w.connected.Load() != n || w.requests.Load() != n {
			t.Fatalf("%d connections and %d requests after %d purchases", w.connected.Load(), w.requests.Load(), n)
		}
	}
}

func TestPurchaseNotSent(t *testing.T) {
	closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := "http://" + closed.Addr().String()
	_ = closed.Close()

	untrusted := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("request received over an untrusted connection")
	}))
	untrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	untrusted.StartTLS()
	defer untrusted.Close()

	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("request received without TLS")
	}))
	defer plain.Close()

	failDNS := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "market.test", IsNotFound: true}}
	}
	tests := map[string]Options{
		"refused":        {URL: refusing},
		"untrusted TLS":  {URL: untrusted.URL},
		"no TLS":         {URL: strings.Replace(plain.URL, "http:", "https:", 1)},
		"no such name":   {URL: "http://market.test", Dial: failDNS},
		"no route (TLS)": {URL: "https://market.test", Dial: failDNS},
	}
	for name, o := range tests {
		for action, call := range purchaseCalls {
			t.Run(name+"/"+action, func(t *testing.T) {
				_, err := call(t.Context(), newClient(t, o))
				if kind, ok := KindOf(err); !ok || kind != NotSent {
					t.Errorf("got %v, want not sent", err)
				}
			})
		}
	}
}

// TestPurchaseUsesHTTP1, and reads HTTP/2.
func TestPurchaseUsesHTTP1(t *testing.T) {
	protocol := make(chan string, 2)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocol <- fmt.Sprint(r.Proto, " ", r.Header.Get("Connection"), " ", r.Close)
		respond(200, `{"order":1,"balance":"1"}`)(w, r)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	c := newClient(t, Options{URL: server.URL})
	roots := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	for _, client := range []*http.Client{c.purchases, c.reads} {
		client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	if _, err := c.Add(t.Context(), secretKey, AddRequest{Service: 1, Quantity: 1}); err != nil {
		t.Fatal(err)
	}
	if got := <-protocol; got != "HTTP/1.1 close true" {
		t.Errorf("request was %q", got)
	}
	if _, err := c.Balance(t.Context(), secretKey); err != nil {
		t.Fatal(err)
	}
	if got := <-protocol; got != "HTTP/2.0  false" {
		t.Errorf("read was %q", got)
	}
}

// TestPurchaseDeadlines checks that a purchase that ends while it waits for the answer
// has an unknown outcome.
func TestPurchaseDeadlines(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	slow := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, `{"order":`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		ctx    func(context.Context) (context.Context, context.CancelFunc)
		took   time.Duration
		want   error
	}{
		{"never answered", hang, context.WithCancel, PurchaseTimeout, context.DeadlineExceeded},
		{"answered in part", slow, context.WithCancel, PurchaseTimeout, context.DeadlineExceeded},
		{"past the caller's deadline", hang, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 7*time.Second)
		}, 7 * time.Second, context.DeadlineExceeded},
		{"canceled by the caller", hang, func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(3*time.Second, cancel)
			return ctx, cancel
		}, 3 * time.Second, context.Canceled},
		{"canceled by the caller, with grace", hang, func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(WithGrace(ctx, 2*time.Second))
			time.AfterFunc(3*time.Second, cancel)
			return ctx, cancel
		}, 5 * time.Second, context.Canceled},
		{"past the caller's deadline, with grace", slow, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(WithGrace(ctx, 2*time.Second), 7*time.Second)
		}, 7 * time.Second, context.DeadlineExceeded},
	}
	for _, test := range tests {
		for action, call := range purchaseCalls {
			t.Run(test.name+"/"+action, func(t *testing.T) {
				inBubble(t, Options{}, test.answer, func(t *testing.T, c *Client, m *fakeServer) {
					ctx, cancel := test.ctx(t.Context())
					defer cancel()
					start := time.Now()
					_, err := call(ctx, c)
					if kind, _ := KindOf(err); kind != OutcomeUnknown || !errors.Is(err, test.want) {
						t.Errorf("got %v, want OutcomeUnknown because of %v", err, test.want)
					}
					if took := time.Since(start); took != test.took {
						t.Errorf("took %s, want %s", took, test.took)
					}
					checkSentOnce(t, m.requests())
				})
			})
		}
	}
}

// TestPurchaseWaitsForRateLimit checks that a purchase that gets no slot under the rate
// limit is NotSent.
func TestPurchaseWaitsForRateLimit(t *testing.T) {
	inBubble(t, Options{Limiter: callrate.New(callrate.Options{Most: 0.01})}, respond(200, `{"order":1}`), func(t *testing.T, c *Client, m *fakeServer) {
		buy := func(ctx context.Context) error {
			_, err := c.Add(ctx, secretKey, AddRequest{Service: 1, Quantity: 1})
			return err
		}
		for range 2 { // one that was saved, and one in advance
			if err := buy(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if kind, _ := KindOf(buy(t.Context())); kind != NotSent {
			t.Errorf("without a slot in time: %s, want NotSent", kind)
		}
		time.Sleep(85 * time.Second) // the next slot is free in 5 s
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		err := buy(ctx)
		if kind, _ := KindOf(err); kind != NotSent || !errors.Is(err, context.Canceled) {
			t.Errorf("canceled while waiting: %v, want NotSent", err)
		}
		if n := len(m.requests()); n != 2 {
			t.Errorf("the server received %d requests, want 2", n)
		}
	})
}

// TestPurchaseWithGrace: an answer that comes within the grace counts.
func TestPurchaseWithGrace(t *testing.T) {
	inBubble(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(2 * time.Second)
		_, _ = io.WriteString(w, `{"order":`)
		_ = http.NewResponseController(w).Flush()
		time.Sleep(500 * time.Millisecond)
		_, _ = io.WriteString(w, `23501}`)
	}, func(t *testing.T, c *Client, m *fakeServer) {
		ctx, cancel := context.WithCancel(WithGrace(t.Context(), 2*time.Second))
		time.AfterFunc(time.Second, cancel)
		if id, err := c.Add(ctx, secretKey, AddRequest{Service: 1, Quantity: 1}); id != "23501" || err != nil {
			t.Errorf("got %q, %v", id, err)
		}
		checkSentOnce(t, m.requests())
	})
}

// TestGraceSendsNothing: what has not left when its context ends is not sent.
func TestGraceSendsNothing(t *testing.T) {
	for action, call := range purchaseCalls {
		t.Run(action, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here, there := net.Pipe()
				c := newClient(t, Options{URL: "http://market.test", Dial: func(context.Context, string, string) (net.Conn, error) {
					time.Sleep(3 * time.Second)
					return here, nil
				}})
				sent := make(chan []byte, 1)
				go func() {
					all, _ := io.ReadAll(there)
					sent <- all
				}()
				ctx, cancel := context.WithCancel(WithGrace(t.Context(), 10*time.Second))
				time.AfterFunc(time.Second, cancel)
				began := time.Now()
				_, err := call(ctx, c)
				if kind, _ := KindOf(err); kind != NotSent || !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want NotSent", err)
				}
				if took := time.Since(began); took != time.Second {
					t.Errorf("took %s", took)
				}
				time.Sleep(time.Minute)
				_ = here.Close()
				if got := <-sent; len(got) > 0 {
					t.Errorf("sent %q", got)
				}
			})
		})
	}
}

// TestPurchaseCancelledAtAnyMoment checks that NotSent is true although net/http's
// writing goroutine outlives Do.
func TestPurchaseCancelledAtAnyMoment(t *testing.T) {
	const rounds = 300
	arrived := make(chan struct{}, rounds)
	m := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			arrived <- struct{}{}
		}
		respond(200, `{"order":1}`)(w, r)
	}))
	defer m.Close()
	outcomes := map[Kind]int{} // 0: success
	for range rounds {
		ctx, cancel := context.WithCancel(t.Context())
		c := newClient(t, Options{URL: m.URL, Dial: func(_ context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), network, addr)
			go cancel()
			return conn, err
		}})
		if _, err := c.Add(ctx, secretKey, AddRequest{Service: 1, Quantity: 1}); err != nil {
			kind, _ := KindOf(err)
			outcomes[kind]++
		} else {
			outcomes[0]++
		}
		cancel()
	}
	m.Close() // waits for running requests
	if sent, most := len(arrived), rounds-outcomes[NotSent]; sent > most {
		t.Errorf("the server received %d purchases, want at most %d: %v", sent, most, outcomes)
	}
	if outcomes[NotSent]+outcomes[OutcomeUnknown]+outcomes[0] != rounds {
		t.Errorf("other kinds: %v", outcomes)
	}
}

func TestGate(t *testing.T) {
	newGate := func() *gate {
		return &gate{body: strings.NewReader("key=…"), isLate: func() bool { return false }}
	}

	g := newGate()
	if !g.tryClose() {
		t.Error("nothing was written, but the gate did not close")
	}
	g.markWritten()
	if body, err := io.ReadAll(g); err == nil || len(body) > 0 {
		t.Errorf("a closed gate returned %q", body)
	}

	g = newGate()
	g.markWritten()
	if g.tryClose() {
		t.Error("the gate closed after headers were written")
	}
	if body, err := io.ReadAll(g); err != nil || string(body) != "key=…" {
		t.Errorf("an open gate returned %q, %v", body, err)
	}

	g = newGate()
	g.isLate = func() bool { return true }
	g.markWritten()
	if !g.tryClose() {
		t.Error("headers that were written late let the body out")
	}

	g = newGate()
	if _, err := g.Read(make([]byte, 1)); err != nil || g.tryClose() {
		t.Errorf("the gate closed after the body was read: %v", err)
	}
}
