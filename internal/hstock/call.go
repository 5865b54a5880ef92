package hstock

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sony/gobreaker/v2"

	"hstockbot/internal/redact"
)

// How reads are sent. A call takes at most maxAttempts times readTimeout plus
// the pauses, or what ctx allows.
const (
	readTimeout  = 10 * time.Second // of one attempt, its answer included
	maxReadBytes = 8 << 20          // 10,000 items are about 4 MiB
	maxAttempts  = 3
	rateTimeout  = 10 * time.Second       // of the wait for the rate limit; a purchase's deadline leaves 20 s for the answer
	firstBackoff = 250 * time.Millisecond // before the second attempt, ±50 %; then four times as long

	// The breaker opens after three calls have failed in all their attempts, and
	// lets one attempt pass after breakerTimeout.
	breakerFailures = 3 * maxAttempts
	breakerTimeout  = 5 * time.Second
)

// What is wrong with an answer. Nothing of the answer itself is ever told.
var (
	errEmpty           = errors.New("empty answer")
	errTooLarge        = errors.New("answer too large")
	errCutOff          = errors.New("answer cut off")
	errNotJSON         = errors.New("not JSON")
	errUnexpectedShape = errors.New("JSON of an unexpected shape")
	errConnection      = errors.New("connection broken")
	errRateLimited     = errors.New("no turn under the rate limit in time")
)

// call is one request to be made.
type call struct {
	action string
	key    redact.Secret
	form   url.Values // without key and action
}

// newCall makes a call of name-value pairs; empty values are not sent.
func newCall(action string, key redact.Secret, pairs ...string) call {
	form := make(url.Values, len(pairs)/2+2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			form.Set(pairs[i], pairs[i+1])
		}
	}
	return call{action: action, key: key, form: form}
}

// body returns the form as it goes over the wire.
func (q call) body() string {
	form := make(url.Values, len(q.form)+2)
	for name, values := range q.form {
		form[name] = values
	}
	form.Set("key", q.key.Reveal())
	form.Set("action", q.action)
	return form.Encode()
}

// failure makes an Error of this call.
func (q call) failure(kind Kind, status int, err error) *Error {
	return &Error{Action: q.action, Kind: kind, Status: status, Err: err}
}

// newRefusal makes the Error of an {"error": words} answer.
func (q call) refusal(status int, words string) *Error {
	hidden := []string{q.key.Reveal()}
	for _, values := range q.form {
		hidden = append(hidden, values...)
	}
	return newRefusal(q.action, status, words, q.key, hidden)
}

// request makes the POST of this call with the given body.
func (q call) request(ctx context.Context, target string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "hstockbot")
	return req, nil
}

type singleAttemptKey struct{}

// SingleAttempt returns a context whose reads are tried once: for whoever asks
// again on a schedule of their own.
func SingleAttempt(ctx context.Context) context.Context {
	return context.WithValue(ctx, singleAttemptKey{}, true)
}

// read makes a call that changes nothing: again when the marketplace was out of
// reach or unreadable, and not at all while the breaker is open. decode gets an
// answer that is not empty and says whether it is JSON of the expected shape.
func read[T any](ctx context.Context, c *Client, q call, decode func([]byte) (T, bool)) (T, error) {
	began := time.Now()
	value, failure := readWithRetries(ctx, c, q, decode)
	if failure != nil {
		c.observe(q.action, failure.Kind.String(), time.Since(began))
		var none T
		return none, failure
	}
	c.observe(q.action, "ok", time.Since(began))
	return value, nil
}

func readWithRetries[T any](ctx context.Context, c *Client, q call, decode func([]byte) (T, bool)) (value T, failure *Error) {
	pause, most := firstBackoff, maxAttempts
	if ctx.Value(singleAttemptKey{}) != nil {
		most = 1
	}
	for attempt := 1; ; attempt++ {
		value, failure = readAttempt(ctx, c, q, decode)
		again := failure != nil && (failure.Kind == Unreachable || failure.Kind == Unreadable)
		if !again || attempt == most || isOpen(failure) || errors.Is(failure, errRateLimited) {
			return value, failure
		}
		if !sleep(ctx, pause/2+rand.N(pause)) { //nolint:gosec // jitter, not a secret
			return value, failure
		}
		pause *= 4
	}
}

