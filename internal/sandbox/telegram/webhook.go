package telegram

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"time"
)

// How the webhook is tried again: after 1 s, and then twice as long up to a minute.
const (
	firstRetry     = time.Second
	lastRetry      = time.Minute
	webhookTimeout = time.Minute
)

var secretToken = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

// webhook is a set webhook and the goroutine that serves it: one update at a
// time, in order, the next only after a 2xx.
type webhook struct {
	url       string
	secret    string
	limit     int64
	wake      chan struct{}
	cancel    context.CancelFunc
	done      chan struct{}
	lastError string
	failedAt  time.Time
}

// stop ends the goroutine and waits for it.
func (h *webhook) stop() {
	h.cancel()
	<-h.done
}

// changeWebhook is setWebhook, and deleteWebhook (which is setWebhook without a
// url).
func (s *Server) changeWebhook(a args) (any, *apiError) {
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
	old := s.hook
	s.hook = nil
	u := &s.updates
	if a.flag("drop_pending_updates") {
		u.acknowledge(len(u.queue))
	}
	s.mu.Unlock()
	if old != nil {
		old.stop() // outside of mu, which its goroutine needs
	}
	if link == "" {
		return true, nil
	}

	ctx, cancel := context.WithCancel(context.Background())
	h := &webhook{
		url: link, secret: secret, limit: a.number("max_connections"),
		wake: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}),
	}
	if h.limit == 0 {
		h.limit = 40
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u.allow(a)
	if u.poll != nil {
		u.poll.kicked <- refuse(http.StatusConflict, conflictSetHook)
		u.poll = nil
	}
	s.hook = h
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
	if secret != "" && !secretToken.MatchString(secret) {
		return badRequest("secret token contains unallowed characters")
	}
	return nil
}

// serveWebhook delivers until ctx ends.
func (s *Server) serveWebhook(ctx context.Context, h *webhook) {
	defer close(h.done)
	transport := &http.Transport{DialContext: s.opts.Dial}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: webhookTimeout}
	retry := firstRetry
	for ctx.Err() == nil {
		s.mu.Lock()
		u := &s.updates
		u.expire()
		var next update
		repeated := len(u.again) > 0
		switch {
		case repeated:
			next = u.again[0]
		case len(u.queue) > 0:
			next = u.queue[0]
		}
		s.mu.Unlock()
		if next.id == 0 {
			select {
			case <-h.wake:
			case <-ctx.Done():
			}
			continue
		}
		if err := h.deliver(ctx, client, next); err != nil {
			s.mu.Lock()
			h.lastError, h.failedAt = err.Error(), time.Now()
			s.mu.Unlock()
			timer := time.NewTimer(retry)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
			timer.Stop()
			retry = min(2*retry, lastRetry)
			continue
		}
		retry = firstRetry
		s.mu.Lock()
		switch {
		case repeated && len(u.again) > 0:
			u.again = u.again[1:]
		case len(u.queue) > 0 && u.queue[0].id == next.id: // not dropped meanwhile
			u.acknowledge(1)
		}
		s.mu.Unlock()
	}
}

// deliver posts one update. An error is worded as getWebhookInfo tells it.
func (h *webhook) deliver(ctx context.Context, client *http.Client, u update) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(u.body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if h.secret != "" {
		req.Header.Set("X-Telegram-Bot-Api-Secret-Token", h.secret)
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("connection failed: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20)) // so that the connection can be used again
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("wrong response from the webhook: %s", res.Status)
	}
	return nil
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

func (s *Server) webhookInfo() wireWebhook {
	info := wireWebhook{Pending: len(s.updates.queue), Allowed: s.updates.allowed}
	if h := s.hook; h != nil {
		info.URL, info.Connections, info.LastError = h.url, h.limit, h.lastError
		if !h.failedAt.IsZero() {
			info.FailedAt = h.failedAt.Unix()
		}
	}
	return info
}
