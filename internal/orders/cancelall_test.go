package orders_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/memnet"
	"hstockbot/storage"
)

// threeOpen buys three orders that stay open, one of them with another key.
func (w *world) threeOpen() (ids []int64) {
	w.t.Helper()
	must(w.t, w.market.Hold(market.GmailUSA, true))
	w.market.AddKey("anna-other-key-0123456789", "50.00", "EUR")
	for _, n := range []int64{2, 1} {
		ids = append(ids, w.buy(market.GmailUSA, n).ID)
		pass(time.Second)
	}
	_, err := w.db.SaveKey(w.t.Context(), anna, "anna-other-key-0123456789")
	must(w.t, err)
	ids = append(ids, w.buy(market.GmailUSA, 1).ID)
	pass(5 * time.Second)
	return ids
}

// TestCancelAll asks each key for its own orders, and sends one request to each.
func TestCancelAll(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ids := w.threeOpen()
		asked, err := w.service.CancelAllowances(t.Context(), anna)
		must(t, err)
		if len(asked) != 3 || asked[0].Order.ID != ids[2] || asked[2].Order.ID != ids[0] {
			t.Fatalf("asked for %d orders, or not newest first", len(asked))
		}
		for _, a := range asked {
			if !a.Allowance.Allowed || a.Err != nil {
				t.Errorf("order %d: %+v", a.Order.ExternalID, a)
			}
		}
		outcomes, err := w.service.CancelAll(t.Context(), anna, ids)
		must(t, err)
		if len(outcomes) != 3 {
			t.Fatalf("%d outcomes", len(outcomes))
		}
		for _, o := range outcomes {
			if !o.Done || o.Order.State != storage.OrderCancelled || !o.Order.Charge.Decimal.IsZero() {
				t.Errorf("order %d came to %+v", o.Order.ExternalID, o)
			}
		}
		pass(time.Hour)
		w.wantCancels(2)
		if n := w.count(orders.MessageEnded); n != 0 {
			t.Errorf("the end was told %d times beside the list", n)
		}
		if asked, err := w.service.CancelAllowances(t.Context(), anna); err != nil || len(asked) != 0 {
			t.Errorf("afterwards: %d orders, %v", len(asked), err)
		}
	})
}

// TestCancelAllInPart: what one key's request comes to is no other's, and an order
// that is refused may be cancelled later.
func TestCancelAllInPart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ids := w.threeOpen()
		w.market.Fault(market.Fault{Action: "cancel", Key: "anna-other-key-0123456789", Kind: market.CutBefore})
		must(t, w.market.Finish(market.FirstOrder))
		outcomes, err := w.service.CancelAll(t.Context(), anna, ids)
		must(t, err)
		for _, o := range outcomes {
			switch {
			case o.Order.ID == ids[0] && !o.Done && !o.Unsure && o.Refusal != "": // it is delivered
			case o.Order.ID == ids[1] && o.Done:
			case o.Order.ID == ids[2] && !o.Done && o.Unsure: // sent, and never answered
			default:
				t.Errorf("order %d came to %+v", o.Order.ExternalID, o)
			}
		}
		if first := w.order(ids[0]); !first.CancelSentAt.IsZero() {
			t.Error("the refused one can't be cancelled any more")
		}
		if lost := w.order(ids[2]); lost.CancelSentAt.IsZero() {
			t.Error("the lost one could be sent again")
		}
		again, err := w.service.CancelAll(t.Context(), anna, ids)
		must(t, err)
		for _, o := range again {
			if o.Order.ID == ids[2] {
				t.Error("the lost one was sent again")
			}
		}
	})
}

// TestALostCancelOfAll leaves all of the batch unsure; their states tell, and
// nobody sends it again.
func TestALostCancelOfAll(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ids := w.threeOpen()[:2]
		w.market.Fault(market.Fault{Action: "cancel", Kind: market.CommitThenLose})
		w.market.Fault(market.Fault{Action: "status", Kind: market.HTML502, Times: market.Always})
		outcomes, err := w.service.CancelAll(t.Context(), anna, ids)
		must(t, err)
		for _, o := range outcomes {
			if o.Done || !o.Unsure {
				t.Errorf("order %d came to %+v", o.Order.ExternalID, o)
			}
		}
		if again, err := w.service.CancelAll(t.Context(), anna, ids); err != nil || len(again) != 0 {
			t.Errorf("once more: %+v, %v", again, err)
		}
		w.market.ClearFaults()
		pass(time.Hour)
		w.wantCancels(1)
		for _, id := range ids {
			if o := w.order(id); o.State != storage.OrderCancelled {
				t.Errorf("the order is %s", o.State)
			}
		}
		if n := w.count(orders.MessageEnded); n != 2 {
			t.Errorf("%d ends were told", n)
		}
	})
}

