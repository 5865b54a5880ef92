package orders_test

import (
	"slices"
	"testing"
	"time"

	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// TestFiguresOfRentals: what became of the last numbers of an app is known by country, and the
// app itself as one of those that are rented most.
func TestFiguresOfRentals(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addBoris()
		for _, user := range []int64{anna, boris} {
			quote, err := w.service.Draft(t.Context(), orders.Intent{UserID: user, Rental: telegramUS, Quantity: 3})
			testworld.Must(t, err)
			for n, order := range w.confirm(quote.Purchase).Orders {
				if n > 0 {
					testworld.Must(t, w.Market.SendSMS(number(order), "1", "code 1"))
				}
			}
		}
		testworld.Pass(30 * time.Minute)
		other := telegramUS
		other.Country = "gb"
		got := w.service.RentalFigures(t.Context(), telegramUS.Project, []storage.Rental{other, telegramUS})
		if figures := got[telegramUS.Subject()]; len(got) != 1 || figures.Rentals != 6 || figures.Codes != 4 {
			t.Errorf("the figures are %+v, want 4 codes of 6 rentals of %s", got, telegramUS.Subject())
		}
		if most := w.service.MostRented(t.Context()); !slices.Equal(most, []string{telegramUS.Project}) {
			t.Errorf("rented most: %q", most)
		}
	})
}
