package orders_test

import (
	"context"
	"errors"
	"slices"
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

func (w *world) block(user int64) {
	w.t.Helper()
	_, err := w.db.SetBlocked(w.t.Context(), user, true, byOlga())
	testworld.Must(w.t, err)
}

// pricedBasket fills the basket of a person with equal lines.
func (w *world) pricedBasket(user, service, quantity int64, lines int) orders.BasketQuote {
	w.t.Helper()
	intent := orders.Intent{UserID: user, Item: w.item(service), Quantity: quantity}
	if intent.Item.EntityType == hstock.EntitySMM {
		intent.Link = "https://instagram.com/anna"
	}
	testworld.Must(w.t, w.service.AddToBasket(w.t.Context(), user, w.nextUpdate(), slices.Repeat([]orders.Intent{intent}, lines)))
	basket, err := w.db.Basket(w.t.Context(), user, 0)
	testworld.Must(w.t, err)
	quote, err := w.service.PriceBasket(w.t.Context(), basket, map[int64]hstock.Item{service: intent.Item}, "en")
	testworld.Must(w.t, err)
	return quote
}

// What a blocked person has begun spends nothing more of an allowance.
func TestBlockedPersonSpendsNothing(t *testing.T) {
	t.Run("turn", func(t *testing.T) {
		inWorld(t, func(_ *testing.T, w *world) {
			w.addHouse(clara, dora)
			waits := w.draftFor(dora, market.GmailUSA, 1)
			bought := w.waitingTurns(waits)
			w.block(dora)
			bought()
			testworld.Pass(time.Minute)
			w.wantOutcome("the turn of a blocked person", waits, orders.Rejected, orders.ReasonAllowance)
			w.wantAvailable("blocked", dora, "20")
		})
	})
	t.Run("basket", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.addHouse(clara)
			b := w.pricedBasket(clara, market.GmailUSA, 1, 3).Basket
			w.slowly(1)
			started, err := w.service.StartBasket(t.Context(), clara, b.ID, b.Revision, 77, 0)
			if err != nil || !started {
				t.Fatal(started, err)
			}
			testworld.Pass(time.Second)
			w.block(clara)
			testworld.Pass(5 * time.Minute)
			ended, err := w.db.Basket(t.Context(), clara, b.ID)
			if err != nil || ended.State != storage.BasketEnded || ended.Reason != orders.BasketMoney || len(w.Market.Orders()) != 1 {
				t.Errorf("%+v, %v, bought %d", ended, err, len(w.Market.Orders()))
			}
		})
	})
	t.Run("swap", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.annaPaysWithAllowance("20")
			order, offer := w.offerSwap()
			w.at("swap end confirmed", func() { w.block(anna) })
			w.startSwap(offer)
			testworld.Pass(10 * time.Second)
			if phone := w.phone(order); phone.Swap.State != storage.SwapStopped || len(w.Market.Numbers()) != 1 {
				t.Errorf("%+v, rented %d", phone.Swap, len(w.Market.Numbers()))
			}
		})
	})
}

// The goods that an allowance has paid can be fetched after it was removed, until the operator
// has another key. A refund that comes later is seen.
func TestGoodsAfterRemovalOfAllowance(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara)
		ctx := t.Context()
		order := w.confirm(w.draftFor(clara, market.GmailUSA, 1)).Orders[0]
		testworld.Pass(2 * time.Minute)
		_, err := w.db.RemoveAllowance(ctx, clara, byOlga())
		testworld.Must(t, err)
		if _, goods, err := w.service.Accounts(ctx, clara, order.ID); err != nil || len(goods) != 1 {
			t.Errorf("%d goods, %v", len(goods), err)
		}
		w.Market.Fault(market.Fault{Action: "status", Kind: market.Answer, Body: `{"status":"Refunded","charge":"0","currency":"USD"}`})
		if refunded, err := w.service.Refresh(ctx, clara, order.ID); err != nil || refunded.State != storage.OrderRefunded {
			t.Errorf("%v, %v", refunded.State, err)
		}
		if _, err := w.service.Draft(ctx, orders.Intent{UserID: clara, Item: w.item(market.GmailUSA), Quantity: 1}); !errors.Is(err, orders.ErrNoKey) {
			t.Errorf("another card: %v", err)
		}
		testworld.Must(t, w.db.SetOperatorKey(ctx, testworld.AnnaKey, nil))
		if _, _, err := w.service.Accounts(ctx, clara, order.ID); !errors.Is(err, orders.ErrOperator) {
			t.Errorf("with another key: %v", err)
		}
	})
}

