package broadcasts_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"hstockbot/internal/broadcasts"
	"hstockbot/internal/outbox"
	"hstockbot/storage"
)

func TestMain(m *testing.M) {
	if step, ok := os.LookupEnv(killAt); ok {
		if err := sendUntilKilled(step); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

const (
	author        = int64(4000)
	other         = int64(4001)
	testSecretKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" // of the tests only
)

// world is the sending with a list in Telegram's place and a database that is a file.
type world struct {
	t    *testing.T
	db   *storage.DB
	path string

	mu      sync.Mutex
	copies  map[int64][]string // what each person has got
	sendErr func(id int64) error
	takes   time.Duration // a message
	admins  []int64
	drawn   map[int64][]storage.Broadcast
	drawErr error
	drawing time.Duration // how long it takes while it is being sent
	log     *strings.Builder
	busy    int // messages on their way
	busiest int
}

func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, filepath.Join(t.TempDir(), "bot.db"))
		test(t, w)
		if w.log.Len() > 0 {
			t.Errorf("errors were logged:\n%s", w.log)
		}
		must(t, w.db.Close(t.Context()))
	})
}

func newWorld(t *testing.T, path string) *world {
	w := &world{
		t: t, path: path, copies: map[int64][]string{}, drawn: map[int64][]storage.Broadcast{},
		admins: []int64{author, other}, takes: 100 * time.Millisecond, log: &strings.Builder{},
	}
	var err error
	w.db, err = openDB(t.Context(), path)
	must(t, err)
	return w
}

func openDB(ctx context.Context, path string) (*storage.DB, error) {
	keys, err := storage.ParseKeys(testSecretKey)
	if err != nil {
		return nil, err
	}
	return storage.Open(ctx, storage.Options{URL: "sqlite:" + path, Keys: keys})
}

// join makes people with the ids from 1 to n; every third reads Chinese.
func join(ctx context.Context, db *storage.DB, n int) error {
	for id := int64(1); id <= int64(n); id++ {
		if _, _, err := db.TouchUser(ctx, id, "Somebody", languageOf(id), true); err != nil {
			return err
		}
	}
	return nil
}

func languageOf(id int64) string {
	if id%3 == 0 {
		return "zh"
	}
	return "en"
}

// confirm has by send these texts and returns the broadcast's id.
func confirm(ctx context.Context, db *storage.DB, by int64, total int, texts map[string]string) (int64, error) {
	for lang, text := range texts {
		if err := db.SetBroadcastText(ctx, by, lang, text); err != nil {
			return 0, err
		}
	}
	draft, err := db.BroadcastDraft(ctx, by)
	if err != nil {
		return 0, err
	}
	deed := storage.AuditEntry{AdminID: by, Action: broadcasts.ActionSend, Subject: draft.ID, At: time.Now()}
	ok, err := db.ConfirmBroadcast(ctx, by, draft.ID, draft.Revision, int64(total), by, 1, deed)
	if err == nil && !ok {
		err = errors.New("not confirmed")
	}
	return draft.ID, err
}

var toAll = map[string]string{"": "Hello"}

func (w *world) confirm(by int64, total int, texts map[string]string) int64 {
	w.t.Helper()
	id, err := confirm(w.t.Context(), w.db, by, total, texts)
	must(w.t, err)
	return id
}

// process starts one more process on the same database.
func (w *world) process() *broadcasts.Service {
	s := broadcasts.New(broadcasts.Options{
		DB: w.db, Send: w.send, Rate: 30,
		Log:      slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelError})),
		Language: func(u storage.User) string { return u.TelegramLang },
		Admin: func(id int64) bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return slices.Contains(w.admins, id)
		},
		Progress: func(ctx context.Context, id int64) error {
			b, err := w.db.Broadcast(ctx, id)
			if b.State == storage.BroadcastSending {
				time.Sleep(w.drawing)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.drawn[id] = append(w.drawn[id], b)
			return errors.Join(err, w.drawErr)
		},
	})
	s.Start()
	return s
}

