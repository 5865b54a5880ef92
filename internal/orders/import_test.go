package orders_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// addExternal places an order outside the bot.
func (w *world) addExternal(service, quantity int64, link string) string {
	w.t.Helper()
	id, err := w.client.Add(w.t.Context(), testworld.AnnaKey, hstock.AddRequest{Service: service, Quantity: quantity, Link: link})
	testworld.Must(w.t, err)
	return id
}

// TestImport: the kind follows from the answer, goods arrive once, and neither the spending
// nor the SMM rate changes.
func TestImport(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		goods := w.addExternal(market.GmailUSA, 3, "")
		testworld.Must(t, w.Market.Deliver(numberOf(goods), 1))
		smm := w.addExternal(1, 1000, "https://instagram.com/anna")
		phones, err := w.client.AddSMS(t.Context(), testworld.AnnaKey, hstock.AddSMSRequest{ProjectID: market.ProjectTelegram, Country: market.CountryUS})
		testworld.Must(t, err)
		testworld.Must(t, w.Market.SendCode(numberOf(phones[0].Order), "515151"))

		for id, want := range map[string]storage.Kind{goods: storage.KindProduct, smm: storage.KindSMM, phones[0].Order: storage.KindSMS} {
			found, err := w.service.FindExternal(t.Context(), anna, id)
			testworld.Must(t, err)
			if found.Kind != want || !found.Charge.Valid {
				t.Errorf("%s is found as %+v", id, found)
			}
			if n, err := w.db.CountOrders(t.Context(), anna, storage.FilterAll); err != nil || n != 0 {
				t.Fatalf("FindExternal has stored %d orders, %v", n, err)
			}
		}
		for _, id := range []string{goods, smm, phones[0].Order} {
			order, err := w.service.Import(t.Context(), anna, id)
			testworld.Must(t, err)
			if again, err := w.service.Import(t.Context(), anna, id); err != nil || again.ID != order.ID {
				t.Errorf("imported twice: %d and %d, %v", order.ID, again.ID, err)
			}
		}
		testworld.Must(t, w.Market.Finish(numberOf(goods)))
		testworld.Pass(2 * time.Hour)
		if got, want := fmt.Sprint(w.accounts()), fmt.Sprint(w.Market.Orders()[0].Accounts); got != want {
			t.Errorf("arrived %s, delivered %s", got, want)
		}
		if n := w.count(orders.MessageCode); n != 1 {
			t.Errorf("the code arrived %d times", n)
		}
		if n := w.count(orders.MessageEnded); n != 0 {
			t.Errorf("%d messages about the end of orders that had ended before", n)
		}
		spent, err := w.db.Spending(t.Context(), anna)
		testworld.Must(t, err)
		if len(spent) != 0 {
			t.Errorf("spent through the bot: %v", spent)
		}
		if per, err := w.db.Setting(t.Context(), "smm_rate_per_1000_confirmed"); err != nil || per != "" {
			t.Errorf("the SMM rate was confirmed by an imported order: %q, %v", per, err)
		}
	})
}