// TestCancelAllAtTheSameTime: two taps, one request.
func TestCancelAllAtTheSameTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ids := w.threeOpen()[:2]
		w.market.Fault(market.Fault{Action: "cancel", Kind: market.Slow, Delay: 5 * time.Second})
		outcomes := make(chan []orders.CancelOutcome, 2)
		for range 2 {
			go func() {
				done, err := w.service.CancelAll(t.Context(), anna, ids)
				if err != nil {
					t.Error(err)
				}
				outcomes <- done
			}()
		}
		for range 2 {
			for _, o := range <-outcomes {
				if !o.Done && !o.Unsure {
					t.Errorf("order %d came to %+v", o.Order.ExternalID, o)
				}
			}
		}
		w.wantCancels(1)
	})
}

// TestSomebodyElsesOrdersAreNotCancelled, whatever ids are asked for.
func TestSomebodyElsesOrdersAreNotCancelled(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ids := w.threeOpen()
		w.market.AddKey("boris-key-0123456789", "1.00", "USD")
		w.addUser(boris, "boris-key-0123456789")
		if outcomes, err := w.service.CancelAll(t.Context(), boris, ids); err != nil || len(outcomes) != 0 {
			t.Errorf("got %+v, %v", outcomes, err)
		}
		w.wantCancels(0)
	})
}

// What the process that cancels is told through its environment.
const cancelKillAt = "HSTOCKBOT_TEST_CANCEL_ALL_KILL_AT"

// TestCancelAllUntilKilled is that process: started by TestKilledWhileCancellingAll
// it ends itself at a step; by anybody else it has nothing to do.
func TestCancelAllUntilKilled(t *testing.T) {
	step, started := os.LookupEnv(cancelKillAt)
	if !started {
		return
	}
	client, err := hstock.New(hstock.Options{URL: os.Getenv(killMarket)})
	must(t, err)
	db := openDB(t, os.Getenv(killDB))
	service := orders.New(orders.Options{
		DB: db, Market: client, SMMRatePer: 1000, Log: discard,
		Send: func(context.Context, storage.Message) (int64, error) { return 0, nil },
		Checkpoint: func(at string) {
			if at == step {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {} // until the signal is there
			}
		},
	})
	_, _, err = db.TouchUser(t.Context(), anna, "Anna", "en", true)
	must(t, err)
	_, err = db.SaveKey(t.Context(), anna, annaKey)
	must(t, err)
	var ids []int64
	for range 3 {
		quote, err := service.Draft(t.Context(), orders.Intent{UserID: anna, Row: hstock.Item{Service: market.GmailUSA, EntityType: "product"}, Quantity: 1})
		must(t, err)
		outcome, err := service.Confirm(t.Context(), anna, quote.Purchase.ID, "en")
		must(t, err)
		ids = append(ids, outcome.Orders[0].ID)
	}
	_, err = service.CancelAll(t.Context(), anna, ids)
	t.Fatalf("it was not killed at %q: %v", step, err)
}

// TestKilledWhileCancellingAll: the request is never sent again, whether it had
// left or not; what became of the orders their states tell.
func TestKilledWhileCancellingAll(t *testing.T) {
	for step, left := range map[string]int{"cancelling": 0, "cancelled": 1} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			shop := market.New(market.Options{})
			defer shop.Close()
			shop.AddKey(annaKey.Reveal(), "100.00", "USD")
			must(t, shop.Hold(market.GmailUSA, true))
			server := httptest.NewServer(shop)
			path := filepath.Join(t.TempDir(), "bot.db")
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCancelAllUntilKilled$")
			cmd.Env = append(os.Environ(), cancelKillAt+"="+step, killDB+"="+path, killMarket+"="+server.URL)
			output, _ := cmd.CombinedOutput()
			server.Close()
			if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
				t.Fatalf("the process was not killed:\n%s", output)
			}
			if n := shop.Count("cancel"); n != left {
				t.Fatalf("%d requests to cancel had left, want %d", n, left)
			}
			now := time.Now()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(now)) // the times in the database are of today
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
					Send: func(context.Context, storage.Message) (int64, error) { return 0, nil },
				})
				service.Start()
				all, err := db.Orders(t.Context(), anna, storage.FilterAll, 10, 0)
				must(t, err)
				var ids []int64
				for _, o := range all {
					ids = append(ids, o.ID)
				}
				if outcomes, err := service.CancelAll(t.Context(), anna, ids); err != nil || len(outcomes) != 0 {
					t.Errorf("once more: %+v, %v", outcomes, err)
				}
				pass(10 * time.Minute)
				for _, id := range ids {
					o, err := db.Order(t.Context(), anna, id)
					must(t, err)
					if cancelled := o.State == storage.OrderCancelled; cancelled != (left == 1) {
						t.Errorf("order %d is %s", o.ExternalID, o.State)
					}
				}
				must(t, service.Stop(t.Context()))
			})
			if n := shop.Count("cancel"); n != left {
				t.Errorf("%d requests to cancel in all, want %d", n, left)
			}
		})
	}
}

