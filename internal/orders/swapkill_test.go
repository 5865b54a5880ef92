package orders_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// swapOne rents a phone and swaps it. The process is killed at a step after the tap.
const swapOne = "swap"

// swapTapped says that the process that is to be killed has made the tap.
var swapTapped atomic.Bool

// TestKilledWhileSwapping: after a kill at each step at most one cancel and one request to
// rent were sent for the tap, nothing more is sent for a repeated one, and the person knows
// the outcome.
func TestKilledWhileSwapping(t *testing.T) {
	for _, test := range []struct {
		killTest
		cancels int
		rented  bool // a new number
		unknown bool // whether it was rented
		any     bool // a poll or a message meets the swap at any step
	}{
		{killTest: killTest{step: "swap armed"}, cancels: 1, rented: true},
		{killTest: killTest{step: "cancelling"}},
		{killTest: killTest{step: "cancelled"}, cancels: 1},
		{killTest: killTest{step: "applied"}, any: true},
		{killTest: killTest{step: "swap cancelled"}, cancels: 1, rented: true},
		{killTest: killTest{step: "swap end confirmed"}, cancels: 1, rented: true},
		{killTest: killTest{step: "claimed"}, cancels: 1},
		{killTest: killTest{step: "sending"}, cancels: 1, unknown: true},
		{killTest: killTest{step: "answered"}, cancels: 1, rented: true, unknown: true},
		{killTest: killTest{step: "placed"}, cancels: 1, rented: true},
		{killTest: killTest{step: "sent"}, any: true},
		{killTest: killTest{step: "never"}, cancels: 1, rented: true},
		{killTest: killTest{step: "swap stopped", fault: market.CommitThenLose}, cancels: 1},
		{killTest: killTest{step: "cancelled", fault: market.CommitThenLose}, cancels: 1},
		{killTest: killTest{step: "rejected", fault: market.Refuse}, cancels: 1},
	} {
		t.Run(test.String(), func(t *testing.T) {
			t.Parallel()
			marketplace := newKillMarket(t, market.Options{})
			switch test.fault {
			case market.CommitThenLose:
				marketplace.Fault(market.Fault{Action: "cancel", Kind: test.fault})
			case market.Refuse: // the second request to rent
				marketplace.Fault(market.Fault{Action: "add_sms", Kind: market.Slow})
				marketplace.Fault(market.Fault{Action: "add_sms", Kind: test.fault, Message: "Insufficient balance"})
			}
			dir := t.TempDir()
			purchase, received := runUntilKilled(t, marketplace, dir, swapOne, test.step)
			var phone orders.Phone
			messages := takeOver(t, marketplace, dir, func(t *testing.T, db *storage.DB, service *orders.Service) {
				for range 2 {
					_, _, err := service.StartSwap(t.Context(), anna, purchase) // Telegram repeats the tap
					testworld.Must(t, err)
					testworld.Pass(2 * time.Minute)
				}
				swap, err := db.Swap(t.Context(), anna, purchase)
				testworld.Must(t, err)
				order, err := db.Order(t.Context(), anna, swap.OrderID)
				testworld.Must(t, err)
				phone, err = service.Phone(t.Context(), order)
				testworld.Must(t, err)
			})
			for _, message := range messages {
				received = append(received, message.Kind)
			}

			cancels, numbers := marketplace.Count("cancel"), len(marketplace.Numbers())
			if test.any {
				test.cancels, test.rented = min(cancels, 1), numbers > 1
			}
			if cancels != test.cancels {
				t.Errorf("%d cancels, want %d", cancels, test.cancels)
			}
			if numbers != 1 && !test.rented || numbers != 2 && test.rented {
				t.Errorf("%d numbers", numbers)
			}
			if n := marketplace.Count("add_sms"); n > 2 {
				t.Errorf("%d requests to rent", n)
			}
			if phone.Swap.Waiting() || !slices.Contains(received, orders.MessageSwap) {
				t.Errorf("the swap is %s %q, and the person received %q", phone.Swap.State, phone.Swap.Reason, received)
			}
			switch {
			case test.unknown:
				if phone.New.State != storage.PurchaseOutcomeUnknown || !slices.Contains(received, orders.MessageOutcomeUnknown) {
					t.Errorf("the purchase is %s, and the person received %q", phone.New.State, received)
				}
			case test.rented:
				if phone.NewPhone == "" || count(received, orders.MessageRental) < 2 {
					t.Errorf("the new number is %q, and the person received %q", phone.NewPhone, received)
				}
			case phone.NewPhone != "" || phone.Swap.Reason == "" && phone.New.State != storage.PurchaseRejected:
				t.Errorf("nothing was rented, but the swap is %+v", phone)
			}
		})
	}
}

func count(all []string, wanted string) (n int) {
	for _, one := range all {
		if one == wanted {
			n++
		}
	}
	return n
}

// runSwap is the rest of the process that swaps a phone until it is killed.
func runSwap(ctx context.Context, service *orders.Service, messages *outbox.Outbox, sender *fileSender, order storage.Order) error {
	offer, err := service.OfferSwap(ctx, anna, order.ID, 0, "en")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(os.Stdout, offer.Swap.PurchaseID); err != nil {
		return err
	}
	swapTapped.Store(true)
	if _, _, err := service.StartSwap(ctx, anna, offer.Swap.PurchaseID); err != nil {
		return err
	}
	messages.Start(sender)
	service.Start()
	for range 3 { // both numbers, and the end of the swap
		select {
		case <-sender.delivered:
		case <-time.After(20 * time.Second):
			return fmt.Errorf("the swap does not end")
		}
	}
	return nil
}
