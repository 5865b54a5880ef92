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
	envHook     = "HSTOCKBOT_TEST_HOOK"  // the webhook's URL, its address, and HTTP_ADDR, with spaces between
	envPaced    = "HSTOCKBOT_TEST_PACED" // Telegram accepts the usual 30 messages a second
	// envKills is how often TestKilledUnderLoad kills (make torture).
	envKills = "HSTOCKBOT_TEST_KILLS"
)

const (
	crashPeople = 24
	killsInARow = 10
	crashAim    = 5 * time.Second
	crashCode   = 2 * time.Second // from renting a number to its code
	placing     = "Placing your order"
	// crashDeadline is when a test gives up. It is far more than a slow machine needs: how
	// long things take stands in the report, and is no reason to fail.
	crashDeadline = 5 * time.Minute
)

// runUntilKilled is the process that is killed.
func runUntilKilled(databaseURL string) error {
	cfg := testworld.BaseConfig(databaseURL)
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
	log                    testworld.Log // of the present process
	people                 []*buyer
}

// buyer is a person who buys accounts and rents numbers, one after another.
type buyer struct {
	*telegram.Client
	number    int
	key       string
	purchases int // that were begun
	confirms  int
	givenUp   int
	mayFail   bool // while the database is away

	mu    sync.Mutex
	since time.Time // of what is not answered yet; zero: nothing
	waits []time.Duration
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

func (c *crashWorld) start() {
	c.t.Helper()
	c.log.Reset()
	c.process = exec.CommandContext(context.Background(), os.Args[0])
	c.process.Env, c.process.Stderr = c.env, &c.log
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
	c.process = nil
}

// killAtRandom kills the process after some calls of it, or after a time if it calls
// nothing.
func (c *crashWorld) killAtRandom() {
	changes, cancel := c.telegram.Subscribe()
	defer cancel()
	timeout := time.NewTimer(rand.N(2 * time.Second))
	defer timeout.Stop()
	for range rand.N(60) {
		select {
		case <-changes:
		case <-timeout.C:
			c.kill()
			return
		}
	}
	c.kill()
}

// await waits until the chat's messages after a message fulfil a condition.
func (b *buyer) await(ctx context.Context, after int, done func(m telegram.Message) bool) (found telegram.Message, err error) {
	b.mu.Lock()
	b.since = time.Now()
	b.mu.Unlock()
	err = b.Await(ctx, func(messages []telegram.Message) bool {
		for _, m := range slices.Backward(messages) {
			if m.ID > after && m.FromBot && done(m) {
				found = m
				return true
			}
		}
		return false
	})
	b.mu.Lock()
	b.waits = append(b.waits, time.Since(b.since))
	if err == nil {
		b.since = time.Time{}
	}
	b.mu.Unlock()
	return found, err
}

// pending reports whether something that was sent before a time is not answered.
func (b *buyer) pending(before time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.since.IsZero() && b.since.Before(before)
}

// button returns the label of the message's button that begins with a text, or is it if
// that is one character; "" if there is none.
func button(m telegram.Message, text string) string {
	for _, b := range slices.Concat(m.Keyboard...) {
		if b.Text == text || len(text) > 1 && strings.HasPrefix(b.Text, text) {
			return b.Text
		}
	}
	return ""
}

// isGivenUp reports whether a message says that an update failed.
func (b *buyer) isGivenUp(m telegram.Message) bool {
	return strings.Contains(m.Text, "couldn’t carry out") ||
		b.mayFail && (strings.Contains(m.Text, "Something went wrong on my side") || strings.Contains(m.Text, "Another order is being placed") ||
			strings.Contains(m.Text, "No results for")) // Telegram repeated the command so late that it took the question about the address away
}

// address returns the delivery address of the person's next purchase, by which the
// marketplace's order shows to which Confirm it belongs.
func (b *buyer) address() string {
	return fmt.Sprintf("purchase%d@person%d.example.com", b.purchases, b.number)
}

// giveKey gives the bot the person's key.
func (b *buyer) giveKey(ctx context.Context) error {
	_, err := b.await(ctx, b.Type("/key "+b.key), func(m telegram.Message) bool { return strings.Contains(m.Text, "Balance:") })
	return err
}

// buy buys one account, or every third time rents one number. An answer to every tap is
// awaited: the next screen, or that the update was given up.
func (b *buyer) buy(ctx context.Context) error {
	card, err := b.draw(ctx)
	if err != nil || b.isGivenUp(card) {
		return err
	}
	return b.confirm(ctx, card)
}

const byCountry = "🌍 By country"

// draw goes on until the card that asks for ✅ Confirm, or until an update is given up.
func (b *buyer) draw(ctx context.Context) (card telegram.Message, err error) {
	b.purchases++
	first, labels := "/start p_2", []string{"1", "Skip", "✅ Confirm"}
	if b.purchases%3 == b.number%3 {
		first, labels = "/sms", []string{byCountry, "🇺🇸", "Telegram", "1", "✅ Confirm"}
	}
	last := b.Type(first)
	screen := 0 // the message that the last tap draws in; a late answer to something else is not meant
	for _, text := range labels {
		card, err = b.await(ctx, last, func(m telegram.Message) bool {
			return (button(m, text) != "" || text == byCountry && button(m, "🇺🇸") != "") && (screen == 0 || m.ID == screen) || b.isGivenUp(m)
		})
		if err != nil {
			return card, fmt.Errorf("no %q: %w", text, err)
		}
		if b.isGivenUp(card) {
			b.givenUp++
			return card, nil
		}
		if button(card, text) == "" { // the release before begins with the countries
			continue
		}
		switch text {
		case "Skip":
			last, screen = b.Type(b.address()), 0
		case "✅ Confirm":
		default:
			screen = card.ID
			if err := b.TapOn(card.ID, button(card, text)); err != nil {
				return card, err
			}
		}
	}
	return card, nil
}

// confirm confirms a card and awaits the outcome.
func (b *buyer) confirm(ctx context.Context, card telegram.Message) error {
	b.confirms++
	last := b.Last().ID
	if err := b.TapOn(card.ID, "✅ Confirm"); err != nil {
		return err
	}
	_, err := b.await(ctx, card.ID-1, func(now telegram.Message) bool {
		return now.ID == card.ID && now.Text != card.Text && !strings.Contains(now.Text, placing) || now.ID > last && b.isGivenUp(now)
	})
	if err != nil {
		return fmt.Errorf("no outcome: %w", err)
	}
	return nil
}

// missing returns the person's orders that were neither delivered nor told to be of
// unknown outcome: whose accounts, or whose code, are not in the chat.
func (b *buyer) missing(made *market.Server) (missing []int64) {
	unknown := 0
	var texts strings.Builder
	for _, m := range b.Messages() {
		texts.WriteString(m.Text)
		if m.FromBot && strings.Contains(m.Text, "may or may not have been placed. More") {
			unknown++
		}
	}
	check := func(order int64, goods []string) {
		delivered := len(goods) > 0
		for _, one := range goods {
			delivered = delivered && strings.Contains(texts.String(), one)
		}
		if !delivered {
			missing = append(missing, order)
		}
	}
	for _, order := range made.Orders() {
		if order.Key == b.key {
			check(order.Number, order.Accounts)
		}
	}
	for _, number := range made.Numbers() {
		if number.Key == b.key {
			var codes []string
			for _, sms := range number.Received {
				codes = append(codes, sms.Code)
			}
			check(number.Number, codes)
		}
	}
	return missing[min(unknown, len(missing)):]
}

// TestKilledUnderLoad kills the program at random while people buy. Nothing is bought
// twice, everything that was bought is delivered or told, and each tap gets an answer,
// soon after the start that follows the last of several kills.
func TestKilledUnderLoad(t *testing.T) {
	kills := killsInARow
	if text := os.Getenv(envKills); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		testworld.Must(t, err)
	}
	c := newCrashWorld(t)
	c.start()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	end := c.buy(ctx)
	var recoveries []time.Duration
	for done := 0; done < kills; {
		for range min(killsInARow, kills-done) {
			c.killAtRandom()
			done++
			c.start()
		}
		recoveries = append(recoveries, c.awaitAnswers(time.Now()))
		if t.Failed() {
			break
		}
	}
	began := time.Now()
	timeout := time.AfterFunc(crashDeadline, cancel)
	end()
	timeout.Stop()
	c.awaitDeliveries(time.Now().Add(crashDeadline))
	c.check()
	c.report(kills, recoveries, time.Since(began))
}

