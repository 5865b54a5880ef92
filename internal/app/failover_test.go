package app_test

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// TestFailoverUnderLoad kills the server of the database while people buy, and promotes its
// synchronous standby. Nothing is bought twice, everything that was bought is delivered or
// told, and each tap gets an answer.
func TestFailoverUnderLoad(t *testing.T) {
	purchases, ok := asked(t, envPurchases, strconv.Atoi)
	if !ok {
		purchases = 60
	}
	pair := pgtest.NewPair(t, true)
	c := newCrashWorld(t)
	c.env = append(c.env, envDatabase+"="+pair.URL())
	for _, b := range c.people {
		b.mayFail = true
	}
	c.start()
	ctx, cancel := context.WithTimeout(t.Context(), crashDeadline)
	defer cancel()
	end := c.buy(ctx)
	c.awaitAdds(ctx, purchases/2)
	began := time.Now()
	pair.FailOver()
	answered := c.awaitAnswers(time.Now())
	c.awaitAdds(ctx, purchases)
	end()
	c.awaitDeliveries(time.Now().Add(crashDeadline))
	c.awaitOutcomes(time.Now().Add(crashDeadline))
	c.check()
	keys, err := storage.ParseKeys(testworld.SecretKey)
	testworld.Must(t, err)
	db, err := storage.Open(ctx, storage.Options{URL: pair.URL(), Keys: keys})
	testworld.Must(t, err)
	defer func() { testworld.Must(t, db.Close(context.WithoutCancel(ctx))) }()
	_, unknown, err := db.AdminUnresolvedPurchases(ctx, storage.AdminOrderFilter{}, 1, 0)
	testworld.Must(t, err)
	for _, order := range c.market.Orders() {
		taken, err := db.ExternalIDTaken(ctx, 0, storage.KindProduct, strconv.FormatInt(order.Number, 10))
		testworld.Must(t, err)
		if !taken {
			unknown--
		}
	}
	if unknown < 0 {
		t.Errorf("%d orders have no row, and their purchases are not unknown", -unknown)
	}
	restoration, err := db.Restoration(ctx)
	if err != nil || restoration.At.Before(began) {
		t.Errorf("the program has not noticed the failover: %+v, %v", restoration, err)
	}
	t.Logf("%d orders; answered %s after the promotion", len(c.market.Orders()), answered)
}

// awaitAdds waits until the marketplace was asked to buy so often.
func (c *crashWorld) awaitAdds(ctx context.Context, adds int) {
	c.t.Helper()
	changes, cancel := c.telegram.Subscribe()
	defer cancel()
	for c.market.Count("add") < adds {
		select {
		case <-changes:
		case <-ctx.Done():
			c.t.Fatalf("%d requests to buy; the log is:\n%s", c.market.Count("add"), &c.log)
		}
	}
}

// TestTokenOfAnotherBotIsRefused: one bot's database is not another's.
func TestTokenOfAnotherBotIsRefused(t *testing.T) {
	keys, err := storage.ParseKeys(moveKey)
	testworld.Must(t, err)
	url := testworld.DatabaseURL(t, filepath.Join(t.TempDir(), "bot.db"))
	db, err := storage.Open(t.Context(), storage.Options{URL: url, Keys: keys, BotID: "42"})
	testworld.Must(t, err)
	testworld.Must(t, db.Close(t.Context()))
	status, _, stderr := buildProgram(t).command(t, []string{"TELEGRAM_TOKEN=" + testworld.Token, "DATABASE_URL=" + url, "SECRET_KEY=" + moveKey})
	if status != exitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "it is that of bot 42, and TELEGRAM_TOKEN is of bot 1234567") {
		t.Errorf("exit %d:\n%s", status, stderr)
	}
}
