package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/go-telegram/bot/models"

	"hstockbot/locales"
)

// commands are those that Telegram lists, in the order in which it shows them;
// their descriptions are the messages command_<name>.
var commands = []string{"menu", "catalog", "search", "sms", "orders", "balance", "key", "language", "help", "forget", "cancel", "start"}

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
