package hstock

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"hstockbot/internal/callrate"
)

// maxPurchaseBytes bounds the answer to a purchase.
const maxPurchaseBytes = 64 << 10

// purchase makes a call that may move money: one POST over its own connection,
// never repeated. A failure is OutcomeUnknown unless nothing was sent or the
// marketplace refused. decode gets a non-empty answer and reports whether it proves
// success.
func purchase[T any](ctx context.Context, c *Client, q call, decode func([]byte) (T, bool)) (T, error) {
	return observed(c, q, func() (T, *Error) {
		began := time.Now()
		value, failure := sendOnce(ctx, c, q, decode)
		if failure == nil || failure.Kind != NotSent {
			c.limiter.Report(callrate.Account(digest(q.key)), q.action, rateResult(failure), time.Since(began))
		}
		return value, failure
	})
}

func sendOnce[T any](ctx context.Context, c *Client, q call, decode func([]byte) (T, bool)) (value T, _ *Error) {
	ctx, cancel := context.WithTimeout(ctx, PurchaseTimeout)
	defer cancel()
	if err := c.waitForRate(ctx); err != nil {
		return value, q.failure(NotSent, 0, err)
	}

	form := q.body()
	gate := &gate{body: strings.NewReader(form), isLate: func() bool { return q.isLate() || !c.maySend() }}
	if gate.isLate() {
		return value, q.failure(NotSent, 0, errLate)
	}
	trace := &httptrace.ClientTrace{WroteHeaders: gate.markWritten}
	answered, cancelAnswered := outlasting(ctx, gate)
	defer cancelAnswered()
	// net/http repeats a request that has a GetBody or an Idempotency-Key. It sets
	// GetBody only for body types that it knows, and gate is not one of them.
	req, err := q.request(httptrace.WithClientTrace(answered, trace), c.url, "identity", gate)
	if err != nil {
		return value, q.failure(NotSent, 0, errConnection)
	}
	req.ContentLength = int64(len(form))
	req.GetBody = nil

	resp, err := c.purchases.Do(req)
	if err != nil {
		if gate.tryClose() {
			return value, q.failure(NotSent, 0, safeCause(answered, err))
		}
		return value, q.failure(OutcomeUnknown, 0, safeCause(answered, err))
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusTooManyRequests {
		c.holds.add(q.key, resp.StatusCode, resp.Header.Get("Retry-After")) // of reads: a purchase is not delayed
	}
	if inconclusive(resp.StatusCode) {
		failure := q.failure(OutcomeUnknown, resp.StatusCode, nil)
		failure.page = isPage(readStart(resp.Body))
		return value, failure
	}
	body, err := readBody(answered, resp.Body, resp.Header.Get("Content-Encoding"), maxPurchaseBytes)
	if err != nil {
		return value, q.failure(OutcomeUnknown, resp.StatusCode, err)
	}
	outer := findJSON(body)
	if outer == nil {
		failure := q.failure(OutcomeUnknown, resp.StatusCode, errNotJSON)
		failure.page = isPage(body)
		return value, failure
	}
	inner := unwrap(outer)
	if value, done := decode(inner); done {
		return value, nil
	}
	if message, refused := q.refusalMessage(outer, inner, resp.StatusCode); refused {
		return value, q.refusal(resp.StatusCode, message)
	}
	return value, q.failure(OutcomeUnknown, resp.StatusCode, errUnexpectedShape)
}

// outlasting returns the context of a request whose body is gate: it has the deadline of ctx, and
// with WithGrace outlasts its cancellation where some of the request may have been sent.
func outlasting(ctx context.Context, gate *gate) (context.Context, context.CancelFunc) {
	grace, _ := ctx.Value(graceKey{}).(time.Duration)
	deadline, _ := ctx.Deadline()
	answered, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return // answered has the same one
		}
		if !gate.tryClose() {
			select {
			case <-time.After(grace):
			case <-answered.Done():
			}
		}
		cancel()
	})
	return answered, func() { stop(); cancel() }
}

// gate is the body of a purchase and records whether any of the request may have
// been sent. net/http writes a request in a goroutine that outlives Do when the
// context ends, so checking after Do is not enough: tryClose checks and prevents
// later writes in one step.
//
// The gate closes by itself once isLate says so: the process must not send what others
// count as ended meanwhile. That is asked before the headers and before the body.
type gate struct {
	state  atomic.Int32
	body   *strings.Reader
	isLate func() bool
}

const (
	gateUnwritten int32 = iota // nothing written yet
	gateWritten                // headers may have been written
	gateClosed                 // nothing will be written
)

// markWritten is httptrace's WroteHeaders. net/http calls it before it flushes the
// headers. Headers without the body buy nothing.
func (g *gate) markWritten() {
	next := gateWritten
	if g.isLate() {
		next = gateClosed
	}
	g.state.CompareAndSwap(gateUnwritten, next)
}

// Read implements io.Reader. Before the first byte it asks again whether it is late: the
// process may have slept since it wrote the headers.
func (g *gate) Read(p []byte) (int, error) {
	g.markWritten()
	if int64(g.body.Len()) == g.body.Size() && g.isLate() {
		g.state.Store(gateClosed)
	}
	if g.state.Load() == gateClosed {
		return 0, errConnection
	}
	return g.body.Read(p)
}

// tryClose prevents any write and returns true, unless something may have been
// written already.
func (g *gate) tryClose() bool {
	return g.state.CompareAndSwap(gateUnwritten, gateClosed) || g.state.Load() == gateClosed
}
