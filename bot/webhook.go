package bot

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	telegram "github.com/go-telegram/bot"
)

const (
	webhookHeader = "X-Telegram-Bot-Api-Secret-Token" // Bot API: setWebhook
	maxWebhook    = 1 << 20                           // bytes of a request body, which is one update
)

// listen opens the webhook's listener. serve handles its requests until Stop.
func (b *Bot) listen(ctx context.Context) (serve func(), err error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", b.cfg.Webhook.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for the webhook: %w", err)
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(b.serveWebhook),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	return func() {
		b.receivers.Go(b.setWebhook)
		b.receivers.Go(func() {
			<-b.receiving.Done()
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), inboxTimeout)
			defer cancel()
			_ = server.Shutdown(ctx) // waits for updates that are being stored
		})
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			b.ready.Store(false)
			b.log.Error("webhook listener failed", "error", err)
		}
	}, nil
}

// setWebhook tells Telegram where to send updates (Bot API: setWebhook), until it
// succeeds or Stop begins.
func (b *Bot) setWebhook() {
	setting := pollBackoff{bot: b, request: "setWebhook"}
	for {
		ctx, cancel := context.WithTimeout(b.receiving, callTimeout)
		_, err := b.library.SetWebhook(ctx, &telegram.SetWebhookParams{
			URL: b.cfg.Webhook.URL, SecretToken: b.cfg.Webhook.Secret.Reveal(), AllowedUpdates: allowedUpdates,
		})
		cancel()
		if !setting.retry(b.client.asError("setWebhook", err)) {
			return
		}
	}
}

// serveWebhook receives one update. Status 200 means that it is stored or of no
// interest; after any other status Telegram sends it again. Others are 400 (not an
// update, or the body was cut off), 401 (wrong secret), 405, 413 and 500 (not stored).
func (b *Bot) serveWebhook(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	secret := []byte(b.cfg.Webhook.Secret.Reveal())
	if subtle.ConstantTimeCompare([]byte(r.Header.Get(webhookHeader)), secret) != 1 {
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxWebhook))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		http.Error(w, "body too large", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		http.Error(w, "body not readable", http.StatusBadRequest)
		return
	}
	_, err = b.receiver.receive([]json.RawMessage{body})
	switch {
	case errors.Is(err, errNoUpdateIDs):
		http.Error(w, "not an update", http.StatusBadRequest)
	case err != nil:
		b.log.Error("update not stored", "error", err)
		http.Error(w, "not stored", http.StatusInternalServerError)
	}
}
