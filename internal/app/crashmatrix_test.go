package app_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
)

// matrixWorkers is how many programs are killed at the same time. On PostgreSQL a program
// waits until the one before counts as dead.
func matrixWorkers() int {
	if pgtest.Wanted() {
		return 8
	}
	return 3
}

// scenario is what people do while the program is killed.
type scenario struct {
	name    string
	prepare func(w *matrixWorld) // before it
	act     func(w *matrixWorld) // goes on through the kill, and ends when people have what they want
	check   func(w *matrixWorld)
	admin   bool     // Ann is an admin
	slow    bool     // it goes on only minutes after some kills
	twice   int      // messages that are sent twice without a kill
	adds    int      // requests to buy that it confirms
	must    []string // are parts of events at which the program has to be killed
}

// matrixWorld is one program that is killed once, between the two pretend servers.
type matrixWorld struct {
	*crashWorld
	t        *testing.T
	events   *events
	world    *testworld.World // of the database
	ann      *buyer
	deadline context.Context
	scenario scenario

	awaiting sync.WaitGroup // awaitCommits
}

func newMatrixWorld(t *testing.T, s scenario) *matrixWorld {
	t.Helper()
	patience := crashDeadline / 5
	if s.slow {
		patience = crashDeadline
	}
	deadline, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	w := &matrixWorld{t: t, events: &events{}, world: &testworld.World{T: t, Dir: t.TempDir()}, deadline: deadline, scenario: s}
	w.crashWorld = &crashWorld{t: t, market: market.New(market.Options{}), telegram: telegram.New(telegram.Options{Token: testworld.Token, NoLog: true})}
	marketURL := httptest.NewServer(w.events.aroundCalls(marketCall, w.market))
	telegramURL := httptest.NewServer(w.events.aroundCalls(telegramCall, w.telegram))
	database := testworld.DatabaseURL(t, w.world.DatabasePath())
	if pgtest.Wanted() {
		proxy := pgtest.NewProxy(t, database)
		proxy.Watch(w.events.event, states...)
		database = proxy.URL()
	} else {
		testworld.Must(t, testworld.CopyEmpty(w.world.DatabasePath()))
	}
	w.env = append(os.Environ(), envDatabase+"="+database, envMarket+"="+marketURL.URL, envTelegram+"="+telegramURL.URL, envAnnounce+"=1")
	if s.admin {
		w.env = append(w.env, envAdmin+"=1")
	}
	w.events.kill, w.events.unfinished = w.killed, w.unfinished
	t.Cleanup(func() {
		w.events.disarm()
		w.kill()
		w.telegram.Close()
		w.market.Close()
		telegramURL.Close()
		marketURL.Close()
		w.awaiting.Wait()
	})
	w.market.AddKey(testworld.OperatorKey.Reveal(), "100.00", "USD")
	w.ann = w.person(0, "Ann")
	w.begin()
	return w
}

// begin starts the program, whose commits on SQLite are events.
func (w *matrixWorld) begin() {
	commits, announced, err := os.Pipe()
	testworld.Must(w.t, err)
	may, allowed, err := os.Pipe()
	testworld.Must(w.t, err)
	process := exec.CommandContext(context.Background(), os.Args[0])
	process.Env, process.Stderr = w.env, &w.log
	process.ExtraFiles = []*os.File{announced, may} // fdCommits and fdMay
	testworld.Must(w.t, process.Start())
	testworld.Must(w.t, errors.Join(announced.Close(), may.Close()))
	w.process = process
	w.awaiting.Go(func() {
		w.events.awaitCommits(commits, allowed)
		_ = errors.Join(commits.Close(), allowed.Close())
	})
}

// killed kills the program, and starts it again.
func (w *matrixWorld) killed() {
	w.kill()
	w.begin()
}

// run carries the scenario out, and kills the program at an event. It returns the events.
func (w *matrixWorld) run(at string) (happened []string, killed string) {
	w.t.Helper()
	w.scenario.prepare(w)
	w.until("the preparations are done", func() bool { return w.left(unhandled) == 0 })
	w.events.arm(at)
	w.scenario.act(w)
	w.quiet()
	happened, killed = w.events.disarm()
	w.checkAll()
	if w.t.Failed() {
		w.t.Logf("killed at %q after\n%s\nthe chat is:\n%s\nthe log is:\n%s", killed, strings.Join(happened, "\n"), w.ann.Transcript(), &w.log)
	}
	return happened, killed
}

