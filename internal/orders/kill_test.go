package orders_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/memnet"
	"hstockbot/storage"
)

// What the process that is killed is told through its environment.
const (
	killAt     = "HSTOCKBOT_TEST_KILL_AT"
	killDB     = "HSTOCKBOT_TEST_DB"
	killMarket = "HSTOCKBOT_TEST_MARKET"
	killToldIn = "HSTOCKBOT_TEST_TOLD"
	killRents  = "HSTOCKBOT_TEST_RENTS" // numbers instead of accounts
)

func TestMain(m *testing.M) {
	if step, ok := os.LookupEnv(killAt); ok {
		if err := buyUntilKilled(step); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// TestKilledBetweenTwoSteps kills a process with SIGKILL after each step of a
// purchase and of a delivery, lets another one take over, and repeats the tap.
// Nothing is bought twice, and the person learns what is true.
func TestKilledBetweenTwoSteps(t *testing.T) {
	for _, test := range []struct {
		step  string
		fault market.FaultKind
	}{
		{step: "drafted"},
		{step: "claimed"},
		{step: "sending"},
		{step: "answered"},
		{step: "placed"},
		{step: "polled"},
		{step: "reported"},
		{step: "sent"},
		{step: "never"},
		{step: "answered", fault: market.CommitThenLose},
		{step: "doubted", fault: market.CommitThenLose},
		{step: "doubted", fault: market.CutBefore},
		{step: "answered", fault: market.Refuse},
		{step: "rejected", fault: market.Refuse},
	} {
		t.Run(strings.Trim(test.step+" "+string(test.fault), " "), func(t *testing.T) {
			t.Parallel()
			shop := market.New(market.Options{})
			defer shop.Close()
			shop.AddKey(annaKey.Reveal(), "100.00", "USD")
			if test.fault != "" {
				shop.Fault(market.Fault{Action: "add", Kind: test.fault, Message: "Insufficient balance"})
			}
			dir := t.TempDir()
			draft, told := runUntilKilled(t, shop, dir, test.step)
			kinds, outcome := takeOver(t, shop, filepath.Join(dir, "bot.db"), draft, told)

			if adds := shop.Count("add"); adds > 1 {
				t.Errorf("%d requests to buy reached the marketplace", adds)
			}
			made := shop.Orders()
			switch {
			case len(made) > 1:
				t.Errorf("bought %d times", len(made))
			case outcome == orders.Unknown:
				if !slices.Contains(kinds, orders.MessageOutcomeUnknown) {
					t.Errorf("the outcome is unknown, and nobody was told: %q", kinds)
				}
			case len(made) == 1:
				// A crash between sending and marking repeats goods: better than a loss.
				if outcome != orders.Placed || !slices.Contains(kinds, orders.MessageGoods) {
					t.Errorf("bought, but the tap comes to %v and %q was told", outcome, kinds)
				}
				if got := accountsIn(kinds); !slices.Equal(got, made[0].Accounts) {
					t.Errorf("arrived %q, delivered %q", got, made[0].Accounts)
				}
			default:
				if outcome != orders.Rejected && outcome != orders.Redrawn {
					t.Errorf("nothing was bought, but the tap comes to %v", outcome)
				}
			}
		})
	}
}

// TestKilledWhileRenting is the same with two numbers: each code arrives, however
// the process ends, and add_sms is sent at most once.
func TestKilledWhileRenting(t *testing.T) {
	for _, test := range []struct {
		step  string
		fault market.FaultKind
	}{
		{step: "claimed"},
		{step: "sending"},
		{step: "answered"},
		{step: "placed"},
		{step: "polled"},
		{step: "reported"},
		{step: "sent"},
		{step: "never"},
		{step: "doubted", fault: market.CommitThenLose},
	} {
		t.Run(strings.Trim(test.step+" "+string(test.fault), " "), func(t *testing.T) {
			t.Parallel()
			shop := market.New(market.Options{CodeAfter: 2 * time.Second})
			defer shop.Close()
			shop.AddKey(annaKey.Reveal(), "100.00", "USD")
			if test.fault != "" {
				shop.Fault(market.Fault{Action: "add_sms", Kind: test.fault})
			}
			dir := t.TempDir()
			draft, told := runUntilKilled(t, shop, dir, test.step, killRents+"=2")
			kinds, outcome := takeOver(t, shop, filepath.Join(dir, "bot.db"), draft, told)

			if calls := shop.Count("add_sms"); calls > 1 {
				t.Errorf("%d requests to rent reached the marketplace", calls)
			}
			rented := shop.Numbers()
			switch {
			case outcome == orders.Unknown:
				if !slices.Contains(kinds, orders.MessageOutcomeUnknown) {
					t.Errorf("the outcome is unknown, and nobody was told: %q", kinds)
				}
			case len(rented) == 0:
				if outcome != orders.Rejected {
					t.Errorf("nothing was rented, but the tap comes to %v", outcome)
				}
			case outcome != orders.Placed || len(rented) != 2:
				t.Errorf("%d numbers were rented, and the tap comes to %v", len(rented), outcome)
			default:
				for _, number := range rented {
					if !slices.Contains(kinds, "code "+number.Code) {
						t.Errorf("the code %q has not arrived: %q", number.Code, kinds)
					}
				}
			}
		})
	}
}

// TestKilledWhileCancelling: the next process does not send it again, and learns
// from the state what became of it.
func TestKilledWhileCancelling(t *testing.T) {
	for step, sent := range map[string]int{"cancelling": 0, "cancelled": 1} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			shop := market.New(market.Options{})
			defer shop.Close()
			shop.AddKey(annaKey.Reveal(), "100.00", "USD")
			dir := t.TempDir()
			draft, told := runUntilKilled(t, shop, dir, step, killRents+"=1")
			kinds, _ := takeOver(t, shop, filepath.Join(dir, "bot.db"), draft, told)
			if calls := shop.Count("cancel"); calls != sent {
				t.Errorf("%d requests to cancel, want %d", calls, sent)
			}
			if done := slices.Contains(kinds, orders.MessageEnded); done != (sent == 1) {
				t.Errorf("told %q", kinds)
			}
		})
	}
}