// TestImportOfUnknownQuantity: the marketplace's state decides, and later goods still arrive.
func TestImportOfUnknownQuantity(t *testing.T) {
	status := hstock.Status{RawStatus: "In progress", State: hstock.StateInProgress, EntityType: hstock.EntityProduct, Accounts: []redact.Secret{"a:1"}, Remains: new(int64)}
	inWorld(t, func(t *testing.T, w *world) {
		service := w.newService(&stub{Client: w.client, status: func() (hstock.Status, error) { return status, nil }})
		order, err := service.Import(t.Context(), anna, "77")
		testworld.Must(t, err)
		if order.Quantity != 0 || order.State != storage.OrderPartial || order.Delivered != 1 || !order.AutoDelivery {
			t.Errorf("imported as %+v", order)
		}
		testworld.Pass(2 * time.Second)
		if n := w.count(orders.MessageGoods); n != 1 {
			t.Errorf("what was there already has arrived %d times", n)
		}
		status.Accounts = append(status.Accounts, "b:2", "b:2")
		status.State, status.RawStatus = hstock.StateCompleted, "Completed"
		testworld.Pass(3 * time.Second)
		order, err = service.Refresh(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if order.State != storage.OrderDelivered || order.Open() || order.Delivered != 3 {
			t.Errorf("completed as %+v", order)
		}
		// Where the marketplace says how many are to come, the quantity is known.
		status.State, *status.Remains = hstock.StateInProgress, 2
		if found, err := service.FindExternal(t.Context(), anna, "79"); err != nil || found.Quantity != 5 {
			t.Errorf("%d pieces, %v; want 3 and 2", found.Quantity, err)
		}
		status.State, *status.Remains = hstock.StateCompleted, 0
		if found, err := service.FindExternal(t.Context(), anna, "79"); err != nil || found.Quantity != 3 {
			t.Errorf("%d pieces, %v; want 3", found.Quantity, err)
		}
	})
}

// TestImportedPhoneIsShown, with its code when that comes. While it can't be stored nobody is
// told that it is.
func TestImportedPhoneIsShown(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		phones, err := w.client.AddSMS(t.Context(), testworld.AnnaKey, hstock.AddSMSRequest{ProjectID: market.ProjectTelegram, Country: market.CountryUS})
		testworld.Must(t, err)
		if found, err := w.service.FindExternal(t.Context(), anna, phones[0].Order); err != nil || !found.External || found.State != storage.OrderOpen {
			t.Errorf("found %+v, %v", found, err)
		}
		accept := w.Refuse(`INSERT ON orders FOR EACH ROW`)
		if order, err := w.service.Import(t.Context(), anna, phones[0].Order); err == nil {
			t.Errorf("not stored, but imported as %+v", order)
		}
		accept()
		_, err = w.service.Import(t.Context(), anna, phones[0].Order)
		testworld.Must(t, err)
		testworld.Pass(3 * time.Second)
		w.wantNotified(orders.MessageRental)
		testworld.Must(t, w.Market.SendCode(numberOf(phones[0].Order), "515151"))
		testworld.Pass(5 * time.Second)
		if n := w.count(orders.MessageCode); n != 1 {
			t.Errorf("the code arrived %d times", n)
		}
		phones, err = w.client.AddSMS(t.Context(), testworld.AnnaKey, hstock.AddSMSRequest{ProjectID: market.ProjectTelegram, Country: market.CountryUS})
		testworld.Must(t, err)
		testworld.Must(t, w.Market.SendCode(numberOf(phones[0].Order), "626262"))
		_, err = w.service.Import(t.Context(), anna, phones[0].Order)
		testworld.Must(t, err)
		testworld.Pass(3 * time.Second)
		if codes, shown := w.count(orders.MessageCode), w.count(orders.MessageRental); codes != 2 || shown != 1 { // the code says it all
			t.Errorf("%d codes and %d phones arrived", codes, shown)
		}
	})
}

// TestPhoneIsNotImportedAsSMM, while sms_code and sms_status don't answer. Its codes would
// never arrive.
func TestPhoneIsNotImportedAsSMM(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		status := hstock.Status{RawStatus: "Pending", State: hstock.StatePending}
		service := w.newService(&stub{Client: w.client, status: func() (hstock.Status, error) { return status, nil }})
		if found, err := service.FindExternal(t.Context(), anna, "77"); err != nil || found.Kind != storage.KindSMM {
			t.Errorf("refused as a phone, it is %q, %v", found.Kind, err)
		}
		for _, action := range []string{"sms_status", "sms_code"} {
			w.Market.Fault(market.Fault{Action: action, Kind: market.HTML502, Times: market.Always})
		}
		if order, err := service.Import(t.Context(), anna, "77"); err == nil || errors.Is(err, hstock.ErrOrderNotFound) {
			t.Errorf("imported as %q, %v", order.Kind, err)
		}
		for id, certain := range map[string]struct {
			entity hstock.EntityType
			want   storage.Kind
		}{"77": {hstock.EntitySMM, storage.KindSMM}, "78": {hstock.EntityProduct, storage.KindProduct}} {
			status.EntityType = certain.entity
			if order, err := service.Import(t.Context(), anna, id); err != nil || order.Kind != certain.want {
				t.Errorf("imported as %q, %v; want %q", order.Kind, err, certain.want)
			}
		}
		status.EntityType, status.Accounts = "", []redact.Secret{"a:1"} // only goods have accounts
		if found, err := service.FindExternal(t.Context(), anna, "79"); err != nil || found.Kind != storage.KindProduct {
			t.Errorf("with accounts it is %q, %v", found.Kind, err)
		}
		w.Market.ClearFaults()
		phones, err := w.client.AddSMS(t.Context(), testworld.AnnaKey, hstock.AddSMSRequest{ProjectID: market.ProjectTelegram, Country: market.CountryUS})
		testworld.Must(t, err)
		if found, err := service.FindExternal(t.Context(), anna, phones[0].Order); err != nil || found.Kind != storage.KindProduct {
			t.Errorf("with accounts, and a phone of the same id, it is %q, %v", found.Kind, err)
		}
	})
}

