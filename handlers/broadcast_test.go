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

// crowd joins people who have all started the bot, and returns them.
func (w *world) crowd(n int, lang string) []*telegram.Client {
	w.T.Helper()
	people := make([]*telegram.Client, 0, n)
	for i := range n {
		id := int64(10_000 + 1000*len(lang) + 100*int(lang[0]) + i)
		person := w.Telegram.Join(telegram.Person{ID: id, FirstName: fmt.Sprint("P", i), LanguageCode: lang})
		person.Type("/start")
		people = append(people, person)
	}
	pass(time.Duration(float64(n)/w.cfg.TelegramRate+1) * time.Second)
	return people
}

// copies counts the messages with this text in a person's chat.
func copies(person *telegram.Client, text string) (n int) {
	for _, m := range person.Messages() {
		if m.FromBot && m.Text == text {
			n++
		}
	}
	return n
}

// broadcast has the present person send one text to all.
func (w *world) broadcast(text string) {
	w.T.Helper()
	w.types("/admin")
	w.tap("broadcast_button")
	w.tap("broadcast_button_write")
	w.tap("broadcast_button_all")
	w.types(text)
	w.tap("broadcast_button_preview")
	w.tap("broadcast_button_send")
}

// last is the newest broadcast as the database has it.
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
	inBoth(t, "broadcast", func(w *world) {
		english, chinese := w.crowd(5, "en"), w.crowd(3, "zh-hans")
		english[0].Block()
		chinese[0].Type("/language") // and chooses English by hand
		pass(time.Second)
		must(t, chinese[0].Tap("English"))
		pass(time.Second)
		w.Telegram.Join(telegram.Person{ID: 77, FirstName: "Elsewhere", LanguageCode: "en"}).Inline("gmail") // can't be written to
		pass(time.Second)
		w.beAdmin()

		w.types("/admin")
		w.tap("broadcast_button")
		w.tap("broadcast_button_write")
		w.tap("broadcast_button_all")
		w.anna.Sticker()
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
			must(t, w.anna.RepeatTap())
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
				t.Errorf("person %d got %v copies, want %v:\n%s", i, got, want, person.Transcript())
			}
		}
		deeds, _, err := w.app.DB.AuditLog(w.T.Context(), 9, 0)
		if err != nil || len(deeds) != 1 || deeds[0].AdminID != adminID || deeds[0].Detail != "8" {
			t.Errorf("recorded %+v, %v", deeds, err)
		}
	})
}

// What Telegram refuses in the preview is asked for again; the rest is kept, also
// over a restart, and so is a text that is typed into a question from before it.
func TestBroadcastRefused(t *testing.T) {
	inBoth(t, "broadcast_refused", func(w *world) {
		w.crowd(2, "en")
		w.beAdmin()
		w.types("/admin")
		w.tap("broadcast_button")
		w.tap("broadcast_button_write")
		w.tap("broadcast_button_all")
		w.restart()
		w.types("Hello")
		w.restart()
		w.tapLabel("English")
		w.types("Hello there")
		w.Telegram.Fault(telegram.Fault{Method: "sendMessage", Chat: adminID, Code: 413, Description: "Request Entity Too Large"})
		w.tap("broadcast_button_preview")
		w.types("Hello again")
		w.tap("broadcast_button_preview")
		w.tap("broadcast_button_cancel")
		w.tap("broadcast_button_write")
	})
}

func TestBroadcastToNobody(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.beAdmin()
		w.types("/admin")
		w.tap("broadcast_button")
		w.tap("broadcast_button_write")
		w.anna.TapData(w.anna.Last().ID, keyboards.BroadcastPreview.Data(struct{}{}))
		pass(time.Second)
		w.says(w.l.Label("broadcast_nothing"))
		w.tapLabel("中文")
		w.types("大家好")
		w.tap("broadcast_button_preview")
		w.says(w.l.Label("broadcast_nobody"))
		if all, err := w.app.DB.Broadcasts(w.T.Context(), 9); len(all) > 0 || err != nil {
			t.Errorf("sent to nobody: %v, %v", all, err)
		}
	})
}

