package app_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hstockbot/internal/app"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
)

// The environment of the process that is killed.
const (
	envDatabase = "HSTOCKBOT_TEST_DATABASE" // its URL; set only for that process
	envMarket   = "HSTOCKBOT_TEST_MARKET"
	envTelegram = "HSTOCKBOT_TEST_TELEGRAM"
	envHook     = "HSTOCKBOT_TEST_HOOK"     // the webhook's URL, its address, and HTTP_ADDR, with spaces between
	envPaced    = "HSTOCKBOT_TEST_PACED"    // Telegram accepts the usual 30 messages a second
	envAnnounce = "HSTOCKBOT_TEST_ANNOUNCE" // the commits on SQLite are announced
	envAdmin    = "HSTOCKBOT_TEST_ADMIN"    // the first person is an admin
)

const (
	crashPeople     = 24
	askers          = 4
	questionsAtOnce = 5
	killsInARow     = 5 // in every second round
	crashAim        = 5 * time.Second
	crashCode       = 2 * time.Second // from renting a number to its code
	placing         = "Placing your order"
	// crashDeadline is when a test gives up. It is far more than a slow machine needs: how
	// long things take stands in the report, and is no reason to fail.
	crashDeadline = 5 * time.Minute
)

// runUntilKilled is the process that is killed.
func runUntilKilled(databaseURL string) error {
	cfg := testworld.BaseConfig(databaseURL)
	if os.Getenv(envAnnounce) != "" {
		announceCommits()
	}
	if os.Getenv(envAdmin) != "" {
		cfg.AdminIDs = []int64{1} // Ann
	}
	cfg.TelegramAPIURL, cfg.HStockAPIURL = os.Getenv(envTelegram), os.Getenv(envMarket)
	cfg.HStockRate, cfg.HStockAPIKey = 0, testworld.OperatorKey
	if os.Getenv(envPaced) != "" {
		cfg.TelegramRate = 30
	}
	if fields := strings.Fields(os.Getenv(envHook)); len(fields) == 3 {
		cfg.WebhookURL, cfg.WebhookAddr, cfg.HTTPAddr, cfg.WebhookSecrets = fields[0], fields[1], fields[2], []redact.Secret{hookSecret}
	}
	program, err := app.New(context.Background(), cfg, app.Options{Log: slog.New(redact.New(cfg.Secrets()...).Handler(slog.NewTextHandler(os.Stderr, nil)))})
	if err != nil {
		return err
	}
	if err := program.Start(context.Background()); err != nil {
		return err
	}
	<-program.Replica.Dead()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return errors.Join(errors.New("no longer active"), program.Stop(ctx))
}

// crashWorld is a program in a process of its own that is killed under load, between the
// two pretend servers.
type crashWorld struct {
	t                      testing.TB
	market                 *market.Server
	telegram               *telegram.Server
	env                    []string
	marketURL, telegramURL string
	process                *exec.Cmd
	present                *httptest.Server // the Telegram of the present process, if it has one of its own
	log                    testworld.Log    // of the present process, or of a builtWorld's all
	people, askers         []*buyer
	questions              []question
}

func newCrashWorld(t testing.TB) *crashWorld {
	t.Helper()
	c := &crashWorld{t: t, market: market.New(market.Options{CodeAfter: crashCode}), telegram: telegram.New(telegram.Options{Token: testworld.Token, NoLog: true, Roots: hookRoots()})}
	marketURL, telegramURL := httptest.NewServer(c.market), httptest.NewServer(c.telegram)
	c.marketURL, c.telegramURL = marketURL.URL, telegramURL.URL
	c.env = append(os.Environ(), envDatabase+"="+testworld.DatabaseURL(t, filepath.Join(t.TempDir(), "bot.db")), envMarket+"="+marketURL.URL, envTelegram+"="+telegramURL.URL)
	t.Cleanup(func() {
		c.kill()
		c.telegram.Close()
		c.market.Close()
		telegramURL.Close()
		marketURL.Close()
	})
	c.market.AddKey(testworld.OperatorKey.Reveal(), "100.00", "USD")
	testworld.Must(t, c.market.SetStock(market.GmailUSA, 1_000_000))
	testworld.Must(t, c.market.SetNumbers(market.ProjectTelegram, market.CountryUS, 1_000_000))
	c.join(crashPeople)
	// Purchases take long enough to be hit.
	for _, action := range []string{"add", "add_sms"} {
		c.market.Fault(market.Fault{Action: action, Kind: market.Slow, Delay: 50 * time.Millisecond, Times: market.Always})
	}
	return c
}

// join lets people join who have a key of the marketplace.
func (c *crashWorld) join(people int) {
	for i := range people {
		c.people = append(c.people, c.person(i, "Ann"))
	}
}

func (c *crashWorld) person(number int, name string) *buyer {
	b := &buyer{number: number, key: fmt.Sprint("canary-key-of-person-0123456789-", number)}
	c.market.AddKey(b.key, "100000.00", "USD")
	b.Client = c.telegram.Join(telegram.Person{ID: int64(number + 1), FirstName: name, LanguageCode: "en"})
	return b
}

