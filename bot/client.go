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
	prefix    string // URL up to the method's name; contains the token
	observe   func(method, outcome string, took time.Duration)
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
		observe:  cfg.ObserveCall,
	}, nil
}

// refusal is an unsuccessful response (Bot API: Making requests).
type refusal struct {
	ErrorCode   int    `json:"error_code"`
	Description string `json:"description"`
	Parameters  struct {
		RetryAfter int `json:"retry_after"` // seconds
	} `json:"parameters"`
}

// Do implements the library's HttpClient. Its errors are *Error, which the library
// wraps. Of a sent message it returns only the id, because the library fails on
// values that it does not know, and the sent message would become an error.
func (c *client) Do(req *http.Request) (*http.Response, error) {
	method := path.Base(req.URL.Path)
	body, status, err := c.perform(req, method, maxResponse)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(method, "edit"):
		body = []byte(`{"ok":true,"result":true}`)
	case strings.HasPrefix(method, "send"):
		var sent struct {
			Result struct {
				MessageID int `json:"message_id"`
			} `json:"result"`
		}
		if err := json.Unmarshal(body, &sent); err != nil || sent.Result.MessageID == 0 {
			return nil, c.noResponse(method, status, errUnreadable)
		}
		body = fmt.Appendf(nil, `{"ok":true,"result":{"message_id":%d}}`, sent.Result.MessageID)
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(body))}, nil
}

// call makes a call without the library. params are sent as JSON. The JSON of the
// response, at most limit bytes, is decoded into result with its "ok" and "result".
func (c *client) call(ctx context.Context, method string, params, result any, limit int64) error {
	encoded, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("encode %s: %w", method, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.prefix+method, bytes.NewReader(encoded))
	if err != nil {
		return c.unsent(method, err)
	}
	req.Header.Set("Content-Type", "application/json")
	body, status, err := c.perform(req, method, limit)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, result); err != nil {
		return c.noResponse(method, status, errUnreadable)
	}
	return nil
}

// perform makes a call and returns a successful response.
func (c *client) perform(req *http.Request, method string, limit int64) (body []byte, status int, err error) {
	start := time.Now()
	if body, status, err = c.exchange(req, method, limit); err == nil {
		err = c.check(method, status, body)
	}
	c.observe(method, outcomeOf(err), time.Since(start))
	return body, status, err
}

// exchange sends a request and reads the whole response.
func (c *client) exchange(req *http.Request, method string, limit int64) (body []byte, status int, err error) {
	var written atomic.Bool // set by the transport's goroutine
	trace := &httptrace.ClientTrace{WroteHeaders: func() { written.Store(true) }}
	resp, err := c.transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		if written.Load() {
			return nil, 0, c.noResponse(method, 0, err)
		}
		return nil, 0, c.unsent(method, err)
	}
	defer func() { _ = resp.Body.Close() }()
	var buffer bytes.Buffer
	if resp.ContentLength > 0 && resp.ContentLength <= limit {
		buffer.Grow(int(resp.ContentLength) + bytes.MinRead)
	}
	n, err := buffer.ReadFrom(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, 0, c.noResponse(method, resp.StatusCode, err)
	}
	if n > limit {
		return nil, 0, c.noResponse(method, resp.StatusCode, errTooLarge)
	}
	return buffer.Bytes(), resp.StatusCode, nil
}

var accepted = []byte(`{"ok":true`)

// check returns an *Error unless the response is successful.
func (c *client) check(method string, status int, body []byte) error {
	if bytes.HasPrefix(body, accepted) && json.Valid(body) {
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
