package handlers_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
)

func TestSearch(t *testing.T) {
	inEnglish(t, "search", func(w *world) {
		w.types("/start")
		w.tap("menu_button_search")
		w.types("gmial acount") // two typing errors
		w.tap("nav_button_back")
		w.types("СТЕАМ") // nothing
		w.types("ｓｔｅａｍ　ｗａｌｌｅｔ")
		w.types("nétflix")         // without a question
		w.types("/search chatgpt") // behind the command
		w.types("/search")
		w.types("/cancel")
	})
}

func TestSearchInChinese(t *testing.T) {
	inLanguage(t, "zh", "search_chinese", func(w *world) {
		w.types("/search 粉丝")
		w.types("instagram粉丝")
		w.types("账号 德国")
		w.types("德国账号") // without the space
		w.types("级")
		w.types("netflix profile") // by its English description
	})
}

// TestSearchPagesAfterRestart: the pages can be turned after a restart, and Back
// returns to the page that the product was opened from, also from the confirm card.
func TestSearchPagesAfterRestart(t *testing.T) {
	inEnglish(t, "search_pages", func(w *world) {
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

func TestSearchWithoutResults(t *testing.T) {
	inEnglish(t, "search_nothing", func(w *world) {
		w.types("/search")
		w.types("xyzzy")
		w.types(strings.Repeat("gmail ", 50)) // 300 characters
		w.types("🎉🎉🎉")
		w.types("!?")
		w.chat.Sticker()
		pass(time.Second)
		w.types("spotify") // still an answer to the question
		w.types(strings.Repeat("gmail ", 50))
		w.types("🎉")
		w.chat.Sticker()
		pass(time.Second)
		w.types("/nonsense")
		w.types("hello, how do I pay?")
		w.types("/search <b>bold</b> & \u202eback")
	})
}

func TestSearchListsSoldOutLast(t *testing.T) {
	inEnglish(t, "search_sold_out", func(w *world) {
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

func TestSearchWhileMarketplaceIsDown(t *testing.T) {
	inEnglish(t, "search_down", func(w *world) {
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

// TestTypedOrderIDOpensOrder: a number that is typed without a question opens the
// order, and is not searched for.
func TestTypedOrderIDOpensOrder(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.buyGmail("1")
		searches := w.Market.Count("services")
		w.types("#23501")
		w.says("Order #23501")
		if n := w.Market.Count("services") - searches; n != 0 {
			w.T.Errorf("the number was searched for, with %d calls", n)
		}
		w.types("23599")
		w.says("No results for “23599”")
	})
}

// TestTypedKeyIsNotSearched: the answer says where a key belongs. The key is not sent
// to the marketplace, stored or repeated.
func TestTypedKeyIsNotSearched(t *testing.T) {
	for _, text := range []string{annaKey, "/search " + annaKey, "my key: " + annaKey, "0123456789abcdef0123", "key:" + annaKey, "“" + annaKey + "”.", "我的密钥是" + annaKey + "。"} {
		inWorld(t, "en", func(w *world) {
			w.types("/menu")
			w.types(text)
			last := w.chat.Last()
			if last.Text != w.l.T("search_key_deleted") || strings.Contains(last.Text, text) || w.Market.Count("") != w.Market.Count("balance") {
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
			if w.chat.Last().Text == w.l.T("search_key_deleted") {
				w.T.Errorf("%q was taken for a key", text)
			}
		})
	}
}

func TestSearchOfAnotherPerson(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.types("instagram followers")
		list := w.chat.Last()
		mallory := w.mallory("/start")
		own := mallory.Last().ID
		for _, b := range slices.Concat(list.Keyboard...) {
			if !strings.HasPrefix(b.CallbackData, "sr:") {
				continue
			}
			if got := w.forge(mallory, own, b.CallbackData); got != w.l.Label("error_outdated") {
				w.T.Errorf("%s: %q", b.CallbackData, got)
			}
		}
		// A product with the search's id opens, but Back does not return to the search.
		w.forge(mallory, own, list.Keyboard[0][0].CallbackData)
		must(w.T, mallory.Tap(w.l.Label("nav_button_back")))
		pass(time.Second)
		if got := lastAnswer(mallory); got != w.l.Label("error_outdated") {
			w.T.Errorf("Back: %q", got)
		}
		if text := mallory.Transcript(); strings.Contains(text, "followers”") {
			w.T.Errorf("Mallory sees what Anna typed:\n%s", text)
		}
	})
}

func TestCachedSearchMakesNoCalls(t *testing.T) {
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