// runUntilKilled runs buyUntilKilled in a process of its own and returns the
// draft it confirmed and what the person was told.
func runUntilKilled(t *testing.T, shop *market.Server, dir, step string, more ...string) (draft int64, told []string) {
	t.Helper()
	server := httptest.NewServer(shop)
	defer server.Close()
	toldIn := filepath.Join(dir, "told")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), killAt+"="+step, killDB+"="+filepath.Join(dir, "bot.db"),
		killMarket+"="+server.URL, killToldIn+"="+toldIn)
	cmd.Env = append(cmd.Env, more...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	killed := cmd.ProcessState != nil && cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled()
	if killed == (step == "never") || (!killed && err != nil) {
		t.Fatalf("the process was to be killed at %q: killed %v, %v\n%s", step, killed, err, &stderr)
	}
	draft, err = strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	must(t, err)
	file, err := os.Open(toldIn)
	if os.IsNotExist(err) {
		return draft, nil
	}
	must(t, err)
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		told = append(told, lines.Text())
	}
	return draft, told
}

// buyUntilKilled is the process: it buys two accounts, or rents numbers, and
// delivers them, and ends itself at a step.
func buyUntilKilled(step string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	die := func(at string) {
		if at == step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // until the signal is there
		}
	}
	client, err := hstock.New(hstock.Options{URL: os.Getenv(killMarket)})
	if err != nil {
		return err
	}
	keys, err := storage.ParseKeys(testSecretKey)
	if err != nil {
		return err
	}
	db, err := storage.Open(ctx, storage.Options{URL: "sqlite:" + os.Getenv(killDB), Keys: keys})
	if err != nil {
		return err
	}
	delivered := make(chan struct{}, 100)
	intent := orders.Intent{UserID: anna, Row: hstock.Item{Service: market.AwkwardGoods, Name: "Goods", EntityType: "product"}, Quantity: 2}
	if rents, ok := os.LookupEnv(killRents); ok {
		if intent.Quantity, err = strconv.ParseInt(rents, 10, 64); err != nil {
			return err
		}
		intent.Row, intent.Rental = hstock.Item{}, storage.Rental{Project: market.ProjectTelegram, Country: market.CountryUS}
	}
	service := orders.New(orders.Options{
		DB: db, Market: client, SMMRatePer: 1000, Log: discard, Checkpoint: die,
		Send: func(_ context.Context, message storage.Message) (int64, error) {
			if message.Kind == orders.MessageGoods || message.Kind == orders.MessageCode {
				defer func() { delivered <- struct{}{} }()
			}
			return 0, appendTold(os.Getenv(killToldIn), message)
		},
	})
	if _, _, err := db.TouchUser(ctx, anna, "Anna", "en", true); err != nil {
		return err
	}
	if _, err := db.SaveKey(ctx, anna, annaKey); err != nil {
		return err
	}
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
		return fmt.Errorf("came to %v", outcome.Result)
	}
	if strings.HasPrefix(step, "cancel") {
		_, err := service.Cancel(ctx, anna, outcome.Orders[0].ID)
		return err
	}
	service.Start()
	for range outcome.Orders { // each is delivered by one message
		select {
		case <-delivered:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := service.Stop(ctx); err != nil {
		return err
	}
	return db.Close(ctx)
}

// appendTold writes a message down as a person's phone would keep it.
func appendTold(path string, message storage.Message) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(toldLines(message))
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}

