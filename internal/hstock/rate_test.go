package hstock

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"hstockbot/internal/callrate"
)

// What the marketplace answers decides how often it is called: reads and purchases.
func TestAnswersChangeTheRate(t *testing.T) {
	const page = "<!DOCTYPE html><html><head><title>Attention Required!</title></head></html>"
	for name, test := range map[string]struct {
		answer  http.HandlerFunc
		rate    float64
		blocked bool
	}{
		"an answer":      {respond(200, `{"balance":"1","order":1}`), 20, false},
		"a refusal":      {respond(400, `{"error":"Insufficient balance"}`), 20, false},
		"429":            {respond(429, `{"error":"Too many requests"}`), 10, false},
		"an empty 429":   {respond(429, ""), 10, false},
		"503":            {respond(503, ""), 10, false},
		"a page of 503":  {respond(503, page), 10, false},
		"500":            {respond(500, ""), 20, false},
		"a page of 200":  {respond(200, page), 20, false},
		"a page of 403":  {respond(403, page), 20, true},
		"a page of 429":  {respond(429, page), 20, true},
		"a refusing 403": {respond(403, `{"error":"Invalid API key"}`), 20, false},
		"a 403 in words": {respond(403, "Forbidden"), 20, false},
		"an empty 403":   {respond(403, ""), 20, false},
	} {
		for action, call := range map[string]func(context.Context, *Client) error{
			"balance": func(ctx context.Context, c *Client) error {
				_, err := c.Balance(SingleAttempt(ctx), secretKey)
				return err
			},
			"add": func(ctx context.Context, c *Client) error {
				_, err := c.Add(ctx, secretKey, AddRequest{Service: 1, Quantity: 1})
				return err
			},
		} {
			t.Run(name+" to "+action, func(t *testing.T) {
				l := callrate.New(callrate.Options{Most: 300})
				inBubble(t, Options{Limiter: l}, test.answer, func(t *testing.T, c *Client, m *fakeServer) {
					_ = call(t.Context(), c)
					state := l.State()
					if state.Rate != test.rate || state.Banned(time.Now()) != test.blocked || len(m.requests()) != 1 {
						t.Errorf("%d requests, %+v", len(m.requests()), state)
					}
				})
			})
		}
	}
}

// After a firewall's page background calls are not made, and this is no outage; others are
// made.
func TestBackgroundCallsPause(t *testing.T) {
	l := callrate.New(callrate.Options{Most: 300})
	var outcomes []string
	observe := func(_, outcome string, _ time.Duration) { outcomes = append(outcomes, outcome) }
	inBubble(t, Options{Limiter: l, Observe: observe}, respond(200, `{"balance":"1"}`), func(t *testing.T, c *Client, m *fakeServer) {
		l.Report(callrate.Account{}, "status", callrate.Blocked, time.Second)
		began := time.Now()
		for range 3 * breakerFailures {
			_, err := c.Balance(Background(t.Context()), secretKey)
			if kind, _ := KindOf(err); kind != Unreachable || !errors.Is(err, callrate.ErrBanned) || isOpen(err) {
				t.Fatalf("a background call: %v", err)
			}
		}
		if time.Since(began) != 0 {
			t.Error("background calls were tried again")
		}
		if outcomes[0] != outcomeHeld || IsNoResponse(outcomes[0]) {
			t.Errorf("outcome %q", outcomes[0])
		}
		if _, err := c.Balance(t.Context(), secretKey); err != nil || len(m.requests()) != 1 {
			t.Errorf("another call: %v after %d requests", err, len(m.requests()))
		}
		time.Sleep(time.Minute)
		if _, err := c.Balance(Background(t.Context()), secretKey); err != nil {
			t.Errorf("a background call after the pause: %v", err)
		}
	})
}

// A purchase that was not sent is no answer, which would end the growth of the pauses.
func TestUnsentPurchaseChangesNoRate(t *testing.T) {
	l := callrate.New(callrate.Options{Most: 300})
	maySend := func() bool { return false }
	inBubble(t, Options{Limiter: l, MaySend: maySend}, respond(200, `{"order":1}`), func(t *testing.T, c *Client, _ *fakeServer) {
		l.Report(callrate.Account{}, "status", callrate.Blocked, time.Second)
		time.Sleep(time.Hour)
		before := l.State()
		_, err := c.Add(t.Context(), secretKey, AddRequest{Service: 1, Quantity: 1})
		if kind, _ := KindOf(err); kind != NotSent || l.State() != before {
			t.Errorf("%v; the rate was %+v and is %+v", err, before, l.State())
		}
	})
}