func TestEligibleAfter(t *testing.T) {
	now := time.Date(2026, 6, 23, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"2026-06-23T12:30:00.000Z":      "2026-06-23T12:30:00Z",
		"2026-06-23T14:30:00+02:00":     "2026-06-23T12:30:00Z",
		"2026-06-23T12:00:00.000Z":      "", // now
		"2026-06-23T11:59:59.999Z":      "",
		"2026-06-23 12:30":              "",
		"1782217800":                    "",
		"":                              "",
		"tomorrow":                      "",
		"2026-13-45T99:99:99.000Z":      "",
		"2026-06-23T12:30:00.000Z; sic": "",
	} {
		got := ""
		if at, ok := orders.EligibleAfter(hstock.CancelAllowance{EligibleAfter: text}, now); ok {
			got = at.UTC().Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestReminder is told once, at its time, by whichever process is there.
func TestReminder(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, w.market.Hold(market.GmailUSA, true))
		w.market.SetCancelAfter(time.Hour)
		order := w.buy(market.GmailUSA, 1)
		pass(5 * time.Second)
		r, err := w.service.Remind(t.Context(), anna, order.ID)
		must(t, err)
		if r.At.IsZero() || r.Allowance.Allowed {
			t.Fatalf("reminding came to %+v", r)
		}
		other := w.newService() // another replica
		other.Start()
		pass(59 * time.Minute)
		if n := w.count(orders.MessageReminder); n != 0 {
			t.Fatalf("told %d times too early", n)
		}
		pass(time.Hour)
		if n := w.count(orders.MessageReminder); n != 1 {
			t.Errorf("told %d times, want once", n)
		}
		must(t, other.Stop(t.Context()))
		if r, err := w.service.Remind(t.Context(), anna, order.ID); err != nil || !r.At.IsZero() || !r.Allowance.Allowed {
			t.Errorf("when it can be cancelled: %+v, %v", r, err)
		}
		if _, err := w.service.Remind(t.Context(), boris, order.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("somebody else's: %v", err)
		}
	})
}

// panicking is a marketplace whose answers nobody can stand.
type panicking struct {
	*hstock.Client
	key redact.Secret // only answers to this one
}

func (p *panicking) AllowCancel(ctx context.Context, key redact.Secret, orders []int64) ([]hstock.CancelAllowance, error) {
	if key == p.key {
		panic("allowcancel")
	}
	return p.Client.AllowCancel(ctx, key, orders)
}

func (p *panicking) Cancel(ctx context.Context, key redact.Secret, orders []int64) ([]hstock.Cancellation, error) {
	if key == p.key {
		panic("cancel")
	}
	return p.Client.Cancel(ctx, key, orders)
}

func (p *panicking) SMSStatus(context.Context, redact.Secret, int64) (hstock.SMSStatus, error) {
	panic("sms_status")
}

// TestAPanicOfOneBatch ends neither the process nor the others' cancels.
func TestAPanicOfOneBatch(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ids := w.threeOpen()
		stub := &panicking{Client: w.client, key: "anna-other-key-0123456789"}
		service := orders.New(orders.Options{DB: w.db, Market: stub, SMMRatePer: 1000, Rate: 20, Send: w.send, Log: discard})
		asked, err := service.CancelAllowances(t.Context(), anna)
		must(t, err)
		if len(asked) != 3 || asked[0].Err == nil || asked[0].Order.ID != ids[2] || !asked[1].Allowance.Allowed || !asked[2].Allowance.Allowed {
			t.Errorf("asked: %+v", asked)
		}
		outcomes, err := service.CancelAll(t.Context(), anna, ids)
		must(t, err)
		for i, o := range outcomes {
			if other := i == 0; o.Unsure != other || o.Done == other {
				t.Errorf("order %d came to %+v", o.Order.ExternalID, o)
			}
		}
		if len(outcomes) != 3 || w.order(ids[2]).CancelSentAt.IsZero() {
			t.Errorf("%d outcomes; the mark of the one nobody knows of is %v", len(outcomes), w.order(ids[2]).CancelSentAt)
		}
		if _, err := service.FindExternal(t.Context(), anna, 99999); err == nil || errors.Is(err, hstock.ErrOrderNotFound) {
			t.Errorf("looking elsewhere: %v", err)
		}
	})
}

