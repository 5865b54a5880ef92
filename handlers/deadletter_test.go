package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
)

// giveUp kills the program while it handles an update, and starts it again as after four
// crashes that this update may have caused.
func (w *world) giveUp() {
	w.T.Helper()
	pgtest.SQLiteOnly(w.T) // whose files are copied
	w.kill(w.databaseFiles())
	w.Exec(`UPDATE inbox SET attempts = 3 WHERE finished_at IS NULL`)
	w.Exec(`INSERT INTO settings (name, value) VALUES ('inbox_recovery', '1') ON CONFLICT (name) DO UPDATE SET value = '1'`)
	w.Market.ClearFaults()
	w.start()
	pass(5 * time.Second)
}

// hang makes the marketplace wait longer than a stop does.
func (w *world) hang(action string) {
	w.Market.Fault(market.Fault{Action: action, Kind: market.Slow, Delay: time.Minute, Times: market.Always})
}

func TestGivenUpTextIsRepeated(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.hang("balance")
		w.types("/balance <now>")
		w.giveUp()
		w.says("I couldn’t carry out what you sent:\n   /balance <now>")
	})
}

func TestGivenUpKeyIsNotRepeated(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.hang("balance")
		w.types("/key " + annaKey)
		w.giveUp()
		w.says("I couldn’t carry out something you sent")
		if n := count(w.chat, annaKey); n > 1 {
			w.T.Errorf("the key is repeated:\n%s", w.chat.Transcript())
		}
	})
}

// TestGivenUpAnswerAboutKey: what answers the question for a key may be one, whatever it
// looks like.
func TestGivenUpAnswerAboutKey(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.types("/key")
		w.hang("balance")
		w.types("mysecret")
		w.giveUp()
		w.says("I couldn’t carry out something you sent")
		if n := count(w.chat, "mysecret"); n > 1 {
			w.T.Errorf("the answer is repeated:\n%s", w.chat.Transcript())
		}
	})
}

// TestGivenUpConfirm: the person is told how the purchase stands, and the card says so.
func TestGivenUpConfirm(t *testing.T) {
	for action, says := range map[string]string{"inventory": "Nothing was bought.", "add": "may or may not have been placed"} {
		t.Run(action, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				w.confirmCard()
				card := w.chat.Last().ID
				pass(6 * time.Minute) // the cache has expired
				w.hang(action)
				w.tap("confirm_button_confirm")
				w.says("⏳ Placing")
				w.giveUp()
				w.wantNoProgress()
				w.says("I couldn’t carry out your tap on “✅ Confirm”.")
				told, shown := false, false
				for _, m := range w.chat.Messages() {
					told = told || strings.Contains(m.Text, "couldn’t carry out") && strings.Contains(m.Text, says)
					shown = shown || m.ID == card && strings.Contains(m.Text, says)
				}
				if !told || !shown {
					w.T.Errorf("told %v, shown %v:\n%s", told, shown, w.chat.Transcript())
				}
			})
		})
	}
}

// TestGivenUpSwapAndBasket: of what goes on by itself the person is told how it stands, too; and
// not that nothing was bought, where the database was restored since.
func TestGivenUpSwapAndBasket(t *testing.T) {
	pgtest.SQLiteOnly(t) // giveUp copies its files
	swap := func(w *world) {
		w.waitForSwap()
		w.tap("swap_button_sure")
	}
	basket := func(w *world) {
		w.withKey(annaKey)
		w.types("2 | | 1")
		w.tapConfirm()
	}
	card := func(w *world) {
		w.confirmCard()
		w.tap("confirm_button_confirm")
	}
	for name, test := range map[string]struct {
		tap   func(w *world)
		step  string // after which the update is cut off
		state string // that is stored then
		says  string
	}{
		"swap":              {swap, "swap armed", `UPDATE swaps SET due_at = 9999999999999`, "Giving this number back"},
		"swap, too early":   {swap, "swap armed", `UPDATE swaps SET state = 'offered'`, "waiting for the code"},
		"basket":            {basket, "basket started", `UPDATE baskets SET due_at = 9999999999999`, "Buying your basket"},
		"basket, too early": {basket, "basket started", `UPDATE baskets SET state = 'open'`, "Nothing was bought."},
		"basket, restored":  {basket, "basket started", `UPDATE baskets SET state = 'open', epoch = -1`, "database was restored"},
		"card, restored":    {card, "claimed", `UPDATE purchases SET state = 'draft', epoch = -1`, "database was restored"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				w.restartWithStep(test.step, func() { time.Sleep(time.Minute) }) // longer than a stop waits
				test.tap(w)
				w.Exec(test.state)
				w.giveUp()
				pass(time.Minute) // the step has ended
				w.says("I couldn’t carry out your tap on")
				var told []string
				for _, m := range w.chat.Messages() {
					if _, state, found := strings.Cut(m.Text, w.l.T("given_up_state")); found {
						told = append(told, state)
					}
				}
				if len(told) != 1 || !strings.Contains(told[0], test.says) {
					w.T.Errorf("the chat is:\n%s", w.chat.Transcript())
				}
			})
		})
	}
}

// TestGivenUpButton: a button is named by its label.
func TestGivenUpButton(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		pass(6 * time.Minute)
		w.hang("")
		w.tap("menu_button_balance")
		w.giveUp()
		w.says("your tap on “💰 Balance”")
	})
}

// TestGivenUpUpdatesOfOthers: who is blocked or asks inline is not told.
func TestGivenUpUpdatesOfOthers(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.hang("")
		pass(6 * time.Minute)
		w.as(telegram.Person{ID: 7, FirstName: "Carl", LanguageCode: "en"}, func() {
			w.types("/start")
			w.types("/balance")
			w.chat.Inline("gmail")
			pass(time.Second)
			w.Exec(`UPDATE users SET blocked = 1 WHERE id = 7`)
		})
		w.types("/balance")
		w.giveUp()
		w.says("couldn’t carry out")
		carl := w.Telegram.Join(telegram.Person{ID: 7, FirstName: "Carl", LanguageCode: "en"})
		if count(carl, "couldn’t carry out") != 0 {
			w.T.Errorf("the chat is:\n%s", carl.Transcript())
		}
	})
}

// TestCardOfAPurchaseThatIsGone: a button may name a purchase of another person or of long
// ago. Its message is not redrawn, and delays nothing.
func TestCardOfAPurchaseThatIsGone(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.types("/start")
		must(w.T, w.app.Orders.RedrawCard(w.T.Context(), anna.ID, 4711, w.chat.Last().ID))
		pass(time.Minute)
		if n, err := w.app.DB.CountPendingMessages(w.T.Context()); n != 0 || err != nil {
			w.T.Errorf("%d messages wait (%v), want none", n, err)
		}
	})
}
