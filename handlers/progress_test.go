package handlers_test

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
)

// restartWithStep starts the program again; reached is called the first time that a step
// of a purchase was made durable.
func (w *world) restartWithStep(step string, reached func()) {
	w.T.Helper()
	w.stop()
	var done atomic.Bool
	w.app = w.Start(w.cfg, testworld.Options{Checkpoint: func(at string) {
		if at == step && !done.Swap(true) {
			reached()
		}
	}})
}

// databaseFiles returns the files of the database.
func (w *world) databaseFiles() map[string][]byte {
	w.T.Helper()
	files := map[string][]byte{}
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(w.DatabasePath() + suffix)
		must(w.T, err)
		files[suffix] = content
	}
	return files
}

// kill ends the program as SIGKILL does that ended it when the snapshot was made: what it
// writes or sends after that is lost.
func (w *world) kill(snapshot map[string][]byte) {
	w.T.Helper()
	w.Telegram.Fault(telegram.Fault{Code: 500, Times: telegram.Always})
	_ = w.app.Stop(w.T.Context()) // perhaps cut off
	w.Telegram.ClearFaults()
	for suffix, content := range snapshot {
		must(w.T, os.WriteFile(w.DatabasePath()+suffix, content, 0o600))
	}
}

// wantNoProgress fails if a message still shows the progress of something.
func (w *world) wantNoProgress() {
	w.T.Helper()
	if shown := w.chat.Transcript(); strings.Contains(shown, "⏳ Placing") || strings.Contains(shown, "⏳ Cancelling") {
		w.T.Errorf("the last word is progress:\n%s", w.chat.Transcript())
	}
}

// failEdits makes the next edits fail, until the outbox tries again.
func (w *world) failEdits() {
	w.Telegram.Fault(telegram.Fault{Method: "editMessageText", Code: 500, Times: 8})
}

func TestCardAfterPanic(t *testing.T) {
	for step, says := range map[string]string{"claimed": "Nothing was bought", "sending": "may or may not", "answered": "may or may not"} {
		t.Run(step, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				w.restartWithStep(step, func() { panic("of the test") })
				w.confirmCard()
				card := w.chat.Last().ID
				w.tap("confirm_button_confirm")
				w.wantNoProgress()
				now, _ := w.chat.Message(card)
				if !strings.Contains(now.Text, says) {
					w.T.Errorf("the card says %q", now.Text)
				}
				pass(10 * time.Minute)
				w.wantNoProgress()
			})
		})
	}
}

// TestCardAfterKill: the next program finds the database as it was when the process
// ended, and has drawn the card within five seconds.
func TestCardAfterKill(t *testing.T) {
	pgtest.SQLiteOnly(t) // its files are copied, and its leases end at the start
	for step, says := range map[string]string{"claimed": "Nothing was bought", "sending": "may or may not", "answered": "may or may not", "placed": "Order #23501"} {
		t.Run(step, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				killed := make(chan map[string][]byte, 1)
				w.restartWithStep(step, func() {
					killed <- w.databaseFiles()
					panic("of the test")
				})
				w.confirmCard()
				card := w.chat.Last().ID
				must(w.T, w.Market.Hold(market.GmailUSA, true))
				must(w.T, w.chat.Tap(w.l.Label("confirm_button_confirm")))
				w.kill(<-killed)
				w.start()
				pass(5 * time.Second)
				w.wantNoProgress()
				now, _ := w.chat.Message(card)
				if !strings.Contains(now.Text, says) {
					w.T.Errorf("the card says %q", now.Text)
				}
				w.wantAdds(map[bool]int{true: 1}[step == "answered" || step == "placed"])
			})
		})
	}
}

func TestCardAfterStop(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 25 * time.Second})
		w.tap("confirm_button_confirm")
		w.says("⏳ ")
		_ = w.app.Stop(w.T.Context()) // cut off
		w.start()
		pass(5 * time.Second)
		w.wantNoProgress()
	})
}

func TestCardAfterFailedEdits(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 5 * time.Second})
		w.tap("confirm_button_confirm")
		w.says("⏳ ")
		w.failEdits()
		pass(5 * time.Minute)
		w.wantNoProgress()
		w.says("#23501 placed")
	})
}

func TestCancelAllAfterPanic(t *testing.T) {
	for _, step := range []string{"cancelling", "cancelled"} {
		t.Run(step, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				w.restartWithStep(step, func() { panic("of the test") })
				w.askCancelAll()
				w.tap("cancel_all_button_sure")
				pass(5 * time.Second)
				w.wantNoProgress()
			})
		})
	}
}

func TestCancelAllAfterFailedEdits(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.askCancelAll()
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.Slow, Delay: 5 * time.Second})
		w.tap("cancel_all_button_sure")
		w.says("⏳ ")
		w.failEdits()
		pass(5 * time.Minute)
		w.wantNoProgress()
	})
}

// askCancelAll buys twice and opens the question whether to cancel both orders.
func (w *world) askCancelAll() {
	w.T.Helper()
	must(w.T, w.Market.Hold(market.GmailUSA, true))
	w.withKey(annaKey)
	w.buy("2", "1")
	w.buy("2", "1")
	pass(time.Minute)
	w.types("/orders")
	w.tap("orders_button_open")
	w.tap("orders_button_cancel_all")
}
