package orders

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"golang.org/x/text/currency"

	"hstockbot/internal/hstock"
	"hstockbot/internal/links"
	"hstockbot/internal/loop"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// Intent is what a person wants to buy: an item of the catalogue, with the link or
// e-mail address they typed, or phones for the codes of a project.
type Intent struct {
	UserID   int64
	Item     hstock.Item // with an English Type; the zero value for phones
	Category string      // of the item, in English; "" if not known
	Link     string
	Misfit   links.Misfit   // of Link
	Rental   storage.Rental // of phones; with a Phone that one is rented again
	Quantity int64
	Origin   string // callback data of the screen to go back to
	Thread   int64  // the topic of the chat to which its messages go, 0 for none
	Lang     string // of the person, in the marketplace's spelling
	Replaces int64  // the draft that this one replaces, 0 for none
}

func (i Intent) kind() storage.Kind {
	if i.Rental.Project != "" {
		return storage.KindSMS
	}
	return kindOf(i.Item)
}

// intentOf returns the intent of a purchase, without the catalogue's limits.
func intentOf(p storage.Purchase, lang string) Intent {
	intent := Intent{
		UserID: p.UserID, Category: p.Category, Link: p.Link, Misfit: links.Misfit(p.LinkMisfit), Rental: p.Rental, Quantity: p.Quantity, Origin: p.Origin, Thread: p.Thread, Lang: lang, Replaces: p.ID,
	}
	if p.Kind != storage.KindSMS {
		intent.Item = hstock.Item{Service: p.Service, Name: p.Name, EntityType: hstock.EntityProduct, Refill: p.Refill}
	}
	if p.Kind == storage.KindSMM {
		intent.Item.EntityType = hstock.EntitySMM
	}
	return intent
}

// Quote is a stored draft with what its confirm card says in addition.
type Quote struct {
	Purchase storage.Purchase
	// Estimate: the marketplace may charge another sum (SMM, variants, a phone
	// rented again).
	Estimate bool
	// OtherTotal is the shown total if an SMM rate is for one piece instead of SMMRatePer.
	// It is valid until a real charge has confirmed SMMRatePer, and is what an allowance must
	// suffice for until then.
	OtherTotal decimal.NullDecimal
	// Short is how much the balance lacks, or the allowance; zero or less if it suffices.
	Short decimal.Decimal
	// Allowance is what the operator's key pays for, zero where the person's own key pays
	// (Purchase.House). Then Purchase.Balance is what is available of it: the balance of the
	// operator's account is nowhere in the quote.
	Allowance storage.Allowance
	// Choice: the person's own key pays, but they have an allowance, too.
	Choice bool
	// Restored: the database was restored since the purchase, or the one that it replaces,
	// was drawn. Whether that was bought is not known.
	Restored bool
	// AwaitedSince is when the person began to wait for a top-up for this draft, zero: not.
	AwaitedSince time.Time
	TopUpURL     string // the page where people top up, "" for none
	// Running is an earlier purchase on the same link that is not complete, or may not
	// be; Repeated is one of the very same less than RepeatPeriod ago. Both are zero
	// for none, and of phones.
	Running, Repeated storage.Earlier
}

// RepeatPeriod is for how long buying the very same again is taken for a mistake.
const RepeatPeriod = 2 * time.Minute

// Blocked reports whether the purchase can't be confirmed because the balance or the
// allowance is too low. An allowance also prevents what has an estimated price.
func (q Quote) Blocked() bool {
	return (q.Purchase.House || requiresBalance(q.Purchase)) && q.Short.IsPositive()
}

// Hold is what the purchase takes when it is confirmed: of an allowance the larger one of both
// readings of an SMM rate.
func (q Quote) Hold() decimal.Decimal {
	if q.Purchase.House && q.OtherTotal.Valid {
		return q.OtherTotal.Decimal
	}
	return q.Purchase.Shown()
}

// After is what of the allowance is available after the purchase.
func (q Quote) After() decimal.Decimal { return q.Allowance.Available().Sub(q.Hold()) }

