package hstock

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"hstockbot/internal/callrate"
)

// PurchaseTimeout is the deadline of Add, AddSMS and Cancel, including the wait for
// the rate limit. A lease on a purchase must be longer.
const PurchaseTimeout = 30 * time.Second

// MaxBatch is the largest number of orders in Cancel and AllowCancel, and of
// ProductIDs in a Filter (HStockPlus: cancel, allowcancel, products).
const MaxBatch = 100

// Options configures a Client.
type Options struct {
	URL     string                                                            // https://hstockplus.com/api/v2
	Limiter *callrate.Limiter                                                 // decides when calls are made; nil: at once
	Dial    func(ctx context.Context, network, addr string) (net.Conn, error) // optional; replaces the network
	Observe func(action, outcome string, took time.Duration)                  // optional; outcome is a Kind's String, "ok" or "held"
	MaySend func() bool                                                       // optional; false: no purchase or cancel may leave this process, because others may have settled it
}

// Client calls one marketplace with any number of API keys. Its methods may be
// called by several goroutines at once; every error they return is an *Error.
type Client struct {
	url       string
	reads     *http.Client
	purchases *http.Client
	limiter   *callrate.Limiter
	breaker   *gobreaker.CircuitBreaker[struct{}]
	failing   *failingKeys // what the breaker counts
	holds     holds
	maySend   func() bool

	currencies sync.Map // keyDigest to string
	observe    func(action, outcome string, took time.Duration)
}

// New returns a Client without connecting. The error says that the URL is not
// http(s), without quoting it.
func New(o Options) (*Client, error) {
	target, err := url.Parse(o.URL)
	if err != nil || target.Host == "" || (target.Scheme != "http" && target.Scheme != "https") {
		return nil, errors.New("hstock: the URL is not http(s)")
	}
	c := &Client{
		url:       o.URL,
		reads:     &http.Client{Transport: readTransport(o), CheckRedirect: noRedirect},
		purchases: &http.Client{Transport: purchaseTransport(o), CheckRedirect: noRedirect},
		limiter:   o.Limiter,
		failing:   &failingKeys{attempts: map[keyDigest]int{}},
		holds:     holds{byKey: map[keyDigest]hold{}},
		observe:   o.Observe,
		maySend:   o.MaySend,
	}
	c.breaker = newBreaker(c.failing)
	if c.limiter == nil {
		c.limiter = callrate.New(callrate.Options{})
	}
	if c.observe == nil {
		c.observe = func(string, string, time.Duration) {}
	}
	if c.maySend == nil {
		c.maySend = func() bool { return true }
	}
	return c, nil
}

// Close closes idle connections. Running calls are not interrupted.
func (c *Client) Close() {
	c.reads.CloseIdleConnections()
	c.purchases.CloseIdleConnections()
}

const (
	connectTimeout   = 5 * time.Second
	maxHeaderBytes   = 64 << 10
	idleConnsPerHost = 512 // with Go's default of 2, nearly every call opens a connection
)

func readTransport(o Options) *http.Transport {
	t := baseTransport(o)
	t.MaxIdleConnsPerHost = idleConnsPerHost
	t.IdleConnTimeout = 90 * time.Second
	t.ForceAttemptHTTP2 = true
	return t
}

// purchaseTransport never reuses a connection and never speaks HTTP/2: in both
// cases net/http may send a request again.
func purchaseTransport(o Options) *http.Transport {
	t := baseTransport(o)
	t.DisableKeepAlives = true
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	return t
}

func baseTransport(o Options) *http.Transport {
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout:    connectTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	if o.Dial != nil {
		t.Proxy, t.DialContext = nil, o.Dial
	}
	return t
}

// noRedirect returns a redirect as the answer: following one would send the key to
// another server, and 307 and 308 would send a purchase again.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