// A card under an older preview does not send what was not looked at.
func TestBroadcastChangedSince(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.beAdmin()
		w.types("/admin")
		w.tap("broadcast_button")
		w.tap("broadcast_button_write")
		w.tap("broadcast_button_all")
		w.types("Hello")
		w.tap("broadcast_button_preview")
		card := w.anna.Last()
		w.tap("nav_button_back")
		w.tapLike(w.l.Label("broadcast_button_all"))
		w.types("Hello!")
		w.anna.TapData(card.ID, card.Keyboard[0][0].CallbackData)
		pass(time.Second)
		w.says(w.l.Label("broadcast_changed"))
		w.tap("broadcast_button_preview")
		w.tap("broadcast_button_send")
		if n := copies(w.anna, "Hello!"); n != 2 { // the preview, and her own copy
			t.Errorf("%d copies:\n%s", n, w.anna.Transcript())
		}
	})
}

// A draft is its author's: another admin can neither see nor send it, and people
// who are no admins get nothing of a broadcast by any of its buttons.
func TestBroadcastOfAnother(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.cfg.AdminIDs = append(w.cfg.AdminIDs, 4001)
		w.restart()
		w.beAdmin()
		w.types("/admin")
		w.tap("broadcast_button")
		w.tap("broadcast_button_write")
		w.tap("broadcast_button_all")
		w.types("Not yet for everybody")
		w.tap("broadcast_button_preview")
		draft, err := w.app.DB.BroadcastDraft(w.T.Context(), adminID)
		must(t, err)
		args := keyboards.BroadcastArgs{ID: draft.ID}
		forge := func(person telegram.Person, data ...string) {
			client := w.Telegram.Join(person)
			client.Type("/menu")
			pass(time.Second)
			for _, d := range data {
				client.TapData(2, d)
				pass(2 * time.Second)
				if toasts := client.Toasts(); len(toasts) == 0 || toasts[len(toasts)-1].Data != d || toasts[len(toasts)-1].Text != w.l.Label("error_outdated") {
					t.Errorf("%s taps %s and gets %+v", person.FirstName, d, toasts)
				}
			}
			if strings.Contains(client.History(), "Not yet") || strings.Contains(client.History(), "Broadcast") {
				t.Errorf("%s sees:\n%s", person.FirstName, client.History())
			}
		}
		send := keyboards.BroadcastSend.Data(keyboards.BroadcastSendArgs{ID: draft.ID, Revision: draft.Revision})
		forge(telegram.Person{ID: 4001, FirstName: "Ivan", LanguageCode: "en"}, send, keyboards.BroadcastShow.Data(args), keyboards.BroadcastStop.Data(args))
		w.tap("broadcast_button_send")
		forge(telegram.Person{ID: 6666, FirstName: "Mallory", LanguageCode: "en"}, send,
			keyboards.Broadcasts.Data(struct{}{}), keyboards.BroadcastWrite.Data(struct{}{}), keyboards.BroadcastText.Data(keyboards.LanguageArgs{}),
			keyboards.BroadcastRemove.Data(keyboards.LanguageArgs{}), keyboards.BroadcastPreview.Data(struct{}{}),
			keyboards.BroadcastDiscard.Data(struct{}{}), keyboards.BroadcastShow.Data(args), keyboards.BroadcastStop.Data(args))
		if b := w.lastBroadcast(); b.ID != draft.ID || b.State != storage.BroadcastDone {
			t.Errorf("came to %+v", b)
		}
	})
}

// Progress is drawn in place; the second admin's waits; a stop ends it; the report
// says what was not sent.
func TestBroadcastStop(t *testing.T) {
	inBoth(t, "broadcast_stop", func(w *world) {
		w.cfg.AdminIDs = append(w.cfg.AdminIDs, 4001)
		w.cfg.TelegramRate = 20 // the first 15, whose order is chance, are through before it is drawn
		w.restart()
		people := w.crowd(400, "en")
		w.beAdmin()
		w.broadcast("Hello")
		pass(3 * time.Second)
		w.become(telegram.Person{ID: 4001, FirstName: "Ivan", LanguageCode: w.l.Lang()})
		w.broadcast("The second")
		w.types("/admin")
		w.tap("broadcast_button")
		w.tapLike("📣 4")
		w.tap("broadcast_button_stop")
		pass(50 * time.Second)

		w.beAdmin()
		first, second, both := 0, 0, 0
		for _, person := range people {
			a, b := copies(person, "Hello"), copies(person, "The second")
			if a > 1 || b > 1 {
				t.Errorf("%d and %d copies", a, b)
			}
			first, second, both = first+a, second+b, both+a*b
		}
		if first == 0 || first > 300 || second != 400 || both != first {
			t.Errorf("%d got the first and %d the second", first, second)
		}
		if edits := strings.Count(w.anna.History(), w.l.Label("broadcast_button_stop")); edits > 10 {
			t.Errorf("progress was drawn %d times", edits)
		}
	})
}

