package handlers_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/news"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
)

// TestPostsTellThePresentPrice: a drop that no longer holds is not posted, and neither is
// anything in another currency.
func TestPostsTellThePresentPrice(t *testing.T) {
	for name, test := range map[string]struct {
		then  func(w *world)
		wants []string // of the post; none: there is no post
	}{
		"the prices are back": {func(w *world) {
			w.setRate(market.GmailUSA, "1.25")
			w.setStock(market.SoldOut, 0)
		}, nil},
		"the prices have fallen on": {func(w *world) {
			w.setRate(market.GmailUSA, "0.90")
			w.setRate(market.SoldOut, "3.33")
		}, []string{"$1.25 → *$0.90*", "$3.33"}},
		"a price has risen": {func(w *world) {
			w.setRate(market.GmailUSA, "1.10")
			w.setRate(market.SoldOut, "99")
		}, []string{"$99.00"}},
		"another currency": {func(w *world) {
			w.Market.AddKey(string(testworld.OperatorKey), "100", "BTC")
			must(w.T, w.Market.SetPriceFactor(string(testworld.OperatorKey), "0.01"))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				channel := w.bindChannel()
				pass(news.FirstRound)
				w.setRate(market.ChatGPTPlus, "5.00") // the first post, after which the others wait
				pass(news.Every)
				w.setRate(market.GmailUSA, "1.00")
				w.setStock(market.SoldOut, 5)
				pass(news.Every)
				test.then(w)
				passPost()
				_, text, _ := strings.Cut(channel.History(), "#2")
				for _, want := range test.wants {
					if !strings.Contains(text, want) {
						w.T.Errorf("the post does not say %q: %s", want, channel.History())
					}
				}
				if n := countPosts(channel); n != 1+min(len(test.wants), 1) || strings.Contains(text, "$1.00") || strings.Contains(text, "→") != (len(test.wants) == 2) {
					w.T.Errorf("%d posts:\n%s", n, channel.History())
				}
			})
		})
	}
}

// TestPostThatCantBeEditedStopsNothing: others are edited and posted, and after three tries
// it is left alone.
func TestPostThatCantBeEditedStopsNothing(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		channel := w.bindChannel()
		pass(news.FirstRound)
		w.setRate(market.GmailUSA, "1.00")
		pass(news.Every)
		w.setRate(market.ChatGPTPlus, "5.00")
		passPost()
		w.setStock(market.GmailUSA, 0)
		w.setStock(market.ChatGPTPlus, 0)
		w.setRate(market.OneLeft, "6.00")
		w.Telegram.Fault(telegram.Fault{Method: "editMessageText", Chat: channelID, Code: 500, Times: 2}) // one try of the newer one
		pass(2 * news.Every)
		if n := strings.Count(channel.Transcript(), "sold out"); n != 2 {
			w.T.Errorf("%d lines are sold out, want 2:\n%s", n, channel.Transcript())
		}
		w.setStock(market.GmailUSA, 5)
		w.Telegram.Fault(telegram.Fault{Method: "editMessageText", Chat: channelID, Code: 500, Times: telegram.Always})
		pass(time.Hour)
		if n := countPosts(channel); n != 3 {
			w.T.Errorf("%d posts, want 3:\n%s", n, channel.Transcript())
		}
		w.Telegram.ClearFaults()
		pass(time.Hour)
		if n := strings.Count(channel.Transcript(), "sold out"); n != 2 {
			w.T.Errorf("a post was edited again after three tries:\n%s", channel.Transcript())
		}
	})
}

// TestPostBeforeEdits: the posts that can't be edited don't keep a new one from the channel.
func TestPostBeforeEdits(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		channel := w.bindChannel()
		pass(news.FirstRound)
		w.setRate(market.GmailUSA, "1.00")
		passPost()
		w.Telegram.Fault(telegram.Fault{Method: "editMessageText", Chat: channelID, Code: 500, Times: telegram.Always})
		w.setStock(market.GmailUSA, 0)
		w.setRate(market.OneLeft, "6.00")
		pass(news.Every)
		if n := countPosts(channel); n != 2 {
			w.T.Errorf("%d posts, want 2:\n%s", n, channel.Transcript())
		}
	})
}

// TestRefusedLine: of a post that Telegram refuses only the line that it refuses is lost.
func TestRefusedLine(t *testing.T) {
	services := []int64{market.GmailUSA, market.OutlookByHand, market.ChatGPTPlus, market.OneLeft, market.SteamCard}
	for _, refused := range []int{0, 2, 4} {
		t.Run(strconv.Itoa(refused), func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				channel := w.bindChannel()
				pass(news.FirstRound)
				must(w.T, w.Market.SetName(services[refused], "Refused"))
				for _, service := range services {
					w.setRate(service, "0.0500")
				}
				w.Telegram.Fault(telegram.Fault{Method: "sendMessage", Chat: channelID, Text: "Refused", Times: telegram.Always, Code: 413})
				pass(time.Hour)
				text := channel.Transcript()
				if strings.Count(text, "→") != len(services)-1 || strings.Contains(text, "Refused") || countPosts(channel) > 3 {
					w.T.Errorf("the posts are\n%s", text)
				}
			})
		})
	}
}

// TestWhatIsNoLongerSelectedIsNotPosted, though it waits already.
func TestWhatIsNoLongerSelectedIsNotPosted(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		channel := w.bindChannel()
		must(w.T, w.Market.Remove(market.Plain))
		pass(news.FirstRound)
		w.setRate(market.ChatGPTPlus, "3.00")
		pass(news.Every) // the first post, after which the others wait
		w.setStock(market.SoldOut, 5)
		w.setRate(market.GmailUSA, "1.00") // by 20 %
		w.setRate(market.OneLeft, "6.00")  // by 50 %
		must(w.T, w.Market.Return(market.Plain))
		pass(news.Every)
		w.types("/admin")
		w.tap("channel_button")
		w.tap("channel_button_restocks_on")
		w.tapLike("Price drops from")
		w.tapLike("30%")
		w.tap("channel_button_new_all")
		w.tap("channel_button_none")
		passPost()
		_, text, _ := strings.Cut(channel.History(), "#2")
		if strings.Count(text, "start=p_") != 2 || !strings.Contains(text, "start=p_14") { // a link and a button
			w.T.Errorf("the post is %s", channel.History())
		}
	})
}
