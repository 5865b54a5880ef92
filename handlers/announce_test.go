package handlers_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/go-telegram/bot/models"

	"hstockbot/internal/sandbox/telegram"
)

// TestAnnounceSetsOnlyChanges: every part of the profile is set once in each language,
// and again only after a change.
func TestAnnounceSetsOnlyChanges(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		announced := func() (methods map[string]int) {
			w.T.Helper()
			before := len(w.Telegram.Calls())
			must(w.T, w.app.Announcer.Announce(w.T.Context()))
			methods = map[string]int{}
			for _, call := range w.Telegram.Calls()[before:] {
				methods[call.Method]++
			}
			return methods
		}
		want := len(w.bundle.Languages()) + 1 // and one for all other languages
		if w.bundle.Languages()[0].Code != "en" {
			w.T.Fatal("the first language is not English")
		}
		for _, language := range w.bundle.Languages() {
			if language.Code == "pt" { // pt-BR is set for both
				want--
			}
		}
		for method, n := range announced() {
			want := want
			if method == "deleteMyCommands" { // in three scopes
				want *= 3
			}
			if n != want {
				w.T.Errorf("%s was called %d times, want %d", method, n, want)
			}
		}
		if got := announced(); len(got) != 0 {
			w.T.Errorf("set again without a change: %v", got)
		}
		text, err := w.app.DB.Setting(w.T.Context(), "telegram_profile")
		must(w.T, err)
		var profile map[string]string
		must(w.T, json.Unmarshal([]byte(text), &profile))
		profile["short zh"] = "that of an older version"
		changed, err := json.Marshal(profile)
		must(w.T, err)
		must(w.T, w.app.DB.SetSetting(w.T.Context(), "telegram_profile", string(changed)))
		if got := announced(); !maps.Equal(got, map[string]int{"setMyShortDescription": 1}) {
			w.T.Errorf("set after a change: %v", got)
		}

		must(w.T, w.app.DB.SetSetting(w.T.Context(), "telegram_profile", "stored by an older version"))
		w.Telegram.Fault(telegram.Fault{Method: "setMyDescription", Code: 500, Times: 2})
		if err := w.app.Announcer.Announce(w.T.Context()); err == nil {
			w.T.Error("no error after a refusal")
		}
		if got := announced(); !maps.Equal(got, map[string]int{"setMyDescription": 1}) {
			w.T.Errorf("after one failure: %v", got)
		}
		texts := map[string]bool{}
		for _, lang := range []string{"", "en", "zh"} {
			text, short := w.Telegram.Description(lang)
			texts[text], texts[short] = true, true
		}
		if l := w.bundle.Localizer("zh"); len(texts) != 4 || !texts[l.Label("profile_short")] || !texts[l.Label("profile_description")] {
			w.T.Errorf("Telegram shows %q", slices.Sorted(maps.Keys(texts)))
		}
	})
}

// TestAnnounceDeletesCommandsOfAnotherProgram: commands that the token's program before
// set in narrower scopes hide ours until they are deleted, also after a failure.
func TestAnnounceDeletesCommandsOfAnotherProgram(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		scopes := []models.BotCommandScope{
			&models.BotCommandScopeAllPrivateChats{}, &models.BotCommandScopeAllGroupChats{}, &models.BotCommandScopeAllChatAdministrators{},
		}
		for _, scope := range scopes {
			for _, lang := range []string{"", "en", "pt", "zh"} {
				must(w.T, w.app.Bot.SetCommands(w.T.Context(), lang, []models.BotCommand{{Command: "roulette", Description: "Play"}}, scope))
			}
		}
		must(w.T, w.app.DB.SetSetting(w.T.Context(), "telegram_profile", "")) // the token is new
		w.Telegram.Fault(telegram.Fault{Method: "deleteMyCommands", Code: 500, Times: 2})
		if err := w.app.Announcer.Announce(w.T.Context()); err == nil {
			w.T.Error("no error after a refusal")
		}
		must(w.T, w.app.Announcer.Announce(w.T.Context()))
		for _, scope := range []string{"all_private_chats", "all_group_chats", "all_chat_administrators"} {
			for _, lang := range []string{"", "en", "pt", "zh"} {
				if list := w.Telegram.Commands(scope, lang); len(list) > 0 {
					w.T.Errorf("%s in %q still has %v", scope, lang, list)
				}
			}
		}
		if list := w.chat.Commands(); len(list) == 0 || list[0].Command == "roulette" {
			w.T.Errorf("a person sees %v", list)
		}
	})
}