// Whoever draws it, and however slow Telegram is, the end is what stays.
func TestBroadcastEndStays(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.crowd(5, "en")
		w.beAdmin()
		w.types("/admin")
		w.tap("broadcast_button")
		w.tap("broadcast_button_write")
		w.tap("broadcast_button_all")
		w.types("Hello")
		w.tap("broadcast_button_preview")
		card := w.anna.Last().ID
		w.Telegram.Fault(telegram.Fault{Method: "editMessageText", Chat: adminID, Delay: 5 * time.Second})
		w.tap("broadcast_button_send")
		pass(20 * time.Second)
		if shown, _ := w.anna.Message(card); !strings.Contains(shown.Text, "Sent: 6") || !strings.HasPrefix(shown.Text, "✅") {
			t.Errorf("the card says %q", shown.Text)
		}
	})
}

// A restart in the middle: nobody gets a second copy, nobody is left out.
func TestBroadcastRestart(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		people := w.crowd(200, "en")
		w.beAdmin()
		w.Telegram.Fault(telegram.Fault{Method: "sendMessage", Delay: 300 * time.Millisecond, Times: telegram.Always}) // some are on their way
		w.broadcast("Hello")
		pass(time.Second)
		w.restart()
		pass(2 * time.Second)
		w.restart()
		pass(time.Minute)
		for i, person := range people {
			if n := copies(person, "Hello"); n != 1 {
				t.Errorf("person %d has %d copies", i, n)
			}
		}
		if b := w.lastBroadcast(); b.State != storage.BroadcastDone || b.Sent != 201 || b.Uncertain != 0 {
			t.Errorf("came to %+v", b)
		}
		w.says(w.l.Label("broadcast_sent", map[string]any{"Number": "201"}))
	})
}

// Who is no admin any more sends nothing more, and is told nothing more.
func TestBroadcastOfNoAdmin(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.crowd(200, "en")
		olga := w.beAdmin()
		w.broadcast("Hello")
		pass(time.Second)
		w.cfg.AdminIDs = []int64{4001}
		w.restart()
		pass(time.Minute)
		b := w.lastBroadcast()
		if b.State != storage.BroadcastStopped || b.StoppedBy != 0 || b.Sent > 150 {
			t.Errorf("came to %+v", b)
		}
		w.become(telegram.Person{ID: 4001, FirstName: "Ivan", LanguageCode: "en"})
		w.types("/admin")
		w.tap("broadcast_button")
		w.tapLike("⏹ 2")
		w.says("no longer an admin")

		w.anna = olga
		before := olga.History()
		must(t, olga.Tap(w.l.Label("broadcast_button_stop")))
		pass(time.Second)
		if answers := olga.Toasts(); answers[len(answers)-1].Text != w.l.Label("error_outdated") {
			t.Errorf("answered %+v", answers[len(answers)-1])
		}
		w.types("/admin")
		if seen := strings.TrimPrefix(olga.History(), before); strings.Contains(seen, "Admin") || strings.Contains(seen, "Broadcast") {
			t.Errorf("who is no admin sees:\n%s", seen)
		}
	})
}

// Somebody in the middle of being asked for a text when they lose the right:
// what they type is a search like anybody's.
func TestBroadcastTypedByNoAdmin(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.beAdmin()
		w.types("/admin")
		w.tap("broadcast_button")
		w.tap("broadcast_button_write")
		w.tap("broadcast_button_all")
		w.cfg.AdminIDs = nil
		w.restart()
		w.types("gmail")
		if _, err := w.app.DB.BroadcastDraft(w.T.Context(), adminID); err == nil {
			t.Error("it was kept as a text to everybody")
		}
	})
}
