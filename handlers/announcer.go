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

// commands are those that Telegram lists, in the order in which it shows them;
// their descriptions are the messages command_<name>.
var commands = []string{"menu", "catalog", "search", "sms", "orders", "balance", "key", "language", "help", "forget", "cancel", "start"}

// announceEvery is when Announce looks again whether Telegram must be told.
const announceEvery = 24 * time.Hour

// adminCommand is listed for admins only.
const adminCommand = "admin"

// Settings that keep a digest of what Telegram was told, so that each thing is
// said again only when it has changed: of the profile by part and language, and
// of the admins' commands by admin.
const (
	profileSetting = "telegram_profile"
	adminsSetting  = "telegram_admins"
)

// Announcer tells Telegram the bot's commands and descriptions.
type Announcer struct {
	AnnouncerOptions
	loop   *loop.Loop
	admins chan struct{} // holds a token while the admins' commands are told
}

// AnnouncerOptions is what an Announcer is made of. All fields are required.
type AnnouncerOptions struct {
	People
	Bot *bot.Bot
	Log *slog.Logger
}

// NewAnnouncer returns an Announcer.
func NewAnnouncer(o AnnouncerOptions) *Announcer {
	a := &Announcer{AnnouncerOptions: o, admins: make(chan struct{}, 1)}
	a.loop = loop.New("announcer", o.Log, func(ctx context.Context) (time.Duration, error) { return announceEvery, a.Announce(ctx) })
	return a
}

// Start announces in the background, again and again until Telegram has taken it:
// the bot works without. Calling it twice is harmless.
func (a *Announcer) Start() { a.loop.Start() }

// Stop ends that, and waits until ctx is done.
func (a *Announcer) Stop(ctx context.Context) error { return a.loop.Stop(ctx) }

// Announce tells Telegram the commands and descriptions in every language, and
// the admins' own command, where they have changed since it was last told. The
// bot's name is the operator's own.
func (a *Announcer) Announce(ctx context.Context) error {
	return errors.Join(a.announceProfile(ctx), a.announceAdmins(ctx))
}

// announceProfile takes as long as Telegram makes it take, three calls a language:
// no tap may wait for it.
func (a *Announcer) announceProfile(ctx context.Context) error {
	told, err := a.load(ctx, profileSetting)
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
			told.announce("commands "+code, a.digest(list), func() error { return a.Bot.SetCommands(ctx, code, list) }),
			told.announce("description "+code, a.digest(description), func() error { return a.Bot.SetDescription(ctx, code, description) }),
			told.announce("short "+code, a.digest(short), func() error { return a.Bot.SetShortDescription(ctx, code, short) }))
	}
	return errors.Join(append(failures, a.save(ctx, profileSetting, told))...)
}

// announceAdmins tells Telegram the admins' own command, in their own chats and
// their own language, and takes it back from who is none any more. Who never
// wrote to the bot has no chat; they are told when they do.
func (a *Announcer) announceAdmins(ctx context.Context) error {
	select {
	case a.admins <- struct{}{}:
		defer func() { <-a.admins }()
	case <-ctx.Done():
		return fmt.Errorf("wait to tell the admins' commands: %w", ctx.Err())
	}
	told, err := a.load(ctx, adminsSetting)
	if err != nil {
		return err
	}
	var failures []error
	for name := range told.digests {
		id, _ := strconv.ParseInt(name, 10, 64)
		if a.IsAdmin(id) {
			continue
		}
		err := a.Bot.DeleteCommands(ctx, chatScope(id))
		if err == nil || errors.Is(err, outbox.ErrUnreachable) {
			told.forget(name)
			continue
		}
		failures = append(failures, fmt.Errorf("take back an admin's commands: %w", err))
	}
	for _, id := range a.AdminIDs {
		user, err := a.DB.User(ctx, id)
		if errors.Is(err, storage.ErrNotFound) || err == nil && !user.Private {
			continue
		}
		if err != nil {
			failures = append(failures, err)
			continue
		}
		l := a.Localizer(user)
		list := append(commandList(l), models.BotCommand{Command: adminCommand, Description: l.Label("command_admin")})
		err = told.announce(strconv.FormatInt(id, 10), a.digest(list), func() error { return a.Bot.SetCommands(ctx, "", list, chatScope(id)) })
		if !errors.Is(err, outbox.ErrUnreachable) {
			failures = append(failures, err)
		}
	}
	return errors.Join(append(failures, a.save(ctx, adminsSetting, told))...)
}

// refreshAdmin is announceAdmins for one who has just written or chosen a language.
func (a *Announcer) refreshAdmin(ctx context.Context, userID int64) {
	if !a.IsAdmin(userID) {
		return
	}
	if err := a.announceAdmins(ctx); err != nil {
		a.Log.Warn("Telegram was not told the admins' commands", "error", err)
	}
}

func chatScope(chat int64) models.BotCommandScope {
	return &models.BotCommandScopeChat{ChatID: chat}
}

// commandList is the list of commands in one language.
func commandList(l *locales.Localizer) []models.BotCommand {
	list := make([]models.BotCommand, 0, len(commands)+1)
	for _, name := range commands {
		list = append(list, models.BotCommand{Command: name, Description: l.Label("command_" + name)})
	}
	return list
}

// telegramCode is the two-letter code that setMyCommands takes for one of our
// languages: Brazilian stands for Portuguese, so that of Portugal has none.
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

// announced is what Telegram was told, each thing by its digest.
type announced struct {
	digests map[string]string
	changed bool
}

// announce says something unless it was said already.
func (s *announced) announce(name, digest string, say func() error) error {
	if s.digests[name] == digest {
		return nil
	}
	if err := say(); err != nil {
		return fmt.Errorf("tell Telegram the %s: %w", name, err)
	}
	s.digests[name], s.changed = digest, true
	return nil
}

func (s *announced) forget(name string) {
	delete(s.digests, name)
	s.changed = true
}

// load reads what was told. What can't be read is told anew.
func (a *Announcer) load(ctx context.Context, setting string) (*announced, error) {
	text, err := a.DB.Setting(ctx, setting)
	if err != nil {
		return nil, err
	}
	told := &announced{}
	if err := json.Unmarshal([]byte(text), &told.digests); err != nil || told.digests == nil {
		told.digests = map[string]string{}
	}
	return told, nil
}

func (a *Announcer) save(ctx context.Context, setting string, told *announced) error {
	if !told.changed {
		return nil
	}
	text, err := json.Marshal(told.digests)
	if err != nil {
		return fmt.Errorf("encode what Telegram was told: %w", err)
	}
	return a.DB.SetSetting(ctx, setting, string(text))
}

// digest stands for something that this bot tells: another token is another bot.
func (a *Announcer) digest(what any) string {
	encoded, _ := json.Marshal(what) // lists and strings can be encoded
	sum := sha256.Sum256(append(encoded, fmt.Sprint(a.Bot.ID())...))
	return hex.EncodeToString(sum[:8])
}
