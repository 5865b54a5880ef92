package handlers_test

import (
	"strings"
	"testing"
	"time"
)

func TestGroupShowsNothingPrivate(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		group := w.Telegram.Group(-500, "Friends")
		for _, text := range []string{"/balance", "/balance@shop_bot", "/orders@other_bot", "hello", "/key@shop_bot " + annaKey} {
			group.Type(w.chat, text)
			pass(5 * time.Second)
		}
		text := group.Transcript()
		if strings.Contains(text, "100.00") {
			w.T.Errorf("the group sees a balance:\n%s", text)
		}
		if n := strings.Count(text, w.l.Label("group_button_open")); n != 2 {
			w.T.Errorf("the bot spoke %d times, want 2 (asked by its name, and about the key):\n%s", n, text)
		}
		if n := w.Telegram.Count("deleteMessage"); n != 2 {
			w.T.Errorf("%d messages were to be deleted, want 2: the key of the chat and that of the group", n)
		}
		if !strings.Contains(text, "has seen that key") {
			w.T.Errorf("the warning about the key is missing:\n%s", text)
		}
	})
}
