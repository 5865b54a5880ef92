package handlers_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/telegram"
	"hstockbot/storage"
)

const telegramHeading = `
## Telegram

The method fails each time until the fault is over, after a minute or as soon as the person has seen something; an answer is
lost once. What can't be sent can't be seen, so the first column often says “nothing”: what counts is what comes later.

- **400**: Telegram refuses with words that the program does not know; **400 …**: with these words.
- **409** says that another program receives the updates, **429 for 3 s** and **for 90 s** that there are too many calls.
- **cut before** and **502 page**: Telegram has not carried out the call; **answer lost**: it has; **20 s late**: too late.

What is not here: ` + "`setWebhook` and `getWebhookInfo`" + ` need a listener on the network, which ` + "`TestWebhookEndToEnd`" + ` and
` + "`TestLostWebhookIsSetAgain`" + ` have.

| Method | Fault | The person sees | Stored | Afterwards |
|---|---|---|---|---|
`

// telegramScene is where the program calls a method.
type telegramScene struct {
	method, when string   // several methods are separated by commas, and fail together
	refusals     []string // further descriptions of a 400 that the program knows
	prepare      func(w *world)
	act          func(w *world)        // calls the method
	usual        string                // is on the screen where nothing is broken
	look         func(w *world) string // what the person sees; nil: the news in the chat
	// mend lets the person have what they wanted once the fault is over, and says how; nil:
	// the same once more.
	mend func(w *world) string
}

func (s *telegramScene) methods() []string { return strings.Split(s.method, ", ") }

func (s *telegramScene) name() string {
	return fmt.Sprintf("`%s`: %s", strings.Join(s.methods(), "`, `"), s.when)
}

// telegramFault is a way in which Telegram fails.
type telegramFault struct {
	name string
	telegram.Fault
}

func telegramFaults(s *telegramScene) []telegramFault {
	faults := []telegramFault{{"400", telegram.Fault{Code: 400, Description: "Bad Request: SOMETHING_NEW"}}}
	for _, words := range s.refusals {
		faults = append(faults, telegramFault{"400 " + words, telegram.Fault{Code: 400, Description: "Bad Request: " + words}})
	}
	faults = append(faults, []telegramFault{
		{"401", telegram.Fault{Code: 401}},
		{"403", telegram.Fault{Code: 403}},
		{"409", telegram.Fault{Code: 409}},
		{"429 for 3 s", telegram.Fault{RetryAfter: 3}},
		{"429 for 90 s", telegram.Fault{RetryAfter: 90}},
		{"500", telegram.Fault{Code: 500}},
		{"502 page", telegram.Fault{HTML: true}},
		{"cut before", telegram.Fault{Cut: true}},
		{"answer lost", telegram.Fault{LoseAnswer: true, Times: 1}},
		{"20 s late", telegram.Fault{Delay: 20 * time.Second}},
	}...)
	for i := range faults {
		if faults[i].Times == 0 {
			faults[i].Times = telegram.Always
		}
	}
	return faults
}

func telegramTrials() (trials []trial) {
	for _, scene := range telegramScenes {
		for _, fault := range telegramFaults(&scene) {
			trials = append(trials, trial{scene: scene.name(), fault: fault.name, run: func(t *testing.T) cell { return scene.run(t, fault.Fault) }})
		}
	}
	return trials
}

// run breaks the method and finds out what becomes of it.
func (s *telegramScene) run(t *testing.T, fault telegram.Fault) (found cell) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		if s.prepare != nil {
			s.prepare(w)
		}
		before := w.screen()
		for _, fault.Method = range s.methods() {
			w.Telegram.Fault(fault)
		}
		s.act(w)
		found.saw = s.sees(w, before)
		for _, method := range s.methods() {
			if !slices.ContainsFunc(w.Telegram.Calls(), func(c telegram.Call) bool { return c.Method == method && c.Fault != "" }) {
				w.T.Fatalf("%s was not called:\n%s", method, w.chat.History())
			}
		}
		found.stored = w.waiting()
		w.Telegram.ClearFaults()
		switch {
		case s.mend != nil:
			found.then = s.mend(w)
		case strings.HasPrefix(found.saw, asUsual):
			found.then = "–"
		default:
			before = w.screen()
			pass(90 * time.Second) // as Telegram may have asked for
			if last, _, ok := w.news(before); ok && s.usual != "" && strings.Contains(shown(last), s.usual) {
				found.then = "as usual, without being asked again"
				break
			}
			before, found.then = w.screen(), "asked again"
			s.act(w)
			if saw := s.sees(w, before); saw != asUsual {
				w.T.Errorf("asked again: the person saw %s:\n%s", saw, w.chat.History())
			}
		}
		pass(fault.Delay)            // what is in flight
		if w.chat.Person() == anna { // an admin’s scene may need a second purchase
			w.checkMoney()
		}
	})
	return found
}

// sees says what the person sees who has looked at the chat before.
func (s *telegramScene) sees(w *world, before screen) string {
	if s.look != nil {
		return s.look(w)
	}
	return w.wait(before, s.usual)
}

