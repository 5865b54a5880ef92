package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// inline types a query after the bot's name in another chat.
func (w *world) inline(query string) {
	w.T.Helper()
	w.chat.Inline(query)
	pass(time.Second)
}

func TestInlineCards(t *testing.T) {
	inEnglish(t, "inline", func(w *world) {
		w.inline("gmail")
		w.inline("gmail usa")
		seen, _ := w.chat.InlineAnswer()
		must(w.T, w.chat.Choose(seen.Results[0].Title, nil))
		w.tap("inline_button_open")
		w.inline("instagram followers usa")
		w.inline("")
		w.inline("xyzzy")
		must(w.T, w.chat.TapInlineButton())
		pass(time.Second)
	})
}

// TestShareProduct: the button of a product finds exactly that product.
func TestShareProduct(t *testing.T) {
	inEnglish(t, "share", func(w *world) {
		w.open("2")
		w.tap("product_button_share")
		seen, _ := w.chat.InlineAnswer()
		must(w.T, w.chat.Choose(seen.Results[0].Title, nil))
		w.tap("inline_button_open")
		w.open("1") // an SMM service
		w.tap("product_button_share")
		w.inline("#999999")
		w.inline("#02")
	})
}

// TestInlinePages: the pages contain every result once.
func TestInlinePages(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.inline("account")
		pages := 1
		for w.chat.InlineMore() == nil {
			pass(time.Second)
			pages++
		}
		seen, _ := w.chat.InlineAnswer()
		ids := map[string]bool{}
		for _, r := range seen.Results {
			ids[r.ID] = true
		}
		if pages < 3 || len(ids) != len(seen.Results) || len(ids) <= 20*(pages-1) {
			w.T.Errorf("%d pages with %d results, %d of them different", pages, len(seen.Results), len(ids))
		}
		calls := w.Market.Count("")
		w.inline("gmail")
		w.inline("outlook")
		if n := w.Market.Count("") - calls; n != 0 {
			w.T.Errorf("%d calls to the marketplace with a warm cache, want 0", n)
		}
	})
}

// TestInlineWithoutKey: the button leads to the private chat, where the key is asked
// for.
func TestInlineWithoutKey(t *testing.T) {
	inEnglish(t, "inline_no_key", func(w *world) {
		w.cfg.HStockAPIKey = ""
		w.restart()
		w.inline("gmail")
		must(w.T, w.chat.TapInlineButton())
		pass(time.Second)
		w.types(annaKey)
		pass(10 * time.Second)
		w.inline("gmail usa")
	})
}

// TestInlineShowsNothingPrivate: no orders, links, codes or balances, also not to their
// owner. People who are not allowed get no answer.
func TestInlineShowsNothingPrivate(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.populate()
		mallory := w.mallory("/start")
		admin := w.Telegram.Join(telegram.Person{ID: adminID, FirstName: "Boss", LanguageCode: "en"})
		secrets := []string{"100.00", "98.", "#235", "23501", "Balance", w.firstPhone().Phone, "313131"}
		for _, order := range w.Market.Orders() {
			secrets = append(secrets, order.Accounts...)
		}
		for _, person := range []*telegram.Client{w.chat, mallory, admin} {
			for _, query := range []string{"", "23501", "#23501", "balance", "orders", "313131", operatorKey, "/balance", "<b>", "p_2", strings.Repeat("x ", 200)} {
				before := len(person.History())
				person.Inline(query)
				pass(time.Second)
				if _, answered := person.InlineAnswer(); !answered {
					w.T.Errorf("%q has no answer", query)
				}
				_, answer, _ := strings.Cut(person.History()[before:], "\n")
				for _, secret := range secrets {
					if strings.Contains(answer, secret) {
						w.T.Errorf("%q shows %q:\n%s", query, secret, answer)
					}
				}
			}
		}
		w.cfg.AllowedIDs = []int64{anna.ID}
		w.restart()
		mallory.Inline("gmail")
		w.chat.Inline("outlook")
		pass(time.Second)
		if _, answered := mallory.InlineAnswer(); answered {
			w.T.Error("a person who is not allowed gets an answer")
		}
		if _, answered := w.chat.InlineAnswer(); !answered {
			w.T.Error("Anna gets no answer")
		}
	})
}

// TestInlineWhileMarketplaceIsDown: the empty answer is not cached for long.
func TestInlineWhileMarketplaceIsDown(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.Market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		w.chat.Inline("gmail")
		pass(20 * time.Second)
		if seen, answered := w.chat.InlineAnswer(); !answered || len(seen.Results) != 0 {
			w.T.Errorf("Anna sees %+v (answered: %v)", seen, answered)
		}
		w.Market.ClearFaults()
		pass(time.Minute)
		w.inline("gmail")
		if seen, _ := w.chat.InlineAnswer(); len(seen.Results) == 0 {
			w.T.Error("no cards, although the marketplace answers again")
		}
	})
}
