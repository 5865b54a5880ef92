// Package hstock is the client of the HStockPlus API v2, one method per action.
//
// It owns the wire: forms, lenient reading, deadlines, retries of reads, and the
// rule that a purchase is sent once. It knows nothing of Telegram, of caching,
// or of what a person wanted.
package hstock

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
)

// PurchaseTimeout is the deadline of Add, AddSMS and Cancel, all told. A lease
// on a purchase has to be longer.
const PurchaseTimeout = 30 * time.Second

// MaxBatch is how many orders Cancel and AllowCancel take, and how many
// ProductIDs a Filter (HStockPlus: cancel, allowcancel, products).
const MaxBatch = 100

// Options configures a Client.
type Options struct {
	URL     string                                                            // https://hstockplus.com/api/v2
	Rate    float64                                                           // calls a second, all keys together; 0 = no limit
	Dial    func(ctx context.Context, network, addr string) (net.Conn, error) // optional; instead of the network
	Observe func(action, outcome string, took time.Duration)                  // optional; outcome is a Kind's String or "ok"
}

// Client calls one marketplace, with any number of keys. Its methods may be
// used by several goroutines at once; every error they return is an *Error.
type Client struct {
	url       string
	reads     *http.Client
	purchases *http.Client
	limiter   *rate.Limiter
	breaker   *gobreaker.CircuitBreaker[struct{}]
	observe   func(action, outcome string, took time.Duration)
}

// New returns a Client. It connects to nothing yet. The error says that the URL
// is not http(s), without repeating it.
func New(o Options) (*Client, error) {
	target, err := url.Parse(o.URL)
	if err != nil || target.Host == "" || (target.Scheme != "http" && target.Scheme != "https") {
		return nil, errors.New("hstock: the URL is not http(s)")
	}
	c := &Client{
		url:       o.URL,
		reads:     &http.Client{Transport: readTransport(o), CheckRedirect: noRedirect},
		purchases: &http.Client{Transport: purchaseTransport(o), CheckRedirect: noRedirect},
		limiter:   rate.NewLimiter(rate.Inf, 0),
		breaker:   newBreaker(),
		observe:   o.Observe,
	}
	if o.Rate > 0 {
		// A small burst: a burst as large as the rate would let twice the rate
		// pass in the first second.
		c.limiter = rate.NewLimiter(rate.Limit(o.Rate), max(1, int(o.Rate/4)))
	}
	if c.observe == nil {
		c.observe = func(string, string, time.Duration) {}
	}
	return c, nil
}

// Close lets go of idle connections. Calls under way are not cut.
func (c *Client) Close() {
	c.reads.CloseIdleConnections()
	c.purchases.CloseIdleConnections()
}

const (
	connectTimeout   = 5 * time.Second
	maxHeaderBytes   = 64 << 10
	idleConnsPerHost = 512 // Go's default of 2 would open a connection for nearly every call
)

func readTransport(o Options) *http.Transport {
	t := baseTransport(o)
	t.MaxIdleConnsPerHost = idleConnsPerHost
	t.IdleConnTimeout = 90 * time.Second
	t.ForceAttemptHTTP2 = true
	return t
}

// purchaseTransport never uses a connection twice and never speaks HTTP/2, the
// two cases in which net/http sends a request again by itself.
func purchaseTransport(o Options) *http.Transport {
	t := baseTransport(o)
	t.DisableKeepAlives = true
	t.DisableCompression = true
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

// noRedirect makes a redirect the answer: following one would hand the key to
// whoever it names, and 307 and 308 would send a purchase again.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