// send is Telegram: it takes a while, and says what the test wants.
func (w *world) send(ctx context.Context, id int64, text string) error {
	w.mu.Lock()
	w.busy++
	w.busiest = max(w.busiest, w.busy)
	takes, sendErr := w.takes, w.sendErr
	w.mu.Unlock()
	timer := time.NewTimer(takes)
	defer timer.Stop()
	var err error
	select {
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy--
	if err == nil && sendErr != nil {
		err = sendErr(id)
	}
	if err == nil || errors.Is(err, outbox.ErrUncertain) && !errors.Is(err, errLostBefore) {
		w.copies[id] = append(w.copies[id], text)
	}
	return err
}

// errLostBefore is an uncertain end of a message that was not sent.
var errLostBefore = fmt.Errorf("%w: before", outbox.ErrUncertain)

func (w *world) read(id int64) storage.Broadcast {
	w.t.Helper()
	b, err := w.db.Broadcast(w.t.Context(), id)
	must(w.t, err)
	return b
}

// checkOnce fails where somebody has more than one copy, and returns how many have one.
func (w *world) checkOnce() int {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, copies := range w.copies {
		if len(copies) > 1 {
			w.t.Errorf("%d got %d copies", id, len(copies))
		}
	}
	return len(w.copies)
}

func stop(t *testing.T, s *broadcasts.Service) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	must(t, s.Stop(ctx))
}

// pass lets simulated time pass and everything in it happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEverybodyGetsTheirText(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, join(t.Context(), w.db, 300))
		id := w.confirm(author, 300, map[string]string{"": "Hello", "zh": "你好"})
		must(t, join(t.Context(), w.db, 300)) // seen again: nothing changes
		pass(time.Second)
		_, _, err := w.db.TouchUser(t.Context(), 301, "Came later", "en", true)
		must(t, err)
		s := w.process()
		pass(time.Minute)
		if n := w.checkOnce(); n != 300 {
			t.Errorf("%d people got it", n)
		}
		for person, copies := range w.copies {
			if want := map[string]string{"en": "Hello", "zh": "你好"}[languageOf(person)]; copies[0] != want {
				t.Errorf("%d reads %s and got %q", person, languageOf(person), copies[0])
			}
		}
		b := w.read(id)
		if b.State != storage.BroadcastDone || b.Sent != 300 || b.Handled() != 300 {
			t.Errorf("came to %+v", b)
		}
		if last := w.drawn[id][len(w.drawn[id])-1]; last.State != storage.BroadcastDone || last.Sent != 300 {
			t.Errorf("the report shows %+v", last)
		}
		if w.busiest != 15 {
			t.Errorf("%d messages at once", w.busiest)
		}
		stop(t, s)
	})
}

func TestOthersAreLeftAlone(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, join(t.Context(), w.db, 600))
		id := w.confirm(author, 200, map[string]string{"zh": "你好"})
		s := w.process()
		pass(time.Minute)
		if n := w.checkOnce(); n != 200 || len(w.copies[1]) != 0 {
			t.Errorf("%d people got it, want the 200 who read Chinese", n)
		}
		if b := w.read(id); b.Sent != 200 || b.State != storage.BroadcastDone {
			t.Errorf("came to %+v", b)
		}
		stop(t, s)
	})
}

func TestNobodyIsThere(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.confirm(author, 0, toAll)
		s := w.process()
		pass(time.Second)
		if b := w.read(id); b.State != storage.BroadcastDone || b.Handled() != 0 {
			t.Errorf("came to %+v", b)
		}
		stop(t, s)
	})
}

