package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

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

// profileSetting keeps the digest of what Telegram was last told.
const profileSetting = "telegram_profile"

// profile is what Telegram shows of the bot in one language; the empty
// language is for everybody whose own is not among ours.
type profile struct {
	Language    string
	Commands    []models.BotCommand
	Description string
	Short       string
}

// Announce tells Telegram the commands and descriptions in every language,
// where they have changed since it was last told. The bot's name is the
// operator's own.
func (s *Shop) Announce(ctx context.Context) error {
	return errors.Join(s.announce(ctx), s.announceAdmins(ctx))
}

func (s *Shop) announce(ctx context.Context) error {
	profiles := s.profiles()
	digest, err := digestOf(s.bot.ID(), profiles)
	if err != nil {
		return err
	}
	told, err := s.DB.Setting(ctx, profileSetting)
	if err != nil {
		return err
	}
	if told == digest {
		return nil
	}
	for _, p := range profiles {
		if err := s.bot.SetCommands(ctx, p.Language, p.Commands); err != nil {
			return fmt.Errorf("set commands (%q): %w", p.Language, err)
		}
		if err := s.bot.SetDescription(ctx, p.Language, p.Description, p.Short); err != nil {
			return fmt.Errorf("set descriptions (%q): %w", p.Language, err)
		}
	}
	return s.DB.SetSetting(ctx, profileSetting, digest)
}

// adminsSetting keeps whom Telegram was told the admins' commands for, with a
// digest of them.
const adminsSetting = "telegram_admins"

// announceAdmins tells Telegram the admins' own command, in their own chats and
// their own language, and takes it back from who is none any more. Who never
// wrote to the bot has no chat; they are told when they do.
func (s *Shop) announceAdmins(ctx context.Context) error {
	s.announcing.Lock()
	defer s.announcing.Unlock()
	before, err := s.DB.Setting(ctx, adminsSetting)
	if err != nil {
		return err
	}
	told := map[int64]string{}
	if before != "" {
		if err := json.Unmarshal([]byte(before), &told); err != nil {
			return fmt.Errorf("setting %s: %w", adminsSetting, err)
		}
	}
	var failures []error
	for id := range told {
		if s.admin(id) {
			continue
		}
		err := s.bot.DeleteCommands(ctx, chatScope(id))
		if err == nil || errors.Is(err, bot.ErrUnreachable) {
			delete(told, id)
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
		p := profileIn(s.localizer(user), "")
		p.Commands = append(p.Commands, models.BotCommand{Command: adminCommand, Description: s.localizer(user).Label("command_admin")})
		digest, err := digestOf(s.bot.ID(), []profile{p})
		if err == nil && told[id] != digest {
			err = s.bot.SetCommands(ctx, "", p.Commands, chatScope(id))
			if err == nil {
				told[id] = digest
			}
		}
		if err != nil && !errors.Is(err, bot.ErrUnreachable) {
			failures = append(failures, fmt.Errorf("set an admin's commands: %w", err))
		}
	}
	after, err := json.Marshal(told)
	if err == nil && string(after) != before && (before != "" || len(told) > 0) {
		err = s.DB.SetSetting(ctx, adminsSetting, string(after))
	}
	return errors.Join(append(failures, err)...)
}

// noticeAdmin is announceAdmins for one who has just written or chosen a language.
func (s *Shop) noticeAdmin(ctx context.Context, userID int64) {
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

func (s *Shop) profiles() []profile {
	profiles := []profile{profileIn(s.Bundle.Localizer(s.DefaultLang), "")}
	for _, language := range s.Bundle.Languages() {
		if code := telegramCode(language.Code); code != "" {
			profiles = append(profiles, profileIn(s.Bundle.Localizer(language.Code), code))
		}
	}
	return profiles
}

func profileIn(l *locales.Localizer, code string) profile {
	p := profile{Language: code, Description: l.Label("profile_description"), Short: l.Label("profile_short")}
	for _, name := range commands {
		//i18n:prefix command_
		p.Commands = append(p.Commands, models.BotCommand{Command: name, Description: l.Label("command_" + name)})
	}
	return p
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

func digestOf(botID int64, profiles []profile) (string, error) {
	encoded, err := json.Marshal(profiles)
	if err != nil {
		return "", fmt.Errorf("encode profiles: %w", err)
	}
	sum := sha256.Sum256(append(encoded, fmt.Sprint(botID)...))
	return hex.EncodeToString(sum[:]), nil
}
