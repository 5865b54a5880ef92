package orders

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// Intent is what a person wants to buy: an item of the catalogue, with the link or
// e-mail address they typed, or phones for the codes of a project.
type Intent struct {
	UserID   int64
	Item     hstock.Item // the zero value for phones
	Category string      // of the item, in English; "" if not known
	Link     string
	Rental   storage.Rental // of phones; with a Phone that one is rented again
	Quantity int64
	Origin   string // callback data of the screen to go back to
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
		UserID: p.UserID, Category: p.Category, Link: p.Link, Rental: p.Rental, Quantity: p.Quantity, Origin: p.Origin, Lang: lang, Replaces: p.ID,
	}
	if p.Kind != storage.KindSMS {
		intent.Item = hstock.Item{Service: p.Service, Name: p.Name, EntityType: hstock.EntityProduct}
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
	// OtherTotal is the total if an SMM rate is for one piece instead of SMMRatePer.
	// It is valid until a real charge has confirmed SMMRatePer.
	OtherTotal decimal.NullDecimal
	// Short is how much the balance lacks; zero or less if it suffices.
	Short decimal.Decimal
}

// Blocked reports whether the purchase can't be confirmed because the balance is too
// low.
func (q Quote) Blocked() bool { return requiresBalance(q.Purchase) && q.Short.IsPositive() }

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
// country.
var ErrDelisted = errors.New("the marketplace no longer offers it")

// ErrMaintenance is returned while the admins have stopped all purchases.
var ErrMaintenance = errors.New("purchases are stopped for maintenance")

// CanBuy returns ErrMaintenance while purchases are stopped.
func (s *Service) CanBuy(ctx context.Context) error {
	maintenance, err := s.db.Maintenance(ctx)
	if err == nil && maintenance.On() {
		return ErrMaintenance
	}
	return err
}

// Draft reads price, stock and balance with the person's own key and stores the
// draft that they are about to confirm. It fails with ErrMaintenance, ErrNoKey,
// ErrDelisted, *LimitError, or an error of the marketplace; then nothing is stored
// or replaced.
func (s *Service) Draft(ctx context.Context, intent Intent) (Quote, error) {
	if err := s.CanBuy(ctx); err != nil {
		return Quote{}, err
	}
	key, err := s.db.ActiveKey(ctx, intent.UserID)
	if errors.Is(err, storage.ErrNotFound) {
		return Quote{}, ErrNoKey
	}
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
	now := time.Now()
	p := terms.apply(storage.Purchase{
		UserID: intent.UserID, KeyID: key.ID, KeyFingerprint: key.Fingerprint, Kind: intent.kind(),
		Service: intent.Item.Service, Name: shorten(terms.name), Category: shorten(intent.Category), Quantity: intent.Quantity, Link: intent.Link, Rental: intent.Rental,
		RatePer: s.ratePerOf(intent.kind()), Origin: intent.Origin, CreatedAt: now, ExpiresAt: now.Add(draftLifetime),
	})
	if terms.countryName != "" {
		p.Rental.CountryName = shorten(terms.countryName)
	}
	if p, err = s.db.InsertDraft(ctx, p, intent.Replaces); err != nil {
		return Quote{}, err
	}
	return s.quote(ctx, p)
}

// Discard ends a draft. It reports whether there was one.
func (s *Service) Discard(ctx context.Context, userID, purchaseID int64) (bool, error) {
	return s.db.DiscardDraft(ctx, userID, purchaseID)
}

func (s *Service) quote(ctx context.Context, p storage.Purchase) (Quote, error) {
	q := Quote{Purchase: p, Estimate: isEstimate(p), Short: p.Total().Sub(p.Balance)}
	if p.Kind == storage.KindSMM && p.RatePer != 1 {
		confirmed, err := s.db.Setting(ctx, smmRateConfirmedSetting(p.RatePer))
		if err != nil {
			return Quote{}, err
		}
		if confirmed == "" {
			q.OtherTotal = decimal.NewNullDecimal(storage.PriceOf(p.Rate, p.Quantity, 1))
		}
	}
	return q, nil
}

// terms are the marketplace's present terms for an intent.
type terms struct {
	name        string
	countryName string // of phones
	rate        decimal.Decimal
	stock       int64
	variants    bool
	balance     hstock.Balance
	limitErr    error // a *LimitError if the quantity can't be bought
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
	return terms{
		name: intent.Item.Name, rate: inventory.Rate, stock: inventory.Stock, variants: len(inventory.Subproducts) > 1,
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
		name: offered[i].Name, countryName: offered[i].CountryTitle, rate: offered[i].Price,
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
