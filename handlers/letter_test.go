package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/telegram"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// findPerson opens the screen of a person as staff.
func (w *world) findPerson(id string) {
	w.T.Helper()
	w.types("/admin")
	w.tap("admin_button_person")
	w.types(id)
}

// TestWriteToPerson: support writes, Anna gets it once and answers with any text, and
// admins see it in the log.
func TestWriteToPerson(t *testing.T) {
	inEnglish(t, "write_to_person", func(w *world) {
		w.stop()
		w.cfg.SupportText = "@shop_help"
		w.start()
		w.types("/start")
		w.becomeSupport()
		w.findPerson("1001")
		w.tap("person_button_write")
		w.types("  Your order <23501> & its refund:\nplease wait until *tomorrow*.  ")
		w.tap("confirm_button_cancel")
		w.tap("person_button_write")
		w.types("Your order <23501> & its refund:\nplease wait until *tomorrow*.")
		w.tap("letter_button_send")
		pass(time.Minute)

		w.as(anna, func() {
			if n := count(w.chat, "please wait until *tomorrow*."); n != 1 {
				w.T.Errorf("Anna got the message %d times:\n%s", n, w.chat.Transcript())
			}
			w.says("✉️ *Message from the shop’s support*\n\n   Your order <23501> & its refund:")
			w.says("[ 💬 Write to @shop_help ↗ https://t.me/shop_help ]")
			w.types("thanks")
			if !w.chat.Last().FromBot {
				w.T.Error("Anna's answer is not answered")
			}
		})
		support := w.chat
		w.becomeAdmin()
		w.types("/admin")
		w.tap("admin_button_log")
		w.says("👤 Sam (4500): wrote to `1001`, characters: 62")
		w.chat = support // whose transcript is compared
		if strings.Contains(w.Log.String(), "tomorrow") {
			w.T.Error("the log contains what was written")
		}
	})
}

// TestLetterInLanguageOfPerson: the line above the message is in the person's language,
// and the preview shows it.
func TestLetterInLanguageOfPerson(t *testing.T) {
	for _, lang := range languages(t) {
		t.Run(lang, func(t *testing.T) {
			inWorld(t, lang, func(w *world) {
				w.types("/start")
				title, _, _ := strings.Cut(w.l.T("letter_title"), "</b>")
				title = title[strings.Index(title, "<b>")+len("<b>"):]
				w.l = w.bundle.Localizer("en")
				w.becomeSupport()
				w.findPerson("1001")
				w.tap("person_button_write")
				w.types(strings.Repeat("😀", 1751)) // 3,502 UTF-16 units
				w.says(w.l.T("letter_bad", locales.Args{"Most": "3,500"}))
				w.types(strings.Repeat("&", 3500)) // the longest
				if text := w.chat.Last().Text; !strings.Contains(text, title) {
					w.T.Errorf("the preview is %q, without %q", text, title)
				}
				w.tap("letter_button_send")
				pass(time.Second)
				w.become(anna)
				if text := w.chat.Last().Text; !strings.Contains(text, title) || !strings.HasSuffix(text, strings.Repeat("&", 3500)) {
					w.T.Errorf("the person got %q, without %q", text, title)
				}
			})
		})
	}
}

// TestLetterThatCannotArrive: who can't get a letter is told about before it is written,
// before the preview and before it is sent.
func TestLetterThatCannotArrive(t *testing.T) {
	for _, test := range []struct {
		name, sentence string
		change         func(w *world)
	}{
		{"never wrote", "No one with the ID", func(w *world) { w.Exec(`DELETE FROM users WHERE id = ?`, anna.ID) }},
		{"forgotten", "No one with the ID", func(w *world) { must(w.T, w.app.DB.Forget(w.T.Context(), anna.ID, time.Now())) }},
		{"no private chat", "person_external", func(w *world) { w.Exec(`UPDATE users SET private_chat = 0 WHERE id = ?`, anna.ID) }},
		{"has blocked the bot", "person_unreachable", func(w *world) { must(w.T, w.app.DB.SetUnreachable(w.T.Context(), anna.ID)) }},
		{"is blocked", "letter_unserved", func(w *world) {
			_, err := w.app.DB.SetBlocked(w.T.Context(), anna.ID, true, storage.AuditEntry{AdminID: adminID, Action: "block", Subject: anna.ID, At: time.Now()})
			must(w.T, err)
		}},
		{"is not served", "letter_unserved", func(w *world) { w.cfg.AllowedIDs = []int64{bob.ID} }},
	} {
		for _, step := range []string{"ask", "preview", "send"} {
			t.Run(test.name+", "+step, func(t *testing.T) {
				inWorld(t, "en", func(w *world) {
					w.types("/start")
					w.becomeSupport()
					w.findPerson("1001")
					person := w.chat.Last().ID
					if step != "ask" {
						w.tap("person_button_write")
					}
					if step == "send" {
						w.types("Canary")
					}
					test.change(w)
					w.restart() // nothing that was read before is kept
					switch step {
					case "ask":
						must(w.T, w.chat.TapOn(person, w.l.Label("person_button_write")))
					case "preview":
						w.chat.Type("Canary")
					case "send":
						must(w.T, w.chat.Tap(w.l.Label("letter_button_send")))
					}
					pass(time.Minute)
					want := test.sentence
					if w.l.Has(want) {
						want = w.l.T(want)
					}
					forgotten := test.name == "forgotten" && step == "send" // the letter is gone, too
					if forgotten {
						want = w.l.T("menu_text")
					}
					if text := w.chat.Last().Text; !strings.Contains(text, strings.Split(want, "\n")[0]) {
						w.T.Errorf("the answer is %q, want %q", text, want)
					}
					if forgotten && lastAnswer(w.chat) != w.l.Label("error_outdated") {
						w.T.Errorf("the tap is answered %q", lastAnswer(w.chat))
					}
					w.become(anna)
					if n := count(w.chat, "Canary"); n != 0 {
						w.T.Errorf("Anna got it:\n%s", w.chat.Transcript())
					}
					if _, total, err := w.app.DB.AuditLog(w.T.Context(), 8, 0); err != nil || total > 1 {
						w.T.Errorf("%d audit entries (%v)", total, err)
					}
				})
			})
		}
	}
}

