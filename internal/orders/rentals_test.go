package orders_test

import (
	"errors"
	"testing"
	"time"

	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

var telegramUS = storage.Rental{Project: market.ProjectTelegram, Country: market.CountryUS}

// draftRentals stores a draft of Anna's for phones.
func (w *world) draftRentals(rental storage.Rental, quantity int64) storage.Purchase {
	w.t.Helper()
	quote, err := w.service.Draft(w.t.Context(), orders.Intent{UserID: anna, Rental: rental, Quantity: quantity})
	testworld.Must(w.t, err)
	return quote.Purchase
}

// rent rents phones for Telegram in the United States.
func (w *world) rent(quantity int64) []storage.Order {
	w.t.Helper()
	outcome := w.confirm(w.draftRentals(telegramUS, quantity))
	if outcome.Result != orders.Placed {
		w.t.Fatalf("got %v, reason %q", outcome.Result, outcome.Purchase.Reason)
	}
	return outcome.Orders
}

// codes returns the code and text of every SMS that has arrived, in order.
func (w *world) codes() (all []string) {
	w.t.Helper()
	for _, message := range w.messages(orders.MessageCode) {
		sms, err := orders.DecodeSMS(message)
		testworld.Must(w.t, err)
		all = append(all, sms.Code.Reveal()+"|"+sms.Text.Reveal())
	}
	return all
}

func TestRejectedRentals(t *testing.T) {
	for name, test := range map[string]struct {
		between func(w *world)
		reason  string
		refusal string
	}{
		"none left": {
			func(w *world) { testworld.Must(w.t, w.Market.SetNumbers(market.ProjectTelegram, market.CountryUS, 0)) },
			orders.ReasonRefused, "No numbers available",
		},
		"project gone": {
			func(w *world) { testworld.Must(w.t, w.Market.RemoveProject(market.ProjectTelegram)) }, orders.ReasonGone, "",
		},
		"balance gone": {
			func(w *world) { testworld.Must(w.t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), "0.50")) }, orders.ReasonBalance, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				draft := w.draftRentals(telegramUS, 1)
				test.between(w)
				outcome := w.confirm(draft)
				if outcome.Result != orders.Rejected || outcome.Purchase.Reason != test.reason || outcome.Purchase.Refusal != test.refusal {
					t.Errorf("got %v, %q, %q", outcome.Result, outcome.Purchase.Reason, outcome.Purchase.Refusal)
				}
				if len(w.Market.Numbers()) > 0 {
					t.Error("a phone was rented")
				}
			})
		})
	}
}

func TestRentalLimits(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for _, quantity := range []int64{0, -1, 11} {
			_, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Rental: telegramUS, Quantity: quantity})
			var amount *orders.LimitError
			if !errors.As(err, &amount) || amount.Max != orders.MaxRentals {
				t.Errorf("%d phones: %v", quantity, err)
			}
		}
		again := telegramUS
		again.Phone = "+15550100"
		var amount *orders.LimitError
		if _, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Rental: again, Quantity: 2}); !errors.As(err, &amount) || amount.Max != 1 {
			t.Errorf("a certain phone twice: %v", err)
		}
		_, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Rental: storage.Rental{Project: "gone", Country: "us"}, Quantity: 1})
		if !errors.Is(err, orders.ErrDelisted) {
			t.Errorf("a delisted project: %v, want ErrDelisted", err)
		}
	})
}

func TestHigherPriceOfPhonesIsConfirmedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		draft := w.draftRentals(telegramUS, 2)
		testworld.Must(t, w.Market.SetSMSPrice(market.ProjectTelegram, market.CountryUS, "1.20"))
		outcome := w.confirm(draft)
		if outcome.Result != orders.Redrawn || outcome.Quote.Purchase.Total().String() != "2.4" {
			t.Errorf("got %v at %s", outcome.Result, outcome.Quote.Purchase.Total())
		}
		if n := w.Market.Count("add_sms"); n != 0 {
			t.Errorf("%d requests to rent", n)
		}
	})
}

// TestRentingTheSamePhoneAgain: it is refused while the phone is still rented.
func TestRentingTheSamePhoneAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		again := order.Rental
		testworld.Pass(time.Second)
		outcome := w.confirm(w.draftRentals(again, 1))
		if outcome.Result != orders.Rejected || outcome.Purchase.Refusal != "This phone number can not be reused" {
			t.Errorf("while it waits: %v, %q", outcome.Result, outcome.Purchase.Refusal)
		}
		testworld.Must(t, w.Market.SendSMS(number(order), "1", "code 1"))
		testworld.Pass(10 * time.Second)
		outcome = w.confirm(w.draftRentals(again, 1))
		if outcome.Result != orders.Placed || outcome.Orders[0].Rental.Phone != order.Rental.Phone || outcome.Orders[0].ExternalID == order.ExternalID {
			t.Errorf("after its code: %v, %+v", outcome.Result, outcome.Orders)
		}
		quote, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Rental: again, Quantity: 1})
		testworld.Must(t, err)
		if !quote.Estimate || quote.Blocked() {
			t.Errorf("its price is an estimate that blocks nothing: %+v", quote)
		}
	})
}

func TestPhonesAndGoodsHaveSeparateIDs(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.buy(market.GmailUSA, 1)
		for kind, want := range map[storage.Kind]bool{storage.KindProduct: true, storage.KindSMM: true, storage.KindSMS: false} {
			taken, err := w.db.ExternalIDTaken(t.Context(), anna, kind, order.ExternalID)
			testworld.Must(t, err)
			if taken != want {
				t.Errorf("as %s: taken is %v, want %v", kind, taken, want)
			}
		}
	})
}
