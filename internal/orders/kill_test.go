package orders_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/memnet"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// These tests kill a process with SIGKILL at a checkpoint and let another process
// take over its database. The environment tells the first process what to do.
const (
	envStep     = "HSTOCKBOT_TEST_KILL_AT"
	envScenario = "HSTOCKBOT_TEST_SCENARIO"
	envDB       = "HSTOCKBOT_TEST_DB"
	envMarket   = "HSTOCKBOT_TEST_MARKET"
	envReceived = "HSTOCKBOT_TEST_RECEIVED" // the file of what the person has received
)

// What the first process does after Draft and Confirm.
const (
	buyAccounts   = "buy"        // delivers two accounts
	rentPhones    = "rent"       // delivers the codes of two phones
	cancelOne     = "cancel"     // cancels a rented phone
	cancelSeveral = "cancel all" // cancels three orders of accounts
)

var discardLog = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) {
	if step, ok := os.LookupEnv(envStep); ok {
		if err := runScenario(os.Getenv(envScenario), step); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

type killTest struct {
	step  string
	fault market.FaultKind // of the request to buy
}

func (k killTest) String() string { return strings.Trim(k.step+" "+string(k.fault), " ") }

// newKillMarket returns a marketplace with Anna's key.
func newKillMarket(t *testing.T, o market.Options) *market.Server {
	t.Helper()
	server := market.New(o)
	t.Cleanup(server.Close)
	server.AddKey(testworld.AnnaKey.Reveal(), "100.00", "USD")
	return server
}

// TestKilledWhileBuying: after a kill at each step of a purchase and of its delivery
// nothing is bought twice, and the person learns the outcome.
func TestKilledWhileBuying(t *testing.T) {
	for _, test := range []killTest{
		{step: "drafted"},
		{step: "claimed"},
		{step: "sending"},
		{step: "answered"},
		{step: "placed"},
		{step: "polled"},
		{step: "applied"},
		{step: "sent"},
		{step: "never"},
		{step: "answered", fault: market.CommitThenLose},
		{step: "outcome unknown", fault: market.CommitThenLose},
		{step: "outcome unknown", fault: market.CutBefore},
		{step: "answered", fault: market.Refuse},
		{step: "rejected", fault: market.Refuse},
	} {
		t.Run(test.String(), func(t *testing.T) {
			t.Parallel()
			marketplace := newKillMarket(t, market.Options{})
			if test.fault != "" {
				marketplace.Fault(market.Fault{Action: "add", Kind: test.fault, Message: "Insufficient balance"})
			}
			received, outcome := killAndRepeatTap(t, marketplace, buyAccounts, test.step)

			if adds := marketplace.Count("add"); adds > 1 {
				t.Errorf("%d requests to buy reached the marketplace", adds)
			}
			made := marketplace.Orders()
			switch {
			case len(made) > 1:
				t.Errorf("bought %d times", len(made))
			case outcome == orders.OutcomeUnknown:
				if !slices.Contains(received, orders.MessageOutcomeUnknown) {
					t.Errorf("the outcome is unknown, and the person received only %q", received)
				}
			case len(made) == 1:
				if outcome != orders.Placed || !slices.Contains(received, orders.MessageGoods) {
					t.Errorf("bought, but the outcome is %v and the person received %q", outcome, received)
				}
				if got := accountsIn(received); !slices.Equal(got, made[0].Accounts) {
					t.Errorf("received %q, delivered %q", got, made[0].Accounts)
				}
			default:
				if outcome != orders.Rejected && outcome != orders.Redrawn {
					t.Errorf("nothing was bought, but the outcome is %v", outcome)
				}
			}
		})
	}
}

// TestKilledWhileRenting: after a kill at each step add_sms was sent at most once,
// and each code arrives.
func TestKilledWhileRenting(t *testing.T) {
	for _, test := range []killTest{
		{step: "claimed"},
		{step: "sending"},
		{step: "answered"},
		{step: "placed"},
		{step: "polled"},
		{step: "applied"},
		{step: "sent"},
		{step: "never"},
		{step: "outcome unknown", fault: market.CommitThenLose},
	} {
		t.Run(test.String(), func(t *testing.T) {
			t.Parallel()
			marketplace := newKillMarket(t, market.Options{CodeAfter: 2 * time.Second})
			if test.fault != "" {
				marketplace.Fault(market.Fault{Action: "add_sms", Kind: test.fault})
			}
			received, outcome := killAndRepeatTap(t, marketplace, rentPhones, test.step)

			if calls := marketplace.Count("add_sms"); calls > 1 {
				t.Errorf("%d requests to rent reached the marketplace", calls)
			}
			rented := marketplace.Numbers()
			switch {
			case outcome == orders.OutcomeUnknown:
				if !slices.Contains(received, orders.MessageOutcomeUnknown) {
					t.Errorf("the outcome is unknown, and the person received only %q", received)
				}
			case len(rented) == 0:
				if outcome != orders.Rejected {
					t.Errorf("nothing was rented, but the outcome is %v", outcome)
				}
			case outcome != orders.Placed || len(rented) != 2:
				t.Errorf("%d phones were rented, and the outcome is %v", len(rented), outcome)
			default:
				for _, phone := range rented {
					if !slices.Contains(received, "code "+phone.Code) {
						t.Errorf("the code %q has not arrived: %q", phone.Code, received)
					}
				}
			}
		})
	}
}

// TestKilledWhileCancelling: the next process does not send the cancel again, and
// learns from the order's state whether it was done.
func TestKilledWhileCancelling(t *testing.T) {
	for step, sent := range map[string]int{"cancelling": 0, "cancelled": 1} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			marketplace := newKillMarket(t, market.Options{})
			received, _ := killAndRepeatTap(t, marketplace, cancelOne, step)
			if calls := marketplace.Count("cancel"); calls != sent {
				t.Errorf("%d requests to cancel, want %d", calls, sent)
			}
			if notified := slices.Contains(received, orders.MessageEnded); notified != (sent == 1) {
				t.Errorf("received %q", received)
			}
		})
	}
}