func TestWhatBecomesOfMessages(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, join(t.Context(), w.db, 100))
		tries := map[int64]int{}
		w.sendErr = func(id int64) error {
			tries[id]++
			switch {
			case id == 3:
				return fmt.Errorf("%w: blocked", outbox.ErrUnreachable)
			case id == 5:
				return fmt.Errorf("%w: odd", outbox.ErrRejected)
			case id == 7:
				return fmt.Errorf("%w: lost", outbox.ErrUncertain)
			case id == 8:
				panic("eight")
			case id == 9 && tries[id] < 4:
				return errors.New("no connection")
			case id == 11 && tries[id] < 2:
				return &outbox.RetryAfterError{After: 40 * time.Second, Err: errors.New("flood")}
			}
			return nil
		}
		id := w.confirm(author, 100, toAll)
		s := w.process()
		pass(30 * time.Second)
		if n := w.checkOnce(); n > 30 {
			t.Errorf("%d people got it, and Telegram has asked to wait", n)
		}
		pass(5 * time.Minute)
		w.checkOnce()
		b := w.read(id)
		if b.Sent != 96 || b.Unreachable != 1 || b.Failed != 1 || b.Uncertain != 2 || b.State != storage.BroadcastDone {
			t.Errorf("came to %+v", b)
		}
		if tries[9] != 4 || tries[11] != 2 || tries[7] != 1 || tries[8] != 1 {
			t.Errorf("tries: %v", tries)
		}
		if user, err := w.db.User(t.Context(), 3); err != nil || !user.Unreachable {
			t.Errorf("who has blocked the bot is %+v, %v", user, err)
		}
		// From then on they are skipped.
		again := w.confirm(author, 99, toAll)
		s.Wake()
		pass(time.Minute)
		if b := w.read(again); b.Handled() != 99 || tries[3] != 1 {
			t.Errorf("the next one came to %+v", b)
		}
		stop(t, s)
	})
}

// While nothing gets through, people are not used up: they are tried one by one,
// now and then, and get it when Telegram is back.
func TestTelegramIsDown(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, join(t.Context(), w.db, 200))
		down, calls := true, 0
		w.sendErr = func(int64) error {
			calls++
			if down {
				return errors.New("no connection")
			}
			return nil
		}
		id := w.confirm(author, 200, toAll)
		s := w.process()
		pass(time.Hour)
		if calls > 100 {
			t.Errorf("%d calls in an hour in which nothing got through", calls)
		}
		w.mu.Lock()
		down = false
		w.mu.Unlock()
		pass(3 * time.Minute)
		if b := w.read(id); b.Sent != 200 || b.Failed != 0 || w.checkOnce() != 200 {
			t.Errorf("came to %+v", b)
		}
		stop(t, s)
	})
}

// Somebody whose messages never get through is left out at last.
func TestTriesAreBounded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, join(t.Context(), w.db, 30))
		w.sendErr = func(id int64) error {
			if id == 2 {
				return errors.New("no")
			}
			return nil
		}
		id := w.confirm(author, 30, toAll)
		s := w.process()
		pass(time.Hour)
		if b := w.read(id); b.State != storage.BroadcastDone || b.Sent != 29 || b.Failed != 1 {
			t.Errorf("came to %+v", b)
		}
		stop(t, s)
	})
}

func TestStoppedInTheMiddle(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, join(t.Context(), w.db, 500))
		w.sendErr = func(id int64) error {
			if id == 4 {
				return errors.New("to be tried again")
			}
			return nil
		}
		id := w.confirm(author, 500, toAll)
		s := w.process()
		pass(3 * time.Second)
		ok, err := w.db.StopBroadcast(t.Context(), id, other, storage.AuditEntry{AdminID: other, Action: broadcasts.ActionStop, Subject: id, At: time.Now()})
		must(t, err)
		s.Wake()
		pass(time.Second)
		b, n := w.read(id), w.checkOnce()
		if !ok || b.State != storage.BroadcastStopped || b.StoppedBy != other || n == 0 || n > 450 || int(b.Sent) != n {
			t.Errorf("%d people got it: %+v", n, b)
		}
		if last := w.drawn[id][len(w.drawn[id])-1]; last != b {
			t.Errorf("the report shows %+v", last)
		}
		pass(time.Hour)
		if now := w.checkOnce(); now != n {
			t.Errorf("%d more people got it after the stop", now-n)
		}
		stop(t, s)
	})
}

