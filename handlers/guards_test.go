package handlers_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/keyboards"
)

// confirmCard brings Anna to a confirm card of one account.
func (w *world) confirmCard() {
	w.T.Helper()
	w.withKey(annaKey)
	w.open("2")
	w.tapLabel("1")
	w.tap("order_button_skip")
}

func (w *world) wantAdds(n int) {
	w.T.Helper()
	if got := w.Market.Count("add"); got != n {
		w.T.Errorf("%d requests to buy reached the marketplace, want %d", got, n)
	}
}

// TestTwelveTapsOnOneConfirm: by an impatient thumb, by an app that got no
// answer, and by Telegram that repeats an update.
func TestTwelveTapsOnOneConfirm(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 5 * time.Second})
		card := w.anna.Last()
		label := w.l.Label("confirm_button_confirm")
		must(w.T, w.anna.TapOn(card.ID, label))
		for range 11 {
			must(w.T, w.anna.RepeatTap())
		}
		pass(30 * time.Second)
		w.wantAdds(1)
		w.says("#23501")
	})
}

// TestATapThatTelegramRepeatsHoursLater finds an old card, not a purchase.
func TestATapThatTelegramRepeatsHoursLater(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		card := w.anna.Last()
		data := buttonData(card, w.l.Label("confirm_button_confirm"))
		pass(3 * time.Hour)
		w.anna.TapData(card.ID, data)
		pass(time.Second)
		w.wantAdds(0)
		w.says("over ten minutes old")
	})
}

func buttonData(m telegram.Message, label string) string {
	for _, row := range m.Keyboard {
		for _, b := range row {
			if b.Text == label {
				return b.CallbackData
			}
		}
	}
	return ""
}

// TestForgedButtons: another person's purchases and orders, and data that no
// button ever had, do nothing and say so.
func TestForgedButtons(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		card := w.anna.Last()
		confirm := buttonData(card, w.l.Label("confirm_button_confirm"))
		mallory := w.Telegram.Join(telegram.Person{ID: 6666, FirstName: "Mallory", LanguageCode: "en"})
		mallory.Type("/start")
		pass(time.Second)
		mallory.Type("/key " + poorKey)
		pass(time.Second)
		forged := []string{
			confirm, strings.Replace(confirm, "ok:", "no:", 1), strings.Replace(confirm, "ok:", "ag:", 1),
			strings.Replace(confirm, "ok:", "oa:", 1), strings.Replace(confirm, "ok:", "ub:", 1) + ".0", strings.Replace(confirm, "ok:", "ud:", 1),
			"", "ok", "ok:", "ok:zzzzzzzzzzzzzzzzzzz", "ok:1.2", "zz:1", "p:-1.x", "💥", "l:9.0.0", "s:AAAAAAAA.BBBBBBBB.0", "gs:AAAAAAAA",
			"cc:AAAAAAAA.zz", "p:7fffffff.0...0.0", strings.Repeat("x", 64),
		}
		for _, data := range forged {
			if data == "" {
				continue
			}
			mallory.TapData(1, data)
			pass(time.Second)
		}
		w.wantAdds(0)
		if text := mallory.Transcript(); strings.Contains(text, "USA") {
			w.T.Errorf("Mallory sees Anna's purchase:\n%s", text)
		}
		w.tap("confirm_button_confirm") // Anna's card still stands
		w.wantAdds(1)
		pass(10 * time.Second)

		// Anna's order, in Mallory's hands.
		order, err := w.app.DB.OrderByExternalID(w.T.Context(), anna.ID, market.FirstOrder)
		must(w.T, err)
		for _, data := range []string{
			keyboards.Order.Data(keyboards.OrderViewArgs{Order: order.ID}),
			keyboards.OrderRefresh.Data(keyboards.OrderViewArgs{Order: order.ID}),
			keyboards.CardRefresh.Data(keyboards.OrderRef{Order: order.ID}),
			keyboards.OrderAccounts.Data(keyboards.OrderRef{Order: order.ID}),
			keyboards.OrderWrong.Data(keyboards.OrderRef{Order: order.ID}),
			keyboards.OrderIt.Data(keyboards.PurchaseArgs{Purchase: order.PurchaseID}),
			keyboards.UnresolvedAdoptSure.Data(keyboards.AdoptArgs{Purchase: order.PurchaseID, Number: order.ExternalID}),
		} {
			mallory.TapData(1, data)
			pass(time.Second)
		}
		mallory.Type("23501")
		pass(time.Second)
		if text := mallory.Transcript(); strings.Contains(text, "23501 ") || strings.Contains(text, "Gmail") {
			w.T.Errorf("Mallory sees Anna's order:\n%s", text)
		}
	})
}

