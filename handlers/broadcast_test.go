package handlers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/telegram"
	"hstockbot/keyboards"
	"hstockbot/storage"
)

// crowd joins n people who start the bot, in one language.
func (w *world) crowd(n int, lang string) []*telegram.Client {
	w.T.Helper()
	people := make([]*telegram.Client, 0, n)
	for i := range n {
		id := int64(10_000 + 1000*len(lang) + 100*int(lang[0]) + i)
		person := w.Telegram.Join(telegram.Person{ID: id, FirstName: fmt.Sprint("P", i), LanguageCode: lang})
		person.Type("/start")
		people = append(people, person)
	}
	const sent = 2 // messages to each: the first removes the reply keyboard
	pass(time.Duration(sent*float64(n)/w.cfg.TelegramRate+1) * time.Second)
	return people
}

// copies is the number of the bot's messages with this text in a person's chat.
func copies(person *telegram.Client, text string) (n int) {
	for _, m := range person.Messages() {
		if m.FromBot && m.Text == text {
			n++
		}
	}
	return n
}

// writeBroadcast opens the question for the text that everyone gets.
func (w *world) writeBroadcast() {
	w.T.Helper()
	w.types("/admin")
	w.tap("broadcast_button")
	w.tap("broadcast_button_write")
	w.tap("broadcast_button_all")
}

// broadcast sends one text to everyone.
func (w *world) broadcast(text string) {
	w.T.Helper()
	w.writeBroadcast()
	w.types(text)
	w.tap("broadcast_button_preview")
	w.tap("broadcast_button_send")
}

// lastBroadcast is the newest broadcast in the database.
func (w *world) lastBroadcast() storage.Broadcast {
	w.T.Helper()
	all, err := w.app.DB.Broadcasts(w.T.Context(), 1)
	must(w.T, err)
	if len(all) == 0 {
		w.T.Fatal("no broadcast was confirmed")
	}
	return all[0]
}

func TestBroadcast(t *testing.T) {
	inEnglish(t, "broadcast", func(w *world) {
		english, chinese := w.crowd(5, "en"), w.crowd(3, "zh-hans")
		english[0].Block()
		chinese[0].Type("/language") // this person chooses English
		pass(time.Second)
		must(w.T, chinese[0].Tap("English"))
		pass(time.Second)
		w.Telegram.Join(telegram.Person{ID: 77, FirstName: "Inline", LanguageCode: "en"}).Inline("gmail") // never started the bot
		pass(time.Second)
		w.becomeAdmin()

		w.writeBroadcast()
		w.chat.Sticker()
		pass(time.Second)
		for _, broken := range []string{"Prices < $1", "<b>Sale", "<b>Sale</i>", "<code><b>x</b></code>", `<a href="shop">here</a>`} {
			w.types(broken)
		}
		w.types("<b>Sale</b>: 20 % off &amp; more, <a href=\"https://example.com\">see here</a>")
		w.tapLabel("中文")
		w.types("<b>促销</b>：八折")
		w.tapLabel("✓ 中文")
		w.types("<b>特价促销</b>：全场八折")
		w.tap("broadcast_button_preview")
		w.tap("broadcast_button_send")
		for range 12 {
			must(w.T, w.chat.RepeatTap())
		}
		pass(10 * time.Second)
		w.types("/admin")
		w.tap("broadcast_button")

		sale, chineseSale := "Sale: 20 % off & more, see here", "特价促销：全场八折"
		for i, person := range append(english, chinese...) {
			want := [2]int{1, 0}
			switch {
			case i == 0:
				want = [2]int{0, 0}
			case i > 5:
				want = [2]int{0, 1}
			}
			if got := [2]int{copies(person, sale), copies(person, chineseSale)}; got != want {
				w.T.Errorf("person %d got %v copies, want %v:\n%s", i, got, want, person.Transcript())
			}
		}
		entries, _, err := w.app.DB.AuditLog(w.T.Context(), 9, 0)
		if err != nil || len(entries) != 1 || entries[0].AdminID != adminID || entries[0].Detail != "8" {
			w.T.Errorf("the audit log is %+v, %v", entries, err)
		}
	})
}

// TestRefusedBroadcastText: a text that Telegram refuses in the preview is asked for
// again. The draft and the open question are kept over restarts.
func TestRefusedBroadcastText(t *testing.T) {
	inEnglish(t, "broadcast_refused", func(w *world) {
		w.crowd(2, "en")
		w.becomeAdmin()
		w.writeBroadcast()
		w.restart()
		w.types("Hello")
		w.restart()
		w.tapLabel("English")
		w.types("Hello there")
		w.Telegram.Fault(telegram.Fault{Method: "sendMessage", Chat: adminID, Code: 413, Description: "Request Entity Too Large"})
		w.tap("broadcast_button_preview")
		w.types("Hello again")
		w.tap("broadcast_button_preview")
		w.tap("broadcast_button_cancel") // keeps the draft
		w.tap("broadcast_button_discard")
		w.tap("broadcast_button_write")
	})
}

