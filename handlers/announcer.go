package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/go-telegram/bot/models"

	"hstockbot/bot"
	"hstockbot/internal/loop"
	"hstockbot/internal/outbox"
	"hstockbot/locales"
	"hstockbot/storage"
)

const (
	announceInterval = 24 * time.Hour // between checks whether something has changed
	announceRetry    = time.Minute    // after a failure
)

// Settings with digests of what was announced to Telegram, so that only changes are
// announced: the profile by part and language, the admins' commands by admin.
const (
	profileSetting = "telegram_profile"
	adminsSetting  = "telegram_admins"
)

// foreignScopes are the scopes in which we set no commands, by name. Commands that another
// program with the same token has set there would hide ours.
var foreignScopes = map[string]models.BotCommandScope{
	"private chats":  &models.BotCommandScopeAllPrivateChats{},
	"groups":         &models.BotCommandScopeAllGroupChats{},
	"administrators": &models.BotCommandScopeAllChatAdministrators{},
}

// Announcer sets the bot's commands and descriptions at Telegram. It does not set the
// bot's name, which is the operator's choice.
type Announcer struct {
	AnnouncerOptions
	loop   *loop.Loop
	admins chan struct{} // a token while the admins' commands are announced
}

// AnnouncerOptions configures an Announcer. All fields are required.
type AnnouncerOptions struct {
	People
	Bot *bot.Bot
	Log *slog.Logger
}

// NewAnnouncer returns an Announcer.
func NewAnnouncer(o AnnouncerOptions) *Announcer {
	a := &Announcer{AnnouncerOptions: o, admins: make(chan struct{}, 1)}
	a.loop = loop.New("announcer", o.Log, a.announceOnce)
	return a
}

// announceOnce is not retried sooner after an error: each attempt repeats up to six
// calls a language.
func (a *Announcer) announceOnce(ctx context.Context) (time.Duration, error) {
	if err := a.Announce(ctx); err != nil {
		if ctx.Err() == nil {
			a.Log.Warn("commands not announced to Telegram", "error", err)
		}
		return announceRetry, nil
	}
	return announceInterval, nil
}

// Start announces in the background and repeats it until it succeeds. The bot works
// without it. Calling it twice is harmless.
func (a *Announcer) Start() { a.loop.Start() }

// Stop stops the background work and waits until it has ended or ctx is done.
func (a *Announcer) Stop(ctx context.Context) error { return a.loop.Stop(ctx) }

// Announce sets the commands and descriptions in every language, and the admins' own
// command, as far as they have changed since they were last announced.
func (a *Announcer) Announce(ctx context.Context) error {
	return errors.Join(a.announceProfile(ctx), a.announceStaff(ctx))
}

// announceProfile makes six calls per language. Telegram may delay them, so no tap
// may wait for it.
func (a *Announcer) announceProfile(ctx context.Context) error {
	announced, err := a.load(ctx, profileSetting)
	if err != nil {
		return err
	}
	languages := map[string]*locales.Localizer{"": a.Bundle.Localizer(a.DefaultLang)}
	for _, language := range a.Bundle.Languages() {
		if code := telegramCode(language.Code); code != "" {
			languages[code] = a.Bundle.Localizer(language.Code)
		}
	}
	var failures []error
	for _, code := range slices.Sorted(maps.Keys(languages)) {
		l := languages[code]
		list, description, short := commandList(l), l.Label("profile_description"), l.Label("profile_short")
		failures = append(failures,
			announced.update("commands "+code, a.digest(list), func() error { return a.Bot.SetCommands(ctx, code, list) }),
			announced.update("description "+code, a.digest(description), func() error { return a.Bot.SetDescription(ctx, code, description) }),
			announced.update("short "+code, a.digest(short), func() error { return a.Bot.SetShortDescription(ctx, code, short) }))
		for _, scope := range slices.Sorted(maps.Keys(foreignScopes)) {
			failures = append(failures, announced.update("deletion of commands in "+scope+" "+code, a.digest(scope),
				func() error { return a.Bot.DeleteCommands(ctx, code, foreignScopes[scope]) }))
		}
	}
	return errors.Join(append(failures, a.save(ctx, profileSetting, announced))...)
}

