package orders_test

import (
	"errors"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

func TestOrdersWithoutSwap(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		rented := w.order(w.rentAWhileAgo().ID)
		canceled := func(o *storage.Order) {
			o.State, o.RawStatus, o.Charge = storage.OrderCancelled, "canceled", decimal.NewNullDecimal(decimal.Zero)
		}
		for name, test := range map[string]struct {
			change  func(o *storage.Order)
			canSwap bool
			back    bool // the end is confirmed
		}{
			"unchanged":        {func(*storage.Order) {}, true, false},
			"goods":            {func(o *storage.Order) { o.Kind = storage.KindProduct }, false, false},
			"delivered":        {func(o *storage.Order) { o.State = storage.OrderDelivered }, false, false},
			"closed":           {func(o *storage.Order) { o.ClosedAt = time.Now() }, false, false},
			"code":             {func(o *storage.Order) { o.Delivered = 1 }, false, false},
			"cancel sent":      {func(o *storage.Order) { o.CancelSentAt = time.Now() }, false, false},
			"imported":         {func(o *storage.Order) { o.External = true }, false, false},
			"unknown project":  {func(o *storage.Order) { o.Rental.Project = "" }, false, false},
			"over":             {func(o *storage.Order) { o.ExpiresAt = time.Now().Add(-time.Second) }, false, false},
			"new":              {func(o *storage.Order) { o.CreatedAt = time.Now().Add(-time.Minute) }, false, false},
			"cancelled":        {canceled, false, true},
			"refunded":         {func(o *storage.Order) { canceled(o); o.State, o.RawStatus = storage.OrderRefunded, "refunded" }, false, true},
			"still open":       {func(o *storage.Order) { canceled(o); o.State = storage.OrderOpen }, true, false},
			"not confirmed":    {func(o *storage.Order) { canceled(o); o.RawStatus = "waiting" }, false, false},
			"charge not known": {func(o *storage.Order) { canceled(o); o.Charge.Valid = false }, false, false},
		} {
			o := rented
			test.change(&o)
			phone, err := w.service.Phone(t.Context(), o)
			testworld.Must(t, err)
			phone.Swap.State, phone.Swap.Charge = storage.SwapEnding, dec("0.9")
			if phone.CanSwap != test.canSwap || phone.SwapLimit || phone.CameBack().Valid != test.back {
				t.Errorf("%s: can be swapped: %v, limit: %v, came back: %v", name, phone.CanSwap, phone.SwapLimit, phone.CameBack())
			}
		}
	})
}

func TestUsualTimeOfSwap(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.Market.SetCodeAfter(20 * time.Second)
		w.rent(10)
		testworld.Pass(2 * time.Minute)
		w.Market.SetCodeAfter(0)
		order := w.rent(1)[0]
		testworld.Pass(30 * time.Second)
		if w.phone(order).CanSwap {
			t.Error("a swap is offered after 30 s")
		}
		testworld.Pass(20 * time.Second)
		if !w.phone(order).CanSwap {
			t.Error("no swap is offered after 50 s")
		}
	})
}

// TestNoSwapIsOffered where the marketplace never takes the number back, or only after its time.
func TestNoSwapIsOffered(t *testing.T) {
	for name, happens := range map[string]func(w *world){
		"only after its time": func(w *world) { w.Market.SetCancelAfter(time.Hour) },
		"never": func(w *world) {
			w.Market.Fault(market.Fault{Action: "allowcancel", Kind: market.Answer, Body: `[{"order":23501,"allowcancel":0,"error":"Not now"}]`})
		},
		"in seven hours": func(w *world) {
			w.Market.SetCancelAfter(7 * time.Hour)
			w.Exec(`UPDATE orders SET expires_at = 0`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order := w.rentAWhileAgo()
				happens(w)
				if offer := w.mustOffer(order); offer.Swap.PurchaseID != 0 || offer.Allowance.Allowed {
					t.Errorf("the offer is %+v", offer)
				}
			})
		})
	}
}