// TestFindExternalFails, for another key's order, for one that does not exist, and while the
// marketplace is down.
func TestFindExternalFails(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.addExternal(market.GmailUSA, 1, "")
		w.addBoris()
		var answers []string
		for _, n := range []string{id, "99999", "0", "-5", "x y"} {
			_, err := w.service.FindExternal(t.Context(), boris, n)
			_, takeErr := w.service.Import(t.Context(), boris, n)
			answers = append(answers, fmt.Sprint(err), fmt.Sprint(takeErr))
		}
		for _, answer := range answers {
			if answer != hstock.ErrOrderNotFound.Error() {
				t.Errorf("got %q", answer)
			}
		}
		if _, err := w.service.FindExternal(t.Context(), 4711, id); !errors.Is(err, orders.ErrNoKey) {
			t.Errorf("without a key: %v", err)
		}
		w.Market.Fault(market.Fault{Action: "status", Kind: market.HTML502, Times: market.Always})
		if _, err := w.service.FindExternal(t.Context(), anna, id); err == nil || strings.Contains(err.Error(), "Order not found") {
			t.Errorf("while the marketplace is down: %v", err)
		}
		w.Market.ClearFaults()
		w.Market.RemoveKey(testworld.AnnaKey.Reveal())
		if _, err := w.service.FindExternal(t.Context(), anna, id); !errors.Is(err, hstock.ErrInvalidKey) {
			t.Errorf("with a refused key: %v", err)
		}
		testworld.Pass(time.Second)
		w.wantNotified(orders.MessageInvalidKey)
		if strings.Contains(w.Log.String(), "not paused") {
			t.Errorf("logged: %s", w.Log.String())
		}
	})
}

// TestImportedOrderCanBeAdoptedByAnotherPerson, who shares the key.
func TestImportedOrderCanBeAdoptedByAnotherPerson(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addUser(boris, testworld.AnnaKey)
		w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
		p := w.draft(market.GmailUSA, 1)
		w.confirm(p)
		_, err := w.service.Import(t.Context(), boris, idOf(market.FirstOrder))
		testworld.Must(t, err)
		if _, err := w.service.Adopt(t.Context(), anna, p.ID, idOf(market.FirstOrder)); err != nil {
			t.Errorf("adopting: %v", err)
		}
	})
}

// lateAnswer buys one account, whose answer comes only after something has happened.
func (w *world) lateAnswer(happens func(p storage.Purchase, externalID string)) storage.Purchase {
	w.t.Helper()
	p := w.draft(market.GmailUSA, 1)
	service := w.newService(&stub{Client: w.client, add: func(ctx context.Context, key redact.Secret, request hstock.AddRequest) (string, error) {
		id, err := w.client.Add(ctx, key, request)
		happens(p, id)
		return id, err
	}})
	_, err := service.Confirm(w.t.Context(), anna, p.ID, "en")
	testworld.Must(w.t, err)
	w.t.Cleanup(func() { testworld.Must(w.t, service.Stop(context.WithoutCancel(w.t.Context()))) })
	return p
}

// TestLateOrderIsFetchedWithItsKey: the person has another one when its id comes, which does
// not know it.
func TestLateOrderIsFetchedWithItsKey(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		other := w.addExternal(market.GmailUSA, 1, "")
		p := w.lateAnswer(func(p storage.Purchase, _ string) {
			testworld.Pass(2 * time.Minute) // the outcome is unknown
			_, err := w.service.Adopt(t.Context(), anna, p.ID, other)
			testworld.Must(t, err)
			w.addUser(anna, borisKey)
		})
		late, err := w.db.OrderByExternalID(t.Context(), anna, idOf(w.Market.Orders()[1].Number))
		testworld.Must(t, err)
		if late.KeyID != p.KeyID || !late.External {
			t.Errorf("imported as %+v", late)
		}
	})
}

