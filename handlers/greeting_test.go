package handlers_test

import (
	"slices"
	"strings"
	"testing"

	"hstockbot/bot"
	"hstockbot/internal/route"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/keyboards"
)

// openGreeting opens what a language has of its own.
func (w *world) openGreeting(language string) {
	w.T.Helper()
	w.types("/admin")
	w.tap("greeting_button")
	w.tapLike(language)
}

// writeGreeting writes a text and links for a language.
func (w *world) writeGreeting(language, text, links string) {
	w.T.Helper()
	w.openGreeting(language)
	w.tap("greeting_button_text")
	w.types(text)
	w.openGreeting(language)
	w.tap("greeting_button_links")
	w.types(links)
}

// startOf is what a person sees at /start, and the labels and addresses of its links.
func (w *world) startOf(person telegram.Person) (text string, links []string) {
	w.T.Helper()
	w.as(person, func() {
		w.types("/start")
		text = w.chat.Last().Text
		for _, button := range slices.Concat(w.chat.Last().Keyboard...) {
			if button.URL != "" {
				links = append(links, button.Text+" "+button.URL)
			}
		}
	})
	return text, links
}

func TestGreeting(t *testing.T) {
	inEnglish(t, "greeting", func(w *world) {
		w.becomeAdmin()
		w.types("/admin")
		w.tap("greeting_button")
		w.tapLabel("English")
		w.tap("greeting_button_text")
		for _, broken := range []string{"Prices < $1", "<b>Hello", "<b> </b>", strings.Repeat("x", bot.MaxText-100) + "{name}"} {
			w.types(broken)
		}
		w.types("<b>Hi {name}!</b> Welcome to <a href=\"https://example.com/{name}\">the shop</a>.")
		w.tap("greeting_button_links")
		for _, broken := range []string{
			"Our channel", "Site | http://example.com\nSite | https://anna:secret@example.com\n | https://example.com\n" + strings.Repeat("x", 29) + " | https://example.com\nx | javascript:alert(1)",
			strings.Repeat("Site | https://example.com\n", 5),
		} {
			w.types(broken)
		}
		w.types("📢 Our channel | t.me/example\n\nSite｜https://example.com/a?b=c\nWrite to us | tg://resolve?domain=example")
		w.tap("nav_button_back")
		w.tapLike("Deutsch")
		w.tap("broadcast_button_preview") // what English has
		w.as(anna, func() {
			w.types("/start")
			w.types("/menu")
		})
		w.openGreeting("English")
		w.tap("greeting_button_text")
		w.tap("broadcast_button_remove")
		w.tap("greeting_button_links")
		w.tap("greeting_button_remove_links")
		w.types("/admin")
		w.tap("admin_button_log")
	})
}

// TestGreetingOfLanguages: a language without its own has that of the default one, text and
// links each, and else the built-in text.
func TestGreetingOfLanguages(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		carl := telegram.Person{ID: 3003, FirstName: "Carl", LanguageCode: "de"}
		l := w.bundle.Localizer("de")
		check := func(wantText, wantLinks string) {
			w.T.Helper()
			text, links := w.startOf(carl)
			if text != wantText || strings.Join(links, ", ") != wantLinks {
				w.T.Errorf("they see %q with %q, want %q with %q", text, links, wantText, wantLinks)
			}
		}
		builtIn := strings.ReplaceAll(l.T("start_text", map[string]any{"Name": "Carl"}), "&amp;", "&")
		check(builtIn, "")
		w.becomeAdmin()
		w.writeGreeting("English", "Hello {name}, {name}", "Site | https://example.com")
		check("Hello Carl, Carl", "Site https://example.com")
		w.openGreeting("Deutsch")
		w.tap("greeting_button_text")
		w.types("Moin {name}")
		check("Moin Carl", "Site https://example.com")
		w.openGreeting("Deutsch")
		w.tap("greeting_button_links")
		w.types("Seite | https://example.com/de")
		check("Moin Carl", "Seite https://example.com/de")
		carl.ID, carl.FirstName = 3004, `<b>"&'{name}` // a new person who writes something
		w.as(carl, func() {
			w.types("gmail")
			w.says(`Moin <b>"&'{name}`)
			w.types("/language")
			w.tapLike("Deutsch")
			if data := w.chat.Last().Keyboard; data[len(data)-1][0].URL != "https://example.com/de" {
				w.T.Errorf("the menu is %+v", data)
			}
		})
	})
}

