package handlers_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/storage"
)

func TestRefundAfterPartialDelivery(t *testing.T) {
	inEnglish(t, "refunded", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buy("2", "2")
		must(w.T, w.Market.Deliver(market.FirstOrder, 1))
		pass(time.Minute)
		must(w.T, w.Market.Refund(market.FirstOrder))
		pass(2 * time.Minute)
	})
}

func TestTwentyAccountsArriveAsFile(t *testing.T) {
	inEnglish(t, "delivery_file", func(w *world) {
		w.withKey(annaKey)
		w.open("8")
		w.tap("product_button_amount")
		w.types("20")
		w.tap("order_button_skip")
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
		want := strings.Join(w.Market.Orders()[0].Accounts, "\n") + "\n"
		if got := w.file(); got != want {
			w.T.Errorf("the file is %q, want %q", got, want)
		}
	})
}

func TestDeliveryWaitsWhileBotIsBlocked(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.confirmCard()
		w.tap("confirm_button_confirm")
		w.chat.Block()
		must(w.T, w.Market.Finish(market.FirstOrder))
		pass(time.Hour)
		account := w.Market.Orders()[0].Accounts[0]
		if strings.Contains(w.chat.Transcript(), account) {
			w.T.Fatal("it arrived although the bot was blocked")
		}
		w.chat.Unblock()
		pass(time.Minute)
		w.says(account)
	})
}

// TestGoodsAreSentAgainWithoutAnswer: if it is uncertain whether goods arrived, they
// are sent again.
func TestGoodsAreSentAgainWithoutAnswer(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.confirmCard()
		w.tap("confirm_button_confirm")
		must(w.T, w.Market.Finish(market.FirstOrder))
		w.Telegram.Fault(telegram.Fault{Method: "sendMessage", LoseAnswer: true, Times: 1})
		pass(5 * time.Minute)
		if n := count(w.chat, w.Market.Orders()[0].Accounts[0]); n != 2 {
			w.T.Errorf("the goods arrived %d times, want 2", n)
		}
	})
}

func TestGoodsAreNeverOverwritten(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.buyGmail("1")
		goods := w.chat.Last()
		account := w.Market.Orders()[0].Accounts[0]
		tapAll := func() {
			for _, b := range slices.Concat(goods.Keyboard...) {
				if now, _ := w.chat.Message(goods.ID); b.CallbackData != "" && buttonData(now, b.Text) != "" {
					must(w.T, w.chat.TapOn(goods.ID, b.Text))
					pass(2 * time.Second)
				}
			}
		}
		tapAll()
		w.Market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		pass(10 * time.Minute) // the cache has expired
		tapAll()
		w.Market.ClearFaults()
		must(w.T, w.app.DB.RemoveKey(w.T.Context(), anna.ID))
		tapAll()
		if now, ok := w.chat.Message(goods.ID); !ok || !strings.Contains(now.Text, account) || now.Deleted {
			w.T.Errorf("the goods are gone:\n%s", w.chat.Transcript())
		}
	})
}

// TestMessageOfANewerProgramIsKept: it stays until a program comes that knows its kind.
func TestMessageOfANewerProgramIsKept(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.types("/start")
		must(w.T, w.app.DB.AddMessage(w.T.Context(), storage.Message{UserID: anna.ID, Kind: "a kind of tomorrow", Body: []byte("{}"), CreatedAt: time.Now()}))
		w.app.Outbox.Wake()
		pass(time.Hour)
		if n, err := w.app.DB.CountPendingMessages(w.T.Context()); n != 1 || err != nil {
			w.T.Errorf("%d messages wait (%v), want 1", n, err)
		}
	})
}

// TestGoodsGoToTheTopicOfThePurchase: also after the person wrote in another topic, and
// into the chat itself once the topic is deleted.
func TestGoodsGoToTheTopicOfThePurchase(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.withKey(annaKey)
		w.chat.Send(telegram.Message{Text: "/start p_2", Thread: 7})
		pass(time.Second)
		w.tapLabel("2")
		w.tap("order_button_skip")
		w.tap("confirm_button_confirm")
		w.chat.Send(telegram.Message{Text: "/menu", Thread: 8})
		pass(time.Second)
		want := func(accounts, thread int) {
			w.T.Helper()
			pass(time.Minute)
			if last := w.chat.Last(); last.Thread != thread || !strings.Contains(last.Text, w.Market.Orders()[0].Accounts[accounts-1]) {
				w.T.Errorf("in topic %d: %s", last.Thread, last.Text)
			}
		}
		must(w.T, w.Market.Deliver(market.FirstOrder, 1))
		want(1, 7)
		w.chat.DeleteTopic(7)
		must(w.T, w.Market.Deliver(market.FirstOrder, 1))
		want(2, 0)
	})
}

// TestGoodsThatTelegramRejectsAreTold: if it takes neither the text nor a file, the person
// gets the order, which fetches the goods again.
func TestGoodsThatTelegramRejectsAreTold(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.confirmCard()
		w.tap("confirm_button_confirm")
		account := func() string { return w.Market.Orders()[0].Accounts[0] }
		must(w.T, w.Market.Finish(market.FirstOrder))
		w.Telegram.Fault(telegram.Fault{Method: "sendMessage", Code: 400})
		w.Telegram.Fault(telegram.Fault{Method: "sendDocument", Code: 400})
		pass(time.Minute)
		if last := w.chat.Last(); !strings.Contains(last.Text, "Status: ✅ delivered") || strings.Contains(last.Text, account()) {
			w.T.Errorf("the person was told:\n%s", w.chat.Transcript())
		}
		w.tap("order_button_accounts")
		w.says(account())
	})
}