// TestKilledWhileCancellingAll is the same for a request that cancels three orders.
func TestKilledWhileCancellingAll(t *testing.T) {
	for step, sent := range map[string]int{"cancelling": 0, "cancelled": 1} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			marketplace := newKillMarket(t, market.Options{})
			testworld.Must(t, marketplace.Hold(market.GmailUSA, true))
			dir := t.TempDir()
			runUntilKilled(t, marketplace, dir, cancelSeveral, step)
			if n := marketplace.Count("cancel"); n != sent {
				t.Fatalf("%d requests to cancel were sent, want %d", n, sent)
			}
			takeOver(t, marketplace, dir, func(t *testing.T, db *storage.DB, service *orders.Service) {
				all, err := db.Orders(t.Context(), anna, storage.FilterAll, 10, 0)
				testworld.Must(t, err)
				var ids []int64
				for _, o := range all {
					ids = append(ids, o.ID)
				}
				if outcomes, err := service.CancelAll(t.Context(), anna, ids); err != nil || len(outcomes) != 0 {
					t.Errorf("a second CancelAll: %+v, %v", outcomes, err)
				}
				testworld.Pass(5 * time.Second)
				for _, id := range ids {
					o, err := db.Order(t.Context(), anna, id)
					testworld.Must(t, err)
					if cancelled := o.State == storage.OrderCancelled; cancelled != (sent == 1) {
						t.Errorf("order %s is %s", o.ExternalID, o.State)
					}
				}
			})
			if n := marketplace.Count("cancel"); n != sent {
				t.Errorf("%d requests to cancel in all, want %d", n, sent)
			}
		})
	}
}

// killAndRepeatTap runs a scenario until the process is killed. In the next process
// the tap on Confirm is repeated, at once and after five seconds. It returns what the
// person has received from both processes and the outcome of the last tap.
func killAndRepeatTap(t *testing.T, marketplace *market.Server, scenario, step string) (received []string, last orders.Result) {
	t.Helper()
	dir := t.TempDir()
	draft, received := runUntilKilled(t, marketplace, dir, scenario, step)
	messages := takeOver(t, marketplace, dir, func(t *testing.T, _ *storage.DB, service *orders.Service) {
		_, err := service.Confirm(t.Context(), anna, draft, "en")
		testworld.Must(t, err)
		testworld.Pass(5 * time.Second)
		outcome, err := service.Confirm(t.Context(), anna, draft, "en")
		testworld.Must(t, err)
		last = outcome.Result
	})
	for _, message := range messages {
		received = append(received, lines(message)...)
	}
	return received, last
}

