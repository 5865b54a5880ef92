package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/news"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

const (
	channelID      = -1_000_000_000_066
	channelRequest = 3
)

// bindChannel makes an admin choose a channel for the news.
func (w *world) bindChannel() *telegram.Group {
	w.T.Helper()
	w.becomeAdmin()
	channel := w.chat.CreateChannel(channelID, "Shop news")
	w.types("/admin")
	w.tap("channel_button")
	w.tap("channel_button_choose")
	must(w.T, w.chat.ShareChat(channelRequest, channelID))
	pass(time.Second)
	w.says("I post in *Shop news*.")
	return channel
}

// passPost lets the time until the next post pass.
func passPost() { pass(news.PostEvery) }

// TestChannelScreens: an admin chooses a channel and what is posted there.
func TestChannelScreens(t *testing.T) {
	inEnglish(t, "channel_admin", func(w *world) {
		w.becomeAdmin()
		w.chat.CreateChannel(channelID, "Shop <news>")
		w.types("/admin")
		w.tap("channel_button")
		w.tap("channel_button_new_all") // nothing was compared yet
		pass(news.FirstRound)
		w.tap("nav_button_back")
		w.tap("channel_button_choose")
		w.types("Shop news")
		w.types(w.l.Label("confirm_button_cancel"))
		w.tap("channel_button_choose")
		must(w.T, w.chat.ShareChat(channelRequest, channelID))
		pass(time.Second)
		w.tap("channel_button_restocks_on")
		w.tapLike("Price drops from 10%")
		w.types("0")
		w.types("91")
		w.types("a lot")
		w.types("25 %")
		w.tapLike("Price drops from 25%")
		w.tapLike("30%")
		w.tap("channel_button_new_all")
		w.tapLike("Accounts-Social")
		w.tap("nav_button_back")
		w.tapLike("New goods")
		w.tap("channel_button_none")
		w.tapLike("GiftCards")
		w.tapLike("GiftCards")
		w.tap("channel_button_all")
		w.tap("nav_button_back")
		w.tap("channel_button_unbind")
		w.tap("room_button_keep")
		w.tap("channel_button_unbind")
		w.tap("channel_button_unbind")
		w.types("/admin")
		w.tap("admin_button_log")
	})
}

// TestChannelPosts is the channel's history: restocks, drops, new goods, what is sold out
// since, and more than a post lists.
func TestChannelPosts(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		channel := w.bindChannel()
		must(w.T, w.Market.SetName(market.SoldOut, `Spotify <a href="https://evil.example">t.me/evil</a> @evil`))
		w.makeNews()
		w.setStock(market.SoldOut, 0)
		passPost()
		w.setStock(market.SoldOut, 5) // is news only after six hours, but the line is true again
		passPost()
		w.setRate(market.OneLeft, "6.00")
		pass(news.Every)
		var hidden []int64 // twelve products that return after an hour
		for _, row := range w.Market.Rows() {
			if row.Stock > 0 && row.EntityType == market.Product && row.Service > 100 && len(hidden) < 12 {
				hidden = append(hidden, row.Service)
				must(w.T, w.Market.Remove(row.Service))
			}
		}
		pass(time.Hour + 2*news.Every)
		for _, service := range hidden {
			must(w.T, w.Market.Return(service))
		}
		passPost()
		w.goldenOf("channel_posts", channel.History())
		must(w.T, channel.Tap(w.chat, "🛍 Buy 2"))
		pass(time.Second)
		w.says("How many?")
	})
}

// countPosts returns how many messages the bot has posted.
func countPosts(channel *telegram.Group) (n int) {
	for _, m := range channel.Messages() {
		if m.FromBot {
			n++
		}
	}
	return n
}

// TestPostsAreGathered: one at most every 15 minutes, also across restarts.
func TestPostsAreGathered(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		channel := w.bindChannel()
		pass(news.FirstRound)
		services := []int64{market.GmailUSA, market.OutlookByHand, market.OneLeft, market.ChatGPTPlus, market.SteamCard, market.PreciseRate}
		for i, service := range services {
			w.setRate(service, "0.0010")
			if i == 3 {
				w.restart()
			}
			pass(news.Every)
		}
		if n := countPosts(channel); n != 2 {
			w.T.Errorf("%d posts in half an hour, want 2:\n%s", n, channel.History())
		}
		passPost()
		passPost()
		text := channel.Transcript()
		if n := countPosts(channel); n != 3 || strings.Count(text, "→") != len(services) {
			w.T.Errorf("%d posts:\n%s", n, text)
		}
	})
}

