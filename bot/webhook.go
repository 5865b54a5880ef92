package bot

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	telegram "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"
)

const (
	webhookHeader = "X-Telegram-Bot-Api-Secret-Token" // Bot API: setWebhook
	maxWebhook    = 1 << 20                           // bytes of a request body, which is one update
	webhookCheck  = time.Minute                       // between two checks that the webhook is set
	webhookRetry  = "1"                               // seconds until Telegram repeats an update that was not stored

	webhookSetting = "webhook_digest" // has the digest of the webhook that Telegram was told last
	webhookDomain  = "webhook"        // of that digest
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
		b.receivers.Go(func() {
			<-b.receiving.Done()
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), inboxTimeout)
			defer cancel()
			_ = server.Shutdown(ctx) // waits for updates that are being stored
		})
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			b.stopReceiving() // and no longer ready
			b.log.Error("webhook listener failed", "error", err)
		}
	}, nil
}

// keepWebhook sets the webhook, and sets it again when another program has changed or
// deleted it, until Stop begins.
func (b *Bot) keepWebhook() {
	b.webhookConflict.start(time.Now())
	if b.isWebhookSet() {
		b.ready.Store(true)
	} else {
		b.setWebhook()
	}
	checking := pollBackoff{bot: b, request: "getWebhookInfo"}
	var reported int // unix seconds of the last error of Telegram's that was logged
	for pause(b.receiving, webhookCheck) == nil {
		info, err := b.webhookInfo()
		if checking.retry(err) || err != nil {
			continue
		}
		if info.URL != b.cfg.Webhook.URL {
			b.webhookLost.Store(true) // until a check finds it set
			b.webhookConflict.observe(time.Now())
			b.log.Error("another program has changed or deleted the webhook, setting it again")
			b.setWebhook()
			continue
		}
		b.webhookLost.Store(false)
		if info.LastErrorDate > reported && time.Since(time.Unix(int64(info.LastErrorDate), 0)) < 2*webhookCheck {
			reported = info.LastErrorDate
			b.log.Warn("telegram can't deliver updates to the webhook", "error", b.client.sanitize(info.LastErrorMessage), "pending", info.PendingUpdateCount)
			if strings.Contains(info.LastErrorMessage, "401") { // Telegram has another secret
				b.setWebhook()
			}
		}
	}
}

// isWebhookSet reports whether Telegram was told this very webhook last, and still has it:
// in a rollout each copy that begins to lead would tell it again.
func (b *Bot) isWebhookSet() bool {
	told, err := b.cfg.Inbox.Setting(b.receiving, webhookSetting)
	if err != nil || told != b.webhookDigest() {
		return false
	}
	info, err := b.webhookInfo()
	return err == nil && info.URL == b.cfg.Webhook.URL
}

// webhookDigest returns a digest of what setWebhook tells Telegram.
func (b *Bot) webhookDigest() string {
	told := append([]string{b.cfg.Webhook.URL, b.cfg.Webhook.Secrets[0].Reveal()}, allowedUpdates...)
	return b.cfg.Inbox.Digest(webhookDomain, []byte(strings.Join(told, "\n")))
}

// noteWebhook records what Telegram was told. Where that fails, it is told again.
func (b *Bot) noteWebhook() {
	ctx, cancel := context.WithTimeout(b.work, inboxTimeout)
	defer cancel()
	if err := b.cfg.Inbox.SetSetting(ctx, webhookSetting, b.webhookDigest()); err != nil {
		b.log.Warn("webhook not recorded", "error", err)
	}
}

// webhookInfo returns Telegram's view of the webhook (Bot API: getWebhookInfo).
func (b *Bot) webhookInfo() (*models.WebhookInfo, error) {
	ctx, cancel := context.WithTimeout(b.receiving, callTimeout)
	defer cancel()
	info, err := b.library.GetWebhookInfo(ctx)
	return info, b.client.asError("getWebhookInfo", err)
}

// setWebhook tells Telegram where to send updates (Bot API: setWebhook), until it
// succeeds or Stop begins.
func (b *Bot) setWebhook() {
	setting := pollBackoff{bot: b, request: "setWebhook"}
	for {
		ctx, cancel := context.WithTimeout(b.receiving, callTimeout)
		_, err := b.library.SetWebhook(ctx, &telegram.SetWebhookParams{
			URL: b.cfg.Webhook.URL, SecretToken: b.cfg.Webhook.Secrets[0].Reveal(), AllowedUpdates: allowedUpdates,
		})
		cancel()
		if setting.retry(b.client.asError("setWebhook", err)) {
			continue
		}
		if err == nil {
			b.noteWebhook()
		}
		return
	}
}

// serveWebhook receives one update. Status 200 means that it is stored or of no
// interest; after any other status Telegram sends it again. Others are 400 (not an
// update, or the body was cut off), 401 (wrong secret), 405, 413 and 503 (the database
// is away). Telegram's server obeys Retry-After; without it the delay grows to minutes
// and updates expire (tdlib/telegram-bot-api: WebhookActor::on_update_error).
func (b *Bot) serveWebhook(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	if !b.isFromTelegram(r) {
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
	_, err = b.receive([]received{decodeReceived(body)})
	switch {
	case errors.Is(err, errNoUpdateIDs):
		http.Error(w, "not an update", http.StatusBadRequest)
	case err != nil:
		b.log.Error("update not stored", "error", err)
		w.Header().Set("Retry-After", webhookRetry)
		http.Error(w, "not stored", http.StatusServiceUnavailable)
	}
}

// isFromTelegram reports whether a request has one of the secrets. The time that it
// takes says nothing about their content.
func (b *Bot) isFromTelegram(r *http.Request) bool {
	given, matches := []byte(r.Header.Get(webhookHeader)), 0
	for _, secret := range b.cfg.Webhook.Secrets {
		matches |= subtle.ConstantTimeCompare(given, []byte(secret.Reveal()))
	}
	return matches == 1
}