// TestInAGroup: no balance, no order and no key is shown there.
func TestInAGroup(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		group := w.Telegram.Group(-500, "Friends")
		for _, text := range []string{"/balance", "/balance@shop_bot", "/orders@other_bot", "hello", "/key@shop_bot " + annaKey} {
			group.Type(w.anna, text)
			pass(5 * time.Second)
		}
		text := group.Transcript()
		if strings.Contains(text, "100.00") {
			w.T.Errorf("the group sees a balance:\n%s", text)
		}
		if n := strings.Count(text, w.l.Label("group_button_open")); n != 2 {
			w.T.Errorf("the bot spoke %d times, want 2 (asked by its name, and about the key):\n%s", n, text)
		}
		if !strings.Contains(text, "has seen that key") {
			w.T.Errorf("nobody was warned of the key:\n%s", text)
		}
	})
}

// TestWithoutAKeyBuyingAsksForOneAndComesBack: and looking round needs none.
func TestWithoutAKeyBuyingAsksForOneAndComesBack(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.open("2")
		w.tapLabel("1")
		w.says(w.l.T("key_needed"))
		w.types(annaKey)
		w.tap("order_button_skip")
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
		w.wantAdds(1)
	})
}

// TestTheOperatorsKeyBuysForNobody, whoever may have learnt it.
func TestTheOperatorsKeyBuysForNobody(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(operatorKey)
		w.says(w.l.T("key_refused"))
		boss := w.Telegram.Join(telegram.Person{ID: adminID, FirstName: "Boss", LanguageCode: "en"})
		boss.Type("/key " + operatorKey)
		pass(time.Second)
		if !strings.Contains(boss.Transcript(), "$100.00") {
			w.T.Errorf("an admin may choose it as theirs:\n%s", boss.Transcript())
		}
	})
}

// TestBlockedAndBack: what was delivered meanwhile waits, and comes.
func TestBlockedAndBack(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.confirmCard()
		w.tap("confirm_button_confirm")
		w.anna.Block()
		must(w.T, w.Market.Finish(market.FirstOrder))
		pass(time.Hour)
		account := w.Market.Orders()[0].Accounts[0]
		if strings.Contains(w.anna.Transcript(), account) {
			w.T.Fatal("it arrived although the bot was blocked")
		}
		w.anna.Unblock()
		pass(time.Minute)
		w.says(account)
	})
}

// TestTelegramLosesTheAnswer: goods are sent again rather than lost.
func TestTelegramLosesTheAnswer(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.confirmCard()
		w.tap("confirm_button_confirm")
		must(w.T, w.Market.Finish(market.FirstOrder))
		w.Telegram.Fault(telegram.Fault{Method: "sendMessage", LoseAnswer: true, Times: 1})
		pass(5 * time.Minute)
		n := 0
		for _, m := range w.anna.Messages() {
			if strings.Contains(m.Text, w.Market.Orders()[0].Accounts[0]) {
				n++
			}
		}
		if n != 2 {
			w.T.Errorf("the goods arrived %d times, want 2", n)
		}
	})
}

// TestBackNeverOverwritesGoods: whatever is tapped on a delivery, it stays.
func TestBackNeverOverwritesGoods(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
		goods := w.anna.Last()
		account := w.Market.Orders()[0].Accounts[0]
		tapAll := func() {
			for _, row := range goods.Keyboard {
				for _, b := range row {
					if b.CallbackData == "" {
						continue
					}
					must(w.T, w.anna.TapOn(goods.ID, b.Text))
					pass(2 * time.Second)
				}
			}
		}
		tapAll()
		w.Market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		pass(10 * time.Minute) // nothing is cached any more
		tapAll()
		w.Market.ClearFaults()
		must(w.T, w.app.DB.RemoveKey(w.T.Context(), anna.ID))
		tapAll()
		now := w.anna.Messages()
		i := slices.IndexFunc(now, func(m telegram.Message) bool { return m.ID == goods.ID })
		if i < 0 || !strings.Contains(now[i].Text, account) || now[i].Deleted {
			w.T.Errorf("the goods are gone:\n%s", w.anna.Transcript())
		}
	})
}

