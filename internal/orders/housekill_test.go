package orders_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// buyInTurn makes Clara and Dora buy with the operator's key at the same time.
const buyInTurn = "turns"

// TestKilledWhileTakingTurns: after a kill at each step each purchase was bought at most once,
// none waits for ever, and the allowance is short of what was bought, or may have been.
func TestKilledWhileTakingTurns(t *testing.T) {
	for _, test := range []struct {
		killTest
		bought int // orders that the marketplace has
	}{
		{killTest: killTest{step: "claimed"}},
		{killTest: killTest{step: "sending"}},
		{killTest: killTest{step: "queued"}, bought: 1}, // Clara's request is cut off; Dora's turn comes
		{killTest: killTest{step: "answered"}, bought: 2},
		{killTest: killTest{step: "placed"}, bought: 2},
		{killTest: killTest{step: "claimed#2"}, bought: 1},
		{killTest: killTest{step: "sending#2"}, bought: 1},
		{killTest: killTest{step: "answered#2"}, bought: 2},
		{killTest: killTest{step: "placed#2"}, bought: 2},
		{killTest: killTest{step: "applied"}, bought: 2},
		{killTest: killTest{step: "applied#2"}, bought: 2},
		{killTest: killTest{step: "never"}, bought: 2},
	} {
		t.Run(test.String(), func(t *testing.T) {
			t.Parallel()
			marketplace := newKillMarket(t, market.Options{})
			marketplace.AddKey(testworld.OperatorKey.Reveal(), "100.00", "USD")
			marketplace.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 2 * time.Second})
			dir := t.TempDir()
			doras, _ := runUntilKilled(t, marketplace, dir, buyInTurn, test.step)
			marketplace.ClearFaults() // if Clara's request was not sent: in a bubble the delay of another's server never ends
			takeOver(t, marketplace, dir, func(t *testing.T, db *storage.DB, service *orders.Service) {
				ctx := t.Context()
				again := func() orders.Outcome {
					outcome, err := service.Outcome(ctx, dora, doras)
					if err == nil && outcome.Result != orders.Drafted { // Telegram repeats the tap
						outcome, err = service.Confirm(ctx, dora, doras, "en")
					}
					testworld.Must(t, err)
					return outcome
				}
				again()
				testworld.Pass(5 * time.Minute)
				switch outcome := again(); outcome.Result {
				case orders.Waiting, orders.InProgress:
					t.Errorf("Dora's purchase is %v in the end", outcome.Result)
				case orders.Placed, orders.Rejected, orders.OutcomeUnknown, orders.Drafted:
				default:
					t.Errorf("Dora's purchase is %v", outcome.Result)
				}
				taken := decimal.Zero
				for _, person := range []int64{clara, dora} {
					placed, err := db.CountOrders(ctx, person, storage.FilterAll)
					testworld.Must(t, err)
					unknown, err := db.UnresolvedPurchases(ctx, person, false)
					testworld.Must(t, err)
					if placed+len(unknown) > 1 {
						t.Errorf("%d has %d orders and %d unknown purchases", person, placed, len(unknown))
					}
					a, err := db.Allowance(ctx, person, time.Now())
					testworld.Must(t, err)
					of := a.Held.Add(a.Spent)
					if want := decimal.NewFromInt(int64(placed + len(unknown))).Mul(dec("1.38")); !of.Equal(want) {
						t.Errorf("%d: %s are taken, want %s", person, of, want)
					}
					taken = taken.Add(of)
				}
				if cost := decimal.NewFromInt(int64(len(marketplace.Orders()))).Mul(dec("1.38")); taken.LessThan(cost) {
					t.Errorf("%s are taken for what costs %s", taken, cost)
				}
			})
			if n := len(marketplace.Orders()); n != test.bought || marketplace.Count("add") > 2 {
				t.Errorf("%d orders of %d requests, want %d", n, marketplace.Count("add"), test.bought)
			}
		})
	}
}

// runTurns is the rest of the process that buys for two people until it is killed. It returns
// an order for each message that is waited for.
func runTurns(ctx context.Context, db *storage.DB, service *orders.Service, messages *outbox.Outbox, sender *fileSender) ([]storage.Order, error) {
	if err := db.SetOperatorKey(ctx, testworld.OperatorKey, []int64{olga}); err != nil {
		return nil, err
	}
	drafts := map[int64]int64{}
	for _, person := range []int64{clara, dora} {
		if _, _, err := db.TouchUser(ctx, person, "Somebody", "en", true); err != nil {
			return nil, err
		}
		if _, err := db.GiveAllowance(ctx, person, storage.AllowanceTerms{Amount: dec("20"), Currency: "USD", Markup: dec("10")}, byOlga()); err != nil {
			return nil, err
		}
		quote, err := service.Draft(ctx, orders.Intent{UserID: person, Item: hstock.Item{Service: market.GmailUSA, EntityType: hstock.EntityProduct}, Quantity: 1})
		if err != nil {
			return nil, err
		}
		drafts[person] = quote.Purchase.ID
		if _, err := fmt.Fprintln(os.Stdout, quote.Purchase.ID); err != nil {
			return nil, err
		}
	}
	first := make(chan error, 1)
	go func() {
		_, err := service.Confirm(ctx, clara, drafts[clara], "en")
		first <- err
	}()
	for {
		outcome, err := service.Outcome(ctx, clara, drafts[clara])
		if err != nil {
			return nil, err
		}
		if outcome.Result == orders.InProgress && !outcome.Purchase.SentAt.IsZero() {
			break
		}
	}
	if outcome, err := service.Confirm(ctx, dora, drafts[dora], "en"); err != nil || outcome.Result != orders.Waiting {
		return nil, fmt.Errorf("the second purchase: %v, %w", outcome.Result, err)
	}
	messages.Start(sender)
	service.Start()
	return make([]storage.Order, 2), <-first
}
