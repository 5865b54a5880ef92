package handlers_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/funds"
	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/watches"
	"hstockbot/storage"
)

// Goods reply to the card of their order, also where the card was drawn by the outbox. A
// card that the person has deleted does not hold them back. Only the first delivery is
// celebrated.
func TestGoodsReplyToTheirCard(t *testing.T) {
	inEnglish(t, "replies", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buy("2", "2")
		card := w.chat.Last().ID
		must(w.T, w.Market.Deliver(market.FirstOrder, 1))
		pass(time.Minute)
		must(w.T, w.Market.Finish(market.FirstOrder))
		pass(time.Minute)
		w.buy("2", "2")
		must(w.T, w.chat.Delete(w.chat.Last().ID))
		must(w.T, w.Market.Finish(market.FirstOrder+1))
		pass(time.Minute)
		if got := w.chat.Transcript(); strings.Count(got, "with 🎉") != 1 || strings.Count(got, "replies to #") != 2 || card == 0 {
			w.T.Errorf("want one 🎉 and two replies:\n%s", got)
		}
	})
}

// A code replies to the message of its number.
func TestCodesReplyToTheirNumbers(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		for range 2 {
			w.rent("1")
			number := w.chat.Last().ID
			numbers := w.Market.Numbers()
			must(w.T, w.Market.SendCode(numbers[len(numbers)-1].Number, "40312"))
			pass(time.Minute)
			if code := w.chat.Last(); code.ReplyTo != number {
				w.T.Errorf("the code replies to #%d, want #%d:\n%s", code.ReplyTo, number, w.chat.Transcript())
			}
		}
		if got := strings.Count(w.chat.Transcript(), "with 🎉"); got != 1 {
			w.T.Errorf("%d messages are celebrated", got)
		}
	})
}

// In quiet hours, which are counted in the operator's time zone, news and the progress of
// orders make no sound; goods and reminders do.
func TestQuietHours(t *testing.T) {
	for zone, quiet := range map[string]bool{"UTC": true, "Asia/Tokyo": false} { // midnight in UTC is 9:00 there
		inWorld(t, "en", func(w *world) {
			w.stop()
			must(w.T, w.cfg.TimeZone.Decode(zone))
			must(w.T, w.cfg.QuietHours.Decode("22-7"))
			w.start()
			w.withKey(annaKey)
			w.open("5")
			w.tap("product_button_back")
			must(w.T, w.Market.SetStock(market.SoldOut, 4))
			pass(watches.Every + time.Second)
			news := w.chat.Last()
			if !strings.Contains(w.chat.Transcript(), "is back") || news.Silent != quiet {
				w.T.Errorf("%s: news silent: %t, want %t:\n%s", zone, news.Silent, quiet, w.chat.Transcript())
			}
			w.buy("2", "1")
			pass(time.Minute)
			if goods := w.chat.Last(); goods.ReplyTo == 0 || goods.Silent {
				w.T.Errorf("%s: goods silent: %t\n%s", zone, goods.Silent, w.chat.Transcript())
			}
			if slices.ContainsFunc(w.chat.Messages(), func(m telegram.Message) bool { return m.Silent && m.ID != news.ID }) {
				w.T.Errorf("%s: something else is silent", zone)
			}
			order := w.orderID(market.FirstOrder)
			for kind, silent := range map[string]bool{
				orders.MessageEnded: quiet, orders.MessageIncomplete: quiet, funds.MessageLow: quiet, orders.MessageReminder: false,
			} {
				before := w.chat.Last().ID
				must(w.T, w.app.DB.AddMessage(w.T.Context(), storage.Message{
					UserID: anna.ID, OrderID: order, Kind: kind, Body: []byte(`{"currency":"USD"}`), CreatedAt: time.Now(),
				}))
				pass(time.Minute)
				if last := w.chat.Last(); last.ID == before || last.Silent != silent {
					w.T.Errorf("%s: %s silent: %t, want %t\n%s", zone, kind, last.Silent, silent, w.chat.Transcript())
				}
			}
		})
	}
}