// TestTermsOfSwap: what the question says comes back, and what it lacks, is what is required
// before a new number is rented.
func TestTermsOfSwap(t *testing.T) {
	allows := func(refund string) func(w *world) {
		return func(w *world) {
			w.Market.Fault(market.Fault{Action: "allowcancel", Kind: market.Answer, Times: market.Always, Body: `[{"order":23501,"allowcancel":1` + refund + `}]`})
		}
	}
	balance := func(w *world, amount string) {
		testworld.Must(w.t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), amount))
	}
	for name, test := range map[string]struct {
		before         func(w *world) // the number is rented
		happens        func(w *world) // before the offer
		then           func(w *world) // before the tap
		charge, refund string
		short          string
		back           string
	}{
		"usual":                {charge: "0.9", refund: "0.9", short: "-99.1", back: "0.9"},
		"the refund is unsaid": {happens: allows(""), charge: "0.9", refund: "0.9", short: "-99.1", back: "0.9"},
		"a larger refund":      {happens: allows(`,"refundAmount":2.00`), charge: "0.9", refund: "0.9", short: "-99.1", back: "0.9"},
		"a smaller refund": {
			happens: func(w *world) {
				allows(`,"refundAmount":0.30`)(w)
				testworld.Must(w.t, w.Market.SetCancelRefund(market.FirstOrder, "0.30"))
			},
			charge: "0.9", refund: "0.3", short: "-98.5", back: "0.3",
		},
		"the charge is not the price": {
			happens: func(w *world) { w.Exec(`UPDATE orders SET charge = '0.80'`) },
			charge:  "0.8", refund: "0.8", short: "-99", back: "0.8",
		},
		"the charge was never read": {
			before: func(w *world) {
				w.Market.Fault(market.Fault{Action: "sms_status", Kind: market.HTML502, Times: market.Always})
			},
			then:   func(w *world) { w.Market.ClearFaults() },
			charge: "0.9", refund: "0.9", short: "-99.1", back: "0.9",
		},
		"the refund pays for it": {
			happens: func(w *world) { balance(w, "0.05") },
			charge:  "0.9", refund: "0.9", short: "-0.05", back: "0.9",
		},
		"topped up after the offer": {
			happens: func(w *world) {
				balance(w, "0.00")
				testworld.Must(w.t, w.Market.SetSMSPrice(market.ProjectTelegram, market.CountryUS, "1.0000"))
			},
			then:   func(w *world) { balance(w, "5.00") },
			charge: "0.9", refund: "0.9", short: "0.1", back: "0.9",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				do := func(f func(w *world)) {
					if f != nil {
						f(w)
					}
				}
				do(test.before)
				order := w.rentAWhileAgo()
				do(test.happens)
				offer := w.mustOffer(order)
				if s := offer.Swap; !s.Charge.Equal(dec(test.charge)) || !s.Refund.Equal(dec(test.refund)) || !offer.Short.Equal(dec(test.short)) {
					t.Errorf("of %s comes back %s, and %s lacks; want %s, %s, %s", s.Charge, s.Refund, offer.Short, test.charge, test.refund, test.short)
				}
				do(test.then)
				w.startSwap(offer)
				testworld.Pass(20 * time.Second)
				phone := w.phone(order)
				if back := phone.CameBack(); phone.NewPhone == "" || !back.Decimal.Equal(dec(test.back)) {
					t.Errorf("%s came back, and the swap is %s %q", back.Decimal, phone.Swap.State, phone.Swap.Reason)
				}
				w.wantCalls("cancel", 1)
			})
		})
	}
}

// TestOfferThatFails: nothing is offered that can't be kept.
func TestOfferThatFails(t *testing.T) {
	for name, happens := range map[string]func(w *world){
		"another currency": func(w *world) { w.Market.AddKey(testworld.AnnaKey.Reveal(), "100.00", "EUR") },
		"full disk":        func(w *world) { w.Refuse(`INSERT ON swaps FOR EACH ROW`) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order := w.rentAWhileAgo()
				happens(w)
				if offer, err := w.service.OfferSwap(t.Context(), anna, order.ID, 0, "en"); err == nil || offer.Swap.PurchaseID != 0 {
					t.Errorf("offered %+v, %v", offer.Swap, err)
				}
			})
		})
	}
}

// TestEndOfNumberBeforeSwap: the message of a number whose swap is armed says at once why
// nothing comes of it, as the next step will record.
func TestEndOfNumberBeforeSwap(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.Market.SetCancelAfter(5 * time.Minute)
		order, offer := w.offerSwap()
		w.startSwap(offer)
		waiting := w.order(order.ID)
		for name, test := range map[string]struct {
			change func(o *storage.Order)
			reason string
		}{
			"unchanged":            {func(*storage.Order) {}, ""},
			"code":                 {func(o *storage.Order) { o.State = storage.OrderDelivered }, orders.SwapCode},
			"code of one that was": {func(o *storage.Order) { o.State, o.Delivered = storage.OrderCancelled, 1 }, orders.SwapCode},
			"cancelled":            {func(o *storage.Order) { o.State = storage.OrderCancelled }, orders.SwapCancelled},
			"refunded":             {func(o *storage.Order) { o.State = storage.OrderRefunded }, orders.SwapCancelled},
			"expired":              {func(o *storage.Order) { o.State = storage.OrderExpired }, orders.SwapEnded},
			"closed":               {func(o *storage.Order) { o.ClosedAt = time.Now() }, orders.SwapEnded},
		} {
			o := waiting
			test.change(&o)
			phone, err := w.service.Phone(t.Context(), o)
			testworld.Must(t, err)
			if stopped := phone.Swap.State == storage.SwapStopped; stopped != (test.reason != "") || phone.Swap.Reason != test.reason {
				t.Errorf("%s: the swap is %s %q, want %q", name, phone.Swap.State, phone.Swap.Reason, test.reason)
			}
		}
	})
}

func TestOfferWithAnotherKey(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		_, err := w.db.SaveKey(t.Context(), anna, borisKey)
		testworld.Must(t, err)
		if _, err := w.service.OfferSwap(t.Context(), anna, order.ID, 0, "en"); !errors.Is(err, orders.ErrOtherKey) {
			t.Errorf("the error is %v", err)
		}
	})
}
