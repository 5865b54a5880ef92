package orders_test

import (
	"errors"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

func TestOrdersWithoutSwap(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		rented := w.rent(1)[0]
		testworld.Pass(3 * time.Minute)
		rented = w.order(rented.ID)
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

func TestNoSwapIsOffered(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.Market.SetCancelAfter(time.Hour)
		_, offer := w.offerSwap()
		if offer.Swap.PurchaseID != 0 || offer.Allowance.Allowed {
			t.Errorf("the offer is %+v", offer)
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
