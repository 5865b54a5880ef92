package handlers_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/telegram"
	"hstockbot/locales"
)

// TestWrongKeysAreLimited: five within ten minutes; a right one ends the count.
func TestWrongKeysAreLimited(t *testing.T) {
	inEnglish(t, "key_too_many", func(w *world) {
		guesses := 0
		guess := func(n int) {
			for range n {
				guesses++
				w.withKey("wrong-key-" + strconv.Itoa(guesses))
				pass(time.Minute)
			}
		}
		guess(4)
		w.withKey(annaKey) // which makes none of them right
		guess(1)
		before := w.Market.Count("balance")
		w.withKey(annaKey)
		if n := w.Market.Count("balance") - before; n != 0 {
			w.T.Errorf("%d keys were checked while the person must wait", n)
		}
		w.as(bob, func() { w.withKey(annaKey) }) // others need not wait
		pass(5 * time.Minute)
		w.withKey(annaKey)
	})
}

// TestQuestionForKeyIsAnswered: after a key was accepted, the message that asked for it
// says so, however it was asked for and answered.
func TestQuestionForKeyIsAnswered(t *testing.T) {
	inEnglish(t, "key_asked", func(w *world) {
		gives := func(key string) {
			w.T.Helper()
			w.types(key)
			for _, m := range w.chat.Messages() {
				if m.FromBot && strings.Contains(m.Text, "To add a key, send it here") {
					w.T.Errorf("message %d still asks for a key:\n%s", m.ID, m.Text)
				}
			}
			must(w.T, w.app.DB.RemoveKey(w.T.Context(), anna.ID))
		}
		w.types("/start")
		w.tap("menu_button_key")
		w.types("canary-key-that-nobody-has") // its refusal stays
		gives(annaKey)
		w.types("/key")
		gives("/key " + annaKey)
		w.types("/start key") // as the button above inline results
		gives(annaKey)
		w.open("2") // a screen that needs a key, and opens then
		w.tapLabel("1")
		gives(annaKey)
		w.types("/key")
		must(w.T, w.chat.Delete(w.chat.Last().ID))
		gives(annaKey)
	})
}

// TestGoodsOutliveTheQuestionForKey: while the question can't be sent, the tapped message
// is not taken for it.
func TestGoodsOutliveTheQuestionForKey(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.buyGmail("1")
		pass(10 * time.Second)
		goods := w.chat.Last()
		must(w.T, w.app.DB.RemoveKey(w.T.Context(), anna.ID))
		w.Telegram.Fault(telegram.Fault{Method: "sendMessage", Code: 500})
		w.tap("order_button_again")
		w.types(annaKey)
		if m, _ := w.chat.Message(goods.ID); m.Text != goods.Text {
			w.T.Errorf("the goods became\n%s", m.Text)
		}
	})
}

func TestOperatorKeyIsRefusedFromOthers(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(operatorKey)
		w.says(w.l.T("key_refused"))
		w.becomeAdmin()
		w.withKey(operatorKey)
		w.says("$100.00") // an admin may use it
	})
}

// TestKeyMayServeOtherWatches: without an operator's key in a currency, watches use the
// keys of people, and people are told so when they give theirs.
func TestKeyMayServeOtherWatches(t *testing.T) {
	inEnglish(t, "key_shared", func(w *world) {
		w.cfg.HStockAPIKey = ""
		w.restart()
		w.withKey(annaKey)
		w.says(w.l.T("key_saved_shared", locales.Args{"Currency": "USD"}))
	})
	inWorld(t, "en", func(w *world) {
		const dongKey = "canary-key-in-dong-0123456789"
		w.Market.AddKey(dongKey, "5000000", "VND")
		w.withKey(annaKey)
		if strings.Contains(w.chat.Last().Text, "others") {
			w.T.Errorf("a key in the operator's currency is said to serve others:\n%s", w.chat.Last().Text)
		}
		w.withKey(dongKey)
		w.says(w.l.T("key_saved_shared", locales.Args{"Currency": "VND"}))
	})
}

// TestMisplacedKeysAreDeleted: a key outside the question for it leaves the chat. It is
// neither sent to the marketplace nor stored nor repeated.
func TestMisplacedKeysAreDeleted(t *testing.T) {
	const shortKey = "k3y-of-anna"
	photo := func(caption string) telegram.Message {
		return telegram.Message{Photo: &telegram.Document{Name: "key.png", Data: []byte("png")}, Text: caption}
	}
	for name, send := range map[string]func(w *world) int{
		"text":         func(w *world) int { return w.chat.Type("my key is " + annaKey) },
		"short":        func(w *world) int { return w.chat.Type(shortKey) },
		"search":       func(w *world) int { return w.chat.Type("/search " + annaKey) },
		"short search": func(w *world) int { return w.chat.Type("/search " + shortKey) },
		"caption":      func(w *world) int { return w.chat.Send(photo(annaKey)) },
		"caption of an album": func(w *world) int {
			w.chat.Send(telegram.Message{Photo: photo("").Photo, Album: "1"})
			m := photo(annaKey)
			m.Album = "1"
			return w.chat.Send(m)
		},
		"edited": func(w *world) int {
			id := w.chat.Type("gmail")
			pass(time.Second)
			must(w.T, w.chat.EditOwn(id, annaKey))
			return id
		},
		"answer about an amount": func(w *world) int { w.open("2"); w.tap("product_button_amount"); return w.chat.Type(annaKey) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				w.withKey(annaKey)
				before := w.Market.Count("balance")
				id := send(w)
				pass(time.Second)
				for _, m := range w.chat.Messages() {
					if m.ID == id || strings.Contains(m.Text, annaKey) || strings.Contains(m.Text, shortKey) {
						w.T.Errorf("the chat has %q", m.Text)
					}
				}
				w.says(w.l.T("search_key_deleted"))
				if n := w.Market.Count("balance") - before; n != 0 {
					w.T.Errorf("the key was sent %d times", n)
				}
			})
		})
	}
}

// TestKeyInCaption: a key may also be given under a picture.
func TestKeyInCaption(t *testing.T) {
	for _, key := range []string{annaKey, "/key " + annaKey} {
		inWorld(t, "en", func(w *world) {
			w.types("/key")
			id := w.chat.Send(telegram.Message{Photo: &telegram.Document{Name: "key.png", Data: []byte("png")}, Text: key})
			pass(time.Second)
			w.says("$100.00")
			if w.chat.Messages()[len(w.chat.Messages())-1].ID == id || strings.Contains(w.chat.Last().Text, annaKey) {
				w.T.Error("the key is still there")
			}
		})
	}
}

// TestKeyThatCannotBeDeleted: the person is asked to delete it.
func TestKeyThatCannotBeDeleted(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		id := w.chat.Type("gmail")
		w.skipDays(3)
		must(w.T, w.chat.EditOwn(id, "gmail "+annaKey))
		pass(time.Second)
		w.says(w.l.T("search_key"))
	})
}

// TestEditsAreNotHandled, as long as they contain no key.
func TestEditsAreNotHandled(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		id := w.chat.Type("gmail")
		pass(time.Second)
		n := len(w.chat.Messages())
		must(w.T, w.chat.EditOwn(id, "facebook"))
		pass(time.Second)
		if got := len(w.chat.Messages()); got != n {
			w.T.Errorf("%d messages after an edit, want %d", got, n)
		}
	})
}