// toldLines is a message's kind, then each account or code in it.
func toldLines(message storage.Message) string {
	lines := message.Kind + "\n"
	if message.Kind == orders.MessageCode {
		if sms, err := orders.DecodeSMS(message); err == nil {
			lines += "code " + sms.Code.Reveal() + "\n"
		}
	}
	if message.Kind == orders.MessageGoods {
		if goods, err := orders.DecodeGoods(message); err == nil {
			for _, account := range goods.Accounts {
				lines += "account " + strconv.Quote(account.Reveal()) + "\n"
			}
		}
	}
	return lines
}

// accountsIn returns the accounts of the told lines; a repeated message counts once.
func accountsIn(told []string) []string {
	var accounts []string
	for _, line := range told {
		if quoted, ok := strings.CutPrefix(line, "account "); ok {
			if account, err := strconv.Unquote(quoted); err == nil && !slices.Contains(accounts, account) {
				accounts = append(accounts, account)
			}
		}
	}
	return accounts
}

// takeOver is the next process, in simulated time from now on: Telegram repeats
// the tap, ten minutes pass, and the person taps once more.
func takeOver(t *testing.T, shop *market.Server, path string, draft int64, told []string) ([]string, orders.Result) {
	now := time.Now()
	var last orders.Result
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(now)) // the leases in the database are of today
		net := memnet.New()
		url, stop := net.Serve("market", shop)
		defer stop()
		client, err := hstock.New(hstock.Options{URL: url, Dial: net.Dial})
		must(t, err)
		defer client.Close()
		db := openDB(t, path)
		defer func() { must(t, db.Close(t.Context())) }()
		service := orders.New(orders.Options{
			DB: db, Market: client, SMMRatePer: 1000, Log: discard,
			Send: func(_ context.Context, message storage.Message) (int64, error) {
				told = append(told, strings.Split(strings.TrimSpace(toldLines(message)), "\n")...)
				return 0, nil
			},
		})
		service.Start()
		_, err = service.Confirm(t.Context(), anna, draft, "en")
		must(t, err)
		pass(10 * time.Minute)
		outcome, err := service.Confirm(t.Context(), anna, draft, "en")
		must(t, err)
		last = outcome.Result
		pass(time.Minute)
		must(t, service.Stop(t.Context()))
	})
	return told, last
}