// TestSoldOutBeforeThePost: what can't be bought any longer is not posted.
func TestSoldOutBeforeThePost(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		channel := w.bindChannel()
		pass(news.FirstRound)
		w.setRate(market.GmailUSA, "1.00")
		pass(news.Every)
		w.setRate(market.OneLeft, "6.00")
		w.setRate(market.SteamCard, "5.00")
		pass(news.Every)
		w.setStock(market.OneLeft, 0)
		passPost()
		if text := channel.History(); countPosts(channel) != 2 || strings.Contains(text, "$6.00") || !strings.Contains(text, "$5.00") {
			w.T.Errorf("the posts are\n%s", text)
		}
	})
}

// TestPostThatWasNotRecordedIsRepeatedOnce: a process was killed between Telegram's answer
// and the row.
func TestPostThatWasNotRecordedIsRepeatedOnce(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		channel := w.bindChannel()
		pass(news.FirstRound)
		accept := w.Refuse(`UPDATE ON news FOR EACH ROW`)
		w.setRate(market.GmailUSA, "1.00")
		pass(3 * news.PostEvery)
		if n := countPosts(channel); n != 1 {
			w.T.Errorf("%d posts while nothing can be recorded, want 1:\n%s", n, channel.Transcript())
		}
		w.stop()
		accept()
		w.start()
		pass(4 * news.PostEvery)
		if n := countPosts(channel); n != 2 {
			w.T.Errorf("%d posts, want 2:\n%s", n, channel.Transcript())
		}
	})
}

// TestLostAnswerIsNotRepeated: the post may be there.
func TestLostAnswerIsNotRepeated(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		channel := w.bindChannel()
		pass(news.FirstRound)
		w.setRate(market.GmailUSA, "1.00")
		w.Telegram.Fault(telegram.Fault{Method: "sendMessage", Chat: channelID, LoseAnswer: true})
		pass(4 * news.PostEvery)
		if n := countPosts(channel); n != 1 {
			w.T.Errorf("%d posts, want 1:\n%s", n, channel.Transcript())
		}
	})
}

// TestChannelIsLost: admins are told once, the screen says why, posts wait, and go on when
// the bot is back.
func TestChannelIsLost(t *testing.T) {
	for name, lose := range map[string]struct {
		do   func(*telegram.Group, *telegram.Client)
		says string
	}{
		"no right to post": {func(g *telegram.Group, by *telegram.Client) { g.Promote(by) }, "I may not post in the channel."},
		"thrown out":       {(*telegram.Group).Remove, "I’m not in the channel anymore."},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				channel := w.bindChannel()
				pass(news.FirstRound)
				lose.do(channel, w.chat)
				w.setRate(market.GmailUSA, "1.00")
				pass(time.Hour)
				w.setRate(market.OneLeft, "6.00")
				pass(time.Hour)
				if n := count(w.chat, "I can no longer post in your channel"); n != 1 {
					w.T.Errorf("the admin was told %d times:\n%s", n, w.chat.Transcript())
				}
				w.tap("channel_button")
				w.says(lose.says)
				if n := countPosts(channel); n != 0 {
					w.T.Errorf("%d posts", n)
				}
				channel.Promote(w.chat, "can_post_messages")
				pass(3 * news.Every)
				if text := channel.Transcript(); countPosts(channel) != 1 || strings.Count(text, "→") != 2 {
					w.T.Errorf("the posts are\n%s", text)
				}
				w.types("/admin")
				w.tap("channel_button")
				if text := w.chat.Last().Text; strings.Contains(text, "⚠️") {
					w.T.Errorf("the channel is still lost: %s", text)
				}
				w.types("/admin")
				w.tap("admin_button_log")
				w.says("can’t post in the channel any more")
				w.says("can post in the channel again")
			})
		})
	}
}

