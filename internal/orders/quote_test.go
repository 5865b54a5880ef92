package orders_test

import (
	"testing"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
)

// serviceWith returns a Service that is not started, with other options.
func (w *world) serviceWith(change func(o *orders.Options)) *orders.Service {
	o := orders.Options{DB: w.db, Market: w.client, SMMRatePer: 1000, Wake: w.outbox.Wake, Log: w.logger(), Wall: w.wall}
	change(&o)
	return orders.New(o)
}

// TestOneReadingOfRatePerPiece: where the operator has said that an SMM rate is for one piece,
// the card shows one sum.
func TestOneReadingOfRatePerPiece(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		service := w.serviceWith(func(o *orders.Options) { o.SMMRatePer = 1 })
		intent := likes(basketLinks[0])
		intent.UserID = anna
		quote, err := service.Draft(t.Context(), intent)
		if err != nil || quote.OtherTotal.Valid || !quote.Purchase.Total().Equal(dec("500")) {
			t.Errorf("the card says %s, other %v, %v", quote.Purchase.Total(), quote.OtherTotal, err)
		}
	})
}

// TestTopUpPage: the page for a top-up is for the person's own account. They can't fill the
// operator's.
func TestTopUpPage(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const page = "https://example.com/topup"
		w.addHouse(clara)
		service := w.serviceWith(func(o *orders.Options) { o.TopUpURL = page })
		for user, want := range map[int64]string{anna: page, clara: ""} {
			quote, err := service.Draft(t.Context(), orders.Intent{UserID: user, Item: w.item(market.GmailUSA), Quantity: 1})
			if err != nil || quote.TopUpURL != want {
				t.Errorf("person %d: %q, want %q, %v", user, quote.TopUpURL, want, err)
			}
		}
	})
}

// TestBalanceThatNamesNoCurrency contradicts no price.
func TestBalanceThatNamesNoCurrency(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		service := w.newService(&stub{
			Client:  w.client,
			balance: func() (hstock.Balance, error) { return hstock.Balance{Amount: dec("100")}, nil },
			inventory: func(service int64) (hstock.Inventory, error) {
				return hstock.Inventory{Service: service, EntityType: hstock.EntityProduct, Stock: 50, Available: true, Rate: dec("1.25"), Currency: "EUR"}, nil
			},
		})
		quote, err := service.Draft(t.Context(), orders.Intent{UserID: anna, Item: w.item(market.GmailUSA), Quantity: 2})
		if err != nil || !quote.Purchase.Total().Equal(dec("2.5")) || quote.Blocked() {
			t.Errorf("the card says %+v, %v", quote, err)
		}
	})
}

// TestSecondPhoneIsNoMistake: each phone is another one, so no card warns of the one before.
func TestSecondPhoneIsNoMistake(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.rent(1)
		quote, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Rental: telegramUS, Quantity: 1})
		testworld.Must(t, err)
		if quote.Repeated.Purchase != 0 || quote.Running.Purchase != 0 {
			t.Errorf("the card warns of %+v %+v", quote.Repeated, quote.Running)
		}
	})
}
