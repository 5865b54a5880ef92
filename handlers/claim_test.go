package handlers_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/keyboards"
)

// goodsOf returns n accounts.
func goodsOf(n int) []string {
	accounts := make([]string, n)
	for i := range accounts {
		accounts[i] = fmt.Sprintf("user%d@mail.com:canary-%d", i+1, i+1)
	}
	return accounts
}

// opensOrder opens the first order.
func (w *world) opensOrder() {
	w.T.Helper()
	w.types("/orders")
	w.tapLike("#23501")
}

// noGoods fails if a message after the given one contains goods.
func (w *world) noGoods(after int) {
	w.T.Helper()
	for _, m := range w.chat.Messages() {
		for _, text := range append([]string{m.Text}, allOf(m)...) {
			if m.ID > after && strings.Contains(text, "canary") {
				w.T.Errorf("#%d contains goods: %s", m.ID, text)
			}
		}
	}
}

// allOf are the data, the copied texts and the addresses of a message's buttons.
func allOf(m telegram.Message) (texts []string) {
	for _, b := range slices.Concat(m.Keyboard...) {
		if data, err := url.QueryUnescape(b.URL); err == nil {
			texts = append(texts, data)
		}
		texts = append(texts, b.CallbackData, b.CopyText)
	}
	return texts
}

// TestAllWork: it is stored once, thanked for, and said on the order and in the table.
func TestAllWork(t *testing.T) {
	inEnglish(t, "claim_works", func(w *world) {
		goods := w.delivers(goodsOf(2)...)
		for range 2 { // a double tap
			must(w.T, w.chat.TapOn(goods.ID, w.l.Label("feedback_button_works")))
		}
		pass(time.Second)
		now, _ := w.chat.Message(goods.ID)
		if now.Text != goods.Text || len(now.Keyboard) != len(goods.Keyboard) || buttonData(now, w.l.Label("feedback_button_works")) != "" || !slices.Contains(allOf(now), "user1@mail.com:canary-1") {
			w.T.Errorf("the goods are now %+v", now)
		}
		w.opensOrder()
		w.list("orders_button_export")
		if rows := w.exportedTable(); rows[1][11] != "✅ You said that all work" {
			w.T.Errorf("the table is %q", rows)
		}
		pass(time.Hour)
		if count(w.chat, "Does everything work?") != 0 {
			w.T.Error("the person is asked after an answer")
		}
	})
}

// TestSomeDoNotWork: several accounts, several problems, and a chat with support in which
// the text stands.
func TestSomeDoNotWork(t *testing.T) {
	inEnglish(t, "claim_some", func(w *world) {
		w.cfg.SupportText = "@shop_help"
		w.restart()
		goods := w.delivers(goodsOf(5)...)
		w.tap("feedback_button_claim")
		w.tap("claim_password")
		w.tap("claim_button_done") // without a number
		w.tapLabel("2")
		w.tapLabel("3")
		w.tapLabel("5")
		w.tapLabel("✓ 3")
		w.tap("claim_button_done")
		write, err := url.Parse(w.chat.Last().Keyboard[1][0].URL)
		must(w.T, err)
		if text := write.Query().Get("text"); write.Host+write.Path != "t.me/shop_help" || !strings.HasSuffix(text, "Wrong password, 2 of 5: 2, 5\nReported (UTC): 2000-01-01 00:01") || text != w.chat.Last().Keyboard[0][0].CopyText {
			w.T.Errorf("the chat with support begins with %q in %s", text, write)
		}
		must(w.T, w.chat.TapOn(goods.ID, w.l.Label("feedback_button_claim")))
		pass(time.Second)
		w.tap("claim_locked")
		w.tapLabel("1")
		w.tapLabel("2")
		w.tap("claim_button_done")
		w.tap("nav_button_back")
		w.noGoods(goods.ID)
		w.list("orders_button_export")
		if rows := w.exportedTable(); rows[1][11] != "⚠️ You marked 3 of 5 as faulty" {
			w.T.Errorf("the table is %q", rows)
		}
	})
}

// TestOneAccountDoesNotWork: there is no question which.
func TestOneAccountDoesNotWork(t *testing.T) {
	inEveryLanguage(t, "claim_one", func(w *world) {
		goods := w.delivers(goodsOf(1)...)
		w.tap("feedback_button_claim")
		w.tap("claim_missing")
		w.tap("nav_button_back")
		w.tap("feedback_button_works") // it was a mistake
		w.noGoods(goods.ID)
	})
}