// TestLateOrderThatNoKeyKnows: it is not tried for ever, and an operator finds it in the log.
func TestLateOrderThatNoKeyKnows(t *testing.T) {
	for name, without := range map[string]func(w *world){
		"no key":        func(w *world) { testworld.Must(w.t, w.db.RemoveKey(w.t.Context(), anna)) },
		"refused key":   func(w *world) { w.Market.RemoveKey(testworld.AnnaKey.Reveal()) },
		"unknown order": func(w *world) { w.refuseOrders() },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				other := w.addExternal(market.GmailUSA, 1, "")
				w.lateAnswer(func(p storage.Purchase, _ string) {
					testworld.Pass(2 * time.Minute) // the outcome is unknown
					_, err := w.service.Adopt(t.Context(), anna, p.ID, other)
					testworld.Must(t, err)
					without(w)
				})
				testworld.Pass(20 * time.Minute)
				if n := strings.Count(w.Log.String(), `"late order not imported"`); n != 1 {
					t.Errorf("logged %d times", n)
				}
				w.Log.Reset()
				testworld.Pass(20 * time.Minute)
				if strings.Contains(w.Log.String(), "record orders") {
					t.Error("it is still tried")
				}
			})
		})
	}
}

// TestLateOrderIsImportedLater: what may pass does not lose it, be it that the marketplace can't
// be reached for long, or does not find at once what it has just made.
func TestLateOrderIsImportedLater(t *testing.T) {
	for name, test := range map[string]struct {
		fails func(w *world)
		lasts time.Duration
	}{
		"not found": {(*world).refuseOrders, 5 * time.Minute},
		"unreachable": {func(w *world) {
			w.Market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		}, 30 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				other := w.addExternal(market.GmailUSA, 1, "")
				w.lateAnswer(func(p storage.Purchase, _ string) {
					testworld.Pass(2 * time.Minute) // the outcome is unknown
					_, err := w.service.Adopt(t.Context(), anna, p.ID, other)
					testworld.Must(t, err)
					test.fails(w)
				})
				testworld.Pass(test.lasts)
				w.Market.ClearFaults()
				testworld.Pass(2 * time.Minute)
				_, err := w.db.OrderByExternalID(t.Context(), anna, idOf(w.Market.Orders()[1].Number))
				testworld.Must(t, err)
				if n := w.countedAs("placed"); n != 1 { // the adopted one
					t.Errorf("%d purchases are counted as placed", n)
				}
			})
		})
	}
}

// TestLateOrderWhoseKeyCantBeRead: the database fails for a while, and the order is imported then.
func TestLateOrderWhoseKeyCantBeRead(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		other := w.addExternal(market.GmailUSA, 1, "")
		back := func() {}
		w.lateAnswer(func(p storage.Purchase, _ string) {
			testworld.Pass(2 * time.Minute) // the outcome is unknown
			_, err := w.service.Adopt(t.Context(), anna, p.ID, other)
			testworld.Must(t, err)
			back = w.hideTable("api_keys")
		})
		testworld.Pass(2 * time.Minute)
		back()
		testworld.Pass(2 * time.Minute)
		_, err := w.db.OrderByExternalID(t.Context(), anna, idOf(w.Market.Orders()[1].Number))
		testworld.Must(t, err)
	})
}

// refuseOrders makes the marketplace know no order.
func (w *world) refuseOrders() {
	for _, action := range []string{"status", "sms_status", "sms_code"} {
		w.Market.Fault(market.Fault{Action: action, Kind: market.Refuse, Message: "Order not found", Times: market.Always})
	}
}

// TestLateAnswerIsTheImportedOrder: the person has imported it while the answer was on its way.
// It is one order, which is delivered once.
func TestLateAnswerIsTheImportedOrder(t *testing.T) {
	for _, late := range []time.Duration{0, 2 * time.Minute} { // then the outcome is unknown
		t.Run(late.String(), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				var imported storage.Order
				p := w.lateAnswer(func(_ storage.Purchase, externalID string) {
					var err error
					imported, err = w.service.Import(t.Context(), anna, externalID)
					testworld.Must(t, err)
					testworld.Pass(late)
				})
				testworld.Pass(2 * time.Minute)
				got, err := w.db.OrdersOfPurchase(t.Context(), anna, p.ID)
				testworld.Must(t, err)
				if n, err := w.db.CountOrders(t.Context(), anna, storage.FilterAll); err != nil || n != 1 || got[0].ID != imported.ID {
					t.Errorf("%d orders, %v; the purchase has %+v", n, err, got)
				}
				if o := got[0]; o.External || o.Name != p.Name || o.Quantity != 1 || o.State != storage.OrderDelivered {
					t.Errorf("it is %+v", o)
				}
				if got := w.accounts(); len(got) != 1 {
					t.Errorf("%d accounts arrived", len(got))
				}
			})
		})
	}
}