// TestCancelOfPreviewKeepsDraft: only Discard deletes what was written.
func TestCancelOfPreviewKeepsDraft(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.writeBroadcast()
		w.types("Hello")
		w.tap("broadcast_button_preview")
		w.tap("broadcast_button_cancel")
		draft, err := w.app.DB.BroadcastDraft(w.T.Context(), adminID)
		must(w.T, err)
		texts, err := w.app.DB.BroadcastTexts(w.T.Context(), draft.ID)
		if err != nil || texts[""] != "Hello" {
			w.T.Errorf("after Cancel the texts are %q, %v", texts, err)
		}
		w.tap("broadcast_button_discard")
		if draft, err := w.app.DB.BroadcastDraft(w.T.Context(), adminID); err == nil {
			w.T.Errorf("after Discard the draft is %+v", draft)
		}
	})
}

func TestBroadcastToNobody(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.types("/admin")
		w.tap("broadcast_button")
		w.tap("broadcast_button_write")
		w.forge(w.chat, w.chat.Last().ID, keyboards.BroadcastPreview.Data(struct{}{}))
		w.says(w.l.Label("broadcast_nothing"))
		w.tapLabel("中文")
		w.types("大家好")
		w.tap("broadcast_button_preview")
		w.says(w.l.Label("broadcast_nobody"))
		if all, err := w.app.DB.Broadcasts(w.T.Context(), 9); len(all) > 0 || err != nil {
			w.T.Errorf("broadcasts without recipients: %v, %v", all, err)
		}
	})
}

// TestOldPreviewSendsNoChangedText: the card of an old preview does not send a text
// that was changed since.
func TestOldPreviewSendsNoChangedText(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.writeBroadcast()
		w.types("Hello")
		w.tap("broadcast_button_preview")
		card := w.chat.Last()
		w.tap("broadcast_button_cancel")
		w.tapLike(w.l.Label("broadcast_button_all"))
		w.types("Hello!")
		w.forge(w.chat, card.ID, card.Keyboard[0][0].CallbackData)
		w.says(w.l.Label("broadcast_changed"))
		w.tap("broadcast_button_preview")
		w.tap("broadcast_button_send")
		if n := copies(w.chat, "Hello!"); n != 2 { // the preview, and the copy that the admin gets
			w.T.Errorf("%d copies:\n%s", n, w.chat.Transcript())
		}
	})
}

// TestBroadcastIsOfItsAuthorOnly: another admin can neither see nor send a draft, and
// for other people the buttons of broadcasts are outdated.
func TestBroadcastIsOfItsAuthorOnly(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.cfg.AdminIDs = append(w.cfg.AdminIDs, 4001)
		w.restart()
		w.becomeAdmin()
		w.writeBroadcast()
		w.types("Not yet for everyone")
		w.tap("broadcast_button_preview")
		draft, err := w.app.DB.BroadcastDraft(w.T.Context(), adminID)
		must(w.T, err)
		args := keyboards.BroadcastArgs{ID: draft.ID}
		forge := func(person telegram.Person, data ...string) {
			client := w.Telegram.Join(person)
			client.Type("/menu")
			pass(time.Second)
			for _, d := range data {
				client.TapData(2, d)
				pass(2 * time.Second)
				if toasts := client.Toasts(); len(toasts) == 0 || toasts[len(toasts)-1].Data != d || toasts[len(toasts)-1].Text != w.l.Label("error_outdated") {
					w.T.Errorf("%s taps %s and gets %+v", person.FirstName, d, toasts)
				}
			}
			if strings.Contains(client.History(), "Not yet") || strings.Contains(client.History(), "Broadcast") {
				w.T.Errorf("%s sees:\n%s", person.FirstName, client.History())
			}
		}
		send := keyboards.BroadcastSend.Data(keyboards.BroadcastSendArgs{ID: draft.ID, Revision: draft.Revision})
		forge(telegram.Person{ID: 4001, FirstName: "Ivan", LanguageCode: "en"}, send, keyboards.BroadcastShow.Data(args), keyboards.BroadcastStop.Data(args))
		w.tap("broadcast_button_send")
		forge(telegram.Person{ID: malloryID, FirstName: "Mallory", LanguageCode: "en"}, send,
			keyboards.Broadcasts.Data(struct{}{}), keyboards.BroadcastWrite.Data(struct{}{}), keyboards.BroadcastText.Data(keyboards.LanguageArgs{}),
			keyboards.BroadcastRemove.Data(keyboards.LanguageArgs{}), keyboards.BroadcastPreview.Data(struct{}{}),
			keyboards.BroadcastDiscard.Data(struct{}{}), keyboards.BroadcastShow.Data(args), keyboards.BroadcastStop.Data(args))
		if b := w.lastBroadcast(); b.ID != draft.ID || b.State != storage.BroadcastDone {
			w.T.Errorf("the broadcast is %+v", b)
		}
	})
}