// TestAReminderOfANumber whose code has come by then is not needed: it is still
// watched for another one, but can't be cancelled any more.
func TestAReminderOfANumber(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.market.SetCancelAfter(5 * time.Minute)
		order := w.rent(1)[0]
		pass(5 * time.Second)
		r, err := w.service.Remind(t.Context(), anna, order.ID)
		must(t, err)
		if r.At.IsZero() {
			t.Fatalf("reminding came to %+v", r)
		}
		must(t, w.market.SendSMS(order.ExternalID, "3", "code 3"))
		pass(6 * time.Minute)
		if got := w.order(order.ID); !got.Open() || got.State != storage.OrderDelivered {
			t.Fatalf("the number is %s", got.State)
		}
		if n := w.count(orders.MessageReminder); n != 0 {
			t.Errorf("told %d times that it can be cancelled", n)
		}
	})
}

// addElsewhere has the marketplace make an order that the bot knows nothing of.
func (w *world) addElsewhere(service, quantity int64, link string) int64 {
	w.t.Helper()
	number, err := w.client.Add(w.t.Context(), annaKey, hstock.AddRequest{Service: service, Quantity: quantity, Link: link})
	must(w.t, err)
	return number
}

// TestTakeIn: kinds are told by the answer, goods arrive once, and what the person
// spent and what the balance suggests is not touched.
func TestTakeIn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, w.market.Hold(market.GmailUSA, true))
		goods := w.addElsewhere(market.GmailUSA, 3, "")
		must(t, w.market.Deliver(goods, 1))
		smm := w.addElsewhere(1, 1000, "https://instagram.com/anna")
		numbers, err := w.client.AddSMS(t.Context(), annaKey, hstock.AddSMSRequest{ProjectID: market.ProjectTelegram, Country: market.CountryUS})
		must(t, err)
		must(t, w.market.SendCode(numbers[0].Order, "515151"))

		for number, want := range map[int64]storage.Kind{goods: storage.KindProduct, smm: storage.KindSMM, numbers[0].Order: storage.KindSMS} {
			found, err := w.service.FindExternal(t.Context(), anna, number)
			must(t, err)
			if found.Kind != want || !found.Charge.Valid {
				t.Errorf("%d is found as %+v", number, found)
			}
			if n, err := w.db.CountOrders(t.Context(), anna, storage.FilterAll); err != nil || n != 0 {
				t.Fatalf("looking has stored %d orders, %v", n, err)
			}
		}
		for _, number := range []int64{goods, smm, numbers[0].Order} {
			order, err := w.service.Import(t.Context(), anna, number)
			must(t, err)
			if again, err := w.service.Import(t.Context(), anna, number); err != nil || again.ID != order.ID {
				t.Errorf("taken in twice: %d and %d, %v", order.ID, again.ID, err)
			}
		}
		must(t, w.market.Finish(goods))
		pass(2 * time.Hour)
		if got, want := fmt.Sprint(w.accounts()), fmt.Sprint(w.market.Orders()[0].Accounts); got != want {
			t.Errorf("arrived %s, delivered %s", got, want)
		}
		if n := w.count(orders.MessageCode); n != 1 {
			t.Errorf("the code arrived %d times", n)
		}
		if n := w.count(orders.MessageEnded); n != 0 {
			t.Errorf("%d ends were told of orders that had ended before", n)
		}
		spent, err := w.db.Spending(t.Context(), anna)
		must(t, err)
		if len(spent) != 0 {
			t.Errorf("spent through the bot: %v", spent)
		}
		if per, err := w.db.Setting(t.Context(), "smm_rate_per_1000_confirmed"); err != nil || per != "" {
			t.Errorf("the rate of SMM was learnt from an order nobody knows the rate of: %q, %v", per, err)
		}
	})
}