// TestLetterIsItsAuthors: nobody else sends a letter, also no other staff, and a person
// sends none to themselves.
func TestLetterIsItsAuthors(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.types("/start")
		w.becomeSupport()
		w.findPerson("1001")
		w.tap("person_button_write")
		w.types("Canary")
		data := buttonData(w.chat.Last(), w.l.Label("letter_button_send"))
		for _, chat := range []*telegram.Client{w.becomeAdmin(), w.become(anna)} {
			chat.Type("/start")
			pass(time.Second)
			if got := w.forge(chat, chat.Last().ID, data); got != w.l.Label("error_outdated") {
				w.T.Errorf("the letter of another person is answered %q", got)
			}
		}
		w.Exec(`UPDATE outbox SET user_id = ? WHERE kind = 'letter'`, bob.ID) // nor goes it to who never wrote
		w.becomeSupport()
		w.forge(w.chat, w.chat.Last().ID, data)
		w.says("No one with the ID `2002` has messaged the bot.")
		goods := keyboards.LetterSend.Data(keyboards.LetterArgs{Letter: 1})
		if got := w.forge(w.chat, w.chat.Last().ID, goods); got != w.l.Label("error_outdated") {
			w.T.Errorf("no letter is answered %q", got)
		}
		pass(time.Minute)
		for _, person := range []telegram.Person{anna, bob} {
			if n := count(w.become(person), "Canary"); n != 0 {
				w.T.Errorf("%s got it", person.FirstName)
			}
		}
	})
}

// TestLetterIsSentOnce: not at the second of two taps, also after a restart, and not again
// where Telegram's answer was lost.
func TestLetterIsSentOnce(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.types("/start")
		w.becomeSupport()
		w.findPerson("1001")
		w.tap("person_button_write")
		w.types("Canary")
		preview := w.chat.Last()
		data := buttonData(preview, w.l.Label("letter_button_send"))
		w.chat.TapData(preview.ID, data)
		w.chat.TapData(preview.ID, data)
		pass(time.Minute)
		w.restart()
		if got := w.forge(w.chat, preview.ID, data); got != w.l.Label("letter_sent_toast") {
			w.T.Errorf("the tap is answered %q", got)
		}
		pass(time.Minute)
		if n := count(w.become(anna), "Canary"); n != 1 {
			w.T.Errorf("Anna got it %d times", n)
		}
		if _, total, err := w.app.DB.AuditLog(w.T.Context(), 8, 0); err != nil || total != 1 {
			w.T.Errorf("%d audit entries (%v), want one", total, err)
		}

		w.becomeSupport()
		w.tap("person_button_write")
		w.types("Lost canary")
		w.Telegram.Fault(telegram.Fault{Method: "sendMessage", Chat: anna.ID, LoseAnswer: true})
		w.tap("letter_button_send")
		pass(10 * time.Minute)
		if n := count(w.become(anna), "Lost canary"); n != 1 {
			w.T.Errorf("Anna got it %d times", n)
		}
	})
}

// TestLetterWaitsForPerson: who blocks the bot before the letter arrives gets it when they
// are back.
func TestLetterWaitsForPerson(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.types("/start")
		w.becomeSupport()
		w.findPerson("1001")
		w.tap("person_button_write")
		w.types("Canary")
		w.Telegram.Fault(telegram.Fault{Method: "sendMessage", Chat: anna.ID, RetryAfter: 60})
		w.tap("letter_button_send")
		w.become(anna)
		w.chat.Block()
		pass(10 * time.Minute)
		if n := count(w.chat, "Canary"); n != 0 {
			w.T.Errorf("who has blocked the bot got it %d times", n)
		}
		w.chat.Unblock()
		w.types("/start")
		pass(time.Minute)
		if n := count(w.chat, "Canary"); n != 1 {
			w.T.Errorf("who is back got it %d times", n)
		}
	})
}
