package handlers_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// TestFeedbackIsAskedFor once and without a sound, also in quiet hours; the answer there is
// the answer.
func TestFeedbackIsAskedFor(t *testing.T) {
	inEveryLanguage(t, "feedback", func(w *world) {
		w.cfg.QuietHours.From, w.cfg.QuietHours.To = 0, 6
		w.restart()
		w.delivers(goodsOf(2)...)
		pass(45 * time.Minute)
		if !w.chat.Last().Silent || buttonData(w.chat.Last(), w.l.Label("feedback_button_off")) == "" {
			w.T.Errorf("the last message is %+v", w.chat.Last())
		}
		w.tap("feedback_button_off")
		w.tap("feedback_button_on")
		w.tap("feedback_button_works")
	})
}

// TestFeedbackIsNotAskedForAgain after one tap, for good.
func TestFeedbackIsNotAskedForAgain(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		for i, want := range []int{1, 1, 2} {
			w.buyGmail("1")
			pass(time.Hour)
			if n := count(w.chat, "Does everything work?"); n != want {
				w.T.Fatalf("after %d purchases: asked %d times, want %d", i+1, n, want)
			}
			switch i {
			case 0:
				w.tap("feedback_button_off")
				w.restart()
			case 1:
				w.types("/help")
				w.tap("mydata_button")
				var data struct {
					Profile struct {
						Skipped bool `json:"goods_not_asked_about"`
					} `json:"profile"`
				}
				must(w.T, json.Unmarshal([]byte(w.file()), &data))
				if !data.Profile.Skipped {
					w.T.Errorf("the data are %s", w.file())
				}
				w.tap("feedback_button_on")
			}
		}
	})
}

// TestFeedbackOfPersonWhoBlocksTheBot: the question is not sent later, when it is out of
// place, and /forget ends it.
func TestFeedbackOfPersonWhoBlocksTheBot(t *testing.T) {
	for name, act := range map[string]func(w *world){
		"before the goods": func(w *world) {
			must(w.T, w.Market.Hold(market.GmailUSA, true))
			w.buyGmail("1")
			w.chat.Block()
			must(w.T, w.Market.Finish(market.FirstOrder))
			pass(time.Hour)
			w.chat.Unblock()
		},
		"after the goods": func(w *world) {
			w.buyGmail("1")
			w.chat.Block()
			pass(4 * time.Hour)
			w.chat.Unblock()
		},
		"forgotten": func(w *world) {
			w.buyGmail("1")
			w.forget()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				w.withKey(annaKey)
				act(w)
				pass(time.Hour)
				if strings.Contains(w.chat.Transcript(), "Does everything work?") {
					w.T.Errorf("the person is asked:\n%s", w.chat.Transcript())
				}
			})
		})
	}
}

// TestFeedbackIsNotAskedForLate: the question is not sent after the answer, or
// after half a day.
func TestFeedbackIsNotAskedForLate(t *testing.T) {
	for name, test := range map[string]struct {
		pause  time.Duration // in which the program does not run
		answer bool
		want   int
	}{
		"soon":     {0, false, 1},
		"answered": {0, true, 0},
		"late":     {13 * time.Hour, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				w.delivers(goodsOf(1)...)
				pass(40 * time.Minute)
				w.Telegram.Fault(telegram.Fault{Method: "sendMessage", RetryAfter: 60, Times: telegram.Always})
				pass(10 * time.Minute)
				if test.pause > 0 {
					w.stop()
					pass(test.pause)
					w.start()
				}
				if test.answer {
					w.tap("feedback_button_works")
				}
				w.Telegram.ClearFaults()
				before := len(w.chat.Messages())
				pass(time.Hour)
				if n := len(w.chat.Messages()) - before; n != test.want {
					w.T.Errorf("%d messages, want %d:\n%s", n, test.want, w.chat.Transcript())
				}
			})
		})
	}
}