// TestTakeInOfUnknownSize: where nobody says how many were bought, the word
// counts, and what comes later still arrives.
func TestTakeInOfUnknownSize(t *testing.T) {
	status := hstock.Status{RawStatus: "In progress", State: hstock.StateInProgress, EntityType: hstock.EntityProduct, Accounts: []redact.Secret{"a:1"}}
	inWorld(t, func(t *testing.T, w *world) {
		stub := &oneOrder{Client: w.client, status: status}
		service := orders.New(orders.Options{DB: w.db, Market: stub, SMMRatePer: 1000, Rate: 20, Send: w.send, Log: discard})
		order, err := service.Import(t.Context(), anna, 77)
		must(t, err)
		if order.Quantity != 0 || order.State != storage.OrderPartial || order.Delivered != 1 {
			t.Errorf("taken in as %+v", order)
		}
		stub.status.Accounts = append(stub.status.Accounts, "b:2", "b:2")
		stub.status.State, stub.status.RawStatus = hstock.StateCompleted, "Completed"
		pass(5 * time.Second)
		order, err = service.Refresh(t.Context(), anna, order.ID)
		must(t, err)
		if order.State != storage.OrderDelivered || order.Open() || order.Delivered != 3 {
			t.Errorf("completed as %+v", order)
		}
	})
}

// TestANumberElsewhereWhileNobodyAnswersForNumbers is not taken for an SMM service:
// its codes would never come.
func TestANumberElsewhereWhileNobodyAnswersForNumbers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		stub := &oneOrder{Client: w.client, status: hstock.Status{RawStatus: "Pending", State: hstock.StatePending}}
		service := orders.New(orders.Options{DB: w.db, Market: stub, SMMRatePer: 1000, Rate: 20, Send: w.send, Log: discard})
		if found, err := service.FindExternal(t.Context(), anna, 77); err != nil || found.Kind != storage.KindSMM {
			t.Errorf("refused as a number, it is %q, %v", found.Kind, err)
		}
		for _, action := range []string{"sms_status", "sms_code"} {
			w.market.Fault(market.Fault{Action: action, Kind: market.HTML502, Times: market.Always})
		}
		if order, err := service.Import(t.Context(), anna, 77); err == nil || errors.Is(err, hstock.ErrOrderNotFound) {
			t.Errorf("taken in as %q, %v", order.Kind, err)
		}
		stub.status.EntityType = hstock.EntitySMM // then there is no doubt
		if order, err := service.Import(t.Context(), anna, 77); err != nil || order.Kind != storage.KindSMM {
			t.Errorf("taken in as %q, %v", order.Kind, err)
		}
	})
}

// oneOrder is a marketplace with one order, of which it says what it is told to.
type oneOrder struct {
	*hstock.Client
	status hstock.Status
}

func (o *oneOrder) Status(context.Context, redact.Secret, int64) (hstock.Status, error) {
	return o.status, nil
}

// TestFindElsewhereOfOthers: another key's order, none at all, and a marketplace
// that is down.
func TestFindElsewhereOfOthers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		number := w.addElsewhere(market.GmailUSA, 1, "")
		w.market.AddKey("boris-key-0123456789", "1.00", "USD")
		w.addUser(boris, "boris-key-0123456789")
		var answers []string
		for _, n := range []int64{number, 99999, 0, -5} {
			_, err := w.service.FindExternal(t.Context(), boris, n)
			_, takeErr := w.service.Import(t.Context(), boris, n)
			answers = append(answers, fmt.Sprint(err), fmt.Sprint(takeErr))
		}
		for _, answer := range answers {
			if answer != hstock.ErrOrderNotFound.Error() {
				t.Errorf("got %q", answer)
			}
		}
		if _, err := w.service.FindExternal(t.Context(), 4711, number); !errors.Is(err, orders.ErrNoKey) {
			t.Errorf("without a key: %v", err)
		}
		w.market.Fault(market.Fault{Action: "status", Kind: market.HTML502, Times: market.Always})
		if _, err := w.service.FindExternal(t.Context(), anna, number); err == nil || strings.Contains(err.Error(), "Order not found") {
			t.Errorf("while the marketplace is down: %v", err)
		}
	})
}

// TestTakenInByOneIsAdoptedByAnother: who shares a key can't keep the other one's
// purchase from being settled.
func TestTakenInByOneIsAdoptedByAnother(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addUser(boris, annaKey)
		w.market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
		p := w.draft(market.GmailUSA, 1)
		w.confirm(p)
		_, err := w.service.Import(t.Context(), boris, market.FirstOrder)
		must(t, err)
		if _, err := w.service.Adopt(t.Context(), anna, p.ID, market.FirstOrder); err != nil {
			t.Errorf("adopting: %v", err)
		}
	})
}
