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

	"hstockbot/internal/callrate"
	"hstockbot/internal/redact"
)

// A read takes at most maxAttempts times readTimeout plus the backoff.
const (
	readTimeout  = 10 * time.Second // of one attempt, including its answer
	maxReadBytes = 8 << 20          // 10,000 items are about 4 MiB
	maxAttempts  = 3
	rateTimeout  = 10 * time.Second       // of the wait for the rate limit; leaves a purchase 20 s for the answer
	firstBackoff = 250 * time.Millisecond // before the second attempt, ±50 %; four times as long before the third
)

// Errors of an attempt. They quote nothing of the answer.
var (
	errEmpty           = errors.New("empty answer")
	errCutOff          = errors.New("answer cut off")
	errNotJSON         = errors.New("not JSON")
	errUnexpectedShape = errors.New("JSON of an unexpected shape")
	errConnection      = errors.New("connection failed")
	errLate            = errors.New("too late to send")
	errRateLimited     = errors.New("rate limit: no slot in time")
)

// ErrTooLarge means that an answer to a read is larger than 8 MiB: fewer items must be
// requested at a time.
var ErrTooLarge = errors.New("answer too large")

// call is one request.
type call struct {
	action string
	key    redact.Secret
	form   url.Values // without key and action
	// sendBefore is when a purchase or cancel must have been written, zero for no limit.
	sendBefore time.Time
	// date receives the Date of a read's answer, zero where that has none; nil: unwanted.
	date *time.Time
}

// newCall returns a call with name-value pairs; empty values are not sent.
func newCall(action string, key redact.Secret, pairs ...string) call {
	form := make(url.Values, len(pairs)/2+2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			form.Set(pairs[i], pairs[i+1])
		}
	}
	return call{action: action, key: key, form: form}
}

// body returns the encoded form.
func (q call) body() string {
	form := make(url.Values, len(q.form)+2)
	for name, values := range q.form {
		form[name] = values
	}
	form.Set("key", q.key.Reveal())
	form.Set("action", q.action)
	return form.Encode()
}

// failure returns an Error of this call.
func (q call) failure(kind Kind, status int, err error) *Error {
	return &Error{Action: q.action, Kind: kind, Status: status, Err: err}
}

// refusal returns the Error of an {"error": message} answer.
func (q call) refusal(status int, message string) *Error {
	values := []string{q.key.Reveal()}
	for _, v := range q.form {
		values = append(values, v...)
	}
	return newRefusal(q.action, status, message, q.key, values)
}

// isLate reports whether sendBefore is over by the wall clock: the elapsed time of a process
// stands still while the machine sleeps.
func (q call) isLate() bool {
	return !q.sendBefore.IsZero() && !time.Now().Round(0).Before(q.sendBefore.Round(0))
}

// request returns the POST of this call with the given body. With an acceptEncoding
// of its own net/http leaves decompression to readBody, which also reads what was not
// asked for.
func (q call) request(ctx context.Context, target, acceptEncoding string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "hstockbot")
	req.Header.Set("Accept-Encoding", acceptEncoding)
	return req, nil
}

type singleAttemptKey struct{}

// SingleAttempt returns a context in which reads are tried once, for callers that
// retry on their own schedule.
func SingleAttempt(ctx context.Context) context.Context {
	return context.WithValue(ctx, singleAttemptKey{}, true)
}

type backgroundKey struct{}

// Background returns a context in which calls let those of others pass, for jobs that
// nobody waits for.
func Background(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, true)
}

type graceKey struct{}

// WithGrace returns a context whose end cuts off a purchase or a cancel only d later, if some
// of it may have left by then: the answer usually comes soon, and without it the outcome is
// unknown. A deadline holds for the answer, too.
func WithGrace(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, graceKey{}, d)
}

// observed makes a call and passes its outcome and duration to Options.Observe.
func observed[T any](c *Client, q call, send func() (T, *Error)) (T, error) {
	start := time.Now()
	value, failure := send()
	if failure != nil {
		outcome := failure.Kind.String()
		if errors.Is(failure, callrate.ErrBanned) || failure.Kind != OutcomeUnknown && failure.isAboutKey() && !c.holds.several() {
			outcome = outcomeHeld
		}
		c.observe(q.action, outcome, time.Since(start))
		var zero T
		return zero, failure
	}
	c.observe(q.action, "ok", time.Since(start))
	return value, nil
}

// read makes a call that changes nothing. It retries when the marketplace is
// Unreachable or Unreadable, and fails at once while the breaker is open. decode
// gets a non-empty answer and reports whether it is JSON of the expected shape.
func read[T any](ctx context.Context, c *Client, q call, decode func([]byte) (T, bool)) (T, error) {
	return observed(c, q, func() (T, *Error) { return readWithRetries(ctx, c, q, decode) })
}

