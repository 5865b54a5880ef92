package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/go-telegram/bot/models"

	"hstockbot/bot"
	"hstockbot/locales"
	"hstockbot/storage"
)

// commands are those that Telegram lists, in the order in which it shows them;
// their descriptions are the messages command_<name>.
var commands = []string{"menu", "catalog", "search", "sms", "orders", "balance", "key", "language", "help", "forget", "cancel", "start"}

// adminCommand is listed for admins only.
const adminCommand = "admin"

// Settings that keep a digest of what Telegram was told, so that each thing is
// said again only when it has changed: of the profile by part and language, and
// of the admins' commands by admin.
const (
	profileSetting = "telegram_profile"
	adminsSetting  = "telegram_admins"
)

// Announce tells Telegram the commands and descriptions in every language, and
// the admins' own command, where they have changed since it was last told. The
// bot's name is the operator's own.
func (s *Screens) Announce(ctx context.Context) error {
	return errors.Join(s.announceProfile(ctx), s.announceAdmins(ctx))
}

// announceProfile takes as long as Telegram makes it take, three calls a language:
// no tap may wait for it.
func (s *Screens) announceProfile(ctx context.Context) error {
	told, err := s.recall(ctx, profileSetting)
	if err != nil {
		return err
	}
	languages := map[string]*locales.Localizer{"": s.Bundle.Localizer(s.DefaultLang)}
	for _, language := range s.Bundle.Languages() {
		if code := telegramCode(language.Code); code != "" {
			languages[code] = s.Bundle.Localizer(language.Code)
		}
	}
	var failures []error
	for _, code := range slices.Sorted(maps.Keys(languages)) {
		l := languages[code]
		list, description, short := listOf(l), l.Label("profile_description"), l.Label("profile_short")
		failures = append(failures,
			told.tell("commands "+code, s.digest(list), func() error { return s.bot.SetCommands(ctx, code, list) }),
			told.tell("description "+code, s.digest(description), func() error { return s.bot.SetDescription(ctx, code, description) }),
			told.tell("short "+code, s.digest(short), func() error { return s.bot.SetShortDescription(ctx, code, short) }))
	}
	return errors.Join(append(failures, s.remember(ctx, profileSetting, told))...)
}

// announceAdmins tells Telegram the admins' own command, in their own chats and
// their own language, and takes it back from who is none any more. Who never
// wrote to the bot has no chat; they are told when they do.
func (s *Screens) announceAdmins(ctx context.Context) error {
	select {
	case s.announcing <- struct{}{}:
		defer func() { <-s.announcing }()
	case <-ctx.Done():
		return fmt.Errorf("wait to tell the admins' commands: %w", ctx.Err())
	}
	told, err := s.recall(ctx, adminsSetting)
	if err != nil {
		return err
	}
	var failures []error
	for name := range told.digests {
		id, _ := strconv.ParseInt(name, 10, 64)
		if s.admin(id) {
			continue
		}
		err := s.bot.DeleteCommands(ctx, chatScope(id))
		if err == nil || errors.Is(err, bot.ErrUnreachable) {
			told.forget(name)
			continue
		}
		failures = append(failures, fmt.Errorf("take back an admin's commands: %w", err))
	}
	for _, id := range s.AdminIDs {
		user, err := s.DB.User(ctx, id)
		if errors.Is(err, storage.ErrNotFound) || err == nil && !user.Private {
			continue
		}
		if err != nil {
			failures = append(failures, err)
			continue
		}
		l := s.localizer(user)
		list := append(listOf(l), models.BotCommand{Command: adminCommand, Description: l.Label("command_admin")})
		err = told.tell(strconv.FormatInt(id, 10), s.digest(list), func() error { return s.bot.SetCommands(ctx, "", list, chatScope(id)) })
		if !errors.Is(err, bot.ErrUnreachable) {
			failures = append(failures, err)
		}
	}
	return errors.Join(append(failures, s.remember(ctx, adminsSetting, told))...)
}

// noticeAdmin is announceAdmins for one who has just written or chosen a language.
func (s *Screens) noticeAdmin(ctx context.Context, userID int64) {
	if !s.admin(userID) {
		return
	}
	if err := s.announceAdmins(ctx); err != nil {
		s.Log.Warn("Telegram was not told the admins' commands", "error", err)
	}
}

func chatScope(chat int64) models.BotCommandScope {
	return &models.BotCommandScopeChat{ChatID: chat}
}

// listOf is the list of commands in one language.
func listOf(l *locales.Localizer) []models.BotCommand {
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

// said is what Telegram was told, each thing by its digest.
type said struct {
	digests map[string]string
	changed bool
}

// tell says something unless it was said already.
func (s *said) tell(name, digest string, say func() error) error {
	if s.digests[name] == digest {
		return nil
	}
	if err := say(); err != nil {
		return fmt.Errorf("tell Telegram the %s: %w", name, err)
	}
	s.digests[name], s.changed = digest, true
	return nil
}

func (s *said) forget(name string) {
	delete(s.digests, name)
	s.changed = true
}

// recall reads what was told. What can't be read is told anew.
func (s *Screens) recall(ctx context.Context, setting string) (*said, error) {
	text, err := s.DB.Setting(ctx, setting)
	if err != nil {
		return nil, err
	}
	told := &said{}
	if err := json.Unmarshal([]byte(text), &told.digests); err != nil || told.digests == nil {
		told.digests = map[string]string{}
	}
	return told, nil
}

func (s *Screens) remember(ctx context.Context, setting string, told *said) error {
	if !told.changed {
		return nil
	}
	text, err := json.Marshal(told.digests)
	if err != nil {
		return fmt.Errorf("encode what Telegram was told: %w", err)
	}
	return s.DB.SetSetting(ctx, setting, string(text))
}

// digest stands for something that this bot tells: another token is another bot.
func (s *Screens) digest(what any) string {
	encoded, _ := json.Marshal(what) // lists and strings can be encoded
	sum := sha256.Sum256(append(encoded, fmt.Sprint(s.bot.ID())...))
	return hex.EncodeToString(sum[:8])
}
