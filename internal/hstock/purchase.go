package hstock

import (
	"context"
	"io"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"
)

// maxPurchaseBytes bounds the answer to a purchase.
const maxPurchaseBytes = 64 << 10

// once makes a call that may move money: one POST, over a connection of its
// own, never again. Whatever can't be proven not to have arrived is
// OutcomeUnknown. decode gets an answer that is not empty and says whether
// it proves that the thing was done.
func once[T any](ctx context.Context, c *Client, q call, decode func([]byte) (T, bool)) (T, error) {
	began := time.Now()
	value, failure := sendOnce(ctx, c, q, decode)
	if failure != nil {
		c.observe(q.action, failure.Kind.String(), time.Since(began))
		var none T
		return none, failure
	}
	c.observe(q.action, "ok", time.Since(began))
	return value, nil
}

func sendOnce[T any](ctx context.Context, c *Client, q call, decode func([]byte) (T, bool)) (value T, _ *Error) {
	ctx, cancel := context.WithTimeout(ctx, PurchaseTimeout)
	defer cancel()
	if err := c.waitForRate(ctx); err != nil {
		return value, q.failure(NotSent, 0, err)
	}

	form := q.body()
	gate := &gate{body: strings.NewReader(form)}
	trace := &httptrace.ClientTrace{WroteHeaders: gate.markWritten}
	// gate is of no type that net/http knows, so the request has no GetBody and
	// can't be sent again; nor has it an Idempotency-Key, which allows that.
	req, err := q.request(httptrace.WithClientTrace(ctx, trace), c.url, gate)
	if err != nil {
		return value, q.failure(NotSent, 0, errConnection)
	}
	req.ContentLength = int64(len(form))
	req.GetBody = nil

	resp, err := c.purchases.Do(req)
	if err != nil {
		if gate.tryClose() {
			return value, q.failure(NotSent, 0, safeCause(ctx, err))
		}
		return value, q.failure(OutcomeUnknown, 0, safeCause(ctx, err))
	}
	defer func() { _ = resp.Body.Close() }()
	if inconclusive(resp.StatusCode) {
		return value, q.failure(OutcomeUnknown, resp.StatusCode, nil)
	}
	body, err := readBody(ctx, resp.Body, maxPurchaseBytes)
	if err != nil {
		return value, q.failure(OutcomeUnknown, resp.StatusCode, err)
	}
	if value, done := decode(body); done {
		return value, nil
	}
	if words, refused := refusalMessage(body); refused {
		return value, q.refusal(resp.StatusCode, words)
	}
	return value, q.failure(OutcomeUnknown, resp.StatusCode, decodeError(body))
}

// gate is the body of a purchase, and knows whether any of it may have left.
// net/http writes a request in a goroutine that outlives Do when the context
// ends: so asking "was it written?" afterwards is not enough, the way out has
// to be shut in the same step.
type gate struct {
	state atomic.Int32
	body  io.Reader
}

const (
	gateUnwritten int32 = iota // nothing written yet
	gateWritten                // headers may have been written
	gateClosed                 // given up: nothing will be written
)

// markWritten is httptrace's WroteHeaders. It is called before the headers leave the
// buffer that they share with the body.
func (g *gate) markWritten() { g.state.CompareAndSwap(gateUnwritten, gateWritten) }

// Read implements io.Reader.
func (g *gate) Read(p []byte) (int, error) {
	g.markWritten()
	if g.state.Load() == gateClosed {
		return 0, errConnection
	}
	return g.body.Read(p)
}

// tryClose reports that nothing was written, and makes sure that nothing will be.
func (g *gate) tryClose() bool { return g.state.CompareAndSwap(gateUnwritten, gateClosed) }