// unhandled counts what people wait for, open the orders of accounts that are waited for.
const (
	unhandled = `SELECT
	(SELECT COUNT(*) FROM inbox WHERE finished_at IS NULL) +
	(SELECT COUNT(*) FROM outbox WHERE state = 'pending') +
	(SELECT COUNT(*) FROM purchases WHERE state IN ('claimed', 'sending')) +
	(SELECT COUNT(*) FROM swaps WHERE state IN ('armed', 'cancelling', 'ending')) +
	(SELECT COUNT(*) FROM baskets WHERE state = 'running')`
	open = `SELECT COUNT(*) FROM orders WHERE kind = 'product' AND closed_at = 0`
)

func (w *matrixWorld) left(query string) int {
	var count []int
	w.world.Select(&count, query)
	return count[0]
}

// unfinished returns what messages may be sent for just now: updates, and messages that are
// leased. 1 is a lease that is over.
func (w *matrixWorld) unfinished() (ids []int64) {
	w.world.Select(&ids, `SELECT update_id FROM inbox WHERE finished_at IS NULL
		UNION ALL SELECT id FROM outbox WHERE state = 'pending' AND lease_until > 1`)
	return ids
}

// quiet waits until the program has done everything.
func (w *matrixWorld) quiet() {
	w.t.Helper()
	w.until("everything is done", func() bool {
		waits := 0 // for deliveries of the marketplace
		for _, order := range w.market.Orders() {
			if order.Delivered < order.Quantity && !order.Refunded.IsPositive() {
				waits++
			}
		}
		return w.left(open) <= waits && w.left(unhandled) == 0
	})
}

// until waits until something is so.
func (w *matrixWorld) until(what string, done func() bool) {
	w.t.Helper()
	changes, cancel := w.telegram.Subscribe()
	defer cancel()
	for !done() {
		select {
		case <-changes:
		case <-time.After(20 * time.Millisecond): // what no chat shows
		case <-w.deadline.Done():
			w.t.Fatalf("never: %s; the chat is:\n%s\nthe log is:\n%s", what, w.ann.Transcript(), &w.log)
		}
	}
}