// start starts the program.
func (c *crashWorld) start() {
	c.t.Helper()
	c.log.Reset()
	c.launch(exec.CommandContext(context.Background(), os.Args[0]), c.env, envTelegram)
}

// launch starts a process. It has a server of Telegram of its own, whose URL is in a variable.
func (c *crashWorld) launch(command *exec.Cmd, env []string, telegramURL string) {
	c.t.Helper()
	c.present = httptest.NewServer(c.telegram)
	c.process = command
	c.process.Env, c.process.Stderr = append(env[:len(env):len(env)], telegramURL+"="+c.present.URL), &c.log
	testworld.Must(c.t, c.process.Start())
}

// kill ends the process with SIGKILL.
func (c *crashWorld) kill() {
	if c.process == nil {
		return
	}
	_ = c.process.Process.Kill()
	if err := c.process.Wait(); c.process.ProcessState.Exited() {
		c.t.Errorf("the process ended by itself: %v\n%s", err, &c.log)
	}
	c.ended(true)
}

// ended notes what the process has sent that has just ended. None of its calls is carried
// out afterwards.
func (c *crashWorld) ended(killed bool) {
	c.process = nil
	if c.present != nil {
		c.present.Close()
	}
	c.notePause(life{killed: killed})
}

// notePause notes what the process has sent until now.
func (c *crashWorld) notePause(l life) {
	for _, b := range slices.Concat(c.people, c.askers) {
		l.last = b.Last().ID
		b.lives = append(b.lives, l)
	}
}

// killAtRandom kills the process after at most so many calls of it, or after a time if it
// calls nothing.
func (c *crashWorld) killAtRandom(calls int, most time.Duration) {
	changes, cancel := c.telegram.Subscribe()
	defer cancel()
	timeout := time.NewTimer(rand.N(most))
	defer timeout.Stop()
	for range rand.N(calls) {
		select {
		case <-changes:
		case <-timeout.C:
			c.kill()
			return
		}
	}
	c.kill()
}

// TestKilledUnderLoad kills the program at random while people buy and ask, in turn once
// and in a crash loop, in which some processes do not get ready. Nothing is bought twice,
// everything that was bought is delivered or told, each tap gets an answer, what people get
// is in order, and only what a kill left unmarked comes again.
func TestKilledUnderLoad(t *testing.T) {
	kills, ok := asked(t, envKills, strconv.Atoi)
	if !ok {
		kills = 10
	}
	c := newCrashWorld(t)
	c.joinAskers()
	c.start()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	end := c.live(ctx)
	var recoveries []time.Duration
	for done, inARow := 0, killsInARow; done < kills && !t.Failed(); inARow = killsInARow + 1 - inARow {
		for i := range min(inARow, kills-done) {
			if i == 0 {
				c.killAtRandom(60, 2*time.Second)
			} else {
				c.killAtRandom(30, time.Second)
			}
			c.start()
			done++
		}
		recoveries = append(recoveries, c.awaitAnswers(time.Now()))
	}
	began := time.Now()
	timeout := time.AfterFunc(crashDeadline, cancel)
	end()
	timeout.Stop()
	c.awaitDeliveries(time.Now().Add(crashDeadline))
	c.awaitOutcomes(time.Now().Add(crashDeadline))
	rest := time.Since(began)
	c.kill()
	c.check()
	t.Logf("%d messages with goods, numbers or codes came again", c.checkMessages())
	c.report(kills, recoveries, rest)
}

// errDestroyed ends people's taps of which nothing is known any longer.
var errDestroyed = errors.New("the bot was destroyed")

// buy lets all people buy, until end is called, which waits for their last purchases.
func (c *crashWorld) buy(ctx context.Context) (end func()) {
	return c.repeat(ctx, c.people, func(b *buyer) error { return b.giveKey(ctx, b.key) }, func(b *buyer) error { return b.buy(ctx) })
}

// live lets all people do more than buy, and others ask, until end is called.
func (c *crashWorld) live(ctx context.Context) (end func()) {
	for _, b := range c.people {
		b.otherKey = b.key + "-other"
		c.market.AddKey(b.otherKey, "100000.00", "USD")
	}
	endBuying := c.repeat(ctx, c.people, func(b *buyer) error { return b.giveKey(ctx, b.key) }, func(b *buyer) error { return b.doMore(ctx) })
	endAsking := c.repeat(ctx, c.askers, func(b *buyer) error { return b.greet(ctx) }, func(b *buyer) error { return b.askSeveral(ctx, c.questions) })
	return func() {
		endBuying()
		endAsking()
	}
}

// joinAskers lets people join who ask several things at once.
func (c *crashWorld) joinAskers() {
	c.findQuestions()
	for i := range askers {
		c.askers = append(c.askers, &buyer{Client: c.telegram.Join(telegram.Person{ID: int64(2000 + i), FirstName: "Eve", LanguageCode: "en"})})
	}
}