// TestPostsThatWaitForADayAreDropped, but people still see what is new.
func TestPostsThatWaitForADayAreDropped(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		channel := w.bindChannel()
		pass(news.FirstRound)
		channel.Remove(w.chat)
		w.setRate(market.GmailUSA, "1.00")
		pass(2 * news.Every)
		w.stop() // nothing happens in these hours, and each takes time
		pass(22 * time.Hour)
		w.start()
		w.setRate(market.OneLeft, "6.00")
		pass(2 * time.Hour)
		channel.Promote(w.chat, "can_post_messages")
		pass(3 * news.Every)
		if text := channel.Transcript(); countPosts(channel) != 1 || strings.Count(text, "→") != 1 || !strings.Contains(text, "$6.00") {
			w.T.Errorf("the posts are\n%s", text)
		}
		w.types("/start news")
		w.says("$1.25 → $1.00")
	})
}

// TestDeletedPostIsLeftAlone, and one that can't be edited because the bot has lost its
// rights is edited later.
func TestDeletedPostIsLeftAlone(t *testing.T) {
	for name, deleted := range map[string]bool{"deleted": true, "without rights": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				channel := w.bindChannel()
				pass(news.FirstRound)
				w.setRate(market.GmailUSA, "1.00")
				pass(news.Every)
				if deleted {
					w.Telegram.Fault(telegram.Fault{Method: "editMessageText", Chat: channelID, Code: 400, Description: "Bad Request: message to edit not found"})
				} else {
					channel.Promote(w.chat)
				}
				w.setStock(market.GmailUSA, 0)
				pass(3 * news.Every)
				if n := count(w.chat, "I can no longer post"); (n == 1) == deleted {
					w.T.Errorf("the admin was told %d times:\n%s", n, w.chat.Transcript())
				}
				channel.Promote(w.chat, "can_post_messages")
				pass(3 * news.Every)
				if struck := strings.Contains(channel.Transcript(), "sold out"); struck == deleted {
					w.T.Errorf("the post is\n%s", channel.Transcript())
				}
			})
		})
	}
}

// TestChannelThatCantBeChosen: what a person's app says is checked.
func TestChannelThatCantBeChosen(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		channel := w.chat.CreateChannel(channelID, "Shop news")
		w.types("/admin")
		w.tap("channel_button")
		w.tap("channel_button_choose")
		w.Telegram.Fault(telegram.Fault{Method: "getChatMember", Code: 403, Description: "Forbidden: bot is not a member of the channel chat"})
		must(w.T, w.chat.ShareChat(channelRequest, channelID))
		pass(time.Second)
		w.says("I may not post in that channel")
		channel.Remove(w.chat)
		must(w.T, w.chat.ShareChat(channelRequest, channelID))
		pass(time.Second)
		w.says("I post in *Shop news*.")
		if channel.BotStatus() != "administrator" {
			w.T.Errorf("the bot is %q there", channel.BotStatus())
		}
	})
}

// TestChannelChoiceThatFails can be tried again, and leaves no keyboard.
func TestChannelChoiceThatFails(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.chat.CreateChannel(channelID, "Shop news")
		w.types("/admin")
		w.tap("channel_button")
		w.tap("channel_button_choose")
		w.Telegram.Fault(telegram.Fault{Method: "getChatMember", Code: 500, Times: telegram.Always})
		must(w.T, w.chat.ShareChat(channelRequest, channelID))
		pass(time.Minute)
		if len(w.chat.ReplyKeyboard()) != 0 {
			w.T.Error("the keyboard stays")
		}
		w.Telegram.ClearFaults()
		w.tap("nav_button_retry")
		must(w.T, w.chat.ShareChat(channelRequest, channelID))
		pass(time.Second)
		w.says("I post in *Shop news*.")
	})
}

// TestChoiceAfterTheDialog: the keyboard is still there after /menu, and its choice counts.
func TestChoiceAfterTheDialog(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		team := group(w)
		team.Appoint(w.becomeAdmin(), true)
		w.chat.CreateChannel(channelID, "Shop news")
		for _, choice := range []struct {
			screen, choose string
			request        int
			chat           int64
			says           string
		}{
			{"channel_button", "channel_button_choose", channelRequest, channelID, "I post in *Shop news*."},
			{"admin_button_room", "room_button_choose", 1, groupID, "This group is the shop’s room now."},
		} {
			w.types("/admin")
			w.tap(choice.screen)
			w.tap(choice.choose)
			w.types("/menu")
			must(w.T, w.chat.ShareChat(choice.request, choice.chat))
			pass(time.Minute)
			w.says(choice.says)
			if len(w.chat.ReplyKeyboard()) != 0 {
				w.T.Error("the keyboard stays")
			}
		}
	})
}