// TestManyDoNotWork: their numbers are typed.
func TestManyDoNotWork(t *testing.T) {
	inEnglish(t, "claim_typed", func(w *world) {
		goods := w.delivers(goodsOf(25)...)
		w.tapWhere("the goods", w.chat.Messages(), func(b telegram.Button) bool { return b.Text == w.l.Label("feedback_button_claim") })
		w.tap("claim_other")
		for _, text := range []string{"all", "26", "0", "7-5", "-3", "1.5.26"} {
			w.types(text)
		}
		w.types("۲, 5 – 7")
		w.noGoods(goods.ID)
	})
}

// TestThousandsDoNotWork: every second of 5,000 accounts. The text stays short enough to
// be sent, and says how many they are.
func TestThousandsDoNotWork(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.cfg.SupportText = "@shop_help"
		w.restart()
		w.open("12")
		w.tap("product_button_amount")
		w.types("5000")
		w.tap("order_button_skip")
		w.tap("confirm_button_confirm")
		w.holds(goodsOf(5000)...)
		pass(time.Minute)
		w.tapWhere("the goods", w.chat.Messages(), func(b telegram.Button) bool { return b.Text == w.l.Label("feedback_button_claim") })
		w.tap("claim_locked")
		var odd []string
		for n := 1; n < 1600; n += 2 { // 3,750 characters
			odd = append(odd, fmt.Sprint(n))
		}
		w.types(strings.Join(odd, ","))
		w.says("Locked, 800 of 5000: 1, 3, 5,")
		if address := w.chat.Last().Keyboard[0][0].URL; !strings.HasPrefix(address, "https://t.me/shop_help?text=Order") || len(address) > 2048 {
			w.T.Errorf("the chat with support is %s", address)
		}
		w.opensOrder()
		w.says("You marked 800 of 5,000 as faulty")
	})
}

// TestAllWorkBeforeTheRest: what is said about a part does not hold for the accounts that
// come later, which are asked about again on the order.
func TestAllWorkBeforeTheRest(t *testing.T) {
	inEnglish(t, "claim_part", func(w *world) {
		w.withKey(annaKey)
		goods := goodsOf(5)
		w.answers("status", `{"status":"Partial","charge":"6.25","remains":3,"currency":"USD","accounts":["`+strings.Join(goods[:2], `","`)+`"]}`)
		w.buyGmail("5")
		w.tap("feedback_button_works")
		w.holds(goods...)
		pass(15 * time.Minute)
		w.opensOrder()
		w.tap("feedback_button_works")
		w.tap("feedback_button_claim")
	})
}

// TestClaimAfterReplacement: a replaced account has the number of the one before.
func TestClaimAfterReplacement(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.delivers("a:canary1", "b:canary2")
		w.tap("feedback_button_claim")
		w.tap("claim_locked")
		w.tap("claim_button_all")
		w.opensOrder()
		w.says("You marked 2 of 2 as faulty")
		w.answers("status", `{"status":"Completed","charge":"2.50","remains":0,"currency":"USD","accounts":["a:canary1","c:canary3"]}`)
		w.tap("nav_button_refresh")
		pass(10 * time.Second)
		w.says("1 account you got earlier was replaced")
		w.says("Numbers in this order: 2")
		w.tap("feedback_button_works") // under the new account
		w.opensOrder()
		w.says("You said that all work")
	})
}

// TestClaimOfRefundedOrder: there is nothing to claim, also by a button from before.
func TestClaimOfRefundedOrder(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		goods := w.delivers(goodsOf(2)...)
		w.answers("status", `{"status":"Refunded","charge":"0.00","remains":0,"currency":"USD","accounts":[]}`)
		w.opensOrder()
		w.tap("nav_button_refresh")
		for _, key := range []string{"feedback_button_works", "feedback_button_claim"} {
			if buttonData(w.chat.Last(), w.l.Label(key)) != "" {
				w.T.Errorf("%s is offered", key)
			}
			must(w.T, w.chat.TapOn(goods.ID, w.l.Label(key)))
			pass(time.Second)
		}
		if n := count(w.chat, "was refunded, so there’s nothing to claim") + strings.Count(strings.Join(toasts(w.chat), "\n"), "nothing to claim"); n == 0 {
			w.T.Errorf("the person is not told:\n%s", w.chat.History())
		}
		pass(time.Hour)
		if count(w.chat, "Does everything work?") != 0 {
			w.T.Error("the person is asked about a refunded order")
		}
	})
}