// findQuestions makes the products whose titles are known questions.
func (c *crashWorld) findQuestions() {
	titles := map[string]int{}
	rows := c.market.Rows()
	for i := range rows {
		titles[rows[i].Name]++
	}
	for i := range rows {
		if name := rows[i].Name; titles[name] == 1 && len(name) < 50 { // longer ones are cut
			c.questions = append(c.questions, question{fmt.Sprint("/start p_", rows[i].Service), name})
		}
	}
}

// repeat lets people begin, and then do something again and again until end is called, which
// waits for what they do.
func (c *crashWorld) repeat(ctx context.Context, people []*buyer, begin, do func(b *buyer) error) (end func()) {
	var doing sync.WaitGroup
	var ending atomic.Bool
	for _, b := range people {
		doing.Go(func() {
			err := begin(b)
			for err == nil && !ending.Load() {
				err = do(b)
			}
			if err != nil && !errors.Is(context.Cause(ctx), errDestroyed) {
				c.t.Error(err)
			}
		})
	}
	return func() {
		ending.Store(true)
		doing.Wait()
	}
}

// awaitAnswers returns how long after a start it takes until everything that was sent
// before is answered.
func (c *crashWorld) awaitAnswers(started time.Time) time.Duration {
	c.t.Helper()
	changes, cancel := c.telegram.Subscribe()
	defer cancel()
	deadline := time.NewTimer(crashDeadline)
	defer deadline.Stop()
	for {
		i := slices.IndexFunc(c.people, func(b *buyer) bool { return b.pending(started) })
		if i < 0 {
			return time.Since(started)
		}
		select {
		case <-changes:
		case <-time.After(10 * time.Millisecond): // the person reacts to the change
		case <-deadline.C:
			c.t.Errorf("not answered %s after the start; the chat is:\n%s\nthe log is:\n%s", crashDeadline, c.people[i].Transcript(), &c.log)
			return crashDeadline
		}
	}
}

// awaitDeliveries waits until all orders of until now are delivered or told.
func (c *crashWorld) awaitDeliveries(deadline time.Time) {
	c.t.Helper()
	ctx, cancel := context.WithDeadline(c.t.Context(), deadline)
	defer cancel()
	before := time.Now()
	for _, b := range c.people {
		err := b.Await(ctx, func([]telegram.Message) bool { return len(b.missing(c.market, before)) == 0 })
		if err != nil {
			c.t.Errorf("orders %v were neither delivered nor told: %v; the chat is:\n%s\nthe log is:\n%s", b.missing(c.market, before), errors.Unwrap(err), b.Transcript(), &c.log)
		}
	}
}

// awaitUntil waits until something is so.
func (c *crashWorld) awaitUntil(what string, done func() bool) {
	c.t.Helper()
	changes, cancel := c.telegram.Subscribe()
	defer cancel()
	deadline := time.NewTimer(crashDeadline)
	defer deadline.Stop()
	for !done() {
		select {
		case <-changes:
		case <-time.After(10 * time.Millisecond): // what no chat shows
		case <-deadline.C:
			c.t.Fatalf("not so after %s: %s; the log is:\n%s", crashDeadline, what, &c.log)
		}
	}
}

// awaitOutcomes waits until no card says that an order is being placed.
func (c *crashWorld) awaitOutcomes(deadline time.Time) {
	c.t.Helper()
	ctx, cancel := context.WithDeadline(c.t.Context(), deadline)
	defer cancel()
	for _, b := range c.people {
		_ = b.Await(ctx, func([]telegram.Message) bool { return !strings.Contains(b.Transcript(), placing) }) // check tells
	}
}

func (c *crashWorld) report(kills int, recoveries []time.Duration, rest time.Duration) {
	var waits []time.Duration
	confirms, givenUp := 0, 0
	for _, b := range c.people {
		waits = append(waits, b.waits...)
		confirms += b.confirms
		givenUp += b.givenUp
	}
	slices.Sort(waits)
	slices.Sort(recoveries)
	ms := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	late := len(recoveries) - len(slices.DeleteFunc(slices.Clone(recoveries), func(d time.Duration) bool { return d > crashAim }))
	c.t.Logf("%d kills; %d people, %d taps on Confirm, %d requests to buy, %d orders, %d numbers, %d updates given up and told",
		kills, crashPeople, confirms, c.requests(), len(c.market.Orders()), len(c.market.Numbers()), givenUp)
	c.t.Logf("everything answered after the last kill in a row: median %s, longest %s, %d of %d over %s; deliveries afterwards %s",
		ms(recoveries[len(recoveries)/2]), ms(recoveries[len(recoveries)-1]), late, len(recoveries), crashAim, ms(rest))
	c.t.Logf("%d answers, kills in between: median %s, 99%% within %s, longest %s", len(waits), ms(waits[len(waits)/2]), ms(waits[len(waits)*99/100]), ms(waits[len(waits)-1]))
}