// TestBroadcastStop: progress is drawn in place, a second broadcast waits for the first
// to end or to be stopped, and the result says how many were not sent.
func TestBroadcastStop(t *testing.T) {
	inEnglish(t, "broadcast_stop", func(w *world) {
		w.cfg.AdminIDs = append(w.cfg.AdminIDs, 4001)
		// The first 15, whose order is random, are sent before progress is drawn. No message is
		// sent at a whole second: progress drawn at the same instant may or may not count it.
		w.cfg.TelegramRate = 17.37
		w.restart()
		people := w.crowd(400, "en")
		w.becomeAdmin()
		w.broadcast("Hello")
		pass(3 * time.Second)
		w.become(telegram.Person{ID: 4001, FirstName: "Ivan", LanguageCode: w.l.Lang()})
		w.broadcast("The second")
		w.types("/admin")
		w.tap("broadcast_button")
		w.tapLike("📣 4")
		w.tap("broadcast_button_stop")
		pass(50 * time.Second)

		w.becomeAdmin()
		first, second, both := 0, 0, 0
		for _, person := range people {
			a, b := copies(person, "Hello"), copies(person, "The second")
			if a > 1 || b > 1 {
				w.T.Errorf("%d and %d copies", a, b)
			}
			first, second, both = first+a, second+b, both+a*b
		}
		if first == 0 || first > 300 || second != 400 || both != first {
			w.T.Errorf("%d got the first and %d the second", first, second)
		}
		if edits := strings.Count(w.chat.History(), w.l.Label("broadcast_button_stop")); edits > 10 {
			w.T.Errorf("progress was drawn %d times", edits)
		}
	})
}

// TestBroadcastResultIsNotOverwritten: by progress that Telegram draws late.
func TestBroadcastResultIsNotOverwritten(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.crowd(5, "en")
		w.becomeAdmin()
		w.writeBroadcast()
		w.types("Hello")
		w.tap("broadcast_button_preview")
		card := w.chat.Last().ID
		w.Telegram.Fault(telegram.Fault{Method: "editMessageText", Chat: adminID, Delay: 5 * time.Second})
		w.tap("broadcast_button_send")
		pass(20 * time.Second)
		if shown, _ := w.chat.Message(card); !strings.Contains(shown.Text, "Sent: 6") || !strings.HasPrefix(shown.Text, "✅") {
			w.T.Errorf("the card says %q", shown.Text)
		}
	})
}

// TestBroadcastContinuesAfterRestarts: each recipient gets one copy.
func TestBroadcastContinuesAfterRestarts(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		people := w.crowd(200, "en")
		w.becomeAdmin()
		w.Telegram.Fault(telegram.Fault{Method: "sendMessage", Delay: 300 * time.Millisecond, Times: telegram.Always}) // some are in flight at the restart
		w.broadcast("Hello")
		pass(time.Second)
		w.restart()
		pass(2 * time.Second)
		w.restart()
		pass(time.Minute)
		for i, person := range people {
			if n := copies(person, "Hello"); n != 1 {
				w.T.Errorf("person %d has %d copies", i, n)
			}
		}
		if b := w.lastBroadcast(); b.State != storage.BroadcastDone || b.Sent != 201 || b.Uncertain != 0 {
			w.T.Errorf("the broadcast is %+v", b)
		}
		w.says(w.l.Label("broadcast_sent", map[string]any{"Number": "201"}))
	})
}

// TestBroadcastOfFormerAdminStops: and the former admin no longer sees broadcasts.
func TestBroadcastOfFormerAdminStops(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.crowd(200, "en")
		olga := w.becomeAdmin()
		w.broadcast("Hello")
		pass(time.Second)
		w.cfg.AdminIDs = []int64{4001}
		w.restart()
		pass(time.Minute)
		b := w.lastBroadcast()
		if b.State != storage.BroadcastStopped || b.StoppedBy != 0 || b.Sent > 150 {
			w.T.Errorf("the broadcast is %+v", b)
		}
		w.become(telegram.Person{ID: 4001, FirstName: "Ivan", LanguageCode: "en"})
		w.types("/admin")
		w.tap("broadcast_button")
		w.tapLike("⏹ 2")
		w.says("no longer an admin")

		w.chat = olga
		before := olga.History()
		must(w.T, olga.Tap(w.l.Label("broadcast_button_stop")))
		pass(time.Second)
		if answers := olga.Toasts(); answers[len(answers)-1].Text != w.l.Label("error_outdated") {
			w.T.Errorf("the answer is %+v", answers[len(answers)-1])
		}
		w.types("/admin")
		if seen := strings.TrimPrefix(olga.History(), before); strings.Contains(seen, "Admin") || strings.Contains(seen, "Broadcast") {
			w.T.Errorf("a former admin sees:\n%s", seen)
		}
	})
}

// TestFormerAdminTypesNoBroadcast: the answer to an open question for a text becomes a
// search.
func TestFormerAdminTypesNoBroadcast(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.writeBroadcast()
		w.cfg.AdminIDs = nil
		w.restart()
		w.types("gmail")
		if _, err := w.app.DB.BroadcastDraft(w.T.Context(), adminID); err == nil {
			w.T.Error("the text was stored as a broadcast")
		}
	})
}