// The other phones of a purchase can be adopted after the allowance was removed and the first
// one has ended.
func TestAdoptAfterRemovalOfAllowance(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara)
		ctx := t.Context()
		q, err := w.service.Draft(ctx, orders.Intent{UserID: clara, Rental: storage.Rental{Project: market.ProjectTelegram, Country: market.CountryUS}, Quantity: 2, Lang: "en"})
		testworld.Must(t, err)
		w.Market.Fault(market.Fault{Action: "add_sms", Kind: market.CommitThenLose})
		w.confirm(q.Purchase)
		phones := w.Market.Numbers()
		_, err = w.service.HouseAdopt(ctx, q.Purchase.ID, idOf(phones[0].Number), byOlga())
		testworld.Must(t, err)
		if missing, err := w.service.CountMissing(ctx, clara, q.Purchase.ID); err != nil || missing != 0 {
			t.Errorf("%d phones seem to be the buyer's to adopt, %v", missing, err) // only admins adopt
		}
		testworld.Pass(time.Hour) // it expires
		_, err = w.db.RemoveAllowance(ctx, clara, byOlga())
		testworld.Must(t, err)
		order, err := w.service.HouseAdopt(ctx, q.Purchase.ID, idOf(phones[1].Number), byOlga())
		testworld.Must(t, err)
		testworld.Pass(time.Minute)
		if order, err = w.db.Order(ctx, clara, order.ID); err != nil || order.Polls == 0 {
			t.Errorf("it is not polled: %+v, %v", order, err)
		}
	})
}

// An id that comes after an admin has adopted it is no order that nobody has.
func TestIDThatAnAdminHasAdoptedAlready(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara)
		p := w.draftFor(clara, market.GmailUSA, 1)
		late := w.newService(&stub{Client: w.client, add: func(ctx context.Context, key redact.Secret, r hstock.AddRequest) (string, error) {
			id, err := w.client.Add(ctx, key, r)
			testworld.Must(t, err)
			testworld.Pass(80 * time.Second) // longer than the lease
			_, err = w.service.HouseAdopt(t.Context(), p.ID, id, byOlga())
			testworld.Must(t, err)
			return id, nil
		}})
		_, err := late.Confirm(t.Context(), clara, p.ID, "en")
		testworld.Must(t, err)
		if strings.Contains(w.Log.String(), "late order") {
			t.Errorf("the log says:\n%s", w.Log.String())
		}
	})
}

// An id that comes after an admin has adopted another order is left to the operator: nobody
// imports with the operator's key.
func TestLateIDOfTheOperatorsKey(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara)
		other, err := w.client.Add(t.Context(), testworld.OperatorKey, hstock.AddRequest{Service: market.GmailUSA, Quantity: 1})
		testworld.Must(t, err)
		p := w.draftFor(clara, market.GmailUSA, 1)
		late := w.newService(&stub{Client: w.client, add: func(ctx context.Context, key redact.Secret, r hstock.AddRequest) (string, error) {
			id, err := w.client.Add(ctx, key, r)
			testworld.Pass(80 * time.Second) // longer than the lease
			_, adoptErr := w.service.HouseAdopt(t.Context(), p.ID, other, byOlga())
			testworld.Must(t, adoptErr)
			return id, err
		}})
		_, err = late.Confirm(t.Context(), clara, p.ID, "en")
		testworld.Must(t, err)
		if n, err := w.db.CountOrders(t.Context(), clara, storage.FilterAll); err != nil || n != 1 {
			t.Errorf("Clara has %d orders, %v", n, err)
		}
		if !strings.Contains(w.Log.String(), "late order of the operator's key not stored") {
			t.Error("the operator does not find the other one in the log")
		}
	})
}

// Until a charge has confirmed SMM_RATE_PER, an allowance must suffice for the larger reading
// of a rate, and it is held until the order says what it is charged.
func TestAllowanceHoldsTheLargerReading(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara) // 1000 followers are for 0.50 or, with the other reading, 500
		ctx := t.Context()
		status := func(charge string) {
			w.Market.ClearFaults()
			w.Market.Fault(market.Fault{Action: "status", Kind: market.Answer, Times: market.Always, Body: `{"status":"In progress",` + charge + `"start_count":5,"remains":10,"currency":"USD"}`})
		}
		status("")
		p := w.draftFor(clara, market.InstagramFollowers, 1000)
		for _, amount := range []string{"549.99", "550"} {
			blocked := amount == "549.99"
			w.give(clara, amount)
			quote, err := w.service.QuoteOf(ctx, clara, p.ID)
			if err != nil || quote.Blocked() != blocked || !quote.OtherTotal.Decimal.Equal(dec("550")) || !quote.After().Equal(dec(amount).Sub(dec("550"))) {
				t.Errorf("%s: blocked %v, after %s, %v", amount, quote.Blocked(), quote.After(), err)
			}
		}
		basket := w.pricedBasket(clara, market.InstagramFollowers, 1000, 2)
		if !basket.Blocked || !basket.Short.Equal(dec("550")) || !basket.Total.Equal(dec("1.1")) {
			t.Errorf("a basket: blocked %v, %s of %s is lacking", basket.Blocked, basket.Short, basket.Total)
		}
		w.give(clara, "549.99")
		if outcome := w.confirm(p); outcome.Result != orders.Redrawn {
			t.Fatal(outcome.Result)
		}
		w.give(clara, "600")
		if outcome := w.confirm(w.draftFor(clara, market.InstagramFollowers, 1000)); outcome.Result != orders.Placed {
			t.Fatal(outcome.Result)
		}
		w.wantAvailable("placed", clara, "50")
		testworld.Pass(5 * time.Minute)
		w.wantAvailable("polled without a charge", clara, "50")
		status(`"charge":"0.50",`)
		testworld.Pass(10 * time.Minute)
		w.wantAvailable("charged", clara, "599.45")
		if next := w.draftFor(clara, market.InstagramFollowers, 1000); !next.House {
			t.Errorf("%+v", next)
		} else if quote, err := w.service.QuoteOf(ctx, clara, next.ID); err != nil || quote.OtherTotal.Valid || !quote.After().Equal(dec("598.9")) {
			t.Errorf("confirmed: %+v, %v", quote, err)
		}
	})
}

