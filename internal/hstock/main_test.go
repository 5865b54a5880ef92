package hstock

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	"hstockbot/internal/redact"
)

// secretKey must never appear in an error.
const secretKey = redact.Secret("hsk_canary_5f3a9b+/=&7d")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeServer passes every request to one handler and records it.
type fakeServer struct {
	*httptest.Server
	mu       sync.Mutex
	received []request
}

type request struct {
	Method, URI, ContentType, Length, Body string
	Header                                 http.Header
}

// form returns the form fields without the key.
func (r request) form(t *testing.T) map[string]string {
	t.Helper()
	values, err := url.ParseQuery(r.Body)
	if err != nil {
		t.Fatalf("parsing the form: %v", err)
	}
	fields := map[string]string{}
	for name, all := range values {
		if len(all) != 1 {
			t.Errorf("field %s is sent %d times", name, len(all))
		}
		fields[name] = all[0]
	}
	if fields["key"] != secretKey.Reveal() {
		t.Errorf("key = %q", fields["key"])
	}
	delete(fields, "key")
	return fields
}

// newTestClient starts a server on loopback, with a base path, and returns a client
// for it.
func newTestClient(t *testing.T, answer http.HandlerFunc) (*Client, *fakeServer) {
	t.Helper()
	m := &fakeServer{}
	m.Server = httptest.NewServer(m.record(t, answer))
	t.Cleanup(m.Close)
	return newClient(t, Options{URL: m.URL + "/api/v2"}), m
}

// inBubble runs f with a server and its client in a synctest bubble.
func inBubble(t *testing.T, o Options, answer http.HandlerFunc, f func(t *testing.T, c *Client, m *fakeServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, pipes := &fakeServer{}, make(pipes)
		server := &http.Server{Handler: m.record(t, answer), ReadHeaderTimeout: time.Hour}
		var served sync.WaitGroup
		served.Go(func() { _ = server.Serve(pipes) })
		if o.Dial = pipes.dial; o.URL == "" {
			o.URL = "http://market.test/api/v2"
		}
		c, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		f(t, c, m)
		c.Close()
		_ = server.Close()
		served.Wait()
	})
}

// record returns a handler that records requests before answer is called.
func (m *fakeServer) record(t *testing.T, answer http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading the request body: %v", err)
		}
		m.mu.Lock()
		m.received = append(m.received, request{
			Method: r.Method, URI: r.RequestURI, ContentType: r.Header.Get("Content-Type"),
			Length: r.Header.Get("Content-Length"), Body: string(body), Header: r.Header.Clone(),
		})
		m.mu.Unlock()
		answer(w, r)
	})
}

// pipes is a listener for connections in memory.
type pipes chan net.Conn

func (p pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p pipes) Accept() (net.Conn, error) {
	conn, open := <-p
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func newClient(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (m *fakeServer) requests() []request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.received
}

// respond returns a handler that answers with a status and a body, byte for byte.
func respond(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

var cmpOptions = cmp.Options{
	cmp.Comparer(func(a, b decimal.Decimal) bool { return a.String() == b.String() }), // 5.00 differs from 5
	cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
	cmp.Comparer(func(a, b redact.Secret) bool { return a.Reveal() == b.Reveal() }),
	cmpopts.IgnoreFields(CancelAllowance{}, "AnsweredAt"), // of TestAllowanceHasTheDateOfItsAnswer
}

func amount(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func nullAmount(s string) decimal.NullDecimal {
	return decimal.NullDecimal{Decimal: amount(s), Valid: true}
}

func pointer[T any](v T) *T { return &v }

// apiCall makes a call and returns its answer as any, for tables over actions.
type apiCall func(ctx context.Context, c *Client) (any, error)

func callOf[T any](f func(ctx context.Context, c *Client) (T, error)) apiCall {
	return func(ctx context.Context, c *Client) (any, error) { return f(ctx, c) }
}

// readCalls are all reads, purchaseCalls all calls that are sent once.
var (
	readCalls = map[string]apiCall{
		"categories": callOf(func(ctx context.Context, c *Client) ([]Category, error) {
			return c.Categories(ctx, secretKey, "zh")
		}),
		"subcategory_info": callOf(func(ctx context.Context, c *Client) (SubcategoryInfo, error) {
			return c.SubcategoryInfo(ctx, secretKey, "674a1f77bcf86cd799439099", "zh")
		}),
		"shops": callOf(func(ctx context.Context, c *Client) ([]Seller, error) { return c.Shops(ctx, secretKey, 1, 20) }),
		"products": callOf(func(ctx context.Context, c *Client) (Page, error) {
			return c.Products(ctx, secretKey, Filter{})
		}),
		"services": callOf(func(ctx context.Context, c *Client) (Page, error) {
			return c.Services(ctx, secretKey, Filter{})
		}),
		"inventory": callOf(func(ctx context.Context, c *Client) (Inventory, error) {
			return c.Inventory(ctx, secretKey, 23501, "")
		}),
		"status": callOf(func(ctx context.Context, c *Client) (Status, error) { return c.Status(ctx, secretKey, "23501") }),
		"allowcancel": callOf(func(ctx context.Context, c *Client) ([]CancelAllowance, error) {
			return c.AllowCancel(ctx, secretKey, []string{"23501", "23502"})
		}),
		"balance": callOf(func(ctx context.Context, c *Client) (Balance, error) { return c.Balance(ctx, secretKey) }),
		"sms_projects": callOf(func(ctx context.Context, c *Client) ([]SMSProject, error) {
			return c.SMSProjects(ctx, secretKey, "us", "zh")
		}),
		"sms_countries": callOf(func(ctx context.Context, c *Client) ([]SMSCountry, error) {
			return c.SMSCountries(ctx, secretKey, "zh")
		}),
		"sms_code":   callOf(func(ctx context.Context, c *Client) (SMSCode, error) { return c.SMSCode(ctx, secretKey, "12345") }),
		"sms_status": callOf(func(ctx context.Context, c *Client) (SMSStatus, error) { return c.SMSStatus(ctx, secretKey, "12345") }),
	}
	purchaseCalls = map[string]apiCall{
		"add": callOf(func(ctx context.Context, c *Client) (string, error) {
			return c.Add(ctx, secretKey, AddRequest{Service: 1, Quantity: 1000, Link: "https://instagram.com/username"})
		}),
		"add_sms": callOf(func(ctx context.Context, c *Client) ([]SMSNumber, error) {
			return c.AddSMS(ctx, secretKey, AddSMSRequest{ProjectID: "65f...", Quantity: 1, Country: "us"})
		}),
		"cancel": callOf(func(ctx context.Context, c *Client) ([]Cancellation, error) {
			return c.Cancel(ctx, secretKey, []string{"23501", "23502"}, time.Time{})
		}),
	}
)
