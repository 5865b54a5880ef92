package bot

import (
	"context"
	"sync/atomic"
	"time"

	telegram "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"hstockbot/internal/loop"
)

const (
	usernameTimeout  = 5 * time.Second
	usernamePause    = 10 * time.Second // between two failed requests
	maxUsernamePause = 10 * time.Minute // between those that nothing waits for
	usernameTTL      = time.Hour        // the name may be changed while the program runs
	usernameRecheck  = time.Minute      // likewise, if a command names another bot
)

// profile caches what getMe says.
type profile struct {
	lock     chan struct{} // of capacity 1; a mutex that can be waited for until a deadline
	username string        // "" while it is not known
	inline   atomic.Bool   // inline mode is on; false while it is not known
	read     time.Time     // when it was
	failed   time.Time     // when the last request failed
}

// Username returns the bot's username without @, "" while Telegram can't be reached
// (Bot API: getMe). It is read again after an hour.
func (b *Bot) Username(ctx context.Context) string { return b.usernameWithin(ctx, usernameTTL) }

// learnUsername asks for the username until it is known, or Stop begins. Screens don't wait
// for it.
func (b *Bot) learnUsername() {
	for failures := 1; b.Username(b.receiving) == ""; failures++ {
		if pause(b.receiving, loop.Backoff(usernamePause, maxUsernamePause, failures)) != nil {
			return
		}
	}
}

// usernameWithin returns the username as it was at most maxAge ago, or an older one if
// Telegram can't be reached.
func (b *Bot) usernameWithin(ctx context.Context, maxAge time.Duration) string {
	ctx, cancel := context.WithTimeout(ctx, usernameTimeout)
	defer cancel()
	p := &b.profile
	select {
	case p.lock <- struct{}{}:
	case <-ctx.Done():
		return ""
	}
	defer func() { <-p.lock }()
	if p.username != "" && time.Since(p.read) < maxAge || time.Since(p.failed) < usernamePause {
		return p.username
	}
	var me struct{ Result Profile } // the library's User lacks supports_inline_queries
	if err := b.client.call(ctx, "getMe", struct{}{}, maxResponse, into(&me)); err != nil {
		p.failed = time.Now()
		b.log.Warn("username not read", "error", err)
		return p.username
	}
	p.username, p.read = me.Result.Username, time.Now()
	p.inline.Store(me.Result.Inline)
	return p.username
}

// SetCommands sets the list of commands for people whose Telegram has this language,
// two letters, "" for all others (Bot API: setMyCommands). A scope limits it to
// certain chats.
func (b *Bot) SetCommands(ctx context.Context, lang string, commands []models.BotCommand, scope ...models.BotCommandScope) error {
	params := &telegram.SetMyCommandsParams{Commands: commands, LanguageCode: lang}
	if len(scope) > 0 {
		params.Scope = scope[0]
	}
	return retryOnce(ctx, nil, func(ctx context.Context) error {
		_, err := b.library.SetMyCommands(ctx, params)
		return b.client.asError("setMyCommands", err)
	})
}

// DeleteCommands deletes the list of commands of a scope and a language, so that the list
// of a wider scope is shown again (Bot API: deleteMyCommands). lang is as in SetCommands.
func (b *Bot) DeleteCommands(ctx context.Context, lang string, scope models.BotCommandScope) error {
	return retryOnce(ctx, nil, func(ctx context.Context) error {
		_, err := b.library.DeleteMyCommands(ctx, &telegram.DeleteMyCommandsParams{Scope: scope, LanguageCode: lang})
		return b.client.asError("deleteMyCommands", err)
	})
}

// SetDescription sets the text that people see before they start the bot (Bot API:
// setMyDescription, at most 512 characters). lang is as in SetCommands.
func (b *Bot) SetDescription(ctx context.Context, lang, description string) error {
	return retryOnce(ctx, nil, func(ctx context.Context) error {
		_, err := b.library.SetMyDescription(ctx, &telegram.SetMyDescriptionParams{Description: description, LanguageCode: lang})
		return b.client.asError("setMyDescription", err)
	})
}

// SetShortDescription sets the text on the bot's profile (Bot API:
// setMyShortDescription, at most 120 characters). lang is as in SetCommands.
func (b *Bot) SetShortDescription(ctx context.Context, lang, short string) error {
	return retryOnce(ctx, nil, func(ctx context.Context) error {
		_, err := b.library.SetMyShortDescription(ctx, &telegram.SetMyShortDescriptionParams{ShortDescription: short, LanguageCode: lang})
		return b.client.asError("setMyShortDescription", err)
	})
}
