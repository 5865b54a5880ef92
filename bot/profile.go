package bot

import (
	"context"
	"time"

	telegram "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"
)

const (
	usernameTimeout = 5 * time.Second
	usernamePause   = 10 * time.Second // before Telegram is asked again
)

// profile is what Telegram knows the bot by.
type profile struct {
	turn     chan struct{} // holds one: whoever has it may look and ask
	username string
	asked    time.Time
}

func newProfile() profile {
	p := profile{turn: make(chan struct{}, 1)}
	p.turn <- struct{}{}
	return p
}

// Username returns the bot's own @name without the @, or "" while Telegram
// can't be asked (Bot API: getMe).
func (b *Bot) Username(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, usernameTimeout)
	defer cancel()
	p := &b.profile
	select {
	case <-p.turn:
	case <-ctx.Done():
		return ""
	}
	defer func() { p.turn <- struct{}{} }()
	if p.username != "" || time.Since(p.asked) < usernamePause {
		return p.username
	}
	me, err := b.library.GetMe(ctx)
	if err != nil {
		p.asked = time.Now()
		b.log.Warn("the bot's own name is not known yet", "error", b.client.asError("getMe", err))
		return ""
	}
	p.username = me.Username
	return p.username
}

// SetCommands sets the list of commands for people whose Telegram is in this
// language, two letters, "" for all others (Bot API: setMyCommands); scope
// narrows it to certain chats.
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

// DeleteCommands takes back the list of commands of a scope (Bot API:
// deleteMyCommands): those of a wider one are shown again.
func (b *Bot) DeleteCommands(ctx context.Context, scope models.BotCommandScope) error {
	return retryOnce(ctx, nil, func(ctx context.Context) error {
		_, err := b.library.DeleteMyCommands(ctx, &telegram.DeleteMyCommandsParams{Scope: scope})
		return b.client.asError("deleteMyCommands", err)
	})
}

// SetDescription sets what people see before they start the bot (Bot API:
// setMyDescription, 512 characters). lang is as in SetCommands.
func (b *Bot) SetDescription(ctx context.Context, lang, description string) error {
	return retryOnce(ctx, nil, func(ctx context.Context) error {
		_, err := b.library.SetMyDescription(ctx, &telegram.SetMyDescriptionParams{Description: description, LanguageCode: lang})
		return b.client.asError("setMyDescription", err)
	})
}

// SetShortDescription sets the text on the bot's profile (Bot API:
// setMyShortDescription, 120 characters). lang is as in SetCommands.
func (b *Bot) SetShortDescription(ctx context.Context, lang, short string) error {
	return retryOnce(ctx, nil, func(ctx context.Context) error {
		_, err := b.library.SetMyShortDescription(ctx, &telegram.SetMyShortDescriptionParams{ShortDescription: short, LanguageCode: lang})
		return b.client.asError("setMyShortDescription", err)
	})
}