func readWithRetries[T any](ctx context.Context, c *Client, q call, decode func([]byte) (T, bool)) (value T, failure *Error) {
	backoff, attempts := firstBackoff, maxAttempts
	if ctx.Value(singleAttemptKey{}) != nil {
		attempts = 1
	}
	for attempt := 1; ; attempt++ {
		if held, status := c.holds.left(q.key); held > 0 && (attempts == 1 || held > maxHoldWait || !sleep(ctx, held)) {
			if failure == nil {
				failure = q.failure(Unreachable, status, ErrHeld)
			}
			return value, failure
		}
		value, failure = readAttempt(ctx, c, q, decode)
		retry := failure != nil && (failure.Kind == Unreachable || failure.Kind == Unreadable)
		if !retry || attempt == attempts || isOpen(failure) || isUnsent(failure) || errors.Is(failure, ErrTooLarge) {
			return value, failure
		}
		if !sleep(ctx, backoff/2+rand.N(backoff)) { //nolint:gosec // jitter, not a secret
			return value, failure
		}
		backoff *= 4
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
		began := time.Now()
		value, failure = exchange(ctx, c, q, decode)
		c.noteOutcome(q, failure, time.Since(began))
		if failure == nil {
			return struct{}{}, nil
		}
		return struct{}{}, failure
	})
	if err == nil || errors.As(err, &failure) {
		return value, failure
	}
	return value, q.failure(Unreachable, 0, err) // the breaker is open
}

// noteOutcome remembers what an attempt says about its key and about all.
func (c *Client) noteOutcome(q call, failure *Error, took time.Duration) {
	c.limiter.Report(callrate.Account(digest(q.key)), q.action, rateResult(failure), took)
	switch {
	case failure != nil && failure.isAboutKey():
		c.holds.add(q.key, failure.Status, failure.retryAfter)
	case failure != nil && isOutage(failure):
		c.failing.add(q.key)
	default:
		c.failing.reset()
		c.holds.release(q.key)
	}
}

// rateResult returns what an attempt says about the rate of calls.
func rateResult(failure *Error) callrate.Result {
	switch {
	case failure == nil, failure.Kind != Unreachable && failure.Kind != Unreadable && failure.Kind != OutcomeUnknown:
		return callrate.Accepted
	case failure.page && (failure.Status == http.StatusForbidden || failure.Status == http.StatusTooManyRequests):
		return callrate.Blocked
	case failure.Status == http.StatusTooManyRequests:
		return callrate.TooMany
	case failure.Status == http.StatusServiceUnavailable:
		return callrate.Overloaded
	default:
		return callrate.Unanswered
	}
}

// isUnsent reports whether a call was not made because of the rate.
func isUnsent(err error) bool {
	return errors.Is(err, errRateLimited) || errors.Is(err, callrate.ErrBanned)
}

func exchange[T any](ctx context.Context, c *Client, q call, decode func([]byte) (T, bool)) (value T, _ *Error) {
	req, err := q.request(ctx, c.url, "gzip", strings.NewReader(q.body()))
	if err != nil {
		return value, q.failure(Unreachable, 0, errConnection)
	}
	resp, err := c.reads.Do(req)
	if err != nil {
		return value, q.failure(Unreachable, 0, safeCause(ctx, err))
	}
	defer func() { _ = resp.Body.Close() }()
	status := resp.StatusCode
	if q.date != nil {
		*q.date, _ = http.ParseTime(resp.Header.Get("Date"))
	}
	if inconclusive(status) {
		failure := q.failure(Unreachable, status, nil)
		failure.retryAfter = resp.Header.Get("Retry-After")
		failure.page = isPage(readStart(resp.Body))
		return value, failure
	}
	body, err := readBody(ctx, resp.Body, resp.Header.Get("Content-Encoding"), maxReadBytes)
	if err != nil {
		if ctx.Err() != nil {
			return value, q.failure(Unreachable, status, err)
		}
		return value, q.failure(Unreadable, status, err)
	}
	outer := findJSON(body)
	if outer == nil {
		failure := q.failure(Unreadable, status, errNotJSON)
		failure.page = isPage(body)
		return value, failure
	}
	inner := unwrap(outer)
	if message, refused := q.refusalMessage(outer, inner, status); refused {
		return value, q.refusal(status, message)
	}
	if status < http.StatusBadRequest {
		if value, ok := decode(inner); ok {
			return value, nil
		}
	}
	return value, q.failure(Unreadable, status, errUnexpectedShape)
}

// refusalMessage looks for a refusal in an answer and in its envelope.
func (q call) refusalMessage(outer, inner []byte, status int) (message string, refused bool) {
	hasState := q.action == "status" || q.action == "sms_code" || q.action == "sms_status"
	if message, refused = refusalMessage(outer, status, hasState); !refused {
		message, refused = refusalMessage(inner, status, hasState)
	}
	return message, refused
}

// inconclusive reports whether a status is about the server or a proxy, so that the
// body does not tell what the marketplace did.
func inconclusive(status int) bool {
	return status < 200 || status >= 300 && status < 400 || status >= 500 ||
		status == http.StatusRequestTimeout || status == http.StatusTooManyRequests
}

// readStart returns the first bytes of an answer whose rest is not needed.
func readStart(body io.Reader) []byte {
	start, _ := io.ReadAll(io.LimitReader(body, 512))
	return start
}

// waitForRate waits until the call may be made. Its error is the context's,
// errRateLimited or callrate.ErrBanned.
func (c *Client) waitForRate(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, rateTimeout)
	defer cancel()
	err := c.limiter.Wait(bounded, ctx.Value(backgroundKey{}) != nil)
	switch {
	case err == nil, errors.Is(err, callrate.ErrBanned):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return errRateLimited
	}
}

// safeCause reduces an error of net/http to one that is safe to print: the original
// may quote the URL and parts of the answer.
func safeCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var (
		timeout interface{ Timeout() bool }
		network *net.OpError
		cert    *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return context.DeadlineExceeded
	case errors.As(err, &network):
		return network
	case errors.As(err, &cert):
		return cert
	case errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	return errConnection
}

// sleep waits for d. It returns false if ctx ends first, at once if its deadline is
// earlier.
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