// readAttempt makes one attempt through the breaker and the rate limit.
func readAttempt[T any](ctx context.Context, c *Client, q call, decode func([]byte) (T, bool)) (value T, failure *Error) {
	_, err := c.breaker.Execute(func() (struct{}, error) {
		if err := c.waitForRate(ctx); err != nil {
			return struct{}{}, q.failure(Unreachable, 0, err)
		}
		ctx, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		var failure *Error
		if value, failure = exchange(ctx, c, q, decode); failure != nil {
			return struct{}{}, failure
		}
		return struct{}{}, nil
	})
	if err == nil || errors.As(err, &failure) {
		return value, failure
	}
	return value, q.failure(Unreachable, 0, err) // the breaker's own
}

func exchange[T any](ctx context.Context, c *Client, q call, decode func([]byte) (T, bool)) (value T, _ *Error) {
	req, err := q.request(ctx, c.url, strings.NewReader(q.body()))
	if err != nil {
		return value, q.failure(Unreachable, 0, errConnection)
	}
	resp, err := c.reads.Do(req)
	if err != nil {
		return value, q.failure(Unreachable, 0, safeCause(ctx, err))
	}
	defer func() { _ = resp.Body.Close() }()
	status := resp.StatusCode
	if inconclusive(status) {
		return value, q.failure(Unreachable, status, nil)
	}
	body, err := readBody(ctx, resp.Body, maxReadBytes)
	if err != nil {
		if ctx.Err() != nil {
			return value, q.failure(Unreachable, status, err)
		}
		return value, q.failure(kindOfUnreadable(status), status, err)
	}
	if words, refused := refusalMessage(body); refused {
		return value, q.refusal(status, words)
	}
	if status < http.StatusBadRequest {
		if value, ok := decode(body); ok {
			return value, nil
		}
	}
	return value, q.failure(kindOfUnreadable(status), status, decodeError(body))
}

// inconclusive says that a status tells of the server or the way to it, whatever
// the body.
func inconclusive(status int) bool {
	return status < 200 || status >= 300 && status < 400 || status >= 500 ||
		status == http.StatusRequestTimeout || status == http.StatusTooManyRequests
}

// kindOfUnreadable is the kind of an answer without sense: a proxy's 403 page says
// only that the marketplace was not reached.
func kindOfUnreadable(status int) Kind {
	if status >= http.StatusBadRequest {
		return Unreachable
	}
	return Unreadable
}

// waitForRate waits for the rate limit. Its error is the context's or errRateLimited.
func (c *Client) waitForRate(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, rateTimeout)
	defer cancel()
	if err := c.limiter.Wait(bounded); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errRateLimited
	}
	return nil
}

// readBody reads at most limit bytes, and at least one that is not a space.
func readBody(ctx context.Context, from io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(from, limit+1))
	switch {
	case int64(len(body)) > limit:
		return nil, errTooLarge
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, errCutOff
	}
	if body = trimBody(body); len(body) == 0 {
		return nil, errEmpty
	}
	return body, nil
}

// newBreaker opens when the marketplace does not answer sense. An answer of
// an unexpected shape is one action's matter, and a caller who left says nothing.
func newBreaker() *gobreaker.CircuitBreaker[struct{}] {
	return gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:        "hstockplus",
		Timeout:     breakerTimeout,
		ReadyToTrip: func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= breakerFailures },
		IsSuccessful: func(err error) bool {
			kind, failed := KindOf(err)
			return !failed || kind != Unreachable && (kind != Unreadable || errors.Is(err, errUnexpectedShape))
		},
		IsExcluded: func(err error) bool {
			return errors.Is(err, context.Canceled) || errors.Is(err, errRateLimited)
		},
	})
}

func isOpen(err error) bool {
	return errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests)
}

// safeCause reduces an error of net/http to what is safe to tell: its texts may
// quote the URL and pieces of the answer.
func safeCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var (
		timeout interface{ Timeout() bool }
		network *net.OpError
		trust   *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return context.DeadlineExceeded
	case errors.As(err, &network):
		return network
	case errors.As(err, &trust):
		return trust
	case errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	return errConnection
}

// sleep waits for d and reports whether it was let finish.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
