package bot

import (
	"context"
	"testing"
	"time"

	"hstockbot/internal/sandbox/telegram"
)

// While two programs poll with one token, some polls succeed, and the conflict lasts.
// Conflicts that soon end, as during an update of the program, do not count.
func TestPollConflict(t *testing.T) {
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
		conflict := func() {
			w.telegram.Fault(telegram.Fault{Method: "getUpdates", Code: 409, Times: 1})
			person.Type("hello") // ends the current poll, which succeeds
			time.Sleep(10 * time.Second)
		}
		check("right after the start", time.Time{}, false)
		time.Sleep(2 * time.Minute)
		check("without conflicts", time.Time{}, true)
		conflict()
		conflict()
		check("after two conflicts", time.Time{}, false)
		time.Sleep(time.Minute)
		check("a minute after them", time.Time{}, true)
		since := time.Now()
		for range 20 {
			conflict()
		}
		check("after many conflicts", since, true)
		time.Sleep(2 * time.Minute)
		check("two minutes after them", time.Time{}, true)
	})
}