// A stop is a stop also for those who are in hand and have had no turn yet.
func TestStoppedBeforeTheirTurn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, join(t.Context(), w.db, 40))
		w.takes = time.Hour
		id := w.confirm(author, 40, toAll)
		s := w.process()
		pass(10 * time.Second)
		_, err := w.db.StopBroadcast(t.Context(), id, other, storage.AuditEntry{AdminID: other, Action: broadcasts.ActionStop, Subject: id, At: time.Now()})
		must(t, err)
		s.Wake()
		pass(time.Second)
		if last := w.drawn[id][len(w.drawn[id])-1]; last.State != storage.BroadcastStopped || last.Handled() != 0 || w.checkOnce() != 0 {
			t.Errorf("came to %+v", last)
		}
		stop(t, s)
	})
}

// Two admins at once: one after the other, in the order of their confirming, also
// with two processes.
func TestTwoAdmins(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, join(t.Context(), w.db, 200))
		first := w.confirm(author, 200, toAll)
		pass(time.Millisecond)
		second := w.confirm(other, 200, map[string]string{"": "The second"})
		one, two := w.process(), w.process()
		pass(time.Second)
		if a, b := w.read(first), w.read(second); a.State != storage.BroadcastSending || b.State != storage.BroadcastWaiting || b.Handled() != 0 {
			t.Errorf("at first: %+v, %+v", a, b)
		}
		pass(2 * time.Minute)
		for _, id := range []int64{first, second} {
			if b := w.read(id); b.State != storage.BroadcastDone || b.Sent != 200 {
				t.Errorf("came to %+v", b)
			}
		}
		for id, copies := range w.copies {
			if !slices.Equal(copies, []string{"Hello", "The second"}) {
				t.Errorf("%d got %q", id, copies)
			}
		}
		if w.busiest != 15 {
			t.Errorf("%d messages at once", w.busiest)
		}
		stop(t, one)
		stop(t, two)
	})
}

func TestTheAuthorIsNoAdminAnyMore(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, join(t.Context(), w.db, 500))
		id := w.confirm(author, 500, toAll)
		pass(time.Millisecond)
		next := w.confirm(other, 500, map[string]string{"": "The second"})
		s := w.process()
		pass(2 * time.Second)
		w.mu.Lock()
		w.admins = []int64{other}
		w.mu.Unlock()
		pass(2 * time.Minute)
		b := w.read(id)
		if b.State != storage.BroadcastStopped || b.StoppedBy != 0 || b.Sent == 0 || b.Sent > 450 {
			t.Errorf("came to %+v", b)
		}
		deeds, _, err := w.db.AuditLog(t.Context(), 9, 0)
		must(t, err)
		if !slices.ContainsFunc(deeds, func(d storage.AuditEntry) bool {
			return d.Action == broadcasts.ActionRevoked && d.Subject == id && d.AdminID == author
		}) {
			t.Errorf("recorded are %+v", deeds)
		}
		if b := w.read(next); b.State != storage.BroadcastDone || b.Sent != 500 {
			t.Errorf("the other admin's came to %+v", b)
		}
		stop(t, s)
	})
}

// A restart gives back who had no turn, and nobody is left out or told twice.
func TestRestarts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, join(t.Context(), w.db, 300))
		id := w.confirm(author, 300, toAll)
		for range 4 {
			s := w.process()
			pass(1500 * time.Millisecond)
			w.mu.Lock()
			w.takes = time.Minute // nothing comes back: cut off
			w.mu.Unlock()
			pass(time.Second)
			stop(t, s)
			w.mu.Lock()
			w.takes = 100 * time.Millisecond
			w.mu.Unlock()
		}
		s := w.process()
		pass(time.Minute)
		if b := w.read(id); b.Sent != 300 || b.Uncertain != 0 || w.checkOnce() != 300 {
			t.Errorf("came to %+v", b)
		}
		stop(t, s)
	})
}