// announceStaff sets the commands of admins and support in their own chats and languages,
// and deletes those of people who are neither any longer. Who has not written to the bot
// has no chat; refreshStaff announces their commands when they write.
func (a *Announcer) announceStaff(ctx context.Context) error {
	select {
	case a.admins <- struct{}{}:
		defer func() { <-a.admins }()
	case <-ctx.Done():
		return fmt.Errorf("wait to announce the commands of staff: %w", ctx.Err())
	}
	announced, err := a.load(ctx, adminsSetting)
	if err != nil {
		return err
	}
	var failures []error
	for name := range announced.digests {
		id, _ := strconv.ParseInt(name, 10, 64)
		if a.IsStaff(id) {
			continue
		}
		err := a.Bot.DeleteCommands(ctx, "", chatScope(id))
		if err == nil || errors.Is(err, outbox.ErrUnreachable) {
			announced.forget(name)
			continue
		}
		failures = append(failures, fmt.Errorf("delete the commands of staff: %w", err))
	}
	for _, id := range slices.Concat(a.AdminIDs, a.SupportIDs) {
		user, err := a.DB.User(ctx, id)
		if errors.Is(err, storage.ErrNotFound) || err == nil && !user.Private {
			continue
		}
		if err != nil {
			failures = append(failures, err)
			continue
		}
		l := a.Localizer(user)
		description := l.Label("command_admin")
		if !a.IsAdmin(id) {
			description = l.Label("command_admin_support")
		}
		list := append(commandList(l), models.BotCommand{Command: adminCommand, Description: description})
		err = announced.update(strconv.FormatInt(id, 10), a.digest(list), func() error { return a.Bot.SetCommands(ctx, "", list, chatScope(id)) })
		if !errors.Is(err, outbox.ErrUnreachable) {
			failures = append(failures, err)
		}
	}
	return errors.Join(append(failures, a.save(ctx, adminsSetting, announced))...)
}

// refreshStaff announces the commands of staff if the person who has just written, or
// chosen a language, is one of them.
func (a *Announcer) refreshStaff(ctx context.Context, userID int64) {
	if !a.IsStaff(userID) {
		return
	}
	if err := a.announceStaff(ctx); err != nil {
		a.Log.Warn("announcing the admins' commands failed", "error", err)
	}
}

func chatScope(chat int64) models.BotCommandScope {
	return &models.BotCommandScopeChat{ChatID: chat}
}

// telegramCode returns the two-letter code of one of our languages (Bot API:
// setMyCommands, language_code), "" if there is none: the one for Portuguese is used
// for Brazilian Portuguese.
func telegramCode(code string) string {
	switch code {
	case "pt":
		return ""
	case "pt-BR":
		return "pt"
	case "bn-BD":
		return "bn"
	default:
		return code
	}
}

// announced contains the digests of what was announced, by name.
type announced struct {
	digests map[string]string
	changed bool
}

// update calls set unless the digest was announced before.
func (d *announced) update(name, digest string, set func() error) error {
	if d.digests[name] == digest {
		return nil
	}
	if err := set(); err != nil {
		return fmt.Errorf("announce the %s: %w", name, err)
	}
	d.digests[name], d.changed = digest, true
	return nil
}

func (d *announced) forget(name string) {
	delete(d.digests, name)
	d.changed = true
}

// load reads what was announced. If the setting can't be decoded, everything is
// announced again.
func (a *Announcer) load(ctx context.Context, setting string) (*announced, error) {
	text, err := a.DB.Setting(ctx, setting)
	if err != nil {
		return nil, err
	}
	d := &announced{}
	if err := json.Unmarshal([]byte(text), &d.digests); err != nil || d.digests == nil {
		d.digests = map[string]string{}
	}
	return d, nil
}

func (a *Announcer) save(ctx context.Context, setting string, d *announced) error {
	if !d.changed {
		return nil
	}
	text, err := json.Marshal(d.digests)
	if err != nil {
		return fmt.Errorf("encode what was announced: %w", err)
	}
	return a.DB.SetSetting(ctx, setting, string(text))
}

// digest returns a hash of what is announced and of the bot's id, because another token
// belongs to another bot.
func (a *Announcer) digest(content any) string {
	encoded, _ := json.Marshal(content) // lists and strings can be encoded
	sum := sha256.Sum256(append(encoded, fmt.Sprint(a.Bot.ID())...))
	return hex.EncodeToString(sum[:8])
}