// TestTheSecondTapOfAMenuAsksNobody: with a warm cache no tap of the catalogue
// calls the marketplace.
func TestTheSecondTapOfAMenuAsksNobody(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		walk := func() {
			w.types("/catalog")
			w.openGmail()
			w.tap("nav_button_back")
			w.tap("nav_button_back")
			w.tap("nav_button_back")
		}
		walk()
		before := w.Market.Count("")
		walk()
		if calls := w.Market.Count("") - before; calls != 0 {
			w.T.Errorf("%d calls with a warm cache, want 0", calls)
		}
	})
}

// TestAKeyTypedBuysNothing: a Confirm that found no key comes back as its card,
// not as a purchase.
func TestAKeyTypedBuysNothing(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		must(w.T, w.app.DB.RemoveKey(w.T.Context(), anna.ID))
		w.tap("confirm_button_confirm")
		w.says(w.l.T("key_needed"))
		w.types(annaKey)
		w.wantAdds(0)
		w.tap("confirm_button_confirm") // on the card that was drawn again
		w.wantAdds(1)
	})
}

// TestAFailedConfirmLeavesItsCard with its buttons, and a sentence beside it.
func TestAFailedConfirmLeavesItsCard(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		card := w.anna.Last()
		pass(11 * time.Minute)
		must(w.T, w.Market.SetStock(market.GmailUSA, 0))
		w.tap("confirm_button_confirm")
		w.says(w.l.T("error_sold_out"))
		now, _ := w.anna.Message(card.ID)
		if buttonData(now, w.l.Label("confirm_button_confirm")) == "" {
			w.T.Errorf("the card lost its buttons:\n%s", w.anna.Transcript())
		}
	})
}

// TestALateChargeTakesTryAgainBack: what was probably not placed may have been.
func TestALateChargeTakesTryAgainBack(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
		w.tap("confirm_button_confirm")
		pass(6 * time.Minute)
		w.says(w.l.T("unknown_verdict_not_bought"))
		must(w.T, w.Market.SetBalance(annaKey, "98.75"))
		w.tap("rejected_button_again")
		w.says(w.l.T("unknown_verdict_bought"))
		if data := buttonData(w.anna.Last(), w.l.Label("rejected_button_again")); data != "" {
			w.T.Errorf("it is still offered to try again:\n%s", w.anna.Transcript())
		}
		w.wantAdds(1)
	})
}

// TestARemovedKeysDoubt says which key is needed, and goes on once it is there.
func TestARemovedKeysDoubt(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
		w.tap("confirm_button_confirm")
		pass(time.Minute)
		must(w.T, w.app.DB.RemoveKey(w.T.Context(), anna.ID))
		w.withKey(poorKey)
		w.types("/orders")
		w.tapLike("❔")
		w.says(w.l.T("unknown_key_gone"))
		w.withKey(annaKey)
		w.types("/orders")
		w.tapLike("❔")
		w.says(w.l.T("unknown_verdict_bought"))
	})
}

// TestTooPoorForTheSmallest still offers it: the card says what is missing.
func TestTooPoorForTheSmallest(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(poorKey)
		w.open("13")
		w.tapLabel("10")
		w.tap("order_button_skip")
		w.says("short")
	})
}

// TestAnOrderThatIsNotOnesOwn gets the same answer as one that does not exist.
func TestAnOrderThatIsNotOnesOwn(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
		mallory := w.Telegram.Join(telegram.Person{ID: 6666, FirstName: "Mallory", LanguageCode: "en"})
		var answers []string
		for _, text := range []string{"/start o_23501", "/start o_99999"} {
			mallory.Type(text)
			pass(time.Second)
			answers = append(answers, mallory.Last().Text)
		}
		for _, answer := range answers {
			if answer != w.l.T("error_not_found") {
				w.T.Errorf("got %q", answer)
			}
		}
	})
}

// TestAnOutcomeThatCantBeDrawn is said by a message.
func TestAnOutcomeThatCantBeDrawn(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Service not found", Delay: 3 * time.Second})
		must(w.T, w.anna.TapOn(w.anna.Last().ID, w.l.Label("confirm_button_confirm")))
		pass(time.Second)
		w.Telegram.Fault(telegram.Fault{Method: "editMessageText", HTML: true, Times: 2})
		w.Telegram.Fault(telegram.Fault{Method: "sendMessage", HTML: true, Times: 2})
		pass(10 * time.Minute)
		w.says("Nothing was bought")
	})
}
