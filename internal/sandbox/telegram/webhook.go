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

// A failed delivery is retried after 1 s; the delay doubles up to a minute.
const (
	minRetryDelay  = time.Second
	maxRetryDelay  = time.Minute
	webhookTimeout = time.Minute
)

var secretTokenFormat = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

// webhook is the bot's webhook, with the goroutine that delivers to it: one update
// at a time, in order, the next one only after a 2xx.
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
		wake: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}),
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
	transport := &http.Transport{DialContext: s.opts.Dial}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: webhookTimeout}
	delay := minRetryDelay
	for ctx.Err() == nil {
		s.mu.Lock()
		u := &s.updates
		u.expire()
		var next update
		again := len(u.redeliver) > 0
		switch {
		case again:
			next = u.redeliver[0]
		case len(u.queue) > 0:
			next = u.queue[0]
		}
		s.mu.Unlock()
		if next.ID == 0 {
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
			if !s.sleep(ctx, delay) {
				return
			}
			delay = min(2*delay, maxRetryDelay)
			continue
		}
		delay = minRetryDelay
		s.mu.Lock()
		switch {
		case again && len(u.redeliver) > 0:
			u.redeliver = u.redeliver[1:]
		case len(u.queue) > 0 && u.queue[0].ID == next.ID: // not dropped during the delivery
			u.acknowledge(1)
		}
		s.mu.Unlock()
	}
}

// deliver posts one update. Its error is the last_error_message of getWebhookInfo.
func (h *webhook) deliver(ctx context.Context, client *http.Client, u update) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(u.Body))
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
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20)) // lets the connection be reused
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