// runUntilKilled runs a scenario in a process of its own and returns the last draft
// that it confirmed and what the person received.
func runUntilKilled(t *testing.T, marketplace *market.Server, dir, scenario, step string) (draft int64, received []string) {
	t.Helper()
	server := httptest.NewServer(marketplace)
	defer server.Close()
	receivedIn := filepath.Join(dir, "received")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envStep+"="+step, envScenario+"="+scenario, envDB+"="+testworld.DatabaseURL(t, filepath.Join(dir, "bot.db")),
		envMarket+"="+server.URL, envReceived+"="+receivedIn)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	killed := cmd.ProcessState != nil && cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled()
	if killed == (step == "never") || (!killed && err != nil) {
		t.Fatalf("step %q: killed %v, %v\n%s", step, killed, err, &stderr)
	}
	drafts := strings.Fields(string(out))
	draft, err = strconv.ParseInt(drafts[len(drafts)-1], 10, 64)
	testworld.Must(t, err)
	file, err := os.Open(receivedIn)
	if os.IsNotExist(err) {
		return draft, nil
	}
	testworld.Must(t, err)
	defer func() { _ = file.Close() }()
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		received = append(received, scanner.Text())
	}
	return draft, received
}

// runScenario is the process that is killed at a step.
func runScenario(scenario, step string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var (
		mu   sync.Mutex
		seen = map[string]int{}
	)
	die := func(at string) {
		mu.Lock()
		seen[at]++
		nth := fmt.Sprintf("%s#%d", at, seen[at])
		mu.Unlock()
		if (at == step || nth == step) && (scenario != swapOne || swapTapped.Load()) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // until the signal arrives
		}
	}
	client, err := hstock.New(hstock.Options{URL: os.Getenv(envMarket)})
	if err != nil {
		return err
	}
	keys, err := storage.ParseKeys(testworld.SecretKey)
	if err != nil {
		return err
	}
	db, err := storage.Open(ctx, storage.Options{URL: os.Getenv(envDB), Keys: keys})
	if err != nil {
		return err
	}
	sender := &fileSender{path: os.Getenv(envReceived), delivered: make(chan struct{}, 100)}
	messages := outbox.New(outbox.Options{DB: db, Log: discardLog, Checkpoint: die})
	service := orders.New(orders.Options{DB: db, Market: client, SMMRatePer: 1000, Wake: messages.Wake, Log: discardLog, Checkpoint: die})
	if _, _, err := db.TouchUser(ctx, anna, "Anna", "en", true); err != nil {
		return err
	}
	if _, err := db.SaveKey(ctx, anna, testworld.AnnaKey); err != nil {
		return err
	}

	phones := orders.Intent{UserID: anna, Rental: storage.Rental{Project: market.ProjectTelegram, Country: market.CountryUS}, Quantity: 2}
	onePhone := phones
	onePhone.Quantity = 1
	awkward := orders.Intent{UserID: anna, Item: hstock.Item{Service: market.AwkwardGoods, Name: "Goods", EntityType: hstock.EntityProduct}, Quantity: 2}
	gmail := orders.Intent{UserID: anna, Item: hstock.Item{Service: market.GmailUSA, EntityType: hstock.EntityProduct}, Quantity: 1}
	var placed []storage.Order
	for _, intent := range map[string][]orders.Intent{
		buyAccounts: {awkward}, rentPhones: {phones}, cancelOne: {onePhone}, swapOne: {onePhone}, cancelSeveral: {gmail, gmail, gmail},
	}[scenario] {
		quote, err := service.Draft(ctx, intent)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(os.Stdout, quote.Purchase.ID); err != nil {
			return err
		}
		die("drafted")
		outcome, err := service.Confirm(ctx, anna, quote.Purchase.ID, "en")
		if err != nil {
			return err
		}
		if outcome.Result != orders.Placed {
			return fmt.Errorf("outcome %v", outcome.Result)
		}
		placed = append(placed, outcome.Orders...)
	}
	switch scenario {
	case cancelOne:
		_, err := service.Cancel(ctx, anna, placed[0].ID)
		return err
	case cancelSeveral:
		_, err := service.CancelAll(ctx, anna, []int64{placed[0].ID, placed[1].ID, placed[2].ID})
		return err
	case buyInTurn:
		if placed, err = runTurns(ctx, db, service, messages, sender); err != nil {
			return err
		}
	case buyBasket:
		if err := runBasket(ctx, db, service, messages, sender); err != nil {
			return err
		}
	case swapOne:
		if err := runSwap(ctx, service, messages, sender, placed[0]); err != nil {
			return err
		}
		placed = nil // all messages have arrived
	default:
		messages.Start(sender)
		service.Start()
	}
	for range placed { // each is delivered by one message
		select {
		case <-sender.delivered:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := service.Stop(ctx); err != nil {
		return err
	}
	if err := messages.Stop(ctx); err != nil {
		return err
	}
	return db.Close(ctx)
}

// fileSender keeps what a person receives in a file that outlives the process.
type fileSender struct {
	path      string
	delivered chan struct{}
}

func (f *fileSender) Send(_ context.Context, message storage.Message) (int64, error) {
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	_, err = file.WriteString(strings.Join(lines(message), "\n") + "\n")
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if message.Kind == orders.MessageGoods || message.Kind == orders.MessageCode || message.Kind == orders.MessageBasketEnded || swapTapped.Load() && (message.Kind == orders.MessageRental || message.Kind == orders.MessageSwap) {
		f.delivered <- struct{}{}
	}
	return 0, err
}

// lines are a message's kind, then each account or code in it.
func lines(message storage.Message) []string {
	all := []string{message.Kind}
	switch message.Kind {
	case orders.MessageCode:
		if sms, err := orders.DecodeSMS(message); err == nil {
			all = append(all, "code "+sms.Code.Reveal())
		}
	case orders.MessageGoods:
		if goods, err := orders.DecodeGoods(message); err == nil {
			for _, account := range goods.Accounts {
				all = append(all, "account "+strconv.Quote(account.Reveal()))
			}
		}
	}
	return all
}

// accountsIn returns the accounts of the lines. A repeated message counts once: a
// crash between sending and marking repeats the goods.
func accountsIn(received []string) []string {
	var accounts []string
	for _, line := range received {
		if quoted, ok := strings.CutPrefix(line, "account "); ok {
			if account, err := strconv.Unquote(quoted); err == nil && !slices.Contains(accounts, account) {
				accounts = append(accounts, account)
			}
		}
	}
	return accounts
}

// takeOver runs a test with the next process on the database, in simulated time from
// now on, and returns the messages that process has sent.
func takeOver(t *testing.T, marketplace *market.Server, dir string, test func(t *testing.T, db *storage.DB, service *orders.Service)) (sent []storage.Message) {
	t.Helper()
	now := time.Now()
	synctest.Test(t, func(t *testing.T) {
		testworld.Pass(time.Until(now)) // the times in the database are those of today
		net := memnet.New()
		url, stop := net.Serve("market", marketplace)
		defer stop()
		client, err := hstock.New(hstock.Options{URL: url, Dial: net.Dial})
		testworld.Must(t, err)
		defer client.Close()
		db := testworld.OpenDB(t, filepath.Join(dir, "bot.db"))
		defer func() { testworld.Must(t, db.Close(t.Context())) }()
		until := now.Add(time.Minute) // the next lines are as in package replica
		testworld.Must(t, db.AddReplica(t.Context(), storage.Replica{ID: "next", StartedAt: now, Until: until}))
		testworld.Must(t, db.SetOperatorKey(t.Context(), testworld.OperatorKey, []int64{olga}))
		_, err = db.Beat(t.Context(), "next", "lease", now, until)
		testworld.Must(t, err)
		recorder := &testworld.Recorder{}
		messages := outbox.New(outbox.Options{DB: db, Log: discardLog})
		service := orders.New(orders.Options{DB: db, Market: client, SMMRatePer: 1000, Wake: messages.Wake, Log: discardLog})
		messages.Start(recorder)
		service.Start()
		test(t, db, service)
		testworld.Must(t, service.Stop(t.Context()))
		testworld.Must(t, messages.Stop(t.Context()))
		sent = recorder.Sent()
	})
	return sent
}