// A charge that was read before a refund is not what an order has cost after it.
func TestAllowanceDoesNotPayForWhatWasGivenBack(t *testing.T) {
	const charged = `,"charge":"2.50","currency":"USD"`
	for name, test := range map[string]struct {
		service, quantity int64
		end               string // the answer
		want              string // what is available of 20 then
	}{
		"cancelled":                 {market.GmailUSA, 2, `{"status":"Canceled"}`, "20"},
		"cancelled, with a charge":  {market.GmailUSA, 2, `{"status":"Canceled","charge":"0.50"}`, "19.45"},
		"cancelled, one came":       {market.GmailUSA, 2, `{"status":"Canceled","accounts":["a:1"]}`, "18.62"},
		"refunded":                  {market.GmailUSA, 2, `{"status":"Refunded"}`, "20"},
		"failed":                    {market.GmailUSA, 2, `{"status":"Fail"}`, "20"},
		"partial, the rest to come": {market.GmailUSA, 2, `{"status":"Partial","accounts":["a:1"]}`, "17.25"},
		"completed":                 {market.GmailUSA, 2, `{"status":"Completed","accounts":["a:1","b:2"]}`, "17.25"},
		"partial SMM":               {market.InstagramFollowers, 5000, `{"status":"Partial","remains":4000}`, "19.45"},
		"completed SMM":             {market.InstagramFollowers, 5000, `{"status":"Completed","remains":0}`, "17.25"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.addHouse(clara)
				testworld.Must(t, w.db.SetSetting(t.Context(), storage.SMMRateConfirmedSetting(1000), "1"))
				w.answers("status", `{"status":"In progress"`+charged+`}`)
				order := w.confirm(w.draftFor(clara, test.service, test.quantity)).Orders[0]
				for _, answer := range []string{`{"status":"In progress"` + charged + `}`, test.end, test.end} {
					w.answers("status", answer)
					testworld.Pass(5 * time.Second)
					_, err := w.service.Refresh(t.Context(), clara, order.ID)
					testworld.Must(t, err)
				}
				w.wantAvailable(test.end, clara, test.want)
			})
		})
	}
	for name, test := range map[string]struct {
		end, want string
	}{
		"phone cancelled":  {`{"status":"canceled"}`, "20"},
		"phone refunded":   {`{"status":"refunded"}`, "20"},
		"phone expired":    {`{"status":"expired"}`, "20"},
		"phone with code":  {`{"status":"completed","code":"123456"}`, "19.01"},
		"code, then ended": {`{"status":"canceled","code":"123456"}`, "19.01"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(_ *testing.T, w *world) {
				w.annaPaysWithAllowance("20")
				w.rent(1)
				testworld.Pass(10 * time.Second)
				w.answers("sms_status", test.end)
				w.answers("sms_code", test.end)
				testworld.Pass(6 * time.Minute) // a code may come late
				w.wantAvailable(test.end, anna, test.want)
			})
		})
	}
}

// An older program that runs beside this one changes orders without writing that into the
// ledger: the next start does, as soon as it can.
func TestLedgerIsCheckedAtTheStart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara)
		w.confirm(w.draftFor(clara, market.GmailUSA, 1))
		testworld.Pass(time.Minute)
		testworld.Must(t, w.service.Stop(t.Context()))
		w.Exec(`UPDATE orders SET state = 'refunded', charge = '0'`)
		w.wantAvailable("refunded", clara, "18.62")
		w.service = w.newService(w.client)
		accept := w.Refuse(`UPDATE ON ledger FOR EACH ROW`)
		w.service.Start()
		testworld.Pass(time.Second)
		w.wantAvailable("while the ledger can't be written", clara, "18.62")
		if log := w.Log.String(); !strings.Contains(log, failed+`" loop=sweep`) {
			t.Errorf("nobody learns of it: %s", log)
		}
		accept()
		testworld.Pass(10 * time.Second)
		w.wantAvailable("after the start", clara, "20")
	})
}
