package app_test

import (
	"fmt"
	"slices"
	"strings"

	"hstockbot/internal/sandbox/telegram"
)

const secondKey = "canary-second-key-0123456789"

// keyChange gives the bot another key.
func keyChange() scenario {
	return scenario{
		name: "key", prepare: giveKey,
		act: func(w *matrixWorld) {
			w.market.AddKey(secondKey, "50.00", "USD")
			w.types("/key "+secondKey, "••••6789 saved")
		},
		check: func(w *matrixWorld) {
			w.types("/balance", "$50.00")
			for _, m := range w.ann.Messages() {
				if strings.Contains(m.Text, secondKey) {
					w.t.Error("the key was not deleted from the chat")
				}
			}
			if keys := w.left(`SELECT COUNT(*) FROM api_keys WHERE state = 'active'`); keys != 1 {
				w.t.Errorf("%d keys are active", keys)
			}
		},
		must: []string{"chats,inbox", "api_keys", "call deleteMessage", "answer deleteMessage", "call sendMessage", "answer sendMessage"},
	}
}

// inOrder asks for three things at once.
func inOrder() scenario {
	answers := []string{"Balance:", "You have no orders yet", "SMS numbers"}
	return scenario{
		name: "order", prepare: giveKey,
		act: func(w *matrixWorld) {
			last := w.ann.Type("/balance")
			w.ann.Type("/orders")
			w.ann.Type("/sms")
			for _, answer := range answers {
				w.shown(last, answer)
			}
		},
		check: func(w *matrixWorld) {
			var firsts []int
			for _, answer := range answers {
				firsts = append(firsts, slices.IndexFunc(w.ann.Messages(), func(m telegram.Message) bool {
					return m.ID > 2 && m.FromBot && strings.HasPrefix(m.Text[strings.IndexByte(m.Text, ' ')+1:], answer)
				}))
			}
			if !slices.IsSorted(firsts) {
				w.t.Errorf("the answers are in another order: %v", firsts)
			}
		},
		must: []string{"chats,inbox", "call sendMessage", "answer sendMessage", "inbox:done"},
	}
}

const news = "Great news for you"

// broadcast sends a message to everyone. Nobody gets it twice, and the admin is told how many
// may not have got it.
func broadcast() scenario {
	return scenario{
		name: "broadcast", admin: true, twice: 1, // the preview is one
		prepare: func(w *matrixWorld) {
			w.types("/start", "What would you like?")
			for i := range 4 {
				person := w.person(10+i, fmt.Sprint("Person ", i))
				person.Type("/start")
				w.until("the person is known", func() bool { return len(person.Messages()) > 1 })
				w.people = append(w.people, person)
			}
			m := w.types("/admin", "📣 Broadcast")
			m = w.taps(m, "📣 Broadcast", "✍️ Write one")
			m = w.taps(m, "✍️ Write one", "🌍 One for all")
			w.taps(m, "🌍 One for all", "Send me the text")
			w.types(news, "👁 Preview")
		},
		act: func(w *matrixWorld) {
			m := w.shown(0, "👁 Preview")
			m = w.taps(m, "👁 Preview", "✅ Send it")
			w.taps(m, "✅ Send it", "✅ Sent")
		},
		check: func(w *matrixWorld) {
			missing := 0
			for _, person := range w.people {
				got := 0
				for _, m := range person.Messages() {
					if m.Text == news {
						got++
					}
				}
				if got > 1 {
					w.t.Errorf("somebody has %d copies", got)
				} else if got == 0 {
					missing++
				}
			}
			if uncertain := w.left(`SELECT COALESCE(SUM(uncertain), 0) FROM broadcasts`); missing > uncertain {
				w.t.Errorf("%d people have no copy, and the report counts %d", missing, uncertain)
			}
		},
		must: []string{"broadcasts:waiting", "broadcast_recipients", "call sendMessage", "answer sendMessage", "broadcasts:done"},
	}
}