// waiting says what the database has of messages to the person and of what the person did.
func (w *world) waiting() string {
	w.T.Helper()
	var rows []string
	w.Select(&rows, `SELECT CASE state WHEN 'pending' THEN 'the message waits' ELSE 'the message is ' || state END FROM outbox WHERE state <> 'sent'
		UNION ALL SELECT 'the tap waits' FROM inbox WHERE state <> 'done'
		UNION ALL SELECT 'the chat is bound' FROM rooms UNION ALL SELECT 'the person can’t be reached' FROM users WHERE id = 1001 AND unreachable = 1`)
	if len(rows) == 0 {
		return nothing
	}
	return strings.Join(slices.Compact(rows), ", ")
}

var telegramScenes = []telegramScene{
	{method: "sendMessage", when: "an answer", usual: "Commands:", refusals: []string{"chat not found"}, act: types("/help")},
	{method: "editMessageText", when: "a tap", usual: "Choose a category:", refusals: []string{"message is not modified", "message to edit not found", "message can't be edited"}, act: taps("menu_button_catalog")},
	{method: "answerCallbackQuery", when: "a tap", usual: "Choose a category:", refusals: []string{"query is too old and response timeout expired"}, act: taps("menu_button_catalog")},
	{method: "editMessageReplyMarkup", when: "✅ It works, below goods", usual: "Thank you!", refusals: []string{"message is not modified", "message to edit not found"}, prepare: func(w *world) { w.buyGmail("1") }, act: taps("feedback_button_works"), mend: func(w *world) string {
		pass(90 * time.Second)
		label := w.l.Label("feedback_button_works")
		if buttonData(w.chat.Last(), label) == "" {
			return "–"
		}
		w.tapLabel(label)
		if buttonData(w.chat.Last(), label) != "" {
			w.T.Errorf("the button stays:\n%s", w.chat.History())
		}
		return "tapped again, the button goes"
	}},
	{method: "deleteMessage", when: "a message with a key", refusals: []string{"message to delete not found"}, usual: "✅ Key ••••6789 saved", act: types("/key " + annaKey)},
	{method: "sendDocument", when: "📤 Export", usual: "as a table", prepare: func(w *world) {
		w.buyGmail("1")
		w.types("/orders")
	}, act: taps("orders_button_export")},
	{method: "sendPhoto", when: "📊 Spending", usual: "Spent", prepare: func(w *world) {
		w.buyGmail("1")
		w.types("/balance")
	}, act: taps("balance_button_spending")},
	{method: "sendMessage", when: "goods", refusals: []string{"chat not found"}, usual: "delivered", prepare: (*world).heldOrder, act: (*world).finish, mend: (*world).toldInTheEnd},
	{method: "sendDocument", when: "goods in a file", usual: "delivered", prepare: func(w *world) {
		must(w.T, w.Market.Hold(8, true))
		w.open("8")
		w.tap("product_button_amount")
		w.types("20")
		w.tap("order_button_skip")
		w.tap("confirm_button_confirm")
	}, act: (*world).finish, mend: (*world).toldInTheEnd},
	{method: "editMessageText", when: "✅ Confirm", usual: "Order #23501 placed", prepare: (*world).heldCard, act: taps("confirm_button_confirm"), mend: func(w *world) string {
		w.finish()
		return w.toldInTheEnd()
	}},
	{method: "answerInlineQuery", when: "“@shop_bot gmail”", refusals: []string{"query is too old and response timeout expired"}, act: func(w *world) { w.chat.Inline("gmail") }, look: seesInline, mend: func(w *world) string {
		pass(90 * time.Second)
		w.chat.Inline("gmail")
		if saw := seesInline(w); saw != asUsual {
			w.T.Errorf("typed again: the person saw %s", saw)
		}
		return "typed again"
	}},
	{method: "getUpdates", when: "a message", usual: "Commands:", act: func(w *world) {
		pass(time.Minute) // the request that waits has ended
		w.chat.Type("/help")
	}, mend: func(w *world) string {
		return "answered " + w.until("the answer", func() bool { return count(w.chat, "Commands:") > 0 })
	}},
	{method: "deleteWebhook", when: "the start", usual: "Commands:", prepare: (*world).stop, act: func(w *world) {
		w.start()
		w.chat.Type("/help")
	}, mend: func(w *world) string {
		return "answered " + w.until("the answer", func() bool { return count(w.chat, "Commands:") > 0 })
	}},
	{method: "getMe", when: "the start", prepare: (*world).stop, act: func(w *world) {
		w.start()
		w.open("2")
	}, look: sees("a product without ↗ Share", time.Minute), mend: func(w *world) string {
		return "↗ Share " + w.until("Share", func() bool {
			w.open("2")
			return strings.Contains(shown(w.chat.Last()), "Share")
		})
	}},
	{method: "setMyCommands, deleteMyCommands, setMyDescription, setMyShortDescription", when: "the start", prepare: (*world).forgetProfile, act: (*world).start, look: sees(nothing, 3*time.Minute), mend: (*world).announcedInTheEnd},
	{method: "createForumTopic", when: "an admin chooses the room", look: seesLast("Alerts · Orders · Daily"), refusals: []string{"not enough rights"}, prepare: func(w *world) {
		w.becomeAdmin()
		w.types("/start")
		promoted(w)
	}, act: func(w *world) {
		w.types("/admin")
		w.tap("admin_button_room")
		w.tapLike("👥")
		must(w.T, w.chat.ShareChat(1, teamID))
	}},
	{method: "sendChatAction", when: "is a topic of the room deleted?", prepare: (*world).deletesTopic, act: (*world).finish, look: sees(nothing, time.Minute), mend: (*world).topicInTheEnd},
	{method: "getChatMember", when: "an admin chooses the channel", look: seesLast("I post in Shop news"), prepare: func(w *world) {
		w.becomeAdmin()
		w.types("/start")
		w.chat.CreateChannel(channelID, "Shop news")
	}, act: func(w *world) {
		w.types("/admin")
		w.tap("channel_button")
		w.tapLike("📢")
		must(w.T, w.chat.ShareChat(channelRequest, channelID))
	}},
}

