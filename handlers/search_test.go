package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// The transcripts of the search, and what goes wrong with it.

func TestSearch(t *testing.T) {
	inBoth(t, "search", func(w *world) {
		w.types("/start")
		w.tap("menu_button_search")
		w.types("gmial acount") // two slips
		w.tap("nav_button_back")
		w.types("СТЕАМ") // nothing
		w.types("ｓｔｅａｍ　ｗａｌｌｅｔ")
		w.types("nétflix")         // where nothing was asked
		w.types("/search chatgpt") // behind the command
		w.types("/search")
		w.types("/cancel")
	})
}

func TestSearchInChinese(t *testing.T) {
	inWorld(t, "zh", func(w *world) {
		w.types("/search 粉丝")
		w.types("instagram粉丝")
		w.types("账号 德国")
		w.types("德国账号") // without the space
		w.types("级")
		w.types("netflix profile") // by its English description
		w.golden("search_chinese")
	})
}

// TestFoundPages: the pages can be turned after a restart, and Back returns to
// the one that a product was opened from, from as far as the confirm card.
func TestFoundPages(t *testing.T) {
	inBoth(t, "search_pages", func(w *world) {
		w.withKey(annaKey)
		w.types("instagram followers")
		w.restart()
		w.tapLabel("›")
		w.tapLike("Instagram Followers")
		w.restart()
		w.tap("nav_button_refresh")
		w.tap("product_button_amount")
		w.tap("nav_button_back")
		w.tap("nav_button_back")
		w.types("gmail usa")
		w.tapLike("$1.25")
		w.tapLabel("1")
		w.tap("nav_button_back")
		w.tap("nav_button_back")
	})
}

func TestNothingToSearchFor(t *testing.T) {
	inBoth(t, "search_nothing", func(w *world) {
		w.types("/search")
		w.types("xyzzy")
		w.types(strings.Repeat("gmail ", 50)) // 300 characters
		w.types("🎉🎉🎉")
		w.types("!?")
		w.anna.Sticker()
		pass(time.Second)
		w.types("spotify") // the question stands
		w.types(strings.Repeat("gmail ", 50))
		w.types("🎉")
		w.anna.Sticker()
		pass(time.Second)
		w.types("/nonsense")
		w.types("hello, how do I pay?")
		w.types("/search <b>bold</b> & \u202eback")
	})
}

// TestSoldOutIsFoundLast with its mark, and what was found may be gone later.
func TestSoldOutIsFoundLast(t *testing.T) {
	inBoth(t, "search_sold_out", func(w *world) {
		must(w.T, w.Market.SetStock(market.GmailUSA, 0))
		w.types("/search gmail usa")
		w.tapLike("✖")
		w.tap("nav_button_back")
		must(w.T, w.Market.Remove(market.GmailUSA))
		pass(10 * time.Minute)
		w.tapLike("✖")
		w.types("gmail usa")
	})
}

func TestSearchWhileTheMarketplaceIsDown(t *testing.T) {
	inBoth(t, "search_down", func(w *world) {
		w.Market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		w.types("/search gmail usa")
		pass(time.Minute)
		w.Market.ClearFaults()
		pass(time.Minute)
		w.tap("nav_button_retry")
		pass(10 * time.Minute)
		w.Market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		w.types("gmail usa")
		pass(time.Minute)
	})
}

// TestTheNumberOfAnOrder that is typed where nothing was asked opens it, and not
// what is called by it.
func TestTheNumberOfAnOrder(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
		searches := w.Market.Count("services")
		w.types("#23501")
		w.says("Order #23501")
		if n := w.Market.Count("services") - searches; n != 0 {
			w.T.Errorf("it was searched for, too")
		}
		w.types("23599")
		w.says("No results for “23599”")
	})
}

// TestAKeyIsNotSearched: it is answered with where it belongs, and neither asked
// for at the marketplace nor kept nor repeated.
func TestAKeyIsNotSearched(t *testing.T) {
	for _, text := range []string{annaKey, "/search " + annaKey, "my key: " + annaKey, "0123456789abcdef0123", "key:" + annaKey, "“" + annaKey + "”.", "我的密钥是" + annaKey + "。"} {
		inWorld(t, "en", func(w *world) {
			w.types("/menu")
			w.types(text)
			last := w.anna.Last()
			if last.Text != w.l.T("search_key") || strings.Contains(last.Text, text) || w.Market.Count("") != w.Market.Count("balance") {
				w.T.Errorf("%q: %d calls, %q", text, w.Market.Count(""), last.Text)
			}
			w.tap("menu_button_key")
			w.types(annaKey)
			w.says("$100.00")
		})
	}
	for _, text := range []string{
		"instagram", "Donaudampfschifffahrt", "1234567890", "谷歌邮箱账号美国谷歌邮箱账号美国谷歌邮箱2019", "a@example.com 12345678901234567",
		"anna.12345678901234567890a@example.com", "shop.example/12345678901234567890a",
	} {
		inWorld(t, "en", func(w *world) {
			w.types(text)
			if w.anna.Last().Text == w.l.T("search_key") {
				w.T.Errorf("%q was taken for a key", text)
			}
		})
	}
}

// TestSearchesOfSomebodyElse are out of date, and say nothing.
func TestSearchesOfSomebodyElse(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.types("instagram followers")
		list := w.anna.Last()
		mallory := w.Telegram.Join(telegram.Person{ID: 6666, FirstName: "Mallory", LanguageCode: "en"})
		mallory.Type("/start")
		pass(time.Second)
		own := mallory.Last().ID
		for _, row := range list.Keyboard {
			for _, b := range row {
				if !strings.HasPrefix(b.CallbackData, "sr:") {
					continue
				}
				mallory.TapData(own, b.CallbackData)
				pass(time.Second)
				if answers := mallory.Answers(); answers[len(answers)-1].Text != w.l.Label("error_outdated") {
					w.T.Errorf("%s: %v", b.CallbackData, answers)
				}
			}
		}
		// A product that carries it opens, but Back does not return to it.
		mallory.TapData(own, list.Keyboard[0][0].CallbackData)
		pass(time.Second)
		must(w.T, mallory.Tap(w.l.Label("nav_button_back")))
		pass(time.Second)
		if answers := mallory.Answers(); answers[len(answers)-1].Text != w.l.Label("error_outdated") {
			w.T.Errorf("Back: %v", answers)
		}
		if text := mallory.Transcript(); strings.Contains(text, "followers”") {
			w.T.Errorf("Mallory sees what Anna typed:\n%s", text)
		}
	})
}

// TestSearchingAgainAsksNobody: with a warm cache neither another search nor
// another page calls the marketplace.
func TestSearchingAgainAsksNobody(t *testing.T) {
	inWorld(t, "zh", func(w *world) {
		w.types("gmail")
		before := w.Market.Count("services")
		w.types("instagram")
		w.tapLabel("›")
		w.types("不存在")
		if calls := w.Market.Count("services") - before; calls != 0 {
			w.T.Errorf("%d calls with a warm cache, want 0", calls)
		}
	})
}
