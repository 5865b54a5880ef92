package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/news"
	"hstockbot/internal/sandbox/market"
)

// makeNews makes three kinds of news. The catalogue has been compared before.
func (w *world) makeNews() {
	w.T.Helper()
	must(w.T, w.Market.Remove(market.Plain))
	must(w.T, w.Market.Remove(market.InstagramFollowers))
	pass(news.FirstRound)
	w.setStock(market.SoldOut, 5)
	w.setRate(market.GmailUSA, "1.00")
	w.setRate(market.TikTokLikes, "0.0300")
	must(w.T, w.Market.Return(market.Plain))
	must(w.T, w.Market.Return(market.InstagramFollowers))
	pass(news.Every)
}

func (w *world) setStock(service, n int64) {
	w.T.Helper()
	must(w.T, w.Market.SetStock(service, n))
}

func (w *world) setRate(service int64, rate string) {
	w.T.Helper()
	must(w.T, w.Market.SetRate(service, rate))
}

func TestWhatsNew(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.types("/menu") // without the button
		w.makeNews()
		w.types("/menu")
		w.tap("menu_button_news")
		w.tapLike("Price drops")
		w.tapLike("$1.25")
		w.tap("nav_button_back")
		w.tapLike("New ·")
		w.setStock(market.SoldOut, 0)
		w.setStock(market.Plain, 0)
		w.setRate(market.GmailUSA, "1.25") // is no price drop any longer
		must(w.T, w.Market.Remove(market.TikTokLikes))
		pass(20 * time.Second)
		w.tapLike("New ·") // sold out, which the last comparison did not know
		pass(news.Every)
		w.tapLike("Restocks")
		w.setStock(market.InstagramFollowers, 0)
		pass(news.Every)
		w.tapLike("New ·") // there is nothing left
		w.types("/menu")
		w.golden("whatsnew")
	})
}

// TestWhatsNewByALink opens it as the posts in the channel do.
func TestWhatsNewByALink(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.makeNews()
		w.types("/start news")
		w.says("Restocks · 1")
		w.types("🆕 What’s new") // the label, typed
		if n := count(w.chat, "What’s new"); n != 3 {
			w.T.Errorf("it is shown %d times:\n%s", n, w.chat.Transcript())
		}
	})
}

// TestWhatsNewInAnotherCurrency: prices in another currency are not compared.
func TestWhatsNewInAnotherCurrency(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.makeNews()
		const key = "a-key-in-dong-0123456789abcdef"
		w.Market.AddKey(key, "5000000", "VND")
		must(w.T, w.Market.SetPriceFactor(key, "25000"))
		w.withKey(key)
		w.types("/start news")
		w.tapLike("Price drops")
		w.says("Gmail")
		if text := w.chat.Transcript(); strings.Contains(text, "→") || !strings.Contains(text, "25000.00 VND") {
			w.T.Errorf("the prices are not those of the account:\n%s", text)
		}
	})
}

// TestWithoutTheOperatorsKeyThereAreNoNews: no round is made.
func TestWithoutTheOperatorsKeyThereAreNoNews(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.cfg.HStockAPIKey = ""
		w.restart()
		w.makeNews()
		w.types("/start news")
		w.says("Nothing new right now")
		if n := w.Market.Count("services"); n != 0 {
			w.T.Errorf("%d calls for the catalogue", n)
		}
	})
}

// TestWhatsNewInAllLanguages: each person reads names and groups in their language.
func TestWhatsNewInAllLanguages(t *testing.T) {
	for _, lang := range languages(t) {
		t.Run(lang, func(t *testing.T) {
			inWorld(t, lang, func(w *world) {
				w.makeNews()
				w.types("/menu")
				w.tap("menu_button_news")
				w.tapLike(w.l.Label("news_group_drop"))
				w.tapLike(w.l.Label("news_group_new"))
				w.says("🆕 ")
			})
		})
	}
}
