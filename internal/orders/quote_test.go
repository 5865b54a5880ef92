package orders_test

import (
	"context"
	"strings"
	"testing"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
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

// TestCurrenciesThatSayNothing: a balance that names none contradicts no price, and a word that
// is no currency contradicts no balance.
func TestCurrenciesThatSayNothing(t *testing.T) {
	for name, test := range map[string]struct{ balance, price string }{
		"balance": {"", "EUR"}, "price": {"USD", ""}, "word": {"USD", "EACH"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				reads := 0
				service := w.newService(&stub{
					Client:  w.client,
					balance: func() (hstock.Balance, error) { return hstock.Balance{Amount: dec("100"), Currency: test.balance}, nil },
					inventory: func(service int64) (hstock.Inventory, error) {
						reads++
						return hstock.Inventory{Service: service, EntityType: hstock.EntityProduct, Stock: 50, Available: true, Rate: dec("1.25"), Currency: test.price}, nil
					},
				})
				quote, err := service.Draft(t.Context(), orders.Intent{UserID: anna, Item: w.item(market.GmailUSA), Quantity: 2})
				if err != nil || !quote.Purchase.Total().Equal(dec("2.5")) || quote.Blocked() || reads != 1 {
					t.Errorf("the card says %+v, %v, after %d reads", quote, err, reads)
				}
			})
		})
	}
}

// TestCardOfGoods: nothing is said that is not so.
func TestCardOfGoods(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		quote, err := w.service.DraftAgain(t.Context(), p, "en")
		if err != nil || quote.Blocked() || quote.Restored || quote.Estimate || quote.OtherTotal.Valid || quote.Purchase.Refill {
			t.Errorf("the card says %+v, %v", quote, err)
		}
		if quote, err = w.service.QuoteOf(t.Context(), anna, quote.Purchase.ID); err != nil || quote.Restored || !quote.AwaitedSince.IsZero() {
			t.Errorf("shown again, the card says %+v, %v", quote, err)
		}
	})
}

// TestCardNeedsAnAcceptedKey: while it can't be stored that the marketplace accepts a key again,
// its orders are not watched, and nothing is drafted.
func TestCardNeedsAnAcceptedKey(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.Exec(`UPDATE api_keys SET invalid = 1`)
		accept := w.Refuse(`UPDATE ON api_keys FOR EACH ROW`)
		if quote, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Item: w.item(market.GmailUSA), Quantity: 1}); err == nil {
			t.Errorf("the card says %+v", quote)
		}
		accept()
		w.draft(market.GmailUSA, 1)
		if key, err := w.db.ActiveKey(t.Context(), anna); err != nil || key.Invalid {
			t.Errorf("refused %v, %v", key.Invalid, err)
		}
	})
}

// TestLongNameIsCut, so that every message about the purchase can hold it.
func TestLongNameIsCut(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for length, want := range map[int]string{300: strings.Repeat("й", 300), 301: strings.Repeat("й", 299) + "…", 5000: strings.Repeat("й", 299) + "…"} {
			item := w.item(market.GmailUSA)
			item.Name = strings.Repeat("й", length)
			quote, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Item: item, Quantity: 1})
			if err != nil || quote.Purchase.Name != want {
				t.Errorf("%d characters: %d are left, %v", length, len([]rune(quote.Purchase.Name)), err)
			}
		}
	})
}

// TestAllowanceThatIsRemovedMeanwhile: its card says that nothing is available.
func TestAllowanceThatIsRemovedMeanwhile(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara)
		p := w.draftFor(clara, market.GmailUSA, 1)
		_, err := w.db.RemoveAllowance(t.Context(), clara, byOlga())
		testworld.Must(t, err)
		quote, err := w.service.QuoteOf(t.Context(), clara, p.ID)
		if err != nil || !quote.Blocked() || !quote.Purchase.Balance.IsZero() {
			t.Errorf("the card says %+v, %v", quote, err)
		}
	})
}