// The end that can't be shown holds up nobody, and is shown later, also by the
// next process.
func TestTheReportCanWait(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, join(t.Context(), w.db, 20))
		w.drawErr = errors.New("no connection")
		first := w.confirm(author, 20, toAll)
		pass(time.Millisecond)
		second := w.confirm(other, 20, toAll)
		s := w.process()
		pass(time.Minute)
		if b := w.read(second); b.State != storage.BroadcastDone {
			t.Errorf("the second is %s", b.State)
		}
		stop(t, s)
		w.drawErr = nil
		clear(w.drawn)
		s = w.process()
		pass(2 * time.Minute)
		for _, id := range []int64{first, second} {
			if n := len(w.drawn[id]); n != 1 {
				t.Errorf("the end was shown %d times, want once", n)
			}
		}
		stop(t, s)
	})
}

// However slow drawing is, the end is what is drawn last.
func TestTheEndIsDrawnLast(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, join(t.Context(), w.db, 20))
		w.drawing = 20 * time.Second
		id := w.confirm(author, 20, toAll)
		s := w.process()
		pass(time.Minute)
		if last := w.drawn[id][len(w.drawn[id])-1]; last.State != storage.BroadcastDone {
			t.Errorf("what was drawn last is %+v", last)
		}
		stop(t, s)
	})
}

// Progress is drawn now and then, whatever the number of messages.
func TestProgressIsRare(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, join(t.Context(), w.db, 1500)) // 10 s
		id := w.confirm(author, 1500, toAll)
		s := w.process()
		pass(time.Minute)
		if n := len(w.drawn[id]); n != 4 && n != 3 { // at 0, 5, (10) and at the end
			t.Errorf("drawn %d times", n)
		}
		stop(t, s)
	})
}

// Whatever happens to messages, and however often a process ends or another one
// begins: nobody gets two copies, and everybody is counted once.
func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		people := rapid.IntRange(1, 60).Draw(rt, "people")
		fates := rapid.SliceOfN(rapid.IntRange(0, 12), people, people).Draw(rt, "fates")
		stops := rapid.SliceOfN(rapid.IntRange(50, 900), 0, 4).Draw(rt, "stops")
		inWorld(t, func(t *testing.T, w *world) {
			must(t, join(t.Context(), w.db, people))
			tries := map[int64]int{}
			w.sendErr = func(id int64) error {
				tries[id]++
				switch fate := fates[id-1]; {
				case fate == 1:
					return outbox.ErrUnreachable
				case fate == 2:
					return outbox.ErrRejected
				case fate == 3:
					return outbox.ErrUncertain
				case fate == 4:
					return errLostBefore
				case fate == 5 && tries[id] < 3:
					return errors.New("no connection")
				case fate == 6 && tries[id] < 3:
					return &outbox.RetryAfterError{After: 3 * time.Second, Err: errors.New("flood")}
				}
				return nil
			}
			id := w.confirm(author, people, toAll)
			for _, ms := range stops {
				s := w.process()
				pass(time.Duration(ms) * time.Millisecond)
				stop(t, s)
			}
			one, two := w.process(), w.process()
			pass(time.Hour)
			w.checkOnce()
			count := func(of ...int) (n int64) {
				for _, fate := range fates {
					if slices.Contains(of, fate) {
						n++
					}
				}
				return n
			}
			b := w.read(id)
			if b.State != storage.BroadcastDone || b.Unreachable != count(1) || b.Failed != count(2) || b.Uncertain != count(3, 4) || b.Handled() != int64(people) {
				rt.Errorf("came to %+v of %v", b, fates)
			}
			stop(t, one)
			stop(t, two)
		})
	})
}

// got lists who has a copy, from the file that a killed process has left.
func got(path string) (map[int64]int, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return map[int64]int{}, nil
	}
	copies := map[int64]int{}
	for line := range strings.Lines(string(content)) {
		var id int64
		if _, err := fmt.Sscan(line, &id); err != nil {
			return nil, err
		}
		copies[id]++
	}
	return copies, err
}

func total(copies map[int64]int) (n int) {
	for _, c := range slices.Collect(maps.Values(copies)) {
		n += c
	}
	return n
}