// deletesTopic makes a room with the line of a purchase, and deletes its topic.
func (w *world) deletesTopic() {
	w.T.Helper()
	w.becomeAdmin()
	w.types("/start")
	team := promoted(w)
	w.chooses(2, teamID)
	w.as(anna, func() {
		w.heldCard()
		w.tap("confirm_button_confirm")
	})
	pass(time.Minute)
	room, err := w.app.DB.Room(w.T.Context(), storage.RoomStaff)
	must(w.T, err)
	team.DeleteTopic(int(room.OrdersTopic))
}

// topicInTheEnd waits until the admin is told of the topic. That happens after the next
// purchase at the latest.
func (w *world) topicInTheEnd() string {
	w.T.Helper()
	told := func() bool { return count(w.chat, "was deleted, so I’ve made it again") > 0 }
	for range 10 {
		switch {
		case told():
			return "told that it was, and made again"
		case count(w.chat, "I’m no longer in the group") > 0:
			return "told that the bot is no longer in the group"
		}
		pass(time.Minute)
	}
	w.as(anna, func() { w.buy("2", "1") })
	return "told that it was, and made again, at the next purchase " + w.until("the notice", told)
}

// sees returns the look of those who see the same each time, after some time.
func sees(what string, after time.Duration) func(*world) string {
	return func(*world) string {
		pass(after)
		return what
	}
}

// seesLast returns the look at the last message of the chat, asUsual if that has a text.
func seesLast(usual string) func(*world) string {
	return func(w *world) string {
		pass(time.Minute)
		last := w.chat.Last().Text
		if strings.Contains(last, usual) {
			return asUsual
		}
		return gist(last)
	}
}

// seesInline says what the person sees who has typed a query after the bot's name.
func seesInline(w *world) string {
	pass(40 * time.Second)
	if answer, ok := w.chat.InlineAnswer(); ok && len(answer.Results) > 0 {
		return asUsual
	}
	return nothing
}

// forgetProfile stops the program, which announces its commands and texts again when it is
// started.
func (w *world) forgetProfile() {
	w.T.Helper()
	w.stop()
	w.Exec(`DELETE FROM settings WHERE name = 'telegram_profile'`)
}

// announcedInTheEnd waits until the last calls that announce something are carried out.
func (w *world) announcedInTheEnd() string {
	w.T.Helper()
	return "set " + w.until("the profile", func() bool {
		done := map[string]bool{}
		for _, call := range w.Telegram.Calls() {
			done[call.Method+call.Fields["language_code"]+call.Fields["scope"]] = call.OK || call.Method == "getUpdates"
		}
		return !slices.Contains(slices.Collect(maps.Values(done)), false)
	})
}

// heldOrder buys goods that are delivered by hand.
func (w *world) heldOrder() {
	w.T.Helper()
	w.heldCard()
	w.tap("confirm_button_confirm")
	pass(5 * time.Second)
}

// toldInTheEnd lets the person have the goods of an order that the marketplace has
// delivered, and says how they come.
func (w *world) toldInTheEnd() string {
	w.T.Helper()
	account := w.Market.Orders()[0].Accounts[0]
	arrived := func() bool {
		return slices.ContainsFunc(w.chat.Messages(), func(m telegram.Message) bool {
			return strings.Contains(m.Text, account) || m.Document != nil && strings.Contains(string(m.Document.Data), account)
		})
	}
	began := time.Now()
	for !arrived() && time.Since(began) < 12*time.Minute {
		pass(10 * time.Second)
	}
	if arrived() {
		return "goods " + w.until("goods", arrived)
	}
	w.types("/orders")
	pass(10 * time.Second)
	if arrived() {
		return "goods when the person writes"
	}
	w.tapLike("#23501")
	w.tap("order_button_accounts")
	return "goods with 📄 Accounts " + w.until("goods", arrived)
}
