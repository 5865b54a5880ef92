package bot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
)

const (
	defaultAPIURL = "https://api.telegram.org"

	callTimeout   = 15 * time.Second // of a call that is not a long poll or an upload
	uploadTimeout = 60 * time.Second

	maxResponse = 1 << 20  // bytes; a message takes a few thousand
	maxUpdates  = 32 << 20 // bytes of a response to getUpdates: a hundred updates
	// maxConns is the number of connections kept for reuse. With Go's default of two,
	// a busy bot opens a new connection for nearly every call.
	maxConns = 2*maxWorkers + 64
)

var (
	errUnreadable = errors.New("the response can't be read")
	errTooLarge   = errors.New("the response is too large")
)

// client makes all calls to Telegram: it is the HttpClient of the library, and makes
// getUpdates itself. It bounds responses, turns every refusal into an *Error before
// the library sees it, and keeps the token out of errors.
type client struct {
	transport *http.Transport
	redactor  *redact.Redactor
	prefix    string      // URL up to the method's name; contains the token
	header    http.Header // of requests with JSON; not modified
	buffers   sync.Pool   // *bytes.Buffer, for responses
	observe   func(method, outcome string, took time.Duration)
	// noteDate is called with the Date of each response; nil: unwanted.
	noteDate func(time.Time)
}

func newClient(cfg Config) (*client, error) {
	token := strings.TrimSpace(cfg.Token.Reveal())
	if token == "" || strings.ContainsAny(token, " /?#%\r\n\t") {
		return nil, errors.New("bot: the token is empty or malformed")
	}
	base := strings.TrimRight(cfg.APIURL, "/")
	if base == "" {
		base = defaultAPIURL
	}
	if u, err := url.Parse(base); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("bot: the API address is not an http or https URL")
	}
	dial, proxy := cfg.Dial, (func(*http.Request) (*url.URL, error))(nil)
	if dial == nil {
		proxy = http.ProxyFromEnvironment
		dial = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	// HTTP/1.1 only: with one connection per call, a connection that hangs affects
	// one response and not all.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &client{
		transport: &http.Transport{
			Proxy:               proxy,
			DialContext:         dial,
			TLSHandshakeTimeout: 10 * time.Second,
			MaxIdleConns:        maxConns,
			MaxIdleConnsPerHost: maxConns,
			IdleConnTimeout:     time.Minute,
			Protocols:           protocols,
		},
		redactor: redact.New(redact.Secret(token)),
		prefix:   base + "/bot" + token + "/",
		header:   http.Header{"Content-Type": {"application/json"}},
		buffers:  sync.Pool{New: func() any { return new(bytes.Buffer) }},
		observe:  cfg.ObserveCall,
	}, nil
}

// refusal is an unsuccessful response (Bot API: Making requests).
type refusal struct {
	ErrorCode   int    `json:"error_code"`
	Description string `json:"description"`
	Parameters  struct {
		RetryAfter int   `json:"retry_after"` // seconds
		MigrateTo  int64 `json:"migrate_to_chat_id"`
	} `json:"parameters"`
}

// sentMessage is what is used of the response to a call that sends a message.
type sentMessage struct {
	Result struct {
		ID int `json:"message_id"`
	} `json:"result"`
}

func (m *sentMessage) decode(body []byte) error {
	if err := json.Unmarshal(body, m); err != nil || m.Result.ID == 0 {
		return errUnreadable
	}
	return nil
}

// into returns a decoder of a response, with its "ok" and "result".
func into(response any) func(body []byte) error {
	return func(body []byte) error { return json.Unmarshal(body, response) }
}

// Do implements the library's HttpClient. Its errors are *Error, which the library
// wraps. Of a sent message it returns only the id, because the library fails on
// values that it does not know, and the sent message would become an error.
func (c *client) Do(req *http.Request) (*http.Response, error) {
	method := path.Base(req.URL.Path)
	var body json.RawMessage
	decode := into(&body)
	if strings.HasPrefix(method, "send") {
		decode = func(response []byte) error {
			var sent sentMessage
			err := sent.decode(response)
			body = fmt.Appendf(nil, `{"ok":true,"result":{"message_id":%d}}`, sent.Result.ID)
			return err
		}
	}
	if err := c.perform(req, method, maxResponse, decode); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(body))}, nil
}

// call makes a call without the library, whose forms cost several times as much as JSON.
// params are the library's. decode gets a successful response of at most limit bytes;
// nil says that nothing of it is used.
func (c *client) call(ctx context.Context, method string, params any, limit int64, decode func(body []byte) error) error {
	encoded, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("encode %s: %w", method, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.prefix+method, bytes.NewReader(encoded))
	if err != nil {
		return c.unsent(method, err)
	}
	req.Header = c.header
	return c.perform(req, method, limit, decode)
}

// perform makes a call. limit and decode are as in call.
func (c *client) perform(req *http.Request, method string, limit int64, decode func(body []byte) error) error {
	start := time.Now()
	response := c.buffers.Get().(*bytes.Buffer)
	status, err := c.exchange(req, method, limit, response)
	if err == nil {
		err = c.check(method, status, response.Bytes())
	}
	if err == nil && decode != nil && decode(response.Bytes()) != nil {
		err = c.noResponse(method, status, errUnreadable)
	}
	if response.Cap() <= maxResponse {
		response.Reset()
		c.buffers.Put(response)
	}
	c.observe(method, outcomeOf(err), time.Since(start))
	return err
}

// exchange sends a request and reads the whole response.
func (c *client) exchange(req *http.Request, method string, limit int64, response *bytes.Buffer) (status int, err error) {
	var written atomic.Bool // set by the transport's goroutine
	trace := &httptrace.ClientTrace{WroteHeaders: func() { written.Store(true) }}
	resp, err := c.transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		if written.Load() {
			return 0, c.noResponse(method, 0, err)
		}
		return 0, c.unsent(method, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if c.noteDate != nil {
		if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			c.noteDate(date)
		}
	}
	n, err := response.ReadFrom(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return 0, c.noResponse(method, resp.StatusCode, err)
	}
	if n > limit {
		return 0, c.noResponse(method, resp.StatusCode, errTooLarge)
	}
	return resp.StatusCode, nil
}

var accepted = []byte(`{"ok":true`)

// check returns an *Error unless the response is successful. It does not decode those that
// are, of which often nothing is used: it is enough that they are not cut off.
func (c *client) check(method string, status int, body []byte) error {
	if bytes.HasPrefix(body, accepted) && bytes.HasSuffix(bytes.TrimSpace(body), []byte("}")) {
		return nil
	}
	var response struct {
		OK *bool `json:"ok"`
		refusal
	}
	if err := json.Unmarshal(body, &response); err != nil || response.OK == nil {
		return c.unexpected(method, status)
	}
	if *response.OK {
		return nil
	}
	if response.ErrorCode == 0 {
		response.ErrorCode = status
	}
	return c.refused(method, response.refusal)
}

// asError returns the *Error in an error of the library. Any other error means that
// the library could not build the request.
func (c *client) asError(method string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := c.unsent(method, err)
	e.kind = outbox.ErrRejected
	return e
}