func toasts(chat *telegram.Client) (texts []string) {
	for _, answer := range chat.Toasts() {
		texts = append(texts, answer.Text)
	}
	return texts
}

// TestDroppedCount: an SMM order with refill has a text of its own.
func TestDroppedCount(t *testing.T) {
	inEnglish(t, "claim_dropped", func(w *world) {
		w.withKey(annaKey)
		w.smmCard("1", "1,000", annaLink)
		w.tap("confirm_button_confirm")
		w.answers("status", `{"status":"Completed","charge":"0.50","start_count":120,"remains":0,"currency":"USD"}`)
		pass(30 * time.Minute)
		w.tap("feedback_button_dropped")
		w.tap("nav_button_back")
		w.tap("order_button_wrong")
	})
}

// TestProblemWithoutGoods: the text says the state of the order, and nothing is stored.
func TestProblemWithoutGoods(t *testing.T) {
	inEnglish(t, "claim_nothing", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buyWithEmail("anna@example.com")
		w.opensOrder()
		w.tap("order_button_wrong")
		w.rent("1")
		w.types("/orders")
		w.tapLike("#23502")
		w.tap("order_button_wrong")
		if text := w.chat.Last().Text; strings.Contains(text, w.firstPhone().Phone) || strings.Contains(text, "anna@") {
			w.T.Errorf("the text contains more than support needs: %s", text)
		}
	})
}

// TestForgedClaimsWithoutGoods: of an order without accounts and without refill nothing can
// be said.
func TestForgedClaimsWithoutGoods(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buyGmail("1")
		id, before := w.orderID(market.FirstOrder), w.snapshot()
		for _, data := range []string{
			keyboards.Claim.Data(keyboards.ClaimArgs{Order: id, Problem: 4}),
			keyboards.Claim.Data(keyboards.ClaimArgs{Order: id, Chosen: 1}),
			keyboards.ClaimProblem.Data(keyboards.OrderRef{Order: id}),
			keyboards.FeedbackWorks.Data(keyboards.FeedbackArgs{Order: id}),
		} {
			w.forge(w.chat, w.chat.Last().ID, data)
		}
		if after := w.snapshot(); after != before {
			w.T.Errorf("stored:\n%s\nwas\n%s", after, before)
		}
	})
}

// TestForgedClaims: problems and accounts that do not exist store nothing.
func TestForgedClaims(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		goods := w.delivers(goodsOf(2)...)
		id := w.orderID(market.FirstOrder)
		before := w.snapshot()
		for _, data := range []string{
			keyboards.Claim.Data(keyboards.ClaimArgs{Order: id, Problem: 4, Chosen: 1}),
			keyboards.Claim.Data(keyboards.ClaimArgs{Order: id, Problem: 5, Chosen: 1}),
			keyboards.Claim.Data(keyboards.ClaimArgs{Order: id, Problem: 255, Chosen: 1}),
			keyboards.Claim.Data(keyboards.ClaimArgs{Order: id, Chosen: 4}),
			keyboards.ClaimAccounts.Data(keyboards.ClaimArgs{Order: id, Problem: 4}),
			keyboards.ClaimAccounts.Data(keyboards.ClaimArgs{Order: id, Problem: 0, Chosen: 1 << 31}),
		} {
			w.forge(w.chat, goods.ID, data)
		}
		if after := w.snapshot(); after != before {
			w.T.Errorf("stored:\n%s\nwas\n%s", after, before)
		}
		if strings.Contains(w.Log.String(), "panicked") {
			w.T.Errorf("a handler panicked: %s", w.Log.String())
		}
	})
}

// TestRepeatedGoods: both messages of goods that may have been lost have the buttons, and
// either answers for the order.
func TestRepeatedGoods(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.confirmCard()
		w.tap("confirm_button_confirm")
		must(w.T, w.Market.Finish(market.FirstOrder))
		w.Telegram.Fault(telegram.Fault{Method: "sendMessage", LoseAnswer: true, Times: 1})
		pass(5 * time.Minute)
		works := 0
		for _, m := range w.chat.Messages() {
			if buttonData(m, w.l.Label("feedback_button_works")) != "" {
				must(w.T, w.chat.TapOn(m.ID, w.l.Label("feedback_button_works")))
				pass(time.Second)
				works++
			}
		}
		if got := toasts(w.chat); works != 2 || len(got) < 2 || got[len(got)-1] != "Thank you!" || got[len(got)-2] != "Thank you!" {
			w.T.Errorf("%d buttons, toasts %q", works, got)
		}
	})
}