// TestRefusedGreeting: what Telegram refuses is not stored, and the log has no words.
func TestRefusedGreeting(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.openGreeting("English")
		w.tap("greeting_button_text")
		w.Telegram.Fault(telegram.Fault{Method: "sendMessage", Chat: adminID, Code: 413, Description: "Request Entity Too Large"})
		w.types("Too large")
		w.says("Request Entity Too Large")
		if text, _ := w.startOf(anna); strings.Contains(text, "Too large") {
			w.T.Errorf("people see %q", text)
		}
		w.types("Smaller words") // the question is still open
		messages := w.chat.Messages()
		if preview := messages[len(messages)-2]; preview.Text != "Smaller words" || len(preview.Keyboard) < 5 {
			w.T.Errorf("the preview is %+v", preview)
		}
		w.openGreeting("English")
		w.tap("greeting_button_text")
		w.types("Smaller words") // changes nothing
		w.openGreeting("English")
		w.tap("greeting_button_links")
		w.types("Site | https://example.com/canary")
		if text, _ := w.startOf(anna); text != "Smaller words" {
			w.T.Errorf("people see %q", text)
		}
		entries, total, err := w.app.DB.AuditLog(w.T.Context(), 9, 0)
		must(w.T, err)
		if total != 2 || entries[0].Action != "links" || entries[0].Detail != "English" || entries[1].Action != "greeting" || entries[1].Detail != "English" {
			w.T.Errorf("the log is %+v", entries)
		}
	})
}

// TestWayBackFromBadGreetings: to what the language has. The question stays open.
func TestWayBackFromBadGreetings(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		for button, bad := range map[string][]string{
			"greeting_button_text":  {"<b>Hello"},
			"greeting_button_links": {"Our channel", strings.Repeat("Site | https://example.com\n", 5)},
		} {
			for _, text := range bad {
				w.openGreeting("Deutsch")
				w.tap(button)
				w.types(text)
				back := w.chat.Last().Keyboard[0][0]
				if back.Text != w.l.Label("nav_button_back") || back.CallbackData != keyboards.GreetingShow.Data(keyboards.LanguageArgs{Lang: route.HashOf("de")}) {
					w.T.Errorf("the way back from %q is %+v", text, back)
				}
			}
		}
	})
}

// TestNoGreetingForEveryone: the code of a text for everyone is none of a language.
func TestNoGreetingForEveryone(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.types("/admin")
		for _, lang := range []string{"", "AAAAAAAA"} {
			w.forge(w.chat, w.chat.Last().ID, keyboards.GreetingText.Data(keyboards.LanguageArgs{Lang: route.Hash(lang)}))
			if answer := lastAnswer(w.chat); answer != w.l.Label("error_outdated") {
				w.T.Errorf("%q answers %q", lang, answer)
			}
		}
	})
}

// TestGreetingIsForAdmins: also with a language that exists, which forged_test.go does not
// have.
func TestGreetingIsForAdmins(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.writeGreeting("English", "Hello", "Site | https://example.com")
		w.becomeSupport()
		w.types("/start")
		args := keyboards.LanguageArgs{Lang: route.HashOf("en")}
		for _, data := range []string{
			keyboards.Greetings.Data(struct{}{}), keyboards.GreetingShow.Data(args), keyboards.GreetingText.Data(args), keyboards.GreetingLinks.Data(args),
			keyboards.GreetingPreview.Data(args), keyboards.GreetingTextRemove.Data(args), keyboards.GreetingLinksRemove.Data(args),
		} {
			if answer := w.forge(w.chat, w.chat.Last().ID, data); answer != w.l.Label("error_outdated") {
				w.T.Errorf("%s is answered with %q", data, answer)
			}
		}
		if text, links := w.startOf(anna); text != "Hello" || len(links) != 1 {
			w.T.Errorf("people see %q with %q", text, links)
		}
	})
}
