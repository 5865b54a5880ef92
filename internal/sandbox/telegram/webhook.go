package telegram

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A failed delivery is retried after the seconds in the answer's Retry-After, as
// Telegram's server does (tdlib/telegram-bot-api: WebhookActor::on_update_error), without
// one after 1 s; that delay doubles up to a minute.
const (
	minRetryDelay  = time.Second
	maxRetryDelay  = time.Minute
	webhookTimeout = time.Minute
)

var secretTokenFormat = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

// webhook is the bot's webhook, with the goroutines that deliver to it: of each queue one
// update at a time, in order, the next one only after a 2xx.
type webhook struct {
	url    string
	secret string
	limit  int64 // of deliveries at once
	wake   chan struct{}
	cancel context.CancelFunc
	done   chan struct{}

	// The server's mu guards the rest.
	queues    map[queue]*delivery // that deliver, or wait after a failure
	lastError string
	failedAt  time.Time
}

// delivery is the state of one queue of a webhook.
type delivery struct {
	busy  bool
	delay time.Duration // after the next failure
	until time.Time     // when it delivers again
}

// stop ends the goroutines and waits for them.
func (h *webhook) stop() {
	h.cancel()
	<-h.done
}

// setWebhook is setWebhook and deleteWebhook, which is setWebhook without a URL.
func (s *Server) setWebhook(a args) (any, *apiError) {
	if err := a.checkAllowed(); err != nil {
		return nil, err
	}
	link, secret := a.str("url"), a.str("secret_token")
	if link != "" {
		if err := s.checkWebhook(link, secret); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	old := s.webhook
	s.webhook = nil
	u := &s.updates
	if a.flag("drop_pending_updates") {
		u.acknowledge(len(u.queue))
	}
	s.mu.Unlock()
	if old != nil {
		old.stop() // without mu, because the goroutine locks it
	}
	if link == "" {
		return true, nil
	}

	ctx, cancel := context.WithCancel(context.Background())
	h := &webhook{
		url: link, secret: secret, limit: a.integer("max_connections"),
		wake: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}), queues: map[queue]*delivery{},
	}
	if h.limit == 0 {
		h.limit = 40
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u.allow(a)
	if u.poll != nil {
		u.poll.terminated <- refuse(http.StatusConflict, conflictSetWebhook)
		u.poll = nil
	}
	s.webhook = h
	go s.serveWebhook(ctx, h)
	return true, nil
}

func (s *Server) checkWebhook(link, secret string) *apiError {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" {
		return badRequest("bad webhook: invalid webhook URL specified")
	}
	ip := net.ParseIP(u.Hostname())
	local := s.opts.Dial != nil || u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback())
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return badRequest("bad webhook: An HTTPS URL must be provided for webhook")
	}
	if secret != "" && !secretTokenFormat.MatchString(secret) {
		return badRequest("secret token contains unallowed characters")
	}
	return nil
}

// serveWebhook delivers until ctx ends.
func (s *Server) serveWebhook(ctx context.Context, h *webhook) {
	defer close(h.done)
	transport := &http.Transport{
		DialContext: s.opts.Dial, MaxIdleConnsPerHost: int(h.limit),
		TLSClientConfig: &tls.Config{RootCAs: s.opts.Roots, MinVersion: tls.VersionTLS12},
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: webhookTimeout}
	var deliveries sync.WaitGroup
	defer deliveries.Wait()
	for ctx.Err() == nil {
		s.mu.Lock()
		next, again, wait := s.updates.forWebhook(h)
		s.mu.Unlock()
		if next.ID != 0 {
			deliveries.Go(func() { s.deliver(ctx, h, client, next, again) })
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-h.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// forWebhook returns the next update that a webhook may deliver, whose queue is busy from
// now on; again: it was acknowledged before. Without one it returns how long all queues
// wait at most.
func (u *updates) forWebhook(h *webhook) (next update, again bool, wait time.Duration) {
	u.expire()
	wait = updateLifetime
	busy := int64(0)
	for _, d := range h.queues {
		if d.busy {
			busy++
		}
	}
	if busy >= h.limit {
		return update{}, false, wait
	}
	seen := map[queue]bool{}
	for i, one := range slices.Concat(u.redeliver, u.queue) {
		if seen[one.Queue] {
			continue
		}
		seen[one.Queue] = true
		d := h.queues[one.Queue]
		if d == nil {
			d = &delivery{delay: minRetryDelay}
			h.queues[one.Queue] = d
		}
		switch left := time.Until(d.until); {
		case d.busy:
		case left > 0:
			wait = min(wait, left)
		default:
			d.busy = true
			return one, i < len(u.redeliver), 0
		}
	}
	return update{}, false, wait
}

// deliver delivers one update, and notes what became of it.
func (s *Server) deliver(ctx context.Context, h *webhook, client *http.Client, u update, again bool) {
	retryAfter, err := h.post(ctx, client, u)
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.wakeReceiver()
	d := h.queues[u.Queue]
	d.busy = false
	if err != nil {
		h.lastError, h.failedAt = err.Error(), time.Now()
		if retryAfter == 0 {
			retryAfter, d.delay = d.delay, min(2*d.delay, maxRetryDelay)
		}
		d.until = time.Now().Add(retryAfter)
		return
	}
	delete(h.queues, u.Queue)
	if again {
		s.updates.redeliver = slices.DeleteFunc(s.updates.redeliver, func(one update) bool { return one.ID == u.ID })
	} else {
		s.updates.acknowledgeOne(u.ID)
	}
}

// post posts one update. Its error is the last_error_message of getWebhookInfo;
// retryAfter is what the answer beside it demands, 0 for nothing.
func (h *webhook) post(ctx context.Context, client *http.Client, u update) (retryAfter time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(u.Body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	if h.secret != "" {
		req.Header.Set("X-Telegram-Bot-Api-Secret-Token", h.secret)
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("connection failed: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20)) // lets the connection be reused
	if res.StatusCode < 200 || res.StatusCode > 299 {
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // none is 0
		return time.Duration(max(seconds, 0)) * time.Second, fmt.Errorf("wrong response from the webhook: %s", res.Status)
	}
	return 0, nil
}

type wireWebhook struct {
	URL         string   `json:"url"`
	Certificate bool     `json:"has_custom_certificate"`
	Pending     int      `json:"pending_update_count"`
	FailedAt    int64    `json:"last_error_date,omitempty"`
	LastError   string   `json:"last_error_message,omitempty"`
	Connections int64    `json:"max_connections,omitempty"`
	Allowed     []string `json:"allowed_updates,omitempty"`
}

func (s *Server) getWebhookInfo(args) (any, *apiError) {
	info := wireWebhook{Pending: len(s.updates.queue), Allowed: s.updates.allowed}
	if h := s.webhook; h != nil {
		info.URL, info.Connections, info.LastError = h.url, h.limit, h.lastError
		if !h.failedAt.IsZero() {
			info.FailedAt = h.failedAt.Unix()
		}
	}
	return info, nil
}