// shown waits until a message that came after another one shows a text, and returns it.
func (w *matrixWorld) shown(after int, texts ...string) (found telegram.Message) {
	w.t.Helper()
	w.until(fmt.Sprintf("%q after message %d", texts, after), func() bool {
		for _, m := range w.ann.Messages() {
			if m.ID > after && m.FromBot && slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(m.Text, text) || button(m, text) != "" }) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// types sends something, and waits for the message with a text or a button.
func (w *matrixWorld) types(text string, answers ...string) telegram.Message {
	w.t.Helper()
	return w.shown(w.ann.Type(text), answers...)
}

// taps taps a button and waits until its message shows something.
func (w *matrixWorld) taps(m telegram.Message, label string, answers ...string) telegram.Message {
	w.t.Helper()
	testworld.Must(w.t, w.ann.TapOn(m.ID, button(m, label)))
	return w.shown(m.ID-1, answers...)
}

// checkAll checks what holds after each kill.
func (w *matrixWorld) checkAll() {
	w.t.Helper()
	requests := 0
	for _, call := range w.market.Calls() {
		if call.Action == "add" || call.Action == "add_sms" {
			requests++
		}
	}
	if made := len(w.market.Orders()) + len(w.market.Numbers()); requests > w.scenario.adds || made > w.scenario.adds {
		w.t.Errorf("%d requests to buy and %d orders for %d that were confirmed", requests, made, w.scenario.adds)
	}
	if missing := w.missing(); len(missing) > 0 {
		w.t.Errorf("orders %v were neither delivered nor told", missing)
	}
	for _, m := range w.ann.Messages() {
		if m.FromBot && strings.Contains(m.Text, placing) {
			w.t.Error("the last word is progress")
		}
		if m.FromBot && w.ann.isGivenUp(m) {
			w.t.Error("an update was given up")
		}
	}
	if repeated := w.events.repeated() - w.scenario.twice; repeated > len(w.events.unmarked) {
		w.t.Errorf("%d messages are repeated, and %d were on their way", repeated, len(w.events.unmarked))
	}
	if violations := w.market.Violations(); len(violations) > 0 {
		w.t.Errorf("the marketplace was asked what its document does not allow: %q", violations)
	}
	if w.scenario.check != nil {
		w.scenario.check(w)
	}
}

// missing returns the orders of which something has not arrived, unless it was told that one
// may have been placed: there is one kill.
func (w *matrixWorld) missing() (missing []int64) {
	told := false
	var chat strings.Builder
	for _, m := range w.ann.Messages() {
		if !m.FromBot {
			continue
		}
		chat.WriteString(m.Text)
		if m.Document != nil {
			chat.Write(m.Document.Data)
		}
		told = told || strings.Contains(m.Text, wordUnknown) && strings.Contains(m.Text, "Balance before")
	}
	check := func(order int64, goods ...string) {
		if slices.ContainsFunc(goods, func(one string) bool { return !strings.Contains(chat.String(), one) }) {
			missing = append(missing, order)
		}
	}
	for _, order := range w.market.Orders() {
		check(order.Number, append(order.Accounts, fmt.Sprint("#", order.Number))...)
	}
	for _, number := range w.market.Numbers() {
		check(number.Number, number.Phone)
		for _, sms := range number.Received {
			check(number.Number, sms.Code)
		}
	}
	if told && len(missing) == 1 {
		return nil
	}
	return missing
}

// TestKilledEverywhere kills the program at each event of what people do, one after
// another, and starts it again. Nothing is bought twice or lost, and nobody waits for an
// answer in vain.
func TestKilledEverywhere(t *testing.T) {
	all := os.Getenv(envMatrix)
	for _, s := range scenarios() {
		if all == "" && s.name != "purchase" || all != "" && all != "all" && all != s.name {
			continue
		}
		t.Run(s.name, func(t *testing.T) { killEverywhere(t, s, all != "") })
	}
}

func killEverywhere(t *testing.T, s scenario, everywhere bool) {
	var points []string
	t.Run("not killed", func(t *testing.T) { points, _ = newMatrixWorld(t, s).run("") })
	if !everywhere {
		points = firstOf(points, s.must)
	}
	var repeated, unmarked atomic.Int64
	killAll(t, points, s.must, matrixWorkers(), func(t *testing.T, point string) string {
		w := newMatrixWorld(t, s)
		_, killed := w.run(point)
		repeated.Add(int64(w.events.repeated() - s.twice))
		unmarked.Add(int64(len(w.events.unmarked)))
		return killed
	})
	t.Logf("%d messages repeated, %d were on their way", repeated.Load(), unmarked.Load())
}

// firstOf returns the first event that contains each text.
func firstOf(events, texts []string) (first []string) {
	for _, text := range texts {
		i := slices.IndexFunc(events, func(event string) bool { return strings.Contains(event, text) })
		if i >= 0 && !slices.Contains(first, events[i]) {
			first = append(first, events[i])
		}
	}
	return first
}

// killAll kills at events, several at the same time. run returns the event at which it has
// killed, "" if that was not reached. The program must have been killed at events that
// contain these texts.
func killAll(t *testing.T, points, must []string, workers int, run func(t *testing.T, point string) (killed string)) {
	t.Helper()
	began := time.Now()
	work := make(chan string)
	killed := make(chan string, len(points))
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for point := range work {
				t.Run(point, func(t *testing.T) {
					if at := run(t, point); at != "" {
						killed <- at
					}
				})
			}
		})
	}
	for _, point := range points {
		work <- point
	}
	close(work)
	running.Wait()
	close(killed)
	var all []string
	for at := range killed {
		all = append(all, at)
	}
	for _, text := range must {
		if !slices.ContainsFunc(all, func(at string) bool { return strings.Contains(at, text) }) {
			t.Errorf("the program was never killed at %q; it was at\n%s", text, strings.Join(all, "\n"))
		}
	}
	t.Logf("%d events, %d kills, %d not reached; %s", len(points), len(all), len(points)-len(all), time.Since(began).Round(time.Second))
}