// errDestroyed ends people's taps of which nothing is known any longer.
var errDestroyed = errors.New("the bot was destroyed")

// buy lets all people buy, until end is called, which waits for their last purchases.
func (c *crashWorld) buy(ctx context.Context) (end func()) {
	var buying sync.WaitGroup
	var ending atomic.Bool
	for _, b := range c.people {
		buying.Go(func() {
			err := b.giveKey(ctx)
			for err == nil && !ending.Load() {
				err = b.buy(ctx)
			}
			if err != nil && !errors.Is(context.Cause(ctx), errDestroyed) {
				c.t.Error(err)
			}
		})
	}
	return func() {
		ending.Store(true)
		buying.Wait()
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

// awaitDeliveries waits until all orders are delivered or told.
func (c *crashWorld) awaitDeliveries(deadline time.Time) {
	c.t.Helper()
	ctx, cancel := context.WithDeadline(c.t.Context(), deadline)
	defer cancel()
	for _, b := range c.people {
		err := b.Await(ctx, func([]telegram.Message) bool { return len(b.missing(c.market)) == 0 })
		if err != nil {
			c.t.Errorf("orders %v were neither delivered nor told: %v; the chat is:\n%s\nthe log is:\n%s", b.missing(c.market), errors.Unwrap(err), b.Transcript(), &c.log)
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

func (c *crashWorld) check() {
	c.t.Helper()
	c.checkOrders()
	for _, b := range c.people {
		if strings.Contains(b.Transcript(), placing) {
			c.t.Errorf("the last word is progress:\n%s", b.Transcript())
		}
	}
}

// checkOrders checks that nothing was bought twice.
func (c *crashWorld) checkOrders() {
	c.t.Helper()
	made, bought := map[string]int{}, map[string]int{}
	for _, order := range c.market.Orders() {
		made[order.Key]++
		bought[order.Link]++
	}
	for _, number := range c.market.Numbers() {
		made[number.Key]++
	}
	for address, orders := range bought {
		if orders > 1 || !strings.HasPrefix(address, "purchase") {
			c.t.Errorf("%d orders for one purchase, to the address %q", orders, address)
		}
	}
	confirms := 0
	for _, b := range c.people {
		confirms += b.confirms
		if made[b.key] > b.confirms {
			c.t.Errorf("%d orders for %d taps on Confirm", made[b.key], b.confirms)
		}
	}
	if adds := c.requests(); adds > confirms || c.market.Count("add") == 0 || c.market.Count("add_sms") == 0 {
		c.t.Errorf("%d requests to buy for %d taps on Confirm", adds, confirms)
	}
}

// requests returns how many requests to buy or rent the marketplace got.
func (c *crashWorld) requests() int { return c.market.Count("add") + c.market.Count("add_sms") }

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
	c.t.Logf("%d kills, %d in a row; %d people, %d taps on Confirm, %d requests to buy, %d orders, %d numbers, %d updates given up and told",
		kills, killsInARow, crashPeople, confirms, c.requests(), len(c.market.Orders()), len(c.market.Numbers()), givenUp)
	c.t.Logf("everything answered after the last kill in a row: median %s, longest %s, %d of %d over %s; deliveries afterwards %s",
		ms(recoveries[len(recoveries)/2]), ms(recoveries[len(recoveries)-1]), late, len(recoveries), crashAim, ms(rest))
	c.t.Logf("%d answers, kills in between: median %s, 99%% within %s, longest %s", len(waits), ms(waits[len(waits)/2]), ms(waits[len(waits)*99/100]), ms(waits[len(waits)-1]))
}