// requiresBalance reports whether a balance below the price prevents the purchase.
// Prices of SMM and of phones rented again are estimates, which prevent nothing.
// Goods with variants count: the marketplace begins with the variant of this price.
func requiresBalance(p storage.Purchase) bool {
	return p.Kind != storage.KindSMM && p.Rental.Phone == ""
}

// isEstimate reports whether the marketplace may charge another sum than the rate
// says.
func isEstimate(p storage.Purchase) bool { return p.Variants || !requiresBalance(p) }

// ErrNoKey is returned when a person has given no API key.
var ErrNoKey = errors.New("no API key")

// ErrDelisted is returned when the marketplace no longer offers a project in that
// country, or offers a product where it had an SMM service or the reverse.
var ErrDelisted = errors.New("the marketplace no longer offers it")

// NeedsMoreError is returned for an SMM service that needs more than a link and a
// quantity, which Add can't send. Type is the marketplace's English word for it.
type NeedsMoreError struct{ Type string }

func (e *NeedsMoreError) Error() string { return "the service needs more than a link: " + e.Type }

// errOtherCurrency: the price is not in the currency of the balance, which pays for it.
var errOtherCurrency = &hstock.Error{Action: "inventory", Kind: hstock.Unreadable, Err: errors.New("the price is in another currency than the balance")}

// ErrMaintenance is returned while the admins have stopped all purchases.
var ErrMaintenance = errors.New("purchases are stopped for maintenance")

// CanBuy returns ErrMaintenance while purchases are stopped, storage.ErrNotDurable while
// the database could lose one, and storage.ErrRestored while admins must look at what it
// has lost.
func (s *Service) CanBuy(ctx context.Context) error {
	maintenance, err := s.db.Maintenance(ctx)
	if err != nil {
		return err
	}
	if maintenance.On() {
		return ErrMaintenance
	}
	return s.db.Durable(ctx)
}

// Draft reads price, stock and balance with the person's own key and stores the
// draft that they are about to confirm. It fails with ErrMaintenance, ErrNoKey,
// ErrOperator, ErrDelisted, *NeedsMoreError, *LimitError, or an error of the marketplace; then
// nothing is stored or replaced.
func (s *Service) Draft(ctx context.Context, intent Intent) (Quote, error) {
	if err := s.CanBuy(ctx); err != nil {
		return Quote{}, err
	}
	if intent.Item.NeedsMoreThanLink() {
		return Quote{}, &NeedsMoreError{Type: intent.Item.Type}
	}
	key, allowance, err := s.payer(ctx, intent.UserID)
	if err != nil {
		return Quote{}, err
	}
	terms, err := s.readTerms(ctx, key, intent)
	if err != nil {
		return Quote{}, err
	}
	if terms.limitErr != nil {
		return Quote{}, terms.limitErr
	}
	now, age := time.Now(), loop.StartStopwatch()
	p := terms.apply(storage.Purchase{
		UserID: intent.UserID, KeyID: key.ID, KeyFingerprint: key.Fingerprint, House: key.House, Markup: allowance.Markup, Kind: intent.kind(),
		Service: intent.Item.Service, Name: shorten(terms.name), Category: shorten(intent.Category), Quantity: intent.Quantity,
		Refill: intent.Item.Refill, Link: intent.Link, LinkDigest: s.linkDigest(intent), LinkMisfit: string(intent.Misfit), Rental: intent.Rental,
		RatePer: s.ratePerOf(intent.kind()), Origin: intent.Origin, Thread: intent.Thread, CreatedAt: now, ExpiresAt: now.Add(draftLifetime),
	})
	if terms.countryName != "" {
		p.Rental.CountryName = shorten(terms.countryName)
	}
	if p, err = s.db.InsertDraft(ctx, p, intent.Replaces); err != nil {
		return Quote{}, err
	}
	s.keepDraftAge(p.ID, age)
	quote, err := s.quote(ctx, p)
	if err == nil && intent.Replaces != 0 {
		quote.Restored, err = s.db.DrawnBeforeRestoration(ctx, intent.Replaces)
	}
	return quote, err
}

// DraftAgain draws a purchase's draft anew, with the terms of this moment. Its errors are
// those of Draft.
func (s *Service) DraftAgain(ctx context.Context, p storage.Purchase, lang string) (Quote, error) {
	return s.Draft(ctx, intentOf(p, lang))
}