// TestAddressesOfGoods: an e-mail address is the same in capitals, and one with a "#" is none of
// a page. More goods to one address are no purchase on a link that still runs.
func TestAddressesOfGoods(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.OutlookByHand, true))
		draft := func(service int64, address string) orders.Quote {
			quote, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Item: w.item(service), Quantity: 1, Link: address})
			testworld.Must(t, err)
			return quote
		}
		bought := w.confirm(draft(market.OutlookByHand, "Anna#1@Example.com").Purchase)
		if got := draft(market.OutlookByHand, "anna#1@example.com"); got.Repeated.Purchase != bought.Purchase.ID || got.Running.Purchase != 0 {
			t.Errorf("the same address: repeated %+v, running %+v", got.Repeated, got.Running)
		}
		for service, address := range map[int64]string{market.OutlookByHand: "anna#2@example.com", market.GmailUSA: "anna#1@example.com"} {
			if got := draft(service, address); got.Repeated.Purchase != 0 || got.Running.Purchase != 0 {
				t.Errorf("%s: repeated %+v, running %+v", address, got.Repeated, got.Running)
			}
		}
		testworld.Must(t, w.service.AddToBasket(t.Context(), anna, w.nextUpdate(), []orders.Intent{{Item: w.item(market.GmailUSA), Quantity: 1, Link: "anna#1@example.com"}}))
		if card := w.priceBasket(); card.Warnings[card.Lines[0].ID].Any() {
			t.Errorf("in a basket: %+v", card.Warnings)
		}
	})
}

// TestRunningLinkInAnotherSpelling: two orders on one page would spoil each other.
func TestRunningLinkInAnotherSpelling(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.InstagramFollowers, true))
		order := w.buy(market.InstagramFollowers, 1000)
		quote, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Item: w.item(market.InstagramFollowers), Quantity: 500, Link: "http://www.instagram.com/anna/"})
		if err != nil || quote.Running.Purchase != order.PurchaseID {
			t.Errorf("running: %+v, %v", quote.Running, err)
		}
	})
}

// TestFirstProjectOfACountry is offered like the others, and named with its country. The name
// that a card has had stays where the marketplace gives none.
func TestFirstProjectOfACountry(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		projects, err := w.client.SMSProjects(t.Context(), testworld.AnnaKey, market.CountryUS, "en")
		testworld.Must(t, err)
		first := w.draftRentals(storage.Rental{Project: projects[0].ID, Country: market.CountryUS}, 1)
		if first.Name != projects[0].Name || first.Rental.CountryName != projects[0].CountryTitle || first.Rental.CountryName == "" {
			t.Errorf("the card says %q, %+v", first.Name, first.Rental)
		}
		w.answers("sms_projects", `[{"project_id":"`+projects[0].ID+`","name":"Telegram","price":1,"country_id":"`+market.CountryUS+`"}]`)
		again, err := w.service.DraftAgain(t.Context(), first, "en")
		if err != nil || again.Purchase.Rental.CountryName != first.Rental.CountryName {
			t.Errorf("drawn again, it says %+v, %v", again.Purchase.Rental, err)
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

// oldCurrency is a marketplace whose first price of goods gets the currency that the balance had
// before.
type oldCurrency struct {
	orders.Market
	reads int
}

func (m *oldCurrency) Inventory(ctx context.Context, key redact.Secret, service int64, lang string) (hstock.Inventory, error) {
	stock, err := m.Market.Inventory(ctx, key, service, lang)
	if m.reads++; m.reads == 1 {
		stock.Currency = "EUR"
	}
	return stock, err
}

// TestCurrencyOfTheBalanceBefore: the price is read again, and once if it has the right currency.
func TestCurrencyOfTheBalanceBefore(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		m := &oldCurrency{Market: w.client}
		w.restart(m, 0)
		for _, reads := range []int{2, 3} {
			if p := w.draft(market.GmailUSA, 1); p.Currency != "USD" || m.reads != reads {
				t.Errorf("the price is in %s, read %d times, want %d", p.Currency, m.reads, reads)
			}
		}
	})
}
