package orders_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// answerStatus makes the marketplace answer this to each status from now on, and lets
// the time of some polls pass.
func (w *world) answerStatus(rawStatus, accounts string) {
	w.Market.ClearFaults()
	w.Market.Fault(market.Fault{
		Action: "status", Kind: market.Answer, Times: market.Always,
		Body: fmt.Sprintf(`{"status":%q,"remains":0,"currency":"USD","accounts":%s}`, rawStatus, accounts),
	})
	testworld.Pass(5 * time.Minute)
}

// TestReplacedAccounts: the accounts in the last answer count, each is sent once, and
// those that take the place of others are counted as replacements.
func TestReplacedAccounts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 3)
		var got [][2]int64 // in the answer, replacements
		var positions [][]int
		for _, step := range []struct {
			accounts string
			present  int64
			state    storage.OrderState
		}{
			{`["a","b"]`, 2, storage.OrderPartial},
			{`["b"]`, 1, storage.OrderPartial},
			{`["b","c"]`, 2, storage.OrderPartial}, // c replaces a
			{`["b","a"]`, 2, storage.OrderPartial}, // sent before
			{`["b","c"]`, 2, storage.OrderPartial},
			{`[]`, 0, storage.OrderPartial},
			{`["d","e","f"]`, 3, storage.OrderPartial}, // for b, c, and a new one
		} {
			w.answerStatus("Partial", step.accounts)
			if o := w.order(order.ID); o.State != step.state || o.Present != step.present || !o.Open() {
				t.Errorf("%s: %s, %d present, want %s, %d", step.accounts, o.State, o.Present, step.state, step.present)
			}
		}
		w.answerStatus("Completed", `["d","e","f"]`)
		w.answerStatus("Completed", `["d","e","f"]`)
		for _, message := range w.messages(orders.MessageGoods) {
			goods, err := orders.DecodeGoods(message)
			testworld.Must(t, err)
			got = append(got, [2]int64{goods.SoFar, goods.Replaced})
			positions = append(positions, goods.Positions)
		}
		if want := [][2]int64{{2, 0}, {2, 1}, {3, 2}}; !slices.Equal(got, want) {
			t.Errorf("messages say %v, want %v", got, want)
		}
		if diff := cmp.Diff([][]int{{0, 1}, {1}, {0, 1, 2}}, positions); diff != "" {
			t.Errorf("the positions differ (-want +got):\n%s", diff)
		}
		if got := w.accounts(); !slices.Equal(got, []string{"a", "b", "c", "d", "e", "f"}) {
			t.Errorf("sent %q", got)
		}
		if o := w.order(order.ID); o.State != storage.OrderDelivered || o.Delivered != 6 || o.Replaced != 3 {
			t.Errorf("the order is %+v", o)
		}
	})
}

// TestEndedOrderKeepsItsAccounts although the last answer leaves them out.
func TestEndedOrderKeepsItsAccounts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 3)
		w.answerStatus("Partial", `["a","b"]`)
		w.answerStatus("Refunded", `null`)
		if o := w.order(order.ID); o.State != storage.OrderRefunded || o.Present != 2 {
			t.Errorf("the order is %s, %d present", o.State, o.Present)
		}
	})
}

// TestCompletedWithFewerAccountsIsReportedOnce after ten minutes of polls, for automatic
// and for manual goods. Late accounts are still sent.
func TestCompletedWithFewerAccountsIsReportedOnce(t *testing.T) {
	for name, service := range map[string]int64{"automatic": market.GmailUSA, "manual": market.ChatGPTPlus} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				testworld.Must(t, w.Market.Hold(service, true))
				order := w.buy(service, 2)
				w.answerStatus("In progress", `[]`)
				w.answerStatus("Completed", `["a"]`)
				if n := w.count(orders.MessageIncomplete); n != 0 || orders.Incomplete(w.order(order.ID)) {
					t.Errorf("reported too early: %d messages", n)
				}
				w.answerStatus("Completed", `["a"]`)
				testworld.Pass(5 * time.Minute)
				if n := w.count(orders.MessageIncomplete); n != 1 || !orders.Incomplete(w.order(order.ID)) {
					t.Fatalf("%d messages after 15 minutes, want 1", n)
				}
				w.answerStatus("In progress", `["a"]`)
				if orders.Incomplete(w.order(order.ID)) {
					t.Error("an order in progress is called incomplete")
				}
				w.answerStatus("Completed", `["a"]`)
				testworld.Pass(time.Hour)
				w.answerStatus("Completed", `["a","b"]`)
				testworld.Pass(10 * time.Minute)
				w.wantNotified(orders.MessageGoods, orders.MessageIncomplete, orders.MessageFeedback, orders.MessageGoods)
				if o := w.order(order.ID); o.State != storage.OrderDelivered || orders.Incomplete(o) {
					t.Errorf("the order is %+v", o)
				}
			})
		})
	}
}

// TestIncompleteOrderIsNotReportedByTheClock: a clock that is set forward makes no
// minutes pass, and one that is set back does not delay the report.
func TestIncompleteOrderIsNotReportedByTheClock(t *testing.T) {
	for _, step := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
				w.buy(market.GmailUSA, 2)
				w.answerStatus("Completed", `["a"]`)
				w.stepClock(step)
				testworld.Pass(2 * time.Minute)
				if n := w.count(orders.MessageIncomplete); n != 0 {
					t.Error("reported after seven minutes")
				}
				testworld.Pass(8 * time.Minute)
				if n := w.count(orders.MessageIncomplete); n != 1 {
					t.Errorf("%d messages after 15 minutes, want 1", n)
				}
			})
		})
	}
}

// TestGoodsNameTheirPositions in the marketplace's answer, by which they are named.
func TestGoodsNameTheirPositions(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.buy(market.GmailUSA, 2)
		testworld.Pass(3 * time.Second)
		goods, err := orders.DecodeGoods(w.messages(orders.MessageGoods)[0])
		testworld.Must(t, err)
		if goods.Accounts = nil; !cmp.Equal(goods, orders.Goods{Positions: []int{0, 1}, SoFar: 2, Of: 2}) {
			t.Errorf("got %+v", goods)
		}
	})
}

// TestMalformedBody: a message that can't be decoded is not sent as an empty one, and the error
// does not quote what may be secret.
func TestMalformedBody(t *testing.T) {
	malformed := storage.Message{Body: []byte(`canary`)}
	for name, decode := range map[string]func() error{
		"goods":  func() error { _, err := orders.DecodeGoods(malformed); return err },
		"SMS":    func() error { _, err := orders.DecodeSMS(malformed); return err },
		"card":   func() error { _, err := orders.DecodeCard(malformed); return err },
		"basket": func() error { _, err := orders.DecodeBasket(malformed); return err },
	} {
		err := decode()
		secret := name == "goods" || name == "SMS"
		if err == nil || secret && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Places that are not those of the accounts are worse than none.
	if goods, err := orders.DecodeGoods(storage.Message{Body: []byte(`{"accounts":["YQ=="],"positions":[0,1]}`)}); err != nil || len(goods.Accounts) != 1 || goods.Positions != nil {
		t.Errorf("one account at %v, %v", goods.Positions, err)
	}
	if id, err := orders.DecodeCard(storage.Message{Body: []byte("77")}); err != nil || id != 77 {
		t.Errorf("a card: %d, %v", id, err)
	}
}
