package bot

import (
	"context"
	"time"

	"github.com/go-telegram/bot/models"
)

// Inspector asks Telegram about the bot for a diagnosis and changes nothing. It never
// requests updates, which would end the request of a running bot.
type Inspector struct{ client *client }

// NewInspector returns an Inspector. Of the configuration it uses Token, APIURL and Dial.
func NewInspector(cfg Config) (*Inspector, error) {
	cfg.ObserveCall = func(string, string, time.Duration) {}
	client, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	return &Inspector{client}, nil
}

// Profile is the bot's profile (Bot API: User).
type Profile struct {
	Username string `json:"username"`
	Inline   bool   `json:"supports_inline_queries"`
}

// Me returns the bot's profile (Bot API: getMe), and the Date of the response, also of a
// refusal; it is zero without one. No other call may run at the same time.
func (i *Inspector) Me(ctx context.Context) (me Profile, date time.Time, err error) {
	i.client.noteDate = func(at time.Time) { date = at }
	var response struct {
		Result Profile `json:"result"`
	}
	err = i.client.call(ctx, "getMe", struct{}{}, maxResponse, into(&response))
	return response.Result, date, err
}

// Webhook returns Telegram's view of the webhook (Bot API: getWebhookInfo).
func (i *Inspector) Webhook(ctx context.Context) (models.WebhookInfo, error) {
	var response struct {
		Result models.WebhookInfo `json:"result"`
	}
	err := i.client.call(ctx, "getWebhookInfo", struct{}{}, maxResponse, into(&response))
	return response.Result, err
}

// Close closes idle connections.
func (i *Inspector) Close() { i.client.transport.CloseIdleConnections() }