// TestOnlyAdminsBindAChannel: support and strangers can't, nor with a button of before.
func TestOnlyAdminsBindAChannel(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeSupport()
		w.types("/admin")
		if strings.Contains(w.chat.Transcript(), "Channel") {
			w.T.Errorf("support sees the channel:\n%s", w.chat.Transcript())
		}
		w.becomeAdmin()
		w.chat.CreateChannel(channelID, "Shop news")
		w.types("/admin")
		w.tap("channel_button")
		w.tap("channel_button_choose")
		w.cfg.AdminIDs = []int64{1}
		w.restart()
		must(w.T, w.chat.ShareChat(channelRequest, channelID))
		pass(time.Second)
		var rooms []int64
		w.Select(&rooms, `SELECT chat_id FROM rooms`)
		if len(rooms) > 0 {
			w.T.Errorf("somebody who is no admin has bound %v", rooms)
		}
	})
}

// TestChannelIsNoRoom: a chat is not bound twice.
func TestChannelIsNoRoom(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.chat.CreateChannel(channelID, "Shop news")
		w.types("/admin")
		w.Exec(`INSERT INTO rooms (id, kind, chat_id, title_sealed, alerts_topic, orders_topic, daily_topic, bound_by, bound_at, fault, daily_hour, daily_day, sent_until)
			VALUES (1, 'room', ?, '', 0, 0, 0, 1, 0, '', -1, '', 0)`, channelID)
		w.tap("channel_button")
		w.tap("channel_button_choose")
		must(w.T, w.chat.ShareChat(channelRequest, channelID))
		pass(time.Second)
		w.says("the shop’s group already")
	})
}

// TestUnboundChannelGetsNothing, and a channel that is chosen later gets no old news.
func TestUnboundChannelGetsNothing(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		channel := w.bindChannel()
		w.tap("channel_button_unbind")
		w.tap("channel_button_unbind") // yes
		w.makeNews()
		pass(time.Hour)
		w.bindChannel()
		pass(time.Hour)
		if n := countPosts(channel); n != 0 {
			w.T.Errorf("%d posts:\n%s", n, channel.Transcript())
		}
		w.types("/start news")
		w.says("Restocks · 1")
	})
}

// TestPostsInTheDefaultLanguage: names, too.
func TestPostsInTheDefaultLanguage(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.cfg.DefaultLang = "ru"
		w.restart()
		channel := w.bindChannel()
		w.makeNews()
		text := channel.Transcript()
		for _, part := range []string{"Снова в наличии", "Снижение цен", "Новинки", "Купить 1"} {
			if !strings.Contains(text, part) {
				w.T.Errorf("the post does not say %q:\n%s", part, text)
			}
		}
	})
}

// TestChannelInAllLanguages: no text or button is too long, in any language.
func TestChannelInAllLanguages(t *testing.T) {
	for _, lang := range languages(t) {
		t.Run(lang, func(t *testing.T) {
			inWorld(t, lang, func(w *world) {
				w.cfg.DefaultLang = lang
				w.restart()
				w.becomeAdmin()
				channel := w.chat.CreateChannel(channelID, "Shop news")
				w.types("/admin")
				w.tap("channel_button")
				w.tap("channel_button_choose")
				must(w.T, w.chat.ShareChat(channelRequest, channelID))
				pass(time.Second)
				w.makeNews()
				w.setStock(market.SoldOut, 0)
				pass(news.Every)
				if n := countPosts(channel); n != 1 {
					w.T.Errorf("%d posts", n)
				}
				channel.Remove(w.chat)
				w.setStock(market.GmailUSA, 0)
				pass(news.Every)
				w.says(w.l.Label("channel_button"))
			})
		})
	}
}

// TestFloodIsToldWithoutATap: where there is no tap whose answer could say that Telegram
// wants a pause, a message does.
func TestFloodIsToldWithoutATap(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.chat.CreateChannel(channelID, "Shop news")
		w.types("/admin")
		w.tap("channel_button")
		w.tap("channel_button_choose")
		w.Telegram.Fault(telegram.Fault{Method: "getChatMember", RetryAfter: 60})
		must(w.T, w.chat.ShareChat(channelRequest, channelID))
		pass(time.Minute)
		w.says(w.l.T("error_internal"))
	})
}