// QuoteOf returns a stored draft with what its card says, without a call. The error is
// storage.ErrNotFound if it is gone.
func (s *Service) QuoteOf(ctx context.Context, userID, purchaseID int64) (Quote, error) {
	p, err := s.db.Purchase(ctx, userID, purchaseID)
	if err != nil {
		return Quote{}, err
	}
	return s.quote(ctx, p)
}

// TopUpURL returns the page where people top up, "" for none.
func (s *Service) TopUpURL() string { return s.topUpURL }

// Discard ends a draft. It reports whether there was one.
func (s *Service) Discard(ctx context.Context, userID, purchaseID int64) (bool, error) {
	return s.db.DiscardDraft(ctx, userID, purchaseID)
}

func (s *Service) quote(ctx context.Context, p storage.Purchase) (Quote, error) {
	restored, err := s.db.DrawnBeforeRestoration(ctx, p.ID)
	if err != nil {
		return Quote{}, err
	}
	q := Quote{Purchase: p.WithoutAccount(), Estimate: isEstimate(p), Short: p.Total().Sub(p.Balance), Restored: restored, TopUpURL: s.topUpURL}
	if p.House {
		q.TopUpURL = ""
		q.Allowance, err = s.db.Allowance(ctx, p.UserID, time.Now())
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return Quote{}, err
		}
		if q.Allowance.Currency != p.Currency { // or it was removed: nothing is available
			q.Allowance = storage.Allowance{}
		}
		q.Purchase.Balance = q.Allowance.Available()
		q.Short = p.Shown().Sub(q.Purchase.Balance)
	} else if q.Blocked() {
		if q.AwaitedSince, err = s.db.TopUpAwaitedSince(ctx, p.ID); err != nil {
			return Quote{}, err
		}
	}
	if !p.House {
		if q.Choice, err = s.db.HasAllowance(ctx, p.UserID); err != nil {
			return Quote{}, err
		}
	}
	if p.Kind == storage.KindSMM {
		confirmed, err := s.rateConfirmed(ctx, p.RatePer)
		if err != nil {
			return Quote{}, err
		}
		if !confirmed {
			q.OtherTotal = decimal.NewNullDecimal(p.ShownOf(storage.PriceOf(p.Rate, p.Quantity, 1)))
		}
		if p.House {
			q.Short = q.Hold().Sub(q.Purchase.Balance)
		}
	}
	if p.Kind == storage.KindSMS {
		return q, nil // each phone is another one
	}
	if p.Kind == storage.KindSMM {
		if q.Running, err = s.db.RunningOnLink(ctx, p); err != nil {
			return Quote{}, err
		}
	}
	q.Repeated, err = s.db.RepeatedSince(ctx, p, time.Now().Add(-RepeatPeriod))
	return q, err
}

// rateConfirmed reports whether a real charge has shown that the rate of an SMM service is
// for so many pieces.
func (s *Service) rateConfirmed(ctx context.Context, per int64) (bool, error) {
	if per == 1 {
		return true, nil
	}
	confirmed, err := s.db.Setting(ctx, storage.SMMRateConfirmedSetting(per))
	return confirmed != "", err
}

// linkDigest recognizes the link of an intent, or the e-mail address, "" for none.
// Those of different people never match.
func (s *Service) linkDigest(intent Intent) string {
	user := strconv.FormatInt(intent.UserID, 10)
	switch {
	case intent.Link == "":
		return ""
	case intent.kind() == storage.KindSMM:
		return s.db.Digest("link:"+user, []byte(links.Normal(intent.Link)))
	default:
		return s.db.Digest("email:"+user, []byte(strings.ToLower(intent.Link)))
	}
}

// terms are the marketplace's present terms for an intent.
type terms struct {
	name        string
	countryName string // of phones
	rate        decimal.Decimal
	currency    string // of rate, "" if not known
	stock       int64
	variants    bool
	balance     hstock.Balance
	limitErr    error // a *LimitError if the quantity can't be bought
}

// inOtherCurrency reports whether the rate is not in the currency of a balance. A word
// beside a number that is no currency ("each") says nothing.
func (t terms) inOtherCurrency(balance hstock.Balance) bool {
	_, err := currency.ParseISO(t.currency)
	return err == nil && balance.Currency != "" && balance.Currency != t.currency
}

