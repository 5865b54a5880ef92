package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/telegram"
)

// TestGroupShowsNothingPrivate: whatever a person, one with an allowance or an admin sends to
// a group, taps there or chooses in inline mode, the group sees nothing of theirs, and neither
// does the room, in which the shop's orders are posted.
func TestGroupShowsNothingPrivate(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		must(w.T, w.Market.SetBalance(annaKey, "424242.00"))
		canaries := w.buyWithCanaries(annaKey, "anna")
		w.gives(bob, "77.31")
		w.as(bob, func() { w.buyGmail("1") })
		w.becomeAdmin()
		w.types("/here") // in private it only says where it is for
		friends := w.Telegram.Group(-500, "Friends")
		friends.Promote(w.chat, "can_delete_messages") // so that the bot sees all messages
		w.cfg.TelegramRate = 0                         // hundreds of taps are answered
		w.restart()
		pass(time.Minute)

		private := []string{"4242", "77.3", "Anna", "Bob", idOf(anna.ID), idOf(bob.ID)}
		before := int64(len(w.Telegram.Calls()))
		ids := w.annaIDs()[:1]
		wants := 0 // answers in the group
		for _, person := range []telegram.Person{anna, bob, boss} {
			chat := w.Telegram.Join(person)
			commands := chat.Commands()
			if len(commands) < 12 {
				w.T.Fatalf("the commands are %+v", commands)
			}
			for _, command := range commands {
				for _, text := range []string{"/" + command.Command, "/" + command.Command + "@shop_bot", "/" + command.Command + "@other_bot"} {
					friends.Type(chat, text)
					pass(5 * time.Second)
				}
				wants++ // only where it is named
			}
			chat.Type("/search") // what is asked in private is not answered in the group
			pass(time.Second)
			for _, text := range []string{"gmail", "23501", "@1001", "https://instagram.com/anna", threeLines, "/start o_23501", "/start p_2", "/orders 23501"} {
				friends.Type(chat, text)
				pass(5 * time.Second)
			}
			for _, text := range []string{"/start@shop_bot o_23501", "/orders@shop_bot 23501", "/orders@shop_bot @1001", "/balance@shop_bot x"} {
				friends.Type(chat, text)
				pass(5 * time.Second)
				wants++
			}
			for _, f := range forgers {
				tapper := anna
				if strings.HasPrefix(f.name, "A") {
					tapper = boss
				}
				if person.ID != tapper.ID {
					continue
				}
				for _, data := range append(f.forge(ids), f.plain) {
					friends.TapData(chat, friends.Last().ID, data)
					pass(100 * time.Millisecond)
				}
			}
			for _, query := range []string{"", "gmail usa", "23501", "@1001", "canary"} {
				chat.Inline(query)
				pass(time.Second)
				if answer, ok := chat.InlineAnswer(); ok && len(answer.Results) > 0 {
					must(w.T, chat.Choose(answer.Results[0].Title, friends))
				}
				pass(time.Minute)
			}
		}
		for _, text := range []string{"/key " + annaKey, "/key@shop_bot " + annaKey} {
			friends.Type(w.Telegram.Join(anna), text)
			pass(5 * time.Second)
			wants++
		}
		canaries = append(canaries, w.secrets()...)
		for _, phone := range w.Market.Numbers() {
			canaries = append(canaries, strings.TrimPrefix(phone.Phone, "+"))
		}
		answers, warnings, taps := 0, 0, 0
		for _, call := range w.Telegram.CallsAfter(before) {
			chat := call.Fields["chat_id"]
			if chat != "-500" && call.Method != "answerInlineQuery" && call.Method != "answerCallbackQuery" {
				continue
			}
			sent := call.Fields["text"] + call.Fields["caption"] + call.Fields["reply_markup"] + call.Fields["results"] + call.Fields["button"]
			for _, canary := range append(canaries, private...) {
				if strings.Contains(sent, canary) {
					w.T.Errorf("%s has %q: %s", call.Method, canary, sent)
				}
			}
			if chat == "-500" && call.Method == "sendMessage" {
				answers++
			}
			if strings.Contains(call.Fields["text"], "has seen that key") {
				warnings++
			}
			if call.Method == "answerCallbackQuery" {
				if taps++; sent+call.Fields["url"] != "" {
					w.T.Errorf("a tap in the group is answered: %v", call.Fields)
				}
			}
		}
		if answers != wants || warnings != 2 || taps < len(forgers) {
			w.T.Errorf("the bot spoke %d times, want %d, warned %d times, want 2, and ended %d taps:\n%s", answers, wants, warnings, taps, friends.Transcript())
		}

		friends.Type(w.chat, "/here") // by an admin: the group is the room
		pass(time.Minute)
		w.Market.AddKey(bobKey, "424242.00", "EUR")
		w.as(telegram.Person{ID: 3003, FirstName: "Clara", Username: "clara", LanguageCode: "en"}, func() { canaries = append(canaries, w.buyWithCanaries(bobKey, "clara")...) })
		pass(time.Hour)
		if text := friends.History(); !strings.Contains(text, "outcome unknown") || !strings.Contains(text, "Gmail") {
			w.T.Errorf("the room has no orders:\n%s", text)
		}
		var posted strings.Builder
		for _, m := range friends.Messages() {
			if m.FromBot {
				posted.WriteString(m.Text + "\n")
			}
		}
		for _, canary := range append(append(append(canaries, w.secrets()...), private...), "Clara", "clara", "3003") {
			if strings.Contains(posted.String(), canary) {
				w.T.Errorf("the room sees %q: %s", canary, around(posted.String(), canary))
			}
		}
	})
}
