package orders_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// buyBasket buys a basket of three lines. The process is killed at a step, "#2" at the
// second time that it comes to it.
const buyBasket = "basket"

// basketLinks are the links of the lines.
var basketLinks = []string{"https://instagram.com/one", "https://instagram.com/two", "https://instagram.com/three"}

func likes(link string) orders.Intent {
	return orders.Intent{Item: hstock.Item{Service: market.InstagramFollowers, Name: "Followers", EntityType: hstock.EntitySMM}, Link: link, Quantity: 1000}
}

// TestKilledWhileBuyingBasket: after a kill between each two steps each line was bought at
// most once, the next process has gone on, and what was not bought is offered again.
func TestKilledWhileBuyingBasket(t *testing.T) {
	for _, test := range []struct {
		killTest
		bought int    // lines whose orders the marketplace has
		rest   int    // lines of the new basket
		reason string // why it has ended
		any    bool   // these are not known
	}{
		{killTest: killTest{step: "basket started"}, bought: 3},
		{killTest: killTest{step: "claimed"}, bought: 2, rest: 1}, // the line is rejected, the others follow
		{killTest: killTest{step: "claimed#2"}, bought: 2, rest: 1},
		{killTest: killTest{step: "claimed#3"}, bought: 2, rest: 1},
		{killTest: killTest{step: "sending"}, rest: 2, reason: orders.BasketUnknown},
		{killTest: killTest{step: "sending#2"}, bought: 1, rest: 1, reason: orders.BasketUnknown},
		{killTest: killTest{step: "sending#3"}, bought: 2, reason: orders.BasketUnknown},
		{killTest: killTest{step: "answered"}, bought: 1, rest: 2, reason: orders.BasketUnknown},
		{killTest: killTest{step: "answered#3"}, bought: 3, reason: orders.BasketUnknown},
		{killTest: killTest{step: "placed"}, bought: 3},
		{killTest: killTest{step: "placed#2"}, bought: 3},
		{killTest: killTest{step: "basket line"}, bought: 3},
		{killTest: killTest{step: "basket line#2"}, bought: 3},
		{killTest: killTest{step: "basket line#3"}, bought: 3},
		{killTest: killTest{step: "basket ended"}, bought: 3},
		{killTest: killTest{step: "sent"}, any: true}, // a message meets the lines at any step
		{killTest: killTest{step: "never"}, bought: 3},
		{killTest: killTest{step: "rejected", fault: market.Refuse}, rest: 3, reason: orders.BasketMoney},
		{killTest: killTest{step: "outcome unknown", fault: market.CommitThenLose}, bought: 1, rest: 2, reason: orders.BasketUnknown},
		{killTest: killTest{step: "basket line", fault: market.CommitThenLose}, bought: 1, rest: 2, reason: orders.BasketUnknown},
	} {
		t.Run(test.String(), func(t *testing.T) {
			t.Parallel()
			marketplace := newKillMarket(t, market.Options{})
			if test.fault != "" {
				marketplace.Fault(market.Fault{Action: "add", Kind: test.fault, Message: "Insufficient balance"})
			}
			dir := t.TempDir()
			id, received := runUntilKilled(t, marketplace, dir, buyBasket, test.step)
			var ended, rest storage.Basket
			messages := takeOver(t, marketplace, dir, func(t *testing.T, db *storage.DB, service *orders.Service) {
				_, err := service.StartBasket(t.Context(), anna, id, 1, 0, 0) // Telegram repeats the tap
				testworld.Must(t, err)
				testworld.Pass(3 * time.Minute)
				ended, err = db.Basket(t.Context(), anna, id)
				testworld.Must(t, err)
				rest, _ = db.Basket(t.Context(), anna, 0)
			})
			for _, message := range messages {
				received = append(received, message.Kind)
			}

			var bought []string
			for _, order := range marketplace.Orders() {
				bought = append(bought, order.Link)
			}
			slices.Sort(bought)
			if test.any {
				test.bought, test.rest, test.reason = len(slices.Compact(slices.Clone(bought))), len(rest.Lines), ended.Reason
			}
			if len(bought) != test.bought || len(slices.Compact(bought)) != test.bought {
				t.Errorf("bought %q, want %d lines", bought, test.bought)
			}
			if ended.State != storage.BasketEnded || ended.Reason != test.reason || len(ended.Lines) != 3 || !slices.Contains(received, orders.MessageBasketEnded) {
				t.Errorf("the basket is %s %q, and the person received %q", ended.State, ended.Reason, received)
			}
			if len(rest.Lines) != test.rest {
				t.Errorf("%d lines are offered again, want %d", len(rest.Lines), test.rest)
			}
			for _, line := range rest.Lines {
				if slices.Contains(bought, line.Link) {
					t.Errorf("%s was bought, and is offered again", line.Link)
				}
			}
		})
	}
}

// runBasket is the rest of the process that buys a basket until it is killed.
func runBasket(ctx context.Context, db *storage.DB, service *orders.Service, messages *outbox.Outbox, sender *fileSender) error {
	intents := []orders.Intent{likes(basketLinks[0]), likes(basketLinks[1]), likes(basketLinks[2])}
	if err := service.AddToBasket(ctx, anna, 1, intents); err != nil {
		return err
	}
	basket, err := db.Basket(ctx, anna, 0)
	if err != nil {
		return err
	}
	quote, err := service.PriceBasket(ctx, basket, map[int64]hstock.Item{market.InstagramFollowers: intents[0].Item}, "en")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(os.Stdout, quote.ID); err != nil {
		return err
	}
	if started, err := service.StartBasket(ctx, anna, quote.ID, quote.Revision, 0, 0); err != nil || !started {
		return fmt.Errorf("started %v, %w", started, err)
	}
	messages.Start(sender)
	service.Start()
	select {
	case <-sender.delivered:
		return nil
	case <-time.After(20 * time.Second):
		return fmt.Errorf("the basket does not end")
	}
}