// apply returns a purchase on these terms.
func (t terms) apply(p storage.Purchase) storage.Purchase {
	p.Rate, p.Stock, p.Variants = t.rate, t.stock, t.variants
	p.Balance, p.Currency = t.balance.Amount, t.balance.Currency
	return p
}

// readTerms reads price and stock, and the balance in parallel.
func (s *Service) readTerms(ctx context.Context, key storage.Key, intent Intent) (terms, error) {
	ctx, cancel := context.WithTimeout(ctx, termsTimeout)
	defer cancel()
	var (
		balance    hstock.Balance
		balanceErr error
		done       = make(chan struct{})
	)
	go func() {
		defer close(done)
		balance, balanceErr = s.market.Balance(ctx, key.Secret)
	}()
	read := s.goodsTerms
	if intent.kind() == storage.KindSMS {
		read = s.rentalTerms
	}
	t, err := read(ctx, key.Secret, intent)
	<-done
	if err == nil && balanceErr == nil && t.inOtherCurrency(balance) {
		// A price that names no currency got that of the balance before.
		if t, err = read(ctx, key.Secret, intent); err == nil && t.inOtherCurrency(balance) {
			err = errOtherCurrency
		}
	}
	if err = errors.Join(err, balanceErr); err != nil {
		s.pauseRefusedKey(ctx, key.ID, key.UserID, err)
		return terms{}, err
	}
	if key.Invalid { // it was refused before, and is accepted now
		if err := s.acceptKey(ctx, key); err != nil {
			return terms{}, err
		}
	}
	t.balance = balance
	return t, nil
}

func (s *Service) goodsTerms(ctx context.Context, key redact.Secret, intent Intent) (terms, error) {
	inventory, err := s.market.Inventory(ctx, key, intent.Item.Service, intent.Lang)
	if err != nil {
		return terms{}, err
	}
	return termsOf(intent, inventory)
}

// termsOf returns the terms that a stock says.
func termsOf(intent Intent, inventory hstock.Inventory) (terms, error) {
	if inventory.EntityType == hstock.EntitySMM && intent.kind() == storage.KindProduct || inventory.EntityType == hstock.EntityProduct && intent.kind() == storage.KindSMM {
		return terms{}, ErrDelisted // the price would be for another number of pieces
	}
	return terms{
		name: intent.Item.Name, rate: inventory.Rate, currency: inventory.Currency, stock: inventory.Stock, variants: len(inventory.Subproducts) > 1,
		limitErr: LimitsOf(intent.Item, inventory).Allows(intent.Quantity),
	}, nil
}

// rentalTerms reads the price of a phone. The marketplace does not say how many
// phones there are before they are rented.
func (s *Service) rentalTerms(ctx context.Context, key redact.Secret, intent Intent) (terms, error) {
	projects, err := s.market.SMSProjects(ctx, key, intent.Rental.Country, intent.Lang)
	if err != nil {
		return terms{}, err
	}
	offered := hstock.ProjectsIn(intent.Rental.Country, projects)
	i := slices.IndexFunc(offered, func(p hstock.SMSProject) bool { return p.ID == intent.Rental.Project })
	if i < 0 {
		return terms{}, ErrDelisted
	}
	return terms{
		name: offered[i].Name, countryName: offered[i].CountryTitle, rate: offered[i].Price, currency: offered[i].Currency,
		limitErr: rentalLimits(intent.Rental).Allows(intent.Quantity),
	}, nil
}

// shorten cuts a name of the marketplace, which may be of any length, so that every
// message about the purchase can hold it.
func shorten(name string) string {
	const length = 300 // characters
	runes := []rune(name)
	if len(runes) <= length {
		return name
	}
	return string(runes[:length-1]) + "…"
}

func (s *Service) ratePerOf(kind storage.Kind) int64 {
	if kind == storage.KindSMM {
		return s.ratePer
	}
	return 1
}

func kindOf(item hstock.Item) storage.Kind {
	if item.EntityType == hstock.EntitySMM {
		return storage.KindSMM
	}
	return storage.KindProduct
}
