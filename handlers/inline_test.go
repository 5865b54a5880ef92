package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// inline types words behind the bot's name.
func (w *world) inline(query string) {
	w.T.Helper()
	w.anna.Inline(query)
	pass(time.Second)
}

func TestInlineCards(t *testing.T) {
	inBoth(t, "inline", func(w *world) {
		w.inline("gmail")
		w.inline("gmail usa")
		seen, _ := w.anna.InlineAnswer()
		must(w.T, w.anna.Choose(seen.Results[0].Title, nil))
		w.tap("inline_button_open")
		w.inline("instagram followers usa")
		w.inline("")
		w.inline("xyzzy")
		must(w.T, w.anna.TapInlineButton())
		pass(time.Second)
	})
}

// TestInlinePages: page by page all that is found, each once.
func TestInlinePages(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.inline("account")
		pages := 1
		for w.anna.InlineMore() == nil {
			pass(time.Second)
			pages++
		}
		seen, _ := w.anna.InlineAnswer()
		ids := map[string]bool{}
		for _, r := range seen.Results {
			ids[r.ID] = true
		}
		if pages < 3 || len(ids) != len(seen.Results) || len(ids) <= 20*(pages-1) {
			t.Errorf("%d pages with %d results, %d of them different", pages, len(seen.Results), len(ids))
		}
		calls := w.Market.Count("")
		w.inline("gmail")
		w.inline("outlook")
		if n := w.Market.Count("") - calls; n != 0 {
			t.Errorf("%d calls to the marketplace with a warm cache, want 0", n)
		}
	})
}

// TestInlineWithoutAnyKey leads to the private chat, and back with the key.
func TestInlineWithoutAnyKey(t *testing.T) {
	inBoth(t, "inline_no_key", func(w *world) {
		w.cfg.HStockAPIKey = ""
		w.restart()
		w.inline("gmail")
		must(w.T, w.anna.TapInlineButton())
		pass(time.Second)
		w.types(annaKey)
		pass(10 * time.Second)
		w.inline("gmail usa")
	})
}

// TestInlineTellsNothing: of orders, links, codes and balances, whoever asks
// and whatever they type. Who is not served gets no answer.
func TestInlineTellsNothing(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.setTheScene()
		mallory := w.Telegram.Join(telegram.Person{ID: 6666, FirstName: "Mallory", LanguageCode: "en"})
		boss := w.Telegram.Join(telegram.Person{ID: adminID, FirstName: "Boss", LanguageCode: "en"})
		secrets := []string{"100.00", "98.", "#235", "23501", "Balance", w.first().Phone, "313131"}
		for _, order := range w.Market.Orders() {
			secrets = append(secrets, order.Accounts...)
		}
		for _, person := range []*telegram.Client{w.anna, mallory, boss} {
			for _, query := range []string{"", "23501", "#23501", "balance", "orders", "313131", operatorKey, "/balance", "<b>", "p_2", strings.Repeat("x ", 200)} {
				before := len(person.History())
				person.Inline(query)
				pass(time.Second)
				if _, answered := person.InlineAnswer(); !answered {
					t.Errorf("%q has no answer", query)
				}
				_, said, _ := strings.Cut(person.History()[before:], "\n")
				for _, secret := range secrets {
					if strings.Contains(said, secret) {
						t.Errorf("%q tells %q:\n%s", query, secret, said)
					}
				}
			}
		}
		w.cfg.AllowedIDs = []int64{anna.ID}
		w.restart()
		mallory.Inline("gmail")
		w.anna.Inline("outlook")
		pass(time.Second)
		if _, answered := mallory.InlineAnswer(); answered {
			t.Error("somebody who is not served gets an answer")
		}
		if _, answered := w.anna.InlineAnswer(); !answered {
			t.Error("Anna gets none")
		}
	})
}

// TestInlineWhileTheMarketplaceIsDown: nothing is shown, and soon asked again.
func TestInlineWhileTheMarketplaceIsDown(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.Market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		w.anna.Inline("gmail")
		pass(20 * time.Second)
		if seen, answered := w.anna.InlineAnswer(); !answered || len(seen.Results) != 0 {
			t.Errorf("Anna sees %+v (answered: %v)", seen, answered)
		}
		w.Market.ClearFaults()
		pass(time.Minute)
		w.inline("gmail")
		if seen, _ := w.anna.InlineAnswer(); len(seen.Results) == 0 {
			t.Error("there are no cards although the marketplace is back")
		}
	})
}
