package bot

import (
	"context"
	"testing"
	"time"

	"hstockbot/internal/sandbox/telegram"
)

// TestRival: two programs on a token take the updates in turns, and that some come
// in does not mean that the other one has gone. One that takes over is none.
func TestRival(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.bot.Text(func(context.Context, *Request) (View, error) { return View{}, nil })
		check := func(when string, want time.Time, wantSure bool) {
			t.Helper()
			if since, sure := w.bot.PollConflict(); !since.Equal(want) || sure != wantSure {
				t.Errorf("%s: %s, %v, want %s, %v", when, since, sure, want, wantSure)
			}
		}
		w.start()
		person := w.join(1)
		turn := func() {
			w.telegram.Fault(telegram.Fault{Method: "getUpdates", Code: 409, Times: 1})
			person.Type("hello") // ends the poll that is under way, which succeeds
			time.Sleep(10 * time.Second)
		}
		check("just begun", time.Time{}, false)
		time.Sleep(2 * time.Minute)
		check("nobody there", time.Time{}, true)
		turn()
		turn()
		check("one takes over", time.Time{}, false)
		time.Sleep(time.Minute)
		check("and is gone", time.Time{}, true)
		began := time.Now()
		for range 20 {
			turn()
		}
		check("in turns", began, true)
		time.Sleep(2 * time.Minute)
		check("gone", time.Time{}, true)
	})
}
